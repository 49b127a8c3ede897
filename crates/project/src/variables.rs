//! What is the value of `${…}` in a `serverless.yml`? Resolves it from the file, the options and the environment.
//!
//! Resolves single values, not the whole file: an unused reference to a parameter store is no problem. Of other files, those in the same
//! folder are followed.

use std::borrow::Cow;
use std::cell::Cell;

use crate::Lookup;
use crate::finding::{Unresolved, shown};
use crate::included::{Content, Included};
use crate::place::{At, Place};
use crate::tree::{Map, Node, Value};

type Resolved<T> = Result<T, Unresolved>;

pub(crate) struct Variables<'a> {
    root: &'a Node,
    lookup: &'a Lookup,
    included: &'a Included<'a>,
    /// A packaged state as a whole: what is there twice refers to the first place.
    state: Option<&'a Node>,
    /// How many more bytes of text may be searched.
    budget: Cell<usize>,
}

impl<'a> Variables<'a> {
    pub(crate) fn new(root: &'a Node, lookup: &'a Lookup, included: &'a Included<'a>, state: Option<&'a Node>) -> Self {
        Self { root, lookup, included, state, budget: Cell::new(BUDGET) }
    }

    /// The node, or what it stands for. What is not borrowed is a scalar.
    pub(crate) fn node(&self, node: &'a Node) -> Resolved<Cow<'a, Node>> {
        self.resolve(node, 0)
    }

    /// What stands under a path of keys, or nothing.
    pub(crate) fn path(&self, path: &[&str]) -> Resolved<Option<Cow<'a, Node>>> {
        self.walk(path.iter().copied(), 0)
    }

    pub(crate) fn text(&self, path: &[&str]) -> Resolved<Option<At<String>>> {
        let node = self.path(path)?;
        Ok(node.and_then(|node| node.text_with_place()))
    }

    pub(crate) fn stage(&self) -> Resolved<At<String>> {
        self.stage_at(0)
    }

    fn stage_at(&self, depth: usize) -> Resolved<At<String>> {
        if let Some(stage) = At::given(self.lookup.stage.as_ref(), "--stage") {
            return Ok(stage);
        }
        let own = self.walk(["provider", "stage"].into_iter(), depth)?;
        let own = own.and_then(|node| node.text_with_place());
        Ok(own.unwrap_or_else(|| At { value: "dev".to_owned(), place: Place { line: 0, ..self.root.place.clone() } }))
    }

    fn region(&self, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        let asked = self.lookup.region.as_ref().map(|region| Cow::Owned(Node::text_at(region, &Place::whole("--region"))));
        match asked {
            Some(region) => Ok(Some(region)),
            None => self.walk(["provider", "region"].into_iter(), depth),
        }
    }

