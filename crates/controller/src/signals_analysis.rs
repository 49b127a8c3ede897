//! What do the signals say beside errors? Puts the minutes of all into one test, and judges what a signal lacks. Asks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use analysis::{CountError, JoinedTest, Minute, Outlook, ParameterError, Parameters, Rate, Verdict, dead, shown_ratio};
use rollout::comparison::{AnalysisResult, AnalysisVerdict, Calls, ERRORS, SignalNumbers, Thousandths, Unseen};
use rollout::format::{grouped, percent};
use rollout::health::clock;
use rollout::signal::SignalSource;
use rollout::timing::{CLOUDWATCH_SETTLED, UNSEEN_LIMIT};
use rollout::{Signal, Time, Version};

use crate::expectation::{Counted, MINUTE, SignalPast, whole};
use crate::port::{MinuteCounts, PairCounts, SignalCounts, SignalMinute};

/// So many requests are not all missing by chance: less than once in 20,000 times.
const FEW: f64 = 10.0;

/// One stream of counts, minute by minute.
pub(crate) struct Stream {
    name: String,
    /// What its failures are part of.
    unit: &'static str,
    in_logs: bool,
    lag: Option<Duration>,
    minutes: BTreeMap<Time, Minute>,
    /// The end of the last minute that is all there; `None` where the newest ones are used as they are.
    until: Option<Time>,
    unseen: Option<Missing>,
}

/// Requests that a signal should have had of the candidate.
#[derive(Clone, Copy)]
struct Missing {
    how: Unseen,
    expected: f64,
    /// The end of the last minute in which it had some.
    since: Option<Time>,
}

/// All streams in one test: the errors first, then the signals.
pub(crate) struct Joined {
    pub(crate) test: JoinedTest,
    streams: Vec<Stream>,
    pub(crate) parameters: Parameters,
    in_all: Option<f64>,
}

impl Stream {
    /// Errors, in the minutes whose invocations have ended: up to `until`, where some have not.
    pub(crate) fn errors(minutes: impl Iterator<Item = (Time, Minute)>, until: Option<Time>) -> Self {
        Self {
            name: ERRORS.to_owned(),
            unit: "invocations",
            in_logs: false,
            lag: None,
            minutes: minutes.collect(),
            until,
            unseen: None,
        }
    }

    /// The signals of a plan. `until` is the end of the last minute in which the invocations have ended, where some have not.
    ///
    /// Failures and requests are two series, which `CloudWatch` shows at moments of their own: so minutes are used only once all is there.
    pub(crate) fn signals(of: &Counted<'_>, until: Option<Time>) -> Result<Vec<Self>, CountError> {
        let settled = Time::from_secs((of.now - CLOUDWATCH_SETTLED).as_secs() / 60 * 60);
        let one = |(at, signal): (usize, &Signal)| {
            let in_logs = signal.is_in_logs();
            let lag = of.logs.lag.filter(|_| in_logs);
            // The log is early, but its failures are part of the invocations.
            let until_here = if in_logs { of.logs.until.unwrap_or_default().min(settled) } else { settled };
            let of_logs = of.logs.signals.get(at).filter(|_| in_logs);
            let of_metrics = of.signals.get(at).filter(|_| !in_logs);
            let minutes = of_logs.into_iter().flat_map(BTreeMap::values).chain(of_metrics.into_iter().flatten());
            let found = Found {
                minutes: minutes.map(|it| (it.start, *it)).collect(),
                calls: of.minutes,
                until: until.map_or(until_here, |until| until.min(until_here)),
                settled,
                now: of.now,
            };
            let own = matches!(&signal.source, SignalSource::Metrics { requests: Some(_), .. });
            let (unit, minutes) = if own { ("requests", found.of_requests()?) } else { ("invocations", found.of_invocations()?) };
            let unseen = match &signal.source {
                SignalSource::Metrics { requests: None, .. } => None,
                SignalSource::Metrics { .. } => found.unseen(found.of_each(of.past.signals.get(at), of.past.calls)),
                // What is invoked leaves a line.
                SignalSource::Logs { .. } => {
                    found.unseen(Some(found.of_each(None, 0.0)).filter(|rate| *rate > 0.0).unwrap_or(1.0))
                }
            };
            Ok(Self { name: signal.name.clone(), unit, in_logs, lag, minutes, until: Some(found.until), unseen })
        };
        of.plan.signals.iter().enumerate().map(one).collect()
    }

