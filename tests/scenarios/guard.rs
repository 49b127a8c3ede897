//! A guard brings an abandoned rollout back, and nothing else: a rollout whose process lives, or that a person or another process has, it
//! leaves alone.

use std::path::Path;
use std::time::Duration;

use controller::{Guard, Request};
use rollout::alias::{AliasState, alias_state};
use rollout::note::{NoteParse, RolloutId};
use rollout::operate::Operation;
use rollout::plan::OnInterrupt;
use rollout::write::back;
use rollout::{Alias, Cause, Version, Weight};
use serde_json::{Value, json};
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, request, short, subject, taking, with};

/// When a table of notes is read.
const MILLIS: u64 = 1_795_442_600_123;

/// A description, the alias' version, and another one with its weight.
type Row = (String, &'static str, Option<(&'static str, f64)>);

/// Descriptions of every kind, their fields in the order in which the codec writes them, with the alias' version and the weight of another one.
fn notes() -> Vec<Row> {
    let note = |rest: &str| format!("[canaryctl/1 7f3ac2e1 k4q9 {rest}]");
    let mut rows = vec![
        (String::new(), "41", None),
        ("the shop's own text".to_owned(), "41", None),
        ("l=zzzzzz [not ours] [canaryctl/1 7f3ac2e1".to_owned(), "41", None),
        (note("claim 41>- t=towpnp s=towpnp l=towpvo h=9a41c07e x=39h,38a"), "41", None),
        (note("claim 41>42 t=towpnp s=towpnp l=towpvo p=40"), "41", Some(("42", 0.0))),
        (note("claim 41>- t=towpnp s=towpnp l=towpvo"), "41", Some(("42", 0.1))),
        (note("pre 41>42 t=towpnp s=towpr0 l=towpvo k=1.towq00"), "41", None),
        (note("bake 41>42 t=towpnp s=towpr0 d=towpvo l=towpwz m=1"), "41", Some(("42", 1.0))),
        (note("bake 41>42 t=towpnp s=towpr0 d=towpvo l=towpwz"), "42", None),
        (note("post 41>42 t=towpnp s=towpr0 l=towpvo k=2.towq00 p=7 h=0000000f m=1 x=1a"), "41", Some(("42", 1.0))),
        (note("post 41>42 t=towpnp s=towpr0 l=towpvo k=1.0towq00"), "41", Some(("42", 1.0))),
        (note("post ->42 t=towpnp s=towpr0 l=towpvo k=1.towq00"), "42", None),
        (note("shift 41>42 2.5% 3/10 t=towpnp s=towpr0 d=towpso u=towq00.b b=towpr5 a=1o w=2s"), "41", Some(("42", 0.025))),
        (note("shift 41>42 2.5% 3/10 t=towpnp s=towpr0 d=towpso l=1 u=towq00.b b=towpr5 a=1o w=2s"), "41", Some(("42", 0.025))),
        (note("shift 41>42 30% 0/3 t=towpnp s=towpr0 d=towpso l=towpvo u=towq00.r"), "41", Some(("42", 0.3))),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 d=towpso l=towpvo"), "41", Some(("42", 0.7))),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 d=towpso l=towpvo"), "41", Some(("43", 0.3))),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 d=towpso l=towpvo"), "41", None),
        (note("shift 41>42 0% 0/3 t=towpnp s=towpr0 d=towpso l=towpvo"), "41", None),
        (note("bake 41>42 t=towpnp s=towpr0 d=towpvo l=towpwz"), "41", Some(("42", 0.0))),
        (note("post 41>42 t=towpnp s=towpr0 l=towpvo"), "41", None),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 d=towpso l=towpvo"), "43", None),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 l=towpvo l=towpvo"), "41", Some(("42", 0.3))),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 l=towpvo z=1"), "41", Some(("42", 0.3))),
        (note("shift 41>42 30% 1/3 t=towpnp s=towpr0 l=towpvo").replace("7f3ac2e1", "00000001"), "41", Some(("42", 0.3))),
        (note("promoted 41>42 t=towpnp s=towpr0 p=40"), "42", None),
        ("mine [canaryctl/2 7f3ac2e1 k4q9 whatever {comes} l=towpvo next]".to_owned(), "41", Some(("42", 0.3))),
        ("mine [canaryctl/2 00000001 k4q9 whatever]".to_owned(), "41", None),
    ];
    let live = note("shift 41>42 30% 3/10 t=towpnp s=towpr0 d=towpso l=towpvo h=9a41c07e x=39h,7a,6n");
    for text in ["our shop's checkout ", "l=zzzzzz d=1 ", "früher ", "[canaryctl/1 00000001 k4q9 bake 1>2 t=1 s=1 l=1] ", "a]b "]
    {
        rows.push((format!("{text}{live}"), "41", Some(("42", 0.3))));
    }
    rows.push((format!("{live} \n"), "41", Some(("42", 0.3))));
    rows.push((format!("{live} and more"), "41", Some(("42", 0.3))));
    rows.push((format!("{} {live}", "x".repeat(255 - live.len())), "41", Some(("42", 0.3))));
    rows.extend(Cause::ALL.iter().map(|cause| (note(&format!("back 41>42 {} t=towpnp s=towpr0", cause.word())), "41", None)));
    rows
}

