//! Which error lines did the candidate log, and which kinds of them are there? From rows of a log to counted kinds; asks nobody.
//!
//! Lines are of one kind if they are alike but for what differs from request to request: numbers, ids, addresses, quoted values.

use std::collections::BTreeMap;

use rollout::logged_error::LoggedError;
use rollout::{Time, Version};
use serde_json::Value;

/// How many kinds are told.
pub(crate) const KINDS: usize = 5;

/// How much of a line is kept, in characters.
const KEPT: usize = 300;

/// By how much of a line its kind is told, in characters: what comes later is data.
const TELLING: usize = 200;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: Version,
    pub(crate) at: Time,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
}

impl Row {
    /// A row as `CloudWatch` Logs Insights gives it; `None` where it is of no version, or has no time.
    pub(crate) fn of(fields: &BTreeMap<String, String>) -> Option<Self> {
        let message = fields.get("@message")?.clone();
        // A stream is named by date and version: `2026/11/26/[42]8f3c…`.
        let (_, after) = fields.get("@logStream")?.split_once('[')?;
        let version = after.split_once(']')?.0.parse().ok()?;
        let at = humantime::parse_rfc3339_weak(fields.get("@timestamp")?).ok()?;
        let at = Time::from_millis(u64::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()?);
        let request_id = fields.get("@requestId").cloned().or_else(|| request_id(&message));
        Some(Self { version, at, message, request_id })
    }
}

/// The kinds of error lines of the candidate: those that stable does not have first, then the most frequent ones; at most [`KINDS`].
/// `whole` says whether these are all rows that there are: else nothing is said of stable.
pub(crate) fn kinds(rows: &[Row], candidate: Version, whole: bool) -> Vec<LoggedError> {
    let mut found: BTreeMap<String, LoggedError> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.version == candidate) {
        let fresh =
            || LoggedError { line: String::new(), count: 0, first_at: row.at, request_id: None, on_stable: whole.then_some(0) };
        let kind = found.entry(kind(&row.message)).or_insert_with(fresh);
        if kind.count == 0 || row.at < kind.first_at {
            kind.line = without_frame(first_line(&row.message)).chars().take(KEPT).collect();
            (kind.first_at, kind.request_id) = (row.at, row.request_id.clone());
        }
        kind.count += 1;
    }
    for row in rows.iter().filter(|row| row.version != candidate) {
        if let Some(count) = found.get_mut(&kind(&row.message)).and_then(|kind| kind.on_stable.as_mut()) {
            *count += 1;
        }
    }
    let mut kinds: Vec<LoggedError> = found.into_values().collect();
    kinds.sort_by_key(|kind| (kind.on_stable.unwrap_or(0) > 0, std::cmp::Reverse(kind.count), kind.first_at));
    kinds.truncate(KINDS);
    kinds
}

/// What is the same in all lines of one kind.
fn kind(message: &str) -> String {
    let said = serde_json::from_str::<Value>(message.trim()).ok().and_then(|line| said(&line));
    masked(&said.unwrap_or_else(|| first_line(message).to_owned()))
}

pub(crate) fn first_line(message: &str) -> &str {
    message.trim_start().lines().next().unwrap_or_default().trim_end()
}

/// A line without the time and the request that Lambda's runtimes write before it, between tabs.
pub(crate) fn without_frame(line: &str) -> String {
    let is_time = |part: &str| humantime::parse_rfc3339_weak(part).is_ok();
    line.split('\t').filter(|part| !is_uuid(part) && !is_time(part)).collect::<Vec<_>>().join(" ")
}

/// What a line of JSON says; `None` where it is no object.
fn said(line: &Value) -> Option<String> {
    let line = line.as_object()?;
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    // An error object may stand where the message does.
    let inner = ["message", "error", "err", "record"].into_iter().filter_map(|name| line.get(name)).find_map(said);
    let named = [text("errorType"), text("errorMessage")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if !named.is_empty() {
        return Some(named);
    }
    let told = ["message", "msg", "error", "exception"].into_iter().find_map(text).map(str::to_owned);
    told.or(inner).or_else(|| {
        let parts = line.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        });
        Some(parts.collect::<Vec<_>>().join(" "))
    })
}

