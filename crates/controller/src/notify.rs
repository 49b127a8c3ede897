//! How are people and programs told of a rollout? Beside it: no notification delays a look or a write, and none changes an outcome.
//!
//! Each is sent once it is known, tried again for a minute, and then given up with a warning. A rollback is told with its end, which comes
//! after stable is confirmed. After the last event nothing is awaited for longer than that minute; after a signal, for five seconds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use rollout::Time;
use rollout::event::{Event, EventKind, FORMAT};
use rollout::notify::{Message, NoticeKind, Notification, Recipient};
use tokio::sync::{Notify, watch};

use crate::backoff::Backoff;
use crate::interrupt::{Interrupt, wait_for_signal};
use crate::port::{BusEvent, Clock, Cloud, CloudError, Failure, HttpHookResponse, TopicMessage};
use crate::request::Request;

/// How long one notification is tried.
const PATIENCE: Duration = Duration::from_mins(1);

/// The same after a signal: whoever sent it kills what does not end.
const HURRY: Duration = Duration::from_secs(5);

/// The limit of one attempt at a URL.
const ATTEMPT: Duration = Duration::from_secs(10);

const PAUSES: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

/// What is told to whom about which function.
struct Delivery {
    function: String,
    alias: String,
    at: Time,
    kind: NoticeKind,
    to: Notification,
    message: Message,
}

/// What waits to be sent, and whose rollouts have begun and ended.
#[derive(Default)]
struct Outbox {
    waiting: RefCell<Vec<Delivery>>,
    more: Notify,
    /// With their ids.
    begun: RefCell<BTreeMap<(String, String), String>>,
    ended: RefCell<BTreeSet<(String, String)>>,
}

impl Outbox {
    fn add(&self, requests: &[Request], event: &Event) {
        let whose = (event.function.clone(), event.alias.clone());
        if let EventKind::Started(started) = &event.what {
            self.begun.borrow_mut().insert(whose.clone(), started.rollout_id.clone());
        }
        let id = self.begun.borrow().get(&whose).cloned();
        if event.ending().is_some() {
            self.ended.borrow_mut().insert(whose);
        }
        // Who was never told of a beginning is told of no end.
        let Some((kind, id)) = NoticeKind::of(&event.what).zip(id) else { return };
        let own = |request: &&Request| request.subject.function.name == event.function && request.subject.alias == event.alias;
        let Some(request) = requests.iter().find(own) else { return };
        for to in &request.notify {
            if let Some(message) = (request.notice)(to, event, &id) {
                let (function, alias) = (event.function.clone(), event.alias.clone());
                self.waiting.borrow_mut().push(Delivery { function, alias, at: event.at, kind, to: to.clone(), message });
            }
        }
        self.more.notify_one();
    }
}

/// Runs rollouts, and tells of them beside them.
pub(crate) async fn notifying<C: Cloud, K: Clock, T>(
    (cloud, clock): (&C, &K),
    requests: &[Request],
    interrupt: &watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
    rollouts: impl AsyncFnOnce(&mut dyn FnMut(&Event)) -> T,
) -> T {
    if requests.iter().all(|request| request.notify.is_empty()) {
        return rollouts(tell).await;
    }
    let (outbox, tell) = (Outbox::default(), RefCell::new(tell));
    let mut both = |event: &Event| {
        (tell.borrow_mut())(event);
        outbox.add(requests, event);
    };
    let mut sending = FuturesUnordered::new();
    let send = |delivery: Delivery| async move {
        let sent = deliver((cloud, clock), &delivery).await;
        (delivery, sent)
    };
    let mut running = Box::pin(rollouts(&mut both));
    let ended = loop {
        let done = tokio::select! {
            biased;
            ended = &mut running => break ended,
            () = outbox.more.notified() => None,
            done = sending.next(), if !sending.is_empty() => done,
        };
        sending.extend(outbox.waiting.take().into_iter().map(&send));
        if let Some((delivery, Err(why))) = done {
            report_failure(&outbox, &mut **tell.borrow_mut(), cloud.time(), &delivery, &why);
        }
    };
    drop(running);
    sending.extend(outbox.waiting.take().into_iter().map(&send));
    let limit = if *interrupt.borrow() == Interrupt::None { PATIENCE } else { HURRY };
    let rest = async {
        while let Some((delivery, sent)) = sending.next().await {
            if let Err(why) = sent {
                report_failure(&outbox, &mut **tell.borrow_mut(), cloud.time(), &delivery, &why);
            }
        }
    };
    tokio::select! {
        biased;
        () = rest => {}
        () = clock.sleep(limit) => {}
        () = wait_for_signal(interrupt.clone(), Interrupt::AtOnce) => {}
    }
    ended
}

/// A warning in the log of its rollout; after the end, which is the last event, only for whoever debugs.
fn report_failure(outbox: &Outbox, tell: &mut dyn FnMut(&Event), at: Time, delivery: &Delivery, why: &str) {
    let Delivery { function, alias, kind, to, .. } = delivery;
    let text = format!("the notification `{}` could not be sent to {}: {why}", kind.word(), to.recipient);
    let (function, alias) = (function.clone(), alias.clone());
    if outbox.ended.borrow().contains(&(function.clone(), alias.clone())) {
        tracing::warn!("{text}");
    } else {
        tell(&Event { v: FORMAT, at, function, alias, what: EventKind::Warning { text, transient: false } });
    }
}

/// Sends one, until it is taken, refused for good, or its time is over.
async fn deliver<C: Cloud, K: Clock>((cloud, clock): (&C, &K), delivery: &Delivery) -> Result<(), String> {
    let until = cloud.time() + PATIENCE;
    for failures in 1.. {
        let why = match attempt(cloud, delivery, until.since(cloud.time())).await {
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

struct Refusal {
    why: String,
    for_good: bool,
}

impl From<CloudError> for Refusal {
    fn from(error: CloudError) -> Self {
        let for_good = matches!(error.failure, Failure::Denied | Failure::Invalid | Failure::NotFound | Failure::Expired);
        Self { why: error.to_string(), for_good }
    }
}

async fn attempt<C: Cloud>(cloud: &C, delivery: &Delivery, left: Duration) -> Result<(), Refusal> {
    let Delivery { at, to, message: Message { subject, body }, .. } = delivery;
    match &to.recipient {
        Recipient::Url(url) => taken(&cloud.post(url, body.as_bytes(), left.min(ATTEMPT)).await?),
        Recipient::Topic(topic) => {
            let message = TopicMessage { topic: topic.clone(), subject: subject.clone(), body: body.clone() };
            Ok(cloud.publish_message(&message).await?)
        }
        Recipient::Bus(bus) => {
            let (bus, source, detail_type, detail) = (bus.clone(), SOURCE.to_owned(), subject.clone(), body.clone());
            Ok(cloud.put_on_bus(&BusEvent { bus, source, detail_type, detail, at: *at }).await?)
        }
    }
}

/// What a page's answer means. Its text is not shown: it may repeat what it was asked at.
fn taken(answer: &HttpHookResponse) -> Result<(), Refusal> {
    match answer.status {
        200..300 => Ok(()),
        // A time-out of its own, or trouble of its own: another time it may take it.
        408 | 425 | 500.. => Err(Refusal { why: format!("HTTP status {}", answer.status), for_good: false }),
        status => Err(Refusal { why: format!("HTTP status {status}"), for_good: true }),
    }
}

/// Who sends events to a bus.
const SOURCE: &str = "canaryctl";
