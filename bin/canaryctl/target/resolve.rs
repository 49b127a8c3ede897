//! Which function does a command act on, and what does the configuration file say about it? Finds both, and connects to their AWS.

use std::rc::Rc;
use std::time::Duration;

use controller::port::{Cloud, CloudError, Failure as CallFailure};
use project::{At, FunctionRef, FunctionSettings, Place, Project};
use rollout::target::{self, Qualified, Subject};
use sim::Scenario;

use super::config::{LIMIT, LIMIT_IN_AN_INCIDENT};
use crate::cli::common::Common;
use crate::error::Failure;
use crate::session::{self, Session};
use crate::ui::print::{print_error, print_note};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConfigError {
    Fail,
    /// Use the name as it was typed: a broken file must not delay a rollback.
    AsTyped,
}

impl OnConfigError {
    fn limit(self) -> Duration {
        if self == Self::Fail { LIMIT } else { LIMIT_IN_AN_INCIDENT }
    }
}

pub(crate) struct Located {
    pub(crate) subject: Subject,
    pub(crate) session: Rc<Session>,
    pub(crate) scenario: Option<Scenario>,
    pub(crate) said: Option<ProjectSettings>,
    /// That the configuration file does not have it, with a hint.
    pub(crate) not_in_file: Option<String>,
}

impl Located {
    /// Its key in the configuration file, or its name.
    pub(crate) fn key(&self) -> String {
        self.said.as_ref().map_or_else(|| self.subject.to_string(), |said| said.settings.key.value.clone())
    }

    pub(crate) fn settings(&self) -> Option<&FunctionSettings> {
        self.said.as_ref().map(|said| &said.settings)
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let problem = self.not_in_file.iter().map(|problem| problem.replace("\n  hint: ", "; "));
        problem.chain(self.said.iter().flat_map(ProjectSettings::notes)).collect()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ProjectSettings {
    pub(crate) project: Project,
    pub(crate) settings: FunctionSettings,
    /// The alias that was typed after the function's key.
    alias: Option<String>,
}

impl ProjectSettings {
    /// The settings, or an error text where the project does not have this function.
    fn of(project: Project, typed: &str) -> Result<Self, String> {
        match find(&project, typed) {
            Some((settings, alias)) => Ok(Self { settings: settings.clone(), alias, project }),
            None => Err(no_such_function(&project, typed)),
        }
    }

    fn place(&self) -> Option<&target::Place> {
        match &self.settings.function.value {
            FunctionRef::Named(named) => named.function.place.as_ref(),
            FunctionRef::LogicalId(_) => None,
        }
    }

    fn region(&self) -> Option<String> {
        self.project.region.as_ref().map(|region| region.value.clone())
    }

    async fn function_name(&self, session: &Session, typed: &str, on_error: OnConfigError) -> Result<Qualified, Failure> {
        let At { value: function, place } = &self.settings.function;
        let id = match function {
            // An account on the command line goes before the file's.
            FunctionRef::Named(named) => {
                return Ok(match typed.parse::<Qualified>() {
                    Ok(typed) if typed.function.account.is_some() => Qualified { qualifier: None, ..typed },
                    Ok(_) | Err(_) => named.clone(),
                });
            }
            FunctionRef::LogicalId(id) => id,
        };
        let found = resource(session, &self.project, id, place);
        let found = match on_error {
            OnConfigError::Fail => found.await?,
            OnConfigError::AsTyped => tokio::time::timeout(LIMIT_IN_AN_INCIDENT, found).await.map_err(|_| {
                let limit = rollout::format::exact(LIMIT_IN_AN_INCIDENT);
                Failure::refused(format!("{}: CloudFormation did not answer within {limit}", place.file))
            })??,
        };
        let named = found.parse::<Qualified>().ok().filter(|named| named.qualifier.is_none());
        named.ok_or_else(|| Failure::refused(format!("{place}: `{id}` is not a function")))
    }

    /// The function with its alias: typed, or the file's, or the scenario's.
    fn subject(&self, named: &Qualified, common: &Common) -> Result<Subject, Failure> {
        let typed = self.alias.as_ref().map(|alias| format!(":{alias}")).unwrap_or_default();
        let default = self.settings.alias.as_ref().map(|alias| alias.value.as_str());
        let default = default.or(session::scenario(common)?.map(|scenario| scenario.defaults().alias));
        let flag = common.alias.as_deref().or(default.filter(|_| typed.is_empty()));
        Subject::parse(&format!("{}{typed}", named.reference()), flag).map_err(|error| Failure::usage(error.to_string()))
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let about = |note: &&project::Note| note.function.as_ref().is_none_or(|key| *key == self.settings.key.value);
        let text = |note: &project::Note| {
            let hint = note.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}: {}{hint}", note.place, note.message)
        };
        self.project.notes.iter().filter(about).map(text)
    }
}

/// Finds a function by its key, optionally with an alias after it, or by its name in AWS.
fn find<'a>(project: &'a Project, typed: &str) -> Option<(&'a FunctionSettings, Option<String>)> {
    let by_key = |key: &str| project.functions.iter().find(|settings| settings.key.value == key);
    if let Some(settings) = by_key(typed) {
        return Some((settings, None));
    }
    if let Some((settings, alias)) = typed.rsplit_once(':').and_then(|(key, alias)| Some((by_key(key)?, alias))) {
        return Some((settings, Some(alias.to_owned())));
    }
    let Qualified { function, qualifier } = typed.parse().ok()?;
    let differ = |one: Option<&String>, other: Option<&String>| one.zip(other).is_some_and(|(one, other)| one != other);
    let same = |settings: &&FunctionSettings| match &settings.function.value {
        FunctionRef::LogicalId(_) => false,
        FunctionRef::Named(Qualified { function: named, .. }) => {
            let region = |function: &rollout::target::FunctionName| function.place.as_ref().map(|place| place.region.clone());
            named.name == function.name
                && !differ(named.account.as_ref(), function.account.as_ref())
                && !differ(region(named).as_ref(), region(&function).as_ref())
        }
    };
    project.functions.iter().find(same).map(|settings| (settings, qualifier))
}

