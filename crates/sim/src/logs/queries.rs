//! How do queries of Logs Insights run? `StartQuery`, `GetQueryResults` and `StopQuery`.
//!
//! A query finds what can be found when it starts; its results are shown when it has run. What it may say is in `grammar`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::evaluate::{Outcome, evaluate};
use super::fields::Found;
use super::grammar::{self, MOST_RESULTS};
use super::group::Span;
use super::groups::Groups;
use super::paging::{page_start, page_token};
use super::refusal::Refusal;
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Queries {
    /// How old a line is before a query finds it.
    delay: Duration,
    /// How long a query runs.
    runs: Duration,
    /// In the order of their start.
    known: BTreeMap<u64, Query>,
    next: u64,
}

#[derive(Debug)]
struct Query {
    id: String,
    started: Time,
    ends: Time,
    cancelled: bool,
    outcome: Outcome,
    scanned: usize,
    bytes: usize,
    groups: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "as the service's model has them")]
pub(super) struct Start {
    log_group_name: Option<String>,
    log_group_names: Option<Vec<String>>,
    log_group_identifiers: Option<Vec<String>>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    query_string: Option<String>,
    query_language: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Named {
    query_id: Option<String>,
    next_token: Option<String>,
    max_items: Option<i64>,
}

impl Start {
    /// The groups that are named; exactly one of three members names them.
    fn groups(&self) -> Result<Vec<String>, Refusal> {
        let one = self.log_group_name.clone().map(|name| vec![name]);
        let lists = [one, self.log_group_names.clone(), self.log_group_identifiers.clone()];
        let mut given = lists.into_iter().flatten().filter(|names| !names.is_empty());
        let (Some(names), None) = (given.next(), given.next()) else {
            // The sentence is a guess.
            return Err(Refusal::invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given"));
        };
        if names.len() > MOST_GROUPS {
            let constraint = format!("Member must have length less than or equal to {MOST_GROUPS}");
            return Err(Refusal::constraint("logGroupNames", &format!("[{}]", names.join(", ")), &constraint));
        }
        Ok(names)
    }

    /// Rows at most. The documentation of the language and of the operation agree: 10,000 where nothing is said, and 100,000 at most.
    fn limit(&self) -> Result<usize, Refusal> {
        let Some(limit) = self.limit else { return Ok(DEFAULT_RESULTS) };
        let broken = |side, bound: f64| {
            let constraint = format!("Member must have value {side} than or equal to {bound}");
            Refusal::constraint("limit", &limit.to_string(), &constraint)
        };
        let least = usize::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(|| broken("greater", 1.0))?;
        #[expect(clippy::cast_precision_loss, reason = "a number near the limit is exact")]
        let fits = least as f64 <= MOST_RESULTS;
        if fits { Ok(least) } else { Err(broken("less", MOST_RESULTS)) }
    }
}

impl Queries {
    pub(super) fn new(delay: Duration, runs: Duration) -> Self {
        Self { delay, runs, known: BTreeMap::new(), next: 0 }
    }

