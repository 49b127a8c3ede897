//! What a member of a group sees of the others is what it would see if it looked at each; and who is not called when one of them shows
//! something has nothing new to see, and most are not.

use std::time::Duration;

use crate::decide_tests::BEGUN;
use crate::gate::Gate;
use crate::group::{AtGate, Left, Member, News, Others, RollbackTrigger, Stage, Tally};
use crate::group_tests::group_plan;
use crate::note::AfterPause;
use crate::plan::{OnInterrupt, Plan};
use crate::{Cause, Time};

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

const STAGES: [Stage; 5] = [Stage::Outside, Stage::Claimed, Stage::Step(1), Stage::Step(2), Stage::Final];

/// Numbers that look like chance, and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, many: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap() % many
    }

    fn rarely(&mut self) -> bool {
        self.below(6) == 0
    }

    fn member(&mut self) -> Member {
        let left = [Left::Back(Cause::Group), Left::Back(Cause::Alarm), Left::Back(Cause::Signal), Left::Lost, Left::TakenOver];
        let (at, ended) = (STAGES[self.below(STAGES.len())], self.rarely());
        // Whoever has ended may go no further.
        let ready = if ended { at } else { STAGES[self.below(STAGES.len())] };
        Member {
            at,
            ready,
            left: self.rarely().then(|| left[self.below(left.len())]),
            committed: self.rarely(),
            ended,
            holds: self.rarely(),
            gate: self.rarely().then(|| [AtGate::Open(1), AtGate::Approved(1), AtGate::Approved(2)][self.below(3)]),
        }
    }
}

/// What the member at `place` sees of the others, by looking at each: what they show, and since when.
fn walk(members: &[(Member, Time)], place: usize, plan: &Plan, now: Time) -> Others {
    let alone = Stage::Final;
    let mut seen = Others {
        called: None,
        taken_over: false,
        committed: false,
        leads: true,
        moved: false,
        owned: false,
        under_way: false,
        open: false,
        before: alone,
        at: alone,
        ready: alone,
        last: None,
        gate_approved: None,
        gate_open: None,
        looked_at: None,
    };
    for (index, (name, (member, shown))) in NAMES.into_iter().zip(members).enumerate().filter(|(index, _)| *index != place) {
        let knows = |called: &RollbackTrigger| !matches!(called.cause, None | Some(Cause::Group));
        match member.left {
            // Who rolled back for a cause of its own says more than who came along.
            Some(Left::Back(Cause::Group)) if seen.called.as_ref().is_some_and(|called| called.cause.is_some()) => {}
            Some(Left::Back(cause)) if !seen.called.as_ref().is_some_and(knows) => {
                seen.called = Some(RollbackTrigger { by: name.to_owned(), cause: Some(cause) });
            }
            // Whoever has the first of them has them all; a later one that another process still has is lost.
            Some(Left::TakenOver) if index < place => seen.taken_over = true,
            Some(Left::Lost | Left::TakenOver) if seen.called.is_none() => {
                seen.called = Some(RollbackTrigger { by: name.to_owned(), cause: None });
            }
            Some(Left::Back(_) | Left::Lost | Left::TakenOver) | None => {}
        }
        match member.gate {
            Some(AtGate::Approved(step)) => seen.gate_approved = seen.gate_approved.max(Some(step)),
            Some(AtGate::Open(step)) => seen.gate_open = seen.gate_open.max(Some(step)),
            None => {}
        }
        if !plan.gates.is_empty() && !member.ended {
            seen.looked_at = Some(seen.looked_at.map_or(*shown, |first| first.min(*shown)));
        }
        seen.committed |= member.committed;
        seen.moved |= matches!(member.at, Stage::Step(_));
        let taken = |stage| matches!(stage, Stage::Claimed | Stage::Step(_));
        seen.owned |= taken(member.at) || taken(member.ready);
        seen.under_way |= !member.ended && member.at < Stage::Final;
        seen.open |= !member.ended && !member.holds && member.at < Stage::Final;
        // What it decided rests on evidence that grows old.
        let ready = if now.since(*shown) <= plan.freshness() { member.ready.max(member.at) } else { member.at };
        if index < place {
            // Nobody waits for a claim of one that has given up.
            seen.before = if member.ended { seen.before } else { seen.before.min(member.at) };
            seen.leads &= member.at == Stage::Final;
        }
        seen.at = seen.at.min(member.at);
        if ready < seen.ready {
            (seen.ready, seen.last) = (ready, Some(name.to_owned()));
        }
    }
    seen
}

fn tally(many: usize) -> Tally {
    Tally::new(NAMES[..many].iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_is_added_up_is_what_a_walk_sees() {
    let ungated = group_plan(OnInterrupt::RollBack);
    let gate = Gate { weight: ungated.schedule.weight(1), lasts: Duration::from_hours(1), then: AfterPause::RollBack };
    let gated = Plan { gates: vec![gate], ..ungated.clone() };
    let mut dice = Dice(11);
    let mut old = 0;
    for _ in 0..800 {
        let many = 1 + dice.below(NAMES.len());
        let plan = if dice.rarely() { &gated } else { &ungated };
        let (mut tally, mut now) = (tally(many), BEGUN);
        let mut shown = vec![(Member::UNKNOWN, Time::default()); many];
        for _ in 0..60 {
            now = now + Duration::from_secs(u64::try_from(dice.below(7)).unwrap());
            let place = dice.below(many);
            let member = if dice.rarely() { dice.member() } else { shown[dice.below(many)].0 };
            tally.show(place, member, now);
            shown[place] = (member, now);
            old += shown.iter().filter(|(_, at)| now.since(*at) > plan.freshness()).count();
            for one in 0..many {
                assert_eq!(tally.others(one, plan, now), walk(&shown, one, plan, now), "{one} of {shown:?}");
            }
        }
    }
    assert!(old > 1_000, "{old}");
}

#[test]
fn who_is_not_called_misses_nothing() {
    let plan = group_plan(OnInterrupt::RollBack);
    let mut dice = Dice(7);
    let (mut nobodys, mut some, mut everybodys) = (0, 0, 0);
    for _ in 0..400 {
        let many = 1 + dice.below(NAMES.len());
        let mut tally = tally(many);
        let mut shown = vec![Member::UNKNOWN; many];
        for place in 0..many {
            tally.show(place, Member::UNKNOWN, BEGUN);
        }
        for _ in 0..60 {
            // Few differ from each other at a time, as in a rollout.
            let place = dice.below(many);
            let member = if dice.rarely() { dice.member() } else { shown[dice.below(many)] };
            let before: Vec<Others> = (0..many).map(|place| tally.others(place, &plan, BEGUN)).collect();
            let news = tally.show(place, member, BEGUN);
            shown[place] = member;
            for one in (0..many).filter(|one| *one != place) {
                let called = match &news {
                    News::Nobodys => false,
                    News::Places(places) => places.contains(&one),
                    News::Everybodys => true,
                };
                let now = tally.others(one, &plan, BEGUN);
                let matters = std::iter::once(None).chain(STAGES.map(Some)).any(|stage| now.matter(&before[one], stage));
                assert!(called || !matters, "{one} is not called although {place} shows {member:?}: {shown:?}");
            }
            match news {
                News::Nobodys => nobodys += 1,
                News::Places(_) => some += 1,
                News::Everybodys => everybodys += 1,
            }
        }
    }
    assert!(nobodys > 1_000 && some > 100 && everybodys > 1_000, "{nobodys} {some} {everybodys}");
}
