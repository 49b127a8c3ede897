//! Which failures count beside Lambda's errors? A signal: failures and requests by version, from metrics or from the function's own logs.
//!
//! Only what it is, how it is written and what AWS takes. What its counts say is found like that of errors, in the same test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Version;
use crate::target::Subject;

/// Failures, and the requests that they are part of, of each version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// What it is called: at most 40 letters, digits, `-` and `_`.
    pub name: String,
    /// Where they are counted.
    #[serde(flatten)]
    pub source: SignalSource,
}

/// Where failures and requests are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignalSource {
    /// Metrics that the function writes, by version.
    #[serde(rename = "metrics")]
    Metrics {
        /// Their sum is the failures.
        failures: SignalMetric,
        /// Their sum is the requests; `None` stands for the invocations of the version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requests: Option<SignalMetric>,
    },
    /// Invocations with a line of the function's log that matches, of all invocations.
    #[serde(rename = "logs")]
    Logs {
        /// A filter of CloudWatch Logs Insights: one expression.
        filter: String,
    },
}

/// A metric, with what tells the versions apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignalMetric {
    /// The namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// The dimensions; one of them has `${version}` in its value.
    pub dimensions: BTreeMap<String, String>,
}

/// Why this is no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignalError(String);

/// How many signals a rollout may have.
pub const MOST_SIGNALS: usize = 10;

/// The dimension that a hint shows, and how a function gives it.
pub const BY_VERSION: &str = "add a dimension such as `Version=${version}`: the function writes its version, which is in its variable \
    AWS_LAMBDA_FUNCTION_VERSION";

impl Signal {
    /// The signal, where AWS takes everything in it and the versions can be told apart.
    ///
    /// # Errors
    /// What is wrong, and what is right.
    pub fn checked(self) -> Result<Self, SignalError> {
        let Self { name, source } = &self;
        let letters = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        if !letters || !(1..=40).contains(&name.len()) {
            return Err(SignalError(format!("`{name}` is not a signal name: use letters, digits, `-` and `_`, at most 40")));
        }
        if ["errors", "latency"].contains(&name.as_str()) {
            return Err(SignalError(format!("`{name}` is always compared: give the signal another name")));
        }
        let checked = match source {
            SignalSource::Metrics { failures, requests } => {
                [Some(failures), requests.as_ref()].into_iter().flatten().try_for_each(SignalMetric::check)
            }
            SignalSource::Logs { filter } => check_filter(filter),
        };
        checked.map_err(|SignalError(wrong)| SignalError(format!("signal `{name}`: {wrong}")))?;
        Ok(self)
    }

    /// The filter of what it counts in the function's logs, where it does.
    pub fn filter(&self) -> Option<&str> {
        if let SignalSource::Logs { filter } = &self.source { Some(filter) } else { None }
    }

    /// Whether it is counted in the function's logs.
    pub const fn is_in_logs(&self) -> bool {
        matches!(self.source, SignalSource::Logs { .. })
    }

    /// What a rollout is known by: no two signals have the same.
    pub(crate) fn parts(&self) -> Vec<String> {
        let metric = |metric: &SignalMetric| {
            let dimensions = metric.dimensions.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
            let count = metric.dimensions.len().to_string();
            [metric.namespace.clone(), metric.metric.clone(), count].into_iter().chain(dimensions).collect::<Vec<_>>()
        };
        let rest = match &self.source {
            SignalSource::Metrics { failures, requests } => {
                [vec!["metrics".to_owned()], metric(failures), requests.as_ref().map(metric).unwrap_or_default()].concat()
            }
            SignalSource::Logs { filter } => vec!["logs".to_owned(), filter.clone()],
        };
        [vec![self.name.clone()], rest].concat()
    }
}

