//! Which function does a command act on, and what does the configuration file say about it? Finds both, and connects to their AWS.

use std::pin::pin;
use std::rc::Rc;

use controller::port::{Cloud, CloudError, Failure as CallFailure};
use project::{At, FunctionRef, FunctionSettings, NoteKind, Place, Problem, Problems, Project};
use rollout::target::{self, Qualified, Subject, SubjectError};
use sim::Scenario;

use super::config::{no_file, there, unread, unusable};
use super::needs::{Needs, Readable, typed_in_vain};
use crate::cli::common::Common;
use crate::error::Failure;
use crate::session::{self, Session};
use crate::ui::print::{print_error, print_info, print_note};

pub(crate) struct Located {
    pub(crate) subject: Subject,
    pub(crate) session: Rc<Session>,
    pub(crate) scenario: Option<Scenario>,
    pub(crate) said: Option<ProjectSettings>,
    /// That the configuration file does not have it, with a hint.
    pub(crate) not_in_file: Option<String>,
    /// What is wrong in the file and does not matter, because something else is typed.
    pub(crate) replaced: Vec<Problem>,
}

impl Located {
    /// Its key in the configuration file, or its name.
    pub(crate) fn key(&self) -> String {
        self.said.as_ref().map_or_else(|| self.subject.to_string(), |said| said.settings.key.value.clone())
    }

    pub(crate) fn settings(&self) -> Option<&FunctionSettings> {
        self.said.as_ref().map(|said| &said.settings)
    }

    /// What a scenario of `--simulate` rolls out, where no file says anything: what a file says is all that counts.
    pub(crate) fn defaults(&self) -> Option<sim::Defaults> {
        self.scenario.filter(|_| self.said.is_none()).map(Scenario::defaults)
    }

