//! What is the value of `!Ref`, `!Sub`, `!If` and others in a template? Resolves them from parameters, mappings and conditions.
//!
//! Reads both notations: YAML tags and `Fn::` maps. A value that only `CloudFormation` has is left unresolved.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use crate::finding::{Unresolved, did_you_mean, shown};
use crate::keys::MOST_NAMED;
use crate::place::{At, Place};
use crate::tree::{Map, Node, Value};

#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// A value. Inside of it, intrinsic functions may stand again.
    Value(Cow<'a, Node>),
    /// A resource of the template, by its logical id.
    Resource(At<String>),
    /// `AWS::NoValue`: as if the key were missing.
    Nothing,
}

type Evaluated<T> = Result<T, Unresolved>;

pub(crate) struct Template<'a> {
    root: &'a Node,
    given: BTreeMap<String, At<String>>,
    stack: Option<String>,
    region: Option<String>,
    /// How much more may be evaluated: conditions that repeat each other would never end.
    budget: Cell<usize>,
    /// How many more words are looked for among the known ones.
    guesses: Cell<usize>,
}

impl<'a> Template<'a> {
    pub(crate) fn new(
        root: &'a Node,
        given: BTreeMap<String, At<String>>,
        stack: Option<String>,
        region: Option<String>,
    ) -> Self {
        Self { root, given, stack, region, budget: Cell::new(BUDGET), guesses: Cell::new(GUESSES) }
    }

