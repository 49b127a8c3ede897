//! What does one period's worth of samples amount to, by any statistic that CloudWatch has?
//!
//! Works on a summary and a sorted list of values with their counts; where those come from is not its business.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
}

impl Summary {
    pub(super) const EMPTY: Self = Self { count: 0.0, sum: 0.0, minimum: f64::INFINITY, maximum: f64::NEG_INFINITY };

    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
    }
}

/// How samples become one number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// A statistic that needs every value, under the name it was asked for.
    Extended(String, Extended),
}

/// A statistic that needs every value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Extended {
    /// The value below which that percentage of the samples lies.
    Percentile(f64),
    /// A measure of the samples between two bounds.
    Trimmed(Measure, Bounds),
}

/// What is measured between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The mean of what lies between them.
    Mean,
    /// The mean of everything, what lies outside being moved to the nearer bound.
    Winsorized,
    /// How many samples lie between them.
    Count,
    /// The sum of what lies between them.
    Sum,
    /// The percentage of samples between them.
    Rank,
}

/// Between which samples a measure looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bounds {
    /// By rank, in percent of the samples.
    Ranks(f64, f64),
    /// By value: above the first, up to and including the second.
    Values(f64, f64),
}

impl Statistic {
    pub(super) fn plain(name: &str) -> Option<Self> {
        let all = [Self::SampleCount, Self::Average, Self::Sum, Self::Minimum, Self::Maximum];
        all.into_iter().find(|statistic| statistic.plain_name() == Some(name))
    }

    /// The name of one of the five plain statistics.
    pub(super) const fn plain_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
            Self::Extended(..) => return None,
        })
    }

    /// Reads an extended statistic: `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)`, `IQM` and the like.
    pub(super) fn extended(name: &str) -> Option<Self> {
        if let Some(percent) = name.strip_prefix('p') {
            return Some(Self::Extended(name.to_owned(), Extended::Percentile(share(percent)?)));
        }
        let (kind, bounds) = if name == "IQM" {
            ("TM".to_owned(), Bounds::Ranks(25.0, 75.0))
        } else if let Some((kind, inside)) = name.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            (kind.to_owned(), bounds(inside)?)
        } else {
            let (kind, percent) =
                name.split_at_checked(2).filter(|(kind, _)| kind.bytes().all(|byte| byte.is_ascii_lowercase()))?;
            (kind.to_ascii_uppercase(), Bounds::Ranks(0.0, share(percent)?))
        };
        let measure = match kind.as_str() {
            "TM" => Measure::Mean,
            "WM" => Measure::Winsorized,
            "TC" => Measure::Count,
            "TS" => Measure::Sum,
            "PR" if matches!(bounds, Bounds::Values(..)) => Measure::Rank,
            _ => return None,
        };
        Some(Self::Extended(name.to_owned(), Extended::Trimmed(measure, bounds)))
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::plain(name).or_else(|| Self::extended(name))
    }

    pub(super) fn name(&self) -> &str {
        if let Self::Extended(name, _) = self { name } else { self.plain_name().unwrap_or_default() }
    }

    pub(super) const fn needs_values(&self) -> bool {
        matches!(self, Self::Extended(..))
    }

    /// How many samples a period must have for this to mean something: ten beyond a percentile, on its thin side.
    pub(super) fn samples_wanted(&self) -> f64 {
        let Self::Extended(_, Extended::Percentile(percent)) = self else { return 1.0 };
        let thin = (percent / 100.0).min(1.0 - percent / 100.0);
        if thin > 0.0 { (10.0 / thin).round() } else { 1.0 }
    }

    /// The number, or none where there is nothing to say. `values` are sorted and only needed by extended statistics.
    pub(super) fn of(&self, summary: &Summary, values: &[(f64, f64)]) -> Option<f64> {
        if summary.count <= 0.0 {
            return None;
        }
        Some(match self {
            Self::SampleCount => summary.count,
            Self::Average => summary.sum / summary.count,
            Self::Sum => summary.sum,
            Self::Minimum => summary.minimum,
            Self::Maximum => summary.maximum,
            Self::Extended(_, Extended::Percentile(percent)) => percentile(values, *percent)?,
            Self::Extended(_, Extended::Trimmed(measure, bounds)) => trimmed(values, *measure, *bounds)?,
        })
    }
}

fn share(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|percent| plain && (0.0..=100.0).contains(percent))
}

fn bounds(text: &str) -> Option<Bounds> {
    let (low, high) = text.split_once(':')?;
    if low.is_empty() && high.is_empty() {
        return None;
    }
    if low.ends_with('%') || high.ends_with('%') {
        let percent = |bound: &str, open: f64| if bound.is_empty() { Some(open) } else { share(bound.strip_suffix('%')?) };
        let (low, high) = (percent(low, 0.0)?, percent(high, 100.0)?);
        return (low < high).then_some(Bounds::Ranks(low, high));
    }
    let value =
        |bound: &str, open: f64| if bound.is_empty() { Some(open) } else { bound.parse().ok().filter(|v: &f64| v.is_finite()) };
    let (low, high) = (value(low, f64::NEG_INFINITY)?, value(high, f64::INFINITY)?);
    (low < high).then_some(Bounds::Values(low, high))
}

