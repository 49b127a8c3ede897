//! What would other rules have done with the same calls? Rules that people watch a canary with today, and rollouts to try them on.
//!
//! Every tenth of a minute's calls has a fate with either version, drawn once: whatever share a rule has left its canary with, it
//! meets the calls that every other rule meets.

use analysis::{Minute, Outlook, Parameters, Test, Verdict, dead};

use super::{Chance, count};

/// A rule for a canary, asked at the end of every minute with that minute's counts.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    watch: fn() -> Watch,
}

type Watch = Box<dyn FnMut(&Minute) -> Answer>;

/// What a rule says.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// The schedule goes on.
    GoOn,
    /// The share stays for another minute.
    Hold,
    GoBack,
}

/// A kind of rollout: `Linear10PercentEvery1Minute` at 10 calls a second, and three minutes at 100%.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Whether the canary is no worse than stable.
    pub(crate) good: bool,
    /// The canary's rate and stable's in a minute, counted from 0.
    rates: fn(usize) -> (f64, f64),
}

/// One rollout's calls, as far as any rule has needed them.
pub(crate) struct Fates<'a> {
    case: &'a Case,
    chance: Chance,
    minutes: Vec<[Tenth; 10]>,
}

/// A tenth of the calls of a minute.
#[derive(Clone, Copy)]
struct Tenth {
    calls: f64,
    bad_with_canary: f64,
    bad_with_stable: f64,
}

/// What a rule came to.
pub(crate) struct End {
    /// The minute, from 1, at whose end it went back.
    pub(crate) noticed: Option<usize>,
    /// The canary's failed calls until then, or in all.
    pub(crate) failed: f64,
}

/// The rules, by what they do. Alarms and checks beside a schedule leave it alone; a check in a schedule holds it when it fails.
pub(crate) const RULES: [Rule; 5] = [
    Rule { name: "errors of the alias > 0, two minutes running", watch: alarm },
    Rule { name: "canary's errors > 1%, four minutes in all", watch: || bad_minutes(4, Answer::GoOn) },
    Rule { name: "canary's errors > 1%, ten minutes in all, held meanwhile", watch: || bad_minutes(10, Answer::Hold) },
    Rule { name: "nothing", watch: || Box::new(|_| Answer::GoOn) },
    Rule { name: "canaryctl", watch: comparison },
];

/// Three that are to be left alone, three that are not.
pub(crate) const CASES: [Case; 6] = [
    Case { name: "both 0.1%", good: true, rates: |_| (0.001, 0.001) },
    Case { name: "both 0.5%", good: true, rates: |_| (0.005, 0.005) },
    Case { name: "both 20% for five minutes", good: true, rates: outage },
    Case { name: "5% against 0.1%", good: false, rates: |_| (0.05, 0.001) },
    Case { name: "100% against 0.1%", good: false, rates: |_| (1.0, 0.001) },
    Case { name: "1% against 0.1%", good: false, rates: |_| (0.01, 0.001) },
];

fn outage(at: usize) -> (f64, f64) {
    let rate = if (2..7).contains(&at) { 0.2 } else { 0.001 };
    (rate, rate)
}

fn alarm() -> Watch {
    let mut red = 0;
    Box::new(move |minute| {
        red = if minute.canary_bad() + minute.stable_bad() > 0.0 { red + 1 } else { 0 };
        if red == 2 { Answer::GoBack } else { Answer::GoOn }
    })
}

fn bad_minutes(most: usize, meanwhile: Answer) -> Watch {
    let mut bad = 0;
    Box::new(move |minute| {
        if minute.canary_bad() <= 0.01 * minute.canary_calls() {
            return Answer::GoOn;
        }
        bad += 1;
        if bad == most { Answer::GoBack } else { meanwhile }
    })
}

/// The test and the guard beside it; suspicion holds for ten minutes in all.
fn comparison() -> Watch {
    let mut test = Test::new(&Parameters::default()).unwrap();
    let (mut minutes, mut held) = (Vec::new(), 0);
    Box::new(move |minute| {
        test.fold(minute);
        minutes.push(*minute);
        match test.verdict(&Outlook { due: Some(0.0), in_all: Some(f64::MAX) }) {
            Verdict::RollBack => Answer::GoBack,
            _ if dead(&minutes).is_some() => Answer::GoBack,
            Verdict::Hold if held < 10 => {
                held += 1;
                Answer::Hold
            }
            Verdict::Hold | Verdict::Pass | Verdict::NoData | Verdict::LowPower => Answer::GoOn,
        }
    })
}

impl<'a> Fates<'a> {
    pub(crate) fn new(case: &'a Case, seed: u64) -> Self {
        Self { case, chance: Chance::new(seed), minutes: Vec::new() }
    }

    /// What both versions would count in a minute in which the canary has so many tenths of the calls.
    fn minute(&mut self, at: usize, share: usize) -> Minute {
        while self.minutes.len() <= at {
            let (canary, stable) = (self.case.rates)(self.minutes.len());
            let drawn = std::array::from_fn(|_| self.chance.tenth(canary, stable));
            self.minutes.push(drawn);
        }
        let (with_canary, with_stable) = self.minutes[at].split_at(share);
        let sum = |tenths: &[Tenth], of: fn(&Tenth) -> f64| tenths.iter().map(of).sum::<f64>();
        Minute::new([
            sum(with_canary, |it| it.calls),
            sum(with_canary, |it| it.bad_with_canary),
            sum(with_stable, |it| it.calls),
            sum(with_stable, |it| it.bad_with_stable),
        ])
        .unwrap()
    }

    /// Rolls out under this rule.
    pub(crate) fn under(&mut self, rule: &Rule) -> End {
        let mut watch = (rule.watch)();
        let (mut failed, mut step) = (0.0, 1);
        for at in 0.. {
            let minute = self.minute(at, step.min(10));
            failed += minute.canary_bad();
            match watch(&minute) {
                Answer::GoBack => return End { noticed: Some(at + 1), failed },
                Answer::Hold if step < 10 => {}
                Answer::Hold | Answer::GoOn => step += 1,
            }
            if step > 12 {
                break;
            }
        }
        End { noticed: None, failed }
    }
}

impl Chance {
    /// A tenth of ten calls a second, with either version.
    fn tenth(&mut self, canary: f64, stable: f64) -> Tenth {
        let calls = self.poisson(60.0);
        Tenth { calls, bad_with_canary: self.binomial(calls, canary), bad_with_stable: self.binomial(calls, stable) }
    }

    pub(super) fn binomial(&mut self, calls: f64, rate: f64) -> f64 {
        // Call by call, from one failed call to the next.
        if rate >= 1.0 {
            return calls;
        }
        let (mut bad, mut at) = (0_usize, 0.0);
        loop {
            at += 1.0 + ((1.0 - self.fraction()).ln() / (1.0 - rate).ln()).floor();
            if at > calls {
                return count(bad);
            }
            bad += 1;
        }
    }
}
