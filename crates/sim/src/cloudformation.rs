//! Which stacks are there, and what are the names of their resources? CloudFormation, read-only.
//!
//! Scenarios and tests set the stacks up. Nothing is deployed; a template is a text that is given back.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::query::{self, Dialect};
use crate::response::response;
use crate::time::Time;
use crate::value::{Fault, merged, present};

/// A stack, as a scenario or a test sets it up.
#[derive(Clone, Debug)]
#[must_use]
pub struct Stack {
    pub(crate) name: String,
    status: String,
    parameters: Vec<(String, String)>,
    outputs: Vec<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) resources: Vec<Resource>,
    template: Option<String>,
    /// The name of the stack that it is nested in.
    root: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) logical: String,
    pub(crate) kind: String,
    /// None while it is being created.
    pub(crate) physical: Option<String>,
    /// When it was last changed, where that was not with the stack.
    changed: Option<Time>,
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
struct Standing {
    id: String,
    created: Time,
    stack: Stack,
    /// The id of the stack that it is nested in.
    root: Option<String>,
}

impl Standing {
    fn is_deleted(&self) -> bool {
        self.stack.status == "DELETE_COMPLETE"
    }

    /// Whether a caller who says `name` means this one.
    fn is(&self, name: &str) -> bool {
        self.id == name || (self.stack.name == name && !self.is_deleted())
    }

