//! How is an account scripted beside what a client can call? Pages outside AWS, and rules for calls that go wrong.

use bytes::Bytes;

use super::{Answer, Event, Planned, Reply, World};
use crate::cloudwatch::MetricFault;
use crate::fault::{Effect, Fault};
use crate::github::{Deployment, Repository};
use crate::messaging::Sent;
use crate::time::Time;
use crate::web::{Visit, WebPage};

impl World {
    /// Takes a request for an address outside AWS.
    pub fn visit(&mut self, now: Time, request: &http::Request<Bytes>) -> Reply {
        self.advance(now);
        let verdict = self.faults.judge(("Visit", ""), "anonymous", self.now, &mut self.rng);
        let delay = verdict.delay + self.latency();
        let found = if verdict.effect == Some(Effect::Refuse) { None } else { self.web.visit(request, self.now) };
        let Some((response, after)) = found else { return Reply { answer: Answer::Refused, delay } };
        match (verdict.effect, after) {
            (Some(Effect::LostAnswer), _) => Reply { answer: Answer::Lost, delay },
            (Some(Effect::Stall), _) => Reply { answer: Answer::Hangs, delay },
            (_, Some(after)) => Reply { answer: Answer::Response(response), delay: delay + after },
            (_, None) => Reply { answer: Answer::Hangs, delay },
        }
    }

    /// Makes a page outside AWS, or changes it: its address without a query.
    pub fn put_page(&mut self, address: &str, page: WebPage) {
        self.web.put(address, page);
    }

    /// Takes such a page away.
    pub fn remove_page(&mut self, address: &str) {
        self.web.remove(address);
    }

    /// Has GitHub's API answer for a repository, `owner/name`.
    pub fn host_repository(&mut self, name: &str) {
        self.web.host(name);
    }

    /// The deployments of that repository, oldest first.
    pub fn deployments(&self) -> &[Deployment] {
        self.web.repository().map_or(&[], Repository::deployments)
    }

    /// Every request to a page, oldest first.
    pub fn visits(&self) -> &[Visit] {
        self.web.visits()
    }

    /// Makes a topic of SNS; gives its ARN.
    pub fn create_topic(&mut self, name: &str) -> String {
        self.messaging.create_topic(name)
    }

    /// Makes a bus of `EventBridge`, beside the one that every account has: `default`.
    pub fn create_bus(&mut self, name: &str) {
        self.messaging.create_bus(name);
    }

    /// What topics and buses were sent, oldest first.
    pub fn sent(&self) -> &[Sent] {
        self.messaging.sent()
    }

    /// Plans an event; a time that has passed means at once, when the world moves on next.
    pub fn schedule(&mut self, at: Time, event: Event) {
        self.plan(at, Planned::Event(event));
    }

    /// Adds a rule for calls that go wrong from now on.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Adds a rule for queries of `GetMetricData` that are answered with less than there is.
    pub fn add_metric_fault(&mut self, fault: MetricFault) {
        self.cloudwatch.add_fault(fault);
    }

    /// Ends all rules for calls and queries that go wrong.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.cloudwatch.clear_faults();
    }
}
