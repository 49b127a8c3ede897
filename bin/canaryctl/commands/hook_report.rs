//! `canaryctl hook report`: the later result of a hook that responded `InProgress`, as a tag on the function.

use clap::{Args, Subcommand, ValueEnum};
use controller::port::{Cloud, Failure as EndReason};
use controller::{awaited, tag_key};
use rollout::Subject;
use rollout::arn::{Arn, unqualified};
use rollout::note::NoteParse;
use serde_json::json;

use crate::cli::common::Common;
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::resolve::locate;
use crate::ui::print::print_result;

/// Report the result of a hook that answered `InProgress`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl hook report hello --execution-id 7f3ac2e1/pre-traffic/1 --status Succeeded")]
pub(crate) struct Hook {
    #[command(subcommand)]
    pub(crate) command: HookCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    Report(Box<Report>),
}

/// Report the result of a hook that responded `InProgress`
///
/// Writes one tag to the function that is rolled out; its rollout reads and removes the tag. The same without canaryctl:
/// `aws lambda tag-resource --resource <ARN> --tags canaryctl/<EXECUTION ID>=Succeeded`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl hook report hello --execution-id 7f3ac2e1/pre-traffic/1 --status Succeeded
  canaryctl hook report hello --execution-id 7f3ac2e1/post-traffic/1 --status Failed --reason 'two of 40 checks'")]
pub(crate) struct Report {
    /// The function that is rolled out, by name or ARN; with an ARN lambda:TagResource is the only permission needed
    #[arg(value_name = "FUNCTION", required_unless_present = "simulate")]
    function: Option<String>,
    /// The hook execution: `LifecycleEventHookExecutionId` in the hook's event
    #[arg(long, value_name = "ID", value_parser = execution_id)]
    execution_id: String,
    /// The result
    #[arg(long, value_enum, value_name = "STATUS")]
    status: Status,
    /// The reason, for the rollout's log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Status {
    Succeeded,
    Failed,
}

fn execution_id(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let sound = matches!(parts.as_slice(), [id, phase, attempt]
        if id.len() == 8 && !phase.is_empty() && attempt.parse::<u8>().is_ok())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'-');
    if sound {
        Ok(text.to_owned())
    } else {
        Err("expected rollout, phase and attempt, such as `7f3ac2e1/pre-traffic/1`".to_owned())
    }
}

pub(crate) async fn run(args: &Report) -> Result<u8, Failure> {
    let located = locate(args.function.as_deref(), &args.common, Needs::NameInAnIncident).await?;
    let (subject, session) = (&located.subject, &located.session);
    let given = subject.function.reference();
    let arn = if Arn::is_meant(&given) {
        given
    } else {
        let found =
            session.aws.configuration(&subject.function, None).await.map_err(|error| Failure::refused(error.to_string()))?;
        unqualified(&found.arn).to_owned()
    };
    if !awaited_by_any(&session.aws, subject, &args.execution_id).await {
        let text = format!("no rollout of {} waits for the hook execution `{}`", subject.function, args.execution_id);
        return Err(Failure::refused(format!(
            "{text}\n  hint: `canaryctl status {subject}` shows the current rollout; its hook's event holds the ID"
        )));
    }
    let answer = match args.status {
        Status::Succeeded => "Succeeded".to_owned(),
        Status::Failed if args.reason.is_empty() => "Failed".to_owned(),
        Status::Failed => format!("Failed: {}", in_a_tag(&args.reason)),
    };
    let key = tag_key(&args.execution_id);
    session.aws.tag(&arn, &key, &answer).await.map_err(|error| {
        let hint = if error.failure == EndReason::Denied { "\n  hint: lambda:TagResource on the function is needed" } else { "" };
        Failure::refused(format!("{error}{hint}"))
    })?;
    let text = format!("{key} = {answer}, on {arn}\n  the rollout reads it at its next poll and removes it\n");
    let json = || json!({ "type": "hook_reported", "resource": arn, "tag": key, "status": answer });
    print_result(args.common.output, 0, &text, json);
    Ok(0)
}

/// Whether a rollout on one of the function's aliases waits for this execution. What cannot be read may be: with an ARN no more is needed
/// than to write a tag. Without any alias it may be a first deployment, which has none yet.
async fn awaited_by_any(aws: &impl Cloud, subject: &Subject, execution_id: &str) -> bool {
    let Ok(names) = aws.alias_names(&subject.function).await else { return true };
    for alias in &names {
        let subject = Subject { alias: alias.clone(), ..subject.clone() };
        match aws.alias(&subject).await.map(|held| held.map(|held| held.alias.noted())) {
            Ok(Some(NoteParse::Note(note))) if awaited(&note).iter().any(|awaited| awaited == execution_id) => return true,
            Ok(Some(NoteParse::Newer { .. })) | Err(_) => return true,
            Ok(_) => {}
        }
    }
    names.is_empty()
}

/// A text that AWS accepts in a tag: letters, digits, spaces and `_.:/=+-@`, at most 256 with the word before it.
fn in_a_tag(text: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || "_.:/=+-@ ".contains(letter);
    text.chars().map(|letter| if fits(letter) { letter } else { ' ' }).take(240).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_named_whole() {
        assert!(execution_id("7f3ac2e1/pre-traffic/1").is_ok());
        for wrong in
            ["", "7f3ac2e1", "7f3ac2e1/pre-traffic", "7f3ac2e1/pre-traffic/x", "7f3ac2e1/pre traffic/1", "a/b/1", "7f3ac2e1//1"]
        {
            assert!(execution_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_fits_into_a_tag() {
        assert_eq!(in_a_tag("2 of 40 checks: \"cart\" (é) & more"), "2 of 40 checks:  cart   é    more");
        assert_eq!(in_a_tag(&"x".repeat(1_000)).len(), 240);
    }
}
