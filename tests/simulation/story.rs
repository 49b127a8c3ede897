//! What is a story? One function or several that are rolled out as one, the plan, the weather, and who disturbs them when.
//!
//! Nothing is drawn and nothing is played here.

use std::time::Duration;

use sim::{Effect, Fault, Time};

use crate::stage::{ALIAS, name};
use crate::turns::Turns;

/// A story, whole.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    /// How many functions. A rollout of one is a group of one.
    pub(crate) many: usize,
    pub(crate) scene: Scene,
    pub(crate) asked: Asked,
    /// The one of several that is bad, if one is.
    pub(crate) bad: Option<(usize, Trouble)>,
    pub(crate) weather: Vec<Weather>,
    /// Whether each process has a guard for when it is gone.
    pub(crate) guard: Guarding,
    /// How fast the clocks of the machines run on which it is played.
    pub(crate) pace: f64,
    /// What happens when, from the opening.
    pub(crate) acts: Vec<(Duration, Act)>,
    /// How the turns come that rollouts are left to, where they are.
    pub(crate) turns: Option<Turns>,
}

/// Whether rollouts have a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarding {
    No,
    /// Those whose guard cannot be started do without.
    Optional,
    Required,
}

/// The account before anything happens: every function's alias on 41, and 42 waiting.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the account")]
pub(crate) struct Scene {
    /// Which part of the candidate's calls fails.
    pub(crate) error_rate: f64,
    /// Calls a second.
    pub(crate) traffic: f64,
    pub(crate) pre_hook: Option<Manner>,
    pub(crate) post_hook: Option<Manner>,
    /// Whether the function counts its requests and failures itself, and they are compared too: by metrics, and in its log.
    pub(crate) signals: [bool; 2],
    /// What the user wrote on the aliases.
    pub(crate) text: &'static str,
    /// Whether 42 is published, or still `$LATEST`.
    pub(crate) published: bool,
    /// Whether the alias is still to be made.
    pub(crate) first: bool,
    /// Whether Lambda refuses every invocation of the candidate before it runs.
    pub(crate) refused: bool,
    /// How long AWS keeps the traffic where it was until provisioned concurrency has moved; zero where the aliases have none.
    pub(crate) provisioning: Duration,
    pub(crate) version_settle: Duration,
    pub(crate) metric_lag: Duration,
    pub(crate) evaluation_delay: Duration,
    pub(crate) quotas: bool,
    /// How whoever is to be told of it takes that, where anybody is.
    pub(crate) told: Option<Told>,
}

/// How a page takes what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Takes,
    Fails,
    Hangs,
    IsNotThere,
}

/// How a hook answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Succeeds,
    Fails,
    Throws,
}

/// What is wrong with one of several functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its alarm is red from then on, for so long.
    Alarm(Duration, Duration),
    /// Its pre-traffic hook refuses.
    PreHook,
    /// Its post-traffic hook refuses.
    PostHook,
    /// Its version never becomes Active.
    Unfit,
    /// It has nothing new.
    Nothing,
    /// Its version was rejected before.
    Rejected,
}

/// The rollout that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Every step's share in percent, the last of them 100.
    pub(crate) steps: Vec<u16>,
    pub(crate) every: Duration,
    pub(crate) bake: Duration,
    pub(crate) poll: Duration,
    /// How many of each function's two alarms are watched.
    pub(crate) alarms: usize,
    pub(crate) ignore_red: bool,
    pub(crate) blind_limit: Duration,
    /// Whether the calls of both versions are compared.
    pub(crate) compares: bool,
    pub(crate) hold_on_interrupt: bool,
    /// Where it waits for an approval: at which share in percent, for how long, and whether it goes back where nobody approves.
    pub(crate) gates: Vec<(u16, Duration, bool)>,
}

/// Calls that go wrong for a while.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) operation: Option<&'static str>,
    /// The function whose alias it is about, where it is about one alone.
    pub(crate) of: Option<usize>,
    pub(crate) effect: Effect,
    pub(crate) chance: f64,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

