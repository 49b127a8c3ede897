//! What really happened in a rollout, minute by minute? Rollouts by the number, and their calls counted at the functions themselves.
//!
//! The counts here come from the simulated functions, not from their metrics, so that what the program counted can be held against
//! them. With no lag, no latency and no settling a rollout shifts on the full minute, and its minutes are the calendar's.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use analysis::{Minute, Parameters, Test, dead};
use controller::Request;
use rollout::Version;
use rollout::comparison::{AnalysisVerdict, Numbers};
use rollout::event::{Event, EventKind};
use rollout::plan::{Analysis, Latency, Mode};
use rollout::policy::Policy;
use sim::{Tally, Time, World};

use crate::stage::{Output, Stage, play, request};

/// A kind of rollout, of which many are played.
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) schedule: &'static str,
    pub(crate) calls_a_second: f64,
    pub(crate) stable_rate: f64,
    pub(crate) candidate_rate: f64,
    pub(crate) analysis: Analysis,
    /// How late `CloudWatch` shows a call.
    pub(crate) lag: RangeInclusive<Duration>,
    pub(crate) bake: Duration,
}

/// What became of one of them.
pub(crate) struct Played {
    /// The calls of both versions in every whole minute since the first share.
    pub(crate) minutes: Vec<Minute>,
    /// In which minute, from 1, the program first found the candidate worse; and how many of its calls it knew to have failed.
    pub(crate) noticed: Option<(usize, u64)>,
    pub(crate) output: Output,
}

pub(crate) const AT_ONCE: RangeInclusive<Duration> = Duration::ZERO..=Duration::ZERO;

/// As late as the strict account shows a call.
pub(crate) const LATE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_mins(2);

/// The comparison decides, or only tells what it would have decided; errors alone are compared.
pub(crate) fn errors_only(mode: Mode, sensitive: bool) -> Analysis {
    Analysis { mode, sensitive, latency: Latency::Ignore, ..Analysis::default() }
}

impl Kind {
    /// `Linear10PercentEvery1Minute` at ten calls a second, decided by the comparison alone, with nothing late.
    pub(crate) fn linear(stable_rate: f64, candidate_rate: f64) -> Self {
        Self {
            schedule: "Linear10PercentEvery1Minute",
            calls_a_second: 10.0,
            stable_rate,
            candidate_rate,
            analysis: errors_only(Mode::On, false),
            lag: AT_ONCE,
            bake: Duration::ZERO,
        }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            version: Version::new(42),
            schedule: self.schedule.parse().unwrap(),
            alarms: Vec::new(),
            pre_hook: None,
            post_hook: None,
            policy: Policy {
                // A kill a second after the end is one of an ended rollout.
                no_logs: true,
                bake: Some(self.bake),
                // Looked at seldom: calls are counted once a minute all the same, and before each step.
                poll: Duration::from_secs(20),
                analysis: self.analysis,
                ..Policy::default()
            },
            ..request()
        }
    }

    pub(crate) async fn stage(&self, seed: u64) -> Stage {
        let settings = sim::Settings { metric_lag: self.lag.clone(), ..sim::Settings::served() };
        Stage::furnished(settings, seed, |world| self.furnish(world)).await
    }

    fn furnish(&self, world: &mut World) {
        let variables = |rate: f64| [("SIM_ERROR_RATE", rate.to_string()), ("SIM_LATENCY_MS", "0".to_owned())];
        let set = |world: &mut World, variables: &[(&str, String)]| {
            let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            world.set_environment("hello", &variables).unwrap();
        };
        world.create_function("hello", &[]).unwrap();
        set(world, &variables(self.stable_rate));
        world.publish("hello", 41).unwrap();
        set(world, &variables(self.candidate_rate));
        world.publish("hello", 42).unwrap();
        world.set_alias("hello", "Live", "41", None).unwrap();
        set(world, &[("SIM_TRAFFIC_RPS", self.calls_a_second.to_string())]);
    }

    /// The rollout of one seed.
    pub(crate) fn play(&self, seed: u64) -> Played {
        play(async {
            let stage = self.stage(seed).await;
            self.play_on(&stage, |_| ()).await
        })
    }

    /// The same on a stage of its own, changed from outside once the rollout is about to begin.
    pub(crate) async fn play_on(&self, stage: &Stage, change: impl FnOnce(&mut World)) -> Played {
        stage.with(change);
        let request = self.request();
        watched(stage, stage.rollout(&request)).await
    }
}

/// A rollout, and what happens meanwhile.
pub(crate) async fn watched(stage: &Stage, rollout: impl Future<Output = Output>) -> Played {
    let opened = stage.now();
    let minutes = RefCell::new(Vec::new());
    let output = tokio::select! {
        output = rollout => output,
        () = count(stage, &minutes) => unreachable!("it never ends"),
    };
    let against =
        output.events.iter().find_map(|event| Some((event.at, finding(event).filter(|it| it.0 == AnalysisVerdict::RollBack)?.1)));
    let noticed = against.map(|(at, numbers)| {
        let after = at.as_millis() - u64::try_from(opened.as_millis()).unwrap();
        (usize::try_from((after + 30_000) / 60_000).unwrap(), numbers.candidate.errors)
    });
    Played { minutes: minutes.into_inner(), noticed, output }
}

/// What was found in the counts, where this event tells that.
pub(crate) fn finding(event: &Event) -> Option<(AnalysisVerdict, &Numbers)> {
    if let EventKind::Compared { opinion, numbers, .. } = &event.what { Some((*opinion, numbers)) } else { None }
}

/// Counts what both versions did in each minute, a moment before the next one begins.
async fn count(stage: &Stage, minutes: &RefCell<Vec<Minute>>) {
    let look = |version: &str| stage.with(|world| world.tally("hello", "Live", version));
    let mut before = [look("42"), look("41")];
    loop {
        stage.clock.sleep_until(next_minute(stage.now())).await;
        let now = [look("42"), look("41")];
        let grown = |place: usize, of: fn(&Tally) -> u64| f64_of(of(&now[place]) - of(&before[place]));
        let calls = |tally: &Tally| tally.invocations;
        let bad = |tally: &Tally| tally.errors;
        minutes.borrow_mut().push(Minute::new([grown(0, calls), grown(0, bad), grown(1, calls), grown(1, bad)]).unwrap());
        before = now;
    }
}

/// The last moment before the minute after the one that has begun.
fn next_minute(now: Time) -> Time {
    Time::from_millis(((now.as_millis() + 1) / 60_000 + 1) * 60_000 - 1)
}

pub(crate) fn f64_of(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// After which of these minutes, from 1, the test goes back, if it does: the test itself, on what really happened.
pub(crate) fn expected(minutes: &[Minute], alpha: f64) -> Option<usize> {
    let mut test = Test::new(&Parameters { alpha, ..Parameters::default() }).unwrap();
    let noticed = minutes.iter().enumerate().position(|(at, minute)| {
        test.fold(minute);
        test.rolls_back() || dead(&minutes[..=at]).is_some()
    });
    noticed.map(|at| at + 1)
}

/// The candidate's failed calls in these minutes.
pub(crate) fn failed(minutes: &[Minute]) -> f64 {
    minutes.iter().map(Minute::canary_bad).sum()
}