    fn at(&self, start: Time) -> Option<Minute> {
        let counted = self.until.is_none_or(|until| start + MINUTE <= until);
        counted.then(|| self.minutes.get(&start).copied().unwrap_or_default())
    }
}

/// The minutes of signals in metrics, in their order, that ended by `until`: of a past rollout.
///
/// # Errors
/// A count that cannot be.
pub fn signal_minutes(signals: &[Signal], counts: &PairCounts, until: Time) -> Result<Vec<BTreeMap<Time, Minute>>, CountError> {
    let one = |(signal, minutes): (&Signal, &Vec<SignalMinute>)| {
        let minutes = minutes.iter().map(|it| (it.start, *it)).collect();
        let found = Found { minutes, calls: &counts.minutes, until, settled: until, now: until };
        if matches!(&signal.source, SignalSource::Metrics { requests: Some(_), .. }) {
            found.of_requests()
        } else {
            found.of_invocations()
        }
    };
    signals.iter().zip(&counts.signals).map(one).collect()
}

/// What was found of one signal.
struct Found<'a> {
    minutes: BTreeMap<Time, SignalMinute>,
    calls: &'a [MinuteCounts],
    until: Time,
    /// By when `CloudWatch` should have everything.
    settled: Time,
    now: Time,
}

impl Found<'_> {
    fn of_requests(&self) -> Result<BTreeMap<Time, Minute>, CountError> {
        let minute = |(start, it): (&Time, &SignalMinute)| {
            let side = |counts: &SignalCounts| [counts.requests, counts.failures.min(counts.requests)];
            let [[canary, canary_bad], [stable, stable_bad]] = [side(&it.candidate), side(&it.stable)];
            Ok((*start, Minute::new([canary, canary_bad, stable, stable_bad])?))
        };
        self.minutes.iter().filter(|(start, _)| **start + MINUTE <= self.until).map(minute).collect()
    }

    /// Failures of those invocations that were counted through the alias.
    fn of_invocations(&self) -> Result<BTreeMap<Time, Minute>, CountError> {
        let minute = |it: &MinuteCounts| {
            let failed = self.minutes.get(&it.start);
            let [canary, stable] = [failed.map(|it| it.candidate), failed.map(|it| it.stable)].map(Option::unwrap_or_default);
            let (canary_calls, stable_calls) = (it.candidate.calls, it.stable.calls);
            let counts = [canary_calls, canary.failures.min(canary_calls), stable_calls, stable.failures.min(stable_calls)];
            Ok((it.start, Minute::new(counts)?))
        };
        self.calls.iter().filter(|it| it.start + MINUTE <= self.until).map(minute).collect()
    }

    /// How many requests stable makes of each of its invocations, as far as that is known.
    fn of_each(&self, past: Option<&SignalCounts>, past_calls: f64) -> f64 {
        let calls = self.calls.iter().filter(|it| it.start + MINUTE <= self.until).map(|it| it.stable.calls);
        let requests = self.minutes.values().filter(|it| it.start + MINUTE <= self.until).map(|it| it.stable.requests);
        let calls = calls.sum::<f64>() + past.map_or(0.0, |_| past_calls);
        let requests = requests.sum::<f64>() + past.map_or(0.0, |past| past.requests);
        if calls > 0.0 { requests / calls } else { 0.0 }
    }

    /// Whether the candidate's requests have ended, or never begun, though it has invocations, each of which should have made so many.
    fn unseen(&self, of_each: f64) -> Option<Missing> {
        let last = self.minutes.values().filter(|it| it.candidate.requests > 0.0).map(|it| it.start + MINUTE).max();
        let since = |it: &&MinuteCounts| last.is_none_or(|last| it.start >= last);
        let expected_by = |at: Time| {
            let calls = self.calls.iter().filter(since).filter(|it| it.start + MINUTE <= at);
            of_each * calls.map(|it| it.candidate.calls).sum::<f64>()
        };
        let levels = [
            (Unseen::Missing, self.settled - UNSEEN_LIMIT, true),
            (Unseen::Late, self.settled, true),
            (Unseen::Early, self.now, last.is_none()),
        ];
        let found = levels.into_iter().find(|(_, at, looks)| *looks && expected_by(*at) >= FEW);
        found.map(|(how, ..)| Missing { how, expected: expected_by(self.settled), since: last })
    }
}

