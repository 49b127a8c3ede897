//! Which metrics does a log line hold? The embedded metric format, as its specification has it.
//!
//! A line that breaks the specification holds none, and nobody is told.

use serde_json::{Map, Value};

use crate::time::Time;

/// Samples of one metric under one set of dimensions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: Time,
    pub(crate) namespace: String,
    pub(crate) metric: String,
    pub(crate) unit: String,
    /// In seconds: 1 or 60.
    pub(crate) resolution: i64,
    pub(crate) dimensions: Vec<(String, String)>,
    pub(crate) values: Vec<f64>,
}

/// The samples in a line.
pub(super) fn samples(message: &str) -> Vec<Sample> {
    serde_json::from_str(message.trim()).ok().and_then(|root| of_document(&root)).unwrap_or_default()
}

fn of_document(root: &Map<String, Value>) -> Option<Vec<Sample>> {
    let about = root.get("_aws")?;
    let at = Time::from_millis(about.get("Timestamp")?.as_i64()?);
    let mut samples = Vec::new();
    for directive in about.get("CloudWatchMetrics")?.as_array()? {
        let namespace = directive.get("Namespace")?.as_str()?;
        for set in directive.get("Dimensions")?.as_array()? {
            let names = set.as_array().filter(|names| names.len() <= MOST_DIMENSIONS)?;
            let dimension = |name: &Value| Some((name.as_str()?.to_owned(), root.get(name.as_str()?)?.as_str()?.to_owned()));
            let dimensions: Vec<_> = names.iter().map(dimension).collect::<Option<_>>()?;
            for metric in directive.get("Metrics")?.as_array()? {
                let name = metric.get("Name")?.as_str()?;
                samples.push(Sample {
                    at,
                    namespace: namespace.to_owned(),
                    metric: name.to_owned(),
                    unit: metric.get("Unit").and_then(Value::as_str).unwrap_or("None").to_owned(),
                    resolution: if metric.get("StorageResolution").and_then(Value::as_i64) == Some(1) { 1 } else { 60 },
                    dimensions: dimensions.clone(),
                    values: numbers(root.get(name)?)?,
                });
            }
        }
    }
    Some(samples)
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    let several = value.as_array().filter(|values| values.len() <= MOST_VALUES);
    several.map_or_else(|| Some(vec![value.as_f64()?]), |values| values.iter().map(Value::as_f64).collect())
}

const MOST_DIMENSIONS: usize = 30;
const MOST_VALUES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_each_metric_under_each_set_of_dimensions() {
        let line = r#"{"_aws":{"Timestamp":5,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["V"],[]],
            "Metrics":[{"Name":"N","Unit":"Count"},{"Name":"T","StorageResolution":1}]}]},"V":"7","N":1,"T":[2.5,3]}"#;
        let found = samples(line);
        let short: Vec<_> = found
            .iter()
            .map(|s| (s.metric.as_str(), s.unit.as_str(), s.resolution, s.dimensions.len(), s.values.len()))
            .collect();
        assert_eq!(short, [("N", "Count", 60, 1, 1), ("T", "None", 1, 1, 2), ("N", "Count", 60, 0, 1), ("T", "None", 1, 0, 2)]);
        assert_eq!((found[0].namespace.as_str(), found[0].at), ("Shop", Time::from_millis(5)));
        assert_eq!(found[0].dimensions, [("V".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_line_that_breaks_the_specification_gives_nothing() {
        let good = r#"{"_aws":{"Timestamp":5,"CloudWatchMetrics":[{"Namespace":"S","Dimensions":[["V"]],"Metrics":[{"Name":"N"}]}]},"V":"7","N":1}"#;
        assert_eq!(samples(good).len(), 1);
        for (was, is) in [
            (r#""V":"7""#, r#""V":7"#),
            (r#""N":1"#, r#""N":"1""#),
            (r#","N":1"#, ""),
            (r#""Timestamp":5,"#, ""),
            ("{\"_aws", "INFO {\"_aws"),
        ] {
            assert_eq!(samples(&good.replace(was, is)), [], "{is}");
        }
    }
}
