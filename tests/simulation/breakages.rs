//! The checks are worth something: a controller that is broken on purpose, in every one of these ways, is caught by at least one.
//!
//! It is broken from outside, on its way to AWS and back; of several functions one is. The same stories pass with the controller as
//! it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ciborium::Value as Cbor;
use serde_json::{Value, json};
use sim::Effect;

use crate::checks::judge;
use crate::harness::tap::{Answered, Meddler, Onward, tapped};
use crate::note::split;
use crate::play::{play, play_through};
use crate::stage::name;
use crate::story::{Act, Guarding, Manner, Story, Trouble, Weather, Wish};

/// Declares the ways to be wrong, each with the numbers of functions of which it may be one.
macro_rules! breakages {
    ($($(#[$about:meta])+ $name:ident: $many:expr,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Breakage { $($(#[$about])+ $name,)+ }

        const BREAKAGES: &[(Breakage, &[usize])] = &[$((Breakage::$name, &$many)),+];
    };
}

breakages! {
    /// It writes whatever the revision.
    NoRevision: [1, 4],
    /// It takes a refused swap for a done one.
    Ignores412: [1],
    /// It writes again on the revision that beat it.
    WritesOver412: [1],
    /// It takes red for green, now and in the past.
    RedIsGreen: [1, 4],
    /// It takes an alarm that is gone for a green one.
    MissingIsGreen: [1],
    /// It takes no answer for the last one.
    BlindIsGreen: [1],
    /// It takes no answer for the last counts.
    UncountedIsGood: [1],
    /// It forgets the note that belongs to a share.
    NoNote: [1, 4],
    /// It shifts more than planned.
    MoreWeight: [1, 4],
    /// It shifts before it is due.
    FastClock: [1, 4],
    /// It goes by what the alias was at first.
    OldAlias: [1, 4],
    /// It says that it wrote, and did not.
    SwallowsWrites: [1, 4],
    /// It says that it went back, and did not.
    NeverBack: [1, 4],
    /// It does not listen to its hooks.
    DeafToHooks: [1, 4],
    /// It writes over the user's words.
    LosesWords: [1, 4],
    /// It gives the share to another version.
    WrongVersion: [1, 4],
    /// It says that it has a guard, and has none.
    Unguarded: [1],
    /// One of several goes two steps at once.
    GoesAhead: [4],
    /// It is final as soon as it has everything.
    CommitsEarly: [4],
    /// It goes back when the others become final.
    TurnsBack: [4],
    /// It claims nothing, and says that it did.
    ClaimsNothing: [4],
}

/// Every way to be wrong, of one function or of one among several.
fn each() -> impl Iterator<Item = (Breakage, usize)> {
    BREAKAGES.iter().flat_map(|(breakage, all)| all.iter().map(|many| (*breakage, *many)))
}

/// In how many stories all must be well with the controller as it is.
const HANDFUL: u64 = 5;

/// How many of them a breakage may go unnoticed in, of one function and of several.
const UNNOTICED: [u64; 2] = [5, 3];

impl Breakage {
    /// A story in which it would do harm.
    fn story(self, many: usize, seed: u64) -> Story {
        let mut story = if many == 1 { Story::of(seed) } else { Story { many, ..Story::group(seed) } };
        let (scene, asked) = (&mut story.scene, &mut story.asked);
        (story.bad, story.weather, story.acts) = (None, Vec::new(), vec![(Duration::ZERO, Act::Start(0, Wish::Wait))]);
        (scene.error_rate, scene.pre_hook, scene.post_hook, scene.text) = (0.0, None, None, "Anna's alias");
        (asked.steps, asked.every, asked.poll) = (vec![10, 40, 100], Duration::from_secs(40), Duration::from_secs(5));
        (asked.alarms, asked.ignore_red, asked.bake) = (1, false, Duration::from_secs(30));
        (scene.traffic, scene.first, asked.hold_on_interrupt) = (0.0, false, false);
        story.turns = None;
        story.guard = if self == Self::Unguarded { Guarding::Required } else { Guarding::No };
        let soon = Duration::from_secs(10 + seed);
        let blind = |operation, from, until| Weather {
            operation: Some(operation),
            of: None,
            effect: Effect::ServerError(500),
            chance: 1.0,
            from,
            until,
        };
        match self {
            Self::RedIsGreen | Self::NeverBack if many == 1 => story.acts.push((soon, Act::Flap(0, Duration::from_mins(1)))),
            Self::RedIsGreen | Self::NeverBack => {
                story.bad = Some((2, Trouble::Alarm(Duration::from_secs(60 + seed), Duration::from_mins(3))));
            }
            Self::MissingIsGreen => story.acts.push((soon, Act::DeleteAlarm)),
            Self::UncountedIsGood => {
                (asked.compares, asked.every, asked.poll) = (true, Duration::from_mins(2), Duration::from_secs(5));
                // After the first share, which comes on the full minute, and the first count.
                story.weather.push(blind("GetMetricData", Duration::from_secs(90), Duration::from_mins(8)));
            }
            Self::BlindIsGreen => story.weather.push(blind("DescribeAlarms", soon, Duration::from_mins(4))),
            Self::Ignores412 | Self::WritesOver412 => {
                scene.pre_hook = Some(Manner::Succeeds);
                scene.published = true;
                story.acts.push((Duration::ZERO, Act::Start(0, Wish::Wait)));
            }
            Self::DeafToHooks => scene.pre_hook = Some(Manner::Fails),
            // Its own: to the dates of answers that ran ahead it would not listen.
            Self::FastClock => story.pace = 2.0,
            Self::NoRevision | Self::NoNote | Self::MoreWeight | Self::OldAlias => {}
            Self::SwallowsWrites | Self::LosesWords | Self::WrongVersion | Self::Unguarded => {}
            Self::GoesAhead | Self::CommitsEarly | Self::TurnsBack | Self::ClaimsNothing => {}
        }
        story
    }
}

#[derive(Debug)]
struct Broken {
    breakage: Breakage,
    /// The path of the alias that is written and read the wrong way.
    alias: String,
    /// The first `GetAlias` answer, or the last `DescribeAlarms` answer.
    kept: Mutex<Option<http::Response<Bytes>>>,
}

impl Meddler for Broken {
    fn carry(self: Arc<Self>, request: http::Request<Bytes>, onward: Onward) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        Box::pin(async move {
            let path = request.uri().path();
            if path.ends_with(&self.alias) && request.method() == http::Method::PUT {
                self.update(request, &onward).await
            } else if path.ends_with(&self.alias) {
                let answered = onward.send(request).await;
                if self.breakage == Breakage::OldAlias { self.first(answered) } else { answered }
            } else if path.ends_with("/DescribeAlarms") {
                self.alarms(onward.send(request).await)
            } else if path.ends_with("/GetMetricData") && self.breakage == Breakage::UncountedIsGood {
                self.last(onward.send(request).await)
            } else if path.ends_with("/DescribeAlarmHistory") && self.breakage == Breakage::RedIsGreen {
                onward.send(request).await.map(painted)
            } else if request.headers().get("x-amz-target").is_some_and(|target| target == "AWSStepFunctions.StartExecution")
                && self.breakage == Breakage::Unguarded
            {
                Ok(http::Response::new(Bytes::from_static(br#"{"executionArn":"arn","startDate":0}"#)))
            } else if path.ends_with("/invocations") && self.breakage == Breakage::DeafToHooks {
                onward.send(request).await.map(deaf)
            } else {
                onward.send(request).await
            }
        })
    }
}

impl Broken {
    async fn update(&self, request: http::Request<Bytes>, onward: &Onward) -> Answered {
        let (head, body) = request.into_parts();
        let wanted: Value = serde_json::from_slice(&body).unwrap();
        let mut sent = wanted.clone();
        self.forge(&mut sent);
        let cleared = wanted["RoutingConfig"]["AdditionalVersionWeights"].as_object().is_some_and(serde_json::Map::is_empty);
        let is = |phase: &str| wanted["Description"].as_str().is_some_and(|text| text.contains(phase));
        let never_back = self.breakage == Breakage::NeverBack && cleared && is(" back ");
        let claims_nothing = self.breakage == Breakage::ClaimsNothing && is(" claim ");
        if self.breakage == Breakage::SwallowsWrites || never_back || claims_nothing {
            return Ok(pretended(&wanted));
        }
        let request = |sent: &Value| http::Request::from_parts(head.clone(), Bytes::from(sent.to_string()));
        if matches!(self.breakage, Breakage::Ignores412 | Breakage::WritesOver412) {
            // Long enough on its way for everybody who started at once to have looked, so that all but one are beaten.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let answered = onward.send(request(&sent)).await?;
        let refused = answered.status() == http::StatusCode::PRECONDITION_FAILED;
        if refused && self.breakage == Breakage::Ignores412 {
            return Ok(pretended(&wanted));
        }
        if !refused || self.breakage != Breakage::WritesOver412 {
            return Ok(answered);
        }
        let mut read = request(&json!({}));
        *read.method_mut() = http::Method::GET;
        *read.body_mut() = Bytes::new();
        let read: Value = serde_json::from_slice(onward.send(read).await?.body()).unwrap();
        sent["RevisionId"] = read["RevisionId"].clone();
        onward.send(request(&sent)).await
    }

    fn forge(&self, sent: &mut Value) {
        let description = sent["Description"].as_str().unwrap_or_default().to_owned();
        let text = split(&description).0;
        let share = sent["RoutingConfig"]["AdditionalVersionWeights"]["42"].as_f64();
        let none = json!({"AdditionalVersionWeights": {}});
        match (self.breakage, share) {
            (Breakage::NoRevision, _) => drop(sent.as_object_mut().unwrap().remove("RevisionId")),
            (Breakage::NoNote, Some(_)) => sent["Description"] = json!(text),
            (Breakage::LosesWords, _) => sent["Description"] = json!(description[text.len()..].trim_start()),
            (Breakage::MoreWeight, Some(share)) => {
                sent["RoutingConfig"]["AdditionalVersionWeights"]["42"] = json!((share * 2.0).min(1.0));
            }
            (Breakage::WrongVersion, Some(share)) => sent["RoutingConfig"] = json!({"AdditionalVersionWeights": {"40": share}}),
            (Breakage::GoesAhead, Some(_)) if description.contains(" 10% 1/3 ") => {
                sent["Description"] = json!(description.replace(" 10% 1/3 ", " 40% 2/3 "));
                sent["RoutingConfig"] = json!({"AdditionalVersionWeights": {"42": 0.4}});
            }
            (Breakage::CommitsEarly, _) if description.contains(" bake ") => {
                sent["Description"] = json!(description.replace(" bake ", " promoted "));
                (sent["FunctionVersion"], sent["RoutingConfig"]) = (json!("42"), none);
            }
            (Breakage::TurnsBack, _) if description.contains(" promoted 41>42 ") => {
                sent["Description"] = json!(description.replace(" promoted 41>42 ", " back 41>42 alarm "));
                (sent["FunctionVersion"], sent["RoutingConfig"]) = (json!("41"), none);
            }
            _ => {}
        }
    }

    /// What the alias was at first, by its revision of now.
    fn first(&self, answered: Answered) -> Answered {
        let mut kept = self.kept.lock().unwrap();
        answered.map(|mut answer| {
            let first = kept.get_or_insert_with(|| answer.clone()).body().clone();
            let read = |body: &Bytes| serde_json::from_slice::<Value>(body).ok();
            if let Some((mut old, now)) = read(&first).zip(read(answer.body())).filter(|(_, now)| now["RevisionId"].is_string()) {
                old["RevisionId"] = now["RevisionId"].clone();
                *answer.body_mut() = old.to_string().into();
            }
            answer
        })
    }

    fn alarms(&self, answered: Answered) -> Answered {
        let mut kept = self.kept.lock().unwrap();
        match (self.breakage, answered) {
            (Breakage::RedIsGreen, Ok(answer)) => Ok(painted(answer)),
            (Breakage::MissingIsGreen, Ok(answer)) => Ok(kept.get_or_insert(answer).clone()),
            (Breakage::BlindIsGreen, answered) => last(&mut kept, answered),
            (_, answered) => answered,
        }
    }

    fn last(&self, answered: Answered) -> Answered {
        last(&mut self.kept.lock().unwrap(), answered)
    }
}

fn last(kept: &mut Option<http::Response<Bytes>>, answered: Answered) -> Answered {
    match answered {
        Ok(answer) if answer.status().is_success() => Ok(kept.insert(answer).clone()),
        answered => kept.clone().map_or(answered, Ok),
    }
}

/// The answer to a write that never took place.
fn pretended(wanted: &Value) -> http::Response<Bytes> {
    let mut answer = wanted.clone();
    answer["RevisionId"] = json!("00000000-0000-0000-0000-000000000000");
    answer["Name"] = json!("live");
    http::Response::new(Bytes::from(answer.to_string()))
}

fn deaf(answer: http::Response<Bytes>) -> http::Response<Bytes> {
    if answer.status() == http::StatusCode::OK {
        answer.map(|_| Bytes::from_static(br#"{"status":"Succeeded"}"#))
    } else {
        answer
    }
}

/// The same alarms, all of them green.
fn painted(answer: http::Response<Bytes>) -> http::Response<Bytes> {
    fn paint(value: &mut Cbor) {
        if let Some(values) = value.as_array_mut() {
            values.iter_mut().for_each(paint);
        } else if let Some(entries) = value.as_map_mut() {
            for (_, value) in entries {
                paint(value);
            }
        } else if let Some(text) = value.as_text().filter(|text| text.contains("ALARM")) {
            *value = Cbor::Text(text.replace("ALARM", "OK"));
        }
    }
    answer.map(|body| {
        let mut value: Cbor = ciborium::from_reader(body.as_ref()).unwrap();
        paint(&mut value);
        let mut body = Vec::new();
        ciborium::into_writer(&value, &mut body).unwrap();
        body.into()
    })
}

#[test]
fn every_breakage_is_caught() {
    for (breakage, many) in each() {
        let (broken, unnoticed) = if many == 1 { (0, UNNOTICED[0]) } else { (1, UNNOTICED[1]) };
        let caught = (1..=unnoticed).find_map(|seed| {
            let alias = format!("{}/aliases/live", name(broken));
            let record = play_through(&breakage.story(many, seed), &|http| {
                let (alias, kept) = (alias.clone(), Mutex::default());
                tapped(http, Arc::new(Broken { breakage, alias, kept }))
            });
            let promises: Vec<&str> = judge(&record).into_iter().map(|(promise, _)| promise).collect();
            (!promises.is_empty()).then_some((seed, promises))
        });
        let (seed, promises) = caught.unwrap_or_else(|| panic!("{breakage:?} of {many} went unnoticed in {unnoticed} stories"));
        println!("{breakage:?} of {many} in story {seed}: {}", promises.join("; "));
    }
}

#[test]
fn the_same_stories_pass_with_the_controller_as_it_is() {
    for (breakage, many) in each() {
        for seed in 1..=HANDFUL {
            let record = play(&Story { pace: 1.0, ..breakage.story(many, seed) });
            let wrong = judge(&record);
            assert!(wrong.is_empty(), "{breakage:?} of {many}, story {seed}: {wrong:#?}\n{}", record.text());
        }
    }
}