impl Joined {
    /// The test of these streams, the errors first. `in_all` is how many invocations the canary is expected to have.
    pub(crate) fn new(parameters: &Parameters, streams: Vec<Stream>, in_all: Option<f64>) -> Result<Self, ParameterError> {
        let mut test = JoinedTest::new(parameters, streams.len())?;
        let starts: BTreeSet<Time> = streams.iter().flat_map(|stream| stream.minutes.keys()).copied().collect();
        for start in starts {
            let row: Vec<Option<Minute>> = streams.iter().map(|stream| stream.at(start)).collect();
            test.fold(&row);
        }
        Ok(Self { test, streams, parameters: parameters.clone(), in_all })
    }

    /// What all of it says, the errors with this outlook. A signal that lacks its requests is without data.
    pub(crate) fn verdict(&self, errors: &Outlook) -> Verdict {
        let signals = (1..self.streams.len()).map(|at| self.of_signal(at));
        let all = std::iter::once(self.test.verdict_of(0, errors)).chain(signals);
        if self.test.rolls_back() { Verdict::RollBack } else { Verdict::together(all) }
    }

    fn of_signal(&self, at: usize) -> Verdict {
        let lacks = self.streams.get(at).and_then(|stream| stream.unseen).is_some_and(|missing| missing.how != Unseen::Early);
        let own = self.test.verdict_of(at, &Outlook { due: Some(0.0), in_all: self.in_all });
        if lacks && own != Verdict::RollBack { Verdict::NoData } else { own }
    }

    /// The name of the stream that has the most evidence, where there are signals.
    pub(crate) fn strongest(&self) -> Option<String> {
        let stream = self.streams.get(self.test.strongest()).filter(|_| self.streams.len() > 1);
        stream.map(|stream| stream.name.clone())
    }

    /// The evidence of the errors alone, where there are signals.
    pub(crate) fn of_errors(&self) -> Option<Thousandths> {
        let errors = self.test.tests().first().filter(|_| self.streams.len() > 1);
        errors.map(|test| Thousandths::from_f64(test.ln_e()))
    }

    /// When the failures began that decide, where they are a signal's.
    pub(crate) fn began(&self) -> Option<Time> {
        let stream = self.deciding()?;
        stream.minutes.iter().find(|(_, minute)| minute.canary_bad() > 0.0).map(|(start, _)| *start)
    }

    /// The signal that has the most evidence, where it is one.
    fn deciding(&self) -> Option<&Stream> {
        let strongest = self.test.strongest();
        self.streams.get(strongest).filter(|_| strongest > 0)
    }

    /// The numbers of the signals.
    pub(crate) fn signals(
        &self,
        (stable, candidate): (Version, Version),
        opinion: fn(Verdict) -> AnalysisVerdict,
    ) -> Vec<SignalNumbers> {
        let numbers = |(at, stream): (usize, &Stream)| {
            let explained = self.test.explain(at);
            Some(SignalNumbers {
                name: stream.name.clone(),
                stable: calls(stable, &explained.stable),
                candidate: calls(candidate, &explained.canary),
                ln_evidence: Thousandths::from_f64(self.test.tests().get(at)?.ln_e()),
                extra_failures: Thousandths::from_f64(explained.extra_bad),
                opinion: opinion(self.of_signal(at)),
                unseen: stream.unseen.map(|missing| missing.how),
                counted_to: stream.minutes.keys().last().map(|start| *start + MINUTE),
                log_lag_seconds: stream.lag.map(|lag| lag.as_secs()),
            })
        };
        self.streams.iter().enumerate().skip(1).filter_map(numbers).collect()
    }

    /// Puts what the signals say into a finding about errors.
    pub(crate) fn tell(&self, finding: &mut AnalysisResult, alpha: f64) {
        let signals = &finding.numbers.signals;
        if signals.is_empty() {
            return;
        }
        let decides = finding.numbers.strongest.as_ref().and_then(|name| signals.iter().find(|signal| signal.name == *name));
        match (finding.opinion, decides, self.deciding()) {
            (AnalysisVerdict::RollBack, Some(signal), Some(stream)) => {
                finding.why = self.worse(signal, stream, alpha);
                finding.happened = self.began();
            }
            (AnalysisVerdict::Hold, Some(signal), _) if signal.opinion == AnalysisVerdict::Hold => {
                let figure = |ln: Thousandths| format!("{:.1}", ln.to_f64().exp());
                let (evidence, threshold) = (figure(finding.numbers.ln_evidence), finding.numbers.ln_threshold.to_f64().exp());
                finding.why =
                    format!("{} on {}, evidence {evidence}; rolls back at {threshold:.0}", rates(signal), signal.stable.version);
            }
            (AnalysisVerdict::Pass | AnalysisVerdict::LowPower, ..) => {
                let rest: Vec<String> = signals.iter().take(TOLD).map(|signal| format!("; {}", rates(signal))).collect();
                let more = signals.len().saturating_sub(TOLD);
                let more = if more > 0 { format!("; {more} more signals") } else { String::new() };
                finding.why = format!("{}{}{more}", finding.why, rest.concat());
            }
            (AnalysisVerdict::RollBack | AnalysisVerdict::Hold | AnalysisVerdict::NoData, ..) => {}
        }
    }

