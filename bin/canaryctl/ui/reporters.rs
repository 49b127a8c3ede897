//! How does the user see events? Reporters run on threads of their own: a closed pipe, a full disk or a slow terminal never delays a
//! rollout.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use report::{Ci, Json, Live, Plain, Prompt, Reporter, Size, System};
use rollout::event::{Event, EventKind};

use super::artifacts::{Outputs, unwritten};
use super::keys::Keys;
use super::print::print_error;
use crate::cli::artifact_args::{ArtifactArgs, CiSystem};
use crate::cli::common::Output;
use crate::clock::RuntimeClock;

pub(crate) const TICK: Duration = Duration::from_millis(250);

/// How often to look whether a lock is free.
const LOOK: Duration = Duration::from_millis(5);

/// The time limit for a slow terminal or disk, at the end and wherever something waits for it.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) struct Reporters {
    screen: Worker,
    files: Worker,
    live: bool,
    events: Option<PathBuf>,
}

struct Worker {
    news: RefCell<Option<Sender<News>>>,
    /// Whether something else has written to the screen; locked while it writes.
    written: Arc<Mutex<bool>>,
    done: mpsc::Receiver<Vec<String>>,
}

#[derive(Clone)]
enum News {
    Event(Box<Event>),
    Prompt(Prompt),
}

impl Reporters {
    /// Starts the reporter for the output, and those that write files, for this number of functions.
    pub(crate) fn start(output: Output, artifacts: &ArtifactArgs, clock: RuntimeClock, functions: usize) -> io::Result<Self> {
        let ci = artifacts.log.system();
        let several = functions > 1;
        let live = draws(output, ci);
        let screen = Worker::start("screen", clock, move || (vec![(None, screen(output, ci, several).reporter)], Vec::new()))?;
        let files = artifacts.clone();
        // A blocked terminal must not block the files.
        let files = Worker::start("files", clock, move || files.reporters(several))?;
        Ok(Self { screen, files, live, events: artifacts.events.clone() })
    }

    pub(crate) fn emit(&self, event: &Event) {
        let event = self.with_explain(event);
        self.files.send(News::Event(Box::new(event.clone())));
        self.screen.send(News::Event(Box::new(event)));
    }

    pub(crate) fn prompt(&self, prompt: Prompt) {
        self.screen.send(News::Prompt(prompt));
    }

    pub(crate) fn suspend_drawing(&self, during: impl FnOnce()) {
        let written = within(LAST_WORDS, &self.screen.written);
        during();
        if let Some(mut written) = written {
            *written = true;
        }
    }

    pub(crate) fn keys(&self) -> Option<Keys> {
        if self.live { Keys::listen() } else { None }
    }

    /// Waits until everything is reported, up to a limit.
    pub(crate) fn end(&self) {
        let until = Instant::now() + LAST_WORDS;
        let workers = [&self.screen, &self.files];
        for worker in workers {
            worker.news.take();
        }
        for worker in workers {
            let errors = worker.done.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_default();
            for error in errors {
                print_error(&error);
            }
        }
    }

    /// The same event; a bad outcome gets the `explain` command as a next step.
    fn with_explain(&self, event: &Event) -> Event {
        let mut event = event.clone();
        if let (EventKind::Outcome(ending), Some(path)) = (&mut event.what, &self.events)
            && !ending.is_good()
        {
            ending.next.push(format!("canaryctl explain {}", path.display()));
        }
        event
    }
}

impl Drop for Reporters {
    fn drop(&mut self) {
        self.end();
    }
}

