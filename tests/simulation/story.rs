//! What happens in a seed? Everything is drawn here, before anything begins: the function, the plan, the weather, the disturbances.
//!
//! Nothing is played here. The same seed is the same story.

use std::time::Duration;

use fastrand::Rng;
use sim::{Effect, Fault, Time};

/// A story, whole.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) scene: Scene,
    pub(crate) asked: Asked,
    pub(crate) weather: Vec<Weather>,
    /// What happens when, from the opening.
    pub(crate) acts: Vec<(Duration, Act)>,
}

/// The account before anything happens: `hello:live` on 41, and 42 waiting.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Which part of the candidate's calls fails.
    pub(crate) error_rate: f64,
    /// Calls a second.
    pub(crate) traffic: f64,
    pub(crate) pre_hook: Option<Manner>,
    pub(crate) post_hook: Option<Manner>,
    /// What the user wrote on the alias.
    pub(crate) text: &'static str,
    /// Whether 42 is published, or still `$LATEST`.
    pub(crate) published: bool,
    /// Whether the alias is still to be made.
    pub(crate) first: bool,
    pub(crate) version_settle: Duration,
    pub(crate) metric_lag: Duration,
    pub(crate) evaluation_delay: Duration,
    pub(crate) quotas: bool,
}

/// How a hook answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Succeeds,
    Fails,
    Throws,
}

/// The rollout that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Every step's share in per cent, the last of them 100.
    pub(crate) steps: Vec<u16>,
    pub(crate) every: Duration,
    pub(crate) bake: Duration,
    pub(crate) poll: Duration,
    /// How many of the alarms `first` and `second` are watched.
    pub(crate) alarms: usize,
    pub(crate) ignore_red: bool,
    pub(crate) blind_limit: Duration,
    /// Whether the calls of both versions are compared.
    pub(crate) compares: bool,
    pub(crate) hold_on_interrupt: bool,
}

/// Calls that go wrong for a while.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) operation: Option<&'static str>,
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
    /// Tells one of them to stop, as a cancelled job is told.
    Signal(u8),
    /// So many people roll back by hand.
    RollBack(u8),
    /// A person gives the rollout under way an order.
    Order(Deed),
    /// Somebody edits the alias in the console.
    Edit(Edit),
    /// A stack deploy moves the alias to a version of its own and clears the weights.
    Deploy,
    /// Somebody puts other code into `$LATEST`: to publish it gives 43.
    NewCode,
    /// AWS moves provisioned concurrency: it gives another version a share, less and less of it.
    Provision,
    /// Somebody deletes an alarm.
    DeleteAlarm,
    /// An alarm is red for so long, and green again.
    Flap(Duration),
}

/// How long AWS leaves each of the shares that it sets itself.
pub(crate) const PROVISIONING: Duration = Duration::from_secs(20);

/// What a rollout is to do where one is under way already.
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
    /// The story of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let asked = Asked::draw(&mut rng);
        let scene = Scene::draw(&mut rng);
        let span = asked.span().as_secs() + 20;
        let weather = if rng.f64() < 0.6 { draw_weather(&mut rng, span) } else { Vec::new() };
        let acts = draw_acts(&mut rng, span);
        let mut story = Self { seed, scene, asked, weather, acts };
        story.twist(&mut rng, span);
        story
    }

    /// Makes something rarer of some stories.
    fn twist(&mut self, rng: &mut Rng, span: u64) {
        let at = Duration::from_millis(rng.u64(0..span * 1_000));
        let soon = at + Duration::from_secs(rng.u64(1..20));
        let more = match rng.u8(..100) {
            0..9 => {
                (self.scene.first, self.scene.text) = (true, "");
                for weather in self.weather.iter_mut().filter(|weather| weather.operation == Some("UpdateAlias")) {
                    weather.operation = if rng.bool() { Some("CreateAlias") } else { weather.operation };
                }
                Vec::new()
            }
            9..16 => vec![(at, Act::Kill(0)), (soon, Act::Start(0, Wish::Replan))],
            16..23 => vec![(at, Act::NewCode), (soon, Act::Start(0, Wish::Supersede))],
            // What a signal would do is done two minutes before the end.
            23..32 => {
                let lasts = Duration::from_secs(rng.u64(121..190));
                vec![(at, Act::Kill(0)), (soon, Act::StartExpiring(lasts))]
            }
            _ => Vec::new(),
        };
        self.acts.extend(more);
        self.acts.sort_by_key(|(at, _)| *at);
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
        acts.chain(self.weather.iter().map(Weather::over)).max().unwrap_or_default()
    }

    /// Whether a person did something that holds the rollout until a person ends it.
    pub(crate) fn may_hold(&self) -> bool {
        self.acts.iter().any(|(_, act)| matches!(act, Act::Edit(Edit::Weight(_) | Edit::DropNote | Edit::Scribble | Edit::Words)))
    }

    /// Whether nothing disturbs the story but what its function and alarms do.
    pub(crate) fn undisturbed(&self) -> bool {
        let own = |act: &Act| matches!(act, Act::Start(0, _) | Act::Flap(_));
        let starts = self.acts.iter().filter(|(_, act)| matches!(act, Act::Start(..))).count();
        self.weather.is_empty() && starts == 1 && self.acts.iter().all(|(_, act)| own(act))
    }
}

