//! `canaryctl rollout`: from what was typed to a request, and from its ending to an exit code.

use std::path::Path;

use controller::cloud::Code;
use controller::{Budget, Budgeted, Request};
use rollout::entry::Wishes;
use rollout::event::Event;
use rollout::plan::{self};
use rollout::{Schedule, Subject, subject::Qualified};
use sim::Scenario;

use crate::args::{self, Rollout};
use crate::failure::Failure;
use crate::telling::Telling;
use crate::{signals, wiring};

/// The most that AWS takes as a deployment package in a request: 50 MB.
const ZIP_LIMIT: u64 = 50 * 1024 * 1024;

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    let output = args.common.output;
    let scenario = wiring::scenario(&args.common)?;
    let request = request(&args, scenario)?;
    let signals = signals::listen();
    let wired = wiring::wire(&args.common, &request.subject.function, scenario).await?;
    elsewhere(&args, wired.aws.region())?;
    let telling =
        Telling::start(output, &args.keeping, wired.clock).map_err(|error| Failure { code: 1, message: error.to_string() })?;
    let identity = wiring::identity(&request.subject);
    let budget = Budget::default();
    let cloud = Budgeted::new(&wired.aws, &wired.clock, &budget);
    let mut tell = |event: &Event| telling.tell(event);
    let ending = controller::rollout(&cloud, &wired.clock, &request, identity, signals, &mut tell).await;
    drop(telling);
    Ok(ending.exit_code)
}

/// An alarm that its ARN puts in another Region would be another one of the same name here.
pub(crate) fn elsewhere(args: &Rollout, region: &str) -> Result<(), Failure> {
    let far = args
        .alarms
        .iter()
        .find_map(|alarm| alarm.region.as_deref().filter(|there| *there != region).map(|there| (&alarm.name, there)));
    match far {
        Some((name, there)) => Err(Failure::usage(format!(
            "alarm `{name}` is in {there}, and the function in {region}\n  hint: watch an alarm in {region}"
        ))),
        None => Ok(()),
    }
}

/// What was typed, with the story's own settings where it is simulated and they were left out.
pub(crate) fn request(args: &Rollout, scenario: Option<Scenario>) -> Result<Request, Failure> {
    let told = scenario.map(Scenario::defaults);
    let subject = wiring::subject(args.function.as_deref(), &args.common, scenario)?;
    let story = |name: Option<&'static str>| name.and_then(|name| name.parse::<Qualified>().ok());
    args.comparing.check()?;
    let mut alarms: Vec<String> = args.alarms.iter().map(|alarm| alarm.name.clone()).collect();
    if let Some(told) = told.filter(|_| alarms.is_empty()) {
        alarms.extend(told.alarms.iter().map(|name| (*name).to_owned()));
    }
    let mut seen = std::collections::BTreeSet::new();
    alarms.retain(|name| seen.insert(name.clone()));
    Ok(Request {
        schedule: schedule(args, told.map(|told| told.schedule), &subject)?,
        subject,
        version: args.version_number,
        code: code(args)?,
        description: args.description.clone(),
        bake: args.bake,
        poll: args.poll,
        alarms,
        preexisting: match args.preexisting_alarm {
            args::PreexistingAlarm::Fail => plan::Preexisting::Fail,
            args::PreexistingAlarm::Ignore => plan::Preexisting::Ignore,
            args::PreexistingAlarm::Wait => plan::Preexisting::Wait,
        },
        insufficient: match args.insufficient_data {
            args::InsufficientData::Ok => plan::InsufficientData::Ok,
            args::InsufficientData::Hold => plan::InsufficientData::Hold,
            args::InsufficientData::Rollback => plan::InsufficientData::RollBack,
        },
        blind_limit: args.blind_limit,
        analysis: args.comparing.plan(),
        analysis_asked: args.comparing.asked(),
        probe_event: args.comparing.event()?,
        pre_hook: args.pre_hook.clone().or_else(|| story(told.and_then(|told| told.pre_hook))),
        post_hook: args.post_hook.clone().or_else(|| story(told.and_then(|told| told.post_hook))),
        step_hook: args.step_hook.clone(),
        hook_limit: args.hook_timeout,
        any_hook_answer: args.hook_answer == args::HookAnswer::Any,
        on_interrupt: match args.on_interrupt {
            args::OnInterrupt::Rollback => plan::OnInterrupt::RollBack,
            args::OnInterrupt::Hold => plan::OnInterrupt::Hold,
        },
        again: args.again,
        create_alias: args.create_alias,
        require_change: args.require_change,
        allow_provisioned: args.allow_provisioned_concurrency,
        observations: args.keeping.observations,
        wishes: Wishes { take_over: args.take_over, replan: args.replan, adopt: args.adopt, supersede: args.supersede },
    })
}

fn schedule(args: &Rollout, story: Option<&str>, subject: &Subject) -> Result<Schedule, Failure> {
    if let Some(schedule) = &args.schedule {
        return Ok(schedule.clone());
    }
    if let Some(every) = args.every {
        return Schedule::steps(&args.steps, every).map_err(|error| Failure::usage(error.to_string()));
    }
    let story = story.and_then(|name| name.parse().ok());
    story.ok_or_else(|| {
        Failure::usage(format!(
            "no schedule was named\n  hint: `canaryctl rollout {subject} --type Canary10Percent5Minutes`, \
             or `--steps 1,5,25,50 --every 5m`, or `--type AllAtOnce`"
        ))
    })
}

/// The package or image that was named. A file is read and looked at before anything is sent.
fn code(args: &Rollout) -> Result<Option<Code>, Failure> {
    match (&args.zip, &args.image) {
        (Some(path), _) => Ok(Some(Code::Zip(zip(path)?))),
        (None, Some(uri)) => Ok(Some(Code::Image(uri.clone()))),
        (None, None) => Ok(None),
    }
}

fn zip(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| Failure::usage(format!("`{shown}` cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > ZIP_LIMIT {
        return Err(Failure::usage(format!(
            "`{shown}` has {size} bytes; AWS takes 50 MB in a request\n  hint: upload it to S3 with your build tool, and roll out without `--zip`"
        )));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(Failure::usage(format!("`{shown}` is no zip file, or an empty one")));
    }
    Ok(bytes)
}
