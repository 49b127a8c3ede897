//! Is a request about alarms in order, and what does it change?
//!
//! Reads and checks what was asked; the alarms themselves decide what follows from it.

use serde_json::{Value, json};

use super::alarm::{Actions, Alarm, Comparison, Condition, MissingData, Watch};
use super::alarms::Alarms;
use super::history::Verdict;
use super::metric_requests::{dimensions, unit};
use super::parameters::Parameters;
use super::rule::Rule;
use super::state::AlarmState;
use super::statistic::Statistic;
use crate::time::Time;
use crate::value::Fault;

const NAMES: usize = 100;
const ACTIONS: usize = 5;
const TAGS: usize = 50;

pub(super) fn put_metric_alarm(alarms: &mut Alarms, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    let others = ["EvaluationCriteria", "EvaluationInterval"];
    without(request, &others, "this simulation: alarms watch one metric")?;
    let name = request.required_text("AlarmName", 255)?;
    let condition = if request.has("Metrics") { kept(request, "MetricAlarm") } else { Condition::Metric(watch(request)?) };
    let alarm = alarm(request, name, condition)?;
    alarms.put(now, alarm, tags(request)?)
}

pub(super) fn put_log_alarm(alarms: &mut Alarms, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    let name = request.required_text("AlarmName", 255)?;
    let alarm = alarm(request, name, kept(request, "LogAlarm"))?;
    alarms.put(now, alarm, tags(request)?)
}

