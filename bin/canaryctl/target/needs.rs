//! What does a command need of the configuration file, and does it stop where that cannot be read?

use std::time::Duration;

use project::{Problem, Problems, Project};

use super::config::{LIMIT, LIMIT_IN_AN_INCIDENT};

/// What a command needs of a function's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs<'a> {
    /// All of them, except these, which are typed.
    Settings(&'a [&'static str]),
    /// Its name, alias and Region.
    Name,
    /// The same, in an incident: a broken file must not delay a rollback. What cannot be read is used as it was typed.
    NameInAnIncident,
}

/// The settings that say which alias of which function is meant, and where it is.
const OF_THE_NAME: [&str; 3] = ["name", "logicalId", "stage"];
const OF_ITS_PLACE: [&str; 2] = ["alias", "region"];

impl Needs<'_> {
    pub(crate) fn in_an_incident(self) -> bool {
        self == Self::NameInAnIncident
    }

    pub(crate) fn limit(self) -> Duration {
        if self.in_an_incident() { LIMIT_IN_AN_INCIDENT } else { LIMIT }
    }

    /// Whether a problem stops the command.
    fn wants(self, problem: &Problem) -> bool {
        match (problem.setting.as_deref(), self) {
            _ if names_nothing(problem) => true,
            // Only a lookup in the stack needs it, and says so. Other stages are not rolled out now.
            (Some("stack" | "stages"), _) => false,
            (Some(setting), Self::Settings(typed)) => !typed.contains(&setting),
            (Some(setting), Self::Name) => OF_THE_NAME.contains(&setting) || OF_ITS_PLACE.contains(&setting),
            (None, Self::Settings(_) | Self::Name) => true,
            (_, Self::NameInAnIncident) => false,
        }
    }

    /// Why the settings of one function cannot be used for the command.
    pub(crate) fn stopped_by(self, project: &Project, key: &str, alias_typed: bool) -> Option<Problems> {
        let concerning = || concerning(project, key, alias_typed);
        let stops = concerning().any(|problem| self.wants(problem));
        // All are worth knowing where one of them stops the command, except those that are replaced.
        let shown = concerning().filter(|problem| self.wants(problem) || self == Self::Name && !problem.is_about("stack"));
        Problems::of(shown.filter(|_| stops).cloned())
    }

    /// Why the functions of a project cannot be used together: those of `keys`, or all.
    pub(crate) fn stopped_by_any(self, project: &Project, keys: &[String]) -> Option<Problems> {
        let chosen = |problem: &&Problem| match &problem.function {
            Some(key) => keys.is_empty() || keys.contains(key),
            None => keys.is_empty() || !problem.is_about("functions"),
        };
        Problems::of(project.problems.iter().filter(chosen).filter(|problem| self.wants(problem)).cloned())
    }

    /// Why a function that is not among those of the project may be one of them all the same.
    pub(crate) fn hidden_by(self, project: &Project, key: &str) -> Option<Problems> {
        let hides = |problem: &&Problem| match &problem.function {
            // It may be the name that cannot be read.
            Some(function) => function == key || problem.setting.as_deref().is_some_and(|it| OF_THE_NAME.contains(&it)),
            None => problem.is_about("functions") || self.wants(problem) || self.in_an_incident() && problem.setting.is_none(),
        };
        Problems::of(project.problems.iter().filter(hides).cloned())
    }

    /// The problems that do not matter, because the command line has another value.
    pub(crate) fn replaced(self, project: &Project, key: &str) -> Vec<Problem> {
        let Self::Settings(typed) = self else { return Vec::new() };
        let is_typed = |problem: &&Problem| problem.setting.as_deref().is_some_and(|setting| typed.contains(&setting));
        project.problems.iter().filter(|problem| problem.concerns(key)).filter(is_typed).cloned().collect()
    }
}

/// The problems that concern a function, except of a setting that is typed, and of a default that it does not need.
fn concerning<'p>(project: &'p Project, key: &'p str, alias_typed: bool) -> impl Iterator<Item = &'p Problem> {
    let own = project.functions.iter().find(|settings| settings.key.value == key);
    let needless = move |problem: &Problem| {
        let has = |setting: &String| own.is_some_and(|settings| settings.has(setting));
        problem.function.is_none() && problem.setting.as_ref().is_some_and(has)
    };
    let problems = project.problems.iter().filter(move |problem| !(alias_typed && problem.is_about("alias")));
    problems.filter(move |problem| problem.concerns(key) && !problem.is_about("functions") && !needless(problem))
}

/// What an incident has to know of a function's problems.
pub(crate) struct Readable {
    /// Whether its name is what the file says.
    pub(crate) name: bool,
    /// Whether its Region is.
    pub(crate) region: bool,
    /// What is wrong with any of it, or with anything that cannot be told apart from it.
    pub(crate) problems: Option<Problems>,
}

impl Readable {
    pub(crate) fn of(project: &Project, key: &str, alias_typed: bool) -> Self {
        let about = |names: &[&str]| {
            concerning(project, key, alias_typed).any(|problem| problem.setting.as_deref().is_some_and(|it| names.contains(&it)))
        };
        let matters = |problem: &&Problem| {
            problem.setting.as_deref().is_none_or(|it| OF_THE_NAME.contains(&it) || OF_ITS_PLACE.contains(&it))
        };
        Self {
            name: !about(&OF_THE_NAME),
            region: !about(&["region"]),
            problems: Problems::of(concerning(project, key, alias_typed).filter(matters).cloned()),
        }
    }
}

/// Whether something that was typed names nothing in the file.
fn names_nothing(problem: &Problem) -> bool {
    problem.setting.as_deref().is_some_and(|setting| setting.starts_with("--"))
}

/// What was typed and names nothing in the file: wrong for every command.
pub(crate) fn typed_in_vain(project: &Project) -> Option<Problems> {
    Problems::of(project.problems.iter().filter(|problem| names_nothing(problem)).cloned())
}
