//! What did AWS say? Its answers in the port's words.
//!
//! An answer that lacks what a decision would rest on is an error, never a default.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{CompositeAlarm, EvaluationState, LogAlarm, MetricAlarm, StateValue};
use aws_sdk_cloudwatchlogs::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_cloudwatchlogs::types::{QueryStatistics, QueryStatus, ResultField};
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, EphemeralStorage, LastUpdateStatus, PackageType, ProvisionedConcurrencyStatusEnum,
    ResolvedS3Object, Runtime, SnapStartApplyOn, State as LambdaState, TracingMode, VpcConfigResponse,
};
use aws_smithy_types::{DateTime, base64};
use controller::port::{
    AliasSnapshot, Answer, Call, CloudError, Configuration, Failure, FunctionConfigSnapshot, LogRows, Provisioned, Revision,
    State, Update,
};
use rollout::alias::Target;
use rollout::health::{AlarmSeen, AlarmState};
use rollout::plan::hash32;
use rollout::{Alias, Time, Version, Weight};

use crate::alarms::fires_after;
use crate::error::unreadable;

/// An alias, from the parts of the answer: three operations have it, each with a type of its own.
pub(crate) fn alias(
    operation: Call,
    function_version: Option<&str>,
    description: Option<&str>,
    routing: Option<&AliasRoutingConfiguration>,
    revision_id: Option<&str>,
) -> Answer<AliasSnapshot> {
    let version = |number: &str| number.parse::<Version>().map_err(|error| unreadable(operation, error));
    let target = match required(operation, "FunctionVersion", function_version)? {
        LATEST => Target::Latest,
        LATEST_PUBLISHED => {
            let message = format!(
                "the alias points at {LATEST_PUBLISHED}, which every publication changes: such an alias cannot split traffic\n  \
                 hint: point it at a numbered version, once"
            );
            return Err(CloudError { failure: Failure::Invalid, operation: operation.name(), message, code: None });
        }
        number => Target::Version(version(number)?),
    };
    let mut weights = Vec::new();
    for (number, fraction) in routing.and_then(AliasRoutingConfiguration::additional_version_weights).into_iter().flatten() {
        let (number, weight) = (version(number)?, Weight::from_fraction(*fraction));
        weights.push((number, weight.ok_or_else(|| unreadable(operation, format_args!("a weight of {fraction}")))?));
    }
    weights.sort_unstable();
    let revision = Revision(required(operation, "RevisionId", revision_id)?.to_owned());
    let description = description.unwrap_or_default().to_owned();
    Ok(AliasSnapshot { alias: Alias { target, weights, description }, revision })
}

/// The rows of a query that is through.
pub(crate) fn log_rows(answer: GetQueryResultsOutput) -> Answer<Option<LogRows>> {
    let failed = |status: &QueryStatus| CloudError {
        failure: Failure::Invalid,
        operation: Call::GetQueryResults.name(),
        message: format!("the query ended as {}", status.as_str()),
        code: None,
    };
    match answer.status() {
        Some(QueryStatus::Scheduled | QueryStatus::Running) => return Ok(None),
        Some(QueryStatus::Complete) => {}
        Some(ended) => return Err(failed(ended)),
        None => return Err(unreadable(Call::GetQueryResults, "no status")),
    }
    let scanned = answer.statistics().map_or(0.0, QueryStatistics::bytes_scanned);
    let rows = answer.results.unwrap_or_default().into_iter();
    let fields = |row: Vec<ResultField>| row.into_iter().filter_map(|field| field.field.zip(field.value)).collect();
    Ok(Some(LogRows { rows: rows.map(fields).collect(), scanned: whole(scanned) }))
}

/// A count as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates; counts are not negative"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// The weights as AWS takes them. Never left out: where they are, AWS keeps those that are there.
pub(crate) fn routing(alias: &Alias) -> AliasRoutingConfiguration {
    let weights: HashMap<String, f64> =
        alias.weights.iter().map(|(version, weight)| (version.to_string(), weight.fraction())).collect();
    AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build()
}

/// What an alias' provisioned concurrency is doing.
pub(crate) fn provisioned(status: Option<&ProvisionedConcurrencyStatusEnum>) -> Provisioned {
    if status == Some(&ProvisionedConcurrencyStatusEnum::InProgress) { Provisioned::Moving } else { Provisioned::There }
}

