//! Who is told of a rollout? The notifications of `canary.yml`, and the triggers of a deployment group, which become such.

use std::fmt;
use std::str::FromStr;

use rollout::notify::{NoticeKind, Recipient, RecipientError};

use crate::finding::{Findings, NoteKind, shown};
use crate::keys::{Read, keys, no_word, scalar};
use crate::place::{At, Place};
use crate::tree::Node;

/// Who is told what.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Who.
    pub to: Addressee,
    /// What; empty means not set.
    pub on: Vec<NoticeKind>,
    /// The name of the trigger that it stands for.
    pub trigger: Option<String>,
}

/// Who is told, as a file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// A URL, a topic, a bus, or GitHub.
    Known(Recipient),
    /// What this variable of the environment has, so that a secret URL stands in no file.
    Environment(String),
    /// A topic, by its id in the project's stack.
    LogicalId(String),
}

impl FromStr for Addressee {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sound = |name: &&str| {
            !name.is_empty() && name.len() <= 256 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.strip_prefix("env:").filter(sound) {
            Some(name) => Ok(Self::Environment(name.to_owned())),
            None => text.parse().map(Self::Known),
        }
    }
}

/// As a file has it, to be written where it was read and not to be shown.
pub(crate) fn written(to: &Addressee) -> String {
    match to {
        Addressee::Known(Recipient::Url(url)) => url.secret().to_owned(),
        Addressee::Known(_) | Addressee::Environment(_) | Addressee::LogicalId(_) => to.to_string(),
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(recipient) => recipient.fmt(f),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::LogicalId(id) => f.write_str(id),
        }
    }
}

impl Read for Addressee {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let text = scalar(node, EXPECTED, found)?;
        // The message does not show the URL: it is a secret as a whole.
        text.parse().map_err(|error: RecipientError| found.problem(&node.place, error.to_string())).ok()
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": "^(https?://|sns:arn:|arn:|events:|env:|github$|github:)" })
    }
}

impl Read for NoticeKind {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        node.text().and_then(Self::named).or_else(|| no_word(node, Self::WORDS, found))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "enum": Self::WORDS })
    }
}

keys! {
    struct NotifyKeys {
        /// An `https://` URL, `sns:TOPIC_ARN`, `events:BUS`, `github:ENVIRONMENT`, or `env:NAME` for what an environment variable has.
        "to" to: Addressee,
        /// The logical id of an SNS topic in the stack, instead of `to`.
        "logicalId" logical_id: String,
        /// What they are told [default: all but `shifted`].
        "on" on: Vec<At<NoticeKind>>,
        /// The name of the CodeDeploy trigger that an SNS topic's listeners expect.
        "trigger" trigger: String,
    }
}

impl Read for Notify {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        if node.map().is_none() {
            return Addressee::read(node, found).map(|to| Self { to, on: Vec::new(), trigger: None });
        }
        let NotifyKeys { to, logical_id, on, trigger } = NotifyKeys::read(node, found)?;
        let to = match (to, logical_id) {
            (Some(to), None) => to.value,
            (None, Some(id)) => Addressee::LogicalId(id.value),
            _ => {
                // What is wrong with `to` was said.
                if node.get("to").is_none() || node.get("logicalId").is_some() {
                    found.problem(&node.place, "a notification needs `to`, or `logicalId` for a topic of the stack");
                }
                return None;
            }
        };
        let on = on.map(|on| on.value.into_iter().map(|at| at.value).collect()).unwrap_or_default();
        Some(Self { to, on, trigger: trigger.map(|at| at.value) })
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [Addressee::schema(), NotifyKeys::schema()] })
    }
}

/// A trigger of a deployment group, as far as it could be read: its name, its events and its topic.
pub(crate) struct Trigger {
    pub(crate) name: Option<String>,
    pub(crate) events: Vec<String>,
    /// The topic's ARN or its logical id; `None` where it cannot be resolved.
    pub(crate) topic: Option<Addressee>,
}

impl Trigger {
    /// The topic of this ARN, where it is one.
    pub(crate) fn topic(text: &str) -> Option<Addressee> {
        let recipient: Recipient = text.parse().ok()?;
        matches!(recipient, Recipient::Topic(_)).then_some(Addressee::Known(recipient))
    }

    /// The notification that keeps the trigger's listeners going; a note where there is none.
    pub(crate) fn notification(self, place: &Place, found: &mut Findings) -> Option<At<Notify>> {
        let on: Vec<NoticeKind> =
            NoticeKind::ALL.into_iter().filter(|kind| self.events.iter().any(|event| is_on(event, *kind))).collect();
        let Some(to) = self.topic else {
            let message = "this trigger is not used: its topic is not known from this file";
            let hint = "name it with `--notify sns:TOPIC_ARN`, or under `notify` in a `canary.yml`";
            found.note(NoteKind::Warning, place, message, Some(hint));
            return None;
        };
        if on.is_empty() {
            let events = self.events.iter().map(|event| format!("`{}`", shown(event))).collect::<Vec<_>>().join(", ");
            found.note(NoteKind::Ignored, place, format!("this trigger is not used: no rollout has events {events}"), None);
            return None;
        }
        Some(At { value: Notify { to, on, trigger: self.name }, place: place.clone() })
    }
}

/// Whether an event of `CodeDeploy` is what a notification is about. A rollback there is a deployment of its own, here the end of one.
fn is_on(event: &str, kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::Started => event == "DeploymentStart",
        NoticeKind::Promoted => event == "DeploymentSuccess",
        NoticeKind::RolledBack | NoticeKind::Unconfirmed | NoticeKind::Failed => {
            ["DeploymentFailure", "DeploymentStop", "DeploymentRollback"].contains(&event)
        }
        NoticeKind::Held | NoticeKind::Shifted => false,
    }
}

const EXPECTED: &str = "an `https://` URL, `sns:TOPIC_ARN`, `events:BUS`, `github:ENVIRONMENT` or `env:NAME`";
