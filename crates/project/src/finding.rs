//! What is wrong with a file, and what is worth knowing about it? A file with a problem is not used; notes are only shown.

use std::cell::Cell;
use std::fmt;

use crate::place::Place;

/// Something in a file that has to be changed before it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
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

/// A variable that cannot be resolved.
#[derive(Clone, Debug)]
pub(crate) struct Unresolved {
    pub(crate) variable: String,
    pub(crate) place: Place,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    notes: Vec<Note>,
    pub(crate) function: Option<String>,
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
            let (message, hint) = (cut(message), hint.map(cut));
            self.problems.push(Problem { place: place.clone(), message, hint });
        }
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
        let message = format!("`{}` cannot be resolved: {what}", missing.variable);
        self.note(NoteKind::Unresolved, &missing.place, message, hint);
    }

    pub(crate) fn sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The value with its notes where nothing was wrong; all that was wrong where something was.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<(T, Vec<Note>), Problems> {
        if self.problems.is_empty() {
            return Ok((value, self.notes));
        }
        // One place, one problem: what is found there next mostly follows from the first.
        self.problems.sort_by(|one, other| one.place.cmp(&other.place));
        self.problems.dedup_by(|next, first| next.place == first.place);
        Err(Problems(self.problems))
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
    let near = |word: &&str| word.len() <= LONGEST_WORD && distance(word) <= (word.len() / 3).max(1);
    let nearest = known.into_iter().take(MOST_WORDS).filter(near).min_by_key(|word| distance(word))?;
    Some(format!("did you mean `{nearest}`?"))
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
const MOST_WORDS: usize = 1000;
