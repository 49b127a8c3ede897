//! Which configuration file is used? Looks into a folder, and reads the file. The only module in this crate that reads from a disk.

use std::fs::DirEntry;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::finding::{Note, NoteKind, Problem, Problems};
use crate::included::{Folder, Loaded, PROGRAMS};
use crate::place::Place;
use crate::{File, Format, Lookup, Project, serverless, yaml};

/// The files of each format, in their order, and the word without which a file is ignored. Any case of a name is found.
const PLACES: [(&str, Format, &str); 12] = [
    ("canary.yml", Format::Canary, ""),
    ("canary.yaml", Format::Canary, ""),
    (STATE, Format::ServerlessState, SETTINGS),
    ("serverless.yml", Format::Serverless, SETTINGS),
    ("serverless.yaml", Format::Serverless, SETTINGS),
    ("serverless.json", Format::Serverless, SETTINGS),
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
const SETTINGS: &str = "deploymentSettings";
/// What stands for settings that may be in another file.
const INCLUDES: &str = "${file(";
/// What the plugin and its forks have in their names.
const PLUGIN: &str = "canary-deployments";

struct Candidate {
    name: String,
    format: Format,
    bytes: Vec<u8>,
    modified: Option<SystemTime>,
}

/// The names in a folder that one of [`PLACES`] has, each as it is written there: an exact name goes before another case.
fn places(folder: &Path) -> Vec<(String, Format, &'static str)> {
    let there = names(folder);
    let actual = |name: &str| {
        let same = there.iter().find(|other| *other == name);
        same.or_else(|| there.iter().find(|other| other.eq_ignore_ascii_case(name))).cloned().unwrap_or_else(|| name.to_owned())
    };
    PLACES.iter().map(|(name, format, word)| (actual(name), *format, *word)).collect()
}

/// Reads the project in a folder, in which nothing is wrong; `None` where no file there is about rollouts.
///
/// # Errors
/// A file that cannot be read, and every problem in it.
pub fn find(folder: &Path, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    survey(folder, lookup)?.map(Project::checked).transpose()
}

/// Reads what can be read of the project in a folder; `None` where no file there is about rollouts.
///
/// `canary.yml` goes before everything else. A packaged state goes before the `serverless.yml` that it was made from, unless it is
/// older or of another stage.
///
/// # Errors
/// A file of which nothing can be read.
pub fn survey(folder: &Path, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    let lookup = &within(folder, lookup);
    let mut candidates = Vec::new();
    for (name, format, word) in places(folder) {
        let Some((bytes, modified)) = load(&folder.join(&name), &name)? else { continue };
        if contains(&bytes, word) || format == Format::Serverless && (contains(&bytes, INCLUDES) || contains(&bytes, PLUGIN)) {
            candidates.push(Candidate { name, format, bytes, modified });
        }
    }
    let mut notes = Vec::new();
    let mut candidates = candidates.into_iter().peekable();
    while let Some(candidate) = candidates.next() {
        let source = candidates.peek().filter(|next| next.format == Format::Serverless);
        if let Some(source) = source.filter(|_| candidate.format == Format::ServerlessState) {
            if let Err(problems) = read(folder, &candidate, lookup).and_then(Project::checked) {
                let first = problems.iter().next().map(|problem| problem.message.clone()).unwrap_or_default();
                notes.push(note(&candidate.name, format!("`{}` is read instead: {first}", source.name), None));
                continue;
            }
            let file = File { name: &source.name, bytes: &source.bytes };
            let newer = if candidate.modified < source.modified {
                Some(format!("`{}` is read instead: it is newer than this package", source.name))
            } else if candidate.modified < serverless::newest_included(file, lookup) {
                Some(format!("`{}` is read instead: a file that it includes is newer than this package", source.name))
            } else {
                None
            };
            if let Some(message) = newer {
                notes.push(note(&candidate.name, message, Some("run `serverless package` again")));
                continue;
            }
        }
        let mut project = read(folder, &candidate, lookup)?;
        // Nothing that it includes is about rollouts either.
        if project.functions.is_empty() && candidate.format == Format::Serverless && !about_rollouts(&candidate.bytes) {
            continue;
        }
        if candidate.format == Format::ServerlessState && source_is_program(folder, &candidate, &mut project) {
            return Ok(Some(project));
        }
        let taken = &candidate.name;
        let others =
            candidates.filter(|other| !(candidate.format == Format::ServerlessState && other.format == Format::Serverless));
        notes.extend(others.map(|other| note(&other.name, format!("not read: `{taken}` is used instead"), None)));
        project.notes.extend(notes);
        return Ok(Some(project));
    }
    Ok(None)
}

/// Whether a state was packaged from a program; one that was changed since is worth a warning.
fn source_is_program(folder: &Path, state: &Candidate, project: &mut Project) -> bool {
    let programs = names(folder).into_iter().filter(|name| is_program(name));
    let mut found = false;
    for name in programs {
        found = true;
        let modified = std::fs::metadata(folder.join(&name)).and_then(|about| about.modified()).ok();
        let late = modified.zip(state.modified).and_then(|(source, state)| source.duration_since(state).ok());
        if let Some(late) = late.filter(|late| !late.is_zero()) {
            let message = format!("`{name}` was changed {} after this was packaged", about(late));
            project
                .notes
                .push(Note { kind: NoteKind::Warning, ..note(&state.name, message, Some("run `serverless package` again")) });
        }
    }
    found
}

/// A time in its largest unit.
fn about(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        172_800.. => (seconds / 86_400, "d"),
        7200.. => (seconds / 3600, "h"),
        120.. => (seconds / 60, "m"),
        _ => (seconds.max(1), "s"),
    };
    format!("{count}{unit}")
}

