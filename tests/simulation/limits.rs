//! Nothing lasts for ever: neither a rollout that cannot see, nor a rollback that AWS refuses.
//!
//! What ends before its limit is waited for. What does not ends the rollout: in time, and with the exit code that says so.

use std::time::Duration;

use sim::Effect;

use crate::checks::judge;
use crate::crash_points::{story, three};
use crate::play::play;
use crate::record::{Record, Run};
use crate::story::{Act, Edit, Story, Trouble, Weather, Wish};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What is over one operation, from when on.
type Over = (&'static str, Effect, Duration);

/// A rollout of one or of three that nobody disturbs but AWS, from then on and for so long.
fn under(many: usize, (operation, effect, from): Over, lasts: Duration) -> Story {
    let story = if many == 1 { story(&[10, 100], 180, 60) } else { three(None) };
    let weather = Weather { operation: Some(operation), of: None, effect, chance: 1.0, from, until: from + lasts };
    Story { weather: vec![weather], acts: vec![(Duration::ZERO, Act::Start(0, Wish::Wait))], ..story }
}

/// How the first process ended: its exit code, and how long after the opening.
fn ended(record: &Record) -> (u8, Duration) {
    let wrong = judge(record);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", record.text());
    let ended = record.rollouts().next().and_then(|run: &Run| run.ended.as_ref()).unwrap();
    (ended.code, ended.at.since(record.opened))
}

#[test]
fn what_cannot_be_seen_is_waited_for_up_to_the_limit_and_no_longer() {
    let failed = Effect::ServerError(500);
    for (many, over, patience) in [
        (1, ("DescribeAlarms", failed, MINUTE * 2), 1),
        (1, ("GetMetricData", failed, MINUTE * 2), 1),
        (1, ("DescribeAlarms", Effect::Deny, MINUTE * 2), 1),
        // Throttling passes by itself: it has three times as long.
        (1, ("DescribeAlarms", Effect::Throttle, MINUTE * 2), 3),
        (3, ("DescribeAlarms", failed, SECOND * 20), 1),
    ] {
        let limit = under(many, over, MINUTE).asked.blind_limit * patience;
        let waited = play(&under(many, over, limit.saturating_sub(MINUTE)));
        assert_eq!((ended(&waited).0, waited.all_on("42")), (0, true), "{many} {over:?}\n{}", waited.text());
        let lost = play(&under(many, over, limit * 4));
        let (code, at) = ended(&lost);
        assert_eq!((code, lost.all_on("41")), (12, true), "{many} {over:?}\n{}", lost.text());
        // It was seen up to a poll, of calls a minute and their lag, before; a look fails for some seconds.
        let since = over.2 + limit;
        assert!(since < at + MINUTE * 2 && at < since + MINUTE, "{many} {over:?}: {at:?}, not {since:?}\n{}", lost.text());
    }
}

#[test]
fn a_rollback_that_aws_refuses_is_tried_for_a_quarter_of_an_hour() {
    for many in [1, 3] {
        let (red, lasts) = (SECOND * if many == 1 { 120 } else { 50 }, MINUTE * 40);
        let denied = under(many, ("UpdateAlias", Effect::Deny, red.saturating_sub(SECOND)), lasts);
        let bad = Some((0, Trouble::Alarm(red, lasts)));
        let record = play(&Story { bad, ..denied });
        let (code, at) = ended(&record);
        let quarter = red + MINUTE * 15;
        assert_eq!(code, 20, "{}", record.text());
        assert!(quarter <= at && at < quarter + MINUTE, "{at:?}, not {quarter:?}\n{}", record.text());
        assert!(record.all_on("41"), "{}", record.text());
    }
}

/// It holds until a person ends it: nothing rises, whatever is due, and nothing is promoted.
#[test]
fn a_share_that_a_person_set_is_held_until_a_person_ends_it() {
    for (many, weight) in [(1, 0.02), (1, 0.4), (1, 1.0), (3, 0.4)] {
        let quiet = Story { weather: Vec::new(), ..under(many, ("GetAlias", Effect::Throttle, SECOND), SECOND) };
        let edit = (SECOND * if many == 1 { 100 } else { 30 }, Act::Edit(0, Edit::Weight(weight)));
        let record = play(&Story { acts: [quiet.acts.clone(), vec![edit]].concat(), ..quiet });
        let changes = record.changes();
        let edited = changes.iter().position(|change| change.call.caller == "CONSOLE").unwrap();
        let raised = changes[edited + 1..].iter().find(|change| change.raised() || change.promoted());
        assert!(raised.is_none() && record.all_on("41"), "{weight}\n{}", record.text());
        assert_eq!(ended(&record).0, 13, "{weight}\n{}", record.text());
    }
}
