//! How is a long text read in a terminal? In the user's pager, where there is one.

use std::io::{IsTerminal, stdout};
use std::process::{Command, Stdio};

use report::Safe;

use super::print::print_out;

/// Shows a text: in colour where a person reads it, and page by page where it is longer than the terminal is high.
pub(crate) fn read(text: &str, styled: fn(&str) -> String) {
    if !stdout().is_terminal() {
        return print_out(text);
    }
    let color = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let text = if color { styled(text) } else { text.to_owned() };
    if text.lines().count() < rows() || !paged(&report::page(&text)) {
        print_out(&text);
    }
}

#[cfg(unix)]
fn rows() -> usize {
    rustix::termios::tcgetwinsize(stdout()).map_or(ROWS, |size| usize::from(size.ws_row))
}

#[cfg(not(unix))]
fn rows() -> usize {
    ROWS
}

/// Of a terminal that does not say.
const ROWS: usize = 24;

/// Whether a pager has shown it: the user's, or `less`. It is started as it is written, never by a shell.
fn paged(text: &Safe) -> bool {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less -R".to_owned());
    let mut words = pager.split_whitespace();
    let Some(program) = words.next() else { return false };
    let started = Command::new(program).args(words).stdin(Stdio::piped()).env("LESS", "-R").spawn();
    let Ok(mut pager) = started else { return false };
    // Whoever leaves the pager early closes the pipe: that is no error.
    let _ = pager.stdin.take().map(|mut to| text.write(&mut to));
    pager.wait().is_ok_and(|status| status.success())
}
