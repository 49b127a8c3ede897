//! What do the alarms look like from outside? Descriptions, histories, and the selections one can make of them.
//!
//! Reads only.

use serde_json::{Value, json};

use super::alarm::{Alarm, Watch};
use super::alarm_requests::state_value;
use super::alarms::{Alarms, Standing};
use super::history::{HistoryItem, ItemKind};
use super::metric_requests::{dimensions, unit};
use super::parameters::Parameters;
use super::statistic::Statistic;
use crate::value::Fault;

const PAGE: u32 = 50;
const MOST: u32 = 100;
const NAMES: usize = 100;

pub(super) fn describe_alarms(alarms: &Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let page = request.page(request.integer_within("MaxRecords", 1, MOST)?.unwrap_or(PAGE))?;
    let relatives = relatives(alarms, request)?;
    let brief = request.has("ChildrenOfAlarmName");
    let selected: Vec<&Standing> = match relatives {
        Some(names) => alarms.all().filter(|standing| names.contains(&standing.alarm.name)).collect(),
        None => select(alarms, request)?,
    };
    let (shown, next) = page.of(&selected)?;
    let (mut metric, mut composite, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    for standing in shown {
        let described = if brief { in_brief(alarms, standing) } else { described(alarms, standing) };
        match standing.alarm.kind() {
            "CompositeAlarm" => composite.push(described),
            "LogAlarm" => logs.push(described),
            _ => metric.push(described),
        }
    }
    Ok(json!({"MetricAlarms": metric, "CompositeAlarms": composite, "LogAlarms": logs_or_none(logs), "NextToken": next}))
}

/// A list that older clients do not know is left out while it is empty.
fn logs_or_none(logs: Vec<Value>) -> Option<Vec<Value>> {
    Some(logs).filter(|logs| !logs.is_empty())
}

fn relatives(alarms: &Alarms, request: Parameters<'_>) -> Result<Option<Vec<String>>, Fault> {
    let asked = (request.short_text("ChildrenOfAlarmName", 255)?, request.short_text("ParentsOfAlarmName", 255)?);
    let others = ["AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix"];
    let alone = !others.iter().any(|name| request.has(name));
    Ok(Some(match asked {
        (None, None) => return Ok(None),
        (Some(parent), None) if alone => {
            let rule = alarms.find(parent).and_then(|standing| standing.alarm.rule());
            rule.into_iter().flat_map(|rule| rule.children()).map(str::to_owned).collect()
        }
        (None, Some(child)) if alone => alarms.parents(child),
        _ => {
            return Err(Fault::validation(
                "ChildrenOfAlarmName and ParentsOfAlarmName cannot be combined with other parameters than MaxRecords and NextToken",
            ));
        }
    }))
}

fn select<'a>(alarms: &'a Alarms, request: Parameters<'_>) -> Result<Vec<&'a Standing>, Fault> {
    let names = request.texts_within("AlarmNames", NAMES)?;
    let prefix = request.short_text("AlarmNamePrefix", 255)?;
    if prefix.is_some() && !names.is_empty() {
        return Err(Fault::validation("AlarmNames and AlarmNamePrefix cannot both be specified"));
    }
    let types = alarm_types(request)?;
    let state = state_value(request)?;
    let action = request.short_text("ActionPrefix", 1_024)?;
    let wanted = |standing: &&Standing| {
        let Alarm { name, actions, .. } = &standing.alarm;
        let all_actions = || [&actions.ok, &actions.alarm, &actions.insufficient_data].into_iter().flatten();
        (names.is_empty() || names.contains(&name.as_str()))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && types.contains(&standing.alarm.kind())
            && state.is_none_or(|state| standing.verdict.state == state)
            && action.is_none_or(|prefix| all_actions().any(|action| action.starts_with(prefix)))
    };
    Ok(alarms.all().filter(wanted).collect())
}

/// Metric alarms only, unless composite ones are asked for.
fn alarm_types(request: Parameters<'_>) -> Result<Vec<&str>, Fault> {
    let types = request.texts("AlarmTypes")?;
    match types.iter().find(|name| !["MetricAlarm", "CompositeAlarm", "LogAlarm"].contains(name)) {
        Some(_) => {
            let constraint =
                "Member must satisfy constraint: [Member must satisfy enum value set: [CompositeAlarm, LogAlarm, MetricAlarm]]";
            Err(Fault::constraint("AlarmTypes", &format!("[{}]", types.join(", ")), constraint))
        }
        None if types.is_empty() => Ok(vec!["MetricAlarm"]),
        None => Ok(types),
    }
}

pub(super) fn describe_alarms_for_metric(alarms: &Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let metric = request.required_text("MetricName", 255)?;
    let namespace = request.required_text("Namespace", 255)?;
    let mut dimensions = dimensions(request)?;
    dimensions.sort();
    let period = request.integer_within("Period", 1, u32::MAX)?;
    let statistic = match (request.text("Statistic")?, request.text("ExtendedStatistic")?) {
        (Some(name), _) | (None, Some(name)) => Statistic::parse(name).map(Some).ok_or_else(|| Fault::parameter(name))?,
        (None, None) => None,
    };
    let unit = unit(request)?;
    let watches = |watch: &Watch| {
        let mut watched = watch.dimensions.clone();
        watched.sort();
        watch.metric == metric
            && watch.namespace == namespace
            && watched == dimensions
            && period.is_none_or(|period| watch.period == period)
            && statistic.as_ref().is_none_or(|statistic| watch.statistic == *statistic)
            && unit.is_none_or(|unit| watch.unit.as_deref() == Some(unit))
    };
    let found = alarms.all().filter(|standing| standing.alarm.watch().is_some_and(watches));
    Ok(json!({"MetricAlarms": found.map(|standing| described(alarms, standing)).collect::<Vec<_>>()}))
}

pub(super) fn describe_alarm_history(alarms: &Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let page = request.page(request.integer_within("MaxRecords", 1, MOST)?.unwrap_or(MOST))?;
    let name = request.short_text("AlarmName", 255)?;
    let types = alarm_types(request)?;
    let kinds = ["ConfigurationUpdate", "StateUpdate", "Action", "AlarmContributorStateUpdate", "AlarmContributorAction"];
    let kind = request.word("HistoryItemType", &kinds)?;
    let (from, to) = (request.time("StartDate")?, request.time("EndDate")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Fault::validation("StartDate must be before EndDate"));
    }
    let wanted = |item: &&HistoryItem| {
        name.is_none_or(|name| item.alarm == name)
            && types.contains(&item.alarm_type)
            && kind.is_none_or(|kind| ItemKind::parse(kind) == Some(item.kind))
            && from.is_none_or(|from| item.at >= from)
            && to.is_none_or(|to| item.at <= to)
    };
    let mut items: Vec<_> = alarms.history().iter().filter(wanted).collect();
    if !request.ascending()? {
        items.reverse();
    }
    let (shown, next) = page.of(&items)?;
    let shown: Vec<_> = shown.iter().map(|item| happened(item)).collect();
    Ok(json!({"AlarmHistoryItems": shown, "NextToken": next}))
}

