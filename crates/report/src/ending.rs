//! How does a rollout's end read? Always in this shape: verdict, reason, where the traffic is, what to type next. At most ten
//! lines, except for a refusal that lists more problems, and for what the version logged.

use std::time::Duration;

use rollout::event::{Event, RolloutSummary};
use rollout::format::{duration, grouped, rate};
use rollout::health::clock;
use rollout::logged_error::LoggedError;
use rollout::{Cause, OutcomeKind, ReasonKind, Version, Weight};

use crate::alarm_reason::in_figures;
use crate::format::{joined, version, wrapped};
use crate::rollout_state::Story;
use crate::safe::{clean_lines, one_line};
use crate::styled::{Line, Tone, row};

/// The block that ends a rollout's output, from its last event alone; `None` for any other event. Every line has a line end.
///
/// The reporters have seen the earlier events and can say more.
pub fn end_block(event: &Event) -> Option<String> {
    let mut story = Story::default();
    story.add(event);
    Some(joined(&Block::of(&story, event.ending()?).lines()))
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) verdict: Verdict,
    /// How long it took, as far as it is known.
    pub(crate) spent: String,
    /// The reason, and what a log said about it.
    pub(crate) why: Vec<String>,
    /// What the candidate logged when it failed.
    pub(crate) logged: Vec<String>,
    /// How many invocations a version had before its rollback.
    pub(crate) exposed: Option<String>,
    pub(crate) now: String,
    pub(crate) next: Vec<String>,
}

impl Block {
    pub(crate) fn of(story: &Story, ending: &RolloutSummary) -> Self {
        Self {
            verdict: verdict(story, ending),
            spent: spent(ending),
            why: why(ending),
            logged: logged(ending),
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
            (_, true) => format!("{}{}, at the last event", Weight::FULL, on(story.candidate)),
            (Some(share), false) => format!("{}{}, at the last event", share.weight, on(story.candidate)),
            (None, false) => format!("{}{}, at the last event", Weight::FULL, on(story.stable())),
        };
        let sentence = format!("{}: the events end before the rollout does", story.subject());
        Self {
            verdict: Verdict { tone: Tone::Warn, word: "INCOMPLETE", sentence },
            spent: String::new(),
            why: vec!["its process is still running or was killed; run the same command again to resume".to_owned()],
            logged: Vec::new(),
            exposed: None,
            now,
            next: vec![format!("canaryctl status {}", story.subject())],
        }
    }

    /// The lines of the end. If they do not fit in `width` columns, the durations get their own line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.styled(None).iter().map(|line| line.render(usize::MAX, false).to_string()).collect()
    }

    /// The same with colours, for a terminal of this width.
    pub(crate) fn styled(&self, width: Option<usize>) -> Vec<Line> {
        let Self { verdict, spent, .. } = self;
        let first = Line::of(verdict.tone, format!("{} {}", verdict.mark(), verdict.word));
        let first = first.with(Tone::Strong, format!("   {}", verdict.sentence));
        let together = width.is_none_or(|width| first.width().max(SPENT_AT) + 2 + Line::plain(spent.as_str()).width() <= width);
        let mut shown = Vec::new();
        if spent.is_empty() {
            shown.push(first);
        } else if together {
            shown.push(first.padded(SPENT_AT).with(Tone::Plain, format!("  {spent}")));
        } else {
            shown.extend([first, row("took").with(Tone::Plain, spent.trim_start_matches("took "))]);
        }
        let within =
            |text: &String| width.map_or_else(|| vec![text.clone()], |width| wrapped(text, width.saturating_sub(TEXT_AT)));
        shown.extend(rows("why", &self.why.iter().flat_map(within).collect::<Vec<_>>()));
        shown.extend(rows("logs", &self.logged.iter().flat_map(within).collect::<Vec<_>>()));
        shown.extend(self.exposed.iter().flat_map(|text| rows("exposed", &within(text))));
        shown.extend(rows("now", &within(&self.now)));
        shown.extend(rows("next", &self.next));
        shown
    }
}

