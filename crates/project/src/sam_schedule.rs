//! Which schedule does a SAM template name? One of `CodeDeploy`'s, or a deployment configuration of the template itself.

use rollout::Schedule;

use crate::finding::{Reading, shown};
use crate::intrinsics::Known;
use crate::keys::{LONGEST_TEXT, MOST_IN_A_LIST, is_placeholder, parse_at};
use crate::place::At;
use crate::sam::Reader;
use crate::tree::{Map, Node};

impl<'a> Reader<'a> {
    /// The schedule: a name, or a deployment configuration of this template.
    pub(crate) fn schedule(&mut self, node: &'a Node) -> Option<At<Schedule>> {
        let known = self.template.evaluate(node);
        if let (Err(missing), Some(config)) = (&known, self.config(|name| name.tag == node.tag && name.json() == node.json())) {
            let name = At { value: "DeploymentConfigName".to_owned(), place: missing.place.clone() };
            return self.deployment_config(&name, Some(config));
        }
        let name = match self.resolved(known)? {
            Known::Nothing => return None,
            Known::Resource(id) => {
                let resource = self.template.section("Resources").and_then(|resources| resources.get(&id.value));
                return self.deployment_config(&id, resource);
            }
            Known::Value(value) => value.text_with_place().filter(|text| text.value.len() <= LONGEST_TEXT),
        };
        let Some(name) = name else {
            self.found.problem(&node.place, format!("expected a schedule, found {}", node.kind()));
            return None;
        };
        if let Ok(value) = name.value.parse() {
            return Some(At { value, place: name.place });
        }
        let is_name = |node: &'a Node| self.template.text(node).is_ok_and(|text| text.value == name.value);
        if let Some(config) = self.config(is_name) {
            return self.deployment_config(&name, Some(config));
        }
        let like = ["canary", "linear", "allatonce", "codedeploy"];
        if is_placeholder(&name.value) || like.iter().any(|word| name.value.to_lowercase().starts_with(word)) {
            return parse_at(&name, &mut self.found);
        }
        let message = format!("`{}` is not a schedule, and no deployment configuration in this template", shown(&name.value));
        self.found.hinted(&name.place, message, OWN_STEPS);
        None
    }

    /// The deployment configuration of this template with such a name.
    fn config(&self, is_name: impl Fn(&'a Node) -> bool) -> Option<&'a Node> {
        let resources = self.template.section("Resources").into_iter().flat_map(Map::iter).map(|(_, node)| node);
        let mut configs = resources.filter(|node| node.get("Type").and_then(Node::text) == Some(CONFIG)).take(MOST_IN_A_LIST);
        configs.find(|node| {
            node.get("Properties").and_then(|properties| properties.get("DeploymentConfigName")).is_some_and(&is_name)
        })
    }

    /// The steps of a deployment configuration of CodeDeploy.
    fn deployment_config(&mut self, name: &At<String>, resource: Option<&'a Node>) -> Option<At<Schedule>> {
        let routing = resource.filter(|node| node.get("Type").and_then(Node::text) == Some(CONFIG));
        let routing = routing.and_then(|node| node.get("Properties")?.get("TrafficRoutingConfig"));
        let text = |path: [&str; 2]| {
            let node = path.into_iter().filter(|key| !key.is_empty()).try_fold(routing?, |node, key| node.get(key))?;
            self.template.text(node).ok().map(|text| text.value)
        };
        let word = |kind: &str, between: &str| {
            let (share, minutes) = (
                text([&format!("TimeBased{kind}"), &format!("{kind}Percentage")])?,
                text([&format!("TimeBased{kind}"), &format!("{kind}Interval")])?,
            );
            Some(format!("{kind}{share}Percent{between}{minutes}Minutes"))
        };
        let schedule = match text(["Type", ""]).as_deref() {
            Some("TimeBasedLinear") => word("Linear", "Every"),
            Some("TimeBasedCanary") => word("Canary", ""),
            Some("AllAtOnce") => Some("AllAtOnce".to_owned()),
            _ => None,
        };
        let Some(schedule) = schedule else {
            let message = format!("`{}` is a deployment configuration whose steps cannot be read", shown(&name.value));
            self.found.hinted(&name.place, message, OWN_STEPS);
            return None;
        };
        parse_at(&At { value: schedule, place: name.place.clone() }, &mut self.found)
    }
}

const CONFIG: &str = "AWS::CodeDeploy::DeploymentConfig";
const OWN_STEPS: &str = "set the steps with `--steps 10,50 --every 5m`, or as `steps` and `every` in a `canary.yml`, or choose a schedule with `--type`";
