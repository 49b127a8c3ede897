//! How often was each version invoked, and in which metrics? Counts and handles of metrics; nothing runs here.

use std::collections::BTreeMap;

use crate::cloudwatch::{CloudWatch, SeriesId};
use crate::log::Tally;

#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) tally: Tally,
    series: Option<Series>,
}

/// Invocations, errors, throttles and duration under one set of dimensions.
pub(crate) type Measures = [SeriesId; 4];

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) shared: [Measures; 3],
    /// Only invocations through an alias with weights are also counted by version.
    pub(crate) executed: Option<Measures>,
}

impl Counter {
    /// Its metrics; through weights there are those by version too.
    pub(crate) fn series(
        &mut self,
        name: &str,
        qualifier: &str,
        number: Option<u32>,
        weighted: bool,
        metrics: &mut CloudWatch,
    ) -> &Series {
        let series = self.series.get_or_insert_with(|| Series::shared(name, qualifier, metrics));
        if weighted && series.executed.is_none() {
            series.executed = Some(Series::executed(name, qualifier, number, metrics));
        }
        series
    }
}

/// By function, qualifier (empty for none) and version.
pub(crate) type Counters = BTreeMap<String, BTreeMap<String, BTreeMap<Option<u32>, Counter>>>;

impl Series {
    fn shared(name: &str, qualifier: &str, metrics: &mut CloudWatch) -> Self {
        let resource = if qualifier.is_empty() { name.to_owned() } else { format!("{name}:{qualifier}") };
        Self {
            shared: [
                measures(metrics, &[]),
                measures(metrics, &[("FunctionName", name)]),
                measures(metrics, &[("FunctionName", name), ("Resource", &resource)]),
            ],
            executed: None,
        }
    }

    fn executed(name: &str, alias: &str, number: Option<u32>, metrics: &mut CloudWatch) -> Measures {
        let version = number.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string());
        let resource = format!("{name}:{alias}");
        measures(metrics, &[("FunctionName", name), ("Resource", &resource), ("ExecutedVersion", &version)])
    }
}

fn measures(metrics: &mut CloudWatch, dimensions: &[(&str, &str)]) -> Measures {
    ["Invocations", "Errors", "Throttles", "Duration"].map(|metric| metrics.series("AWS/Lambda", metric, dimensions))
}

/// The counter of one version, made at its first invocation; later ones allocate nothing.
pub(crate) fn counter<'c>(counters: &'c mut Counters, name: &str, qualifier: &str, number: Option<u32>) -> &'c mut Counter {
    entry(entry(counters, name), qualifier).entry(number).or_default()
}

fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    match map.get_mut(key) {
        Some(value) => value,
        None => unreachable!("it was inserted above"),
    }
}
