//! A template: what changes in it, of SAM's functions and of plain aliases?

use rollout::template::{Tool as Writer, tool};
use serde_json::Value;

use super::edit::{Change, edited};
use super::handover::{Answer, Handover, Lines, Tool};
use super::plan::Plan;
use super::{cloudformation, program, sam};
use crate::finding::shown;
use crate::keys::MOST_NAMED;
use crate::sam::HANDED_OVER;

/// The change of a template; `None` where it has more resources than AWS takes.
pub(super) fn handover(name: &str, text: &str, template: &Value) -> Option<Handover> {
    let resources = template["Resources"].as_object()?;
    let of_sam = |resource: &Value| resource["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::Serverless::"));
    let is_sam = template["Transform"].to_string().contains("AWS::Serverless") || resources.values().any(of_sam);
    if resources.len() > MOST_NAMED {
        return None;
    }
    let mut plan = Plan::default();
    if let Some(handover) = written(name, template) {
        return Some(handover);
    }
    sam::plan(template, &mut plan);
    cloudformation::plan(template, &mut plan);
    for (id, resource) in resources {
        if id.starts_with("Fn::") {
            repeated(id, &resource.to_string(), &template["Globals"]["Function"], &mut plan);
        } else if ["AWS::Serverless::Application", "AWS::CloudFormation::Stack"]
            .contains(&resource["Type"].as_str().unwrap_or_default())
        {
            plan.note(format!("`{}` is another stack: name its template, `canaryctl adopt FILE`", shown(id)));
        }
    }
    let answer = if plan.aliases.is_empty() {
        Answer::NoAlias
    } else if !plan.lines.is_empty() {
        // The whole or nothing: what could be edited is said with the rest.
        Answer::Unsafe(plan.lines.into_iter().chain(lines(&plan.changes)).collect())
    } else {
        match edited(text, &plan.changes) {
            Some(after) if after == text => Answer::HandedOver,
            Some(after) => Answer::Edited(after),
            None => Answer::Unsafe(lines(&plan.changes)),
        }
    };
    let tool = if is_sam { Tool::Sam } else { Tool::CloudFormation };
    Some(Handover { tool, file: name.to_owned(), aliases: plan.aliases, answer, notes: plan.notes })
}

/// Resources that the template makes of one (`Fn::ForEach`): they are not edited.
fn repeated(id: &str, body: &str, globals: &Value, plan: &mut Plan) {
    let has_alias = body.contains("AutoPublishAlias") || !globals["AutoPublishAlias"].is_null();
    if body.contains("AWS::Serverless::Function") && has_alias && !body.contains(HANDED_OVER) {
        let why = "what it makes is not expanded here".to_owned();
        let lines = vec![format!("AutoPublishCodeSha256: {HANDED_OVER}"), "DeploymentPreference: {Enabled: false}".to_owned()];
        plan.aliases.push(shown(id));
        plan.lines.push(Lines { place: format!("the functions of `{}`", shown(id)), lines, why });
    } else if body.contains("AWS::Lambda::Alias") {
        plan.note(format!("`{}` is not expanded: check its aliases with `canaryctl adopt --template`", shown(id)));
    }
}

/// For a template that a tool wrote: it is written again at the next deploy, so the change belongs in what it is made from.
fn written(name: &str, template: &Value) -> Option<Handover> {
    let aliases = cloudformation::aliases(template);
    let writer = aliases.iter().map(|id| tool(template, id)).find(|writer| *writer != Writer::CloudFormation)?;
    let why = "a tool wrote this template, and writes it again at the next deploy: change what it is made from".to_owned();
    let lines = |place: &str, lines: &[&str]| Lines {
        place: place.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        why: why.clone(),
    };
    let (tool, answer) = match writer {
        Writer::Cdk => return Some(program::cdk_of(name, &[(name.to_owned(), template.clone())], program::Language::TypeScript)),
        Writer::Serverless => (Tool::Serverless, lines("serverless.yml, `plugins`", &["- serverless-canaryctl"])),
        Writer::Sam | Writer::CloudFormation => (
            Tool::Sam,
            lines("the SAM template, next to `AutoPublishAlias` of each function", &["AutoPublishCodeSha256: canaryctl0"]),
        ),
    };
    Some(Handover {
        tool,
        file: name.to_owned(),
        aliases: aliases.into_iter().map(str::to_owned).collect(),
        answer: Answer::Unsafe(vec![answer]),
        notes: Vec::new(),
    })
}

/// The changes as a person would write them, each place once.
fn lines(changes: &[Change]) -> Vec<Lines> {
    let mut out: Vec<Lines> = Vec::new();
    for change in changes {
        let (place, line) = change.shown();
        match out.iter_mut().find(|lines| lines.place == place) {
            Some(known) => known.lines.push(line),
            None => out.push(Lines { place, lines: vec![line], why: String::new() }),
        }
    }
    out
}
