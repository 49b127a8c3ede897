//! How is each call of the port made? One SDK operation for each, with its limits.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, HistoryItemType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use controller::port::{
    AlarmRule, AliasSnapshot, Baseline, Call, Cloud, CloudError, Code, Configuration, Dated, EventSource, Failure, FunctionUrl,
    HttpHookResponse, InvocationResult, ManagedAlarm, MinuteCounts, Revision, VersionPair, Watch, Write,
};

use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::target::{FunctionName, Qualified, Subject};
use rollout::{Alias, Time, Version};

use crate::alarms::alarm_name;
use crate::connect::Aws;
use crate::convert::{self, AliasAnswer};
use crate::error::{failed, not_invoked, unreadable};
use crate::{limits, metrics};

/// The alias in such an answer.
macro_rules! held {
    ($operation:expr, $answer:expr) => {
        AliasAnswer {
            operation: $operation,
            function_version: $answer.function_version(),
            description: $answer.description(),
            routing: $answer.routing_config(),
            revision_id: $answer.revision_id(),
        }
        .held()
    };
}

impl Cloud for Aws {
    fn time(&self) -> Time {
        self.clock.now()
    }

    fn region(&self) -> &str {
        Self::region(self)
    }

    fn expiry(&self) -> Option<Time> {
        self.expiry
    }

    async fn alias(&self, subject: &Subject) -> Result<Option<AliasSnapshot>, CloudError> {
        let request = self.lambda.get_alias().function_name(subject.function.reference()).name(&subject.alias);
        match request.send().await.map_err(failed(Call::GetAlias)) {
            Ok(found) => held!(Call::GetAlias, found).map(Some),
            // A missing function and a missing alias have the same code, and their words are not to be trusted with this.
            Err(error) if error.failure == Failure::NotFound => self.configuration(&subject.function, None).await.map(|_| None),
            Err(error) => Err(error),
        }
    }

