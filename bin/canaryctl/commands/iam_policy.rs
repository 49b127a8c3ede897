//! `canaryctl iam-policy`: the least policy for exactly these settings, without calls to AWS.

use std::collections::BTreeSet;

use clap::Args;
use controller::port::Cloud;
use controller::{Grant, Place, Request, permissions, rollback_permissions};
use project::FunctionRef;
use rollout::Subject;
use serde::Serialize;

use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate_all};
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
    pub(crate) rollout: Rollout,
}

pub(crate) async fn run(args: IamPolicy) -> Result<u8, Failure> {
    let IamPolicy { rollback_only, with_doctor, rollout: mut args } = args;
    args.common.anywhere = true;
    let typed = args.typed();
    // Every schedule needs the same.
    if args.every.is_none() {
        args.schedule = args.schedule.or_else(|| "AllAtOnce".parse().ok());
    }
    let (located, _) =
        locate_all(args.function.as_deref(), &args.several.only, &args.common, Needs::Settings(&args.typed())).await?;
    let (mut grants, mut notes): (Vec<Grant>, Vec<String>) = (Vec::new(), Vec::new());
    for one in &located {
        let region = one.session.aws.region().to_owned();
        let place = Place {
            region: Some(region).filter(|region| region != session::ANYWHERE),
            stack: stack(&args, one, rollback_only),
            ..Place::default()
        };
        notes.extend(about(&one.subject, &place).map(str::to_owned));
        if rollback_only {
            add(&mut grants, rollback_permissions(&one.subject, &place));
            let optional = "the `WarningsOfDeletedVersions` statement is optional: without it a rollback to a deleted version does not say \
                            which versions exist";
            notes.push(optional.to_owned());
            continue;
        }
        let is_typed = |problem: &&project::Problem| problem.setting.as_deref().is_some_and(|setting| typed.contains(&setting));
        let replaced = one.replaced.iter().filter(is_typed);
        notes.extend(replaced.map(|problem| format!("{}: {}; the command line is used instead", problem.place, problem.message)));
        let request = request::request(&args, one).await?;
        notes.extend(about_rollout(&args, &request).map(str::to_owned));
        add(&mut grants, permissions(&request, &place, with_doctor));
    }
    let mut known = BTreeSet::new();
    for note in notes.iter().filter(|note| known.insert(*note)) {
        print_info(&format!("note: {note}\n"));
    }
    print_json(&format!("{}\n", serde_json::to_string_pretty(&Policy::of(&grants)).map_err(Failure::unexpected)?));
    Ok(0)
}

/// Merges grants by their purpose: one statement for each, for any number of functions.
pub(crate) fn add(grants: &mut Vec<Grant>, more: Vec<Grant>) {
    for grant in more {
        let Some(Grant { actions, resources, .. }) = grants.iter_mut().find(|known| known.id == grant.id) else {
            grants.push(grant);
            continue;
        };
        grant.actions.into_iter().for_each(|action| push_new(actions, action));
        grant.resources.into_iter().for_each(|resource| push_new(resources, resource));
    }
}

fn push_new<T: PartialEq>(known: &mut Vec<T>, one: T) {
    if !known.contains(&one) {
        known.push(one);
    }
}

fn about_rollout(args: &Rollout, request: &Request) -> impl Iterator<Item = &'static str> {
    let first = "a first deployment also needs lambda:CreateAlias and lambda:ListAliases: `--create-alias` adds them";
    let image = "if Lambda cannot read the image's repository yet, ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy on it are \
                 needed once";
    let warnings = "the `Warnings…` statements are optional: without them a rollout does not warn about callers that bypass the alias, \
                    or about its stack, and a plan not about a failed version";
    let lines = "the `ErrorLines…` statements are optional: without them a rollback does not show log lines of the version that failed; \
                 `--no-logs` leaves them out";
    let pins = "an alias on `$LATEST` is first put on a version, which needs lambda:PublishVersion: omit `--version` to add it";
    let notes = [
        request.version.is_some().then_some(pins),
        (!request.create_alias).then_some(first),
        args.image.is_some().then_some(image),
        Some(warnings),
        (!request.no_logs).then_some(lines),
    ];
    notes.into_iter().flatten()
}

fn about(subject: &Subject, place: &Place) -> impl Iterator<Item = &'static str> {
    let account = "the account is not known, the policy has `*`: name the function by its ARN";
    let region = "the Region is not known, the policy has `*`: set it with `--region`";
    let no_region = place.region.is_none() && subject.function.place.is_none();
    [subject.function.account.is_none().then_some(account), no_region.then_some(region)].into_iter().flatten()
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
