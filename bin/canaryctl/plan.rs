//! `canaryctl plan`, and `rollout --dry-run`: the timeline and every problem, nothing changed.

use controller::cloud::Cloud;
use controller::{Problem, Request, foresee, preflight};
use rollout::event::FORMAT;
use serde_json::json;

use crate::args::{Output, Rollout};
use crate::failure::Failure;
use crate::located::{Otherwise, locate};
use crate::wiring::Wiring;
use crate::{complain, rollout_command, say, settings, several, wiring};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    if several::are_meant(&args) {
        let (located, requests) = several::requests(&args).await?;
        let mut code = 0;
        for (located, request) in located.iter().zip(&requests) {
            code = code.max(plan(&args, &located.wired, request).await?);
        }
        return Ok(code);
    }
    let located = locate(args.function.as_deref(), &args.common, Otherwise::Fail).await?;
    let request = settings::request(&args, &located).await?;
    rollout_command::elsewhere(&args.alarms, located.wired.aws.region())?;
    plan(&args, &located.wired, &request).await
}

/// Shows one function's plan.
async fn plan(args: &Rollout, wired: &Wiring, request: &Request) -> Result<u8, Failure> {
    let identity = wiring::identity(&request.subject);
    let found = preflight(&wired.aws, &wired.clock, request, identity.id, identity.owner).await;
    let mut found = found;
    if let Some(note) = &found.owned {
        let (text, hint) = rollout::entry::owner_is_there(&request.subject, note);
        found.problems.push(Problem::new(text).hint(hint));
    }
    let (subject, now) = (&request.subject, wired.aws.time());
    // What cannot be foretold is no reason to say less of the rest.
    let foresight = foresee(&wired.aws, subject, &found.plan).await.ok().flatten();
    match args.common.output {
        Output::Text => {
            say(&report::plan_text(subject, &found.plan, foresight.as_ref()));
            for name in &found.red {
                say(&format!("  waits     alarm {name} is in ALARM; it would be waited for, an hour at most\n"));
            }
            if found.nothing_to_do {
                say("  nothing   that version is stable already: there is nothing to roll out\n");
            }
            for warning in found.told(subject) {
                say(&format!("  warning   {warning}\n"));
            }
            for problem in &found.problems {
                complain(&problem.to_string());
            }
        }
        Output::Json => {
            say(&format!("{}\n", report::plan_json(subject, &found.plan, foresight.as_ref(), now)?));
            let (function, alias) = (&subject.function.name, &subject.alias);
            for text in found.told(subject) {
                let line =
                    json!({ "v": FORMAT, "type": "warning", "at": now, "function": function, "alias": alias, "text": text });
                say(&format!("{line}\n"));
            }
            for Problem { text, hint, command } in &found.problems {
                let line = json!({ "v": FORMAT, "type": "problem", "at": now, "function": function, "alias": alias, "text": text, "hint": hint, "command": command });
                say(&format!("{line}\n"));
            }
        }
    }
    Ok(if found.problems.is_empty() { 0 } else { 3 })
}