    pub(crate) fn section(&self, name: &str) -> Option<&'a Map> {
        self.root.get(name).and_then(Node::map)
    }

    pub(crate) fn evaluate(&self, node: &'a Node) -> Evaluated<Known<'a>> {
        self.value(node, 0)
    }

    pub(crate) fn text(&self, node: &'a Node) -> Evaluated<At<String>> {
        self.text_of(node, 0)
    }

    pub(crate) fn condition(&self, name: &str, place: &Place) -> Evaluated<bool> {
        self.named_condition(name, place, 0)
    }

    fn spend(&self, cost: usize, depth: usize, place: &Place) -> Evaluated<()> {
        let left = self.budget.get().checked_sub(cost + 1).filter(|_| depth < DEEPEST);
        self.budget.set(
            left.ok_or_else(|| {
                missing("functions or conditions are nested too deep", "write the value in a `canary.yml`", place)
            })?,
        );
        Ok(())
    }

    fn value(&self, node: &'a Node, depth: usize) -> Evaluated<Known<'a>> {
        let Some((function, argument)) = function(node) else { return Ok(Known::Value(Cow::Borrowed(node))) };
        self.spend(0, depth, &node.place)?;
        let place = &node.place;
        let named = || unresolved(&format!("Fn::{function}"), place);
        let text = |text: String| Ok(Known::Value(Cow::Owned(Node::text_at(text, place))));
        match function {
            "Ref" => self.reference(argument.text().ok_or_else(named)?, place),
            "GetAtt" => {
                let listed = argument.list().and_then(|parts| parts.first()).and_then(Node::text);
                let id = listed.or_else(|| argument.text()?.split('.').next()).ok_or_else(named)?;
                self.resource(id, place).ok_or_else(|| self.unknown_name(id, place))
            }
            "Sub" => self.sub(argument, place, depth),
            "If" => match argument.list() {
                Some([name, yes, no]) => {
                    let holds = self.named_condition(name.text().ok_or_else(named)?, place, depth + 1)?;
                    self.value(if holds { yes } else { no }, depth + 1)
                }
                _ => Err(named()),
            },
            "FindInMap" => self.find_in_map(argument.list().ok_or_else(named)?, place, depth),
            "Split" => match argument.list() {
                Some([separator, whole]) if separator.text() == Some(",") => {
                    let whole = self.text_of(whole, depth + 1)?;
                    Ok(Known::Value(Cow::Owned(listed(&whole.value, place))))
                }
                _ => Err(named()),
            },
            "Join" => match argument.list() {
                Some([separator, parts]) => {
                    let parts = self.list(parts, depth + 1)?;
                    let parts: Evaluated<Vec<String>> =
                        parts.iter().map(|part| self.text_of(part, depth + 1).map(|text| text.value)).collect();
                    text(bounded(parts?.join(separator.text().unwrap_or_default()), place)?)
                }
                _ => Err(named()),
            },
            "Select" => match argument.list() {
                Some([index, list]) => {
                    let index: usize = self.text_of(index, depth + 1)?.value.parse().map_err(|_| named())?;
                    self.value(self.list(list, depth + 1)?.get(index).ok_or_else(named)?, depth + 1)
                }
                _ => Err(named()),
            },
            _ => Err(named()),
        }
    }

    fn list(&self, node: &'a Node, depth: usize) -> Evaluated<&'a [Node]> {
        match self.value(node, depth)? {
            Known::Value(Cow::Borrowed(node)) if node.list().is_some() => {
                let list = node.list().unwrap_or_default();
                self.spend(list.len(), depth, &node.place)?;
                Ok(list)
            }
            Known::Value(_) | Known::Resource(_) | Known::Nothing => Err(unresolved("a list", &node.place)),
        }
    }

    fn text_of(&self, node: &'a Node, depth: usize) -> Evaluated<At<String>> {
        match self.value(node, depth)? {
            Known::Value(value) => match value.text() {
                Some(text) => Ok(At { value: text.to_owned(), place: value.place.clone() }),
                None => Err(missing(format!("expected a text, found {}", value.kind()), "write a text", &value.place)),
            },
            Known::Resource(id) => {
                Err(missing(format!("only the stack has the name of `{}`", shown(&id.value)), IN_THE_STACK, &id.place))
            }
            Known::Nothing => Err(unresolved("AWS::NoValue", &node.place)),
        }
    }

    /// What a name refers to: a pseudo parameter, a parameter or a resource.
    fn reference(&self, name: &str, place: &Place) -> Evaluated<Known<'a>> {
        let value = |text: &str| Ok(Known::Value(Cow::Owned(Node::text_at(text, place))));
        if name == "AWS::NoValue" {
            return Ok(Known::Nothing);
        }
        match (name, &self.region, &self.stack) {
            ("AWS::Region", Some(region), _) => return value(region),
            ("AWS::Partition", Some(region), _) => return value(partition(region).0),
            ("AWS::URLSuffix", Some(region), _) => return value(partition(region).1),
            ("AWS::StackName", _, Some(stack)) => return value(stack),
            _ => {}
        }
        let parameter = self.section("Parameters").and_then(|parameters| parameters.get(name));
        let kind = parameter.and_then(|parameter| parameter.get("Type")).and_then(Node::text).unwrap_or_default();
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        if let Some(given) = self.given.get(name) {
            return if is_list { Ok(Known::Value(Cow::Owned(listed(&given.value, place)))) } else { value(&given.value) };
        }
        if let Some(parameter) = parameter {
            // The default of such a parameter is the name of another one, which the parameter store keeps.
            let stored = kind.starts_with("AWS::SSM::Parameter");
            let default = parameter.get("Default").filter(|node| !stored && node.map().is_none());
            let hint = format!("set it with `--param {name}=…`, or with `parameter_overrides` in `samconfig.toml`");
            let default = default.ok_or_else(|| missing(format!("`{}` cannot be resolved", shown(name)), hint, place))?;
            return Ok(Known::Value(match default.text() {
                Some(text) if is_list => Cow::Owned(listed(text, &default.place)),
                _ => Cow::Borrowed(default),
            }));
        }
        self.resource(name, place).ok_or_else(|| self.unknown_name(name, place))
    }

    fn unknown_name(&self, name: &str, place: &Place) -> Unresolved {
        if let Some((_, hint)) = PSEUDO.iter().find(|(pseudo, _)| *pseudo == name) {
            return missing(format!("`{name}` cannot be resolved"), *hint, place);
        }
        let known = || ["Parameters", "Resources"].into_iter().filter_map(|name| self.section(name)).flat_map(Map::keys);
        self.no_such("parameter or resource", name, known(), place)
    }

    /// That a name is not one of those that are known.
    fn no_such<'k>(&self, what: &str, name: &str, known: impl Iterator<Item = &'k str>, place: &Place) -> Unresolved {
        let guess = self.guesses.get().checked_sub(1).and_then(|left| {
            self.guesses.set(left);
            let known: Vec<&str> = known.take(MOST_NAMED).collect();
            let some = (1..=MOST_LISTED).contains(&known.len());
            let listed = || known.iter().map(|known| format!("`{}`", shown(known))).collect::<Vec<_>>().join(", ");
            did_you_mean(name, known.iter().copied()).or_else(|| some.then(|| format!("the template has {}", listed())))
        });
        let hint = guess.unwrap_or_else(|| "add it to the template".to_owned());
        missing(format!("there is no {what} `{}`", shown(name)), hint, place)
    }

    /// A resource, or what SAM makes of one: `Hello.Alias` and `Hello.Version` are of `Hello`.
    fn resource(&self, name: &str, place: &Place) -> Option<Known<'a>> {
        let id = name.split('.').next().unwrap_or_default();
        let found = self.section("Resources")?.get(id);
        found.map(|_| Known::Resource(At { value: id.to_owned(), place: place.clone() }))
    }

    /// `!Sub`: a text with `${Names}`, or such a text with values of its own.
    fn sub(&self, argument: &'a Node, place: &Place, depth: usize) -> Evaluated<Known<'a>> {
        let (text, own) = match argument.list() {
            Some([text, own]) => (text.text(), own.map()),
            Some(_) => (None, None),
            None => (argument.text(), None),
        };
        let text = text.ok_or_else(|| unresolved("Fn::Sub", place))?;
        self.spend(text.len(), depth, place)?;
        let mut built = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, after) = behind.split_once('}').ok_or_else(|| unresolved(text, place))?;
            built.push_str(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                built.extend(["${", literal, "}"]);
                continue;
            }
            let name = name.trim();
            let value = match own.and_then(|own| own.get(name)) {
                Some(own) => self.value(own, depth + 1)?,
                None => self.reference(name, place)?,
            };
            match value {
                Known::Value(value) => {
                    built.push_str(value.text().ok_or_else(|| unresolved(name, place))?);
                    built = bounded(built, place)?;
                }
                Known::Resource(id) if built.is_empty() && after.is_empty() => return Ok(Known::Resource(id)),
                Known::Resource(_) | Known::Nothing => return Err(unresolved(&format!("${{{name}}}"), place)),
            }
        }
        built.push_str(rest);
        Ok(Known::Value(Cow::Owned(Node::text_at(bounded(built, place)?, place))))
    }

    fn find_in_map(&self, path: &'a [Node], place: &Place, depth: usize) -> Evaluated<Known<'a>> {
        let mut here = self.section("Mappings");
        let mut what = "mapping".to_owned();
        for (index, key) in path.iter().take(3).enumerate() {
            let key = self.text_of(key, depth + 1)?;
            let Some(node) = here.and_then(|map| map.get(&key.value)) else {
                if let Some(default) = path.get(3).and_then(|node| node.get("DefaultValue")) {
                    return self.value(default, depth + 1);
                }
                return Err(self.no_such(&what, &key.value, here.into_iter().flat_map(Map::keys), place));
            };
            if index == 2 {
                return Ok(Known::Value(Cow::Borrowed(node)));
            }
            here = node.map();
            "key".clone_into(&mut what);
        }
        Err(unresolved("Fn::FindInMap", place))
    }

    fn named_condition(&self, name: &str, place: &Place, depth: usize) -> Evaluated<bool> {
        let conditions = self.section("Conditions");
        let condition = conditions.and_then(|conditions| conditions.get(name));
        let unknown = || self.no_such("condition", name, conditions.into_iter().flat_map(Map::keys), place);
        self.holds(condition.ok_or_else(unknown)?, depth + 1)
    }

    fn holds(&self, node: &'a Node, depth: usize) -> Evaluated<bool> {
        self.spend(0, depth, &node.place)?;
        let strange = || missing("this condition cannot be evaluated", IN_THE_STACK, &node.place);
        let (function, argument) = function(node).ok_or_else(strange)?;
        if function == "Condition" {
            return self.named_condition(argument.text().ok_or_else(strange)?, &node.place, depth + 1);
        }
        let arguments = argument.list().ok_or_else(strange)?;
        match (function, arguments) {
            ("Equals", [one, other]) => Ok(self.text_of(one, depth + 1)?.value == self.text_of(other, depth + 1)?.value),
            ("Not", [one]) => self.holds(one, depth + 1).map(|holds| !holds),
            ("And", all) => all.iter().try_fold(true, |so_far, one| Ok(so_far && self.holds(one, depth + 1)?)),
            ("Or", all) => all.iter().try_fold(false, |so_far, one| Ok(so_far || self.holds(one, depth + 1)?)),
            _ => Err(strange()),
        }
    }
}