/// The text with a mark in place of everything that differs from request to request.
fn masked(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let quoted = quote_of(&kept, rest);
        let end = match quoted {
            Some(end) => end,
            None if is_of_word(letter) => word_of(rest),
            None => letter.len_utf8(),
        };
        let (part, after) = rest.split_at(end);
        if quoted.is_some() || is_data(part) {
            // Two marks with nothing between them are one.
            if !kept.ends_with(MARK) {
                kept.push(MARK);
            }
        } else if !letter.is_whitespace() {
            kept.push_str(part);
        } else if !kept.ends_with([' ', MARK]) {
            kept.push(' ');
        }
        rest = after;
    }
    kept.chars().take(TELLING).collect()
}

/// Where the quoted value ends that the text begins with, if it does. Inside of a word an apostrophe is none.
fn quote_of(before: &str, text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|letter| "\"`'".contains(*letter) && !before.ends_with(char::is_alphanumeric))?;
    text[1..].find(quote).map(|at| at + 2)
}

/// Where the word ends that the text begins with; an address ends with the next space.
fn word_of(text: &str) -> usize {
    let end = text.find(|letter| !is_of_word(letter)).unwrap_or(text.len());
    let space = || text.find(char::is_whitespace).unwrap_or(text.len());
    if text[..end].contains("://") { space() } else { end }
}

/// Stands for whatever was there.
const MARK: char = '#';

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.:/@+%$".contains(letter)
}

/// Whether a word is a number, an id, an address, or too long to be a word.
fn is_data(word: &str) -> bool {
    word.contains(|letter: char| letter.is_ascii_digit())
        || word.contains('@')
        || word.contains("://")
        || word.chars().count() > 60
}

/// The request that a line is of: what it names so, or the first thing in it that looks like one.
fn request_id(message: &str) -> Option<String> {
    if let Ok(Value::Object(line)) = serde_json::from_str(message.trim()) {
        let of = |line: &serde_json::Map<String, Value>| {
            ["requestId", "AWSRequestId", "request_id"].into_iter().find_map(|name| line.get(name)?.as_str().map(str::to_owned))
        };
        return of(&line).or_else(|| line.get("record")?.as_object().and_then(of));
    }
    message.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-').find(|word| is_uuid(word)).map(str::to_owned)
}