fn total(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, count)| count).sum()
}

/// By nearest rank. Percentiles are not defined where a sample is negative.
fn percentile(values: &[(f64, f64)], percent: f64) -> Option<f64> {
    if values.first()?.0 < 0.0 {
        return None;
    }
    let rank = total(values) * percent / 100.0;
    let mut seen = 0.0;
    let reached = values.iter().find(|(_, count)| {
        seen += count;
        seen >= rank
    });
    reached.or(values.last()).map(|(value, _)| *value)
}

fn trimmed(values: &[(f64, f64)], measure: Measure, bounds: Bounds) -> Option<f64> {
    let all = total(values);
    let (mut kept, mut kept_sum, mut below, mut above) = (0.0, 0.0, 0.0, 0.0);
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut seen = 0.0;
    for &(value, count) in values {
        let (inside, under) = match bounds {
            Bounds::Ranks(low, high) => {
                let (low, high) = (all * low / 100.0, all * high / 100.0);
                let overlap = ((seen + count).min(high) - f64::max(seen, low)).max(0.0);
                (overlap, (low - seen).clamp(0.0, count))
            }
            Bounds::Values(low, high) => {
                (if value > low && value <= high { count } else { 0.0 }, if value <= low { count } else { 0.0 })
            }
        };
        seen += count;
        kept += inside;
        kept_sum += value * inside;
        below += under;
        above += count - inside - under;
        if inside > 0.0 {
            least = least.min(value);
            greatest = greatest.max(value);
        }
    }
    match measure {
        Measure::Count => Some(kept),
        Measure::Sum => Some(kept_sum),
        Measure::Rank => Some(kept / all * 100.0),
        Measure::Mean => (kept > 0.0).then(|| kept_sum / kept),
        Measure::Winsorized => (kept > 0.0).then(|| (kept_sum + least * below + greatest * above) / all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values 1 to 100, once each.
    fn hundred() -> (Summary, Vec<(f64, f64)>) {
        let values: Vec<_> = (1..=100).map(|n| (f64::from(n), 1.0)).collect();
        (Summary { count: 100.0, sum: 5050.0, minimum: 1.0, maximum: 100.0 }, values)
    }

    #[test]
    fn every_statistic_of_one_to_a_hundred() {
        let (summary, values) = hundred();
        for (name, expected) in [
            ("SampleCount", 100.0),
            ("Average", 50.5),
            ("Sum", 5050.0),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p0", 1.0),
            ("p50", 50.0),
            ("p90", 90.0),
            ("p99.9", 100.0),
            ("p100", 100.0),
            ("tm90", 45.5),
            ("TM(10%:90%)", 50.5),
            ("TM(:10)", 5.5),
            ("TM(90:)", 95.5),
            ("IQM", 50.5),
            ("tc90", 90.0),
            ("TC(20%:)", 80.0),
            ("ts10", 55.0),
            ("TS(0:3)", 6.0),
            ("wm90", 49.95),
            ("WM(10%:90%)", 50.5),
            ("PR(:30)", 30.0),
            ("PR(10:30)", 20.0),
            ("PR(99.5:)", 1.0),
        ] {
            let statistic = Statistic::parse(name).unwrap_or_else(|| panic!("{name} is not read"));
            let value = statistic.of(&summary, &values).unwrap();
            assert!((value - expected).abs() < 1e-9, "{name}: {value}");
            assert_eq!(statistic.name(), name);
        }
    }

    #[test]
    fn what_is_no_statistic_is_not_read() {
        for name in ["", "p", "p101", "p-1", "pNaN", "sum", "tm", "PR(10%:20%)", "TM(:)", "TM(5:1)", "TM(10%:20)", "XX(1:2)", "é"]
        {
            assert_eq!(Statistic::parse(name), None, "{name}");
        }
    }

    #[test]
    fn nothing_amounts_to_nothing() {
        for name in ["SampleCount", "Average", "p90", "tm90", "PR(:5)"] {
            assert_eq!(Statistic::parse(name).unwrap().of(&Summary::EMPTY, &[]), None, "{name}");
        }
        let few = Summary { count: 1.0, sum: -1.0, minimum: -1.0, maximum: -1.0 };
        assert_eq!(Statistic::parse("p90").unwrap().of(&few, &[(-1.0, 1.0)]), None);
        assert_eq!(Statistic::parse("TM(5:9)").unwrap().of(&few, &[(-1.0, 1.0)]), None);
    }

    #[test]
    fn thin_percentiles_want_more_samples() {
        let wanted = |name| Statistic::parse(name).unwrap().samples_wanted();
        assert!((wanted("p99") - 1000.0).abs() < 1e-6);
        assert!((wanted("p10") - 100.0).abs() < 1e-6);
        assert!((wanted("Sum") - 1.0).abs() < 1e-6);
    }
}
