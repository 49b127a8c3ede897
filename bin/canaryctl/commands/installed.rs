//! What of a controller is there, and whose is it?

use std::time::Duration;

use aws::StackSeen;
use controller::port::{Clock, Cloud, Configuration, Failure as CallFailure, SCHEDULE_GROUP, TAG};
use rollout::target::Qualified;
use serde_json::Value;

use crate::error::Failure;
use crate::session::Session;
use crate::target::past::refused;

/// What is there of a controller of this name.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) stack: Option<StackSeen>,
    /// The stack's template, where it is JSON.
    pub(crate) template: Option<Value>,
    pub(crate) function: Option<Configuration>,
    /// The value of the function's tag `canaryctl`, and the stack that has the function.
    tags: (Option<String>, Option<String>),
    /// How asynchronous invocations are repeated.
    pub(crate) repeats: Option<(i32, i32)>,
    /// The schedules in the group, with the ARN of what each invokes; `None` without the group.
    pub(crate) schedules: Option<Vec<(String, String)>>,
}

impl Installed {
    /// Looks, once nothing is being deployed.
    pub(crate) async fn look(session: &Session, name: &str) -> Result<Self, Failure> {
        let aws = &session.aws;
        let stack = settled(session, name).await?;
        let template = if stack.is_some() { aws.template(name).await? } else { None };
        let template = template.and_then(|text| serde_json::from_str(&text).ok());
        let named = name.parse::<Qualified>().map_err(Failure::unexpected)?;
        let function = match aws.configuration(&named.function, None).await {
            Ok(found) => Some(found),
            Err(error) if error.failure == CallFailure::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let (mut tags, mut repeats) = ((None, None), None);
        if let Some(function) = &function {
            let mut found = aws.tags(&function.arn).await?;
            tags = (found.remove(TAG), found.remove(STACK_TAG));
            repeats = aws.repeats(name).await?;
        }
        let schedules = aws.schedules_in(SCHEDULE_GROUP).await?;
        Ok(Self { stack, template, function, tags, repeats, schedules })
    }

    /// Whether `install` made what is there.
    pub(crate) fn is_ours(&self, name: &str) -> Result<(), Failure> {
        let foreign =
            |what: &str, hint: &str| refused(&format!("{what} was not created by `canaryctl controller install`"), hint);
        if self.stack.as_ref().is_some_and(|stack| stack.tags.get(TAG).map(String::as_str) != Some(CONTROLLER_TAG)) {
            let hint = "a stack of `canaryctl controller template` is changed and deleted with the tool that deployed it; `--name` installs \
                        another one";
            return Err(foreign(&format!("the stack {name}"), hint));
        }
        let (ours, stack) = &self.tags;
        if self.function.is_some() && ours.as_deref() != Some(CONTROLLER_TAG) {
            let hint = stack.as_ref().map_or_else(
                || "`--name` installs another one".to_owned(),
                |stack| format!("the stack {stack} has it: change and delete it there; `--name` installs another one"),
            );
            return Err(foreign(&format!("the function {name}"), &hint));
        }
        Ok(())
    }

    /// Whether the stack has the group of schedules.
    pub(crate) fn has_group(&self) -> bool {
        self.resources().any(|resource| resource["Type"] == "AWS::Scheduler::ScheduleGroup")
    }

    /// The schedules of rollouts that would not continue without it: all in the stack's group but the stack's own, and where another stack has
    /// the group, those that invoke this function.
    pub(crate) fn rollouts(&self) -> Vec<&str> {
        let function = self.function.as_ref().map(|function| function.arn.as_str());
        let group = self.has_group();
        let own: Vec<&str> = self
            .resources()
            .filter(|resource| resource["Type"] == "AWS::Scheduler::Schedule")
            .filter_map(|schedule| schedule["Properties"]["Name"].as_str())
            .collect();
        let schedules = self.schedules.iter().flatten().filter(|(_, target)| group || Some(target.as_str()) == function);
        schedules.map(|(name, _)| name.as_str()).filter(|name| !own.contains(name)).collect()
    }

    fn resources(&self) -> impl Iterator<Item = &Value> {
        let resources = self.template.as_ref().and_then(|template| template["Resources"].as_object());
        resources.into_iter().flatten().map(|(_, resource)| resource)
    }
}

/// The stack once no deploy of it is in progress; `None` where there is none.
pub(crate) async fn settled(session: &Session, stack: &str) -> Result<Option<StackSeen>, Failure> {
    for _ in 0..TRIES {
        match session.aws.stack(stack).await? {
            Some(seen) if seen.status.ends_with("_IN_PROGRESS") && seen.status != "REVIEW_IN_PROGRESS" => {
                session.clock.sleep(EVERY).await;
            }
            seen => return Ok(seen),
        }
    }
    Err(Failure::unexpected(format!("the stack {stack} is being deployed for 30m\n  hint: run the same command again")))
}

/// The value of the tag `canaryctl` on what `install` makes.
pub(crate) const CONTROLLER_TAG: &str = "controller";

/// The tag by which a resource names its stack.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// How often to look whether a deploy is done, and how many times: half an hour.
const EVERY: Duration = Duration::from_secs(2);
const TRIES: u32 = 900;
