//! There is no call at which a death does harm: every one that a story makes is died at, just before it and just after it.
//!
//! Enumerated, not sampled. Whoever comes next finishes, and all checks hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use controller::{Guard, Interrupt, Request};
use sim::CallRecord;
use tokio::sync::{Notify, watch};

use crate::checks::judge;
use crate::harness::tap::{Answered, Meddler, Onward, tapped};
use crate::harness::{Part, in_virtual_time};
use crate::play::{roll_back, rollout};
use crate::record::{Change, Ended, Record, Role, Run};
use crate::stage::{Stage, requests};
use crate::story::{Act, Asked, Guarding, Manner, Scene, Story, Trouble, Wish};
use crate::turns::{Turns, driven};

/// Counts calls, and dies at one of them.
#[derive(Debug, Default)]
struct Fuse {
    passed: AtomicUsize,
    /// The call, from 1, and whether it still gets through.
    at: Option<(usize, bool)>,
    burnt: Notify,
}

impl Meddler for Fuse {
    fn carry(
        self: Arc<Self>,
        request: http::Request<Bytes>,
        onward: Onward,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answered> + Send>> {
        Box::pin(async move {
            let call = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
            let Some((_, gets_through)) = self.at.filter(|(at, _)| *at == call) else { return onward.send(request).await };
            if gets_through {
                onward.drop_off(request).await;
            }
            self.burnt.notify_one();
            std::future::pending().await
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Rollout,
    /// One that goes on with a rollout whose owner died.
    ReRun,
    /// Somebody who rolls back a rollout that is under way.
    RollBackLive,
    /// Somebody who rolls back one that is finished.
    RollBackDone,
}

pub(crate) fn story(steps: &[u16], every: u64, bake: u64) -> Story {
    Story {
        seed: 7,
        many: 1,
        scene: Scene {
            error_rate: 0.0,
            traffic: 1.0,
            pre_hook: Some(Manner::Succeeds),
            post_hook: Some(Manner::Succeeds),
            signals: [true, false],
            text: "Anna's",
            published: false,
            first: false,
            refused: false,
            provisioning: Duration::ZERO,
            version_settle: Duration::from_secs(1),
            metric_lag: Duration::from_secs(5),
            evaluation_delay: Duration::from_secs(5),
            quotas: true,
            told: None,
        },
        asked: Asked {
            steps: steps.to_vec(),
            every: Duration::from_secs(every),
            bake: Duration::from_secs(bake),
            poll: Duration::from_secs(20),
            alarms: 1,
            ignore_red: false,
            blind_limit: Duration::from_mins(5),
            compares: true,
            hold_on_interrupt: false,
            gates: Vec::new(),
        },
        bad: None,
        weather: Vec::new(),
        guard: Guarding::No,
        pace: 1.0,
        turns: None,
        // The deaths are the tests' own; for the checks this is a story that somebody disturbs.
        acts: vec![(Duration::ZERO, Act::Start(0, Wish::Wait)), (Duration::ZERO, Act::Kill(0))],
    }
}

/// Plays a story in which `victim` has a fuse, and lets others finish what it leaves.
fn play(story: &Story, victim: Victim, next: Wish, fuse: &Arc<Fuse>) -> Record {
    in_virtual_time(story.seed, async {
        let stage = Stage::set(story);
        let (_stop, heard) = watch::channel(Interrupt::None);
        let http = stage.account.http_client();
        let fused = tapped(http.clone(), Arc::clone(fuse) as Arc<dyn Meddler>);
        let part = |caller: &str, http| Part { http, ..Part::of(&stage.account, caller) };
        let roll_out = |caller: &str, wish, http| {
            driven(stage.clone(), requests(story, wish), part(caller, http), heard.clone(), story.turns)
        };
        let roll_back = |caller: &str, http| roll_back(stage.clone(), part(caller, http), 0, None);
        let person = |caller, began, ended| Run { member: Some(0), ..Run::of(caller, Role::RollBack, began, ended) };
        // Whoever is not the victim dies at no call, but in time for the victim to find it under way.
        let (first, patience) = match victim {
            Victim::Rollout => (fused.clone(), FOREVER),
            Victim::RollBackDone => (http.clone(), FOREVER),
            Victim::RollBackLive | Victim::ReRun => (http.clone(), story.asked.every + Duration::from_secs(30)),
        };
        let began = stage.now();
        let ended = tokio::select! {
            biased;
            () = fuse.burnt.notified() => None,
            ended = roll_out("ROLLOUT0", Wish::Wait, first) => Some(ended),
            () = stage.clock.0.sleep(patience) => None,
        };
        let mut runs = vec![Run::of("ROLLOUT0", Role::Rollout, began, ended)];
        let began = stage.now();
        match victim {
            Victim::Rollout => {}
            Victim::ReRun => {
                let ended = mortal(fuse, roll_out("ROLLOUT1", Wish::TakeOver, fused)).await;
                runs.push(Run::of("ROLLOUT1", Role::Rollout, began, ended));
            }
            Victim::RollBackLive | Victim::RollBackDone => {
                let ended = mortal(fuse, roll_back("PERSON1", fused)).await;
                runs.push(person("PERSON1", began, ended));
            }
        }
        stage.clock.0.sleep(Duration::from_secs(3)).await;
        let began = stage.now();
        runs.push(match victim {
            Victim::Rollout | Victim::ReRun => {
                Run::of("ROLLOUT2", Role::Rollout, began, Some(roll_out("ROLLOUT2", next, http).await))
            }
            Victim::RollBackLive | Victim::RollBackDone => person("PERSON2", began, Some(roll_back("PERSON2", http).await)),
        });
        stage.with(|world| Record::of(story, stage.opened, world, runs))
    })
}

/// Nothing, if the fuse burns first.
async fn mortal(fuse: &Fuse, part: impl Future<Output = Ended>) -> Option<Ended> {
    tokio::select! {
        biased;
        () = fuse.burnt.notified() => None,
        ended = part => Some(ended),
    }
}

const FOREVER: Duration = Duration::from_hours(9);

/// Dies at every call of a story, and gives how many deaths that were. `next` is how the one that finishes comes to it.
fn die_everywhere(name: &str, story: &Story, victim: Victim, next: Wish) -> usize {
    let finished = if matches!(victim, Victim::Rollout | Victim::ReRun) && story.bad.is_none() { "42" } else { "41" };
    let unhurt = Arc::new(Fuse::default());
    let record = play(story, victim, next, &unhurt);
    assert_eq!(judge(&record), [], "{name}, undisturbed\n{}", record.text());
    let calls = unhurt.passed.load(Ordering::Relaxed);
    assert!(calls >= 2, "{name} makes no calls");
    let (mut deaths, mut unheard) = (0, 0);
    for call in 1..=calls {
        for gets_through in [false, true] {
            let record = play(story, victim, next, &Arc::new(Fuse { at: Some((call, gets_through)), ..Fuse::default() }));
            let wrong = judge(&record);
            let side = if gets_through { "after" } else { "before" };
            assert!(wrong.is_empty(), "{name}, died just {side} call {call}: {wrong:#?}\n{}", record.text());
            // No other turn hears the answer that one was waiting for when it died: then the hook has failed at its deadline.
            let lost = story.turns.is_some() && record.last.iter().all(|alias| alias.description.contains(" post_hook "));
            unheard += usize::from(lost);
            let ends = if lost { "41" } else { finished };
            assert!(record.all_on(ends), "{name}, died just {side} call {call}\n{}", record.text());
            deaths += 1;
        }
    }
    // After it was announced, before and after it was asked, and before its answer is written.
    assert!(unheard <= 4, "{name}: {unheard}");
    assert!(story.many == 1 || calls > 40, "{name} makes {calls} calls");
    println!("{name}: {calls} calls, {deaths} deaths survived");
    deaths
}

#[test]
fn all_at_once_can_die_anywhere() {
    die_everywhere("AllAtOnce", &story(&[100], 1, 180), Victim::Rollout, Wish::Wait);
}

#[test]
fn canary_can_die_anywhere() {
    die_everywhere("Canary10Percent5Minutes", &story(&[10, 100], 300, 180), Victim::Rollout, Wish::TakeOver);
}

#[test]
fn linear_can_die_anywhere() {
    let steps: Vec<u16> = (1..=10).map(|ten| ten * 10).collect();
    die_everywhere("Linear10PercentEvery1Minute", &story(&steps, 60, 180), Victim::Rollout, Wish::TakeOver);
}

/// The process that begins it, and any turn of it; those that come after go on.
#[test]
fn a_detached_rollout_can_die_anywhere() {
    let minute = Duration::from_mins(1);
    let turns = Some(Turns { every: minute, lasts: Duration::ZERO, twice: None });
    let alone = Story { turns, ..story(&[10, 100], 60, 30) };
    let deaths = die_everywhere("Canary10Percent1Minute by turns", &alone, Victim::Rollout, Wish::Wait);
    assert!(deaths > 80, "{deaths}");
}

#[test]
fn a_detached_group_can_die_anywhere() {
    let turns = Some(Turns { every: Duration::from_mins(1), lasts: Duration::ZERO, twice: None });
    let together = Story { turns, ..three(None) };
    die_everywhere("a canary of three by turns", &together, Victim::Rollout, Wish::Wait);
}

#[test]
fn a_second_process_can_die_anywhere_too() {
    die_everywhere("a re-run of Canary10Percent1Minute", &story(&[10, 100], 60, 180), Victim::ReRun, Wish::TakeOver);
}

#[test]
fn a_rollback_can_die_anywhere() {
    let story = story(&[10, 100], 60, 30);
    let live = die_everywhere("rollback of a live rollout", &story, Victim::RollBackLive, Wish::Wait);
    let done = die_everywhere("rollback of a finished one", &story, Victim::RollBackDone, Wish::Wait);
    // Two calls each, and two ways to die at each.
    assert_eq!((live, done), (4, 4));
}

/// Three functions, a canary of forty seconds, an alarm each and a bake.
pub(crate) fn three(bad: Option<(usize, Trouble)>) -> Story {
    let one = story(&[10, 100], 40, 20);
    let scene = Scene { pre_hook: None, post_hook: None, traffic: 0.0, ..one.scene };
    Story { many: 3, scene, asked: Asked { compares: false, ..one.asked }, bad, ..one }
}

#[test]
fn a_group_can_die_anywhere() {
    die_everywhere("a canary of three", &three(None), Victim::Rollout, Wish::TakeOver);
}

#[test]
fn a_group_can_die_anywhere_on_its_way_back() {
    let red = Trouble::Alarm(Duration::from_secs(30), Duration::from_mins(20));
    die_everywhere("a canary of three, one of them bad", &three(Some((1, red))), Victim::Rollout, Wish::TakeOver);
}

/// Only a process that dies between the commit and the last of them leaves this to a re-run.
#[test]
fn what_a_group_has_committed_is_finished_though_an_alarm_goes_off() {
    let unhurt = play(&three(None), Victim::Rollout, Wish::TakeOver, &Arc::default());
    let commit = unhurt.changes().into_iter().find(Change::promoted).unwrap().call.clone();
    let before = |call: &&CallRecord| call.caller == commit.caller && call.seq <= commit.seq;
    let number = unhurt.log.iter().filter(before).count();
    let after = commit.at.since(unhurt.opened) + Duration::from_millis(1_500);
    for member in 0..3 {
        let red = three(Some((member, Trouble::Alarm(after, Duration::from_mins(20)))));
        let fuse = Arc::new(Fuse { at: Some((number, true)), ..Fuse::default() });
        let record = play(&red, Victim::Rollout, Wish::TakeOver, &fuse);
        let committed = record.changes().iter().filter(|change| change.promoted()).count();
        let codes: Vec<_> = record.runs.iter().map(Run::code).collect();
        assert_eq!((judge(&record), committed, codes), (vec![], 3, vec![None, Some(0)]), "{member} is bad\n{}", record.text());
    }
}

/// Plays a story in which the process that has the fuse is guarded, and gives what the alias was once no guard was left, and how late after
/// the lease the guard wrote, if it did. Then somebody runs the same command again.
fn play_guarded(story: &Story, fuse: &Arc<Fuse>) -> (Record, Vec<(String, usize)>, Option<i64>) {
    in_virtual_time(story.seed, async {
        let stage = Stage::set(story);
        stage.with(|world| drop(world.create_guard("canaryctl-guard")));
        let (_stop, heard) = watch::channel(Interrupt::None);
        let http = stage.account.http_client();
        let fused = tapped(http.clone(), Arc::clone(fuse) as Arc<dyn Meddler>);
        let part = |caller: &str, http| Part { http, ..Part::of(&stage.account, caller) };
        let guard = || Some(Guard { machine: "canaryctl-guard".to_owned(), optional: false });
        let guarded = |wish| requests(story, wish).into_iter().map(|request| Request { guard: guard(), ..request }).collect();
        let began = stage.now();
        let first = rollout(stage.clone(), guarded(Wish::Wait), part("ROLLOUT0", fused), heard.clone());
        let ended = mortal(fuse, first).await;
        let lives = ended.is_some();
        let running = || stage.with(|world| world.guards().iter().any(|(_, status, _)| *status == "RUNNING"));
        while running() {
            stage.clock.0.sleep(Duration::from_secs(1)).await;
        }
        let record = stage.with(|world| Record::of(story, stage.opened, world, Vec::new()));
        let there = record.last.iter().map(|alias| (alias.version.clone(), alias.weights.len())).collect();
        let late = record.changes().iter().find(|change| change.call.caller == "GUARD").map(|change| {
            let lease = change.noted_before.as_ref().and_then(|note| note.time("l")).unwrap();
            change.call.at.as_millis() - lease * 1_000
        });
        // It acts for the rollout that it guards, and has no end of its own.
        let mut runs = vec![Run::of("ROLLOUT0", Role::Rollout, began, ended), Run::of("GUARD", Role::Rollout, began, None)];
        if !lives {
            let began = stage.now();
            let again = rollout(stage.clone(), guarded(Wish::TakeOver), part("ROLLOUT2", http), heard.clone());
            runs.push(Run::of("ROLLOUT2", Role::Rollout, began, Some(again.await)));
        }
        (stage.with(|world| Record::of(story, stage.opened, world, runs)), there, late)
    })
}

/// Wherever a guarded process dies, all traffic is on one version once the guard is done, and the same command begins again.
#[test]
fn with_a_guard_a_rollout_can_die_anywhere_and_is_on_stable_within_three_minutes_of_its_lease() {
    for (name, story) in [("canary", story(&[10, 100], 120, 60)), ("all at once", story(&[100], 1, 60))] {
        let unhurt = Arc::new(Fuse::default());
        let (record, there, late) = play_guarded(&story, &unhurt);
        assert_eq!((judge(&record), there, late), (vec![], vec![("42".to_owned(), 0)], None), "{name}\n{}", record.text());
        let calls = unhurt.passed.load(Ordering::Relaxed);
        let mut brought_back = 0;
        for (call, gets_through) in (1..=calls).flat_map(|call| [(call, false), (call, true)]) {
            let fuse = Arc::new(Fuse { at: Some((call, gets_through)), ..Fuse::default() });
            let (record, there, late) = play_guarded(&story, &fuse);
            let side = if gets_through { "after" } else { "before" };
            let died = || format!("{name}, died just {side} call {call}\n{}", record.text());
            assert!(there.iter().all(|(_, weights)| *weights == 0), "{there:?} {}", died());
            assert!(late.is_none_or(|late| (120_000..=180_000).contains(&late)), "{late:?} {}", died());
            assert_eq!(judge(&record), [], "{}", died());
            assert!(record.all_on("42"), "{}", died());
            brought_back += usize::from(late.is_some());
        }
        println!("{name}: {calls} calls, brought back {brought_back} times");
        assert!(calls > 40 && brought_back > calls, "{name}: {brought_back} of {calls}");
    }
}