fn happened(item: &HistoryItem) -> Value {
    json!({
        "AlarmName": item.alarm,
        "AlarmType": item.alarm_type,
        "Timestamp": item.at,
        "HistoryItemType": item.kind.name(),
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    })
}

fn described(alarms: &Alarms, standing: &Standing) -> Value {
    standing.alarm.shown_with(json!({
        "AlarmArn": alarms.arn(&standing.alarm.name),
        "AlarmConfigurationUpdatedTimestamp": standing.configured,
        "StateValue": standing.verdict.state.name(),
        "StateReason": standing.verdict.reason,
        "StateReasonData": standing.verdict.reason_data,
        "EvaluationState": standing.evaluation,
        "StateUpdatedTimestamp": standing.updated,
        "StateTransitionedTimestamp": standing.transitioned,
    }))
}

/// A composite alarm's child, as `ChildrenOfAlarmName` shows it.
fn in_brief(alarms: &Alarms, standing: &Standing) -> Value {
    json!({
        "AlarmName": standing.alarm.name,
        "AlarmArn": alarms.arn(&standing.alarm.name),
        "StateValue": standing.verdict.state.name(),
        "StateUpdatedTimestamp": standing.updated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::CloudWatch;
    use crate::cloudwatch::alarm::Actions;
    use crate::cloudwatch::state::AlarmState;
    use crate::cloudwatch::tests::{ask, at, cloud, composite, on_errors};
    use crate::value::merged;

    /// `a1` to `a3`, of which `a2` pages somebody and is red, and a composite alarm made of two of them.
    fn four() -> CloudWatch {
        let mut cloud = cloud(0..=0);
        for name in ["a1", "a2", "a3"] {
            let mut alarm = on_errors(name);
            if name == "a2" {
                alarm.actions = Actions { ok: vec!["arn:aws:sns:x:1:pager".to_owned()], ..Actions::default() };
            }
            cloud.put_alarm(at(0), alarm).unwrap();
        }
        cloud.put_alarm(at(0), composite("both", "ALARM(a1) OR ALARM(a2)")).unwrap();
        cloud.set_alarm_state(at(1), "a2", AlarmState::Alarm, "by hand").unwrap();
        cloud
    }

    fn names(answer: &Value, list: &str, member: &str) -> Vec<String> {
        answer[list].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
    }

    fn selected(request: Value) -> (Vec<String>, Vec<String>) {
        let answer = ask(&mut four(), 2, "DescribeAlarms", request).unwrap();
        (names(&answer, "MetricAlarms", "AlarmName"), names(&answer, "CompositeAlarms", "AlarmName"))
    }

    #[test]
    fn alarms_are_selected_by_everything_one_may_ask_for() {
        let both = ["MetricAlarm", "CompositeAlarm"];
        let many: Vec<_> = (0..100).map(|n| format!("a{n}")).collect();
        for (request, metric, composite) in [
            (json!({}), &["a1", "a2", "a3"][..], &[][..]),
            (json!({"AlarmTypes": both}), &["a1", "a2", "a3"], &["both"]),
            (json!({"AlarmTypes": ["CompositeAlarm"]}), &[], &["both"]),
            (json!({"AlarmNames": ["both", "a3", "missing"]}), &["a3"], &[]),
            (json!({"AlarmNames": ["both"], "AlarmTypes": both}), &[], &["both"]),
            (json!({"AlarmNames": many}), &["a1", "a2", "a3"], &[]),
            (json!({"AlarmNamePrefix": "a3"}), &["a3"], &[]),
            (json!({"StateValue": "ALARM", "AlarmTypes": both}), &["a2"], &["both"]),
            (json!({"ActionPrefix": "arn:aws:sns"}), &["a2"], &[]),
            (json!({"ChildrenOfAlarmName": "both"}), &["a1", "a2"], &[]),
            (json!({"ParentsOfAlarmName": "a1"}), &[], &["both"]),
        ] {
            assert_eq!(selected(request.clone()), (owned(metric), owned(composite)), "{request}");
        }
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn children_are_described_in_brief() {
        let answer = ask(&mut four(), 2, "DescribeAlarms", json!({"ChildrenOfAlarmName": "both"})).unwrap();
        assert_eq!(answer["MetricAlarms"][1]["StateValue"], "ALARM");
        assert_eq!(answer["MetricAlarms"][1].get("StateReason"), None);
    }

    #[test]
    fn selections_that_make_no_sense_are_refused() {
        let many: Vec<_> = (0..101).map(|n| format!("a{n}")).collect();
        for (request, part) in [
            (json!({"AlarmNames": many}), "less than or equal to 100"),
            (json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}), "cannot both"),
            (json!({"ChildrenOfAlarmName": "a", "StateValue": "OK"}), "cannot be combined"),
            (json!({"AlarmTypes": ["Smoke"]}), "enum value set: [CompositeAlarm, LogAlarm, MetricAlarm]"),
            (json!({"StateValue": "RED"}), "enum value set: [INSUFFICIENT_DATA, ALARM, OK]"),
            (json!({"MaxRecords": 0}), "greater than or equal to 1"),
            (json!({"MaxRecords": 101}), "less than or equal to 100"),
        ] {
            let fault = ask(&mut four(), 2, "DescribeAlarms", request).unwrap_err();
            assert!(fault.code == "ValidationError" && fault.message.contains(part), "{fault:?}");
        }
        for token in ["page-9", "page--1", "nine"] {
            assert_eq!(ask(&mut four(), 2, "DescribeAlarms", json!({ "NextToken": token })), Err(Fault::token()), "{token}");
        }
    }

    /// Reads all pages of an answer.
    fn pages(operation: &str, list: &str, member: &str, mut request: Value) -> Vec<Vec<String>> {
        let mut cloud = four();
        let mut pages = Vec::new();
        loop {
            let answer = ask(&mut cloud, 2, operation, request.clone()).unwrap();
            pages.push(names(&answer, list, member));
            let Some(next) = answer.get("NextToken") else { return pages };
            request["NextToken"] = next.clone();
        }
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let pages = pages("DescribeAlarms", "MetricAlarms", "AlarmName", json!({"MaxRecords": 2}));
        assert_eq!(pages, [owned(&["a1", "a2"]), owned(&["a3"])]);
    }

    #[test]
    fn the_history_tells_the_latest_first_and_only_what_is_asked() {
        let red = "Alarm updated from INSUFFICIENT_DATA to ALARM".to_owned();
        let created = |name: &str| format!("Alarm \"{name}\" created");
        for (asked, summaries) in [
            (json!({}), vec![red.clone(), created("a3"), created("a2"), created("a1")]),
            (json!({"ScanBy": "TimestampAscending", "AlarmName": "a2"}), vec![created("a2"), red.clone()]),
            (json!({"HistoryItemType": "StateUpdate"}), vec![red.clone()]),
            (json!({"StartDate": at(1)}), vec![red.clone()]),
            (json!({"StartDate": at(2)}), vec![]),
            (json!({"EndDate": at(0), "AlarmName": "a1"}), vec![created("a1")]),
            (json!({"AlarmTypes": ["CompositeAlarm"]}), vec![red, created("both")]),
        ] {
            let request = merged(json!({"MaxRecords": 2}), asked);
            assert_eq!(pages("DescribeAlarmHistory", "AlarmHistoryItems", "HistorySummary", request).concat(), summaries);
        }
        let backwards = json!({"StartDate": at(1), "EndDate": at(0)});
        assert_eq!(ask(&mut four(), 2, "DescribeAlarmHistory", backwards).unwrap_err().code, "ValidationError");
    }

    #[test]
    fn the_history_keeps_both_states_and_the_configuration() {
        let cloud = four();
        let data: Vec<serde_json::Value> = cloud.history("a2").map(|item| serde_json::from_str(&item.data).unwrap()).collect();
        assert_eq!(data[0]["type"], "Create");
        assert_eq!(data[0]["createdAlarm"]["metricName"], "Errors");
        assert_eq!(data[0]["createdAlarm"]["okactions"][0], "arn:aws:sns:x:1:pager");
        assert_eq!(data[1]["oldState"]["stateValue"], "INSUFFICIENT_DATA");
        assert_eq!(data[1]["newState"]["stateReason"], "by hand");
        assert_eq!(
            cloud.history("a2").map(|item| item.kind).collect::<Vec<_>>(),
            [ItemKind::ConfigurationUpdate, ItemKind::StateUpdate]
        );
    }

    #[test]
    fn alarms_are_found_by_their_metric() {
        let found = |metric: &str, more: Value| {
            let dimensions = json!([{"Name": "Resource", "Value": "hello:live"}, {"Name": "FunctionName", "Value": "hello"}]);
            let request = json!({"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions});
            names(&ask(&mut four(), 2, "DescribeAlarmsForMetric", merged(request, more)).unwrap(), "MetricAlarms", "AlarmName")
        };
        assert_eq!(found("Errors", json!({})), ["a1", "a2", "a3"]);
        assert_eq!(found("Errors", json!({"Statistic": "Sum", "Period": 60})), ["a1", "a2", "a3"]);
        assert_eq!(found("Errors", json!({"ExtendedStatistic": "p90"})), owned(&[]));
        assert_eq!(found("Throttles", json!({})), owned(&[]));
    }
}
