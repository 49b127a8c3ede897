//! What is there to see? One look at the alias, the alarms and the candidate, gathered into an observation.

use rollout::alias::{Standing, standing};
use rollout::arn::unqualified;
use rollout::event::{HookPhase, What};
use rollout::health::{AlarmSeen, AlarmState, Failing, Health};
use rollout::note::{Note, Noted, Phase};
use rollout::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use rollout::plan::{Entry, Source};
use rollout::timing::{CLOCKS_APART, COUNT_LIMIT, CREDENTIALS_END, SECOND_LOOK};
use rollout::{Time, Version};

use crate::differences::differences;
use crate::driver::{Announced, Driver};
use crate::interrupt::Interrupt;
use crate::port::{Clock, Cloud, CloudError, Configuration, Dated, Failure, Held, State, Update};
use crate::preflight::versions::incompatible;

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Looks once. What was established by our own write a moment ago is not read again, and a signal cuts a look short.
    pub(crate) async fn look(&mut self) -> Observation {
        let started = self.cloud.time();
        // Publishing and the like take their time; what was established before them is not fresh any more.
        self.fresh &= self.known_at.is_some_and(|known| started.since(known) < self.plan.poll);
        let (cloud, clock, request) = (self.cloud, self.clock, self.request);
        let (fresh, look_at_alarms) = (self.called(started) || self.fresh, self.alarms_due(started));
        let (pair, watching, known) = (self.pair_to_count(started), self.watching(), self.alarms_known());
        let (signalled, at_once) = (self.signalled(), self.interrupt() == Interrupt::AtOnce && self.held.is_some());
        let mut reads = Box::pin(async {
            let alias = async { if fresh { None } else { Some(cloud.alias(&request.subject).await) } };
            let alarms = async { if look_at_alarms { Some(cloud.alarms(&watching, known).await) } else { None } };
            let counts = async {
                let pair = pair.as_ref()?;
                tokio::select! {
                    mut counts = cloud.counts(std::slice::from_ref(pair)) => counts.answer.pop().map(|answer| Dated { at: counts.at, answer }),
                    // The alarms, read beside it, must not grow old over it.
                    () = clock.sleep(COUNT_LIMIT) => Some(Dated { at: started, answer: Err(uncounted()) }),
                }
            };
            if request.beside > 1 {
                // The alias is queued for, and the alarms, which others may have read before, must not grow older over it.
                let alias = alias.await;
                let (alarms, counts) = tokio::join!(alarms, counts);
                (alias, alarms, counts)
            } else {
                tokio::join!(alias, alarms, counts)
            }
        });
        let cut = tokio::select! {
            biased;
            () = std::future::ready(()), if at_once => None,
            read = &mut reads => Some(read),
            () = signalled => None,
        };
        let (alias, alarms, counts) = match cut {
            Some(read) => read,
            // With an alias in hand there is something to act on; the write finds out whether it still stands.
            None if self.held.is_some() => (None, None, None),
            None => (&mut reads).await,
        };
        drop(reads); // Others may wait for what a look that was cut short had begun to ask.
        match alias {
            Some(Ok(held)) => self.take_read(held),
            // The function is gone, and its aliases with it.
            Some(Err(error)) if error.failure == Failure::NotFound => self.take_read(None),
            Some(Err(error)) => {
                self.alias_throttled = error.failure == Failure::Throttled;
                self.trouble(format!("the alias could not be read: {error}"));
            }
            None => {}
        }
        if let Some(counts) = counts {
            self.take_counts(started, counts);
        }
        let signalled = self.signalled();
        let more = async {
            if let Some(alarms) = alarms {
                self.alarms_tried = Some(started);
                self.take_alarms(alarms).await;
            }
            self.look_at_candidate().await;
        };
        // Reads only: they may be cut off anywhere.
        tokio::select! {
            () = more => {}
            () = signalled => {}
        }
        self.others = self.seat.as_ref().map(|seat| seat.others(&self.plan, self.cloud.time()));
        self.observation()
    }

    /// Whether this look is about moving with the others of a group, who all move at the same moment: what is known well enough to move
    /// on is not read again for that.
    fn called(&mut self, now: Time) -> bool {
        let called = std::mem::take(&mut self.nudged) || (self.seat.is_some() && self.ready.is_some());
        // A poll is left for what else is looked at.
        called && self.known_at.is_some_and(|known| now.since(known) + self.plan.poll < self.plan.freshness())
    }

    /// When the alarms were last read.
    fn alarms_known(&self) -> Time {
        if let Health::Read { at, .. } = &self.health { *at } else { Time::default() }
    }

    fn alarms_due(&self, now: Time) -> bool {
        self.next_alarms().is_some_and(|due| now >= due)
    }

    /// When the alarms are to be looked at again: a poll after the last attempt, whatever else was done since.
    fn next_alarms(&self) -> Option<Time> {
        // Once the way back is decided they have nothing more to say.
        if self.failed.is_some() || self.health == Health::Unwatched {
            return None;
        }
        Some(self.alarms_tried.map_or_else(Time::default, |tried| tried + self.plan.poll))
    }

    /// When there is something to look at again, apart from the alias.
    pub(crate) fn next_look(&self) -> Option<Time> {
        [self.next_alarms(), self.next_counts()].into_iter().flatten().min()
    }

    /// Takes over what a read says, unless it is older than our own last write.
    fn take_read(&mut self, held: Option<Held>) {
        let stale = held.as_ref().is_some_and(|held| self.replaced.contains(&held.revision));
        if !stale {
            self.take_alias(held);
        }
    }

    /// Takes over what a read or a write's answer says the alias is.
    pub(crate) fn take_alias(&mut self, held: Option<Held>) {
        let now = self.cloud.time();
        let same = self.looks_so_since.is_some() && held == self.held;
        if !same {
            self.looks_so_since = Some(now);
        }
        let share =
            |held: &Option<Held>| held.as_ref().and_then(|held| standing(&held.alias).live().map(|note| note.phase.share()));
        let (before, after) = (share(&self.held), share(&held));
        if after > before && before.is_some() {
            self.stepped = Some(now);
        }
        self.known_at = Some(now);
        self.held = held;
        let mine = self.note();
        self.claimed |= mine.is_some();
        // A note that is gone is remembered as it was; one that is terminal, or another's, ends the memory.
        if mine.is_some() || self.held.as_ref().is_none_or(|held| held.alias.noted() != Noted::Nothing) {
            self.remembered = mine.filter(|note| !note.phase.is_terminal());
        }
    }

    /// The note on the alias, where it is this rollout's and this process'.
    pub(crate) fn note(&self) -> Option<Note> {
        let held = self.held.as_ref()?;
        let note = standing(&held.alias).note()?.clone();
        (note.id == self.plan.id && note.owner == self.plan.owner).then_some(note)
    }

    async fn take_alarms(&mut self, read: Result<Dated<Vec<AlarmSeen>>, CloudError>) {
        let mut at = Time::default();
        let (alarms, error) = match read {
            Ok(Dated { at: asked, answer: mut alarms }) => {
                at = asked;
                let error = self.add_history(&mut alarms).await.err();
                (Some(alarms), error)
            }
            Err(error) => (None, Some(error)),
        };
        let failing = error.map(|error| {
            let why = format!("the alarms cannot be read: {error}");
            self.trouble(why.clone());
            Failing { why, throttled: error.failure == Failure::Throttled }
        });
        // Without the history it is no look that anything may rest on; but what is red in it is red.
        let last_look = self.alarms_known();
        match (alarms, failing) {
            (Some(alarms), failing) => {
                let known = |name: &&String| alarms.iter().any(|alarm| alarm.name == **name);
                let missing = self.watching().iter().filter(|name| !known(name)).cloned().collect();
                let at = if failing.is_none() { at } else { last_look };
                if failing.is_none() {
                    self.alarms_read = at;
                }
                self.health = Health::Read { at, alarms, missing, failing };
            }
            (None, Some(new)) => match &mut self.health {
                Health::Read { failing, .. } => *failing = Some(new),
                Health::Unread { why } => *why = new.why,
                Health::Unwatched => {}
            },
            (None, None) => {}
        }
    }

    /// Adds when each alarm was last red. One that changed its state since the last look may have been red in between: then its
    /// history tells.
    async fn add_history(&mut self, alarms: &mut [AlarmSeen]) -> Result<(), CloudError> {
        // CloudWatch's clock is not Lambda's.
        let from = self.alarms_read - CLOCKS_APART;
        for alarm in alarms.iter_mut().filter(|alarm| self.before_kept(&alarm.name, alarm.since)) {
            alarm.state = AlarmState::InsufficientData;
        }
        for alarm in alarms.iter().filter(|alarm| alarm.state == AlarmState::Alarm) {
            self.reddened.insert(alarm.name.clone(), alarm.since);
        }
        let mut unread = Ok(());
        for alarm in alarms.iter_mut() {
            if alarm.state != AlarmState::Alarm && alarm.since >= from {
                match self.cloud.last_red(&alarm.name, from).await {
                    Ok(Some(red)) if !self.before_kept(&alarm.name, red) => {
                        self.reddened.insert(alarm.name.clone(), red);
                    }
                    Ok(_) => {}
                    Err(error) => unread = Err(error),
                }
            }
            alarm.red = self.reddened.get(&alarm.name).copied();
        }
        unread
    }

    async fn look_at_candidate(&mut self) {
        let preparing = match &self.held {
            Some(held) => {
                matches!(standing(&held.alias), Standing::Claimed(note) if note.phase == Phase::Claim) && self.note().is_some()
            }
            None => self.plan.stable.is_none() && !self.claimed,
        } || (matches!(self.plan.entry, Entry::Supersede(_)) && !self.claimed);
        if !preparing {
            return;
        }
        let version = match &self.candidate {
            Candidate::Published(version, Readiness::Pending) => Some(*version),
            Candidate::Published(..) | Candidate::Failed(_) => return,
            Candidate::Unknown | Candidate::Settling | Candidate::Outdated | Candidate::Ready => match self.plan.source {
                Source::Version(version) => Some(version),
                // Another process may have published it.
                Source::Publish | Source::Update(_) => self.note().and_then(|note| note.candidate),
            },
        };
        match (self.cloud.configuration(&self.request.subject.function, version).await, version) {
            (Ok(configuration), Some(version)) => {
                self.candidate = Candidate::Published(version, self.readiness(&configuration));
                self.published = Some((version, configuration));
            }
            (Ok(configuration), None) => self.take_latest(configuration),
            (Err(error), Some(version)) if error.failure == Failure::NotFound => {
                self.candidate = Candidate::Failed(format!("{version} does not exist: {error}"));
            }
            (Err(error), _) => self.trouble(format!("the version to roll out could not be read: {error}")),
        }
    }

    fn readiness(&self, configuration: &Configuration) -> Readiness {
        let version = &configuration.version;
        match &configuration.state {
            State::Pending => return Readiness::Pending,
            State::Active => {}
            State::Inactive => return Readiness::Unfit(format!("{version} is Inactive; invoke it once, then try again")),
            State::Failed(why) => return Readiness::Unfit(format!("{version} is Failed: {why}")),
        }
        match self.stable.as_ref().and_then(|stable| incompatible(stable, configuration)) {
            Some(why) => Readiness::Unfit(why),
            None => Readiness::Ready,
        }
    }

    fn take_latest(&mut self, configuration: Configuration) {
        let settling = configuration.state == State::Pending || configuration.update == Update::InProgress;
        let wanted = self.request.code.is_some() && self.code_updated.is_none();
        let ours = self.code_updated.as_ref().or(self.latest.as_ref().map(|latest| &latest.code_sha256));
        let changed = ours.is_some_and(|ours| *ours != configuration.code_sha256);
        self.candidate = match (&configuration.state, &configuration.update) {
            _ if settling => Candidate::Settling,
            _ if wanted => Candidate::Outdated,
            (State::Failed(why), _) => Candidate::Failed(format!("`$LATEST` is Failed: {why}")),
            (_, Update::Failed(why)) => Candidate::Failed(format!("the last update of `$LATEST` failed: {why}")),
            _ if changed => {
                Candidate::Failed("`$LATEST` was changed by somebody else while this rollout prepared to publish it".to_owned())
            }
            _ => Candidate::Ready,
        };
        if self.candidate == Candidate::Ready {
            self.latest = Some(configuration);
        }
    }

    fn observation(&self) -> Observation {
        let now = self.cloud.time();
        let apart = self.looks_so_since.zip(self.known_at).is_some_and(|(since, known)| known.since(since) >= SECOND_LOOK);
        let certainty = match (self.fresh, apart) {
            (true, _) => Certainty::Written,
            (false, true) => Certainty::ReadTwice,
            (false, false) => Certainty::Read,
        };
        // Not knowing the alias is as blind as not knowing the alarms.
        let lost = self.known_at.is_none_or(|known| now.since(known) > self.plan.freshness());
        let health = if lost { self.without_alias() } else { self.health.clone() };
        Observation {
            now,
            alias: self.held.as_ref().map(|held| held.alias.clone()),
            certainty,
            claimed: self.claimed,
            unanswered: self.unanswered,
            failed: self.failed,
            restored: self.restored,
            blind: self.blind,
            remembered: self.remembered.clone(),
            planned_on: self.planned_on.clone(),
            stepped: self.stepped,
            full_weight_refused: self.full_weight_refused,
            stuck: self.stuck.clone(),
            candidate: self.candidate.clone(),
            kept: self.kept,
            hook: self.hook_seen(),
            ready: self.ready,
            health,
            comparison: self.comparison_now(),
            probe: self.probe.clone(),
            interrupted: self.interrupt() != Interrupt::None || self.credentials_end(now),
            others: self.others.clone(),
        }
    }

    /// Whether the credentials are about to end and nothing will renew them: then what a signal would do is done now.
    fn credentials_end(&self, now: Time) -> bool {
        self.cloud.expiry().is_some_and(|end| now + CREDENTIALS_END >= end)
    }

    /// What is known of the alarms, as old as what is known of the alias.
    fn without_alias(&self) -> Health {
        let why = "the alias cannot be read".to_owned();
        match (&self.health, self.known_at) {
            (Health::Read { at, alarms, missing, .. }, Some(known)) => {
                let failing = Some(Failing { why, throttled: self.alias_throttled });
                Health::Read { at: known.min(*at), alarms: alarms.clone(), missing: missing.clone(), failing }
            }
            (Health::Read { .. } | Health::Unwatched | Health::Unread { .. }, _) => Health::Unread { why },
        }
    }

    /// Which hook and which attempt the alias announces, and since when its phase or step is in force; without an alias, a first
    /// deployment's pre-traffic hook.
    pub(crate) fn announced(&self) -> Option<Announced> {
        if self.held.is_none() {
            return Some((HookPhase::PreTraffic, 1, Time::default()));
        }
        let note = self.note()?;
        let attempt = note.hook?.number;
        match note.phase {
            Phase::Pre => Some((HookPhase::PreTraffic, attempt, note.since)),
            Phase::Post => Some((HookPhase::PostTraffic, attempt, note.since)),
            Phase::Shift { .. } => Some((HookPhase::Step, attempt, note.since)),
            Phase::Claim | Phase::Bake | Phase::Promoted | Phase::Back(_) => None,
        }
    }

    fn hook_seen(&self) -> Hook {
        if self.hook.which == self.announced() { self.hook.state.clone() } else { Hook::NotInvoked }
    }

    /// What happened, with what only this process knows of it: in what the candidate differs.
    pub(crate) fn in_full(&self, what: What) -> What {
        let What::VersionReady { version, .. } = what else { return what };
        let known = self.stable.as_ref().zip(self.published.as_ref().filter(|(published, _)| *published == version));
        let differs = known.map(|(stable, (_, candidate))| differences(stable, candidate)).unwrap_or_default();
        What::VersionReady { version, differs }
    }

    /// The stable version and its ARN.
    pub(crate) fn stable_arn(&self) -> Option<(Version, String)> {
        self.plan.stable.zip(self.stable.as_ref().map(|stable| stable.arn.clone()))
    }

    /// The candidate and its ARN; of one that another process published, the ARN is its sister's with another number.
    pub(crate) fn candidate_arn(&self) -> Option<(Version, String)> {
        self.published.as_ref().map(|(version, known)| (*version, known.arn.clone())).or_else(|| {
            let candidate = self.note()?.candidate?;
            let function = unqualified(&self.stable.as_ref()?.arn);
            Some((candidate, format!("{function}:{candidate}")))
        })
    }
}

/// What counting comes to that takes too long.
fn uncounted() -> CloudError {
    let message = format!("no answer in {}", rollout::format::duration(COUNT_LIMIT));
    CloudError { failure: Failure::Unanswered, operation: "GetMetricData", message, code: None }
}
