//! Terraform: which aliases does a file have, and what has to be in their `lifecycle`?

use std::fmt::Write as _;

use super::edit::with;
use super::handover::{Answer, Handover, Lines, PROVISIONED, Tool};
use super::hcl::{Attribute, Block, Body, read};
use crate::finding::{Problem, Problems, shown};
use crate::place::Place;

/// What a deploy must not change: traffic is the version and the weights, and canaryctl's note is in the description.
const IGNORED: [&str; 3] = ["function_version", "routing_config", "description"];

/// The change of a file; `None` where it has no alias, and no module that may have one.
pub(super) fn handover(name: &str, text: &str) -> Result<Option<Handover>, Problems> {
    let body = match read(text) {
        Ok(body) => body,
        Err(_) if !text.contains(ALIAS) => return Ok(None),
        Err(line) => {
            let place = Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1, ..Place::whole(name) };
            return Err(Problems::one(
                Problem::new(place, "this is not understood as HCL").hint("`terraform validate` checks it"),
            ));
        }
    };
    let mut plan = Plan { text, edits: Vec::new(), lines: Vec::new(), notes: Vec::new() };
    let aliases: Vec<&Block> = body.blocks.iter().filter(|block| is_alias(block)).collect();
    for alias in &aliases {
        plan.alias(alias);
    }
    for module in body.blocks.iter().filter(|block| block.kind == "module") {
        plan.module(module);
    }
    let names: Vec<String> = aliases.iter().map(|block| block.labels.join(".")).collect();
    let Plan { mut edits, lines, mut notes, .. } = plan;
    if names.is_empty() && lines.is_empty() && notes.is_empty() {
        return Ok(None);
    }
    if !edits.is_empty() || !lines.is_empty() {
        notes.push("`prevent_destroy` also stops `terraform destroy`, until you remove it".to_owned());
    }
    let answer = match edits.is_empty() {
        _ if !lines.is_empty() => Answer::Unsafe(lines),
        true if names.is_empty() => Answer::NoAlias,
        true => Answer::HandedOver,
        false => {
            edits.sort_by_key(|(range, _)| range.start);
            let after = with(text, edits.iter().map(|(range, new)| (range, new.as_str())));
            let handed_over = read(&after)
                .is_ok_and(|body| body.blocks.iter().filter(|block| is_alias(block)).all(|alias| is_done(&after, alias)));
            if handed_over { Answer::Edited(after) } else { Answer::Unsafe(vec![whole(&names.join(", "))]) }
        }
    };
    Ok(Some(Handover { tool: Tool::Terraform, file: name.to_owned(), aliases: names, answer, notes }))
}

/// For a file in JSON, which is not edited.
pub(super) fn in_json(name: &str, text: &str) -> Option<Handover> {
    let value = crate::as_json(name, text.as_bytes()).ok()?;
    let aliases = value["resource"][ALIAS].as_object()?;
    let names: Vec<String> = aliases.keys().map(|label| format!("{ALIAS}.{label}")).collect();
    let words = |alias: &serde_json::Value| alias["lifecycle"].to_string();
    let is_done = |alias: &serde_json::Value| {
        alias["lifecycle"]["prevent_destroy"] == true && IGNORED.iter().all(|name| words(alias).contains(name))
    };
    let lines = || {
        let line =
            r#""lifecycle": {"ignore_changes": ["function_version", "routing_config", "description"], "prevent_destroy": true}"#;
        names.iter().map(|name| Lines {
            place: name.clone(),
            lines: vec![line.to_owned()],
            why: "JSON of Terraform is not edited".to_owned(),
        })
    };
    let answer = if aliases.values().all(is_done) { Answer::HandedOver } else { Answer::Unsafe(lines().collect()) };
    Some(Handover { tool: Tool::Terraform, file: name.to_owned(), aliases: names.clone(), answer, notes: Vec::new() })
}

/// An alias of a module's function, outside of the module.
fn own_resource(module: &str) -> Vec<String> {
    let arguments = [
        "resource \"aws_lambda_alias\" \"live\" {".to_owned(),
        "  name             = \"live\"".to_owned(),
        format!("  function_name    = module.{module}.lambda_function_name # or what this module calls it"),
        format!("  function_version = module.{module}.lambda_function_version"),
        String::new(),
    ];
    let block = format!("  {}", lifecycle("  ", "\n").replace('\n', "\n  "));
    arguments.into_iter().chain(block.lines().map(str::to_owned)).chain(["}".to_owned()]).collect()
}

fn is_alias(block: &Block) -> bool {
    block.kind == "resource" && block.labels.first().is_some_and(|kind| kind == ALIAS)
}

