//! Which stack has a resource, and what is its template? Made for a few questions before anything begins.

use aws_sdk_cloudformation::types::TemplateStage;
use controller::port::{Answer, Call, CloudError, StackResource, StackResources};
use rollout::Time;

use crate::connect::Aws;
use crate::error::failed;

impl Aws {
    pub(crate) async fn owner_of(&self, physical_id: &str) -> Answer<Option<StackResources>> {
        let request = self.cloudformation().describe_stack_resources().physical_resource_id(physical_id);
        let found = there(request.send().await.map_err(failed(Call::DescribeStackResources)))?;
        let resources = found.and_then(|found| found.stack_resources).unwrap_or_default();
        let Some(first) = resources.first() else { return Ok(None) };
        let (name, id) = (first.stack_name.clone().unwrap_or_default(), first.stack_id.clone().unwrap_or_default());
        let resource = |resource: aws_sdk_cloudformation::types::StackResource| StackResource {
            logical_id: resource.logical_resource_id.unwrap_or_default(),
            physical_id: resource.physical_resource_id.filter(|id| !id.is_empty()),
            changed: resource.timestamp.and_then(|at| u64::try_from(at.to_millis().ok()?).ok()).map(Time::from_millis),
        };
        Ok(Some(StackResources { name, id, resources: resources.into_iter().map(resource).collect() }))
    }

    pub(crate) async fn root_of(&self, stack: &str) -> Answer<Option<String>> {
        let request = self.cloudformation().describe_stacks().stack_name(stack);
        let found = request.send().await.map_err(failed(Call::DescribeStacks))?;
        let root = found.stacks.unwrap_or_default().pop().and_then(|stack| stack.root_id);
        // `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID`
        Ok(root.map(|id| id.split('/').nth(1).unwrap_or(&id).to_owned()))
    }

    pub(crate) async fn template_of(&self, stack: &str) -> Answer<Option<String>> {
        let request = self.cloudformation().get_template().stack_name(stack).template_stage(TemplateStage::Processed);
        let found = there(request.send().await.map_err(failed(Call::GetTemplate)))?;
        Ok(found.map(|found| found.template_body.unwrap_or_default()))
    }
}

/// What was found, or nothing: of a stack that is missing, the words are all there is to go by.
pub(crate) fn there<T>(answer: Answer<T>) -> Answer<Option<T>> {
    let missing =
        |error: &CloudError| error.code.as_deref() == Some("ValidationError") && error.message.ends_with("does not exist");
    match answer {
        Err(error) if missing(&error) => Ok(None),
        answer => answer.map(Some),
    }
}
