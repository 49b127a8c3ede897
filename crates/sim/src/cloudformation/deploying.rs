//! What becomes of a stack that is created, updated or deleted by a call? It has the resources of its template, and after a while it is done.
//!
//! Templates in JSON only. Of the resources only groups of schedules are made and deleted here, by the scheduler itself; all others are names
//! that the stack has. Sentences that are not in AWS' documentation are a guess.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::stack::{Deploy, Resource, Stack, Stacks, Standing, required, text};
use crate::scheduler::Scheduler;
use crate::time::Time;
use crate::value::Fault;

/// What a call to deploy needs beside the stacks.
pub(crate) struct Around<'a> {
    pub(crate) now: Time,
    pub(crate) uuid: &'a str,
    /// How long a deploy takes.
    pub(crate) settle: Duration,
    pub(crate) scheduler: &'a mut Scheduler,
}

impl Stacks {
    /// Ends the deploys whose time has come.
    pub(super) fn settle(&mut self, now: Time) {
        for standing in &mut self.all {
            if let Some(Deploy { status, .. }) = standing.deploy.take_if(|deploy| deploy.ends <= now) {
                status.clone_into(&mut standing.stack.status);
            }
        }
    }

    pub(super) fn create(&mut self, request: &Value, around: &mut Around<'_>) -> Result<Value, Fault> {
        let name = required(request, "StackName")?;
        if self.all.iter().any(|standing| standing.is(name)) {
            return Err(client("AlreadyExistsException", format!("Stack [{name}] already exists")));
        }
        let template = Template::read(request)?;
        let failed = make_groups(&template.groups(), around);
        let stack = self.made(Stack { tags: tags(request), ..Stack::new(name) }, &template, around.uuid);
        let id = self.insert(around.now, stack, around.uuid).unwrap_or_default();
        let (status, then) = match (&failed, text(request, "OnFailure")) {
            (None, _) => ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
            (Some(_), Some("DELETE")) => ("CREATE_IN_PROGRESS", "DELETE_COMPLETE"),
            (Some(_), _) => ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        };
        self.begin(&id, (status, then), failed, around);
        Ok(json!({"StackId": id}))
    }

