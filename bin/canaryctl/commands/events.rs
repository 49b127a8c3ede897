//! `canaryctl events`: what the turns of a detached rollout wrote into the log of the controller's function, as an events file.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use controller::CONTROLLER;
use controller::port::{Cloud, CloudError, Failure as CallFailure, LogSpan, default_log_group};
use report::{Json, Reporter, Wanted};
use rollout::Time;
use rollout::note::RolloutId;
use rollout::target::Qualified;

use crate::cli::common::Common;
use crate::cli::values::rollout_id;
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::past::{Since, moment, refused};
use crate::target::resolve::{Located, locate};
use crate::ui::atomic_file::replace;
use crate::ui::print::{print_info, print_json};

/// Gather the events of a detached rollout from the log of the controller's function
///
/// Each turn writes its events into the log of the function that runs it, one line of JSON for each. This finds those of one rollout of
/// one function, and prints them as an events file, which `explain` and `replay` read. What the process wrote that started the rollout
/// is not among them: `rollout --detach --events FILE` keeps it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl events hello > turns.jsonl
  canaryctl events hello:live --rollout 7f3ac2e1 --since 2d --to turns.jsonl
  canaryctl events hello | canaryctl explain -")]
pub(crate) struct Events {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    function: String,
    /// Which rollout [default: the last one of the alias]
    #[arg(long, value_name = "ID", value_parser = rollout_id)]
    rollout: Option<RolloutId>,
    /// The start: a time, or how long ago [default: the start of the last rollout]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Since>,
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The function that continues the rollout
    #[arg(long, value_name = "NAME", default_value = CONTROLLER)]
    controller: Qualified,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) async fn run(args: Events) -> Result<u8, Failure> {
    let Located { subject, session, .. } = locate(Some(&args.function), &args.common, Needs::NameInAnIncident).await?;
    let now = session.aws.time();
    let held = session.aws.alias(&subject).await;
    let held = held.map_err(|error| refused(&error.to_string(), "is this the right Region and account?"))?;
    let last = held.and_then(|held| held.alias.note());
    let meant = last.filter(|note| args.rollout.is_none_or(|wanted| note.id == wanted));
    let Some(id) = args.rollout.or(meant.as_ref().map(|note| note.id)) else {
        let hint = "name the rollout: `--rollout 7f3ac2e1 --since 3h`";
        return Err(refused(&format!("the alias {subject} has no record of a rollout"), hint));
    };
    let from = match (args.since, &meant) {
        (Some(Since::At(at)), _) => at,
        (Some(Since::Ago(ago)), _) => now - ago,
        (None, Some(note)) => note.started_at,
        (None, None) => {
            let hint = "name its start: `--since 2d`";
            return Err(refused(&format!("{id} is not the last rollout of {subject}: its start is not known"), hint));
        }
    };
    let ended = meant.filter(|note| note.phase.is_terminal()).map(|note| note.since.max(from) + LATER);
    let to = ended.map_or(now, |ended| ended.min(now));
    let name = &args.controller.function.name;
    let group = match session.aws.configuration(&args.controller.function, None).await {
        Ok(found) => found.log_group(),
        // Its log may be there without it, or may be read where the function may not.
        Err(_) => default_log_group(name),
    };
    let (function, alias) = (subject.function.name.as_str(), subject.alias.as_str());
    let pattern = format!(r#"{{ $.function = "{function}" && $.alias = "{alias}" }}"#);
    let span = LogSpan { group, pattern, from, to };
    let lines = session.aws.log_lines(&span).await.map_err(|error| not_read(&error, &span.group, name))?;
    let id = id.to_string();
    let wanted = Wanted { function, alias, rollout_id: &id };
    let found = report::gathered(lines.iter().map(|line| (line.stream.as_str(), line.text.as_str())), wanted);
    if found.is_empty() {
        let what = format!("no events of rollout {id} of {subject} in {} from {} to {}", span.group, spelled(from), spelled(to));
        let hint = "another function may continue it: `--controller NAME`; a rollout with a process of its own has events only in \
                    the file of `rollout --events FILE`";
        return Err(refused(&what, hint));
    }
    let mut text = Vec::new();
    let mut json = Json::new(&mut text);
    found.iter().try_for_each(|event| json.event(event)).map_err(Failure::unexpected)?;
    let Some(path) = args.to else {
        print_json(&String::from_utf8_lossy(&text));
        return Ok(0);
    };
    replace(&path, |file| file.write_all(&text))
        .map_err(|error| Failure::unexpected(format!("cannot write `{}`: {error}", path.display())))?;
    print_info(&format!("events of rollout {id} of {subject}: {}, in `{}`\n", found.len(), path.display()));
    Ok(0)
}

fn not_read(error: &CloudError, group: &str, controller: &str) -> Failure {
    match error.failure {
        CallFailure::NotFound => {
            let what = format!(
                "there is no log group {group}: {controller} has not run in this account and Region, or its log is deleted"
            );
            refused(&what, "another function may continue the rollout: `--controller NAME`")
        }
        CallFailure::Denied => {
            refused(&error.to_string(), "logs:FilterLogEvents is needed: `canaryctl iam-policy hello --detach` has the policy")
        }
        CallFailure::Expired
        | CallFailure::Throttled
        | CallFailure::Unanswered
        | CallFailure::Unsent
        | CallFailure::Unsigned
        | CallFailure::NotExecuted
        | CallFailure::Conflict
        | CallFailure::Outdated
        | CallFailure::Invalid => refused(&error.to_string(), "run it again"),
    }
}

/// To the second: `2026-11-26T14:03:10Z`.
fn spelled(at: Time) -> String {
    at.to_string().get(..19).map_or_else(|| at.to_string(), |text| format!("{text}Z"))
}

/// How long after a rollout's end its last line may be written: by the turn that ends it, or one that only finds that it has ended.
const LATER: Duration = Duration::from_mins(15);