fn is_program(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with("serverless.") && name.rsplit('.').next().is_some_and(|ending| PROGRAMS.contains(&ending))
}

/// Which file in a folder [`find`] would read first, without reading its settings.
///
/// # Errors
/// A file that cannot be read.
pub fn look(folder: &Path) -> Result<Option<(String, Format)>, Problems> {
    for (name, format, word) in places(folder) {
        if load(&folder.join(&name), &name)?.is_some_and(|(bytes, _)| contains(&bytes, word)) {
            return Ok(Some((name, format)));
        }
    }
    Ok(None)
}

/// The files in a folder that look like a project's, and why each is not read: for a folder in which [`find`] finds nothing.
pub fn passed_over(folder: &Path) -> Vec<Note> {
    let known = places(folder);
    let mut notes = Vec::new();
    for name in names(folder) {
        let (message, hint) = match known.iter().find(|(known, ..)| *known == name) {
            Some((_, _, word)) => (format!("this is not read: it has no `{word}`"), format!("`--config {name}` reads it anyway")),
            None if is_program(&name) => (PROGRAM.to_owned(), PACKAGE.to_owned()),
            None => match marked(folder, &name) {
                Some(words) => {
                    (format!("this has `{words}`, and is not read under this name"), format!("`--config {name}` reads it"))
                }
                None => continue,
            },
        };
        notes.push(note(&name, message, Some(&hint)));
        if notes.len() == MOST_NOTES {
            break;
        }
    }
    notes
}

/// The `serverless.ts` and others in a folder, which are not read.
pub fn programs(folder: &Path) -> Vec<Note> {
    let programs = names(folder).into_iter().filter(|name| is_program(name));
    programs.map(|name| note(&name, PROGRAM.to_owned(), Some(PACKAGE))).collect()
}

