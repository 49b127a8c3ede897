//! In which order is an alias handed over, what moves, and how is it checked? Per tool, in sentences.

use super::handover::Tool;

/// What to do with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// The steps of the migration deploy, in order.
    pub steps: Vec<&'static str>,
    /// What moves, in this deploy and later.
    pub moves: Vec<&'static str>,
    /// How to check it.
    pub check: Vec<&'static str>,
}

/// How the aliases of a tool are handed over.
pub fn guide(tool: Tool) -> Guide {
    Guide { steps: steps(tool), moves: moves(tool), check: check(tool) }
}

fn steps(tool: Tool) -> Vec<&'static str> {
    match tool {
        Tool::Sam => vec![
            QUIET,
            "change nothing else in this deploy, above all no code: SAM changes the function's description itself",
            "sam deploy --no-execute-changeset, then read the change set:",
            CHANGE_SET,
            "execute the change set (`aws cloudformation execute-change-set`, or `sam deploy`)",
            ROLL_OUT,
        ],
        Tool::CloudFormation => {
            vec![
                QUIET,
                "change nothing else in this deploy, above all no code",
                "make a change set, and read it:",
                CHANGE_SET,
                "execute it",
                ROLL_OUT,
            ]
        }
        Tool::Cdk => vec![
            "one deploy earlier: `currentVersionOptions: { removalPolicy: cdk.RemovalPolicy.RETAIN }` on the function; without it the version \
             that the alias leaves is deleted",
            QUIET,
            "change nothing else in this deploy but the function's description, above all no code",
            "cdk deploy --no-execute, then read the change set:",
            CHANGE_SET,
            "cdk deploy",
            ROLL_OUT,
        ],
        Tool::Serverless => vec![
            QUIET,
            "sls deploy: from now on it deploys the code, and then rolls out each function that has `deploymentSettings`",
        ],
        Tool::Terraform => vec![
            QUIET,
            "terraform plan: it must show no change of the alias (`lifecycle` itself is no change)",
            "terraform apply",
            ROLL_OUT,
        ],
        Tool::Pulumi => vec![QUIET, "pulumi preview: it must show no change of the alias", "pulumi up", ROLL_OUT],
    }
}

fn moves(tool: Tool) -> Vec<&'static str> {
    match tool {
        Tool::Sam => vec![
            "this deploy: the alias, once, to a new version of the code that it has already",
            LATER,
            "still moves it: `sam sync`; another value of `AutoPublishCodeSha256`; `VersionDescription`; another alias name",
        ],
        Tool::CloudFormation => vec![
            "this deploy: the alias, once, if its version or its properties change; the code stays the same",
            LATER,
            "still moves it: another version in the template; `DeploymentMode: REVERT_DRIFT`; a failed deploy that had changed the alias",
        ],
        Tool::Cdk => vec![
            "this deploy: the alias, once, to a new version of the code that it has already",
            LATER,
            "still moves it: `cdk deploy --hotswap`, `cdk watch`, `cdk deploy --revert-drift`; another construct id",
        ],
        Tool::Serverless => vec![
            "this deploy: the alias stays on the version that it has; triggers keep the alias",
            "later deploys: only canaryctl moves it, step by step",
            "still moves it: a deploy without the plugin; another alias name",
        ],
        Tool::Terraform => vec!["this apply: nothing", LATER, "still moves it: `-replace`; `replace_triggered_by`; another name"],
        Tool::Pulumi => vec!["this update: nothing", LATER, "still moves it: `--replace`; another name"],
    }
}

fn check(tool: Tool) -> Vec<&'static str> {
    match tool {
        Tool::Sam | Tool::CloudFormation | Tool::Cdk => vec![
            "aws cloudformation get-template --stack-name STACK --template-stage Processed | canaryctl adopt --template -",
            "before any later deploy: its change set, with `canaryctl adopt --change-set -`",
        ],
        Tool::Serverless => {
            vec!["sls package, then: canaryctl adopt --template .serverless/cloudformation-template-update-stack.json"]
        }
        Tool::Terraform => {
            vec!["terraform plan, after a rollout: no change of the alias", "canaryctl adopt: already handed over"]
        }
        Tool::Pulumi => vec!["pulumi preview --refresh, after a rollout: no change of the alias"],
    }
}

const QUIET: &str = "canaryctl status FUNCTION: no rollout is in progress, and the alias is where the last deploy put it";
const CHANGE_SET: &str =
    "aws cloudformation describe-change-set --stack-name STACK --change-set-name NAME | canaryctl adopt --change-set -";
const ROLL_OUT: &str = "from then on: deploy as before, then canaryctl rollout FUNCTION";
const LATER: &str =
    "later deploys: never the alias; they change the function, and `canaryctl rollout` moves the alias to that code";
