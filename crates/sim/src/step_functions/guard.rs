//! What does the guard of canaryctl make of an alias? Our own reading of its definition, not an interpreter of the language it is written in.
//!
//! The definition itself is run by an interpreter that nobody here wrote, beside `scripts/interop`, on the same notes.

use std::sync::OnceLock;

use regex_lite::Regex;
use serde_json::Value;

/// What the state `Look` makes of an answer of `GetAlias`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) revision: String,
    /// The rollout is over, or a later format's.
    pub(crate) is_final: bool,
    /// The rollout is in progress, the alias is on its stable version, and the weight is the candidate's.
    pub(crate) is_live: bool,
    /// When its lease ends, in seconds since 1970.
    pub(crate) lease: u64,
    pub(crate) stable: String,
    /// The description that says that it was abandoned.
    pub(crate) description: String,
}

/// Reads an alias for a rollout; `millis` is the time that a description says.
pub(crate) fn look(alias: &Value, rollout: &str, millis: u64) -> Look {
    let revision = alias["RevisionId"].as_str().unwrap_or_default().to_owned();
    let description = alias["Description"].as_str().unwrap_or_default();
    let nothing = Look { revision, ..Look::default() };
    let Some(start) = description.rfind(OPENING) else { return nothing };
    let (text, note) = (&description[..start], &description[start + OPENING.len()..]);
    let words: Vec<&str> = note.split(']').next().unwrap_or_default().split(' ').collect();
    if words.get(1) != Some(&rollout) || words.len() < 3 || !note.trim_end().ends_with(']') {
        return nothing;
    }
    let is_final = words[0] != "1" || matches!(words.get(3), Some(&"promoted" | &"back"));
    let (stable, candidate) = words.get(4).and_then(|versions| versions.split_once('>')).unwrap_or_default();
    let weighted = weighted(alias);
    // Without a weight where there has to be one, somebody has cleared it.
    let has_its_own = matches!(words.get(3), Some(&"claim" | &"pre")) || !weighted.is_empty();
    let is_live = grammar().is_some_and(|grammar| grammar.is_match(note))
        && alias["FunctionVersion"] == stable
        && weighted.iter().all(|version| *version == candidate)
        && has_its_own;
    if !is_live {
        return Look { is_final, ..nothing };
    }
    let field = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let kept = words.iter().filter(|word| ["p=", "h=", "m=", "x="].iter().any(|key| word.starts_with(key)));
    let kept: String = kept.flat_map(|word| [" ", word]).collect();
    let (began, ended) = (field("t=").unwrap_or_default(), base36(millis.div_ceil(1000)));
    let back = format!("{text}{OPENING}1 {} {} back {} abandoned t={began} s={ended}{kept}]", words[1], words[2], words[4]);
    let fits = back.chars().count() <= description.chars().count().max(256);
    Look {
        is_final,
        is_live,
        lease: field("l=").and_then(|lease| u64::from_str_radix(lease, 36).ok()).unwrap_or_default(),
        stable: stable.to_owned(),
        description: if fits { back } else { text.trim_end().to_owned() },
        ..nothing
    }
}

/// The versions that have a weight.
fn weighted(alias: &Value) -> Vec<&str> {
    let weights = alias["RoutingConfig"]["AdditionalVersionWeights"].as_object();
    let weights = weights.into_iter().flatten().filter(|(_, weight)| weight.as_f64().is_some_and(|weight| weight > 0.0));
    weights.map(|(version, _)| version.as_str()).collect()
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.extend(u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

/// A live note with a lease, and with a version to roll back to.
fn grammar() -> Option<&'static Regex> {
    static GRAMMAR: OnceLock<Option<Regex>> = OnceLock::new();
    GRAMMAR.get_or_init(|| Regex::new(LIVE).ok()).as_ref()
}

const OPENING: &str = "[canaryctl/";

const LIVE: &str = concat!(
    r"^1 [0-9a-f]{8} [0-9a-z]{4} ",
    r"((claim|pre) [1-9][0-9]*>(-|[1-9][0-9]*)|(bake|post) [1-9][0-9]*>[1-9][0-9]*|shift [1-9][0-9]*>[1-9][0-9]* [0-9.]+% [0-9]+/[0-9]+)",
    r" t=[0-9a-z]{1,11} s=[0-9a-z]{1,11}( d=[0-9a-z]{1,11})? l=[0-9a-z]{1,11}( u=[0-9a-z]{1,11}\.[rb])?( b=[0-9a-z]{1,11})?",
    r"( k=[0-9]+\.[0-9a-z]{1,11})?( a=[0-9a-z]{1,11})?( w=[0-9a-z]{1,11})?( p=[1-9][0-9]*)?( h=[0-9a-f]{8})?( m=1)?",
    r"( x=[0-9]+[a-z](,[0-9]+[a-z]){0,2})?\]\s*$",
);