pub(crate) fn configuration(operation: Call, answer: &GetFunctionConfigurationOutput) -> Answer<Configuration> {
    let text = |name, value| required(operation, name, value).map(str::to_owned);
    Ok(Configuration {
        arn: text("FunctionArn", answer.function_arn())?,
        version: text("Version", answer.version())?,
        code_sha256: text("CodeSha256", answer.code_sha256())?,
        revision: Revision(text("RevisionId", answer.revision_id())?),
        state: state(answer.state(), answer.state_reason()),
        update: update(answer.last_update_status(), answer.last_update_status_reason()),
        role: text("Role", answer.role())?,
        dead_letter: answer
            .dead_letter_config()
            .and_then(|queue| queue.target_arn())
            .filter(|arn| !arn.is_empty())
            .map(str::to_owned),
        log_group: answer.logging_config().and_then(|logging| logging.log_group()).map(str::to_owned),
        frozen: frozen(answer),
    })
}

/// An object in S3, with its version where it has one.
pub(crate) fn object(object: &ResolvedS3Object) -> String {
    let (bucket, key) = (object.s3_bucket().unwrap_or_default(), object.s3_key().unwrap_or_default());
    let version = object.s3_object_version().map(|version| format!(", object version {version}")).unwrap_or_default();
    format!("s3://{bucket}/{key}{version}")
}

/// That publishing has given an earlier version again, where that one is Failed: AWS does so where nothing has changed since.
pub(crate) fn failed_again(operation: Call, version: Version, state: &State) -> Answer<()> {
    let State::Failed(why) = state else { return Ok(()) };
    let message = format!(
        "nothing was published: `$LATEST` has the same code and settings as {version}, which is Failed: {}; change what failed in the \
         code or the settings, then roll out again",
        why.trim_end_matches('.')
    );
    Err(CloudError { failure: Failure::Invalid, operation: operation.name(), message, code: None })
}

fn frozen(answer: &GetFunctionConfigurationOutput) -> FunctionConfigSnapshot {
    let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let vpc = answer.vpc_config();
    let environment = answer.environment();
    let unreadable = environment.is_some_and(|environment| environment.error().is_some());
    let variables = environment.and_then(|environment| environment.variables()).into_iter().flatten();
    // Of a variable's value no more than a hash leaves this function.
    let hashed = variables.map(|(name, value)| (name.clone(), hash32(value.as_bytes()))).collect();
    FunctionConfigSnapshot {
        runtime: text(answer.runtime().map(Runtime::as_str)),
        handler: text(answer.handler()),
        memory: answer.memory_size(),
        timeout: answer.timeout(),
        storage: answer.ephemeral_storage().map(EphemeralStorage::size),
        architectures: answer.architectures().iter().map(|architecture| architecture.as_str().to_owned()).collect(),
        package: text(answer.package_type().map(PackageType::as_str)),
        tracing: text(answer.tracing_config().and_then(|tracing| tracing.mode()).map(TracingMode::as_str)),
        snap_start: text(answer.snap_start().and_then(|snap_start| snap_start.apply_on()).map(SnapStartApplyOn::as_str)),
        layers: answer.layers().iter().filter_map(|layer| layer.arn()).map(str::to_owned).collect(),
        subnets: sorted(vpc.map(VpcConfigResponse::subnet_ids)),
        security_groups: sorted(vpc.map(VpcConfigResponse::security_group_ids)),
        environment: (!unreadable).then_some(hashed),
        durable: answer.durable_config().is_some(),
        tenants: text(answer.tenancy_config().map(|tenancy| tenancy.tenant_isolation_mode().as_str())),
        capacity_provider: answer
            .capacity_provider_config()
            .and_then(|config| config.lambda_managed_instances_capacity_provider_config())
            .map(|provider| provider.capacity_provider_arn().to_owned()),
    }
}

fn sorted(names: Option<&[String]>) -> Vec<String> {
    let mut names = names.unwrap_or_default().to_vec();
    names.sort_unstable();
    names
}

fn state(state: Option<&LambdaState>, reason: Option<&str>) -> State {
    match state {
        // Functions from before there were states have none, and are ready.
        None | Some(LambdaState::Active) => State::Active,
        Some(LambdaState::Pending) => State::Pending,
        Some(LambdaState::Inactive | LambdaState::Deactivating | LambdaState::Deactivated) => State::Inactive,
        Some(other) => State::Failed(because(other.as_str(), reason)),
    }
}

fn update(status: Option<&LastUpdateStatus>, reason: Option<&str>) -> Update {
    match status {
        None | Some(LastUpdateStatus::Successful) => Update::Successful,
        Some(LastUpdateStatus::InProgress) => Update::InProgress,
        Some(other) => Update::Failed(because(other.as_str(), reason)),
    }
}

