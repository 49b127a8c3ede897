//! What was asked for? A rollout as the command line or a file put it, before anything was looked at.

use std::ops::Deref;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rollout::admission::TakeoverOptions;
use rollout::gate::Gate;
use rollout::hook::HookTarget;
use rollout::note::{Owner, RolloutId};
use rollout::notify::{Message, News, Notification};
use rollout::plan::{Entry, Mode, Plan, Source};
use rollout::policy::Policy;
use rollout::target::Subject;
use rollout::timing::DEFAULT_BAKE;
use rollout::turn::Turn;
use rollout::{Names, Schedule, Signal, Time, Version};

use sha2::{Digest, Sha256};

use crate::alias_stack::ReadTemplate;
use crate::guard::Guard;
use crate::port::{AlarmRule, Code};

/// What a recipient is sent of news, if anything.
pub type Notice = fn(&Notification, &News<'_>) -> Option<Message>;

/// A rollout, as asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which alias of which function.
    pub subject: Subject,
    /// Roll out this version instead of publishing.
    pub version: Option<Version>,
    /// Where the candidate comes from, where another process has settled that; else `version` and `code` say it.
    pub source: Option<Source>,
    /// The version that the alias is expected to have before, where that was said.
    pub expects: Option<Version>,
    /// Put this code into `$LATEST` before publishing.
    pub code: Option<Code>,
    /// The description of the version that is published.
    pub description: Option<String>,
    /// Which weight when.
    pub schedule: Schedule,
    /// How many rollouts share this process' calls at a time, this one among them.
    pub concurrent_rollouts: usize,
    /// The names of the alarms to watch, managed ones among them.
    pub alarms: Vec<String>,
    /// The alarms to make, or to change, for the candidate.
    pub managed: Vec<AlarmRule>,
    /// What else counts as failed, beside Lambda's errors.
    pub signals: Vec<Signal>,
    /// What was chosen about it.
    pub policy: Policy,
    /// Whether comparing the versions was asked for: then not being able to is a reason not to begin.
    pub analysis_asked: bool,
    /// The test event to send the candidate, where that is to stand in for calls.
    pub probe_event: Option<Vec<u8>>,
    /// What to ask before any traffic moves.
    pub pre_hook: Option<HookTarget>,
    /// What to ask before every further weight.
    pub step_hook: Option<HookTarget>,
    /// What to ask before promoting.
    pub post_hook: Option<HookTarget>,
    /// What to ask once a minute while the candidate has traffic.
    pub checks: Vec<HookTarget>,
    /// Tell what every decision rests on, too.
    pub observations: bool,
    /// The function that goes on with it once it is detached, by its name or ARN, where one does: else somebody runs its turns.
    pub controller: Option<String>,
    /// Which rollout a turn is for; any where nothing is said.
    pub rollout: Option<RolloutId>,
    /// How much of the rollout this process drives; `None` is all of it.
    pub turn: Option<Turn>,
    /// What guards it once its process is gone, where anything does.
    pub guard: Option<Guard>,
    /// What to do about a rollout that is in progress already.
    pub takeover: TakeoverOptions,
    /// All functions that are rolled out as one, this one among them; empty where it is alone.
    pub group: Names,
    /// How a stack's template is read.
    pub read_template: ReadTemplate,
    /// The alias that is put on the version that was stable, once another is promoted.
    pub keep_previous: Option<String>,
    /// What deletes old versions of the function, where that is known.
    pub prunes: Option<String>,
    /// Where the schedule waits for a person.
    pub gates: Vec<Gate>,
    /// Who is told of it.
    pub notify: Vec<Notification>,
    /// What each of these is sent.
    pub notice: Notice,
    /// What is worth knowing of where all this was said: told with the warnings.
    pub notes: Vec<String>,
}

impl Deref for Request {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl Request {
    /// A rollout by this schedule, as it is where nothing else is said and nothing is watched.
    pub fn new(subject: Subject, schedule: Schedule) -> Self {
        Self {
            subject,
            version: None,
            source: None,
            expects: None,
            code: None,
            description: None,
            schedule,
            concurrent_rollouts: 1,
            alarms: Vec::new(),
            managed: Vec::new(),
            policy: Policy::default(),
            analysis_asked: false,
            probe_event: None,
            pre_hook: None,
            step_hook: None,
            post_hook: None,
            checks: Vec::new(),
            observations: false,
            controller: None,
            rollout: None,
            turn: None,
            guard: None,
            takeover: TakeoverOptions::default(),
            group: Names::default(),
            signals: Vec::new(),
            read_template: |text| serde_json::from_str(text).ok(),
            keep_previous: None,
            prunes: None,
            gates: Vec::new(),
            notify: Vec::new(),
            notice: |_, _| None,
            notes: Vec::new(),
        }
    }

    /// How often its alarms are read while nothing else is looked at: as often as it asks for, where the alias' turn comes more rarely.
    pub(crate) fn alarm_poll(&self) -> Duration {
        self.poll.max(shortest_alarm_poll(self.concurrent_rollouts))
    }

    pub(crate) fn plan(&self, id: RolloutId, owner: Owner, began: Time, stable: Option<Version>) -> Plan {
        let watched = !self.alarms.is_empty() || self.analysis.mode == Mode::On || !self.checks.is_empty();
        Plan {
            id,
            owner,
            began,
            entry: Entry::Fresh,
            stable,
            source: match (&self.source, &self.version, &self.code) {
                (Some(source), _, _) => source.clone(),
                (None, Some(version), _) => Source::Version(*version),
                (None, None, Some(code)) => Source::Update(fingerprint(code)),
                (None, None, None) => Source::Publish,
            },
            schedule: self.schedule.clone(),
            bake: self.bake.unwrap_or(if watched { DEFAULT_BAKE } else { Duration::ZERO }),
            alarms: self.alarms.clone(),
            managed: self.managed.iter().map(|rule| format!("{}: {rule}", rule.name)).collect(),
            policy: Policy { poll: self.poll.max(shortest_poll(self.concurrent_rollouts)), ..self.policy },
            countable: true,
            durable: false,
            pre_hook: self.pre_hook.as_ref().map(ToString::to_string),
            step_hook: self.step_hook.as_ref().map(ToString::to_string),
            post_hook: self.post_hook.as_ref().map(ToString::to_string),
            checks: self.checks.iter().map(ToString::to_string).collect(),
            group: self.group.clone(),
            signals: self.signals.clone(),
            gates: self.gates.clone(),
        }
    }
}

/// The shortest poll of one of so many rollouts of a process, where it is not alone. They share five reads of aliases a second, one of
/// which is left to whoever acts.
pub fn shortest_poll(concurrent_rollouts: usize) -> Duration {
    if concurrent_rollouts > 1 {
        Duration::from_millis(250) * u32::try_from(concurrent_rollouts).unwrap_or(u32::MAX)
    } else {
        Duration::ZERO
    }
}

/// The shortest time between two reads of the alarms of one of so many rollouts of a process: a read has a hundred of them, and two a second are a
/// part of what `CloudWatch` answers.
pub(crate) fn shortest_alarm_poll(concurrent_rollouts: usize) -> Duration {
    Duration::from_millis(5) * u32::try_from(concurrent_rollouts).unwrap_or(u32::MAX)
}

/// Reports one package from another: the image's URI, or the hash that AWS will give the code.
pub(crate) fn fingerprint(code: &Code) -> String {
    match code {
        Code::Image(uri) => uri.clone(),
        Code::Zip(bytes) => BASE64_STANDARD.encode(Sha256::digest(bytes)),
    }
}