/// The files in a folder that may have an alias of a stack, by their names and contents.
pub(crate) fn stack_files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    let mut files = Vec::new();
    for name in names(folder) {
        let lower = name.to_lowercase();
        let words = STACKS.iter().find(|(endings, _)| endings.iter().any(|ending| lower.ends_with(ending)));
        let Some((_, words)) = words else { continue };
        let serverless = lower.starts_with("serverless.");
        if let Some((bytes, _)) = load(&folder.join(&name), &name)?
            && (serverless || words.iter().any(|word| contains(&bytes, word)))
        {
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// The templates that `cdk synth` wrote into a folder, those of stages too.
pub(crate) fn synthesised(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    let out = folder.join("cdk.out");
    let entries = std::fs::read_dir(&out).into_iter().flatten().filter_map(Result::ok).take(MOST_NAMES);
    let mut stages: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    stages.retain(|name| name.starts_with("assembly-"));
    stages.sort();
    let mut files = Vec::new();
    for inside in std::iter::once("cdk.out".to_owned()).chain(stages.iter().map(|stage| format!("cdk.out/{stage}"))) {
        let path = folder.join(&inside);
        for name in names(&path).into_iter().filter(|name| name.ends_with(".template.json")) {
            files.push((format!("{inside}/{name}"), whole(&path, &name)?.unwrap_or_default()));
        }
    }
    Ok(files)
}

/// The first of these files that is in a folder.
pub(crate) fn first(folder: &Path, names: &[&str]) -> Result<Option<(String, Vec<u8>)>, Problems> {
    for name in names {
        if let Some(bytes) = whole(folder, name)? {
            return Ok(Some(((*name).to_owned(), bytes)));
        }
    }
    Ok(None)
}

/// A file of a folder, if it is there.
pub(crate) fn whole(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Problems> {
    Ok(load(&folder.join(name), name)?.map(|(bytes, _)| bytes))
}

/// A file by its path.
///
/// # Errors
/// A file that does not exist or cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Problems> {
    let name = path.display().to_string();
    let missing = || Problems::one(Problem::new(Place::whole(&name), "the file does not exist"));
    load(path, &name)?.map(|(bytes, _)| bytes).ok_or_else(missing)
}

/// The words in a file by which it is about rollouts.
fn marked(folder: &Path, name: &str) -> Option<&'static str> {
    let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let readable = ["yml", "yaml", "json"].contains(&ending.as_str());
    let (bytes, _) = load(&folder.join(name), name).ok().filter(|_| readable)??;
    let words = ["AutoPublishAlias", "DeploymentPreference", SETTINGS, "AWS::Lambda::Function", "CodeDeployLambdaAliasUpdate"];
    words.into_iter().find(|word| contains(&bytes, word))
}

/// Endings of files with an alias, each with the words of which one is in such a file. The first ending counts.
const STACKS: [(&[&str], &[&str]); 2] = [
    (&[".tf", ".tofu", ".tf.json", ".tofu.json"], &["aws_lambda_alias", "lambda"]),
    (&[".yaml", ".yml", ".json", ".template"], &["AWS::Serverless::Function", "AWS::Lambda::Alias"]),
];
const PROGRAM: &str = "this is a program and is not read";
const PACKAGE: &str = "run `serverless package`: the state in `.serverless` is read instead";
/// How many files of a folder are looked at.
const MOST_NAMES: usize = 1000;
const MOST_NOTES: usize = 10;

/// Reads the file that was named, whatever its format, in which nothing is wrong.
///
/// # Errors
/// A file that does not exist or cannot be read, and every problem in it.
pub fn read_named(path: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    survey_named(path, lookup)?.checked()
}

/// Reads what can be read of the file that was named, whatever its format.
///
/// # Errors
/// A file that does not exist, or of which nothing can be read.
pub fn survey_named(path: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    let name = path.display().to_string();
    let one = |message: &str| Problem::new(Place::whole(&name), message);
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ending = file_name.rsplit('.').next().unwrap_or_default().to_lowercase();
    if let Some((_, what, hint)) = OTHERS.iter().find(|(endings, ..)| endings.contains(&ending.as_str()))
        && path.exists()
    {
        return Err(Problems::one(one(what).hint(*hint)));
    }
    let Some((bytes, _)) = load(path, &name)? else {
        return Err(Problems::one(one("the file does not exist")));
    };
    let file = File { name: &name, bytes: &bytes };
    let format = crate::format_of(file)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    read_beside(format, file, folder, &within(folder, lookup))
}

/// Files of other kinds that people name: their endings, why they are not read, and what is.
const OTHERS: [(&[&str], &str, &str); 3] = [
    (&PROGRAMS, PROGRAM, PACKAGE),
    (&["toml"], "a TOML file is read only next to a SAM template", "name the template: `--config template.yaml`"),
    (&["tf", "py", "go", "java", "cs"], PROGRAM, "name the functions in a `canary.yml`: `canaryctl init FUNCTION`"),
];

fn read(folder: &Path, found: &Candidate, lookup: &Lookup) -> Result<Project, Problems> {
    let file = File { name: &found.name, bytes: &found.bytes };
    read_beside(crate::format_of(file)?, file, folder, lookup)
}

/// Reads a file with what belongs to it in its folder.
fn read_beside(format: Format, file: File<'_>, folder: &Path, lookup: &Lookup) -> Result<Project, Problems> {
    for name in SAM_CONFIGS.into_iter().filter(|_| format == Format::Sam) {
        if let Some((bytes, _)) = load(&folder.join(name), name)? {
            return crate::survey(format, file, Some(File { name, bytes: &bytes }), lookup);
        }
    }
    crate::survey(format, file, None, lookup)
}

/// Whether a `serverless.yml` has settings, or the plugin for which they are.
fn about_rollouts(bytes: &[u8]) -> bool {
    contains(bytes, SETTINGS) || contains(bytes, PLUGIN)
}

/// The values from outside, for a file in a folder.
fn within(folder: &Path, lookup: &Lookup) -> Lookup {
    Lookup { folder: Some(Folder { path: folder.to_owned(), load }), ..lookup.clone() }
}

/// What is in a file, or `None` where the file does not exist. Reads no more than one byte too many.
fn load(path: &Path, name: &str) -> Result<Option<Loaded>, Problems> {
    let unreadable =
        |error: std::io::Error| Problems::one(Problem::new(Place::whole(name), format!("cannot read the file: {error}")));
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

/// The names of the files in a folder, in order; none where it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    // What a link leads to is looked at, and nothing else: a folder can have thousands of files.
    let is_file =
        |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink() && entry.path().is_file());
    let files = entries.into_iter().flatten().filter_map(Result::ok).filter(is_file);
    let mut names: Vec<String> = files.take(MOST_NAMES).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn contains(bytes: &[u8], words: &str) -> bool {
    words.is_empty() || bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn note(name: &str, message: String, hint: Option<&str>) -> Note {
    Note { kind: NoteKind::Chosen, place: Place::whole(name), function: None, message, hint: hint.map(str::to_owned) }
}
