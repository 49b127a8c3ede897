//! A terminal that people use, with somebody who presses its keys and looks at it. Without tmux there is none.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One window of a tmux server of its own.
pub(crate) struct Terminal {
    socket: String,
    folder: PathBuf,
}

impl Terminal {
    /// A shell in a window of this size, with what `command` would have around it; `None`, and a notice, where there is no tmux.
    ///
    /// The script finds the binary with its arguments in `$CANARYCTL`, and a folder of its own in `$FOLDER`.
    pub(crate) fn open(size: (u16, u16), command: &Command, script: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            notice();
            return None;
        }
        let socket = format!("canaryctl-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&socket);
        std::fs::create_dir_all(&folder).unwrap();
        let terminal = Self { socket, folder };
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        let mut tmux = terminal.tmux(&["-u", "-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, script]);
        let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        tmux.env_clear().envs(set).env("CANARYCTL", words.join(" ")).env("FOLDER", &terminal.folder);
        tmux.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        assert!(tmux.status().unwrap().success());
        Some(terminal)
    }

    fn tmux(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.socket]).args(arguments);
        tmux
    }

    fn ask(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.tmux(arguments).output().unwrap().stdout).unwrap()
    }

    pub(crate) fn press(&self, key: &str) {
        assert!(self.tmux(&["send-keys", key]).status().unwrap().success());
    }

    /// Presses a key, waits for its question and confirms it.
    pub(crate) fn confirm(&self, key: &str, question: &str) {
        self.press(key);
        self.await_text(question);
        self.press("y");
    }

    pub(crate) fn resize(&self, (columns, rows): (u16, u16)) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        assert!(self.tmux(&["resize-window", "-x", &columns, "-y", &rows]).status().unwrap().success());
    }

    /// What is to be seen.
    pub(crate) fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"]).trim_end().to_owned() + "\n"
    }

    /// The same, with its colours.
    pub(crate) fn painted(&self) -> String {
        self.ask(&["capture-pane", "-p", "-e"])
    }

    /// What is to be seen, and what was scrolled away.
    pub(crate) fn everything(&self) -> String {
        self.ask(&["capture-pane", "-p", "-S", "-"])
    }

    /// Waits until something is to be seen.
    pub(crate) fn await_text(&self, text: &str) -> String {
        self.await_screen(text, |screen| screen.contains(text))
    }

    /// Waits until the screen is as it should be.
    pub(crate) fn await_screen(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "never seen: {what}\n{screen}");
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// A file that the script writes.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[expect(clippy::print_stderr, reason = "that nothing was tested must not go unseen")]
fn notice() {
    eprintln!("no tmux here: the live view was not looked at in a terminal");
}
