//! How does a rollout go from its first look to its end? The loop, and nothing that could be decided elsewhere.
//!
//! One round observes, decides, narrates and performs. Waits can be cancelled, writes cannot: the one `select!` of the controller
//! covers the sleep.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rollout::alias::standing;
use rollout::decide::{Action, Reason, decide};
use rollout::event::{Ending, Event, FORMAT, HookPhase, What};
use rollout::health::Health;
use rollout::narrate::{Round, narrate, started};
use rollout::note::Owner;
use rollout::note::RolloutId;
use rollout::observation::{Candidate, Hook, Observation};
use rollout::plan::Plan;
use rollout::report::Report;
use rollout::{Alias, Outcome, Time, Version};
use tokio::sync::watch;

use crate::cloud::{Clock, Cloud, Configuration, Held};
use crate::last_resort;
use crate::preflight::{Preflight, preflight};
use crate::request::Request;

/// How long a rollback is tried before it is given up as unconfirmed.
pub const ROLLBACK_LIMIT: Duration = Duration::from_mins(15);

/// How long to wait for an alarm that was red before: `--preexisting-alarm wait`.
const RED_LIMIT: Duration = Duration::from_hours(1);

/// How long a trouble that repeats itself goes without saying.
const REPEATED: Duration = Duration::from_mins(1);

/// What the process was told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Nothing.
    #[default]
    None,
    /// To stop, in good order.
    Stop,
    /// To stop at once, whatever stands.
    AtOnce,
}

/// The identity of a rollout and of the process that drives it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Which rollout.
    pub id: RolloutId,
    /// Whose.
    pub owner: Owner,
}

/// Runs a rollout from its preflight to its end, and tells every event on the way; the ending is the last of them.
pub async fn rollout<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    request: &Request,
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Ending {
    let began = cloud.time();
    let mut found = preflight(cloud, clock, request, identity.id, identity.owner).await;
    let mut teller = Teller { request, report: Report::default(), tell };
    let mut interrupt = interrupt;
    while found.problems.is_empty() && !found.red.is_empty() {
        let waited = cloud.time().since(began);
        if waited >= RED_LIMIT || *interrupt.borrow() != Interrupt::None {
            break;
        }
        teller.tell(
            cloud.time(),
            What::Held { why: format!("waiting for {} to be green before anything begins", found.red.join(", ")) },
        );
        tokio::select! {
            () = clock.sleep(request.poll.max(Duration::from_secs(15))) => {}
            changed = interrupt.changed() => if changed.is_err() { clock.sleep(request.poll).await },
        }
        found = preflight(cloud, clock, request, identity.id, identity.owner).await;
    }
    if let Some((outcome, detail)) = ends_before_it_begins(&found, *interrupt.borrow(), request) {
        return teller.end(cloud.time(), &outcome, Some(detail), found.alias.as_ref(), None);
    }
    teller.tell(began, started(&found.plan));
    for text in &found.warnings {
        teller.tell(cloud.time(), What::Warning { text: text.clone() });
    }
    Driver::new(cloud, clock, request, found, interrupt, teller).run().await
}

fn ends_before_it_begins(found: &Preflight, interrupt: Interrupt, request: &Request) -> Option<(Outcome, String)> {
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return Some((Outcome::Refused, problems.join("\n")));
    }
    if interrupt != Interrupt::None {
        return Some((Outcome::Refused, "interrupted before anything began".to_owned()));
    }
    if !found.red.is_empty() {
        let limit = humantime::format_duration(RED_LIMIT);
        return Some((Outcome::Refused, format!("{} stayed in ALARM for {limit}, before anything began", found.red.join(", "))));
    }
    let outcome = if request.require_change { Outcome::Refused } else { Outcome::Unchanged };
    let stable = found.plan.stable?;
    found.nothing_to_do.then(|| (outcome, format!("nothing to roll out: {stable} is stable already")))
}

/// Tells events and adds them up.
struct Teller<'a> {
    request: &'a Request,
    report: Report,
    tell: &'a mut dyn FnMut(&Event),
}

