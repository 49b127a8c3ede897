//! What may be chosen about a rollout? One row for each option: its value where nothing is said, how it is written on the command line
//! and in `canary.yml`, and what it is for.
//!
//! Command line, file and schema are made from these rows, and what they say is laid over each other by [`Policy::of`]. Whether an
//! option makes another plan is said beside the plan's other rows, in [`Plan::hash`](crate::plan::Plan::hash).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::format::exact;
use crate::timing::{BLIND_LIMIT, DEFAULT_POLL, HOOK_LIMIT, MAX_HOLD};
use crate::words::words;

/// A value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// One of the words of its kind.
    Word(&'static str),
    /// A time.
    Time(Duration),
    /// Whether it is set.
    Switch(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Time(span) => humantime::format_duration(*span).fmt(f),
            Self::Switch(set) => set.fmt(f),
        }
    }
}

/// What one place says about options, by their names.
pub type Layer = BTreeMap<&'static str, Value>;

/// Which values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A time within these bounds.
    Time(Duration, Duration),
    /// It is set or it is not.
    Switch,
}

/// A time within its limits, or which they are.
///
/// # Errors
/// What is expected instead.
pub fn within(span: Duration, least: Duration, most: Duration) -> Result<Duration, String> {
    let [shown_least, shown_most] = [least, most].map(exact);
    if (least..=most).contains(&span) {
        Ok(span)
    } else if most == Duration::MAX {
        Err(format!("expected at least {shown_least}"))
    } else {
        Err(format!("expected {shown_least} to {shown_most}"))
    }
}

/// How an option is written in one place.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Its name there.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// An option of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Its field in [`Policy`].
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// The options that it stands beside in the help; empty for those of no group.
    pub group: &'static str,
    /// What stands for its value in the help.
    pub placeholder: &'static str,
    /// How it is written on the command line.
    pub flag: Spelling,
    /// The value that the help shows where nothing is said; empty where `flag` says it in words.
    pub shown: &'static str,
    /// How it is written in `canary.yml`, where it may be.
    pub key: Option<Spelling>,
    set: fn(&mut Policy, Value),
}