fn because(word: &str, reason: Option<&str>) -> String {
    reason.filter(|reason| !reason.is_empty()).map_or_else(|| format!("its state is {word}"), str::to_owned)
}

pub(crate) fn metric_alarm(operation: Call, alarm: &MetricAlarm) -> Answer<AlarmSeen> {
    let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
    let seen = alarm_seen(operation, alarm.alarm_name(), alarm.state_value(), since, alarm.state_reason())?;
    let unevaluated = unevaluated(alarm.evaluation_state(), alarm.state_reason());
    Ok(AlarmSeen { metric: alarm.metric_name().map(str::to_owned), fires_after: fires_after(alarm), unevaluated, ..seen })
}

pub(crate) fn log_alarm(operation: Call, alarm: &LogAlarm) -> Answer<AlarmSeen> {
    let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
    let seen = alarm_seen(operation, alarm.alarm_name(), alarm.state_value(), since, alarm.state_reason())?;
    Ok(AlarmSeen { unevaluated: unevaluated(alarm.evaluation_state(), alarm.state_reason()), ..seen })
}

/// Why an alarm could not be evaluated, with the word that says so; one that could has none.
fn unevaluated(state: Option<&EvaluationState>, reason: Option<&str>) -> Option<String> {
    let word = state?.as_str();
    let why = match word {
        "EVALUATION_ERROR" => "its settings or permissions are wrong",
        "EVALUATION_FAILURE" => "CloudWatch has a fault of its own",
        "PARTIAL_DATA" => "not all of its data could be read",
        _ => "this state is not known",
    };
    let reason = reason.filter(|reason| !reason.is_empty()).map_or_else(String::new, |reason| format!("; {reason}"));
    Some(format!("{why} ({word}{reason})"))
}

pub(crate) fn composite_alarm(operation: Call, alarm: &CompositeAlarm) -> Answer<AlarmSeen> {
    let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
    alarm_seen(operation, alarm.alarm_name(), alarm.state_value(), since, alarm.state_reason())
}

fn alarm_seen(
    operation: Call,
    name: Option<&str>,
    state: Option<&StateValue>,
    since: Option<&DateTime>,
    reason: Option<&str>,
) -> Answer<AlarmSeen> {
    let name = required(operation, "AlarmName", name)?.to_owned();
    let state = match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Alarm,
        Some(StateValue::InsufficientData) => AlarmState::InsufficientData,
        Some(other) => return Err(unreadable(operation, format!("alarm `{name}` is in the state `{other}`"))),
        None => return Err(unreadable(operation, format!("alarm `{name}` has no state"))),
    };
    let since =
        since.and_then(time).ok_or_else(|| unreadable(operation, format!("alarm `{name}` has no time of its last change")))?;
    let reason = reason.unwrap_or_default().to_owned();
    Ok(AlarmSeen { name, state, since, in_alarm: None, fires_after: None, metric: None, reason, unevaluated: None })
}

fn time(at: &DateTime) -> Option<Time> {
    u64::try_from(at.to_millis().ok()?).ok().map(Time::from_millis)
}

/// When an alarm went to ALARM, if that is what this item of its history tells. What it holds is JSON behind no type.
pub(crate) fn went_red(at: Option<&DateTime>, data: Option<&str>) -> Option<Time> {
    let data: serde_json::Value = serde_json::from_str(data?).ok()?;
    let in_alarm = data.pointer("/newState/stateValue").and_then(serde_json::Value::as_str) == Some("ALARM");
    at.filter(|_| in_alarm).and_then(time)
}

/// The end of an invocation's log. What cannot be read of it is left out: nothing depends on it.
pub(crate) fn log(encoded: Option<&str>) -> String {
    let bytes = encoded.and_then(|text| base64::decode(text).ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn required<'a>(operation: Call, name: &str, value: Option<&'a str>) -> Answer<&'a str> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| unreadable(operation, format!("no {name}")))
}

