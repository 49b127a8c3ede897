//! What is wrong with a file, and what is worth knowing about it? A file with a problem is not used; notes are only shown.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use crate::place::Place;

/// Something in a file that has to be changed before it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key of the function that it is about; `None` where it may concern each.
    pub function: Option<String>,
    /// The setting that cannot be read, as its key in `canary.yml`; `None` where it may be any.
    pub setting: Option<String>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, function: None, setting: None, message: message.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whether it concerns this function.
    pub fn concerns(&self, key: &str) -> bool {
        self.function.as_deref().is_none_or(|function| function == key)
    }

    /// Whether it is about this setting.
    pub fn is_about(&self, setting: &str) -> bool {
        self.setting.as_deref() == Some(setting)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Everything that is wrong with a file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// These problems, where there are any: those of one place once, since what is found there next mostly follows from the first.
    pub fn of(problems: impl IntoIterator<Item = Problem>) -> Option<Self> {
        let mut problems: Vec<Problem> = problems.into_iter().collect();
        problems.sort_by(|one, other| one.place.cmp(&other.place));
        problems.dedup_by(|next, first| next.place == first.place);
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// What kind of note it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// Why this was read and not something else.
    Chosen,
    /// Something in the file that canaryctl has no counterpart for.
    Ignored,
    /// Something that could not be resolved from the file, and was not needed.
    Unresolved,
    /// Something that will or may go wrong.
    Warning,
}

/// Something worth knowing about a file that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What kind of thing.
    pub kind: NoteKind,
    /// Where.
    pub place: Place,
    /// The key of the function that it is about, where it is about one.
    pub function: Option<String>,
    /// What there is to know.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// A value that cannot be told from the file.
#[derive(Clone, Debug)]
pub(crate) struct Unresolved {
    pub(crate) place: Place,
    /// What is missing: "`${env:TEAM}` is not set".
    pub(crate) message: String,
    pub(crate) hint: String,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    notes: Vec<Note>,
    /// The function that is read.
    pub(crate) function: Option<String>,
    /// The setting that is read.
    pub(crate) setting: Option<String>,
    /// The stage that counts, and whether another one is read.
    pub(crate) stage: Option<String>,
    elsewhere: bool,
    /// The functions of the file that are not rolled out, and why.
    skipped: BTreeMap<String, String>,
    /// How many words were looked up already.
    looked_up: Cell<usize>,
}

impl Findings {
    /// Something that has to be changed. A hint behind the message, as the errors of `rollout` have it, is taken for one.
    pub(crate) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        let message = message.into();
        match message.split_once("\n  hint: ") {
            Some((message, hint)) => self.add(place, message, Some(hint)),
            None => self.add(place, &message, None),
        }
    }

    pub(crate) fn hinted(&mut self, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.add(place, &message.into(), Some(&hint.into()));
    }

    /// Something that has to be changed, and the word that was meant, where there is one like it.
    pub(crate) fn misspelt<'a>(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        written: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let hint = self.did_you_mean(written, known);
        self.add(place, &message.into(), hint.as_deref());
    }

    fn add(&mut self, place: &Place, message: &str, hint: Option<&str>) {
        if self.problems.len() < MOST_FINDINGS {
            let setting = if self.elsewhere { Some("stages".to_owned()) } else { self.setting.clone() };
            let function = self.function.clone();
            let (message, hint) = (cut(message), hint.map(cut));
            self.problems.push(Problem { place: place.clone(), function, setting, message, hint });
        }
    }

    /// What is found while a setting is read; an outer one counts.
    pub(crate) fn of<T>(&mut self, setting: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.setting.clone();
        self.setting.get_or_insert_with(|| setting.to_owned());
        let value = read(self);
        self.setting = outer;
        value
    }

    /// What is found while a function is read, in any of its settings.
    pub(crate) fn in_function<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = (self.function.replace(key.to_owned()), self.setting.take());
        let value = read(self);
        (self.function, self.setting) = outer;
        value
    }

    /// What is found while the settings of a stage are read: those of another stage do not matter now.
    pub(crate) fn in_stage<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = (self.setting.take(), self.elsewhere);
        self.elsewhere = self.stage.as_deref() != Some(key);
        let value = read(self);
        (self.setting, self.elsewhere) = outer;
        value
    }

    /// Refuses parameters that were typed and name nothing. Where there are any at all, those of the stack itself are known, such as
    /// `AWS::AccountId`.
    pub(crate) fn unknown_parameters<'a>(&mut self, typed: impl Iterator<Item = &'a String>, why: &str, known: Option<&[&str]>) {
        let is_known = |name: &&String| known.is_some_and(|known| known.contains(&name.as_str()) || name.starts_with("AWS::"));
        for name in typed.filter(|name| !is_known(name)) {
            let message = format!("`{}` is not a parameter: {why}", shown(name));
            let hint = self.did_you_mean(name, known.unwrap_or_default().iter().copied()).unwrap_or_else(|| "omit it".to_owned());
            self.of("--param", |found| found.hinted(&Place::whole("--param"), message, hint));
        }
    }

    /// Something that cannot be told, and has to be.
    pub(crate) fn missing(&mut self, missing: &Unresolved) {
        self.add(&missing.place, &missing.message, Some(&missing.hint));
    }

    /// `did you mean …?`, for as many words as a person will read of.
    pub(crate) fn did_you_mean<'a>(&self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.looked_up.set(self.looked_up.get() + 1);
        if self.looked_up.get() > SHOWN { None } else { did_you_mean(written, known) }
    }

    pub(crate) fn note(&mut self, kind: NoteKind, place: &Place, message: impl Into<String>, hint: Option<&str>) {
        let message = cut(&message.into());
        let note = Note { kind, place: place.clone(), function: self.function.clone(), message, hint: hint.map(str::to_owned) };
        let same = |known: &Note| known.place == note.place && known.message == note.message;
        match self.notes.len() {
            MOST_FINDINGS => {
                let message = "more notes than can be shown".to_owned();
                self.notes.push(Note { kind: NoteKind::Warning, message, function: None, hint: None, ..note });
            }
            many if many > MOST_FINDINGS || self.notes.iter().any(same) => {}
            _ => self.notes.push(note),
        }
    }

    pub(crate) fn unresolved(&mut self, missing: &Unresolved, what: &str, hint: Option<&str>) {
        let message = format!("{}: {what}", missing.message);
        self.note(NoteKind::Unresolved, &missing.place, message, hint);
    }

    /// That a function of the file is not rolled out: "it has no alias".
    pub(crate) fn skip(&mut self, key: &str, why: &str) {
        if self.skipped.len() < MOST_FINDINGS {
            self.skipped.insert(key.to_owned(), why.to_owned());
        }
    }

    /// Whether something is wrong with the function that is read.
    pub(crate) fn wrong(&self) -> bool {
        self.function.is_some() && self.problems.iter().any(|problem| problem.function == self.function)
    }

    /// Whether it is known already that a setting cannot be read which this function has itself.
    pub(crate) fn lacks_own(&self, setting: &str) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.is_about(setting) && problem.function.is_some() && problem.function == self.function)
    }

    /// Whether it is known already that a setting of this function cannot be read.
    pub(crate) fn lacks(&self, setting: &str) -> bool {
        let here = |problem: &Problem| problem.function.is_none() || problem.function == self.function;
        self.problems.iter().any(|problem| problem.is_about(setting) && here(problem))
    }

    /// What is wrong, what is worth knowing, and what is not rolled out.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<Note>, BTreeMap<String, String>) {
        (self.problems, self.notes, self.skipped)
    }
}

