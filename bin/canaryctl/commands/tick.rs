//! `canaryctl tick`: one turn of rollouts in progress, and what comes next.

use std::time::Duration;

use clap::Args;
use controller::{Budget, Budgeted, Request, Ticked, tick};
use rollout::event::{Event, RolloutSummary};
use rollout::health::clock;
use rollout::turn::{Next, Turn};
use rollout::{Alias, OutcomeKind, Subject};
use serde_json::{Value, json};

use crate::cli::artifact_args::CiSystem;
use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::cli::values::duration;
use crate::error::Failure;
use crate::session::Session;
use crate::ui::print::{print_error, print_json, print_out};
use crate::ui::reporters::Reporters;
use crate::{multi, session, signals};

/// Do what is due in a rollout in progress, and exit: for cron, or a scheduled CI job
///
/// Continues what `rollout --detach=ticks` began: reads the alarms, counts the invocations, shifts the next step if it is due, rolls back if
/// the new version is worse, then exits and says what comes next. Run it once a minute with the same options as `rollout`; two at the same
/// time do no harm. It never begins a rollout. A rollout whose process has stopped is continued once its lease has expired. The exit code
/// is 0 while the rollout is in progress, and the rollout's own when this turn ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl tick hello --type Linear10PercentEvery10Minutes --alarm HelloErrors
  canaryctl tick --for 55s                       (all functions in canary.yml)
  canaryctl tick hello --type Linear10PercentEvery10Minutes --output json")]
pub(crate) struct Tick {
    /// Stay at least this long, and watch; without it, one look
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    #[command(flatten)]
    pub(crate) rollout: Rollout,
}

pub(crate) async fn run(args: Tick) -> Result<u8, Failure> {
    let Tick { lasts, rollout: mut args } = args;
    // It draws nothing: what is left of it is its lines.
    args.artifacts.log.ci = Some(CiSystem::Plain);
    let stop = signals::listen();
    let (located, mut requests) = multi::requests(&args).await?;
    let count = requests.len();
    for request in &mut requests {
        request.turn = Some(Turn::Tick(lasts.unwrap_or_default()));
        (request.concurrent_rollouts, request.guard) = (count, None);
    }
    let session = &located[0].session;
    let reporters = Reporters::start(args.common.output, &args.artifacts, session.clock, count)?;
    let budget = Budget::looking_every(requests[0].poll, count);
    let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
    let mut emit = |event: &Event| reporters.emit(event);
    let identity = session.identity(&session::SEVERAL);
    let mut ticked = Vec::new();
    let turns: Vec<&[Request]> = if args.several.each { requests.chunks(1).collect() } else { vec![&requests] };
    for turn in turns {
        ticked.extend(tick(&cloud, &session.clock, turn, identity, stop.subscribe(), &mut emit).await);
    }
    drop(reporters);
    Ok(ticked.iter().map(|(subject, ticked)| show(subject, ticked, session, args.common.output)).max().unwrap_or_default())
}

/// Says what comes next, and gives the exit code.
fn show(subject: &Subject, ticked: &Ticked, session: &Session, output: Output) -> u8 {
    match output {
        Output::Json => {
            let line = report::object("tick", controller::port::Cloud::time(&session.aws), subject, fields(ticked));
            print_json(&format!("{line}\n"));
        }
        Output::Text => match ticked {
            Ticked::Goes(next, summary) => print_out(&goes(subject, next, summary)),
            // Its end is told.
            Ticked::Ended(_) => {}
            Ticked::Idle(alias) => print_out(&format!("{subject}: no rollout is in progress; {}\n", traffic(alias.as_ref()))),
            Ticked::Refused(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                print_error(&format!("{subject}: nothing was done; traffic unchanged: {}", problems.join("\n")));
            }
        },
    }
    exit_code(ticked)
}

fn exit_code(ticked: &Ticked) -> u8 {
    match ticked {
        Ticked::Goes(..) | Ticked::Idle(_) => 0,
        Ticked::Ended(summary) => summary.exit_code,
        Ticked::Refused(_) => 3,
    }
}

fn goes(subject: &Subject, Next { until, waits_for }: &Next, summary: &RolloutSummary) -> String {
    format!("next      {} for {waits_for}; {subject}: {}\n", clock(*until), summary.traffic)
}

fn traffic(alias: Option<&Alias>) -> String {
    alias.map_or_else(|| "the alias does not exist".to_owned(), Alias::traffic)
}

pub(crate) fn fields(ticked: &Ticked) -> Value {
    match ticked {
        Ticked::Goes(Next { until, waits_for }, summary) => json!({
            "next": "wait", "until": until, "waits_for": waits_for, "traffic": summary.traffic, "rollout_id": summary.rollout_id,
        }),
        Ticked::Ended(summary) => json!({
            "next": "done", "outcome": summary.outcome, "exit_code": summary.exit_code, "reason": summary.reason,
            "traffic": summary.traffic, "rollout_id": summary.rollout_id,
        }),
        Ticked::Idle(alias) => json!({
            "next": "done", "outcome": OutcomeKind::Unchanged, "exit_code": 0, "traffic": traffic(alias.as_ref()),
        }),
        Ticked::Refused(problems) => {
            let detail: Vec<String> = problems.iter().map(ToString::to_string).collect();
            json!({
                "next": "refused", "outcome": OutcomeKind::Refused, "exit_code": 3,
                "reason": { "kind": OutcomeKind::Refused, "detail": detail.join("\n") }, "traffic": "unchanged",
            })
        }
    }
}