/// Refuses two signals of one name, and too many.
///
/// # Errors
/// What is wrong, and what is right.
pub fn check_together<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> Result<(), SignalError> {
    let mut names = BTreeSet::new();
    for Signal { name, .. } in signals {
        if !names.insert(name) {
            return Err(SignalError(format!("there are two signals `{name}`: give each its own name")));
        }
    }
    if names.len() > MOST_SIGNALS {
        return Err(SignalError(format!("{} signals: at most {MOST_SIGNALS} can be compared", names.len())));
    }
    Ok(())
}

impl SignalMetric {
    /// The same for one version: every placeholder is filled in.
    #[must_use]
    pub fn of(&self, subject: &Subject, version: Version) -> Self {
        let values = [subject.function.name.clone(), subject.alias.clone(), version.to_string()];
        let fill = |text: &String| {
            PLACEHOLDERS.iter().zip(&values).fold(text.clone(), |text, (placeholder, value)| text.replace(placeholder, value))
        };
        Self {
            namespace: self.namespace.clone(),
            metric: self.metric.clone(),
            dimensions: self.dimensions.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
        }
    }

    fn check(&self) -> Result<(), SignalError> {
        let Self { namespace, metric, dimensions } = self;
        let wrong = |what: &str, text: &str, rule: &str| Err(SignalError(format!("`{text}` is not {what}: {rule}")));
        let printable = |text: &str, most: usize| {
            (1..=most).contains(&text.len())
                && !text.trim().is_empty()
                && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        };
        let ascii = "use ASCII characters, at most 255, and no `:` at the beginning";
        if !printable(namespace, 255) || namespace.starts_with(':') {
            return wrong("a namespace", namespace, ascii);
        }
        if !printable(metric, 255) {
            return wrong("a metric name", metric, "use ASCII characters, at most 255");
        }
        if dimensions.len() > 30 {
            return Err(SignalError(format!("{} dimensions: CloudWatch accepts at most 30", dimensions.len())));
        }
        for (name, value) in dimensions {
            if !printable(name, 255) || name.starts_with(':') {
                return wrong("a dimension name", name, ascii);
            }
            if !printable(value, 1024) {
                return wrong("a dimension value", value, "use ASCII characters, at most 1,024");
            }
            if let Some(unknown) = unknown_placeholder(value) {
                return wrong("filled in", unknown, "use `${version}`, `${function}` or `${alias}`");
            }
        }
        if !dimensions.values().any(|value| value.contains(VERSION)) {
            let text = format!("metric `{metric}` in `{namespace}` cannot tell the versions apart\n  hint: {BY_VERSION}");
            return Err(SignalError(text));
        }
        Ok(())
    }
}

const VERSION: &str = "${version}";

/// What is filled in: the function's name, the alias', the version's number.
pub const PLACEHOLDERS: [&str; 3] = ["${function}", "${alias}", VERSION];

/// The first placeholder that nothing is filled in for.
fn unknown_placeholder(text: &str) -> Option<&str> {
    let starts = text.match_indices("${").map(|(start, _)| &text[start..]);
    let mut unknown = starts.filter(|rest| !PLACEHOLDERS.iter().any(|known| rest.starts_with(known)));
    unknown.next().map(|rest| rest.find('}').map_or(rest, |end| &rest[..=end]))
}

