//! `canaryctl analyze`: compares canary and stable, minute by minute, on counts from a file or of a past rollout. Changes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use analysis::{Minute, Outlook, Parameters, Rate, Test, Verdict, series, shown_ratio};
use clap::Args;
use controller::port::{Cloud, MinuteCounts, VersionPair};
use rollout::Version;
use rollout::format::percent;
use serde_json::json;

use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::past::{Since, moment, past, refused, two};
use crate::target::resolve::{Located, locate};
use crate::ui::print::{print_json, print_out, read};

/// Compare the errors of two versions, with counts from a file or of a past rollout
///
/// Reads CSV or JSON lines with the columns `canary_calls`, `canary_errors`, `stable_calls`, `stable_errors`, one line per minute; or
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
    /// The two versions, stable first [default: those of the last rollout]
    #[arg(long, value_name = "N,N", requires = "from_cloudwatch", value_parser = two)]
    versions: Option<(Version, Version)>,
    /// The highest probability of a false rollback over the whole rollout
    #[arg(long, value_name = "CHANCE", default_value_t = 0.01)]
    alpha: f64,
    /// Tolerate a canary that fails up to this many times as often as stable
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
    let test = Test::new(&parameters).map_err(|error| Failure::usage(error.to_string()))?;
    let minutes = match (&args.file, &args.from_cloudwatch) {
        (Some(file), _) => {
            series::parse(&read(file)?).map_err(|error| Failure::usage(format!("`{}`: {error}", file.display())))?
        }
        (None, function) => counted(args, function.as_deref()).await?,
    };
    match args.common.output {
        Output::Json => print_json(&lines(test, &minutes)),
        Output::Text => print_out(&table(test, &minutes, &parameters)),
    }
    Ok(0)
}

async fn counted(args: &Analyze, function: Option<&str>) -> Result<Vec<Minute>, Failure> {
    let Located { subject, session, .. } = locate(function, &args.common, Needs::Name).await?;
    let held = session.aws.alias(&subject).await;
    let held = held.map_err(|error| refused(&error.to_string(), "is this the right Region and account?"))?;
    let last = held.as_ref().and_then(|held| held.alias.note());
    let (stable, candidate, from) = past(&subject, last.as_ref(), args.versions, args.since, session.aws.time())?;
    let pair = VersionPair { subject: subject.clone(), stable, candidate, from, limits: None, signals: Vec::new() };
    let found = session.aws.counts(&[pair]).await.answer.pop().transpose();
    let found =
        found.map_err(|error| refused(&error.to_string(), "cloudwatch:GetMetricData is needed"))?.unwrap_or_default().minutes;
    if found.is_empty() {
        let text = format!("CloudWatch has no invocations of {stable} and {candidate} through {subject} since {from}");
        let hint = "CloudWatch counts versions separately only while an alias has weights, and keeps minutes for 15 days";
        return Err(refused(&text, hint));
    }
    every_minute(&found).map_err(|error| Failure::unexpected(format!("the counts from CloudWatch are not valid: {error}")))
}

/// The minutes in a row: one without data is all zero.
fn every_minute(found: &[MinuteCounts]) -> Result<Vec<Minute>, analysis::CountError> {
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

/// What is known of the whole rollout afterwards: how many invocations the canary had.
fn outlook(minutes: &[Minute]) -> Outlook {
    Outlook { due: None, in_all: Some(minutes.iter().map(Minute::canary_calls).sum()) }
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
fn lines(mut test: Test, minutes: &[Minute]) -> String {
    let outlook = outlook(minutes);
    let mut out = String::new();
    for (index, minute) in minutes.iter().enumerate() {
        test.fold(minute);
        let weighed = test.weighed();
        let line = json!({
            "minute": index + 1,
            "ln_e": weighed.ln_e,
            "components": weighed.components,
            "buckets": weighed.buckets,
            "verdict": word(test.verdict(&outlook)),
        });
        // Writing to a string does not fail.
        let _ = writeln!(out, "{line}");
    }
    out
}

/// A number of any size, in a few characters.
fn figure(number: f64) -> String {
    if (0.01..1e5).contains(&number) { format!("{number:.2}") } else { format!("{number:.1e}") }
}

fn table(mut test: Test, minutes: &[Minute], parameters: &Parameters) -> String {
    let outlook = outlook(minutes);
    let mut out = String::from("minute   canary errors          stable errors          evidence      verdict\n");
    let mut noticed = None;
    for (index, minute) in minutes.iter().enumerate() {
        test.fold(minute);
        let verdict = test.verdict(&outlook);
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
    let explained = test.explain();
    let rate = |version: &Rate| match version.rate {
        Some(rate) => {
            let rate = percent(format_args!("{:.2}", rate * 100.0));
            format!("{rate} ({} of {} invocations)", version.bad, version.calls)
        }
        None => "no invocations".to_owned(),
    };
    let _ = writeln!(out, "\ncanary    errors {}\nstable    errors {}", rate(&explained.canary), rate(&explained.stable));
    let _ = writeln!(out, "evidence  {} of the {:.0} required for a rollback", figure(explained.evidence), explained.threshold);
    let verdict = test.verdict(&outlook);
    let why = match (verdict, noticed) {
        (Verdict::RollBack, Some(minute)) => {
            let times = shown_ratio(parameters, minutes).ok().flatten();
            let at_least =
                times.map_or_else(String::new, |times| format!(": the canary fails at least {times} times as often as stable"));
            format!("roll back, noticed in minute {minute}{at_least}")
        }
        (Verdict::RollBack, None) => "roll back".to_owned(),
        (Verdict::Hold, _) => "hold: possibly worse, not yet certain".to_owned(),
        (Verdict::Pass, _) => "pass: healthy".to_owned(),
        (Verdict::NoData, _) => "no data: the canary had no invocations".to_owned(),
        (Verdict::LowPower, _) => "low power: with this few invocations, only near-total failure can be detected".to_owned(),
    };
    let _ = writeln!(out, "verdict   {why}");
    let promise = percent(parameters.alpha * 100.0);
    let _ = writeln!(out, "          a canary within the tolerance is rolled back in at most {promise} of rollouts");
    out
}
