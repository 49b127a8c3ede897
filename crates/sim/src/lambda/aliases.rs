//! What may an alias become? The five alias operations, with every check of the service in its order.

use std::collections::BTreeMap;

use super::call::{Call, inputs};
use super::function::{Alias, Function, Routing, show_alias};
use super::name::{Place, check_alias_name, check_version};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::log::AliasState;
use crate::time::Time;

inputs! {
    AliasInput {
        name: String,
        function_version: String,
        description: String,
        routing_config: RoutingInput,
        revision_id: String,
    }
    RoutingInput { additional_version_weights: BTreeMap<String, Option<f64>> }
}

impl AliasInput {
    /// The additional versions asked for; none if they are to stay as they are.
    fn weights(&self) -> Option<BTreeMap<String, f64>> {
        let weights = self.routing_config.as_ref()?.additional_version_weights.iter().flatten();
        Some(weights.filter_map(|(version, weight)| Some((version.clone(), (*weight)?))).collect())
    }

    /// The constraints of the service's model, which it checks before it looks anything up.
    fn check(&self, name: &str) -> Result<(), Refusal> {
        Violations::check(|broken| {
            check_alias_name(name, broken);
            if let Some(version) = &self.function_version {
                check_version(version, broken);
            }
            broken.description(self.description.as_ref());
            if let Some(weights) = self.routing_config.as_ref().and_then(|routing| routing.additional_version_weights.as_ref()) {
                check_weights(weights, broken);
            }
        })
    }
}

fn check_weights(weights: &BTreeMap<String, Option<f64>>, broken: &mut Violations) {
    const MEMBER: &str = "routingConfig.additionalVersionWeights";
    let entries = weights.iter().map(|(version, weight)| match weight {
        Some(weight) => format!("{version}={weight:?}"),
        None => format!("{version}=null"),
    });
    let shown = format!("'{{{}}}'", entries.collect::<Vec<_>>().join(", "));
    if weights.keys().any(|version| version.is_empty() || !version.chars().all(|c| c.is_ascii_digit())) {
        let constraint = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, \
                          Member must have length greater than or equal to 1, \
                          Member must satisfy regular expression pattern: [0-9]+]";
        broken.verbatim(&shown, MEMBER, constraint);
    }
    if weights.values().any(|weight| weight.is_none_or(|weight| !(0.0..=1.0).contains(&weight))) {
        let constraint = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, \
                          Member must have value greater than or equal to 0.0, Member must not be null]";
        broken.verbatim(&shown, MEMBER, constraint);
    }
}

impl Lambda {
    pub(super) fn create_alias(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: AliasInput = call.input()?;
        Violations::check(|broken| {
            broken.required(input.name.as_ref(), "name");
            broken.required(input.function_version.as_ref(), "functionVersion");
        })?;
        let (name, version) = (input.name.clone().unwrap_or_default(), input.function_version.clone().unwrap_or_default());
        input.check(&name)?;
        let target = self.place.parse(&call.target)?;
        let Some(function) = self.functions.get(&target.name) else {
            return Err(Refusal::function_not_found(&self.place.qualified(&target.name, &version)));
        };
        if function.aliases.contains_key(&name) {
            let arn = self.place.qualified(&target.name, &name);
            return Err(Refusal::conflict(format!("Alias already exists: {arn}")));
        }
        let state = AliasState {
            version,
            weights: input.weights().unwrap_or_default(),
            description: input.description.unwrap_or_default(),
            revision: self.revision(),
        };
        self.check_alias(&target.name, &state)?;
        let alias = Alias { routing: Routing::of(&state), state, earlier_routing: None, earlier: (call.now, None), moving: None };
        let shown = alias.show(call.now, &self.place, &target.name, &name);
        self.function_mut(&target.name)?.aliases.insert(name, alias);
        self.traffic.disturb();
        Ok(Done::json(201, shown))
    }

    pub(super) fn read_alias(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (function, name) = self.alias_target(call)?;
        let missing = || Refusal::not_found(format!("Cannot find alias arn: {}", self.place.qualified(&function.name, &name)));
        let alias = function.aliases.get(&name).ok_or_else(missing)?;
        let (written, earlier) = &alias.earlier;
        let outdated = call.stale.is_some_and(|age| call.now.since(*written) < age);
        let shown = if outdated {
            show_alias(earlier.as_ref().ok_or_else(missing)?, &self.place, &function.name, &name)
        } else {
            alias.show(call.now, &self.place, &function.name, &name)
        };
        Ok(Done::json(200, shown))
    }