/// The column where the durations begin, so that the blocks of many rollouts line up.
const SPENT_AT: usize = 56;

/// Where the texts of the rows begin.
const TEXT_AT: usize = 12;

const WHY_LINES: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) tone: Tone,
    pub(crate) word: &'static str,
    pub(crate) sentence: String,
}

impl Verdict {
    pub(crate) fn mark(&self) -> char {
        match self.tone {
            Tone::Good => '✔',
            Tone::Bad => '✖',
            Tone::Warn | Tone::Plain | Tone::Strong | Tone::Dim => '▸',
        }
    }
}

fn verdict(story: &Story, ending: &RolloutSummary) -> Verdict {
    let subject = story.subject();
    let (stable, candidate) = (ending.stable, version(ending.candidate));
    let stays = match stable {
        Some(stable) => format!("{subject} stays on {stable}"),
        None if story.exists() => format!("{subject} stays on {candidate}: there is no earlier version"),
        None => format!("{subject} was not created"),
    };
    let keeps = story.weight().map_or_else(|| "its traffic".to_owned(), |weight| format!("{weight} of traffic"));
    let (tone, word, sentence) = match ending.outcome {
        OutcomeKind::Promoted if ending.observed_invocations == Some(0) => {
            (Tone::Warn, "PROMOTED", format!("{subject} is on {candidate}, unobserved: no invocation of it was counted"))
        }
        OutcomeKind::Promoted => (Tone::Good, "PROMOTED", format!("{subject} is on {candidate}")),
        OutcomeKind::Unchanged => (Tone::Good, "NOTHING TO ROLL OUT", stays),
        OutcomeKind::Refused => (Tone::Bad, "REFUSED", format!("{subject}: traffic unchanged")),
        OutcomeKind::RolledBack => (Tone::Bad, "ROLLED BACK", stays),
        OutcomeKind::Superseded => (Tone::Bad, "SUPERSEDED", format!("another owner has {subject}")),
        OutcomeKind::LeftInProgress => (Tone::Warn, "LEFT IN PROGRESS", format!("{subject}: {candidate} keeps {keeps}")),
        OutcomeKind::Detached if story.scheduled => {
            (Tone::Good, "DETACHED", format!("{subject}: {candidate} has {keeps}; the rollout continues without this process"))
        }
        OutcomeKind::Detached => {
            let tick = format!("`canaryctl tick {subject}` with the same options");
            (
                Tone::Good,
                "DETACHED",
                format!("{subject}: {candidate} has {keeps}; run {tick} once a minute: nothing else continues it"),
            )
        }
        OutcomeKind::RollbackUnconfirmed => (Tone::Bad, "ROLLBACK NOT CONFIRMED", format!("{subject}: page someone")),
        OutcomeKind::Failed | OutcomeKind::Unknown(_) => (Tone::Bad, "FAILED", subject),
    };
    Verdict { tone, word, sentence }
}

