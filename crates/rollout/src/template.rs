//! Would the next deploy of a CloudFormation stack move this alias? Judged from the stack's template, as CloudFormation processed it.
//!
//! CloudFormation compares templates, never what is there: an alias whose definition stays the same is made once and not touched again,
//! wherever its traffic is. So the question is what in its definition can become different. Nothing is looked up here, and what the values
//! of parameters are does not matter: another one can be given at the next deploy.
//!
//! Not seen in a template, and so not judged: another name of the alias' resource, and deploys that bring a stack back to its template
//! (drift-aware change sets, `cdk deploy --revert-drift`).

use serde_json::{Map, Value};

use crate::words::words;

words! {
    /// What a deploy does to an alias, the worst first.
    pub enum Movement {
        /// A deploy of new code moves it.
        Moves = "moves",
        /// Some change other than one of the code moves it.
        MayMove = "may-move",
        /// The template alone does not say.
        Unknown = "unknown",
        /// None moves it; the stack made it on `$LATEST`.
        Latest = "latest",
        /// None moves it.
        Stays = "stays",
    }
}

words! {
    /// What wrote a template.
    pub enum Tool {
        /// The Serverless Application Model.
        Sam = "sam",
        /// The Cloud Development Kit.
        Cdk = "cdk",
        /// The Serverless Framework, or osls.
        Serverless = "serverless",
        /// A person, or something else.
        CloudFormation = "cloudformation",
    }
}

/// What one part of a template does to an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What a deploy does.
    pub kind: Movement,
    /// By which part of the template.
    pub why: String,
    /// What to write instead, with the tool that wrote the template.
    pub fix: Option<String>,
}

/// Everything in a template that bears on whether a deploy moves this alias, the worst first; at least one.
pub fn verdicts(template: &Value, alias_logical_id: &str) -> Vec<Verdict> {
    let Some(alias) = template["Resources"].get(alias_logical_id).filter(|found| found["Type"] == ALIAS) else {
        return vec![verdict(Movement::Unknown, format!("the template has no alias `{alias_logical_id}`"))];
    };
    let version = version_of(template, alias).map(|(id, _)| id);
    let judge = Judge { template, tool: tool_of(template, version) };
    let mut out = judge.alias(alias);
    out.extend(judge.version(&alias["Properties"]["FunctionVersion"], 0));
    if out.is_empty() {
        out.push(verdict(Movement::Stays, "its definition is the same at each deploy".to_owned()));
    }
    out.sort_by_key(|verdict| verdict.kind);
    out.dedup();
    out
}

/// The worst of them.
pub fn overall(verdicts: &[Verdict]) -> Movement {
    verdicts.iter().map(|verdict| verdict.kind).min().unwrap_or(Movement::Unknown)
}

/// What wrote a template with this alias.
pub fn tool(template: &Value, alias_logical_id: &str) -> Tool {
    let version = template["Resources"].get(alias_logical_id).and_then(|alias| version_of(template, alias));
    tool_of(template, version.map(|(id, _)| id))
}

/// The version that an alias is made on: written in the template, or what `published` gives for the logical id of a version.
pub fn first_version(template: &Value, alias_logical_id: &str, published: impl Fn(&str) -> Option<String>) -> Option<String> {
    let alias = template["Resources"].get(alias_logical_id)?;
    match &alias["Properties"]["FunctionVersion"] {
        Value::String(text) if !text.contains(DYNAMIC) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(_) => version_of(template, alias).and_then(|(id, _)| published(id)),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// The logical ids of the aliases with this name, of any function.
pub fn aliases<'a>(template: &'a Value, name: &str) -> Vec<&'a str> {
    let all = template["Resources"].as_object().into_iter().flatten();
    all.filter(|(_, resource)| resource["Type"] == ALIAS && resource["Properties"]["Name"] == name)
        .map(|(id, _)| id.as_str())
        .collect()
}

/// The logical ids of the versions that a later deploy deletes from AWS: what it makes in their place is another one, and nothing keeps them.
pub fn versions_it_deletes(template: &Value) -> Vec<&str> {
    let keeps = |version: &Value, key: &str| version[key].as_str().is_some_and(|policy| policy.starts_with("Retain"));
    let publishes = |version: &Value| {
        let properties = version["Properties"].as_object().into_iter().flatten();
        properties.filter(|(_, value)| !is_no_value(value)).any(|(key, _)| !NEVER_PUBLISH.contains(&key.as_str()))
    };
    let deleted = |(id, version): &(&String, &Value)| match named_by(id) {
        // New code has another name: this one leaves the template.
        Some(_) => !keeps(version, "DeletionPolicy"),
        None => publishes(version) && !keeps(version, "UpdateReplacePolicy"),
    };
    let all = template["Resources"].as_object().into_iter().flatten();
    all.filter(|(_, resource)| resource["Type"] == VERSION).filter(deleted).map(|(id, _)| id.as_str()).collect()
}

