//! The checks of a group are worth something: a controller that is broken on purpose, in every one of these ways, is caught.
//!
//! One member is broken from outside, on its way to AWS and back. The same stories pass with the controller as it is.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::checks::judge;
use super::play::{play, play_through};
use super::story::{Act, Story, Trouble, name};
use crate::breakages::{painted, pretended};
use crate::tap::{Answered, Meddler, Onward, tapped};

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breakage {
    /// The member does not come back when it is called.
    StaysAway,
    /// It goes two steps at once.
    GoesAhead,
    /// It is final as soon as it has everything.
    CommitsEarly,
    /// It goes back when the others become final.
    TurnsBack,
    /// It claims nothing, and says that it did.
    ClaimsNothing,
    /// Everybody takes red for green, now and in the past.
    RedIsGreen,
    /// It writes whatever the revision.
    NoRevision,
    /// It forgets the note that belongs to a share.
    NoNote,
}

const BREAKAGES: [Breakage; 8] = [
    Breakage::StaysAway,
    Breakage::GoesAhead,
    Breakage::CommitsEarly,
    Breakage::TurnsBack,
    Breakage::ClaimsNothing,
    Breakage::RedIsGreen,
    Breakage::NoRevision,
    Breakage::NoNote,
];

/// Who is broken.
const BROKEN: usize = 1;

/// How many stories a breakage may go unnoticed in.
const HANDFUL: u64 = 3;

impl Breakage {
    /// A story in which it would do harm.
    fn story(self, seed: u64) -> Story {
        let mut story = Story::of(seed);
        let asked = &mut story.asked;
        (asked.steps, asked.every, asked.bake) = (vec![10, 40, 100], Duration::from_secs(40), Duration::from_secs(30));
        (asked.poll, asked.hold_on_interrupt) = (Duration::from_secs(5), false);
        (story.many, story.hooked, story.weather, story.bad) = (4, false, Vec::new(), None);
        story.acts = vec![(Duration::ZERO, Act::Start { takes_over: false })];
        if matches!(self, Self::StaysAway | Self::RedIsGreen) {
            story.bad = Some((2, Trouble::Alarm(Duration::from_secs(60 + seed), Duration::from_mins(3))));
        }
        story
    }
}

/// A breakage at work.
#[derive(Debug)]
struct Broken(Breakage);

impl Meddler for Broken {
    fn carry(self: Arc<Self>, request: http::Request<Bytes>, onward: Onward) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        Box::pin(async move {
            let path = request.uri().path();
            let alias = path.ends_with(&format!("{}/aliases/live", name(BROKEN)));
            if alias && request.method() == http::Method::PUT {
                self.update(request, onward).await
            } else if self.0 == Breakage::RedIsGreen && path.contains("/DescribeAlarm") {
                onward.send(request).await.map(painted)
            } else {
                onward.send(request).await
            }
        })
    }
}

impl Broken {
    async fn update(&self, request: http::Request<Bytes>, onward: Onward) -> Answered {
        let (head, body) = request.into_parts();
        let mut sent: Value = serde_json::from_slice(&body).unwrap();
        let said = sent["Description"].as_str().unwrap_or_default().to_owned();
        let is = |phase: &str| said.contains(&format!(" {phase} "));
        let weights = |share: f64| json!({"AdditionalVersionWeights": {"42": share}});
        let none = json!({"AdditionalVersionWeights": {}});
        match self.0 {
            Breakage::StaysAway if is("back") => return Ok(pretended(&sent)),
            Breakage::ClaimsNothing if is("claim") => return Ok(pretended(&sent)),
            Breakage::GoesAhead if is("10% 1/3") => {
                sent["Description"] = json!(said.replace(" 10% 1/3 ", " 40% 2/3 "));
                sent["RoutingConfig"] = weights(0.4);
            }
            Breakage::CommitsEarly if is("bake") => {
                sent["Description"] = json!(said.replace(" bake ", " promoted "));
                (sent["FunctionVersion"], sent["RoutingConfig"]) = (json!("42"), none);
            }
            Breakage::TurnsBack if is("promoted") && is("41>42") => {
                sent["Description"] = json!(said.replace(" promoted 41>42 ", " back 41>42 alarm "));
                (sent["FunctionVersion"], sent["RoutingConfig"]) = (json!("41"), none);
            }
            Breakage::NoRevision => drop(sent.as_object_mut().unwrap().remove("RevisionId")),
            Breakage::NoNote if is("shift") => sent["Description"] = json!(crate::note::split(&said).0),
            Breakage::StaysAway | Breakage::ClaimsNothing | Breakage::GoesAhead | Breakage::CommitsEarly => {}
            Breakage::TurnsBack | Breakage::RedIsGreen | Breakage::NoNote => {}
        }
        onward.send(http::Request::from_parts(head, Bytes::from(sent.to_string()))).await
    }
}

#[test]
fn every_breakage_of_a_group_is_caught() {
    for breakage in BREAKAGES {
        let caught = (1..=HANDFUL).find_map(|seed| {
            let record = play_through(&breakage.story(seed), &|http| tapped(http, Arc::new(Broken(breakage))));
            let promises: Vec<&str> = judge(&record).into_iter().map(|(promise, _)| promise).collect();
            (!promises.is_empty()).then_some((seed, promises))
        });
        let (seed, promises) = caught.unwrap_or_else(|| panic!("{breakage:?} went unnoticed in {HANDFUL} stories"));
        println!("{breakage:?} in story {seed}: {}", promises.join("; "));
    }
}

#[test]
fn the_same_groups_pass_with_the_controller_as_it_is() {
    for breakage in BREAKAGES {
        for seed in 1..=HANDFUL {
            let record = play(&breakage.story(seed));
            let wrong = judge(&record);
            assert!(wrong.is_empty(), "{breakage:?}, story {seed}: {wrong:#?}\n{}", record.told());
        }
    }
}
