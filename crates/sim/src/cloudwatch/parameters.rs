//! What did the caller ask for? Members of a request as the types that an operation wants.
//!
//! Lenient about how a protocol spells a number or a time, strict about everything else. It does not know any operation.

use serde_json::Value;

use crate::calendar;
use crate::time::Time;
use crate::value::{Fault, from_seconds};

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

    /// All members as they were given.
    pub(super) fn whole(self) -> Value {
        self.value.clone()
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// The member `name`, unless it is absent or null.
    fn member(self, name: &str) -> Option<&'a Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    /// A member that `read` makes sense of, as `kind` says, if it is there.
    fn read<T>(self, name: &str, kind: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, Fault> {
        self.member(name).map(|value| read(value).ok_or_else(|| Fault::malformed(format!("{name} is not {kind}.")))).transpose()
    }

    pub(super) fn required<T>(self, name: &str, value: Option<T>) -> Result<T, Fault> {
        value.ok_or_else(|| (self.absent)(name))
    }

    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.read(name, "text", Value::as_str)
    }

    /// Text, if it is there, with which nothing is wrong.
    fn sound(
        self,
        name: &str,
        wrong: impl FnOnce(&str) -> bool,
        fault: impl FnOnce(&str) -> Fault,
    ) -> Result<Option<&'a str>, Fault> {
        let text = self.text(name)?;
        text.filter(|text| wrong(text)).map_or(Ok(text), |text| Err(fault(text)))
    }

    /// Text of at most `most` characters, if it is there.
    pub(super) fn text_within(self, name: &str, most: usize) -> Result<Option<&'a str>, Fault> {
        let constraint = format!("Member must have length less than or equal to {most}");
        self.sound(name, |text| text.chars().count() > most, |long| Fault::constraint(name, long, &constraint))
    }

    /// One of the words that the service's model has for a member, if it is there.
    pub(super) fn word(self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Fault> {
        self.sound(name, |text| !words.contains(&text), |unknown| Fault::unknown_word(name, unknown, words))
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
        self.text_within(name, most)?;
        let constraint = "Member must have length greater than or equal to 1";
        self.sound(name, str::is_empty, |empty| Fault::constraint(name, empty, constraint))
    }

    pub(super) fn required_text(self, name: &str, most: usize) -> Result<&'a str, Fault> {
        self.short_text(name, most).and_then(|text| self.required(name, text))
    }

    pub(super) fn boolean(self, name: &str) -> Result<Option<bool>, Fault> {
        let spelt = |text: &str| text.to_ascii_lowercase().parse().ok();
        self.read(name, "a boolean", |value| value.as_bool().or_else(|| value.as_str().and_then(spelt)))
    }

    pub(super) fn integer(self, name: &str) -> Result<Option<i64>, Fault> {
        let whole = |number: f64| (number.fract().abs() < f64::EPSILON).then(|| format!("{number:.0}").parse().ok()).flatten();
        let spelt = |text: &str| text.trim().parse().ok();
        self.read(name, "an integer", |value| {
            value.as_i64().or_else(|| value.as_str().and_then(spelt)).or_else(|| value.as_f64().and_then(whole))
        })
    }

    /// An integer within `least..=most`, if it is there.
    pub(super) fn integer_within(self, name: &str, least: u32, most: u32) -> Result<Option<u32>, Fault> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        let broken = |side: &str, bound: u32| {
            Fault::constraint(name, &number.to_string(), &format!("Member must have value {side} than or equal to {bound}"))
        };
        if number < i64::from(least) {
            return Err(broken("greater", least));
        }
        u32::try_from(number).ok().filter(|number| *number <= most).map(Some).ok_or_else(|| broken("less", most))
    }

    pub(super) fn number(self, name: &str) -> Result<Option<f64>, Fault> {
        self.read(name, "a number", number)
    }

    pub(super) fn numbers(self, name: &str) -> Result<Vec<f64>, Fault> {
        let wrong = || Fault::malformed(format!("{name} is not a number."));
        self.items(name)?.iter().map(|item| number(item).ok_or_else(wrong)).collect()
    }

    /// A time in the first 9999 years, if it is there.
    pub(super) fn time(self, name: &str) -> Result<Option<Time>, Fault> {
        let at = match self.member(name) {
            Some(Value::String(text)) => calendar::parse(text),
            None | Some(_) => match self.number(name)? {
                None => return Ok(None),
                Some(seconds) => Some(from_seconds(seconds)),
            },
        };
        let at = at.filter(|at| (FIRST_YEAR..LAST_YEAR).contains(&at.as_millis()));
        at.map(Some).ok_or_else(|| Fault::malformed(format!("{name} is not a timestamp.")))
    }

    pub(super) fn texts(self, name: &str) -> Result<Vec<&'a str>, Fault> {
        let wrong = || Fault::malformed(format!("{name} holds something that is not text."));
        self.items(name)?.iter().map(|item| item.as_str().ok_or_else(wrong)).collect()
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
        self.member(name).map(|value| Self { value, absent: self.absent })
    }

    fn items(self, name: &str) -> Result<&'a [Value], Fault> {
        match self.member(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            // How a form says "an empty list".
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
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

fn number(value: &Value) -> Option<f64> {
    if let Value::String(text) = value { text.trim().parse().ok() } else { value.as_f64() }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn protocols_may_spell_numbers_and_times_as_they_do() {
        let at = Time::from_millis(1_795_442_580_250);
        for value in [
            json!({"N": 60, "T": 1_795_442_580.25}),
            json!({"N": 60.0, "T": 1_795_442_580.25}),
            json!({"N": "60", "T": "2026-11-23T14:03:00.250Z"}),
        ] {
            let parameters = Parameters::of_alarms(&value);
            assert_eq!(parameters.integer("N"), Ok(Some(60)));
            assert_eq!(parameters.number("N"), Ok(Some(60.0)));
            assert_eq!(parameters.time("T"), Ok(Some(at)));
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_refused() {
        for time in [json!(-1e300), json!(1e300), json!(i64::MAX), json!("12345-01-01T00:00:00Z")] {
            let value = json!({ "T": time });
            assert_eq!(Parameters::of_alarms(&value).time("T").unwrap_err().code, "SerializationException", "{value:?}");
        }
    }

    #[test]
    fn what_is_absent_or_wrong_is_named() {
        let value = json!({"Long": "x".repeat(9), "Few": 0});
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
