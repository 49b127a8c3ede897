//! SAM: what in a template makes the version of a function's alias another one, and what keeps it the same?
//!
//! SAM names the version after the code; `AutoPublishCodeSha256` stands in for the code, and a constant there keeps the name. From its
//! translator (1.115): the first ten letters of it count, and it is refused in `Globals`.

use serde_json::Value;

use super::edit::{Change, Scalar};
use super::handover::{Lines, PROVISIONED};
use super::plan::Plan;
use crate::finding::shown;
use crate::sam::HANDED_OVER;

/// A function of the template, with what `Globals` say of it.
struct Function<'a> {
    id: &'a str,
    own: &'a Value,
    globals: &'a Value,
    ignored: &'a Value,
}

/// Adds what changes for SAM's functions.
pub(super) fn plan(template: &Value, plan: &mut Plan) {
    let resources = template["Resources"].as_object().into_iter().flatten();
    for (id, resource) in resources.filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function") {
        let globals = &template["Globals"]["Function"];
        let function = Function { id, own: &resource["Properties"], globals, ignored: &resource["IgnoreGlobals"] };
        if function.effective("AutoPublishAlias").is_null() {
            plan.note(format!("`{}` has no alias: `AutoPublishAlias: live` makes one", shown(id)));
        } else {
            function.plan(plan);
        }
    }
}

impl Function<'_> {
    fn plan(&self, plan: &mut Plan) {
        let name = shown(self.id);
        let alias = self.effective("AutoPublishAlias");
        plan.aliases.push(format!("{name}:{}", shown(alias.as_str().unwrap_or("(computed)"))));
        let hash = &self.own[HASH];
        if hash != HANDED_OVER {
            if !hash.is_null() {
                plan.note(format!(
                    "`{HASH}` of `{name}` had another value: each new one publishes a version and moves the alias"
                ));
            }
            plan.note(format!(
                "`{HASH}: {HANDED_OVER}` keeps the version of the alias the same in the template: never change it"
            ));
            plan.change(Change::set(&self.properties(), HASH, Scalar::Word(HANDED_OVER), "AutoPublishAlias"));
        }
        self.preference(plan);
        for key in [ALL_PROPERTIES, "VersionDescription", "VersionDeletionPolicy"] {
            self.without(key, plan);
        }
        if !self.effective("ProvisionedConcurrencyConfig").is_null() {
            plan.note(PROVISIONED.replace("{}", &name));
        }
    }

    /// `CodeDeploy` shifts no alias. The preference stays: canaryctl takes schedule, alarms and hooks from it.
    fn preference(&self, plan: &mut Plan) {
        let (own, global) = (&self.own[PREFERENCE], self.global(PREFERENCE));
        let computed = [own, global]
            .into_iter()
            .any(|value| value.as_object().is_some_and(|map| map.keys().any(|key| key == "Ref" || key.starts_with("Fn::"))));
        let place: Vec<&str> = if own.is_null() { GLOBALS.to_vec() } else { self.properties() };
        if computed {
            let why = format!(
                "`{PREFERENCE}` is computed; its schedule, alarms and hooks can go to a `canary.yml` (`canaryctl import`)"
            );
            plan.lines.push(Lines { place: place.join("."), lines: vec![format!("{PREFERENCE}: {{Enabled: false}}")], why });
            return;
        }
        let enabled = if own["Enabled"].is_null() { &global["Enabled"] } else { &own["Enabled"] };
        let none = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        if none(own) && none(global) {
            plan.note(format!(
                "`{}` has no `{PREFERENCE}`: name it in `canaryctl rollout`, or in a `canary.yml`, so that its alias follows its code",
                shown(self.id)
            ));
        }
        if *enabled == false || none(own) && none(global) {
            return;
        }
        // In `Globals` it is said once for all functions.
        let in_globals = !none(global) && own["Enabled"].is_null();
        let place = if in_globals { GLOBALS.to_vec() } else { self.properties() };
        let path: Vec<&str> = place.into_iter().chain([PREFERENCE]).collect();
        plan.change(Change::set(&path, "Enabled", Scalar::Bool(false), "Type"));
        plan.note(
            "`Enabled: false` keeps CodeDeploy from shifting the alias at each deploy, and removes its application and deployment groups; \
             canaryctl still reads schedule, alarms and hooks from `DeploymentPreference`",
        );
        if [own, global].iter().any(|preference| !none(&preference["Hooks"])) {
            plan.note(HOOKS);
        }
    }

    /// Removes a key with which a deploy publishes a version or deletes one.
    fn without(&self, key: &str, plan: &mut Plan) {
        let harmless = |value: &Value| value.is_null() || *value == false || value == "Retain";
        let why = match key {
            ALL_PROPERTIES => "publishes a version at each change of a setting, and moves the alias",
            "VersionDescription" => "publishes a version when it changes, and moves the alias",
            _ => "deletes the version that the alias was made on",
        };
        if !harmless(&self.own[key]) {
            plan.change(Change::remove(&self.properties(), key));
            plan.note(format!("`{key}` {why}: removed"));
        } else if self.own[key].is_null() && !harmless(self.global(key)) {
            plan.change(Change::remove(&GLOBALS, key));
            plan.note(format!("`{key}` in `Globals` {why}: removed"));
        }
    }

    fn properties(&self) -> Vec<&str> {
        vec!["Resources", self.id, "Properties"]
    }

    fn global(&self, key: &str) -> &Value {
        let named = |value: &Value| value == "*" || value == key;
        let ignored = named(self.ignored) || self.ignored.as_array().is_some_and(|names| names.iter().any(named));
        if ignored { &Value::Null } else { &self.globals[key] }
    }

    fn effective(&self, key: &str) -> &Value {
        if self.own[key].is_null() { self.global(key) } else { &self.own[key] }
    }
}

const HOOKS: &str = "`Hooks` were written for CodeDeploy: wrap each hook so that its answer reaches canaryctl (`canaryctl guide hooks`); \
                     without that the first rollout ends with exit code 11";
const GLOBALS: [&str; 2] = ["Globals", "Function"];
const HASH: &str = "AutoPublishCodeSha256";
const PREFERENCE: &str = "DeploymentPreference";
const ALL_PROPERTIES: &str = "AutoPublishAliasAllProperties";
