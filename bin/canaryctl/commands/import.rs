//! `canaryctl import`, `canaryctl schema`: a canary.yml made from another configuration file, and its schema.

use std::time::Duration;

use clap::Args;
use controller::stack_warning;
use project::{FunctionRef, NoteKind, Problem, Problems, Project};
use rollout::target::{DEFAULT_ALIAS, Subject};

use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::session;
use crate::target::config::{LIMIT, no_file, unusable};
use crate::target::resolve::resource;
use crate::ui::print::{print_info, print_json, print_out};

const PATIENCE: Duration = Duration::from_secs(5);

/// Print the settings of a serverless.yml, template.yaml or appspec.yml as a canary.yml
///
/// Converts one stage. Settings without a counterpart become comments. Warnings also go to stderr, including a warning for each stack
/// whose deploys move an alias, or may.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl import > canary.yml
  canaryctl import --config serverless.yml --stage prod")]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn schema() -> u8 {
    print_json(&format!("{:#}\n", project::schema()));
    0
}

pub(crate) async fn run(args: Import) -> Result<u8, Failure> {
    let common = &args.common;
    let simulated = common.simulate.is_some();
    let Some(project) = common.config.project(common.region.as_deref(), simulated, LIMIT).await? else {
        return Err(no_file("there is no configuration file in the working directory", "name one with `--config FILE`"));
    };
    // The name of a stack can be filled in later.
    let (without_stack, problems): (Vec<Problem>, Vec<Problem>) =
        project.problems.iter().cloned().partition(|problem| problem.is_about("stack"));
    if let Some(problems) = Problems::of(problems) {
        return Err(unusable(&problems));
    }
    let written = project::canary_yml(&project);
    match common.output {
        Output::Text => print_out(&written),
        Output::Json => {
            let json = project::as_json("canary.yml", written.as_bytes()).map_err(Failure::unexpected)?;
            print_json(&format!("{json}\n"));
        }
    }
    if let Some(problems) = Problems::of(without_stack) {
        problems.iter().for_each(|problem| print_info(&format!("warning: {problem}\n")));
    }
    for note in project.notes.iter().filter(|note| note.kind == NoteKind::Warning) {
        print_info(&format!("warning: {note}\n"));
    }
    let asked = tokio::time::timeout(PATIENCE, stacks(common, &project)).await;
    let late = |_| Err(Failure::usage(format!("AWS did not answer within {}", rollout::format::exact(PATIENCE))));
    match asked.unwrap_or_else(late) {
        Ok(warnings) => warnings.iter().for_each(|warning| print_info(&format!("warning: {warning}\n"))),
        Err(why) => print_info(&format!("could not check what else changes the aliases: {}\n", why.message)),
    }
    Ok(0)
}

/// A warning for each alias that a deploy of its stack moves, or may move. A function that is not deployed yet belongs to none.
async fn stacks(common: &Common, project: &Project) -> Result<Vec<String>, Failure> {
    let region = project.region.as_ref().map(|region| region.value.clone());
    let session = session::wire(common, None, region).await?;
    let mut warnings = Vec::new();
    for settings in &project.functions {
        let function = match &settings.function.value {
            FunctionRef::Named(named) => Some(named.function.clone()),
            FunctionRef::LogicalId(_) if project.stack.is_none() => None,
            FunctionRef::LogicalId(id) => {
                let name = resource(&session, project, id, &settings.function.place).await?;
                name.parse::<rollout::target::Qualified>().ok().map(|named| named.function)
            }
        };
        let Some(function) = function else { continue };
        let alias = settings.alias.as_ref().map_or(DEFAULT_ALIAS, |alias| &alias.value).to_owned();
        let subject = Subject { function, alias };
        match stack_warning(&session.aws, &subject, |text| project::template(text.as_bytes()).ok()).await {
            Ok(warning) => warnings.extend(warning),
            Err(error) if error.failure == controller::port::Failure::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(warnings)
}
