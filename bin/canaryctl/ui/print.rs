//! Which standard stream is used for what? Results go to stdout, errors and notes to stderr.
//!
//! Nothing else writes to them, but for the reporters of a rollout: whatever a text quotes, no line of it is a command to a CI system.

use std::io::{self, Write};
use std::path::Path;

use report::Safe;

use crate::cli::common::Output;
use crate::error::Failure;

pub(crate) fn print_error(message: &str) {
    write(&mut io::stderr(), &report::error_text(message, &[]));
}

pub(crate) fn print_info(text: &str) {
    write(&mut io::stderr(), &report::note(text));
}

/// Where the log of canaryctl itself goes. It quotes what servers say.
pub(crate) struct LogLines;

impl Write for LogLines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // One event of the log at a time.
        report::page(&String::from_utf8_lossy(text)).write(&mut io::stderr()).map(|()| text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A note for a person: on stdout between other text, on stderr beside JSON.
pub(crate) fn print_note(output: Output, text: &str) {
    match output {
        Output::Text => print_out(text),
        Output::Json => print_info(text),
    }
}

/// Text for a person, on stdout.
pub(crate) fn print_out(text: &str) {
    print_safe(&report::page(text));
}

/// A diff of a file, on stdout.
pub(crate) fn print_diff(text: &str) {
    print_safe(&report::diff(text));
}

/// A document in JSON, or several, each with a line of its own or more.
pub(crate) fn print_json(json: &str) {
    print_safe(&report::json_page(json));
}

/// What is safe already, on stdout.
pub(crate) fn print_safe(text: &Safe) {
    write(&mut io::stdout(), text);
}

/// A closed output is not an error.
fn write(out: &mut impl Write, text: &Safe) {
    let _ = text.write(out);
}

/// The result of a command: text, an error on stderr where the exit code is not 0, or a line of JSON.
pub(crate) fn print_result(output: Output, code: u8, text: &str, json: impl FnOnce() -> serde_json::Value) {
    match output {
        Output::Text if code == 0 => print_out(text),
        Output::Text => print_error(text),
        Output::Json => print_json(&format!("{}\n", json())),
    }
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| Failure::usage(format!("cannot read `{}`: {error}", path.display()));
    if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) }.map_err(unreadable)
}
