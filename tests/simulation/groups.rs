//! Several functions, all or none: whole groups under kills, faults over one of them, a bad one among many, persons at one of them.
//!
//! `SEED=n` replays one group's story and prints its log. `SEEDS=n` plays that many; `FROM=n` says where to begin.

mod checks;
mod endings;
mod play;
mod record;
mod story;
mod unfit;

use std::collections::BTreeMap;
use std::time::Instant;

use self::checks::judge;
use self::play::play;
use self::story::Story;
use crate::seeds::{number, play_all};

/// How many stories every test run plays.
const USUAL: u64 = 60;

/// What became of many stories.
#[derive(Default)]
struct Summary {
    /// How the last process of each story ended.
    outcomes: BTreeMap<String, u64>,
    calls: usize,
    members: usize,
    /// Seeds that broke a promise, and which.
    failures: Vec<(u64, String)>,
}

impl Summary {
    fn play(&mut self, seed: u64) {
        let record = play(&Story::of(seed));
        *self.outcomes.entry(record.verdict()).or_default() += 1;
        self.calls += record.log.len();
        self.members += record.story.many;
        let findings = judge(&record);
        if !findings.is_empty() {
            let listed: Vec<String> = findings.iter().map(|(promise, what)| format!("{promise}: {what}")).collect();
            self.failures.push((seed, listed.join("\n  ")));
        }
    }

    fn add(&mut self, other: Self) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.calls += other.calls;
        self.members += other.members;
        self.failures.extend(other.failures);
    }
}

#[test]
fn every_group_is_safe() {
    if let Some(seed) = number("SEED") {
        let record = play(&Story::of(seed));
        println!("{}", record.told());
        let findings = judge(&record);
        assert!(findings.is_empty(), "SEED={seed}: {findings:#?}");
        return;
    }
    let (from, count) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(USUAL));
    let began = Instant::now();
    let mut summary = Summary::default();
    for part in play_all(from..from + count, Summary::play) {
        summary.add(part);
    }
    let (took, calls, members) = (began.elapsed().as_secs_f64(), summary.calls, summary.members);
    println!("{count} groups from {from}, {members} functions, {calls} calls, {took:.1} s");
    println!("how the last process ended: {:?}", summary.outcomes);
    let mut failures = summary.failures;
    failures.sort();
    for (seed, what) in &failures {
        println!("SEED={seed}\n  {what}");
    }
    if let Some((seed, _)) = failures.first() {
        println!("{}", play(&Story::of(*seed)).told());
        let listed: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        panic!("{} of {count} groups broke a promise: {listed:?}", failures.len());
    }
}

#[test]
fn the_same_seed_is_the_same_group_to_the_byte() {
    for seed in [3, 14, 15] {
        let (once, again) = (play(&Story::of(seed)).told(), play(&Story::of(seed)).told());
        assert!(once == again, "SEED={seed} is not one story\n{once}\n---\n{again}");
    }
}