    pub(super) fn update(&mut self, request: &Value, around: &mut Around<'_>) -> Result<Value, Fault> {
        let name = required(request, "StackName")?;
        let missing = || Fault::validation(format!("Stack [{name}] does not exist"));
        let place = self.all.iter().position(|standing| standing.is(name)).ok_or_else(missing)?;
        let Standing { id, stack, .. } = &self.all[place];
        let (id, stack) = (id.clone(), stack.clone());
        if !["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&stack.status.as_str()) {
            return Err(Fault::validation(format!("Stack:{id} is in {} state and can not be updated.", stack.status)));
        }
        let template = Template::read(request)?;
        let old = stack.template.as_deref().and_then(|body| Template::of(body).ok());
        if old.as_ref().is_some_and(|old| old.body == template.body) && stack.tags == tags(request) {
            return Err(Fault::validation("No updates are to be performed."));
        }
        let before = old.map(|old| old.groups()).unwrap_or_default();
        let after = template.groups();
        let added: Vec<String> = after.iter().filter(|name| !before.contains(name)).cloned().collect();
        let failed = make_groups(&added, around);
        if failed.is_some() {
            self.begin(&id, ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"), failed, around);
            return Ok(json!({"StackId": id}));
        }
        drop_groups(before.iter().filter(|name| !after.contains(name)), around);
        let kept = stack.resources.clone();
        let mut stack = self.made(Stack { tags: tags(request), ..stack }, &template, around.uuid);
        for resource in &mut stack.resources {
            if let Some(known) = kept.iter().find(|known| (&known.logical, &known.kind) == (&resource.logical, &resource.kind)) {
                resource.physical.clone_from(&known.physical);
            }
        }
        self.all[place].stack = stack;
        self.begin(&id, ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"), None, around);
        Ok(json!({"StackId": id}))
    }

    /// One that is not there is deleted already.
    pub(super) fn delete(&mut self, request: &Value, around: &mut Around<'_>) -> Result<Value, Fault> {
        let name = required(request, "StackName")?;
        let Some(standing) = self.all.iter().find(|standing| standing.is(name)) else { return Ok(json!({})) };
        let id = standing.id.clone();
        let template = standing.stack.template.as_deref().and_then(|body| Template::of(body).ok());
        drop_groups(template.map(|template| template.groups()).unwrap_or_default().iter(), around);
        self.begin(&id, ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"), None, around);
        Ok(json!({}))
    }

    /// What has happened to a stack, the latest first.
    pub(super) fn events(&self, request: &Value) -> Result<Value, Fault> {
        let name = required(request, "StackName")?;
        let missing = || Fault::validation(format!("Stack [{name}] does not exist"));
        let standing = self.all.iter().find(|standing| standing.is(name)).ok_or_else(missing)?;
        Ok(json!({"StackEvents": standing.events.iter().rev().collect::<Vec<_>>()}))
    }

    fn begin(&mut self, id: &str, (status, then): (&str, &'static str), failed: Option<(String, String)>, around: &Around<'_>) {
        let Some(standing) = self.all.iter_mut().find(|standing| standing.id == id) else { return };
        status.clone_into(&mut standing.stack.status);
        standing.deploy = Some(Deploy { ends: around.now + around.settle, status: then });
        if let Some((group, reason)) = failed {
            let verb = status.split('_').next().unwrap_or_default();
            standing.events.push(json!({
                "StackId": id, "EventId": around.uuid, "StackName": standing.stack.name, "LogicalResourceId": group,
                "ResourceType": GROUP, "Timestamp": around.now, "ResourceStatus": format!("{verb}_FAILED"), "ResourceStatusReason": reason,
            }));
        }
    }

    /// The stack with the resources and outputs of a template.
    fn made(&self, stack: Stack, template: &Template, uuid: &str) -> Stack {
        let resources = template.resources().map(|(logical, resource)| {
            let physical = Template::name(resource).unwrap_or_else(|| format!("{}-{logical}-{}", stack.name, &uuid[..8]));
            let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
            Resource { logical: logical.clone(), kind, physical: Some(self.filled(&physical)), changed: None }
        });
        let resources: Vec<Resource> = resources.collect();
        let named = |logical: &Value| resources.iter().find(|resource| Some(resource.logical.as_str()) == logical.as_str());
        let outputs = template.body["Outputs"].as_object().into_iter().flatten().map(|(key, output)| {
            let value = &output["Value"];
            let physical = |resource: &Resource| resource.physical.clone().unwrap_or_default();
            let value = match (named(&value["Ref"]), named(&value["Fn::GetAtt"][0]), value.as_str().or(value["Fn::Sub"].as_str()))
            {
                (Some(resource), ..) => physical(resource),
                (_, Some(resource), _) => self.arn_of(&resource.kind, &physical(resource)),
                (None, None, text) => self.filled(text.unwrap_or_default()),
            };
            (key.clone(), value)
        });
        let outputs = outputs.collect();
        Stack { outputs, template: Some(template.body.to_string()), resources, ..stack }
    }

    /// `Fn::GetAtt` of an `Arn`.
    fn arn_of(&self, kind: &str, physical: &str) -> String {
        let (region, account) = self.place();
        match kind {
            "AWS::IAM::Role" => format!("arn:aws:iam::{account}:role/{physical}"),
            "AWS::Lambda::Function" => format!("arn:aws:lambda:{region}:{account}:function:{physical}"),
            "AWS::Logs::LogGroup" => format!("arn:aws:logs:{region}:{account}:log-group:{physical}:*"),
            _ => physical.to_owned(),
        }
    }

    /// A text with the pseudo parameters filled in.
    fn filled(&self, text: &str) -> String {
        let (region, account) = self.place();
        text.replace("${AWS::Region}", region).replace("${AWS::AccountId}", account).replace("${AWS::Partition}", "aws")
    }

    fn place(&self) -> (&str, &str) {
        let mut parts = self.arn_prefix.split(':').skip(3);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }
}

/// A template that was read.
struct Template {
    body: Value,
}

impl Template {
    fn of(text: &str) -> Result<Self, Fault> {
        let unread = |_| Fault::validation("Template format error: unsupported structure.");
        let body: Value = serde_json::from_str(text).map_err(unread)?;
        let any = body["Resources"].as_object().is_some_and(|resources| !resources.is_empty());
        let none = || Fault::validation("Template format error: At least one Resources member must be defined.");
        any.then_some(Self { body }).ok_or_else(none)
    }

    /// The template of a request, with what it may make of roles.
    fn read(request: &Value) -> Result<Self, Fault> {
        let text = required(request, "TemplateBody")?;
        if text.len() > LONGEST {
            return Err(Fault::constraint(
                "TemplateBody",
                "...",
                &format!("Member must have length less than or equal to {LONGEST}"),
            ));
        }
        let template = Self::of(text)?;
        let allowed: Vec<&str> = request["Capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let is_role = |resource: &Value| resource["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::IAM::"));
        let roles: Vec<&Value> = template.resources().map(|(_, resource)| resource).filter(|one| is_role(one)).collect();
        let named = roles.iter().any(|role| !role["Properties"]["RoleName"].is_null());
        let needed = if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" };
        if !roles.is_empty() && !allowed.iter().any(|one| *one == needed || *one == "CAPABILITY_NAMED_IAM") {
            return Err(client("InsufficientCapabilitiesException", format!("Requires capabilities : [{needed}]")));
        }
        Ok(template)
    }

    fn resources(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.body["Resources"].as_object().into_iter().flat_map(Map::iter)
    }

    /// The name that the template gives a resource.
    fn name(resource: &Value) -> Option<String> {
        let property = NAMES.iter().find_map(|name| resource["Properties"].get(name))?;
        property.as_str().or_else(|| property["Fn::Sub"].as_str()).map(str::to_owned)
    }

    /// The groups of schedules in it, by name.
    fn groups(&self) -> Vec<String> {
        let groups = self.resources().filter(|(_, resource)| resource["Type"] == GROUP);
        groups.filter_map(|(_, resource)| Self::name(resource)).collect()
    }
}

/// Makes groups of schedules; none of them if one is there, and why.
fn make_groups(names: &[String], around: &mut Around<'_>) -> Option<(String, String)> {
    if let Some(there) = names.iter().find(|name| around.scheduler.has_group(name)) {
        return Some((there.clone(), format!("Resource of type '{GROUP}' with identifier '{there}' already exists.")));
    }
    for name in names {
        around.scheduler.furnish_group(around.now, name);
    }
    None
}

fn drop_groups<'a>(names: impl Iterator<Item = &'a String>, around: &mut Around<'_>) {
    for name in names {
        around.scheduler.drop_group(name);
    }
}

fn tags(request: &Value) -> Vec<(String, String)> {
    let tags = request["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()))).collect()
}

fn client(code: &'static str, message: String) -> Fault {
    Fault { status: 400, code: code.into(), message }
}

const GROUP: &str = "AWS::Scheduler::ScheduleGroup";

/// The properties by which resources are named.
const NAMES: [&str; 6] = ["RoleName", "FunctionName", "StateMachineName", "LogGroupName", "AlarmName", "Name"];

/// The longest template that a call may carry, in bytes.
const LONGEST: usize = 51_200;
