//! What does the candidate have otherwise than stable? One difference of their configurations, and how it reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that the candidate has otherwise than stable: two values, or names that came, went or mean something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What: `memory`, `environment`.
    pub name: String,
    /// Stable's value, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The candidate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Names that only the candidate has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Names that only stable has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Names that both have, with other values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        if self.stable.is_some() || self.candidate.is_some() {
            write!(f, " {} → {}", value(&self.stable), value(&self.candidate))?;
        }
        let added = self.added.iter().map(|name| format!("+{name}"));
        let removed = self.removed.iter().map(|name| format!("−{name}"));
        let names: Vec<String> = added.chain(removed).chain(self.changed.iter().map(|name| format!("{name} changed"))).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " ({})", names.join(", ")) }
    }
}