/// One expression: nothing in it may begin another command of the query, or end the parentheses around it.
fn check_filter(filter: &str) -> Result<(), SignalError> {
    let wrong =
        |rule: &str| Err(SignalError(format!("`{}` is not a log filter: {rule}", filter.lines().next().unwrap_or_default())));
    if filter.trim().is_empty() {
        return wrong("write one filter expression, such as `status >= 500`");
    }
    if filter.len() > LONGEST_FILTER {
        return Err(SignalError(format!("a log filter of {} bytes: at most {LONGEST_FILTER} are possible", filter.len())));
    }
    if filter.chars().any(char::is_control) {
        return wrong("write it on one line");
    }
    let (mut open, mut depth, mut before) = (None, 0_i32, String::new());
    let mut letters = filter.chars();
    while let Some(letter) = letters.next() {
        match (open, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(quote), _) if quote == letter => open = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => open = Some(letter),
            // A regular expression stands behind an operator that takes one; elsewhere it is a division.
            (None, '/') if before.ends_with("like") || before.ends_with("=~") => open = Some('/'),
            (None, '|' | '#') => {
                return wrong("it is one expression, without `|` and `#` outside quotes; join several by `and` or `or`");
            }
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return wrong("it closes a parenthesis that it does not open"),
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
        before.extend((!letter.is_whitespace()).then_some(letter));
    }
    match (open, depth) {
        (Some(quote), _) => wrong(&format!("it opens a {quote} that it does not close")),
        (None, 1..) => wrong("it opens a parenthesis that it does not close"),
        (None, _) => Ok(()),
    }
}

/// Far below the 10,000 bytes that a query may have.
const LONGEST_FILTER: usize = 2000;

/// `NAME=logs:FILTER`, or `NAME=FAILURES` or `NAME=FAILURES/REQUESTS`, each `NAMESPACE/METRIC{DIMENSION=VALUE,…}`.
impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let Some((name, rest)) = text.split_once('=').filter(|(name, _)| !name.contains(['/', '{'])) else {
            return Err(SignalError(format!("`{text}` has no name: {EXPECTED}")));
        };
        let source = if let Some(filter) = rest.strip_prefix("logs:") {
            SignalSource::Logs { filter: filter.trim().to_owned() }
        } else {
            let (failures, rest) = metric(rest)?;
            let requests = if rest.is_empty() { None } else { Some(metric(rest.strip_prefix('/').unwrap_or(rest))?) };
            if let Some((_, rest)) = requests.as_ref().filter(|(_, rest)| !rest.is_empty()) {
                return Err(SignalError(format!("`{rest}` is left over: {EXPECTED}")));
            }
            SignalSource::Metrics { failures, requests: requests.map(|(metric, _)| metric) }
        };
        Self { name: name.trim().to_owned(), source }.checked()
    }
}

/// The metric at the beginning of a text, and what follows it.
fn metric(text: &str) -> Result<(SignalMetric, &str), SignalError> {
    let wrong = || SignalError(format!("`{text}` is not a metric: {EXPECTED}"));
    let (name, rest) = text.split_once('{').ok_or_else(wrong)?;
    let (namespace, metric) = name.rsplit_once('/').ok_or_else(wrong)?;
    let end = closing(rest).ok_or_else(wrong)?;
    let mut dimensions = BTreeMap::new();
    for pair in rest[..end].split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        dimensions.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok((SignalMetric { namespace: namespace.to_owned(), metric: metric.to_owned(), dimensions }, &rest[end + 1..]))
}

/// Where the brace closes that was open before this text; those of placeholders are not meant.
fn closing(text: &str) -> Option<usize> {
    let mut within = 0_usize;
    text.char_indices().find_map(|(at, letter)| match letter {
        '{' => {
            within += 1;
            None
        }
        '}' if within == 0 => Some(at),
        '}' => {
            within -= 1;
            None
        }
        _ => None,
    })
}

const EXPECTED: &str = "expected `NAME=NAMESPACE/FAILURES{Version=${version}}`, the same with \
    `/NAMESPACE/REQUESTS{Version=${version}}` behind it, or `NAME=logs:FILTER`";

/// As the command line takes it.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.source)
    }
}

impl fmt::Display for SignalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metrics { failures, requests: None } => failures.fmt(f),
            Self::Metrics { failures, requests: Some(requests) } => write!(f, "{failures}/{requests}"),
            Self::Logs { filter } => write!(f, "logs:{filter}"),
        }
    }
}

impl fmt::Display for SignalMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions: Vec<String> = self.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, "{}/{}{{{}}}", self.namespace, self.metric, dimensions.join(","))
    }
}
