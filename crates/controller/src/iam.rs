//! Which permissions does this rollout need? Each with the resources it is needed on, and no others; asked of nobody.
//!
//! What is not known, such as the account, stands as `*`.

use std::collections::BTreeSet;

use rollout::hook::HookTarget;
use rollout::notify::{Notification, Recipient};
use rollout::plan::{Mode, OnLowTraffic};
use rollout::target::{FunctionName, Qualified, Subject};
use rollout::{Arn, Schedule, Signal};

use crate::detached::scheduler_role;
use crate::hooks::functions;
use crate::port::{Call, SCHEDULE_GROUP, default_log_group};
use crate::request::Request;

/// Where things are, as far as that is known without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The partition; where it is not known, the Region's.
    pub partition: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The stack in which names are looked up, where they are.
    pub stack: Option<String>,
}

/// Permissions that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What they are for, in letters and digits.
    pub id: &'static str,
    /// The permissions.
    pub actions: Vec<&'static str>,
    /// On what.
    pub resources: Vec<String>,
}

/// What turns of a detached rollout may reach beside its function: functions and alarms, as far as they were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Hooks and checks.
    pub hooks: Vec<Qualified>,
    /// Alarms that are made, or changed, for the candidate.
    pub managed_alarms: Vec<String>,
    /// Whether versions are sent test events.
    pub test_events: bool,
    /// Whether rollouts wait for approvals.
    pub gates: bool,
    /// The alias that keeps the version before, where one does.
    pub keep_previous: Option<String>,
    /// Who is told of rollouts.
    pub notified: Vec<Recipient>,
}

impl Grant {
    fn of(id: &'static str, calls: &[Call], resources: Vec<String>) -> Self {
        Self { id, actions: calls.iter().map(|call| call.permission()).collect(), resources }
    }
}

