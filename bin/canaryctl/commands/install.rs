//! `canaryctl controller`: its template, and the controller itself, installed and uninstalled without a bucket: a stack of everything but the
//! function, and the function by itself, whose code comes with the call.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use aws::{Aws, FunctionSpec, StackSpec};
use clap::{Args, Subcommand};
use controller::CONTROLLER;
use controller::port::{Clock, Cloud, CloudError, Failure as CallFailure, TAG};
use rollout::candidate::{State, Update};
use rollout::price::MEMORY_MB;
use serde_json::Value;

use super::bootstrap::{Bootstrap, Package};
use super::controller::{Code, ControllerTemplate, DESCRIPTION, REPEATS, Reached, TIMEOUT, name, stack};
use super::installed::{CONTROLLER_TAG, Installed, settled};
use crate::cli::common::Common;
use crate::clock::RuntimeClock;
use crate::error::Failure;
use crate::session::{self, Session};
use crate::target::past::refused;
use crate::ui::print::print_out;

/// The controller: a function that continues detached rollouts
///
/// One AWS Lambda function in an account and Region continues any number of rollouts that `rollout --detach` began. Its code is this
/// program. A schedule for each rollout invokes it once a minute.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl controller install hello orders
  canaryctl controller template hello orders > controller.json")]
