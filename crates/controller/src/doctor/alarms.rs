//! Can the alarms see anything? Metrics that are never written, statistics that mean something else, and alarms that fire too late.

use std::collections::{BTreeMap, BTreeSet};

use rollout::diagnosis::{Diagnosis, DoctorReport, Severity, SkippedCheck};
use rollout::format::exact;
use rollout::target::{FunctionName, Subject};
use rollout::timing::CLOUDWATCH_LAG;

use crate::port::{Call, Cloud, Failure, Series, Watch};
use crate::preflight::Preflight;
use crate::preflight::callers::unseen;
use crate::request::Request;

pub(super) async fn look<C: Cloud>(
    cloud: &C,
    request: &Request,
    found: &Preflight,
    aliases: Option<Vec<String>>,
    out: &mut DoctorReport,
) {
    let of_the_candidate = |name: &&String| !request.managed.iter().any(|rule| rule.name == **name);
    let names: Vec<String> = request.alarms.iter().filter(of_the_candidate).cloned().collect();
    let mut watches = described(cloud, names, out).await;
    watches.extend(request.managed.iter().map(|rule| Watch {
        name: rule.name.clone(),
        series: vec![Series {
            namespace: rule.namespace.clone(),
            metric: rule.metric.clone(),
            statistic: rule.statistic.clone(),
            // None stand for the new version's own.
            dimensions: rule.dimensions.clone(),
        }],
        children: Vec::new(),
        log_groups: Vec::new(),
        fires_after: Some(rule.period * rule.datapoints),
    }));
    let series = || watches.iter().flat_map(|watch| &watch.series);
    let gone = gone(cloud, request, series(), out).await;
    let known = Known { subject: &request.subject, aliases, gone };
    for watch in &watches {
        out.diagnoses.extend(watch.series.iter().flat_map(|series| about(&known, request, &watch.name, series)));
        out.diagnoses.extend(late(watch, found));
        if watch.series.is_empty() && watch.children.is_empty() && watch.log_groups.is_empty() {
            let what = format!("what alarm `{}` watches", watch.name);
            out.unseen.push(SkippedCheck {
                what,
                why: "it uses an expression that names no metric".to_owned(),
                permission: None,
            });
        }
    }
}

/// The alarms, and those that composite ones look at, each once: they may look at one another.
async fn described<C: Cloud>(cloud: &C, names: Vec<String>, out: &mut DoctorReport) -> Vec<Watch> {
    let (mut watches, mut next): (Vec<Watch>, Vec<String>) = (Vec::new(), names);
    let mut asked: BTreeSet<String> = next.iter().cloned().collect();
    while !next.is_empty() {
        match cloud.watches(&next).await {
            Ok(more) => {
                next = more.iter().flat_map(|watch| watch.children.clone()).filter(|name| asked.insert(name.clone())).collect();
                watches.extend(more);
            }
            Err(error) => {
                out.unseen.push(unseen("what the alarms watch", Call::DescribeAlarms, &error));
                break;
            }
        }
    }
    watches
}

struct Known<'a> {
    subject: &'a Subject,
    /// The function's aliases, where they could be read.
    aliases: Option<Vec<String>>,
    /// Other functions that alarms name and that do not exist.
    gone: BTreeSet<String>,
}

async fn gone<'a, C: Cloud>(
    cloud: &C,
    request: &Request,
    series: impl Iterator<Item = &'a Series>,
    out: &mut DoctorReport,
) -> BTreeSet<String> {
    let named = series.filter(|series| series.namespace == LAMBDA).filter_map(|series| series.dimensions.get(FUNCTION));
    let others: BTreeSet<&String> = named.filter(|name| **name != request.subject.function.name && !name.contains(':')).collect();
    let mut gone = BTreeSet::new();
    for name in others {
        let function = FunctionName { name: name.clone(), ..request.subject.function.clone() };
        match cloud.configuration(&function, None).await {
            Ok(_) => {}
            Err(error) if matches!(error.failure, Failure::NotFound | Failure::Invalid) => {
                gone.insert(name.clone());
            }
            Err(error) => {
                let what = format!("whether the function {name} exists, which an alarm names");
                out.unseen.push(unseen(&what, Call::GetFunctionConfiguration, &error));
            }
        }
    }
    gone
}

fn about(known: &Known<'_>, request: &Request, alarm: &str, series: &Series) -> Vec<Diagnosis> {
    let mut out = Vec::new();
    let warning = |text: String, why: &str| Diagnosis::new(Severity::Warning, "alarm", text).why(why);
    if let Some(text) = misnamed(series) {
        out.push(
            warning(format!("alarm `{alarm}` watches {text}"), NEVER).fix("set it on `AWS/Lambda`, with the metric's exact name"),
        );
    } else if series.namespace == LAMBDA
        && let Some((text, why)) = unseeing(known, request, series)
    {
        let subject = known.subject;
        let whole = format!("`FunctionName={}` and `Resource={subject}`", subject.function);
        let fix = format!(
            "set it on {whole}; to watch only the new version, let canaryctl manage the alarm: define it in `canary.yml`, without dimensions"
        );
        out.push(warning(format!("alarm `{alarm}` watches {text}"), why).fix(fix));
    }
    if series.namespace == LAMBDA && series.metric == "Errors" {
        let why = match series.statistic.as_str() {
            "Minimum" => "each invocation is 0 or 1: the minimum is 1 only if every invocation of the period fails",
            "SampleCount" => "each invocation is a sample, failed or not: this counts invocations, not errors",
            _ => return out,
        };
        let text = format!("alarm `{alarm}` uses the {} of Errors", series.statistic);
        out.push(Diagnosis::new(Severity::Warning, "alarm", text).why(why).fix("use the `Sum`"));
    }
    out
}

