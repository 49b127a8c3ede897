//! The stage that the stories are played on.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws::{AccessKey, Aws, Seams, Settings, SharedAsyncSleep, SharedTimeSource, connect};
use controller::cloud::{Clock, Cloud};
use controller::{Identity, Interrupt, Order, Request, Rollback};
use report::{Json, Plain, Recording, Reporter};
use rollout::event::{Ending, Event, What};
use rollout::note::{Owner, RolloutId};
use rollout::policy::Policy;
use rollout::{Subject, Version};
use sim::{Account, CallRecord, Effect, Fault, Scenario, SimClock, Time, World};
use tokio::sync::watch;

/// 14:00 on the day the stories are set.
const OPENING: Duration = Duration::from_hours(498_734);

/// An account, and the program's own way to it.
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) aws: Aws,
    pub(crate) clock: Sleeper,
}

/// The controller's clock: the stage's.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper(pub(crate) SimClock);

impl Clock for Sleeper {
    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }
}

impl Sleeper {
    /// Waits until then.
    pub(crate) async fn sleep_until(&self, until: Time) {
        self.0.sleep(until.since(Time::from(self.0.now()))).await;
    }
}

/// What a rollout came to, and what was told of it.
pub(crate) struct Told {
    pub(crate) ending: Ending,
    pub(crate) log: String,
    pub(crate) events: Vec<Event>,
}

/// Plays a story in virtual time. Chance is the same in every run.
pub(crate) fn play<T>(story: impl Future<Output = T>) -> T {
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(story)
}

impl Stage {
    /// The account of a built-in story.
    pub(crate) async fn story(name: &str) -> Self {
        Self::story_with(name, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn story_with(name: &str, change: impl FnOnce(&mut sim::Settings)) -> Self {
        let clock = SimClock::new(SystemTime::UNIX_EPOCH + OPENING, 1.0);
        let mut settings = sim::Settings::strict();
        change(&mut settings);
        let world = Scenario::named(name).unwrap().build_in(settings, 7, clock.now());
        Self::of(Account::new(world, clock), "CONTROLLER", None).await
    }

    /// An account of its own, furnished here; it is a full hour.
    pub(crate) async fn furnished(settings: sim::Settings, seed: u64, furnish: impl FnOnce(&mut World)) -> Self {
        let clock = SimClock::new(SystemTime::UNIX_EPOCH + OPENING, 1.0);
        let mut world = World::new(settings, seed, Time::from(clock.now()));
        furnish(&mut world);
        Self::of(Account::new(world, clock), "CONTROLLER", None).await
    }

    /// Another caller's view of the same account.
    pub(crate) async fn as_caller(&self, id: &str) -> Self {
        Self::of(self.account.clone(), id, None).await
    }

    /// A caller whose credentials end after so long: from then on AWS refuses every call.
    pub(crate) async fn expiring(&self, id: &str, after: Duration) -> Self {
        let end = self.now() + after;
        let refused = Fault::everywhere(Effect::Deny).from_caller(id).between(end, end + Duration::from_hours(24));
        self.with(|world| world.add_fault(refused));
        Self::of(self.account.clone(), id, Some(end)).await
    }

    async fn of(account: Account, id: &str, end: Option<Time>) -> Self {
        let clock = account.clock();
        let seams = Seams {
            http_client: Some(account.http_client()),
            time_source: Some(SharedTimeSource::new(clock)),
            sleep: Some(SharedAsyncSleep::new(clock)),
            credentials: Some(AccessKey { id: id.to_owned(), secret: "none".to_owned() }),
        };
        let credentials_end = end.and_then(|end| u64::try_from(end.as_millis()).ok()).map(rollout::Time::from_millis);
        let settings = Settings { region: Some("us-east-1".to_owned()), credentials_end, ..Settings::default() };
        Self { aws: connect(settings, seams).await.unwrap(), account, clock: Sleeper(clock) }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.account.with(look)
    }

    pub(crate) async fn sleep(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.clock.0.now())
    }

    /// Runs a rollout to its end.
    pub(crate) async fn rollout(&self, request: &Request) -> Told {
        self.rollout_until(request, std::future::pending()).await
    }

    /// Runs a rollout that is told to stop when `signal` ends.
    pub(crate) async fn rollout_until(&self, request: &Request, signal: impl Future<Output = ()>) -> Told {
        self.rollout_told(request, Interrupt::Stop, signal).await
    }

    /// Runs a rollout that is told this when `signal` ends.
    pub(crate) async fn rollout_told(&self, request: &Request, what: Interrupt, signal: impl Future<Output = ()>) -> Told {
        let mut events = Vec::new();
        let mut tell = |event: &Event| events.push(event.clone());
        let identity = Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) };
        let (stop, heard) = watch::channel(Interrupt::None);
        let rollout = controller::rollout(&self.aws, &self.clock, request, identity, heard, &mut tell);
        let told = async {
            signal.await;
            stop.send(what).unwrap();
            std::future::pending::<()>().await;
        };
        let ending = tokio::select! {
            ending = rollout => ending,
            () = told => unreachable!("it never ends"),
        };
        check(&events);
        record(&events);
        let mut log = Vec::new();
        let mut plain = Plain::new(&mut log);
        for event in &events {
            plain.event(event).unwrap();
        }
        plain.finish().unwrap();
        Told { ending, log: String::from_utf8(log).unwrap(), events }
    }

    /// Rolls back by hand.
    pub(crate) async fn rollback(&self, to: Option<u64>) -> Rollback {
        let identity = Identity { id: RolloutId(0xdead_beef), owner: Owner::from_random(fastrand::u32(..)) };
        let order = Order { subject: subject(), to: to.and_then(Version::new), limit: Duration::from_mins(15), identity };
        controller::rollback(&self.aws, &self.clock, &order, &mut |_, _| {}).await
    }

    /// The successful writes to the alias, in order.
    pub(crate) fn writes(&self) -> Vec<CallRecord> {
        self.with(|world| world.alias_writes("hello", "Live").cloned().collect())
    }

    /// The shares of a version as they were written: seconds since the first of them, and per cent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 100")]
    pub(crate) fn shares(&self, version: &str) -> Vec<(u64, u64)> {
        let mut shares: Vec<(Time, u64)> = Vec::new();
        for write in self.writes() {
            let share = (write.after().unwrap().share(version) * 100.0).round() as u64;
            if shares.last().map_or(share > 0, |last| last.1 != share) {
                shares.push((write.at, share));
            }
        }
        let first = shares.first().map(|first| first.0);
        shares.into_iter().map(|(at, share)| (at.since(first.unwrap()).as_secs(), share)).collect()
    }

    /// How many calls of an operation a caller made.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.with(|world| world.log().iter().filter(|call| call.operation == operation).count())
    }

    /// How many of them did what was asked for.
    pub(crate) fn done(&self, operation: &str) -> usize {
        self.with(|world| world.log().iter().filter(|call| call.operation == operation && call.succeeded()).count())
    }

    /// All traffic is on this version, and the note is terminal and begins with this word.
    pub(crate) fn assert_ended(&self, version: &str, word: &str) {
        let alias = self.with(|world| world.alias("hello", "Live").cloned()).unwrap();
        assert_eq!((alias.version.as_str(), alias.weights.len()), (version, 0), "{alias:?}");
        assert!(alias.description.contains(&format!(" {word} ")), "{alias:?}");
    }

    /// Whoever wrote, wrote on a revision.
    pub(crate) fn assert_conditional(&self) {
        for write in self.writes().iter().filter(|write| write.operation == "UpdateAlias") {
            assert!(write.revision_sent.is_some(), "{write:?}");
        }
    }

    /// The alias as the program reads it.
    pub(crate) async fn alias(&self) -> rollout::Alias {
        self.aws.alias(&subject()).await.unwrap().unwrap().alias
    }
}