    /// Says which signal lacks its requests, where that is worse than what is said of errors.
    pub(crate) fn tell_missing(&self, finding: &mut AnalysisResult) {
        let missing = self.streams.iter().filter_map(|stream| Some((stream, stream.unseen?)));
        let Some((stream, missing)) = missing.max_by_key(|(_, missing)| missing.how) else { return };
        if Some(missing.how) <= finding.unseen {
            return;
        }
        finding.unseen = Some(missing.how);
        // At first they are only not counted yet.
        if missing.how == Unseen::Early {
            return;
        }
        let since = missing.since.map_or_else(String::new, |since| format!(" since {}", clock(since)));
        let (name, candidate, expected) = (&stream.name, finding.numbers.candidate.version, grouped(whole(missing.expected)));
        finding.why = if stream.in_logs {
            format!(
                "{name}: {candidate} has no line in its log{since}, although about {expected} invocations should have left some"
            )
        } else {
            format!(
                "{name}: {candidate} has no requests{since}, although about {expected} were expected by now: it does not write the metric, or not with its version"
            )
        };
    }

    /// That the candidate failed every request of a signal, where that is enough to say so and was not so before.
    pub(crate) fn dead(&self, (stable, candidate): (Version, Version), past: &SignalPast) -> Option<String> {
        let was_dead = |at: usize, stream: &Stream| {
            let past = past
                .signals
                .get(at)
                .map(|counts| (counts.failures, if stream.unit == "requests" { counts.requests } else { past.calls }));
            past.is_some_and(|(failed, all)| failed * 2.0 > all)
        };
        let signals = self.streams.iter().skip(1).enumerate().filter(|(at, stream)| !was_dead(*at, stream));
        let found = signals.into_iter().find_map(|(_, stream)| {
            let minutes: Vec<Minute> = stream.minutes.values().copied().collect();
            Some((stream, dead(&minutes)?))
        });
        let (stream, found) = found?;
        let compared = match whole(found.stable_calls) {
            0 => String::new(),
            calls => format!(", while {stable} failed {} of {}", grouped(whole(found.stable_bad)), grouped(calls)),
        };
        let (name, unit, all) = (&stream.name, stream.unit, grouped(whole(found.canary_calls)));
        Some(format!("{name}: {candidate} failed all of its {all} {unit} from the start{compared}"))
    }

    fn worse(&self, signal: &SignalNumbers, stream: &Stream, alpha: f64) -> String {
        let SignalNumbers { stable, candidate, .. } = signal;
        let minutes: Vec<Minute> = stream.minutes.values().copied().collect();
        let times = shown_ratio(&self.parameters, &minutes).ok().flatten();
        format!(
            "{}: {} fails {} {}: {} of {} {} vs {} of {}; a version that is no worse is rolled back in at most {} of rollouts",
            signal.name,
            candidate.version,
            times.map_or_else(|| "more often than".to_owned(), |times| format!("at least {times} times as often as")),
            stable.version,
            grouped(candidate.errors),
            grouped(candidate.calls),
            stream.unit,
            grouped(stable.errors),
            grouped(stable.calls),
            percent(alpha * 100.0)
        )
    }
}

/// How many signals half a sentence names.
const TOLD: usize = 3;

fn rates(signal: &SignalNumbers) -> String {
    let SignalNumbers { name, stable, candidate, .. } = signal;
    if candidate.calls == 0 {
        return format!("{name} not counted yet");
    }
    format!("{name} {} ({}/{}) vs {}", candidate.rate(), grouped(candidate.errors), grouped(candidate.calls), stable.rate())
}

pub(crate) fn calls(version: Version, rate: &Rate) -> Calls {
    let percent = |part: f64| Thousandths::from_f64(100.0 * part);
    let errors_percent = [percent(rate.interval.0), percent(rate.interval.1)];
    Calls { version, calls: whole(rate.calls), errors: whole(rate.bad), errors_percent }
}