    fn resolve(&self, node: &'a Node, depth: usize) -> Resolved<Cow<'a, Node>> {
        match (&node.value, self.state) {
            // A packaged state has no variables: what looks like one is `CloudFormation`'s.
            (Value::Scalar { text, .. }, None) if text.contains("${") && node.tag.is_none() => {
                self.expand(text, &node.place, depth)
            }
            (Value::Map(map), Some(state)) if map.len() == 1 => match map.get("$ref").and_then(Node::text) {
                Some(path) if depth < DEEPEST => self.refers(state, path, &node.place, depth),
                Some(_) | None => Ok(Cow::Borrowed(node)),
            },
            (Value::Scalar { .. } | Value::List(_) | Value::Map(_), _) => Ok(Cow::Borrowed(node)),
        }
    }

    /// What a path such as `$["service"]["functions"][0]` refers to in a packaged state.
    fn refers(&self, state: &'a Node, path: &str, place: &Place, depth: usize) -> Resolved<Cow<'a, Node>> {
        let steps = path.strip_prefix('$').unwrap_or_default().split(['[', ']']).filter(|step| !step.is_empty());
        let keys = steps.map(|step| step.trim_matches('"'));
        let found = self.walk_from(state, keys, depth + 1)?;
        found.ok_or_else(|| missing(&format!("`{}` is not in the state", shown(path)), PACKAGE, place))
    }

    /// A copy in which every variable is replaced, except those of `CloudFormation`.
    pub(crate) fn literal(&self, node: &'a Node) -> Resolved<Node> {
        self.literal_at(node, 0)
    }

    fn literal_at(&self, node: &'a Node, depth: usize) -> Resolved<Node> {
        let copy = |value| Node { place: node.place.clone(), tag: node.tag.clone(), value };
        Ok(match &node.value {
            _ if depth > DEEPEST => return Err(missing("this is nested too deep", PACKAGE, &node.place)),
            Value::Scalar { text, .. } if text.contains("${") && self.state.is_none() => {
                let kept = text.replace("${AWS::", KEPT).replace("${!", KEPT_LITERAL);
                let expanded = self.expand(&kept, &node.place, depth)?;
                let text = expanded.text().unwrap_or_default().replace(KEPT, "${AWS::").replace(KEPT_LITERAL, "${!");
                copy(Value::Scalar { text, plain: false })
            }
            Value::Scalar { .. } => node.clone(),
            Value::List(nodes) => {
                copy(Value::List(nodes.iter().map(|node| self.literal_at(node, depth + 1)).collect::<Resolved<_>>()?))
            }
            Value::Map(map) => {
                let entries = map.iter().map(|(key, node)| Ok((key.clone(), self.literal_at(node, depth + 1)?)));
                copy(Value::Map(Map::new(entries.collect::<Resolved<_>>()?).0))
            }
        })
    }

    /// A text with its variables replaced. One that is a single variable may stand for anything.
    fn expand(&self, text: &str, place: &Place, depth: usize) -> Resolved<Cow<'a, Node>> {
        let unresolved = |variable: &str| {
            let variable = if variable.contains("${") { shown(variable) } else { shown(&format!("${{{variable}}}")) };
            missing(&format!("`{variable}` cannot be resolved"), PACKAGE, place)
        };
        let left = self.budget.get().checked_sub(text.len()).filter(|_| depth < DEEPEST && text.len() <= LONGEST);
        self.budget.set(left.ok_or_else(|| unresolved(text))?);
        let mut built = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let end = closing(behind).ok_or_else(|| unresolved(text))?;
            let (inside, after) = (behind.get(..end).unwrap_or_default(), behind.get(end + 1..).unwrap_or_default());
            let value = self.variable(inside, place, depth + 1)?.ok_or_else(|| self.nothing(inside, place, depth + 1))?;
            if before.is_empty() && after.is_empty() && built.is_empty() {
                return Ok(value);
            }
            built.push_str(before);
            // A list or map has no place in the middle of a text.
            built.push_str(value.text().ok_or_else(|| unresolved(&format!("${{{inside}}}")))?);
            if built.len() > LONGEST {
                return Err(unresolved(text));
            }
            rest = after;
        }
        built.push_str(rest);
        Ok(Cow::Owned(Node::text_at(built, place)))
    }

