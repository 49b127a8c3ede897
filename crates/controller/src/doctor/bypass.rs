//! Who gets around the alias? Each way with what to type, and yesterday's invocations, which show the ways that nothing else does.

use std::time::Duration;

use rollout::Arn;
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};
use rollout::target::{Qualified, Subject};

use crate::manual_command::quoted;
use crate::port::{Call, Cloud, EventSource, FunctionUrl};
use crate::preflight::Preflight;
use crate::preflight::callers::{Bypass, PolicyStatement, bypasses, is_on, unseen};
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
    // A plain name may not list the mappings of versions and aliases: those of the stable one would never leave it.
    let stable = found.plan.stable.map(|stable| stable.to_string());
    let mut sources = Vec::new();
    for qualifier in found.alias.as_ref().map(|_| subject.alias.clone()).into_iter().chain(stable) {
        let qualified = Qualified { function: subject.function.clone(), qualifier: Some(qualifier) };
        match cloud.event_sources(&qualified).await {
            Ok(more) => sources.extend(more),
            Err(error) => {
                let what = "event source mappings of the version and of the alias";
                out.unseen.push(unseen(what, Call::ListEventSourceMappings, &error));
                break;
            }
        }
    }
    let pinned = sources.iter().filter(|source| bypasses(source)).cloned().map(Bypass::Source);
    ways.extend(pinned.filter(|way| !found.callers.bypass.contains(way)));
    let through = Through { sources, urls: urls(cloud, subject, &ways).await };
    out.diagnoses.extend(ways.iter().map(|way| match way {
        Bypass::Source(source) => of_source(subject, source, through.twin(subject, source)),
        Bypass::Url(url) => of_url(subject, url, through.url(subject)),
        Bypass::PolicyStatement(permit) => of_permit(subject, permit),
    }));
    if let Some(aliases) = aliases {
        count(cloud, subject, aliases, out).await;
    }
}

/// The addresses of the function, where one of them bypasses the alias; that they may not be read is reported already.
async fn urls<C: Cloud>(cloud: &C, subject: &Subject, ways: &[Bypass]) -> Vec<FunctionUrl> {
    let asked = ways.iter().any(|way| matches!(way, Bypass::Url(_)));
    if asked { cloud.function_urls(&subject.function).await.unwrap_or_default() } else { Vec::new() }
}

/// What invokes the alias already, so that a way around it is one too many.
struct Through {
    sources: Vec<EventSource>,
    urls: Vec<FunctionUrl>,
}

impl Through {
    /// The mapping of the same queue or stream that is on the alias.
    fn twin(&self, subject: &Subject, source: &EventSource) -> Option<&EventSource> {
        let on_alias = |other: &&EventSource| is_on(subject, &other.function) && other.source.is_some();
        self.sources.iter().filter(on_alias).find(|other| other.source == source.source && other.id != source.id)
    }

    fn url(&self, subject: &Subject) -> Option<&FunctionUrl> {
        self.urls.iter().find(|url| is_on(subject, &url.function))
    }
}

/// One command of several steps: none is taken unless the one before it has shown that it is safe.
fn chain(steps: impl IntoIterator<Item = String>) -> String {
    steps.into_iter().collect::<Vec<_>>().join(" && ")
}

