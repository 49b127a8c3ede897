//! `canaryctl analyze`: compares canary and stable, minute by minute, on counts from a file or of a past rollout. Changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use analysis::{CountError, JoinedTest, Minute, Outlook, Parameters, Rate, Verdict, series, shown_ratio};
use clap::Args;
use controller::port::{Cloud, MinuteCounts, VersionPair};
use controller::{log_signal_minutes, signal_minutes};
use rollout::format::percent;
use rollout::timing::CLOUDWATCH_SETTLED;
use rollout::{Signal, Time, Version};
use serde_json::json;

use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::past::{Since, moment, past, refused, two};
use crate::target::resolve::{Located, locate};
use crate::ui::print::{print_json, print_out, read};

/// Compare the errors of two versions, with counts from a file or of a past rollout
///
/// Reads CSV or JSON lines with the columns `canary_calls`, `canary_errors` (of the new version), `stable_calls`, `stable_errors` (of the
/// old one), one line per minute; or
/// reads the counts of an alias' last rollout from CloudWatch. Prints the verdict of each minute.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl analyze minutes.csv
  canaryctl analyze - --output json < minutes.jsonl
  canaryctl analyze --from-cloudwatch hello:live
  canaryctl analyze --from-cloudwatch hello:live --since 3h --versions 41,42")]
pub(crate) struct Analyze {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "from_cloudwatch", conflicts_with = "from_cloudwatch")]
    file: Option<PathBuf>,
    /// Read the counts of this function's past rollout from CloudWatch
    #[arg(long, value_name = "FUNCTION[:ALIAS]")]
    from_cloudwatch: Option<String>,
    /// The start: a time, or how long ago [default: the start of the last rollout]
    #[arg(long, value_name = "TIME", requires = "from_cloudwatch", value_parser = moment)]
    since: Option<Since>,
    /// The two versions, the old one first [default: those of the last rollout]
    #[arg(long, value_name = "N,N", requires = "from_cloudwatch", value_parser = two)]
    versions: Option<(Version, Version)>,
    /// A signal to compare too, in metrics or in the log, as `rollout` takes it; may be given several times
    #[arg(long = "signal", value_name = "NAME=…", requires = "from_cloudwatch")]
    signals: Vec<Signal>,
    /// The highest probability of a false rollback over the whole rollout
    #[arg(long, value_name = "CHANCE", default_value_t = 0.01)]
    alpha: f64,
    /// Tolerate a new version that fails up to this many times as often as the old one
    #[arg(long, value_name = "TIMES", default_value_t = 1.25)]
    tolerance_ratio: f64,
    /// Tolerate this many more percentage points of errors
    #[arg(long, value_name = "POINTS", default_value_t = 0.05)]
    tolerance_points: f64,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) async fn run(args: &Analyze) -> Result<u8, Failure> {
    let parameters = Parameters {
        alpha: args.alpha,
        ratio: args.tolerance_ratio,
        margin: args.tolerance_points / 100.0,
        ..Parameters::default()
    };
    let test = JoinedTest::new(&parameters, 1 + args.signals.len()).map_err(|error| Failure::usage(error.to_string()))?;
    let minutes = match (&args.file, &args.from_cloudwatch) {
        (Some(file), _) => {
            let minutes = series::parse(&read(file)?);
            let minutes = minutes.map_err(|error| Failure::usage(format!("`{}`: {error}", file.display())))?;
            Series { minutes, signals: Vec::new() }
        }
        (None, function) => counted(args, function.as_deref()).await?,
    };
    match args.common.output {
        Output::Json => print_json(&lines(test, &minutes)),
        Output::Text => print_out(&table(test, &minutes, &parameters)),
    }
    Ok(0)
}

/// The minutes in a row, of errors and of each signal.
struct Series {
    minutes: Vec<Minute>,
    signals: Vec<(String, Vec<Minute>)>,
}

impl Series {
    /// A minute of all streams, the errors first.
    fn row(&self, index: usize) -> Vec<Option<Minute>> {
        let signals = self.signals.iter().map(|(_, minutes)| minutes.get(index).copied());
        std::iter::once(self.minutes.get(index).copied()).chain(signals).collect()
    }