/// Finds the named function, or all functions of the configuration file (or those in `only`), and how many of them could not be found.
pub(crate) async fn locate_all(
    function: Option<&str>,
    only: &[String],
    common: &Common,
    on_error: OnConfigError,
) -> Result<(Vec<Located>, usize), Failure> {
    if common.stands_for_all(function) {
        locate_in_project(only, common, on_error).await
    } else {
        Ok((vec![locate(function, common, on_error).await?], 0))
    }
}

pub(crate) async fn locate(function: Option<&str>, common: &Common, on_error: OnConfigError) -> Result<Located, Failure> {
    let scenario = session::scenario(common)?;
    let typed = function.or(scenario.map(|scenario| scenario.defaults().function)).unwrap_or_default();
    let as_typed = |failure: Failure| match on_error {
        OnConfigError::Fail => Err(failure),
        OnConfigError::AsTyped => {
            let subject = session::subject(function, common)?;
            print_error(&format!("{}\nusing the name as typed: {subject}", failure.message));
            Ok(subject)
        }
    };
    let project = common.project(on_error.limit()).await;
    let project = project.or_else(|failure| as_typed(failure).map(|_| None))?;
    let (said, not_in_file) = match project.map(|project| ProjectSettings::of(project, typed)) {
        Some(Ok(said)) => (Some(said), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    if let Some(problem) = not_in_file.as_ref().filter(|_| common.config.config.is_some() && on_error == OnConfigError::Fail) {
        return Err(Failure::usage(problem.clone()));
    }
    let Some(said) = said else {
        let subject = session::subject(function, common)?;
        let session = Rc::new(session::wire(common, subject.function.place.as_ref(), None).await?);
        return Ok(Located { subject, session, scenario, said: None, not_in_file });
    };
    let typed_place = typed.parse().ok().and_then(|Qualified { function, .. }| function.place);
    let place = typed_place.as_ref().or(said.place());
    let session = Rc::new(session::wire(common, place, said.region()).await?);
    match said.function_name(&session, typed, on_error).await {
        Ok(named) => {
            let subject = said.subject(&named, common)?;
            print_settings(common, &said, &subject);
            Ok(Located { subject, session, scenario, said: Some(said), not_in_file })
        }
        Err(failure) => Ok(Located { subject: as_typed(failure)?, session, scenario, said: None, not_in_file }),
    }
}

/// Finds functions of the configuration file, all in one Region. With [`OnConfigError::AsTyped`], one that cannot be found is reported
/// and skipped.
async fn locate_in_project(only: &[String], common: &Common, on_error: OnConfigError) -> Result<(Vec<Located>, usize), Failure> {
    let scenario = session::scenario(common)?;
    let project = common.project(on_error.limit()).await?;
    let Some(project) = project else {
        let hint = "name a function, or run this in a directory with a `canary.yml`";
        return Err(Failure::usage(format!(
            "no function given, and there is no configuration file in the working directory\n  hint: {hint}"
        )));
    };
    let keys: Vec<String> = match only {
        [] => project.functions.iter().map(|settings| settings.key.value.clone()).collect(),
        only => only.to_vec(),
    };
    let said: Vec<ProjectSettings> =
        keys.iter().map(|key| ProjectSettings::of(project.clone(), key)).collect::<Result<_, _>>().map_err(Failure::usage)?;
    let Some(first) = said.first() else {
        return Err(Failure::usage(format!("{} has no function to roll out", project.file)));
    };
    let session = Rc::new(session::wire(common, first.place(), first.region()).await?);
    let region = session.aws.region();
    let (mut located, mut missing): (Vec<Located>, usize) = (Vec::new(), 0);
    for (index, (typed, said)) in keys.iter().zip(said).enumerate() {
        if said.place().is_some_and(|place| place.region != region) && index > 0 {
            let at = &said.settings.function.place;
            let hint = "roll out the functions of one Region at a time with `--only`";
            return Err(Failure::usage(format!("{at}: `{typed}` is not in {region} like the other functions\n  hint: {hint}")));
        }
        let named = said.function_name(&session, typed, on_error).await;
        let subject = match named.and_then(|named| said.subject(&named, common)) {
            Ok(subject) => subject,
            Err(failure) if on_error == OnConfigError::AsTyped => {
                print_error(&format!("{}\n`{typed}` is skipped", failure.message));
                missing += 1;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if let Some(twin) = located.iter().find(|known| known.subject == subject) {
            return Err(Failure::usage(format!(
                "`{}` and `{typed}` are both {subject}\n  hint: choose one of them with `--only`",
                twin.key()
            )));
        }
        located.push(Located { subject, session: session.clone(), scenario, said: Some(said), not_in_file: None });
    }
    Ok((located, missing))
}

fn no_such_function(project: &Project, typed: &str) -> String {
    let stage = project.stage.as_ref().map(|stage| format!(" for stage {}", stage.value)).unwrap_or_default();
    let key = typed.split(':').next().unwrap_or_default();
    let hint = match (project.nearest(key), project.functions.as_slice()) {
        (Some(nearest), _) => nearest,
        (None, []) => "the file has no functions to roll out".to_owned(),
        (None, some) => {
            let keys: Vec<String> = some.iter().take(10).map(|settings| format!("`{}`", settings.key.value)).collect();
            format!("the functions are {}", keys.join(", "))
        }
    };
    format!("{} has no function `{typed}` to roll out{stage}\n  hint: {hint}", project.file)
}

pub(crate) async fn resource(session: &Session, project: &Project, id: &str, place: &Place) -> Result<String, Failure> {
    let Some(stack) = &project.stack else {
        return Err(Failure::usage(format!(
            "{place}: `{id}` is a logical id, and no stack is given\n  hint: name the stack with `--stack`"
        )));
    };
    let stack = &stack.value;
    match session.aws.resource(stack, id).await {
        Ok(Some(name)) => Ok(name),
        Ok(None) => Err(Failure::refused(format!("{place}: `{id}` does not exist yet in the stack `{stack}`"))),
        Err(error) => Err(unresolved(&error, id, stack, place, session.aws.region())),
    }
}

fn unresolved(error: &CloudError, id: &str, stack: &str, place: &Place, region: &str) -> Failure {
    let text = format!("{place}: `{id}` cannot be looked up in the stack `{stack}`: {error}");
    if error.failure == CallFailure::Denied {
        Failure::refused(format!("{text}\n  hint: cloudformation:DescribeStackResource on the stack is needed"))
    } else if matches!(error.failure, CallFailure::Invalid | CallFailure::NotFound) {
        Failure::refused(format!(
            "{text}\n  hint: is the stack deployed in {region} under this name? `--stack` names another one"
        ))
    } else {
        Failure { message: text, ..Failure::from(error.clone()) }
    }
}

fn print_settings(common: &Common, said: &ProjectSettings, subject: &Subject) {
    let Project { file, format, stage, .. } = &said.project;
    let format = if format.to_string() == *file { String::new() } else { format!(" ({format})") };
    let stage = stage.as_ref().map(|stage| format!(", stage {}", stage.value)).unwrap_or_default();
    print_note(common.output, &format!("settings   {file}{format}{stage}: `{}` is {subject}\n", said.settings.key.value));
}
