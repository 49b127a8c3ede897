//! Configuration files: which functions does a project roll out, and how?
//!
//! Every format is read into one type, [`Project`]: `canary.yml`, the Serverless Framework's `serverless.yml` and its packaged state, a
//! SAM template, and `CodeDeploy`'s `AppSpec` file. Each value has its place in the file, for messages. A setting without a counterpart
//! becomes a note; none is ignored silently.
//!
//! [`read`] turns text into values; only [`discover`] reads folders. Nothing here talks to AWS: logical ids are looked up, and managed
//! alarms are created, by the caller.
//!
//! # Layers of `canary.yml`
//! `defaults`, then `stages.X.defaults`, then `functions.F`, then `stages.X.functions.F`: the later layer overrides the earlier one, key
//! by key, also in `analysis`. A list replaces a list. A function with `stages: [prod]` is only rolled out in these stages. The stage is
//! `--stage`, else the file's `stage`; `${stage}` is replaced by it in every text.

pub mod adopt;
mod alarm;
mod alerts;
mod appspec;
mod canary;
pub mod discover;
mod finding;
mod gate;
mod import;
mod included;
mod intrinsics;
mod keys;
mod notify;
mod options;
mod place;
mod sam;
mod sam_schedule;
mod samconfig;
mod serverless;
mod serverless_alarms;
mod serverless_names;
mod settings;
mod signal;
mod starter;
mod template;
mod toml;
mod tree;
mod triggers;
mod variables;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;

pub use alarm::{Alarm, Comparison, Definition, MissingData};
pub use canary::schema;
pub use finding::{Note, NoteKind, Problem, Problems};
pub use import::canary_yml;
pub use included::Folder;
pub use notify::{Addressee, Notify};
pub use options::Options;
pub use place::{At, Place};
pub use settings::{Analysis, FunctionRef, FunctionSettings, Hook, LatencyMode, LowTraffic, Project};
pub use starter::starter;
pub use template::{template, template_json};
pub use yaml::MOST_BYTES;

use tree::{Map, Node};

/// A file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// Values from outside of the file.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// `--stage`: the stage, or the environment in `samconfig.toml`.
    pub stage: Option<String>,
    /// `--region`.
    pub region: Option<String>,
    /// `--stack`: the `CloudFormation` stack that contains the logical ids.
    pub stack: Option<String>,
    /// Each `--param NAME=VALUE`: Serverless' parameters and `CloudFormation`'s.
    pub parameters: BTreeMap<String, String>,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// The folder in which a `serverless.yml` finds the files that it includes. `None`: none is read.
    pub folder: Option<Folder>,
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// canaryctl's own.
    Canary,
    /// The Serverless Framework's own file.
    Serverless,
    /// The state that `serverless package` writes: the same, resolved.
    ServerlessState,
    /// A template of the Serverless Application Model.
    Sam,
    /// `CodeDeploy`'s file.
    AppSpec,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canary => "canary.yml",
            Self::Serverless => "the Serverless Framework",
            Self::ServerlessState => "the Serverless Framework's state",
            Self::Sam => "a SAM template",
            Self::AppSpec => "an AppSpec file",
        })
    }
}

/// Reads a file of a known format in which nothing is wrong; a SAM template with its `samconfig.toml`.
///
/// # Errors
/// Every problem in the file, as far as one reading finds them.
pub fn read(format: Format, file: File<'_>, beside: Option<File<'_>>, lookup: &Lookup) -> Result<Project, Problems> {
    survey(format, file, beside, lookup)?.checked()
}

/// Reads what can be read of a file of a known format: what cannot be is in [`Project::problems`].
///
/// # Errors
/// A file of which nothing can be read.
pub fn survey(format: Format, file: File<'_>, beside: Option<File<'_>>, lookup: &Lookup) -> Result<Project, Problems> {
    match format {
        Format::Canary => canary::read(file, lookup),
        Format::Serverless => serverless::read(file, lookup),
        Format::ServerlessState => serverless::read_state(file, lookup),
        Format::Sam => sam::read(file, beside, lookup),
        Format::AppSpec => appspec::read(file, lookup),
    }
}

/// A YAML or JSON file as plain JSON, whatever it is about.
///
/// # Errors
/// A file that is not YAML, or exceeds the limits.
pub fn as_json(name: &str, bytes: &[u8]) -> Result<serde_json::Value, Problems> {
    yaml::parse(name, bytes).map(|tree| tree.json())
}

/// The format of a file, by its content; by its name where the content says nothing.
///
/// # Errors
/// A file of which nothing can be read.
pub fn format_of(file: File<'_>) -> Result<Format, Problems> {
    let tree = yaml::document(file.name, file.bytes)?.root;
    Ok(told_by_content(&tree).or_else(|| told_by_name(file.name)).unwrap_or(Format::Canary))
}

fn told_by_content(tree: &Node) -> Option<Format> {
    let has = |key: &str| tree.get(key).is_some();
    let resources = tree.get("Resources").or(tree.get("resources"));
    let has_one = |node: &Node, keys: &[&str]| keys.iter().any(|key| node.get(key).is_some());
    let of_serverless =
        |node: &Node| has_one(node, &["handler", "deploymentSettings"]) || node.text().is_some_and(|text| text.contains("${"));
    let of_canary = |node: &Node| has_one(node, &["type", "alias", "steps", "alarms", "bake", "logicalId"]);
    let functions = tree.get("functions");
    let functions_are = |test: &dyn Fn(&Node) -> bool| {
        let maps = functions.map(|node| node.list().unwrap_or(std::slice::from_ref(node))).unwrap_or_default();
        maps.iter().filter_map(Node::map).flat_map(Map::iter).any(|(_, node)| test(node))
    };
    let included = functions.is_some_and(|node| node.list().is_some() || node.text().is_some_and(|text| text.contains("${")));
    let settings = tree.get("custom").is_some_and(|custom| custom.get("deploymentSettings").is_some());
    Some(match tree.get("service") {
        Some(service) if service.get("provider").is_some() => Format::ServerlessState,
        Some(_) => Format::Serverless,
        None if included || settings || has("provider") || has("plugins") || functions_are(&of_serverless) => Format::Serverless,
        None if resources.is_some_and(|node| node.list().is_some()) => Format::AppSpec,
        None if has("version") && (has("os") || has("files") || resources.is_some()) => Format::AppSpec,
        None if ["Resources", "Globals", "Transform", "AWSTemplateFormatVersion"].into_iter().any(has) => Format::Sam,
        None if has("defaults") || functions_are(&of_canary) => Format::Canary,
        None => return None,
    })
}

fn told_by_name(name: &str) -> Option<Format> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    NAMES.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, format)| *format)
}

const NAMES: [(&str, Format); 6] = [
    ("canary", Format::Canary),
    ("serverless-state", Format::ServerlessState),
    ("serverless", Format::Serverless),
    ("template", Format::Sam),
    ("sam", Format::Sam),
    ("appspec", Format::AppSpec),
];
