//! How does a scenario or a test set up a world and read it, without a client? Every change takes effect immediately.
//!
//! Nothing here is a call: the log does not show it, and no quota or fault applies.

use crate::cloudformation::Stack;
use crate::cloudwatch::{Alarm, AlarmState, ItemKind};
use crate::lambda::{Call, Refusal};
use crate::time::Time;
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

impl World {
    /// Makes a function whose `$LATEST` behaves as these environment variables say.
    ///
    /// # Errors
    /// If a variable's value makes no sense.
    pub fn create_function(&mut self, name: &str, environment: &[(&str, &str)]) -> Result<(), Unfit> {
        Ok(self.lambda.set_up_function(self.now(), name, environment)?)
    }

    /// Adds to the environment of `$LATEST`; an empty value removes a variable.
    ///
    /// # Errors
    /// If there is no such function, or a variable's value makes no sense.
    pub fn set_environment(&mut self, function: &str, environment: &[(&str, &str)]) -> Result<(), Unfit> {
        Ok(self.lambda.set_up_environment(self.now(), function, environment)?)
    }

    /// Publishes `$LATEST` as this version, Active at once; the next one gets a higher number.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn publish(&mut self, function: &str, number: u32) -> Result<(), Unfit> {
        Ok(self.lambda.set_up_version(self.now(), function, number)?)
    }

    /// Writes an alias as a whole, over what was there but its description: a version, and perhaps another with its weight.
    ///
    /// # Errors
    /// If the service would refuse such an alias.
    pub fn set_alias(
        &mut self,
        function: &str,
        alias: &str,
        version: &str,
        additional: Option<(&str, f64)>,
    ) -> Result<(), Unfit> {
        Ok(self.lambda.set_up_alias(self.now(), function, alias, version, additional, None)?)
    }

    /// Gives an alias a description.
    ///
    /// # Errors
    /// If there is no such alias.
    pub fn describe_alias(&mut self, function: &str, alias: &str, description: &str) -> Result<(), Unfit> {
        let state = self.alias(function, alias).cloned().ok_or_else(|| Unfit(format!("there is no alias {function}:{alias}")))?;
        let additional = state.weights.iter().next().map(|(version, weight)| (version.as_str(), *weight));
        Ok(self.lambda.set_up_alias(self.now(), function, alias, &state.version, additional, Some(description))?)
    }

    /// Carries a request out as the account's owner would, which must succeed.
    ///
    /// # Errors
    /// If the service refuses it.
    pub fn arrange(&mut self, method: &str, path: &str, body: &serde_json::Value) -> Result<(), Unfit> {
        let request = http::Request::builder().method(method).uri(path).body(bytes::Bytes::from(body.to_string()));
        let request = request.map_err(|error| Unfit(error.to_string()))?;
        let call = Call::read(&request, self.now(), "")?;
        Ok(self.lambda.answer(&call, &mut self.cloudwatch).map(drop)?)
    }

    /// Makes an alarm, or changes one, by the parameters of `PutMetricAlarm`; those of `PutCompositeAlarm` where there is a rule.
    ///
    /// # Errors
    /// If `CloudWatch` refuses it.
    pub fn put_alarm(&mut self, alarm: &serde_json::Value) -> Result<(), Unfit> {
        let operation = if alarm.get("AlarmRule").is_some() { "PutCompositeAlarm" } else { "PutMetricAlarm" };
        let request = http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("GraniteServiceVersion20100801.{operation}"))
            .body(bytes::Bytes::from(alarm.to_string()));
        let request = request.map_err(|error| Unfit(error.to_string()))?;
        let response = self.cloudwatch.answer(self.now(), &request, "");
        let refused = || Unfit(String::from_utf8_lossy(response.body()).into_owned());
        if response.status().is_success() { Ok(()) } else { Err(refused()) }
    }

    /// Makes a version `Inactive`, as the service does after two weeks without invocations.
    ///
    /// # Errors
    /// If there is no such version.
    pub fn put_to_sleep(&mut self, function: &str, version: u32) -> Result<(), Unfit> {
        Ok(self.lambda.set_up_idleness(function, version)?)
    }

    /// Changes the execution role of `$LATEST`.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn set_role(&mut self, function: &str, role: &str) -> Result<(), Unfit> {
        role.clone_into(&mut self.lambda.function_mut(function)?.latest.configuration.role);
        Ok(())
    }

    /// Makes this part (0 to 1) of a function's invocations fail from `start` and before `end`, on any version: an incident that
    /// no version caused. Of several incidents at once the worst counts.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn add_incident(&mut self, function: &str, start: Time, end: Time, error_rate: f64) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.incidents.push((start..end, error_rate));
        Ok(())
    }

    /// Routes `factor` times as many invocations to the additional version of each alias as its weight says, from now on.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn misroute(&mut self, function: &str, factor: f64) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.misrouting = factor;
        Ok(())
    }

    /// Tags a function, also with the `aws:` tags that no caller may set.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn tag(&mut self, function: &str, key: &str, value: &str) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Creates a stack and returns its id; its functions get its tags and those that the service adds.
    ///
    /// # Errors
    /// If there is a stack of that name, or a function that it names is not there.
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
    ///
    /// # Errors
    /// If CloudWatch would refuse such an alarm.
    pub fn create_errors_alarm(&mut self, name: &str, function: &str, errors: f64) -> Result<(), Unfit> {
        let alarm = Alarm::on_sum(name, "AWS/Lambda", "Errors", &[("FunctionName", function)], errors);
        self.cloudwatch.put_alarm(self.now(), alarm).map_err(|_| Unfit(format!("CloudWatch refuses the alarm {name}")))
    }

    /// Forces an alarm's state (`OK`, `ALARM`, `INSUFFICIENT_DATA`) until its next evaluation.
    ///
    /// # Errors
    /// If there is no such alarm or no such state.
    pub fn set_alarm_state(&mut self, alarm: &str, state: &str) -> Result<(), Unfit> {
        let state = AlarmState::parse(state).ok_or_else(|| Unfit(format!("there is no alarm state {state}")))?;
        let set = self.cloudwatch.set_alarm_state(self.now(), alarm, state, "Set manually");
        set.map_err(|_| Unfit(format!("there is no alarm {alarm}")))
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
