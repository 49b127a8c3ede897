//! What do the keys of the live view do? The same as the commands: they change the alias by compare and swap, after a confirmation.
//!
//! The rollout reads the change from the alias, as if another machine had made it; it never waits for anything here.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use aws::Aws;
use controller::{Budgeted, Identity, Interrupt, Ordered, operate};
use report::{Order, Prompt};
use rollout::event::{Event, EventKind};
use rollout::note::{AfterPause, RolloutId};
use rollout::operate::{Aim, Operation};
use rollout::target::Subject;
use rollout::timing::PAUSE;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::keys::{Keys, Pressed};
use super::print::{print_error, print_out};
use super::reporters::Reporters;
use crate::clock::RuntimeClock;

const PATIENCE: Duration = Duration::from_secs(15);

const READING: Duration = Duration::from_secs(8);

/// How long a message takes to be drawn.
const DRAWING: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Known {
    id: Cell<Option<RolloutId>>,
    paused: Cell<bool>,
}

impl Known {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only three kinds of events matter here")]
    pub(crate) fn update(&self, event: &Event) {
        match &event.what {
            EventKind::Started(started) => self.id.set(started.rollout_id.parse().ok()),
            EventKind::Paused { .. } => self.paused.set(true),
            EventKind::Resumed => self.paused.set(false),
            _ => {}
        }
    }
}

pub(crate) struct Console<'a> {
    pub(crate) cloud: &'a Budgeted<'a, Aws, RuntimeClock>,
    pub(crate) clock: &'a RuntimeClock,
    pub(crate) subject: &'a Subject,
    pub(crate) identity: Identity,
    pub(crate) reporters: &'a Reporters,
    pub(crate) known: &'a Known,
    pub(crate) stop: watch::Sender<Interrupt>,
    pub(crate) holds: bool,
}

type Doing<'a> = Pin<Box<dyn Future<Output = (Order, Ordered)> + 'a>>;

#[derive(Default)]
struct Talk<'a> {
    asked: Option<Order>,
    doing: Option<Doing<'a>>,
    until: Option<Instant>,
    /// Whether the process was asked to stop: then it asks nothing more.
    stopped: bool,
}

/// What is left of the conversation when the rollout has ended.
pub(crate) struct Left<'a>(Option<Doing<'a>>);

impl<'a> Console<'a> {
    /// Handles keys and signals until `rollout` has ended.
    pub(crate) async fn beside<T>(&'a self, keys: Option<Keys>, rollout: impl Future<Output = T>) -> (T, Left<'a>) {
        let mut talk = Talk::default();
        let ended = tokio::select! {
            ended = rollout => ended,
            never = self.attend(keys, &mut talk) => match never {},
        };
        (ended, Left(talk.doing))
    }