const LATEST: &str = "$LATEST";
/// What a function on Lambda Managed Instances may have in place of numbered versions.
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(version: &str, weight: f64) -> AliasRoutingConfiguration {
        AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
    }

    #[test]
    fn an_alias_without_what_matters_is_unreadable() {
        let found = |version, revision, routing| alias(Call::GetAlias, version, None, routing, revision);
        assert!(found(Some("1"), Some("r"), None).is_ok());
        let (too_much, unpublished) = (weights("2", 1.5), weights("$LATEST", 0.5));
        for (answer, word) in [
            (found(None, Some("r"), None), "FunctionVersion"),
            (found(Some("one"), Some("r"), None), "`one`"),
            (found(Some("1"), None, None), "RevisionId"),
            (found(Some("1"), Some(""), None), "RevisionId"),
            (found(Some("1"), Some("r"), Some(&too_much)), "1.5"),
            (found(Some("1"), Some("r"), Some(&unpublished)), "`$LATEST`"),
        ] {
            let error = answer.unwrap_err();
            assert_eq!(error.failure, Failure::Unanswered);
            assert!(error.message.contains(word), "{error}");
        }
    }

    #[test]
    fn an_alarm_whose_state_is_not_known_is_never_taken_for_a_good_one() {
        let at = DateTime::from_secs(1_764_000_000);
        let alarm = || MetricAlarm::builder().alarm_name("a").state_transitioned_timestamp(at);
        let found = metric_alarm(Call::DescribeAlarms, &alarm().state_value(StateValue::Ok).build()).unwrap();
        assert_eq!((found.state, found.since), (AlarmState::Ok, Time::from_secs(1_764_000_000)));
        for unusable in [
            alarm().build(),
            alarm().state_value(StateValue::from("NEW_STATE")).build(),
            MetricAlarm::builder().alarm_name("a").state_value(StateValue::Ok).build(),
        ] {
            let error = metric_alarm(Call::DescribeAlarms, &unusable).unwrap_err();
            assert_eq!(error.failure, Failure::Unanswered);
            assert!(error.message.contains("alarm `a`"), "{error}");
        }
    }

    #[test]
    fn a_failed_version_that_is_given_again_is_no_publication() {
        let two = Version::new(2).unwrap();
        let given = |state: State| failed_again(Call::PublishVersion, two, &state);
        assert_eq!([State::Pending, State::Active, State::Inactive].map(given), [Ok(()), Ok(()), Ok(())]);
        let error = given(State::Failed("initialization failed.".to_owned())).unwrap_err();
        let text = "same code and settings as 2, which is Failed: initialization failed; change what failed";
        assert!(error.failure == Failure::Invalid && error.message.contains(text), "{error}");
    }

    #[test]
    fn an_alarm_that_could_not_be_evaluated_says_why() {
        let at = DateTime::from_secs(1_764_000_000);
        let alarm = || {
            let alarm = MetricAlarm::builder().alarm_name("a").state_value(StateValue::Ok).state_transitioned_timestamp(at);
            alarm.state_reason("no permission for the query")
        };
        let found = |alarm: MetricAlarm| metric_alarm(Call::DescribeAlarms, &alarm).unwrap();
        assert_eq!(found(alarm().build()).unevaluated, None);
        for word in ["EVALUATION_ERROR", "EVALUATION_FAILURE", "PARTIAL_DATA", "SOMETHING_NEW"] {
            let why = found(alarm().evaluation_state(EvaluationState::from(word)).build()).unknown().unwrap();
            assert!(why.contains("alarm `a`") && why.contains(&format!("{word}; no permission for the query")), "{why}");
        }
        // One that is in ALARM says enough.
        let red = alarm().state_value(StateValue::Alarm).evaluation_state(EvaluationState::PartialData).build();
        assert_eq!(found(red).unknown(), None);
        let log = LogAlarm::builder().alarm_name("l").state_value(StateValue::Ok).state_transitioned_timestamp(at);
        let log = log_alarm(Call::DescribeAlarms, &log.evaluation_state(EvaluationState::EvaluationError).build()).unwrap();
        assert_eq!((log.name.as_str(), log.unknown().is_some()), ("l", true));
    }

    #[test]
    fn only_what_is_known_to_be_ready_is_ready() {
        assert_eq!(state(None, None), State::Active);
        assert_eq!(state(Some(&LambdaState::Pending), None), State::Pending);
        assert_eq!(state(Some(&LambdaState::Deactivating), None), State::Inactive);
        assert_eq!(state(Some(&LambdaState::Failed), Some("no image")), State::Failed("no image".to_owned()));
        for other in [LambdaState::ActiveNonInvocable, LambdaState::Deleting, LambdaState::from("New")] {
            assert_eq!(state(Some(&other), None), State::Failed(format!("its state is {other}")));
        }
        assert_eq!(update(None, None), Update::Successful);
        let failed = update(Some(&LastUpdateStatus::Failed), Some("disk full"));
        assert_eq!(failed, Update::Failed("disk full".to_owned()));
    }

    #[test]
    fn a_log_is_decoded_as_far_as_it_can_be() {
        assert_eq!(log(Some("U1RBUlQ=")), "START");
        assert_eq!(log(Some("not base 64!")), "");
        assert_eq!(log(None), "");
    }
}
