//! What guards a rollout once its process is gone? One execution of a state machine, which is named, started and looked at here.
//!
//! What the state machine does is its own definition's business; `canaryctl guard template` has it.

use rollout::Arn;
use rollout::note::{Owner, RolloutId};
use rollout::plan::Plan;
use rollout::target::Subject;
use rollout::timing::GUARD_SLACK;
use serde_json::json;

use crate::port::{Call, CloudError, Failure, GuardExecution};

/// The state machine that is meant where none is named.
pub const GUARD: &str = "canaryctl-guard";

/// That a rollout is to be guarded, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The state machine: its name, or its ARN.
    pub machine: String,
    /// Whether the rollout goes on without it where it cannot be started.
    pub optional: bool,
}

impl GuardExecution {
    /// The execution that guards this owner's rollout. `function` is the ARN of the function or of any version of it: a state machine that
    /// has a name only is in the same account and Region.
    pub fn new(guard: &str, subject: &Subject, function: &str, id: RolloutId, owner: Owner) -> Option<Self> {
        let at = Arn::parse(function)?;
        let resource = at.resource.split(':').take(2).collect::<Vec<_>>().join(":");
        let function = Arn { resource: &resource, ..at }.to_string();
        let input =
            json!({"function": function, "alias": subject.alias, "rollout": id.to_string(), "slack": GUARD_SLACK.as_secs()});
        Some(Self { machine: machine(guard, at), name: format!("{id}-{owner}"), input: input.to_string() })
    }

    /// The ARN of the execution itself.
    pub fn arn(&self) -> String {
        format!("{}:{}", self.machine.replacen(":stateMachine:", ":execution:", 1), self.name)
    }
}

fn machine(guard: &str, at: Arn<'_>) -> String {
    if Arn::is_meant(guard) {
        return guard.to_owned();
    }
    Arn { service: "states", resource: &format!("stateMachine:{guard}"), ..at }.to_string()
}

/// The execution that guards a rollout of this plan.
pub(crate) fn guarding(guard: &str, subject: &Subject, function: &str, plan: &Plan) -> Result<GuardExecution, CloudError> {
    GuardExecution::new(guard, subject, function, plan.id, plan.owner).ok_or_else(|| {
        let message = format!("`{function}` is not the ARN of a function");
        CloudError { failure: Failure::Invalid, operation: Call::StartExecution.name(), message, code: None }
    })
}

/// What to do about a guard that could not be started.
pub(crate) fn not_started(error: &CloudError, machine: &str) -> String {
    match error.failure {
        Failure::Denied => format!("`canaryctl` needs states:StartExecution on {machine}"),
        Failure::NotFound | Failure::Invalid => {
            "`canaryctl guard template` prints what to deploy; `--guard-optional` rolls out without it".to_owned()
        }
        Failure::Expired
        | Failure::Throttled
        | Failure::Unanswered
        | Failure::Unsent
        | Failure::Unsigned
        | Failure::NotExecuted
        | Failure::Conflict
        | Failure::Outdated => "`--guard-optional` rolls out without it".to_owned(),
    }
}
