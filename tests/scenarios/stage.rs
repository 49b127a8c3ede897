//! The stage that the stories are played on.

use std::borrow::Borrow;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use aws::Aws;
use controller::port::{Clock, Cloud};
use controller::{Budget, Budgeted, Identity, Interrupt, Order, Ordered, Request, Rollback, Ticked};
use report::{Json, Plain, Recording, Reporter, Verified};
use rollout::admission::TakeoverOptions;
use rollout::event::{Event, EventKind, RolloutSummary};
use rollout::note::{Owner, RolloutId};
use rollout::operate::{Aim, Operation};
use rollout::policy::Policy;
use rollout::turn::Turn;
use rollout::{Subject, Version};
use sim::{Account, CallRecord, Fault, Scenario, Time, World};
use tokio::sync::watch;

use crate::harness::{Part, Sleeper, end_credentials, identity, in_virtual_time, opening};

/// An account, and the program's own way to it.
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) aws: Aws,
    pub(crate) clock: Sleeper,
}

impl Sleeper {
    /// Waits until then.
    pub(crate) async fn sleep_until(&self, until: Time) {
        self.0.sleep(until.since(Time::from(self.0.now()))).await;
    }
}

/// How a rollout ended, and everything it wrote.
pub(crate) struct Output {
    pub(crate) ending: RolloutSummary,
    pub(crate) log: String,
    pub(crate) events: Vec<Event>,
}

impl Output {
    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: u8) -> Self {
        assert_eq!(self.ending.exit_code, code, "{}", self.log);
        self
    }

    /// It ended with this exit code, for this kind of reason.
    #[track_caller]
    pub(crate) fn exits_for(self, code: u8, reason: &str) -> Self {
        assert_eq!((self.ending.exit_code, self.ending.reason.kind.word()), (code, reason), "{}", self.log);
        self
    }

    /// It ended with this exit code, as this outcome.
    #[track_caller]
    pub(crate) fn exits_as(self, code: u8, outcome: &str) -> Self {
        assert_eq!((self.ending.exit_code, self.ending.outcome.word()), (code, outcome), "{}", self.log);
        self
    }

    /// Its log has these words.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.log.contains(words), "no `{words}` in\n{}", self.log);
        self
    }

    /// Its log does not have these words.
    #[track_caller]
    pub(crate) fn lacks(self, words: &str) -> Self {
        assert!(!self.log.contains(words), "`{words}` in\n{}", self.log);
        self
    }

    /// The reason of its end has these words.
    #[track_caller]
    pub(crate) fn because(self, words: &str) -> Self {
        assert!(self.ending.reason.detail.contains(words), "no `{words}` in {:?}\n{}", self.ending.reason, self.log);
        self
    }

    /// Its log is the golden one of this name.
    #[track_caller]
    pub(crate) fn golden(self, name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/golden").join(format!("{name}.log"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &self.log).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            golden == self.log,
            "the log of {name} is not the golden one; BLESS=1 writes it again\n--- golden\n{golden}\n--- now\n{}",
            self.log
        );
        self
    }
}

/// Plays a story in virtual time. Chance is the same in every run.
pub(crate) fn play<T>(story: impl Future<Output = T>) -> T {
    in_virtual_time(7, story)
}

/// Plays something on the account of a built-in story.
pub(crate) fn play_on<T>(name: &str, story: impl AsyncFnOnce(Stage) -> T) -> T {
    play(async { story(Stage::story(name).await).await })
}

