//! What does a story find, and what is asked for in it? An account with its functions, and the requests for them.
//!
//! All of it follows from the story.

use std::time::Duration;

use aws::Aws;
use controller::{GUARD, Guard, Request};
use rollout::admission::TakeoverOptions;
use rollout::gate::Gate;
use rollout::note::AfterPause;
use rollout::notify::{NoticeKind, Notification};
use rollout::plan::{Analysis, Mode, OnInterrupt, Preexisting};
use rollout::policy::Policy;
use rollout::{Schedule, Subject, Version, Weight};
use sim::{Account, Event, Time, WebPage, World};

use crate::harness::{Part, Sleeper, opening};
use crate::story::{Guarding, Manner, Story, Told, Trouble, Wish};

pub(crate) const ALIAS: &str = "live";

/// The name of a function; the order of names is the order of numbers.
pub(crate) fn name(member: usize) -> String {
    format!("function{member:02}")
}

pub(crate) fn alarms(member: usize) -> [String; 2] {
    ["first", "second"].map(|alarm| format!("{alarm}{member:02}"))
}

pub(crate) fn subject(member: usize) -> Subject {
    Subject::parse(&name(member), Some(ALIAS)).unwrap()
}

/// The account, and the time at which the story opens.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) clock: Sleeper,
    pub(crate) opened: Time,
}

impl Stage {
    /// The account as the story finds it, with everything planned that nobody does.
    pub(crate) fn set(story: &Story) -> Self {
        let clock = opening();
        let opened = Time::from(clock.now());
        let stage = Self { account: Account::new(furnish(story, opened), clock), clock: Sleeper(clock), opened };
        stage.with(|world| {
            story.weather.iter().for_each(|weather| world.add_fault(weather.fault(opened)));
            if let Some((member, Trouble::Alarm(at, lasts))) = story.bad {
                redden(world, member, opened + at, lasts);
            }
        });
        stage
    }

    /// The way to the account from a computer of its own.
    pub(crate) async fn connect(&self, part: Part) -> Aws {
        part.connect(self.clock.0).await
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.account.with(look)
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.clock.0.now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now().since(self.opened)
    }
}

/// Plans that a function's first alarm is red from then on, for so long.
pub(crate) fn redden(world: &mut World, member: usize, at: Time, lasts: Duration) {
    let [alarm, _] = alarms(member);
    for (at, state) in [(at, "ALARM"), (at + lasts, "OK")] {
        world.schedule(at, Event::SetAlarmState { alarm: alarm.clone(), state: state.to_owned() });
    }
}

pub(crate) fn furnish(story: &Story, opened: Time) -> World {
    let scene = &story.scene;
    let settings = sim::Settings {
        settle: Duration::from_millis(300),
        version_settle: scene.version_settle,
        provisioning: scene.provisioning,
        latency: Duration::from_millis(5)..=Duration::from_millis(60),
        metric_lag: Duration::ZERO..=scene.metric_lag,
        evaluation_delay: scene.evaluation_delay,
        quotas: scene.quotas,
        ..sim::Settings::served()
    };
    let mut world = World::new(settings, story.seed, opened - Duration::from_mins(3));
    match scene.told {
        Some(Told::Takes) => world.put_page(PAGE, WebPage::new(200, "")),
        Some(Told::Fails) => world.put_page(PAGE, WebPage::new(500, "")),
        Some(Told::Hangs) => world.put_page(PAGE, WebPage::silent()),
        Some(Told::IsNotThere) | None => {}
    }
    if story.guard != Guarding::No {
        world.create_guard(GUARD);
    }
    (0..story.many).for_each(|member| furnish_one(&mut world, story, member));
    world.advance(opened);
    world
}

