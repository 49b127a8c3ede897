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
use rollout::notify::{News, NoticeKind};
use tokio::sync::{Notify, watch};

use crate::audience::{Audience, Whose};
use crate::delivery::{Delivery, Line, PATIENCE, deliver};
use crate::interrupt::{Interrupt, wait_for_signal};
use crate::port::{Clock, Cloud};
use crate::request::Request;

/// How long what is left is tried after a signal: whoever sent it kills what does not end.
const HURRY: Duration = Duration::from_secs(5);

/// Who is told, what waits to be sent, and whose rollouts have begun and ended.
struct Outbox {
    audiences: Vec<Audience>,
    waiting: RefCell<Vec<Delivery>>,
    more: Notify,
    /// With their ids.
    begun: RefCell<BTreeMap<Whose, String>>,
    ended: RefCell<BTreeSet<Whose>>,
}

impl Outbox {
    fn new(requests: &[Request]) -> Self {
        let audiences = Audience::of(requests);
        let (waiting, more, begun, ended) = (RefCell::default(), Notify::new(), RefCell::default(), RefCell::default());
        Self { audiences, waiting, more, begun, ended }
    }

    fn add(&self, event: &Event) {
        let whose = (event.function.clone(), event.alias.clone());
        if let EventKind::Started(started) = &event.what {
            self.begun.borrow_mut().insert(whose.clone(), started.rollout_id.clone());
        }
        if event.ending().is_some() {
            self.ended.borrow_mut().insert(whose.clone());
        }
        let (begun, ended) = (self.begun.borrow(), self.ended.borrow());
        for audience in self.audiences.iter().filter(|audience| audience.members.contains(&whose)) {
            let news = audience.hear(event, |member| begun.contains_key(member) || ended.contains(member));
            // Who was never told of a beginning is told of no end.
            let id = audience.members.iter().find_map(|member| begun.get(member));
            let deliveries = news.iter().filter_map(|events| delivery(audience, &whose, events, id?));
            self.waiting.borrow_mut().extend(deliveries);
        }
        self.more.notify_one();
    }
}

fn delivery(audience: &Audience, (function, alias): &Whose, events: &[Event], id: &str) -> Option<Delivery> {
    let first = events.first()?;
    let kind = NoticeKind::of(&first.what)?;
    let message = (audience.notice)(&audience.to, &News { events, id, group: &audience.group })?;
    let names: Vec<String> = audience.members.iter().map(|(function, alias)| format!("{function}:{alias}")).collect();
    Some(Delivery {
        function: function.clone(),
        alias: alias.clone(),
        names: names.join(", "),
        rollout: id.to_owned(),
        at: first.at,
        kind,
        to: audience.to.clone(),
        message,
        place: audience.line.as_ref().map(Line::join),
    })
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
    let (outbox, tell) = (Outbox::new(requests), RefCell::new(tell));
    let mut both = |event: &Event| {
        (tell.borrow_mut())(event);
        outbox.add(event);
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
