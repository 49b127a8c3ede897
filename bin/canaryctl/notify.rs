//! Who is told of a rollout? The command line goes before the configuration file; names are looked up here.

use project::{Addressee, Notify};
use rollout::github::Repository;
use rollout::notify::{NoticeKind, Notification, Recipient, RecipientError};

use crate::cli::rollout::{Rollout, TICKS};
use crate::error::Failure;

/// A notification of the command line.
pub(crate) fn typed(args: &Rollout) -> Result<Vec<Notify>, Failure> {
    let wrong = |error: RecipientError| Failure::usage(format!("`--notify`: {error}"));
    let parsed = args.teams.notify.iter().map(|text| {
        let to = text.parse().map_err(wrong)?;
        Ok(Notify { to, on: args.teams.notify_on.clone(), trigger: None })
    });
    parsed.collect()
}

/// A notification with its recipient; `topic` is what the stack has for a logical id.
pub(crate) fn resolved(notify: &Notify, topic: Option<String>) -> Result<Notification, Failure> {
    let wrong = |of: &str, error: RecipientError| Failure::usage(format!("`notify`: {of}: {error}"));
    let mut recipient: Recipient = match &notify.to {
        Addressee::Known(recipient) => recipient.clone(),
        Addressee::Environment(name) => {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| {
                let text = format!(
                    "`notify`: the environment variable `{name}` is not set\n  hint: set it to the target, such as a URL"
                );
                Failure::usage(text)
            })?;
            value.trim().parse().map_err(|error| wrong(&format!("`env:{name}`"), error))?
        }
        Addressee::LogicalId(id) => {
            let topic = topic.unwrap_or_default();
            topic.parse().map_err(|error| wrong(&format!("`{id}`"), error))?
        }
    };
    if let Recipient::GitHub(deployments) = &mut recipient {
        let place = format!("github:{}", deployments.environment);
        let job = Repository::of(|name| std::env::var(name).ok());
        let job = job.map_err(|error| Failure::usage(format!("`notify`: `{place}`: {error}")))?;
        deployments.repository = Some(Box::new(job));
    }
    let kinds = if notify.on.is_empty() { NoticeKind::usual() } else { notify.on.clone() };
    Ok(Notification { recipient, kinds, trigger: notify.trigger.clone() })
}

/// Whether all of them can be told by what drives the rollout: the controller's function has no token of GitHub.
pub(crate) fn can_be_told(all: &[Notification], args: &Rollout) -> Result<(), Failure> {
    let by_schedule = args.detach.as_ref().is_some_and(|by| by != TICKS);
    match all.iter().find(|to| by_schedule && matches!(to.recipient, Recipient::GitHub(_))) {
        None => Ok(()),
        Some(Notification { recipient, .. }) => Err(Failure::usage(format!(
            "`--detach`: {recipient} cannot be notified: the controller's function has no `GITHUB_TOKEN`\n  hint: roll out without \
             `--detach`, or notify an `events:BUS` instead"
        ))),
    }
}
