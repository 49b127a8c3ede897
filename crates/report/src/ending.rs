//! How does a rollout's end read? Always in this shape: verdict, why, where the traffic is, what to type next. Ten lines at
//! most, but for a refusal that has more to list.

use std::time::Duration;

use rollout::event::{Event, RolloutSummary};
use rollout::format::{duration, grouped, rate};
use rollout::health::clock;
use rollout::{Cause, OutcomeKind, ReasonKind, Version, Weight};

use crate::alarm_reason::in_figures;
use crate::format::{version, wrapped};
use crate::rollout_state::Story;
use crate::safe::{clean_lines, one_line};
use crate::styled::{Line, Tone, row};

/// The block that ends a rollout's output, told from its last event alone; `None` for any other event. Every line is ended.
///
/// The reporters, which saw the events before it, know more and say more.
pub fn end_block(event: &Event) -> Option<String> {
    let mut story = Story::default();
    story.add(event);
    let ending = event.ending()?;
    Some(lines(&Block::of(&story, ending), None).into_iter().map(|line| line.render(usize::MAX, false) + "\n").collect())
}

/// The end in words, for whoever lays it out.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) verdict: Verdict,
    /// What it took, as far as it is known; nothing where nobody counted.
    pub(crate) spent: String,
    /// The reason, and what a log said about it.
    pub(crate) why: Vec<String>,
    /// How many calls a version that was taken back had.
    pub(crate) exposed: Option<String>,
    /// Where the traffic is.
    pub(crate) now: String,
    /// Commands, most useful first.
    pub(crate) next: Vec<String>,
}

impl Block {
    pub(crate) fn of(story: &Story, ending: &RolloutSummary) -> Self {
        Self {
            verdict: verdict(story, ending),
            spent: spent(ending),
            why: why(story, ending),
            exposed: exposed(ending),
            now: now(story, ending),
            next: ending.next.iter().map(|command| one_line(command)).collect(),
        }
    }

    /// The block of a rollout whose events stop before its end.
    pub(crate) fn unfinished(story: &Story) -> Self {
        let share = story.share.filter(|_| story.restored.is_none());
        let on = |version: Option<Version>| version.map_or_else(String::new, |version| format!(" on {version}"));
        let now = match (share, story.promoted || story.created) {
            (_, true) => format!("{}{}, as last told", Weight::FULL, on(story.candidate)),
            (Some(share), false) => format!("{}{}, as last told", share.weight, on(story.candidate)),
            (None, false) => format!("{}{}, as last told", Weight::FULL, on(story.stable())),
        };
        let sentence = format!("{}: the events stop before the end", story.subject());
        Self {
            verdict: Verdict { tone: Tone::Warn, mark: '▸', word: "NO END", sentence },
            spent: String::new(),
            why: vec!["its process is still running, or was killed; the same command run again goes on with it".to_owned()],
            exposed: None,
            now,
            next: vec![format!("canaryctl status {}", story.subject())],
        }
    }
}

/// The lines of the end. Within `width` columns the spans of time get a line of their own.
pub(crate) fn lines(block: &Block, width: Option<usize>) -> Vec<Line> {
    let Block { verdict, spent, .. } = block;
    let mut first = Line::default().with(verdict.tone, format!("{} {}", verdict.mark, verdict.word));
    first = first.with(Tone::Strong, format!("   {}", verdict.sentence));
    let together = width.is_none_or(|width| first.width().max(SPENT_AT) + 2 + Line::plain(spent.as_str()).width() <= width);
    let mut told = Vec::new();
    if spent.is_empty() {
        told.push(first);
    } else if together {
        told.push(first.padded(SPENT_AT).with(Tone::Plain, format!("  {spent}")));
    } else {
        told.extend([first, row("took").with(Tone::Plain, spent.trim_start_matches("took "))]);
    }
    let within = |text: &str| width.map_or_else(|| vec![text.to_owned()], |width| wrapped(text, width.saturating_sub(TEXT_AT)));
    told.extend(rows("why", &block.why.iter().flat_map(|text| within(text)).collect::<Vec<_>>()));
    told.extend(block.exposed.iter().flat_map(|text| rows("exposed", &within(text))));
    told.extend(rows("now", &within(&block.now)));
    told.extend(rows("next", &next(&block.next, width)));
    told
}

/// Where the spans of time stand, counted in columns, so that the blocks of many rollouts line up.
const SPENT_AT: usize = 56;

/// Where the texts of the rows begin.
const TEXT_AT: usize = 12;

/// How many lines a reason may take.
const WHY_LINES: usize = 4;

/// How wide commands may stand side by side.
const SIDE_BY_SIDE: usize = 90;

/// What came of it, in a word and in a sentence.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) tone: Tone,
    pub(crate) mark: char,
    pub(crate) word: &'static str,
    pub(crate) sentence: String,
}

