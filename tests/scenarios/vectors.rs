//! The whole program notices what the test by itself is known to notice, as often, as soon and at the same cost in failed calls.
//!
//! Known are simulations of the test alone: one look at each complete minute, on a schedule that nothing stops. The program
//! differs from that, and this is how each difference is accounted for:
//! - It looks once a minute and right before each step, which on the full minute is the same moment: with nothing late it sees
//!   complete minutes, as the known simulations do. With a lag of one to two minutes it is at most two minutes later.
//! - It holds a share that looks suspicious, for ten minutes in all. That changes the schedules with several steps, so that those
//!   are only observed here; one with a single step can only be prolonged, and what comes after its known end does not count.
//! - It goes back, and calls that fail meanwhile or later are not failed calls before the detection: those are counted minute by
//!   minute, up to the one in which it was noticed.
//!
//! Every single rollout must end as the test alone would end it on the same calls; no chance is in that. That the calls are those of
//! the known simulations is then a matter of rates. `ROLLOUTS=n` plays so many of each kind, of more kinds, and prints them;
//! `FROM=n` plays others.

use std::thread;
use std::time::Duration;

use rollout::plan::Mode;

use crate::concurrent_rollouts::{AT_ONCE, Kind, LATE, Played, errors_only, expected, f64_of, failed};
use crate::traffic::{ALPHAS, Row, Tally, count, ln_factorial};

/// How many rollouts of each row and bound the suite plays.
const USUAL: u64 = 10;

/// The rows that the suite plays, as they are named: each kind of schedule, of traffic and of trouble that takes little to simulate.
const CHOSEN: [&str; 9] = [
    " L1    0.1/s   1.00%  50.00%",
    " L1      1/s   0.00%  20.00%",
    " L1      1/s   1.00%   1.30%",
    " L1     10/s   0.10%   5.00%",
    "C10    0.1/s   0.00% 100.00%",
    "C10      1/s   1.00%  20.00%",
    "C10      1/s   1.00%   1.00%",
    "C10     10/s   0.00%   1.00%",
    "C10     10/s   0.10%   5.00%",
];

/// The chance of one comparison to fail though all is well. There are 9 rows, 2 bounds and at most 2 + 6 + 2 of them each (noticed, three
/// minutes, failed calls; too many and too few): 180, which together fail less than once in 10⁶ runs at 5·10⁻⁹ each.
const RARELY: f64 = 5e-9;