struct Judge<'a> {
    template: &'a Value,
    tool: Tool,
}

impl Judge<'_> {
    /// What the alias has besides its version.
    fn alias(&self, alias: &Value) -> Vec<Verdict> {
        let properties = &alias["Properties"];
        let mut out = Vec::new();
        if contains(&alias["UpdatePolicy"], &|key, _| key == CODE_DEPLOY) {
            let why = format!("CodeDeploy shifts it at each deploy (`UpdatePolicy` with `{CODE_DEPLOY}`)");
            out.push(verdict(Movement::Moves, why).fix(match self.tool {
                Tool::Sam => "remove `DeploymentPreference` from the function",
                Tool::Cdk => "remove its `LambdaDeploymentGroup`",
                Tool::Serverless => PLUGIN,
                Tool::CloudFormation => "remove `UpdatePolicy` from the alias",
            }));
        }
        let has = |key: &str| properties.get(key).is_some_and(|value| !is_no_value(value));
        if has("RoutingConfig") {
            let why = "its weights are in the template (`RoutingConfig`): a deploy that changes them moves it";
            out.push(verdict(Movement::Moves, why.to_owned()).fix("remove `RoutingConfig` from the alias"));
        }
        for (key, and) in [("ProvisionedConcurrencyConfig", ", and AWS refuses weights next to it"), ("Description", "")] {
            if has(key) {
                let why = format!("a change of its `{key}` resets its version and weights{and}");
                out.push(verdict(Movement::MayMove, why).fix(format!("remove `{key}` from the alias")));
            }
        }
        if let Some(condition) = alias["Condition"].as_str()
            && let Some(parameter) = self.hangs_on(condition, 0)
        {
            let why = format!("it is deleted when the parameter `{parameter}` makes its condition `{condition}` false");
            out.push(verdict(Movement::MayMove, why).fix("remove `Condition` from the alias"));
        }
        out
    }

    /// What can become different in an alias' version, or in a part of what it is made of.
    fn version(&self, value: &Value, depth: usize) -> Vec<Verdict> {
        let unknown = |why: String| vec![verdict(Movement::Unknown, why).fix(self.constant())];
        match value {
            _ if depth > DEEPEST => unknown("its version is nested too deep".to_owned()),
            Value::Number(_) => Vec::new(),
            Value::String(text) if text == "$LATEST" => {
                vec![verdict(
                    Movement::Latest,
                    "the stack made it on `$LATEST`, and its definition is the same at each deploy".to_owned(),
                )]
            }
            Value::String(text) if text.contains(DYNAMIC) => {
                vec![verdict(Movement::Moves, format!("its version is looked up at each deploy (`{text}`)")).fix(self.constant())]
            }
            Value::String(text) if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) => Vec::new(),
            Value::String(text) => unknown(format!("its version `{text}` is not a number")),
            Value::Object(map) => match function(map) {
                Some((name, argument)) => self.called(name, argument, depth),
                None => unknown("its version cannot be read".to_owned()),
            },
            Value::Null | Value::Bool(_) | Value::Array(_) => unknown("its version cannot be read".to_owned()),
        }
    }

    /// What can become different in what this function gives.
    fn called(&self, name: &str, argument: &Value, depth: usize) -> Vec<Verdict> {
        let unknown = |why: String| vec![verdict(Movement::Unknown, why).fix(self.constant())];
        match name {
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([condition, yes, no]) => {
                    let switch = condition.as_str().filter(|_| yes != no).and_then(|condition| self.switch(condition));
                    switch.into_iter().chain([yes, no].into_iter().flat_map(|branch| self.version(branch, depth + 1))).collect()
                }
                _ => unknown("its version cannot be read (`Fn::If`)".to_owned()),
            },
            "Ref" => match argument.as_str() {
                Some(parameter) if !self.template["Parameters"][parameter].is_null() => {
                    let why = format!("another value of the parameter `{parameter}` moves it");
                    vec![verdict(Movement::MayMove, why).fix(self.constant())]
                }
                named => unknown(format!("its version is taken from `{}`", named.unwrap_or_default())),
            },
            "Fn::GetAtt" => match attribute(argument) {
                Some((id, "Version")) if self.resource(id)["Type"] == VERSION => self.published(id),
                Some((id, name)) => {
                    let kind = self.resource(id)["Type"]
                        .as_str()
                        .map_or_else(|| "not in the template".to_owned(), |kind| format!("an `{kind}`"));
                    unknown(format!("its version is taken from `{id}.{name}`, {kind}"))
                }
                None => unknown("its version cannot be read (`Fn::GetAtt`)".to_owned()),
            },
            "Fn::Sub" => match substituted(argument) {
                Some(value) => self.version(&value, depth + 1),
                None => unknown("its version is computed by `Fn::Sub`".to_owned()),
            },
            other => unknown(format!("its version is computed by `{other}`")),
        }
    }

    /// That a condition decides between two versions, where a parameter decides it.
    fn switch(&self, condition: &str) -> Option<Verdict> {
        let parameter = self.hangs_on(condition, 0)?;
        let why = format!("another value of the parameter `{parameter}` moves it (condition `{condition}`)");
        Some(verdict(Movement::MayMove, why).fix(self.constant()))
    }

    /// What can become different in a published version of the template.
    fn published(&self, id: &str) -> Vec<Verdict> {
        let version = self.resource(id);
        if let Some(named) = named_by(id) {
            return vec![
                verdict(Movement::Moves, format!("each deploy of new code makes another version ({})", generated(named)))
                    .fix(self.constant()),
            ];
        }
        let empty = Map::new();
        let properties = version["Properties"].as_object().unwrap_or(&empty);
        let given = || properties.iter().filter(|(_, value)| !is_no_value(value)).map(|(key, value)| (key.as_str(), value));
        let mut out = Vec::new();
        for (key, value) in given().filter(|(key, _)| !NEVER_PUBLISH.contains(key)) {
            let why = match (key, is_computed(value)) {
                ("CodeSha256", _) => "each deploy of new code replaces `{id}` (`CodeSha256`)".replace("{id}", id),
                (_, true) => format!("`{key}` of `{id}` is computed: another value publishes a version and moves the alias"),
                (_, false) => format!("a change of `{key}` of `{id}` publishes a version and moves the alias"),
            };
            let kind = if key == "CodeSha256" { Movement::Moves } else { Movement::MayMove };
            out.push(verdict(kind, why).fix(match (self.tool, key) {
                (Tool::Sam, "Description") => "remove `VersionDescription` from the function".to_owned(),
                _ => format!("remove `{key}` from `{id}`"),
            }));
        }
        if !version["DeletionPolicy"].as_str().is_some_and(|policy| policy.starts_with("Retain")) {
            let why = format!("version `{id}` is deleted from AWS when it leaves the template");
            out.push(verdict(Movement::MayMove, why).fix(match self.tool {
                Tool::Cdk => format!("give `{id}` `removalPolicy: cdk.RemovalPolicy.RETAIN`"),
                Tool::Sam | Tool::Serverless | Tool::CloudFormation => format!("give `{id}` `DeletionPolicy: Retain`"),
            }));
        }
        out
    }

    /// How a version is written that stays the same.
    fn constant(&self) -> &'static str {
        match self.tool {
            Tool::Sam => {
                "next to `AutoPublishAlias` (on the function, not in `Globals`) set `AutoPublishCodeSha256: canaryctl0`, and never change it"
            }
            Tool::Cdk => {
                "in place of `fn.currentVersion` give the alias, under the same construct id, `new lambda.Version(this, 'CanaryctlBase', \
                 { lambda: fn, removalPolicy: cdk.RemovalPolicy.RETAIN })`"
            }
            Tool::Serverless => PLUGIN,
            Tool::CloudFormation => "set `FunctionVersion` to the number of the version that it has now, and never change it",
        }
    }

    fn resource(&self, id: &str) -> &Value {
        &self.template["Resources"][id]
    }

    /// A parameter that decides a condition; `None` where the condition is the same at each deploy.
    fn hangs_on(&self, condition: &str, depth: usize) -> Option<&str> {
        if depth > DEEPEST {
            return None;
        }
        let expression = self.template["Conditions"].get(condition)?;
        let parameters = self.template["Parameters"].as_object()?;
        let named = parameters.keys().find(|name| contains(expression, &|key, value| key == "Ref" && value == name.as_str()));
        let further = || {
            let conditions = self.template["Conditions"].as_object().into_iter().flat_map(Map::keys);
            let mut named =
                conditions.filter(|name| contains(expression, &|key, value| key == "Condition" && value == name.as_str()));
            named.find_map(|name| self.hangs_on(name, depth + 1))
        };
        named.map(String::as_str).or_else(further)
    }
}