    /// What deletes old versions, by the configuration file.
    pub(crate) fn prunes(&self) -> Option<String> {
        let at = self.said.as_ref()?.project.prunes.as_ref()?;
        Some(format!("{}: {}", at.place, at.value))
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let problem = self.not_in_file.iter().map(|problem| problem.replace("\n  hint: ", "; "));
        let replaced = self
            .replaced
            .iter()
            .map(|problem| format!("{}: {}; the command line is used instead", problem.place, problem.message));
        problem.chain(replaced).chain(self.said.iter().flat_map(ProjectSettings::notes)).collect()
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
    /// The settings of a function, where the project has it.
    fn of(project: &Project, typed: &str) -> Option<Self> {
        let (settings, alias) = find(project, typed)?;
        Some(Self { settings: settings.clone(), alias, project: project.clone() })
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

    fn notes(&self) -> impl Iterator<Item = String> {
        let elsewhere = self.project.problems.iter().filter(|problem| problem.is_about("stages"));
        let elsewhere = elsewhere.filter(|problem| problem.concerns(&self.settings.key.value));
        let elsewhere = elsewhere.map(|problem| format!("{}: {}, in another stage", problem.place, problem.message));
        let about = |note: &&project::Note| note.function.as_ref().is_none_or(|key| *key == self.settings.key.value);
        let text = |note: &project::Note| {
            let hint = note.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}: {}{hint}", note.place, note.message)
        };
        self.project.notes.iter().filter(about).map(text).chain(elsewhere)
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
    needs: Needs<'_>,
) -> Result<(Vec<Located>, usize), Failure> {
    if common.stands_for_all(function) {
        locate_in_project(only, common, needs).await
    } else {
        Ok((vec![locate(function, common, needs).await?], 0))
    }
}

pub(crate) async fn locate(function: Option<&str>, common: &Common, needs: Needs<'_>) -> Result<Located, Failure> {
    let scenario = session::scenario(common)?;
    let typed = function.or(scenario.map(|scenario| scenario.defaults().function)).unwrap_or_default();
    let asked = Asked { function, typed, common, scenario, needs };
    let project = match common.config.project(common.region.as_deref(), scenario.is_some(), needs.limit()).await {
        Err(failure) if needs.in_an_incident() => {
            let subject = session::subject(function, common)?;
            print_info(&format!("warning: {}\nusing the name as typed: {subject}\n", failure.message));
            None
        }
        project => project?,
    };
    let Some(project) = project else {
        let subject = session::subject(function, common)?;
        for note in unread().iter().filter(|_| scenario.is_none() && !common.config.no_config) {
            print_info(&format!("note: {note}\n"));
        }
        if scenario.is_some()
            && !common.config.no_config
            && let Some(name) = there()
        {
            print_info(&format!("note: the simulation does not read {name}; `--config {name}` has it read\n"));
        }
        return asked.as_typed(subject, None, None).await;
    };
    if let Some(problems) = typed_in_vain(&project) {
        return Err(unusable(&problems));
    }
    match ProjectSettings::of(&project, typed) {
        Some(said) => asked.in_file(said).await,
        None => asked.not_in_file(&project).await,
    }
}

/// What was typed, and what it is for.
struct Asked<'a> {
    function: Option<&'a str>,
    typed: &'a str,
    common: &'a Common,
    scenario: Option<Scenario>,
    needs: Needs<'a>,
}

impl Asked<'_> {
    /// A function of the file, with its settings.
    async fn in_file(&self, said: ProjectSettings) -> Result<Located, Failure> {
        let Self { typed, common, scenario, needs, .. } = *self;
        let (project, key) = (&said.project, &said.settings.key.value);
        let alias_typed = common.alias.is_some() || said.alias.is_some();
        if let Some(problems) = needs.stopped_by(project, key, alias_typed) {
            return Err(unusable(&problems));
        }
        if let Some(failure) = without_stack(&said).filter(|_| !needs.in_an_incident()) {
            return Err(failure);
        }
        let replaced = needs.replaced(project, key);
        let readable = Readable::of(project, key, alias_typed);
        let typed_place = typed.parse().ok().and_then(|Qualified { function, .. }| function.place);
        let place = typed_place.as_ref().or(said.place());
        let session = session::wire(common, place, said.region()).await.map_err(|failure| match &readable.problems {
            Some(problems) if !readable.region => Failure { message: format!("{problems}\n{}", failure.message), ..failure },
            Some(_) | None => failure,
        });
        let session = Rc::new(session?);
        let named = if readable.name {
            function_name(&session, &said, typed, needs).await
        } else {
            Err(Failure::usage(readable.problems.as_ref().map(ToString::to_string).unwrap_or_default()))
        };
        let (named, failed) = match named {
            Ok(named) => (named, None),
            Err(failure) if needs.in_an_incident() => {
                let name = typed.rsplit_once(':').filter(|_| said.alias.is_some()).map_or(typed, |(name, _)| name);
                let named = name.parse().map_err(|error: SubjectError| Failure::usage(error.to_string()))?;
                (named, Some(failure.message))
            }
            Err(failure) => return Err(failure),
        };
        if said.settings.alias.is_none() && !alias_typed {
            return Err(no_alias(key, readable.problems.as_ref()));
        }
        let subject = with_alias(&named, &said, common)?;
        let as_typed = failed.is_some();
        let wrong = failed.or_else(|| readable.problems.as_ref().filter(|_| needs.in_an_incident()).map(ToString::to_string));
        if let Some(wrong) = wrong {
            let same = || session::subject(self.function, common).is_ok_and(|typed| typed == subject);
            let what = if as_typed || same() { "using the name as typed" } else { "using what the file says" };
            let region = if readable.region { "" } else { " (the Region is not the file's: `--region` sets it)" };
            print_info(&format!("warning: the configuration file has problems\n{wrong}\n{what}: {subject}{region}\n"));
        }
        if readable.name {
            print_settings(common, &said, &subject);
        }
        Ok(Located { subject, session, scenario, said: Some(said), not_in_file: None, replaced })
    }

    /// A function that the file does not have, or has where it cannot be read.
    async fn not_in_file(&self, project: &Project) -> Result<Located, Failure> {
        let Self { function, typed, common, needs, .. } = *self;
        let mut problem = no_such_function(project, typed);
        let hidden = needs.hidden_by(project, typed.split(':').next().unwrap_or_default());
        if !needs.in_an_incident() {
            if let Some(problems) = &hidden {
                return Err(unusable(problems));
            }
            if common.config.config.is_some() {
                return Err(Failure::usage(problem));
            }
        }
        let mut subject = session::subject(function, common)?;
        let names_alias = typed.parse::<Qualified>().is_ok_and(|named| named.qualifier.is_some());
        if common.alias.is_none() && !names_alias {
            let aliases: Vec<&str> = project.aliases_for(&subject.function.name).into_iter().collect();
            let unread = !project.unread_aliases.is_empty();
            match aliases.as_slice() {
                [alias] if *alias == subject.alias => {}
                [alias] => {
                    (*alias).clone_into(&mut subject.alias);
                    problem = problem.replacen('\n', &format!("; the others have the alias `{alias}`\n"), 1);
                }
                // Any other would be a guess.
                [_, _, ..] if unread || !aliases.contains(&subject.alias.as_str()) => {
                    return Err(no_alias(typed, hidden.as_ref()));
                }
                _ => {}
            }
        }
        if let Some(problems) = hidden {
            print_info(&format!(
                "warning: the configuration file has problems\n{problems}\nusing the name as typed: {subject}\n"
            ));
        }
        let region = project.region.as_ref().map(|region| region.value.clone()).filter(|_| needs.in_an_incident());
        self.as_typed(subject, region, Some(problem)).await
    }

