//! How does a report get into its file? Whole or not at all, and never at the cost of a rollout.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use report::Reporter;
use rollout::event::{Event, EventKind};

use crate::cli::artifact_args::Render;

/// A file that is written when the rollout has ended, or when its reporter finishes.
#[derive(Debug)]
pub(crate) struct AtTheEnd {
    path: PathBuf,
    render: Render,
    shared: bool,
    several: bool,
    events: Vec<Event>,
    done: bool,
}

impl AtTheEnd {
    /// A file to append to where it is `shared` with other programs; else its content is replaced atomically.
    pub(crate) fn new(path: &Path, several: bool, render: Render, shared: bool) -> Self {
        Self { path: path.to_owned(), render, shared, several, events: Vec::new(), done: false }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.done || self.events.is_empty() {
            return Ok(());
        }
        // One attempt: what fails now fails in a moment, too.
        self.done = true;
        let text = (self.render)(&self.events);
        if self.shared {
            return OpenOptions::new().create(true).append(true).open(&self.path).and_then(|mut file| text.write(&mut file));
        }
        replace(&self.path, |file| text.write(file))
    }
}

impl Reporter for AtTheEnd {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.events.push(event.clone());
        let ends = if self.several { matches!(event.what, EventKind::GroupOutcome(_)) } else { event.ending().is_some() };
        if ends { self.write() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write()
    }
}

/// Replaces the file atomically: no reader ever sees half of it. One that was there keeps its permissions.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    // A link stays a link. A terminal or a pipe cannot be replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
        return OpenOptions::new().write(true).open(&path).and_then(|mut file| write(&mut file));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let (temporary, mut file) = temporary(&path, &name)?;
    let kept = fs::metadata(&path).map_or(Ok(()), |known| file.set_permissions(known.permissions()));
    let written = kept.and_then(|()| write(&mut file)).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| fs::rename(&temporary, &path));
    if placed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    placed
}

/// A new, empty file at `path`, to be written as it goes: never into what was there, unless that is a terminal or a pipe.
pub(crate) fn fresh(path: &Path) -> io::Result<File> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
        return OpenOptions::new().write(true).open(&path);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let (temporary, file) = temporary(&path, &name)?;
    fs::rename(&temporary, &path).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    Ok(file)
}

/// A new file beside `path`: never one that is there, nor what a link leads to, and by a name that nobody can know beforehand.
fn temporary(path: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    // So that the name of a long one still fits.
    let short: String = name.chars().take(60).collect();
    let mut tries = 0;
    loop {
        let temporary = path.with_file_name(format!(".{short}.{:016x}", fastrand::u64(..)));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => tries += 1,
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}

/// Names that are taken, one after the other, are no chance.
const TRIES: u32 = 8;