fn is_uuid(word: &str) -> bool {
    word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f3c2a10-5e5b-4f5e-9d5f-0123456789ab";

    fn at(second: u64) -> Time {
        Time::from_secs(1_795_000_000 + second)
    }

    fn row(version: u64, second: u64, message: &str) -> Row {
        Row { version: version.to_string().parse().unwrap(), at: at(second), message: message.to_owned(), request_id: None }
    }

    #[test]
    fn lines_that_differ_in_data_alone_are_of_one_kind() {
        let alike = [
            ("[ERROR] KeyError: 'sku-17'", "[ERROR] KeyError: 'jacket'"),
            (
                "2026-11-26T20:54:33.123Z\t8f3c2a10-5e5b-4f5e-9d5f-0123456789ab\tERROR\tno price for \"x\"",
                "2026-11-26T20:59:00.001Z\t00000000-5e5b-4f5e-9d5f-0123456789ab\tERROR\tno price for \"a b\"",
            ),
            ("Task timed out after 3.00 seconds", "Task timed out after 3.01 seconds"),
            ("connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED 10.0.1.17:5432"),
            ("GET https://api.example.com/orders?id=a failed", "GET https://api.example.com/carts failed"),
            ("mail to ann@example.com bounced", "mail to bob@example.com bounced"),
            (
                r#"{"level":"ERROR","timestamp":"1","message":"no stock of 17"}"#,
                r#"{"level":"ERROR","timestamp":"2","message":"no stock of 4"}"#,
            ),
            (r#"{"status":500,"path":"/a","ms":3}"#, r#"{"status":502,"path":"/a","ms":71}"#),
            ("Error: boom\n    at handler (a.js:1:2)", "Error: boom\n    at other (b.js:3:4)"),
        ];
        for (one, other) in alike {
            assert_eq!(kind(one), kind(other), "{one}");
        }
        let different = [
            ("[ERROR] KeyError: 'a'", "[ERROR] ValueError: 'a'"),
            ("it isn't there", "it isn't here"),
            (r#"{"level":"ERROR","message":"no stock"}"#, r#"{"level":"ERROR","message":"no price"}"#),
            (r#"{"errorType":"TypeError","errorMessage":"x"}"#, r#"{"errorType":"RangeError","errorMessage":"x"}"#),
            (r#"{"level":"error","message":{"errorMessage":"x"}}"#, r#"{"level":"error","message":{"errorMessage":"y"}}"#),
            (
                r#"{"type":"platform.report","record":{"status":"timeout"}}"#,
                r#"{"type":"platform.report","record":{"status":"error"}}"#,
            ),
        ];
        for (one, other) in different {
            assert_ne!(kind(one), kind(other), "{one}");
        }
    }

    #[test]
    fn what_only_the_candidate_logs_comes_first_then_what_it_logs_most() {
        let mut rows =
            vec![row(42, 9, "disk slow"), row(41, 1, "disk slow"), row(42, 5, "no price for 7"), row(42, 3, "no price for 8")];
        rows.extend((0..9).map(|second| row(42, second, "disk slow")));
        rows.extend((0..7).map(|second| row(42, second, &format!("kind {}", char::from(b'a' + u8::try_from(second).unwrap())))));
        let found = kinds(&rows, "42".parse().unwrap(), true);
        assert_eq!(found.len(), KINDS);
        let LoggedError { line, count, first_at, on_stable, .. } = &found[0];
        assert_eq!((line.as_str(), *count, *first_at, *on_stable), ("no price for 8", 2, at(3), Some(0)));
        assert_eq!(found[1].line, "kind a");
        assert!(found.iter().all(|kind| kind.on_stable == Some(0)));
        let cut = kinds(&rows, "42".parse().unwrap(), false);
        assert_eq!((cut[0].line.as_str(), cut[0].count, cut[0].on_stable), ("disk slow", 10, None));
        assert_eq!(kinds(&rows, "43".parse().unwrap(), true), []);
    }

    #[test]
    fn a_row_has_its_version_from_its_stream_and_its_request_from_wherever_it_stands() {
        let fields = |stream: &str, message: &str, id: Option<&str>| {
            let all = [
                ("@timestamp", Some("2026-11-26 20:54:33.123")),
                ("@logStream", Some(stream)),
                ("@message", Some(message)),
                ("@requestId", id),
            ];
            all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect::<BTreeMap<_, _>>()
        };
        let found = Row::of(&fields("2026/11/26/[42]abc", "x", Some("r-1"))).unwrap();
        assert_eq!((found.version.to_string().as_str(), found.at.as_millis() % 1000), ("42", 123));
        assert_eq!(found.request_id.as_deref(), Some("r-1"));
        for message in [
            format!("RequestId: {ID} Error: Runtime exited with error: signal: killed"),
            format!(r#"{{"level":"ERROR","requestId":"{ID}","message":"x"}}"#),
            format!(r#"{{"type":"platform.report","record":{{"requestId":"{ID}","status":"timeout"}}}}"#),
        ] {
            assert_eq!(Row::of(&fields("2026/11/26/hello[42]abc", &message, None)).unwrap().request_id.as_deref(), Some(ID));
        }
        assert_eq!(Row::of(&fields("2026/11/26/[$LATEST]abc", "x", None)), None);
        assert_eq!(Row::of(&fields("something", "x", None)), None);
    }

    #[test]
    fn what_the_runtimes_write_before_a_line_is_left_out() {
        for line in [
            format!("2026-11-26T20:54:33.123Z\t{ID}\tERROR\tno price"),
            format!("[ERROR]\t2026-11-26T20:54:33.123Z\t{ID}\tno price").replace("[ERROR]", "ERROR"),
        ] {
            assert_eq!(kinds(&[row(42, 0, &line)], "42".parse().unwrap(), true)[0].line, "ERROR no price");
        }
    }

    #[test]
    fn a_long_line_is_cut_and_no_text_is_too_strange() {
        let long = "é".repeat(2_000);
        assert_eq!(kinds(&[row(42, 0, &long)], "42".parse().unwrap(), true)[0].line.chars().count(), KEPT);
        for text in ["", "\"", "'", "a'b'c", "\u{1b}[31m", "{}", "{\"a\":", "'é'é", "\n\n", "``", "#"] {
            let _ = kind(text);
        }
        assert_eq!(masked("it's 'so' \"x"), "it's #\"x");
    }
}