impl Stage {
    /// The account of a built-in story.
    pub(crate) async fn story(name: &str) -> Self {
        Self::story_with(name, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn story_with(name: &str, change: impl FnOnce(&mut sim::Settings)) -> Self {
        let clock = opening();
        let mut settings = sim::Settings::strict();
        change(&mut settings);
        let world = Scenario::named(name).unwrap().build_in(settings, 7, clock.now());
        Self::of(Account::new(world, clock), "CONTROLLER", None).await
    }

    /// An account of its own, furnished here; it is a full hour.
    pub(crate) async fn furnished(settings: sim::Settings, seed: u64, furnish: impl FnOnce(&mut World)) -> Self {
        let clock = opening();
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
        end_credentials(&self.account, id, end);
        Self::of(self.account.clone(), id, Some(end)).await
    }

    /// A caller's view of an account.
    pub(crate) async fn of_account(account: &Account, id: &str) -> Self {
        Self::of(account.clone(), id, None).await
    }

    /// A caller whose machine's clock is ahead by so many seconds.
    pub(crate) async fn ahead(&self, id: &str, skew: i64) -> Self {
        let part = Part { skew, ..Part::of(&self.account, id) };
        Self { aws: part.connect(self.account.clock()).await, account: self.account.clone(), clock: self.clock }
    }

    async fn of(account: Account, id: &str, expires: Option<Time>) -> Self {
        let clock = account.clock();
        let part = Part { expires, ..Part::of(&account, id) };
        Self { aws: part.connect(clock).await, account, clock: Sleeper(clock) }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.account.with(look)
    }

    pub(crate) async fn sleep(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// Waits until something is so, looking once a second.
    pub(crate) async fn until(&self, holds: impl Fn() -> bool) {
        self.until_looking_every(Duration::from_secs(1), holds).await;
    }

    /// Waits until something is so, looking this often.
    pub(crate) async fn until_looking_every(&self, span: Duration, holds: impl Fn() -> bool) {
        while !holds() {
            self.clock.sleep(span).await;
        }
    }

    /// An alarm of the story goes to ALARM in so many seconds.
    pub(crate) fn alarm_in(&self, seconds: u64) {
        let event = sim::Event::SetAlarmState { alarm: "HelloFooAlarm".into(), state: "ALARM".into() };
        self.with(|world| world.schedule(world.now() + Duration::from_secs(seconds), event));
    }

    /// Calls go wrong like this between these seconds from now.
    pub(crate) fn disturb(&self, fault: Fault, seconds: Range<u64>) {
        let at = |seconds| self.now() + Duration::from_secs(seconds);
        let fault = fault.between(at(seconds.start), at(seconds.end));
        self.with(|world| world.add_fault(fault));
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.clock.0.now())
    }

    /// Waits until an alarm is in this state.
    pub(crate) async fn until_alarm(&self, name: &str, state: &str) {
        self.until(|| self.with(|world| world.alarm_state(name) == Some(state))).await;
    }

    /// Runs a rollout to its end.
    pub(crate) async fn rollout(&self, request: impl Borrow<Request>) -> Output {
        self.rollout_until(request, std::future::pending()).await
    }

    /// Runs a rollout to its end, while something else happens.
    pub(crate) async fn rollout_while(&self, request: impl Borrow<Request>, meanwhile: impl Future<Output = ()>) -> Output {
        tokio::join!(Box::pin(self.rollout(request)), meanwhile).0
    }

    /// Runs a rollout whose process is killed when `moment` ends.
    pub(crate) async fn killed(&self, request: impl Borrow<Request>, moment: impl Future<Output = ()>) {
        tokio::select! {
            output = self.rollout(request) => panic!("it ended: {}", output.log),
            () = moment => {}
        }
    }

    /// Runs a rollout that is asked to stop when `signal` ends.
    pub(crate) async fn rollout_until(&self, request: impl Borrow<Request>, signal: impl Future<Output = ()>) -> Output {
        self.rollout_interrupted(request, Interrupt::Stop, signal).await
    }

    /// Runs a rollout that is interrupted in this way when `signal` ends.
    pub(crate) async fn rollout_interrupted(
        &self,
        request: impl Borrow<Request>,
        interrupt: Interrupt,
        signal: impl Future<Output = ()>,
    ) -> Output {
        let mut events = Vec::new();
        let mut tell = |event: &Event| events.push(event.clone());
        let (stop, heard) = watch::channel(Interrupt::None);
        // As the command does it.
        let budget = Budget::looking_every(request.borrow().poll, 1);
        let cloud = Budgeted::new(&self.aws, &self.clock, &budget);
        let rollout = Box::pin(controller::rollout(&cloud, &self.clock, request.borrow(), identity(), heard, &mut tell));
        let interrupting = async {
            signal.await;
            stop.send(interrupt).unwrap();
            std::future::pending::<()>().await;
        };
        let ending = tokio::select! {
            ending = rollout => ending,
            () = interrupting => unreachable!("it never ends"),
        };
        check(&events);
        record(&events);
        Output { ending, log: told(&events), events }
    }

    /// One turn of a rollout in progress, and its log.
    pub(crate) async fn tick(&self, request: impl Borrow<Request>, lasts: Duration) -> (Ticked, String) {
        let mut events = Vec::new();
        let mut tell = |event: &Event| events.push(event.clone());
        let (_stop, heard) = watch::channel(Interrupt::None);
        let request = Request { turn: Some(Turn::Tick(lasts)), observations: false, guard: None, ..request.borrow().clone() };
        let ticked = Box::pin(controller::tick(&self.aws, &self.clock, &[request], identity(), heard, &mut tell)).await;
        (ticked.into_iter().next().unwrap().1, told(&events))
    }

    /// Turns once a minute until the rollout is over; their ending.
    pub(crate) async fn ticks(&self, request: impl Borrow<Request>, lasts: Duration) -> RolloutSummary {
        for _ in 0..600 {
            let begun = self.now();
            let (ticked, log) = self.tick(request.borrow(), lasts).await;
            match ticked {
                Ticked::Goes(..) => self.clock.sleep_until(begun + Duration::from_mins(1)).await,
                Ticked::Ended(summary) => return summary,
                Ticked::Idle(_) | Ticked::Refused(_) => panic!("{ticked:?}\n{log}"),
            }
        }
        panic!("it does not end");
    }

    /// Rolls back manually.
    pub(crate) async fn rollback(&self, to: Option<u64>) -> Rollback {
        self.rollback_of(subject(), to).await
    }

    /// The same for another function.
    pub(crate) async fn rollback_of(&self, subject: Subject, to: Option<u64>) -> Rollback {
        let identity = Identity { id: RolloutId(0xdead_beef), owner: Owner::from_random(fastrand::u32(..)) };
        let order = Order { subject, to: to.and_then(Version::new), limit: Duration::from_mins(15), identity };
        Box::pin(controller::rollback(&self.aws, &self.clock, &order, &mut |_, _| {})).await
    }

    /// Gives an order to a rollout in progress.
    pub(crate) async fn order(&self, subject: &Subject, operation: Operation) -> Ordered {
        let identity = Identity { id: RolloutId(0), owner: Owner::from_random(fastrand::u32(..)) };
        let order = (operation, Aim::default());
        Box::pin(controller::operate(&self.aws, &self.clock, subject, order, identity, &mut |_, _| {})).await
    }

    /// The successful writes to the alias, in order.
    pub(crate) fn writes(&self) -> Vec<CallRecord> {
        self.with(|world| world.alias_writes("hello", "Live").cloned().collect())
    }

    /// The weights of a version as they were written: seconds since the first of them, and percent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a weight lies between 0 and 100")]
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

    /// The candidate's weights alone, in percent.
    pub(crate) fn percents(&self) -> Vec<u64> {
        self.shares("42").into_iter().map(|share| share.1).collect()
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

    /// Every write was made on a revision.
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

/// A short rollout without hooks: 10%, 50%, 100%, half a minute apart.
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

/// The same request under a policy that differs in this.
pub(crate) fn with(mut request: Request, change: impl FnOnce(&mut Policy)) -> Request {
    change(&mut request.policy);
    request
}

/// The same request, which does this with a rollout in progress.
pub(crate) fn taking(mut request: Request, change: impl FnOnce(&mut TakeoverOptions)) -> Request {
    change(&mut request.takeover);
    request
}

/// What the log says of these events.
fn told(events: &[Event]) -> String {
    let mut log = Vec::new();
    let mut plain = Plain::new(&mut log);
    for event in events {
        plain.event(event).unwrap();
    }
    plain.finish().unwrap();
    String::from_utf8(log).unwrap()
}

/// Every decision of every story follows from its record.
fn check(events: &[Event]) {
    let decided = events.iter().filter(|event| matches!(event.what, EventKind::Observed(_))).count();
    if decided > 0 {
        let verified = verified(events.iter());
        assert_eq!((verified.fault, verified.decisions), (None, decided));
    }
}

/// What verifying a record of these events says.
pub(crate) fn verified<'a>(events: impl Iterator<Item = &'a Event>) -> Verified {
    let mut record = Vec::new();
    let mut recording = Recording::new(&mut record);
    events.for_each(|event| recording.event(event).unwrap());
    report::verify(&String::from_utf8(record).unwrap()).unwrap()
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
