//! How does one notification get to its recipient? Tried again for a minute, and given up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rollout::Time;
use rollout::notify::{Message, NoticeKind, Notification, Recipient};
use tokio::sync::Mutex;

use crate::backoff::Backoff;
use crate::github;
use crate::port::{BusEvent, Clock, Cloud, TopicMessage};
use crate::refusal::Refusal;

/// How long one notification is tried.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The limit of one attempt at a URL.
const ATTEMPT: Duration = Duration::from_secs(10);

const PAUSES: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// What is told to whom about which function.
pub(crate) struct Delivery {
    pub(crate) function: String,
    pub(crate) alias: String,
    /// The function, or all that are rolled out as one.
    pub(crate) names: String,
    pub(crate) rollout: String,
    pub(crate) at: Time,
    pub(crate) kind: NoticeKind,
    pub(crate) to: Notification,
    pub(crate) message: Message,
    pub(crate) place: Option<Place>,
}

/// What a recipient is sent that shows the last state alone: one at a time, and nothing that is outdated.
#[derive(Default)]
pub(crate) struct Line {
    turn: Mutex<()>,
    newest: Cell<u64>,
}

/// A place in such a line.
pub(crate) struct Place {
    line: Rc<Line>,
    number: u64,
}

impl Line {
    /// The next place in it.
    pub(crate) fn join(self: &Rc<Self>) -> Place {
        self.newest.set(self.newest.get() + 1);
        Place { line: Rc::clone(self), number: self.newest.get() }
    }
}

impl Place {
    fn is_outdated(&self) -> bool {
        self.number < self.line.newest.get()
    }
}

/// Sends one, until it is taken, refused for good, or its time is over.
pub(crate) async fn deliver<C: Cloud, K: Clock>((cloud, clock): (&C, &K), delivery: &Delivery) -> Result<(), String> {
    let until = cloud.time() + PATIENCE;
    for failures in 1.. {
        let why = match attempt(cloud, delivery, until).await {
            Ok(()) => return Ok(()),
            Err(Refusal { why, for_good: true }) => return Err(why),
            Err(Refusal { why, for_good: false }) => why,
        };
        let pause = PAUSES.after(failures);
        if cloud.time() + pause >= until {
            return Err(why);
        }
        clock.sleep(pause).await;
    }
    Ok(())
}

async fn attempt<C: Cloud>(cloud: &C, delivery: &Delivery, until: Time) -> Result<(), Refusal> {
    let Delivery { at, to, message, place, .. } = delivery;
    let Message { subject, body } = message;
    // Waited for as long as one attempt takes.
    let _turn = match place {
        Some(place) => Some(place.line.turn.lock().await),
        None => None,
    };
    if place.as_ref().is_some_and(Place::is_outdated) {
        return Ok(());
    }
    let left = until.since(cloud.time()).min(ATTEMPT);
    match &to.recipient {
        // Its text is not shown: it may repeat what it was asked at.
        Recipient::Url(url) => {
            let answer = cloud.post(url, body.as_bytes(), left).await?;
            Refusal::of_status(answer.status, "").map_or(Ok(()), Err)
        }
        Recipient::Topic(topic) => {
            let message = TopicMessage { topic: topic.clone(), subject: subject.clone(), body: body.clone() };
            Ok(cloud.publish_message(&message).await?)
        }
        Recipient::Bus(bus) => {
            let (bus, source, detail_type, detail) = (bus.clone(), SOURCE.to_owned(), subject.clone(), body.clone());
            Ok(cloud.put_on_bus(&BusEvent { bus, source, detail_type, detail, at: *at }).await?)
        }
        Recipient::GitHub(to) => github::show(cloud, to, (&delivery.rollout, &delivery.names), message, left).await,
    }
}

/// Who sends events to a bus.
const SOURCE: &str = "canaryctl";
