//! Which CloudFormation stack has the alias, and would a deploy of it move the alias? Two reads, or three; none of them stops anything.
//!
//! How a template is judged is the pure core's.

use rollout::arn::{Arn, unqualified};
use rollout::diagnosis::{Diagnosis, Severity, SkippedCheck};
use rollout::target::Subject;
use rollout::template::{Movement, Tool, Verdict, aliases, first_version, overall, tool, versions_it_deletes};
use rollout::{Time, Version};
use serde_json::Value;

use crate::port::{Call, Cloud, CloudError, Failure, StackResources};

/// Reads a template, which may be JSON or YAML; `None` where it is neither.
pub type ReadTemplate = fn(&str) -> Option<Value>;

/// The stack that a function belongs to, by its tag, and what is known of the stack that has its alias.
#[derive(Clone, Debug)]
pub struct OwningStack {
    name: String,
    alias: InStack,
}

#[derive(Clone, Debug)]
enum InStack {
    /// It was not looked for.
    Unasked,
    /// No stack has it.
    Nowhere,
    /// It could not be looked for.
    Unread(Call, CloudError),
    Judged(Judged),
}

#[derive(Clone, Debug)]
struct Judged {
    stack: String,
    /// The stack that this one is nested in.
    root: Option<String>,
    verdicts: Vec<Verdict>,
    /// The version that the stack made it on.
    made_on: Option<String>,
    /// When the stack last changed it, where it has changed something else since.
    passed_over_since: Option<Time>,
    /// The versions of the function that a later deploy deletes: their numbers and their logical ids.
    deletes: Vec<(String, String)>,
    tool: Tool,
}

impl OwningStack {
    pub(crate) fn named(name: String) -> Self {
        Self { name, alias: InStack::Unasked }
    }

    /// Looks the alias up. `arn` is the function's; `nested` asks, too, whether its stack is nested in another one.
    pub(crate) async fn look<C: Cloud>(&mut self, cloud: &C, alias: &str, arn: &str, read: ReadTemplate, nested: bool) {
        let arn = format!("{}:{alias}", unqualified(arn));
        self.alias = match find(cloud, &arn, read, nested).await {
            Ok(None) => InStack::Nowhere,
            Ok(Some(judged)) => InStack::Judged(judged),
            Err((call, error)) => InStack::Unread(call, error),
        };
    }

    /// What a rollout has to know of it; `None` where no deploy moves the alias.
    pub(crate) fn warning(&self, subject: &Subject) -> Option<String> {
        let belongs = self.belongs(subject);
        let resets = "its next deploy may reset the alias and end any rollout on it";
        Some(match &self.alias {
            InStack::Nowhere => return None,
            InStack::Unasked => format!("{belongs}: {resets}"),
            InStack::Unread(call, error) if error.failure == Failure::Denied => {
                format!("{belongs}: {resets}; whether it does could not be checked without {}", call.permission())
            }
            InStack::Unread(_, error) => format!("{belongs}: {resets}; whether it does could not be checked: {error}"),
            InStack::Judged(Judged { verdicts, .. }) => {
                let why = verdicts.first().map_or("", |worst| &worst.why);
                match overall(verdicts) {
                    Movement::Moves => format!("{belongs}: its next deploy moves the alias and ends any rollout on it: {why}"),
                    Movement::MayMove => format!("{belongs}: a deploy may move the alias and end any rollout on it: {why}"),
                    Movement::Unknown => format!("{belongs}: its template does not say whether a deploy moves the alias: {why}"),
                    Movement::Latest | Movement::Stays => return None,
                }
            }
        })
    }

    /// The same for the doctor: with what to change, and that nothing has to be.
    pub(crate) fn diagnosis(&self, subject: &Subject) -> Diagnosis {
        let Some(text) = self.warning(subject) else { return self.note(subject) };
        let found = Diagnosis::new(Severity::Warning, "stack", text);
        let danger = "a deploy during a rollout ends it, and a deploy after it may move the traffic to an earlier version";
        let InStack::Judged(Judged { verdicts, .. }) = &self.alias else {
            return found.why(danger).fix("deploy the stack before a rollout and never during one");
        };
        let further = verdicts
            .iter()
            .skip(1)
            .filter(|verdict| verdict.kind < Movement::Latest)
            .map(|verdict| format!("; also: {}", verdict.why));
        let mut fixes: Vec<&str> = Vec::new();
        for fix in verdicts.iter().filter_map(|verdict| verdict.fix.as_deref()) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        if overall(verdicts) == Movement::Moves {
            fixes.push("`canaryctl adopt`, in the project's folder, shows the exact change");
        }
        found.why(format!("{danger}{}", further.collect::<String>())).fix(fixes.join("; "))
    }

