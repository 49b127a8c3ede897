//! What does a query find in these events? Commands and events in, rows out.
//!
//! Guesses: a comparison with a field that is absent is false; without `sort`, the newest event comes first, and a group where its
//! newest event would; rows without a sorted field come last; `stats` over no event gives no row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fields::{Found, Value};
use super::grammar::{Command, Comparison, Condition, Operand, Sum};

/// What a query comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Fields with their values, as text.
    pub(super) rows: Vec<Vec<(String, String)>>,
    /// How many events passed the filters.
    pub(super) matched: usize,
}

/// An event, or what `stats` made of several, with the values that the query itself made.
struct Row<'a> {
    found: Option<Found<'a>>,
    own: Vec<(String, Value)>,
}

impl Row<'_> {
    fn value(&self, of: &Operand) -> Option<Value> {
        match of {
            Operand::Field(name) => self.named(name),
            Operand::Number(number) => Some(Value::Number(*number)),
            Operand::Text(text) => Some(Value::Text(text.clone())),
            Operand::Bin(length) => self.bin(*length),
        }
    }

    fn named(&self, name: &str) -> Option<Value> {
        let own = self.own.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        own.or_else(|| self.found.as_ref()?.field(name))
    }

    fn bin(&self, length: Duration) -> Option<Value> {
        Some(Value::Moment(self.found.as_ref()?.event.at.floor(length)))
    }

    fn meets(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(all) => all.iter().all(|condition| self.meets(condition)),
            Condition::Any(any) => any.iter().any(|condition| self.meets(condition)),
            Condition::Not(inner) => !self.meets(inner),
            Condition::Compare(left, comparison, right) => match (self.value(left), self.value(right)) {
                (Some(left), Some(right)) => holds(&left, *comparison, &right),
                _ => false,
            },
            Condition::Matches(of, regex) => self.value(of).is_some_and(|value| regex.is_match(&value.text())),
            Condition::Contains(of, part) => self.value(of).is_some_and(|value| value.text().contains(part)),
            Condition::OneOf(of, items) => self.value(of).is_some_and(|value| {
                items.iter().filter_map(|item| self.value(item)).any(|item| holds(&value, Comparison::Equal, &item))
            }),
            Condition::Present(of) => self.value(of).is_some(),
        }
    }
}

/// Runs a query over events, the oldest first, and gives at most `limit` rows.
pub(super) fn evaluate(commands: &[Command], events: Vec<Found<'_>>, limit: usize) -> Outcome {
    let mut rows: Vec<Row<'_>> = events.into_iter().rev().map(|found| Row { found: Some(found), own: Vec::new() }).collect();
    let mut shown: Vec<String> = Vec::new();
    let mut matched = rows.len();
    let mut limit = limit;
    for command in commands {
        match command {
            Command::Fields(fields) => add(&mut rows, fields, &mut shown),
            Command::Display(fields) => {
                shown.clear();
                add(&mut rows, fields, &mut shown);
            }
            Command::Filter(condition) => {
                rows.retain(|row| row.meets(condition));
                if rows.iter().all(|row| row.found.is_some()) {
                    matched = matched.min(rows.len());
                }
            }
            Command::Parse(of, regex, names) => rows.iter_mut().for_each(|row| {
                let text = row.value(of).map(|value| value.text()).unwrap_or_default();
                let Some(groups) = regex.captures(&text) else { return };
                for (place, name) in names.iter().enumerate() {
                    let group = groups.name(name).or_else(|| groups.get(place + 1));
                    row.own.extend(group.map(|group| (name.clone(), Value::Text(group.as_str().to_owned()))));
                }
            }),
            Command::Stats { sums, by } => {
                rows = summed(&rows, sums, by);
                shown = by.iter().map(|(_, name)| name).chain(sums.iter().map(|(_, name)| name)).cloned().collect();
            }
            Command::Sort(keys) => rows.sort_by(|one, other| sorted(one, other, keys)),
            Command::Limit(most) => limit = limit.min(*most),
        }
    }
    rows.truncate(limit);
    if shown.is_empty() {
        shown = ["@timestamp", "@message"].map(str::to_owned).to_vec();
    }
    Outcome { rows: rows.iter().map(|row| written(row, &shown)).collect(), matched }
}