    pub(super) fn start(&mut self, now: Time, groups: &Groups, id: &str, request: &Start) -> Result<Value, Refusal> {
        let (start, end) = (request.start_time, request.end_time);
        let (start, end) = (start.ok_or_else(|| Refusal::missing("startTime"))?, end.ok_or_else(|| Refusal::missing("endTime"))?);
        let text = request.query_string.as_deref().ok_or_else(|| Refusal::missing("queryString"))?;
        if request.query_language.as_deref().is_some_and(|language| language != "CWLI") {
            return Err(Refusal::invalid("This simulation speaks the language CWLI only"));
        }
        let (names, limit) = (request.groups()?, request.limit()?);
        if start > end {
            // The code and the sentence are a guess.
            return Err(Refusal::invalid("Query's start time must not be after its end time"));
        }
        let commands = grammar::parse(text)?;
        let missing = |name: &String| Refusal::no_group_to_query(super::groups::name_in(name), &groups.account);
        let found: Vec<_> = names.iter().map(|name| groups.find(name).ok_or_else(|| missing(name))).collect::<Result<_, _>>()?;
        let seconds = |seconds: i64| Time::from_millis(seconds.saturating_mul(1_000));
        let span = Span { from: seconds(start), to: seconds(end), written_by: now - self.delay };
        if found.iter().all(|(_, group)| span.to < group.created.floor(Duration::from_secs(1))) {
            // Reported by users of the service in these words.
            let message = "Query's end date and time is either before the log groups creation time or exceeds the log groups log \
                           retention settings";
            return Err(Refusal::malformed(message, (0, text.chars().count())));
        }
        if self.known.values().filter(|query| query.status(now) == "Running" || query.status(now) == "Scheduled").count()
            >= MOST_RUNNING
        {
            return Err(Refusal::too_many_queries(MOST_RUNNING));
        }
        let labels: Vec<String> = found.iter().map(|(name, _)| format!("{}:{name}", groups.account)).collect();
        let mut events: Vec<_> = found
            .iter()
            .zip(&labels)
            .flat_map(|((_, group), label)| group.events(span).into_iter().map(move |event| (event, label.as_str())))
            .collect();
        events.sort_by_key(|(event, _)| event.at);
        let (scanned, bytes) = (events.len(), events.iter().map(|(event, _)| event.message.len()).sum());
        let delay = self.delay;
        let events = events.into_iter().enumerate().map(|(number, (event, label))| {
            let ingested = event.at + delay;
            Found::new(event, label, ingested, number)
        });
        let outcome = evaluate(&commands, events.collect(), limit);
        let id = id.to_owned();
        let answer = json!({ "queryId": id });
        let query =
            Query { id, started: now, ends: now + self.runs, cancelled: false, outcome, scanned, bytes, groups: found.len() };
        self.known.insert(self.next, query);
        self.next += 1;
        if self.known.len() > MOST_KEPT {
            self.known.pop_first();
        }
        Ok(answer)
    }

    pub(super) fn results(&self, now: Time, request: &Named) -> Result<Value, Refusal> {
        let id = request.query_id.as_deref().ok_or_else(|| Refusal::missing("queryId"))?;
        let query = self.known.values().find(|query| query.id == id).ok_or_else(|| Refusal::no_query(id))?;
        let status = query.status(now);
        let rows = if status == "Complete" { query.outcome.rows.as_slice() } else { &[] };
        let start = page_start(request.next_token.as_deref(), rows.len())?;
        let size =
            request.max_items.and_then(|items| usize::try_from(items).ok()).filter(|size| (1..=DEFAULT_RESULTS).contains(size));
        let end = start.saturating_add(size.unwrap_or(DEFAULT_RESULTS)).min(rows.len());
        let shown = |row: &Vec<(String, String)>| -> Value {
            row.iter().map(|(field, value)| json!({"field": field, "value": value})).collect()
        };
        Ok(json!({
            "queryLanguage": "CWLI",
            "results": rows[start..end].iter().map(shown).collect::<Value>(),
            "statistics": query.statistics(status == "Complete"),
            "status": status,
            "nextToken": page_token(end, rows.len()),
        }))
    }

    pub(super) fn stop(&mut self, now: Time, request: &Named) -> Result<Value, Refusal> {
        let id = request.query_id.as_deref().ok_or_else(|| Refusal::missing("queryId"))?;
        let query = self.known.values_mut().find(|query| query.id == id).ok_or_else(|| Refusal::no_query(id))?;
        if !matches!(query.status(now), "Running" | "Scheduled") {
            // Documented as an error "indicating that the specified query is not running"; code and sentence are a guess.
            return Err(Refusal::invalid("The specified query is not running"));
        }
        query.cancelled = true;
        Ok(json!({"success": true}))
    }
}

impl Query {
    /// It waits for a fifth of its time.
    fn status(&self, now: Time) -> &'static str {
        if self.cancelled {
            "Cancelled"
        } else if now >= self.ends {
            "Complete"
        } else if now.since(self.started) * 5 < self.ends.since(self.started) {
            "Scheduled"
        } else {
            "Running"
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "the service counts in doubles")]
    fn statistics(&self, ended: bool) -> Value {
        let of = |count: usize| if ended { count as f64 } else { 0.0 };
        json!({
            "recordsMatched": of(self.outcome.matched),
            "recordsScanned": of(self.scanned),
            "bytesScanned": of(self.bytes),
            "estimatedRecordsSkipped": 0.0,
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": of(self.groups),
            "resultCount": of(self.outcome.rows.len()),
        })
    }
}

const MOST_GROUPS: usize = 50;
/// At once in one account and Region, as the service's model says today; it has been 30 and less.
const MOST_RUNNING: usize = 100;
/// Results kept: AWS keeps them for seven days.
const MOST_KEPT: usize = 500;
/// Rows where no limit is given, and on one page.
const DEFAULT_RESULTS: usize = 10_000;