    /// That a later deploy deletes this version of the function, and what to write so that it does not.
    pub(crate) fn deletes(&self, version: Version) -> Option<(String, String)> {
        let InStack::Judged(Judged { stack, deletes, tool, .. }) = &self.alias else { return None };
        let number = version.to_string();
        let (_, id) = deletes.iter().find(|(known, _)| *known == number)?;
        let keep = match tool {
            Tool::Cdk => "give the function `currentVersionOptions: { removalPolicy: cdk.RemovalPolicy.RETAIN }`".to_owned(),
            Tool::Sam | Tool::Serverless | Tool::CloudFormation => {
                format!("give `{id}` `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain`")
            }
        };
        Some((
            format!("a deploy of new code deletes {number}: it is `{id}` of the stack `{stack}`, which does not keep it"),
            keep,
        ))
    }

    /// What the doctor could not look at.
    pub(crate) fn unseen(&self) -> Option<SkippedCheck> {
        let InStack::Unread(call, error) = &self.alias else { return None };
        let permission = (error.failure == Failure::Denied).then(|| call.permission().to_owned());
        Some(SkippedCheck {
            what: "whether a deploy of the stack moves the alias".to_owned(),
            why: error.to_string(),
            permission,
        })
    }

    fn note(&self, subject: &Subject) -> Diagnosis {
        let belongs = self.belongs(subject);
        let InStack::Judged(Judged { made_on, passed_over_since, .. }) = &self.alias else {
            return Diagnosis::new(Severity::Note, "stack", format!("{belongs}, and its alias to none: no deploy moves it"));
        };
        let made = made_on.as_ref().map_or_else(|| "made once".to_owned(), |version| format!("made once on {version}"));
        let text = format!("{belongs}, and no deploy moves the alias: {made}, not moved since");
        let found = Diagnosis::new(Severity::Note, "stack", text);
        match passed_over_since {
            Some(at) => found.why(format!(
                "its definition is the same at each deploy; the stack last changed it on {}, and other resources since",
                at.to_string().split('T').next().unwrap_or_default()
            )),
            None => found.why("its definition is the same at each deploy"),
        }
    }

    /// Whose the function is, and whose the alias.
    fn belongs(&self, subject: &Subject) -> String {
        let (function, own) = (&subject.function, &self.name);
        let function = format!("{function} belongs to the CloudFormation stack `{own}`");
        let InStack::Judged(Judged { stack, root, .. }) = &self.alias else { return function };
        let nested = root.as_ref().map_or_else(String::new, |root| format!(", nested in `{root}`"));
        if stack == own {
            format!("{function}{nested}")
        } else {
            format!("{function}, and its alias to the stack `{stack}`{nested}")
        }
    }
}

async fn find<C: Cloud>(cloud: &C, arn: &str, read: ReadTemplate, nested: bool) -> Result<Option<Judged>, (Call, CloudError)> {
    let owner = cloud.stack_with(arn).await.map_err(|error| (Call::DescribeStackResources, error))?;
    let Some(owner) = owner else { return Ok(None) };
    let Some(body) = cloud.template(&owner.id).await.map_err(|error| (Call::GetTemplate, error))? else { return Ok(None) };
    let root = if nested { cloud.root_stack(&owner.id).await.map_err(|error| (Call::DescribeStacks, error))? } else { None };
    Ok(Some(judge(owner, root, arn, read(&body))))
}

