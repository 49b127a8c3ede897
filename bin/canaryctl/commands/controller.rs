//! `canaryctl controller`: the function that continues detached rollouts, as a CloudFormation template.

use clap::{Args, Subcommand, ValueEnum};
use controller::port::{SCHEDULE_GROUP, SCHEDULE_RATE, SCHEDULE_RETRIES, SCHEDULE_RETRY_SECONDS};
use controller::{CONTROLLER, GUARD, Grant, Place, Reach, clock_event, clock_name, scheduler_role, turn_permissions};
use rollout::notify::Recipient;
use rollout::price::MEMORY_MB;
use rollout::target::{Qualified, Subject};
use serde_json::{Map, Value, json};

use super::guard;
use super::iam_policy::add;
use crate::cli::values::{alias_name, image};
use crate::error::Failure;
use crate::ui::print::print_json;

/// The controller: a function that continues detached rollouts
///
/// One AWS Lambda function in an account and Region continues any number of rollouts that `rollout --detach` began. Its code is this
/// program. One schedule invokes it once a minute for all of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl controller template hello orders > controller.json")]
pub(crate) struct Controller {
    #[command(subcommand)]
    pub(crate) command: ControllerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ControllerCommand {
    Template(ControllerTemplate),
}

/// Print the CloudFormation template of the controller, as JSON
///
/// It has the function `canaryctl-controller`, its role, which may move the aliases of the given functions and no others, the role and the
/// group of its schedules, the one that invokes it once a minute, its log, and an alarm on failed invocations. The code is a ZIP file with the canaryctl of the function's
/// architecture in it, named `bootstrap`, in a bucket; or a container image. Without `--s3` and `--image` the template has the parameters
/// `CodeBucket` and `CodeKey`. Calls nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl controller template hello orders:live --hook smokeTest > controller.json
  canaryctl controller template hello --s3 my-bucket/canaryctl.zip --architecture arm64 > controller.json
  aws cloudformation deploy --stack-name canaryctl-controller --template-file controller.json --capabilities CAPABILITY_NAMED_IAM")]
pub(crate) struct ControllerTemplate {
    /// A function whose detached rollouts it continues: `hello` for all its aliases, `hello:live`, or an ARN
    #[arg(value_name = "FUNCTION[:ALIAS]", required = true)]
    functions: Vec<Qualified>,
    /// A function that is invoked as a hook or a check; may be given several times
    #[arg(long = "hook", value_name = "FUNCTION[:ALIAS]")]
    hooks: Vec<Qualified>,
    /// A managed alarm, which a rollout creates or changes, by its name; may be given several times
    #[arg(long = "managed-alarm", value_name = "NAME")]
    managed_alarms: Vec<String>,
    /// Also let it send test events to the functions' versions (`--on-low-traffic probe`)
    #[arg(long)]
    test_events: bool,
    /// Also let it read approvals (`--gate`)
    #[arg(long)]
    gates: bool,
    /// Also let it put this alias on the version before (`--keep-previous`)
    #[arg(long, value_name = "ALIAS", value_parser = alias_name)]
    keep_previous: Option<String>,
    /// A topic or a bus that rollouts notify: `sns:TOPIC_ARN`, or `events:BUS`; may be given several times
    #[arg(long = "rollout-notify", value_name = "TARGET")]
    notified_of_rollouts: Vec<Recipient>,
    /// Where the function's code is: a bucket in the same Region, and the key of the ZIP file
    #[arg(long, value_name = "BUCKET/KEY", value_parser = s3, conflicts_with = "image")]
    s3: Option<(String, String)>,
    /// The container image with the function's code
    #[arg(long, value_name = "URI", value_parser = image)]
    image: Option<String>,
    /// The architecture that canaryctl in the ZIP file or the image was built for
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    architecture: Architecture,
    /// Also have the guard in the template, for the same functions
    #[arg(long)]
    with_guard: bool,
    /// What the alarm on failed invocations notifies, such as an SNS topic's ARN; may be given several times
    #[arg(long = "notify", value_name = "ARN")]
    notified: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Architecture {
    #[default]
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm64")]
    Arm,
}

pub(crate) fn template(args: &ControllerTemplate) -> Result<u8, Failure> {
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "canaryctl controller: continues rollouts that were begun with `canaryctl rollout --detach`",
        "Resources": resources(args),
        "Outputs": {"Controller": {
            "Description": "for `canaryctl rollout --detach`", "Value": {"Fn::GetAtt": ["Controller", "Arn"]},
        }},
    });
    if args.s3.is_none() && args.image.is_none() {
        template["Parameters"] = json!({
            "CodeBucket": {"Type": "String", "Description": "the bucket, in this Region, with the function's code"},
            "CodeKey": {"Type": "String", "Description": "the key of a ZIP file with canaryctl in it, named `bootstrap`"},
        });
    }
    if args.with_guard {
        let guard = guard::resources(GUARD, &args.functions, &args.notified)?;
        if let Some(resources) = template["Resources"].as_object_mut() {
            resources.extend(guard);
        }
        template["Outputs"]["Guard"] = guard::output();
    }
    print_json(&format!("{}\n", serde_json::to_string_pretty(&template).map_err(Failure::unexpected)?));
    Ok(0)
}

