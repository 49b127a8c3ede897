//! `canaryctl plan`, and `rollout --dry-run`: the timeline and every problem, nothing changed.

use controller::port::Cloud;
use controller::{Guard, Problem, Request, forecast, judge_stack, last_version, preflight};
use rollout::format::{duration, grouped};
use rollout::plan::Plan;
use rollout::price::{MEMORY_MB, PRICES, Price};
use rollout::timing::GUARD_SLACK;
use serde_json::json;

use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::multi::{self, InBudget};
use crate::session::Session;
use crate::ui::print::{print_error, print_json, print_out};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    multi::for_each(&args, async |session, cloud, request| plan(&args, (session, cloud), request).await).await
}

async fn plan(args: &Rollout, (session, cloud): (&Session, &InBudget<'_>), request: &Request) -> Result<u8, Failure> {
    let identity = session.identity(&request.subject);
    let mut found = Box::pin(preflight(cloud, &session.clock, request, identity.id, identity.owner)).await;
    let patient = cloud.patient();
    let cloud = patient.as_ref().unwrap_or(cloud);
    last_version(cloud, request, &mut found).await;
    judge_stack(cloud, request, &mut found, false).await;
    if let Some(note) = &found.lease_holder {
        let (text, hint) = rollout::admission::owner_is_there(&request.subject, note);
        found.problems.push(Problem::new(text).hint(hint));
    }
    let (subject, now) = (&request.subject, session.aws.time());
    // The rest of the plan does not need a forecast.
    let forecast = forecast(cloud, subject, &found.plan).await.ok().flatten();
    match args.common.output {
        // Where not even the alias can be read, there is no plan.
        Output::Text if !found.read => {
            for problem in &found.problems {
                print_error(&problem.to_string());
            }
        }
        Output::Text => {
            let timeline = if found.pins { report::plan_text_of_latest } else { report::plan_text };
            print_out(&timeline(subject, &found.plan, forecast.as_ref()));
            if let Some(guard) = &request.guard {
                print_out(&format!("  guard     {}\n", guarded(guard, &found.plan)));
            }
            if let Some(controller) = &request.controller {
                print_out(&format!("  costs     {}\n", costs(controller, &found.plan)));
            }
            for name in &found.in_alarm {
                print_out(&format!("  waits     alarm {name} is in ALARM; the rollout would wait up to 1h for OK\n"));
            }
            if found.nothing_to_do {
                print_out("  nothing   this version is already the alias' version: nothing to roll out\n");
            }
            for warning in found.describe_warnings(subject) {
                print_out(&format!("  warning   {warning}\n"));
            }
            for problem in &found.problems {
                print_error(&problem.to_string());
            }
        }
        Output::Json => {
            let mut plan = report::plan_json(subject, &found.plan, forecast.as_ref(), now);
            if let (Some(guard), Some(fields)) = (&request.guard, plan.as_object_mut()) {
                fields.insert("guard".to_owned(), json!({"state_machine": guard.machine, "optional": guard.optional}));
            }
            if let (Some(controller), Some(fields)) = (&request.controller, plan.as_object_mut()) {
                let Price { invocations, gb_seconds, micro_dollars } = Price::of(found.plan.duration());
                let detached = json!({
                    "controller": controller, "invocations": invocations, "gb_seconds": gb_seconds, "micro_dollars": micro_dollars,
                });
                fields.insert("detached".to_owned(), detached);
            }
            print_json(&format!("{plan}\n"));
            for text in found.describe_warnings(subject) {
                let line = report::object("warning", now, subject, json!({ "text": text }));
                print_json(&format!("{line}\n"));
            }
            for Problem { text, hint, command } in &found.problems {
                let fields = json!({ "text": text, "hint": hint, "command": command });
                print_json(&format!("{}\n", report::object("problem", now, subject, fields)));
            }
        }
    }
    Ok(if found.problems.is_empty() { 0 } else { 3 })
}

/// What a rollout costs that continues without this process; one that is held or paused costs more.
fn costs(controller: &str, plan: &Plan) -> String {
    let price = Price::of(plan.duration());
    let (invocations, gb_seconds) = (grouped(price.invocations), grouped(price.gb_seconds));
    format!(
        "about {} for the whole rollout: {invocations} invocations of {controller} by its schedule, {gb_seconds} GB-seconds ({MEMORY_MB} MB, \
         x86_64; {PRICES}); with the controller's clock, all rollouts in progress share it",
        price.dollars()
    )
}

fn guarded(guard: &Guard, plan: &Plan) -> String {
    if plan.stable.is_none() {
        return "none: a first deployment has no version to roll back to".to_owned();
    }
    let slack = duration(GUARD_SLACK);
    let without = if guard.optional { "; without it the rollout continues (--guard-optional)" } else { "" };
    format!("{} rolls back if this process stops, {slack} after its lease expires{without}", guard.machine)
}