impl Act {
    fn lasts(&self) -> Duration {
        match self {
            Self::Suspend(_, span) | Self::Flap(span) | Self::Order(Deed::Pause(span, _)) => *span,
            Self::Start(..) | Self::StartExpiring(_) | Self::Kill(_) | Self::Signal(_) => Duration::ZERO,
            Self::RollBack(_) | Self::Order(_) | Self::NewCode => Duration::ZERO,
            Self::Provision => PROVISIONING * 2,
            Self::Edit(_) | Self::Deploy | Self::DeleteAlarm => Duration::ZERO,
        }
    }
}

impl Asked {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        const SCHEDULES: [&[u16]; 7] =
            [&[100], &[100], &[10, 100], &[25, 50, 75, 100], &[1, 5, 25, 100], &[20, 40, 60, 80, 100], &[50, 100]];
        let pick = |rng: &mut Rng, seconds: &[u64]| Duration::from_secs(seconds[rng.usize(..seconds.len())]);
        Self {
            steps: SCHEDULES[rng.usize(..SCHEDULES.len())].to_vec(),
            every: pick(rng, &[5, 10, 20, 40, 60]),
            bake: pick(rng, &[0, 10, 30, 90]),
            poll: pick(rng, &[1, 2, 5, 10]),
            alarms: rng.usize(..=2),
            ignore_red: rng.f64() < 0.2,
            blind_limit: pick(rng, &[20, 60, 120]),
            compares: rng.f64() < 0.6,
            hold_on_interrupt: rng.f64() < 0.3,
        }
    }

    /// Another plan for the same version: other steps at other times.
    fn other(&self) -> Self {
        let steps = if self.steps == [50, 100] { vec![30, 70, 100] } else { vec![50, 100] };
        let half = |span: Duration, more| Duration::from_secs(span.as_secs() / 2 + more);
        Self { steps, every: half(self.every, 3), bake: half(self.bake, 5), ..self.clone() }
    }

    /// How long it takes when nothing holds it up, hooks not counted.
    pub(crate) fn span(&self) -> Duration {
        self.every * u32::try_from(self.steps.len() - 1).unwrap() + self.bake
    }

    /// How old evidence may be, as the program promises.
    pub(crate) fn freshness(&self) -> Duration {
        (self.poll * 2).max(Duration::from_secs(5))
    }

    /// How old counts may be, as the program promises: they are asked for once a minute.
    pub(crate) fn counts_freshness(&self) -> Duration {
        Duration::from_mins(1) + self.freshness()
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

impl Scene {
    fn draw(rng: &mut Rng) -> Self {
        const TEXTS: [&str; 4] = ["", "Production. Ask Anna [x] before you touch it", "dépôt — 中文 🚀", "ends with a bracket]"];
        let manner = |rng: &mut Rng| match rng.u8(..10) {
            0..=4 => None,
            5..=7 => Some(Manner::Succeeds),
            8 => Some(Manner::Fails),
            _ => Some(Manner::Throws),
        };
        let failing = rng.f64() < 0.3;
        Self {
            error_rate: if failing { [0.05, 0.2, 0.8][rng.usize(..3)] } else { 0.0 },
            traffic: [0.0, 1.0, 4.0][rng.usize(..3)],
            pre_hook: manner(rng),
            post_hook: manner(rng),
            text: TEXTS[rng.usize(..TEXTS.len())],
            published: rng.f64() < 0.3,
            first: false,
            version_settle: Duration::from_millis(rng.u64(0..4_000)),
            metric_lag: Duration::from_secs(rng.u64(0..20)),
            evaluation_delay: Duration::from_secs(rng.u64(1..30)),
            quotas: rng.f64() < 0.7,
        }
    }
}

impl Weather {
    /// When nothing comes of it any more.
    pub(crate) fn over(&self) -> Duration {
        match self.effect {
            Effect::LateWrite(after) => self.until + after,
            Effect::Throttle | Effect::ServerError(_) | Effect::Conflict | Effect::Deny | Effect::Refuse => self.until,
            Effect::LostAnswer | Effect::StaleRead(_) | Effect::Latency(_) => self.until,
        }
    }

    pub(crate) fn fault(&self, opened: Time) -> Fault {
        let fault = match self.operation {
            Some(operation) => Fault::on(operation, self.effect),
            None => Fault::everywhere(self.effect),
        };
        fault.chance(self.chance).between(opened + self.from, opened + self.until)
    }
}

pub(crate) fn draw_weather(rng: &mut Rng, span: u64) -> Vec<Weather> {
    const READS: [&str; 4] = ["GetAlias", "DescribeAlarms", "GetFunctionConfiguration", "GetMetricData"];
    let mut weather = Vec::new();
    for _ in 0..rng.usize(1..=4) {
        let from = if rng.bool() { 0 } else { rng.u64(0..span) };
        let until = from + rng.u64(5..=span);
        let (operation, effect, chance) = match rng.u8(..14) {
            0 => (None, Effect::Latency(Duration::from_millis(rng.u64(100..3_000))), 0.3),
            1 => (None, Effect::Throttle, 0.2),
            2 => (Some("UpdateAlias"), Effect::Throttle, 0.5),
            3 => (None, Effect::ServerError([500, 503][rng.usize(..2)]), 0.15),
            4 | 5 => (Some("UpdateAlias"), Effect::LostAnswer, 0.4),
            6 | 7 => (Some("UpdateAlias"), Effect::LateWrite(Duration::from_secs(rng.u64(1..40))), 0.3),
            8 | 9 => (Some("GetAlias"), Effect::StaleRead(Duration::from_millis(900)), 0.6),
            10 => (None, Effect::Refuse, 0.1),
            11 => (Some("UpdateAlias"), Effect::Conflict, 0.4),
            12 => (Some(READS[rng.usize(..4)]), [Effect::Deny, Effect::ServerError(500), Effect::Refuse][rng.usize(..3)], 1.0),
            _ => (Some("UpdateAlias"), Effect::Deny, 1.0),
        };
        weather.push(Weather { operation, effect, chance, from: Duration::from_secs(from), until: Duration::from_secs(until) });
    }
    weather
}

fn draw_acts(rng: &mut Rng, span: u64) -> Vec<(Duration, Act)> {
    let skew = |rng: &mut Rng| if rng.f64() < 0.3 { rng.i64(-600..600) } else { 0 };
    let wish = |rng: &mut Rng| match rng.u8(..12) {
        0..=6 => Wish::Wait,
        7..=9 => Wish::TakeOver,
        10 => Wish::Adopt,
        _ => Wish::Supersede,
    };
    let mut acts = vec![(Duration::ZERO, Act::Start(skew(rng), Wish::Wait))];
    for _ in 0..rng.usize(0..=3) {
        let at = Duration::from_millis(rng.u64(0..span * 1_100));
        let which = rng.u8(..);
        match rng.u8(..21) {
            0..=3 => {
                acts.push((at, Act::Kill(which)));
                if rng.f64() < 0.8 {
                    acts.push((at + Duration::from_secs(rng.u64(0..30)), Act::Start(skew(rng), wish(rng))));
                }
            }
            4 | 5 => acts.push((if rng.bool() { Duration::ZERO } else { at }, Act::Start(skew(rng), wish(rng)))),
            6 => acts.push((at, Act::Suspend(which, Duration::from_secs(rng.u64(5..300))))),
            7 => acts.push((at, Act::Signal(which))),
            8 | 9 => acts.push((at, Act::RollBack(rng.u8(1..=2)))),
            10 => acts.push((at, Act::Edit(Edit::Weight([0.02, 0.4, 0.9, 1.0][rng.usize(..4)])))),
            11 => acts.push((at, Act::Edit(Edit::Clear))),
            12 => acts.push((at, Act::Edit([Edit::Words, Edit::DropNote, Edit::Scribble][rng.usize(..3)]))),
            13 => acts.push((at, Act::Deploy)),
            14 => acts.push((at, Act::DeleteAlarm)),
            15 | 16 => {
                acts.push((at, Act::Order(Deed::Pause(Duration::from_secs(rng.u64(5..90)), rng.bool()))));
                if rng.bool() {
                    acts.push((at + Duration::from_secs(rng.u64(0..60)), Act::Order(Deed::Resume)));
                }
            }
            17 => acts.push((at, Act::Order([Deed::Promote, Deed::PromoteNow][rng.usize(..2)]))),
            18 => acts.push((at, Act::Order(Deed::Abort))),
            19 => acts.push((at, Act::Provision)),
            _ => acts.push((at, Act::Flap(Duration::from_millis(rng.u64(500..60_000))))),
        }
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}
