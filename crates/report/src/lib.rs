//! What do people and programs read of a rollout? Reporters, each a fold over its events, and the texts of `status`, `plan` and
//! `doctor`.
//!
//! Nothing here decides anything, reads a clock or calls AWS. Output goes to the caller's writer and its errors are returned: the
//! caller makes sure that they never change a rollout. A saved file of events renders like the rollout did.

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
mod gathered;
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
mod notice;
mod plain;
mod prompt;
mod record;
mod recording;
mod remote_watch;
mod rollout_state;
mod safe;
mod status;
mod styled;
mod tables;
mod timeline;
mod verify;

use std::io;

use rollout::Time;
use rollout::event::Event;

pub use ci::{Ci, System};
pub use doctor::{doctor_json, doctor_text};
pub use document::document;
pub use ending::{end_block, logged_error};
pub use error::error_text;
pub use event_log::{Saved, read};
pub use explain::{explanation, explanation_json};
pub use gathered::{Wanted, gathered};
pub use github::github_outputs;
pub use gitlab::dotenv;
pub use group::last_ending;
pub use html::html;
pub use json::{Json, object};
pub use live::{Live, Size};
pub use live_frame::{LiveState, frame};
pub use markdown::markdown;
pub use notice::notice;
pub use plain::Plain;
pub use prompt::{Order, Prompt};
pub use recording::Recording;
pub use remote_watch::Watch;
pub use safe::{Safe, diff, json_page, note, page, script};
pub use status::{no_alias_text, pruned_text, status_json, status_text, undone_to};
pub use timeline::{plan_json, plan_text, plan_text_of_latest};
pub use verify::{Verified, verify};

/// Writes the events of a rollout for one kind of reader.
///
/// # Guarantees
/// - An event is written, and flushed, before [`Reporter::event`] returns.
/// - Nothing panics, and after an error the reporter still works: the next event is written as usual.
///
/// # Errors
/// Every method returns the error of the writer.
#[expect(clippy::missing_errors_doc, reason = "the same for every method")]
pub trait Reporter {
    /// Writes one event.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Redraws what changes with time. `now` is AWS' time.
    fn tick(&mut self, _now: Time) -> io::Result<()> {
        Ok(())
    }

    /// Shows a question or a message to the person at the keyboard. Reporters that do not draw ignore it.
    fn prompt(&mut self, _prompt: &Prompt) -> io::Result<()> {
        Ok(())
    }

    /// Something else has written to the output: the last frame stays, and the next one starts below it.
    fn anew(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Completes the output: call it once, after the last event.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
