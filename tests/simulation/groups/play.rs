//! How is a group's story played? As that of one function, with the same command run again until nothing is under way any more.
//!
//! Nothing is judged here.

use std::time::{Duration, SystemTime};

use aws::SharedHttpClient;
use bytes::Bytes;
use controller::{Budget, Budgeted, Interrupt};
use rollout::{Subject, Version};
use sim::{Account, CallRecord, Event, SimClock, Time};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::record::{Left, Record};
use super::story::{Act, Story, Trouble, alarm, name};
use super::unfit::Unfit;
use crate::note::split;
use crate::play::{Strings, identity, on_stage, on_strings, order, roll_back_one};
use crate::record::{Ended, Role, Run};
use crate::stage::{ALIAS, OPENING, Part, Stage};
use crate::story::{Deed, Edit};
use crate::tap::tapped;

/// How long a re-run may have to wait for the lease of a dead owner.
const LEASE: Duration = Duration::from_mins(12);

/// How long a way back is tried.
const GIVES_UP: Duration = Duration::from_mins(16);

/// How long everything may take besides.
const BOUND: Duration = Duration::from_mins(3);

/// How often the same command is run again at the end, at the most.
const AGAIN: usize = 3;

/// What stands between a process and the account, if anything does.
pub(crate) type Between<'a> = &'a dyn Fn(SharedHttpClient) -> SharedHttpClient;

/// Plays a story from its opening to its end.
pub(crate) fn play(story: &Story) -> Record {
    play_through(story, &|http| http)
}

/// Plays a story whose rollouts reach the account through something.
pub(crate) fn play_through(story: &Story, between: Between<'_>) -> Record {
    on_stage(story.seed, async {
        let mut cast = Cast { stage: set(story), story, between, players: Vec::new() };
        for (at, act) in &story.acts {
            cast.wait_until(*at).await;
            cast.perform(*act);
        }
        cast.finish().await
    })
}

/// The account as the story finds it, with everything planned that nobody does.
pub(crate) fn set(story: &Story) -> Stage {
    let clock = SimClock::new(SystemTime::UNIX_EPOCH + OPENING, 1.0);
    let opened = Time::from(clock.now());
    let stage = Stage { account: Account::new(story.furnish(opened), clock), clock, opened };
    stage.with(|world| {
        for (weather, about) in &story.weather {
            let fault = weather.fault(opened);
            world.add_fault(about.map_or(fault.clone(), |member| fault.about(&format!("{}:{ALIAS}", name(member)))));
        }
        if let Some((member, Trouble::Alarm(at, lasts))) = story.bad {
            for (at, state) in [(at, "ALARM"), (at + lasts, "OK")] {
                world.schedule(opened + at, Event::SetAlarmState { alarm: alarm(member), state: state.to_owned() });
            }
        }
    });
    stage
}

/// One process that rolls the whole group out.
pub(crate) async fn roll_out(
    stage: Stage,
    (story, takes_over): (Story, bool),
    part: Part,
    heard: watch::Receiver<Interrupt>,
) -> (Ended, Vec<Left>) {
    let machine = stage.machine(part).await;
    let budget = Budget::looking_every(story.poll());
    let cloud = Budgeted::new(&machine.aws, &machine.clock, &budget);
    let requests = story.requests(takes_over);
    let group = controller::group(&cloud, &machine.clock, &requests, identity(), heard, &mut |_| {}).await;
    let left = |ending: &rollout::event::Ending| Left { code: ending.exit_code, kind: ending.reason.kind.word().to_owned() };
    let members = group.endings.iter().map(left).collect();
    (Ended { at: stage.now(), code: group.exit_code, said: None }, members)
}

struct Player {
    caller: String,
    role: Role,
    began: Time,
    strings: watch::Sender<Strings>,
    stop: watch::Sender<Interrupt>,
    playing: JoinHandle<Option<(Ended, Vec<Left>)>>,
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
        self.stage.clock.sleep(at.saturating_sub(self.stage.elapsed())).await;
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Start { takes_over } => self.start(takes_over),
            Act::Kill(which) => self.pull(which, Strings::Die),
            Act::Suspend(which, span) => self.pull(which, Strings::SleepUntil(Instant::now() + span)),
            Act::Signal(which) => {
                if let Some(player) = self.living(which) {
                    player.stop.send_replace(Interrupt::Stop);
                }
            }
            Act::RollBack(member) => self.roll_back(member, None),
            Act::Order(member, deed) => self.order(member, deed),
            Act::Edit(member, edit) => self.edit(member, edit),
            Act::Flap(member, span) => {
                let set = |state: &str| Event::SetAlarmState { alarm: alarm(member), state: state.to_owned() };
                self.stage.with(|world| {
                    world.schedule(world.now(), set("ALARM"));
                    world.schedule(world.now() + span, set("OK"));
                    world.advance(world.now());
                });
            }
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

    fn start(&mut self, takes_over: bool) {
        let caller = format!("GROUP{}", self.players.len());
        let (stop, heard) = watch::channel(Interrupt::None);
        let http = (self.between)(self.stage.account.http_client());
        let http = match self.story.bad {
            Some((member, Trouble::Unfit)) => tapped(http, Unfit::of(member)),
            Some(_) | None => http,
        };
        let part = Part::of(&caller, http);
        let playing = roll_out(self.stage.clone(), (self.story.clone(), takes_over), part, heard);
        self.enter(caller, Role::Rollout, stop, playing);
    }

