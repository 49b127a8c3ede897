//! How is a story played? In virtual time, on one thread: actors are started, killed, put to sleep and told to stop as it says.
//!
//! Nothing is judged here. Chance is the seed's, so that the same story has the same log, byte for byte.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aws::SharedHttpClient;
use bytes::Bytes;
use controller::{Identity, Interrupt, Order, Ordered, Request, Rollback};
use rollout::note::{AfterPause, Owner, RolloutId};
use rollout::operate::{Aim, Operation};
use rollout::{Subject, Version};
use sim::{AliasState, Effect, Event, Fault, Time};
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use crate::note::split;
use crate::record::{Ended, Record, Role, Run};
use crate::stage::{ALARMS, ALIAS, FUNCTION, Part, Stage, request, subject};
use crate::story::{Act, Asked, Deed, Edit, PROVISIONING, Story, Wish};

/// How long a re-run may have to wait for the lease of a dead owner.
const LEASE: Duration = Duration::from_mins(12);

/// How long everything may take once nothing disturbs it any more, on top of plan, blind limit and lease.
const BOUND: Duration = Duration::from_mins(2);

/// What stands between the program and the account, if anything does.
pub(crate) type Between<'a> = &'a dyn Fn(Role, SharedHttpClient) -> SharedHttpClient;

/// Plays something in virtual time on this thread.
pub(crate) fn on_stage<T>(seed: u64, scene: impl Future<Output = T>) -> T {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, scene)
}

/// Plays a story from its opening to its end.
pub(crate) fn play(story: &Story) -> Record {
    play_through(story, &|_, http| http)
}

/// Plays a story whose processes reach the account through something.
pub(crate) fn play_through(story: &Story, between: Between<'_>) -> Record {
    on_stage(story.seed, async {
        let mut cast = Cast { stage: Stage::set(story), story, between, players: Vec::new() };
        for (at, act) in &story.acts {
            cast.wait_until(*at).await;
            cast.perform(act);
        }
        cast.finish().await
    })
}

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strings {
    Run,
    SleepUntil(Instant),
    Die,
}

struct Player {
    caller: String,
    role: Role,
    began: Time,
    strings: watch::Sender<Strings>,
    stop: watch::Sender<Interrupt>,
    playing: JoinHandle<Option<Ended>>,
    supersedes: bool,
    expires: Option<Time>,
    asked: Asked,
    overdue: bool,
}

struct Cast<'a> {
    stage: Stage,
    story: &'a Story,
    between: Between<'a>,
    players: Vec<Player>,
}