fn resources(args: &ControllerTemplate) -> Map<String, Value> {
    let rows = [
        ("Controller", "AWS::Lambda::Function", function(args)),
        ("ControllerInvocations", "AWS::Lambda::EventInvokeConfig", invocations()),
        ("ControllerRole", "AWS::IAM::Role", role(args)),
        ("ControllerLog", "AWS::Logs::LogGroup", log()),
        ("ControllerFailed", "AWS::CloudWatch::Alarm", alarm(&args.notified)),
        ("Schedules", "AWS::Scheduler::ScheduleGroup", json!({"Name": SCHEDULE_GROUP})),
        ("SchedulerRole", "AWS::IAM::Role", schedulers_role()),
        ("Clock", "AWS::Scheduler::Schedule", clock()),
    ];
    rows.into_iter().map(|(name, kind, fields)| (name.to_owned(), json!({"Type": kind, "Properties": fields}))).collect()
}

fn function(args: &ControllerTemplate) -> Value {
    let architecture = match args.architecture {
        Architecture::X86 => "x86_64",
        Architecture::Arm => "arm64",
    };
    let mut function = json!({
        "FunctionName": CONTROLLER,
        "Description": "continues rollouts that were begun with `canaryctl rollout --detach`",
        "Architectures": [architecture],
        "MemorySize": MEMORY_MB,
        // As long as a function may run: a turn ends before its next minute, but a rollback is tried until it is confirmed.
        "Timeout": 900,
        "Role": {"Fn::GetAtt": ["ControllerRole", "Arn"]},
        "LoggingConfig": {"LogGroup": {"Ref": "ControllerLog"}},
    });
    if let Some(uri) = &args.image {
        function["PackageType"] = json!("Image");
        function["Code"] = json!({"ImageUri": uri});
        return function;
    }
    function["Runtime"] = json!("provided.al2023");
    function["Handler"] = json!("bootstrap");
    function["Code"] = match &args.s3 {
        Some((bucket, key)) => json!({"S3Bucket": bucket, "S3Key": key}),
        None => json!({"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}}),
    };
    function
}

/// One that failed, or waited for longer than a minute, is made up for by the next one.
fn invocations() -> Value {
    json!({
        "FunctionName": {"Ref": "Controller"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60,
    })
}

/// What a turn of any rollout of the functions may call.
fn role(args: &ControllerTemplate) -> Value {
    let reach = Reach {
        hooks: args.hooks.clone(),
        managed_alarms: args.managed_alarms.clone(),
        test_events: args.test_events,
        gates: args.gates,
        keep_previous: args.keep_previous.clone(),
        notified: args.notified_of_rollouts.clone(),
    };
    let own = |name: &str| Some(format!("${{AWS::{name}}}"));
    let place = Place { partition: own("Partition"), region: own("Region"), account: own("AccountId"), stack: None };
    let mut grants: Vec<Grant> = Vec::new();
    for Qualified { function, qualifier } in &args.functions {
        let alias = qualifier.clone().unwrap_or_else(|| "*".to_owned());
        add(&mut grants, turn_permissions(&Subject { function: function.clone(), alias }, &reach, &place));
    }
    let mut statements: Vec<Value> = grants.iter().map(statement).collect();
    statements.push(json!({
        "Sid": "OwnLog", "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["ControllerLog", "Arn"]},
    }));
    json!({
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]},
        "Policies": [{"PolicyName": "turns", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
    })
}

fn statement(Grant { id, actions, resources }: &Grant) -> Value {
    let resources = match resources.as_slice() {
        [all] if all == "*" => json!("*"),
        some => some.iter().map(|arn| substituted(arn)).collect(),
    };
    json!({"Sid": id, "Effect": "Allow", "Action": actions, "Resource": resources})
}

/// A text in which what is the stack's own is filled in.
fn substituted(text: &str) -> Value {
    if text.contains("${") { json!({"Fn::Sub": text}) } else { json!(text) }
}

/// What invokes the function each minute for all rollouts, whose own schedules are disabled where it is there.
fn clock() -> Value {
    json!({
        "Name": clock_name(CONTROLLER),
        "GroupName": {"Ref": "Schedules"},
        "Description": "has all detached rollouts of canaryctl continue",
        "ScheduleExpression": SCHEDULE_RATE,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": {"Fn::GetAtt": ["Controller", "Arn"]},
            "RoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
            "Input": substituted(&clock_event("${Controller.Arn}").to_string()),
            "RetryPolicy": {"MaximumRetryAttempts": SCHEDULE_RETRIES, "MaximumEventAgeInSeconds": SCHEDULE_RETRY_SECONDS},
        },
    })
}

/// As which the schedules invoke the function, by the name that `rollout --detach` hands them.
fn schedulers_role() -> Value {
    json!({
        "RoleName": substituted(&scheduler_role(CONTROLLER, "${AWS::Region}")),
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }]},
        "Policies": [{"PolicyName": "controller", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": {"Fn::GetAtt": ["Controller", "Arn"]}},
        ]}}],
    })
}

fn log() -> Value {
    json!({"LogGroupName": format!("/aws/lambda/{CONTROLLER}"), "RetentionInDays": 30})
}

/// A failed invocation is made up for a minute later: two minutes of them are not.
fn alarm(notified: &[String]) -> Value {
    json!({
        "AlarmDescription": "detached rollouts of canaryctl do not continue: `canaryctl status` shows where the traffic of a function is",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "Controller"}}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": notified,
    })
}

/// A bucket's name and a key.
fn s3(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    parts.map(|(bucket, key)| (bucket.to_owned(), key.to_owned())).ok_or_else(|| "use BUCKET/KEY".to_owned())
}
