//! What else counts as failed? The signals of `canary.yml`: metrics by version, or a filter of the function's log.

use std::collections::BTreeMap;

use rollout::Signal;
use rollout::signal::{SignalError, SignalMetric, SignalSource};

use crate::finding::Findings;
use crate::keys::{Named, Read, keys};
use crate::place::Place;
use crate::tree::Node;

keys! {
    struct SignalKeys {
        /// What it is called: letters, digits, `-` and `_`, at most 40.
        "name" name: String,
        /// The metric whose sum is the failures.
        "failures" failures: MetricKeys,
        /// The metric whose sum is the requests [default: the invocations of the version].
        "requests" requests: MetricKeys,
        /// Invocations with a matching line in the function's own log, instead of `failures`.
        "logs" logs: LogKeys,
    }
}

keys! {
    struct MetricKeys {
        /// The metric's namespace.
        "namespace" namespace: String,
        /// The metric.
        "metric" metric: String,
        /// The metric's dimensions, one of them with `${version}` in its value; `${function}` and `${alias}` are replaced too.
        "dimensions" dimensions: Named<String>,
    }
}

keys! {
    struct LogKeys {
        /// One filter expression of CloudWatch Logs Insights, such as `status >= 500`.
        "filter" filter: String,
    }
}

impl Read for Signal {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let SignalKeys { name, failures, requests, logs } = SignalKeys::read(node, found)?;
        let Some(name) = name else {
            found.problem(&node.place, "a signal needs a `name`");
            return None;
        };
        let source = match (failures, requests, logs) {
            (Some(failures), requests, None) => {
                let requests = requests.map(|at| at.value.metric(&at.place, found));
                SignalSource::Metrics {
                    failures: failures.value.metric(&failures.place, found)?,
                    requests: requests.map_or(Some(None), |it| it.map(Some))?,
                }
            }
            (None, None, Some(logs)) => {
                let filter = logs.value.filter.map(|at| at.value);
                if filter.is_none() {
                    found.problem(&logs.place, "`logs` needs a `filter`, such as `status >= 500`");
                }
                SignalSource::Logs { filter: filter? }
            }
            _ => {
                let message = format!(
                    "signal `{}` needs `failures` and, if they are not all invocations, `requests`; or `logs` alone",
                    name.value
                );
                found.problem(&node.place, message);
                return None;
            }
        };
        Self { name: name.value, source }.checked().map_err(|error| report(&error, &node.place, found)).ok()
    }

    fn schema() -> serde_json::Value {
        SignalKeys::schema()
    }
}

impl MetricKeys {
    fn metric(self, place: &Place, found: &mut Findings) -> Option<SignalMetric> {
        let (Some(namespace), Some(metric)) = (self.namespace, self.metric) else {
            found.problem(place, "a metric needs `namespace`, `metric` and `dimensions`");
            return None;
        };
        let named = self.dimensions.map(|at| at.value.0).unwrap_or_default();
        let dimensions: BTreeMap<String, String> = named.into_iter().map(|(name, value)| (name.value, value.value)).collect();
        Some(SignalMetric { namespace: namespace.value, metric: metric.value, dimensions })
    }
}

/// Reports what is wrong with a signal, or with several together, at its place.
pub(crate) fn report(error: &SignalError, place: &Place, found: &mut Findings) {
    let text = error.to_string();
    match text.split_once("\n  hint: ") {
        Some((message, hint)) => found.hinted(place, message, hint),
        None => found.problem(place, text),
    }
}