impl Cast<'_> {
    async fn wait_until(&self, at: Duration) {
        let wait = at.saturating_sub(self.stage.elapsed());
        self.stage.clock.sleep(wait).await;
    }

    fn perform(&mut self, act: &Act) {
        match *act {
            Act::Start(skew, wish) => self.start(skew, wish, None),
            Act::StartExpiring(lasts) => self.start(0, Wish::TakeOver, Some(self.stage.now() + lasts)),
            Act::NewCode => {
                self.stage.with(|world| world.set_environment(FUNCTION, &[("SIM_BODY", "newer")]).unwrap());
            }
            Act::Kill(which) => self.pull(which, Strings::Die),
            Act::Suspend(which, span) => self.pull(which, Strings::SleepUntil(Instant::now() + span)),
            Act::Signal(which) => {
                if let Some(player) = self.living(which) {
                    player.stop.send_replace(Interrupt::Stop);
                }
            }
            Act::RollBack(people) => (0..people).for_each(|_| self.roll_back(None)),
            Act::Order(deed) => self.order(deed),
            Act::Edit(edit) => self.edit(edit),
            Act::Deploy => self.console("STACK", r#"{"FunctionVersion":"40","RoutingConfig":{"AdditionalVersionWeights":{}}}"#),
            Act::Provision => self.provision(),
            Act::DeleteAlarm => self.delete_alarm(),
            Act::Flap(span) => self.flap(span),
        }
    }

    /// One of the rollouts that run.
    fn living(&self, which: u8) -> Option<&Player> {
        let living = || self.players.iter().filter(|player| player.role == Role::Rollout && !player.playing.is_finished());
        let count = living().count();
        living().nth(usize::from(which).checked_rem(count)?)
    }

    fn pull(&self, which: u8, strings: Strings) {
        if let Some(player) = self.living(which) {
            player.strings.send_replace(strings);
        }
    }

    fn start(&mut self, skew: i64, wish: Wish, expires: Option<Time>) {
        let caller = format!("ROLLOUT{}", self.players.len());
        let (stop, heard) = watch::channel(Interrupt::None);
        let http = (self.between)(Role::Rollout, self.stage.account.http_client());
        if let Some(end) = expires {
            let refused = Fault::everywhere(Effect::Deny).from_caller(&caller).between(end, end + Duration::from_hours(24));
            self.stage.with(|world| world.add_fault(refused));
        }
        let machine = Part { caller: caller.clone(), skew, http, expires };
        let part = rollout(self.stage.clone(), request(self.story, wish), machine, heard);
        self.enter(caller, Role::Rollout, stop, part);
        let player = self.players.last_mut().unwrap();
        (player.supersedes, player.expires, player.asked) = (wish == Wish::Supersede, expires, self.story.asked_by(wish));
    }

    fn roll_back(&mut self, to: Option<Version>) {
        let caller = format!("PERSON{}", self.players.len());
        let http = (self.between)(Role::RollBack, self.stage.account.http_client());
        let part = roll_back(self.stage.clone(), caller.clone(), to, http);
        self.enter(caller, Role::RollBack, watch::Sender::new(Interrupt::None), part);
    }

    fn order(&mut self, deed: Deed) {
        let caller = format!("ORDER{}", self.players.len());
        let part = order(self.stage.clone(), caller.clone(), subject(), deed);
        self.enter(caller, Role::Order, watch::Sender::new(Interrupt::None), part);
    }

    fn enter(&mut self, caller: String, role: Role, stop: watch::Sender<Interrupt>, part: impl Future<Output = Ended> + 'static) {
        let (strings, pulled) = watch::channel(Strings::Run);
        let playing = tokio::task::spawn_local(on_strings(part, pulled));
        let began = self.stage.now();
        let (supersedes, expires, asked) = (false, None, self.story.asked.clone());
        self.players.push(Player { caller, role, began, strings, stop, playing, supersedes, expires, asked, overdue: false });
    }

    /// Somebody's `UpdateAlias` without a revision, as the console sends it. No fault stops it.
    fn console(&self, caller: &str, body: &str) {
        let request = http::Request::put(format!("/2015-03-31/functions/{FUNCTION}/aliases/{ALIAS}"));
        self.send(caller, request.body(Bytes::from(body.to_owned())).unwrap());
    }

    fn send(&self, caller: &str, request: http::Request<Bytes>) {
        let event = Event::Call { caller: caller.to_owned(), request };
        self.stage.with(|world| {
            world.schedule(world.now(), event);
            world.advance(world.now());
        });
    }

    fn alias(&self) -> Option<AliasState> {
        self.stage.with(|world| world.alias(FUNCTION, ALIAS).cloned())
    }

    fn edit(&self, edit: Edit) {
        let Some(alias) = self.alias() else { return };
        let description = alias.description;
        let (text, note) = split(&description);
        let candidate = note.as_ref().map_or("42", |note| note.candidate.as_str());
        let body = match edit {
            Edit::Weight(weight) => serde_json::json!({"RoutingConfig": {"AdditionalVersionWeights": {candidate: weight}}}),
            Edit::Clear => serde_json::json!({"RoutingConfig": {"AdditionalVersionWeights": {}}}),
            Edit::Words => {
                let note = description.get(text.len()..).unwrap_or_default();
                serde_json::json!({"Description": format!("other words{}{}", if note.is_empty() { "" } else { " " }, note.trim_start())})
            }
            Edit::DropNote => serde_json::json!({"Description": text}),
            Edit::Scribble => serde_json::json!({"Description": format!("{description} (Bob: what is this?)")}),
        };
        self.console("CONSOLE", &body.to_string());
    }

    /// AWS' own writes on an alias with provisioned concurrency, which come with nobody's call.
    fn provision(&self) {
        let Some(AliasState { version, .. }) = self.alias() else { return };
        let other = if version == "42" { "41" } else { "40" };
        let written = [serde_json::json!({other: 1.0}), serde_json::json!({other: 0.5}), serde_json::json!({})];
        for (weights, step) in written.into_iter().zip(0..) {
            let body = serde_json::json!({"RoutingConfig": {"AdditionalVersionWeights": weights}}).to_string();
            let request =
                http::Request::put(format!("/2015-03-31/functions/{FUNCTION}/aliases/{ALIAS}")).body(body.into()).unwrap();
            let event = Event::Call { caller: "AWS".to_owned(), request };
            self.stage.with(|world| world.schedule(world.now() + PROVISIONING * step, event));
        }
    }

    fn delete_alarm(&self) {
        let body = serde_json::json!({"AlarmNames": [ALARMS[0]]}).to_string();
        let request = http::Request::post("/")
            .header("x-amz-target", "GraniteServiceVersion20100801.DeleteAlarms")
            .header("content-type", "application/x-amz-json-1.0");
        self.send("CONSOLE", request.body(body.into()).unwrap());
    }

    fn flap(&self, span: Duration) {
        let set = |state: &str| Event::SetAlarmState { alarm: ALARMS[0].to_owned(), state: state.to_owned() };
        self.stage.with(|world| {
            world.schedule(world.now(), set("ALARM"));
            world.schedule(world.now() + span, set("OK"));
            world.advance(world.now());
        });
    }

    /// When everybody is to be done.
    fn deadline(&self) -> Duration {
        let Story { asked, acts, .. } = self.story;
        let starts = |act: &Act| matches!(act, Act::Start(..) | Act::StartExpiring(_));
        let alone = acts.iter().filter(|(_, act)| starts(act)).count() < 2;
        let lease = if alone { Duration::ZERO } else { LEASE };
        let span = asked.span().max(self.story.asked_by(Wish::Replan).span());
        self.story.calm() + span + asked.suspicion() + asked.blind_limit + lease + BOUND
    }

    async fn all_done(&self, deadline: Duration) {
        while self.players.iter().any(|player| !player.playing.is_finished()) && self.stage.elapsed() < deadline {
            self.stage.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// Lets everybody end, and somebody finish what nobody drives any more.
    async fn finish(mut self) -> Record {
        self.all_done(self.deadline()).await;
        // A person ends what a person holds up, by force where nothing says any more what to go back to.
        for to in [None, Version::new(41)] {
            if self.story.may_hold() && self.players.iter().any(|player| !player.playing.is_finished()) {
                self.roll_back(to);
                self.all_done(self.stage.elapsed() + BOUND).await;
            }
        }
        for player in &mut self.players {
            player.overdue = !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
        }
        self.wait_until(self.story.calm() + Duration::from_secs(1)).await;
        let live = |cast: &Self| cast.alias().is_some_and(|alias| split(&alias.description).1.is_some_and(|note| note.is_live()));
        let mut finisher = None;
        if live(&self) {
            self.start(0, if self.story.starts(Wish::Replan) { Wish::Replan } else { Wish::Wait }, None);
            finisher = self.players.last().map(|player| player.caller.clone());
            self.all_done(self.stage.elapsed() + self.deadline() + LEASE).await;
            if live(&self) {
                self.roll_back(None);
                self.all_done(self.stage.elapsed() + BOUND).await;
            }
        }
        let mut runs = Vec::new();
        for player in self.players {
            let overdue = player.overdue || !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
            let ended = player.playing.await.unwrap();
            let run = Run::of(&player.caller, player.role, player.began, ended);
            let (supersedes, expires, asked) = (player.supersedes, player.expires, Some(player.asked));
            runs.push(Run { supersedes, expires, asked, overdue, ..run });
        }
        let record = self.stage.with(|world| Record::of(self.story, self.stage.opened, world, runs));
        Record { finisher, ..record }
    }
}

/// One process that rolls out; when and with which exit code it ends.
pub(crate) async fn rollout(stage: Stage, request: Request, part: Part, heard: watch::Receiver<Interrupt>) -> Ended {
    let machine = stage.machine(part).await;
    let ending = controller::rollout(&machine.aws, &machine.clock, &request, identity(), heard, &mut |_| {}).await;
    Ended { at: stage.now(), code: ending.exit_code, said: Some(ending.traffic) }
}

/// One person who rolls back; when and with which exit code that ends.
pub(crate) async fn roll_back(stage: Stage, caller: String, to: Option<Version>, http: SharedHttpClient) -> Ended {
    roll_back_one(stage, caller, (subject(), to), http).await
}

/// The same for one alias of several.
pub(crate) async fn roll_back_one(
    stage: Stage,
    caller: String,
    (subject, to): (Subject, Option<Version>),
    http: SharedHttpClient,
) -> Ended {
    let machine = stage.machine(Part::of(&caller, http)).await;
    let order = Order { subject, to, limit: Duration::from_mins(15), identity: identity() };
    let code = match controller::rollback(&machine.aws, &machine.clock, &order, &mut |_, _| {}).await {
        Rollback::Done { .. } => 0,
        Rollback::Nothing(_) | Rollback::Missing(_) => 3,
        Rollback::Unconfirmed { .. } => 20,
    };
    Ended { at: stage.now(), code, said: None }
}

/// One person who gives an order; when and with which exit code that ends.
pub(crate) async fn order(stage: Stage, caller: String, subject: Subject, deed: Deed) -> Ended {
    let machine = stage.machine(Part::of(&caller, stage.account.http_client())).await;
    let operation = match deed {
        Deed::Pause(span, true) => Operation::Pause { span, then: AfterPause::RollBack },
        Deed::Pause(span, false) => Operation::Pause { span, then: AfterPause::Resume },
        Deed::Resume => Operation::Resume,
        Deed::Promote => Operation::Promote,
        Deed::PromoteNow => Operation::PromoteNow,
        Deed::Abort => Operation::Abort,
    };
    let order = (operation, Aim::default());
    let code = match controller::operate(&machine.aws, &machine.clock, &subject, order, identity(), &mut |_, _| {}).await {
        Ordered::Done(..) | Ordered::Already(_) => 0,
        Ordered::Refused(..) => 3,
        Ordered::Unconfirmed(..) => 20,
    };
    Ended { at: stage.now(), code, said: None }
}

pub(crate) fn identity() -> Identity {
    Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) }
}

/// Lets a process run, sleep and die as its strings are pulled; nothing where it dies.
pub(crate) async fn on_strings<T>(part: impl Future<Output = T>, mut strings: watch::Receiver<Strings>) -> Option<T> {
    let mut part = pin!(part);
    loop {
        let pulled = *strings.borrow_and_update();
        let awake = match pulled {
            Strings::Die => return None,
            Strings::SleepUntil(until) if until > Instant::now() => Some(until),
            Strings::SleepUntil(_) | Strings::Run => None,
        };
        let Some(until) = awake else {
            tokio::select! {
                biased;
                Ok(()) = strings.changed() => continue,
                done = &mut part => return Some(done),
            }
        };
        tokio::select! {
            biased;
            Ok(()) = strings.changed() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}
