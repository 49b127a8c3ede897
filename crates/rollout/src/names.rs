//! Which functions are rolled out as one? Their names, kept once for all of them: each of a thousand has a plan, and all have the same names.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Names of functions with their aliases; to copy them copies nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Names(Arc<Vec<String>>);

impl Names {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for Names {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl From<Vec<String>> for Names {
    fn from(names: Vec<String>) -> Self {
        Self(Arc::new(names))
    }
}

impl From<Names> for Vec<String> {
    fn from(Names(names): Names) -> Self {
        Arc::unwrap_or_clone(names)
    }
}
