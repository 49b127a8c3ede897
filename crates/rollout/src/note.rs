//! What does the alias remember? One line at the end of its description, behind the user's own text.
//!
//! ```text
//! [canaryctl/1 7f3ac2e1 k4q9 shift 41>42 30% 3/10 t=towpnp s=towpr0 d=towpso l=towpvo h=9a41c07e x=39h]
//! ```
//!
//! Rollout id and owner token stand at the same places in every version of the format, so that a later one can be recognised. Then the phase, `stable>candidate` (`-`
//! where there is none yet), in phase `shift` the weight and the step, in phase `back` the cause, and fields: `t` begun, `s` in force since (after a `0`: its gate was
//! approved), `d` next change due, `l` lease, `u` paused until (`r`, `b`: then resume, roll back; after a `0`: a gate), `b` blind since, `k` hook attempt and deadline
//! (after a `0`: it has succeeded), `a` how long suspicions have held it up, `w` how much longer this step lasts for lack of invocations, `p` what stable replaced, `h`
//! the plan's hash, `m` that a person gave the candidate all traffic, `x` rejected versions with the letter of their cause. Times: seconds, in base 36.
//!
//! The codec does not judge: whether a note fits the alias it stands on is the standing's business.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Cause, Time, Version, VersionError, Weight};

/// How long a description may be, by AWS' rule.
pub const DESCRIPTION_LIMIT: usize = 256;

/// The room that a note may need. A user's text that leaves less is refused before a rollout begins.
pub const NOTE_ROOM: usize = 165;

/// The longest text of the user's own that leaves a note its room, the space between them included.
pub const TEXT_LIMIT: usize = DESCRIPTION_LIMIT - NOTE_ROOM - 1;

/// How many rejected versions a note remembers, newest first.
pub const REJECTED_KEPT: usize = 3;

const OPENING: &str = "[canaryctl/";

/// The identity of one rollout: eight hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RolloutId(pub u32);

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl std::str::FromStr for RolloutId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex(text).map(Self).ok_or(())
    }
}

/// The token of the process that owns a rollout: four characters, compared by equality and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32")]
pub struct Owner(u32);

impl From<u32> for Owner {
    fn from(bits: u32) -> Self {
        Self::from_random(bits)
    }
}

impl Owner {
    const COUNT: u32 = 36 * 36 * 36 * 36;

    /// A token out of random bits.
    pub const fn from_random(bits: u32) -> Self {
        Self(bits % Self::COUNT)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0>4}", base36(u64::from(self.0)))
    }
}

/// The hash of what was planned, to tell whether a re-run means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanHash(pub u32);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Where a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Claimed: nothing has moved, the candidate may not exist yet.
    #[serde(rename = "claim")]
    Claim,
    /// The pre-traffic hook is due or runs: nothing has moved.
    #[serde(rename = "pre")]
    Pre,
    /// The candidate has this weight, below 100%.
    #[serde(rename = "shift")]
    Shift {
        /// The weight that was set.
        weight: Weight,
        /// Which step this is, from 1; 0 where the weight lies below the first one.
        step: u16,
        /// How many steps there are.
        steps: u16,
    },
    /// The candidate has 100% and is watched.
    #[serde(rename = "bake")]
    Bake,
    /// The candidate has 100% and the post-traffic hook is due or runs.
    #[serde(rename = "post")]
    Post,
    /// Terminal: the candidate has become the alias' version.
    #[serde(rename = "promoted")]
    Promoted,
    /// Terminal: the alias is on stable and this rollout is over.
    #[serde(rename = "back")]
    Back(Cause),
}

impl Phase {
    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Promoted | Self::Back(_))
    }

    /// The candidate's weight in this phase: what the alias' weights should say.
    pub fn share(self) -> Weight {
        match self {
            Self::Claim | Self::Pre | Self::Promoted | Self::Back(_) => Weight::ZERO,
            Self::Shift { weight, .. } => weight,
            Self::Bake | Self::Post => Weight::FULL,
        }
    }

    /// The phase in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Pre => "pre",
            Self::Shift { .. } => "shift",
            Self::Bake => "bake",
            Self::Post => "post",
            Self::Promoted => "promoted",
            Self::Back(_) => "back",
        }
    }
}

