//! How often is a good canary rolled back, and how soon a bad one? Whole rollouts, by the thousand, beside what is promised and known.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark tells its figures")]
#![expect(clippy::disallowed_methods, reason = "and how long they took")]

#[expect(dead_code, reason = "other rules are another benchmark's")]
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use std::time::Instant;

use analysis::Parameters;
use traffic::healthy::HEALTHY;
use traffic::streams::{DEPENDENCES, Dependence, Streams, median as streams_median};
use traffic::{ALPHAS, Row, Tally, count};

fn main() {
    let began = Instant::now();
    let complaints = known() + promised() + joined();
    println!("\n{:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(complaints, 0, "see above");
}

/// Compares with the known answers; gives how many are missed.
fn known() -> usize {
    println!("schedule, calls, stable, canary     α    noticed   known         minute (known)   failed calls (known)");
    let (mut missed, mut within, mut all) = (0, 0, 0);
    for (seed, row) in (1..).zip(&Row::all()) {
        let rollouts = if row.healthy { 20_000 } else { 5_000 };
        for (tally, alpha) in row.play(rollouts, seed).iter().zip(ALPHAS) {
            let complaints = row.complaints(alpha, tally);
            let known = |name: &str| row.answer(alpha, name).map_or_else(|| "-".to_owned(), |it| it.to_string());
            println!(
                "{:<34} {alpha:<4} {:>8.5}  {:<8} {:>8} ({:>3}) {:>12.2} ({}){}",
                row.name,
                tally.rate(),
                known("detect"),
                median(tally).map_or_else(|| "-".to_owned(), |it| it.to_string()),
                known("minute_median"),
                tally.mean_bad().0,
                known("mean_bad"),
                complaints.iter().map(String::as_str).fold(String::new(), |all, it| all + "\n  ✖ " + it)
            );
            missed += complaints.len();
            within += usize::from(row.distance(alpha, tally) <= 1.96);
            all += 1;
        }
    }
    println!("{within} of {all} rates within the 95% interval of both simulations; about 19 of 20 are by chance");
    missed
}

/// Rolls out good canaries; gives how many kinds of rollout break the promise.
fn promised() -> usize {
    let rollouts = 20_000;
    println!("\ngood canaries, {rollouts} rollouts each          α   rolled back   95% interval");
    let mut broken = 0;
    for (seed, healthy) in (101..).zip(&HEALTHY) {
        for alpha in ALPHAS {
            let found = healthy.false_rollbacks(rollouts, seed, alpha);
            let (low, high) = interval(f64::from(found), f64::from(rollouts));
            let breaks = low > alpha;
            broken += usize::from(breaks);
            let mark = if breaks { "✖" } else { "✔" };
            let rate = f64::from(found) / f64::from(rollouts);
            println!("{:<40} {alpha:>5}   {rate:>9.5}     {low:.5} to {high:.5} {mark}", healthy.name);
        }
    }
    broken
}

/// Joins streams of healthy rollouts, and of one that gets worse in one of them; gives how many kinds break the promise.
fn joined() -> usize {
    let rollouts = 20_000;
    println!("\nstreams joined, 1% in all, {rollouts} rollouts each   α   rolled back   95% interval");
    let mut broken = 0;
    for (seed, dependence) in (201..).zip(DEPENDENCES) {
        for (number, alpha) in [1, 2, 5].into_iter().flat_map(|number| ALPHAS.map(|alpha| (number, alpha))) {
            let healthy = Streams { number, dependence, canary_rate: 0.01, stable_rate: 0.01 };
            let parameters = Parameters { alpha, ..Parameters::default() };
            let found = healthy.noticed(rollouts, seed, &parameters).iter().flatten().count();
            let (low, high) = interval(count(found), f64::from(rollouts));
            broken += usize::from(low > alpha);
            let (mark, rate) = (if low > alpha { "✖" } else { "✔" }, count(found) / f64::from(rollouts));
            println!("{number} {:<37} {alpha:>5}   {rate:>9.5}     {low:.5} to {high:.5} {mark}", format!("{dependence:?}"));
        }
    }
    println!("\nworse in one stream, 2,000 rollouts each: median of the minute in which it is noticed, with 1, 2 and 5 streams");
    for (stable_rate, canary_rate) in [(0.01, 0.05), (0.001, 0.01), (0.001, 0.05), (0.01, 0.02)] {
        let minutes = [1, 2, 5].map(|number| {
            let worse = Streams { number, dependence: Dependence::None, canary_rate, stable_rate };
            let noticed = worse.noticed(2_000, 301, &Parameters::default());
            format!("{} ({:.1}%)", streams_median(&noticed), 100.0 * count(noticed.iter().flatten().count()) / 2_000.0)
        });
        println!("{stable_rate} → {canary_rate}: {}", minutes.join(", "));
    }
    broken
}

fn median(tally: &Tally) -> Option<usize> {
    let mut minutes: Vec<usize> = tally.minutes.iter().map(|minute| minute.unwrap_or(usize::MAX)).collect();
    minutes.sort_unstable();
    minutes.get((minutes.len() - 1) / 2).copied().filter(|minute| *minute < usize::MAX)
}

/// Wilson's interval.
fn interval(found: f64, tries: f64) -> (f64, f64) {
    let (rate, weight) = (found / tries, 1.96 * 1.96 / tries);
    let spread = 1.96 * (rate * (1.0 - rate) / tries + weight / (4.0 * tries)).sqrt();
    (((rate + weight / 2.0 - spread) / (1.0 + weight)).max(0.0), (rate + weight / 2.0 + spread) / (1.0 + weight))
}
