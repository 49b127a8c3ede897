//! How are the versions to be compared? The options of `rollout` and `plan` for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rollout::plan::{Analysis, Latency, Mode, OnLowTraffic};
use rollout::timing::MAX_HOLD;

use crate::cli::values::duration;
use crate::error::Failure;

/// Where the help lists these.
const COMPARING: &str = "Comparing the versions";

/// How the calls of both versions are compared.
#[derive(Debug, Args)]
pub(crate) struct AnalysisArgs {
    /// Compare the new version's calls with the old one's: `on`, `observe` (report, never act) or `off`; with a comma, `sensitive` (sooner,
    /// at a chance of a false rollback of 5% instead of 1%), and `latency=report`, `latency=enforce` or `latency=off` [default: on]
    #[arg(long, value_name = "HOW,…", value_delimiter = ',', value_parser = word, help_heading = COMPARING)]
    analysis: Vec<Word>,
    /// Let no step end before the new version has had so many calls in it [default: 0]
    #[arg(long, value_name = "N", help_heading = COMPARING)]
    min_requests: Option<u64>,
    /// How much longer than planned a step may last for want of calls [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = COMPARING)]
    max_hold: Option<Duration>,
    /// What to do then: go back, go on, or send the new version a saved event and see [default: rollback]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = COMPARING)]
    on_low_traffic: Option<LowTraffic>,
    /// The event to send, as JSON
    #[arg(long, value_name = "FILE", help_heading = COMPARING)]
    probe_event: Option<PathBuf>,
    /// How often to send it [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = COMPARING)]
    probe_count: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LowTraffic {
    Rollback,
    Promote,
    Probe,
}

/// One word of `--analysis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Mode(Mode),
    Sensitive,
    Latency(Latency),
}

fn word(text: &str) -> Result<Word, String> {
    Ok(match text.trim() {
        "on" => Word::Mode(Mode::On),
        "observe" => Word::Mode(Mode::Observe),
        "off" => Word::Mode(Mode::Off),
        "sensitive" => Word::Sensitive,
        "latency=report" => Word::Latency(Latency::Report),
        "latency=enforce" => Word::Latency(Latency::Enforce),
        "latency=off" => Word::Latency(Latency::Ignore),
        _ => return Err("`on`, `observe`, `off`, `sensitive`, `latency=report`, `latency=enforce` or `latency=off`".to_owned()),
    })
}

impl AnalysisArgs {
    /// Whether it was asked for, here or in the project's file, rather than being what is done unasked: also by asking for something that
    /// only counting calls can give.
    pub(crate) fn asked(&self, file: &project::Analysis, plan: &Analysis) -> bool {
        !self.analysis.is_empty() || file.mode.is_some() || wants_calls(plan)
    }

    /// How it is done: as typed, else as the project's file says, else as it is done unasked.
    pub(crate) fn plan(&self, file: &project::Analysis) -> Result<Analysis, Failure> {
        let usual = Analysis { mode: Mode::On, ..Analysis::default() };
        let count = self.probe_count.or(file.probe_count.as_ref().map(|at| at.value));
        let low = self.on_low_traffic.or(file.on_low_traffic.as_ref().map(|at| at.value.into())).unwrap_or(LowTraffic::Rollback);
        let without_event = self.probe_event.is_none() && file.probe_event.is_none();
        if without_event && (low == LowTraffic::Probe || self.probe_count.is_some()) {
            return Err(Failure::usage("there is no saved event to send\n  hint: `--probe-event FILE` names one"));
        }
        let on_low_traffic = match low {
            LowTraffic::Rollback => OnLowTraffic::RollBack,
            LowTraffic::Promote => OnLowTraffic::Promote,
            LowTraffic::Probe => OnLowTraffic::Probe(count.unwrap_or(PROBES)),
        };
        // Saved events stand in for calls, so that without a number of calls to wait for they would never be sent.
        let unsaid = if low == LowTraffic::Probe { u64::from(count.unwrap_or(PROBES)) } else { 0 };
        let asked = self.min_requests.or(file.min_requests.as_ref().map(|at| at.value)).filter(|asked| *asked > 0);
        let mut analysis = Analysis {
            mode: file.mode.as_ref().map_or(usual.mode, |at| at.value),
            sensitive: file.alpha.as_ref().is_some_and(|at| at.value > usual.alpha()),
            latency: file.latency.as_ref().map_or(usual.latency, |at| latency(at.value)),
            min_requests: asked.unwrap_or(unsaid),
            max_hold: self.max_hold.or(file.max_hold.as_ref().map(|at| at.value)).unwrap_or(usual.max_hold),
            on_low_traffic,
        };
        for word in &self.analysis {
            match word {
                Word::Mode(mode) => analysis.mode = *mode,
                Word::Sensitive => analysis.sensitive = true,
                Word::Latency(latency) => analysis.latency = *latency,
            }
        }
        if wants_calls(&analysis) && analysis.mode != Mode::On {
            let word = analysis.mode.word();
            return Err(Failure::usage(format!(
                "`--min-requests` and `--on-low-traffic` wait for calls, which `--analysis {word}` does not act on\n  hint: leave one of them out"
            )));
        }
        if self.probe_event.is_some() && low != LowTraffic::Probe {
            let hint = "add it, or leave the event out";
            return Err(Failure::usage(format!("`--probe-event` is sent with `--on-low-traffic probe` alone\n  hint: {hint}")));
        }
        Ok(analysis)
    }

