//! `canaryctl logs`: which errors did the candidate of a rollout log? Changes nothing.

use std::fmt::Write as _;

use clap::Args;
use controller::port::Cloud;
use controller::{LogSearch, error_lines};
use rollout::event::FORMAT;
use rollout::health::clock;
use rollout::note::RolloutId;
use rollout::timing::LOG_LIMIT;
use rollout::{Time, Version};
use serde_json::json;

use crate::cli::common::{Common, Output};
use crate::cli::values::rollout_id;
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::past::{Since, moment, past, refused, two};
use crate::target::resolve::{Located, locate};
use crate::ui::print::{print_json, print_out};

/// Show the errors that the new version logged: of the rollout in progress, or of the last one
///
/// Reads the function's log group with one query of CloudWatch Logs Insights, for 15 seconds at most. Lines that differ only in numbers,
/// ids, addresses and quoted values are counted together; those that stable does not log come first. AWS charges for the bytes that are
/// read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl logs hello
  canaryctl logs hello:live --since 30m --versions 41,42 --output json")]
pub(crate) struct Logs {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file
    #[arg(value_name = "FUNCTION[:ALIAS]", required_unless_present = "simulate")]
    function: Option<String>,
    /// Only if the alias' last rollout is this one
    #[arg(long, value_name = "ID", value_parser = rollout_id)]
    rollout: Option<RolloutId>,
    /// The start: a time, or how long ago [default: the start of the last rollout]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Since>,
    /// The two versions, stable first [default: those of the last rollout]
    #[arg(long, value_name = "N,N", value_parser = two)]
    versions: Option<(Version, Version)>,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) async fn run(args: Logs) -> Result<u8, Failure> {
    let Located { subject, session, .. } = locate(args.function.as_deref(), &args.common, Needs::NameInAnIncident).await?;
    let held = session.aws.alias(&subject).await;
    let held = held.map_err(|error| refused(&error.to_string(), "is this the right Region and account?"))?;
    let last = held.as_ref().and_then(|held| held.alias.note());
    if let Some(wanted) = args.rollout
        && last.as_ref().is_none_or(|note| note.id != wanted)
    {
        let known = last.as_ref().map_or_else(|| "none".to_owned(), |note| note.id.to_string());
        return Err(refused(&format!("the last rollout of {subject} is {known}, not {wanted}"), "name times: `--since 3h`"));
    }
    let now = session.aws.time();
    let (stable, candidate, from) = past(&subject, last.as_ref(), args.versions, args.since, now)?;
    // What is over is not looked at until today.
    let ended = last.filter(|note| args.since.is_none() && note.phase.is_terminal()).map(|note| note.since.max(from));
    let known = session.aws.configuration(&subject.function, None).await;
    let group = known.map_err(|error| refused(&error.to_string(), "lambda:GetFunctionConfiguration is needed"))?.log_group();
    let (function, to) = (subject.function.name.clone(), ended.unwrap_or(now));
    let search = LogSearch { function, group, candidate, stable: Some(stable), from, to, filters: Vec::new() };
    let Some(found) = error_lines(&session.aws, &session.clock, &search, LOG_LIMIT).await else {
        return Err(Failure::unexpected(format!(
            "the query of {} took longer than 15s\n  hint: a shorter time: `--since 10m`",
            search.group
        )));
    };
    let hint = "logs:StartQuery and logs:GetQueryResults are needed: `canaryctl iam-policy` prints the policy";
    let found = found.map_err(|error| refused(&error.to_string(), hint))?;
    match args.common.output {
        Output::Json => {
            let (name, alias) = (&subject.function.name, &subject.alias);
            let line = json!({
                "v": FORMAT, "type": "logs", "at": now, "function": name, "alias": alias, "log_group": search.group,
                "stable": stable, "candidate": candidate, "from": from, "to": to, "evidence": found,
            });
            print_json(&format!("{line}\n"));
        }
        Output::Text => {
            let mut text = format!("{}, {candidate} from {} to {} UTC\n", search.group, day_and_clock(from), clock(to));
            for kind in &found {
                let _ = writeln!(text, "  {}", report::logged_error(kind, Some(stable)));
            }
            if found.is_empty() {
                text.push_str("  no error lines\n");
            }
            print_out(&text);
        }
    }
    Ok(0)
}

/// The day and the time of day: `2026-11-26 14:03:10`.
fn day_and_clock(at: Time) -> String {
    let day = at.to_string();
    format!("{} {}", day.get(..10).unwrap_or(&day), clock(at))
}