impl Verdict {
    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

fn verdict(kind: Movement, why: String) -> Verdict {
    Verdict { kind, why, fix: None }
}

/// The version that an alias is put on, where that is a resource of the template.
fn version_of<'a>(template: &'a Value, alias: &'a Value) -> Option<(&'a str, &'a Value)> {
    let (id, _) = attribute(alias["Properties"]["FunctionVersion"].get("Fn::GetAtt")?)?;
    template["Resources"].get(id).map(|version| (id, version))
}

fn tool_of(template: &Value, version: Option<&str>) -> Tool {
    if let Some(named) = version.and_then(named_by) {
        return named;
    }
    let has = |test: &dyn Fn(&str, &Value) -> bool| contains(&template["Resources"], test);
    if has(&|key, value| key == "Type" && value == "AWS::CDK::Metadata" || key == "Metadata" && is_of_cdk(value)) {
        Tool::Cdk
    } else if template["Outputs"].get("ServerlessDeploymentBucketName").is_some() {
        Tool::Serverless
    } else if has(&|key, value| key == "SamResourceId" || key == "Key" && value == "lambda:createdBy") {
        Tool::Sam
    } else {
        Tool::CloudFormation
    }
}

fn is_of_cdk(metadata: &Value) -> bool {
    metadata.as_object().is_some_and(|map| map.keys().any(|key| key.starts_with("aws:cdk:")))
}