    async fn as_typed(&self, subject: Subject, region: Option<String>, not_in_file: Option<String>) -> Result<Located, Failure> {
        let session = Rc::new(session::wire(self.common, subject.function.place.as_ref(), region).await?);
        Ok(Located { subject, session, scenario: self.scenario, said: None, not_in_file, replaced: Vec::new() })
    }
}

/// That the alias of a function cannot be told: another one than the file's would be another rollout.
fn no_alias(key: &str, problems: Option<&Problems>) -> Failure {
    let why = problems.map(|problems| format!("\n{problems}")).unwrap_or_default();
    Failure::usage(format!("the alias of `{key}` cannot be read{why}\n  hint: name it: `--alias NAME`, or `{key}:NAME`"))
}

/// Finds functions of the configuration file, all in one Region. In an incident, one that cannot be found is reported and skipped.
async fn locate_in_project(only: &[String], common: &Common, needs: Needs<'_>) -> Result<(Vec<Located>, usize), Failure> {
    let scenario = session::scenario(common)?;
    let project = common.config.project(common.region.as_deref(), scenario.is_some(), needs.limit()).await?;
    let Some(project) = project else {
        let hint = "name a function, or run this in a directory with a `canary.yml`";
        if common.config.no_config {
            return Err(Failure::usage("no function given, and `--no-config` reads no file\n  hint: name a function"));
        }
        return Err(no_file("no function given, and there is no configuration file in the working directory", hint));
    };
    if let Some(problems) = typed_in_vain(&project).or_else(|| needs.stopped_by_any(&project, only)) {
        return Err(unusable(&problems));
    }
    let keys: Vec<String> = match only {
        [] => project.functions.iter().map(|settings| settings.key.value.clone()).collect(),
        only => only.to_vec(),
    };
    let mut missing = unreadable(&project, only, needs);
    let said: Vec<ProjectSettings> = keys
        .iter()
        .map(|key| ProjectSettings::of(&project, key).ok_or_else(|| no_such_function(&project, key)))
        .collect::<Result<_, _>>()
        .map_err(Failure::usage)?;
    if let Some(failure) = said.iter().find_map(without_stack).filter(|_| !needs.in_an_incident()) {
        return Err(failure);
    }
    let Some(first) = said.first() else {
        return Err(Failure::usage(format!("{} has no function to roll out{}", project.file, reasons(&project))));
    };
    let session = Rc::new(session::wire(common, first.place(), first.region()).await?);
    let region = session.aws.region();
    let mut located: Vec<Located> = Vec::new();
    for (index, (typed, said)) in keys.iter().zip(said).enumerate() {
        if said.place().is_some_and(|place| place.region != region) && index > 0 {
            let at = &said.settings.function.place;
            let hint = "roll out the functions of one Region at a time with `--only`";
            return Err(Failure::usage(format!("{at}: `{typed}` is not in {region} like the other functions\n  hint: {hint}")));
        }
        let subject = match known(&session, &said, typed, common, needs).await {
            Ok(subject) => subject,
            Err(failure) if needs.in_an_incident() => {
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
        let replaced = needs.replaced(&said.project, typed);
        located.push(Located { subject, session: session.clone(), scenario, said: Some(said), not_in_file: None, replaced });
    }
    Ok((located, missing))
}

/// A function of the file by the name, the alias and the Region that it has there.
async fn known(
    session: &Session,
    said: &ProjectSettings,
    typed: &str,
    common: &Common,
    needs: Needs<'_>,
) -> Result<Subject, Failure> {
    let alias_typed = common.alias.is_some() || said.alias.is_some();
    let readable = Readable::of(&said.project, &said.settings.key.value, alias_typed);
    if let Some(problems) = readable.problems.filter(|_| !readable.name || !readable.region) {
        return Err(unusable(&problems));
    }
    if said.settings.alias.is_none() && !alias_typed {
        return Err(no_alias(&said.settings.key.value, None));
    }
    with_alias(&function_name(session, said, typed, needs).await?, said, common)
}

/// Reports what the file has in parts that cannot be read, and how many functions that hides at least.
fn unreadable(project: &Project, only: &[String], needs: Needs<'_>) -> usize {
    let known = |key: &String| project.functions.iter().any(|settings| settings.key.value == *key);
    let hides = |problem: &&Problem| match &problem.function {
        Some(key) => !known(key) && (only.is_empty() || only.contains(key)),
        None => problem.is_about("functions") && only.is_empty(),
    };
    let hidden: Vec<Problem> = project.problems.iter().filter(hides).filter(|_| needs.in_an_incident()).cloned().collect();
    let count = hidden.len();
    if let Some(problems) = Problems::of(hidden) {
        print_error(&format!("the configuration file has functions that cannot be read\n{problems}\nthey are skipped"));
    }
    count
}

/// Why a project rolls nothing out.
fn reasons(project: &Project) -> String {
    let notes = project.notes.iter().filter(|note| matches!(note.kind, NoteKind::Chosen | NoteKind::Warning));
    notes.take(10).map(|note| format!("\n  {}: {}", note.place, note.message)).collect::<Vec<_>>().concat()
}

fn no_such_function(project: &Project, typed: &str) -> String {
    let stage = project.stage.as_ref().map(|stage| format!(" for stage {}", stage.value)).unwrap_or_default();
    let key = typed.split(':').next().unwrap_or_default();
    let hint = match (project.skipped.get(key), project.nearest(key), project.functions.as_slice()) {
        (Some(why), ..) => format!("the file has `{key}`, but {why}"),
        (None, Some(nearest), _) => nearest,
        (None, None, []) => "the file has no functions to roll out".to_owned(),
        (None, None, some) => {
            let keys: Vec<String> = some.iter().take(10).map(|settings| format!("`{}`", settings.key.value)).collect();
            format!("the functions are {}", keys.join(", "))
        }
    };
    format!("{} has no function `{typed}` to roll out{stage}\n  hint: {hint}", project.file)
}

async fn function_name(session: &Session, said: &ProjectSettings, typed: &str, needs: Needs<'_>) -> Result<Qualified, Failure> {
    let At { value: function, place } = &said.settings.function;
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
    let found = pin!(resource(session, &said.project, id, place));
    let found = if needs.in_an_incident() {
        session.clock.within(needs.limit(), found).await.ok_or_else(|| {
            let limit = rollout::format::exact(needs.limit());
            Failure::refused(format!("{}: CloudFormation did not answer within {limit}", place.file))
        })??
    } else {
        found.await?
    };
    let named = found.parse::<Qualified>().ok().filter(|named| named.qualifier.is_none());
    named.ok_or_else(|| Failure::refused(format!("{place}: `{id}` is not a function")))
}

pub(crate) async fn resource(session: &Session, project: &Project, id: &str, place: &Place) -> Result<String, Failure> {
    let Some(stack) = &project.stack else { return Err(no_stack(project, id, place)) };
    let stack = &stack.value;
    match session.aws.resource(stack, id).await {
        Ok(Some(name)) => Ok(name),
        Ok(None) => Err(Failure::refused(format!("{place}: `{id}` does not exist yet in the stack `{stack}`"))),
        Err(error) => Err(unresolved(&error, id, stack, place, session.aws.region())),
    }
}

/// That the function itself would have to be looked up, and no stack is known: said before AWS is asked for anything.
fn without_stack(said: &ProjectSettings) -> Option<Failure> {
    let At { value: FunctionRef::LogicalId(id), place } = &said.settings.function else { return None };
    said.project.stack.is_none().then(|| no_stack(&said.project, id, place))
}

fn no_stack(project: &Project, id: &str, place: &Place) -> Failure {
    let known = || project.problems.iter().filter(|problem| problem.is_about("stack"));
    if let Some(problem) = known().find(|problem| problem.place == *place) {
        return Failure::usage(problem.to_string());
    }
    let hint = known().find_map(|problem| problem.hint.as_deref()).unwrap_or("name the stack with `--stack`");
    Failure::usage(format!("{place}: `{id}` is a logical id, and no stack is given\n  hint: {hint}"))
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

/// The function with its alias: typed, or the file's.
fn with_alias(named: &Qualified, said: &ProjectSettings, common: &Common) -> Result<Subject, Failure> {
    let typed = said.alias.as_ref().map(|alias| format!(":{alias}")).unwrap_or_default();
    let default = said.settings.alias.as_ref().map(|alias| alias.value.as_str());
    let flag = common.alias.as_deref().or(default.filter(|_| typed.is_empty()));
    Subject::parse(&format!("{}{typed}", named.reference()), flag).map_err(|error| Failure::usage(error.to_string()))
}

fn print_settings(common: &Common, said: &ProjectSettings, subject: &Subject) {
    let Project { file, format, stage, .. } = &said.project;
    let format = if format.to_string() == *file { String::new() } else { format!(" ({format})") };
    let stage = stage.as_ref().map(|stage| format!(", stage {}", stage.value)).unwrap_or_default();
    print_note(common.output, &format!("settings   {file}{format}{stage}: `{}` is {subject}\n", said.settings.key.value));
}