    /// The first of a variable's alternatives that there is.
    fn variable(&self, inside: &str, place: &Place, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        for alternative in alternatives(inside) {
            let alternative = alternative.trim();
            if let Some(literal) = literal(alternative) {
                let plain = !alternative.starts_with(['\'', '"']);
                let value = Value::Scalar { text: literal.to_owned(), plain };
                return Ok(Some(Cow::Owned(Node { place: place.clone(), tag: None, value })));
            }
            let found = if alternative.starts_with("${") && closing(&alternative[2..]) == Some(alternative.len() - 3) {
                let inner = alternative.get(2..alternative.len() - 1).unwrap_or_default();
                self.nested(inner, place, depth)?
            } else {
                let address = self.expand(alternative, place, depth)?;
                self.source(address.text().unwrap_or_default(), place, depth)?
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn nested(&self, inside: &str, place: &Place, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        if depth >= DEEPEST {
            return Err(missing(&format!("`{}` cannot be resolved", shown(&format!("${{{inside}}}"))), PACKAGE, place));
        }
        self.variable(inside, place, depth + 1)
    }

    /// That nothing is known for a variable, and what to do about its first alternative.
    fn nothing(&self, inside: &str, place: &Place, depth: usize) -> Unresolved {
        let variable = shown(&format!("${{{inside}}}"));
        let first = alternatives(inside).first().map_or("", |first| first.trim());
        // What is in the name of a file is known, or this would not be reached.
        let expanded = if first.starts_with("file(") { self.expand(first, place, depth).ok() } else { None };
        let first = expanded.as_ref().and_then(|node| node.text()).unwrap_or(first);
        let unset = |hint: &str| missing(&format!("`{variable}` is not set"), hint, place);
        match first.split_once(':') {
            Some(("env", name)) => unset(&format!("set {}, or give the variable a default", shown(name))),
            Some(("opt", "stage")) => unset("set it with `--stage`"),
            Some(("opt", "region")) => unset("set it with `--region`"),
            Some(("opt", _)) => {
                let hint = "only the options `--stage` and `--region` are supported; `--param NAME=VALUE` sets `${param:NAME}`";
                missing(&format!("`{variable}` cannot be resolved"), hint, place)
            }
            Some(("param", name)) => unset(&format!("set it with `--param {}=…`", shown(name))),
            _ if first.starts_with("file(") => match file_of(first).map(|(name, _)| (name, self.included.get(name))) {
                Some((name, Content::Missing)) => {
                    missing(&format!("`{variable}`: {} does not exist", shown(name)), PACKAGE, place)
                }
                Some((name, Content::Tree(_))) => {
                    missing(&format!("`{variable}`: {} has no such key", shown(name)), "add it to that file", place)
                }
                _ => missing(&format!("`{variable}` cannot be resolved"), PACKAGE, place),
            },
            _ => missing(&format!("`{variable}` cannot be resolved"), PACKAGE, place),
        }
    }

    /// The value of an address such as `self:custom.alias`; an error where it cannot be resolved.
    fn source(&self, address: &str, place: &Place, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        let found = |text: &String| Some(Cow::Owned(Node::text_at(text, place)));
        match address.split_once(':') {
            Some(("self", path)) => self.walk(path.split('.').filter(|key| !key.is_empty()), depth),
            Some(("opt", "stage")) => Ok(self.lookup.stage.as_ref().and_then(found)),
            Some(("opt", "region")) => Ok(self.lookup.region.as_ref().and_then(found)),
            Some(("opt", _)) => Ok(None),
            Some(("env", name)) => Ok(self.environment(name, place)),
            Some(("sls", "stage")) => self.stage_at(depth).map(|stage| found(&stage.value)),
            Some(("aws", "region")) => Ok(self.region(depth)?.or_else(|| found(&DEFAULT_REGION.to_owned()))),
            Some(("param", name)) => self.parameter(name, place, depth),
            _ if address.starts_with("file(") => self.file(address, place, depth),
            _ => Err(missing(&format!("`{}` cannot be resolved", shown(&format!("${{{address}}}"))), PACKAGE, place)),
        }
    }

    /// What is in another file: all of it, or what is at a path in it.
    fn file(&self, address: &str, place: &Place, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        let (name, path) = file_of(address).unwrap_or_default();
        match self.included.get(name) {
            Content::Missing => Ok(None),
            Content::Tree(tree) => self.walk_from(tree, path.split('.').filter(|key| !key.is_empty()), depth),
            Content::Text(text) if path.is_empty() => Ok(Some(Cow::Owned(Node::text_at(text, place)))),
            Content::Text(_) => Ok(None),
            Content::Unread(why) => {
                let variable = shown(&format!("${{{address}}}"));
                Err(missing(&format!("`{variable}` cannot be resolved: {why}"), PACKAGE, place))
            }
        }
    }

    /// An environment variable: set, or in one of the files that `useDotenv` reads.
    fn environment(&self, name: &str, place: &Place) -> Option<Cow<'a, Node>> {
        let found = |text: &str| Some(Cow::Owned(Node::text_at(text, place)));
        if let Some(value) = self.lookup.environment.get(name) {
            return found(value);
        }
        if self.root.get("useDotenv").and_then(Node::text) != Some("true") {
            return None;
        }
        // The stage may be in such a file itself.
        let stage = self.lookup.stage.as_deref().unwrap_or("dev");
        let files = [format!(".env.{stage}.local"), format!(".env.{stage}"), ".env.local".to_owned(), ".env".to_owned()];
        let value = files.iter().find_map(|file| match self.included.get(file) {
            Content::Text(text) => text.lines().find_map(|line| {
                let (key, value) = line.trim().trim_start_matches("export ").split_once('=')?;
                (key.trim() == name).then(|| value.trim().trim_matches(['"', '\'']))
            }),
            Content::Tree(_) | Content::Missing | Content::Unread(_) => None,
        });
        value.and_then(found)
    }

    /// A parameter: from the command line, of the stage, or of every stage.
    fn parameter(&self, name: &str, place: &Place, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        if let Some(value) = self.lookup.parameters.get(name) {
            return Ok(Some(Cow::Owned(Node::text_at(value, place))));
        }
        let stage = self.stage_at(depth)?.value;
        let of_stages = [&["params", &stage, name][..], &["stages", &stage, "params", name]];
        let of_all = [&["params", "default", name][..], &["stages", "default", "params", name]];
        for path in of_stages.into_iter().chain(of_all) {
            let found = self.walk(path.iter().copied(), depth)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn walk<'k>(&self, path: impl Iterator<Item = &'k str>, depth: usize) -> Resolved<Option<Cow<'a, Node>>> {
        self.walk_from(self.root, path, depth)
    }

    fn walk_from<'k>(
        &self,
        from: &'a Node,
        path: impl Iterator<Item = &'k str>,
        depth: usize,
    ) -> Resolved<Option<Cow<'a, Node>>> {
        let mut here = self.resolve(from, depth + 1)?;
        for key in path {
            // What is not borrowed is a scalar, and has no keys.
            let Cow::Borrowed(node) = here else { return Ok(None) };
            let next = match &node.value {
                Value::Map(map) => map.get(key),
                Value::List(nodes) => key.parse().ok().and_then(|index: usize| nodes.get(index)),
                Value::Scalar { .. } => None,
            };
            let Some(next) = next else { return Ok(None) };
            here = self.resolve(next, depth + 1)?;
        }
        Ok(Some(here).filter(|node| !node.is_null()))
    }
}

