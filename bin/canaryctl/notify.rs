//! Who is told of a rollout? The command line goes before the configuration file; names are looked up here.

use project::{Addressee, Notify};
use rollout::notify::{NoticeKind, Notification, Recipient, RecipientError};

use crate::cli::rollout::Rollout;
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
    let recipient: Recipient = match &notify.to {
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
    let kinds = if notify.on.is_empty() { NoticeKind::usual() } else { notify.on.clone() };
    Ok(Notification { recipient, kinds, trigger: notify.trigger.clone() })
}
