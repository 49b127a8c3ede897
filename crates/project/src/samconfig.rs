//! What does `sam deploy` know of a stack? `samconfig.toml`: the stack's name, the Region and the parameters, for one environment.

use std::collections::BTreeMap;

use crate::finding::Findings;
use crate::keys::shown;
use crate::place::At;
use crate::tree::{Map, Node};
use crate::{File, Lookup, Problems, toml, yaml};

#[derive(Debug, Default)]
pub(crate) struct SamConfig {
    pub(crate) stack: Option<At<String>>,
    pub(crate) region: Option<At<String>>,
    pub(crate) parameters: BTreeMap<String, At<String>>,
    /// The environments that name a stack.
    pub(crate) stacks: Vec<String>,
}

pub(crate) fn read(file: File<'_>, lookup: &Lookup, found: &mut Findings) -> Result<SamConfig, Problems> {
    let is_toml = file.name.rsplit('.').next().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let tree = if is_toml { toml::parse(file.name, file.bytes)? } else { yaml::parse(file.name, file.bytes)? };
    let environments = || tree.map().into_iter().flat_map(Map::iter).filter(|(key, _)| key.text != "version");
    let named = environments()
        .filter(|(_, environment)| COMMANDS.iter().any(|name| parameter(environment, name, "stack_name").is_some()));
    let stacks = named.take(MOST_SHOWN).map(|(key, _)| key.text.clone()).collect();
    let mut config = SamConfig { stacks, ..SamConfig::default() };
    let name = lookup.stage.as_deref().unwrap_or("default");
    let Some(environment) = tree.get(name) else {
        if lookup.stage.is_some() {
            let known: Vec<&str> = environments().map(|(key, _)| key.text.as_str()).collect();
            let listed = known.iter().take(MOST_SHOWN).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
            let hint = found.did_you_mean(name, known.iter().copied());
            let hint = hint.or_else(|| (!known.is_empty()).then(|| format!("the environments are {listed}")));
            let message = format!("the file has no environment `{}`", shown(name));
            found.of("--stage", |found| match hint {
                Some(hint) => found.hinted(&tree.place, message, hint),
                None => found.problem(&tree.place, message),
            });
        }
        return Ok(config);
    };
    // The parameters of one command go before those of all.
    for command in COMMANDS {
        let text = |key: &str| parameter(environment, command, key).and_then(value);
        config.stack = config.stack.or_else(|| text("stack_name"));
        config.region = config.region.or_else(|| text("region"));
        if let Some(overrides) = parameter(environment, command, "parameter_overrides") {
            for (name, value) in overriding(overrides) {
                config.parameters.entry(name).or_insert(value);
            }
        }
    }
    Ok(config)
}

fn parameter<'a>(environment: &'a Node, command: &str, key: &str) -> Option<&'a Node> {
    environment.get(command)?.get("parameters")?.get(key)
}

fn value(node: &Node) -> Option<At<String>> {
    node.text_with_place().filter(|text| text.value.len() <= LONGEST)
}

/// Names and values, however they are written: a text, a list of texts, or a map.
fn overriding(node: &Node) -> Vec<(String, At<String>)> {
    if let Some(map) = node.map() {
        return map.iter().filter_map(|(key, node)| Some((key.text.clone(), value(node)?))).collect();
    }
    let texts = node.list().unwrap_or(std::slice::from_ref(node));
    let pairs = texts.iter().filter_map(|node| Some((node, node.text()?)));
    let pairs = pairs.flat_map(|(node, text)| words(text).into_iter().map(move |word| (node, word)));
    let named = pairs.filter_map(|(node, word)| {
        let (name, value) = pair(&word)?;
        Some((name, At { value, place: node.place.clone() })).filter(|(_, at)| at.value.len() <= LONGEST)
    });
    named.collect()
}

/// `Name=Value`, or `ParameterKey=Name,ParameterValue=Value`.
fn pair(word: &str) -> Option<(String, String)> {
    let long = word.strip_prefix("ParameterKey=").and_then(|rest| rest.split_once(",ParameterValue="));
    let (name, value) = long.or_else(|| word.split_once('='))?;
    Some((name.to_owned(), value.to_owned()))
}

/// The words of a command line: what stands in quotes is one, and a backslash takes the next letter as it is.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', _) => word.get_or_insert_default().extend(letters.next()),
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(letter),
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            (_, None) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The commands whose parameters count.
const COMMANDS: [&str; 2] = ["deploy", "global"];
const MOST_SHOWN: usize = 20;
/// The longest value that is taken, in bytes: that of a parameter in `CloudFormation`.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_a_shell_would() {
        let rows: [(&str, &[(&str, &str)]); 6] = [
            ("A=1 B=2", &[("A", "1"), ("B", "2")]),
            ("A=\"one two\"  B='3'", &[("A", "one two"), ("B", "3")]),
            ("\"A\"=\"x=y\"", &[("A", "x=y")]),
            ("ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue=\"2 3\"", &[("A", "1"), ("B", "2 3")]),
            ("A=a\\ b C=", &[("A", "a b"), ("C", "")]),
            ("nothing", &[]),
        ];
        for (text, expected) in rows {
            let read: Vec<_> = words(text).iter().filter_map(|word| pair(word)).collect();
            let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(read, expected, "{text}");
        }
    }
}
