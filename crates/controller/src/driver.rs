//! How does a rollout go from its first look to its end? The loop, and nothing that could be decided elsewhere.
//!
//! One round observes, decides, narrates and performs. Waits can be cancelled, writes cannot: the one `select!` of the controller
//! covers the sleep.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rollout::comparison::{Comparison, Probe};
use rollout::decide::{Action, Reason, decide};
use rollout::event::{Ending, Event, HookPhase, What};
use rollout::group::{Others, Stage, member};
use rollout::health::{Failing, Health, clock as clock_of};
use rollout::narrate::{Round, narrate, observed, started};
use rollout::note::{Note, Owner, Phase, RolloutId};
use rollout::observation::{Candidate, Hook, Observation};
use rollout::plan::{OnInterrupt, Plan};
use rollout::{Alias, Cause, Outcome, Time, Version};
use tokio::sync::watch;

use crate::board::Seat;
use crate::cloud::{Clock, Cloud, Configuration, Counted, Held, Revision};
use crate::compare::Reference;
use crate::enter::{ends_before_it_begins, enter};
use crate::preflight::Preflight;
use crate::request::Request;
use crate::teller::Teller;

/// How long a rollback is tried before it is given up as unconfirmed.
pub const ROLLBACK_LIMIT: Duration = Duration::from_mins(15);

/// How long a trouble that repeats itself goes without saying.
const REPEATED: Duration = Duration::from_mins(1);

/// What the process was told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Nothing.
    #[default]
    None,
    /// To leave the share as it is, whatever is planned for the next two, and go.
    Leave,
    /// To stop, in good order.
    Stop,
    /// To stop at once, whatever stands.
    AtOnce,
}

/// Ends when the process has been told this much; a closed channel tells nothing.
pub(crate) async fn told(mut interrupt: watch::Receiver<Interrupt>, at_least: Interrupt) {
    if interrupt.wait_for(|interrupt| *interrupt >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
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
    let mut teller = Teller::new(request, tell);
    // Nothing is written here, so it may be cut off anywhere.
    let found = tokio::select! {
        found = Box::pin(enter(cloud, clock, request, identity, &mut teller)) => Some(found),
        () = told(interrupt.clone(), Interrupt::Leave) => None,
    };
    let Some(found) = found else {
        let detail = Some("interrupted before anything began".to_owned());
        return teller.end(cloud.time(), &Outcome::Refused, detail, "as it was".to_owned(), None);
    };
    if let Some((outcome, detail)) = ends_before_it_begins(&found, *interrupt.borrow(), request) {
        return teller.end_before(cloud.time(), &found, &outcome, detail);
    }
    drive(cloud, clock, request, found, interrupt, teller, None).await
}

/// Drives a rollout that may begin, or be gone on with, to its end.
pub(crate) async fn drive<'a, C: Cloud, K: Clock>(
    cloud: &'a C,
    clock: &'a K,
    request: &'a Request,
    found: Preflight,
    interrupt: watch::Receiver<Interrupt>,
    mut teller: Teller<'a>,
    seat: Option<Seat<'a>>,
) -> Ending {
    teller.tell(cloud.time(), started(&found.plan, found.goes_on.as_ref()));
    if let Some(end) = cloud.expiry() {
        let text = format!("the credentials end at {}; two minutes before, what a signal would do is done", clock_of(end));
        teller.tell(cloud.time(), What::Warning { text });
    }
    for text in found.told(&request.subject) {
        teller.tell(cloud.time(), What::Warning { text });
    }
    // Boxed, as is what comes before it: two rollouts side by side are much for the stack of a thread.
    Box::pin(Driver { seat, ..Driver::new(cloud, clock, request, found, interrupt, teller) }.run()).await
}

/// Where the traffic of an alias is, in words.
pub(crate) fn traffic(alias: Option<&Alias>) -> String {
    alias.map_or_else(|| "the alias does not exist".to_owned(), Alias::traffic)
}

/// A hook's invocation under way.
type Asking<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// Saved events under way to the candidate.
type Probing<'a> = Pin<Box<dyn Future<Output = Probe> + 'a>>;

/// One asking of one hook.
pub(crate) type Announced = (HookPhase, u8, Time);

