//! How are minutes written in a file? Reads CSV and JSON lines, one line a minute. Opens no files.
//!
//! **CSV**: numbers separated by commas. The first line may be a header, recognised by one of the names `canary_calls`,
//! `canary_errors`, `stable_calls`, `stable_errors`: then it names the columns, in any order, and other columns are left alone.
//! Without one there are exactly these four columns, in this order. **JSON lines**: an object a line with these four members;
//! others are left alone. Blank lines are no minutes: a minute without invocations is four zeros. Counts may be fractional.

use serde::Deserialize;

use crate::minute::{COLUMNS, Minute};

/// Why a text is no series of minutes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SeriesError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

#[derive(Deserialize)]
struct Counts {
    canary_calls: f64,
    canary_errors: f64,
    stable_calls: f64,
    stable_errors: f64,
}

/// Reads minutes, as JSON lines where the first line begins with a brace, else as CSV. An empty text has none.
///
/// # Errors
/// The first line that is not understood, or whose counts cannot be.
pub fn parse(text: &str) -> Result<Vec<Minute>, SeriesError> {
    match lines(text).next() {
        Some((_, line)) if line.starts_with('{') => parse_json_lines(text),
        Some(_) | None => parse_csv(text),
    }
}

fn parse_csv(text: &str) -> Result<Vec<Minute>, SeriesError> {
    let mut lines = lines(text).peekable();
    let header = lines.next_if(|(_, line)| cells(line).any(|cell| COLUMNS.contains(&cell)));
    let (at, width) = match header {
        None => ([0, 1, 2, 3], COLUMNS.len()),
        Some((line, header)) => {
            let found = places(header).map_err(|problem| SeriesError { line, problem })?;
            (found, cells(header).count())
        }
    };
    lines.map(|(line, text)| row(text, at, width).map_err(|problem| SeriesError { line, problem })).collect()
}

fn parse_json_lines(text: &str) -> Result<Vec<Minute>, SeriesError> {
    lines(text).map(|(line, text)| object(text).map_err(|problem| SeriesError { line, problem })).collect()
}

/// The lines with something on them, and their numbers. A byte order mark is none of the text.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    // No cell has a comma in it, so that quotes are mere decoration.
    line.split(',').map(|cell| cell.trim().trim_matches('"').trim())
}

/// Where each column stands.
fn places(header: &str) -> Result<[usize; 4], String> {
    let mut at = [0; 4];
    for (place, column) in at.iter_mut().zip(COLUMNS) {
        let mut found = cells(header).enumerate().filter(|(_, cell)| *cell == column).map(|(index, _)| index);
        *place =
            found.next().ok_or_else(|| format!("the header has no column {column}\n  hint: it has {}", COLUMNS.join(", ")))?;
        if found.next().is_some() {
            return Err(format!("the header has the column {column} twice"));
        }
    }
    Ok(at)
}

fn row(line: &str, at: [usize; 4], width: usize) -> Result<Minute, String> {
    let cells: Vec<&str> = cells(line).collect();
    if cells.len() != width {
        return Err(format!("{} columns where {width} are expected", cells.len()));
    }
    let mut counts = [0.0; 4];
    for ((count, column), place) in counts.iter_mut().zip(COLUMNS).zip(at) {
        let cell = cells.get(place).copied().unwrap_or_default();
        *count = cell.parse().map_err(|_| {
            let (shown, names) = (cell.chars().take(40).collect::<String>(), COLUMNS.join(", "));
            format!("{column} is `{shown}`, not a number\n  hint: the header columns are {names}")
        })?;
    }
    Minute::new(counts).map_err(|error| error.to_string())
}

fn object(line: &str) -> Result<Minute, String> {
    // The parser counts lines too, from this one: its number would only confuse.
    let described = |error: serde_json::Error| error.to_string().replace(" at line 1 column", ", at character");
    let read: Counts = serde_json::from_str(line).map_err(described)?;
    let minute = Minute::new([read.canary_calls, read.canary_errors, read.stable_calls, read.stable_errors]);
    minute.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minute(counts: [f64; 4]) -> Minute {
        Minute::new(counts).unwrap()
    }

    #[test]
    fn a_header_is_optional_and_orders_the_columns() {
        let expected = vec![minute([6.0, 1.0, 54.0, 0.0]), minute([0.0, 0.0, 60.0, 2.5])];
        let plain = "6,1,54,0\n\n0, 0, 60, 2.5\r\n";
        let headed = "\u{feff}time,\"stable_errors\",stable_calls,canary_errors,canary_calls\n1,0,54,1,6\n2,2.5,60,0,0\n";
        let json = r#"{"canary_calls":6,"canary_errors":1,"stable_calls":54,"stable_errors":0,"minute":1}
            {"stable_errors":2.5,"canary_calls":0,"canary_errors":0,"stable_calls":60}"#;
        for text in [plain, headed, json] {
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse("canary_calls,canary_errors,stable_calls,stable_errors\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let said = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(said("1,0,9,0\n\n1,2,9,0\n"), "line 3: canary_errors is 2, more than the 1 invocations in total");
        assert_eq!(said("1,0,9\n"), "line 1: 3 columns where 4 are expected");
        assert_eq!(said("1,0,9,nan\n"), "line 1: stable_errors is NaN, not a number of invocations");
        assert!(
            said("a,b,c,d\n1,0,9,0")
                .starts_with("line 1: canary_calls is `a`, not a number\n  hint: the header columns are canary_calls")
        );
        assert!(said("canary_calls,errors\n1,0\n").starts_with("line 1: the header has no column canary_errors\n  hint:"));
        let twice = "canary_calls,canary_errors,stable_calls,stable_errors,canary_calls\n";
        assert_eq!(said(twice), "line 1: the header has the column canary_calls twice");
        assert_eq!(said("{\"canary_calls\":1}\n"), "line 1: missing field `canary_errors`, at character 18");
        let late = "{\"canary_calls\":1,\"canary_errors\":0,\"stable_calls\":1,\"stable_errors\":0}\n[]\n";
        assert!(said(late).starts_with("line 2: "), "{}", said(late));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(?s).{0,200}") {
            let _ = parse(&text);
            let _ = parse_csv(&text);
            let _ = parse_json_lines(&text);
        }

        #[test]
        fn nearly_right_texts_are_read_or_refused_by_line(
            text in "([0-9.,e\\-]{0,12}|canary_calls,canary_errors|\\{\"canary_calls\":[0-9e]{1,4}\\}|\n){0,12}",
        ) {
            match parse(&text) {
                Ok(minutes) => prop_assert!(minutes.len() <= text.lines().count()),
                Err(error) => prop_assert!((1..=text.lines().count()).contains(&error.line)),
            }
        }

        #[test]
        fn what_is_written_is_read(
            counts in proptest::collection::vec((0.0..1e12_f64, 0.0..=1.0_f64, 0.0..1e12_f64, 0.0..=1.0_f64), 0..20),
        ) {
            let minutes: Vec<Minute> = counts.iter().map(|(n1, k1, n0, k0)| minute([*n1, n1 * k1, *n0, n0 * k0])).collect();
            let counts = |it: &Minute| [it.canary_calls(), it.canary_bad(), it.stable_calls(), it.stable_bad()];
            let line = |it: &Minute| counts(it).map(|count| count.to_string()).join(",") + "\n";
            let written: String = minutes.iter().map(line).collect();
            prop_assert_eq!(parse(&written), Ok(minutes));
        }
    }
}