fn furnish_one(world: &mut World, story: &Story, member: usize) {
    let (scene, name, trouble) = (&story.scene, name(member), story.trouble(member));
    let (traffic, error_rate) = (scene.traffic.to_string(), scene.error_rate.to_string());
    let counts = if scene.signals == [false; 2] { "" } else { "Shop" };
    world.create_function(&name, &[("SIM_BODY", "old"), ("SIM_TRAFFIC_RPS", &traffic), ("SIM_EMF", counts)]).unwrap();
    world.publish(&name, 40).unwrap();
    world.set_environment(&name, &[("SIM_BODY", "good")]).unwrap();
    world.publish(&name, 41).unwrap();
    if !scene.first {
        world.set_alias(&name, ALIAS, "41", None).unwrap();
        // What the last rollout came to, for some of several.
        let last = match trouble {
            Some(Trouble::Rejected) => "Anna's [canaryctl/1 00000001 aaaa back 41>42 alarm t=tm0000 s=tm0000 x=42a]",
            _ if member % 3 == 1 => "Bob's [canaryctl/1 00000001 aaaa promoted 40>41 t=tm0000 s=tm0000]",
            _ => scene.text,
        };
        world.describe_alias(&name, ALIAS, last).unwrap();
        if !scene.provisioning.is_zero() {
            world.provision(&name, ALIAS, 2).unwrap();
        }
    }
    if trouble != Some(Trouble::Nothing) {
        let refused = if scene.refused { "KMSAccessDenied" } else { "" };
        let new = [("SIM_BODY", "new"), ("SIM_ERROR_RATE", &error_rate), ("SIM_REFUSED", refused)];
        world.set_environment(&name, &new).unwrap();
    }
    if scene.published || trouble == Some(Trouble::Rejected) {
        world.publish(&name, 42).unwrap();
    }
    for (alarm, threshold) in alarms(member).iter().zip([1.0, 5.0]) {
        world.create_errors_alarm(alarm, &name, threshold).unwrap();
    }
    for (name, manner) in story.hooks(member) {
        let answer = match manner {
            Some(Manner::Fails) => "Failed",
            Some(Manner::Throws) => "Throw",
            Some(Manner::Succeeds) | None => "Succeeded",
        };
        world.create_function(&name, &[("SIM_HOOK", answer), ("SIM_LATENCY_MS", "800")]).unwrap();
    }
}

/// Failures as the function counts them, and those that it throws as its log has them.
const SIGNALS: [&str; 2] = [
    "own=Shop/Failures{FunctionName=${function},Version=${version}}/Shop/Requests{FunctionName=${function},Version=${version}}",
    "thrown=logs:@message like /ERROR/",
];

/// The story's rollout, as canaryctl is asked for it, in the order of a file that somebody wrote backwards.
pub(crate) fn requests(story: &Story, wish: Wish) -> Vec<Request> {
    (0..story.many).rev().map(|member| request(story, member, wish)).collect()
}

const PAGE: &str = "https://hooks.example/told";

fn told() -> Notification {
    Notification { recipient: PAGE.parse().unwrap(), kinds: NoticeKind::ALL.to_vec(), trigger: None }
}

fn gate(&(share, lasts, back): &(u16, Duration, bool)) -> Gate {
    let then = if back { AfterPause::RollBack } else { AfterPause::Resume };
    Gate { weight: Weight::from_basis_points(share * 100).unwrap(), lasts, then }
}

fn request(story: &Story, member: usize, wish: Wish) -> Request {
    let (scene, asked) = (&story.scene, story.asked_by(wish));
    let [pre_hook, post_hook] = story.hooks(member).map(|(hook, manner)| manner.map(|_| hook.parse().unwrap()));
    let steps: Vec<Weight> = asked.steps.iter().map(|step| Weight::from_basis_points(step * 100).unwrap()).collect();
    Request {
        guard: match story.guard {
            Guarding::No => None,
            Guarding::Optional | Guarding::Required => {
                Some(Guard { machine: GUARD.to_owned(), optional: story.guard == Guarding::Optional })
            }
        },
        // Only another version can put a rollout aside.
        version: if scene.published && wish != Wish::Supersede { Version::new(42) } else { None },
        alarms: alarms(member).into_iter().take(asked.alarms).collect(),
        analysis_asked: true,
        signals: SIGNALS
            .iter()
            .zip(scene.signals)
            .filter(|(_, counts)| *counts && asked.compares)
            .map(|(text, _)| text.parse().unwrap())
            .collect(),
        pre_hook,
        post_hook,
        gates: asked.gates.iter().map(gate).collect(),
        notify: scene.told.iter().map(|_| told()).collect(),
        notice: report::notice,
        takeover: TakeoverOptions {
            take_over: matches!(wish, Wish::TakeOver | Wish::Replan),
            replan: wish == Wish::Replan,
            adopt: wish == Wish::Adopt,
            supersede: wish == Wish::Supersede,
        },
        policy: Policy {
            bake: Some(asked.bake),
            poll: asked.poll,
            preexisting_alarm: if asked.ignore_red { Preexisting::Ignore } else { Preexisting::Fail },
            blind_limit: asked.blind_limit,
            analysis: Analysis { mode: if asked.compares { Mode::On } else { Mode::Off }, ..Analysis::default() },
            allow_provisioned: !scene.provisioning.is_zero(),
            on_interrupt: if asked.hold_on_interrupt { OnInterrupt::Hold } else { OnInterrupt::RollBack },
            ..Policy::default()
        },
        ..Request::new(subject(member), Schedule::steps(&steps, asked.every).unwrap())
    }
}
