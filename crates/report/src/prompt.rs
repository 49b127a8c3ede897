//! What does the live view say to the person at the keyboard? The keys, their questions, and the result.
//!
//! None of it is saved: it is not part of the rollout. This module does not read keys and does not act on them.

use rollout::Weight;

use crate::format::{operand, version};
use crate::rollout_state::Story;
use crate::safe::one_line;
use crate::styled::{Line, Tone};

/// The last lines of the live view, next to how to roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: no keys can be read.
    #[default]
    None,
    /// The list of keys.
    Keys {
        /// Whether a signal leaves traffic unchanged.
        holds: bool,
    },
    /// How to stop watching the rollout of another process.
    Watching,
    /// A question: is this order intended?
    Ask(Order),
    /// The order is being carried out.
    Doing(Order),
    /// The result in words, and whether the order succeeded.
    Message(bool, String),
    /// A signal has arrived, and this is what it does.
    Signal {
        /// Whether a signal leaves traffic unchanged.
        holds: bool,
        /// Whether it exits at once.
        insists: bool,
    },
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Hold the traffic.
    Pause,
    /// End the pause.
    Resume,
    /// 100% now.
    Promote,
    /// All traffic to stable.
    RollBack,
    /// Leave traffic unchanged and stop watching.
    Leave,
}

impl Prompt {
    /// The last lines of the view, in `width` columns.
    pub(crate) fn foot(&self, story: &Story, width: usize) -> Vec<Line> {
        if story.restored.is_some_and(|(_, version)| version.is_some()) {
            return vec![Line::of(Tone::Dim, "  all traffic is back; the report is finished, 15s at most")];
        }
        let rollback = story.stable().map(|_| {
            let command = format!("canaryctl rollback {}", operand(&story.function, &story.alias));
            Line::of(Tone::Dim, "  to roll back:  ").with(Tone::Plain, command)
        });
        let said = self.line(story);
        match (rollback, said) {
            (Some(rollback), Some(said))
                if matches!(self, Self::Keys { .. }) && rollback.width() + 4 + said.width() <= width.min(FAR) =>
            {
                vec![rollback.with(Tone::Plain, "  ").joined(said)]
            }
            (rollback, said) => rollback.into_iter().chain(said).collect(),
        }
    }

    /// The line of this prompt, if it has one.
    pub(crate) fn line(&self, story: &Story) -> Option<Line> {
        let strong = |text: String| Line::of(Tone::Strong, format!("  {text}"));
        let warn = |text: String| Line::of(Tone::Warn, format!("  {text}"));
        Some(match self {
            Self::None => return None,
            Self::Keys { holds } => keys(story, *holds),
            Self::Watching => Line::of(Tone::Dim, "  ^C stops watching; the rollout continues"),
            Self::Ask(order) => strong(question(story, *order)).with(Tone::Plain, "  y to confirm, any other key to cancel"),
            Self::Doing(order) => strong(format!("{} …", doing(*order))),
            Self::Message(true, text) => Line::of(Tone::Good, "  ✔ ").with(Tone::Plain, one_line(text)),
            Self::Message(false, text) => Line::of(Tone::Bad, "  ✖ ").with(Tone::Plain, one_line(text)),
            Self::Signal { insists: true, .. } => warn("^C again: exiting at once".to_owned()),
            Self::Signal { insists: false, holds } => warn(signal(story, *holds)),
        })
    }

    /// Whether it has to be shown even if no frame is drawn.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Ask(_) | Self::Message(..) | Self::Signal { .. } => true,
            Self::None | Self::Keys { .. } | Self::Watching | Self::Doing(_) => false,
        }
    }
}

/// How wide one line with the command and the keys may be.
const FAR: usize = 120;

fn keys(story: &Story, holds: bool) -> Line {
    let pause = if story.paused.is_some() { "resume" } else { "pause" };
    // A first deployment has no earlier version.
    let signal = if holds || story.created { "leave it" } else { "roll back" };
    let keys = [("p", pause), ("a", "promote"), ("r", "roll back"), ("q", "stop watching"), ("^C", signal)];
    keys.into_iter().fold(Line::default(), |line, (key, does)| {
        line.with(Tone::Strong, format!("  {key}")).with(Tone::Dim, format!(" {does}"))
    })
}

fn question(story: &Story, order: Order) -> String {
    let candidate = version(story.candidate);
    let subject = story.subject();
    let weight = story.weight().unwrap_or_default();
    match (order, story.stable()) {
        (Order::Pause, _) if weight.is_zero() => format!("pause {subject} for an hour?"),
        (Order::Pause, _) => format!("hold {weight} on {candidate} for an hour?"),
        (Order::Resume, _) => format!("end the pause of {subject}?"),
        (Order::Promote, _) => format!("shift {} of traffic to {candidate} now?", Weight::FULL),
        (Order::RollBack, Some(stable)) => format!("roll {subject} back to {stable}?"),
        (Order::RollBack, None) => format!("end the rollout of {subject}? There is no earlier version."),
        (Order::Leave, _) if weight.is_zero() => format!("end the rollout of {subject}? Traffic is unchanged."),
        (Order::Leave, _) => format!("leave {weight} on {candidate} and stop watching?"),
    }
}

fn doing(order: Order) -> &'static str {
    match order {
        Order::Pause => "pausing",
        Order::Resume => "resuming",
        Order::Promote => "promoting",
        Order::RollBack => "rolling back",
        Order::Leave => "leaving",
    }
}

fn signal(story: &Story, holds: bool) -> String {
    let weight = story.weight().unwrap_or_default();
    let what = match (story.stable(), weight.is_zero()) {
        _ if story.promoted => "it is already promoted".to_owned(),
        (Some(stable), true) => format!("ending the rollout, all traffic stays on {stable}"),
        (None, true) => "ending the rollout".to_owned(),
        (Some(stable), false) if !holds => format!("rolling back to {stable}"),
        (_, false) => format!("leaving {weight} on {}, no longer watched", version(story.candidate)),
    };
    format!("^C: {what}; ^C again exits at once, unconfirmed")
}
