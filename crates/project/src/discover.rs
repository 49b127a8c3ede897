//! Which file says it? Looks into a folder, and reads what it finds there. The only place in this crate that touches a disk.

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::finding::{Note, NoteKind, Problem, Problems};
use crate::place::Place;
use crate::{File, Format, Lookup, Project, yaml};

/// Where each format is looked for, in this order.
const PLACES: [(&str, Format); 2] = [("canary.yml", Format::Canary), ("canary.yaml", Format::Canary)];

/// What was found, and read into memory.
struct Found {
    name: String,
    bytes: Vec<u8>,
    format: Format,
}

/// Reads the project in a folder; `None` where no file there says anything about rollouts.
///
/// # Errors
/// A file that cannot be read, and everything in it that keeps it from being used.
pub fn find(folder: &Path, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    let mut taken: Option<Project> = None;
    for (name, format) in PLACES {
        let Some(bytes) = load(&folder.join(name), name)? else { continue };
        let found = Found { name: name.to_owned(), bytes, format };
        match &mut taken {
            None => {
                let project = read(&found, lookup)?;
                taken = Some(project);
            }
            Some(project) => {
                let message = format!("`{}` was read, `{name}` was not", project.file);
                project.notes.push(note(name, message));
            }
        }
    }
    Ok(taken)
}

/// Reads the file that was named, whatever its format.
///
/// # Errors
/// A file that is not there or cannot be read, and everything in it that keeps it from being used.
pub fn read_named(path: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    let name = path.display().to_string();
    let Some(bytes) = load(path, &name)? else {
        return Err(Problems::one(Problem {
            place: Place::whole(&name),
            message: "there is no such file".to_owned(),
            hint: None,
        }));
    };
    let format = Format::Canary;
    read(&Found { name, bytes, format }, lookup)
}

fn read(found: &Found, lookup: &Lookup) -> Result<Project, Problems> {
    crate::read(found.format, File { name: &found.name, bytes: &found.bytes }, lookup)
}

/// What is in a file, or `None` where there is no such file. Reads no more than one byte too many.
fn load(path: &Path, name: &str) -> Result<Option<Vec<u8>>, Problems> {
    let unreadable = |error: std::io::Error| {
        Problems::one(Problem { place: Place::whole(name), message: format!("cannot be read: {error}"), hint: None })
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(yaml::MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}

fn note(name: &str, message: String) -> Note {
    Note { kind: NoteKind::Chosen, place: Place::whole(name), function: None, message, hint: None }
}
