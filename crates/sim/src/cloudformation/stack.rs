//! What is a stack? As a scenario, a test or a template has it, and as it stands in an account.

use serde_json::{Value, json};

use crate::time::Time;
use crate::value::Fault;

/// A stack, as a scenario or a test sets it up.
#[derive(Clone, Debug)]
#[must_use]
pub struct Stack {
    pub(crate) name: String,
    pub(super) status: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) outputs: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) resources: Vec<Resource>,
    pub(super) template: Option<String>,
    /// The name of the stack that it is nested in.
    pub(super) root: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) logical: String,
    pub(crate) kind: String,
    /// None while it is being created.
    pub(crate) physical: Option<String>,
    /// When it was last changed, where that was not with the stack.
    pub(super) changed: Option<Time>,
}

impl Stack {
    /// An empty stack whose creation is complete.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            parameters: Vec::new(),
            outputs: Vec::new(),
            tags: Vec::new(),
            resources: Vec::new(),
            template: None,
            root: None,
        }
    }

    /// With a template, in JSON or YAML: what `GetTemplate` gives, processed or not, for there are no macros here. Without one the stack has
    /// a template that names its resources and no more.
    pub fn template(self, body: &str) -> Self {
        Self { template: Some(body.to_owned()), ..self }
    }

    /// Nested in the stack of this name, which is there already.
    pub fn nested_in(self, root: &str) -> Self {
        Self { root: Some(root.to_owned()), ..self }
    }

    /// The resource that was added last was last changed then, and not with the stack.
    pub fn changed(mut self, at: Time) -> Self {
        if let Some(resource) = self.resources.last_mut() {
            resource.changed = Some(at);
        }
        self
    }

    /// In this status, as AWS spells it. A stack in `DELETE_COMPLETE` is found by its id only.
    pub fn status(self, status: &str) -> Self {
        Self { status: status.to_owned(), ..self }
    }

    /// With a parameter.
    pub fn parameter(mut self, key: &str, value: &str) -> Self {
        self.parameters.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With an output.
    pub fn output(mut self, key: &str, value: &str) -> Self {
        self.outputs.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With a tag, which its functions carry too.
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With a resource of a kind such as `AWS::Lambda::Function`, by the name it has in the account.
    pub fn resource(mut self, logical: &str, kind: &str, physical: &str) -> Self {
        let (logical, kind, physical) = (logical.to_owned(), kind.to_owned(), Some(physical.to_owned()));
        self.resources.push(Resource { logical, kind, physical, changed: None });
        self
    }

    /// With a resource that is still being created and has no name yet.
    pub fn unfinished_resource(mut self, logical: &str, kind: &str) -> Self {
        self.resources.push(Resource { logical: logical.to_owned(), kind: kind.to_owned(), physical: None, changed: None });
        self
    }
}

#[derive(Debug)]
pub(super) struct Standing {
    pub(super) id: String,
    created: Time,
    pub(super) stack: Stack,
    /// The id of the stack that it is nested in.
    root: Option<String>,
    pub(super) deploy: Option<Deploy>,
    /// What went wrong, the latest last.
    pub(super) events: Vec<Value>,
}

impl Standing {
    pub(super) fn is_deleted(&self) -> bool {
        self.stack.status == "DELETE_COMPLETE"
    }

    /// Whether a caller who says `name` means this one.
    pub(super) fn is(&self, name: &str) -> bool {
        self.id == name || (self.stack.name == name && !self.is_deleted())
    }

    /// What is said of a resource in every answer; `stamp` is the name of its last change's time there.
    pub(super) fn resource(&self, resource: &Resource, stamp: &str) -> Value {
        json!({
            "StackName": self.stack.name,
            "StackId": self.id,
            "LogicalResourceId": resource.logical,
            "PhysicalResourceId": resource.physical,
            "ResourceType": resource.kind,
            stamp: resource.changed.unwrap_or(self.created),
            "ResourceStatus": if resource.physical.is_some() { "CREATE_COMPLETE" } else { "CREATE_IN_PROGRESS" },
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        })
    }

    pub(super) fn described(&self) -> Value {
        let pairs = |pairs: &[(String, String)], key: &str, value: &str| -> Value {
            pairs.iter().map(|(left, right)| json!({ key: left, value: right })).collect()
        };
        let Stack { name, status, parameters, outputs, tags, .. } = &self.stack;
        // One level of nesting is all there is here.
        let root = &self.root;
        json!({
            "StackId": self.id,
            "StackName": name,
            "Parameters": pairs(parameters, "ParameterKey", "ParameterValue"),
            "CreationTime": self.created,
            "DeletionTime": self.is_deleted().then_some(self.created),
            "RollbackConfiguration": {},
            "StackStatus": status,
            "DisableRollback": false,
            "NotificationARNs": [],
            "Outputs": pairs(outputs, "OutputKey", "OutputValue"),
            "Tags": pairs(tags, "Key", "Value"),
            "EnableTerminationProtection": false,
            "ParentId": root,
            "RootId": root,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        })
    }
}

/// What a deploy comes to, and when.
#[derive(Debug)]
pub(super) struct Deploy {
    pub(super) ends: Time,
    pub(super) status: &'static str,
}

/// The stacks of an account.
#[derive(Debug)]
pub(super) struct Stacks {
    pub(super) arn_prefix: String,
    pub(super) all: Vec<Standing>,
}

impl Stacks {
    pub(super) fn new(account: &str, region: &str) -> Self {
        Self { arn_prefix: format!("arn:aws:cloudformation:{region}:{account}:stack/"), all: Vec::new() }
    }

    /// Creates a stack and returns its id; none if one of that name is there.
    pub(super) fn insert(&mut self, now: Time, stack: Stack, uuid: &str) -> Option<String> {
        if self.all.iter().any(|standing| standing.is(&stack.name)) {
            return None;
        }
        let id = format!("{}{}/{uuid}", self.arn_prefix, stack.name);
        let root = stack.root.as_ref().and_then(|root| self.all.iter().find(|standing| standing.is(root)));
        let root = root.map(|standing| standing.id.clone());
        self.all.push(Standing { id: id.clone(), created: now, stack, root, deploy: None, events: Vec::new() });
        Some(id)
    }
}

pub(super) fn text<'v>(request: &'v Value, name: &str) -> Option<&'v str> {
    request.get(name)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn required<'v>(request: &'v Value, name: &str) -> Result<&'v str, Fault> {
    text(request, name).ok_or_else(|| Fault::constraint(name, "null", "Member must not be null"))
}
