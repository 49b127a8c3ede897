//! Which configuration file is used? Looks into a folder, and reads the file. The only module in this crate that reads from a disk.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::finding::{Note, NoteKind, Problem, Problems};
use crate::place::Place;
use crate::{File, Format, Lookup, Project, yaml};

/// The files of each format, in their order, and the word without which a file is ignored.
const PLACES: [(&str, Format, &str); 12] = [
    ("canary.yml", Format::Canary, ""),
    ("canary.yaml", Format::Canary, ""),
    (STATE, Format::ServerlessState, "deploymentSettings"),
    ("serverless.yml", Format::Serverless, "deploymentSettings"),
    ("serverless.yaml", Format::Serverless, "deploymentSettings"),
    ("serverless.json", Format::Serverless, "deploymentSettings"),
    ("template.yaml", Format::Sam, "AWS::Serverless"),
    ("template.yml", Format::Sam, "AWS::Serverless"),
    ("template.json", Format::Sam, "AWS::Serverless"),
    ("appspec.yml", Format::AppSpec, "AWS::Lambda::Function"),
    ("appspec.yaml", Format::AppSpec, "AWS::Lambda::Function"),
    ("appspec.json", Format::AppSpec, "AWS::Lambda::Function"),
];

/// Where `sam deploy` keeps its settings, beside the template.
const SAM_CONFIGS: [&str; 3] = ["samconfig.toml", "samconfig.yaml", "samconfig.yml"];

const STATE: &str = ".serverless/serverless-state.json";

type Loaded = (Vec<u8>, Option<SystemTime>);

struct Candidate {
    name: &'static str,
    format: Format,
    bytes: Vec<u8>,
    modified: Option<SystemTime>,
}

/// Reads the project in a folder; `None` where no file there is about rollouts.
///
/// `canary.yml` goes before everything else. A packaged state goes before the `serverless.yml` that it was made from, unless it is
/// older or of another stage.
///
/// # Errors
/// A file that cannot be read, and every problem in it.
pub fn find(folder: &Path, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    let mut candidates = Vec::new();
    for (name, format, words) in PLACES {
        let Some((bytes, modified)) = load(&folder.join(name), name)? else { continue };
        if contains(&bytes, words) {
            candidates.push(Candidate { name, format, bytes, modified });
        }
    }
    let mut notes = Vec::new();
    let mut candidates = candidates.into_iter().peekable();
    while let Some(candidate) = candidates.next() {
        let source = candidates.peek().filter(|next| next.format == Format::Serverless);
        if let Some(source) = source.filter(|_| candidate.format == Format::ServerlessState) {
            if let Err(problems) = read(folder, &candidate, lookup) {
                let first = problems.iter().next().map(|problem| problem.message.clone()).unwrap_or_default();
                notes.push(note(candidate.name, format!("`{}` is read instead: {first}", source.name), None));
                continue;
            }
            if candidate.modified < source.modified {
                let message = format!("`{}` is read instead: it is newer than this package", source.name);
                notes.push(note(candidate.name, message, Some("run `serverless package` again")));
                continue;
            }
        }
        let mut project = read(folder, &candidate, lookup)?;
        let taken = candidate.name;
        let others =
            candidates.filter(|other| !(candidate.format == Format::ServerlessState && other.format == Format::Serverless));
        notes.extend(others.map(|other| note(other.name, format!("not read: `{taken}` is used instead"), None)));
        project.notes.extend(notes);
        return Ok(Some(project));
    }
    Ok(None)
}

/// Which file in a folder [`find`] would read first, without reading its settings.
///
/// # Errors
/// A file that cannot be read.
pub fn look(folder: &Path) -> Result<Option<(&'static str, Format)>, Problems> {
    for (name, format, words) in PLACES {
        if load(&folder.join(name), name)?.is_some_and(|(bytes, _)| contains(&bytes, words)) {
            return Ok(Some((name, format)));
        }
    }
    Ok(None)
}

/// Reads the file that was named, whatever its format.
///
/// # Errors
/// A file that does not exist or cannot be read, and every problem in it.
pub fn read_named(path: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    let name = path.display().to_string();
    let Some((bytes, _)) = load(path, &name)? else {
        return Err(Problems::one(Problem {
            place: Place::whole(&name),
            message: "the file does not exist".to_owned(),
            hint: None,
        }));
    };
    let file = File { name: &name, bytes: &bytes };
    let format = crate::format_of(file)?;
    read_beside(format, file, path.parent().unwrap_or(Path::new("")), lookup)
}

fn read(folder: &Path, found: &Candidate, lookup: &Lookup) -> Result<Project, Problems> {
    read_beside(found.format, File { name: found.name, bytes: &found.bytes }, folder, lookup)
}

/// Reads a file with what belongs to it in its folder.
fn read_beside(format: Format, file: File<'_>, folder: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    for name in SAM_CONFIGS.into_iter().filter(|_| format == Format::Sam) {
        if let Some((bytes, _)) = load(&folder.join(name), name)? {
            return crate::read(format, file, Some(File { name, bytes: &bytes }), lookup);
        }
    }
    crate::read(format, file, None, lookup)
}

/// What is in a file and when it was written, or `None` where the file does not exist. Reads no more than one byte too many.
fn load(path: &Path, name: &str) -> Result<Option<Loaded>, Problems> {
    let unreadable = |error: std::io::Error| {
        Problems::one(Problem { place: Place::whole(name), message: format!("cannot read the file: {error}"), hint: None })
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let modified = file.metadata().and_then(|about| about.modified()).ok();
    let mut bytes = Vec::new();
    file.take(yaml::MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some((bytes, modified)))
}

fn contains(bytes: &[u8], words: &str) -> bool {
    words.is_empty() || bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn note(name: &str, message: String, hint: Option<&str>) -> Note {
    Note { kind: NoteKind::Chosen, place: Place::whole(name), function: None, message, hint: hint.map(str::to_owned) }
}
