//! What did the caller ask for? Members of a request as the types that an operation wants.
//!
//! Lenient about how a protocol spells a number or a time, strict about everything else. It does not know any operation.

use crate::calendar;
use crate::time::Time;
use crate::value::{Fault, Value};

/// The bounds of the years that have one to four digits, in milliseconds since 1970.
const FIRST_YEAR: i64 = -62_135_596_800_000;
const LAST_YEAR: i64 = 253_402_300_800_000;

#[derive(Clone, Copy)]
pub(super) struct Parameters<'a> {
    value: &'a Value,
    absent: fn(&str) -> Fault,
}

impl<'a> Parameters<'a> {
    /// Operations on alarms answer an absent member as a broken constraint.
    pub(super) const fn of_alarms(value: &'a Value) -> Self {
        Self { value, absent: |name| Fault::constraint(name, "null", "Member must not be null") }
    }

    /// Operations on metrics name an absent member as a missing parameter.
    pub(super) const fn of_metrics(value: &'a Value) -> Self {
        Self { value, absent: Fault::missing }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.value.member(name).is_some()
    }

    pub(super) fn required<T>(self, name: &str, value: Option<T>) -> Result<T, Fault> {
        value.ok_or_else(|| (self.absent)(name))
    }

    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.value.member(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::malformed(format!("{name} is not text."))),
        }
    }

    /// Text of at most `most` characters, if it is there.
    pub(super) fn text_within(self, name: &str, most: usize) -> Result<Option<&'a str>, Fault> {
        let text = self.text(name)?;
        match text.filter(|text| text.chars().count() > most) {
            None => Ok(text),
            Some(long) => Err(Fault::constraint(name, long, &format!("Member must have length less than or equal to {most}"))),
        }
    }

    /// One of the words that the service's model has for a member, if it is there.
    pub(super) fn word(self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Fault> {
        let text = self.text(name)?;
        match text.filter(|text| !words.contains(text)) {
            None => Ok(text),
            Some(unknown) => Err(Fault::unknown_word(name, unknown, words)),
        }
    }

    /// Whether the oldest is to come first.
    pub(super) fn ascending(self) -> Result<bool, Fault> {
        let order = self.word("ScanBy", &["TimestampDescending", "TimestampAscending"])?;
        Ok(order == Some("TimestampAscending"))
    }

    /// Where the page begins that the request asks for; it has so many items.
    pub(super) fn page(self, size: u32) -> Result<Page, Fault> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Page { start: page_start(self.text("NextToken")?)?, size })
    }

    /// Text of at least one and at most `most` characters, if it is there.
    pub(super) fn short_text(self, name: &str, most: usize) -> Result<Option<&'a str>, Fault> {
        let text = self.text_within(name, most)?;
        match text.filter(|text| text.is_empty()) {
            None => Ok(text),
            Some(empty) => Err(Fault::constraint(name, empty, "Member must have length greater than or equal to 1")),
        }
    }

    pub(super) fn required_text(self, name: &str, most: usize) -> Result<&'a str, Fault> {
        self.short_text(name, most).and_then(|text| self.required(name, text))
    }

    pub(super) fn boolean(self, name: &str) -> Result<Option<bool>, Fault> {
        match self.value.member(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Fault::malformed(format!("{name} is not a boolean."))),
        }
    }

    pub(super) fn integer(self, name: &str) -> Result<Option<i64>, Fault> {
        let wrong = || Fault::malformed(format!("{name} is not an integer."));
        match self.value.member(name) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Text(text)) => text.trim().parse().map(Some).map_err(|_| wrong()),
            Some(Value::Float(number)) if number.fract().abs() < f64::EPSILON => {
                format!("{number:.0}").parse().map(Some).map_err(|_| wrong())
            }
            Some(_) => Err(wrong()),
        }
    }

    /// An integer within `iam..=most`, if it is there.
    pub(super) fn integer_within(self, name: &str, least: u32, most: u32) -> Result<Option<u32>, Fault> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        let shown = number.to_string();
        if number < i64::from(least) {
            let constraint = format!("Member must have value greater than or equal to {least}");
            return Err(Fault::constraint(name, &shown, &constraint));
        }
        match u32::try_from(number) {
            Ok(number) if number <= most => Ok(Some(number)),
            Ok(_) | Err(_) => {
                Err(Fault::constraint(name, &shown, &format!("Member must have value less than or equal to {most}")))
            }
        }
    }

    pub(super) fn number(self, name: &str) -> Result<Option<f64>, Fault> {
        self.value.member(name).map(|value| number(name, value)).transpose()
    }

    pub(super) fn numbers(self, name: &str) -> Result<Vec<f64>, Fault> {
        self.items(name)?.iter().map(|value| number(name, value)).collect()
    }

    /// A time in the first 9999 years, if it is there.
    pub(super) fn time(self, name: &str) -> Result<Option<Time>, Fault> {
        let at = match self.value.member(name) {
            None => return Ok(None),
            Some(Value::Time(at)) => Some(*at),
            Some(Value::Text(text)) => calendar::parse(text),
            Some(value) => Some(from_seconds(number(name, value)?)),
        };
        let at = at.filter(|at| (FIRST_YEAR..LAST_YEAR).contains(&at.as_millis()));
        at.map(Some).ok_or_else(|| Fault::malformed(format!("{name} is not a timestamp.")))
    }

    pub(super) fn texts(self, name: &str) -> Result<Vec<&'a str>, Fault> {
        let wrong = || Fault::malformed(format!("{name} holds something that is not text."));
        self.items(name)?.iter().map(|item| if let Value::Text(text) = item { Ok(text.as_str()) } else { Err(wrong()) }).collect()
    }

    pub(super) fn texts_within(self, name: &str, most: usize) -> Result<Vec<&'a str>, Fault> {
        let texts = self.texts(name)?;
        if texts.len() > most {
            let constraint = format!("Member must have length less than or equal to {most}");
            return Err(Fault::constraint(name, &format!("[{}]", texts.join(", ")), &constraint));
        }
        Ok(texts)
    }

    pub(super) fn structures(self, name: &str) -> Result<impl ExactSizeIterator<Item = Self> + use<'a>, Fault> {
        let absent = self.absent;
        Ok(self.items(name)?.iter().map(move |value| Self { value, absent }))
    }

    pub(super) fn structure(self, name: &str) -> Option<Self> {
        self.value.member(name).map(|value| Self { value, absent: self.absent })
    }

    fn items(self, name: &str) -> Result<&'a [Value], Fault> {
        match self.value.member(name) {
            None => Ok(&[]),
            Some(Value::List(items)) => Ok(items),
            // How a form says "an empty list".
            Some(Value::Text(text)) if text.is_empty() => Ok(&[]),
            Some(_) => Err(Fault::malformed(format!("{name} is not a list."))),
        }
    }
}

