//! May an alias on `$LATEST` be put on a published version of the same code? Pure: the alias is all there is to know.
//!
//! A stack makes such an alias once, and it cannot have weights until it is on a version. No traffic moves: the version is what `$LATEST`
//! is. How it is published is not said here.

use crate::alias::{Alias, AliasState, Audience, Target, alias_state};
use crate::{Subject, Version};

/// What is to be done about an alias that is to be pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinDecision {
    /// Publish `$LATEST`, and write [`pinned`] on the revision that this was decided on.
    Publish,
    /// Nothing: it is on this version, and on no other.
    Already(Version),
    /// Nothing, for this reason; with what to do.
    Refused {
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
}

/// Decides what is to be done.
pub fn pin(subject: &Subject, alias: &Alias) -> PinDecision {
    if let Some((version, weight)) = alias.canary() {
        return PinDecision::Refused {
            why: format!("{subject} has weights: {weight} of its traffic is on {version}"),
            hint: format!("wait until that ends: `canaryctl status {subject}` shows what it is"),
        };
    }
    match (alias.target, alias_state(alias)) {
        (Target::Version(version), _) => PinDecision::Already(version),
        (Target::Latest, AliasState::Idle(_)) => PinDecision::Publish,
        (Target::Latest, state) => PinDecision::Refused {
            why: format!("{subject}: {}", state.describe(Audience::Reader)),
            hint: format!("`canaryctl rollback {subject} --to N` puts it on a version and ends that rollout"),
        },
    }
}

/// The alias on that version. Its description stays: what an earlier rollout noted, versions that it rejected among it, is as true as before.
pub fn pinned(alias: &Alias, version: Version) -> Alias {
    Alias { target: Target::Version(version), weights: Vec::new(), description: alias.description.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Weight;

    const NOTE: &str = "[canaryctl/1 7f3ac2e1 k4q9 promoted 41>42 t=towpnp s=towpr0 x=40a]";
    const LIVE: &str = "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=towpnp s=towpr0]";

    fn alias(target: Target, weights: &[(u64, u16)], description: &str) -> Alias {
        let weight =
            |(version, points): &(u64, u16)| (Version::new(*version).unwrap(), Weight::from_basis_points(*points).unwrap());
        Alias { target, weights: weights.iter().map(weight).collect(), description: description.to_owned() }
    }

    #[test]
    fn only_an_idle_alias_on_latest_is_pinned() {
        let subject = Subject::parse("hello:live", None).unwrap();
        let on = |number| Target::Version(Version::new(number).unwrap());
        let newer = "[canaryctl/9 7f3ac2e1 k4q9 new things]";
        for (target, weights, description, expected) in [
            (Target::Latest, &[][..], "", "Publish"),
            (Target::Latest, &[], NOTE, "Publish"),
            (Target::Latest, &[], "mine", "Publish"),
            (Target::Latest, &[(42, 0)], "", "Publish"),
            (Target::Latest, &[(42, 1000)], "", "Refused"),
            (Target::Latest, &[], LIVE, "Refused"),
            (Target::Latest, &[], newer, "Refused"),
            (on(41), &[], "", "Already"),
            (on(41), &[], LIVE, "Already"),
            (on(41), &[(42, 0)], "", "Already"),
            (on(41), &[(42, 1000)], "", "Refused"),
        ] {
            let decision = pin(&subject, &alias(target, weights, description));
            assert!(format!("{decision:?}").starts_with(expected), "{target:?} {weights:?} {description}: {decision:?}");
        }
    }

    #[test]
    fn nothing_but_the_version_changes() {
        let (before, version) = (alias(Target::Latest, &[(42, 0)], NOTE), Version::new(43).unwrap());
        let after = pinned(&before, version);
        assert_eq!(after, alias(Target::Version(version), &[], NOTE));
        assert_eq!(after.note().unwrap().rejected.len(), 1);
    }
}