/// Somebody does something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// Starts the rollout, on a machine whose clock is ahead by this many seconds.
    Start(i64, Wish),
    /// Starts it with credentials that end after so long, whoever owns it.
    StartExpiring(Duration),
    /// Kills one of the processes that run.
    Kill(u8),
    /// Puts one of them to sleep.
    Suspend(u8, Duration),
    /// Asks one of them to stop, as a cancelled job is.
    Signal(u8),
    /// So many people roll one of the functions back manually.
    RollBack(usize, u8),
    /// A person gives the rollout of one of them an order.
    Order(usize, Deed),
    /// Somebody edits one of the aliases in the console.
    Edit(usize, Edit),
    /// A stack deploy moves the alias to a version of its own and clears the weights.
    Deploy,
    /// Somebody puts other code into `$LATEST`: to publish it gives 43.
    NewCode,
    /// AWS moves provisioned concurrency: it gives another version a share, less and less of it.
    Provision,
    /// Somebody deletes an alarm.
    DeleteAlarm,
    /// The alarm of one of them is red for so long, and green again.
    Flap(usize, Duration),
    /// Somebody starts a guard for what is in progress, which waits for so long after a lease.
    Guard(Duration),
}

/// When whoever waits for a stalled call has certainly given up.
const STALLED: Duration = Duration::from_mins(5);

/// How long AWS leaves each of the shares that it sets itself.
pub(crate) const PROVISIONING: Duration = Duration::from_secs(20);

/// What a rollout is to do where one is in progress already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing, unless its owner is gone.
    Wait,
    /// Take it over, whether its owner is there or not.
    TakeOver,
    /// Take shares without a note for its own.
    Adopt,
    /// Put it aside.
    Supersede,
    /// Take it over, and go on by another plan.
    Replan,
}

/// An order of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Pause for so long, and then go back or go on.
    Pause(Duration, bool),
    Resume,
    Approve,
    Promote,
    PromoteNow,
    Abort,
}

/// What somebody does to the alias in the console, without a revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edit {
    /// Gives the candidate this share.
    Weight(f64),
    /// Takes the candidate's share away.
    Clear,
    /// Writes other words before the note.
    Words,
    /// Deletes the note, or everything.
    DropNote,
    /// Writes something behind the note.
    Scribble,
}

impl Story {
    /// How long nobody may be there to look, where the rollout is left to turns.
    pub(crate) fn between_turns(&self) -> Duration {
        self.turns.map_or(Duration::ZERO, |turns| turns.every)
    }

    /// What a process with this wish asks for.
    pub(crate) fn asked_by(&self, wish: Wish) -> Asked {
        if wish == Wish::Replan { self.asked.other() } else { self.asked.clone() }
    }

    /// Whether one of these was started.
    pub(crate) fn starts(&self, wish: Wish) -> bool {
        self.acts.iter().any(|(_, act)| matches!(act, Act::Start(_, started) if *started == wish))
    }

    /// When the last fault and the last disturbance are over, from the opening.
    pub(crate) fn calm(&self) -> Duration {
        let acts = self.acts.iter().map(|(at, act)| *at + act.lasts());
        let red = self.bad.iter().map(|(_, bad)| if let Trouble::Alarm(at, lasts) = bad { *at + *lasts } else { Duration::ZERO });
        acts.chain(red).chain(self.weather.iter().map(Weather::over)).max().unwrap_or_default()
    }

    /// The functions that a person did something to which holds the rollout until a person ends it.
    pub(crate) fn held(&self) -> Vec<usize> {
        let holds = |act: &Act| {
            if let Act::Edit(member, Edit::Weight(_) | Edit::DropNote | Edit::Scribble | Edit::Words) = act {
                Some(*member)
            } else {
                None
            }
        };
        self.acts.iter().filter_map(|(_, act)| holds(act)).collect()
    }

    /// Whether nothing disturbs the story but what its functions and alarms do.
    pub(crate) fn undisturbed(&self) -> bool {
        let own = |act: &Act| matches!(act, Act::Start(0, _) | Act::Flap(..));
        let starts = self.acts.iter().filter(|(_, act)| matches!(act, Act::Start(..))).count();
        self.weather.is_empty() && self.asked.gates.is_empty() && starts == 1 && self.acts.iter().all(|(_, act)| own(act))
    }

    /// What is wrong with a function, if anything is.
    pub(crate) fn trouble(&self, member: usize) -> Option<Trouble> {
        self.bad.filter(|(bad, _)| *bad == member).map(|(_, trouble)| trouble)
    }

