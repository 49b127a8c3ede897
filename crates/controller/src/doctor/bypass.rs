//! Who gets around the alias? Each way with what to type, and yesterday's invocations, which show the ways that nothing else does.

use std::time::Duration;

use rollout::Arn;
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};
use rollout::target::{Qualified, Subject};

use crate::manual_command::quoted;
use crate::port::{Call, Cloud, EventSource, FunctionUrl};
use crate::preflight::Preflight;
use crate::preflight::callers::{Bypass, PolicyStatement, bypasses, unseen};
use crate::request::Request;

const PAST: Duration = Duration::from_hours(24);

/// From which part of all invocations on those that use no alias are not taken for somebody's tests: hooks and test events call a version by its
/// number, some ten times in a rollout, and callers do it all day.
const BY_NUMBER: f64 = 0.05;

pub(super) async fn look<C: Cloud>(
    cloud: &C,
    request: &Request,
    found: &Preflight,
    aliases: Option<&[String]>,
    out: &mut DoctorReport,
) {
    let subject = &request.subject;
    let mut ways = found.callers.bypass.clone();
    // A plain name may not list the mappings of versions: those of the stable one would never leave it.
    if let Some(stable) = found.plan.stable {
        let version = Qualified { function: subject.function.clone(), qualifier: Some(stable.to_string()) };
        match cloud.event_sources(&version).await {
            Ok(sources) => {
                let pinned = sources.into_iter().filter(bypasses).map(Bypass::Source);
                ways.extend(pinned.filter(|way| !found.callers.bypass.contains(way)));
            }
            Err(error) => {
                out.unseen.push(unseen("event source mappings of the version", Call::ListEventSourceMappings, &error));
            }
        }
    }
    out.diagnoses.extend(ways.iter().map(|way| match way {
        Bypass::Source(source) => of_source(subject, source),
        Bypass::Url(url) => of_url(subject, url),
        Bypass::PolicyStatement(permit) => of_permit(subject, permit),
    }));
    if let Some(aliases) = aliases {
        count(cloud, subject, aliases, out).await;
    }
}

fn symptom(check: &'static str, subject: &Subject, text: String) -> Diagnosis {
    let why = format!(
        "these callers get the code of `$LATEST` at once, whatever the weights of {subject} are, and a rollback does not reach them"
    );
    Diagnosis::new(Severity::Warning, check, text).why(why)
}

/// A text as a shell takes it, bare where that is the same.
fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_.:/=@".contains(letter);
    if text.chars().all(plain) && !text.is_empty() { text.to_owned() } else { quoted(text) }
}

fn of_source(subject: &Subject, source: &EventSource) -> Diagnosis {
    let (name, function) = (source.name(), &subject.function);
    let fixed = Arn::parse(&source.function).and_then(Arn::qualifier).filter(|version| *version != "$LATEST");
    let text = match fixed {
        Some(version) => format!("{name} invokes version {version} of {function}, not the alias"),
        None => format!("{name} invokes {function} itself, not the alias"),
    };
    let command = format!(
        "aws lambda update-event-source-mapping --uuid {} --function-name {}:{}",
        source.id,
        function.reference(),
        subject.alias
    );
    let symptom = symptom("event-source-mapping", subject, text);
    let symptom = match fixed {
        Some(version) => symptom.why(format!("it stays on {version} forever: no rollout reaches it")),
        None => symptom,
    };
    symptom.fix("point the mapping at the alias").commands([command])
}

fn of_url(subject: &Subject, url: &FunctionUrl) -> Diagnosis {
    let (function, alias) = (subject.function.reference(), &subject.alias);
    let text = format!("the function URL {} invokes {} itself, not the alias", url.url, subject.function);
    symptom("function-url", subject, text)
        .fix("create a URL for the alias, with the same permissions; give it to the callers, then delete the old URL")
        .commands([
            format!(
                "aws lambda create-function-url-config --function-name {function} --qualifier {alias} --auth-type {}",
                url.auth
            ),
            format!("aws lambda delete-function-url-config --function-name {function}"),
        ])
}

fn of_permit(subject: &Subject, permit: &PolicyStatement) -> Diagnosis {
    let (function, alias) = (subject.function.reference(), &subject.alias);
    let text = format!("{} may invoke {} itself, by {}", permit.who(), subject.function, permit.statement());
    let symptom = symptom("policy", subject, text);
    let fix = format!("allow it on the alias, let it invoke {subject}, then remove the statement");
    let (Some(id), [principal], false) = (&permit.id, permit.principals.as_slice(), permit.conditional) else {
        return symptom.fix(format!("{fix} (`aws lambda add-permission --qualifier {alias}`, `aws lambda remove-permission`)"));
    };
    let option =
        |name: &str, value: Option<&String>| value.map_or_else(String::new, |value| format!(" --{name} {}", word(value)));
    let add = format!(
        "aws lambda add-permission --function-name {function} --qualifier {alias} --statement-id {} --action {} --principal {}{}{}",
        word(id),
        word(&permit.action),
        word(principal),
        option("source-arn", permit.source_arn.as_ref()),
        option("source-account", permit.source_account.as_ref()),
    );
    let remove = format!("aws lambda remove-permission --function-name {function} --statement-id {}", word(id));
    symptom.fix(fix).commands([add, remove])
}

/// Invocations that use no alias, as CloudWatch counted them. Those of other aliases are not looked at.
async fn count<C: Cloud>(cloud: &C, subject: &Subject, aliases: &[String], out: &mut DoctorReport) {
    let function = &subject.function;
    let own = [function.name.clone(), format!("{}:$LATEST", function.name)];
    let through = aliases.iter().map(|alias| format!("{}:{alias}", function.name));
    let by: Vec<Option<String>> = [None].into_iter().chain(own.into_iter().chain(through).map(Some)).collect();
    let now = cloud.time();
    let counted = match cloud.calls(function, &by, now - PAST, now).await {
        Ok(counted) => counted,
        Err(error) => {
            out.unseen.push(unseen("invocations that use no alias", Call::GetMetricData, &error));
            return;
        }
    };
    let [all, plain, latest, aliases @ ..] = counted.as_slice() else { return };
    let through: f64 = aliases.iter().sum();
    let (direct, rest) = (plain + latest, all - through);
    let text = if direct > 0.0 {
        format!("{direct:.0} of {all:.0} invocations in the last 24 hours were of {function} itself, not of an alias")
    } else if rest > all * BY_NUMBER {
        format!(
            "{rest:.0} of {all:.0} invocations in the last 24 hours used no alias: they were of a version number, or of {function} itself"
        )
    } else {
        return;
    };
    let fix = format!("find what invokes the plain name or ARN of {function}, and let it invoke {subject}");
    out.diagnoses.push(symptom("direct-calls", subject, text).fix(fix));
}
