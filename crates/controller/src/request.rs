//! What was asked for? A rollout as the command line or a file put it, before anything was looked at.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rollout::entry::Wishes;
use rollout::hook::HookTarget;
use rollout::note::{Owner, RolloutId};
use rollout::plan::{
    Analysis, BLIND_LIMIT, DEFAULT_BAKE, Entry, HOOK_LIMIT, InsufficientData, Mode, OnInterrupt, Plan, Preexisting, Source,
};
use rollout::subject::Subject;
use rollout::{Schedule, Time, Version};

use sha2::{Digest, Sha256};

use crate::cloud::Code;
use crate::keep::AlarmRule;

/// The identity of a rollout and of the process that drives it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Which rollout.
    pub id: RolloutId,
    /// Whose.
    pub owner: Owner,
}

/// A rollout, as asked for.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent choice of the user")]
pub struct Request {
    /// Which alias of which function.
    pub subject: Subject,
    /// Roll out this version instead of publishing.
    pub version: Option<Version>,
    /// The version that the alias is expected to have before, where that was said.
    pub expects: Option<Version>,
    /// Put this code into `$LATEST` before publishing.
    pub code: Option<Code>,
    /// The description of the version that is published.
    pub description: Option<String>,
    /// Which share when.
    pub schedule: Schedule,
    /// How long to watch at 100 %; `None` is 3 minutes where anything is watched, else nothing.
    pub bake: Option<Duration>,
    /// How often to look; less often beside many others.
    pub poll: Duration,
    /// How many rollouts share this process' calls at a time, this one among them.
    pub beside: usize,
    /// The names of the alarms to watch, those that are kept among them.
    pub alarms: Vec<String>,
    /// The alarms to make, or to change, for the candidate.
    pub kept: Vec<AlarmRule>,
    /// About alarms that are red before.
    pub preexisting: Preexisting,
    /// About alarms without data.
    pub insufficient: InsufficientData,
    /// How long to hold while nothing can be read.
    pub blind_limit: Duration,
    /// How the calls of both versions are compared.
    pub analysis: Analysis,
    /// Whether that was asked for: then not being able to is a reason not to begin.
    pub analysis_asked: bool,
    /// The saved event to send the candidate, where that is to stand in for calls.
    pub probe_event: Option<Vec<u8>>,
    /// What to ask before any traffic moves.
    pub pre_hook: Option<HookTarget>,
    /// What to ask before every further share.
    pub step_hook: Option<HookTarget>,
    /// What to ask before promoting.
    pub post_hook: Option<HookTarget>,
    /// How long a hook may take.
    pub hook_limit: Duration,
    /// Take any answer of a hook but an error for success.
    pub any_hook_answer: bool,
    /// What a signal does.
    pub on_interrupt: OnInterrupt,
    /// Roll out a version that was rejected before.
    pub again: bool,
    /// Create the alias although the function has others.
    pub create_alias: bool,
    /// Treat nothing to roll out as a refusal.
    pub require_change: bool,
    /// Go on although the alias has provisioned concurrency.
    pub allow_provisioned: bool,
    /// Tell what every decision rests on, too.
    pub observations: bool,
    /// What to do about a rollout that is under way already.
    pub wishes: Wishes,
    /// All functions that are rolled out as one, this one among them; empty where it is alone.
    pub group: Vec<String>,
    /// What is worth knowing of where all this was said: told with the warnings.
    pub notes: Vec<String>,
}

impl Request {
    /// A rollout by this schedule, as it is where nothing else is said and nothing is watched.
    pub fn new(subject: Subject, schedule: Schedule) -> Self {
        Self {
            subject,
            version: None,
            expects: None,
            code: None,
            description: None,
            schedule,
            bake: None,
            poll: Duration::from_secs(5),
            beside: 1,
            alarms: Vec::new(),
            kept: Vec::new(),
            preexisting: Preexisting::default(),
            insufficient: InsufficientData::default(),
            blind_limit: BLIND_LIMIT,
            analysis: Analysis::default(),
            analysis_asked: false,
            probe_event: None,
            pre_hook: None,
            step_hook: None,
            post_hook: None,
            hook_limit: HOOK_LIMIT,
            any_hook_answer: false,
            on_interrupt: OnInterrupt::default(),
            again: false,
            create_alias: false,
            require_change: false,
            allow_provisioned: false,
            observations: false,
            wishes: Wishes::default(),
            group: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The plan for an alias whose version is `stable`.
    pub(crate) fn plan(&self, id: RolloutId, owner: Owner, began: Time, stable: Option<Version>) -> Plan {
        let watched = !self.alarms.is_empty() || self.analysis.mode == Mode::On;
        Plan {
            id,
            owner,
            began,
            entry: Entry::Fresh,
            stable,
            source: match (&self.version, &self.code) {
                (Some(version), _) => Source::Version(*version),
                (None, Some(code)) => Source::Update(fingerprint(code)),
                (None, None) => Source::Publish,
            },
            schedule: self.schedule.clone(),
            bake: self.bake.unwrap_or(if watched { DEFAULT_BAKE } else { Duration::ZERO }),
            poll: self.poll.max(shortest_poll(self.beside)),
            alarms: self.alarms.clone(),
            kept: self.kept.iter().map(|rule| format!("{}: {rule}", rule.name)).collect(),
            preexisting: self.preexisting,
            insufficient: self.insufficient,
            blind_limit: self.blind_limit,
            analysis: self.analysis,
            countable: true,
            pre_hook: self.pre_hook.as_ref().map(ToString::to_string),
            step_hook: self.step_hook.as_ref().map(ToString::to_string),
            post_hook: self.post_hook.as_ref().map(ToString::to_string),
            hook_limit: self.hook_limit,
            on_interrupt: self.on_interrupt,
            again: self.again,
            require_change: self.require_change,
            group: self.group.clone(),
        }
    }
}

/// The shortest poll of one of so many rollouts of a process, where it is not alone. They share five reads of aliases a second, one of
/// which is left to whoever acts.
pub fn shortest_poll(beside: usize) -> Duration {
    if beside > 1 { Duration::from_millis(250) * u32::try_from(beside).unwrap_or(u32::MAX) } else { Duration::ZERO }
}

/// Tells one package from another: the image's URI, or the hash that AWS will give the code.
pub(crate) fn fingerprint(code: &Code) -> String {
    match code {
        Code::Image(uri) => uri.clone(),
        Code::Zip(bytes) => BASE64_STANDARD.encode(Sha256::digest(bytes)),
    }
}