    /// The saved event, looked at before anything is sent.
    pub(crate) fn event(&self, file: &project::Analysis) -> Result<Option<Vec<u8>>, Failure> {
        match (&self.probe_event, &file.probe_event) {
            (Some(path), _) => event(path).map(Some),
            (None, said) => Ok(said.as_ref().map(|said| said.value.to_string().into_bytes())),
        }
    }
}

impl From<project::LowTraffic> for LowTraffic {
    fn from(setting: project::LowTraffic) -> Self {
        match setting {
            project::LowTraffic::RollBack => Self::Rollback,
            project::LowTraffic::Promote => Self::Promote,
            project::LowTraffic::Probe => Self::Probe,
        }
    }
}

/// Whether something was asked for that only counting calls can give.
fn wants_calls(plan: &Analysis) -> bool {
    plan.min_requests > 0 || plan.on_low_traffic != OnLowTraffic::RollBack
}

fn latency(setting: project::LatencyMode) -> Latency {
    match setting {
        project::LatencyMode::Report => Latency::Report,
        project::LatencyMode::Enforce => Latency::Enforce,
    }
}

fn event(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format!("`{shown}` cannot be read: {error}")))?;
    if bytes.len() > EVENT_LIMIT {
        return Err(Failure::usage(format!("`{shown}` has {} bytes; AWS takes 6 MB in an invocation", bytes.len())));
    }
    serde_json::from_slice::<serde_json::Value>(&bytes).map_err(|error| {
        Failure::usage(format!("`{shown}` is no JSON: {error}\n  hint: save an event as the function gets it"))
    })?;
    Ok(bytes)
}

/// How often a saved event is sent, where nothing else is said.
const PROBES: u32 = 10;

/// The most that AWS takes in a synchronous invocation.
const EVENT_LIMIT: usize = 6 * 1024 * 1024;

const _: () = assert!(MAX_HOLD.as_secs() == 30 * 60, "the help names it");

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        comparing: AnalysisArgs,
    }

    fn layered(line: &str, file: &project::Analysis) -> Result<Analysis, String> {
        let line =
            Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).map_err(|error| error.to_string())?;
        line.comparing.plan(file).map_err(|failure| failure.message)
    }

    fn plan(line: &str) -> Result<Analysis, String> {
        layered(line, &project::Analysis::default())
    }

    fn said<T>(value: T) -> project::At<T> {
        project::At { value, place: project::Place::whole("canary.yml") }
    }

    #[test]
    fn what_is_typed_goes_before_the_file_and_the_file_before_what_is_usual() {
        let file = project::Analysis {
            mode: Some(said(Mode::On)),
            alpha: Some(said(0.05)),
            min_requests: Some(said(200)),
            on_low_traffic: Some(said(project::LowTraffic::Probe)),
            probe_event: Some(said(serde_json::json!({"path": "/health"}))),
            probe_count: Some(said(3)),
            ..project::Analysis::default()
        };
        let found = layered("", &file).unwrap();
        assert_eq!((found.mode, found.sensitive, found.min_requests), (Mode::On, true, 200));
        assert!(layered("--analysis observe", &file).is_err(), "what waits for calls has to act on them");
        assert_eq!((found.on_low_traffic, found.max_hold), (OnLowTraffic::Probe(3), MAX_HOLD));
        let found = layered("--analysis on --min-requests 5 --on-low-traffic promote --max-hold 1m", &file).unwrap();
        assert_eq!((found.mode, found.min_requests, found.on_low_traffic), (Mode::On, 5, OnLowTraffic::Promote));
        assert_eq!(found.max_hold, Duration::from_mins(1));
        assert_eq!(layered("--probe-count 7", &file).unwrap().on_low_traffic, OnLowTraffic::Probe(7));
        assert_eq!(layered("--min-requests 0", &file).unwrap().min_requests, 3, "as many as there are events");
    }

    #[test]
    fn it_is_on_unless_it_is_said_otherwise() {
        assert_eq!(plan("").unwrap().mode, Mode::On);
        assert_eq!(plan("--analysis off").unwrap().mode, Mode::Off);
        let found = plan("--analysis observe,sensitive,latency=enforce").unwrap();
        assert_eq!((found.mode, found.sensitive, found.latency), (Mode::Observe, true, Latency::Enforce));
        assert_eq!(plan("--analysis latency=enforce").unwrap().mode, Mode::On);
        assert!(plan("--analysis maybe").is_err());
    }

    #[test]
    fn probes_need_an_event_and_wait_for_as_many_calls_as_they_are() {
        assert!(plan("--on-low-traffic probe").is_err());
        assert!(plan("--probe-count 3").is_err(), "of what?");
        let found = plan("--on-low-traffic probe --probe-event e.json --probe-count 3").unwrap();
        assert_eq!((found.on_low_traffic, found.min_requests), (OnLowTraffic::Probe(3), 3));
        let found = plan("--on-low-traffic probe --probe-event e.json --min-requests 50").unwrap();
        assert_eq!((found.on_low_traffic, found.min_requests), (OnLowTraffic::Probe(10), 50));
    }
}
