//! What happens in a seed of a group? How many functions, which of them is bad and how, the weather over all or over one, and who
//! disturbs them.
//!
//! Nothing is played here. The same seed is the same story.

use std::time::Duration;

use controller::Request;
use fastrand::Rng;
use rollout::Subject;
use rollout::entry::Wishes;
use rollout::plan::OnInterrupt;
use rollout::policy::Policy;
use sim::{Time, World};

use crate::stage::{ALIAS, schedule};
use crate::story::{Asked, Deed, Edit, Weather, draw_weather};

/// The name of a function; the order of names is the order of numbers.
pub(crate) fn name(member: usize) -> String {
    format!("function{member:02}")
}

/// The name of a function's alarm.
pub(crate) fn alarm(member: usize) -> String {
    format!("alarm{member:02}")
}

/// A group's story, whole.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    /// How many functions.
    pub(crate) many: usize,
    pub(crate) asked: Asked,
    pub(crate) hooked: bool,
    pub(crate) version_settle: Duration,
    pub(crate) quotas: bool,
    /// The one that is bad, if one is.
    pub(crate) bad: Option<(usize, Trouble)>,
    /// Calls that go wrong; of one function's alias only, where one is named.
    pub(crate) weather: Vec<(Weather, Option<usize>)>,
    /// What happens when, from the opening.
    pub(crate) acts: Vec<(Duration, Act)>,
}

/// What is wrong with one of the functions.
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

/// Somebody does something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// Starts the group's rollout, and takes over one that is under way if so.
    Start { takes_over: bool },
    /// Kills one of the processes that run.
    Kill(u8),
    /// Puts one of them to sleep.
    Suspend(u8, Duration),
    /// Tells one of them to stop.
    Signal(u8),
    /// A person rolls one of the functions back by hand.
    RollBack(usize),
    /// A person gives one of them an order.
    Order(usize, Deed),
    /// Somebody edits one of the aliases in the console.
    Edit(usize, Edit),
    /// An alarm is red for so long, and green again.
    Flap(usize, Duration),
}

