//! When does a version come to be? Publishing, listing, and the moment at which creations and updates finish.

use serde_json::Value;
use std::time::Duration;

use super::call::{Call, inputs};
use super::function::{Configuration, Version};
use super::refusal::{Refusal, Violations};
use super::{Done, Lambda};
use crate::time::Time;

inputs! {
    PublishInput { code_sha256: String, description: String, revision_id: String }
}

impl Lambda {
    pub(super) fn publish_version(&mut self, call: &Call<'_>) -> Result<Done, Refusal> {
        let input: PublishInput = call.input()?;
        Violations::check(|broken| broken.description(input.description.as_ref()))?;
        let name = self.changeable(call, input.revision_id.as_deref())?;
        let current = &self.function(&name)?.latest.code.sha256;
        if let Some(sent) = input.code_sha256.as_ref().filter(|sent| *sent != current && !sent.is_empty()) {
            return Err(Refusal::invalid(format!(
                "CodeSHA256 ({sent}) is different from current CodeSHA256 in $LATEST ({current}). \
                 Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        let shown = self.publish_now(call.now, &name, input.description)?;
        Ok(Done::json(201, shown))
    }

    /// Publishes `$LATEST` under the next number; returns the last version if nothing changed since.
    pub(super) fn publish_now(&mut self, now: Time, name: &str, description: Option<String>) -> Result<Value, Refusal> {
        let (revision, latest_revision, place) = (self.revision(), self.revision(), self.place.clone());
        let settle = self.settings.version_settle;
        let function = self.function(name)?;
        let again = function.versions.values().next_back().is_some_and(|last| function.latest.is_same_release(last));
        if !again {
            self.room_for(function.latest.code.stored())?;
        }
        let function = self.function_mut(name)?;
        // A version published with an upload waits for that upload.
        let settle = if function.latest.pending || function.latest.updating { None } else { Some(settle) };
        if let Some(last) = function.versions.values().next_back().filter(|last| function.latest.is_same_release(last)) {
            return Ok(last.show(&place, name, Some(&last.label())));
        }
        let number = function.next_version;
        function.next_version += 1;
        let described = function.latest.configuration.description.clone();
        let uploaded = settle.is_none();
        let mut version = Version {
            number: Some(number),
            revision,
            modified: now,
            updating: false,
            described,
            uploaded,
            ..function.latest.clone()
        };
        version.pending = settle.is_none_or(|settle| !settle.is_zero());
        if let Ok(serving) = version.configuration.behaviour() {
            version.serving = serving;
        }
        version.configuration.apply(Configuration { description, ..Configuration::default() });
        let shown = version.show(&place, name, Some(&version.label()));
        function.versions.insert(number, version);
        function.latest.revision = latest_revision;
        let settle = settle.unwrap_or(self.settings.settle);
        self.settle_later(now, name, Some(number), settle);
        Ok(shown)
    }

    pub(super) fn list_versions(&self, call: &Call<'_>) -> Result<Done, Refusal> {
        let target = self.place.parse(&call.target)?;
        let function = self.function(&target.name)?;
        let versions = std::iter::once(&function.latest).chain(function.versions.values());
        let shown = versions.map(|version| version.listed(&self.place, &function.name, Some(&version.label()))).collect();
        Done::list(call, "Versions", shown)
    }

    /// An invocation of an idle version fails, and wakes it.
    pub(super) fn wake(&mut self, now: Time, name: &str, number: Option<u32>) {
        let settle = self.settings.version_settle;
        let version = number.and_then(|number| self.functions.get_mut(name)?.versions.get_mut(&number));
        if let Some(version) = version.filter(|version| version.idle && !version.pending) {
            (version.idle, version.pending) = (false, true);
            self.settle_later(now, name, number, settle);
        }
    }

    /// Notes when a creation or an update finishes; at once if it takes no time.
    pub(super) fn settle_later(&mut self, now: Time, name: &str, number: Option<u32>, after: Duration) {
        if after.is_zero() {
            self.settle(name, number);
        } else {
            self.settling.insert((now + after, name.to_owned(), number));
        }
    }

    /// Finishes the creation or update of `$LATEST` (none) or of a version.
    pub(super) fn settle(&mut self, name: &str, number: Option<u32>) {
        let revision = self.revision();
        let Some(function) = self.functions.get_mut(name) else { return };
        if let Some(number) = number {
            if let Some(version) = function.versions.get_mut(&number) {
                version.pending = false;
                if version.uploaded {
                    version.revision = revision;
                }
            }
            return;
        }
        let latest = &mut function.latest;
        latest.pending = false;
        latest.updating = false;
        latest.revision = revision;
        if let Ok(serving) = latest.configuration.behaviour() {
            latest.serving = serving;
        }
        self.traffic.disturb();
    }
}
