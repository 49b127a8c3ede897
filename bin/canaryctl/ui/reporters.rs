//! Who tells the user? Reporters on threads of their own: a closed pipe, a full disk or a slow terminal never holds a rollout up.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use report::{Ci, Json, Live, Plain, Prompt, Reporter, Size};
use rollout::event::{Event, EventKind};

use super::artifacts::{Look, Named, unwritten};
use super::keys::Keys;
use super::print::print_error;
use crate::cli::artifact_args::Keeping;
use crate::cli::common::Output;
use crate::session::RuntimeClock;

/// How often a live view is drawn again where nothing happens.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// How long a slow terminal, or a slow disk, is waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The reporters at work.
pub(crate) struct Telling {
    screen: Worker,
    files: Worker,
    /// Whether the screen is drawn over and over.
    live: bool,
    /// The file of events, for whoever asks afterwards why.
    events: Option<PathBuf>,
}

/// A thread that tells.
struct Worker {
    news: RefCell<Option<Sender<News>>>,
    /// Whether something else has written in between; locked while it does.
    written: Arc<Mutex<bool>>,
    /// What could not be written, once all is told.
    done: mpsc::Receiver<Vec<String>>,
}

/// What a thread is to tell.
#[derive(Clone)]
enum News {
    Event(Box<Event>),
    Prompt(Prompt),
}

impl Telling {
    /// Starts the reporter that fits the output, and those that keep files, for so many functions.
    pub(crate) fn start(output: Output, keeping: &Keeping, clock: RuntimeClock, functions: usize) -> io::Result<Self> {
        let look = keeping.log.system();
        let several = functions > 1;
        let live = draws(output, look);
        let screen = Worker::start("screen", clock, move || (vec![(None, screen(output, look, several).reporter)], Vec::new()))?;
        let managed = keeping.clone();
        // A terminal that nobody reads from must not keep the files from being written.
        let files = Worker::start("files", clock, move || {
            let (named, complaints) = managed.reporters(several);
            (named.into_iter().map(|Named { name, reporter }| (Some(name), reporter)).collect(), complaints)
        })?;
        Ok(Self { screen, files, live, events: keeping.events.clone() })
    }

    /// Hands an event over.
    pub(crate) fn tell(&self, event: &Event) {
        let event = self.pointed(event);
        self.files.send(News::Event(Box::new(event.clone())));
        self.screen.send(News::Event(Box::new(event)));
    }

    /// Shows what is asked or answered, on a live view.
    pub(crate) fn prompt(&self, prompt: Prompt) {
        self.screen.send(News::Prompt(prompt));
    }

    /// Keeps the screen quiet while something else writes on it.
    pub(crate) fn suspend_drawing(&self, during: impl FnOnce()) {
        let mut written = self.screen.written.lock().unwrap_or_else(PoisonError::into_inner);
        during();
        *written = true;
    }

    /// The keys of the terminal that a live view is drawn on, where there are any.
    pub(crate) fn keys(&self) -> Option<Keys> {
        if self.live { Keys::listen() } else { None }
    }

    /// Waits until everything is told, but not for ever.
    pub(crate) fn end(&self) {
        let until = Instant::now() + LAST_WORDS;
        let workers = [&self.screen, &self.files];
        for worker in workers {
            worker.news.take();
        }
        for worker in workers {
            let complaints = worker.done.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_default();
            for complaint in complaints {
                print_error(&complaint);
            }
        }
    }

    /// The same event; an end that asks for a why says where it is told.
    fn pointed(&self, event: &Event) -> Event {
        let mut event = event.clone();
        if let (EventKind::Outcome(ending), Some(path)) = (&mut event.what, &self.events)
            && !ending.is_good()
        {
            ending.next.push(format!("canaryctl explain {}", path.display()));
        }
        event
    }
}

impl Drop for Telling {
    /// After a panic, too.
    fn drop(&mut self) {
        self.end();
    }
}

/// The reporters of a thread, those of files with their names.
type Reporters = Vec<(Option<String>, Box<dyn Reporter + Send>)>;

impl Worker {
    fn start(
        name: &str,
        clock: RuntimeClock,
        make: impl FnOnce() -> (Reporters, Vec<String>) + Send + 'static,
    ) -> io::Result<Self> {
        let (news, received) = mpsc::channel::<News>();
        let (finished, done) = mpsc::channel();
        let written = Arc::new(Mutex::new(false));
        let strange = written.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let (mut reporters, mut complaints) = make();
            loop {
                let heard = received.recv_timeout(TICK);
                if matches!(heard, Err(RecvTimeoutError::Disconnected)) {
                    break;
                }
                let mut strange = strange.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::take(&mut *strange) {
                    tell_all(&mut reporters, &mut complaints, |reporter| reporter.anew());
                }
                tell_all(&mut reporters, &mut complaints, |reporter| match &heard {
                    Ok(News::Event(event)) => reporter.event(event),
                    Ok(News::Prompt(prompt)) => reporter.prompt(prompt),
                    Err(_) => reporter.tick(clock.now()),
                });
            }
            tell_all(&mut reporters, &mut complaints, |reporter| reporter.finish());
            let _ = finished.send(complaints);
        })?;
        Ok(Self { news: RefCell::new(Some(news)), written, done })
    }

    fn send(&self, news: News) {
        // The thread only ends after this sender is gone.
        let _ = self.news.borrow().as_ref().map(|tell| tell.send(news));
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
    let (out, live) = (io::stdout(), draws(output, look));
    let color = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let reporter: Box<dyn Reporter + Send> = match (output, look) {
        (Output::Json, _) => Box::new(Json::new(out)),
        (Output::Text, Look::Ci(system)) if several => Box::new(Ci::of_a_group(out, system)),
        (Output::Text, Look::Ci(system)) => Box::new(Ci::new(out, system)),
        (Output::Text, Look::Fitting) if live && several => Box::new(Live::of_a_group(out, Size::Asked, color)),
        (Output::Text, Look::Fitting) if live => Box::new(Live::new(out, Size::Asked, color)),
        (Output::Text, Look::Fitting | Look::Plain) if several => Box::new(Plain::of_a_group(out)),
        (Output::Text, Look::Fitting | Look::Plain) => Box::new(Plain::new(out)),
    };
    Screen { reporter, live }
}

/// Whether there is a terminal to draw a live view on.
fn draws(output: Output, look: Look) -> bool {
    let plain_terminal = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    output == Output::Text && look == Look::Fitting && io::stdout().is_terminal() && !plain_terminal
}
