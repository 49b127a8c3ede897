//! What do people use today, and what would it have done? The README's table, from the same simulated calls for every rule.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark tells its figures")]

#[expect(dead_code, reason = "known answers and promises are another benchmark's")]
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use traffic::count;
use traffic::rules::{CASES, Case, End, Fates, RULES};

const ROLLOUTS: u32 = 20_000;

fn main() {
    let columns: Vec<Vec<Vec<End>>> = (1..).zip(&CASES).map(|(seed, case)| play(case, seed)).collect();
    let head = CASES.iter().map(|case| format!("{}: {}", if case.good { "good" } else { "bad" }, case.name));
    println!("| rule | {} |", head.collect::<Vec<_>>().join(" | "));
    println!("|---{}|", "|---".repeat(CASES.len()));
    for (place, rule) in RULES.iter().enumerate() {
        let cells = CASES.iter().zip(&columns).map(|(case, column)| cell(case, &column[place]));
        println!("| {} | {} |", rule.name, cells.collect::<Vec<_>>().join(" | "));
    }
}

/// Plays rollouts of one kind; gives how each ended under each rule.
fn play(case: &Case, seed: u64) -> Vec<Vec<End>> {
    let mut ends: Vec<Vec<End>> = RULES.iter().map(|_| Vec::new()).collect();
    for rollout in 0..u64::from(ROLLOUTS) {
        let mut fates = Fates::new(case, seed << 32 | rollout);
        for (ends, rule) in ends.iter_mut().zip(&RULES) {
            ends.push(fates.under(rule));
        }
    }
    ends
}

/// A good version: how often it is rolled back. A bad one: in which minute of half of the rollouts, and how many calls had failed.
fn cell(case: &Case, ends: &[End]) -> String {
    let noticed = count(ends.iter().filter(|end| end.noticed.is_some()).count()) / count(ends.len());
    if case.good {
        return percent(noticed);
    }
    let mut minutes: Vec<usize> = ends.iter().map(|end| end.noticed.unwrap_or(usize::MAX)).collect();
    minutes.sort_unstable();
    let failed = ends.iter().map(|end| end.failed).sum::<f64>() / count(ends.len());
    match minutes[minutes.len() / 2] {
        usize::MAX if noticed > 0.0 => format!("{} noticed, {failed:.0} calls", percent(noticed)),
        usize::MAX => format!("never, {failed:.0} calls"),
        minute => format!("{minute} min, {failed:.0} calls"),
    }
}

/// A rate in per cent, told so that what is possible does not look impossible, nor what is not certain certain.
fn percent(rate: f64) -> String {
    match 100.0 * rate {
        none if none <= 0.0 => "0%".to_owned(),
        small if small < 1.0 => format!("{small:.2}%"),
        most if (99.5..100.0).contains(&most) => format!("{most:.2}%"),
        rate => format!("{rate:.0}%"),
    }
}
