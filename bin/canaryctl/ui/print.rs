//! How are the standard streams used? What people and programs read stands on the one they expect it on.

use std::io::{self, Write};
use std::path::Path;

use crate::error::Failure;

/// An error for a person, on stderr.
pub(crate) fn print_error(message: &str) {
    let _ = io::stderr().write_all(report::error_text(message, &[]).as_bytes());
}

/// Something for a person beside what a program reads, on stderr.
pub(crate) fn print_info(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Text for a person or a program, on stdout. Nobody reading it is no reason to fail.
pub(crate) fn print_out(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A text file that was named; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| Failure::usage(format!("`{}` cannot be read: {error}", path.display()));
    if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) }.map_err(unreadable)
}
