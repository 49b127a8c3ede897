//! What do the other files say that a `serverless.yml` includes? Reads each once, when it is first needed.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::finding::Problems;
use crate::tree::Node;
use crate::yaml;

/// What is in a file, and when it was written.
pub(crate) type Loaded = (Vec<u8>, Option<SystemTime>);

/// A folder whose files can be included, and how one is read.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) load: fn(&Path, &str) -> Result<Option<Loaded>, Problems>,
}

/// The files that were included so far.
#[derive(Default)]
pub(crate) struct Included<'l> {
    folder: Option<&'l Folder>,
    first: OnceCell<Box<Entry>>,
    newest: Cell<Option<SystemTime>>,
}

/// What is known of a file.
pub(crate) enum Content {
    /// YAML or JSON.
    Tree(Node),
    /// Anything else.
    Text(String),
    /// There is no such file.
    Missing,
    /// It is not read, and why.
    Unread(String),
}

struct Entry {
    name: String,
    content: Content,
    next: OnceCell<Box<Entry>>,
}

impl<'l> Included<'l> {
    /// The files below a folder; without one, none is read.
    pub(crate) fn of(folder: Option<&'l Folder>) -> Self {
        Self { folder, ..Self::default() }
    }

    pub(crate) fn get(&self, name: &str) -> &Content {
        let mut place = &self.first;
        let mut count = 0;
        while let Some(entry) = place.get().filter(|entry| entry.name != name) {
            place = &entry.next;
            count += 1;
        }
        &place
            .get_or_init(|| Box::new(Entry { name: name.to_owned(), content: self.load(name, count), next: OnceCell::new() }))
            .content
    }

    /// When the newest of the files was written.
    pub(crate) fn newest(&self) -> Option<SystemTime> {
        self.newest.get()
    }

    fn load(&self, name: &str, count: usize) -> Content {
        let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        let is_program = PROGRAMS.contains(&ending.as_str());
        let Some(folder) = self.folder.filter(|_| count < MOST_FILES && !name.is_empty()) else {
            return Content::Unread("other files are not read here".to_owned());
        };
        if is_program {
            return Content::Unread(format!("{name} is a program and is not run"));
        }
        let (bytes, modified) = match (folder.load)(&folder.path.join(name), name) {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Content::Missing,
            Err(problems) => return Content::Unread(problems.to_string().replace('\n', " ")),
        };
        self.newest.set(self.newest.get().max(modified));
        if !["yml", "yaml", "json", "tfstate"].contains(&ending.as_str()) {
            return String::from_utf8(bytes).map_or_else(|_| Content::Unread(format!("{name} is not UTF-8")), Content::Text);
        }
        match yaml::parse(name, &bytes) {
            Ok(tree) => Content::Tree(tree),
            Err(problems) => Content::Unread(problems.to_string().replace('\n', " ")),
        }
    }
}

/// The endings of files that are programs.
pub(crate) const PROGRAMS: [&str; 7] = ["js", "cjs", "mjs", "ts", "cts", "mts", "tsx"];
const MOST_FILES: usize = 100;