/// The hook that was last announced, as far as this process knows.
pub(crate) struct HookSlot<'a> {
    pub(crate) which: Option<Announced>,
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
    pub(crate) interrupt: watch::Receiver<Interrupt>,
    pub(crate) teller: Teller<'a>,
    /// The alias as last read or written, and since when it has looked so.
    pub(crate) held: Option<Held>,
    pub(crate) looks_so_since: Option<Time>,
    /// When the alias was last read or written with success.
    pub(crate) known_at: Option<Time>,
    /// Whether `held` is the answer to our own write and nothing was waited for since.
    pub(crate) fresh: bool,
    pub(crate) claimed: bool,
    pub(crate) unanswered: Option<Time>,
    /// Why a way back was decided, once one was.
    pub(crate) failed: Option<Cause>,
    /// For which cause a write of ours has brought the traffic back.
    pub(crate) restored: Option<Cause>,
    /// Since when nothing can be told, in case the note has no room for it.
    pub(crate) blind: Option<Time>,
    /// The alias that the plan was made for.
    pub(crate) planned_on: Option<Alias>,
    /// The live note that was last seen as this process' own.
    pub(crate) remembered: Option<Note>,
    /// Revisions that our own writes have replaced: a read that gives one of them is stale.
    pub(crate) replaced: Vec<Revision>,
    /// Up to when the alarms are known, at first since the rollout began; and when each was last red.
    pub(crate) alarms_read: Time,
    /// When it was last tried to read them.
    pub(crate) alarms_tried: Option<Time>,
    pub(crate) reddened: BTreeMap<String, Time>,
    pub(crate) stepped: Option<Time>,
    pub(crate) full_weight_refused: bool,
    /// Whether the alias could not be read for too many calls.
    pub(crate) alias_throttled: bool,
    /// Why writes away from stable are refused for good, and how often in a row they were.
    pub(crate) stuck: Option<String>,
    pub(crate) refused_since: Option<Time>,
    /// How often in a row any write failed.
    pub(crate) failures: u32,
    pub(crate) candidate: Candidate,
    pub(crate) published: Option<(Version, Configuration)>,
    pub(crate) latest: Option<Configuration>,
    /// The hash of the code that this process put into `$LATEST`.
    pub(crate) code_updated: Option<String>,
    pub(crate) hook: HookSlot<'a>,
    pub(crate) health: Health,
    /// What the alias was used to before, when calls were last tried to be counted, and what was counted.
    pub(crate) usual: Reference,
    pub(crate) counts_tried: Option<Time>,
    pub(crate) counted: Vec<Counted>,
    pub(crate) comparison: Comparison,
    pub(crate) probe: Probe,
    /// Since when nothing but the full minute was waited for.
    pub(crate) ready: Option<Time>,
    pub(crate) probing: Option<Probing<'a>>,
    /// Whether the alarms that are kept are about the candidate, since when, and since when that is tried.
    pub(crate) kept: bool,
    pub(crate) kept_at: Time,
    pub(crate) keeping_since: Option<Time>,
    /// What troubles were told, and when.
    troubles: BTreeMap<String, Time>,
    /// Since when a way back is being tried.
    going_back: Option<Time>,
    /// Why the rollout was refused, where that is not in the alias.
    pub(crate) refusal: Option<String>,
    /// Its place in a group, where it is not alone; what the others were last seen to do, and what they are waited for.
    pub(crate) seat: Option<Seat<'a>>,
    pub(crate) others: Option<Others>,
    awaited: Option<Stage>,
    /// Whether the others ended the wait: then what was read a moment ago is not read again.
    pub(crate) nudged: bool,
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
        // Whoever left the claim behind, by the same plan, had seen to them.
        let (hash, left) = (found.plan.hash(), found.goes_on.as_ref().filter(|note| note.phase != Phase::Claim));
        let kept = request.kept.is_empty() || left.is_some_and(|note| note.plan == Some(hash));
        let watches = found.plan.alarms.len() > if kept { 0 } else { request.kept.len() };
        let health = if watches { unread } else { Health::Unwatched };
        let uncounted = Failing { why: "no calls were counted yet".to_owned(), throttled: false };
        Self {
            cloud,
            clock,
            request,
            alarms_read: found.goes_on.as_ref().map_or(found.plan.began, |note| note.begun),
            plan: found.plan,
            stable: found.stable,
            interrupt,
            teller,
            held: None,
            looks_so_since: None,
            known_at: None,
            fresh: false,
            claimed: false,
            unanswered: None,
            failed: None,
            restored: None,
            blind: None,
            planned_on: found.alias,
            remembered: None,
            replaced: Vec::new(),
            alarms_tried: None,
            reddened: BTreeMap::new(),
            stepped: None,
            full_weight_refused: false,
            alias_throttled: false,
            stuck: None,
            refused_since: None,
            failures: 0,
            candidate: Candidate::Unknown,
            published: None,
            latest: None,
            code_updated: None,
            hook: HookSlot { which: None, state: Hook::NotInvoked, asking: None },
            health,
            usual: found.usual,
            counts_tried: None,
            counted: Vec::new(),
            comparison: Comparison::Unread { failing: uncounted },
            probe: Probe::NotSent,
            ready: None,
            probing: None,
            kept,
            kept_at: Time::default(),
            keeping_since: None,
            troubles: BTreeMap::new(),
            going_back: None,
            refusal: None,
            seat: None,
            others: None,
            awaited: None,
            nudged: false,
        }
    }

    /// Repeats the round until it is over.
    async fn run(mut self) -> Ending {
        let mut before: Option<Round> = None;
        loop {
            let round = self.round(before.as_ref()).await;
            let finished = if let Action::Finish(outcome) = &round.action { Some(outcome.clone()) } else { None };
            if let Some(outcome) = finished.or_else(|| self.gives_up(&round.action, round.seen.now)) {
                self.show(&round.seen, &Action::Finish(outcome.clone()));
                return self.end(&outcome, &round.seen);
            }
            self.perform(&round).await;
            before = Some(round);
        }
    }

    /// Observes, decides and narrates, once.
    async fn round(&mut self, before: Option<&Round>) -> Round {
        let seen = self.look().await;
        let leaves = self.interrupt() == Interrupt::Leave;
        self.plan.policy.on_interrupt = if leaves { OnInterrupt::Hold } else { self.request.on_interrupt };
        let round = Round { action: decide(&self.plan, &seen), seen };
        if let Action::RollBack(cause) = round.action {
            self.failed.get_or_insert(cause);
        }
        // Whoever waits for the others after the full minute has waited for that, and a lease that is renewed changes nothing.
        let waits = matches!(round.action, Action::Wait { why: Reason::FullMinute | Reason::Together { .. }, .. });
        let still = self.ready.filter(|ready| self.plan.met(*ready, round.seen.now).is_some());
        let since = if waits { still.or(Some(round.seen.now)) } else { self.ready };
        self.ready = since.filter(|_| waits || round.action == Action::Renew);
        let unsaid = matches!(round.action, Action::GoBlind | Action::WriteAgain);
        self.blind = if unsaid { self.blind.or(Some(round.seen.now)) } else { None };
        let inputs = self.request.observations.then(|| observed(&self.plan, &round));
        for what in inputs.into_iter().chain(narrate(&self.plan, before, &round)) {
            self.teller.tell(round.seen.now, self.in_full(what));
        }
        tracing::debug!(action = ?round.action, "decided");
        self.show(&round.seen, &round.action);
        round
    }

    /// Shows the others of a group what came of this round.
    fn show(&mut self, seen: &Observation, action: &Action) {
        let awaited = if let Action::Wait { why: Reason::Together { stage, .. }, .. } = action { Some(*stage) } else { None };
        self.awaited = awaited;
        if let Some(seat) = &self.seat {
            seat.show(member(&self.plan, seen, action), seen.now);
        }
    }

    /// A way back is not tried for ever, and not against a second signal.
    fn gives_up(&mut self, action: &Action, now: Time) -> Option<Outcome> {
        // A share of its group that it has to own before it can bring it back.
        let called = *action == Action::TakeOver && self.others.as_ref().is_some_and(|others| others.called.is_some());
        if !matches!(action, Action::RollBack(_) | Action::Confirm | Action::Release) && !called {
            self.going_back = None;
            return None;
        }
        let since = *self.going_back.get_or_insert(now);
        let told_to = self.interrupt() == Interrupt::AtOnce && self.failures > 0;
        let outcome = if *action == Action::Release { Outcome::Held } else { Outcome::RollbackUnconfirmed };
        (told_to || now.since(since) >= ROLLBACK_LIMIT).then_some(outcome)
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
        // A shift in between does not put off the next look at the alarms.
        let until = self.next_look().map_or(until, |look| until.min(look));
        let span = until.since(now).clamp(Duration::from_millis(1), longest);
        self.pause(span).await;
        self.fresh = false;
    }

    /// Ends when a signal comes that was not heard before; a closed channel never signals.
    pub(crate) fn signalled(&self) -> impl Future<Output = ()> + use<C, K> {
        let heard = self.interrupt();
        let mut interrupt = self.interrupt.clone();
        async move {
            if interrupt.wait_for(|interrupt| *interrupt > heard).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The one wait of the controller.
    pub(crate) async fn pause(&mut self, span: Duration) {
        let signalled = self.signalled();
        let Self { hook: HookSlot { state, asking, .. }, probe, probing, clock, seat, others, plan, cloud, awaited, .. } = self;
        let called = async {
            match (seat.as_ref(), others.as_ref()) {
                (Some(seat), Some(known)) => seat.called(plan, known, *awaited, || cloud.time()).await,
                (Some(_) | None, _) => std::future::pending().await,
            }
        };
        let answered = async {
            match asking.as_mut() {
                Some(asking) => asking.await,
                None => std::future::pending().await,
            }
        };
        let probed = async {
            match probing.as_mut() {
                Some(probing) => probing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = signalled => {}
            answer = answered => {
                *state = answer.map_or_else(Hook::Failed, |()| Hook::Succeeded);
                *asking = None;
            }
            answer = probed => {
                *probe = answer;
                *probing = None;
            }
            () = called => self.nudged = true,
            () = clock.sleep(span) => {}
        }
    }
}
