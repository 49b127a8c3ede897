//! Does a log event match the filter pattern of `FilterLogEvents`? Words, phrases, expressions and comparisons of JSON members.
//!
//! Of the documented syntax the patterns with spaces (`[a, b]`) and parentheses are missing, which are refused.

use regex_lite::Regex;
use serde_json::Value;

/// A pattern that was read.
#[derive(Debug)]
pub(super) enum Pattern {
    Everything,
    /// All of the first, any of the second (if there are any), none of the third.
    Words(Vec<String>, Vec<String>, Vec<String>),
    Regex(Regex),
    /// Any of these, each of which means all of its comparisons.
    Members(Vec<Vec<Member>>),
}

#[derive(Debug)]
pub(super) struct Member {
    path: Vec<String>,
    operator: &'static str,
    operand: String,
}

impl Pattern {
    /// None: it is not a pattern.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self::Everything);
        }
        if let Some(inner) = text.strip_prefix('{') {
            let any = inner.strip_suffix('}')?.split("||");
            let all = |text: &str| text.split("&&").map(Member::read).collect::<Option<Vec<_>>>();
            return any.map(all).collect::<Option<_>>().map(Self::Members);
        }
        if let Some(inner) = text.strip_prefix('%') {
            return Regex::new(inner.strip_suffix('%')?).ok().map(Self::Regex);
        }
        words(text)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |word: &String| message.contains(word);
        match self {
            Self::Everything => true,
            Self::Words(all, any, none) => {
                all.iter().all(has) && (any.is_empty() || any.iter().any(has)) && !none.iter().any(has)
            }
            Self::Regex(regex) => regex.is_match(message),
            Self::Members(any) => serde_json::from_str::<Value>(message.trim())
                .is_ok_and(|line| any.iter().any(|all| all.iter().all(|member| member.holds(&line)))),
        }
    }
}

fn words(text: &str) -> Option<Pattern> {
    let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (list, from) = match rest.chars().next()? {
            '?' => (&mut any, 1),
            '-' => (&mut none, 1),
            _ => (&mut all, 0),
        };
        rest = &rest[from..];
        let word;
        if let Some(quoted) = rest.strip_prefix('"') {
            (word, rest) = quoted.split_once('"')?;
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (word, rest) = rest.split_at(end);
            // What is not made of letters, digits and underscores belongs in quotes.
            if word.is_empty() || !word.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
                return None;
            }
        }
        list.push(word.to_owned());
        rest = rest.trim_start();
    }
    Some(Pattern::Words(all, any, none))
}

impl Member {
    /// `$.a.b >= 500`, `$.level = "ERROR"` or `$.level = ERR*`.
    fn read(text: &str) -> Option<Self> {
        let (place, operator) = text
            .char_indices()
            .find_map(|(place, _)| Some((place, OPERATORS.into_iter().find(|operator| text[place..].starts_with(operator))?)))?;
        let path = text[..place].trim().strip_prefix("$.")?.split('.').map(str::to_owned).collect();
        let operand = text[place + operator.len()..].trim();
        let operand = operand.strip_prefix('"').map_or(Some(operand), |quoted| quoted.strip_suffix('"'))?;
        (!operand.is_empty()).then(|| Self { path, operator, operand: operand.to_owned() })
    }

    fn holds(&self, line: &Value) -> bool {
        let Some(value) = self.path.iter().try_fold(line, |value, name| value.get(name)) else { return false };
        if let (Some(number), Ok(operand)) = (value.as_f64(), self.operand.parse::<f64>()) {
            let order = number.total_cmp(&operand);
            return match self.operator {
                "=" => order.is_eq(),
                "!=" => order.is_ne(),
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_lt(),
            };
        }
        let Some(text) = value.as_str() else { return false };
        let same = self.operand.split_once('*').map_or(text == self.operand, |(before, after)| {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        });
        match self.operator {
            "=" => same,
            "!=" => !same,
            _ => false,
        }
    }
}

/// Longer ones first.
const OPERATORS: [&str; 6] = [">=", "<=", "!=", "=", ">", "<"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        for (pattern, message, matches) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an Error here", false),
            ("ERROR Timeout", "ERROR: Timeout", true),
            ("ERROR Timeout", "ERROR", false),
            ("?ERROR ?WARN", "WARN", true),
            ("ERROR -Exiting", "ERROR Exiting", false),
            ("\"an ERROR\"", "an ERROR here", true),
            ("%E[A-Z]+R%", "an ERROR here", true),
            ("{ $.status >= 500 }", r#"{"status":503}"#, true),
            ("{ $.status >= 500 }", r#"{"status":200}"#, false),
            ("{ $.status >= 500 }", "status 503", false),
            ("{ $.a.level = \"ERROR\" && $.n != 3 }", r#"{"a":{"level":"ERROR"},"n":4}"#, true),
            ("{ $.level = ERR* || $.level = W* }", r#"{"level":"WARN"}"#, true),
            ("{ $.level = ERR* }", r#"{"level":"WARN"}"#, false),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().matches(message), matches, "{pattern} of {message}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["{ $.a }", "{ a = 1 }", "{ $.a = 1", "%(%", "\"open", "a.b", "[a, b]"] {
            assert!(Pattern::read(pattern).is_none(), "{pattern}");
        }
    }
}