impl Teller<'_> {
    fn tell(&mut self, at: Time, what: What) {
        let subject = &self.request.subject;
        let event = Event { v: FORMAT, at, function: subject.function.name.clone(), alias: subject.alias.clone(), what };
        self.report.add(&event);
        (self.tell)(&event);
    }

    fn end(
        &mut self,
        at: Time,
        outcome: &Outcome,
        detail: Option<String>,
        alias: Option<&Alias>,
        command: Option<String>,
    ) -> Ending {
        let mut ending = self.report.ending(&self.request.subject.to_string(), outcome, detail, alias, at);
        ending.next.splice(0..0, command);
        self.tell(at, What::Outcome(Box::new(ending.clone())));
        ending
    }
}

/// A hook's invocation under way.
type Asking<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// The hook that was last announced, as far as this process knows.
pub(crate) struct HookSlot<'a> {
    pub(crate) which: Option<(HookPhase, u8)>,
    pub(crate) state: Hook,
    pub(crate) asking: Option<Asking<'a>>,
}

/// Everything that one process knows of the rollout it drives. All of it can be lost: the alias says what matters.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and any of them can hold beside any other")]
pub(crate) struct Driver<'a, C, K> {
    pub(crate) cloud: &'a C,
    pub(crate) clock: &'a K,
    pub(crate) request: &'a Request,
    pub(crate) plan: Plan,
    pub(crate) stable: Option<Configuration>,
    interrupt: watch::Receiver<Interrupt>,
    teller: Teller<'a>,
    /// The alias as last read or written, and since when it has looked so.
    pub(crate) held: Option<Held>,
    pub(crate) looks_so_since: Option<Time>,
    /// When the alias was last read or written with success.
    pub(crate) known_at: Option<Time>,
    /// Whether `held` is the answer to our own write and nothing was waited for since.
    pub(crate) fresh: bool,
    pub(crate) claimed: bool,
    pub(crate) unanswered: bool,
    pub(crate) stepped: Option<Time>,
    pub(crate) full_weight_refused: bool,
    /// Why writes away from stable are refused for good, and how often in a row they were.
    pub(crate) stuck: Option<String>,
    pub(crate) refusals: u32,
    /// How often in a row any write failed.
    pub(crate) failures: u32,
    pub(crate) candidate: Candidate,
    pub(crate) candidate_arn: Option<(Version, String)>,
    pub(crate) latest: Option<Configuration>,
    pub(crate) code_updated: bool,
    pub(crate) hook: HookSlot<'a>,
    pub(crate) health: Health,
    /// What troubles were told, and when.
    troubles: BTreeMap<String, Time>,
    /// Since when a way back is being tried.
    going_back: Option<Time>,
    /// Why the rollout was refused, where that is not in the alias.
    pub(crate) refusal: Option<String>,
}

impl<'a, C: Cloud, K: Clock> Driver<'a, C, K> {
    fn new(
        cloud: &'a C,
        clock: &'a K,
        request: &'a Request,
        found: Preflight,
        interrupt: watch::Receiver<Interrupt>,
        teller: Teller<'a>,
    ) -> Self {
        let unread = Health::Unread { why: "the alarms were not read yet".to_owned() };
        let health = if found.plan.watches() { unread } else { Health::Unwatched };
        Self {
            cloud,
            clock,
            request,
            plan: found.plan,
            stable: found.stable,
            interrupt,
            teller,
            held: None,
            looks_so_since: None,
            known_at: None,
            fresh: false,
            claimed: false,
            unanswered: false,
            stepped: None,
            full_weight_refused: false,
            stuck: None,
            refusals: 0,
            failures: 0,
            candidate: Candidate::Unknown,
            candidate_arn: None,
            latest: None,
            code_updated: false,
            hook: HookSlot { which: None, state: Hook::NotInvoked, asking: None },
            health,
            troubles: BTreeMap::new(),
            going_back: None,
            refusal: None,
        }
    }

