//! Which part of the past is meant? The last rollout of an alias, or the versions and the start that were typed.

use std::time::{Duration, SystemTime};

use rollout::note::Note;
use rollout::{Subject, Time, Version};

use crate::cli::values::duration;
use crate::error::Failure;

/// When something began, as it was typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    At(Time),
    Ago(Duration),
}

pub(crate) fn two(text: &str) -> Result<(Version, Version), String> {
    let versions = text.split_once(',').and_then(|(stable, candidate)| stable.parse().ok().zip(candidate.parse().ok()));
    versions.ok_or_else(|| "expected two version numbers, stable first, such as `41,42`".to_owned())
}

pub(crate) fn moment(text: &str) -> Result<Since, String> {
    if let Ok(ago) = duration(text) {
        return Ok(Since::Ago(ago));
    }
    let wrong = |_| "expected a time such as `2026-11-23T14:00:00Z`, or how long ago, such as `3h`".to_owned();
    let since_epoch = humantime::parse_rfc3339_weak(text).map_err(wrong)?.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_epoch.map_err(|_| "expected a time after 1970".to_owned())?.as_millis();
    Ok(Since::At(Time::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))))
}

/// Stable, candidate and the start: those that were typed, else those of the last rollout, of which this is the note.
pub(crate) fn past(
    subject: &Subject,
    last: Option<&Note>,
    versions: Option<(Version, Version)>,
    since: Option<Since>,
    now: Time,
) -> Result<(Version, Version, Time), Failure> {
    let Some((stable, candidate)) = versions.or_else(|| last.and_then(|note| note.stable.zip(note.candidate))) else {
        return Err(refused(
            &format!("the alias {subject} has no record of a rollout"),
            "name versions and start: `--versions 41,42 --since 3h`",
        ));
    };
    let from = match (since, last) {
        (Some(Since::At(at)), _) => at,
        (Some(Since::Ago(ago)), _) => now - ago,
        (None, Some(last)) => last.started_at,
        (None, None) => return Err(refused("the start of the rollout is not known", "name it: `--since 3h`")),
    };
    Ok((stable, candidate, from))
}

/// What cannot be done, and what to do.
pub(crate) fn refused(what: &str, hint: &str) -> Failure {
    Failure::refused(format!("{what}\n  hint: {hint}"))
}