fn judge(owner: StackResources, root: Option<String>, arn: &str, template: Option<Value>) -> Judged {
    let StackResources { name: stack, resources, .. } = owner;
    let unknown = |why: String| vec![Verdict { kind: Movement::Unknown, why, fix: None }];
    let (verdicts, made_on, passed_over_since, deletes) = (Vec::new(), None, None, Vec::new());
    let mut judged = Judged { stack, root, verdicts, made_on, passed_over_since, deletes, tool: Tool::CloudFormation };
    let Some(template) = template else {
        judged.verdicts = unknown("it is neither JSON nor YAML".to_owned());
        return judged;
    };
    let name = Arn::parse(arn).and_then(Arn::qualifier).unwrap_or_default();
    let listed = resources.iter().find(|resource| resource.physical_id.as_deref() == Some(arn));
    // AWS lists a hundred resources of a stack; of a larger one the alias may not be among them.
    let logical_id = match (listed, aliases(&template, name).as_slice()) {
        (Some(listed), _) => listed.logical_id.as_str(),
        (None, [only]) => only,
        (None, found) => {
            judged.verdicts = unknown(match found {
                [] => format!("it has no alias with the literal name `{name}`"),
                several => format!("it has several aliases with the name `{name}`: {}", several.join(", ")),
            });
            return judged;
        }
    };
    judged.verdicts = rollout::template::verdicts(&template, logical_id);
    judged.tool = tool(&template, logical_id);
    let number = |id: &str| {
        let physical = resources.iter().find(|resource| resource.logical_id == id)?.physical_id.as_deref()?;
        Arn::parse(physical).and_then(Arn::qualifier).map(str::to_owned)
    };
    judged.made_on = first_version(&template, logical_id, number);
    let own = |id: &str| {
        resources.iter().any(|resource| {
            resource.logical_id == id && resource.physical_id.as_deref().is_some_and(|of| unqualified(of) == unqualified(arn))
        })
    };
    let unkept = versions_it_deletes(&template).into_iter().filter(|id| own(id));
    judged.deletes = unkept.filter_map(|id| Some((number(id)?, id.to_owned()))).collect();
    let changed = listed.and_then(|listed| listed.changed);
    judged.passed_over_since =
        changed.filter(|at| resources.iter().filter_map(|resource| resource.changed).any(|other| other > *at));
    judged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::port::StackResource;

    const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:function:hello:live";

    fn owner(resources: &[(&str, &str, u64)]) -> StackResources {
        let resource = |(logical, physical, at): &(&str, &str, u64)| StackResource {
            logical_id: (*logical).to_owned(),
            physical_id: Some((*physical).to_owned()),
            changed: Some(Time::from_secs(*at)),
        };
        StackResources { name: "shop".to_owned(), id: "id".to_owned(), resources: resources.iter().map(resource).collect() }
    }

    #[test]
    fn an_alias_among_too_many_resources_is_found_by_its_name_alone() {
        let alias = json!({"Type": "AWS::Lambda::Alias", "Properties": {"FunctionVersion": "41", "Name": "live"}});
        let judged = |template: Value| judge(owner(&[("Queue", "q", 9)]), None, ARN, Some(template));
        let one = judged(json!({"Resources": {"Live": alias}}));
        assert_eq!((overall(&one.verdicts), one.made_on.as_deref(), one.passed_over_since), (Movement::Stays, Some("41"), None));
        for (template, words) in [
            (json!({"Resources": {"A": alias, "B": alias}}), "several aliases with the name `live`: A, B"),
            (json!({"Resources": {}}), "no alias with the literal name `live`"),
        ] {
            let found = judged(template).verdicts;
            assert!(overall(&found) == Movement::Unknown && found[0].why.contains(words), "{found:?}");
        }
        assert_eq!(overall(&judge(owner(&[]), None, ARN, None).verdicts), Movement::Unknown);
    }

    #[test]
    fn what_was_changed_since_is_evidence_and_what_was_not_is_none() {
        let template = json!({"Resources": {"Live": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionVersion": {"Fn::GetAtt": ["Base", "Version"]}}},
            "Base": {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain"}}});
        for (function, expected) in [(7, Some(Time::from_secs(5))), (5, None), (3, None)] {
            let base = "arn:aws:lambda:us-east-1:111111111111:function:hello:43";
            let found = owner(&[("Hello", "hello", function), ("Live", ARN, 5), ("Base", base, 4)]);
            let judged = judge(found, None, ARN, Some(template.clone()));
            assert_eq!((judged.made_on.as_deref(), judged.passed_over_since), (Some("43"), expected));
        }
    }
}
