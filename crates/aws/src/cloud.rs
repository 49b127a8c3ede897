//! How is each call of the port made? One SDK operation for each, with its limits.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_cloudwatch::operation::describe_alarm_history::DescribeAlarmHistoryOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, HistoryItemType, MetricAlarm, StateValue, Statistic, Tag,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionUrlConfig, InvocationType, LogType, State as LambdaState};
use controller::GuardExecution;
use controller::port::{
    AlarmRule, AliasSnapshot, Answer, Baseline, BusEvent, Call, Cloud, Code, Configuration, Dated, EventSource, Failure,
    FunctionUrl, GitHubRequest, GuardSeen, HttpHookResponse, InvocationResult, KnownMetric, LogLine, LogQuery, LogRows, LogSpan,
    ManagedAlarm, PairCounts, Provisioned, Revision, ScheduleListed, ScheduleSeen, ScheduleSpec, SignalCounts, StackResources,
    TAG, TopicMessage, VersionPair, Watch, Write,
};

use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::signal::SignalMetric;
use rollout::target::{FunctionName, Qualified, Subject};
use rollout::{Alias, Signal, Time, Version};

use crate::alarms::{Described, KINDS, alarm_name, composite_watch, has_no_log_alarms, log_watch, metric_watch};
use crate::alias::held;
use crate::connect::Aws;
use crate::error::{failed, not_invoked, unreadable};
use crate::{convert, limits, managed_alarm, metrics, signals};