/// Declares the options: `field: type = value where nothing is said`, and a row of how each is written.
macro_rules! options {
    ($($(#[$about_field:meta])+ $field:ident: $type:ty = $usual:expr, {
        kind: $kind:expr, group: $group:literal, placeholder: $placeholder:literal,
        flag: $flag:literal $about:literal, shown: $shown:literal, $(key: $key:literal,)?
    })+) => {
        /// Everything that was chosen about a rollout beside what is rolled out, when, and what is watched and asked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Policy {
            $($(#[$about_field])+ pub $field: $type,)+
            /// How the invocations of both versions are compared.
            pub analysis: Analysis,
        }

        impl Default for Policy {
            /// What is done where nothing is said; the invocations of both versions are not compared.
            fn default() -> Self {
                Self { $($field: $usual,)+ analysis: Analysis::default() }
            }
        }

        /// All options but those of the comparison.
        pub const OPTIONS: &[Choice] = &[$(Choice {
            name: stringify!($field),
            kind: $kind,
            group: $group,
            placeholder: $placeholder,
            flag: Spelling { name: $flag, about: $about },
            shown: $shown,
            key: <[Spelling]>::first(&[$(Spelling { name: $key, about: concat!($about, ".") })?]).copied(),
            set: |policy, value| policy.$field.set(value),
        },)+];
    };
}

options! {
    /// How long to watch at 100%; `None` is 3 minutes where anything is watched, else nothing.
    bake: Option<Duration> = None, {
        kind: Kind::Time(Duration::ZERO, Duration::MAX), group: "Schedule", placeholder: "TIME",
        flag: "bake" "How long to watch the version at 100% before it is promoted [default: 3m if anything is watched, else 0]", shown: "",
        key: "bake",
    }
    /// Roll out a version that was rejected before.
    again: bool = false, {
        kind: Kind::Switch, group: "Version", placeholder: "",
        flag: "again" "Roll out a version that was rolled back before", shown: "",
    }
    /// How often to read the alarms, 100 ms and more; less often beside many others.
    poll: Duration = DEFAULT_POLL, {
        kind: Kind::Time(Duration::from_millis(100), Duration::from_mins(1)), group: "Watching", placeholder: "TIME",
        flag: "poll" "How often to read the alias and the alarms", shown: "5s",
    }
    /// About alarms that were in ALARM before.
    #[serde(rename = "preexisting_alarm")]
    preexisting_alarm: Preexisting = Preexisting::Fail, {
        kind: Kind::Words(Preexisting::WORDS), group: "Watching", placeholder: "HOW",
        flag: "preexisting-alarm" "If an alarm is in ALARM at the start: refuse, ignore it until it fires again, or wait up to 1h for OK [default: fail]", shown: "",
        key: "preexistingAlarm",
    }
    /// About alarms without data.
    #[serde(rename = "insufficient_data")]
    insufficient_data: InsufficientData = InsufficientData::Ok, {
        kind: Kind::Words(InsufficientData::WORDS), group: "Watching", placeholder: "HOW",
        flag: "insufficient-data" "If an alarm has no data: treat it as OK (like CodeDeploy), hold, or roll back [default: ok]", shown: "",
        key: "insufficientData",
    }
    /// How long to hold while nothing can be read.
    blind_limit: Duration = BLIND_LIMIT, {
        kind: Kind::Time(SECOND, Duration::MAX), group: "Watching", placeholder: "TIME",
        flag: "blind-limit" "Roll back after CloudWatch could not be read for this long [default: 10m]", shown: "",
        key: "blindLimit",
    }
    /// What counts as a hook's success.
    hook_answer: HookAnswer = HookAnswer::Status, {
        kind: Kind::Words(HookAnswer::WORDS), group: "Hooks", placeholder: "HOW",
        flag: "hook-answer" "A hook succeeds with `{\"status\":\"Succeeded\"}`, or with any response that is not an error", shown: "status",
    }
    /// How long a hook may take, from the write that announces it.
    hook_limit: Duration = HOOK_LIMIT, {
        kind: Kind::Time(SECOND, Duration::MAX), group: "Hooks", placeholder: "TIME",
        flag: "hook-timeout" "The time limit of a hook, including one that responds `InProgress` and reports later", shown: "1h",
    }
    /// What a signal does.
    on_interrupt: OnInterrupt = OnInterrupt::RollBack, {
        kind: Kind::Words(OnInterrupt::WORDS), group: "", placeholder: "HOW",
        flag: "on-interrupt" "On SIGINT or SIGTERM: roll back, or stop and leave the traffic unchanged", shown: "rollback",
    }
    /// Create the alias even if the function has others.
    create_alias: bool = false, {
        kind: Kind::Switch, group: "", placeholder: "",
        flag: "create-alias" "Create the alias even if the function has other aliases", shown: "",
    }
    /// Treat nothing to roll out as a refusal.
    require_change: bool = false, {
        kind: Kind::Switch, group: "", placeholder: "",
        flag: "require-change" "Exit with 3 instead of 0 if there is nothing to roll out", shown: "",
    }
    /// Continue even if the alias has provisioned concurrency.
    allow_provisioned: bool = false, {
        kind: Kind::Switch, group: "", placeholder: "",
        flag: "allow-provisioned-concurrency" "Roll out even if the alias has provisioned concurrency", shown: "",
    }
    /// Leave the function's log alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_logs: bool = false, {
        kind: Kind::Switch, group: "", placeholder: "",
        flag: "no-logs" "Do not look for error lines in the function's log after a rollback", shown: "",
        key: "noLogs",
    }
}

impl Policy {
    /// What several layers come to, the nearest one first: of each option the nearest value, or what is usual where none says it.
    pub fn of(layers: &[Layer]) -> Self {
        let mut policy = Self::default();
        for choice in OPTIONS {
            if let Some(value) = layers.iter().find_map(|layer| layer.get(choice.name)) {
                (choice.set)(&mut policy, *value);
            }
        }
        policy
    }
}