impl Story {
    /// The story of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let many = if rng.f64() < 0.06 { rng.usize(7..=20) } else { rng.usize(2..=5) };
        let asked = Asked { alarms: 1, ignore_red: false, compares: false, ..Asked::draw(&mut rng) };
        let span = asked.span().as_secs() + 20;
        let mut story = Self {
            seed,
            many,
            asked,
            hooked: rng.f64() < 0.5,
            version_settle: Duration::from_millis(rng.u64(0..4_000)),
            quotas: rng.f64() < 0.7,
            bad: None,
            weather: Vec::new(),
            acts: vec![(Duration::ZERO, Act::Start { takes_over: false })],
        };
        if rng.f64() < 0.5 {
            let trouble = story.draw_trouble(&mut rng, span);
            story.bad = Some((rng.usize(..many), trouble));
        }
        if rng.f64() < 0.6 {
            for weather in draw_weather(&mut rng, span) {
                // A rule about one alias meets the calls that name it.
                let one = matches!(weather.operation, Some("UpdateAlias" | "GetAlias")) && rng.f64() < 0.6;
                story.weather.push((weather, one.then(|| rng.usize(..many))));
            }
        }
        if rng.f64() < 0.75 {
            story.draw_acts(&mut rng, span);
        }
        story
    }

    fn draw_trouble(&mut self, rng: &mut Rng, span: u64) -> Trouble {
        match rng.u8(..11) {
            0..=4 => Trouble::Alarm(Duration::from_millis(rng.u64(0..span * 1_000)), Duration::from_secs(rng.u64(1..600))),
            5 | 6 => {
                self.hooked = true;
                if rng.bool() { Trouble::PreHook } else { Trouble::PostHook }
            }
            7 => Trouble::Unfit,
            8 | 9 => Trouble::Nothing,
            _ => Trouble::Rejected,
        }
    }

    fn draw_acts(&mut self, rng: &mut Rng, span: u64) {
        for _ in 0..rng.usize(1..=3) {
            let at = Duration::from_millis(rng.u64(0..span * 1_100));
            let (which, member) = (rng.u8(..), rng.usize(..self.many));
            let act = match rng.u8(..20) {
                0..=5 => {
                    if rng.f64() < 0.8 {
                        let soon = at + Duration::from_secs(rng.u64(0..30));
                        self.acts.push((soon, Act::Start { takes_over: rng.f64() < 0.7 }));
                    }
                    Act::Kill(which)
                }
                6..=8 => Act::Start { takes_over: rng.f64() < 0.7 },
                9 => Act::Suspend(which, Duration::from_secs(rng.u64(5..300))),
                10..=12 => Act::Signal(which),
                13 => Act::RollBack(member),
                14 => Act::Edit(member, Edit::Weight([0.02, 0.4, 0.9, 1.0][rng.usize(..4)])),
                15 => Act::Edit(member, if rng.bool() { Edit::Clear } else { Edit::DropNote }),
                16 => Act::Order(member, Deed::Pause(Duration::from_secs(rng.u64(5..90)), rng.bool())),
                17 => Act::Order(member, [Deed::Promote, Deed::PromoteNow][rng.usize(..2)]),
                18 => Act::Order(member, Deed::Abort),
                _ => Act::Flap(member, Duration::from_millis(rng.u64(500..60_000))),
            };
            self.acts.push((at, act));
        }
        self.acts.sort_by_key(|(at, _)| *at);
    }

    /// When the last fault and the last disturbance are over, from the opening.
    pub(crate) fn calm(&self) -> Duration {
        let lasts = |act: &Act| match act {
            Act::Suspend(_, span) | Act::Flap(_, span) | Act::Order(_, Deed::Pause(span, _)) => *span,
            Act::Start { .. } | Act::Kill(_) | Act::Signal(_) | Act::RollBack(_) | Act::Order(..) | Act::Edit(..) => {
                Duration::ZERO
            }
        };
        let acts = self.acts.iter().map(|(at, act)| *at + lasts(act));
        let red =
            self.bad.iter().filter_map(|(_, bad)| if let Trouble::Alarm(at, lasts) = bad { Some(*at + *lasts) } else { None });
        acts.chain(red).chain(self.weather.iter().map(|(weather, _)| weather.over())).max().unwrap_or_default()
    }

    /// Whether nothing disturbs the story but the function that is bad.
    pub(crate) fn undisturbed(&self) -> bool {
        self.weather.is_empty() && self.acts.len() == 1
    }

    /// The members that somebody did something to which holds them until a person ends it.
    pub(crate) fn held(&self) -> Vec<usize> {
        let holds = |act: &Act| if let Act::Edit(member, Edit::Weight(_) | Edit::DropNote) = act { Some(*member) } else { None };
        self.acts.iter().filter_map(|(_, act)| holds(act)).collect()
    }

    /// The account before anything happens: every alias on 41, and 42 waiting where there is something new.
    pub(crate) fn furnish(&self, opened: Time) -> World {
        let settings = sim::Settings {
            settle: Duration::from_millis(300),
            version_settle: self.version_settle,
            latency: Duration::from_millis(5)..=Duration::from_millis(60),
            quotas: self.quotas,
            ..sim::Settings::served()
        };
        let mut world = World::new(settings, self.seed, opened - Duration::from_mins(3));
        for member in 0..self.many {
            let (name, bad) = (name(member), self.trouble(member));
            world.create_function(&name, &[("SIM_BODY", "old")]).unwrap();
            world.publish(&name, 40).unwrap();
            world.set_environment(&name, &[("SIM_BODY", "good")]).unwrap();
            world.publish(&name, 41).unwrap();
            world.set_alias(&name, ALIAS, "41", None).unwrap();
            // What the last rollout came to, for some of them.
            let last = match bad {
                Some(Trouble::Rejected) => "Anna's [canaryctl/1 00000001 aaaa back 41>42 alarm t=tm0000 s=tm0000 x=42a]",
                _ if member % 3 == 1 => "[canaryctl/1 00000001 aaaa promoted 40>41 t=tm0000 s=tm0000]",
                _ => "Anna's alias",
            };
            world.describe_alias(&name, ALIAS, last).unwrap();
            if bad != Some(Trouble::Nothing) {
                world.set_environment(&name, &[("SIM_BODY", "new")]).unwrap();
            }
            if bad == Some(Trouble::Rejected) {
                world.publish(&name, 42).unwrap();
            }
            world.create_errors_alarm(&alarm(member), &name, 1.0).unwrap();
        }
        for (name, answer) in [("goodHook", "Succeeded"), ("badHook", "Failed")] {
            world.create_function(name, &[("SIM_HOOK", answer), ("SIM_LATENCY_MS", "800")]).unwrap();
        }
        world.advance(opened);
        world
    }

    /// What is wrong with a member, if anything is.
    pub(crate) fn trouble(&self, member: usize) -> Option<Trouble> {
        self.bad.filter(|(bad, _)| *bad == member).map(|(_, trouble)| trouble)
    }

    /// The group's rollout, as canaryctl is asked for it, in the order of a file that somebody wrote backwards.
    pub(crate) fn requests(&self, takes_over: bool) -> Vec<Request> {
        (0..self.many).rev().map(|member| self.request(member, takes_over)).collect()
    }

    fn request(&self, member: usize, takes_over: bool) -> Request {
        let (asked, bad) = (&self.asked, self.trouble(member));
        let hook = |trouble: Trouble| {
            let name = if bad == Some(trouble) { "badHook" } else { "goodHook" };
            self.hooked.then(|| name.parse().unwrap())
        };
        Request {
            alarms: vec![alarm(member)],
            pre_hook: hook(Trouble::PreHook),
            post_hook: hook(Trouble::PostHook),
            wishes: Wishes { take_over: takes_over, ..Wishes::default() },
            policy: Policy {
                bake: Some(asked.bake),
                poll: asked.poll,
                blind_limit: asked.blind_limit,
                on_interrupt: if asked.hold_on_interrupt { OnInterrupt::Hold } else { OnInterrupt::RollBack },
                ..Policy::default()
            },
            ..Request::new(Subject::parse(&name(member), Some(ALIAS)).unwrap(), schedule(asked))
        }
    }

    /// Which step a share is, from 1; 0 for none.
    pub(crate) fn step(&self, share: f64) -> usize {
        self.asked.steps.iter().filter(|step| f64::from(**step) / 100.0 <= share + 1e-6).count()
    }

    /// How often a member looks, as the program promises: five reads of aliases a second are shared, and one of them is left.
    pub(crate) fn poll(&self) -> Duration {
        self.asked.poll.max(Duration::from_millis(250) * u32::try_from(self.many).unwrap())
    }
}