    pub(super) fn update_alias(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: AliasInput = call.input()?;
        input.check(call.alias.as_deref().unwrap_or_default())?;
        let (function, name) = self.alias_target(call)?;
        let function = function.name.clone();
        let Some(alias) = self.functions.get(&function).and_then(|found| found.aliases.get(&name)) else {
            return Err(Refusal::not_found(format!("Alias not found: {}", self.place.qualified(&function, &name))));
        };
        if input.revision_id.as_ref().is_some_and(|sent| *sent != alias.state.revision) {
            return Err(Refusal::stale_revision("GetFunction/GetAlias"));
        }
        let mut state = alias.state.clone();
        if let Some(weights) = input.weights() {
            state.weights = weights;
        }
        if let Some(version) = input.function_version {
            state.version = version;
        }
        if let Some(description) = input.description {
            state.description = description;
        }
        self.check_alias(&function, &state)?;
        state.revision = self.revision();
        let moving = self.moving(call.now, &function, &name, &state);
        let until = call.now + self.settings.routing_delay;
        let place = self.place.clone();
        let missing = || Refusal::function_not_found(&place.arn(&function));
        let alias = self.functions.get_mut(&function).and_then(|found| found.aliases.get_mut(&name)).ok_or_else(missing)?;
        let routing = Routing::of(&state);
        if routing != alias.routing {
            alias.earlier_routing = Some((until, alias.routing(call.now)));
            alias.routing = routing;
        }
        alias.earlier = (call.now, Some(std::mem::replace(&mut alias.state, state)));
        alias.moving = moving;
        let shown = alias.show(call.now, &place, &function, &name);
        if let Some((until, _)) = moving {
            self.moves.insert((until, function, name));
        }
        Ok(Done::json(200, shown))
    }

    /// Until when which version keeps all traffic, where an alias with provisioned concurrency becomes this.
    fn moving(&self, now: Time, function: &str, name: &str, state: &AliasState) -> Option<(Time, u32)> {
        let function = self.functions.get(function)?;
        let alias = function.aliases.get(name).filter(|_| function.provisioned.contains_key(name))?;
        let under_way = alias.moving.filter(|(until, _)| now < *until);
        let from = under_way.map_or(alias.state.version.parse().ok(), |(_, from)| Some(from))?;
        let until = under_way.filter(|_| alias.state.version == state.version).map(|(until, _)| until);
        // A version that has the traffic has its concurrency.
        let moves = state.weights.is_empty() && state.version.parse() != Ok(from) && !self.settings.provisioning.is_zero();
        moves.then(|| (until.unwrap_or(now + self.settings.provisioning), from))
    }

    /// Ends the transitions that are over by now: AWS gives their aliases new revisions.
    pub(crate) fn end_moves(&mut self, now: Time) {
        while let Some((_, function, name)) = self.moves.first().filter(|(until, ..)| *until <= now).cloned() {
            self.moves.pop_first();
            let revision = self.revision();
            let alias = self.functions.get_mut(&function).and_then(|found| found.aliases.get_mut(&name));
            if let Some(alias) = alias.filter(|alias| alias.moving.is_some_and(|(until, _)| until <= now)) {
                alias.moving = None;
                alias.earlier = (now, Some(alias.state.clone()));
                alias.state.revision = revision;
            }
        }
    }

    pub(super) fn delete_alias(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let (function, name) = self.alias_target(call)?;
        let function = function.name.clone();
        let function = self.function_mut(&function)?;
        function.aliases.remove(&name);
        function.provisioned.remove(&name);
        function.urls.remove(&name);
        function.policies.remove(&name);
        self.traffic.disturb();
        Ok(Done::empty(204))
    }

    pub(super) fn list_aliases(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let target = self.place.parse(&call.target)?;
        let function = self.function(&target.name)?;
        let wanted = call.query("FunctionVersion");
        let aliases = function
            .aliases
            .iter()
            .filter(|(_, alias)| {
                wanted.is_none_or(|version| alias.state.version == version || alias.state.weights.contains_key(version))
            })
            .map(|(name, alias)| alias.show(call.now, &self.place, &function.name, name))
            .collect();
        Done::list(call, "Aliases", aliases)
    }

    /// The function and the alias' name that a call means; the alias itself may be missing.
    fn alias_target(&self, call: &Call<'_>) -> Result<(&Function, String), Refusal> {
        let name = call.alias.clone().unwrap_or_default();
        Violations::check(|broken| check_alias_name(&name, broken))?;
        let target = self.place.parse(&call.target)?;
        Ok((self.function(&target.name)?, name))
    }

    pub(super) fn check_alias(&self, function: &str, state: &AliasState) -> Result<(), Refusal> {
        let found = self.function(function)?;
        if state.weights.len() > 1 {
            return Err(Refusal::invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
        }
        let primary = known_version(found, &state.version, &self.place)?;
        let Some(additional) = state.weights.keys().next() else {
            return Ok(());
        };
        if state.version == "$LATEST" {
            return Err(Refusal::invalid_bare("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        let additional = known_version(found, additional, &self.place)?;
        if additional.number == primary.number {
            let version = &state.version;
            return Err(Refusal::invalid(format!(
                "Invalid function version {version}. Function version {version} is already included in routing configuration."
            )));
        }
        if self.settings.refuses_full_weight && state.weights.values().any(|weight| *weight >= 1.0) {
            return Err(Refusal::invalid("The weight of an additional version must be less than 1.0"));
        }
        let (one, other) = (&primary.configuration, &additional.configuration);
        if one.role != other.role {
            return Err(Refusal::invalid("Specified versions must be associated with the same execution role"));
        }
        if one.dead_letter_config != other.dead_letter_config {
            return Err(Refusal::invalid("Specified versions must have the same dead letter queue configuration"));
        }
        Ok(())
    }
}

fn known_version<'f>(function: &'f Function, version: &str, place: &Place) -> Result<&'f super::function::Version, Refusal> {
    let missing = || Refusal::function_not_found(&place.qualified(&function.name, version));
    function.version_named(version).ok_or_else(missing)
}
