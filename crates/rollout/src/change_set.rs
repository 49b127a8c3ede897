//! Would executing this change set move an alias? Judged from what `DescribeChangeSet` answers.
//!
//! Any change of an alias' properties is one `UpdateAlias` with all of them: it sets the version of the template and clears the weights.

use serde_json::Value;

use crate::template::{Movement, Verdict};

/// What a change set does to the aliases of its stack: each that it touches, by its logical id, with the verdict; and what is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Each alias that the change set names.
    pub aliases: Vec<(String, Verdict)>,
    /// Why there may be more than that, a sentence each.
    pub unknown: Vec<String>,
}

impl Touched {
    /// What it does to the aliases altogether.
    pub fn overall(&self) -> Movement {
        let worst = self.aliases.iter().map(|(_, verdict)| verdict.kind).min().unwrap_or(Movement::Stays);
        if self.unknown.is_empty() { worst } else { worst.min(Movement::Unknown) }
    }
}

/// Judges the answer of `DescribeChangeSet`; `None` where this is none.
pub fn touched(answer: &Value) -> Option<Touched> {
    let changes = answer["Changes"].as_array().or_else(|| empty(answer).then_some(NONE))?;
    let mut out = Touched { aliases: Vec::new(), unknown: Vec::new() };
    let status = answer["Status"].as_str().unwrap_or_default();
    let ready = ["CREATE_COMPLETE", "DELETE_COMPLETE"].contains(&status) || empty(answer);
    if !ready {
        out.unknown
            .push(format!("the change set is not ready: {}", if status.is_empty() { "it has no `Status`" } else { status }));
    }
    if answer["NextToken"].is_string() {
        out.unknown.push("this is one page of several: the aws command line puts them together without `--max-items`".to_owned());
    }
    if answer["DeploymentMode"] == "REVERT_DRIFT" {
        let why = "it brings resources back to the template (`REVERT_DRIFT`): an alias that canaryctl moved is moved back";
        out.unknown.push(why.to_owned());
    }
    for change in changes.iter().map(|change| &change["ResourceChange"]) {
        let id = change["LogicalResourceId"].as_str().unwrap_or_default();
        match change["ResourceType"].as_str().unwrap_or_default() {
            "AWS::Lambda::Alias" => out.aliases.push((id.to_owned(), alias(change))),
            "AWS::CloudFormation::Stack" if change["Action"] != "Remove" => {
                let named = change["ChangeSetId"].as_str().map(|nested| format!(": describe its change set too, `{nested}`"));
                out.unknown.push(format!("`{id}` is a nested stack{}", named.unwrap_or_default()));
            }
            _ => {}
        }
    }
    Some(out)
}

/// Whether AWS says that there is nothing to change.
fn empty(answer: &Value) -> bool {
    let why = answer["StatusReason"].as_str().unwrap_or_default();
    answer["Status"] == "FAILED" && EMPTY.iter().any(|words| why.contains(words))
}

fn alias(change: &Value) -> Verdict {
    let verdict = |kind, why: &str| Verdict { kind, why: why.to_owned(), fix: None };
    let scope = || change["Scope"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let details = || change["Details"].as_array().into_iter().flatten();
    match change["Action"].as_str().unwrap_or_default() {
        "Add" => verdict(Movement::Stays, "the alias is new: it is made on the version of the template"),
        "Import" => verdict(Movement::Stays, "the alias is taken into the stack as it is"),
        "Remove" if change["PolicyAction"] == "Retain" => verdict(Movement::Stays, "the alias leaves the stack and stays in AWS"),
        "Remove" => verdict(Movement::Moves, "the alias is deleted"),
        "Modify" if change["Replacement"] == "True" => verdict(Movement::Moves, "the alias is replaced by a new one"),
        "Modify" if scope().next().is_some() && !scope().any(|part| part == "Properties") => {
            verdict(Movement::Stays, "only attributes of the stack change, such as its deletion policy")
        }
        "Modify" => {
            let names: Vec<&str> = details().filter_map(|detail| detail["Target"]["Name"].as_str()).collect();
            let certain = details().any(|detail| detail["Evaluation"] == "Static") || names.is_empty();
            let names = if names.is_empty() { String::new() } else { format!(" (`{}`)", names.join("`, `")) };
            if certain {
                verdict(
                    Movement::Moves,
                    &format!("it is modified{names}: its version and weights are set to those of the template"),
                )
            } else {
                let why = format!(
                    "it is modified{names} if what that is taken from changes: then its version and weights are set to the template's"
                );
                verdict(Movement::MayMove, &why)
            }
        }
        other => verdict(Movement::Unknown, &format!("its change `{other}` is not known here")),
    }
}

/// What AWS says of a change set without changes.
const EMPTY: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];
const NONE: &Vec<Value> = &Vec::new();