/// The tool that names versions after what is in them, so that new code is a new resource: seen in SAM 1.115, CDK 2.276, Serverless 3.40.
fn named_by(id: &str) -> Option<Tool> {
    let ends = |length: usize, letter: &dyn Fn(&u8) -> bool| {
        let (before, end) = id.as_bytes().split_at_checked(id.len().checked_sub(length)?)?;
        end.iter().all(letter).then_some(before)
    };
    let lower = |letter: &u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
    let upper = |letter: &u8| matches!(letter, b'0'..=b'9' | b'A'..=b'F');
    let of_construct =
        ends(32, &lower).and_then(|before| before.split_last_chunk::<8>()).filter(|(_, hash)| hash.iter().all(upper));
    if of_construct.is_some_and(|(before, _)| before.ends_with(b"CurrentVersion")) {
        return Some(Tool::Cdk);
    }
    if ends(10, &lower).is_some_and(|before| before.ends_with(b"Version")) {
        return Some(Tool::Sam);
    }
    let (_, hash) = id.split_once("LambdaVersion")?;
    (hash.len() >= 30 && hash.bytes().all(|letter| letter.is_ascii_alphanumeric())).then_some(Tool::Serverless)
}

fn generated(by: Tool) -> &'static str {
    match by {
        Tool::Sam => "SAM names it after the code",
        Tool::Cdk => "`currentVersion` of CDK",
        Tool::Serverless => "Serverless names it after the code",
        Tool::CloudFormation => "named after its content",
    }
}

/// The one function that a map calls, with its argument.
fn function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// A resource and its attribute, in both notations of `Fn::GetAtt`.
fn attribute(argument: &Value) -> Option<(&str, &str)> {
    match argument {
        Value::String(dotted) => dotted.split_once('.'),
        Value::Array(parts) => match parts.as_slice() {
            [id, name] => id.as_str().zip(name.as_str()),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// What a `Fn::Sub` gives, where that is a text without variables or a variable alone.
fn substituted(argument: &Value) -> Option<Value> {
    let (text, given) = match argument {
        Value::String(text) => (text.as_str(), None),
        Value::Array(parts) => (parts.first()?.as_str()?, parts.get(1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    if !text.contains("${") {
        return Some(text.into());
    }
    let name = text.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains(['$', '!', '}']))?;
    let of_template =
        || if name.contains('.') { serde_json::json!({ "Fn::GetAtt": name }) } else { serde_json::json!({ "Ref": name }) };
    Some(given.and_then(|given| given.get(name)).cloned().unwrap_or_else(of_template))
}

/// Whether a property that has this is as if it were missing.
fn is_no_value(value: &Value) -> bool {
    value.is_null() || value["Ref"] == "AWS::NoValue"
}

/// Whether a value can become different while the template stays the same.
fn is_computed(value: &Value) -> bool {
    let dynamic = |text: &Value| text.as_str().is_some_and(|text| text.contains(DYNAMIC));
    dynamic(value) || contains(value, &|key, value| key == "Ref" || key.starts_with("Fn::") || dynamic(value))
}

/// Whether a key with its value, anywhere in this, is such.
fn contains(value: &Value, test: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| test(key, value) || contains(value, test)),
        Value::Array(values) => values.iter().any(|value| contains(value, test)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

const ALIAS: &str = "AWS::Lambda::Alias";
const VERSION: &str = "AWS::Lambda::Version";
const CODE_DEPLOY: &str = "CodeDeployLambdaAliasUpdate";
/// How a reference begins that CloudFormation looks up in Parameter Store or Secrets Manager at each deploy.
const DYNAMIC: &str = "{{resolve:";
const PLUGIN: &str = "use the plugin `serverless-canaryctl` in place of `serverless-plugin-canary-deployments`";

/// Properties of a version that publish no other one when they change: it is the version of one function, and its scaling is no part of it.
const NEVER_PUBLISH: [&str; 2] = ["FunctionName", "FunctionScalingConfig"];

/// Conditions and functions that repeat each other would never end.
const DEEPEST: usize = 50;