pub(crate) fn subject() -> Subject {
    Subject::parse("hello:Live", None).unwrap()
}

/// The rollout of the story: `Linear10PercentEvery1Minute`, the alarm, both hooks.
pub(crate) fn request() -> Request {
    Request {
        alarms: vec!["HelloFooAlarm".to_owned()],
        pre_hook: Some("preHook".parse().unwrap()),
        post_hook: Some("postHook".parse().unwrap()),
        observations: true,
        ..Request::new(subject(), "Linear10PercentEvery1Minute".parse().unwrap())
    }
}

/// A short rollout without hooks: 10 %, 50 %, 100 %, half a minute apart.
pub(crate) fn short() -> Request {
    let steps = [1000, 5000].map(|points| rollout::Weight::from_basis_points(points).unwrap());
    let schedule = rollout::Schedule::steps(&steps, Duration::from_secs(30)).unwrap();
    Request {
        schedule,
        pre_hook: None,
        post_hook: None,
        policy: Policy { bake: Some(Duration::from_secs(30)), ..Policy::default() },
        ..request()
    }
}

/// Every decision of every story follows from its record.
fn check(events: &[Event]) {
    let mut record = Vec::new();
    let mut recording = Recording::new(&mut record);
    for event in events {
        recording.event(event).unwrap();
    }
    let decided = events.iter().filter(|event| matches!(event.what, What::Observed(_))).count();
    if decided > 0 {
        let verified = report::verify(&String::from_utf8(record).unwrap()).unwrap();
        assert_eq!((verified.fault, verified.decisions), (None, decided));
    }
}

/// Appends a rollout's events to a file named like the test, in the folder that `RECORD` names: what reporters are tested on.
fn record(events: &[Event]) {
    let Some(folder) = std::env::var_os("RECORD") else { return };
    let name = std::thread::current().name().unwrap_or("story").replace("::", "-");
    let path = Path::new(&folder).join(format!("{name}.jsonl"));
    let file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    let mut json = Json::new(file);
    for event in events {
        json.event(event).unwrap();
    }
}

/// Compares a log with the golden one.
pub(crate) fn assert_golden(name: &str, log: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/golden").join(format!("{name}.log"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, log).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == log,
        "the log of {name} is not the golden one; BLESS=1 writes it anew\n--- golden\n{golden}\n--- now\n{log}"
    );
}
