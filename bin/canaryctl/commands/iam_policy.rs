//! `canaryctl iam-policy`: the least policy for exactly these settings, without calls to AWS.

use std::collections::BTreeSet;

use clap::Args;
use controller::{Grant, Place, permissions, rollback_permissions};
use project::FunctionRef;
use rollout::Subject;
use serde::Serialize;

use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::target::resolve::{Located, OnConfigError, locate_all};
use crate::ui::print::{print_info, print_json};
use crate::{request, session};

/// Print the minimal IAM policy for a rollout with these settings, as JSON
///
/// Takes the same options as `rollout`. Calls AWS only to look up logical ids in a stack. A value that is not known, such as the account
/// of a function without an ARN, is `*` in the policy, with a note on stderr.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl iam-policy hello --alarm HelloErrors --post-hook smokeTest > policy.json
  canaryctl iam-policy arn:aws:lambda:eu-west-1:123456789012:function:hello:live
  canaryctl iam-policy hello --rollback-only
  canaryctl iam-policy                           (all functions in canary.yml)")]
pub(crate) struct IamPolicy {
    /// Only the permissions that `canaryctl rollback` needs
    #[arg(long, conflicts_with = "with_doctor")]
    rollback_only: bool,
    /// Also the permissions that `canaryctl doctor` needs
    #[arg(long)]
    with_doctor: bool,
    #[command(flatten)]
    rollout: Rollout,
}

pub(crate) async fn run(args: IamPolicy) -> Result<u8, Failure> {
    let IamPolicy { rollback_only, with_doctor, rollout: mut args } = args;
    args.common.anywhere = true;
    // Every schedule needs the same.
    if args.every.is_none() {
        args.schedule = args.schedule.or_else(|| "AllAtOnce".parse().ok());
    }
    let (located, _) = locate_all(args.function.as_deref(), &args.several.only, &args.common, OnConfigError::Fail).await?;
    let (mut grants, mut notes): (Vec<Grant>, Vec<String>) = (Vec::new(), Vec::new());
    for one in &located {
        let region = one.session.aws.region().to_owned();
        let place =
            Place { region: Some(region).filter(|region| region != session::ANYWHERE), stack: stack(&args, one, rollback_only) };
        notes.extend(about(&one.subject, &place));
        if rollback_only {
            add(&mut grants, rollback_permissions(&one.subject, &place));
            continue;
        }
        let request = request::request(&args, one).await?;
        notes.extend(about_rollout(&args, request.create_alias));
        add(&mut grants, permissions(&request, &place, with_doctor));
    }
    let mut known = BTreeSet::new();
    for note in notes.iter().filter(|note| known.insert(*note)) {
        print_info(&format!("note: {note}\n"));
    }
    print_json(&format!("{}\n", serde_json::to_string_pretty(&Policy::of(&grants))?));
    Ok(0)
}

/// Merges grants by their purpose: one statement for each, for any number of functions.
fn add(grants: &mut Vec<Grant>, more: Vec<Grant>) {
    for grant in more {
        match grants.iter_mut().find(|known| known.id == grant.id) {
            Some(known) => {
                known
                    .actions
                    .extend(grant.actions.iter().filter(|action| !known.actions.contains(action)).copied().collect::<Vec<_>>());
                let beyond: Vec<String> =
                    grant.resources.into_iter().filter(|resource| !known.resources.contains(resource)).collect();
                known.resources.extend(beyond);
            }
            None => grants.push(grant),
        }
    }
}

fn about_rollout(args: &Rollout, create_alias: bool) -> Vec<String> {
    let first = "a first deployment also needs lambda:CreateAlias and lambda:ListAliases: `--create-alias` adds them";
    let image = "if Lambda cannot read the image's repository yet, ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy on it are \
                 needed once";
    let warnings = "the `Warnings…` statements are optional: without them a rollout does not warn about callers that bypass the alias, \
                    or about its stack";
    let notes = [(!create_alias).then_some(first), args.image.is_some().then_some(image), Some(warnings)];
    notes.into_iter().flatten().map(str::to_owned).collect()
}

fn about(subject: &Subject, place: &Place) -> Vec<String> {
    let mut notes = Vec::new();
    if subject.function.account.is_none() {
        notes.push("the account is not known, the policy has `*`: name the function by its ARN".to_owned());
    }
    if place.region.is_none() && subject.function.place.is_none() {
        notes.push("the Region is not known, the policy has `*`: set it with `--region`".to_owned());
    }
    notes
}

/// The stack in which a rollout looks up logical ids, if it has any.
fn stack(args: &Rollout, located: &Located, rollback_only: bool) -> Option<String> {
    let said = located.said.as_ref()?;
    let function = matches!(said.settings.function.value, FunctionRef::LogicalId(_));
    let asks = function || (!rollback_only && request::looks_up(args, &said.settings));
    said.project.stack.as_ref().filter(|_| asks).map(|stack| stack.value.clone())
}

/// A policy document, with its keys in the usual order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'static str,
    statement: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'static str,
    effect: &'static str,
    action: &'a [&'static str],
    resource: &'a [String],
}

impl<'a> Policy<'a> {
    fn of(grants: &'a [Grant]) -> Self {
        let statements = grants.iter().map(|Grant { id, actions, resources }| Statement {
            sid: id,
            effect: "Allow",
            action: actions,
            resource: resources,
        });
        Self { version: "2012-10-17", statement: statements.collect() }
    }
}