    /// A function's hooks, before and after the traffic, and how each answers.
    pub(crate) fn hooks(&self, member: usize) -> [(String, Option<Manner>); 2] {
        let fails = |trouble| if self.trouble(member) == Some(trouble) { Some(Manner::Fails) } else { None };
        [("preHook", self.scene.pre_hook, Trouble::PreHook), ("postHook", self.scene.post_hook, Trouble::PostHook)]
            .map(|(hook, manner, trouble)| (format!("{hook}{member:02}"), fails(trouble).or(manner)))
    }

    /// Which step a share is, from 1; 0 for none.
    pub(crate) fn step(&self, share: f64) -> usize {
        self.asked.steps.iter().filter(|step| f64::from(**step) / 100.0 <= share + 1e-6).count()
    }

    /// How often a function is looked at, as the program promises: several share five reads of aliases a second, and one of those is
    /// left.
    pub(crate) fn poll(&self) -> Duration {
        let shared = if self.many > 1 { Duration::from_millis(250) } else { Duration::ZERO };
        self.asked.poll.max(shared * u32::try_from(self.many).unwrap())
    }

    /// How old evidence may be, as the program promises.
    pub(crate) fn freshness(&self) -> Duration {
        (self.poll() * 2).max(Duration::from_secs(5))
    }

    /// How old counts may be, as the program promises: they are asked for once a minute.
    pub(crate) fn counts_freshness(&self) -> Duration {
        Duration::from_mins(1) + self.freshness()
    }
}

impl Act {
    fn lasts(&self) -> Duration {
        match self {
            Self::Suspend(_, span) | Self::Flap(_, span) | Self::Order(_, Deed::Pause(span, _)) => *span,
            Self::Start(..) | Self::StartExpiring(_) | Self::Kill(_) | Self::Signal(_) => Duration::ZERO,
            Self::RollBack(..) | Self::Order(..) | Self::NewCode => Duration::ZERO,
            Self::Provision => PROVISIONING * 2,
            Self::Edit(..) | Self::Deploy | Self::DeleteAlarm | Self::Guard(_) => Duration::ZERO,
        }
    }
}

impl Asked {
    /// Another plan for the same version: other steps at other times.
    fn other(&self) -> Self {
        let steps = if self.steps == [50, 100] { vec![30, 70, 100] } else { vec![50, 100] };
        let half = |span: Duration, more| Duration::from_secs(span.as_secs() / 2 + more);
        Self { steps, every: half(self.every, 3), bake: half(self.bake, 5), gates: Vec::new(), ..self.clone() }
    }

    /// How long it takes when nothing holds it up, hooks not counted.
    pub(crate) fn span(&self) -> Duration {
        let waits: Duration = self.gates.iter().map(|(_, lasts, _)| *lasts).sum();
        self.every * u32::try_from(self.steps.len() - 1).unwrap() + self.bake + waits
    }

    /// How long suspicions may hold it up, as the program promises.
    pub(crate) fn suspicion(&self) -> Duration {
        if self.compares { Duration::from_mins(10) } else { Duration::ZERO }
    }

    /// By how much a step may come late without the next one being put off, as the program promises.
    pub(crate) fn tolerance(&self) -> Duration {
        self.poll.max(Duration::from_secs(1))
    }
}

impl Weather {
    /// When nothing comes of it any more.
    pub(crate) fn over(&self) -> Duration {
        match self.effect {
            Effect::LateWrite(after) => self.until + after,
            Effect::Stall => self.until + STALLED,
            Effect::Foreign(_) | Effect::Dated(_) | Effect::Expire => self.until,
            Effect::Throttle | Effect::ServerError(_) | Effect::Conflict | Effect::Deny | Effect::Refuse => self.until,
            Effect::LostAnswer | Effect::StaleRead(_) | Effect::Latency(_) => self.until,
        }
    }

    pub(crate) fn fault(&self, opened: Time) -> Fault {
        let fault = match self.operation {
            Some(operation) => Fault::on(operation, self.effect),
            None => Fault::everywhere(self.effect),
        };
        let fault = fault.chance(self.chance).between(opened + self.from, opened + self.until);
        self.of.map_or(fault.clone(), |member| fault.about(&format!("{}:{ALIAS}", name(member))))
    }
}
