//! How are the versions compared? The options of `rollout` and `plan` for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use project::LowTraffic;
use rollout::plan::{Analysis, Latency, Mode, OnLowTraffic};
use rollout::timing::MAX_HOLD;

use crate::cli::values::duration;
use crate::error::Failure;

const COMPARING: &str = "Comparing the versions";

#[derive(Debug, Args)]
pub(crate) struct AnalysisArgs {
    /// Compare the errors of both versions: `on`, `observe` (report only) or `off`; add `,sensitive` to detect sooner (a false rollback in
    /// up to 5% of rollouts instead of 1%), and `,latency=report`, `,latency=enforce` or `,latency=off` [default: on]
    #[arg(long, value_name = "HOW,…", value_delimiter = ',', value_parser = word, help_heading = COMPARING)]
    analysis: Vec<Word>,
    /// The number of invocations that the new version needs in each step [default: 0]
    #[arg(long, value_name = "N", help_heading = COMPARING)]
    min_requests: Option<u64>,
    /// The longest extension of a step with too few invocations [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = COMPARING)]
    max_hold: Option<Duration>,
    /// If there are still too few: roll back, continue, or invoke the new version with test events and check the responses [default: rollback]
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(["rollback", "promote", "probe"]).map(|word| low_traffic(&word)), help_heading = COMPARING)]
    on_low_traffic: Option<LowTraffic>,
    /// The test event, a JSON file
    #[arg(long, value_name = "FILE", help_heading = COMPARING)]
    probe_event: Option<PathBuf>,
    /// How many times to send the test event [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = COMPARING)]
    probe_count: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Mode(Mode),
    Sensitive,
    Latency(Latency),
}

fn low_traffic(word: &str) -> LowTraffic {
    let known = [LowTraffic::Promote, LowTraffic::Probe].into_iter().find(|known| known.word() == word);
    known.unwrap_or(LowTraffic::RollBack)
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
    pub(crate) fn asked(&self, file: &project::Analysis, plan: &Analysis) -> bool {
        !self.analysis.is_empty() || file.mode.is_some() || needs_invocations(plan)
    }

    pub(crate) fn plan(&self, file: &project::Analysis) -> Result<Analysis, Failure> {
        let default = Analysis { mode: Mode::On, ..Analysis::default() };
        let count = self.probe_count.or(file.probe_count.as_ref().map(|at| at.value));
        let low = self.on_low_traffic.or(file.on_low_traffic.as_ref().map(|at| at.value)).unwrap_or(LowTraffic::RollBack);
        let without_event = self.probe_event.is_none() && file.probe_event.is_none();
        if without_event && (low == LowTraffic::Probe || self.probe_count.is_some()) {
            return Err(Failure::usage("there is no test event to send\n  hint: give one with `--probe-event FILE`"));
        }
        let on_low_traffic = match low {
            LowTraffic::RollBack => OnLowTraffic::RollBack,
            LowTraffic::Promote => OnLowTraffic::Promote,
            LowTraffic::Probe => OnLowTraffic::Probe(count.unwrap_or(PROBES)),
        };
        // Test events replace missing invocations: without a required number they would never be sent.
        let fallback = if low == LowTraffic::Probe { u64::from(count.unwrap_or(PROBES)) } else { 0 };
        let asked = self.min_requests.or(file.min_requests.as_ref().map(|at| at.value)).filter(|asked| *asked > 0);
        let mut analysis = Analysis {
            mode: file.mode.as_ref().map_or(default.mode, |at| at.value),
            sensitive: file.alpha.as_ref().is_some_and(|at| at.value > default.alpha()),
            latency: file.latency.as_ref().map_or(default.latency, |at| latency(at.value)),
            min_requests: asked.unwrap_or(fallback),
            max_hold: self.max_hold.or(file.max_hold.as_ref().map(|at| at.value)).unwrap_or(default.max_hold),
            on_low_traffic,
        };
        for word in &self.analysis {
            match word {
                Word::Mode(mode) => analysis.mode = *mode,
                Word::Sensitive => analysis.sensitive = true,
                Word::Latency(latency) => analysis.latency = *latency,
            }
        }
        if needs_invocations(&analysis) && analysis.mode != Mode::On {
            let word = analysis.mode.word();
            return Err(Failure::usage(format!(
                "`--min-requests` and `--on-low-traffic` need `--analysis on`, not `--analysis {word}`\n  hint: remove one of them"
            )));
        }
        if self.probe_event.is_some() && low != LowTraffic::Probe {
            let hint = "add it, or remove the event";
            return Err(Failure::usage(format!("`--probe-event` needs `--on-low-traffic probe`\n  hint: {hint}")));
        }
        Ok(analysis)
    }

    pub(crate) fn event(&self, file: &project::Analysis) -> Result<Option<Vec<u8>>, Failure> {
        match (&self.probe_event, &file.probe_event) {
            (Some(path), _) => event(path).map(Some),
            (None, said) => Ok(said.as_ref().map(|said| said.value.to_string().into_bytes())),
        }
    }
}

/// Whether an option needs the number of invocations.
fn needs_invocations(plan: &Analysis) -> bool {
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
        return Err(Failure::usage(format!("`{shown}` has {} bytes; AWS accepts at most 6 MB in an invocation", bytes.len())));
    }
    serde_json::from_slice::<serde_json::Value>(&bytes).map_err(|error| {
        Failure::usage(format!("`{shown}` is not JSON: {error}\n  hint: save an event exactly as the function receives it"))
    })?;
    Ok(bytes)
}

const PROBES: u32 = 10;

/// The largest event that AWS accepts in a synchronous invocation.
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
            on_low_traffic: Some(said(LowTraffic::Probe)),
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