    /// What is known of the whole rollout afterwards: how many invocations, and requests, the canary had.
    fn outlooks(&self) -> Vec<Outlook> {
        let all = std::iter::once(&self.minutes).chain(self.signals.iter().map(|(_, minutes)| minutes));
        all.map(|minutes| Outlook { due: None, in_all: Some(minutes.iter().map(Minute::canary_calls).sum()) }).collect()
    }
}

async fn counted(args: &Analyze, function: Option<&str>) -> Result<Series, Failure> {
    let Located { subject, session, .. } = locate(function, &args.common, Needs::Name).await?;
    let held = session.aws.alias(&subject).await;
    let held = held.map_err(|error| refused(&error.to_string(), "is this the right Region and account?"))?;
    let last = held.as_ref().and_then(|held| held.alias.note());
    let (stable, candidate, from) = past(&subject, last.as_ref(), args.versions, args.since, session.aws.time())?;
    let pair = VersionPair { subject: subject.clone(), stable, candidate, from, limits: None, signals: args.signals.clone() };
    let found = session.aws.counts(std::slice::from_ref(&pair)).await.answer.pop().transpose();
    let mut found = found.map_err(|error| refused(&error.to_string(), "cloudwatch:GetMetricData is needed"))?.unwrap_or_default();
    if found.minutes.is_empty() {
        let text = format!("CloudWatch has no invocations of {stable} and {candidate} through {subject} since {from}");
        let hint = "CloudWatch counts versions separately only while an alias has weights, and keeps minutes for 15 days";
        return Err(refused(&text, hint));
    }
    if args.signals.iter().any(Signal::is_in_logs) {
        let known = session.aws.configuration(&subject.function, None).await;
        let group = known.map_err(|error| refused(&error.to_string(), "lambda:GetFunctionConfiguration is needed"))?.log_group();
        let logged = log_signal_minutes(&session.aws, &session.clock, &pair, group).await;
        let logged = logged.map_err(|why| refused(&why, "logs:StartQuery and logs:GetQueryResults are needed"))?;
        for ((signal, minutes), logged) in args.signals.iter().zip(&mut found.signals).zip(logged) {
            if signal.is_in_logs() {
                *minutes = logged;
            }
        }
    }
    let invalid = |error: CountError| Failure::unexpected(format!("the counts from CloudWatch are not valid: {error}"));
    let minutes = every_minute(&found.minutes).map_err(invalid)?;
    let until = session.aws.time() - CLOUDWATCH_SETTLED;
    let of_signals = signal_minutes(&args.signals, &found, until).map_err(invalid)?;
    let first = found.minutes.first().map(|minute| minute.start).unwrap_or_default();
    let row = |signal: BTreeMap<Time, Minute>| {
        let starts = (0..minutes.len()).map(|index| first + Duration::from_mins(1) * u32::try_from(index).unwrap_or(u32::MAX));
        let counted = starts.take_while(|start| *start + Duration::from_mins(1) <= until);
        counted.map(|start| signal.get(&start).copied().unwrap_or_default()).collect()
    };
    let signals = args.signals.iter().map(|signal| signal.name.clone()).zip(of_signals.into_iter().map(row)).collect();
    Ok(Series { minutes, signals })
}

/// The minutes in a row: one without data is all zero.
fn every_minute(found: &[MinuteCounts]) -> Result<Vec<Minute>, CountError> {
    let mut minutes = Vec::new();
    let mut next = found.first().map(|first| first.start);
    for MinuteCounts { start, stable, candidate } in found {
        while next.is_some_and(|next| next < *start) {
            minutes.push(Minute::default());
            next = next.map(|next| next + Duration::from_mins(1));
        }
        minutes.push(Minute::new([candidate.calls, candidate.errors, stable.calls, stable.errors])?);
        next = Some(*start + Duration::from_mins(1));
    }
    Ok(minutes)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Hold => "hold",
        Verdict::RollBack => "rollback",
        Verdict::NoData => "no_data",
        Verdict::LowPower => "low_power",
    }
}