    async fn update_alias(&self, subject: &Subject, desired: &Alias, revision: &Revision) -> Result<AliasSnapshot, CloudError> {
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

    async fn create_alias(&self, subject: &Subject, desired: &Alias) -> Result<AliasSnapshot, CloudError> {
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

    async fn alias_names(&self, function: &FunctionName) -> Result<Vec<String>, CloudError> {
        let request = self.lambda.list_aliases().function_name(function.reference());
        let mut aliases = request.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(alias) = aliases.next().await {
            names.extend(alias.map_err(failed(Call::ListAliases))?.name);
        }
        Ok(names)
    }

    async fn configuration(&self, function: &FunctionName, version: Option<Version>) -> Result<Configuration, CloudError> {
        let operation = Call::GetFunctionConfiguration;
        let request = self
            .lambda
            .get_function_configuration()
            .function_name(function.reference())
            .set_qualifier(version.map(|version| version.to_string()));
        let found = request.send().await.map_err(failed(operation))?;
        convert::configuration(operation, &found)
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
        let tags = self.lambda.list_tags().resource(arn).send().await.map_err(failed(Call::ListTags))?;
        Ok(tags.tags.unwrap_or_default().into_iter().collect())
    }

    async fn tag(&self, arn: &str, key: &str, value: &str) -> Result<(), CloudError> {
        let request = self.lambda.tag_resource().resource(arn).tags(key, value);
        request.send().await.map(drop).map_err(failed(Call::TagResource))
    }

    async fn untag(&self, arn: &str, key: &str) -> Result<(), CloudError> {
        let request = self.lambda.untag_resource().resource(arn).tag_keys(key);
        request.send().await.map(drop).map_err(failed(Call::UntagResource))
    }

    async fn resource(&self, stack: &str, logical_id: &str) -> Result<Option<String>, CloudError> {
        let request = self.cloudformation().describe_stack_resource().stack_name(stack).logical_resource_id(logical_id);
        let found = request.send().await.map_err(failed(Call::DescribeStackResource))?;
        let name = found.stack_resource_detail.and_then(|detail| detail.physical_resource_id);
        Ok(name.filter(|name| !name.is_empty()))
    }

    async fn publish(
        &self,
        function: &FunctionName,
        seen: &Configuration,
        description: Option<&str>,
    ) -> Result<Version, CloudError> {
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
        let version = published.version().unwrap_or_default();
        version.parse().map_err(|error| unreadable(operation, format!("{error}")))
    }

    async fn update_code(&self, function: &FunctionName, code: &Code) -> Result<String, CloudError> {
        let request = self.lambda.update_function_code().function_name(function.reference());
        let request = match code {
            Code::Zip(bytes) => request.zip_file(Blob::new(bytes.clone())),
            Code::Image(uri) => request.image_uri(uri),
        };
        let operation = Call::UpdateFunctionCode;
        let sent = request.customize().config_override(limits::upload()).send().await.map_err(failed(operation))?;
        sent.code_sha256.ok_or_else(|| unreadable(operation, "no CodeSha256"))
    }

    async fn provisioned(&self, subject: &Subject) -> Result<bool, CloudError> {
        let request = self
            .lambda
            .get_provisioned_concurrency_config()
            .function_name(subject.function.reference())
            .qualifier(&subject.alias);
        match request.send().await.map_err(failed(Call::GetProvisionedConcurrencyConfig)) {
            Ok(_) => Ok(true),
            Err(error) if error.code.as_deref() == Some("ProvisionedConcurrencyConfigNotFoundException") => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn alarms(&self, names: &[String], _known: Time) -> Result<Dated<Vec<AlarmSeen>>, CloudError> {
        let at = self.time();
        let described = self.describe(names).await?;
        let metric = described.metric.iter().map(|alarm| convert::metric_alarm(Call::DescribeAlarms, alarm));
        let composite = described.composite.iter().map(|alarm| convert::composite_alarm(Call::DescribeAlarms, alarm));
        Ok(Dated { at, answer: metric.chain(composite).collect::<Result<_, _>>()? })
    }

    async fn last_red(&self, name: &str, since: Time) -> Result<Option<Time>, CloudError> {
        let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let request = self
            .cloudwatch()
            .describe_alarm_history()
            .alarm_name(alarm_name(name))
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .history_item_type(HistoryItemType::StateUpdate)
            .start_date(DateTime::from_millis(since));
        let mut items = request.into_paginator().items().send();
        let mut in_alarm = None;
        while let Some(item) = items.next().await {
            let item = item.map_err(failed(Call::DescribeAlarmHistory))?;
            in_alarm = in_alarm.max(convert::went_red(item.timestamp(), item.history_data()));
        }
        Ok(in_alarm)
    }

    async fn counts(&self, pairs: &[VersionPair]) -> Dated<Vec<Result<Vec<MinuteCounts>, CloudError>>> {
        let at = self.time();
        Dated { at, answer: metrics::counts(self, pairs).await }
    }

    async fn baseline(&self, subject: &Subject, from: Time, to: Time, every: Duration) -> Result<Vec<Baseline>, CloudError> {
        metrics::baseline(self, subject, from, to, every).await
    }

    async fn managed_alarm(&self, name: &str) -> Result<Option<ManagedAlarm>, CloudError> {
        self.standing_alarm(name).await
    }

    async fn put_alarm(&self, rule: &AlarmRule, owner: &str) -> Result<(), CloudError> {
        self.put_rule(rule, owner).await
    }

    async fn reset_alarm(&self, name: &str) -> Result<(), CloudError> {
        self.clear_state(name).await
    }

    async fn alarm_names(&self, prefix: &str) -> Result<Vec<String>, CloudError> {
        let request = self
            .cloudwatch()
            .describe_alarms()
            .alarm_name_prefix(prefix)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm);
        let found = request.send().await.map_err(failed(Call::DescribeAlarms))?;
        let metric = found.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        let composite = found.composite_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        Ok(metric.chain(composite).map(str::to_owned).collect())
    }

    async fn event_sources(&self, function: &Qualified) -> Result<Vec<EventSource>, CloudError> {
        self.sources(function).await
    }

    async fn function_urls(&self, function: &FunctionName) -> Result<Vec<FunctionUrl>, CloudError> {
        self.urls(function).await
    }

    async fn policy(&self, function: &FunctionName) -> Result<Option<String>, CloudError> {
        self.own_policy(function).await
    }

    async fn calls(&self, function: &FunctionName, by: &[Option<String>], from: Time, to: Time) -> Result<Vec<f64>, CloudError> {
        metrics::calls(self, function, by, from, to).await
    }

    async fn watches(&self, names: &[String]) -> Result<Vec<Watch>, CloudError> {
        self.described(names).await
    }

    async fn invoke(&self, function: &Qualified, payload: &[u8], limit: Duration) -> Result<InvocationResult, CloudError> {
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

    async fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> Result<HttpHookResponse, CloudError> {
        self.send(url, payload, limit).await
    }

    async fn may_write(&self, subject: &Subject, write: &Write<'_>) -> Result<(), CloudError> {
        self.ask(subject, write).await
    }

    async fn invocable(&self, function: &Qualified) -> Result<(), CloudError> {
        let request = self
            .lambda
            .invoke()
            .function_name(function.reference())
            .set_qualifier(function.qualifier.clone())
            .invocation_type(InvocationType::DryRun);
        request.send().await.map(drop).map_err(failed(Call::Invoke))
    }
}
