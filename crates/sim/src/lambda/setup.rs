//! How are functions set up without a client? Immediately: nothing is pending afterwards.
//!
//! It checks nothing that the service would check; calls over the wire do.

use std::collections::BTreeMap;

use super::Lambda;
use super::code::{Code, hex_of};
use super::function::{Alias, Configuration, Routing, Version};
use super::functions::blank;
use super::refusal::Refusal;
use crate::log::AliasState;
use crate::time::Time;

impl Lambda {
    pub(crate) fn set_up_function(&mut self, now: Time, name: &str, environment: &[(&str, &str)]) -> Result<(), Refusal> {
        let configuration = Configuration {
            role: format!("arn:aws:iam::{}:role/{name}", self.place.account),
            handler: Some("index.handler".to_owned()),
            runtime: Some("nodejs22.x".to_owned()),
            environment: Some(variables(environment)),
            ..blank()
        };
        let latest = Version {
            number: None,
            serving: configuration.behaviour()?,
            configuration,
            code: Code { sha256: hex_of(name), size: 1_024, image: None },
            revision: self.revision(),
            modified: now,
            pending: false,
            idle: false,
            updating: false,
        };
        self.insert(now, name, latest, BTreeMap::new());
        Ok(())
    }

    /// Adds to the environment of `$LATEST`; an empty value removes a variable.
    pub(crate) fn set_up_environment(&mut self, now: Time, name: &str, environment: &[(&str, &str)]) -> Result<(), Refusal> {
        let revision = self.revision();
        let function = self.function_mut(name)?;
        let earlier = function.latest.clone();
        let configuration = &mut function.latest.configuration;
        let mut merged = configuration.environment.take().unwrap_or_default();
        merged.extend(variables(environment));
        merged.retain(|_, value| !value.is_empty());
        configuration.environment = Some(merged);
        function.latest.serving = function.latest.configuration.behaviour()?;
        function.latest.revision = revision;
        function.latest.modified = now;
        function.earlier = (now, Some(Box::new(earlier)));
        self.traffic.disturb();
        Ok(())
    }

    /// Publishes `$LATEST` under exactly this number, Active at once.
    pub(crate) fn set_up_version(&mut self, now: Time, name: &str, number: u32) -> Result<(), Refusal> {
        let revision = self.revision();
        let function = self.function_mut(name)?;
        let version = Version { number: Some(number), revision, modified: now, ..function.latest.clone() };
        function.versions.insert(number, version);
        function.next_version = function.next_version.max(number + 1);
        Ok(())
    }

    pub(crate) fn set_up_idleness(&mut self, name: &str, number: u32) -> Result<(), Refusal> {
        let missing = Refusal::function_not_found(&self.place.qualified(name, &number.to_string()));
        self.function_mut(name)?.versions.get_mut(&number).ok_or(missing)?.idle = true;
        Ok(())
    }

    /// Writes an alias as a whole, over what was there; a weight of none clears the weights.
    pub(crate) fn set_up_alias(
        &mut self,
        now: Time,
        name: &str,
        alias: &str,
        version: &str,
        additional: Option<(&str, f64)>,
        description: Option<&str>,
    ) -> Result<(), Refusal> {
        let earlier = self.alias(name, alias).cloned();
        let kept = earlier.as_ref().map(|state| state.description.clone()).unwrap_or_default();
        let state = AliasState {
            version: version.to_owned(),
            weights: additional.into_iter().map(|(version, weight)| (version.to_owned(), weight)).collect(),
            description: description.map_or(kept, str::to_owned),
            revision: self.revision(),
        };
        self.check_alias(name, &state)?;
        let written = Alias { routing: Routing::of(&state), state, earlier_routing: None, earlier: (now, earlier) };
        self.function_mut(name)?.aliases.insert(alias.to_owned(), written);
        self.traffic.disturb();
        Ok(())
    }
}

fn variables(environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