    /// What is said of a resource in every answer; `stamp` is the name of its last change's time there.
    fn resource(&self, resource: &Resource, stamp: &str) -> Value {
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

    fn described(&self) -> Value {
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

#[derive(Debug)]
pub(crate) struct CloudFormation {
    arn_prefix: String,
    stacks: Vec<Standing>,
}

impl CloudFormation {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { arn_prefix: format!("arn:aws:cloudformation:{region}:{account}:stack/"), stacks: Vec::new() }
    }

    /// Creates a stack and returns its id; none if one of that name is there.
    pub(crate) fn insert(&mut self, now: Time, stack: Stack, uuid: &str) -> Option<String> {
        if self.stacks.iter().any(|standing| standing.is(&stack.name)) {
            return None;
        }
        let id = format!("{}{}/{uuid}", self.arn_prefix, stack.name);
        let root = stack.root.as_ref().and_then(|root| self.stacks.iter().find(|standing| standing.is(root)));
        let root = root.map(|standing| standing.id.clone());
        self.stacks.push(Standing { id: id.clone(), created: now, stack, root });
        Some(id)
    }

    /// The operation a request asks for; `None` if it is not for `CloudFormation`.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
        query::recognise(&DIALECT, request)
    }

    /// The stack that a request names; empty for none.
    pub(crate) fn resource(request: &Request<Bytes>) -> String {
        let parameters = query::decode(query::form(request).unwrap_or_default()).unwrap_or_default();
        text(&parameters, "StackName").unwrap_or_default().to_owned()
    }

    /// A stack as a denial names it.
    pub(crate) fn arn(&self, resource: &str) -> String {
        if resource.is_empty() {
            return "*".to_owned();
        }
        if resource.starts_with("arn:") { resource.to_owned() } else { format!("{}{resource}/*", self.arn_prefix) }
    }

    pub(crate) fn answer(&self, operation: &str, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let parameters = query::decode(query::form(request).unwrap_or_default());
        match parameters.and_then(|parameters| self.perform(operation, &parameters)) {
            Ok(value) => (response(200, "text/xml", query::answer(&DIALECT, operation, Some(&present(value)), id), id), None),
            Err(fault) => (Self::refuse(&fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal, be it before `CloudFormation` handles the request: throttling, denial, failure.
    pub(crate) fn refuse(fault: &Fault, request_id: &str) -> Response<Bytes> {
        response(fault.status, "text/xml", query::refusal(&DIALECT, fault, request_id), request_id)
    }

    fn perform(&self, operation: &str, request: &Value) -> Result<Value, Fault> {
        match operation {
            "DescribeStackResource" => self.describe_resource(request),
            "DescribeStackResources" => self.describe_resources(request),
            "DescribeStacks" => self.describe_stacks(request),
            "GetTemplate" => self.template(request),
            other => Err(Fault {
                status: 400,
                code: "InvalidAction".into(),
                message: format!("Could not find operation {other} for version {}", DIALECT.version),
            }),
        }
    }

    fn describe_resource(&self, request: &Value) -> Result<Value, Fault> {
        let (stack, logical) = (required(request, "StackName")?, required(request, "LogicalResourceId")?);
        // This operation alone quotes the name.
        let missing = || Fault::validation(format!("Stack '{stack}' does not exist"));
        let standing = self.stacks.iter().find(|standing| standing.is(stack)).ok_or_else(missing)?;
        let resource = standing.stack.resources.iter().find(|resource| resource.logical == logical);
        let resource = resource.ok_or_else(|| no_resource(logical, stack))?;
        let detail = merged(standing.resource(resource, "LastUpdatedTimestamp"), json!({"Metadata": "{}"}));
        Ok(json!({ "StackResourceDetail": detail }))
    }

    fn describe_resources(&self, request: &Value) -> Result<Value, Fault> {
        let logical = text(request, "LogicalResourceId");
        let (standing, stack) = match (text(request, "StackName"), text(request, "PhysicalResourceId")) {
            (Some(stack), None) => (self.named(stack)?, stack),
            (None, Some(physical)) => {
                let owns = |standing: &&Standing| {
                    let named = |resource: &Resource| resource.physical.as_deref() == Some(physical);
                    !standing.is_deleted() && standing.stack.resources.iter().any(named)
                };
                let missing = || Fault::validation(format!("Stack for {physical} does not exist"));
                (self.stacks.iter().find(owns).ok_or_else(missing)?, physical)
            }
            (Some(_), Some(_)) => {
                return Err(Fault::validation("StackName and PhysicalResourceId cannot both be specified"));
            }
            (None, None) => return Err(Fault::validation("Either StackName or PhysicalResourceId must be specified")),
        };
        let wanted = |resource: &&Resource| logical.is_none_or(|logical| resource.logical == logical);
        let found: Vec<_> = standing.stack.resources.iter().filter(wanted).take(PAGE).collect();
        if let (Some(logical), true) = (logical, found.is_empty()) {
            return Err(no_resource(logical, stack));
        }
        let shown: Value = found.into_iter().map(|resource| standing.resource(resource, "Timestamp")).collect();
        Ok(json!({ "StackResources": shown }))
    }

    fn describe_stacks(&self, request: &Value) -> Result<Value, Fault> {
        if let Some(stack) = text(request, "StackName") {
            return Ok(json!({"Stacks": [self.named(stack)?.described()]}));
        }
        let all: Vec<_> = self.stacks.iter().filter(|standing| !standing.is_deleted()).collect();
        let start = match text(request, "NextToken") {
            None => 0,
            Some(token) => {
                let start = token.strip_prefix("after-").and_then(|count| count.parse().ok());
                start.filter(|start| *start < all.len()).ok_or_else(|| Fault::validation("Invalid NextToken"))?
            }
        };
        let end = all.len().min(start + PAGE);
        let shown: Value = all.iter().skip(start).take(PAGE).map(|standing| standing.described()).collect();
        let next = (end < all.len()).then(|| format!("after-{end}"));
        Ok(json!({"Stacks": shown, "NextToken": next}))
    }

    fn template(&self, request: &Value) -> Result<Value, Fault> {
        let standing = self.named(required(request, "StackName")?)?;
        if let Some(stage) = text(request, "TemplateStage").filter(|stage| !STAGES.contains(stage)) {
            let rule = "Member must satisfy enum value set: [Original, Processed]";
            return Err(Fault::constraint("TemplateStage", stage, rule));
        }
        let named = |resource: &Resource| (resource.logical.clone(), json!({"Type": resource.kind}));
        let bare = || json!({"Resources": standing.stack.resources.iter().map(named).collect::<Value>()}).to_string();
        let body = standing.stack.template.clone().unwrap_or_else(bare);
        Ok(json!({"TemplateBody": body, "StagesAvailable": STAGES}))
    }

    fn named(&self, stack: &str) -> Result<&Standing, Fault> {
        let missing = || Fault::validation(format!("Stack with id {stack} does not exist"));
        self.stacks.iter().find(|standing| standing.is(stack)).ok_or_else(missing)
    }
}

fn no_resource(logical: &str, stack: &str) -> Fault {
    Fault::validation(format!("Resource {logical} does not exist for stack {stack}"))
}

fn text<'v>(request: &'v Value, name: &str) -> Option<&'v str> {
    request.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn required<'v>(request: &'v Value, name: &str) -> Result<&'v str, Fault> {
    text(request, name).ok_or_else(|| Fault::constraint(name, "null", "Member must not be null"))
}

const DIALECT: Dialect = Dialect { version: "2010-05-15", namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/" };

/// The forms in which a template is given.
const STAGES: [&str; 2] = ["Original", "Processed"];

/// Stacks in a page, and resources in the one answer that has no pages.
const PAGE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> CloudFormation {
        let mut cloud = CloudFormation::new("111111111111", "us-east-1");
        let stack = Stack::new("shop")
            .status("UPDATE_COMPLETE")
            .parameter("Stage", "prod")
            .output("Name", "hello <&>")
            .tag("team", "greeting")
            .resource("HelloFunction", "AWS::Lambda::Function", "hello")
            .unfinished_resource("Late", "AWS::SQS::Queue");
        cloud.insert(Time::from_millis(1_795_442_580_000), stack, "u-1").unwrap();
        cloud.insert(Time::from_millis(0), Stack::new("gone").status("DELETE_COMPLETE"), "u-2").unwrap();
        cloud
    }

    fn ask(cloud: &CloudFormation, question: &str) -> (u16, String) {
        let request = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from(format!("Version=2010-05-15&Action={question}")))
            .unwrap();
        let operation = CloudFormation::operation(&request).unwrap();
        let (response, code) = cloud.answer(&operation, &request, "id");
        assert_eq!(response.status() == 200, code.is_none());
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn a_resource_has_a_name_once_it_is_made() {
        let (status, shown) = ask(&shop(), "DescribeStackResource&StackName=shop&LogicalResourceId=HelloFunction");
        assert_eq!(status, 200);
        for part in [
            "<DescribeStackResourceResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">",
            "<StackId>arn:aws:cloudformation:us-east-1:111111111111:stack/shop/u-1</StackId>",
            "<PhysicalResourceId>hello</PhysicalResourceId>",
            "<ResourceType>AWS::Lambda::Function</ResourceType>",
            "<LastUpdatedTimestamp>2026-11-23T14:03:00.000Z</LastUpdatedTimestamp>",
            "<ResourceStatus>CREATE_COMPLETE</ResourceStatus>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let (_, shown) = ask(&shop(), "DescribeStackResources&StackName=shop");
        assert_eq!((shown.matches("<member>").count(), shown.matches("<PhysicalResourceId>").count()), (2, 1), "{shown}");
        let (_, by_name) = ask(&shop(), "DescribeStackResources&PhysicalResourceId=hello");
        assert_eq!(by_name, shown, "the whole stack of that resource");
    }

    #[test]
    fn what_is_not_there_is_missed_in_each_operations_own_words() {
        for (question, message) in [
            ("DescribeStackResource&StackName=no&LogicalResourceId=F", "Stack &apos;no&apos; does not exist"),
            ("DescribeStackResource&StackName=shop&LogicalResourceId=F", "Resource F does not exist for stack shop"),
            ("DescribeStackResource&StackName=shop", "Value null at &apos;logicalResourceId&apos;"),
            ("DescribeStackResources&StackName=no", "Stack with id no does not exist"),
            ("DescribeStackResources&StackName=shop&LogicalResourceId=F", "Resource F does not exist for stack shop"),
            ("DescribeStackResources&PhysicalResourceId=no", "Stack for no does not exist"),
            ("DescribeStackResources&PhysicalResourceId=hello&StackName=shop", "cannot both"),
            ("DescribeStackResources", "Either StackName or PhysicalResourceId"),
            ("GetTemplate&StackName=no", "Stack with id no does not exist"),
            ("GetTemplate", "Value null at &apos;stackName&apos;"),
            ("GetTemplate&StackName=shop&TemplateStage=Raw", "enum value set: [Original, Processed]"),
            ("DescribeStacks&StackName=gone", "Stack with id gone does not exist"),
            ("DescribeStacks&NextToken=no", "Invalid NextToken"),
        ] {
            let (status, shown) = ask(&shop(), question);
            assert!(status == 400 && shown.contains("<Code>ValidationError</Code>"), "{question}: {shown}");
            assert!(shown.contains(message), "{question}: {shown}");
        }
        assert!(ask(&shop(), "CreateStack").1.contains("<Code>InvalidAction</Code>"));
    }

    #[test]
    fn a_stack_is_told_with_all_that_hangs_on_it_and_a_deleted_one_by_its_id_only() {
        let (_, shown) = ask(&shop(), "DescribeStacks");
        for part in [
            "<ParameterKey>Stage</ParameterKey><ParameterValue>prod</ParameterValue>",
            "<OutputKey>Name</OutputKey><OutputValue>hello &lt;&amp;&gt;</OutputValue>",
            "<Key>team</Key><Value>greeting</Value>",
            "<StackStatus>UPDATE_COMPLETE</StackStatus>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("gone"), "{shown}");
        let (status, shown) =
            ask(&shop(), "DescribeStacks&StackName=arn:aws:cloudformation:us-east-1:111111111111:stack/gone/u-2");
        assert!(status == 200 && shown.contains("<StackStatus>DELETE_COMPLETE</StackStatus>"), "{shown}");
    }

    #[test]
    fn a_template_is_given_back_as_it_is_and_a_nested_stack_names_its_root() {
        let mut cloud = shop();
        let inner = Stack::new("inner").nested_in("shop").template("Resources: {A: {Type: 'X<Y>'}}").resource("A", "X", "a");
        cloud.insert(Time::from_millis(1_795_442_580_000), inner.changed(Time::from_millis(0)), "u-3").unwrap();
        let (status, shown) = ask(&cloud, "GetTemplate&StackName=inner&TemplateStage=Processed");
        assert!(
            status == 200 && shown.contains("<TemplateBody>Resources: {A: {Type: &apos;X&lt;Y&gt;&apos;}}</TemplateBody>"),
            "{shown}"
        );
        assert!(
            shown.contains("<StagesAvailable><member>Original</member><member>Processed</member></StagesAvailable>"),
            "{shown}"
        );
        let (_, bare) = ask(&cloud, "GetTemplate&StackName=shop");
        assert!(bare.contains("{&quot;HelloFunction&quot;:{&quot;Type&quot;:&quot;AWS::Lambda::Function&quot;}"), "{bare}");
        let (_, shown) = ask(&cloud, "DescribeStacks&StackName=inner");
        assert!(shown.contains("<RootId>arn:aws:cloudformation:us-east-1:111111111111:stack/shop/u-1</RootId>"), "{shown}");
        let (_, shown) = ask(&cloud, "DescribeStackResources&PhysicalResourceId=a");
        assert!(shown.contains("<Timestamp>1970-01-01T00:00:00.000Z</Timestamp>"), "{shown}");
    }

    #[test]
    fn many_stacks_come_in_pages() {
        let mut cloud = CloudFormation::new("111111111111", "us-east-1");
        for number in 0..150 {
            cloud.insert(Time::from_millis(0), Stack::new(&format!("s{number}")), "u").unwrap();
        }
        assert_eq!(cloud.insert(Time::from_millis(0), Stack::new("s7"), "u"), None);
        let (_, first) = ask(&cloud, "DescribeStacks");
        assert_eq!(first.matches("<StackName>").count(), 100);
        assert!(first.contains("<NextToken>after-100</NextToken>"));
        let (_, second) = ask(&cloud, "DescribeStacks&NextToken=after-100");
        assert_eq!((second.matches("<StackName>").count(), second.contains("NextToken")), (50, false));
    }
}
