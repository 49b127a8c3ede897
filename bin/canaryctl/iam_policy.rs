//! `canaryctl iam-policy`: the least policy for exactly these settings, without asking AWS.

use clap::Args;
use controller::{Grant, Place, least, least_to_roll_back};
use project::FunctionRef;
use rollout::Subject;
use serde_json::Value;

use crate::args::Rollout;
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate};
use crate::{murmur, rollout_command, say, settings, wiring};

/// Print the least IAM policy for a rollout with these settings, as JSON
///
/// Takes the same options as `rollout`. Nothing is asked of AWS but the names that a project's file leaves to its stack. What is not
/// known, such as the account where the function is not named by its ARN, stands as `*` and is told on stderr.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl iam-policy hello --alarm HelloErrors --post-hook smokeTest > policy.json
  canaryctl iam-policy arn:aws:lambda:eu-west-1:123456789012:function:hello:live
  canaryctl iam-policy hello --rollback-only")]
pub(crate) struct IamPolicy {
    /// Only what `canaryctl rollback` needs
    #[arg(long, conflicts_with = "with_doctor")]
    rollback_only: bool,
    /// What `canaryctl doctor` asks, too
    #[arg(long)]
    with_doctor: bool,
    #[command(flatten)]
    rollout: Rollout,
}

pub(crate) async fn run(args: IamPolicy) -> Result<u8, Failure> {
    let IamPolicy { rollback_only, with_doctor, rollout: mut args } = args;
    args.common.anywhere = true;
    let located = locate(args.function.as_deref(), &args.common, Otherwise::Fail).await?;
    let region = located.wired.aws.region().to_owned();
    let place =
        Place { region: Some(region).filter(|region| region != wiring::ANYWHERE), stack: stack(&args, &located, rollback_only) };
    let mut told = about(&located.subject, &place);
    let grants = if rollback_only {
        least_to_roll_back(&located.subject, &place)
    } else {
        // Every schedule needs the same.
        if args.every.is_none() {
            args.schedule = args.schedule.or_else(|| "AllAtOnce".parse().ok());
        }
        let request = settings::request(&args, &located).await?;
        rollout_command::elsewhere(&args.alarms, located.wired.aws.region())?;
        if !request.create_alias {
            told.push(
                "a first deployment needs lambda:CreateAlias and lambda:ListAliases, too: `--create-alias` adds them".to_owned(),
            );
        }
        if args.image.is_some() {
            told.push(
                "where the image's repository does not let Lambda read from it yet, ecr:GetRepositoryPolicy and \
                 ecr:SetRepositoryPolicy on it are needed once"
                    .to_owned(),
            );
        }
        told.push(
            "`Warnings…` may be left out: a rollout then says nothing of callers that bypass the alias, nor of its stack"
                .to_owned(),
        );
        least(&request, &place, with_doctor)
    };
    for note in told {
        murmur(&format!("note: {note}\n"));
    }
    say(&policy(&grants));
    Ok(0)
}

/// What the policy leaves open.
fn about(subject: &Subject, place: &Place) -> Vec<String> {
    let mut told = Vec::new();
    if subject.function.account.is_none() {
        told.push("the account is not known and stands as `*`: name the function by its ARN to fill it in".to_owned());
    }
    if place.region.is_none() && subject.function.place.is_none() {
        told.push("no Region is set, and it stands as `*`: `--region` fills it in".to_owned());
    }
    told
}

/// The stack in which a rollout would look names up, where it would.
fn stack(args: &Rollout, located: &Located, rollback_only: bool) -> Option<String> {
    let said = located.said.as_ref()?;
    let function = matches!(said.settings.function.value, FunctionRef::LogicalId(_));
    let asks = function || (!rollback_only && settings::looks_up(args, &said.settings));
    said.project.stack.as_ref().filter(|_| asks).map(|stack| stack.value.clone())
}

/// The policy as people write it: what it is for first, one name a line.
fn policy(grants: &[Grant]) -> String {
    let list = |names: &[String]| {
        names.iter().map(|name| format!("\n        {}", Value::from(name.as_str()))).collect::<Vec<_>>().join(",")
    };
    let statement = |Grant { id, actions, resources }: &Grant| {
        let actions: Vec<String> = actions.iter().map(|action| (*action).to_owned()).collect();
        format!(
            "\n    {{\n      \"Sid\": \"{id}\",\n      \"Effect\": \"Allow\",\n      \"Action\": [{}\n      ],\n      \"Resource\": [{}\n      ]\n    }}",
            list(&actions),
            list(resources)
        )
    };
    let statements: Vec<String> = grants.iter().map(statement).collect();
    format!("{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{}\n  ]\n}}\n", statements.join(","))
}
