//! Where does the schedule wait for a person? The gates of `canary.yml`.

use std::time::Duration;

use rollout::gate::Gate;
use rollout::note::AfterPause;
use rollout::{Weight, gate};

use crate::finding::Findings;
use crate::keys::{Read, keys, no_word};
use crate::tree::Node;

/// What happens to a gate that nobody approved.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Then(AfterPause);

impl Read for Then {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        node.text().and_then(gate::then).map(Self).or_else(|| no_word(node, &gate::WORDS, found))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "enum": gate::WORDS })
    }
}

keys! {
    struct GateKeys {
        /// The traffic of the step after which it waits, in percent.
        "at" at: Weight,
        /// How long it waits for an approval [default: 1h].
        "for" lasts: Duration,
        /// What happens if nobody approves: `rollback` or `continue` [default: `rollback`].
        "then" then: Then,
    }
}

impl Read for Gate {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let GateKeys { at, lasts, then } = GateKeys::read(node, found)?;
        if at.is_none() && node.get("at").is_none() {
            found.problem(&node.place, "a gate needs `at`: the traffic of a step in percent");
        }
        let weight = at?.value;
        let lasts = lasts.map_or(gate::USUAL, |lasts| lasts.value);
        let gate = Self { weight, lasts, then: then.map_or(AfterPause::RollBack, |then| then.value.0) };
        gate.checked().map_err(|why| found.problem(&node.place, why)).ok()
    }

    fn schema() -> serde_json::Value {
        GateKeys::schema()
    }
}