fn alias(description: &str, version: &str, weight: Option<(&str, f64)>) -> Alias {
    let number = |text: &str| text.parse::<Version>().unwrap();
    let weights = weight.iter().map(|(version, weight)| (number(version), Weight::from_fraction(*weight).unwrap())).collect();
    Alias { target: rollout::alias::Target::Version(number(version)), weights, description: description.to_owned() }
}

/// What the codec and the table of states say of an alias to the guard of this rollout.
fn expected(alias: &Alias, rollout: RolloutId) -> Value {
    let now = rollout::Time::from_millis(MILLIS);
    let found = alias_state(alias);
    let (ours, ended) = match alias.noted() {
        NoteParse::Note(note) if note.id == rollout => (Some(*note), false),
        NoteParse::Newer { id, .. } => (None, id == rollout),
        NoteParse::Note(_) | NoteParse::Nothing => (None, false),
    };
    let ended = ended || ours.as_ref().is_some_and(|note| note.phase.is_terminal());
    // What a person has cleared is on stable; who comes next notes that it was one.
    let in_place = matches!(found, AliasState::Claimed(_) | AliasState::Running(_) | AliasState::SetByHand(..));
    let live = ours.filter(|note| in_place && note.lease.is_some() && note.stable.is_some());
    let description = live.as_ref().map(|note| back(now, alias, note, note.owner, None, Cause::Abandoned).description);
    json!({
        "final": ended, "live": live.is_some(),
        "lease": live.as_ref().and_then(|note| note.lease).map_or(0, rollout::Time::as_secs),
        "stable": live.as_ref().and_then(|note| note.stable).map(|stable| stable.to_string()).unwrap_or_default(),
        "description": description.unwrap_or_default(),
    })
}