/// Whatever a plan and a rollout call, or a later process that resumes it; with `doctor`, what that asks beside.
pub fn permissions(request: &Request, place: &Place, doctor: bool) -> Vec<Grant> {
    let arns = Arns { subject: &request.subject, place };
    let (function, versions) = (arns.function(None), arns.function(Some("*")));
    let hooks: Vec<&HookTarget> = [&request.pre_hook, &request.step_hook, &request.post_hook].into_iter().flatten().collect();
    let asked = hooks.iter().copied().chain(&request.checks);
    let mut alias = vec![Call::GetAlias, Call::UpdateAlias];
    alias.extend((!request.allow_provisioned).then_some(Call::GetProvisionedConcurrencyConfig));
    alias.extend(request.create_alias.then_some(Call::CreateAlias));
    let read = if doctor { &[Call::GetFunctionConfiguration, Call::GetFunction][..] } else { &[Call::GetFunctionConfiguration] };
    let mut releases = Vec::new();
    releases.extend(request.version.is_none().then_some(Call::PublishVersion));
    releases.extend(request.code.is_some().then_some(Call::UpdateFunctionCode));
    releases.extend((request.create_alias || doctor).then_some(Call::ListAliases));
    let mut grants = vec![
        Grant::of("Alias", &alias, vec![function.clone(), arns.function(Some(&request.subject.alias))]),
        Grant::of("Versions", read, vec![function.clone(), versions.clone()]),
        Grant::of("Function", &releases, vec![function.clone()]),
    ];
    // At a URL nobody asks for a permission.
    let named = |hook: &HookTarget| if let HookTarget::Function(named) = hook { Some(arns.other(named)) } else { None };
    let called: BTreeSet<String> = asked.filter_map(named).collect();
    grants.extend((!called.is_empty()).then(|| Grant::of("Hooks", &[Call::Invoke], called.into_iter().collect())));
    if !hooks.is_empty() {
        grants.push(Grant::of("HooksThatReportLater", &[Call::ListTags, Call::UntagResource], vec![function.clone()]));
    }
    if let OnLowTraffic::Probe(_) = request.analysis.on_low_traffic {
        grants.push(Grant::of("TestEvents", &[Call::Invoke], vec![versions]));
    }
    if !request.alarms.is_empty() {
        // Asked for on less than everything, AWS leaves composite alarms out of its answers.
        grants.push(Grant::of("Alarms", &[Call::DescribeAlarms, Call::DescribeAlarmHistory], everything()));
    }
    grants.extend(arns.managed_alarms(request.managed.iter().map(|rule| rule.name.as_str())));
    grants.extend(arns.previous(request));
    grants.extend(arns.guard(request));
    grants.extend(arns.detach(request));
    grants.extend(arns.notified(request));
    grants.extend((!request.gates.is_empty()).then(|| arns.approvals()));
    if request.analysis.mode != Mode::Off || doctor {
        grants.push(Grant::of("Comparison", &[Call::GetMetricData], everything()));
    }
    if !request.no_logs {
        let hooks = if doctor { functions(request) } else { BTreeSet::new() };
        let group = |name: &str| arns.here("logs", &format!("log-group:{}:*", default_log_group(name)));
        let own = request.subject.function.name.as_str();
        grants.push(Grant::of("ErrorLines", &[Call::StartQuery], [own].into_iter().chain(hooks).map(group).collect()));
        grants.push(Grant::of("ErrorLinesAnswer", &[Call::GetQueryResults, Call::StopQuery], everything()));
    }
    if request.signals.iter().any(|signal| !signal.is_in_logs()) {
        grants.push(signals());
    }
    if request.signals.iter().any(Signal::is_in_logs) {
        let group = arns.here("logs", &format!("log-group:{}:*", default_log_group(&request.subject.function.name)));
        grants.push(Grant::of("SignalsInLogs", &[Call::StartQuery], vec![group]));
        let answers = [Call::GetQueryResults, Call::StopQuery, Call::DescribeLogGroups];
        grants.push(Grant::of("SignalsInLogsAnswers", &answers, everything()));
    }
    grants.extend(arns.stack());
    let mut warnings = vec![Call::GetPolicy, Call::ListFunctionUrlConfigs];
    // Asked for where the candidate has no invocations, for the reason.
    warnings.extend((request.analysis.mode != Mode::Off).then_some(Call::GetFunctionConcurrency));
    warnings.extend(hooks.is_empty().then_some(Call::ListTags));
    // A plan looks for the version that was published last.
    warnings.extend(request.version.is_none().then_some(Call::ListVersionsByFunction));
    grants.push(Grant::of("Warnings", &warnings, vec![function]));
    grants.extend(doctor.then(any_stack));
    grants.push(Grant::of("WarningsOfQueues", &[Call::ListEventSourceMappings], everything()));
    grants.retain(|grant| !grant.actions.is_empty());
    grants
}

/// What turns of any detached rollout of this function call, as [`permissions`] has it, and what finds its schedule and deletes it. What is read of everything is
/// granted whether a rollout asks for it or not; what is invoked or changed only where it was named.
pub fn turn_permissions(subject: &Subject, reach: &Reach, place: &Place) -> Vec<Grant> {
    let mut request = Request::new(subject.clone(), Schedule::all_at_once());
    let hooks: Vec<HookTarget> = reach.hooks.iter().cloned().map(HookTarget::Function).collect();
    // All of them are invoked alike, and some report later.
    (request.pre_hook, request.checks) = (hooks.first().cloned(), hooks);
    request.alarms = vec![String::new()];
    request.policy.analysis.mode = Mode::On;
    request.keep_previous.clone_from(&reach.keep_previous);
    let told = |recipient: &Recipient| Notification { recipient: recipient.clone(), kinds: Vec::new(), trigger: None };
    request.notify = reach.notified.iter().map(told).collect();
    // Looked at before it begins; and a turn does not read the log of a version that another process published.
    (request.policy.allow_provisioned, request.policy.no_logs) = (true, true);
    if reach.test_events {
        request.policy.analysis.on_low_traffic = OnLowTraffic::Probe(1);
    }
    let mut grants = permissions(&request, place, false);
    // A turn warns of nothing, and tells why no invocation is counted.
    for grant in grants.iter_mut().filter(|grant| grant.id.starts_with("Warnings")) {
        grant.actions.retain(|action| *action == Call::GetFunctionConcurrency.permission());
    }
    grants.retain(|grant| !grant.actions.is_empty());
    let arns = Arns { subject, place };
    grants.extend(arns.managed_alarms(reach.managed_alarms.iter().map(String::as_str)));
    grants.extend(reach.gates.then(|| arns.approvals()));
    grants.push(signals());
    grants.push(Grant::of("Schedules", &[Call::GetSchedule, Call::DeleteSchedule], vec![place.schedules()]));
    // A list of schedules takes the permission on everything.
    grants.push(Grant::of("ListOfSchedules", &[Call::ListSchedules], everything()));
    grants
}

