//! Who tells the user? Reporters on threads of their own: a closed pipe, a full disk or a slow terminal never holds a rollout up.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use report::{Ci, Json, Live, Plain, Reporter, Size};
use rollout::event::{Event, What};

use crate::args::Output;
use crate::complain;
use crate::keeping::{Keeping, Look, Named, unwritten};
use crate::wiring::Waiting;

/// How often a live view is drawn again where nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// How long a slow terminal, or a slow disk, is waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The reporters at work.
pub(crate) struct Telling {
    workers: Vec<Worker>,
    /// The file of events, for whoever asks afterwards why.
    events: Option<PathBuf>,
}

/// A thread that tells.
struct Worker {
    events: Sender<Event>,
    /// What could not be written, once all is told.
    done: mpsc::Receiver<Vec<String>>,
}

impl Telling {
    /// Starts the reporter that fits the output, and those that keep files, for so many functions.
    pub(crate) fn start(output: Output, keeping: &Keeping, clock: Waiting, functions: usize) -> io::Result<Self> {
        let look = keeping.log.system();
        let screen =
            Worker::start("screen", clock, move || (vec![(None, screen(output, look, functions > 1).reporter)], Vec::new()))?;
        let kept = keeping.clone();
        // A terminal that nobody reads from must not keep the files from being written.
        let files = Worker::start("files", clock, move || {
            let (named, complaints) = kept.reporters(functions > 1);
            (named.into_iter().map(|Named { name, reporter }| (Some(name), reporter)).collect(), complaints)
        })?;
        Ok(Self { workers: vec![screen, files], events: keeping.events.clone() })
    }

    /// Hands an event over.
    pub(crate) fn tell(&self, event: &Event) {
        let event = self.pointed(event);
        for worker in &self.workers {
            // The thread only ends after this sender is gone.
            let _ = worker.events.send(event.clone());
        }
    }

    /// The same event; an end that asks for a why says where it is told.
    fn pointed(&self, event: &Event) -> Event {
        let mut event = event.clone();
        if let (What::Outcome(ending), Some(path)) = (&mut event.what, &self.events)
            && !ending.is_good()
        {
            ending.next.push(format!("canaryctl explain {}", path.display()));
        }
        event
    }
}

impl Drop for Telling {
    /// Waits until everything is told, but not for ever; after a panic, too.
    fn drop(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        let waiting: Vec<_> = self.workers.drain(..).map(|Worker { events: _, done }| done).collect();
        for done in waiting {
            let complaints = done.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_default();
            for complaint in complaints {
                complain(&complaint);
            }
        }
    }
}

/// The reporters of a thread, those of files with their names.
type Reporters = Vec<(Option<String>, Box<dyn Reporter + Send>)>;

impl Worker {
    fn start(name: &str, clock: Waiting, make: impl FnOnce() -> (Reporters, Vec<String>) + Send + 'static) -> io::Result<Self> {
        let (events, received) = mpsc::channel::<Event>();
        let (finished, done) = mpsc::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let (mut reporters, mut complaints) = make();
            loop {
                let heard = received.recv_timeout(TICK);
                if heard == Err(RecvTimeoutError::Disconnected) {
                    break;
                }
                tell_all(&mut reporters, &mut complaints, |reporter| match &heard {
                    Ok(event) => reporter.event(event),
                    Err(_) => reporter.tick(clock.now()),
                });
            }
            tell_all(&mut reporters, &mut complaints, |reporter| reporter.finish());
            let _ = finished.send(complaints);
        })?;
        Ok(Self { events, done })
    }
}

/// A reporter that fails is kept: the rollout goes on, and so does the next line. A file is complained of once, at the end, where
/// no view is drawn any more.
fn tell_all(
    reporters: &mut Reporters,
    complaints: &mut Vec<String>,
    mut tell: impl FnMut(&mut Box<dyn Reporter + Send>) -> io::Result<()>,
) {
    for (name, reporter) in reporters {
        if let Err(error) = tell(reporter) {
            tracing::debug!(%error, "a reporter could not write");
            complaints.extend(name.take().map(|name| unwritten(&name, &error)));
        }
    }
}

/// What is written to standard output.
pub(crate) struct Screen {
    pub(crate) reporter: Box<dyn Reporter + Send>,
    /// Whether it is drawn over and over.
    pub(crate) live: bool,
}

/// The reporter that fits: JSON where asked for, a CI system's log in CI, a live view on a terminal, plain lines anywhere else.
pub(crate) fn screen(output: Output, look: Look, several: bool) -> Screen {
    let out = io::stdout();
    let plain_terminal = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let color = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let live = !several && output == Output::Text && look == Look::Fitting && out.is_terminal() && !plain_terminal;
    let reporter: Box<dyn Reporter + Send> = match (output, look) {
        (Output::Json, _) => Box::new(Json::new(out)),
        (Output::Text, Look::Ci(system)) if several => Box::new(Ci::of_a_group(out, system)),
        (Output::Text, Look::Ci(system)) => Box::new(Ci::new(out, system)),
        (Output::Text, Look::Fitting) if live => Box::new(Live::new(out, Size::Asked, color)),
        (Output::Text, Look::Fitting | Look::Plain) if several => Box::new(Plain::of_a_group(out)),
        (Output::Text, Look::Fitting | Look::Plain) => Box::new(Plain::new(out)),
    };
    Screen { reporter, live }
}
