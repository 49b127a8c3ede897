//! Where is it played? One simulated account, and as many machines as are needed, each with its own SDK, key and clock.

use std::time::{Duration, SystemTime};

use aws::{AccessKey, Aws, Seams, Settings, SharedAsyncSleep, SharedHttpClient, SharedTimeSource, connect};
use aws_smithy_async::time::TimeSource;
use controller::Request;
use controller::cloud::Clock;
use rollout::entry::Wishes;
use rollout::plan::{Analysis, Mode, OnInterrupt, Preexisting};
use rollout::policy::Policy;
use rollout::{Schedule, Subject, Version, Weight};
use sim::{Account, SimClock, Time, World};

use crate::story::{Asked, Manner, Scene, Story, Wish};

pub(crate) const FUNCTION: &str = "hello";
pub(crate) const ALIAS: &str = "live";
pub(crate) const ALARMS: [&str; 2] = ["first", "second"];

/// 14:00 on the day the stories are set.
pub(crate) const OPENING: Duration = Duration::from_hours(498_734);

/// The account, and the time at which the story opens.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) clock: SimClock,
    pub(crate) opened: Time,
}

/// One computer that canaryctl runs on.
pub(crate) struct Machine {
    pub(crate) aws: Aws,
    pub(crate) clock: Sleeper,
}

/// Which computer it is.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Whose its calls are, by the log.
    pub(crate) caller: String,
    /// By how many seconds its clock is ahead.
    pub(crate) skew: i64,
    /// How it reaches the account.
    pub(crate) http: SharedHttpClient,
    /// When its credentials end.
    pub(crate) expires: Option<Time>,
}

impl Part {
    /// One that is right about the time and may stay.
    pub(crate) fn of(caller: &str, http: SharedHttpClient) -> Self {
        Self { caller: caller.to_owned(), skew: 0, http, expires: None }
    }
}

/// The controller's way of waiting.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper(SimClock);

impl Clock for Sleeper {
    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }
}

/// A clock that is wrong by so many seconds.
#[derive(Clone, Copy, Debug)]
struct Wrong(SimClock, i64);

impl TimeSource for Wrong {
    fn now(&self) -> SystemTime {
        let span = Duration::from_secs(self.1.unsigned_abs());
        if self.1 < 0 { self.0.now() - span } else { self.0.now() + span }
    }
}

impl Stage {
    /// The account as the story finds it.
    pub(crate) fn set(story: &Story) -> Self {
        let clock = SimClock::new(SystemTime::UNIX_EPOCH + OPENING, 1.0);
        let opened = Time::from(clock.now());
        let world = furnish(&story.scene, story.seed, opened);
        let stage = Self { account: Account::new(world, clock), clock, opened };
        stage.with(|world| story.weather.iter().for_each(|weather| world.add_fault(weather.fault(opened))));
        stage
    }

    /// A computer, as it is drawn.
    pub(crate) async fn machine(&self, part: Part) -> Machine {
        let Part { caller, skew, http, expires } = part;
        let seams = Seams {
            http_client: Some(http),
            time_source: Some(SharedTimeSource::new(Wrong(self.clock, skew))),
            sleep: Some(SharedAsyncSleep::new(self.clock)),
            credentials: Some(AccessKey { id: caller, secret: "none".to_owned() }),
        };
        let credentials_end = expires.and_then(|end| u64::try_from(end.as_millis()).ok()).map(rollout::Time::from_millis);
        let settings = Settings { region: Some("us-east-1".to_owned()), credentials_end, ..Settings::default() };
        Machine { aws: connect(settings, seams).await.unwrap(), clock: Sleeper(self.clock) }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.account.with(look)
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.clock.now())
    }

    /// How long the story has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now().since(self.opened)
    }
}

pub(crate) fn furnish(scene: &Scene, seed: u64, opened: Time) -> World {
    let settings = sim::Settings {
        settle: Duration::from_millis(300),
        version_settle: scene.version_settle,
        latency: Duration::from_millis(5)..=Duration::from_millis(60),
        metric_lag: Duration::ZERO..=scene.metric_lag,
        evaluation_delay: scene.evaluation_delay,
        quotas: scene.quotas,
        ..sim::Settings::served()
    };
    let mut world = World::new(settings, seed, opened - Duration::from_mins(3));
    let traffic = scene.traffic.to_string();
    world.create_function(FUNCTION, &[("SIM_BODY", "old"), ("SIM_TRAFFIC_RPS", &traffic)]).unwrap();
    world.publish(FUNCTION, 40).unwrap();
    world.set_environment(FUNCTION, &[("SIM_BODY", "good")]).unwrap();
    world.publish(FUNCTION, 41).unwrap();
    if !scene.first {
        world.set_alias(FUNCTION, ALIAS, "41", None).unwrap();
        world.describe_alias(FUNCTION, ALIAS, scene.text).unwrap();
    }
    let error_rate = scene.error_rate.to_string();
    world.set_environment(FUNCTION, &[("SIM_BODY", "new"), ("SIM_ERROR_RATE", &error_rate)]).unwrap();
    if scene.published {
        world.publish(FUNCTION, 42).unwrap();
    }
    world.create_errors_alarm(ALARMS[0], FUNCTION, 1.0).unwrap();
    world.create_errors_alarm(ALARMS[1], FUNCTION, 5.0).unwrap();
    for (name, manner) in [("preHook", scene.pre_hook), ("postHook", scene.post_hook)] {
        let answer = match manner {
            Some(Manner::Fails) => "Failed",
            Some(Manner::Throws) => "Throw",
            Some(Manner::Succeeds) | None => "Succeeded",
        };
        world.create_function(name, &[("SIM_HOOK", answer), ("SIM_LATENCY_MS", "800")]).unwrap();
    }
    world.advance(opened);
    world
}

pub(crate) fn subject() -> Subject {
    Subject::parse("hello:live", None).unwrap()
}

/// The story's rollout, as canaryctl is asked for it.
pub(crate) fn request(story: &Story, wish: Wish) -> Request {
    let (scene, asked) = (&story.scene, story.asked_by(wish));
    Request {
        // Only another version can put a rollout aside.
        version: if scene.published && wish != Wish::Supersede { Version::new(42) } else { None },
        alarms: ALARMS.iter().take(asked.alarms).map(ToString::to_string).collect(),
        analysis_asked: true,
        pre_hook: scene.pre_hook.map(|_| "preHook".parse().unwrap()),
        post_hook: scene.post_hook.map(|_| "postHook".parse().unwrap()),
        wishes: Wishes {
            take_over: matches!(wish, Wish::TakeOver | Wish::Replan),
            replan: wish == Wish::Replan,
            adopt: wish == Wish::Adopt,
            supersede: wish == Wish::Supersede,
        },
        policy: Policy {
            bake: Some(asked.bake),
            poll: asked.poll,
            preexisting: if asked.ignore_red { Preexisting::Ignore } else { Preexisting::Fail },
            blind_limit: asked.blind_limit,
            analysis: Analysis { mode: if asked.compares { Mode::On } else { Mode::Off }, ..Analysis::default() },
            on_interrupt: if asked.hold_on_interrupt { OnInterrupt::Hold } else { OnInterrupt::RollBack },
            ..Policy::default()
        },
        ..Request::new(subject(), schedule(&asked))
    }
}

pub(crate) fn schedule(asked: &Asked) -> Schedule {
    let steps: Vec<Weight> = asked.steps.iter().map(|step| Weight::from_basis_points(step * 100).unwrap()).collect();
    Schedule::steps(&steps, asked.every).unwrap()
}
