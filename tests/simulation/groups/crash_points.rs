//! There is no call at which the death of a whole group's process does harm: every one is died at, just before it and just after it.
//!
//! Enumerated, not sampled. The same command is run again, all checks hold, and all versions are final or none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use controller::Interrupt;
use sim::Time;
use tokio::sync::watch;

use super::checks::judge;
use super::play::{roll_out, set};
use super::record::Record;
use super::story::{Act, Story, Trouble};
use crate::crash_points::Fuse;
use crate::play::on_stage;
use crate::record::{Role, Run};
use crate::stage::Part;
use crate::story::Asked;
use crate::tap::{Meddler, tapped};

/// Three functions, a canary of forty seconds, an alarm each and a bake.
fn story(bad: Option<(usize, Trouble)>) -> Story {
    Story {
        seed: 7,
        many: 3,
        asked: Asked {
            steps: vec![10, 100],
            every: Duration::from_secs(40),
            bake: Duration::from_secs(20),
            poll: Duration::from_secs(20),
            alarms: 1,
            ignore_red: false,
            blind_limit: Duration::from_mins(5),
            compares: false,
            hold_on_interrupt: false,
        },
        hooked: false,
        version_settle: Duration::from_secs(1),
        quotas: true,
        bad,
        weather: Vec::new(),
        // The deaths are the tests' own; for the checks this is a story that somebody disturbs.
        acts: vec![(Duration::ZERO, Act::Start { takes_over: false }), (Duration::ZERO, Act::Kill(0))],
    }
}

/// Plays a story whose process has a fuse, and runs the same command again.
fn play(story: &Story, fuse: &Arc<Fuse>) -> Record {
    on_stage(story.seed, async {
        let stage = set(story);
        let (_stop, heard) = watch::channel(Interrupt::None);
        let http = stage.account.http_client();
        let fused = tapped(http.clone(), Arc::clone(fuse) as Arc<dyn Meddler>);
        let part = |caller: &str, http| {
            roll_out(stage.clone(), (story.clone(), caller != "GROUP0"), Part::of(caller, http), heard.clone())
        };
        let run = |caller: &str, began: Time, ended| Run::of(caller, Role::Rollout, began, ended);
        let began = stage.now();
        let first = tokio::select! {
            biased;
            () = fuse.burnt.notified() => None,
            ended = part("GROUP0", fused) => Some(ended),
        };
        stage.clock.sleep(Duration::from_secs(3)).await;
        let again = stage.now();
        let second = part("GROUP1", http).await;
        let (ended, left) = first.unzip();
        let runs = vec![run("GROUP0", began, ended), run("GROUP1", again, Some(second.0))];
        stage.with(|world| Record::of(story, stage.opened, world, (runs, vec![left.unwrap_or_default(), second.1], Vec::new())))
    })
}

/// Dies at every call of a story, and says on which version all of them are then.
fn die_everywhere(name: &str, story: &Story, version: &str) {
    let unhurt = Arc::new(Fuse::default());
    let record = play(story, &unhurt);
    assert_eq!(judge(&record), [], "{name}, undisturbed\n{}", record.told());
    let calls = unhurt.passed.load(Ordering::Relaxed);
    let mut deaths = 0;
    for (call, gets_through) in (1..=calls).flat_map(|call| [(call, false), (call, true)]) {
        let record = play(story, &Arc::new(Fuse { at: Some((call, gets_through)), ..Fuse::default() }));
        let wrong = judge(&record);
        let side = if gets_through { "after" } else { "before" };
        assert!(wrong.is_empty(), "{name}, died just {side} call {call}: {wrong:#?}\n{}", record.told());
        let there = record.last.iter().all(|alias| alias.version == version && alias.weights.is_empty());
        assert!(there, "{name}, died just {side} call {call}\n{}", record.told());
        deaths += 1;
    }
    assert!(calls > 40, "{name} makes {calls} calls");
    println!("{name}: {calls} calls, {deaths} deaths survived");
}

#[test]
fn a_group_can_die_anywhere() {
    die_everywhere("a canary of three", &story(None), "42");
}

#[test]
fn a_group_can_die_anywhere_on_its_way_back() {
    let red = Trouble::Alarm(Duration::from_secs(30), Duration::from_mins(20));
    die_everywhere("a canary of three, one of them bad", &story(Some((1, red))), "41");
}
