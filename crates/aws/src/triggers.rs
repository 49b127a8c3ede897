//! Who else calls a function? Event source mappings, function URLs and the resource policy, as the port has them.

use aws_sdk_lambda::types::FunctionUrlConfig;
use controller::port::{Call, CloudError, EventSource, Failure, FunctionUrl};
use rollout::target::{FunctionName, Qualified};

use crate::connect::Aws;
use crate::error::failed;

impl Aws {
    pub(crate) async fn sources(&self, function: &Qualified) -> Result<Vec<EventSource>, CloudError> {
        let named = function.qualifier.iter().fold(function.reference(), |name, qualifier| format!("{name}:{qualifier}"));
        let request = self.lambda.list_event_source_mappings().function_name(named);
        let mut mappings = request.into_paginator().items().send();
        let mut sources = Vec::new();
        while let Some(mapping) = mappings.next().await {
            let mapping = mapping.map_err(failed(Call::ListEventSourceMappings))?;
            let at_rest = matches!(mapping.state(), Some("Disabled" | "Disabling" | "Deleting"));
            sources.push(EventSource {
                id: mapping.uuid.unwrap_or_default(),
                source: mapping.event_source_arn,
                function: mapping.function_arn.unwrap_or_default(),
                active: !at_rest,
            });
        }
        Ok(sources)
    }

    pub(crate) async fn urls(&self, function: &FunctionName) -> Result<Vec<FunctionUrl>, CloudError> {
        let request = self.lambda.list_function_url_configs().function_name(function.reference());
        let found = request.send().await.map_err(failed(Call::ListFunctionUrlConfigs))?;
        let told = |url: &FunctionUrlConfig| FunctionUrl {
            url: url.function_url().to_owned(),
            function: url.function_arn().to_owned(),
            auth: url.auth_type().as_str().to_owned(),
        };
        Ok(found.function_url_configs().iter().map(told).collect())
    }

    pub(crate) async fn own_policy(&self, function: &FunctionName) -> Result<Option<String>, CloudError> {
        match self.lambda.get_policy().function_name(function.reference()).send().await.map_err(failed(Call::GetPolicy)) {
            Ok(found) => Ok(found.policy),
            // A function without a policy is answered as one that does not exist.
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