/// What `rollback` calls.
pub fn rollback_permissions(subject: &Subject, place: &Place) -> Vec<Grant> {
    let arns = Arns { subject, place };
    let resources = vec![arns.function(None), arns.function(Some(&subject.alias))];
    let alias = Grant::of("Alias", &[Call::GetAlias, Call::UpdateAlias], resources);
    // Where the version to roll back to was deleted: which ones there are.
    let versions = Grant::of("WarningsOfDeletedVersions", &[Call::ListVersionsByFunction], vec![arns.function(None)]);
    // Where all traffic is on the other version: whether AWS is moving it.
    let moves = Grant::of("WarningsOfMoves", &[Call::GetProvisionedConcurrencyConfig], vec![arns.function(Some(&subject.alias))]);
    [alias, versions, moves].into_iter().chain(arns.stack()).collect()
}

/// Whether a stack moves the alias: a resource's name or ARN, by which it is looked for, names no stack.
fn any_stack() -> Grant {
    let calls = [Call::DescribeStackResources, Call::DescribeStacks, Call::GetTemplate];
    Grant::of("WarningsOfStacks", &calls, everything())
}

fn signals() -> Grant {
    Grant::of("Signals", &[Call::ListMetrics], everything())
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

struct Arns<'a> {
    subject: &'a Subject,
    place: &'a Place,
}