words! {
    /// What happens when a pause is over.
    pub enum AfterPause {
        /// The schedule goes on.
        Resume = "resume",
        /// The traffic rolls back.
        RollBack = "rollback",
    }
}

/// A pause that a person asked for, or a gate of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends by itself.
    pub until: Time,
    /// What happens then.
    pub then: AfterPause,
    /// Whether the schedule set it, for a person to approve.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
}

/// One invocation of a hook, noted before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HookAttempt {
    /// Which attempt this is, from 1.
    pub number: u8,
    /// When it counts as failed.
    pub deadline: Time,
    /// Whether it has succeeded: of several turns of a group at once, each hears of its own askings only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
}

impl HookAttempt {
    pub(crate) const fn new(number: u8, deadline: Time) -> Self {
        Self { number, deadline, passed: false }
    }
}

/// A version that was found bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rejected {
    /// The version.
    pub version: Version,
    /// What spoke against it: a cause that rejects.
    pub cause: Cause,
}

/// Everything an alias remembers of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Note {
    /// Which rollout.
    pub id: RolloutId,
    /// Whose it is.
    pub owner: Owner,
    /// Where it is.
    pub phase: Phase,
    /// The version to roll back to; `None` in a first deployment.
    pub stable: Option<Version>,
    /// The version being rolled out; `None` until it is published.
    pub candidate: Option<Version>,
    /// When the rollout began.
    #[serde(rename = "started_at")]
    pub started_at: Time,
    /// Since when the phase and its step are in force; in a terminal note, when it ended.
    pub since: Time,
    /// When the next change is due, where one is.
    pub due: Option<Time>,
    /// Until when the owner is taken to be alive.
    pub lease: Option<Time>,
    /// A pause in force.
    pub pause: Option<Pause>,
    /// Since when alarms or metrics could not be read.
    #[serde(rename = "monitoring_lost_at")]
    pub blind: Option<Time>,
    /// The hook that was last started.
    pub hook: Option<HookAttempt>,
    /// How long suspicions have held the rollout up, in seconds' precision.
    #[serde(rename = "suspicion_held")]
    pub held: Duration,
    /// How much longer the step in force lasts for lack of invocations, in seconds' precision.
    #[serde(rename = "waited_for_traffic")]
    pub waited: Duration,
    /// What stable replaced, kept while it may have to be written again.
    pub previous: Option<Version>,
    /// The plan's hash.
    #[serde(rename = "plan_hash")]
    pub plan: Option<PlanHash>,
    /// Whether a person gave the candidate all traffic, ahead of the schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promoted_manually: bool,
    /// Whether a person approved the gate of the step in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Versions found bad, newest first, at most [`REJECTED_KEPT`].
    pub rejected: Vec<Rejected>,
}

impl Note {
    /// A note that says nothing but this, begun at `at`.
    pub fn new(id: RolloutId, owner: Owner, phase: Phase, at: Time) -> Self {
        Self {
            id,
            owner,
            phase,
            stable: None,
            candidate: None,
            started_at: at,
            since: at,
            due: None,
            lease: None,
            pause: None,
            blind: None,
            hook: None,
            held: Duration::ZERO,
            waited: Duration::ZERO,
            previous: None,
            plan: None,
            promoted_manually: false,
            approved: false,
            rejected: Vec::new(),
        }
    }
}

/// What the end of a description says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NoteParse {
    /// Nothing of ours.
    Nothing,
    /// A note.
    Note(Box<Note>),
    /// A note in a format that a later canaryctl writes; whose it is can be told, what it means can not.
    Newer {
        /// Which rollout.
        id: RolloutId,
        /// Whose it is.
        owner: Owner,
    },
}

