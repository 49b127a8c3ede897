//! CDK, Pulumi, and a `serverless.ts`: the file is a program, so there are lines to paste. Which?

use std::path::Path;

use rollout::template::{Movement, overall, verdicts};
use serde_json::Value;

use super::handover::{Answer, Handover, Lines, PROVISIONED, Tool};
use super::{cloudformation, serverless as plugin};
use crate::discover;
use crate::finding::{Problems, shown};
use crate::{File, template_json};

/// The language of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    TypeScript,
    Python,
}

/// The change of a CDK project, if the folder is one: it has a `cdk.json`, or the templates of `cdk synth`.
pub(super) fn cdk(folder: &Path) -> Result<Option<Handover>, Problems> {
    let app = discover::whole(folder, "cdk.json")?;
    let mut templates = Vec::new();
    for (name, bytes) in discover::synthesised(folder)? {
        templates.push((name.clone(), template_json(File { name: &name, bytes: &bytes })?));
    }
    if app.is_none() && templates.is_empty() {
        return Ok(None);
    }
    let app = app.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let language = if app.contains("python") || app.contains(".py") { Language::Python } else { Language::TypeScript };
    let name = if app.is_empty() { "cdk.out" } else { "cdk.json" };
    Ok(Some(cdk_of(name, &templates, language)))
}

/// The lines for the aliases of these templates.
pub(super) fn cdk_of(name: &str, templates: &[(String, Value)], language: Language) -> Handover {
    let mut handover =
        Handover { tool: Tool::Cdk, file: name.to_owned(), aliases: Vec::new(), answer: Answer::HandedOver, notes: Vec::new() };
    let mut lines = Vec::new();
    for (file, template) in templates {
        for id in cloudformation::aliases(template) {
            let alias = &template["Resources"][id];
            handover.aliases.push(format!("{} ({})", shown(id), shown(file)));
            if !alias["Properties"]["ProvisionedConcurrencyConfig"].is_null() {
                handover.notes.push(PROVISIONED.replace("{}", &shown(id)));
            }
            let found = verdicts(template, id);
            if matches!(overall(&found), Movement::Stays | Movement::Latest) {
                continue;
            }
            // `Shop/Hello/Live/Resource`: the construct is the one above its resource.
            let path = alias["Metadata"]["aws:cdk:path"].as_str().and_then(|path| path.rsplit_once('/')).map(|(path, _)| path);
            let construct = path.and_then(|path| path.rsplit('/').next()).unwrap_or("Live");
            let called = alias["Properties"]["Name"].as_str().unwrap_or("live");
            let why = found.first().map(|verdict| verdict.why.clone()).unwrap_or_default();
            lines.push(snippet(path.unwrap_or(id), construct, called, why, language));
        }
    }
    if templates.is_empty() {
        handover.notes.push(
            "`cdk.out` is not there: after `cdk synth`, `canaryctl adopt` names each alias and says whether it is done"
                .to_owned(),
        );
        lines.push(snippet("each alias", "Live", "live", "the file is a program".to_owned(), language));
    } else if handover.aliases.is_empty() {
        handover.answer = Answer::NoAlias;
        return handover;
    }
    if !lines.is_empty() {
        handover.notes.extend(CDK_NOTES.iter().map(|note| (*note).to_owned()));
        handover.answer = Answer::Program(lines);
    }
    handover
}

fn snippet(place: &str, construct: &str, alias: &str, why: String, language: Language) -> Lines {
    // In quotes of a program, whatever a template calls them.
    let plain = |name: &str| -> String {
        name.chars().map(|letter| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '_' }).collect()
    };
    let (construct, alias) = (plain(construct), plain(alias));
    let lines = match language {
        Language::TypeScript => vec![
            "const base = new lambda.Version(this, 'CanaryctlBase', { lambda: fn, removalPolicy: cdk.RemovalPolicy.RETAIN }); // never rename it"
                .to_owned(),
            format!("const live = new lambda.Alias(this, '{construct}', {{ aliasName: '{alias}', version: base }}); // the id stays"),
        ],
        Language::Python => vec![
            "base = lambda_.Version(self, \"CanaryctlBase\", lambda_=fn, removal_policy=RemovalPolicy.RETAIN)  # never rename it".to_owned(),
            format!("live = lambda_.Alias(self, \"{construct}\", alias_name=\"{alias}\", version=base)  # the id stays"),
        ],
    };
    Lines { place: format!("the program, for {}", shown(place)), lines, why }
}

/// The change of a Pulumi project, if the folder is one.
pub(super) fn pulumi(folder: &Path) -> Result<Option<Handover>, Problems> {
    let Some((name, bytes)) = discover::first(folder, &["Pulumi.yaml", "Pulumi.yml"])? else { return Ok(None) };
    let project = String::from_utf8_lossy(&bytes).into_owned();
    let lines: &[&str] = if project.contains("python") {
        &["opts=pulumi.ResourceOptions(ignore_changes=[\"functionVersion\", \"routingConfig\", \"description\"], protect=True)"]
    } else {
        &["{ ignoreChanges: [\"functionVersion\", \"routingConfig\", \"description\"], protect: true }"]
    };
    let lines = Lines {
        place: "the options of each `aws.lambda.Alias`".to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        why: "the file is a program".to_owned(),
    };
    Ok(Some(Handover {
        tool: Tool::Pulumi,
        file: name,
        aliases: Vec::new(),
        answer: Answer::Program(vec![lines]),
        notes: Vec::new(),
    }))
}

/// The change of a `serverless.ts`.
pub(super) fn serverless(name: &str) -> Handover {
    let lines = Lines { lines: vec!["plugins: ['serverless-canaryctl'],".to_owned()], ..plugin::lines("the file is a program") };
    Handover {
        tool: Tool::Serverless,
        file: name.to_owned(),
        aliases: Vec::new(),
        answer: Answer::Program(vec![lines]),
        notes: vec!["it takes the place of `serverless-plugin-canary-deployments`".to_owned()],
    }
}

const CDK_NOTES: [&str; 4] = [
    "`base` takes the place of `fn.currentVersion`: remove that, also where something else uses it. Each function needs a `base` of its own",
    "an alias that `fn.addAlias('live')` made keeps its id as `new lambda.Alias(fn, 'Aliaslive', …)`",
    "remove the `LambdaDeploymentGroup`: CodeDeploy would shift the alias at each deploy",
    "give the function another `description` in the same deploy: without one AWS answers that a version of this code exists already",
];
