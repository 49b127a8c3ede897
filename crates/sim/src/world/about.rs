//! What is a request about, of the services beside Lambda?

use bytes::Bytes;

use super::World;
use crate::cloudformation::CloudFormation;
use crate::logs::Logs;
use crate::scheduler::Scheduler;
use crate::step_functions::StepFunctions;
use crate::wire::Service;

impl World {
    /// The stack, the group, the topic and the like that a request names.
    pub(super) fn resource(&self, service: Service, request: &http::Request<Bytes>) -> String {
        match service {
            Service::CloudFormation => CloudFormation::resource(request),
            Service::Logs => Logs::resource(request),
            Service::StepFunctions => StepFunctions::resource(request),
            Service::Messaging => self.messaging.resource(request),
            Service::Scheduler => Scheduler::resource(request),
            Service::CloudWatch | Service::Lambda => String::new(),
        }
    }
}