fn whole(place: &str) -> Lines {
    Lines { place: place.to_owned(), lines: lifecycle("  ", "\n").lines().map(str::to_owned).collect(), why: String::new() }
}

/// The whole block, its first line without indentation.
fn lifecycle(unit: &str, line_end: &str) -> String {
    format!(
        "lifecycle {{{line_end}{unit}ignore_changes  = [{}]{line_end}{unit}prevent_destroy = true{line_end}}}",
        IGNORED.join(", ")
    )
}

/// Whether a value says that this is ignored; in the notation of Terraform 0.11, in quotes.
fn lists(value: &str, name: &str) -> bool {
    let inside = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    let words =
        inside.map(|inside| inside.split([',', '\n']).map(|word| word.split(['#', '/']).next().unwrap_or_default().trim()));
    words.is_some_and(|mut words| words.any(|word| word.trim_matches('"') == name))
}

fn is_all(value: &str) -> bool {
    value == "all" || lists(value, "*")
}

fn is_done(text: &str, alias: &Block) -> bool {
    let lifecycles: Vec<&Block> = alias.body.blocks.iter().filter(|block| block.kind == "lifecycle").collect();
    let value =
        |name: &str| lifecycles.first().and_then(|block| find(&block.body, name)).and_then(|found| text.get(found.value.clone()));
    let ignored = value("ignore_changes").unwrap_or_default();
    lifecycles.len() == 1
        && (is_all(ignored) || IGNORED.iter().all(|name| lists(ignored, name)))
        && value("prevent_destroy") == Some("true")
}

fn find<'b>(body: &'b Body, name: &str) -> Option<&'b Attribute> {
    body.attributes.iter().find(|attribute| attribute.name == name)
}

struct Plan<'t> {
    text: &'t str,
    edits: Vec<(std::ops::Range<usize>, String)>,
    lines: Vec<Lines>,
    notes: Vec<String>,
}

