//! There is no call at which a death does harm: every one that a story makes is died at, just before it and just after it.
//!
//! Enumerated, not sampled. Whoever comes next finishes, and all checks hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use controller::Interrupt;
use tokio::sync::{Notify, watch};

use crate::checks::judge;
use crate::play::{on_stage, roll_back, rollout};
use crate::record::{Ended, Record, Role, Run};
use crate::stage::{Part, Stage, request};
use crate::story::{Act, Asked, Manner, Scene, Story, Wish};
use crate::tap::{Answered, Meddler, Onward, tapped};

/// Counts calls, and dies at one of them.
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    pub(crate) passed: AtomicUsize,
    /// The call, from 1, and whether it still gets through.
    pub(crate) at: Option<(usize, bool)>,
    pub(crate) burnt: Notify,
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

/// Who dies.
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

fn story(steps: &[u16], every: u64, bake: u64) -> Story {
    Story {
        seed: 7,
        scene: Scene {
            error_rate: 0.0,
            traffic: 1.0,
            pre_hook: Some(Manner::Succeeds),
            post_hook: Some(Manner::Succeeds),
            text: "Anna's",
            published: false,
            first: false,
            version_settle: Duration::from_secs(1),
            metric_lag: Duration::from_secs(5),
            evaluation_delay: Duration::from_secs(5),
            quotas: true,
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
        },
        weather: Vec::new(),
        // The deaths are the tests' own; for the checks this is a story that somebody disturbs.
        acts: vec![(Duration::ZERO, Act::Start(0, Wish::Wait)), (Duration::ZERO, Act::Kill(0))],
    }
}

/// Plays a story in which `victim` has a fuse, and lets others finish what it leaves.
fn play(story: &Story, victim: Victim, next: Wish, fuse: &Arc<Fuse>) -> Record {
    on_stage(story.seed, async {
        let stage = Stage::set(story);
        let (_stop, heard) = watch::channel(Interrupt::None);
        let http = stage.account.http_client();
        let fused = tapped(http.clone(), Arc::clone(fuse) as Arc<dyn Meddler>);
        let roll_out =
            |caller: &str, wish, http| rollout(stage.clone(), request(story, wish), Part::of(caller, http), heard.clone());
        let roll_back = |caller: &str, http| roll_back(stage.clone(), caller.to_owned(), None, http);
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
            () = stage.clock.sleep(patience) => None,
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
                runs.push(Run::of("PERSON1", Role::RollBack, began, ended));
            }
        }
        stage.clock.sleep(Duration::from_secs(3)).await;
        let began = stage.now();
        runs.push(match victim {
            Victim::Rollout | Victim::ReRun => {
                Run::of("ROLLOUT2", Role::Rollout, began, Some(roll_out("ROLLOUT2", next, http).await))
            }
            Victim::RollBackLive | Victim::RollBackDone => {
                Run::of("PERSON2", Role::RollBack, began, Some(roll_back("PERSON2", http).await))
            }
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
    let unhurt = Arc::new(Fuse::default());
    let record = play(story, victim, next, &unhurt);
    assert_eq!(judge(&record), [], "{name}, undisturbed\n{}", record.told());
    let calls = unhurt.passed.load(Ordering::Relaxed);
    assert!(calls >= 2, "{name} makes no calls");
    let mut deaths = 0;
    for call in 1..=calls {
        for gets_through in [false, true] {
            let record = play(story, victim, next, &Arc::new(Fuse { at: Some((call, gets_through)), ..Fuse::default() }));
            let wrong = judge(&record);
            let side = if gets_through { "after" } else { "before" };
            assert!(wrong.is_empty(), "{name}, died just {side} call {call}: {wrong:#?}\n{}", record.told());
            let finished = if matches!(victim, Victim::Rollout | Victim::ReRun) { "42" } else { "41" };
            let (version, weights) = (&record.last.version, &record.last.weights);
            assert!(version == finished && weights.is_empty(), "{name}, died just {side} call {call}\n{}", record.told());
            deaths += 1;
        }
    }
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
