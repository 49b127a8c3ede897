//! Who tells the user? A reporter on a thread of its own: a closed pipe or a full terminal never holds a rollout up.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use report::{Json, Live, Plain, Reporter, Size};
use rollout::event::Event;

use crate::args::Output;
use crate::wiring::Waiting;

/// How often a live view is drawn again where nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// How long a slow terminal is waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The reporter at work.
pub(crate) struct Telling {
    events: Sender<Event>,
    done: mpsc::Receiver<()>,
}

impl Telling {
    /// Starts the reporter that fits: JSON where asked for, a live view on a terminal, plain lines anywhere else.
    pub(crate) fn start(output: Output, clock: Waiting) -> io::Result<Self> {
        let (events, received) = mpsc::channel::<Event>();
        let (finished, done) = mpsc::channel();
        thread::Builder::new().name("reporter".to_owned()).spawn(move || {
            let mut reporter = reporter(output);
            loop {
                // A reporter that fails has nobody to tell it to; the rollout goes on, and so does the next line.
                let told = match received.recv_timeout(TICK) {
                    Ok(event) => reporter.event(&event),
                    Err(RecvTimeoutError::Timeout) => reporter.tick(clock.now()),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if let Err(error) = told {
                    tracing::debug!(%error, "the reporter could not write");
                }
            }
            let _ = reporter.finish();
            let _ = finished.send(());
        })?;
        Ok(Self { events, done })
    }

    /// Hands an event over.
    pub(crate) fn tell(&self, event: &Event) {
        // The thread only ends after this sender is gone.
        let _ = self.events.send(event.clone());
    }

    /// Waits until everything is told, but not for ever.
    pub(crate) fn finish(self) {
        drop(self.events);
        let _ = self.done.recv_timeout(LAST_WORDS);
    }
}

fn reporter(output: Output) -> Box<dyn Reporter> {
    let out = io::stdout();
    let plain_terminal = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let color = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    match output {
        Output::Json => Box::new(Json::new(out)),
        Output::Text if out.is_terminal() && !plain_terminal && std::env::var_os("CI").is_none() => {
            Box::new(Live::new(out, Size::Asked, color))
        }
        Output::Text => Box::new(Plain::new(out)),
    }
}
