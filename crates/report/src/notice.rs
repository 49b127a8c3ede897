//! What does a team read that looks at no log? One message for each event worth telling, in the shape that its recipient wants.
//!
//! A chat gets a few lines; a topic what `CodeDeploy` sends to the triggers of a deployment group, so that what listens there goes on
//! working; a bus and any other URL the event itself.

#![expect(clippy::wildcard_enum_match_arm, reason = "few events are worth a message")]

use std::time::Duration;

use rollout::event::{Event, EventKind, RolloutSummary};
use rollout::github::LONGEST_DESCRIPTION;
use rollout::notify::{Chat, Message, News, NoticeKind, Notification, Recipient};
use rollout::{Arn, Cause, ReasonKind, Time};
use serde_json::{Value, json};

use crate::ending::Block;
use crate::messages::sentences;
use crate::rollout_state::Story;
use crate::safe::{card, chat, cut, json_page, one_line, subject_line};

/// What a recipient is sent of news; nothing where they are not for it.
pub fn notice(to: &Notification, news: &News<'_>) -> Option<Message> {
    let event = news.events.first()?;
    let kind = NoticeKind::of(&event.what).filter(|kind| to.kinds.contains(kind))?;
    Some(match (&to.recipient, to.recipient.chat()) {
        (Recipient::Url(_), Some(Chat::Slack)) => posted(&json!({ "text": slack(content(news, event)) })),
        (Recipient::Url(_), Some(Chat::Teams)) => posted(&teams(content(news, event))),
        (Recipient::Url(_), None) => posted(&json!(event)),
        (Recipient::Topic(arn), _) => topic(to.trigger.as_deref(), arn, kind, (event, news.id)),
        (Recipient::Bus(_), _) => bus(kind, event, news.id),
        (Recipient::GitHub(_), _) => github(kind, content(news, event)),
    })
}

fn posted(body: &Value) -> Message {
    Message { subject: String::new(), body: json_page(&body.to_string()).to_string() }
}

/// A headline, and rows of a label and a text.
struct Content {
    headline: String,
    rows: Vec<(String, String)>,
    commands: Vec<String>,
}

fn content(news: &News<'_>, event: &Event) -> Content {
    let mut story = Story::default();
    story.add(event);
    let end = match &event.what {
        EventKind::GroupOutcome(outcome) => Some(Block::of_a_group(outcome)),
        _ => event.ending().map(|ending| Block::of(&story, ending)),
    };
    let others = functions(news.group);
    if let Some(block) = end {
        let headline = format!("{} {}   {}", block.verdict.mark(), block.verdict.word, block.verdict.sentence);
        let why = block.why.into_iter().map(|line| ("why".to_owned(), line));
        let exposed = block.exposed.map(|line| ("exposed".to_owned(), line));
        let rows = why.chain(exposed).chain([("now".to_owned(), block.now)]).chain(others).collect();
        return Content { headline, rows, commands: block.next };
    }
    let own = |event: &Event| one_line(&format!("{}:{}", event.function, event.alias));
    let subject = own(event);
    let said = |event: &Event| sentences(&story, event).into_iter().map(|line| (line.word.to_owned(), line.text));
    let rows = if news.events.len() > 1 {
        let each = news.events.iter().take(MOST).filter_map(|event| Some((own(event), said(event).next()?.1)));
        let more = news.events.len().saturating_sub(MOST);
        each.chain((more > 0).then(|| ("and".to_owned(), format!("{more} more")))).collect()
    } else {
        said(event).chain(others).collect()
    };
    let commands = match &event.what {
        EventKind::Paused { gate: Some(_), .. } => {
            vec![format!("canaryctl resume {subject} --gate"), format!("canaryctl abort {subject}")]
        }
        EventKind::Paused { .. } => vec![format!("canaryctl resume {subject}"), format!("canaryctl abort {subject}")],
        EventKind::MonitoringLost { .. } => vec![format!("canaryctl status {subject}"), format!("canaryctl abort {subject}")],
        EventKind::Started(_) | EventKind::WeightShifted { .. } => vec![format!("canaryctl watch {subject}")],
        _ => Vec::new(),
    };
    let word = match NoticeKind::of(&event.what) {
        Some(NoticeKind::Started) => "STARTED",
        Some(NoticeKind::Shifted) => "SHIFTED",
        _ => "HELD",
    };
    let whole = match news.group.len() {
        0 | 1 => subject,
        many if news.events.len() > 1 => format!("{many} functions, all or none"),
        many => format!("{subject} and {} more", many - 1),
    };
    Content { headline: format!("{word}   {whole}"), rows, commands }
}