/// What is kept and shown as it was given, and not evaluated here: expressions, anomaly bands, queries of logs.
fn kept(request: Parameters<'_>, kind: &'static str) -> Condition {
    const OWN: [&str; 7] =
        ["AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "Tags"];
    let mut members = request.whole();
    if let Some(members) = members.as_object_mut() {
        members.retain(|name, _| !OWN.contains(&name.as_str()));
    }
    Condition::Kept(kind, members)
}

pub(super) fn put_composite_alarm(alarms: &mut Alarms, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    let others = ["ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"];
    without(request, &others, "this simulation")?;
    let name = request.required_text("AlarmName", 255)?;
    let rule = Rule::parse(request.required_text("AlarmRule", 10_240)?)
        .map_err(|error| Fault::validation(format!("Error in AlarmRule expression: {error}")))?;
    let alarm = alarm(request, name, Condition::Composite(rule))?;
    alarms.put(now, alarm, tags(request)?)
}

fn without(request: Parameters<'_>, names: &[&str], by: &str) -> Result<(), Fault> {
    let refused = |name: &&str| Fault::validation(format!("{name} is not supported by {by}"));
    names.iter().find(|name| request.has(name)).map_or(Ok(()), |name| Err(refused(name)))
}

fn alarm(request: Parameters<'_>, name: &str, condition: Condition) -> Result<Alarm, Fault> {
    let description = request.text_within("AlarmDescription", 1_024)?;
    let actions = Actions {
        enabled: request.boolean("ActionsEnabled")?.unwrap_or(true),
        ok: resources(request, "OKActions")?,
        alarm: resources(request, "AlarmActions")?,
        insufficient_data: resources(request, "InsufficientDataActions")?,
    };
    Ok(Alarm { name: name.to_owned(), description: description.map(str::to_owned), actions, condition })
}

fn resources(request: Parameters<'_>, name: &str) -> Result<Vec<String>, Fault> {
    let resources = request.texts_within(name, ACTIONS)?;
    match resources.iter().find(|resource| !resource.starts_with("arn:") || resource.split(':').count() < 6) {
        Some(wrong) => Err(Fault::validation(format!("Invalid arn syntax: {wrong}"))),
        None => Ok(resources.into_iter().map(str::to_owned).collect()),
    }
}

fn watch(request: Parameters<'_>) -> Result<Watch, Fault> {
    let namespace = request.required_text("Namespace", 255)?;
    let metric = request.required_text("MetricName", 255)?;
    let evaluation_periods = request.integer_within("EvaluationPeriods", 1, u32::MAX)?;
    let evaluation_periods = request.required("EvaluationPeriods", evaluation_periods)?;
    let period = request.required("Period", request.integer_within("Period", 1, u32::MAX)?)?;
    if ![10, 20, 30].contains(&period) && period % 60 != 0 {
        return Err(Fault::validation("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let (most, span) = if period < 3_600 { (86_400, "a day") } else { (604_800, "seven days") };
    if u64::from(period) * u64::from(evaluation_periods) > most {
        return Err(Fault::validation(format!(
            "Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be <= {most})."
        )));
    }
    let datapoints_to_alarm = request.integer_within("DatapointsToAlarm", 1, u32::MAX)?;
    if datapoints_to_alarm.is_some_and(|wanted| wanted > evaluation_periods) {
        return Err(Fault::validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    let threshold = request.required("Threshold", request.number("Threshold")?)?;
    if !threshold.is_finite() {
        return Err(Fault::validation("Threshold must be a finite number"));
    }
    Ok(Watch {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions: dimensions(request)?,
        statistic: statistic(request)?,
        unit: unit(request)?.map(str::to_owned),
        period,
        evaluation_periods,
        datapoints_to_alarm,
        threshold,
        comparison: comparison(request)?,
        missing_data: missing_data(request)?,
        ignore_low_samples: low_samples(request)?,
    })
}

fn statistic(request: Parameters<'_>) -> Result<Statistic, Fault> {
    match (request.text("Statistic")?, request.text("ExtendedStatistic")?) {
        (Some(plain), None) => Statistic::plain(plain)
            .ok_or_else(|| Fault::unknown_word("Statistic", plain, &["Maximum", "SampleCount", "Sum", "Minimum", "Average"])),
        (None, Some(extended)) => Statistic::extended(extended)
            .ok_or_else(|| Fault::validation(format!("The value {extended} for parameter ExtendedStatistic is not supported."))),
        (Some(_), Some(_)) => Err(Fault::validation("Statistic and ExtendedStatistic cannot both be specified")),
        (None, None) => Err(Fault::validation("Either Statistic or ExtendedStatistic must be specified")),
    }
}

fn comparison(request: Parameters<'_>) -> Result<Comparison, Fault> {
    let name = request.required("ComparisonOperator", request.text("ComparisonOperator")?)?;
    let of_bands = ["LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"];
    if of_bands.contains(&name) {
        return Err(Fault::validation(format!("{name} needs an anomaly detection band, which this simulation does not support")));
    }
    let unknown = || {
        let words: Vec<_> = Comparison::ALL.iter().map(|comparison| comparison.name()).collect();
        Fault::unknown_word("ComparisonOperator", name, &words)
    };
    Comparison::parse(name).ok_or_else(unknown)
}

fn missing_data(request: Parameters<'_>) -> Result<Option<MissingData>, Fault> {
    let unknown = |name| Fault::validation(format!("The value {name} is not supported for TreatMissingData parameter."));
    let named = request.short_text("TreatMissingData", 255)?;
    named.map(|name| MissingData::parse(name).ok_or_else(|| unknown(name))).transpose()
}

fn low_samples(request: Parameters<'_>) -> Result<Option<bool>, Fault> {
    let ignored = |name| match name {
        "evaluate" => Ok(false),
        "ignore" => Ok(true),
        other => {
            Err(Fault::validation(format!("Option {other} is not supported for parameter EvaluateLowSampleCountPercentile.")))
        }
    };
    request.short_text("EvaluateLowSampleCountPercentile", 255)?.map(ignored).transpose()
}

fn names(request: Parameters<'_>) -> Result<Vec<&str>, Fault> {
    request.required("AlarmNames", request.texts_within("AlarmNames", NAMES).map(Some)?.filter(|_| request.has("AlarmNames")))
}

pub(super) fn delete_alarms(alarms: &mut Alarms, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    alarms.delete(now, &names(request)?)
}

pub(super) fn enable_actions(alarms: &mut Alarms, now: Time, request: Parameters<'_>, enabled: bool) -> Result<(), Fault> {
    alarms.enable_actions(now, &names(request)?, enabled);
    Ok(())
}

pub(super) fn set_alarm_state(alarms: &mut Alarms, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    let name = request.required_text("AlarmName", 255)?;
    let state = state_value(request)?;
    let state = request.required("StateValue", state)?;
    let reason = request.required("StateReason", request.text_within("StateReason", 1_023)?)?;
    let reason_data = request.text("StateReasonData")?;
    if reason_data.is_some_and(|data| serde_json::from_str::<serde_json::Value>(data).is_err()) {
        return Err(Fault::format("StateReasonData was not valid JSON"));
    }
    let change = Verdict { state, reason: reason.to_owned(), reason_data: reason_data.map(str::to_owned) };
    alarms.set_state(now, name, change)
}

pub(super) fn state_value(request: Parameters<'_>) -> Result<Option<AlarmState>, Fault> {
    Ok(request.word("StateValue", &["INSUFFICIENT_DATA", "ALARM", "OK"])?.and_then(AlarmState::parse))
}

fn tags(request: Parameters<'_>) -> Result<Vec<(String, String)>, Fault> {
    let tags: Vec<_> = request
        .structures("Tags")?
        .map(|tag| {
            let key = tag.required_text("Key", 128)?;
            let value = tag.required("Value", tag.text_within("Value", 256)?)?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect::<Result<_, Fault>>()?;
    if let Some((key, _)) = tags.iter().find(|(key, _)| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(Fault::parameter(format!("The tag key {key} begins with aws:, which is reserved for system use.")));
    }
    if let Some(twice) = (1..tags.len()).find(|&place| tags[..place].iter().any(|(key, _)| *key == tags[place].0)) {
        return Err(Fault::parameter(format!("The tag key {} is given twice.", tags[twice].0)));
    }
    if tags.len() > TAGS { Err(too_many_tags()) } else { Ok(tags) }
}

fn too_many_tags() -> Fault {
    Fault::parameter(format!("An alarm can have at most {TAGS} tags."))
}

pub(super) fn tag(alarms: &mut Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let arn = request.required_text("ResourceARN", 1_024)?;
    let given = if request.has("Tags") { tags(request)? } else { request.required("Tags", None)? };
    let standing = alarms.tagged(arn)?;
    let mut merged = standing.tags.clone();
    for (key, value) in given {
        merged.retain(|(known, _)| *known != key);
        merged.push((key, value));
    }
    if merged.len() > TAGS {
        return Err(too_many_tags());
    }
    standing.tags = merged;
    Ok(json!({}))
}

pub(super) fn untag(alarms: &mut Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let arn = request.required_text("ResourceARN", 1_024)?;
    let keys = if request.has("TagKeys") { request.texts("TagKeys")? } else { request.required("TagKeys", None)? };
    let standing = alarms.tagged(arn)?;
    standing.tags.retain(|(key, _)| !keys.contains(&key.as_str()));
    Ok(json!({}))
}

pub(super) fn list_tags(alarms: &mut Alarms, request: Parameters<'_>) -> Result<Value, Fault> {
    let arn = request.required_text("ResourceARN", 1_024)?;
    let known = alarms.is_alarm(arn);
    // An alarm that was deleted has none.
    let standing = alarms.tagged(arn).map(Some).or_else(|fault| if known { Ok(None) } else { Err(fault) })?;
    let tags: Vec<_> =
        standing.iter().flat_map(|standing| &standing.tags).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({ "Tags": tags }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::CloudWatch;
    use crate::cloudwatch::tests::{alarm_with, ask, at, cloud};
    use crate::value::merged;

    const ARN: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a";

    #[test]
    fn metric_alarms_that_make_no_sense_are_refused() {
        assert_eq!(ask(&mut cloud(0..=0), 0, "PutMetricAlarm", alarm_with(json!({}))), Ok(json!({})));
        for (name, value, part) in [
            ("AlarmName", json!(null), "Value null at 'alarmName'"),
            ("AlarmName", json!("x".repeat(256)), "less than or equal to 255"),
            ("Namespace", json!(null), "Value null at 'namespace'"),
            ("Statistic", json!(null), "Either Statistic or ExtendedStatistic"),
            ("Statistic", json!("Median"), "enum value set"),
            ("ExtendedStatistic", json!("p90"), "cannot both be specified"),
            ("Period", json!(45), "multiple of 60"),
            ("Period", json!(0), "greater than or equal to 1"),
            ("Period", json!(57_600), "more than seven days"),
            ("EvaluationPeriods", json!(null), "Value null at 'evaluationPeriods'"),
            ("EvaluationPeriods", json!(1_441), "EvaluationPeriods * Period must be <= 86400"),
            ("DatapointsToAlarm", json!(4), "less than or equal to EvaluationPeriods"),
            ("Threshold", json!(null), "Value null at 'threshold'"),
            ("Threshold", json!("NaN"), "finite"),
            ("ComparisonOperator", json!("GreaterThanUpperThreshold"), "anomaly detection band"),
            ("ComparisonOperator", json!("Equals"), "enum value set"),
            ("TreatMissingData", json!("bad"), "not supported for TreatMissingData"),
            ("EvaluateLowSampleCountPercentile", json!("maybe"), "not supported"),
            ("Unit", json!("Furlongs"), "enum value set"),
            ("AlarmActions", json!(["pager"]), "Invalid arn syntax: pager"),
            ("AlarmActions", json!(vec!["arn:a:b:c:d:e"; 6]), "less than or equal to 5"),
            ("AlarmDescription", json!("x".repeat(1_025)), "less than or equal to 1024"),
            ("EvaluationCriteria", json!([{}]), "EvaluationCriteria is not supported"),
        ] {
            let mut cloud = cloud(0..=0);
            // Seven days are the limit of periods of an hour and more: twelve of sixteen hours are eight days.
            let more = if value == 57_600 { json!({"EvaluationPeriods": 12}) } else { json!({}) };
            let alarm = alarm_with(merged(json!({ name: value }), more));
            let fault = ask(&mut cloud, 0, "PutMetricAlarm", alarm).unwrap_err();
            assert!(fault.code == "ValidationError" && fault.message.contains(part), "{name} {value:?}: {fault:?}");
            assert_eq!(cloud.alarm_state("a"), None);
        }
    }

    #[test]
    fn other_requests_that_make_no_sense_are_refused() {
        let many = vec!["OK(a)"; 101].join(" OR ");
        for (operation, request, code) in [
            ("PutCompositeAlarm", json!({"AlarmName": "c", "AlarmRule": "ALARM("}), "ValidationError"),
            ("PutCompositeAlarm", json!({"AlarmName": "c"}), "ValidationError"),
            ("PutCompositeAlarm", json!({"AlarmName": "a", "AlarmRule": "TRUE"}), "ValidationError"),
            ("PutCompositeAlarm", json!({"AlarmName": "c", "AlarmRule": "TRUE", "ActionsSuppressor": "a"}), "ValidationError"),
            ("PutCompositeAlarm", json!({"AlarmName": "c", "AlarmRule": many}), "LimitExceeded"),
            ("SetAlarmState", json!({"AlarmName": "a", "StateValue": "OK"}), "ValidationError"),
            ("SetAlarmState", json!({"AlarmName": "a", "StateValue": "RED", "StateReason": ""}), "ValidationError"),
            ("SetAlarmState", json!({"AlarmName": "z", "StateValue": "OK", "StateReason": ""}), "ResourceNotFound"),
            (
                "SetAlarmState",
                json!({"AlarmName": "a", "StateValue": "OK", "StateReason": "", "StateReasonData": "{"}),
                "InvalidFormat",
            ),
            ("DeleteAlarms", json!({}), "ValidationError"),
            ("DeleteAlarms", json!({"AlarmNames": vec!["a"; 101]}), "ValidationError"),
            ("TagResource", json!({"ResourceARN": "arn:x", "Tags": tagged(&["k"])}), "ResourceNotFoundException"),
            ("TagResource", json!({"ResourceARN": "arn:x"}), "ValidationError"),
            ("UntagResource", json!({"ResourceARN": "arn:x"}), "ValidationError"),
            ("UntagResource", json!({"ResourceARN": "arn:x", "TagKeys": ["k"]}), "ResourceNotFoundException"),
            ("ListTagsForResource", json!({"ResourceARN": "arn:x"}), "ResourceNotFoundException"),
            ("MakeCoffee", json!({}), "UnknownOperationException"),
        ] {
            let mut cloud = cloud(0..=0);
            ask(&mut cloud, 0, "PutMetricAlarm", alarm_with(json!({}))).unwrap();
            assert_eq!(ask(&mut cloud, 0, operation, request.clone()).unwrap_err().code, code, "{operation} {request}");
        }
    }

    fn tagged(keys: &[&str]) -> Value {
        keys.iter().map(|key| json!({"Key": key, "Value": "v"})).collect()
    }

    fn tags_of(cloud: &mut CloudWatch) -> Result<Value, Fault> {
        ask(cloud, 26, "ListTagsForResource", json!({ "ResourceARN": ARN }))
    }

    #[test]
    fn tags_that_make_no_sense_are_refused_and_change_nothing() {
        let fifty: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
        let fifty: Vec<&str> = fifty.iter().map(String::as_str).collect();
        let long = json!([{"Key": "k", "Value": "x".repeat(257)}]);
        for (tags, code, part) in [
            (tagged(&["aws:x"]), "InvalidParameterValue", "reserved"),
            (tagged(&["k", "k"]), "InvalidParameterValue", "given twice"),
            (tagged(&fifty), "InvalidParameterValue", "at most 50"),
            (tagged(&[""]), "ValidationError", "greater than or equal to 1"),
            (long, "ValidationError", "less than or equal to 256"),
        ] {
            let mut cloud = cloud(0..=0);
            ask(&mut cloud, 0, "PutMetricAlarm", alarm_with(json!({"Tags": tagged(&["first"])}))).unwrap();
            let fault = ask(&mut cloud, 1, "TagResource", json!({"ResourceARN": ARN, "Tags": tags})).unwrap_err();
            assert!(fault.code == code && fault.message.contains(part), "{part}: {fault:?}");
            assert_eq!(tags_of(&mut cloud), Ok(json!({"Tags": tagged(&["first"])})));
        }
    }

    #[test]
    fn an_alarm_put_again_keeps_its_state_its_tags_and_its_past() {
        let mut cloud = cloud(0..=0);
        ask(&mut cloud, 0, "PutMetricAlarm", alarm_with(json!({"Tags": tagged(&["first"])}))).unwrap();
        cloud.advance(at(15));
        cloud.set_alarm_state(at(15), "a", AlarmState::Alarm, "by hand").unwrap();
        for second in [16, 17] {
            ask(&mut cloud, second, "PutMetricAlarm", alarm_with(json!({"Threshold": 2.0}))).unwrap();
        }
        // It is judged again ten seconds after the last change; until then that moves nothing.
        let answer = ask(&mut cloud, 26, "DescribeAlarms", json!({})).unwrap();
        for (member, value) in [
            ("StateValue", json!("ALARM")),
            ("StateReason", json!("by hand")),
            ("StateTransitionedTimestamp", json!(at(15))),
            ("AlarmConfigurationUpdatedTimestamp", json!(at(17))),
            ("Threshold", json!(2.0)),
        ] {
            assert_eq!(answer["MetricAlarms"][0][member], value, "{member}");
        }
        let verdict: Vec<_> = cloud.history("a").map(|item| (item.kind.name(), item.summary.as_str())).collect();
        let updated = ("ConfigurationUpdate", "Alarm \"a\" updated");
        let red = ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM");
        assert_eq!(verdict, [("ConfigurationUpdate", "Alarm \"a\" created"), red, updated, updated]);
        assert_eq!(tags_of(&mut cloud), Ok(json!({"Tags": tagged(&["first"])})));
        cloud.advance(at(27));
        assert_eq!(cloud.alarm_state("a"), Some(AlarmState::InsufficientData));
    }

    #[test]
    fn tags_are_given_at_creation_and_changed_by_arn() {
        let mut cloud = cloud(0..=0);
        let put = |key: &str| alarm_with(json!({"Tags": [{"Key": key, "Value": "1"}]}));
        ask(&mut cloud, 0, "PutMetricAlarm", put("first")).unwrap();
        ask(&mut cloud, 1, "PutMetricAlarm", put("ignored")).unwrap();
        let (second, first) = (json!({"Key": "second", "Value": ""}), json!({"Key": "first", "Value": "2"}));
        ask(&mut cloud, 2, "TagResource", json!({"ResourceARN": ARN, "Tags": [second, first]})).unwrap();
        assert_eq!(tags_of(&mut cloud), Ok(json!({"Tags": [second, first]})));
        ask(&mut cloud, 3, "UntagResource", json!({"ResourceARN": ARN, "TagKeys": ["first", "none"]})).unwrap();
        assert_eq!(tags_of(&mut cloud), Ok(json!({"Tags": [second]})));
        assert_eq!(cloud.history("a").filter(|item| item.at == at(0)).count(), 1);
    }
}
