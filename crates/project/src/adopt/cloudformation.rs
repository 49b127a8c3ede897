//! A template by hand: what in it makes an alias' definition another one? By the rules of [`rollout::template`].

use rollout::template::{Movement, verdicts};
use serde_json::Value;

use super::edit::{Change, Scalar, applied};
use super::handover::{Lines, PROVISIONED};
use super::plan::Plan;
use crate::finding::shown;

/// The logical ids of the aliases.
pub(super) fn aliases(template: &Value) -> Vec<&str> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.filter(|(_, resource)| resource["Type"] == ALIAS).map(|(id, _)| id.as_str()).collect()
}

/// Adds what changes for plain aliases.
pub(super) fn plan(template: &Value, plan: &mut Plan) {
    let aliases = aliases(template);
    let before = plan.changes.len();
    for id in &aliases {
        plan.aliases.push(shown(id));
        of_alias(template, id, plan);
    }
    let mut after = template.clone();
    for change in &plan.changes[before..] {
        // What cannot be changed here is found again below.
        let _ = applied(&mut after, change);
    }
    for id in aliases {
        left(&mut after, id, plan);
    }
}

fn of_alias(template: &Value, id: &str, plan: &mut Plan) {
    let alias = &template["Resources"][id];
    let (path, properties) = (["Resources", id], ["Resources", id, "Properties"]);
    if !alias["UpdatePolicy"][CODE_DEPLOY].is_null() {
        let only = alias["UpdatePolicy"].as_object().is_some_and(|policy| policy.len() == 1);
        plan.change(if only {
            Change::remove(&path, "UpdatePolicy")
        } else {
            Change::remove(&["Resources", id, "UpdatePolicy"], CODE_DEPLOY)
        });
        plan.note(format!(
            "without `{CODE_DEPLOY}`, CodeDeploy no longer shifts the alias; its application and group can be removed later"
        ));
    }
    for (key, why) in [
        ("RoutingConfig", "the weights are canaryctl's"),
        ("Description", "canaryctl keeps the rollout's state there, and a change of it resets version and weights"),
    ] {
        if !alias["Properties"][key].is_null() {
            plan.change(Change::remove(&properties, key));
            plan.note(format!("`{key}` of an alias is removed: {why}"));
        }
    }
    if !alias["Properties"]["ProvisionedConcurrencyConfig"].is_null() {
        plan.note(PROVISIONED.replace("{}", &shown(id)));
    }
    retain(template, id, plan);
    if let Some(version) = version_of(template, id) {
        of_version(template, version, plan);
    }
}

/// The version must stay what it is: a property that changes replaces it.
fn of_version(template: &Value, version: &str, plan: &mut Plan) {
    let resource = &template["Resources"][version];
    let path = ["Resources", version, "Properties"];
    let volatile: Vec<&str> = VOLATILE.into_iter().filter(|key| !resource["Properties"][*key].is_null()).collect();
    for key in &volatile {
        plan.change(Change::remove(&path, key));
    }
    let id = shown(version);
    if !volatile.is_empty() {
        plan.note(format!(
            "a change of `{}` replaces `{id}` and moves the alias: removed. Never rename `{id}`",
            volatile.join("` or `")
        ));
        description(template, &resource["Properties"]["FunctionName"], plan);
        if !is_retained(resource, "UpdateReplacePolicy") {
            plan.note(format!(
                "`{id}` is replaced in this deploy, and a version that is not retained is deleted with what a rollback would need: deploy \
                 only the lines with `Retain` first, then the rest"
            ));
        }
    }
    retain(template, version, plan);
}

