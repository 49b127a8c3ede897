//! `canaryctl rollout` without a name: all functions of the project's file, as one or beside each other.

use clap::Args;
use controller::{Budget, Budgeted, Identity, Request, shortest_poll};
use rollout::event::Event;

use crate::args::Rollout;
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate_all};
use crate::rollout_command::{elsewhere, one};
use crate::telling::Telling;
use crate::{murmur, say, settings, signals, wiring};

/// Where the help lists these.
const SEVERAL: &str = "Several functions (where none is named)";

/// Which functions of a file are meant, and how they go together.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Several {
    /// Of the file's functions only these
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) only: Vec<String>,
    /// Each by itself: one that goes back leaves the others alone [default: all together, all or none]
    #[arg(long, conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) each: bool,
    /// With `--each`, how many at a time [default: all]
    #[arg(long, value_name = "N", requires = "each", value_parser = clap::value_parser!(u16).range(1..), help_heading = SEVERAL)]
    pub(crate) max_parallel: Option<u16>,
}

/// Whether several functions may be meant.
pub(crate) fn are_meant(args: &Rollout) -> bool {
    args.common.stands_for_all(args.function.as_ref())
}

/// The requests for all functions that are meant, in one AWS. Functions that go together are of one schedule.
pub(crate) async fn requests(args: &Rollout) -> Result<(Vec<Located>, Vec<Request>), Failure> {
    let for_one =
        [("--zip", args.zip.is_some()), ("--image", args.image.is_some()), ("--version", args.version_number.is_some())];
    if let Some((flag, _)) = for_one.iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!(
            "`{flag}` is for one function, and none is named\n  hint: `canaryctl rollout <FUNCTION> {flag} …`"
        )));
    }
    let (located, _) = locate_all(&args.several.only, &args.common, Otherwise::Fail).await?;
    let mut requests = Vec::new();
    for one in &located {
        requests.push(settings::request(args, one).await?);
    }
    elsewhere(&args.alarms, located[0].wired.aws.region())?;
    if let Some((first, other)) = different(&located, &requests).filter(|_| !args.several.each) {
        return Err(Failure::usage(format!(
            "{first} and {other} have different schedules, and functions that are rolled out as one step together\n  \
             hint: `--type NAME` for all of them, `--only` those that are alike, or `--each` by itself"
        )));
    }
    Ok((located, requests))
}

/// Two functions that do not step together, with their schedules.
fn different(located: &[Located], requests: &[Request]) -> Option<(String, String)> {
    let shown = |index: usize| format!("`{}` ({})", located[index].key(), requests[index].schedule);
    let other = requests.iter().position(|request| request.schedule != requests[0].schedule)?;
    Some((shown(0), shown(other)))
}

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    let stop = signals::listen();
    let (located, mut requests) = requests(&args).await?;
    let wired = &located[0].wired;
    let names: Vec<String> = requests.iter().map(|request| request.subject.to_string()).collect();
    tell(&args, &located, &names);
    if requests.len() == 1 {
        // As by its name.
        return one(&args, wired, requests.remove(0), stop).await;
    }
    let at_a_time = args.several.max_parallel.map_or(requests.len(), usize::from).min(requests.len());
    for request in &mut requests {
        request.beside = at_a_time;
    }
    let telling = Telling::start(args.common.output, &args.keeping, wired.clock, requests.len())
        .map_err(|error| Failure { code: 1, message: error.to_string() })?;
    let budget = Budget::looking_every(args.poll.max(shortest_poll(at_a_time)));
    let cloud = Budgeted::new(&wired.aws, &wired.clock, &budget);
    let mut told = |event: &Event| telling.tell(event);
    let ended = if args.several.each {
        let requests: Vec<(Request, Identity)> = requests
            .into_iter()
            .map(|request| {
                let identity = wiring::identity(&request.subject);
                (request, identity)
            })
            .collect();
        controller::each(&cloud, &wired.clock, &requests, at_a_time, stop.subscribe(), &mut told).await
    } else {
        let identity = wiring::identity(&wiring::SEVERAL);
        controller::group(&cloud, &wired.clock, &requests, identity, stop.subscribe(), &mut told).await
    };
    drop(telling);
    Ok(ended.exit_code)
}

/// Says which file was taken, and whom its names stand for.
fn tell(args: &Rollout, located: &[Located], names: &[String]) {
    let how = if args.several.each { "each by itself" } else { "as one" };
    let how = if names.len() == 1 { "1 function".to_owned() } else { format!("{} functions, {how}", names.len()) };
    let file = located[0].said.as_ref().map_or("", |said| said.project.file.as_str());
    let text = format!("settings   {file}: {how}: {}\n", names.join(", "));
    match args.common.output {
        crate::args::Output::Text => say(&text),
        crate::args::Output::Json => murmur(&text),
    }
}
