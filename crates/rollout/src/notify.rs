//! Who is told what of a rollout? Recipients and kinds of notifications, as people write them.
//!
//! The path of a URL may be a secret as a whole, as those of chats are: only scheme and host are ever shown.

use std::fmt;
use std::str::FromStr;

use crate::event::{Event, EventKind, GroupOutcome};
use crate::github::{Deployments, LONGEST_ENVIRONMENT, USUAL};
use crate::hook::{HookError, HookTarget, HookUrl};
use crate::words::words;
use crate::{Arn, OutcomeKind};

words! {
    /// What a notification is about.
    pub enum NoticeKind {
        /// A rollout began.
        Started = "started",
        /// The candidate has another weight.
        Shifted = "shifted",
        /// The weight stays where it is, until a person or a time ends that: a pause, monitoring that is unavailable, a rollout that was left in
        /// progress.
        Held = "held",
        /// The candidate is the alias' version, or there was nothing to roll out.
        Promoted = "promoted",
        /// All traffic is on stable again, confirmed.
        RolledBack = "rolled_back",
        /// A rollback could not be confirmed.
        Unconfirmed = "unconfirmed",
        /// It ended otherwise, after it had begun: superseded, refused, failed.
        Failed = "failed",
    }
}

impl NoticeKind {
    /// What is sent where nothing else was chosen: everything but the steps.
    pub fn usual() -> Vec<Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Shifted).collect()
    }

    /// What an event is, where it is worth telling. A rollback is told with its end, when stable is confirmed; never when it begins.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few events are worth a notification")]
    pub fn of(what: &EventKind) -> Option<Self> {
        match what {
            // What another process began was told by that one.
            EventKind::Started(started) => started.stands.is_none().then_some(Self::Started),
            EventKind::WeightShifted { .. } => Some(Self::Shifted),
            EventKind::Paused { .. } | EventKind::MonitoringLost { .. } => Some(Self::Held),
            EventKind::Outcome(ending) => match ending.outcome {
                OutcomeKind::Promoted | OutcomeKind::Unchanged => Some(Self::Promoted),
                OutcomeKind::RolledBack => Some(Self::RolledBack),
                OutcomeKind::RollbackUnconfirmed => Some(Self::Unconfirmed),
                OutcomeKind::LeftInProgress => Some(Self::Held),
                OutcomeKind::Superseded | OutcomeKind::Refused | OutcomeKind::Failed => Some(Self::Failed),
                // It is not over.
                OutcomeKind::Detached | OutcomeKind::Unknown(_) => None,
            },
            EventKind::GroupOutcome(outcome) => Self::of_a_group(outcome),
            _ => None,
        }
    }

    /// What the end of several rollouts as one is, by the exit code of all of them.
    fn of_a_group(outcome: &GroupOutcome) -> Option<Self> {
        let is_over = outcome.members.iter().all(|member| member.ending.outcome != OutcomeKind::Detached);
        is_over.then_some(match outcome.exit_code {
            0 => Self::Promoted,
            10..20 => Self::RolledBack,
            20 => Self::Unconfirmed,
            30 => Self::Held,
            _ => Self::Failed,
        })
    }
}

/// Who is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Whatever takes a POST there.
    Url(HookUrl),
    /// A topic of SNS, by its ARN.
    Topic(String),
    /// A bus of `EventBridge`, by its name or ARN.
    Bus(String),
    /// GitHub, which shows deployments.
    GitHub(Deployments),
}

/// A chat whose webhooks want a shape of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chat {
    /// Slack.
    Slack,
    /// Microsoft Teams, by a connector or a workflow.
    Teams,
}

impl Recipient {
    /// All of it, as it is read back, secrets included.
    pub fn whole(&self) -> String {
        match self {
            Self::Url(url) => HookTarget::Url(url.clone()).whole(),
            Self::Topic(_) | Self::Bus(_) | Self::GitHub(_) => self.to_string(),
        }
    }

    /// Whether it is for people, who are told of several rollouts as one: once for all of them. Programs are told of each function: what
    /// listens for `CodeDeploy` expects one application in a message.
    pub fn is_for_people(&self) -> bool {
        self.chat().is_some() || matches!(self, Self::GitHub(_))
    }

    /// The chat that a URL is of, if it is of one.
    pub fn chat(&self) -> Option<Chat> {
        let Self::Url(url) = self else { return None };
        let host = url.origin().split_once("://")?.1.split(':').next()?.to_ascii_lowercase();
        if ["hooks.slack.com", "hooks.slack-gov.com"].contains(&host.as_str()) {
            return Some(Chat::Slack);
        }
        let teams = [".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com"];
        teams.iter().any(|end| host.ends_with(end)).then_some(Chat::Teams)
    }
}

/// As it may be shown.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{}/…", url.origin()),
            Self::Topic(arn) => write!(f, "sns:{arn}"),
            Self::Bus(bus) => write!(f, "events:{bus}"),
            Self::GitHub(deployments) => write!(f, "github:{}", deployments.environment),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