/// The name and the path in `file(NAME):PATH`.
fn file_of(address: &str) -> Option<(&str, &str)> {
    let (name, rest) = address.strip_prefix("file(")?.split_once(')')?;
    let path = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))?;
    Some((name.trim().trim_matches(['"', '\'']).trim_start_matches("./"), path))
}

fn missing(message: &str, hint: &str, place: &Place) -> Unresolved {
    Unresolved { place: place.clone(), message: message.to_owned(), hint: hint.to_owned() }
}

/// What stands for `${AWS::` and `${!` while the other variables are replaced.
const KEPT: &str = "\u{1}AWS::";
const KEPT_LITERAL: &str = "\u{1}!";
const PACKAGE: &str = "run `serverless package`: the resolved state in `.serverless` is then read instead";

/// Where the brace is that closes what began before this text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    let mut before = ' ';
    for (index, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(index);
        }
        before = letter;
    }
    None
}

/// The parts between commas that stand in no quotes, brackets or inner variable.
fn alternatives(text: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    let mut parts = Vec::new();
    for (index, letter) in text.char_indices() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(letter),
            ('{' | '(' | '[', None) => depth += 1,
            ('}' | ')' | ']', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.extend(text.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn literal(text: &str) -> Option<&str> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    let word = matches!(text, "true" | "false" | "null") || text.parse::<f64>().is_ok();
    quoted('\'').or_else(|| quoted('"')).or(word.then_some(text))
}

/// The Region that the framework takes where nothing names one.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
const DEEPEST: usize = 32;
/// The longest text that is looked through, in bytes, and the longest that is built.
const LONGEST: usize = 4096;
/// How many bytes of text are searched for one file: variables that double each other would never end.
const BUDGET: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn lookup() -> Lookup {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Lookup {
            stage: Some("prod".to_owned()),
            region: None,
            stack: None,
            parameters: pairs(&[("given", "by hand")]),
            environment: pairs(&[("SET", "from outside")]),
            folder: None,
        }
    }

    const FILE: &str = "
service: shop
provider: {region: eu-west-1, stage: '${opt:stage, \"dev\"}'}
params:
  default: {given: no, farther: far, nearer: far}
  prod: {nearer: near}
stages: {default: {params: {newer: all}}, prod: {params: {newest: one}}}
custom:
  stages: {prod: {alias: live}, dev: {alias: next}}
  list: [a, b]
  self: ${self:custom.loop}
  loop: ${self:custom.self}
  empty:
  secret: ${ssm:/alias}
";

    fn told(text: &str) -> String {
        let (root, lookup) = (yaml::parse("f", FILE.as_bytes()).unwrap(), lookup());
        let included = Included::default();
        let variables = Variables::new(&root, &lookup, &included, None);
        let place = Place::whole("f");
        match variables.expand(text, &place, 0) {
            Ok(node) => node.text().map_or_else(|| node.kind().to_owned(), str::to_owned),
            Err(unresolved) => format!("? {}", unresolved.message.split('`').nth(1).unwrap_or_default()),
        }
    }

    #[test]
    fn variables_stand_for_what_is_known() {
        let rows = [
            ("a ${self:service} b", "a shop b"),
            ("${self:custom.stages.${sls:stage}.alias}", "live"),
            ("${self:custom.stages.${opt:stage, self:provider.stage, 'dev'}.alias}", "live"),
            ("${self:custom.stages}", "a map of keys"),
            ("${self:custom.list.1}", "b"),
            ("${opt:missing, 'a, b'}", "a, b"),
            ("${opt:missing, \"x\"}-${env:UNSET, env:SET}", "x-from outside"),
            ("${opt:missing, ${self:nothing, ${self:service}}}", "shop"),
            ("${self:custom.empty, 'full'}", "full"),
            ("${aws:region}", "eu-west-1"),
            ("${param:newer} ${param:newest}", "all one"),
            ("${param:given} ${param:nearer} ${param:farther}", "by hand near far"),
            ("${self:nothing, 3}${self:nothing, true}", "3true"),
        ];
        for (text, expected) in rows {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let rows = [
            ("${ssm:/path~true, 'default'}", "? ${ssm:/path~true}"),
            ("x-${self:nothing}", "? ${self:nothing}"),
            ("${self:custom.secret}", "? ${ssm:/alias}"),
            ("${file(./x.yml):${opt:stage}, 'y'}", "? ${file(./x.yml):prod}"),
            ("${self:custom.stages}-x", "? ${self:custom.stages}"),
            ("${AWS::Region}", "? ${AWS::Region}"),
            ("${self:service", "? ${self:service"),
            ("${}", "? ${}"),
            ("${env:UNSET}", "? ${env:UNSET}"),
        ];
        for (text, expected) in rows {
            assert_eq!(told(text), expected, "{text}");
        }
        assert!(told("${self:custom.loop}").starts_with("? "));
    }

    #[test]
    fn texts_that_double_come_to_an_end() {
        let line = |n: u32| format!("  a{n}: ${{self:custom.a{0}}}${{self:custom.a{0}}}", n + 1);
        let lines = (0..60).map(line).collect::<Vec<_>>().join("\n");
        let root = yaml::parse("f", format!("custom:\n{lines}\n  a60: x\n").as_bytes()).unwrap();
        let lookup = Lookup::default();
        let included = Included::default();
        let variables = Variables::new(&root, &lookup, &included, None);
        assert!(variables.path(&["custom", "a0"]).is_err());
        assert_eq!(variables.text(&["custom", "a59"]).unwrap().map(|text| text.value), Some("xx".to_owned()));
        // Below the depth that is followed, it is the budget that ends it.
        assert!(Variables::new(&root, &lookup, &included, None).path(&["custom", "a32"]).is_err());
    }
}