/// The intrinsic function that a value calls, and what with.
pub(crate) fn function(node: &Node) -> Option<(&str, &Node)> {
    if let Some(tag) = &node.tag {
        return Some((tag, node));
    }
    let map = node.map().filter(|map| map.len() == 1)?;
    let (key, argument) = map.iter().next()?;
    let name = key.text.strip_prefix("Fn::").or_else(|| ["Ref", "Condition"].into_iter().find(|name| *name == key.text))?;
    Some((name, argument))
}

/// The parts of a text between commas.
fn listed(text: &str, place: &Place) -> Node {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).take(MOST_NAMED);
    Node { place: place.clone(), tag: None, value: Value::List(parts.map(|part| Node::text_at(part, place)).collect()) }
}

fn bounded(text: String, place: &Place) -> Evaluated<String> {
    if text.len() > LONGEST { Err(missing("the text is too long", "write a shorter one", place)) } else { Ok(text) }
}

fn unresolved(what: &str, place: &Place) -> Unresolved {
    missing(format!("`{}` cannot be resolved", shown(what)), IN_THE_STACK, place)
}

fn missing(message: impl Into<String>, hint: impl Into<String>, place: &Place) -> Unresolved {
    Unresolved { place: place.clone(), message: message.into(), hint: hint.into() }
}

/// The partition of a Region, and what its addresses end with.
fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        cn if cn.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        gov if gov.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ => ("aws", "amazonaws.com"),
    }
}

const IN_THE_STACK: &str = "only the stack has it: write the value in a `canary.yml`";
/// What only a stack has, and how to say it.
const PSEUDO: [(&str, &str); 6] = [
    ("AWS::AccountId", "`--param AWS::AccountId=123456789012`"),
    ("AWS::Region", "`--region eu-west-1`"),
    ("AWS::Partition", "`--region eu-west-1`"),
    ("AWS::URLSuffix", "`--region eu-west-1`"),
    ("AWS::StackName", "`--stack NAME`"),
    ("AWS::StackId", "`--param AWS::StackId=…`"),
];

/// How many known words a hint lists.
const MOST_LISTED: usize = 10;
/// How many words are compared with the known ones.
const GUESSES: usize = 50;
/// How deep functions may stand in functions, and conditions in conditions.
const DEEPEST: usize = 32;
const LONGEST: usize = 4096;
/// How many functions are called and how many bytes of texts are looked through for one file, together.
const BUDGET: usize = 4 * 1024 * 1024;
