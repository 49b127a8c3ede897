//! What is the answer for a file: its aliases, and the change that hands them over?

use std::fmt;

/// What deploys an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The Serverless Application Model.
    Sam,
    /// A template of `CloudFormation`, written by a person.
    CloudFormation,
    /// The Cloud Development Kit.
    Cdk,
    /// The Serverless Framework, or osls.
    Serverless,
    /// Terraform, or `OpenTofu`.
    Terraform,
    /// Pulumi.
    Pulumi,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sam => "SAM",
            Self::CloudFormation => "CloudFormation",
            Self::Cdk => "CDK",
            Self::Serverless => "Serverless Framework",
            Self::Terraform => "Terraform",
            Self::Pulumi => "Pulumi",
        })
    }
}

/// What hands the aliases of a file over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// What deploys them.
    pub tool: Tool,
    /// The file's name, as it was given.
    pub file: String,
    /// The aliases, as the file calls them.
    pub aliases: Vec<String>,
    /// The change.
    pub answer: Answer,
    /// What the change does, and what else there is to know; a sentence each.
    pub notes: Vec<String>,
}

/// The change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No deploy moves them: there is nothing to change.
    HandedOver,
    /// There is no alias to hand over.
    NoAlias,
    /// The whole file with the change in it.
    Edited(String),
    /// The file cannot be changed safely; what has to be written in it.
    Unsafe(Vec<Lines>),
    /// The file is a program; what has to be written in it.
    Program(Vec<Lines>),
}

/// Lines that a person has to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Where.
    pub place: String,
    /// What, without indentation.
    pub lines: Vec<String>,
    /// Why nothing else writes them; may be empty.
    pub why: String,
}

/// What is said of provisioned concurrency, with the function or alias in place of `{}`.
pub(super) const PROVISIONED: &str = "`{}` has provisioned concurrency: AWS refuses weights on an alias that has it, so no rollout can shift its \
                           traffic step by step until it is removed";
