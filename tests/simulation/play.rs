//! How is a story played? In virtual time, on one thread: actors are started, killed, put to sleep and asked to stop as it says.
//!
//! Nothing is judged here. Chance is the seed's, so that the same story has the same log, byte for byte.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aws::SharedHttpClient;
use bytes::Bytes;
use controller::{Budget, Budgeted, GUARD, Interrupt, Order, Ordered, Request, Rollback};
use rollout::Version;
use rollout::note::AfterPause;
use rollout::operate::{Aim, Operation};
use serde_json::json;
use sim::{AliasState, Event, Time};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::harness::tap::tapped;
use crate::harness::{Part, end_credentials, identity, in_virtual_time};
use crate::note::split;
use crate::record::{Ended, GUARD_CALLER, Left, Record, Role, Run};
use crate::stage::{ALIAS, Stage, alarms, name, redden, requests, subject};
use crate::story::{Act, Deed, Edit, Guarding, PROVISIONING, Story, Trouble, Wish};
use crate::turns::driven;
use crate::unfit::Unfit;

/// How long a re-run may have to wait for the lease of a dead owner.
const LEASE: Duration = Duration::from_mins(12);

/// How long everything may take once nothing disturbs it any more, on top of plan, blind limit and lease.
const BOUND: Duration = Duration::from_mins(2);

/// How long several may take besides: they wait for each other, and for a quarter of an hour for one that is denied its way back.
const TOGETHER: Duration = Duration::from_mins(1);
const GIVES_UP: Duration = Duration::from_mins(16);

/// How long a rollout that has ended tries to tell of it.
const TOLD: Duration = Duration::from_mins(1);

/// How often the same command is run again at the end, at the most, by several functions that may be left at different places.
const AGAIN: usize = 3;

/// What stands between rollouts and the account, if anything does.
pub(crate) type Between<'a> = &'a dyn Fn(SharedHttpClient) -> SharedHttpClient;

pub(crate) fn play(story: &Story) -> Record {
    play_through(story, &|http| http)
}

/// Plays a story whose rollouts reach the account through something.
pub(crate) fn play_through(story: &Story, between: Between<'_>) -> Record {
    in_virtual_time(story.seed, async {
        let mut cast = Cast { stage: Stage::set(story), story, between, players: Vec::new() };
        for (at, act) in &story.acts {
            cast.wait_until(*at).await;
            cast.perform(*act);
        }
        cast.finish().await
    })
}

/// What is done to a process from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Strings {
    Run,
    SleepUntil(Instant),
    Die,
}

struct Player {
    /// What is known of it until it ends.
    run: Run,
    strings: watch::Sender<Strings>,
    stop: watch::Sender<Interrupt>,
    playing: JoinHandle<Option<Ended>>,
}

struct Cast<'a> {
    stage: Stage,
    story: &'a Story,
    between: Between<'a>,
    players: Vec<Player>,
}

