//! `canaryctl plan`, and `rollout --dry-run`: the timeline and every problem, nothing changed.

use controller::port::Cloud;
use controller::{Problem, Request, foresee, preflight};
use rollout::event::FORMAT;
use serde_json::json;

use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::session::Wiring;
use crate::ui::print::{complain, say};
use crate::{multi, session};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    multi::for_each(&args, async |wired, request| plan(&args, wired, request).await).await
}

/// Shows one function's plan.
async fn plan(args: &Rollout, wired: &Wiring, request: &Request) -> Result<u8, Failure> {
    let identity = session::identity(&request.subject);
    let mut found = preflight(&wired.aws, &wired.clock, request, identity.id, identity.owner).await;
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