/// All that are rolled out as one, in a row, where they are several.
fn functions(group: &[String]) -> Option<(String, String)> {
    let named: Vec<String> = group.iter().take(MOST).map(|name| one_line(name)).collect();
    let more = group.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (group.len() > 1).then(|| ("functions".to_owned(), format!("{}{more}", named.join(", "))))
}

/// How many functions a message names.
const MOST: usize = 20;

fn slack(Content { headline, rows, commands }: Content) -> String {
    let rows = rows.iter().map(|(label, text)| format!("*{}*  {}", chat(label), chat(text)));
    let commands = commands.iter().map(|command| format!("`{}`", chat(command).replace('`', "'")));
    [format!("*{}*", chat(&headline))].into_iter().chain(rows).chain(commands).collect::<Vec<_>>().join("\n")
}

/// A state of a deployment, and a line of what there is to know.
///
/// What waits for a person is in progress all the same: GitHub gets nothing when it continues.
/// Source: "Create a deployment status" of GitHub's REST API.
fn github(kind: NoticeKind, Content { headline, rows, .. }: Content) -> Message {
    let state = match kind {
        NoticeKind::Started | NoticeKind::Shifted | NoticeKind::Held => "in_progress",
        NoticeKind::Promoted => "success",
        NoticeKind::RolledBack => "failure",
        NoticeKind::Unconfirmed | NoticeKind::Failed => "error",
    };
    let said = rows.first().map_or_else(|| headline.clone(), |(_, text)| format!("{headline}: {text}"));
    Message { subject: state.to_owned(), body: cut(&said, LONGEST_DESCRIPTION) }
}

/// An adaptive card, which both kinds of Teams' webhooks take.
fn teams(Content { headline, rows, commands }: Content) -> Value {
    let mut body = vec![json!({ "type": "TextBlock", "text": card(&headline), "weight": "Bolder", "wrap": true })];
    let facts: Vec<Value> = rows.iter().map(|(label, text)| json!({ "title": card(label), "value": card(text) })).collect();
    body.push(json!({ "type": "FactSet", "facts": facts }));
    let command = |text: &String| json!({ "type": "TextBlock", "text": card(text), "fontType": "Monospace", "wrap": true });
    body.extend(commands.iter().map(command));
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body,
    });
    let card = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": content });
    json!({ "type": "message", "attachments": [card] })
}

/// A trigger's message. The documentation's example has objects where real messages have texts, and `Failed` for `FAILED`: this is written
/// as the real ones are, which is what listeners read.
/// Source: "JSON data formats for CodeDeploy triggers" in the user guide, and messages that listeners on GitHub are tested with.
fn topic(trigger: Option<&str>, arn: &str, kind: NoticeKind, (event, id): (&Event, &str)) -> Message {
    let (account, region) = Arn::parse(arn).map_or(("", ""), |arn| (arn.account, arn.region));
    let status = status(kind, event);
    let ending = event.ending();
    let began = ending.map_or(event.at, |ending| event.at - Duration::from_millis(ending.took_ms));
    let ended = ending.map(|_| event.at);
    let function = one_line(&event.function);
    let mut body = json!({
        "region": region, "accountId": account, "eventTriggerName": trigger.unwrap_or("canaryctl"), "applicationName": function,
        "deploymentId": id, "deploymentGroupName": event.alias, "createTime": time(began), "completeTime": ended.map(time),
        "status": status, "canaryctl": event,
    });
    if let Some(ending) = ending {
        let (good, bad) = if ending.is_good() { (1, 0) } else { (0, 1) };
        let overview = json!({ "Succeeded": good, "Failed": bad, "Skipped": 0, "InProgress": 0, "Pending": 0 });
        body["deploymentOverview"] = overview.to_string().into();
        if let Some(code) = error_code(ending) {
            let detail = one_line(&ending.reason.detail);
            body["errorInformation"] = json!({ "ErrorCode": code, "ErrorMessage": detail }).to_string().into();
        }
    }
    let subject = format!("{status}: canaryctl {id} in {region} to {function}");
    Message { subject: subject_line(&subject), body: json_page(&body.to_string()).to_string() }
}

