//! What weakens a rollout? All that its preflight sees, and the settings that let it pass without protecting anything.
//!
//! It reads only. What it may not read is reported as skipped, never as healthy.

mod alarms;
mod bypass;
mod hooks;
mod irreversible;
mod retention;
mod stored;

use rollout::admission::owner_is_there;
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity, SkippedCheck};
use rollout::target::Subject;

use crate::alias_stack::OwningStack;
use crate::identity::Identity;
use crate::port::{Call, Clock, Cloud};
use crate::preflight::callers::unseen;
use crate::preflight::versions::{judge_stack, last_version};
use crate::preflight::{Preflight, Problem, preflight};
use crate::request::Request;

/// Looks at a rollout as it was asked for, and at everything around it.
pub async fn doctor<C: Cloud, K: Clock>(cloud: &C, clock: &K, request: &Request, identity: Identity) -> DoctorReport {
    let mut found = Box::pin(preflight(cloud, clock, request, identity.id, identity.owner)).await;
    let patient = cloud.patient();
    let cloud = patient.as_ref().unwrap_or(cloud);
    Box::pin(last_version(cloud, request, &mut found)).await;
    Box::pin(judge_stack(cloud, request, &mut found, true)).await;
    let mut out = DoctorReport { diagnoses: of_preflight(&found, &request.subject), unseen: found.callers.unseen.clone() };
    out.unseen.extend(found.stack.as_ref().and_then(OwningStack::unseen));
    let mut aliases = None;
    if found.lease_holder.is_some() {
        let what = "callers, versions, permissions, alarms' states and hooks".to_owned();
        let why = "a rollout is in progress, and only that was checked".to_owned();
        out.unseen.push(SkippedCheck { what, why, permission: None });
    } else if found.read {
        match cloud.alias_names(&request.subject.function).await {
            Ok(names) => aliases = Some(names),
            Err(error) => {
                out.unseen.push(unseen("the aliases, and invocations that use none of them", Call::ListAliases, &error));
            }
        }
    }
    Box::pin(bypass::look(cloud, request, &found, aliases.as_deref(), &mut out)).await;
    Box::pin(irreversible::look(cloud, request, &found, &mut out)).await;
    Box::pin(stored::look(cloud, request, &found, &mut out)).await;
    out.diagnoses.extend(retention::look(request, &found));
    Box::pin(hooks::look(cloud, clock, request, &mut out)).await;
    Box::pin(alarms::look(cloud, request, &found, aliases, &mut out)).await;
    out.unseen.extend(unasked(request));
    out.diagnoses.sort_by_key(|symptom| symptom.severity);
    out
}

/// What keeps a rollout from beginning, and what it would warn of.
fn of_preflight(found: &Preflight, subject: &Subject) -> Vec<Diagnosis> {
    let lease_holder = found.lease_holder.as_ref().map(|note| {
        let (text, hint) = owner_is_there(subject, note);
        Problem::new(text).hint(hint)
    });
    let problems = found.problems.iter().chain(&lease_holder).map(problem);
    let stack = found.stack.as_ref().map(|stack| stack.diagnosis(subject));
    let pins = found.pins.then(|| {
        Diagnosis::new(Severity::Warning, "alias", format!("{subject} is on `$LATEST`"))
            .why("until it is on a published version, each deploy of the function reaches all traffic at once")
            .fix("put it on a version of the same code; traffic unchanged. A rollout does it first")
            .commands([format!("canaryctl pin {subject}")])
    });
    let in_alarm = found.in_alarm.iter().map(|name| {
        Diagnosis::new(Severity::Warning, "alarm", format!("alarm `{name}` is in ALARM: a rollout waits for it, up to an hour"))
    });
    let warnings = found.warnings.iter().map(|text| Diagnosis::new(Severity::Warning, "preflight", text));
    problems.chain(pins).chain(stack).chain(in_alarm).chain(warnings).collect()
}

fn problem(problem: &Problem) -> Diagnosis {
    let symptom = Diagnosis::new(Severity::Problem, "preflight", &problem.text).commands(problem.command.clone());
    match &problem.hint {
        Some(hint) => symptom.fix(hint),
        None => symptom,
    }
}

/// Permissions that cannot be asked for without using them.
fn unasked(request: &Request) -> Vec<SkippedCheck> {
    let described = |what: &str, permissions: &str| SkippedCheck {
        what: what.to_owned(),
        why: format!("this cannot be checked without writing; {permissions} are needed"),
        permission: None,
    };
    let keeping = "cloudwatch:PutMetricAlarm, cloudwatch:TagResource and cloudwatch:SetAlarmState";
    let keeps = (!request.managed.is_empty()).then(|| described("whether alarms may be managed", keeping));
    keeps.into_iter().collect()
}
