//! Which key was pressed? Single keys, from the terminal in whose foreground this process runs.
//!
//! Signals, flow control and output do not change: ^C, ^Z and ^S work as usual. Line mode and echo are restored at every exit: an end, a
//! panic ([`give_back`]), a signal, ^Z. In the background nothing is read or set, because the system would stop the process.

#[cfg(not(unix))]
pub(crate) use elsewhere::{Keys, give_back};
#[cfg(unix)]
pub(crate) use unix::{Keys, give_back};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressed {
    /// One key; `None` is a key without a letter, or several at once, as pasting sends them.
    Key(Option<char>),
    Suspend,
    Quit,
}

#[cfg(unix)]
mod unix {
    use std::io::{self, IsTerminal};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
    use std::thread;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Signal, getpgrp, getpid, kill_process};
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
    use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::Pressed;

    /// How often to check whether this process is in the foreground, and whether the view has ended.
    const LOOK: Duration = Duration::from_millis(200);

    pub(crate) struct Keys {
        terminal: Arc<Mutex<Terminal>>,
        pressed: UnboundedReceiver<Pressed>,
        suspend: Signals,
        quit: Signals,
    }

    #[derive(Default)]
    struct Terminal {
        before: Option<Termios>,
        over: bool,
    }

    /// The terminal that keys are read from, for the end of a process that drops nothing.
    static IN_USE: Mutex<Weak<Mutex<Terminal>>> = Mutex::new(Weak::new());

    /// Restores the terminal as it was before keys were read, unless a thread holds it.
    pub(crate) fn give_back() {
        let terminal = IN_USE.try_lock().ok().and_then(|terminal| terminal.upgrade());
        if let Some(mut terminal) = terminal.as_ref().and_then(|terminal| terminal.try_lock().ok()) {
            (*terminal).give_back();
        }
    }

    impl Keys {
        /// Reads keys from now on; `None` where standard input is no terminal.
        pub(crate) fn listen() -> Option<Self> {
            if !io::stdin().is_terminal() {
                return None;
            }
            let of = |kind: Signal| signal(SignalKind::from_raw(kind.as_raw()));
            let (suspend, quit) = (of(Signal::TSTP).ok()?, of(Signal::QUIT).ok()?);
            let terminal = Arc::new(Mutex::new(Terminal::default()));
            *IN_USE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&terminal);
            let (tell, pressed) = unbounded_channel();
            let read = terminal.clone();
            thread::Builder::new().name("keys".to_owned()).spawn(move || read_all(&read, &tell)).ok()?;
            Some(Self { terminal, pressed, suspend, quit })
        }

        /// The next key. Waits forever if there are no more.
        pub(crate) async fn next(&mut self) -> Pressed {
            tokio::select! {
                Some(pressed) = self.pressed.recv() => pressed,
                Some(()) = self.suspend.recv() => Pressed::Suspend,
                Some(()) = self.quit.recv() => Pressed::Quit,
                else => std::future::pending().await,
            }
        }

        /// Restores the terminal and stops this process, as ^Z does by default; returns when it continues.
        pub(crate) fn suspend(&self) {
            // Locked until it continues: nothing is set on a terminal that the shell uses.
            let mut terminal = lock(&self.terminal);
            terminal.give_back();
            let _ = kill_process(getpid(), Signal::STOP);
        }

        /// Restores the terminal and aborts, as ^\ does by default.
        pub(crate) fn quit(&self) -> ! {
            lock(&self.terminal).give_back();
            std::process::abort()
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            let mut terminal = lock(&self.terminal);
            terminal.over = true;
            terminal.give_back();
        }
    }

    impl Terminal {
        /// Switches to single keys without echo; whether that worked.
        fn take(&mut self) -> bool {
            if !in_foreground() {
                return false;
            }
            let Ok(found) = tcgetattr(io::stdin()) else { return false };
            let lines = LocalModes::ICANON | LocalModes::ECHO;
            if !found.local_modes.intersects(lines) {
                return true;
            }
            let mut single = found.clone();
            single.local_modes.remove(lines);
            single.special_codes[SpecialCodeIndex::VMIN] = 1;
            single.special_codes[SpecialCodeIndex::VTIME] = 0;
            // At once: what is written may wait for ^Q.
            if tcsetattr(io::stdin(), OptionalActions::Now, &single).is_err() {
                return false;
            }
            self.before = Some(found);
            true
        }

        /// Restores the terminal. In the background it belongs to another process.
        fn give_back(&mut self) {
            if let Some(before) = self.before.take()
                && in_foreground()
            {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
            }
        }
    }

    fn lock(terminal: &Mutex<Terminal>) -> MutexGuard<'_, Terminal> {
        terminal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_foreground() -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
    }

    /// Reads until the terminal is closed or the view has ended. Runs on a thread of its own that is never joined.
    fn read_all(terminal: &Mutex<Terminal>, tell: &UnboundedSender<Pressed>) {
        let stdin = io::stdin();
        let look = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
        let mut bytes = [0; 64];
        loop {
            let taken = {
                let mut terminal = lock(terminal);
                if terminal.over {
                    return;
                }
                terminal.take()
            };
            if !taken {
                thread::sleep(LOOK);
                continue;
            }
            let ready = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&look));
            if !matches!(ready, Ok(1..)) || !in_foreground() {
                continue;
            }
            let pressed = match rustix::io::read(&stdin, &mut bytes) {
                Ok(0) => return,
                Ok(1) => Some(char::from(bytes[0])).filter(char::is_ascii_graphic),
                Ok(_) => None,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                Err(_) => return,
            };
            if tell.send(Pressed::Key(pressed)).is_err() {
                return;
            }
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use super::Pressed;

    pub(crate) enum Keys {}

    pub(crate) fn give_back() {}

    impl Keys {
        pub(crate) fn listen() -> Option<Self> {
            None
        }

        pub(crate) async fn next(&mut self) -> Pressed {
            match *self {}
        }

        pub(crate) fn suspend(&self) {
            match *self {}
        }

        pub(crate) fn quit(&self) -> ! {
            match *self {}
        }
    }
}
