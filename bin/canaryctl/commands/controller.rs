//! `canaryctl controller`: the function that continues detached rollouts, as a CloudFormation template.

use clap::{Args, ValueEnum};
use controller::port::{SCHEDULE_GROUP, SCHEDULE_RATE, SCHEDULE_RETRIES, SCHEDULE_RETRY_SECONDS, default_log_group};
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
    #[command(flatten)]
    reached: Reached,
    /// Where the function's code is: a bucket in the same Region, and the key of the ZIP file
    #[arg(long, value_name = "BUCKET/KEY", value_parser = s3, conflicts_with = "image")]
    s3: Option<(String, String)>,
    /// The container image with the function's code
    #[arg(long, value_name = "URI", value_parser = image)]
    image: Option<String>,
}

/// What the controller is called, and what it may do.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Reached {
    /// A function whose detached rollouts it continues: `hello` for all its aliases, `hello:live`, or an ARN
    #[arg(value_name = "FUNCTION[:ALIAS]", required = true)]
    pub(crate) functions: Vec<Qualified>,
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
    /// The architecture that canaryctl in the ZIP file or the image was built for [default: that of the binary, else `x86_64`]
    #[arg(long, value_name = "NAME", value_enum)]
    pub(crate) architecture: Option<Architecture>,
    /// Also have the guard in the template, for the same functions
    #[arg(long)]
    with_guard: bool,
    /// What the alarm on failed invocations notifies, such as an SNS topic's ARN; may be given several times
    #[arg(long = "notify", value_name = "ARN")]
    notified: Vec<String>,
    /// The name of the function, and the beginning of its roles' names
    #[arg(long, value_name = "NAME", default_value = CONTROLLER, value_parser = name)]
    pub(crate) name: String,
    /// Leave the group of schedules out: another controller in the same account and Region has it
    #[arg(long)]
    pub(crate) without_group: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    #[default]
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm64")]
    Arm,
}

