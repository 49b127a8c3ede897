//! `canaryctl stack alias`: what a deployed stack makes of an alias, and which version it is on now. For tools that write templates.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use controller::port::{Cloud, CloudError};
use rollout::target::Subject;
use rollout::{Alias, Arn, Version, Weight};
use serde::Serialize;
use serde_json::Value;

use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::session::{self, Session};
use crate::ui::print::{print_json, print_out};

/// Read where a deployed CloudFormation stack has an alias: for deploy tools
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl stack alias hello-dev HelloAliasLive --json")]
pub(crate) struct Stack {
    #[command(subcommand)]
    pub(crate) command: StackCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StackCommand {
    Alias(StackAlias),
}

/// Show an alias of a deployed stack: its definition in the template, and the version that it is on now; change nothing
///
/// A stack or a resource that does not exist is an answer, with exit code 0. Any other failure has exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl stack alias hello-dev HelloAliasLive
  canaryctl stack alias hello-dev HelloAliasLive --json --region eu-west-1")]
pub(crate) struct StackAlias {
    /// The stack's name or ARN
    #[arg(value_name = "STACK")]
    deployed: String,
    /// The alias' name in the stack's template
    #[arg(value_name = "LOGICAL_ID")]
    logical_id: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What was found. Its keys are read by the Serverless plugin, and only ever added to.
#[derive(Debug, Serialize)]
struct Answer {
    stack: String,
    exists: bool,
    alias: Option<Found>,
    /// The logical ids of the aliases that the template has instead of a missing one: it may be one of these by another name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    logical_id: String,
    name: String,
    function: String,
    /// The resource as it is in the deployed template.
    definition: Option<Value>,
    /// `$LATEST` or a number; null where the alias was deleted.
    version: Option<String>,
    weights: BTreeMap<Version, Weight>,
}

pub(crate) async fn run(args: &StackAlias) -> Result<u8, Failure> {
    let answer = async {
        let session = session::wire(&args.common, None, None).await?;
        look(&session, args).await
    };
    let answer = answer.await.map_err(|failure| Failure { code: 1, ..failure })?;
    if args.json || args.common.output == Output::Json {
        print_json(&format!("{}\n", serde_json::to_string(&answer).map_err(Failure::unexpected)?));
    } else {
        print_out(&in_words(&answer));
    }
    Ok(0)
}

async fn look(session: &Session, StackAlias { deployed: stack, logical_id, .. }: &StackAlias) -> Result<Answer, Failure> {
    let answer = |exists, alias, others| Ok(Answer { stack: stack.clone(), exists, alias, others });
    let Some(template) = session.aws.template(stack).await? else { return answer(false, None, Vec::new()) };
    let template = project::template(template.as_bytes()).map_err(Failure::unexpected)?;
    let none = || {
        let resources = template["Resources"].as_object().into_iter().flatten();
        let others = resources.filter(|(id, it)| *id != logical_id && it["Type"] == "AWS::Lambda::Alias");
        answer(true, None, others.map(|(id, _)| id.clone()).collect())
    };
    let definition = template["Resources"].get(logical_id).cloned();
    let arn = match session.aws.resource(stack, logical_id).await {
        // Still being made, or never made.
        Ok(None) => return none(),
        Err(error) if is_missing(&error) => return none(),
        arn => arn?.unwrap_or_default(),
    };
    let not_alias = || Failure::unexpected(format!("`{logical_id}` of the stack `{stack}` is not an alias: it is `{arn}`"));
    let name = Arn::parse(&arn).and_then(Arn::qualifier).ok_or_else(not_alias)?;
    let subject = Subject::parse(&arn, None).map_err(|_| not_alias())?;
    let held = session.aws.alias(&subject).await?.map(|held| held.alias);
    let version = held.as_ref().map(|alias| alias.target.to_string());
    let weights = held.into_iter().flat_map(|Alias { weights, .. }| weights).filter(|(_, weight)| !weight.is_zero()).collect();
    let (name, function) = (name.to_owned(), subject.function.name.clone());
    answer(true, Some(Found { logical_id: logical_id.clone(), name, function, definition, version, weights }), Vec::new())
}

/// That the stack has no such resource: the words are all there is to go by.
fn is_missing(error: &CloudError) -> bool {
    error.code.as_deref() == Some("ValidationError") && error.message.contains("does not exist")
}

fn in_words(Answer { stack, exists, alias, .. }: &Answer) -> String {
    match alias {
        None if !exists => format!("there is no stack `{stack}`\n"),
        None => format!("the stack `{stack}` has no such alias\n"),
        Some(Found { name, function, definition, version, .. }) => {
            let wanted = definition.as_ref().map(|definition| definition["Properties"]["FunctionVersion"].to_string());
            let wanted = wanted.map(|wanted| format!("; `FunctionVersion` in the template: {wanted}")).unwrap_or_default();
            let version = version.as_ref().map_or_else(|| "deleted".to_owned(), |version| format!("on {version}"));
            format!("{function}:{name} of the stack `{stack}` is {version}{wanted}\n")
        }
    }
}
