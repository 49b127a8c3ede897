//! What the SDK reads of a stack: a logical id leads to a function, and the function says whose it is.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use sim::{Account, Effect, Fault, Settings, Stack, Time, World};

use crate::sdk::{self, client};

fn shop() -> Stack {
    Stack::new("shop")
        .status("UPDATE_COMPLETE")
        .parameter("Stage", "prod")
        .output("Url", "https://example.org/?a=1&b=2")
        .tag("team", "greeting")
        .resource("HelloFunction", "AWS::Lambda::Function", "hello")
        .resource("Live", "AWS::Lambda::Alias", "arn:aws:lambda:us-east-1:111111111111:function:hello:live")
        .unfinished_resource("Letters", "AWS::SQS::Queue")
}

/// An account with that stack, and a client for it.
fn furnished() -> (Account, Client, String) {
    let account = sdk::furnished(|world| world.create_function("hello", &[]).unwrap());
    let id = account.with(|world| world.create_stack(shop())).unwrap();
    let client = client!(aws_sdk_cloudformation, account);
    (account, client, id)
}

/// Status, code and message of an error that came from the service.
fn told<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> (u16, String, String) {
    let status = error.raw_response().unwrap().status().as_u16();
    let meta = error.meta();
    (status, meta.code().unwrap().to_owned(), meta.message().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_logical_id_leads_to_the_function() {
    let (account, client, id) = furnished();
    let answer = client.describe_stack_resource().stack_name("shop").logical_resource_id("HelloFunction").send().await.unwrap();
    let detail = answer.stack_resource_detail().unwrap();
    assert_eq!((detail.physical_resource_id(), detail.stack_id()), (Some("hello"), Some(id.as_str())));
    assert_eq!(
        (detail.resource_type(), detail.resource_status().unwrap().as_str()),
        (Some("AWS::Lambda::Function"), "CREATE_COMPLETE")
    );
    let record = account.with(|world| world.log()[0].clone());
    assert_eq!(
        (record.operation.as_str(), record.resource.as_str(), record.caller.as_str()),
        ("DescribeStackResource", "shop", "ME")
    );

    let answer = client.describe_stack_resource().stack_name(&id).logical_resource_id("Letters").send().await.unwrap();
    let detail = answer.stack_resource_detail().unwrap();
    assert_eq!((detail.physical_resource_id(), detail.resource_status().unwrap().as_str()), (None, "CREATE_IN_PROGRESS"));
    let all = client.describe_stack_resources().physical_resource_id("hello").send().await.unwrap();
    let logical: Vec<_> = all.stack_resources().iter().map(|resource| resource.logical_resource_id().unwrap()).collect();
    assert_eq!(logical, ["HelloFunction", "Live", "Letters"]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_told_with_its_parameters_outputs_and_tags() {
    let (_, client, id) = furnished();
    let answer = client.describe_stacks().stack_name("shop").send().await.unwrap();
    let [stack] = answer.stacks() else { panic!("{answer:?}") };
    assert_eq!((stack.stack_id(), stack.stack_status().unwrap().as_str()), (Some(id.as_str()), "UPDATE_COMPLETE"));
    assert_eq!(stack.creation_time().unwrap().secs(), 490_000 * 3_600);
    assert_eq!(stack.parameters()[0].parameter_value(), Some("prod"));
    assert_eq!(stack.outputs()[0].output_value(), Some("https://example.org/?a=1&b=2"));
    assert_eq!((stack.tags()[0].key(), stack.tags()[0].value()), (Some("team"), Some("greeting")));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_forbidden_is_said_as_aws_says_it() {
    let (account, client, _) = furnished();
    let resource =
        |stack: &str, logical: &str| client.describe_stack_resource().stack_name(stack).logical_resource_id(logical).send();
    let unknown = |message: &str| (400, "ValidationError".to_owned(), message.to_owned());
    assert_eq!(told(&resource("none", "F").await.unwrap_err()), unknown("Stack 'none' does not exist"));
    assert_eq!(told(&resource("shop", "F").await.unwrap_err()), unknown("Resource F does not exist for stack shop"));
    let error = client.describe_stacks().stack_name("none").send().await.unwrap_err();
    assert_eq!(told(&error), unknown("Stack with id none does not exist"));

    account.with(|world| world.add_fault(Fault::on("DescribeStackResource", Effect::Deny)));
    let denied = "User: arn:aws:iam::111111111111:user/ME is not authorized to perform: cloudformation:DescribeStackResource on \
                  resource: arn:aws:cloudformation:us-east-1:111111111111:stack/none/* because no identity-based policy allows the \
                  cloudformation:DescribeStackResource action";
    assert_eq!(told(&resource("none", "F").await.unwrap_err()), (403, "AccessDenied".to_owned(), denied.to_owned()));
    account.with(|world| {
        world.clear_faults();
        world.add_fault(Fault::everywhere(Effect::Throttle));
    });
    assert_eq!(told(&resource("shop", "F").await.unwrap_err()), (400, "Throttling".to_owned(), "Rate exceeded".to_owned()));
}

#[test]
fn a_stack_names_only_functions_that_are_there_and_no_name_twice() {
    let mut world = World::new(Settings::served(), 1, Time::from_millis(0));
    assert_eq!(world.create_stack(shop()).unwrap_err().to_string(), "there is no function hello");
    world.create_function("hello", &[]).unwrap();
    let id = world.create_stack(shop()).unwrap();
    assert_eq!(world.create_stack(shop()).unwrap_err().to_string(), "Stack [shop] already exists");
    let request =
        http::Request::get("/2017-03-31/tags/arn:aws:lambda:us-east-1:111111111111:function:hello").body(bytes::Bytes::new());
    let response = world.answer(Time::from_millis(0), "ME", &request.unwrap()).answer.response().unwrap();
    let tags: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let wanted = serde_json::json!({"Tags": {
        "aws:cloudformation:stack-name": "shop",
        "aws:cloudformation:stack-id": id,
        "aws:cloudformation:logical-id": "HelloFunction",
        "team": "greeting",
    }});
    assert_eq!(tags, wanted);
}
