//! How does a scenario or a test set functions up without a client? Immediately: nothing is pending afterwards.
//!
//! It checks nothing that the service would check; calls over the wire do.

use std::collections::BTreeMap;

use super::code::{Code, hex_of};
use super::function::{Alias, Configuration, Environment, Routing, Version};
use super::refusal::Refusal;
use crate::log::AliasState;
use crate::setup::Unfit;
use crate::time::Time;
use crate::world::World;

#[expect(clippy::missing_errors_doc, reason = "of all: if what is named is not there, or a variable's value makes no sense")]
impl World {
    /// Makes a function whose `$LATEST` behaves as these environment variables say.
    pub fn create_function(&mut self, name: &str, environment: &[(&str, &str)]) -> Result<(), Unfit> {
        let now = self.now();
        let configuration = Configuration {
            role: Some(format!("arn:aws:iam::{}:role/{name}", self.lambda.place.account)),
            handler: Some("index.handler".to_owned()),
            runtime: Some("nodejs22.x".to_owned()),
            environment: Some(Environment { variables: Some(variables(environment)) }),
            ..Configuration::blank()
        };
        let latest = Version {
            number: None,
            serving: configuration.behaviour()?,
            configuration,
            code: Code { sha256: hex_of(name), size: 1_024, image: None, object: None },
            revision: self.lambda.revision(),
            modified: now,
            pending: false,
            idle: false,
            updating: false,
            described: None,
            uploaded: false,
        };
        self.lambda.insert(now, name, latest, BTreeMap::new());
        Ok(())
    }

    /// Adds to the environment of `$LATEST`; an empty value removes a variable.
    pub fn set_environment(&mut self, function: &str, environment: &[(&str, &str)]) -> Result<(), Unfit> {
        let (now, revision) = (self.now(), self.lambda.revision());
        let function = self.lambda.function_mut(function)?;
        let earlier = function.latest.clone();
        let configuration = &mut function.latest.configuration;
        let merged = configuration.environment.get_or_insert_default().variables.get_or_insert_default();
        merged.extend(variables(environment));
        merged.retain(|_, value| !value.is_empty());
        function.latest.serving = function.latest.configuration.behaviour()?;
        function.latest.revision = revision;
        function.latest.modified = now;
        function.earlier = (now, Some(Box::new(earlier)));
        self.lambda.traffic.disturb();
        Ok(())
    }

    /// Publishes `$LATEST` as this version, Active at once; the next one gets a higher number.
    pub fn publish(&mut self, function: &str, number: u32) -> Result<(), Unfit> {
        let (now, revision) = (self.now(), self.lambda.revision());
        let function = self.lambda.function_mut(function)?;
        let described = function.latest.configuration.description.clone();
        let version = Version { number: Some(number), revision, modified: now, described, ..function.latest.clone() };
        function.versions.insert(number, version);
        function.next_version = function.next_version.max(number + 1);
        Ok(())
    }

    /// Writes an alias as a whole, over what was there but its description: a version, and perhaps another with its weight. It must
    /// be one that the service would take.
    pub fn set_alias(
        &mut self,
        function: &str,
        alias: &str,
        version: &str,
        additional: Option<(&str, f64)>,
    ) -> Result<(), Unfit> {
        let description = self.alias(function, alias).map(|state| state.description.clone()).unwrap_or_default();
        let weights = additional.into_iter().map(|(version, weight)| (version.to_owned(), weight)).collect();
        let state = AliasState { version: version.to_owned(), weights, description, revision: String::new() };
        self.write_alias(function, alias, state)
    }

    /// Points an alias at this, whether the service would take it or not.
    pub fn force_alias(&mut self, function: &str, alias: &str, version: &str) -> Result<(), Unfit> {
        let missing = || Refusal::not_found(format!("there is no alias {function}:{alias}"));
        let known = self.lambda.function_mut(function)?.aliases.get_mut(alias).ok_or_else(missing)?;
        version.clone_into(&mut known.state.version);
        Ok(())
    }

    /// Gives an alias a description.
    pub fn describe_alias(&mut self, function: &str, alias: &str, description: &str) -> Result<(), Unfit> {
        let missing = || Refusal::not_found(format!("there is no alias {function}:{alias}"));
        let state = self.alias(function, alias).cloned().ok_or_else(missing)?;
        self.write_alias(function, alias, AliasState { description: description.to_owned(), ..state })
    }

    fn write_alias(&mut self, function: &str, alias: &str, state: AliasState) -> Result<(), Unfit> {
        let earlier = (self.now(), self.alias(function, alias).cloned());
        let state = AliasState { revision: self.lambda.revision(), ..state };
        self.lambda.check_alias(function, &state)?;
        let written = Alias { routing: Routing::of(&state), state, earlier_routing: None, earlier, moving: None };
        self.lambda.function_mut(function)?.aliases.insert(alias.to_owned(), written);
        self.lambda.traffic.disturb();
        Ok(())
    }

    /// What answers an invocation of a version, or of `$LATEST`: its code and its environment, as a text to compare.
    pub fn code_of(&self, function: &str, version: &str) -> Option<String> {
        let version = self.lambda.functions.get(function)?.version_named(version)?;
        Some(format!("{} {:?}", version.code.sha256, version.configuration.environment))
    }

    /// Makes a version `Inactive`, as the service does after two weeks without invocations.
    pub fn put_to_sleep(&mut self, function: &str, version: u32) -> Result<(), Unfit> {
        let missing = Refusal::function_not_found(&self.lambda.place.qualified(function, &version.to_string()));
        self.lambda.function_mut(function)?.versions.get_mut(&version).ok_or(missing)?.idle = true;
        Ok(())
    }

    /// Changes the execution role of `$LATEST`.
    pub fn set_role(&mut self, function: &str, role: &str) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.latest.configuration.role = Some(role.to_owned());
        Ok(())
    }

    /// Makes this part (0 to 1) of a function's invocations fail from `start` and before `end`, on any version: an incident that
    /// no version caused. Of several incidents at once the worst counts.
    pub fn add_incident(&mut self, function: &str, start: Time, end: Time, error_rate: f64) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.incidents.push((start..end, error_rate));
        Ok(())
    }

    /// Routes `factor` times as many invocations to the additional version of each alias as its weight says, from now on.
    pub fn misroute(&mut self, function: &str, factor: f64) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.misrouting = factor;
        Ok(())
    }

    /// Gives an alias so many provisioned executions, there at once.
    pub fn provision(&mut self, function: &str, alias: &str, executions: u32) -> Result<(), Unfit> {
        let at = self.now() - std::time::Duration::from_hours(1);
        self.lambda.function_mut(function)?.provisioned.insert(alias.to_owned(), (executions, at));
        Ok(())
    }

    /// The version that keeps all traffic of an alias while AWS moves its provisioned concurrency.
    pub fn moving_from(&self, function: &str, alias: &str) -> Option<u32> {
        self.lambda.functions.get(function)?.aliases.get(alias)?.moving_from(self.now())
    }

    /// Tags a function, also with the `aws:` tags that no caller may set.
    pub fn tag(&mut self, function: &str, key: &str, value: &str) -> Result<(), Unfit> {
        self.lambda.function_mut(function)?.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

fn variables(environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