impl Cast<'_> {
    async fn wait_until(&self, at: Duration) {
        self.stage.clock.0.sleep(at.saturating_sub(self.stage.elapsed())).await;
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Start(skew, wish) => self.start(skew, wish, None),
            Act::StartExpiring(lasts) => self.start(0, Wish::TakeOver, Some(self.stage.now() + lasts)),
            Act::NewCode => {
                self.stage.with(|world| world.set_environment(&name(0), &[("SIM_BODY", "newer")]).unwrap());
            }
            Act::Kill(which) => self.pull(which, Strings::Die),
            Act::Suspend(which, span) => self.pull(which, Strings::SleepUntil(Instant::now() + span)),
            Act::Signal(which) => {
                if let Some(player) = self.living(which) {
                    player.stop.send_replace(Interrupt::Stop);
                }
            }
            Act::RollBack(member, people) => (0..people).for_each(|_| self.roll_back(member, None)),
            Act::Order(member, deed) => self.order(member, deed),
            Act::Edit(member, edit) => self.edit(member, edit),
            Act::Deploy => {
                self.console("STACK", 0, &json!({"FunctionVersion": "40", "RoutingConfig": {"AdditionalVersionWeights": {}}}));
            }
            Act::Provision => self.provision(),
            Act::DeleteAlarm => self.delete_alarm(),
            Act::Flap(member, span) => self.stage.with(|world| {
                redden(world, member, world.now(), span);
                world.advance(world.now());
            }),
            Act::Guard(slack) => self.guard(slack),
        }
    }

    /// Somebody starts one more execution of the guard, for the rollout that the alias is noted to be in.
    fn guard(&self, slack: Duration) {
        let Some(note) = self.alias(0).and_then(|alias| split(&alias.description).1) else { return };
        let function = format!("arn:aws:lambda:us-east-1:111111111111:function:{}", name(0));
        let input = json!({"function": function, "alias": ALIAS, "rollout": note.id, "slack": slack.as_secs()});
        let machine = format!("arn:aws:states:us-east-1:111111111111:stateMachine:{GUARD}");
        let started = format!("by-a-person-{}", self.stage.elapsed().as_millis());
        let body = json!({"stateMachineArn": machine, "name": started, "input": input.to_string()}).to_string();
        let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.StartExecution");
        self.send("OPERATOR", request.body(body.into()).unwrap(), Duration::ZERO);
    }

    /// Lets the guards do what they are there for: where nobody else acts they are done three minutes after a lease, if AWS lets them.
    async fn guards_are_done(&self) {
        let end = self.stage.elapsed() + LEASE + GIVES_UP;
        let running = || self.stage.with(|world| world.guard_runs().iter().any(|run| run.ended.is_none()));
        while running() && self.stage.elapsed() < end {
            self.stage.clock.0.sleep(Duration::from_secs(5)).await;
        }
    }

    fn living(&self, which: u8) -> Option<&Player> {
        let living = || self.players.iter().filter(|player| player.run.role == Role::Rollout && !player.playing.is_finished());
        let count = living().count();
        living().nth(usize::from(which).checked_rem(count)?)
    }

    fn pull(&self, which: u8, strings: Strings) {
        if let Some(player) = self.living(which) {
            player.strings.send_replace(strings);
        }
    }

    fn start(&mut self, skew: i64, wish: Wish, expires: Option<Time>) {
        let run = self.run("ROLLOUT", Role::Rollout, None);
        let (stop, heard) = watch::channel(Interrupt::None);
        let mut http = (self.between)(self.stage.account.http_client());
        if let Some((member, Trouble::Unfit)) = self.story.bad {
            http = tapped(http, Unfit::of(member));
        }
        if let Some(end) = expires {
            end_credentials(&self.stage.account, &run.caller, end);
        }
        let part = Part { caller: run.caller.clone(), skew, pace: self.story.pace, http, expires, endpoint: None };
        // Every other one is left to turns, where the story has any.
        let turns = self.story.turns.filter(|_| self.players.len().is_multiple_of(2));
        let playing = driven(self.stage.clone(), requests(self.story, wish), part, heard, turns);
        let asked = Some(self.story.asked_by(wish));
        self.enter(Run { supersedes: wish == Wish::Supersede, expires, asked, ..run }, stop, playing);
    }

    fn roll_back(&mut self, member: usize, to: Option<Version>) {
        let run = self.run("PERSON", Role::RollBack, Some(member));
        let part = Part::of(&self.stage.account, &run.caller);
        let playing = roll_back(self.stage.clone(), part, member, to);
        self.enter(run, watch::Sender::new(Interrupt::None), playing);
    }

    fn order(&mut self, member: usize, deed: Deed) {
        let run = self.run("ORDER", Role::Order, Some(member));
        let part = Part::of(&self.stage.account, &run.caller);
        let playing = order(self.stage.clone(), part, member, deed);
        self.enter(run, watch::Sender::new(Interrupt::None), playing);
    }

    fn run(&self, caller: &str, role: Role, member: Option<usize>) -> Run {
        let caller = format!("{caller}{}", self.players.len());
        Run { member, ..Run::of(&caller, role, self.stage.now(), None) }
    }

    fn enter(&mut self, run: Run, stop: watch::Sender<Interrupt>, part: impl Future<Output = Ended> + 'static) {
        let (strings, pulled) = watch::channel(Strings::Run);
        let playing = tokio::task::spawn_local(on_strings(part, pulled));
        self.players.push(Player { run, strings, stop, playing });
    }

    /// Somebody's `UpdateAlias` without a revision, as the console sends it. No fault stops it.
    fn console(&self, caller: &str, member: usize, body: &serde_json::Value) {
        self.send(caller, update(member, body), Duration::ZERO);
    }

    fn send(&self, caller: &str, request: http::Request<Bytes>, after: Duration) {
        let event = Event::Call { caller: caller.to_owned(), request };
        self.stage.with(|world| {
            world.schedule(world.now() + after, event);
            world.advance(world.now());
        });
    }

    fn alias(&self, member: usize) -> Option<AliasState> {
        self.stage.with(|world| world.alias(&name(member), ALIAS).cloned())
    }

    fn edit(&self, member: usize, edit: Edit) {
        let Some(alias) = self.alias(member) else { return };
        let description = alias.description;
        let (text, note) = split(&description);
        let candidate = note.as_ref().map_or("42", |note| note.candidate.as_str());
        let body = match edit {
            Edit::Weight(weight) => json!({"RoutingConfig": {"AdditionalVersionWeights": {candidate: weight}}}),
            Edit::Clear => json!({"RoutingConfig": {"AdditionalVersionWeights": {}}}),
            Edit::Words => {
                let note = description.get(text.len()..).unwrap_or_default();
                let between = if note.is_empty() { "" } else { " " };
                json!({"Description": format!("other words{between}{}", note.trim_start())})
            }
            Edit::DropNote => json!({"Description": text}),
            Edit::Scribble => json!({"Description": format!("{description} (Bob: what is this?)")}),
        };
        self.console("CONSOLE", member, &body);
    }

    fn provision(&self) {
        let Some(AliasState { version, .. }) = self.alias(0) else { return };
        // An alias that never was on another version has nothing to move.
        if self.story.scene.first {
            return;
        }
        let other = if version == "42" { "41" } else { "40" };
        for (weights, step) in [json!({other: 1.0}), json!({other: 0.5}), json!({})].into_iter().zip(0..) {
            let body = json!({"RoutingConfig": {"AdditionalVersionWeights": weights}});
            self.send("AWS", update(0, &body), PROVISIONING * step);
        }
    }

    fn delete_alarm(&self) {
        let [alarm, _] = alarms(0);
        let request = http::Request::post("/")
            .header("x-amz-target", "GraniteServiceVersion20100801.DeleteAlarms")
            .header("content-type", "application/x-amz-json-1.0");
        self.send("CONSOLE", request.body(json!({"AlarmNames": [alarm]}).to_string().into()).unwrap(), Duration::ZERO);
    }

    fn deadline(&self) -> Duration {
        let Story { asked, acts, .. } = self.story;
        let starts = |act: &Act| matches!(act, Act::Start(..) | Act::StartExpiring(_));
        let alone = acts.iter().filter(|(_, act)| starts(act)).count() < 2;
        let lease = if alone { Duration::ZERO } else { LEASE };
        let span = asked.span().max(self.story.asked_by(Wish::Replan).span());
        let besides = match (self.story.many, self.story.weather.is_empty()) {
            (1, _) => Duration::ZERO,
            (_, true) => TOGETHER + self.story.scene.version_settle,
            (_, false) => TOGETHER + self.story.scene.version_settle + GIVES_UP,
        };
        let moving = self.story.scene.provisioning * 2;
        let steps = u32::try_from(asked.steps.len()).unwrap() + 4;
        let moving = moving + self.story.turns.map_or(Duration::ZERO, |turns| turns.slack() * steps);
        let moving = moving + if self.story.scene.told.is_some() { TOLD } else { Duration::ZERO };
        self.story.calm() + moving + span + asked.suspicion() + asked.blind_limit + lease + BOUND + besides
    }

    fn all_are_done(&self) -> bool {
        self.players.iter().all(|player| player.playing.is_finished())
    }

    async fn all_done(&self, deadline: Duration) {
        while !self.all_are_done() && self.stage.elapsed() < deadline {
            self.stage.clock.0.sleep(Duration::from_secs(1)).await;
        }
    }

    /// A person ends what a person holds up, by force where nothing says any more what to go back to.
    async fn end_what_is_held(&mut self) {
        for to in [None, Version::new(41)] {
            for member in self.story.held() {
                if !self.all_are_done() {
                    self.roll_back(member, to);
                    self.all_done(self.stage.elapsed() + BOUND).await;
                }
            }
        }
    }

    /// The functions that a rollout is under way on, by their notes.
    fn live(&self) -> Vec<usize> {
        let live = |alias: AliasState| split(&alias.description).1.is_some_and(|note| note.is_live());
        (0..self.story.many).filter(|member| self.alias(*member).is_some_and(live)).collect()
    }

    /// Lets everybody end, and runs the same command again where something is left that nobody drives any more.
    async fn finish(mut self) -> Record {
        self.all_done(self.deadline()).await;
        self.end_what_is_held().await;
        for player in &mut self.players {
            player.run.overdue = !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
        }
        self.wait_until(self.story.calm() + Duration::from_secs(1)).await;
        self.guards_are_done().await;
        let (again, wish) = match self.story.many {
            1 if self.story.starts(Wish::Replan) => (1, Wish::Replan),
            1 => (1, Wish::Wait),
            _ => (AGAIN, Wish::TakeOver),
        };
        let lease = if wish == Wish::TakeOver { Duration::ZERO } else { LEASE };
        let mut finishers = Vec::new();
        while !self.live().is_empty() && finishers.len() < again {
            self.start(0, wish, None);
            finishers.extend(self.players.last().map(|player| player.run.caller.clone()));
            self.all_done(self.stage.elapsed() + self.deadline() + lease).await;
            if self.story.many == 1 {
                self.live().into_iter().for_each(|member| self.roll_back(member, None));
                self.all_done(self.stage.elapsed() + BOUND).await;
            } else {
                self.end_what_is_held().await;
            }
        }
        self.guards_are_done().await;
        let mut runs = Vec::new();
        for player in self.players {
            let overdue = player.run.overdue || !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
            let ended = player.playing.await.unwrap();
            runs.push(Run { ended, overdue, ..player.run });
        }
        if self.story.guard != Guarding::No {
            // It acts for the rollout that it guards, and has no end of its own.
            runs.push(Run::of(GUARD_CALLER, Role::Rollout, self.stage.opened, None));
        }
        let record = self.stage.with(|world| Record::of(self.story, self.stage.opened, world, runs));
        Record { finishers, ..record }
    }
}