/// The table that the guard's own expressions are held against too, by an interpreter that nobody here wrote.
#[test]
fn the_notes_that_a_guard_reads_are_told_as_the_codec_tells_them() {
    let rollout: RolloutId = "7f3ac2e1".parse().unwrap();
    let rows: Vec<Value> = notes()
        .into_iter()
        .map(|(description, version, weight)| {
            let mut row = expected(&alias(&description, version, weight), rollout);
            let weights: serde_json::Map<String, Value> =
                weight.into_iter().map(|(version, weight)| (version.to_owned(), json!(weight))).collect();
            row["alias"] = json!({
                "FunctionVersion": version, "Description": description, "RevisionId": "r",
                "RoutingConfig": {"AdditionalVersionWeights": weights},
            });
            (row["rollout"], row["millis"]) = (json!("7f3ac2e1"), json!(MILLIS));
            row
        })
        .collect();
    let live = rows.iter().filter(|row| row["live"] == true).count();
    assert!(live > 12 && rows.iter().filter(|row| row["final"] == true).count() > Cause::ALL.len(), "{live}");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let table = format!("[\n{}\n]\n", lines.join(",\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/interop.d/guard-notes.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), table, "BLESS=1 writes it again");
}

pub(crate) fn guarded(request: Request) -> Request {
    Request { guard: Some(Guard { machine: "canaryctl-guard".to_owned(), optional: false }), ..request }
}

fn optional(request: Request) -> Request {
    Request { guard: Some(Guard { machine: "canaryctl-guard".to_owned(), optional: true }), ..request }
}

/// The writes that guards made.
fn written(stage: &Stage) -> usize {
    stage.writes().iter().filter(|write| write.caller == "GUARD").count()
}

fn statuses(stage: &Stage) -> Vec<&'static str> {
    stage.with(|world| world.guards().iter().map(|(_, status, _)| *status).collect())
}

/// Waits until the guard has written, and holds it against what it promises: the last write is its own, within three minutes of the lease.
async fn brought_back(stage: &Stage) {
    let lease = stage.alias().await.note().unwrap().lease.unwrap();
    stage.until(|| written(stage) > 0).await;
    let writes = stage.writes();
    let [.., before, last] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((last.caller.as_str(), last.revision_sent.as_ref()), ("GUARD", Some(&before.after().unwrap().revision)));
    let late = last.at.as_millis() - i64::try_from(lease.as_millis()).unwrap();
    assert!((120_000..=180_000).contains(&late), "{late} ms after the lease");
    stage.assert_ended("41", "back");
    let note = stage.alias().await.note().unwrap();
    assert_eq!(note.phase, rollout::note::Phase::Back(Cause::Abandoned));
    assert_eq!((note.lease, note.due, note.rejected.as_slice()), (None, None, [].as_slice()));
    assert_eq!(statuses(stage), ["SUCCEEDED"]);
    stage.assert_conditional();
}

#[test]
fn a_rollout_whose_process_was_killed_is_on_stable_within_three_minutes_of_its_lease() {
    for (share, what) in [(0, "acquired"), (30, "shifting"), (100, "baking")] {
        play_on("hello", async |stage| {
            let killed = async {
                if share == 0 {
                    stage.until_looking_every(Duration::from_millis(50), || !statuses(&stage).is_empty()).await;
                } else {
                    stage.until(|| stage.percents().last().is_some_and(|last| *last >= share)).await;
                    stage.sleep(7).await;
                }
            };
            stage.killed(guarded(short_of(share)), killed).await;
            assert_eq!(stage.percents().last().copied().unwrap_or(0), share, "{what}");
            brought_back(&stage).await;
            // The same command starts again, and nothing is held against the version.
            stage.rollout(guarded(short())).await.exits(0).says("canaryctl-guard rolls back if this process stops");
            stage.assert_ended("42", "promoted");
            stage.until(|| statuses(&stage).iter().all(|status| *status == "SUCCEEDED")).await;
            assert_eq!((statuses(&stage).len(), written(&stage)), (2, 1), "{what}");
        });
    }
}

/// The rollout of the story, or one that is short enough to be baking soon.
fn short_of(share: u64) -> Request {
    if share == 100 { short() } else { request() }
}

#[test]
fn a_guard_is_started_after_the_claim_and_before_anything_else_and_leaves_a_living_owner_alone() {
    play_on("hello", async |stage| {
        stage.rollout(guarded(request())).await.exits(0);
        stage.assert_ended("42", "promoted");
        assert_eq!((stage.done("StartExecution"), written(&stage)), (1, 0));
        let log = stage.with(|world| world.log().to_vec());
        let at = |operation: &str, by: &str| {
            log.iter().position(|call| call.operation == operation && call.caller == by && call.succeeded()).unwrap()
        };
        let started = at("StartExecution", "CONTROLLER");
        assert!(at("UpdateAlias", "CONTROLLER") < started && started < at("PublishVersion", "CONTROLLER"));
        stage.until(|| statuses(&stage) == ["SUCCEEDED"]).await;
    });
}

#[test]
fn without_its_guard_no_traffic_moves_unless_it_is_optional() {
    play_on("hello", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("StartExecution", Effect::Deny)));
        stage.rollout(guarded(short())).await.exits(1).says("states:StartExecution");
        assert_eq!(stage.shares("42"), []);
        stage.assert_ended("41", "back");
        stage.rollout(optional(short())).await.exits(0).says("the rollout continues without it (--guard-optional)");

        let stage = Stage::story("hello").await;
        let machine = "other".to_owned();
        let other = Request { guard: Some(Guard { machine, optional: false }), ..short() };
        stage.rollout(other).await.exits(1).says("State Machine Does Not Exist").says("canaryctl guard template");
        assert_eq!(stage.shares("42"), []);

        // What passes is waited for, and a start whose answer was lost is the same start.
        let stage = Stage::story("hello").await;
        stage.with(|world| {
            world.add_fault(Fault::on("StartExecution", Effect::ServerError(500)).calls(1..=6));
            world.add_fault(Fault::on("StartExecution", Effect::LostAnswer).nth(7));
        });
        stage.rollout(guarded(short())).await.exits(0);
        assert_eq!(statuses(&stage).len(), 1);
    });
}

/// Somebody else moves all traffic to a version, and leaves the note as it is.
fn all_on(stage: &Stage, version: &str) {
    stage.with(|world| {
        let description = world.alias("hello", "Live").unwrap().description.clone();
        world.set_alias("hello", "Live", version, None).unwrap();
        world.describe_alias("hello", "Live", &description).unwrap();
    });
}

