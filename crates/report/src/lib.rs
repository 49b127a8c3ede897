//! What do people and programs read of a rollout? Reporters, each a fold over its events, and the texts of `status`, `plan` and
//! `doctor`.
//!
//! Nothing here decides anything, reads a clock or asks AWS. Everything is written to a writer that the caller gives, errors of
//! writing are handed back, and it is the caller's promise that they never change a rollout. A saved file of events renders like
//! the rollout did.

mod alarm_reason;
mod chart;
mod ci;
mod counts;
mod doctor;
mod document;
mod ending;
mod error;
mod event_log;
mod explain;
mod forecast;
mod format;
mod github;
mod gitlab;
mod group;
mod html;
mod json;
mod live;
mod live_frame;
mod live_group;
mod live_layout;
mod markdown;
mod messages;
mod plain;
mod prompt;
mod record;
mod recording;
mod remote_watch;
mod rollout_state;
mod safe;
mod status;
mod styled;
mod timeline;
mod verify;

use std::io;

use rollout::Time;
use rollout::event::Event;

pub use ci::{Ci, System};
pub use doctor::{doctor_json, doctor_text};
pub use document::document;
pub use ending::end_block;
pub use error::error_text;
pub use event_log::{Saved, read};
pub use explain::{explanation, explanation_json};
pub use github::github_outputs;
pub use gitlab::dotenv;
pub use group::last_ending;
pub use html::html;
pub use json::Json;
pub use live::{Live, Size};
pub use live_frame::{LiveState, frame};
pub use markdown::markdown;
pub use plain::Plain;
pub use prompt::{Order, Prompt};
pub use recording::Recording;
pub use remote_watch::Watch;
pub use status::{status_json, status_text};
pub use timeline::{plan_json, plan_text};
pub use verify::{Verified, verify};

/// Somebody who tells a rollout.
///
/// # Guarantees
/// - An event is written, and flushed, before [`Reporter::event`] returns.
/// - Nothing panics, and an error leaves the reporter usable: the next event is told as if this one had been.
pub trait Reporter {
    /// Tells one event.
    ///
    /// # Errors
    /// What the writer gave.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Draws again what changes with time alone. `now` is AWS' time.
    ///
    /// # Errors
    /// What the writer gave.
    fn tick(&mut self, now: Time) -> io::Result<()> {
        let _ = now;
        Ok(())
    }

    /// Shows what is asked of whoever sits before it, or said to them. It is no part of what happened, and nothing where nothing is
    /// drawn.
    ///
    /// # Errors
    /// What the writer gave.
    fn prompt(&mut self, prompt: &Prompt) -> io::Result<()> {
        let _ = prompt;
        Ok(())
    }

    /// Something else has written in between: what was drawn is not drawn over.
    ///
    /// # Errors
    /// What the writer gave.
    fn anew(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Leaves the output in good order: to be called once, after the last event.
    ///
    /// # Errors
    /// What the writer gave.
    fn finish(&mut self) -> io::Result<()>;
}