/// Why a text is no recipient. None of them shows more of a URL than may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// No URL either.
    #[error(transparent)]
    Url(#[from] HookError),
    /// Not the ARN of a topic.
    #[error(
        "`{0}` is not the ARN of an SNS topic\n  hint: for example `sns:arn:aws:sns:eu-west-1:123456789012:deployments`; a FIFO topic cannot be \
         used"
    )]
    Topic(String),
    /// Not a bus.
    #[error("`{0}` is not the name or the ARN of an EventBridge bus\n  hint: for example `events:default`")]
    Bus(String),
    /// Not an environment.
    #[error("`{0}` is not the name of an environment of GitHub\n  hint: for example `github:production`")]
    Environment(String),
    /// None of them.
    #[error("a notification goes to `https://…`, `sns:TOPIC_ARN`, `events:BUS` or `github:ENVIRONMENT`")]
    Unknown,
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if HookUrl::is_meant(text) {
            return Ok(Self::Url(text.parse()?));
        }
        if let Some(bus) = text.strip_prefix("events:") {
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/:".contains(&byte);
            let is_arn = Arn::parse(bus).is_some_and(|arn| arn.service == "events");
            let sound = (1..=256).contains(&bus.len()) && bus.bytes().all(sound) && (is_arn || !bus.contains(':'));
            return if sound { Ok(Self::Bus(bus.to_owned())) } else { Err(RecipientError::Bus(shown(bus))) };
        }
        if text == "github" {
            return Ok(Self::GitHub(Deployments { environment: USUAL.to_owned(), repository: None }));
        }
        if let Some(environment) = text.strip_prefix("github:") {
            let length = environment.chars().count();
            let sound = (1..=LONGEST_ENVIRONMENT).contains(&length) && !environment.contains(char::is_control);
            let deployments = Deployments { environment: environment.to_owned(), repository: None };
            return if sound { Ok(Self::GitHub(deployments)) } else { Err(RecipientError::Environment(shown(environment))) };
        }
        let topic = text.strip_prefix("sns:").or_else(|| Arn::is_meant(text).then_some(text)).ok_or(RecipientError::Unknown)?;
        let name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let whole = |arn: &Arn<'_>| [arn.region, arn.account, arn.resource].iter().all(|part| !part.is_empty() && name(part));
        let sound = Arn::parse(topic).is_some_and(|arn| arn.service == "sns" && whole(&arn));
        if sound { Ok(Self::Topic(topic.to_owned())) } else { Err(RecipientError::Topic(shown(topic))) }
    }
}

/// A text as far as an error shows it.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(100).collect()
}

/// Who is told what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who.
    pub recipient: Recipient,
    /// What, each once.
    pub kinds: Vec<NoticeKind>,
    /// The name of the trigger that it stands for, where a topic's listeners expect one.
    pub trigger: Option<String>,
}

/// What there is to tell: an event of one rollout; or of several as one the events with which they began, or the one that ends all of them.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// At least one, and all of one kind.
    pub events: &'a [Event],
    /// The rollout's id: few events have it.
    pub id: &'a str,
    /// All that are rolled out as one; empty where it is one alone.
    pub group: &'a [String],
}

/// What one recipient is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// A line for a topic's subject: printable ASCII, at most 100 letters. The type of a bus' event. The state of GitHub's deployment.
    /// Nothing for a URL.
    pub subject: String,
    /// The text or the JSON.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_and_what_is_shown_of_it() {
        for (text, shown) in [
            ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/…"),
            ("https://hooks.example.com?token=secret", "https://hooks.example.com/…"),
            ("sns:arn:aws:sns:eu-west-1:123456789012:deploys", "sns:arn:aws:sns:eu-west-1:123456789012:deploys"),
            ("arn:aws:sns:eu-west-1:123456789012:deploys", "sns:arn:aws:sns:eu-west-1:123456789012:deploys"),
            ("events:default", "events:default"),
            ("github", "github:production"),
            ("github:eu staging", "github:eu staging"),
            (
                "events:arn:aws:events:eu-west-1:123456789012:event-bus/a",
                "events:arn:aws:events:eu-west-1:123456789012:event-bus/a",
            ),
        ] {
            let recipient: Recipient = text.parse().unwrap();
            assert_eq!(recipient.to_string(), shown);
            assert!(!format!("{recipient:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_no_recipient_says_so_and_shows_no_secret() {
        for text in [
            "",
            "slack",
            "http://hooks.example.com/secret",
            "https://user:secret@hooks.example.com/",
            "https://hooks.example.com/sec ret",
            "sns:deploys",
            "sns:arn:aws:sqs:eu-west-1:123456789012:deploys",
            "sns:arn:aws:sns:eu-west-1:123456789012:deploys.fifo",
            "sns:arn:aws:sns:eu-west-1:123456789012:",
            "events:",
            "events:a b",
            "github:",
            "github:a\nb",
            "githubs",
            "events:arn:aws:sns:eu-west-1:123456789012:deploys",
        ] {
            let error = text.parse::<Recipient>().unwrap_err().to_string();
            assert!(!error.contains("secret") && !error.contains("sec ret"), "{error}");
        }
    }

    #[test]
    fn chats_are_known_by_their_hosts() {
        for (url, chat) in [
            ("https://hooks.slack.com/services/a", Some(Chat::Slack)),
            ("https://HOOKS.slack.com:443/services/a", Some(Chat::Slack)),
            ("https://acme.webhook.office.com/webhookb2/a", Some(Chat::Teams)),
            ("https://prod-1.westeurope.logic.azure.com:443/workflows/a", Some(Chat::Teams)),
            ("https://hooks.slack.com.example.com/a", None),
            ("https://example.com/hooks.slack.com", None),
        ] {
            assert_eq!(url.parse::<Recipient>().unwrap().chat(), chat, "{url}");
        }
    }
}