#[test]
fn what_a_person_or_another_process_does_after_a_death_stands() {
    play_on("hello", async |stage| {
        let reached = async || stage.until(|| stage.percents().last().is_some_and(|last| *last >= 30)).await;
        stage.killed(guarded(request()), reached()).await;
        stage.rollback(None).await;
        stage.until(|| statuses(&stage) == ["SUCCEEDED"]).await;
        assert_eq!(written(&stage), 0, "a person was first");

        let stage = Stage::story("hello").await;
        let reached = async || stage.until(|| stage.percents().last().is_some_and(|last| *last >= 30)).await;
        stage.killed(guarded(request()), reached()).await;
        stage.as_caller("SECOND").await.rollout(taking(guarded(request()), |wish| wish.take_over = true)).await.exits(0);
        stage.assert_ended("42", "promoted");
        stage.until(|| statuses(&stage) == ["SUCCEEDED", "SUCCEEDED"]).await;
        assert_eq!(written(&stage), 0, "another process resumed it");

        // Who cleared the weight has said something of the version: the same command does not start again.
        let stage = Stage::story("hello").await;
        let reached = async || stage.until(|| stage.percents().last().is_some_and(|last| *last >= 30)).await;
        stage.killed(guarded(request()), reached()).await;
        all_on(&stage, "41");
        stage.until(|| statuses(&stage) == ["SUCCEEDED"]).await;
        assert_eq!(written(&stage), 0, "it was cleared");
        stage.rollout(request()).await.exits(13);
        stage.assert_ended("41", "back");
        assert_eq!(stage.alias().await.note().unwrap().phase, rollout::note::Phase::Back(Cause::Hand));

        // A version that something else made the alias' own is not taken away.
        let stage = Stage::story("hello").await;
        let reached = async || stage.until(|| stage.percents().last().is_some_and(|last| *last >= 30)).await;
        stage.killed(guarded(request()), reached()).await;
        all_on(&stage, "42");
        stage.until(|| statuses(&stage) == ["SUCCEEDED"]).await;
        assert_eq!(
            (written(&stage), stage.with(|world| world.alias("hello", "Live").unwrap().version.clone())),
            (0, "42".to_owned())
        );
    });
}

#[test]
fn a_paused_rollout_is_guarded_as_any_other_and_one_that_was_left_on_purpose_is_not() {
    play_on("hello", async |stage| {
        let person = stage.as_caller("PERSON").await;
        let paused = async {
            stage.until(|| stage.percents().last().is_some_and(|last| *last >= 20)).await;
            let pause = Operation::Pause { span: Duration::from_hours(3), then: rollout::note::AfterPause::Resume };
            person.order(&subject(), pause).await;
            stage.sleep(1800).await;
            assert_eq!(written(&stage), 0, "its owner lives");
        };
        stage.killed(guarded(request()), paused).await;
        brought_back(&stage).await;

        let stage = Stage::story("hello").await;
        let held = with(guarded(request()), |policy| policy.on_interrupt = OnInterrupt::Hold);
        stage.rollout_until(&held, stage.sleep(150)).await.exits(30);
        stage.until(|| statuses(&stage) == ["SUCCEEDED"]).await;
        assert_eq!(written(&stage), 0);
    });
}

#[test]
fn a_write_on_a_revision_that_was_read_late_is_refused_and_tried_on_the_next() {
    play_on("hello", async |stage| {
        let reached = async || stage.until(|| stage.percents().last().is_some_and(|last| *last >= 30)).await;
        stage.killed(guarded(request()), reached()).await;
        let stale = Fault::on("GetAlias", Effect::StaleRead(Duration::from_mins(12))).from_caller("GUARD");
        stage.with(|world| world.add_fault(stale));
        stage.until(|| written(&stage) > 0).await;
        let refused = stage.with(|world| world.log().iter().filter(|call| call.caller == "GUARD" && call.status == 412).count());
        assert!(refused > 0);
        stage.assert_ended("41", "back");
        assert_eq!(statuses(&stage), ["SUCCEEDED"]);
    });
}

#[test]
fn a_plan_that_outlasts_a_guard_is_refused() {
    play_on("hello", async |stage| {
        let schedule = "Linear20PercentEvery1500Minutes".parse().unwrap();
        stage.rollout(guarded(Request { schedule, ..request() })).await.exits(3).says("a guard lasts for 4days");
        assert_eq!((stage.done("StartExecution"), stage.writes().len()), (0, 0));
    });
}