    /// Repeats the round until it is over.
    async fn run(mut self) -> Ending {
        let mut before: Option<Round> = None;
        loop {
            let round = self.round(before.as_ref()).await;
            let finished = if let Action::Finish(outcome) = &round.action { Some(outcome.clone()) } else { None };
            if let Some(outcome) = finished.or_else(|| self.gives_up(&round.action, round.seen.now)) {
                return self.end(&outcome, &round.seen);
            }
            self.perform(&round).await;
            before = Some(round);
        }
    }

    /// Observes, decides and narrates, once.
    async fn round(&mut self, before: Option<&Round>) -> Round {
        let seen = self.look().await;
        let round = Round { action: decide(&self.plan, &seen), seen };
        for what in narrate(&self.plan, before, &round) {
            self.teller.tell(round.seen.now, what);
        }
        tracing::debug!(action = ?round.action, "decided");
        round
    }

    /// A way back is not tried for ever, and not against a second signal.
    fn gives_up(&mut self, action: &Action, now: Time) -> Option<Outcome> {
        if !matches!(action, Action::RollBack(_) | Action::Confirm) {
            self.going_back = None;
            return None;
        }
        let since = *self.going_back.get_or_insert(now);
        let told_to = self.interrupt() == Interrupt::AtOnce && self.failures > 0;
        (told_to || now.since(since) >= ROLLBACK_LIMIT).then_some(Outcome::RollbackUnconfirmed)
    }

    fn end(mut self, outcome: &Outcome, seen: &Observation) -> Ending {
        let alias = seen.alias.as_ref();
        let (detail, command) = match outcome {
            Outcome::RollbackUnconfirmed => {
                let command = alias.map(|alias| last_resort::command(&self.plan, &self.request.subject, alias, seen));
                (Some("the alias could not be written, or no answer said that it was".to_owned()), command)
            }
            Outcome::Superseded | Outcome::Refused => {
                let found = alias
                    .map_or_else(|| "the alias does not exist any more".to_owned(), |alias| last_resort::whose(&standing(alias)));
                (Some(self.refusal.take().unwrap_or(found)), None)
            }
            Outcome::Promoted
            | Outcome::Unchanged
            | Outcome::RolledBack(_)
            | Outcome::Held
            | Outcome::Detached
            | Outcome::Failed => (None, None),
        };
        self.teller.end(seen.now, outcome, detail, alias, command)
    }

    pub(crate) fn interrupt(&self) -> Interrupt {
        *self.interrupt.borrow()
    }

    /// Tells of a trouble, and of one that repeats itself once a minute.
    pub(crate) fn trouble(&mut self, why: String) {
        let now = self.cloud.time();
        self.troubles.retain(|_, told| now.since(*told) < REPEATED);
        if self.troubles.contains_key(&why) {
            return;
        }
        self.troubles.insert(why.clone(), now);
        self.teller.tell(now, What::Trouble { why });
    }

    pub(crate) fn announce(&mut self, what: What) {
        let now = self.cloud.time();
        self.teller.tell(now, what);
    }

    /// Waits until `until`, one poll at most, or until a signal comes or the hook answers.
    pub(crate) async fn rest(&mut self, until: Time, why: &Reason) {
        let now = self.cloud.time();
        let longest = if *why == Reason::LookingAgain { Duration::from_secs(1) } else { self.plan.poll };
        let span = until.since(now).clamp(Duration::from_millis(1), longest);
        self.pause(span).await;
        self.fresh = false;
    }

    /// The one wait of the controller.
    pub(crate) async fn pause(&mut self, span: Duration) {
        let heard = self.interrupt();
        let mut interrupt = self.interrupt.clone();
        let signalled = async {
            // A closed channel never signals; neither does one whose signal was heard before.
            if interrupt.wait_for(|interrupt| *interrupt > heard).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let Self { hook: HookSlot { state, asking, .. }, clock, .. } = self;
        let answered = async {
            match asking.as_mut() {
                Some(asking) => asking.await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            biased;
            () = signalled => None,
            answer = answered => Some(answer),
            () = clock.sleep(span) => None,
        };
        if let Some(answer) = answer {
            *state = answer.map_or_else(Hook::Failed, |()| Hook::Succeeded);
            *asking = None;
        }
    }
}
