//! Which triggers has a deployment group of a `serverless.yml` or a SAM template? Lists of maps, with a topic each.
//!
//! What cannot be read is not used, and said: no rollout is refused for it.

use std::borrow::Cow;

use crate::intrinsics::Known;
use crate::keys::MOST_IN_A_LIST;
use crate::notify::{Addressee, Notify, Trigger};
use crate::place::At;
use crate::tree::Node;
use crate::{sam, serverless};

impl<'a> serverless::Reader<'a> {
    pub(crate) fn triggers(&mut self, node: &'a Node) -> Vec<At<Notify>> {
        let list: Vec<&'a Node> = match self.variables.node(node) {
            Ok(Cow::Borrowed(node)) => node.list().unwrap_or_default().iter().take(MOST_IN_A_LIST).collect(),
            Ok(Cow::Owned(_)) | Err(_) => Vec::new(),
        };
        list.into_iter().filter_map(|node| self.trigger(node)).collect()
    }

    fn trigger(&mut self, node: &'a Node) -> Option<At<Notify>> {
        let Ok(Cow::Borrowed(map)) = self.variables.node(node) else {
            return Trigger { name: None, events: Vec::new(), topic: None }.notification(&node.place, &mut self.found);
        };
        let text = |node: &'a Node| self.variables.node(node).ok().and_then(|node| node.text().map(str::to_owned));
        let events = key(map, "TriggerEvents").and_then(|node| self.variables.node(node).ok());
        let events = match events {
            Some(Cow::Borrowed(node)) => node.list().unwrap_or_default().iter().filter_map(text).collect(),
            Some(Cow::Owned(_)) | None => Vec::new(),
        };
        let name = key(map, "TriggerName").and_then(text);
        let topic = key(map, "TriggerTargetArn").and_then(|node| self.quietly(node));
        let topic = topic.and_then(|word| match word {
            serverless::Word::Text(text) => Trigger::topic(&text.value),
            serverless::Word::Resource(id) => Some(Addressee::LogicalId(id.value)),
        });
        Trigger { name, events, topic }.notification(&node.place, &mut self.found)
    }
}

impl<'a> sam::Reader<'a> {
    pub(crate) fn triggers(&mut self, node: &'a Node) -> Vec<At<Notify>> {
        let list: Vec<&'a Node> = match self.template.evaluate(node) {
            Ok(Known::Value(Cow::Borrowed(node))) => node.list().unwrap_or_default().iter().take(MOST_IN_A_LIST).collect(),
            Ok(Known::Value(Cow::Owned(_)) | Known::Nothing | Known::Resource(_)) | Err(_) => Vec::new(),
        };
        list.into_iter().filter_map(|node| self.trigger(node)).collect()
    }

    fn trigger(&mut self, node: &'a Node) -> Option<At<Notify>> {
        let text = |node: &Node| match self.template.evaluate(node) {
            Ok(Known::Value(value)) => value.text().map(str::to_owned),
            Ok(Known::Nothing | Known::Resource(_)) | Err(_) => None,
        };
        let events = key(node, "TriggerEvents").and_then(Node::list).unwrap_or_default();
        let events = events.iter().filter_map(text).collect();
        let name = key(node, "TriggerName").and_then(text);
        let topic = key(node, "TriggerTargetArn").and_then(|node| match self.template.evaluate(node) {
            Ok(Known::Value(value)) => Trigger::topic(value.text().unwrap_or_default()),
            Ok(Known::Resource(id)) => Some(Addressee::LogicalId(id.value)),
            Ok(Known::Nothing) | Err(_) => None,
        });
        Trigger { name, events, topic }.notification(&node.place, &mut self.found)
    }
}

/// A key, with a capital letter or a small one first: both are in use.
fn key<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let small = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
    node.get(name).or_else(|| node.get(&small)).filter(|node| !node.is_null())
}