/// A JSON object per minute. A component without any bet yet is minus infinity, which JSON writes as null.
fn lines(mut test: JoinedTest, series: &Series) -> String {
    let outlooks = series.outlooks();
    let mut out = String::new();
    for index in 0..series.minutes.len() {
        test.fold(&series.row(index));
        let Some(weighed) = test.tests().first().map(analysis::Test::weighed) else { continue };
        let mut line = json!({
            "minute": index + 1,
            "ln_e": test.ln_e(),
            "components": weighed.components,
            "buckets": weighed.buckets,
            "verdict": word(test.verdict(&outlooks)),
        });
        if !series.signals.is_empty() {
            let names = series.signals.iter().map(|(name, _)| name);
            let signals = names.zip(test.tests().iter().skip(1)).map(|(name, test)| json!({"name": name, "ln_e": test.ln_e()}));
            line["signals"] = signals.collect();
        }
        // Writing to a string does not fail.
        let _ = writeln!(out, "{line}");
    }
    out
}

/// A number of any size, in a few characters.
fn figure(number: f64) -> String {
    if (0.01..1e5).contains(&number) { format!("{number:.2}") } else { format!("{number:.1e}") }
}

fn table(mut test: JoinedTest, series: &Series, parameters: &Parameters) -> String {
    let outlooks = series.outlooks();
    let mut out = String::from("minute   new version            old version            evidence      verdict\n");
    let mut noticed = None;
    for (index, minute) in series.minutes.iter().enumerate() {
        test.fold(&series.row(index));
        let verdict = test.verdict(&outlooks);
        if verdict == Verdict::RollBack && noticed.is_none() {
            noticed = Some(index + 1);
        }
        let errors = |bad: f64, calls: f64| if calls > 0.0 { format!("{bad} of {calls}") } else { "no invocations".to_owned() };
        let canary = errors(minute.canary_bad(), minute.canary_calls());
        let stable = errors(minute.stable_bad(), minute.stable_calls());
        let evidence = figure(test.ln_e().exp());
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:>6}   {canary:<22} {stable:<22} {evidence:<12}  {}", index + 1, word(verdict));
    }
    let explained = test.explain(0);
    let rate = |version: &Rate| match version.rate {
        Some(rate) => {
            let rate = percent(format_args!("{:.2}", rate * 100.0));
            format!("{rate} ({} of {} invocations)", version.bad, version.calls)
        }
        None => "no invocations".to_owned(),
    };
    let _ = writeln!(out, "\nnew       errors {}\nold       errors {}", rate(&explained.canary), rate(&explained.stable));
    for (at, (name, _)) in series.signals.iter().enumerate() {
        let of = test.explain(at + 1);
        let [canary, stable] = [&of.canary, &of.stable].map(|version| rate(version).replace("invocations", "requests"));
        let _ = writeln!(out, "signal    {name}: new {canary}, old {stable}, evidence {}", figure(of.evidence));
    }
    let _ = writeln!(
        out,
        "evidence  {} of the {:.0} required for a rollback",
        figure(test.ln_e().exp().min(f64::MAX)),
        explained.threshold
    );
    let verdict = test.verdict(&outlooks);
    let strongest = test.strongest();
    let (named, of_strongest) = match strongest.checked_sub(1).and_then(|at| series.signals.get(at)) {
        Some((name, minutes)) => (format!(": {name}"), minutes),
        None => (String::new(), &series.minutes),
    };
    let why = match (verdict, noticed) {
        (Verdict::RollBack, Some(minute)) => {
            let times = shown_ratio(parameters, of_strongest).ok().flatten();
            let at_least = times.map_or_else(String::new, |times| {
                format!("{named}: the new version fails at least {times} times as often as stable")
            });
            format!("roll back, noticed in minute {minute}{at_least}")
        }
        (Verdict::RollBack, None) => "roll back".to_owned(),
        (Verdict::Hold, _) => "hold: possibly worse, not yet certain".to_owned(),
        (Verdict::Pass, _) => "pass: healthy".to_owned(),
        (Verdict::NoData, _) => "no data: the new version had no invocations".to_owned(),
        (Verdict::LowPower, _) => "low power: with this few invocations, only near-total failure can be detected".to_owned(),
    };
    let _ = writeln!(out, "verdict   {why}");
    let promise = percent(parameters.alpha * 100.0);
    let _ = writeln!(out, "          a version within the tolerance is rolled back in at most {promise} of rollouts");
    out
}
