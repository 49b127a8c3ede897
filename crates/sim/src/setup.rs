//! How does a scenario or a test set up a world and read it, without a client? Every change takes effect immediately.
//!
//! Nothing here is a call: the log does not show it, and no quota or fault applies. Functions are set up in `lambda::setup`.

use crate::cloudformation::Stack;
use crate::cloudwatch::{Alarm, AlarmState, ItemKind};
use crate::lambda::{Call, Refusal};
use crate::log::{AliasState, Tally};
use crate::time::Time;
use crate::value::Fault;
use crate::world::World;

/// A set-up that is not possible, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.message)
    }
}

#[expect(clippy::missing_errors_doc, reason = "of all: if the service would refuse it, or what is named is not there")]
impl World {
    /// Carries a request out as the account's owner would, which must succeed.
    pub fn arrange(&mut self, method: &str, path: &str, body: &serde_json::Value) -> Result<(), Unfit> {
        let request = http::Request::builder().method(method).uri(path).body(bytes::Bytes::from(body.to_string()));
        let request = request.map_err(|error| Unfit(error.to_string()))?;
        let call = Call::read(&request, self.now(), "")?;
        Ok(self.lambda.answer(&call, &mut self.cloudwatch).map(drop)?)
    }

    /// Makes an alarm, or changes one, by the parameters of `PutMetricAlarm`; those of `PutCompositeAlarm` where there is a rule,
    /// and of `PutLogAlarm` where there is no metric at all.
    pub fn put_alarm(&mut self, alarm: &serde_json::Value) -> Result<(), Unfit> {
        let operation = match (alarm.get("AlarmRule"), alarm.get("Metrics"), alarm.get("MetricName")) {
            (Some(_), ..) => "PutCompositeAlarm",
            (None, None, None) => "PutLogAlarm",
            (None, ..) => "PutMetricAlarm",
        };
        let refused = |fault: Fault| Unfit(fault.message);
        self.cloudwatch.perform(self.now(), operation, alarm).map(drop).map_err(refused)
    }

    /// Creates a stack and returns its id; its functions get its tags and those that the service adds.
    pub fn create_stack(&mut self, stack: Stack) -> Result<String, Unfit> {
        let functions: Vec<(String, String)> = stack
            .resources
            .iter()
            .filter(|resource| resource.kind == "AWS::Lambda::Function")
            .filter_map(|resource| Some((resource.physical.clone()?, resource.logical.clone())))
            .collect();
        if let Some((missing, _)) = functions.iter().find(|(function, _)| !self.has_function(function)) {
            return Err(Unfit(format!("there is no function {missing}")));
        }
        let (name, tags, uuid) = (stack.name.clone(), stack.tags.clone(), self.uuid());
        let taken = || Unfit(format!("Stack [{name}] already exists"));
        let id = self.cloudformation.insert(self.now(), stack, &uuid).ok_or_else(taken)?;
        for (function, logical) in functions {
            for (key, value) in [("stack-name", &name), ("stack-id", &id), ("logical-id", &logical)] {
                self.tag(&function, &format!("aws:cloudformation:{key}"), value)?;
            }
            for (key, value) in &tags {
                self.tag(&function, key, value)?;
            }
        }
        Ok(id)
    }

    /// Makes an alarm that fires when a function has at least this many errors in a minute, and is OK without data.
    pub fn create_errors_alarm(&mut self, name: &str, function: &str, errors: f64) -> Result<(), Unfit> {
        let alarm = Alarm::on_sum(name, "AWS/Lambda", "Errors", &[("FunctionName", function)], errors);
        self.cloudwatch.put_alarm(self.now(), alarm).map_err(|_| Unfit(format!("CloudWatch refuses the alarm {name}")))
    }

    /// Forces an alarm's state (`OK`, `ALARM`, `INSUFFICIENT_DATA`) until its next evaluation.
    pub fn set_alarm_state(&mut self, alarm: &str, state: &str) -> Result<(), Unfit> {
        let state = AlarmState::parse(state).ok_or_else(|| Unfit(format!("there is no alarm state {state}")))?;
        let set = self.cloudwatch.set_alarm_state(self.now(), alarm, state, "Set manually");
        set.map_err(|_| Unfit(format!("there is no alarm {alarm}")))
    }

    /// Says how an alarm's evaluations go: `PARTIAL_DATA`, `EVALUATION_ERROR`, `EVALUATION_FAILURE`; none: they are whole.
    pub fn set_evaluation_state(&mut self, alarm: &str, state: Option<&str>) -> Result<(), Unfit> {
        self.cloudwatch.set_evaluation_state(alarm, state).ok_or_else(|| Unfit(format!("there is no alarm {alarm}")))
    }

    /// The alias as it is.
    pub fn alias(&self, function: &str, alias: &str) -> Option<&AliasState> {
        self.lambda.alias(function, alias)
    }

    /// How often `version` was invoked through `qualifier` (an alias or a version; empty for neither).
    pub fn tally(&self, function: &str, qualifier: &str, version: &str) -> Tally {
        self.lambda.tally(function, qualifier, version)
    }

    /// Whether there is such a function.
    pub fn has_function(&self, function: &str) -> bool {
        self.lambda.has(function)
    }

    pub(crate) fn account(&self) -> &str {
        self.lambda.account()
    }

    pub(crate) fn alias_arn(&self, function: &str, alias: &str) -> String {
        self.lambda.arn(&format!("{function}:{alias}"))
    }

    /// The state of an alarm as its last evaluation left it.
    pub fn alarm_state(&self, alarm: &str) -> Option<&'static str> {
        self.cloudwatch.alarm_state(alarm).map(AlarmState::name)
    }

    /// When an alarm's state changed and what it became, oldest first.
    pub fn alarm_transitions(&self, alarm: &str) -> Vec<(Time, String)> {
        let changes = self.cloudwatch.history(alarm).filter(|item| item.kind == ItemKind::StateUpdate);
        let state = |data: &str| {
            let data: serde_json::Value = serde_json::from_str(data).ok()?;
            Some(data["newState"]["stateValue"].as_str()?.to_owned())
        };
        changes.filter_map(|item| Some((item.at, state(&item.data)?))).collect()
    }
}
