//! How are a stack and a function made, changed and deleted? For `canaryctl controller`: no rollout calls any of it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Capability, OnFailure, Tag};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, FunctionCode, Runtime};
use aws_sdk_scheduler::types::ScheduleSummary;
use controller::port::{Answer, Failure};
use rollout::target::FunctionName;

use crate::connect::Aws;
use crate::error::{failed, unreadable};
use crate::limits;
use crate::stacks::there;

/// A stack, as `CloudFormation` shows it.
#[derive(Clone, Debug, Default)]
pub struct StackSeen {
    /// Its id, by which it is found when it is deleted, too.
    pub id: String,
    /// `CREATE_COMPLETE` and the like.
    pub status: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// A function of a ZIP file on `provided.al2023`.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// In megabytes.
    pub memory: i32,
    /// In seconds.
    pub timeout: i32,
    /// The ARN of its role.
    pub role: String,
    /// Its tags, where it is created.
    pub tags: BTreeMap<String, String>,
}

/// What is done with a stack: the template and the tags that it shall have.
#[derive(Clone, Copy, Debug)]
pub struct StackSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its template, in JSON.
    pub template: &'a str,
    /// Its tags, which its resources carry, too.
    pub tags: &'a [(&'a str, &'a str)],
}

#[expect(clippy::missing_errors_doc, reason = "the port says which errors there are, for these as for all other calls")]
impl Aws {
    /// A stack by its name or id; `None` where there is none.
    pub async fn stack(&self, name: &str) -> Answer<Option<StackSeen>> {
        let request = self.cloudformation().describe_stacks().stack_name(name);
        let found = there(request.send().await.map_err(failed("DescribeStacks")))?;
        let stack = found.and_then(|found| found.stacks.unwrap_or_default().pop());
        Ok(stack.map(|stack| StackSeen {
            id: stack.stack_id.unwrap_or_default(),
            status: stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            tags: stack.tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect(),
            outputs: stack
                .outputs
                .unwrap_or_default()
                .into_iter()
                .filter_map(|out| Some((out.output_key?, out.output_value?)))
                .collect(),
        }))
    }

    /// Creates a stack, which deletes itself where that fails; gives its id.
    pub async fn create_stack(&self, spec: StackSpec<'_>) -> Answer<String> {
        let request = self.cloudformation().create_stack().stack_name(spec.name).template_body(spec.template);
        let request =
            request.set_tags(Some(tags(spec))).capabilities(Capability::CapabilityNamedIam).on_failure(OnFailure::Delete);
        let made = request.send().await.map_err(failed("CreateStack"))?;
        made.stack_id.ok_or_else(|| unreadable("CreateStack", "no id"))
    }

    /// Updates a stack; one that is like that already stays as it is.
    pub async fn update_stack(&self, spec: StackSpec<'_>) -> Answer<()> {
        let request = self.cloudformation().update_stack().stack_name(spec.name).template_body(spec.template);
        let request = request.set_tags(Some(tags(spec))).capabilities(Capability::CapabilityNamedIam);
        match request.send().await.map(drop).map_err(failed("UpdateStack")) {
            // The words are all there is to go by.
            Err(error) if error.message.starts_with("No updates are to be performed") => Ok(()),
            answer => answer,
        }
    }

    /// Begins to delete a stack.
    pub async fn delete_stack(&self, name: &str) -> Answer<()> {
        self.cloudformation().delete_stack().stack_name(name).send().await.map(drop).map_err(failed("DeleteStack"))
    }

    /// What went wrong first in the latest deploy of a stack: the resource and the reason.
    pub async fn stack_failure(&self, id: &str) -> Answer<Option<String>> {
        let found =
            self.cloudformation().describe_stack_events().stack_name(id).send().await.map_err(failed("DescribeStackEvents"))?;
        // The latest comes first; what failed first stands before what was cancelled for it.
        let mut failures = found.stack_events().iter().filter(|event| {
            let status = event.resource_status().map(aws_sdk_cloudformation::types::ResourceStatus::as_str).unwrap_or_default();
            let reason = event.resource_status_reason().unwrap_or_default();
            status.ends_with("_FAILED") && !reason.contains("cancelled")
        });
        Ok(failures.next_back().map(|event| {
            let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
            format!("{}: {}", part(event.logical_resource_id()), part(event.resource_status_reason()))
        }))
    }

