//! Does every crate fall into layers? Files that name one another in a circle can only be understood together.
//!
//! An arrow is a path in the code, in a `use` or anywhere else, that leads into another file of the crate; tests do not count. The
//! crate's root is left out: it lists what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::source::{self, Token};
use super::{ROOT, files};

type Module = Vec<String>;
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_of_a_crate_form_a_circle() {
    let crates = fs::read_dir(Path::new(ROOT).join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
    let roots = crates.map(|name| format!("crates/{}/src", name.display())).chain(["bin/canaryctl".to_owned()]);
    let found: Vec<String> =
        roots.flat_map(|root| circles(&arrows_below(&root)).into_iter().map(move |circle| format!("{root}: {circle}"))).collect();
    assert!(found.is_empty(), "files in circles:\n{}", found.join("\n"));
}

/// Every module of a crate, with those that its file leads to.
fn arrows_below(root: &str) -> Arrows {
    let texts: BTreeMap<Module, String> = files(root, "rs")
        .into_iter()
        .map(|path| {
            let below = path.strip_prefix(Path::new(ROOT).join(root)).unwrap().with_extension("");
            let mut module: Module = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
            (module, fs::read_to_string(path).unwrap())
        })
        .collect();
    arrows(&texts)
}

fn arrows(texts: &BTreeMap<Module, String>) -> Arrows {
    let read: BTreeMap<&Module, _> = texts.iter().map(|(module, text)| (module, source::read(text))).collect();
    let is_test = |module: &Module| {
        module
            .split_last()
            .is_some_and(|(name, above)| read.get(&above.to_vec()).is_some_and(|(_, tests)| tests.contains(&name.as_str())))
    };
    let modules: BTreeSet<&Module> = texts.keys().filter(|module| !module.is_empty() && !is_test(module)).collect();
    let leads = |module: &Module, tokens: &[Token<'_>]| {
        let ends = paths(tokens).into_iter().filter_map(|path| resolved(module, &path, &modules));
        ends.filter(|end| end != module).collect()
    };
    modules.iter().map(|module| ((*module).clone(), leads(module, &read[*module].0))).collect()
}

/// The file that a path in a module leads into, if it is one of this crate but its root.
fn resolved(module: &Module, path: &[&str], modules: &BTreeSet<&Module>) -> Option<Module> {
    let ups = path.iter().take_while(|part| **part == "super").count();
    let mut whole: Module = match path.first()? {
        &"crate" => Vec::new(),
        _ => module[..module.len().checked_sub(ups)?].to_vec(),
    };
    whole.extend(path.iter().filter(|part| !["crate", "super", "self"].contains(part)).map(|part| (*part).to_owned()));
    let outside = ups == 0 && !["crate", "self"].contains(&path[0]);
    let least = if outside { module.len() + 1 } else { 1 };
    (least..=whole.len()).rev().map(|length| whole[..length].to_vec()).find(|part| modules.contains(part))
}

/// Every path in the code; `use a::{b, c::d}` has `a::b` and `a::c::d`.
fn paths<'t>(tokens: &[Token<'t>]) -> Vec<Vec<&'t str>> {
    let (mut found, mut path, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let mut tokens = tokens.iter().map(|token| token.text).peekable();
    let mut joined = false;
    while let Some(token) = tokens.next() {
        match token {
            "::" => {
                joined = true;
                continue;
            }
            // The braces of a `use`.
            "{" if joined => open.push(path.len()),
            "}" if !open.is_empty() => {
                found.push(path.clone());
                open.pop();
                path.truncate(open.last().copied().unwrap_or(0));
            }
            "as" if !open.is_empty() => {
                tokens.next();
            }
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                if !joined {
                    found.push(path.clone());
                    path.truncate(open.last().copied().unwrap_or(0));
                }
                path.push(name);
            }
            _ => {
                found.push(path.clone());
                path.truncate(open.last().copied().unwrap_or(0));
            }
        }
        joined = false;
    }
    found.retain(|path| path.len() > 1);
    found
}

/// Each circle, with its arrows.
fn circles(arrows: &Arrows) -> Vec<String> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = arrows.keys().map(|module| (module, reachable(module, arrows))).collect();
    let mut shown = Vec::new();
    for module in arrows.keys() {
        let circle: BTreeSet<&Module> = reached[module].iter().copied().filter(|other| reached[other].contains(module)).collect();
        if circle.first() != Some(&module) {
            continue;
        }
        let mut text = format!("a circle of {}", circle.len());
        for member in &circle {
            let ends: Vec<_> = arrows[*member].iter().filter(|end| circle.contains(end)).map(|end| end.join("::")).collect();
            text = format!("{text}\n    {} -> {}", member.join("::"), ends.join(", "));
        }
        shown.push(text);
    }
    shown
}

fn reachable<'a>(from: &'a Module, arrows: &'a Arrows) -> BTreeSet<&'a Module> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        open.extend(arrows[module].iter().filter(|end| seen.insert(*end)));
    }
    seen
}

#[test]
fn a_circle_is_found_in_every_spelling_and_shown_with_its_arrows() {
    let texts = [
        ("", "mod a; mod b; mod c;"),
        ("a", "use crate::b::{self, c::D, E as F}; #[cfg(test)] mod tests { use crate::c::X; }"),
        ("b", "mod c; fn f() -> c::D { g(\"super::a\") } // crate::a"),
        ("b::c", "struct D; fn f(x: &super::super::c::X) {}"),
        ("c", "fn f<'x>(x: crate::a::X<'x>) {}"),
        ("d", "use crate::a::A; use super::c as e; use std::{fmt, io::{self, a}};"),
    ];
    let texts = texts
        .map(|(module, text)| (module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(), text.to_owned()));
    let arrows = arrows(&texts.into_iter().collect());
    let expected = "a circle of 4\n    a -> b, b::c\n    b -> b::c\n    b::c -> c\n    c -> a";
    assert_eq!(circles(&arrows), [expected]);
    assert_eq!(arrows[&vec!["d".to_owned()]].len(), 2);
}