pub(super) struct Page {
    start: usize,
    size: usize,
}

impl Page {
    pub(super) fn of<T>(self, items: &[T]) -> Result<(&[T], Option<String>), Fault> {
        let end = self.start.saturating_add(self.size).min(items.len());
        let shown = items.get(self.start..end).ok_or_else(Fault::token)?;
        Ok((shown, page_token(end, items.len())))
    }
}

fn number(name: &str, value: &Value) -> Result<f64, Fault> {
    let wrong = || Fault::malformed(format!("{name} is not a number."));
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => number.to_string().parse().map_err(|_| wrong()),
        Value::Text(text) => text.trim().parse().map_err(|_| wrong()),
        Value::Null
        | Value::Bool(_)
        | Value::Blob(_)
        | Value::Time(_)
        | Value::List(_)
        | Value::Record(_)
        | Value::Entries(_) => Err(wrong()),
    }
}

/// The moment that many seconds after 1970, to the millisecond.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and such a time is refused as too far away")]
pub(super) fn from_seconds(seconds: f64) -> Time {
    Time::from_millis((seconds * 1_000.0).round() as i64)
}

/// Where a page begins, as the token of the page before says.
pub(super) fn page_start(token: Option<&str>) -> Result<usize, Fault> {
    match token {
        None => Ok(0),
        Some(token) => token.strip_prefix("page-").and_then(|rest| rest.parse().ok()).ok_or_else(Fault::token),
    }
}

/// The token for a page that begins at `start`, unless everything was shown.
pub(super) fn page_token(start: usize, all: usize) -> Option<String> {
    (start < all).then(|| format!("page-{start}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Record;

    #[test]
    fn protocols_may_spell_numbers_and_times_as_they_do() {
        let at = Time::from_millis(1_795_442_580_250);
        for (number, time) in [
            (Value::Int(60), Value::Time(at)),
            (Value::Float(60.0), Value::Float(1_795_442_580.25)),
            (Value::from("60"), Value::from("2026-11-23T14:03:00.250Z")),
        ] {
            let value: Value = Record::new().with("N", number).with("T", time).into();
            let parameters = Parameters::of_alarms(&value);
            assert_eq!(parameters.integer("N"), Ok(Some(60)));
            assert_eq!(parameters.number("N"), Ok(Some(60.0)));
            assert_eq!(parameters.time("T"), Ok(Some(at)));
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_refused() {
        let far =
            [Value::Time(Time::from_millis(i64::MIN)), Value::Float(1e300), Value::Int(i64::MAX), "12345-01-01T00:00:00Z".into()];
        for time in far {
            let value: Value = Record::new().with("T", time).into();
            assert_eq!(Parameters::of_alarms(&value).time("T").unwrap_err().code, "SerializationException", "{value:?}");
        }
    }

    #[test]
    fn what_is_absent_or_wrong_is_named() {
        let value: Value = Record::new().with("Long", "x".repeat(9)).with("Few", 0_i64).into();
        let parameters = Parameters::of_alarms(&value);
        assert_eq!(
            parameters.required_text("AlarmName", 255).unwrap_err().message,
            "1 validation error detected: Value null at 'alarmName' failed to satisfy constraint: Member must not be null"
        );
        assert_eq!(Parameters::of_metrics(&value).required_text("Namespace", 255).unwrap_err().code, "MissingParameter");
        assert!(parameters.short_text("Long", 8).unwrap_err().message.contains("less than or equal to 8"));
        assert!(parameters.integer_within("Few", 1, 5).unwrap_err().message.contains("greater than or equal to 1"));
        assert_eq!(parameters.integer("Long").unwrap_err().code, "SerializationException");
    }

    #[test]
    fn pages_follow_each_other() {
        assert_eq!(page_start(page_token(7, 9).as_deref()), Ok(7));
        assert_eq!(page_token(9, 9), None);
        assert_eq!(page_start(Some("seven")), Err(Fault::token()));
    }
}