/// A field that a value can be put into. A value of another kind changes nothing.
trait Field {
    fn set(&mut self, value: Value);
}

macro_rules! fields {
    ($($type:ty: $kind:ident($value:ident) => $set:expr;)+) => {
        $(impl Field for $type {
            fn set(&mut self, value: Value) {
                if let Value::$kind($value) = value && let Some(value) = $set {
                    *self = value;
                }
            }
        })+
    };
}

fields! {
    Duration: Time(span) => Some(span);
    Option<Duration>: Time(span) => Some(Some(span));
    bool: Switch(set) => Some(set);
    Preexisting: Word(word) => Self::named(word);
    InsufficientData: Word(word) => Self::named(word);
    HookAnswer: Word(word) => Self::named(word);
    OnInterrupt: Word(word) => Self::named(word);
}

const SECOND: Duration = Duration::from_secs(1);

words! {
    /// What to do about an alarm that was in ALARM before the rollout began.
    #[derive(Default)]
    pub enum Preexisting {
        /// Refuse to begin.
        #[default]
        Fail = "fail",
        /// Begin; only a fresh transition to ALARM counts.
        Ignore = "ignore",
        /// Wait until it is OK, an hour at most.
        Wait = "wait",
    }
}

words! {
    /// What to make of an alarm in state `INSUFFICIENT_DATA`.
    #[derive(Default)]
    pub enum InsufficientData {
        /// It does not complain, as `CodeDeploy` sees it.
        #[default]
        Ok = "ok",
        /// Hold the weight, and roll back when it lasts.
        Hold = "hold",
        /// Roll back at once.
        RollBack = "rollback",
    }
}

words! {
    /// Whether the invocations of both versions are compared, and what comes of it.
    #[derive(Default)]
    pub enum Mode {
        /// It decides.
        On = "on",
        /// It is reported and decides nothing.
        Observe = "observe",
        /// It is not made.
        #[default]
        Off = "off",
    }
}

words! {
    /// What is made of slow invocations.
    #[derive(Default)]
    pub enum Latency {
        /// They are reported.
        #[default]
        Report = "report",
        /// They decide.
        Enforce = "enforce",
        /// Nothing.
        Ignore = "ignore",
    }
}

/// What to do about a step that has not had its invocations when it has waited long enough for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum OnLowTraffic {
    /// Roll back.
    #[default]
    #[serde(rename = "rollback")]
    RollBack,
    /// Go on without.
    #[serde(rename = "promote")]
    Promote,
    /// Send the candidate so many test events, and go on if it answers every one.
    #[serde(rename = "probe")]
    Probe(u32),
}

/// How the invocations of both versions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Analysis {
    /// Whether it is.
    pub mode: Mode,
    /// Whether to notice sooner, at a chance of a false rollback of 5% instead of 1%.
    pub sensitive: bool,
    /// About slow invocations.
    pub latency: Latency,
    /// The canary's invocations without which no step ends; 0 asks for none.
    pub min_requests: u64,
    /// How much longer than planned a step may last for lack of invocations.
    pub max_hold: Duration,
    /// What then.
    pub on_low_traffic: OnLowTraffic,
}

impl Default for Analysis {
    /// No comparison.
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            sensitive: false,
            latency: Latency::Report,
            min_requests: 0,
            max_hold: MAX_HOLD,
            on_low_traffic: OnLowTraffic::RollBack,
        }
    }
}

impl Analysis {
    /// The largest chance of a false rollback over a whole rollout.
    pub const fn alpha(&self) -> f64 {
        if self.sensitive { 0.05 } else { 0.01 }
    }
}

words! {
    /// What a signal does.
    #[derive(Default)]
    pub enum OnInterrupt {
        /// Bring the traffic back to stable.
        #[default]
        RollBack = "rollback",
        /// Leave the weight as it is, for another process to go on from.
        Hold = "hold",
    }
}

words! {
    /// What counts as a hook's success.
    #[derive(Default)]
    pub enum HookAnswer {
        /// A status that says so.
        #[default]
        Status = "status",
        /// Any answer but an error.
        Any = "any",
    }
}