/// How many rollouts of each kind were asked for, where somebody asked.
fn asked() -> Option<u64> {
    number("ROLLOUTS")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn kind(row: &Row, sensitive: bool) -> Kind {
    let single = row.name.trim_start().starts_with('C');
    Kind {
        schedule: if single { "Canary10Percent10Minutes" } else { "Linear10PercentEvery1Minute" },
        calls_a_second: row.calls_per_minute / 60.0,
        stable_rate: row.stable_rate,
        candidate_rate: row.canary_rate,
        analysis: errors_only(if single { Mode::On } else { Mode::Observe }, sensitive),
        lag: AT_ONCE,
        bake: Duration::ZERO,
    }
}

/// Plays so many rollouts on all cores, and hands each to `judge` in the order of their seeds.
fn play_all<T: Send>(kind: &Kind, seeds: std::ops::Range<u64>, judge: impl Fn(u64, Played) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let all: Vec<u64> = seeds.collect();
    let part = all.len().div_ceil(threads).max(1);
    let judge = &judge;
    thread::scope(|scope| {
        let workers: Vec<_> = all
            .chunks(part)
            .map(|seeds| scope.spawn(move || seeds.iter().map(|seed| judge(*seed, kind.play(*seed))).collect::<Vec<T>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// The rollouts of a row. Each must have gone as the test alone says.
fn tally(row: &Row, alpha: f64, seeds: std::ops::Range<u64>) -> Tally {
    let kind = kind(row, alpha > ALPHAS[0]);
    let horizon = row.schedule.len();
    let judge = |seed, played: Played| {
        let minutes = &played.minutes[..horizon.min(played.minutes.len())];
        let noticed = played.noticed.filter(|(minute, _)| *minute <= horizon);
        assert_eq!(noticed.map(|it| it.0), expected(minutes, alpha), "{}, seed {seed}: {}", row.name, played.output.log);
        let until = &minutes[..noticed.map_or(minutes.len(), |it| it.0)];
        if let Some((_, known)) = noticed {
            // A call in the very moment of the look may be in it already.
            assert!((f64_of(known) - failed(until)).abs() <= 1.0, "{}, seed {seed}: {known} failed calls counted", row.name);
        }
        (noticed.map(|it| it.0), failed(until))
    };
    let (minutes, bad) = play_all(&kind, seeds, judge).into_iter().unzip();
    Tally { minutes, bad }
}

/// Whether so many hits of so many tries come by chance less often than [`RARELY`], whatever the probability within these bounds.
fn beyond_chance(hits: f64, tries: f64, (low, high): (f64, f64)) -> bool {
    let term = |number: f64, chance: f64| if number > 0.0 { number * chance.ln() } else { 0.0 };
    let ways = |hits: f64| ln_factorial(tries) - ln_factorial(hits) - ln_factorial(tries - hits);
    let exactly = |hits: f64, chance: f64| (ways(hits) + term(hits, chance) + term(tries - hits, 1.0 - chance)).exp();
    let numbers = || std::iter::successors(Some(0.0), |number| (*number < tries).then_some(number + 1.0));
    let at_least: f64 = numbers().filter(|number| *number >= hits).map(|number| exactly(number, high)).sum();
    let at_most: f64 = numbers().filter(|number| *number <= hits).map(|number| exactly(number, low)).sum();
    at_least < RARELY || at_most < RARELY
}

/// How the rollouts of a row differ from what is known, by more than chance.
fn complaints(row: &Row, alpha: f64, tally: &Tally) -> Vec<String> {
    let mut found = Vec::new();
    let tries = tally.rollouts();
    let (low, high) = row.interval(alpha);
    if beyond_chance(tally.detected(), tries, (low, high)) {
        found.push(format!("{} at {alpha}: noticed in {}, known {low} to {high}", row.name, tally.rate()));
    }
    for (name, part) in [("minute_q10", 0.1_f64), ("minute_median", 0.5), ("minute_q90", 0.9)] {
        let known = row.answer(alpha, name);
        // What is known is itself a sample, whose quantile may be five standard deviations off.
        let spread = 5.0 * (part * (1.0 - part) / row.rollouts).sqrt();
        let by = |minute: Option<f64>| minute.map_or(0.0, |minute| (tally.by(minute) * tries).round());
        let reached = known.is_none_or(|_| !beyond_chance(by(known), tries, (part - spread, 1.0)));
        let before = known.map_or(Some(f64::INFINITY), |minute| Some(minute - 1.0));
        if !reached || beyond_chance(by(before), tries, (0.0, part + spread)) {
            found.push(format!("{} at {alpha}: {name} is not {known:?}", row.name));
        }
    }
    let (mean, deviation) = tally.mean_bad();
    let known = row.answer(alpha, "mean_bad").unwrap();
    // Ten standard deviations, because the numbers are few and skewed: the mean of ten exponential ones is that far above its own with
    // a probability of 10⁻⁹ (a gamma variable of order 10 above 10 + 10·√10). No less than Poisson's scatter is assumed.
    let spread = deviation.max(known.sqrt()) * (1.0 / tries + 1.0 / row.rollouts).sqrt();
    if (mean - known).abs() > 10.0 * spread {
        found.push(format!("{} at {alpha}: {mean} failed calls, known {known}", row.name));
    }
    found
}

#[test]
fn what_is_known_of_the_test_is_true_of_the_program() {
    let rows = Row::all();
    let chosen = |row: &&Row| match asked() {
        // The rest takes a hundred times as long, and shows the same.
        Some(_) => ["L1", "C10"].contains(&row.name.trim_start().split(' ').next().unwrap()) && row.calls_per_minute <= 600.0,
        None => CHOSEN.contains(&row.name.as_str()),
    };
    let chosen: Vec<&Row> = rows.iter().filter(chosen).collect();
    assert!(chosen.len() >= CHOSEN.len());
    let (mut found, mut within, mut all) = (Vec::new(), 0, 0);
    for (place, row) in (0_u64..).zip(chosen) {
        for (offset, alpha) in (0..).zip(ALPHAS) {
            let first = 1_000_000 * (2 * place + offset) + number("FROM").unwrap_or_default();
            let tally = tally(row, alpha, first..first + asked().unwrap_or(USUAL));
            found.extend(complaints(row, alpha, &tally));
            within += usize::from(row.distance(alpha, &tally) <= 1.96);
            all += 1;
            show(row, alpha, &tally);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    tell(&format!("{within} of {all} rates within the 95% interval of both simulations; about 19 of 20 are by chance"));
}

fn show(row: &Row, alpha: f64, tally: &Tally) {
    let (rate, spread) = (tally.rate(), interval(tally.detected(), tally.rollouts()));
    let (mean, deviation) = tally.mean_bad();
    let known = |name: &str| row.answer(alpha, name).map_or_else(|| "-".to_owned(), |it| it.to_string());
    let (low, high) = row.interval(alpha);
    tell(&format!(
        "{} α {alpha:<4} noticed {rate:.4} ({:.4} to {:.4}), known {} ({low:.4} to {high:.4}); minutes {} {} {}, known {} {} {}; \
         failed {mean:.2} ± {:.2}, known {}",
        row.name,
        spread.0,
        spread.1,
        known("detect"),
        quantile(tally, 0.1),
        quantile(tally, 0.5),
        quantile(tally, 0.9),
        known("minute_q10"),
        known("minute_median"),
        known("minute_q90"),
        1.96 * deviation / tally.rollouts().sqrt(),
        known("mean_bad"),
    ));
}

fn quantile(tally: &Tally, part: f64) -> String {
    let reached = (1_u8..=100).find(|minute| tally.by(f64::from(*minute)) >= part);
    reached.map_or_else(|| "-".to_owned(), |minute| minute.to_string())
}

#[expect(clippy::print_stdout, reason = "figures, where they were asked for")]
fn tell(text: &str) {
    if asked().is_some() {
        println!("{text}");
    }
}

/// Wilson's interval, 95%.
fn interval(found: f64, tries: f64) -> (f64, f64) {
    let (rate, weight) = (found / tries, 1.96 * 1.96 / tries);
    let spread = 1.96 * (rate * (1.0 - rate) / tries + weight / (4.0 * tries)).sqrt();
    (((rate + weight / 2.0 - spread) / (1.0 + weight)).max(0.0), (rate + weight / 2.0 + spread) / (1.0 + weight))
}

/// A call is shown one to two minutes after it began: what is known after a minute, all of it is seen two minutes later.
#[test]
fn a_lag_costs_its_own_minutes_and_nothing_else() {
    let analysis = errors_only(Mode::Observe, false);
    let kind = Kind { analysis, lag: LATE, bake: Duration::from_mins(3), ..Kind::linear(0.001, 0.05) };
    let rollouts = asked().unwrap_or(16);
    let judge = |seed, played: Played| {
        let mixed = &played.minutes[..9];
        let noticed = played.noticed.map(|it| it.0);
        if let Some(minute) = expected(mixed, 0.01) {
            let late = noticed.is_some_and(|noticed| noticed <= minute + 2);
            assert!(late, "seed {seed}: {noticed:?}, without a lag {minute}: {}", played.output.log);
        }
        (expected(mixed, 0.01), noticed)
    };
    let shifts = play_all(&kind, 0..rollouts, judge);
    let both: Vec<(usize, usize)> = shifts.into_iter().filter_map(|(without, with)| without.zip(with)).collect();
    let shift = |by: usize| both.iter().filter(|(without, with)| *with == without + by).count();
    assert!(shift(1) + shift(2) > both.len() / 2, "{both:?}");
    let (one, two, all) = (shift(1), shift(2), both.len());
    tell(&format!("a lag of 1 to 2 minutes: noticed 1 minute later {one} times, 2 minutes {two}, of {all}"));
    tell(&format!("  and as soon or sooner, on a part of a minute, {} times", count(all - one - two)));
}

/// What was promised: ten calls a second, stable fails 0.1%, the candidate 5%.
#[test]
fn a_version_that_fails_one_call_in_twenty_is_noticed_in_three_minutes() {
    let rollouts = asked().unwrap_or(16);
    for (lag, wait) in [(AT_ONCE, 0), (LATE, 2)] {
        let kind = Kind { lag, bake: Duration::from_mins(3), ..Kind::linear(0.001, 0.05) };
        let judge = |seed, played: Played| {
            assert_eq!(
                (played.output.ending.exit_code, played.output.ending.reason.kind.word()),
                (10, "analysis"),
                "seed {seed}"
            );
            let minute = played.noticed.unwrap().0;
            (minute, failed(&played.minutes[..minute.min(played.minutes.len())]))
        };
        let played = play_all(&kind, 0..rollouts, judge);
        let tries = count(played.len());
        let soon = count(played.iter().filter(|it| it.0 <= 3 + wait).count());
        let failed = played.iter().map(|it| it.1).sum::<f64>() / tries;
        let minutes = (1..=15_usize).map(|minute| played.iter().filter(|it| it.0 == minute).count());
        let said = format!(
            "lag {wait}: noticed within {} minutes in {soon} of {tries} {:.4?}; {failed:.2} failed calls; by the minute {:?}",
            3 + wait,
            interval(soon, tries),
            minutes.collect::<Vec<_>>()
        );
        assert!(!beyond_chance(soon, tries, (0.95, 1.0)), "{said}");
        // About eight are promised where nothing is late. One such count scatters by four, and their mean is held to six of its own.
        assert!(wait > 0 || failed <= 8.0 + 6.0 * 4.0 / tries.sqrt(), "{said}");
        tell(&said);
    }
}

#[test]
fn a_good_version_is_left_alone() {
    // So few are rolled back that it takes more of them to tell.
    let rollouts = asked().map_or(16, |rollouts| 5 * rollouts);
    let kind = Kind { lag: LATE, bake: Duration::from_mins(3), ..Kind::linear(0.001, 0.001) };
    let codes = play_all(&kind, 0..rollouts, |_, played| i32::from(played.output.ending.exit_code));
    let back = count(codes.iter().filter(|code| **code == 10).count());
    assert!(codes.iter().all(|code| [0, 10].contains(code)), "{codes:?}");
    let said = format!("a good version: {back} of {} rolled back {:.5?}", codes.len(), interval(back, count(codes.len())));
    assert!(!beyond_chance(back, count(codes.len()), (0.0, 0.002)), "{said}");
    tell(&said);
}
