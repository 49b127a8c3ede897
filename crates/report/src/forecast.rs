//! How is it told what a schedule can see? A few rows of a plan, each a figure that one can weigh against another.

use rollout::comparison::Thousandths;
use rollout::forecast::{Better, Cost, Forecast, Part};
use rollout::format::{grouped, percent};
use rollout::health::clock;

/// The rows, first what they rest on.
pub(crate) fn rows(forecast: &Forecast) -> Vec<String> {
    let Forecast { from, to, calls_a_minute, errors_percent, parts, costs, better } = forecast;
    let (from, to) = (clock(*from), clock(*to));
    let hours = |at: &str| at.get(..5).unwrap_or(at).to_owned();
    let mut rows = vec![format!(
        "{} calls a minute, {} of them failing, if it is as yesterday from {} to {}:",
        figure(*calls_a_minute),
        percent(figure(*errors_percent)),
        hours(&from),
        hours(&to)
    )];
    if parts.is_empty() {
        rows.push("both versions never have calls at the same time: only one that answers nothing at all is seen".to_owned());
        return rows;
    }
    rows.extend(parts.iter().map(part));
    rows.extend(costs.iter().map(cost));
    rows.extend(better.as_ref().map(named));
    rows.push(
        format!("with CloudWatch two minutes late, as it is; evidence comes slowly above {}, and trouble of both versions is not the release", percent(50)),
    );
    rows
}

fn part(part: &Part) -> String {
    let steps = match part.steps {
        [one, other] if one == other => format!("step {one}"),
        [first, last] => format!("steps {first} to {last}"),
    };
    let calls = match part.canary_calls {
        1 => "1 call".to_owned(),
        calls => format!("{} calls", grouped(calls)),
    };
    match part.smallest_percent {
        Some(smallest) => {
            format!("{steps}: {calls} of the new version; by its end {} of errors are noticed", percent(figure(smallest)))
        }
        None => format!("{steps}: {calls} of the new version, too few to be sure of noticing anything"),
    }
}

fn cost(cost: &Cost) -> String {
    let failed = grouped(cost.failed_calls);
    match cost.minutes {
        Some(minutes) => format!(
            "a version that fails {}: noticed after about {} min, some {failed} failed calls",
            percent(cost.fails_percent),
            figure(minutes)
        ),
        None => {
            format!("a version that fails {}: not noticed, some {failed} failed calls by the end", percent(cost.fails_percent))
        }
    }
}

fn named(better: &Better) -> String {
    let smallest =
        better.smallest_percent.map_or_else(String::new, |smallest| format!("notices {} of errors, ", percent(figure(smallest))));
    let Better { schedule, failed_calls, .. } = better;
    format!(
        "better, and as long: {schedule} {smallest}at some {} failed calls of a version that fails {}",
        grouped(*failed_calls),
        percent(5)
    )
}

/// With as many digits as it is worth.
fn figure(of: Thousandths) -> String {
    match of.to_f64() {
        0.0 => "0".to_owned(),
        number if number < 1.0 => format!("{number:.2}"),
        number if number < 10.0 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}
