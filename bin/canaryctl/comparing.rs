//! How are the versions to be compared? The options of `rollout` and `plan` for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rollout::plan::{Analysis, Latency, MAX_HOLD, Mode, OnLowTraffic};

use crate::args::duration;
use crate::failure::Failure;

/// How the calls of both versions are compared.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparing the versions")]
pub(crate) struct Comparing {
    /// Compare the new version's calls with the old one's: `on`, `observe` (report, never act) or `off`; with a comma, `sensitive` (sooner,
    /// at a chance of a false rollback of 5 % instead of 1 %), and `latency=report`, `latency=enforce` or `latency=off` [default: on]
    #[arg(long, value_name = "HOW,…", value_delimiter = ',', value_parser = word)]
    analysis: Vec<Word>,
    /// Let no step end before the new version has had so many calls in it
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_requests: u64,
    /// How much longer than planned a step may last for want of calls
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    max_hold: Duration,
    /// What to do then: go back, go on, or send the new version a saved event and see
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_low_traffic: LowTraffic,
    /// The event to send, as JSON
    #[arg(long, value_name = "FILE", required_if_eq("on_low_traffic", "probe"))]
    probe_event: Option<PathBuf>,
    /// How often to send it
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000), requires = "probe_event")]
    probe_count: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LowTraffic {
    #[default]
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

impl Comparing {
    /// Whether it was asked for, rather than being what is done unasked.
    pub(crate) fn asked(&self) -> bool {
        !self.analysis.is_empty() || self.wants_calls()
    }

    /// Whether something was asked for that only counting calls can give.
    fn wants_calls(&self) -> bool {
        self.min_requests > 0 || self.on_low_traffic != LowTraffic::Rollback
    }

    /// Whether what was asked for goes together.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mode = self.plan().mode;
        if self.wants_calls() && mode != Mode::On {
            let word = mode.word();
            return Err(Failure::usage(format!(
                "`--min-requests` and `--on-low-traffic` wait for calls, which `--analysis {word}` does not act on\n  hint: leave one of them out"
            )));
        }
        if self.probe_event.is_some() && self.on_low_traffic != LowTraffic::Probe {
            return Err(Failure::usage(
                "`--probe-event` is sent with `--on-low-traffic probe` alone\n  hint: add it, or leave the event out".to_owned(),
            ));
        }
        Ok(())
    }

    pub(crate) fn plan(&self) -> Analysis {
        let on_low_traffic = match self.on_low_traffic {
            LowTraffic::Rollback => OnLowTraffic::RollBack,
            LowTraffic::Promote => OnLowTraffic::Promote,
            LowTraffic::Probe => OnLowTraffic::Probe(self.probe_count),
        };
        // Saved events stand in for calls, so that without a number of calls to wait for they would never be sent.
        let unsaid = self.on_low_traffic == LowTraffic::Probe && self.min_requests == 0;
        let min_requests = if unsaid { u64::from(self.probe_count) } else { self.min_requests };
        let mut analysis =
            Analysis { mode: Mode::On, min_requests, max_hold: self.max_hold, on_low_traffic, ..Analysis::default() };
        for word in &self.analysis {
            match word {
                Word::Mode(mode) => analysis.mode = *mode,
                Word::Sensitive => analysis.sensitive = true,
                Word::Latency(latency) => analysis.latency = *latency,
            }
        }
        analysis
    }

    /// The saved event, looked at before anything is sent.
    pub(crate) fn event(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.probe_event.as_deref().map(event).transpose()
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
        comparing: Comparing,
    }

    fn plan(line: &str) -> Result<Analysis, clap::Error> {
        Line::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).map(|line| line.comparing.plan())
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
