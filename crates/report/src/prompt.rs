//! What does the live view say to whoever sits before it? Which keys there are, what they ask, and what came of it.
//!
//! It is no part of the rollout's story: nothing of it is kept. Which key was pressed, and what it does, is not known here.

use rollout::Weight;

use crate::format::{operand, version};
use crate::rollout_state::Story;
use crate::safe::one_line;
use crate::styled::{Line, Tone};

/// What stands at the foot of the live view, beside how to go back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: there is nobody to press a key.
    #[default]
    None,
    /// Which keys there are.
    Keys {
        /// Whether a signal leaves the share as it is.
        holds: bool,
    },
    /// How to stop watching a rollout that runs elsewhere.
    Watching,
    /// Whether this is meant.
    Ask(Order),
    /// The order is being carried out.
    Doing(Order),
    /// What came of it, in words; whether that is what was wanted.
    Message(bool, String),
    /// A signal was heard, and this is what it does.
    Signal {
        /// Whether a signal leaves the share as it is.
        holds: bool,
        /// Whether it is the one that waits for nothing.
        insists: bool,
    },
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Hold the share.
    Pause,
    /// Go on.
    Resume,
    /// 100% now.
    Promote,
    /// All traffic to stable.
    RollBack,
    /// Leave the share as it is, unwatched.
    Leave,
}

impl Prompt {
    /// The lines at the foot of the view, `width` columns wide. The last one has the way back, or what is asked instead.
    pub(crate) fn foot(&self, story: &Story, width: usize) -> Vec<Line> {
        let back = story.stable().map(|_| {
            let command = format!("canaryctl rollback {}", operand(&story.function, &story.alias));
            Line::default().with(Tone::Dim, "  to go back:  ").with(Tone::Plain, command)
        });
        let said = self.line(story);
        match (back, said) {
            (Some(back), Some(said))
                if matches!(self, Self::Keys { .. }) && back.width() + 4 + said.width() <= width.min(FAR) =>
            {
                vec![back.with(Tone::Plain, "  ").joined(said)]
            }
            (back, said) => back.into_iter().chain(said).collect(),
        }
    }

    /// What is said, where something is.
    pub(crate) fn line(&self, story: &Story) -> Option<Line> {
        let strong = |text: String| Line::default().with(Tone::Strong, format!("  {text}"));
        let warn = |text: String| Line::default().with(Tone::Warn, format!("  {text}"));
        Some(match self {
            Self::None => return None,
            Self::Keys { holds } => keys(story, *holds),
            Self::Watching => Line::default().with(Tone::Dim, "  ^C stops watching; the rollout goes on"),
            Self::Ask(order) => strong(question(story, *order)).with(Tone::Plain, "  y to confirm, any other key: no"),
            Self::Doing(order) => strong(format!("{} …", doing(*order))),
            Self::Message(true, text) => Line::default().with(Tone::Good, "  ✔ ").with(Tone::Plain, one_line(text)),
            Self::Message(false, text) => Line::default().with(Tone::Bad, "  ✖ ").with(Tone::Plain, one_line(text)),
            Self::Signal { insists: true, .. } => warn("^C again: leaving at once".to_owned()),
            Self::Signal { insists: false, holds } => warn(signal(story, *holds)),
        })
    }

    /// Whether it has to be seen although no frame is drawn.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Ask(_) | Self::Message(..) | Self::Signal { .. } => true,
            Self::None | Self::Keys { .. } | Self::Watching | Self::Doing(_) => false,
        }
    }
}

/// How far the keys may be from the way back: eyes lose a line that is longer.
const FAR: usize = 110;

fn share(story: &Story) -> Weight {
    let gone = story.restored.is_some();
    story.by_hand.or(story.share.map(|share| share.weight)).filter(|_| !gone).unwrap_or(Weight::ZERO)
}

fn keys(story: &Story, holds: bool) -> Line {
    let pause = if story.paused.is_some() { "go on" } else { "pause" };
    // A first deployment that was made has nothing to go back to.
    let signal = if holds || story.created { "leave it" } else { "go back" };
    let keys = [("p", pause), ("a", "promote"), ("r", "roll back"), ("q", "leave it running"), ("^C", signal)];
    keys.into_iter().fold(Line::default(), |line, (key, does)| {
        line.with(Tone::Strong, format!("  {key}")).with(Tone::Dim, format!(" {does}"))
    })
}

fn question(story: &Story, order: Order) -> String {
    let candidate = version(story.candidate);
    let subject = story.subject();
    let share = share(story);
    match (order, story.stable()) {
        (Order::Pause, _) if share.is_zero() => format!("pause {subject} for an hour?"),
        (Order::Pause, _) => format!("hold {share} on {candidate} for an hour?"),
        (Order::Resume, _) => format!("end the pause of {subject}?"),
        (Order::Promote, _) => format!("give {candidate} {} now?", Weight::FULL),
        (Order::RollBack, Some(stable)) => format!("roll {subject} back to {stable}?"),
        (Order::RollBack, None) => format!("end {subject}? It has no version to go back to."),
        (Order::Leave, _) if share.is_zero() => format!("end {subject} here? No traffic has moved."),
        (Order::Leave, _) => format!("leave {share} on {candidate}, unwatched?"),
    }
}

fn doing(order: Order) -> &'static str {
    match order {
        Order::Pause => "pausing",
        Order::Resume => "going on",
        Order::Promote => "promoting",
        Order::RollBack => "rolling back",
        Order::Leave => "leaving",
    }
}

/// What a first signal does.
fn signal(story: &Story, holds: bool) -> String {
    let share = share(story);
    let what = match (story.stable(), share.is_zero()) {
        _ if story.promoted => "it is promoted already".to_owned(),
        (Some(stable), true) => format!("ending here, all traffic stays on {stable}"),
        (None, true) => "ending here".to_owned(),
        (Some(stable), false) if !holds => format!("bringing all traffic back to {stable}"),
        (_, false) => format!("leaving {share} on {}, unwatched", version(story.candidate)),
    };
    format!("^C: {what}; ^C again leaves at once, unconfirmed")
}