    async fn attend(&'a self, mut keys: Option<Keys>, talk: &mut Talk<'a>) -> Infallible {
        let mut stop = self.stop.subscribe();
        if keys.is_some() {
            self.reporters.prompt(self.keys());
        }
        loop {
            let until = talk.until;
            tokio::select! {
                Ok(()) = stop.changed() => {
                    let heard = *stop.borrow_and_update();
                    self.heard(heard, talk);
                }
                pressed = or_never(keys.as_mut().map(Keys::next)) => match pressed {
                    Pressed::Key(key) if !talk.stopped => self.pressed(key, talk),
                    Pressed::Key(_) => {}
                    Pressed::Suspend => self.suspend(keys.as_ref(), talk).await,
                    Pressed::Quit => if let Some(keys) = &keys { keys.quit() },
                },
                (order, ordered) = or_never(talk.doing.as_mut()) => {
                    talk.doing = None;
                    self.show(talk, result(order, &ordered), Some(READING));
                }
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    talk.asked = None;
                    self.show(talk, self.keys(), None);
                }
            }
        }
    }

    fn keys(&self) -> Prompt {
        Prompt::Keys { holds: self.holds }
    }

    fn show(&self, talk: &mut Talk<'a>, prompt: Prompt, span: Option<Duration>) {
        talk.until = span.map(|span| Instant::now() + span);
        if !talk.stopped {
            self.reporters.prompt(prompt);
        }
    }

    fn heard(&self, heard: Interrupt, talk: &mut Talk<'a>) {
        talk.until = None;
        talk.stopped = true;
        self.reporters.prompt(match heard {
            Interrupt::None => return,
            Interrupt::Leave => Prompt::Doing(Order::Leave),
            Interrupt::Stop | Interrupt::AtOnce => Prompt::Signal { holds: self.holds, insists: heard == Interrupt::AtOnce },
        });
    }

    fn pressed(&'a self, key: Option<char>, talk: &mut Talk<'a>) {
        if let Some(order) = talk.asked.take() {
            if key == Some('y') {
                self.confirmed(order, talk);
            } else {
                self.show(talk, Prompt::Message(true, "nothing was done".to_owned()), Some(READING));
            }
            return;
        }
        let order = match key {
            Some('p') if self.known.paused.get() => Order::Resume,
            Some('p') => Order::Pause,
            Some('a') => Order::Promote,
            Some('r') => Order::RollBack,
            Some('q') => Order::Leave,
            Some(_) | None => return,
        };
        // Before the start there is no rollout to act on.
        if talk.doing.is_some() || self.known.id.get().is_none() {
            return;
        }
        talk.asked = Some(order);
        self.show(talk, Prompt::Ask(order), Some(PATIENCE));
    }

    fn confirmed(&'a self, order: Order, talk: &mut Talk<'a>) {
        let operation = match order {
            Order::Pause => Operation::Pause { span: PAUSE, then: AfterPause::Resume },
            Order::Resume => Operation::Resume,
            Order::Promote => Operation::Promote,
            Order::RollBack => Operation::Abort,
            Order::Leave => {
                self.stop
                    .send_if_modified(|heard| *heard < Interrupt::Leave && std::mem::replace(heard, Interrupt::Leave) != *heard);
                return;
            }
        };
        self.show(talk, Prompt::Doing(order), None);
        // Not a later rollout of the same alias.
        let aim = Aim { rollout: self.known.id.get(), step: None };
        talk.doing = Some(Box::pin(async move {
            let mut warn = |_, why: String| self.reporters.prompt(Prompt::Message(false, why));
            let ordered = operate(self.cloud, self.clock, self.subject, (operation, aim), self.identity, &mut warn).await;
            (order, ordered)
        }));
    }

    async fn suspend(&self, keys: Option<&Keys>, talk: &mut Talk<'a>) {
        let Some(keys) = keys else { return };
        self.reporters.prompt(Prompt::Message(false, "suspended: the rollout is not watched; `fg` resumes".to_owned()));
        tokio::time::sleep(DRAWING).await;
        self.reporters.suspend_drawing(|| keys.suspend());
        talk.asked = None;
        self.show(talk, self.keys(), None);
    }
}

impl Left<'_> {
    /// Waits for a rollback that was requested, prints its result, and gives the exit code.
    pub(crate) async fn settle(self, code: u8) -> u8 {
        let Some(doing) = self.0 else { return code };
        let (order, ordered) = doing.await;
        match (order, &ordered) {
            (Order::RollBack, Ordered::Done(alias, does)) => {
                print_out(&format!("✔ ROLLED BACK   {does}; {}\n", alias.traffic()));
                13
            }
            (Order::RollBack, Ordered::Unconfirmed(why, command)) => {
                let hint =
                    command.as_ref().map_or_else(String::new, |command| format!("\n  hint: run this manually:\n  {command}"));
                print_error(&format!("the rollback is NOT CONFIRMED: {why}{hint}"));
                20
            }
            _ => code,
        }
    }
}

/// Waits for the future, or forever where there is none.
async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn result(order: Order, ordered: &Ordered) -> Prompt {
    let what = match order {
        Order::Pause => "not paused",
        Order::Resume => "still paused",
        Order::Promote => "not promoted",
        Order::RollBack => "not rolled back",
        Order::Leave => "not left",
    };
    match ordered {
        Ordered::Done(_, does) => Prompt::Message(true, does.clone()),
        Ordered::Already(why) => Prompt::Message(true, why.clone()),
        Ordered::Refused(why, hint) => Prompt::Message(false, format!("{what}: {why}; {hint}")),
        Ordered::Unconfirmed(why, _) => Prompt::Message(false, format!("NOT CONFIRMED: {why}")),
    }
}
