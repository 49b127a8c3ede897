//! Which change hands an alias over to canaryctl? In the user's own file where it is data, as lines to paste where it is a program.
//!
//! A stack tool compares definitions, never what is there: an alias whose definition stays the same is made once and never touched again.
//! So the stack keeps owning everything but the alias' version, weights and description, and these are canaryctl's. What makes a
//! definition stay the same is different for each tool, and a file of each for it.
//!
//! Nothing here talks to AWS, and nothing writes a file.

mod cloudformation;
mod edit;
mod guide;
mod handover;
mod hcl;
mod plan;
mod program;
mod sam;
mod serverless;
mod source;
mod template;
mod terraform;

use std::path::Path;

pub use guide::{Guide, guide};
pub use handover::{Answer, Handover, Lines, Tool};

use crate::discover;
use crate::finding::{Problem, Problems, shown};
use crate::place::Place;
use crate::template::plain;
use crate::{File, yaml};

/// A change as a unified diff, with three lines around it.
pub fn diff(file: &str, before: &str, after: &str) -> String {
    let name = shown(file);
    let mut options = diffy::DiffOptions::new();
    options.set_original_filename(name.clone()).set_modified_filename(name).create_patch(before, after).to_string()
}

/// The change of a file, whatever tool reads it.
///
/// # Errors
/// A file that cannot be read, or is none of a tool's that is known here.
pub fn of_file(file: File<'_>) -> Result<Handover, Problems> {
    let unknown = || {
        let message = "this is not a SAM or CloudFormation template, a `serverless.yml` or a Terraform file with an alias";
        let hint = "name the project's folder: `canaryctl adopt .`";
        Problems::one(Problem::new(Place::whole(file.name), message).hint(hint))
    };
    within(file)?.ok_or_else(unknown)
}

/// The changes of the files in a folder that may have an alias; without a file that another tool wrote.
///
/// # Errors
/// A file that cannot be read.
pub fn of_folder(folder: &Path) -> Result<Vec<Handover>, Problems> {
    let files = discover::stack_files(folder)?;
    let mut out = Vec::new();
    for (name, bytes) in &files {
        let file = File { name, bytes };
        out.extend(within(file)?.filter(|found| found.tool != Tool::Cdk));
    }
    out.extend(program::cdk(folder)?);
    out.extend(program::pulumi(folder)?);
    out.extend(discover::programs(folder).into_iter().map(|note| program::serverless(&note.place.file)));
    Ok(out)
}

/// The change of a file; `None` where it has nothing to do with aliases.
fn within(file: File<'_>) -> Result<Option<Handover>, Problems> {
    let text = yaml::text(file.name, file.bytes)?;
    let ends = |endings: &[&str]| endings.iter().any(|ending| file.name.to_lowercase().ends_with(ending));
    if ends(&[".tf.json", ".tofu.json"]) {
        return Ok(terraform::in_json(file.name, text));
    }
    if ends(&[".tf", ".tofu"]) {
        return terraform::handover(file.name, text);
    }
    let tree = yaml::parse(file.name, file.bytes)?;
    if tree.get("Resources").is_some() {
        return Ok(template::handover(file.name, text, &plain(&tree)));
    }
    Ok(serverless::handover(file.name, text, &plain(&tree)))
}