/// A time as triggers have it: `Thu Oct 13 15:50:45 UTC 2022`.
fn time(at: Time) -> String {
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?).copied());
    // The epoch was a Thursday.
    let day = usize::try_from(at.as_secs() / 86_400).ok().and_then(|days| DAYS.get(days % 7).copied());
    format!("{} {} {} {} UTC {}", day.unwrap_or_default(), month.unwrap_or_default(), part(8..10), part(11..19), part(0..4))
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `CodeDeploy`'s status of a deployment. It stops one for an alarm or a person, and one fails by itself.
fn status(kind: NoticeKind, event: &Event) -> &'static str {
    match kind {
        NoticeKind::Started => "CREATED",
        NoticeKind::Shifted | NoticeKind::Held => "IN_PROGRESS",
        NoticeKind::Promoted => "SUCCEEDED",
        NoticeKind::RolledBack | NoticeKind::Unconfirmed | NoticeKind::Failed => match event.ending().and_then(error_code) {
            Some("ALARM_ACTIVE" | "MANUAL_STOP") => "STOPPED",
            _ => "FAILED",
        },
    }
}

/// The word of `CodeDeploy`'s API for the cause; `None` for a good end.
fn error_code(ending: &RolloutSummary) -> Option<&'static str> {
    if ending.is_good() {
        return None;
    }
    let ReasonKind::Cause(cause) = &ending.reason.kind else { return Some("INTERNAL_ERROR") };
    Some(match cause {
        Cause::Alarm => "ALARM_ACTIVE",
        Cause::Hand | Cause::Abort | Cause::Signal | Cause::Superseded => "MANUAL_STOP",
        Cause::PreHook | Cause::StepHook | Cause::PostHook | Cause::Check => "HOOK_EXECUTION_FAILURE",
        Cause::Analysis | Cause::LowTraffic => "CUSTOMER_APPLICATION_UNHEALTHY",
        Cause::Blind | Cause::NoData => "TIMEOUT",
        Cause::Failed | Cause::Unchanged | Cause::Rejected | Cause::Group | Cause::Abandoned => "INTERNAL_ERROR",
    })
}

/// The event, with what a rule for `CodeDeploy`'s state changes looks at beside it.
fn bus(kind: NoticeKind, event: &Event, id: &str) -> Message {
    let state = match (kind, status(kind, event)) {
        (NoticeKind::Shifted | NoticeKind::Held, _) => "READY",
        (_, "CREATED") => "START",
        (_, "SUCCEEDED") => "SUCCESS",
        (_, "STOPPED") => "STOP",
        (_, _) => "FAILURE",
    };
    let mut detail = json!(event);
    detail["state"] = state.into();
    detail["application"] = event.function.clone().into();
    detail["deploymentGroup"] = event.alias.clone().into();
    detail["deploymentId"] = id.into();
    detail["notice"] = kind.word().into();
    Message { subject: DETAIL_TYPE.to_owned(), body: detail.to_string() }
}

/// The detail type of `CodeDeploy`'s own events: a rule on it needs but another source.
const DETAIL_TYPE: &str = "CodeDeploy Deployment State-change Notification";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_triggers_write_it() {
        for (seconds, text) in [
            (1_665_676_245, "Thu Oct 13 15:50:45 UTC 2022"),
            (1_457_750_000, "Sat Mar 12 02:33:20 UTC 2016"),
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
        ] {
            assert_eq!(time(Time::from_secs(seconds)), text);
        }
    }
}