impl Arns<'_> {
    /// The function that is rolled out, or what this qualifier makes of it.
    fn function(&self, qualifier: Option<&str>) -> String {
        self.lambda(&self.subject.function, qualifier)
    }

    /// Another function, in the same place where nothing else was said.
    fn other(&self, named: &Qualified) -> String {
        self.lambda(&named.function, named.qualifier.as_deref())
    }

    fn lambda(&self, function: &FunctionName, qualifier: Option<&str>) -> String {
        let (partition, region, account) = self.place_of(function);
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        let resource = format!("function:{}{qualifier}", function.name);
        Arn { partition: &partition, service: "lambda", region: &region, account: &account, resource: &resource }.to_string()
    }

    /// Partition, Region and account of a function.
    fn place_of(&self, function: &FunctionName) -> (String, String, String) {
        let (partition, region) = match &function.place {
            Some(place) => (place.partition.clone(), place.region.clone()),
            None => (self.partition(), self.region()),
        };
        (partition, region, function.account.clone().unwrap_or_else(|| self.account()))
    }

    fn managed_alarms<'b>(&self, names: impl Iterator<Item = &'b str>) -> Option<Grant> {
        let resources: Vec<String> = names.map(|name| self.here("cloudwatch", &format!("alarm:{name}"))).collect();
        let any = !resources.is_empty();
        let calls = [Call::ListTagsForResource, Call::PutMetricAlarm, Call::SetAlarmState];
        let mut managed = Grant::of("ManagedAlarms", &calls, resources);
        // An alarm is put with its tag.
        managed.actions.push("cloudwatch:TagResource");
        any.then_some(managed)
    }

    fn guard(&self, request: &Request) -> Option<Grant> {
        let machine = &request.guard.as_ref()?.machine;
        let named = || self.here("states", &format!("stateMachine:{machine}"));
        let machine = if Arn::is_meant(machine) { machine.clone() } else { named() };
        Some(Grant::of("Guard", &[Call::StartExecution], vec![machine]))
    }

    /// What has the rollout continue without its process: the schedule, and the role that it is handed.
    fn detach(&self, request: &Request) -> Vec<Grant> {
        let named = request.controller.as_ref().and_then(|controller| controller.parse::<Qualified>().ok());
        let Some(Qualified { function, .. }) = named else { return Vec::new() };
        let (partition, region, account) = self.place_of(&function);
        let resource = format!("role/{}", scheduler_role(&function.name, &region));
        let role = Arn { partition: &partition, service: "iam", region: "", account: &account, resource: &resource }.to_string();
        // For `canaryctl events`: what the turns wrote.
        let log = format!("log-group:{}:*", default_log_group(&function.name));
        let schedules = [Call::CreateSchedule, Call::GetSchedule, Call::DeleteSchedule];
        vec![
            Grant::of("Detach", &schedules, vec![self.here("scheduler", &schedules_of_group())]),
            Grant { id: "DetachRole", actions: vec!["iam:PassRole"], resources: vec![role] },
            Grant::of("DetachFunction", &[Call::GetFunctionConfiguration], vec![self.lambda(&function, None)]),
            Grant::of("EventsOfTurns", &[Call::FilterLogEvents], vec![self.here("logs", &log)]),
        ]
    }

    /// Who approved a gate stands in a tag of the function.
    fn approvals(&self) -> Grant {
        Grant::of("Approvals", &[Call::ListTags, Call::UntagResource], vec![self.function(None)])
    }

    fn previous(&self, request: &Request) -> Option<Grant> {
        let name = request.keep_previous.as_ref()?;
        let calls = [Call::GetAlias, Call::UpdateAlias, Call::CreateAlias];
        Some(Grant::of("PreviousVersion", &calls, vec![self.function(None), self.function(Some(name))]))
    }

    /// What is outside AWS takes no permission there.
    fn notified(&self, request: &Request) -> Vec<Grant> {
        let (mut topics, mut buses) = (Vec::new(), Vec::new());
        for to in &request.notify {
            match &to.recipient {
                Recipient::Url(_) | Recipient::GitHub(_) => {}
                Recipient::Topic(arn) => topics.push(arn.clone()),
                Recipient::Bus(bus) if Arn::is_meant(bus) => buses.push(bus.clone()),
                Recipient::Bus(bus) => buses.push(self.here("events", &format!("event-bus/{bus}"))),
            }
        }
        let grants = [Grant::of("Topics", &[Call::Publish], topics), Grant::of("Events", &[Call::PutEvents], buses)];
        grants.into_iter().filter(|grant| !grant.resources.is_empty()).collect()
    }

    fn stack(&self) -> Option<Grant> {
        let stack = self.place.stack.as_ref()?;
        let arn = if Arn::is_meant(stack) { stack.clone() } else { self.here("cloudformation", &format!("stack/{stack}/*")) };
        Some(Grant::of("LogicalIds", &[Call::DescribeStackResource], vec![arn]))
    }

    fn here(&self, service: &str, resource: &str) -> String {
        let (partition, region, account) = (&self.partition(), &self.region(), &self.account());
        Arn { partition, service, region, account, resource }.to_string()
    }

    fn account(&self) -> String {
        self.subject.function.account.clone().or_else(|| self.place.account.clone()).unwrap_or_else(|| "*".to_owned())
    }

    fn region(&self) -> String {
        let own = self.subject.function.place.as_ref().map(|place| place.region.clone());
        own.or_else(|| self.place.region.clone()).unwrap_or_else(|| "*".to_owned())
    }

    fn partition(&self) -> String {
        if let Some(place) = &self.subject.function.place {
            return place.partition.clone();
        }
        self.place.partition.clone().unwrap_or_else(|| partition_of(&self.region()).to_owned())
    }
}

impl Place {
    /// The schedules that this place's rollouts make.
    fn schedules(&self) -> String {
        let or_any = |known: &Option<String>| known.clone().unwrap_or_else(|| "*".to_owned());
        let (region, account) = (or_any(&self.region), or_any(&self.account));
        let partition = self.partition.as_deref().unwrap_or_else(|| partition_of(&region));
        Arn { partition, service: "scheduler", region: &region, account: &account, resource: &schedules_of_group() }.to_string()
    }
}

fn schedules_of_group() -> String {
    format!("schedule/{SCHEDULE_GROUP}/*")
}

fn partition_of(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