fn update(member: usize, body: &serde_json::Value) -> http::Request<Bytes> {
    let path = format!("/2015-03-31/functions/{}/aliases/{ALIAS}", name(member));
    http::Request::put(path).body(body.to_string().into()).unwrap()
}

/// One process that rolls out, one function by itself and several as one; when and how it ends.
pub(crate) async fn rollout(stage: Stage, requests: Vec<Request>, part: Part, heard: watch::Receiver<Interrupt>) -> Ended {
    let (aws, clock) = (stage.connect(part).await, &stage.clock);
    let poll = requests.iter().map(|request| request.poll).max().unwrap();
    let budget = Budget::looking_every(poll, requests.len());
    let cloud = Budgeted::new(&aws, clock, &budget);
    let (code, endings) = if let [request] = &requests[..] {
        let ending = controller::rollout(&cloud, clock, request, identity(), heard, &mut |_| {}).await;
        (ending.exit_code, vec![ending])
    } else {
        let ended = controller::group(&cloud, clock, &requests, identity(), heard, &mut |_| {}).await;
        (ended.exit_code, ended.endings)
    };
    let rollout = endings.first().and_then(|ending| ending.rollout_id.parse().ok());
    Ended { at: stage.now(), code, left: endings.into_iter().map(Left::from).collect(), rollout }
}