impl Cloud for Aws {
    fn time(&self) -> Time {
        self.clock.now()
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn expiry(&self) -> Option<Time> {
        self.expiry
    }

    async fn ends_unannounced(&self) -> bool {
        let Some(provider) = self.config.credentials_provider().filter(|_| self.expiry.is_none()) else { return false };
        // What renews credentials says until when these are good.
        let found = provider.provide_credentials().await;
        found.is_ok_and(|found| found.session_token().is_some() && found.expiry().is_none())
    }

    async fn alias(&self, subject: &Subject) -> Answer<Option<AliasSnapshot>> {
        self.alias_now(subject).await
    }

    async fn update_alias(&self, subject: &Subject, desired: &Alias, revision: &Revision) -> Answer<AliasSnapshot> {
        let request = self
            .lambda
            .update_alias()
            .function_name(subject.function.reference())
            .name(&subject.alias)
            .function_version(desired.target.to_string())
            .description(&desired.description)
            .routing_config(convert::routing(desired))
            .revision_id(&revision.0)
            .customize()
            .config_override(limits::write());
        let written = request.send().await.map_err(failed(Call::UpdateAlias))?;
        held!(Call::UpdateAlias, written)
    }

    async fn create_alias(&self, subject: &Subject, desired: &Alias) -> Answer<AliasSnapshot> {
        let request = self
            .lambda
            .create_alias()
            .function_name(subject.function.reference())
            .name(&subject.alias)
            .function_version(desired.target.to_string())
            .description(&desired.description)
            .routing_config(convert::routing(desired))
            .customize()
            .config_override(limits::write());
        let created = request.send().await.map_err(failed(Call::CreateAlias))?;
        held!(Call::CreateAlias, created)
    }

    async fn alias_names(&self, function: &FunctionName) -> Answer<Vec<String>> {
        let request = self.lambda.list_aliases().function_name(function.reference());
        let pages = self.pages(Call::ListAliases, request.into_paginator().send()).await?;
        Ok(pages.into_iter().flat_map(|page| page.aliases.unwrap_or_default()).filter_map(|alias| alias.name).collect())
    }

    async fn configuration(&self, function: &FunctionName, version: Option<Version>) -> Answer<Configuration> {
        let operation = Call::GetFunctionConfiguration;
        let request = self
            .lambda
            .get_function_configuration()
            .function_name(function.reference())
            .set_qualifier(version.map(|version| version.to_string()));
        let found = request.send().await.map_err(failed(operation))?;
        convert::configuration(operation, &found)
    }

    async fn code_in_s3(&self, function: &FunctionName, version: Option<Version>) -> Answer<Option<String>> {
        let request = self
            .lambda
            .get_function()
            .function_name(function.reference())
            .set_qualifier(version.map(|version| version.to_string()));
        let found = request.send().await.map_err(failed(Call::GetFunction))?;
        Ok(found.code().and_then(|code| code.resolved_s3_object()).map(convert::object))
    }

    async fn versions(&self, function: &FunctionName) -> Answer<Vec<Version>> {
        let request = self.lambda.list_versions_by_function().function_name(function.reference());
        let found = request.into_paginator().items().send().try_collect().await;
        let found = found.map_err(failed(Call::ListVersionsByFunction))?;
        let mut numbers: Vec<Version> = found.iter().filter_map(|version| version.version()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn tags(&self, arn: &str) -> Answer<BTreeMap<String, String>> {
        let tags = self.lambda.list_tags().resource(arn).send().await.map_err(failed(Call::ListTags))?;
        Ok(tags.tags.unwrap_or_default().into_iter().collect())
    }

    async fn tag(&self, arn: &str, key: &str, value: &str) -> Answer<()> {
        let request = self.lambda.tag_resource().resource(arn).tags(key, value);
        request.send().await.map(drop).map_err(failed(Call::TagResource))
    }

    async fn untag(&self, arn: &str, key: &str) -> Answer<()> {
        let request = self.lambda.untag_resource().resource(arn).tag_keys(key);
        request.send().await.map(drop).map_err(failed(Call::UntagResource))
    }

    async fn resource(&self, stack: &str, logical_id: &str) -> Answer<Option<String>> {
        let request = self.cloudformation().describe_stack_resource().stack_name(stack).logical_resource_id(logical_id);
        let found = request.send().await.map_err(failed(Call::DescribeStackResource))?;
        let name = found.stack_resource_detail.and_then(|detail| detail.physical_resource_id);
        Ok(name.filter(|name| !name.is_empty()))
    }

    async fn stack_with(&self, physical_id: &str) -> Answer<Option<StackResources>> {
        self.owner_of(physical_id).await
    }

    async fn root_stack(&self, stack: &str) -> Answer<Option<String>> {
        self.root_of(stack).await
    }

    async fn template(&self, stack: &str) -> Answer<Option<String>> {
        self.template_of(stack).await
    }

    async fn publish(&self, function: &FunctionName, seen: &Configuration, description: Option<&str>) -> Answer<Version> {
        let operation = Call::PublishVersion;
        let request = self
            .lambda
            .publish_version()
            .function_name(function.reference())
            .code_sha256(&seen.code_sha256)
            .revision_id(&seen.revision.0)
            .set_description(description.map(str::to_owned))
            .customize()
            .config_override(limits::write());
        let published = request.send().await.map_err(failed(operation))?;
        let version = published.version().unwrap_or_default().parse().map_err(|error| unreadable(operation, error))?;
        // A new version is Pending at first: this is an earlier one, and what it is says its own configuration.
        if published.state() == Some(&LambdaState::Failed)
            && let Ok(known) = self.configuration(function, Some(version)).await
        {
            convert::failed_again(operation, version, &known.state)?;
        }
        Ok(version)
    }

    async fn update_code(&self, function: &FunctionName, code: &Code) -> Answer<String> {
        let request = self.lambda.update_function_code().function_name(function.reference());
        let request = match code {
            Code::Zip(bytes) => request.zip_file(Blob::new(bytes.clone())),
            Code::Image(uri) => request.image_uri(uri),
        };
        let operation = Call::UpdateFunctionCode;
        let sent = request.customize().config_override(limits::upload()).send().await.map_err(failed(operation))?;
        sent.code_sha256.ok_or_else(|| unreadable(operation, "no CodeSha256"))
    }

    async fn provisioned(&self, subject: &Subject) -> Answer<Provisioned> {
        let request = self
            .lambda
            .get_provisioned_concurrency_config()
            .function_name(subject.function.reference())
            .qualifier(&subject.alias);
        match request.send().await.map_err(failed(Call::GetProvisionedConcurrencyConfig)) {
            Ok(found) => Ok(convert::provisioned(found.status())),
            Err(error) if error.code.as_deref() == Some("ProvisionedConcurrencyConfigNotFoundException") => Ok(Provisioned::None),
            Err(error) => Err(error),
        }
    }

    async fn reserved_concurrency(&self, function: &FunctionName) -> Answer<Option<u32>> {
        let request = self.lambda.get_function_concurrency().function_name(function.reference());
        let found = request.send().await.map_err(failed(Call::GetFunctionConcurrency))?;
        Ok(found.reserved_concurrent_executions.and_then(|reserved| u32::try_from(reserved).ok()))
    }

    async fn alarms(&self, names: &[String], _known: Time) -> Answer<Dated<Vec<AlarmSeen>>> {
        let at = self.time();
        let Described { metric, composite, log } = self.describe(names).await?;
        let metric = metric.iter().map(|alarm| convert::metric_alarm(Call::DescribeAlarms, alarm));
        let composite = composite.iter().map(|alarm| convert::composite_alarm(Call::DescribeAlarms, alarm));
        let log = log.iter().map(|alarm| convert::log_alarm(Call::DescribeAlarms, alarm));
        Ok(Dated { at, answer: metric.chain(composite).chain(log).collect::<Result<_, _>>()? })
    }

    async fn last_red(&self, name: &str, since: Time) -> Answer<Option<Time>> {
        let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let history = async |kinds: &[AlarmType]| {
            let request = self
                .cloudwatch()
                .describe_alarm_history()
                .alarm_name(alarm_name(name))
                .set_alarm_types(Some(kinds.to_vec()))
                .history_item_type(HistoryItemType::StateUpdate)
                .start_date(DateTime::from_millis(since));
            self.pages(Call::DescribeAlarmHistory, request.into_paginator().send()).await
        };
        let pages = match history(&KINDS).await {
            Err(error) if has_no_log_alarms(&error) => history(&KINDS[..2]).await?,
            pages => pages?,
        };
        let items = pages.iter().flat_map(DescribeAlarmHistoryOutput::alarm_history_items);
        Ok(items.filter_map(|item| convert::went_red(item.timestamp(), item.history_data())).max())
    }

    async fn counts(&self, pairs: &[VersionPair]) -> Dated<Vec<Answer<PairCounts>>> {
        let at = self.time();
        Dated { at, answer: metrics::counts(self, pairs).await }
    }

    async fn baseline(&self, subject: &Subject, from: Time, to: Time, every: Duration) -> Answer<Vec<Baseline>> {
        metrics::baseline(self, subject, from, to, every).await
    }

    async fn signal_past(
        &self,
        (subject, version): (&Subject, Version),
        signals: &[Signal],
        past: (Time, Time, Duration),
    ) -> Answer<Vec<Vec<(Time, SignalCounts)>>> {
        signals::past(self, (subject, version), signals, past).await
    }

    async fn known_metrics(&self, of: Option<&SignalMetric>, name: &str) -> Answer<Vec<KnownMetric>> {
        signals::known(self, of, name).await
    }

    async fn throttles(&self, subject: &Subject, version: Version, from: Time) -> Answer<(f64, f64)> {
        metrics::throttles(self, subject, version, from).await
    }

    async fn managed_alarm(&self, name: &str) -> Answer<Option<ManagedAlarm>> {
        let found = self.describe_alarms(|request| request.alarm_names(name)).await?;
        let metric = found.metric.first();
        let others = found.composite.iter().map(|alarm| alarm.alarm_arn()).chain(found.log.iter().map(|alarm| alarm.alarm_arn()));
        let arn = metric.map(MetricAlarm::alarm_arn).into_iter().chain(others).flatten().next();
        let Some(arn) = arn else { return Ok(None) };
        let tags = self.cloudwatch().list_tags_for_resource().resource_arn(arn).send().await;
        let tags = tags.map_err(failed(Call::ListTagsForResource))?;
        let owner = tags.tags().iter().find(|tag| tag.key() == Some(TAG)).and_then(Tag::value).map(str::to_owned);
        let in_alarm = metric.and_then(MetricAlarm::state_value) == Some(&StateValue::Alarm);
        Ok(Some(ManagedAlarm { rule: metric.and_then(managed_alarm::rule), owner, in_alarm }))
    }

    async fn put_alarm(&self, rule: &AlarmRule, owner: &str) -> Answer<()> {
        let dimensions = rule.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let percentile = rule.statistic.starts_with('p');
        let request = self
            .cloudwatch()
            .put_metric_alarm()
            .alarm_name(&rule.name)
            .alarm_description(format!("managed by canaryctl for {owner}"))
            .namespace(&rule.namespace)
            .metric_name(&rule.metric)
            .set_statistic((!percentile).then(|| Statistic::from(rule.statistic.as_str())))
            .set_extended_statistic(percentile.then(|| rule.statistic.clone()))
            .set_dimensions(Some(dimensions.collect()))
            .period(managed_alarm::whole(rule.period.as_secs()))
            .evaluation_periods(managed_alarm::whole(u64::from(rule.evaluation_periods)))
            .datapoints_to_alarm(managed_alarm::whole(u64::from(rule.datapoints)))
            .threshold(rule.threshold)
            .comparison_operator(ComparisonOperator::from(rule.comparison.as_str()))
            .treat_missing_data(&rule.missing_data)
            // Taken when the alarm is made; one that is changed has its tag.
            .tags(Tag::builder().key(TAG).value(owner).build());
        request.send().await.map(drop).map_err(failed(Call::PutMetricAlarm))
    }

    async fn reset_alarm(&self, name: &str) -> Answer<()> {
        let request = self
            .cloudwatch()
            .set_alarm_state()
            .alarm_name(name)
            .state_value(StateValue::InsufficientData)
            .state_reason("canaryctl now uses this alarm for another version");
        request.send().await.map(drop).map_err(failed(Call::SetAlarmState))
    }

    async fn alarm_names(&self, prefix: &str) -> Answer<Vec<String>> {
        let request = self.cloudwatch().describe_alarms().alarm_name_prefix(prefix).set_alarm_types(Some(KINDS.to_vec()));
        let found = request.send().await.map_err(failed(Call::DescribeAlarms))?;
        let metric = found.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        let composite = found.composite_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        let log = found.log_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        Ok(metric.chain(composite).chain(log).map(str::to_owned).collect())
    }

    async fn start_guard(&self, execution: &GuardExecution) -> Answer<()> {
        self.begin_guard(execution).await
    }

    async fn guard(&self, execution: &str) -> Answer<Option<GuardSeen>> {
        self.find_guard(execution).await
    }

    async fn create_schedule(&self, schedule: &ScheduleSpec) -> Answer<()> {
        self.make_schedule(schedule).await
    }

    async fn schedule(&self, name: &str) -> Answer<Option<ScheduleSeen>> {
        self.find_schedule(name).await
    }

    async fn disabled_schedules(&self) -> Answer<Vec<ScheduleListed>> {
        self.list_disabled_schedules().await
    }

    async fn delete_schedule(&self, name: &str) -> Answer<()> {
        self.drop_schedule(name).await
    }

    async fn event_sources(&self, function: &Qualified) -> Answer<Vec<EventSource>> {
        let named = function.qualifier.iter().fold(function.reference(), |name, qualifier| format!("{name}:{qualifier}"));
        let request = self.lambda.list_event_source_mappings().function_name(named);
        let pages = self.pages(Call::ListEventSourceMappings, request.into_paginator().send()).await?;
        let described = |mapping: EventSourceMappingConfiguration| {
            let at_rest = matches!(mapping.state(), Some("Disabled" | "Disabling" | "Deleting"));
            EventSource {
                id: mapping.uuid.unwrap_or_default(),
                source: mapping.event_source_arn,
                function: mapping.function_arn.unwrap_or_default(),
                active: !at_rest,
            }
        };
        Ok(pages.into_iter().flat_map(|page| page.event_source_mappings.unwrap_or_default()).map(described).collect())
    }

    async fn function_urls(&self, function: &FunctionName) -> Answer<Vec<FunctionUrl>> {
        let request = self.lambda.list_function_url_configs().function_name(function.reference());
        let found = request.send().await.map_err(failed(Call::ListFunctionUrlConfigs))?;
        let described = |url: &FunctionUrlConfig| FunctionUrl {
            url: url.function_url().to_owned(),
            function: url.function_arn().to_owned(),
            auth: url.auth_type().as_str().to_owned(),
        };
        Ok(found.function_url_configs().iter().map(described).collect())
    }

    async fn policy(&self, function: &Qualified) -> Answer<Option<String>> {
        let request = self.lambda.get_policy().function_name(function.function.reference());
        let request = request.set_qualifier(function.qualifier.clone());
        match request.send().await.map_err(failed(Call::GetPolicy)) {
            Ok(found) => Ok(found.policy),
            // A function without a policy is answered as one that does not exist.
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn calls(&self, function: &FunctionName, by: &[Option<String>], from: Time, to: Time) -> Answer<Vec<f64>> {
        metrics::calls(self, function, by, from, to).await
    }

    async fn watches(&self, names: &[String]) -> Answer<Vec<Watch>> {
        let Described { metric, composite, log } = self.describe(names).await?;
        let composite = composite.iter().map(composite_watch);
        Ok(metric.iter().map(metric_watch).chain(composite).chain(log.iter().map(log_watch)).collect())
    }

    async fn has_log_group(&self, name: &str) -> Answer<bool> {
        let request = self.logs().describe_log_groups().log_group_name_prefix(name);
        // Of names that begin alike the shortest comes first.
        let found = request.send().await.map_err(failed(Call::DescribeLogGroups))?;
        Ok(found.log_groups().iter().any(|group| group.log_group_name() == Some(name)))
    }

    async fn start_query(&self, query: &LogQuery) -> Answer<String> {
        let seconds = |at: Time| i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        let request = self
            .logs()
            .start_query()
            .log_group_name(&query.group)
            .query_string(&query.text)
            .start_time(seconds(query.from))
            .end_time(seconds(query.to))
            .limit(query.rows.into());
        let begun = request.send().await.map_err(failed(Call::StartQuery))?;
        begun.query_id.ok_or_else(|| unreadable(Call::StartQuery, "no id"))
    }

    async fn query_results(&self, id: &str) -> Answer<Option<LogRows>> {
        let found = self.logs().get_query_results().query_id(id).send().await.map_err(failed(Call::GetQueryResults))?;
        convert::log_rows(found)
    }

    async fn stop_query(&self, id: &str) -> Answer<()> {
        self.logs().stop_query().query_id(id).send().await.map(drop).map_err(failed(Call::StopQuery))
    }

    async fn log_lines(&self, span: &LogSpan) -> Answer<Vec<LogLine>> {
        self.read_log(span).await
    }

    async fn invoke(&self, function: &Qualified, payload: &[u8], limit: Duration) -> Answer<InvocationResult> {
        let request = self
            .lambda
            .invoke()
            .function_name(function.reference())
            .set_qualifier(function.qualifier.clone())
            .invocation_type(InvocationType::RequestResponse)
            .log_type(LogType::Tail)
            .payload(Blob::new(payload))
            .customize()
            .config_override(limits::invocation(limit));
        let reply = request.send().await.map_err(not_invoked(Call::Invoke))?;
        Ok(InvocationResult {
            log: convert::log(reply.log_result()),
            function_error: reply.function_error,
            payload: reply.payload.map(Blob::into_inner).unwrap_or_default(),
        })
    }

    async fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> Answer<HttpHookResponse> {
        self.send(url, payload, limit).await
    }

    async fn ask_github(&self, ask: &GitHubRequest<'_>, limit: Duration) -> Answer<HttpHookResponse> {
        self.github(ask, limit).await
    }

    async fn publish_message(&self, message: &TopicMessage) -> Answer<()> {
        self.publish_to_topic(message).await
    }

    async fn put_on_bus(&self, event: &BusEvent) -> Answer<()> {
        self.put_events(event).await
    }

    async fn caller(&self) -> Answer<String> {
        self.who().await
    }

    async fn may_write(&self, subject: &Subject, write: &Write<'_>) -> Answer<()> {
        self.ask(subject, write).await
    }

    async fn invocable(&self, function: &Qualified) -> Answer<()> {
        let request = self
            .lambda
            .invoke()
            .function_name(function.reference())
            .set_qualifier(function.qualifier.clone())
            .invocation_type(InvocationType::DryRun);
        request.send().await.map(drop).map_err(failed(Call::Invoke))
    }
}
