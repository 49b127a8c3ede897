//! `canaryctl guard`: the state machine that puts an abandoned rollout back, as a CloudFormation template.

use clap::{Args, Subcommand};
use controller::GUARD;
use rollout::target::Qualified;
use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::ui::print::print_json;

/// The guard: rolls back a rollout whose process stopped
///
/// One state machine of AWS Step Functions guards any number of rollouts, without code or a machine of its own. `rollout --guard` starts
/// one execution of it for each rollout.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl guard template --function hello --function orders > guard.json")]
pub(crate) struct Guard {
    #[command(subcommand)]
    pub(crate) command: GuardCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    Template(GuardTemplate),
}

/// Print the CloudFormation template of the guard, as JSON
///
/// It has the state machine, a role that may read and write the aliases of the given functions and nothing else, a log group, and an alarm
/// on failed executions. Calls nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl guard template --function hello --function orders:live > guard.json
  aws cloudformation deploy --stack-name canaryctl-guard --template-file guard.json --capabilities CAPABILITY_IAM")]
pub(crate) struct GuardTemplate {
    /// A function that the guard may roll back: `hello` for all its aliases, `hello:live`, or an ARN; may be given several times
    #[arg(long = "function", value_name = "FUNCTION[:ALIAS]", required = true)]
    functions: Vec<Qualified>,
    /// The name of the state machine
    #[arg(long, value_name = "NAME", default_value = GUARD, value_parser = name)]
    name: String,
    /// What the alarm on failed executions notifies, such as an SNS topic's ARN; may be given several times
    #[arg(long = "notify", value_name = "ARN")]
    notified: Vec<String>,
}

pub(crate) fn template(args: &GuardTemplate) -> Result<u8, Failure> {
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "canaryctl guard: puts a rollout whose process stopped back on its stable version",
        "Resources": resources(&args.name, &args.functions, &args.notified)?,
        "Outputs": {"Guard": output()},
    });
    print_json(&format!("{}\n", serde_json::to_string_pretty(&template).map_err(Failure::unexpected)?));
    Ok(0)
}

/// What a template has where its guard is to be found.
pub(crate) fn output() -> Value {
    json!({"Description": "for `canaryctl rollout --guard=ARN`", "Value": {"Ref": "Guard"}})
}

/// The resources of a guard of this name, by their logical ids.
pub(crate) fn resources(name: &str, functions: &[Qualified], notified: &[String]) -> Result<Map<String, Value>, Failure> {
    let definition: Value = serde_json::from_str(DEFINITION).map_err(Failure::unexpected)?;
    let machine = json!({"Type": "AWS::StepFunctions::StateMachine", "Properties": {
        "StateMachineName": name,
        "StateMachineType": "STANDARD",
        "RoleArn": {"Fn::GetAtt": ["GuardRole", "Arn"]},
        "Definition": definition,
        "LoggingConfiguration": {
            "Level": "ERROR",
            "IncludeExecutionData": true,
            "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["GuardLog", "Arn"]}}}],
        },
    }});
    let log = json!({"Type": "AWS::Logs::LogGroup", "Properties": {
        // The prefix under which Step Functions needs no policy of the log group's own.
        "LogGroupName": format!("/aws/vendedlogs/states/{name}"),
        "RetentionInDays": 30,
    }});
    let rows = [
        ("Guard", machine),
        ("GuardLog", log),
        ("GuardRole", json!({"Type": "AWS::IAM::Role", "Properties": role(functions)})),
        ("GuardFailed", json!({"Type": "AWS::CloudWatch::Alarm", "Properties": alarm(notified)})),
    ];
    Ok(rows.into_iter().map(|(name, resource)| (name.to_owned(), resource)).collect())
}

fn role(functions: &[Qualified]) -> Value {
    let aliases: Vec<Value> = functions.iter().flat_map(arns).collect();
    // Step Functions sets its logging up with the role of the state machine; AWS takes no narrower resource for these.
    let logging = [
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ];
    json!({
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }]},
        "Policies": [{"PolicyName": "guard", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Sid": "Aliases", "Effect": "Allow", "Action": ["lambda:GetAlias", "lambda:UpdateAlias"], "Resource": aliases},
            {"Sid": "Logging", "Effect": "Allow", "Action": logging, "Resource": "*"},
        ]}}],
    })
}

/// The ARNs of a function and of its alias, or of all of them. What was not said is the stack's own.
fn arns(named: &Qualified) -> [Value; 2] {
    let (partition, region) = match &named.function.place {
        Some(place) => (place.partition.as_str(), place.region.as_str()),
        None => ("${AWS::Partition}", "${AWS::Region}"),
    };
    let account = named.function.account.as_deref().unwrap_or("${AWS::AccountId}");
    let function = format!("arn:{partition}:lambda:{region}:{account}:function:{}", named.function.name);
    let alias = format!("{function}:{}", named.qualifier.as_deref().unwrap_or("*"));
    [function, alias].map(|arn| if arn.contains("${") { json!({"Fn::Sub": arn}) } else { json!(arn) })
}

fn alarm(notified: &[String]) -> Value {
    json!({
        "AlarmDescription": "a guard of canaryctl failed: `canaryctl status` shows where the traffic of its function is",
        "Namespace": "AWS/States",
        "MetricName": "ExecutionsFailed",
        "Dimensions": [{"Name": "StateMachineArn", "Value": {"Ref": "Guard"}}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": notified,
    })
}

/// A state machine's name, as the service takes it.
fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let sound = (1..=80).contains(&text.len()) && text.bytes().all(plain);
    if sound { Ok(text.to_owned()) } else { Err("use letters, digits, `-` and `_`, at most 80".to_owned()) }
}

const DEFINITION: &str = include_str!("../guard/watchdog.asl.json");