impl Worker {
    fn start(
        name: &str,
        clock: RuntimeClock,
        make: impl FnOnce() -> (Outputs, Vec<String>) + Send + 'static,
    ) -> io::Result<Self> {
        let (news, received) = mpsc::channel::<News>();
        let (finished, done) = mpsc::channel();
        let written = Arc::new(Mutex::new(false));
        let dirty = written.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let (mut reporters, mut errors) = make();
            loop {
                let heard = received.recv_timeout(TICK);
                if matches!(heard, Err(RecvTimeoutError::Disconnected)) {
                    break;
                }
                let mut dirty = dirty.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::take(&mut *dirty) {
                    each_reporter(&mut reporters, &mut errors, |reporter| reporter.anew());
                }
                each_reporter(&mut reporters, &mut errors, |reporter| match &heard {
                    Ok(News::Event(event)) => reporter.event(event),
                    Ok(News::Prompt(prompt)) => reporter.prompt(prompt),
                    Err(_) => reporter.tick(clock.shown()),
                });
            }
            each_reporter(&mut reporters, &mut errors, |reporter| reporter.finish());
            let _ = finished.send(errors);
        })?;
        Ok(Self { news: RefCell::new(Some(news)), written, done })
    }

    fn send(&self, news: News) {
        // The thread only ends after this sender is gone.
        let _ = self.news.borrow().as_ref().map(|sender| sender.send(news));
    }
}

/// Locks what another thread may hold for longer than anything here can wait: where a terminal takes no more, or after its panic.
fn within<T>(limit: Duration, mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let until = Instant::now() + limit;
    loop {
        match mutex.try_lock() {
            Ok(locked) => return Some(locked),
            Err(TryLockError::Poisoned(locked)) => return Some(locked.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(LOOK),
        }
    }
}

/// A reporter that fails stays in use: the next line may succeed. The error of a file is printed once, at the end, after the last view.
fn each_reporter(
    reporters: &mut Outputs,
    errors: &mut Vec<String>,
    mut act: impl FnMut(&mut Box<dyn Reporter + Send>) -> io::Result<()>,
) {
    for (name, reporter) in reporters {
        if let Err(error) = act(reporter) {
            tracing::debug!(%error, "a reporter could not write");
            errors.extend(name.take().map(|name| unwritten(&name, &error)));
        }
    }
}

pub(crate) struct Screen {
    pub(crate) reporter: Box<dyn Reporter + Send>,
    pub(crate) live: bool,
}

/// The reporter for standard output: JSON with `--output json`, a CI system's log in CI, a live view on a terminal, else plain lines.
pub(crate) fn screen(output: Output, ci: Option<CiSystem>, several: bool) -> Screen {
    let (out, live) = (io::stdout(), draws(output, ci));
    let color = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let system = match ci {
        Some(CiSystem::GitHub) => Some(System::GitHub),
        Some(CiSystem::GitLab) => Some(System::GitLab),
        Some(CiSystem::Plain) | None => None,
    };
    let reporter: Box<dyn Reporter + Send> = match (output, system) {
        (Output::Json, _) => Box::new(Json::new(out)),
        (Output::Text, Some(system)) if several => Box::new(Ci::of_a_group(out, system)),
        (Output::Text, Some(system)) => Box::new(Ci::new(out, system)),
        (Output::Text, None) if live && several => Box::new(Live::of_a_group(out, Size::Asked, color)),
        (Output::Text, None) if live => Box::new(Live::new(out, Size::Asked, color)),
        (Output::Text, None) if several => Box::new(Plain::of_a_group(out)),
        (Output::Text, None) => Box::new(Plain::new(out)),
    };
    Screen { reporter, live }
}

fn draws(output: Output, ci: Option<CiSystem>) -> bool {
    let plain_terminal = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    output == Output::Text && ci.is_none() && io::stdout().is_terminal() && !plain_terminal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_never_given_back_is_waited_for_no_longer_than_the_limit() {
        let mutex = Mutex::new(1);
        let held = mutex.lock().unwrap();
        assert!(within(Duration::from_millis(20), &mutex).is_none());
        drop(held);
        assert_eq!(within(Duration::ZERO, &mutex).as_deref(), Some(&1));
    }
}
