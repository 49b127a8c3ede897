//! Is the alias such that a rollout can begin on it, and may it be written?

use rollout::note::{self, TEXT_LIMIT};
use rollout::plan::Entry;
use rollout::target::Subject;

use super::problem::{Preflight, Problem, unreadable};
use crate::port::{Cloud, CloudError, Failure, Provisioned, Write};
use crate::request::Request;

pub(crate) async fn about_alias<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Vec<Problem> {
    let subject = &request.subject;
    let Some(alias) = &found.alias else { return about_creation(cloud, request).await.into_iter().collect() };
    let mut problems: Vec<Problem> = unexpected(request, found).into_iter().collect();
    let length = note::length(alias.text());
    if length > TEXT_LIMIT {
        let text =
            format!("the description of {subject} has {length} characters, which leaves no room for what the rollout records");
        problems.push(Problem::new(text).hint(format!("shorten it to {TEXT_LIMIT} characters")));
    }
    problems
}

/// Whoever said which version to begin from did not mean another; but what is rolled out already needs no beginning.
fn unexpected(request: &Request, found: &Preflight) -> Option<Problem> {
    let (expected, stable) = request.expects.zip(found.plan.stable)?;
    let text = format!("{} is on {stable}, but `CurrentVersion` expects {expected}", request.subject);
    let problem = Problem::new(text).hint("was another version rolled out in the meantime?");
    (stable != expected && request.version != Some(stable)).then_some(problem)
}

/// Where the alias does not exist: a first deployment, or a typo.
async fn about_creation<C: Cloud>(cloud: &C, request: &Request) -> Option<Problem> {
    let subject = &request.subject;
    match OtherAliases::of(cloud, subject).await {
        Ok(Some(other)) if !request.create_alias => {
            let hint = format!("did you mean `{}`?  `--create-alias` creates a new one", other.alike);
            Some(Problem::new(other.text).hint(hint))
        }
        Ok(_) => None,
        Err(error) => Some(unreadable(&error)),
    }
}

/// What a function has instead of an alias that it has not.
#[derive(Clone, Debug)]
pub struct OtherAliases {
    /// That it has these and not that one, in words.
    pub text: String,
    /// The function with the alias whose name is the most alike.
    pub alike: String,
}

impl OtherAliases {
    /// Looks for them; `None` where the function has no alias at all.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn of<C: Cloud>(cloud: &C, subject: &Subject) -> Result<Option<Self>, CloudError> {
        let (function, alias) = (&subject.function, subject.alias.to_lowercase());
        let names = cloud.alias_names(function).await?;
        let alike = names.iter().min_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &alias));
        Ok(alike.map(|alike| Self {
            text: format!("{function} has no alias `{}`; it has {}", subject.alias, listed(&names)),
            alike: format!("{function}:{alike}"),
        }))
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What will have to be written, and may not be: better to know before there is a claim.
pub(crate) async fn permissions<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Vec<Problem> {
    let subject = &request.subject;
    let function = &subject.function;
    let begins = found.resumes.as_ref().is_none_or(|note| note.candidate.is_none());
    let released = begins && request.version.is_none() && !matches!(found.plan.entry, Entry::Adopt(_));
    let ask = async |asked: bool, write: Write<'_>, text: String| {
        let error = if asked { cloud.may_write(subject, &write).await.err()? } else { return None };
        let permission = write.call().permission();
        let problem = Problem::new(format!("{text}: {error}")).hint(format!("{permission} on {function} is needed"));
        (error.failure == Failure::Denied).then_some(problem)
    };
    // Without a post-traffic hook, a first deployment's alias is complete once it is created.
    let (creates, updates) = (found.alias.is_none(), found.alias.is_some() || request.post_hook.is_some());
    let (updates, creates, code, version) = tokio::join!(
        ask(updates, Write::Alias(found.alias.as_ref()), format!("{subject} may not be changed")),
        ask(creates, Write::NewAlias, format!("{subject} may not be created")),
        ask(released && request.code.is_some(), Write::Code, format!("the code of {function} may not be changed"),),
        ask(released || found.pins, Write::Version, format!("no version of {function} may be published")),
    );
    [updates, creates, code, version].into_iter().flatten().collect()
}

pub(crate) async fn provisioned<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Option<Problem> {
    if request.allow_provisioned || found.alias.is_none() {
        return None;
    }
    match cloud.provisioned(&request.subject).await {
        Ok(Provisioned::None) => None,
        Ok(Provisioned::There | Provisioned::Moving) => Some(
            Problem::new(format!(
                "{} has provisioned concurrency: AWS sets weights of its own on it, and may refuse those of a rollout",
                request.subject
            ))
            .hint("`--allow-provisioned-concurrency` tries it anyway"),
        ),
        Err(error) => Some(Problem::new(error.to_string())),
    }
}