fn verdict(story: &Story, ending: &RolloutSummary) -> Verdict {
    let subject = story.subject();
    let (stable, candidate) = (ending.stable, version(ending.candidate));
    let stays = match stable {
        Some(stable) => format!("{subject} stays on {stable}"),
        None if story.exists() => format!("{subject} stays on {candidate}: there is no version before it"),
        None => format!("{subject} was not created"),
    };
    let (tone, mark, word, sentence) = match ending.outcome {
        OutcomeKind::Promoted => (Tone::Good, '✔', "PROMOTED", format!("{subject} is on {candidate}")),
        OutcomeKind::Unchanged => (Tone::Good, '✔', "NOTHING TO ROLL OUT", stays),
        OutcomeKind::Refused => (Tone::Bad, '✖', "REFUSED", format!("{subject}: nothing has moved")),
        OutcomeKind::RolledBack => (Tone::Bad, '✖', "ROLLED BACK", stays),
        OutcomeKind::Superseded => (Tone::Bad, '✖', "SUPERSEDED", format!("{subject} is somebody else's now")),
        OutcomeKind::LeftInProgress => (Tone::Warn, '▸', "LEFT IN PROGRESS", format!("{subject}: {candidate} keeps its share")),
        OutcomeKind::Detached => (Tone::Warn, '▸', "LEFT RUNNING", format!("{subject}: another process goes on with it")),
        OutcomeKind::RollbackUnconfirmed => (Tone::Bad, '✖', "ROLLBACK NOT CONFIRMED", format!("{subject}: page someone")),
        OutcomeKind::Failed | OutcomeKind::Unknown(_) => (Tone::Bad, '✖', "FAILED", subject),
    };
    Verdict { tone, mark, word, sentence }
}

/// What it took, as far as it is known.
fn spent(ending: &RolloutSummary) -> String {
    let told = |millis: u64| duration(Duration::from_millis(millis));
    let took = Some(ending.took_ms).filter(|took| *took > 0).map(|took| format!("took {}", told(took)));
    let of_alarm = if ending.reason.kind == ReasonKind::Cause(Cause::Alarm) { " the alarm" } else { "" };
    let noticed = ending.noticed_ms.map(|noticed| format!("noticed {} after{of_alarm}", told(noticed)));
    let noticed = noticed.map(|noticed| if of_alarm.is_empty() { noticed + " it happened" } else { noticed });
    let reverted = ending.reverted_ms.map(|reverted| format!("reverted in {}", told(reverted)));
    [took, noticed, reverted].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn why(story: &Story, ending: &RolloutSummary) -> Vec<String> {
    let mut lines = clean_lines(&ending.reason.detail);
    if let Some(first) = lines.first_mut() {
        *first = in_figures(first);
        if ending.outcome == OutcomeKind::Promoted && story.unwatched() {
            first.push_str("; nothing was watched");
        }
    }
    // What is last in a log says most about a failure; the first line is ours.
    // A refusal is a list of problems, and every one of them has to be seen.
    if lines.len() > WHY_LINES && ending.outcome != OutcomeKind::Refused {
        let left_out = lines.len() - WHY_LINES + 1;
        lines.splice(1..=left_out, [format!("… {left_out} more lines above")]);
    }
    lines
}

/// How many calls a version that was taken back had, and what that cost.
fn exposed(ending: &RolloutSummary) -> Option<String> {
    let over = matches!(ending.outcome, OutcomeKind::RolledBack | OutcomeKind::RollbackUnconfirmed);
    let (exposed, requests) = ending.exposed.zip(ending.requests).filter(|(exposed, _)| over && *exposed > 0)?;
    let stable = version(ending.stable);
    let more = ending.extra_failures.unwrap_or_default().to_f64().round();
    let more = if more >= 1.0 { format!("about {more} more") } else { "no more".to_owned() };
    Some(format!(
        "{} of {} requests counted by then went to {} ({}), {more} failed than {stable} would have",
        grouped(exposed),
        grouped(requests),
        version(ending.candidate),
        rate(exposed, requests),
    ))
}

fn now(story: &Story, ending: &RolloutSummary) -> String {
    let mut now = one_line(&ending.traffic);
    if ending.outcome == OutcomeKind::RollbackUnconfirmed {
        let meant = ending
            .stable
            .map_or_else(String::new, |stable| format!(": it should be {} on {stable}, and that is not confirmed", Weight::FULL));
        return now + &meant;
    }
    if ending.outcome == OutcomeKind::RolledBack {
        if let Some(restored) = story.restored.filter(|restored| restored.version.is_some()) {
            now = format!("{now}, confirmed at {}", clock(restored.at));
        }
        if let Some(candidate) = ending.candidate.filter(|_| is_marked(story, ending)) {
            now = format!("{now}; {candidate} is marked as rolled back");
        }
    }
    now
}

/// Whether the note now remembers the candidate as rejected.
fn is_marked(story: &Story, ending: &RolloutSummary) -> bool {
    let by_a_person = matches!(ending.reason.kind, ReasonKind::Cause(Cause::Hand | Cause::Abort));
    // What spoke up before the candidate had a share says nothing about the candidate.
    let guilty =
        story.share.is_some() && story.rollback_target.as_ref().is_some_and(|rollback_target| rollback_target.cause.rejects());
    by_a_person || guilty
}

/// The commands, side by side where they are short.
fn next(commands: &[String], width: Option<usize>) -> Vec<String> {
    let together = commands.join("    ");
    let room = width.map_or(SIDE_BY_SIDE, |width| width.saturating_sub(TEXT_AT).min(SIDE_BY_SIDE));
    if Line::plain(together.as_str()).width() <= room { vec![together] } else { commands.to_vec() }
}

/// A row whose text takes more than one line.
fn rows(word: &str, texts: &[String]) -> Vec<Line> {
    let texts = texts.iter().filter(|text| !text.is_empty()).enumerate();
    texts.map(|(index, text)| row(if index == 0 { word } else { "" }).with(Tone::Plain, text)).collect()
}