/// Parts a description into the user's own text and the note at its end. Anything malformed is text.
pub fn read_description(description: &str) -> (&str, NoteParse) {
    let Some(start) = description.rfind(OPENING) else { return (description, NoteParse::Nothing) };
    let (text, note) = description.split_at(start);
    // A console or an editor may leave white space behind it.
    match parse(note.trim_end()) {
        Some(noted) => (text.strip_suffix(' ').unwrap_or(text), noted),
        None => (description, NoteParse::Nothing),
    }
}

/// Joins the user's own text and a note into a description; `None` where AWS would refuse the length.
pub fn write_description(text: &str, note: &Note) -> Option<String> {
    let space = if text.is_empty() { "" } else { " " };
    let mut note = note.clone();
    loop {
        let description = format!("{text}{space}{note}");
        if length(&description) <= DESCRIPTION_LIMIT {
            return Some(description);
        }
        // What is oldest among the rejected is missed least.
        note.rejected.pop()?;
    }
}

/// A description for a rollback, which never fails for lack of room: it drops what it must of the note, then the note.
pub fn write_description_at_all_costs(text: &str, note: &Note) -> String {
    let bare =
        Note { held: Duration::ZERO, waited: Duration::ZERO, plan: None, previous: None, rejected: Vec::new(), ..note.clone() };
    write_description(text, note).or_else(|| write_description(text, &bare)).unwrap_or_else(|| text.to_owned())
}

/// The length of a text as AWS counts it. It counts UTF-16 units where a character needs two: the stricter reading.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPENING}1 {} {} {} ", self.id, self.owner, self.phase.word())?;
        let version = |version: Option<Version>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        write!(f, "{}>{}", version(self.stable), version(self.candidate))?;
        match self.phase {
            Phase::Shift { weight, step, steps } => write!(f, " {}% {step}/{steps}", weight.percent())?,
            Phase::Back(cause) => write!(f, " {}", cause.word())?,
            Phase::Claim | Phase::Pre | Phase::Bake | Phase::Post | Phase::Promoted => {}
        }
        // Who knows of no gates reads the same times, here and below, and takes a gate for a person's pause.
        let zero = |set: bool| if set { "0" } else { "" };
        write!(f, " t={} s={}{}", seconds(self.started_at), zero(self.approved), seconds(self.since))?;
        let time = |at: Option<Time>| at.map(seconds);
        let span = |span: Duration| (!span.is_zero()).then(|| base36(span.as_secs()));
        let then = |then: AfterPause| if then == AfterPause::Resume { 'r' } else { 'b' };
        let fields = [
            ('d', time(self.due)),
            ('l', time(self.lease)),
            ('u', self.pause.map(|pause| format!("{}{}.{}", zero(pause.gate), seconds(pause.until), then(pause.then)))),
            ('b', time(self.blind)),
            ('k', self.hook.map(|hook| format!("{}.{}{}", hook.number, zero(hook.passed), seconds(hook.deadline)))),
            ('a', span(self.held)),
            ('w', span(self.waited)),
            ('p', self.previous.map(|version| version.to_string())),
            ('h', self.plan.map(|plan| plan.to_string())),
            ('m', self.promoted_manually.then(|| "1".to_owned())),
        ];
        for (key, value) in fields.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            write!(f, " {key}={value}")?;
        }
        for (index, rejected) in self.rejected.iter().enumerate() {
            f.write_str(if index == 0 { " x=" } else { "," })?;
            write!(f, "{}{}", rejected.version, rejected.cause.rejecting_letter().unwrap_or('h'))?;
        }
        f.write_str("]")
    }
}