/// Gives the function another description: AWS publishes no second version of the same code and settings.
fn description(template: &Value, function: &Value, plan: &mut Plan) {
    let named = function["Ref"].as_str().or(function["Fn::GetAtt"][0].as_str());
    let id = named.filter(|id| template["Resources"][*id]["Type"] == "AWS::Lambda::Function");
    let now = id.map(|id| &template["Resources"][id]["Properties"]["Description"]);
    let new = match now {
        Some(Value::Null) => Some(OWNED.to_owned()),
        Some(Value::String(text)) if text.len() + OWNED.len() + 2 <= LONGEST_DESCRIPTION && !text.contains(OWNED) => {
            Some(format!("{text}; {OWNED}"))
        }
        _ => None,
    };
    match id.zip(new) {
        Some((id, new)) => {
            plan.change(Change::set(&["Resources", id, "Properties"], "Description", Scalar::Text(new), "Handler"));
            plan.note(format!(
                "`{}` gets another description, so that this deploy can publish a version of the same code: without one AWS answers that it \
                 exists already",
                shown(id)
            ));
        }
        None => plan.note(
            "change the function's description in this deploy, so that it can publish a version of the same code: without one AWS answers \
             that it exists already",
        ),
    }
}

/// What leaves the template stays in AWS.
fn retain(template: &Value, id: &str, plan: &mut Plan) {
    let resource = &template["Resources"][id];
    // Each goes right behind the type, so the last one comes first.
    for (key, policy) in [("UpdateReplacePolicy", "Retain"), ("DeletionPolicy", "RetainExceptOnCreate")] {
        if !is_retained(resource, key) {
            plan.change(Change::set(&["Resources", id], key, Scalar::Word(policy), "Type"));
            plan.note(
                "`Retain` keeps alias and versions in AWS, whatever happens to the stack; `ExceptOnCreate`: not if their first deploy fails",
            );
        }
    }
}

fn is_retained(resource: &Value, key: &str) -> bool {
    resource[key].as_str().is_some_and(|policy| policy.starts_with("Retain"))
}

/// What would move the alias even then.
pub(super) fn left(after: &mut Value, id: &str, plan: &mut Plan) {
    let all = verdicts(after, id);
    // What its version alone does, without all else that the alias has.
    let version = after["Resources"][id]["Properties"]["FunctionVersion"].clone();
    let computed = version.is_object() && version.get("Fn::GetAtt").is_none();
    let whole = std::mem::replace(
        &mut after["Resources"][id],
        serde_json::json!({"Type": ALIAS, "Properties": {"FunctionVersion": version}}),
    );
    let of_version = verdicts(after, id);
    after["Resources"][id] = whole;
    for verdict in &of_version {
        let moves = matches!(verdict.kind, Movement::Moves | Movement::Unknown) || verdict.kind == Movement::MayMove && computed;
        if moves {
            let why = format!("{}. N is the version that the alias has now: `canaryctl status` shows it", verdict.why);
            let lines = vec!["FunctionVersion: \"N\"".to_owned()];
            plan.lines.push(Lines { place: format!("Resources.{}.Properties", shown(id)), lines, why });
            return;
        }
    }
    let further =
        all.iter().filter(|verdict| verdict.kind == Movement::MayMove && !verdict.why.contains("ProvisionedConcurrency"));
    further.for_each(|verdict| plan.note(format!("`{}`: {}", shown(id), verdict.why)));
}

/// The version's resource that an alias is put on.
fn version_of<'a>(template: &'a Value, alias: &str) -> Option<&'a str> {
    let argument = template["Resources"][alias]["Properties"]["FunctionVersion"].get("Fn::GetAtt")?;
    let id = argument.as_str().and_then(|dotted| dotted.split('.').next()).or_else(|| argument[0].as_str())?;
    template["Resources"].get(id).filter(|found| found["Type"] == "AWS::Lambda::Version").map(|_| id)
}

const ALIAS: &str = "AWS::Lambda::Alias";
const CODE_DEPLOY: &str = "CodeDeployLambdaAliasUpdate";
/// What people write into a version to publish another one.
const VOLATILE: [&str; 2] = ["CodeSha256", "Description"];
const OWNED: &str = "canaryctl owns the alias";
/// In AWS.
const LONGEST_DESCRIPTION: usize = 256;