    fn roll_back(&mut self, member: usize, to: Option<Version>) {
        let caller = format!("PERSON{}", self.players.len());
        let http = self.stage.account.http_client();
        let part = roll_back_one(self.stage.clone(), caller.clone(), (subject(member), to), http);
        self.enter(caller, Role::RollBack, watch::Sender::new(Interrupt::None), async { (part.await, Vec::new()) });
    }

    fn order(&mut self, member: usize, deed: Deed) {
        let caller = format!("ORDER{}", self.players.len());
        let part = order(self.stage.clone(), caller.clone(), subject(member), deed);
        self.enter(caller, Role::Order, watch::Sender::new(Interrupt::None), async { (part.await, Vec::new()) });
    }

    fn enter(
        &mut self,
        caller: String,
        role: Role,
        stop: watch::Sender<Interrupt>,
        part: impl Future<Output = (Ended, Vec<Left>)> + 'static,
    ) {
        let (strings, pulled) = watch::channel(Strings::Run);
        let playing = tokio::task::spawn_local(on_strings(part, pulled));
        self.players.push(Player { caller, role, began: self.stage.now(), strings, stop, playing, overdue: false });
    }

    /// Somebody's `UpdateAlias` without a revision, as the console sends it. No fault stops it.
    fn edit(&self, member: usize, edit: Edit) {
        let alias = self.stage.with(|world| world.alias(&name(member), ALIAS).cloned()).unwrap();
        let (text, note) = split(&alias.description);
        let candidate = note.as_ref().map_or("42", |note| note.candidate.as_str());
        let body = match edit {
            Edit::Weight(weight) => serde_json::json!({"RoutingConfig": {"AdditionalVersionWeights": {candidate: weight}}}),
            Edit::Clear => serde_json::json!({"RoutingConfig": {"AdditionalVersionWeights": {}}}),
            Edit::DropNote | Edit::Words | Edit::Scribble => serde_json::json!({"Description": text}),
        };
        let path = format!("/2015-03-31/functions/{}/aliases/{ALIAS}", name(member));
        let request = http::Request::put(path).body(Bytes::from(body.to_string())).unwrap();
        let event = Event::Call { caller: "CONSOLE".to_owned(), request };
        self.stage.with(|world| {
            world.schedule(world.now(), event);
            world.advance(world.now());
        });
    }

    /// The members that a rollout is under way on, by their notes.
    fn live(&self) -> Vec<usize> {
        let live = |member: &usize| {
            let alias = self.stage.with(|world| world.alias(&name(*member), ALIAS).cloned());
            alias.is_some_and(|alias| split(&alias.description).1.is_some_and(|note| note.is_live()))
        };
        (0..self.story.many).filter(live).collect()
    }

    /// When everybody is to be done.
    fn deadline(&self) -> Duration {
        let starts = self.story.acts.iter().filter(|(_, act)| matches!(act, Act::Start { .. })).count();
        let lease = if starts < 2 { Duration::ZERO } else { LEASE };
        let (asked, calm) = (&self.story.asked, self.story.calm());
        let denied = if self.story.weather.is_empty() { Duration::ZERO } else { GIVES_UP };
        calm + asked.span() + asked.blind_limit + self.story.version_settle + lease + denied + BOUND
    }

    async fn all_done(&self, deadline: Duration) {
        while self.players.iter().any(|player| !player.playing.is_finished()) && self.stage.elapsed() < deadline {
            self.stage.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// Lets everybody end, and runs the same command again as long as something is left under way.
    async fn finish(mut self) -> Record {
        self.all_done(self.deadline()).await;
        self.end_what_is_held().await;
        for player in &mut self.players {
            player.overdue = !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
        }
        self.wait_until(self.story.calm() + Duration::from_secs(1)).await;
        let mut finishers = Vec::new();
        while !self.live().is_empty() && finishers.len() < AGAIN {
            self.start(true);
            finishers.extend(self.players.last().map(|player| player.caller.clone()));
            self.all_done(self.stage.elapsed() + self.deadline()).await;
            self.end_what_is_held().await;
        }
        let mut runs = Vec::new();
        let mut members = Vec::new();
        for player in self.players {
            let overdue = player.overdue || !player.playing.is_finished();
            player.strings.send_replace(Strings::Die);
            let (ended, left) = player.playing.await.unwrap().unzip();
            runs.push(Run { overdue, ..Run::of(&player.caller, player.role, player.began, ended) });
            members.push(left.unwrap_or_default());
        }
        self.stage.with(|world| Record::of(self.story, self.stage.opened, world, (runs, members, finishers)))
    }

    /// A person ends what a person holds up, by force where nothing says any more what to go back to.
    async fn end_what_is_held(&mut self) {
        for to in [None, Version::new(41)] {
            for member in self.story.held() {
                if self.players.iter().any(|player| !player.playing.is_finished()) {
                    self.roll_back(member, to);
                    self.all_done(self.stage.elapsed() + BOUND).await;
                }
            }
        }
    }
}

pub(crate) fn subject(member: usize) -> Subject {
    Subject::parse(&name(member), Some(ALIAS)).unwrap()
}

/// The calls to one function's alias that changed it.
pub(crate) fn writes(log: &[CallRecord], member: usize) -> impl Iterator<Item = &CallRecord> {
    let name = name(member);
    log.iter().filter(move |call| call.wrote(&name, ALIAS))
}
