//! Which functions does a command act on, and with which request? One that is named, or all of the configuration file.

use aws::Aws;
use controller::port::Clock;
use controller::{Budget, Budgeted, Request, SLOW, SLOW_WHY};

use crate::cli::rollout::Rollout;
use crate::clock::RuntimeClock;
use crate::error::Failure;
use crate::request::request;
use crate::session::Session;
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate_all};
use crate::ui::print::print_info;

/// The requests of all functions that the command acts on: at least one, all in one AWS account. Functions of one rollout have one schedule.
pub(crate) async fn requests(args: &Rollout) -> Result<(Vec<Located>, Vec<Request>), Failure> {
    let for_one =
        [("--zip", args.zip.is_some()), ("--image", args.image.is_some()), ("--version", args.version_number.is_some())];
    let function = args.function.as_deref();
    if let Some((flag, _)) = for_one.iter().find(|(_, given)| *given && args.common.stands_for_all(function)) {
        return Err(Failure::usage(format!("`{flag}` needs a function\n  hint: `canaryctl rollout <FUNCTION> {flag} …`")));
    }
    if !args.several.only.is_empty() && !args.common.stands_for_all(function) {
        let text =
            "`--only` chooses among the functions of a configuration file, and `--simulate` reads only the file of `--config`";
        return Err(Failure::usage(format!("{text}\n  hint: add `--config canary.yml`")));
    }
    let (located, _) = locate_all(function, &args.several.only, &args.common, Needs::Settings(&args.typed())).await?;
    let mut requests = Vec::new();
    for one in &located {
        requests.push(request(args, one).await?);
    }
    if let Some((first, other)) = different(&located, &requests).filter(|_| !args.several.each) {
        return Err(Failure::usage(format!(
            "{first} and {other} have different schedules; the functions of one rollout need the same schedule\n  \
             hint: give all of them one with `--type NAME`, choose functions with `--only`, or roll out each separately with `--each`"
        )));
    }
    if args.guard.is_some() && requests.len() > 1 && !args.several.each {
        let text = "`--guard` guards one function: it cannot tell whether another function of the group is final already, and would leave \
                    the group apart\n  hint: `--each` rolls out each function separately, each with a guard";
        return Err(Failure::usage(text));
    }
    Ok((located, requests))
}

/// Runs `act` for each function, one after the other, all within one budget of calls. The exit code is the highest of theirs.
pub(crate) async fn for_each(
    args: &Rollout,
    mut act: impl AsyncFnMut(&Session, &InBudget<'_>, &Request) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    let (located, requests) = requests(args).await?;
    let (mut code, budget) = (0, Budget::default());
    for (Located { session, .. }, request) in located.iter().zip(&requests) {
        let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
        let mut acting = Box::pin(act(session, &cloud, request));
        let done = tokio::select! {
            done = &mut acting => done,
            () = session.clock.sleep(SLOW) => {
                print_info(&format!("{}: {SLOW_WHY}\n", request.subject));
                acting.await
            }
        };
        code = code.max(done?);
    }
    Ok(code)
}

/// AWS, within the calls that this process may make.
pub(crate) type InBudget<'a> = Budgeted<'a, Aws, RuntimeClock>;

fn different(located: &[Located], requests: &[Request]) -> Option<(String, String)> {
    let shown = |index: usize| format!("`{}` ({})", located[index].key(), requests[index].schedule);
    let other = requests.iter().position(|request| request.schedule != requests[0].schedule)?;
    Some((shown(0), shown(other)))
}