/// The step that fails where there is no alias to move anything to.
fn alias_exists(subject: &Subject) -> String {
    let (function, alias) = (subject.function.reference(), &subject.alias);
    format!("aws lambda get-alias --function-name {function} --name {alias} --query AliasArn --output text")
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

fn of_source(subject: &Subject, source: &EventSource, twin: Option<&EventSource>) -> Diagnosis {
    let (name, function) = (source.name(), &subject.function);
    let fixed = Arn::parse(&source.function).and_then(Arn::qualifier).filter(|version| *version != "$LATEST");
    let text = match fixed {
        Some(version) => format!("{name} invokes version {version} of {function}, not the alias"),
        None => format!("{name} invokes {function} itself, not the alias"),
    };
    let text = twin.map_or_else(|| text.clone(), |_| format!("{text}, in addition to a mapping on the alias"));
    let symptom = symptom("event-source-mapping", subject, text);
    let symptom = match fixed {
        Some(version) => symptom.why(format!("it stays on {version} forever: no rollout reaches it")),
        None => symptom,
    };
    let Some(twin) = twin else {
        let (function, alias) = (function.reference(), &subject.alias);
        let id = &source.id;
        let update = format!("aws lambda update-event-source-mapping --uuid {id} --function-name {function}:{alias}");
        return symptom.fix("point the mapping at the alias").commands([chain([alias_exists(subject), update])]);
    };
    // AWS refuses a second mapping of one source on one alias: this one cannot be moved there.
    let proof = if twin.active {
        format!("aws lambda get-event-source-mapping --uuid {} --query State --output text | grep -qx Enabled", twin.id)
    } else {
        format!("aws lambda update-event-source-mapping --uuid {} --enabled", twin.id)
    };
    let delete = format!("aws lambda delete-event-source-mapping --uuid {}", source.id);
    let disabled = if twin.active { "" } else { "enable the mapping on the alias, and " };
    symptom
        .fix(format!("{disabled}delete this mapping: {} on the alias takes its place", twin.id))
        .commands([chain([proof, delete])])
}

fn of_url(subject: &Subject, url: &FunctionUrl, twin: Option<&FunctionUrl>) -> Diagnosis {
    let (function, alias) = (subject.function.reference(), &subject.alias);
    let text = format!("the function URL {} invokes {} itself, not the alias", url.url, subject.function);
    let symptom = symptom("function-url", subject, text);
    let delete = chain([
        format!(
            "aws lambda get-function-url-config --function-name {function} --qualifier {alias} --query FunctionUrl --output text"
        ),
        format!("aws lambda delete-function-url-config --function-name {function}"),
    ]);
    if let Some(twin) = twin {
        let fix = format!("give the callers the URL of the alias, {}; when none uses the old one, delete it", twin.url);
        return symptom.fix(fix).commands([delete]);
    }
    let auth = &url.auth;
    let create =
        format!("aws lambda create-function-url-config --function-name {function} --qualifier {alias} --auth-type {auth}");
    // Anybody may call a URL without authentication, once its policy says so.
    let allow = |id: &str, action: &str| {
        format!(
            "aws lambda add-permission --function-name {function} --qualifier {alias} --statement-id {id} --principal '*' --action {action}"
        )
    };
    let public = (url.auth == "NONE").then(|| {
        [
            format!("{} --function-url-auth-type NONE", allow("public-url", "lambda:InvokeFunctionUrl")),
            format!("{} --invoked-via-function-url", allow("public-url-invoke", "lambda:InvokeFunction")),
        ]
    });
    let create = chain([alias_exists(subject), create].into_iter().chain(public.into_iter().flatten()));
    symptom
        .fix(
            "create a URL for the alias, with the same permissions (first command); give it to the callers; when none uses the old \
             URL, delete it (second command)",
        )
        .commands([create, delete])
}

fn of_permit(subject: &Subject, permit: &PolicyStatement) -> Diagnosis {
    let (function, alias) = (subject.function.reference(), &subject.alias);
    let text = format!("{} may invoke {} itself, by {}", permit.who(), subject.function, permit.statement());
    let symptom = symptom("policy", subject, text);
    let (Some(id), [principal], false) = (&permit.id, permit.principals.as_slice(), permit.conditional) else {
        return symptom.fix(format!(
            "allow it on the alias, let it invoke {subject}, then remove the statement \
             (`aws lambda add-permission --qualifier {alias}`, `aws lambda remove-permission`)"
        ));
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
    let of_alias =
        format!("aws lambda get-policy --function-name {function} --qualifier {alias} --query Policy --output text | grep -qF");
    let allowed = format!("{of_alias} {}", quoted(&format!("\"Sid\":\"{id}\"")));
    let remove = format!("aws lambda remove-permission --function-name {function} --statement-id {}", word(id));
    symptom
        .fix(format!(
            "allow it on the alias (first command); let it invoke {subject}; when nothing invokes {} itself, remove the statement \
             (second command)",
            subject.function
        ))
        .commands([chain([alias_exists(subject), add]), chain([allowed, remove])])
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