/// A metric that Lambda does not write, for a letter or two.
fn misnamed(series: &Series) -> Option<String> {
    let of_lambda =
        |name: &str| METRICS.iter().find(|metric| metric.eq_ignore_ascii_case(name) || format!("{name}s") == **metric);
    let meant = of_lambda(&series.metric)?;
    let names_function = series.dimensions.contains_key(FUNCTION) || series.dimensions.contains_key(RESOURCE);
    let alike = series.namespace.eq_ignore_ascii_case(LAMBDA) || series.namespace.eq_ignore_ascii_case("lambda");
    let of_another = names_function && series.namespace.starts_with("AWS/");
    let (namespace, metric) = (&series.namespace, &series.metric);
    if namespace != LAMBDA && (alike || of_another) {
        return Some(format!("`{metric}` in the namespace `{namespace}`, but Lambda writes to `{LAMBDA}`"));
    }
    (namespace == LAMBDA && metric != meant).then(|| format!("`{metric}`, but Lambda's metric is called `{meant}`"))
}

/// Dimensions under which Lambda never writes what such a rollout is about.
fn unseeing(known: &Known<'_>, request: &Request, series: &Series) -> Option<(String, &'static str)> {
    let dimensions = &series.dimensions;
    let (name, subject) = (&known.subject.function.name, known.subject);
    let keys: Vec<&str> = dimensions.keys().map(String::as_str).collect();
    if !WRITTEN.iter().any(|written| *written == keys) {
        return (!keys.contains(&"EventSourceMappingUUID"))
            .then(|| (format!("{}, but Lambda writes no metric with these dimensions", shown(dimensions)), NEVER));
    }
    let function = dimensions.get(FUNCTION)?;
    if function.contains(':') || known.gone.contains(function) {
        let why = if function.contains(':') { "which is not a plain function name" } else { "which does not exist" };
        return Some((format!("`{FUNCTION}={function}`, {why}"), NEVER));
    }
    let resource = dimensions.get(RESOURCE)?;
    if resource != function && !resource.starts_with(&format!("{function}:")) {
        return Some((format!("`{RESOURCE}={resource}`, which does not belong to `{function}`"), NEVER));
    }
    if function != name {
        return None;
    }
    match resource.split_once(':') {
        Some((_, alias)) if *alias == *subject.alias => {}
        Some((_, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Some((format!("`{RESOURCE}={resource}`, the invocations of a version by its number"), ELSEWHERE));
        }
        Some((_, alias)) if known.aliases.as_ref().is_some_and(|names| !names.iter().any(|known| known == alias)) => {
            return Some((format!("`{RESOURCE}={resource}`, but {function} has no such alias"), NEVER));
        }
        Some(_) => return Some((format!("`{RESOURCE}={resource}`, another alias than {subject}"), ELSEWHERE)),
        None => return Some((format!("`{RESOURCE}={resource}`, the invocations that use no alias"), ELSEWHERE)),
    }
    let version = dimensions.get(VERSION)?;
    let candidate = request.version.is_some_and(|candidate| candidate.to_string() == *version);
    (!candidate).then(|| (format!("`{VERSION}={version}`, which is not the new version"), ELSEWHERE))
}

fn shown(dimensions: &BTreeMap<String, String>) -> String {
    dimensions.iter().map(|(name, value)| format!("`{name}={value}`")).collect::<Vec<_>>().join(" and ")
}

/// An alarm that fires in time for the rollout, and too late for what CloudWatch tells it; preflight tells of later ones.
fn late(watch: &Watch, found: &Preflight) -> Option<Diagnosis> {
    let (needs, lasts) = (watch.fires_after?, found.plan.duration());
    (needs <= lasts && needs + CLOUDWATCH_LAG > lasts).then(|| {
        let text = format!(
            "alarm `{}` fires after {} of errors plus about {} of CloudWatch delay, but the rollout with its bake lasts {}",
            watch.name,
            exact(needs),
            exact(CLOUDWATCH_LAG),
            exact(lasts)
        );
        Diagnosis::new(Severity::Warning, "alarm", text)
            .why("errors of the first step are seen only after the rollout has ended")
            .fix("use a shorter period, fewer periods, or a longer `--bake`")
    })
}

const LAMBDA: &str = "AWS/Lambda";
const FUNCTION: &str = "FunctionName";
const RESOURCE: &str = "Resource";
const VERSION: &str = "ExecutedVersion";

/// What Lambda writes its metrics with, in the order of the alphabet.
const WRITTEN: [&[&str]; 4] = [&[], &[FUNCTION], &[FUNCTION, RESOURCE], &[VERSION, FUNCTION, RESOURCE]];

const METRICS: [&str; 4] = ["Errors", "Invocations", "Throttles", "Duration"];

const NEVER: &str = "it never has data, so it never fires";
const ELSEWHERE: &str = "it does not see the invocations of this rollout";