pub(crate) struct Controller {
    #[command(subcommand)]
    pub(crate) command: ControllerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ControllerCommand {
    Install(Box<Install>),
    Uninstall(Uninstall),
    Template(ControllerTemplate),
}

/// Install the controller, or change the installed one to this
///
/// Creates a stack of AWS CloudFormation with everything that `template` prints except the function, and the function beside it, with this
/// program as its code: no bucket is needed. Shows what it would do and asks first. Run again, it changes only what differs; one that was
/// interrupted is completed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl controller install hello orders:live --hook smokeTest
  canaryctl controller install hello --binary ./canaryctl-aarch64 --yes")]
pub(crate) struct Install {
    #[command(flatten)]
    reached: Reached,
    /// The canaryctl that becomes the function's code: a binary for Linux [default: this one]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Delete what `controller install` created
///
/// Deletes the function and the stack, if they carry the tag `canaryctl` that `install` gave them, and nothing else. Refused while a
/// rollout is detached: its schedule is in the stack's group. Shows what it would do and asks first. One that was interrupted is
/// completed by running it again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl controller uninstall
  canaryctl controller uninstall --name staging-controller --yes")]
pub(crate) struct Uninstall {
    /// The name of the controller
    #[arg(long, value_name = "NAME", default_value = CONTROLLER, value_parser = name)]
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// One thing to do, in the order in which it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// What is left of a stack that could not be created or deleted.
    ClearStack(String),
    CreateStack(Vec<String>),
    /// Which of its resources differ.
    UpdateStack(Vec<String>),
    CreateFunction,
    ReplaceCode,
    Configure,
    SetRepeats,
}

impl Step {
    fn line(&self, name: &str, binary: &Bootstrap) -> String {
        let code = binary.described();
        match self {
            Self::ClearStack(status) => format!("delete  what is left of the stack {name}, which is {status}"),
            Self::CreateStack(resources) => format!("create  the stack {name}: {}", resources.join(", ")),
            Self::UpdateStack(resources) => format!("update  the stack {name}: {}", resources.join(", ")),
            Self::CreateFunction => format!("create  the function {name}: {code}"),
            Self::ReplaceCode => format!("update  the code of the function {name}: {code}"),
            Self::Configure => format!("update  the configuration of the function {name}"),
            Self::SetRepeats => format!("update  how Lambda repeats invocations of {name}: not at all"),
        }
    }
}

pub(crate) async fn install(args: Install) -> Result<u8, Failure> {
    let Install { mut reached, binary, yes, common } = args;
    let session = session::wire(&common, None, None).await?;
    let binary = Bootstrap::read(binary.as_deref(), reached.architecture)?;
    let found = Installed::look(&session, &reached.name).await?;
    found.is_ours(&reached.name)?;
    // Another controller's stack has the group.
    reached.without_group |= found.schedules.is_some() && !found.has_group();
    let template = template(&reached)?;
    // Packing takes a moment: it waits until it is needed.
    let mut package = found.function.as_ref().map(|_| binary.packed()).transpose()?;
    let steps = steps(&found, &template, (&binary, package.as_ref()));
    let name = reached.name.as_str();
    if steps.is_empty() {
        print_out(&format!("the controller {name} in {} is as it should be: nothing to do\n", session.aws.region()));
        return Ok(0);
    }
    let lines: Vec<String> = steps.iter().map(|step| step.line(name, &binary)).collect();
    agreed(&format!("controller {name} in {}:", session.aws.region()), &lines, yes)?;
    let package = match package.take() {
        Some(package) => package,
        None => binary.packed()?,
    };
    for step in &steps {
        print_out(&format!("{}\n", step.line(name, &binary)));
        Box::pin(perform((&session, name), step, (&template, &binary, &package))).await?;
    }
    let typed = if name == CONTROLLER { String::new() } else { format!("={name}") };
    print_out(&format!("the controller {name} is installed\n  next: canaryctl rollout FUNCTION … --detach{typed}\n"));
    Ok(0)
}

/// The template of everything but the function, which says which role the function has.
fn template(reached: &Reached) -> Result<Value, Failure> {
    let mut template = stack(reached, Code::Apart)?;
    template["Outputs"][ROLE] = serde_json::json!({"Value": {"Fn::GetAtt": ["ControllerRole", "Arn"]}});
    if template.to_string().len() > LONGEST {
        let hint = "name ARNs of fewer functions, or deploy `canaryctl controller template` from a bucket";
        return Err(Failure::usage(format!("the stack's template is too long for a call\n  hint: {hint}")));
    }
    Ok(template)
}

fn steps(found: &Installed, template: &Value, (binary, package): (&Bootstrap, Option<&Package>)) -> Vec<Step> {
    let mut steps = Vec::new();
    let names = |template: &Value| template["Resources"].as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect();
    match &found.stack {
        None => steps.push(Step::CreateStack(names(template))),
        Some(stack) if is_broken(&stack.status) => {
            steps.extend([Step::ClearStack(stack.status.clone()), Step::CreateStack(names(template))]);
        }
        Some(_) => {
            let changed = differences(found.template.as_ref().unwrap_or(&Value::Null), template);
            steps.extend((!changed.is_empty()).then_some(Step::UpdateStack(changed)));
        }
    }
    let Some(function) = &found.function else {
        steps.extend([Step::CreateFunction, Step::SetRepeats]);
        return steps;
    };
    let architecture = [binary.architecture.word().to_owned()];
    let replaced =
        package.is_none_or(|package| package.sha256 != function.code_sha256) || function.frozen.architectures != architecture;
    steps.extend(replaced.then_some(Step::ReplaceCode));
    let role = found.stack.as_ref().and_then(|stack| stack.outputs.get(ROLE));
    let frozen = &function.frozen;
    let same = role == Some(&function.role)
        && (frozen.runtime.as_deref(), frozen.handler.as_deref()) == (Some("provided.al2023"), Some("bootstrap"))
        && (frozen.memory, frozen.timeout) == (Some(memory()), Some(TIMEOUT));
    steps.extend((!same).then_some(Step::Configure));
    steps.extend((found.repeats != Some(REPEATS)).then_some(Step::SetRepeats));
    steps
}

/// Whether a stack can only be deleted.
fn is_broken(status: &str) -> bool {
    ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"].contains(&status)
}

/// The logical ids of what is not the same in both templates.
fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["Resources", "Outputs"] {
        let ids = [old, new].into_iter().filter_map(|template| template[part].as_object()).flat_map(|part| part.keys());
        let differing = ids.filter(|id| old[part].get(*id) != new[part].get(*id)).cloned();
        found.extend(differing);
    }
    found.sort();
    found.dedup();
    found
}

async fn perform(
    (session, name): (&Session, &str),
    step: &Step,
    (template, binary, package): (&Value, &Bootstrap, &Package),
) -> Result<(), Failure> {
    let aws = &session.aws;
    let text = template.to_string();
    let spec = StackSpec { name, template: &text, tags: &[(TAG, CONTROLLER_TAG)] };
    match step {
        Step::ClearStack(_) => {
            aws.delete_stack(name).await?;
            settled(session, name).await?;
        }
        Step::CreateStack(_) => {
            let id = aws.create_stack(spec).await?;
            deployed(session, &id, "CREATE_COMPLETE").await?;
        }
        Step::UpdateStack(_) => {
            aws.update_stack(spec).await?;
            deployed(session, name, "UPDATE_COMPLETE").await?;
        }
        Step::CreateFunction => {
            let spec = function(session, name, binary).await?;
            created(aws, &session.clock, &spec, package).await?;
            ready(session, name).await?;
        }
        Step::ReplaceCode => {
            aws.replace_code(&function(session, name, binary).await?, &package.zip).await?;
            ready(session, name).await?;
        }
        Step::Configure => {
            aws.configure_function(&function(session, name, binary).await?).await?;
            ready(session, name).await?;
        }
        Step::SetRepeats => aws.set_repeats(name, REPEATS).await?,
    }
    Ok(())
}

/// Waits for the end of a deploy, which is to be this; a stack that nothing had to be changed of has its status of before.
async fn deployed(session: &Session, stack: &str, wanted: &str) -> Result<(), Failure> {
    let status = settled(session, stack).await?.map(|stack| stack.status).unwrap_or_default();
    if status == wanted || (wanted == "UPDATE_COMPLETE" && status == "CREATE_COMPLETE") {
        return Ok(());
    }
    let why = session.aws.stack_failure(stack).await?.unwrap_or_else(|| "CloudFormation says no reason".to_owned());
    let hint = "correct it and run the same command again";
    Err(Failure::unexpected(format!("the stack is {status} instead of {wanted}: {why}\n  hint: {hint}")))
}

/// The function as it shall be, with the role that the stack made.
async fn function(session: &Session, name: &str, binary: &Bootstrap) -> Result<FunctionSpec, Failure> {
    let stack = session.aws.stack(name).await?.unwrap_or_default();
    let role = stack.outputs.get(ROLE).cloned();
    let role = role.ok_or_else(|| Failure::unexpected(format!("the stack {name} does not say which role it made")))?;
    Ok(FunctionSpec {
        name: name.to_owned(),
        description: DESCRIPTION.to_owned(),
        architecture: binary.architecture.word().to_owned(),
        memory: memory(),
        timeout: TIMEOUT,
        role,
        tags: [(TAG.to_owned(), CONTROLLER_TAG.to_owned())].into(),
    })
}

/// Creates the function, again and again until Lambda knows the role, which was made a moment ago.
async fn created(aws: &Aws, clock: &RuntimeClock, spec: &FunctionSpec, package: &Package) -> Result<(), CloudError> {
    let unknown = |error: &CloudError| error.failure == CallFailure::Invalid && error.message.contains("cannot be assumed");
    for _ in 0..ROLE_TRIES {
        match aws.create_function(spec, &package.zip).await {
            Err(error) if unknown(&error) => clock.sleep(EVERY).await,
            answer => return answer,
        }
    }
    aws.create_function(spec, &package.zip).await
}

/// Waits until the function can be invoked and its last update is done.
async fn ready(session: &Session, name: &str) -> Result<(), Failure> {
    let function = name.parse::<rollout::target::Qualified>().map_err(Failure::unexpected)?.function;
    for _ in 0..TRIES {
        let seen = session.aws.configuration(&function, None).await?;
        match (&seen.state, &seen.update) {
            (State::Failed(why), _) | (_, Update::Failed(why)) => {
                return Err(Failure::unexpected(format!("the function {name} is not usable: {why}")));
            }
            (State::Pending, _) | (_, Update::InProgress) => session.clock.sleep(EVERY).await,
            (State::Active | State::Inactive, Update::Successful) => return Ok(()),
        }
    }
    Err(Failure::unexpected(format!("the function {name} is not ready after 10m\n  hint: run the same command again")))
}

pub(crate) async fn uninstall(args: Uninstall) -> Result<u8, Failure> {
    let Uninstall { name, yes, common } = args;
    let session = session::wire(&common, None, None).await?;
    let found = Installed::look(&session, &name).await?;
    let region = session.aws.region().to_owned();
    let function = found.function.as_ref().map(|_| format!("delete  the function {name}"));
    let stack = found.stack.as_ref().map(|_| {
        let kept = found.template.as_ref().and_then(|template| template["Resources"].as_object());
        let ids: Vec<&str> = kept.into_iter().flatten().map(|(id, _)| id.as_str()).collect();
        format!("delete  the stack {name}: {}", ids.join(", "))
    });
    let lines: Vec<String> = function.into_iter().chain(stack).collect();
    if lines.is_empty() {
        print_out(&format!("there is no controller {name} in {region}: nothing to do\n"));
        return Ok(0);
    }
    found.is_ours(&name)?;
    let schedules = found.rollouts();
    if !schedules.is_empty() {
        let hint = "a schedule goes when its rollout ends: wait, or roll back (`canaryctl rollback FUNCTION`); then run the same command \
                    again. A schedule that is left over: `aws scheduler delete-schedule --group-name canaryctl --name NAME`";
        let what = format!("detached rollouts are in progress, by the schedules {}", schedules.join(", "));
        return Err(refused(&what, hint));
    }
    agreed(&format!("controller {name} in {region}:"), &lines, yes)?;
    // The function first: without the stack it could not be told why a turn of it fails.
    if let Some(function) = &found.function {
        print_out(&format!("{}\n", lines[0]));
        let named = function.arn.parse::<rollout::target::Qualified>().map_err(Failure::unexpected)?;
        session.aws.delete_function(&named.function).await?;
    }
    if let Some(stack) = &found.stack {
        print_out(&format!("{}\n", lines[lines.len() - 1]));
        session.aws.delete_stack(&name).await?;
        let status = settled(&session, &stack.id).await?.map(|stack| stack.status);
        if status.as_deref().is_some_and(|status| status != "DELETE_COMPLETE") {
            let why = session.aws.stack_failure(&stack.id).await?.unwrap_or_default();
            return Err(Failure::unexpected(format!(
                "the stack {name} could not be deleted: {why}\n  hint: run the same command again"
            )));
        }
    }
    print_out(&format!("the controller {name} is deleted\n"));
    Ok(0)
}

/// Shows what would be done and asks; an error where the answer is not yes, or where there is no terminal to ask in.
fn agreed(title: &str, lines: &[String], yes: bool) -> Result<(), Failure> {
    print_out(&format!("{title}\n  {}\n", lines.join("\n  ")));
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(refused("nothing was changed: there is no terminal to ask in", "`--yes` does it without asking"));
    }
    print_out("Continue? [y/N]\n");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let agreed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if agreed { Ok(()) } else { Err(Failure::refused("nothing was changed")) }
}

fn memory() -> i32 {
    i32::try_from(MEMORY_MB).unwrap_or(i32::MAX)
}

/// The output of the stack that has the role of the function.
const ROLE: &str = "Role";

/// The longest template that a call may carry, in bytes.
const LONGEST: usize = 51_200;

/// How often to look whether something is done, and how many times: ten minutes.
const EVERY: Duration = Duration::from_secs(2);
const TRIES: u32 = 300;

/// How many times the function is created while Lambda does not know its role: a minute; as a rule it takes ten seconds.
const ROLE_TRIES: u32 = 30;
