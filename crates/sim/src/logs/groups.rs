//! Which log groups are there, and which one does a request mean? A function's group is made by its first invocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::Group;
use super::output::{Invocation, Output};

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) account: String,
    region: String,
    by_name: BTreeMap<String, Group>,
    /// The names of functions' own groups: a name is needed at each invocation.
    own: BTreeMap<String, String>,
    rng: fastrand::Rng,
}

impl Groups {
    pub(super) fn new(account: &str, region: &str, rng: fastrand::Rng) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), by_name: BTreeMap::new(), own: BTreeMap::new(), rng }
    }

    /// The bits of a request's or a query's id.
    pub(super) fn draw(&mut self) -> u128 {
        self.rng.u128(..)
    }

    pub(super) fn write(
        &mut self,
        function: &str,
        version: Option<u32>,
        output: &Arc<Output>,
        (invocation, lines): (Invocation, &[String]),
    ) {
        if output.group.is_none() && !self.own.contains_key(function) {
            self.own.insert(function.to_owned(), format!("/aws/lambda/{function}"));
        }
        let Some(name) = output.group.as_ref().or_else(|| self.own.get(function)) else { return };
        if let Some(group) = self.by_name.get_mut(name) {
            return group.write(function, version, output, (invocation, lines), &mut self.rng);
        }
        let group = self.by_name.entry(name.clone()).or_insert_with(|| Group::new(invocation.at));
        group.write(function, version, output, (invocation, lines), &mut self.rng);
    }

    /// All groups by name, in the order of ASCII.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.by_name.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// The group that is called so, or has this ARN.
    pub(super) fn find(&self, identifier: &str) -> Option<(&str, &Group)> {
        let name = name_in(identifier);
        self.by_name.get_key_value(name).map(|(name, group)| (name.as_str(), group))
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.region, self.account)
    }
}

/// The name in an ARN of a group, with or without `:*`; anything else is a name.
pub(super) fn name_in(identifier: &str) -> &str {
    let name = identifier.strip_prefix("arn:").and_then(|rest| rest.split_once(":log-group:"));
    name.map_or(identifier, |(_, name)| name.strip_suffix(":*").unwrap_or(name))
}
