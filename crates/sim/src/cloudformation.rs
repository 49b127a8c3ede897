//! Which stacks are there, and what are the names of their resources?
//!
//! Scenarios and tests set stacks up, and calls deploy them, as far as `deploying` goes. A template is a text that is given back.

mod deploying;
mod stack;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

pub(crate) use self::deploying::Around;
pub use self::stack::Stack;
use self::stack::{Resource, Stacks, Standing, required, text};
use crate::query::{self, Dialect};
use crate::response::response;
use crate::time::Time;
use crate::value::{Fault, merged, present};

#[derive(Debug)]
pub(crate) struct CloudFormation {
    stacks: Stacks,
}

impl CloudFormation {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { stacks: Stacks::new(account, region) }
    }

    /// Creates a stack and returns its id; none if one of that name is there.
    pub(crate) fn insert(&mut self, now: Time, stack: Stack, uuid: &str) -> Option<String> {
        self.stacks.insert(now, stack, uuid)
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
        if resource.starts_with("arn:") { resource.to_owned() } else { format!("{}{resource}/*", self.stacks.arn_prefix) }
    }

    pub(crate) fn answer(
        &mut self,
        request: &Request<Bytes>,
        id: &str,
        mut around: Around<'_>,
    ) -> (Response<Bytes>, Option<String>) {
        let operation = &Self::operation(request).unwrap_or_default();
        self.stacks.settle(around.now);
        let parameters = query::decode(query::form(request).unwrap_or_default());
        match parameters.and_then(|parameters| self.perform(operation, &parameters, &mut around)) {
            Ok(value) => (response(200, "text/xml", query::answer(&DIALECT, operation, Some(&present(value)), id), id), None),
            Err(fault) => (Self::refuse(&fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal, be it before `CloudFormation` handles the request: throttling, denial, failure.
    pub(crate) fn refuse(fault: &Fault, request_id: &str) -> Response<Bytes> {
        response(fault.status, "text/xml", query::refusal(&DIALECT, fault, request_id), request_id)
    }

    fn perform(&mut self, operation: &str, request: &Value, around: &mut Around<'_>) -> Result<Value, Fault> {
        match operation {
            "CreateStack" => self.stacks.create(request, around),
            "UpdateStack" => self.stacks.update(request, around),
            "DeleteStack" => self.stacks.delete(request, around),
            "DescribeStackEvents" => self.stacks.events(request),
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
        let standing = self.stacks.all.iter().find(|standing| standing.is(stack)).ok_or_else(missing)?;
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
                (self.stacks.all.iter().find(owns).ok_or_else(missing)?, physical)
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
        let all: Vec<_> = self.stacks.all.iter().filter(|standing| !standing.is_deleted()).collect();
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
        self.stacks.all.iter().find(|standing| standing.is(stack)).ok_or_else(missing)
    }
}

fn no_resource(logical: &str, stack: &str) -> Fault {
    Fault::validation(format!("Resource {logical} does not exist for stack {stack}"))
}

const DIALECT: Dialect = Dialect { version: "2010-05-15", namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/" };

/// The forms in which a template is given.
const STAGES: [&str; 2] = ["Original", "Processed"];

/// Stacks in a page, and resources in the one answer that has no pages.
const PAGE: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scheduler::Scheduler;
    use crate::settings::Settings;

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

    fn ask(cloud: &mut CloudFormation, question: &str) -> (u16, String) {
        let request = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from(format!("Version=2010-05-15&Action={question}")))
            .unwrap();
        let scheduler = &mut Scheduler::new(&Settings::served(), fastrand::Rng::with_seed(1));
        let around = Around { now: Time::from_millis(0), uuid: "u-0", settle: Duration::ZERO, scheduler };
        let (response, code) = cloud.answer(&request, "id", around);
        assert_eq!(response.status() == 200, code.is_none());
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn a_resource_has_a_name_once_it_is_made() {
        let (status, shown) = ask(&mut shop(), "DescribeStackResource&StackName=shop&LogicalResourceId=HelloFunction");
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
        let (_, shown) = ask(&mut shop(), "DescribeStackResources&StackName=shop");
        assert_eq!((shown.matches("<member>").count(), shown.matches("<PhysicalResourceId>").count()), (2, 1), "{shown}");
        let (_, by_name) = ask(&mut shop(), "DescribeStackResources&PhysicalResourceId=hello");
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
            let (status, shown) = ask(&mut shop(), question);
            assert!(status == 400 && shown.contains("<Code>ValidationError</Code>"), "{question}: {shown}");
            assert!(shown.contains(message), "{question}: {shown}");
        }
        assert!(ask(&mut shop(), "ListExports").1.contains("<Code>InvalidAction</Code>"));
    }

    #[test]
    fn a_stack_is_told_with_all_that_hangs_on_it_and_a_deleted_one_by_its_id_only() {
        let (_, shown) = ask(&mut shop(), "DescribeStacks");
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
            ask(&mut shop(), "DescribeStacks&StackName=arn:aws:cloudformation:us-east-1:111111111111:stack/gone/u-2");
        assert!(status == 200 && shown.contains("<StackStatus>DELETE_COMPLETE</StackStatus>"), "{shown}");
    }

    #[test]
    fn a_template_is_given_back_as_it_is_and_a_nested_stack_names_its_root() {
        let mut cloud = shop();
        let inner = Stack::new("inner").nested_in("shop").template("Resources: {A: {Type: 'X<Y>'}}").resource("A", "X", "a");
        cloud.insert(Time::from_millis(1_795_442_580_000), inner.changed(Time::from_millis(0)), "u-3").unwrap();
        let (status, shown) = ask(&mut cloud, "GetTemplate&StackName=inner&TemplateStage=Processed");
        assert!(
            status == 200 && shown.contains("<TemplateBody>Resources: {A: {Type: &apos;X&lt;Y&gt;&apos;}}</TemplateBody>"),
            "{shown}"
        );
        assert!(
            shown.contains("<StagesAvailable><member>Original</member><member>Processed</member></StagesAvailable>"),
            "{shown}"
        );
        let (_, bare) = ask(&mut cloud, "GetTemplate&StackName=shop");
        assert!(bare.contains("{&quot;HelloFunction&quot;:{&quot;Type&quot;:&quot;AWS::Lambda::Function&quot;}"), "{bare}");
        let (_, shown) = ask(&mut cloud, "DescribeStacks&StackName=inner");
        assert!(shown.contains("<RootId>arn:aws:cloudformation:us-east-1:111111111111:stack/shop/u-1</RootId>"), "{shown}");
        let (_, shown) = ask(&mut cloud, "DescribeStackResources&PhysicalResourceId=a");
        assert!(shown.contains("<Timestamp>1970-01-01T00:00:00.000Z</Timestamp>"), "{shown}");
    }

    #[test]
    fn many_stacks_come_in_pages() {
        let mut cloud = CloudFormation::new("111111111111", "us-east-1");
        for number in 0..150 {
            cloud.insert(Time::from_millis(0), Stack::new(&format!("s{number}")), "u").unwrap();
        }
        assert_eq!(cloud.insert(Time::from_millis(0), Stack::new("s7"), "u"), None);
        let (_, first) = ask(&mut cloud, "DescribeStacks");
        assert_eq!(first.matches("<StackName>").count(), 100);
        assert!(first.contains("<NextToken>after-100</NextToken>"));
        let (_, second) = ask(&mut cloud, "DescribeStacks&NextToken=after-100");
        assert_eq!((second.matches("<StackName>").count(), second.contains("NextToken")), (50, false));
    }
}