fn parse(text: &str) -> Option<NoteParse> {
    let inner = text.strip_prefix(OPENING)?.strip_suffix(']')?;
    let mut words = inner.split(' ');
    let format: u32 = words.next().filter(|word| plain_digits(word))?.parse().ok()?;
    let id = RolloutId(hex(words.next()?)?);
    let owner = words.next().filter(|word| word.len() == 4)?;
    let owner = Owner(u32::try_from(from_base36(owner)?).ok()?);
    if format != 1 {
        return (format > 1).then_some(NoteParse::Newer { id, owner });
    }
    let word = words.next()?;
    let (stable, candidate) =
        words.next()?.split_once('>').and_then(|(stable, candidate)| Some((version(stable).ok()?, version(candidate).ok()?)))?;
    let phase = match word {
        "claim" => Phase::Claim,
        "pre" => Phase::Pre,
        "shift" => shift(words.next()?, words.next()?)?,
        "bake" => Phase::Bake,
        "post" => Phase::Post,
        "promoted" => Phase::Promoted,
        "back" => Phase::Back(Cause::named(words.next()?)?),
        _ => return None,
    };
    let mut note = Note { stable, candidate, ..Note::new(id, owner, phase, Time::default()) };
    let mut keys = String::new();
    for field in words {
        let (key, value) = field.split_once('=')?;
        if keys.contains(key) {
            return None;
        }
        keys.push_str(key);
        read_field(&mut note, key, value)?;
    }
    let complete = keys.contains('t') && keys.contains('s') && (note.candidate.is_some() || note.phase.share().is_zero());
    complete.then(|| NoteParse::Note(Box::new(note)))
}

fn read_field(note: &mut Note, key: &str, value: &str) -> Option<()> {
    match key {
        "t" => note.started_at = time(value)?,
        "s" => (note.since, note.approved) = (time(value)?, value.starts_with('0')),
        "d" => note.due = Some(time(value)?),
        "l" => note.lease = Some(time(value)?),
        "u" => {
            let (until, then) = value.split_once('.')?;
            let then = match then {
                "r" => AfterPause::Resume,
                "b" => AfterPause::RollBack,
                _ => return None,
            };
            note.pause = Some(Pause { until: time(until)?, then, gate: until.starts_with('0') });
        }
        "b" => note.blind = Some(time(value)?),
        "k" => {
            let (number, deadline) = value.split_once('.')?;
            let number = Some(number).filter(|number| plain_digits(number))?.parse().ok()?;
            note.hook = Some(HookAttempt { number, deadline: time(deadline)?, passed: deadline.starts_with('0') });
        }
        "a" => note.held = Duration::from_secs(from_base36(value).filter(|held| *held > 0)?),
        "w" => note.waited = Duration::from_secs(from_base36(value).filter(|waited| *waited > 0)?),
        "p" => note.previous = Some(value.parse().ok()?),
        "h" => note.plan = Some(PlanHash(hex(value)?)),
        "m" => note.promoted_manually = (value == "1").then_some(true)?,
        "x" => {
            note.rejected = value.split(',').map(rejected).collect::<Option<_>>()?;
            if note.rejected.len() > REJECTED_KEPT {
                return None;
            }
        }
        _ => return None,
    }
    Some(())
}

fn shift(weight: &str, steps: &str) -> Option<Phase> {
    let weight = Weight::parse_percent(weight.strip_suffix('%')?).filter(|weight| !weight.is_zero() && *weight < Weight::FULL)?;
    let (step, steps) = steps.split_once('/')?;
    if !plain_digits(step) || !plain_digits(steps) {
        return None;
    }
    let (step, steps) = (step.parse().ok()?, steps.parse().ok()?);
    // Step 0: the weight lies below the first step of a plan that came later.
    (step < steps).then_some(Phase::Shift { weight, step, steps })
}

fn rejected(text: &str) -> Option<Rejected> {
    let letter = text.chars().next_back()?;
    let number = text.strip_suffix(letter)?;
    Some(Rejected { version: number.parse().ok()?, cause: Cause::from_rejecting_letter(letter)? })
}

/// A version, or none where there is a `-`.
fn version(text: &str) -> Result<Option<Version>, VersionError> {
    if text == "-" { Ok(None) } else { text.parse().map(Some) }
}

fn time(text: &str) -> Option<Time> {
    from_base36(text).map(Time::from_secs)
}

fn seconds(at: Time) -> String {
    base36(at.as_secs())
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u32::from_str_radix(text, 16).ok() } else { None }
}

fn plain_digits(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        // Below 36, so it fits and is a digit.
        let digit = u32::try_from(number % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

fn from_base36(text: &str) -> Option<u64> {
    let digits = (1..=11).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'));
    if digits { u64::from_str_radix(text, 36).ok() } else { None }
}