impl Architecture {
    /// As AWS spells it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}

/// Where the function is, for what refers to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Code<'a> {
    /// In the stack, with this code.
    Packed(&'a Value),
    /// Not in the stack: it is made by itself.
    Apart,
}

pub(crate) fn template(args: &ControllerTemplate) -> Result<u8, Failure> {
    let code = match (&args.image, &args.s3) {
        (Some(uri), _) => json!({"ImageUri": uri}),
        (None, Some((bucket, key))) => json!({"S3Bucket": bucket, "S3Key": key}),
        (None, None) => json!({"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}}),
    };
    let mut template = stack(&args.reached, Code::Packed(&code))?;
    template["Outputs"]["Controller"] = json!({
        "Description": "for `canaryctl rollout --detach`", "Value": {"Fn::GetAtt": ["Controller", "Arn"]},
    });
    if args.s3.is_none() && args.image.is_none() {
        template["Parameters"] = json!({
            "CodeBucket": {"Type": "String", "Description": "the bucket, in this Region, with the function's code"},
            "CodeKey": {"Type": "String", "Description": "the key of a ZIP file with canaryctl in it, named `bootstrap`"},
        });
    }
    print_json(&format!("{}\n", serde_json::to_string_pretty(&template).map_err(Failure::unexpected)?));
    Ok(0)
}

/// The template, with the function or without it.
pub(crate) fn stack(reached: &Reached, code: Code<'_>) -> Result<Value, Failure> {
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "canaryctl controller: continues rollouts that were begun with `canaryctl rollout --detach`",
        "Resources": resources(reached, code),
    });
    if reached.with_guard {
        let guard = guard::resources(GUARD, &reached.functions, &reached.notified)?;
        if let Some(resources) = template["Resources"].as_object_mut() {
            resources.extend(guard);
        }
        template["Outputs"]["Guard"] = guard::output();
    }
    Ok(template)
}

fn resources(reached: &Reached, code: Code<'_>) -> Map<String, Value> {
    let function = match code {
        Code::Packed(code) => Some(function(reached, code)),
        Code::Apart => None,
    };
    let invocations = function.as_ref().map(|_| invocations());
    let group = (!reached.without_group).then(|| json!({"Name": SCHEDULE_GROUP}));
    let rows = [
        ("Controller", "AWS::Lambda::Function", function),
        ("ControllerInvocations", "AWS::Lambda::EventInvokeConfig", invocations),
        ("ControllerRole", "AWS::IAM::Role", Some(role(reached))),
        ("ControllerLog", "AWS::Logs::LogGroup", Some(log(reached))),
        ("ControllerFailed", "AWS::CloudWatch::Alarm", Some(alarm(reached, code))),
        ("Schedules", "AWS::Scheduler::ScheduleGroup", group),
        ("SchedulerRole", "AWS::IAM::Role", Some(schedulers_role(reached, code))),
        ("Clock", "AWS::Scheduler::Schedule", Some(clock(reached, code))),
    ];
    let rows = rows.into_iter().filter_map(|(name, kind, fields)| Some((name, kind, fields?)));
    rows.map(|(name, kind, fields)| (name.to_owned(), json!({"Type": kind, "Properties": fields}))).collect()
}

/// What the function is for, as it says itself.
pub(crate) const DESCRIPTION: &str = "continues rollouts that were begun with `canaryctl rollout --detach`";

/// As long as a function may run, in seconds: a turn ends before its next minute, but a rollback is tried until it is confirmed.
pub(crate) const TIMEOUT: i32 = 900;

/// How often an asynchronous invocation that failed is repeated, and how many seconds it may wait: one that failed, or waited for longer, is
/// made up for by the next one.
pub(crate) const REPEATS: (i32, i32) = (0, 60);

fn function(reached: &Reached, code: &Value) -> Value {
    let mut function = json!({
        "FunctionName": reached.name,
        "Description": DESCRIPTION,
        "Architectures": [reached.architecture.unwrap_or_default().word()],
        "MemorySize": MEMORY_MB,
        "Timeout": TIMEOUT,
        "Role": {"Fn::GetAtt": ["ControllerRole", "Arn"]},
        "LoggingConfig": {"LogGroup": {"Ref": "ControllerLog"}},
        "Code": code,
    });
    if code["ImageUri"].is_string() {
        function["PackageType"] = json!("Image");
    } else {
        function["Runtime"] = json!("provided.al2023");
        function["Handler"] = json!("bootstrap");
    }
    function
}

fn invocations() -> Value {
    let (attempts, age) = REPEATS;
    json!({
        "FunctionName": {"Ref": "Controller"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": attempts,
        "MaximumEventAgeInSeconds": age,
    })
}

/// What a turn of any rollout of the functions may call.
fn role(args: &Reached) -> Value {
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
fn clock(reached: &Reached, code: Code<'_>) -> Value {
    let group = if reached.without_group { json!(SCHEDULE_GROUP) } else { json!({"Ref": "Schedules"}) };
    let event = match code {
        Code::Packed(_) => clock_event("${Controller.Arn}"),
        Code::Apart => clock_event(&named_arn(reached)),
    };
    json!({
        "Name": clock_name(&reached.name),
        "GroupName": group,
        "Description": "has all detached rollouts of canaryctl continue",
        "ScheduleExpression": SCHEDULE_RATE,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": function_arn(reached, code),
            "RoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
            "Input": substituted(&event.to_string()),
            "RetryPolicy": {"MaximumRetryAttempts": SCHEDULE_RETRIES, "MaximumEventAgeInSeconds": SCHEDULE_RETRY_SECONDS},
        },
    })
}

/// The function's ARN, whether the stack has it or not.
fn function_arn(reached: &Reached, code: Code<'_>) -> Value {
    match code {
        Code::Packed(_) => json!({"Fn::GetAtt": ["Controller", "Arn"]}),
        Code::Apart => substituted(&named_arn(reached)),
    }
}

fn named_arn(reached: &Reached) -> String {
    format!("arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{}", reached.name)
}

/// As which the schedules invoke the function, by the name that `rollout --detach` hands them.
fn schedulers_role(reached: &Reached, code: Code<'_>) -> Value {
    let function = function_arn(reached, code);
    json!({
        "RoleName": substituted(&scheduler_role(&reached.name, "${AWS::Region}")),
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }]},
        "Policies": [{"PolicyName": "controller", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function},
        ]}}],
    })
}

fn log(reached: &Reached) -> Value {
    json!({"LogGroupName": default_log_group(&reached.name), "RetentionInDays": 30})
}

/// A failed invocation is made up for a minute later: two minutes of them are not.
fn alarm(reached: &Reached, code: Code<'_>) -> Value {
    let function = match code {
        Code::Packed(_) => json!({"Ref": "Controller"}),
        Code::Apart => json!(reached.name),
    };
    json!({
        "AlarmDescription": "detached rollouts of canaryctl do not continue: `canaryctl status` shows where the traffic of a function is",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": reached.notified,
    })
}

/// A bucket's name and a key.
fn s3(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    parts.map(|(bucket, key)| (bucket.to_owned(), key.to_owned())).ok_or_else(|| "use BUCKET/KEY".to_owned())
}

/// A name that the function, a stack, and the role of its schedules in any Region can have.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let sound = text.len() <= 39 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(plain);
    if sound { Ok(text.to_owned()) } else { Err("use letters, digits and `-`, a letter first, at most 39".to_owned()) }
}
