//! How does the end of several functions read? Like any end, in at most ten lines.

use std::time::Duration;

use rollout::event::{EndReason, Event, EventKind, GroupOutcome, MemberEnding, RolloutSummary};
use rollout::format::duration;
use rollout::{Cause, OutcomeKind, ReasonKind};

use crate::alarm_reason::in_figures;
use crate::ending::{Block, Verdict};
use crate::rollout_state::Story;
use crate::safe::{clean_lines, one_line};
use crate::styled::Tone;

const NAMED: usize = 3;

/// How a group of functions ended, if these events are of a group.
pub(crate) fn outcome(events: &[Event]) -> Option<&GroupOutcome> {
    events.iter().rev().find_map(|event| if let EventKind::GroupOutcome(outcome) = &event.what { Some(&**outcome) } else { None })
}

/// One function of a group: its name, its outcome, the reason, and where its traffic is.
pub(crate) fn row(member: &MemberEnding) -> [String; 4] {
    let Block { verdict, why, now, .. } = Block::of(&Story::default(), &member.ending);
    [subject(member), format!("{} {}", verdict.mark(), verdict.word), why.first().cloned().unwrap_or_default(), now]
}

/// The ending of these events: the only one, or of a group the one that decided the exit code.
pub fn last_ending(events: &[Event]) -> Option<RolloutSummary> {
    let Some(outcome) = outcome(events) else { return events.iter().rev().find_map(Event::ending).cloned() };
    let member = deciding(outcome).into_iter().next().or(outcome.members.first())?;
    let reason = EndReason { detail: why(member), ..member.ending.reason.clone() };
    Some(RolloutSummary { exit_code: outcome.exit_code, reason, traffic: now(outcome), ..member.ending.clone() })
}

impl Block {
    pub(crate) fn of_a_group(outcome: &GroupOutcome) -> Self {
        let took = outcome.members.iter().map(|member| member.ending.took_ms).max().unwrap_or(0);
        let spent = if took > 0 { format!("took {}", duration(Duration::from_millis(took))) } else { String::new() };
        let deciding = deciding(outcome);
        // No command undoes several finished rollouts: each needs its own.
        let promoted: Vec<_> = outcome.members.iter().filter(|member| member.ending.outcome == OutcomeKind::Promoted).collect();
        let (about, each) = if outcome.exit_code == 0 { (&promoted, 1) } else { (&deciding, 2) };
        let next = about.iter().flat_map(|member| member.ending.next.iter().take(each)).map(|command| one_line(command));
        Self {
            verdict: verdict(outcome),
            spent,
            why: deciding.iter().map(|member| why(member)).collect(),
            logged: Vec::new(),
            exposed: None,
            now: now(outcome),
            next: next.take(NAMED).collect(),
        }
    }
}

/// The members that decided the exit code: those with their own cause if there are any. Of a success the first promoted one.
fn deciding(outcome: &GroupOutcome) -> Vec<&MemberEnding> {
    let members = || outcome.members.iter();
    let code = |member: &&MemberEnding| member.ending.exit_code == outcome.exit_code;
    if outcome.exit_code == 0 {
        return members().filter(|member| member.ending.outcome == OutcomeKind::Promoted).take(1).collect();
    }
    let own = |member: &&MemberEnding| !matches!(member.ending.reason.kind, ReasonKind::Cause(Cause::Group) | ReasonKind::HeldUp);
    let found: Vec<_> = members().filter(code).filter(own).take(NAMED).collect();
    if found.is_empty() { members().filter(code).take(1).collect() } else { found }
}

fn subject(member: &MemberEnding) -> String {
    one_line(&format!("{}:{}", member.function, member.alias))
}

fn why(member: &MemberEnding) -> String {
    let lines = clean_lines(&member.ending.reason.detail);
    format!("{}: {}", subject(member), lines.first().map(|first| in_figures(first)).unwrap_or_default())
}

fn verdict(outcome: &GroupOutcome) -> Verdict {
    let all = outcome.members.len();
    let count = |kind: OutcomeKind| outcome.members.iter().filter(|member| member.ending.outcome == kind).count();
    let functions = |count: usize| if count == 1 { "1 function".to_owned() } else { format!("{count} functions") };
    let (promoted, rolled_back) = (count(OutcomeKind::Promoted), count(OutcomeKind::RolledBack));
    let (unchanged, refused) = (count(OutcomeKind::Unchanged), count(OutcomeKind::Refused));
    let every = functions(all);
    let (tone, word, sentence) = match outcome.exit_code {
        0 if count(OutcomeKind::Detached) > 0 => {
            let detached = functions(count(OutcomeKind::Detached));
            (Tone::Good, "DETACHED", format!("{detached}: the rollout continues by turns, without this process"))
        }
        0 if promoted == 0 => (Tone::Good, "NOTHING TO ROLL OUT", format!("{every}: traffic unchanged")),
        0 if promoted == all => (Tone::Good, "PROMOTED", format!("all {every} are on their new versions")),
        0 => (Tone::Good, "PROMOTED", format!("{promoted} of {every} are on new versions; the others had nothing new")),
        3 if unchanged == all => (Tone::Bad, "NOTHING TO ROLL OUT", format!("{every}, but a change is required")),
        3 if refused == all => (Tone::Bad, "REFUSED", format!("{every}: traffic unchanged")),
        3 => (Tone::Bad, "REFUSED", format!("{refused} of {every}")),
        20 => {
            let unconfirmed = count(OutcomeKind::RollbackUnconfirmed);
            (Tone::Bad, "ROLLBACK NOT CONFIRMED", format!("{unconfirmed} of {every}: page someone"))
        }
        30 => {
            let left = functions(count(OutcomeKind::LeftInProgress));
            (Tone::Warn, "LEFT IN PROGRESS", format!("{left} keep their traffic"))
        }
        21 => (Tone::Bad, "SUPERSEDED", format!("{} of {every}", count(OutcomeKind::Superseded))),
        _ if rolled_back > 0 && rolled_back + unchanged + refused == all => {
            (Tone::Bad, "ROLLED BACK", format!("all {every} stay on their stable versions"))
        }
        _ if rolled_back > 0 => (Tone::Bad, "ROLLED BACK", format!("{rolled_back} of {every}")),
        _ => (Tone::Bad, "FAILED", format!("{} of {every}", count(OutcomeKind::Failed))),
    };
    Verdict { tone, word, sentence }
}

/// Where the traffic of all of them is, grouped by outcome.
fn now(outcome: &GroupOutcome) -> String {
    let kinds = [
        (OutcomeKind::Promoted, "on new versions"),
        (OutcomeKind::RolledBack, "on stable"),
        (OutcomeKind::Unchanged, "unchanged"),
        (OutcomeKind::Refused, "unchanged"),
        (OutcomeKind::LeftInProgress, "in progress"),
        (OutcomeKind::Detached, "detached"),
        (OutcomeKind::Superseded, "with another owner"),
        (OutcomeKind::Failed, "failed"),
        (OutcomeKind::RollbackUnconfirmed, "NOT CONFIRMED"),
    ];
    let mut places: Vec<String> = Vec::new();
    for (kind, place) in kinds {
        let these: Vec<_> = outcome.members.iter().filter(|member| member.ending.outcome == kind).collect();
        places.extend(match these.len() {
            0 => None,
            count if count == outcome.members.len() => Some(format!("all {count} {place}")),
            1..=NAMED => Some(format!("{} {place}", these.into_iter().map(subject).collect::<Vec<_>>().join(", "))),
            count => Some(format!("{count} {place}")),
        });
    }
    places.join("; ")
}