/// What reads a file and finds something.
pub(crate) trait Reading: Sized {
    fn found(&mut self) -> &mut Findings;

    /// What is found while a setting is read is about it.
    fn about<T>(&mut self, setting: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.found().setting.replace(setting.to_owned());
        let value = read(self);
        self.found().setting = outer;
        value
    }

    /// A needed value, or a problem that says what is missing.
    fn resolved<T>(&mut self, value: Result<T, Unresolved>) -> Option<T> {
        value.map_err(|missing| self.found().missing(&missing)).ok()
    }
}

/// `did you mean …?`, where one of the known words is like the one that was written.
pub(crate) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // A word without end is like no other; comparing costs the product of both lengths.
    let written = written.to_lowercase();
    if written.len() > LONGEST_WORD {
        return None;
    }
    let distance = |word: &str| strsim::damerau_levenshtein(&written, &word.to_lowercase());
    // One may be the short form of the other: `IsProd` and `IsProduction`.
    let begins = |word: &str| {
        word.len().min(written.len()) >= SHORTEST_BEGINNING && (word.starts_with(&written) || written.starts_with(word))
    };
    let near =
        |word: &&str| word.len() <= LONGEST_WORD && (distance(word) <= (word.len() / 3).max(1) || begins(&word.to_lowercase()));
    let nearest = known.into_iter().take(MOST_WORDS).filter(near).min_by_key(|word| distance(word))?;
    Some(format!("did you mean `{nearest}`?"))
}

/// As much of a text as a message has room for.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() { format!("{short}…") } else { short }
}

/// As much of a message as is of any use.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

const MOST_FINDINGS: usize = 1000;
const LONGEST_MESSAGE: usize = 500;
const SHOWN: usize = 50;
const LONGEST_WORD: usize = 128;
const SHORTEST_BEGINNING: usize = 4;
const MOST_WORDS: usize = 1000;
