//! A project's folder, in which the binary is run.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output};

use crate::served::{Served, canaryctl, start};

/// A folder that is gone when the test is over.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("canaryctl-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    /// The names of what is in it, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A command that calls no AWS.
    pub(crate) fn offline(&self, arguments: &str) -> Output {
        canaryctl().args(arguments.split_whitespace()).current_dir(&self.0).output().unwrap()
    }

    pub(crate) fn run(&self, served: &Served, arguments: &str) -> Output {
        served.command(arguments).current_dir(&self.0).output().unwrap()
    }

    pub(crate) fn start(&self, served: &Served, arguments: &str) -> Child {
        start(served.command(arguments).current_dir(&self.0))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