fn spent(ending: &RolloutSummary) -> String {
    let span = |millis: u64| duration(Duration::from_millis(millis));
    let took = Some(ending.took_ms).filter(|took| *took > 0).map(|took| format!("took {}", span(took)));
    let of_alarm = if ending.reason.kind == ReasonKind::Cause(Cause::Alarm) { " the alarm" } else { "" };
    let noticed = ending.noticed_ms.map(|noticed| format!("noticed {} after{of_alarm}", span(noticed)));
    let noticed = noticed.map(|noticed| if of_alarm.is_empty() { noticed + " the first failure" } else { noticed });
    let reverted = ending.reverted_ms.map(|reverted| format!("reverted in {}", span(reverted)));
    [took, noticed, reverted].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn why(ending: &RolloutSummary) -> Vec<String> {
    let mut lines = clean_lines(&ending.reason.detail);
    // Whatever decided: it may well be the other way round.
    lines.extend(ending.shared_degradation.as_ref().map(|both| one_line(&both.why)));
    if let Some(first) = lines.first_mut() {
        *first = in_figures(first);
    }
    // The end of a hook's log says most about a failure, and the first line is the reason.
    // A refusal is a list of problems: all of them are shown.
    if lines.len() > WHY_LINES && ending.outcome != OutcomeKind::Refused {
        let left_out = lines.len() - WHY_LINES + 1;
        lines.splice(1..=left_out, [format!("… {left_out} lines left out, see above")]);
    }
    lines
}

/// The kinds of error lines that a version logged, a line each.
fn logged(ending: &RolloutSummary) -> Vec<String> {
    ending.evidence.iter().map(|kind| logged_error(kind, ending.stable)).collect()
}

/// Error lines of one kind: how many, since when, whether stable has them too, and the first of them.
pub fn logged_error(kind: &LoggedError, stable: Option<Version>) -> String {
    let beside = match (kind.on_stable, stable) {
        (Some(0), Some(stable)) => format!(", not on {stable}"),
        (Some(count), Some(stable)) => format!(", {} on {stable}", grouped(count)),
        (None, _) | (_, None) => String::new(),
    };
    let request = kind.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {})", one_line(id)));
    let mut line = one_line(&kind.line);
    if let Some((at, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(at);
        line.push('…');
    }
    format!("{}× since {}{beside}: {line}{request}", grouped(kind.count), clock(kind.first_at))
}

/// How much of a logged line is shown, in characters: JSON has all that was kept.
const SHOWN: usize = 160;

/// How many invocations a version had before its rollback, and how many errors that cost.
fn exposed(ending: &RolloutSummary) -> Option<String> {
    let over = matches!(ending.outcome, OutcomeKind::RolledBack | OutcomeKind::RollbackUnconfirmed);
    let (exposed, requests) = ending.exposed.zip(ending.requests).filter(|(exposed, _)| over && *exposed > 0)?;
    let stable = version(ending.stable);
    let more = ending.extra_failures.unwrap_or_default().to_f64().round();
    // That it had counted no more yet does not mean that there were none.
    let more = if more >= 1.0 { format!(", with about {more} more errors than {stable} would have had") } else { String::new() };
    Some(format!(
        "{} of {} invocations went to {} ({}){more}; as counted by then, and CloudWatch is minutes late",
        grouped(exposed),
        grouped(requests),
        version(ending.candidate),
        rate(exposed, requests),
    ))
}

fn now(story: &Story, ending: &RolloutSummary) -> String {
    let mut now = one_line(&ending.traffic);
    if ending.outcome == OutcomeKind::RollbackUnconfirmed {
        let target = ending.stable.map_or_else(String::new, |stable| {
            format!(": it should be {} on {stable}, but AWS has not confirmed it", Weight::FULL)
        });
        return now + &target;
    }
    if ending.outcome == OutcomeKind::RolledBack {
        if let Some((at, Some(_))) = story.restored {
            now = format!("{now}, confirmed at {}", clock(at));
        }
        if let Some(candidate) = ending.candidate.filter(|_| is_marked(story, ending)) {
            now = format!("{now}; {candidate} is rejected: needs --again");
        }
        if let Some(candidate) = ending.candidate.filter(|_| ending.executions_stay) {
            now = format!("{now}; executions that started on {candidate} still run on it");
        }
    }
    now
}

/// Whether the note now has the candidate as rejected.
fn is_marked(story: &Story, ending: &RolloutSummary) -> bool {
    let by_a_person = matches!(ending.reason.kind, ReasonKind::Cause(Cause::Hand | Cause::Abort));
    // A failure before the candidate had traffic says nothing about the candidate.
    let failed = story.share.is_some() && story.rollback.is_some_and(|(_, cause)| cause.rejects());
    by_a_person || failed
}

fn rows(word: &str, texts: &[String]) -> Vec<Line> {
    let texts = texts.iter().filter(|text| !text.is_empty()).enumerate();
    texts.map(|(index, text)| row(if index == 0 { word } else { "" }).with(Tone::Plain, text)).collect()
}