impl Plan<'_> {
    fn alias(&mut self, alias: &Block) {
        let name = alias.labels.join(".");
        if find(&alias.body, "provisioned_concurrent_executions").is_some() {
            self.notes.push(PROVISIONED.replace("{}", &shown(&name)));
        }
        let lifecycles: Vec<&Block> = alias.body.blocks.iter().filter(|block| block.kind == "lifecycle").collect();
        match lifecycles.as_slice() {
            _ if is_done(self.text, alias) => {}
            [] => self.whole_block(alias, &name),
            [one] => self.within(one, &name),
            _ => self.lines.push(Lines { why: "it has several `lifecycle` blocks".to_owned(), ..whole(&name) }),
        }
        let triggered = lifecycles.iter().any(|block| find(&block.body, "replace_triggered_by").is_some());
        if triggered {
            self.notes.push(format!("`replace_triggered_by` of `{}` makes a new alias: remove it", shown(&name)));
        }
    }

    /// A block at the end of the resource.
    fn whole_block(&mut self, alias: &Block, name: &str) {
        let last = alias.text_of(self.text).trim_end();
        let one_line = !alias.text_of(self.text).contains('\n');
        if one_line {
            self.lines.push(Lines { why: "it is written on one line".to_owned(), ..whole(name) });
            return;
        }
        let (line_end, unit) = (self.line_end(), self.unit(alias));
        let outer = self.indent(alias.range.start);
        let block = lifecycle(&unit, line_end).replace(line_end, &format!("{line_end}{outer}{unit}"));
        let place = alias.inside.start + last.len();
        self.edits.push((place..place, format!("{line_end}{line_end}{outer}{unit}{block}")));
    }

    /// What a block lacks.
    fn within(&mut self, block: &Block, name: &str) {
        let value = |name: &str| find(&block.body, name).map(|found| found.value.clone());
        let mut missing = String::new();
        let (line_end, unit) = (self.line_end(), self.unit(block));
        let indent = format!("{}{unit}", self.indent(block.range.start));
        match value("ignore_changes") {
            None => {
                let _ = write!(missing, "{line_end}{indent}ignore_changes  = [{}]", IGNORED.join(", "));
            }
            Some(range) => {
                let Some(more) = self.extended(&self.text[range.clone()], &indent) else {
                    self.lines.push(Lines { why: "its `ignore_changes` is not a plain list".to_owned(), ..whole(name) });
                    return;
                };
                // As `terraform fmt` aligns two lines: with one more space before the shorter name's sign.
                let aligned = value("prevent_destroy").is_none() && more != self.text[range.clone()] && !more.contains('\n');
                let gap = range.start.saturating_sub(GAP.len())..range.start;
                if aligned && self.text.get(gap.clone()) == Some(GAP) {
                    self.edits.push((gap.start..range.end, format!(" {GAP}{more}")));
                } else {
                    self.edits.push((range, more));
                }
            }
        }
        match value("prevent_destroy") {
            None => {
                let _ = write!(missing, "{line_end}{indent}prevent_destroy = true");
            }
            Some(range) => self.edits.push((range, "true".to_owned())),
        }
        if missing.is_empty() {
            return;
        }
        let inside = block.text_of(self.text);
        let end = block.inside.start + inside.trim_end().len();
        if inside.contains('\n') {
            self.edits.push((end..end, missing));
            return;
        }
        // On one line there may be one attribute: each gets its own.
        let start = block.inside.start + (inside.len() - inside.trim_start().len());
        let closing = format!("{line_end}{}", self.indent(block.range.start));
        if inside.trim().is_empty() {
            self.edits.push((block.inside.clone(), format!("{missing}{closing}")));
        } else {
            self.edits.push((block.inside.start..start, format!("{line_end}{indent}")));
            self.edits.push((end..block.inside.end, format!("{missing}{closing}")));
        }
    }

    /// A list of ignored attributes with those that it lacks.
    fn extended(&self, value: &str, indent: &str) -> Option<String> {
        if is_all(value) {
            return Some(value.to_owned());
        }
        let inside = value.strip_prefix('[')?.strip_suffix(']')?;
        let missing: Vec<&str> = IGNORED.into_iter().filter(|name| !lists(value, name)).collect();
        let quotes = if inside.contains('"') { "\"" } else { "" };
        let words = missing.iter().map(|name| format!("{quotes}{name}{quotes}"));
        let kept = inside.trim_end();
        let comma = if kept.trim().is_empty() || kept.ends_with(',') { "" } else { "," };
        if missing.is_empty() {
            return Some(value.to_owned());
        }
        if !inside.contains('\n') {
            let space = if kept.is_empty() { "" } else { " " };
            return Some(format!("[{kept}{comma}{space}{}]", words.collect::<Vec<_>>().join(", ")));
        }
        // A comment at the end would take the comma in.
        let last = kept.lines().last().unwrap_or_default();
        if last.contains(['#', '/']) {
            return None;
        }
        let line_end = self.line_end();
        let unit = if indent.contains('\t') { "\t" } else { "  " };
        let lines: Vec<String> = words.map(|word| format!("{line_end}{indent}{unit}{word},")).collect();
        Some(format!("[{kept}{comma}{}{}]", lines.concat(), &inside[kept.len()..]))
    }

    /// What a module with an alias of its own needs: nothing outside of it can ignore its changes.
    fn module(&mut self, module: &Block) {
        let source = find(&module.body, "source").and_then(|found| self.text.get(found.value.clone())).unwrap_or_default();
        let (source, name) = (source.trim_matches('"'), module.labels.first().map_or("", String::as_str));
        let name = shown(name);
        if source.starts_with('.') && source.contains("lambda") {
            self.notes.push(format!("`module.{name}` may have an alias of its own: `canaryctl adopt {}`", shown(source)));
        } else if source.contains("alias") {
            let why = "a module makes this alias, and nothing outside of it can ignore changes: keep the alias in a resource of your own, \
                       and move it there with `terraform state mv`, so that it is not made again";
            self.lines.push(Lines { place: format!("module.{name}"), lines: own_resource(&name), why: why.to_owned() });
        } else if source.contains("lambda") {
            let text = "`module.NAME`: if this module makes an alias, keep the alias in a resource of your own: nothing outside of a module can \
                        ignore its changes";
            self.notes.push(text.replace("NAME", &name));
        }
    }

    fn indent(&self, place: usize) -> String {
        let before = &self.text[..place];
        let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
        line.chars().take_while(|letter| [' ', '\t'].contains(letter)).collect()
    }

    /// By how much the lines of a block are indented more than the block.
    fn unit(&self, block: &Block) -> String {
        let first = block.body.attributes.first().map(|attribute| attribute.start);
        let first = first.or(block.body.blocks.first().map(|block| block.range.start));
        let inner = first.map(|place| self.indent(place)).unwrap_or_default();
        let outer = self.indent(block.range.start);
        let unit = inner.strip_prefix(&outer).filter(|unit| !unit.is_empty());
        unit.map_or_else(|| if outer.contains('\t') { "\t" } else { "  " }.to_owned(), str::to_owned)
    }

    fn line_end(&self) -> &'static str {
        let end = self.text.find('\n');
        if end.is_some_and(|end| self.text[..end].ends_with('\r')) { "\r\n" } else { "\n" }
    }
}

impl Block {
    /// What is between its brackets.
    fn text_of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.inside.clone()).unwrap_or_default()
    }
}

const ALIAS: &str = "aws_lambda_alias";
const GAP: &str = " = ";
