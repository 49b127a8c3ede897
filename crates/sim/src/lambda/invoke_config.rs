//! How are asynchronous invocations retried, and who hears of them? Kept and shown for each qualifier; nothing acts on it.

use serde_json::{Value, json};

use super::call::Call;
use super::function::{InvokeConfig, Qualified};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::time::Time;

impl Lambda {
    pub(super) fn put_invoke_config(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let given = given(call)?;
        let (name, qualifier, _) = self.invoked(call)?;
        self.function_mut(&name)?.invoke_configs.insert(qualifier, (given, call.now));
        self.read_invoke_config(call)
    }

    pub(super) fn update_invoke_config(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let given = given(call)?;
        let (name, qualifier, arn) = self.invoked(call)?;
        let (known, at) = self.function_mut(&name)?.invoke_configs.get_mut(&qualifier).ok_or_else(|| missing(&arn))?;
        known.maximum_retry_attempts = given.maximum_retry_attempts.or(known.maximum_retry_attempts);
        known.maximum_event_age_in_seconds = given.maximum_event_age_in_seconds.or(known.maximum_event_age_in_seconds);
        known.destination_config = given.destination_config.or(known.destination_config.take());
        *at = call.now;
        self.read_invoke_config(call)
    }

    pub(super) fn read_invoke_config(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (name, qualifier, arn) = self.invoked(call)?;
        let found = self.function(&name)?.invoke_configs.get(&qualifier).ok_or_else(|| missing(&arn))?;
        Ok(Done::json(200, show(&arn, found)))
    }

    pub(super) fn delete_invoke_config(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (name, qualifier, arn) = self.invoked(call)?;
        let removed = self.function_mut(&name)?.invoke_configs.remove(&qualifier);
        removed.map(|_| Done::empty(204)).ok_or_else(|| missing(&arn))
    }

    pub(super) fn list_invoke_configs(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let target = self.place.parse(&call.target)?;
        let configs = self.function(&target.name)?.invoke_configs.iter();
        let shown = configs.map(|(qualifier, config)| show(&self.place.qualified(&target.name, written(qualifier)), config));
        Done::list(call, "FunctionEventInvokeConfigs", shown.collect())
    }

    /// The function, the qualifier (empty for `$LATEST`), and the ARN of both.
    fn invoked(&self, call: &Call<'_>) -> Result<(String, String, String), Refusal> {
        let (target, meant) = self.target(call)?;
        let qualifier = match meant {
            Qualified::Latest => String::new(),
            Qualified::Version(number) => number.to_string(),
            Qualified::Alias(alias) => alias,
        };
        let arn = self.place.qualified(&target.name, written(&qualifier));
        Ok((target.name, qualifier, arn))
    }
}

fn written(qualifier: &str) -> &str {
    if qualifier.is_empty() { "$LATEST" } else { qualifier }
}

fn given(call: &Call<'_>) -> Result<InvokeConfig, Refusal> {
    let given: InvokeConfig = call.input()?;
    Violations::check(|broken| {
        broken.range(given.maximum_retry_attempts, "maximumRetryAttempts", 0, 2);
        broken.range(given.maximum_event_age_in_seconds, "maximumEventAgeInSeconds", 60, 21_600);
    })?;
    if given == InvokeConfig::default() {
        return Err(Refusal::invalid("You must specify at least one of error handling or destination setting."));
    }
    Ok(given)
}

fn missing(arn: &str) -> Refusal {
    Refusal::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
}

fn show(arn: &str, (config, at): &(InvokeConfig, Time)) -> Value {
    let nobody = || json!({"OnSuccess": {}, "OnFailure": {}});
    json!({
        "LastModified": at.as_secs(),
        "FunctionArn": arn,
        "MaximumRetryAttempts": config.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": config.maximum_event_age_in_seconds,
        "DestinationConfig": config.destination_config.clone().unwrap_or_else(nobody),
    })
}