/// One person who rolls a function back; when and with which exit code that ends.
pub(crate) async fn roll_back(stage: Stage, part: Part, member: usize, to: Option<Version>) -> Ended {
    let aws = stage.connect(part).await;
    let order = Order { subject: subject(member), to, limit: Duration::from_mins(15), identity: identity() };
    let code = match controller::rollback(&aws, &stage.clock, &order, &mut |_, _| {}).await {
        Rollback::Done { .. } => 0,
        Rollback::Nothing(_) | Rollback::Missing(_) => 3,
        Rollback::Unconfirmed { .. } => 20,
    };
    Ended { at: stage.now(), code, left: Vec::new(), rollout: None }
}

/// One person who gives an order; when and with which exit code that ends.
async fn order(stage: Stage, part: Part, member: usize, deed: Deed) -> Ended {
    let aws = stage.connect(part).await;
    let operation = match deed {
        Deed::Pause(span, true) => Operation::Pause { span, then: AfterPause::RollBack },
        Deed::Pause(span, false) => Operation::Pause { span, then: AfterPause::Resume },
        Deed::Resume => Operation::Resume,
        Deed::Approve => Operation::Approve,
        Deed::Promote => Operation::Promote,
        Deed::PromoteNow => Operation::PromoteNow,
        Deed::Abort => Operation::Abort,
    };
    let order = (operation, Aim::default());
    let code = match controller::operate(&aws, &stage.clock, &subject(member), order, identity(), &mut |_, _| {}).await {
        Ordered::Done(..) | Ordered::Already(_) => 0,
        Ordered::Refused(..) => 3,
        Ordered::Unconfirmed(..) => 20,
    };
    Ended { at: stage.now(), code, left: Vec::new(), rollout: None }
}

/// Lets a process run, sleep and die as its strings are pulled; nothing where it dies.
async fn on_strings<T>(part: impl Future<Output = T>, mut strings: watch::Receiver<Strings>) -> Option<T> {
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
