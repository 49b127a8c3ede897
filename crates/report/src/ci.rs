//! What does a CI system's log show? The plain lines, folded by the parts of a rollout, and problems at the top of the run.
//!
//! The end is never folded.

pub(crate) mod part;

use std::io::{self, Write};

use rollout::Weight;
use rollout::event::{Event, EventKind};
use rollout::health::AlarmState;

use crate::Reporter;
use crate::ci::part::Part;
use crate::ending::Block;
use crate::plain::Lines;
use crate::rollout_state::Story;
use crate::safe::{Out, Safe};
use crate::{github, gitlab};

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// GitHub Actions: groups, and annotations.
    GitHub,
    /// GitLab: sections.
    GitLab,
}

/// Writes the log of a CI system.
#[derive(Debug)]
pub struct Ci<W> {
    out: Out<W>,
    system: System,
    lines: Lines,
    open: Option<Part>,
}

impl<W: Write> Ci<W> {
    /// A reporter that writes to `out` for this system.
    pub fn new(out: W, system: System) -> Self {
        Self { out: Out::new(out), system, lines: Lines::default(), open: None }
    }

    /// The same for several functions at a time.
    pub fn of_a_group(out: W, system: System) -> Self {
        Self { lines: Lines::of_a_group(), ..Self::new(out, system) }
    }

    /// What comes before the event's own lines: the end of a part, the start of the next.
    fn turn(&mut self, event: &Event, text: &mut Safe) {
        let next = part(event, self.open);
        if next == self.open {
            return;
        }
        if let Some(open) = self.open {
            text.push(&match self.system {
                System::GitHub => github::group_end(),
                System::GitLab => gitlab::section_end(open, event.at),
            });
        }
        if let Some(part) = next {
            let subject = self.lines.subject();
            text.push(&match self.system {
                System::GitHub => github::group(part, &subject),
                System::GitLab => gitlab::section_start(part, &subject, event.at),
            });
        }
        self.open = next;
    }
}

/// The part that is open from this event on; none if nothing is folded.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other event belongs to the part that is open")]
fn part(event: &Event, open: Option<Part>) -> Option<Part> {
    match &event.what {
        EventKind::Started(_) => Some(Part::Prepare),
        EventKind::WeightShifted { to, .. } if *to == Weight::FULL => Some(Part::Bake),
        EventKind::WeightShifted { .. } => Some(Part::Shift),
        // A rollback and its alarm are never folded.
        EventKind::AlarmChanged { state: AlarmState::Alarm, .. }
        | EventKind::RollbackStarted { .. }
        | EventKind::Outcome(_)
        | EventKind::GroupOutcome(_) => None,
        _ => open,
    }
}

impl<W: Write> Reporter for Ci<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut text = Safe::default();
        let lines = self.lines.tell(event);
        self.turn(event, &mut text);
        for line in lines {
            text.push(&line);
            text.end_line(false);
        }
        if self.system == System::GitHub {
            let subject = self.lines.story(event).map(Story::subject).unwrap_or_default();
            if let EventKind::Warning { text: warning, transient: false } = &event.what {
                text.push(&github::annotation("warning", &subject, warning));
            }
            if let Some(ending) = event.ending().filter(|ending| self.lines.stands_out(ending)) {
                let block = Block::of(self.lines.story(event).unwrap_or(&Story::default()), ending);
                text.push(&github::verdict(&block, &subject));
            }
            if let EventKind::GroupOutcome(outcome) = &event.what {
                text.push(&github::verdict(&Block::of_a_group(outcome), &self.lines.subject()));
            }
        }
        self.out.put(&text)
    }
}