fn add(rows: &mut [Row<'_>], fields: &[(Operand, String)], shown: &mut Vec<String>) {
    for (of, name) in fields {
        if !shown.contains(name) {
            shown.push(name.clone());
        }
        if matches!(of, Operand::Field(field) if field == name) {
            continue;
        }
        for row in &mut *rows {
            row.own.extend(row.value(of).map(|value| (name.clone(), value)));
        }
    }
}

fn written(row: &Row<'_>, shown: &[String]) -> Vec<(String, String)> {
    let fields = shown.iter().filter_map(|name| Some((name.clone(), row.named(name)?.text())));
    let pointer = row.found.as_ref().map(|found| ("@ptr".to_owned(), found.pointer()));
    fields.chain(pointer).collect()
}

fn summed<'a>(rows: &[Row<'_>], sums: &[(Sum, String)], by: &[(Operand, String)]) -> Vec<Row<'a>> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(Vec<Option<Value>>, Vec<&Row<'_>>)> = Vec::new();
    for row in rows {
        let values: Vec<Option<Value>> = by.iter().map(|(of, _)| row.value(of)).collect();
        let key: Vec<Option<String>> = values.iter().map(|value| value.as_ref().map(Value::text)).collect();
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((values, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(row);
    }
    let made = |(values, rows): (Vec<Option<Value>>, Vec<&Row<'_>>)| {
        let keys = by.iter().zip(values).filter_map(|((_, name), value)| Some((name.clone(), value?)));
        let sums = sums.iter().filter_map(|(sum, name)| Some((name.clone(), total(sum, &rows)?)));
        Row { found: None, own: keys.chain(sums).collect() }
    };
    groups.into_iter().map(made).collect()
}

#[expect(clippy::cast_precision_loss, reason = "rows are some millions at most")]
fn total(sum: &Sum, rows: &[&Row<'_>]) -> Option<Value> {
    let values = |of: &Operand| -> Vec<Value> { rows.iter().filter_map(|row| row.value(of)).collect() };
    let numbers = |of: &Operand| -> Vec<f64> { values(of).iter().filter_map(Value::number).collect() };
    let counted = |count: usize| Some(Value::Number(count as f64));
    let some = |numbers: &[f64], number: f64| (!numbers.is_empty()).then_some(Value::Number(number));
    match sum {
        Sum::Count(None) => counted(rows.len()),
        Sum::Count(Some(of)) => counted(values(of).len()),
        Sum::CountDistinct(of) => counted(values(of).iter().map(Value::text).collect::<BTreeSet<_>>().len()),
        Sum::Total(of) => {
            let numbers = numbers(of);
            some(&numbers, numbers.iter().sum())
        }
        Sum::Mean(of) => {
            let numbers = numbers(of);
            some(&numbers, numbers.iter().sum::<f64>() / numbers.len() as f64)
        }
        Sum::Least(of) => values(of).into_iter().min_by(order),
        Sum::Greatest(of) => values(of).into_iter().max_by(order),
        Sum::Percentile(of, percent) => {
            let mut numbers = numbers(of);
            numbers.sort_by(f64::total_cmp);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is within the list")]
            let rank = (percent / 100.0 * numbers.len() as f64).ceil() as usize;
            numbers.get(rank.saturating_sub(1)).map(|number| Value::Number(*number))
        }
        Sum::Earliest(of) => newest(rows, |one, other| other.cmp(&one)).and_then(|row| row.value(of)),
        Sum::Latest(of) => newest(rows, |one, other| one.cmp(&other)).and_then(|row| row.value(of)),
    }
}

fn newest<'r, 'a>(rows: &[&'r Row<'a>], compare: impl Fn(usize, usize) -> Ordering) -> Option<&'r Row<'a>> {
    let number = |row: &Row<'_>| row.found.as_ref().map_or(0, |found| found.number);
    rows.iter().copied().max_by(|one, other| compare(number(one), number(other)))
}

/// Numbers by size, everything else by its text.
fn order(one: &Value, other: &Value) -> Ordering {
    match (one.number(), other.number()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.text().cmp(&other.text()),
    }
}

fn holds(left: &Value, comparison: Comparison, right: &Value) -> bool {
    let order = order(left, right);
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Unequal => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}

fn sorted(one: &Row<'_>, other: &Row<'_>, keys: &[(Operand, bool)]) -> Ordering {
    let by = |(of, descending): &(Operand, bool)| match (one.value(of), other.value(of)) {
        (Some(one), Some(other)) if *descending => order(&other, &one),
        (Some(one), Some(other)) => order(&one, &other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    };
    keys.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
