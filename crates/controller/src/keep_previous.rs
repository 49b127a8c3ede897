//! How is the way back kept? An alias of its own names the version that was stable: AWS deletes no version that an alias names.
//!
//! Nothing here changes an outcome: what could not be done is a warning.

use rollout::alias::{Target, alias_state};
use rollout::note::NoteParse;
use rollout::target::Subject;
use rollout::{Alias, Outcome, Version};

use crate::driver::Driver;
use crate::port::{Clock, Cloud};

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// After a promotion: puts the alias that was asked for on the version that was stable.
    pub(crate) async fn keep_previous(&mut self, outcome: &Outcome) {
        let request = self.io.request;
        let (Some(name), Some(version)) = (&request.keep_previous, self.plan.stable) else { return };
        // What was promoted may be what was stable: then nothing was replaced.
        let replaced = self.memory.alias().is_some_and(|alias| alias.target.version() != Some(version));
        if *outcome != Outcome::Promoted || !replaced {
            return;
        }
        let kept = Subject { alias: name.clone(), ..request.subject.clone() };
        if let Err(why) = keep(self.io.cloud, &kept, version).await {
            let text =
                format!("the alias {kept} could not be put on {version}, so that a clean-up can delete that version: {why}");
            self.warn(text);
        }
    }
}

/// Puts the alias on the version, by one write: a conditional one where it is there.
async fn keep<C: Cloud>(cloud: &C, kept: &Subject, version: Version) -> Result<(), String> {
    let target = Target::Version(version);
    let Some(held) = cloud.alias(kept).await.map_err(|error| error.to_string())? else {
        let alias = Alias { target, weights: Vec::new(), description: DESCRIPTION.to_owned() };
        return cloud.create_alias(kept, &alias).await.map(drop).map_err(|error| error.to_string());
    };
    // One that is rolled out itself, or that shifts traffic, is somebody's.
    if alias_state(&held.alias).live().is_some() || held.alias.canary().is_some() {
        return Err("it has traffic of a rollout".to_owned());
    }
    if held.alias.target == target {
        return Ok(());
    }
    let alias = Alias { target, ..held.alias };
    cloud.update_alias(kept, &alias, &held.revision).await.map(drop).map_err(|error| error.to_string())
}

/// The version that an alias of this name keeps, where the note of the last rollout is gone from the one that is to be rolled back, and it is
/// another than that one's.
pub async fn kept_version<C: Cloud>(cloud: &C, subject: &Subject, name: &str) -> Option<Version> {
    let alias = cloud.alias(subject).await.ok()??.alias;
    let is_plain = alias.noted() == NoteParse::Nothing && alias.canary().is_none();
    let kept = Subject { alias: name.to_owned(), ..subject.clone() };
    let version = if is_plain { cloud.alias(&kept).await.ok()??.alias.target.version()? } else { return None };
    (alias.target.version() != Some(version)).then_some(version)
}

const DESCRIPTION: &str = "kept by canaryctl: the version before the last rollout";
