//! `canaryctl analyze`: the test of canary against stable on counts from a file, minute by minute. No AWS, nothing acted on.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use analysis::{Minute, Outlook, Parameters, Rate, Test, Verdict, series, shown_ratio};
use serde_json::{Value, json};

use crate::args::{Analyze, Output};
use crate::failure::Failure;
use crate::say;

pub(crate) fn run(args: &Analyze) -> Result<u8, Failure> {
    let given = read(&args.file)?;
    let minutes = series::parse(&given).map_err(|error| Failure::usage(format!("`{}`: {error}", args.file.display())))?;
    let parameters = Parameters {
        alpha: args.alpha,
        ratio: args.tolerance_ratio,
        margin: args.tolerance_points / 100.0,
        ..Parameters::default()
    };
    let test = Test::new(&parameters).map_err(|error| Failure::usage(error.to_string()))?;
    let out = match args.output {
        Output::Json => lines(test, &minutes)?,
        Output::Text => table(test, &minutes, &parameters),
    };
    say(&out);
    Ok(0)
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(format!("`{}` cannot be read: {error}", path.display()));
    if path != Path::new("-") {
        return std::fs::read_to_string(path).map_err(unreadable);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// What is known of the whole rollout when looking back on it: how many calls the canary had in all.
fn outlook(minutes: &[Minute]) -> Outlook {
    Outlook { due: None, in_all: Some(minutes.iter().map(Minute::canary_calls).sum()) }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Hold => "hold",
        Verdict::RollBack => "roll_back",
        Verdict::NoData => "no_data",
        Verdict::LowPower => "low_power",
    }
}

/// A JSON object a minute. A component that nothing was bet on yet is minus infinity, which JSON writes as null.
fn lines(mut test: Test, minutes: &[Minute]) -> Result<String, Failure> {
    let outlook = outlook(minutes);
    let mut out = String::new();
    for (index, minute) in minutes.iter().enumerate() {
        test.fold(minute);
        let weighed = test.weighed();
        let components: Vec<Value> = weighed.components.iter().map(|component| json!(component)).collect();
        let line = json!({
            "minute": index + 1,
            "ln_e": weighed.ln_e,
            "components": components,
            "buckets": weighed.buckets,
            "verdict": word(test.verdict(&outlook)),
        });
        out.push_str(&serde_json::to_string(&line)?);
        out.push('\n');
    }
    Ok(out)
}

/// A number of any size, short.
fn figure(number: f64) -> String {
    if (0.01..1e5).contains(&number) { format!("{number:.2}") } else { format!("{number:.1e}") }
}

/// A line a minute for people, and what it comes to.
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
        let errors = |bad: f64, calls: f64| if calls > 0.0 { format!("{bad} of {calls}") } else { "no calls".to_owned() };
        let canary = errors(minute.canary_bad(), minute.canary_calls());
        let stable = errors(minute.stable_bad(), minute.stable_calls());
        let evidence = figure(test.ln_e().exp());
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:>6}   {canary:<22} {stable:<22} {evidence:<12}  {}", index + 1, word(verdict));
    }
    let told = test.explain();
    let rate = |version: &Rate| match version.rate {
        Some(rate) => format!("{:.2} % ({} of {} calls)", rate * 100.0, version.bad, version.calls),
        None => "no calls".to_owned(),
    };
    let _ = writeln!(out, "\ncanary    errors {}\nstable    errors {}", rate(&told.canary), rate(&told.stable));
    let _ = writeln!(out, "evidence  {} of {:.0} that a rollback takes", figure(told.evidence), told.threshold);
    let verdict = test.verdict(&outlook);
    let why = match (verdict, noticed) {
        (Verdict::RollBack, Some(minute)) => {
            let times = shown_ratio(parameters, minutes).ok().flatten();
            let at_least =
                times.map_or_else(String::new, |times| format!(": the canary fails at least {times} times as often as stable"));
            format!("roll back, noticed in minute {minute}{at_least}")
        }
        (Verdict::RollBack, None) => "roll back".to_owned(),
        (Verdict::Hold, _) => "hold: suspicious, not yet certain".to_owned(),
        (Verdict::Pass, _) => "pass: no complaint".to_owned(),
        (Verdict::NoData, _) => "no data: the canary had no calls".to_owned(),
        (Verdict::LowPower, _) => "low power: with so few calls only a dead canary can be seen".to_owned(),
    };
    let _ = writeln!(out, "verdict   {why}");
    let promise = parameters.alpha * 100.0;
    let _ = writeln!(out, "          a canary that is no worse than tolerated is rolled back in at most {promise} % of rollouts");
    out
}
