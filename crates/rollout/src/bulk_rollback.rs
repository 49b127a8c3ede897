//! Whom does a rollback of many functions take? Every one whose rollout is in progress, and those that belong to it though they are final.

use std::collections::BTreeSet;

use crate::alias::{Alias, alias_state};
use crate::failure::Failure;
use crate::note::{Note, Phase, RolloutId};

/// What is to be done to one of the functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkRollback {
    /// Nothing: no such rollout is in progress.
    Nothing,
    /// It is brought back if one of these rollouts of it turns out to be in progress, or any where none is named: a finished one is not
    /// undone.
    IfUnderWay(Vec<RolloutId>),
    /// It is brought back as it is.
    Back,
}

/// One of the functions.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its alias, as far as it could be read.
    pub alias: Result<Option<&'a Alias>, Failure>,
    /// The rollouts of it that are meant; none where any is.
    pub meant: &'a [RolloutId],
}

/// What is to be done to each. One that is final already is a part of a rollout that others of it are in the midst of, and comes back with
/// them; any other that is finished is left alone.
pub fn bulk_rollback(functions: &[Found<'_>]) -> Vec<BulkRollback> {
    let notes: Vec<Option<Note>> = functions.iter().map(|found| found.alias.ok().flatten()?.note()).collect();
    let live = |(note, Found { meant, .. }): (&Option<Note>, &Found<'_>)| {
        let note = note.as_ref().filter(|note| !note.phase.is_terminal())?;
        (meant.is_empty() || meant.contains(&note.id)).then_some(note.id)
    };
    let live: BTreeSet<RolloutId> = notes.iter().zip(functions).filter_map(live).collect();
    let take = |(note, Found { alias, meant }): (&Option<Note>, &Found<'_>)| {
        let alias = match alias {
            // What is not there yet is not in progress.
            Err(Failure::NotFound) => return BulkRollback::Nothing,
            // Whose alias cannot be read may be.
            Err(_) => return BulkRollback::IfUnderWay(meant.to_vec()),
            Ok(alias) => alias,
        };
        match note.as_ref().filter(|note| live.contains(&note.id)) {
            // By its id: what ends meanwhile is not undone in its place.
            Some(note) if alias.is_some_and(|alias| alias_state(alias).live().is_some()) => {
                BulkRollback::IfUnderWay(vec![note.id])
            }
            // Changed by something else in its midst; or final by its plan, as a part of what others are in the midst of.
            Some(note) if !note.phase.is_terminal() || is_final(note) => BulkRollback::Back,
            Some(_) | None => BulkRollback::Nothing,
        }
    };
    notes.iter().zip(functions).map(take).collect()
}

/// Whether a plan made this version final; not a claim that was rolled back, nor a person.
fn is_final(note: &Note) -> bool {
    note.phase == Phase::Promoted && note.plan.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;
    use crate::decide_tests::plan;
    use crate::group_tests::{alias, as_noted, note, shift};

    /// Beside one that is in progress, and without it.
    #[test]
    fn what_is_under_way_comes_back_and_what_is_final_by_it_comes_along() {
        let plan = plan();
        let (id, meant) = (plan.id, [plan.id]);
        let end = note(&plan, Phase::Promoted);
        let other = Note { id: RolloutId(1), ..shift(&plan) };
        let running = as_noted(&shift(&plan));
        let under_way = BulkRollback::IfUnderWay(vec![id]);
        for (found, alone, beside) in [
            (Ok(Some(as_noted(&shift(&plan)))), under_way.clone(), under_way),
            (Ok(Some(as_noted(&end))), BulkRollback::Nothing, BulkRollback::Back),
            (Ok(Some(as_noted(&Note { plan: None, ..end.clone() }))), BulkRollback::Nothing, BulkRollback::Nothing),
            (Ok(Some(as_noted(&Note { id: RolloutId(1), ..end }))), BulkRollback::Nothing, BulkRollback::Nothing),
            (Ok(Some(as_noted(&note(&plan, Phase::Back(Cause::Alarm))))), BulkRollback::Nothing, BulkRollback::Nothing),
            (Ok(Some(as_noted(&other))), BulkRollback::Nothing, BulkRollback::Nothing),
            // Its share was cleared manually, and its note stands.
            (Ok(Some(alias(41, 0, Some(&shift(&plan))))), BulkRollback::Back, BulkRollback::Back),
            (Ok(Some(alias(41, 0, None))), BulkRollback::Nothing, BulkRollback::Nothing),
            (Ok(None), BulkRollback::Nothing, BulkRollback::Nothing),
            (Err(Failure::NotFound), BulkRollback::Nothing, BulkRollback::Nothing),
            (Err(Failure::Throttled), BulkRollback::IfUnderWay(vec![id]), BulkRollback::IfUnderWay(vec![id])),
        ] {
            let alias = found.as_ref().map(Option::as_ref).map_err(|failure| *failure);
            let found = Found { alias, meant: &meant };
            assert_eq!(bulk_rollback(&[found]), [alone], "{found:?}");
            assert_eq!(bulk_rollback(&[found, Found { alias: Ok(Some(&running)), meant: &[] }])[0], beside, "{found:?}");
        }
        assert_eq!(
            bulk_rollback(&[Found { alias: Ok(Some(&as_noted(&other))), meant: &[] }]),
            [BulkRollback::IfUnderWay(vec![RolloutId(1)])],
            "any is meant"
        );
    }
}