    /// Creates a function.
    pub async fn create_function(&self, spec: &FunctionSpec, zip: &[u8]) -> Answer<()> {
        let request = self
            .lambda
            .create_function()
            .function_name(&spec.name)
            .description(&spec.description)
            .runtime(Runtime::Providedal2023)
            .handler(HANDLER)
            .architectures(Architecture::from(spec.architecture.as_str()))
            .memory_size(spec.memory)
            .timeout(spec.timeout)
            .role(&spec.role)
            .set_tags(Some(spec.tags.clone().into_iter().collect()))
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build());
        request.customize().config_override(limits::upload()).send().await.map(drop).map_err(failed("CreateFunction"))
    }

    /// Changes a function's code and architecture.
    pub async fn replace_code(&self, spec: &FunctionSpec, zip: &[u8]) -> Answer<()> {
        let request = self.lambda.update_function_code().function_name(&spec.name);
        let request = request.architectures(Architecture::from(spec.architecture.as_str())).zip_file(Blob::new(zip));
        request.customize().config_override(limits::upload()).send().await.map(drop).map_err(failed("UpdateFunctionCode"))
    }

    /// Changes a function's configuration.
    pub async fn configure_function(&self, spec: &FunctionSpec) -> Answer<()> {
        let request = self.lambda.update_function_configuration().function_name(&spec.name).description(&spec.description);
        let request = request.runtime(Runtime::Providedal2023).handler(HANDLER).memory_size(spec.memory);
        let request = request.timeout(spec.timeout).role(&spec.role);
        request.send().await.map(drop).map_err(failed("UpdateFunctionConfiguration"))
    }

    /// How asynchronous invocations are repeated: the attempts after the first, and the greatest age in seconds; `None` where nothing is set.
    pub async fn repeats(&self, function: &str) -> Answer<Option<(i32, i32)>> {
        let request = self.lambda.get_function_event_invoke_config().function_name(function);
        match request.send().await.map_err(failed("GetFunctionEventInvokeConfig")) {
            Ok(found) => Ok(found.maximum_retry_attempts.zip(found.maximum_event_age_in_seconds)),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets how asynchronous invocations are repeated, as [`Aws::repeats`] reads it.
    pub async fn set_repeats(&self, function: &str, (attempts, age): (i32, i32)) -> Answer<()> {
        let request = self.lambda.put_function_event_invoke_config().function_name(function);
        let request = request.maximum_retry_attempts(attempts).maximum_event_age_in_seconds(age);
        request.send().await.map(drop).map_err(failed("PutFunctionEventInvokeConfig"))
    }

    /// Deletes a function; one that is not there is deleted already.
    pub async fn delete_function(&self, function: &FunctionName) -> Answer<()> {
        let request = self.lambda.delete_function().function_name(function.reference());
        match request.send().await.map(drop).map_err(failed("DeleteFunction")) {
            Err(error) if error.failure == Failure::NotFound => Ok(()),
            answer => answer,
        }
    }

    /// The schedules in a group, by name, with the ARN of what each invokes; `None` where there is no such group.
    pub async fn schedules_in(&self, group: &str) -> Answer<Option<Vec<(String, String)>>> {
        // Asked for the schedules of none, other endpoints than AWS' own answer with an empty list.
        match self.scheduler().get_schedule_group().name(group).send().await.map(drop).map_err(failed("GetScheduleGroup")) {
            Err(error) if error.failure == Failure::NotFound => return Ok(None),
            answer => answer?,
        }
        let pages = self.scheduler().list_schedules().group_name(group).into_paginator().send();
        match self.pages("ListSchedules", pages).await {
            Ok(pages) => {
                let schedules = pages.into_iter().flat_map(|page| page.schedules);
                let target = |one: ScheduleSummary| Some((one.name?, one.target.map(|target| target.arn).unwrap_or_default()));
                Ok(Some(schedules.filter_map(target).collect()))
            }
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn tags(spec: StackSpec<'_>) -> Vec<Tag> {
    spec.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect()
}

/// What of the code is started.
const HANDLER: &str = "bootstrap";
