//! One bad function among twenty brings all of them back, though AWS is at its worst and the process dies twice.

use std::time::Duration;

use sim::Effect;

use crate::checks::judge;
use crate::play::play;
use crate::stage::name;
use crate::story::{Act, Asked, Scene, Story, Trouble, Weather, Wish};

/// Twenty functions, of which one is bad: its alarm goes off in mid-rollout, AWS is at its worst, and the process dies twice.
fn twenty(seed: u64) -> Story {
    let second = Duration::from_secs;
    let story = Story::group(seed);
    let weather = |operation, effect, chance, (from, until), of| Weather {
        operation,
        of,
        effect,
        chance,
        from: second(from),
        until: second(until),
    };
    let asked =
        Asked { steps: vec![10, 50, 100], every: second(30), bake: second(30), poll: second(5), alarms: 1, ..story.asked };
    let starts = |at| (second(at), Act::Start(0, Wish::TakeOver));
    Story {
        many: 20,
        asked: Asked { blind_limit: second(120), hold_on_interrupt: false, ..asked },
        scene: Scene { pre_hook: None, post_hook: None, quotas: true, ..story.scene },
        bad: Some((13, Trouble::Alarm(second(75), second(600)))),
        weather: vec![
            weather(Some("UpdateAlias"), Effect::Throttle, 0.3, (30, 200), None),
            weather(None, Effect::Latency(Duration::from_millis(700)), 0.2, (30, 200), None),
            weather(Some("UpdateAlias"), Effect::LostAnswer, 0.3, (30, 200), None),
            weather(Some("UpdateAlias"), Effect::Deny, 1.0, (77, 130), Some(4)),
            weather(Some("UpdateAlias"), Effect::LateWrite(second(20)), 0.5, (60, 140), Some(9)),
            weather(Some("GetAlias"), Effect::StaleRead(Duration::from_millis(900)), 0.6, (0, 200), Some(7)),
        ],
        acts: vec![
            (Duration::ZERO, Act::Start(0, Wish::Wait)),
            (Duration::from_millis(40_000 + seed * 370), Act::Kill(0)),
            starts(44),
            (Duration::from_millis(78_000 + seed * 370), Act::Kill(0)),
            starts(88),
        ],
        ..story
    }
}

#[test]
fn one_bad_function_among_a_group_of_twenty_brings_all_back() {
    for seed in 0..3 {
        let record = play(&twenty(seed));
        let wrong = judge(&record);
        assert!(wrong.is_empty(), "{seed}: {wrong:#?}\n{}", record.text());
        for (member, last) in record.last.iter().enumerate() {
            let back = last.version == "41" && last.weights.is_empty() && last.description.contains(" back 41>42 ");
            assert!(back, "{seed}: {} stands at {last:?}\n{}", name(member), record.text());
        }
        let moved = record.changes().iter().filter(|change| change.raised()).count();
        assert!(moved >= 20, "{seed}: only {moved} shares rose");
    }
}
