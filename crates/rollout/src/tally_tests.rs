//! Who is not called when a member of a group shows something has nothing new to see; and most are not.

use crate::Cause;
use crate::decide_tests::BEGUN;
use crate::group::{AtGate, Left, Member, News, Others, Stage, Tally, others};
use crate::group_tests::group_plan;
use crate::plan::OnInterrupt;

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
        Member {
            at: STAGES[self.below(STAGES.len())],
            ready: STAGES[self.below(STAGES.len())],
            left: self.rarely().then(|| left[self.below(left.len())]),
            committed: self.rarely(),
            ended: self.rarely(),
            holds: self.rarely(),
            gate: self.rarely().then(|| [AtGate::Open(1), AtGate::Approved(1), AtGate::Approved(2)][self.below(3)]),
        }
    }
}

#[test]
fn who_is_not_called_misses_nothing() {
    let plan = group_plan(OnInterrupt::RollBack);
    let mut dice = Dice(7);
    let (mut nobodys, mut some, mut everybodys) = (0, 0, 0);
    for _ in 0..400 {
        let many = 1 + dice.below(NAMES.len());
        let mut tally = Tally::new(many);
        let mut shown = vec![Member::UNKNOWN; many];
        let seen = |shown: &[Member], place: usize| {
            others(NAMES.into_iter().zip(shown).map(|(name, member)| (name, *member, BEGUN)), place, &plan, BEGUN)
        };
        for _ in 0..60 {
            // Few differ from each other at a time, as in a rollout.
            let place = dice.below(many);
            let member = if dice.rarely() { dice.member() } else { shown[dice.below(many)] };
            let before: Vec<Others> = (0..many).map(|place| seen(&shown, place)).collect();
            let news = tally.show(place, member);
            shown[place] = member;
            for one in (0..many).filter(|one| *one != place) {
                let called = match &news {
                    News::Nobodys => false,
                    News::Places(places) => places.contains(&one),
                    News::Everybodys => true,
                };
                let now = seen(&shown, one);
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
