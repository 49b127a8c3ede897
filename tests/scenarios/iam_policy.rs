//! The policy that is printed is what a rollout needs, no less and no more: derived from the calls of whole rollouts, and tried by
//! refusing everything that it does not permit.

use std::collections::BTreeSet;
use std::time::Duration;

use controller::port::{Call, Code};
use controller::{Grant, Place, Reach, Request, permissions, rollback_permissions, turn_permissions};
use rollout::plan::{Analysis, Mode, OnLowTraffic};
use sim::{Effect, Fault, World};

use crate::detached::{CONTROLLER, detached, on};
use crate::fleet;
use crate::managed_alarms::errors;
use crate::stage::{Stage, play, play_on, request, short, with};

/// Every operation that a rollout or a person may call; a hook's own job calls the one that is left out.
fn operations() -> impl Iterator<Item = Call> {
    Call::ALL.iter().copied().filter(|call| *call != Call::TagResource)
}

fn action(operation: &str) -> String {
    let known = operations().find(|call| call.name() == operation);
    known.unwrap_or_else(|| panic!("`{operation}` was called, and no policy was thought of")).permission().to_owned()
}

/// Refuses to one caller, or to all, what these grants do not permit.
fn refuse_the_rest(world: &mut World, grants: &[Grant], refused: impl Fn(Fault) -> Fault) {
    for call in operations().filter(|call| !grants.iter().any(|grant| grant.actions.contains(&call.permission()))) {
        world.add_fault(refused(Fault::on(call.name(), Effect::Deny)));
    }
}

fn place() -> Place {
    Place { region: Some("us-east-1".to_owned()), ..Place::default() }
}

/// Whether one of the grants permits this.
fn permits(grants: &[Grant], action: &str, resource: &str) -> bool {
    let part_fits = |one: &str, other: &str| one.strip_suffix('*').map_or(one == other, |begin| other.starts_with(begin));
    let fits = |pattern: &str| {
        let (pattern, resource): (Vec<&str>, Vec<&str>) = (pattern.split(':').collect(), resource.split(':').collect());
        pattern == ["*"]
            || (pattern.len() == resource.len() && pattern.iter().zip(&resource).all(|(one, other)| part_fits(one, other)))
    };
    grants.iter().any(|grant| grant.actions.contains(&action) && grant.resources.iter().any(|pattern| fits(pattern)))
}

/// What was called, on what: an alias is guarded as part of its function.
fn called(stage: &Stage) -> BTreeSet<(String, String)> {
    called_by(stage, "CONTROLLER")
}

fn called_by(stage: &Stage, caller: &str) -> BTreeSet<(String, String)> {
    let arn = |resource: &str| match resource {
        "" => "*".to_owned(),
        arn if arn.starts_with("arn:") => arn.to_owned(),
        schedule if schedule.starts_with("schedule/") => format!("arn:aws:scheduler:us-east-1:111111111111:{schedule}"),
        name => format!("arn:aws:lambda:us-east-1:111111111111:function:{name}"),
    };
    let guarded = |call: &sim::CallRecord| match call.operation.as_str() {
        "GetAlias" | "UpdateAlias" | "CreateAlias" => arn(call.resource.split(':').next().unwrap()),
        _ => arn(&call.resource),
    };
    stage.with(|world| {
        let own = world.log().iter().filter(|call| call.caller == caller);
        own.map(|call| (action(&call.operation), guarded(call))).collect()
    })
}

#[track_caller]
fn assert_permitted(grants: &[Grant], called: &BTreeSet<(String, String)>) {
    for (action, resource) in called {
        // CloudWatch's calls name no resource in the log.
        let permitted = if action.starts_with("lambda:") || action.starts_with("scheduler:") {
            permits(grants, action, resource)
        } else {
            grants.iter().any(|grant| grant.actions.contains(&action.as_str()))
        };
        assert!(permitted, "{action} on {resource} is not permitted: {grants:#?}");
    }
}

/// Plays a rollout, once as it is and once with everything refused that its policy does not permit. What is permitted was called, or
/// stands in `spare`, which says why.
fn assert_least(story: &'static str, furnish: fn(&mut World), request: &Request, spare: &[&str]) {
    let grants = permissions(request, &place(), false);
    play(async {
        let stage = Stage::story(story).await;
        stage.with(furnish);
        // What `plan` asks, and the rollout.
        let identity = crate::harness::identity();
        let mut found = controller::preflight(&stage.aws, &stage.clock, request, identity.id, identity.owner).await;
        controller::last_version(&stage.aws, request, &mut found).await;
        stage.rollout(request).await.exits(0);
        let called = called(&stage);
        assert_permitted(&grants, &called);
        let actions: BTreeSet<&str> = called.iter().map(|(action, _)| action.as_str()).collect();
        let granted: BTreeSet<&str> = grants.iter().flat_map(|grant| grant.actions.iter().copied()).collect();
        let mut unused: Vec<&str> = granted.difference(&actions).copied().collect();
        // Logs are read after a rollback alone.
        unused.retain(|action| !action.starts_with("logs:"));
        assert_eq!(unused, spare, "permitted, and not called");
    });
    play(async {
        let stage = Stage::story(story).await;
        stage.with(furnish);
        stage.with(|world| refuse_the_rest(world, &grants, |fault| fault));
        stage.rollout(request).await.exits(0).lacks("AccessDenied");
    });
}

/// What is asked for after a rollback alone.
#[test]
fn the_log_of_a_version_that_failed() {
    let grants = permissions(&request(), &place(), false);
    play(async {
        let stage = Stage::story("hello-errors").await;
        stage.with(|world| refuse_the_rest(world, &grants, |fault| fault));
        let output = stage.rollout(request()).await.exits(10).lacks("AccessDenied");
        assert!(!output.ending.evidence.is_empty(), "{}", output.log);
        assert!(called(&stage).iter().any(|(action, _)| action == "logs:StartQuery"));
    });
    let without = permissions(&with(request(), |policy| policy.no_logs = true), &place(), false);
    assert!(without.iter().all(|grant| grant.actions.iter().all(|action| !action.starts_with("logs:"))));
}

/// A hook may answer at once, and then its answer is not looked for in a tag.
const LATER: &str = "lambda:UntagResource";

/// Only where no invocation is counted that should be, Lambda is asked why.
const REASON: &str = "lambda:GetFunctionConcurrency";

#[test]
fn alarms_and_hooks() {
    assert_least("hello", |_| {}, &request(), &[LATER]);
}

#[test]
fn an_alias_that_is_pinned_first() {
    let furnish = |world: &mut World| {
        world.set_alias("hello", "Live", "$LATEST", None).unwrap();
    };
    assert_least("hello", furnish, &Request { alarms: Vec::new(), ..short() }, &[]);
}

#[test]
fn hooks_that_report_later_and_one_between_steps() {
    let furnish = |world: &mut World| {
        let job = "after=90s key=canaryctl/{/LifecycleEventHookExecutionId} value=Succeeded";
        world.set_environment("preHook", &[("SIM_HOOK", "InProgress"), ("SIM_HOOK_REPORT", job)]).unwrap();
    };
    assert_least("hello", furnish, &Request { step_hook: Some("postHook".parse().unwrap()), ..request() }, &[]);
}

#[test]
fn a_version_that_exists_and_nothing_that_is_watched() {
    let furnish = |world: &mut World| world.publish("hello", 42).unwrap();
    let allowed = with(short(), |policy| policy.allow_provisioned = true);
    let bare = Request { version: rollout::Version::new(42), alarms: Vec::new(), ..allowed };
    assert_least("hello", furnish, &bare, &[]);
}

#[test]
fn code_an_alarm_that_is_kept_and_a_comparison() {
    let rule = errors();
    let kept = Request {
        code: Some(Code::Zip(b"PK\x03\x04".to_vec())),
        alarms: vec![rule.name.clone()],
        managed: vec![rule],
        ..with(short(), |policy| policy.analysis.mode = Mode::On)
    };
    // Tags are asked for once the alarm is there, and written with it; a state is cleared that is red about another version.
    let spare = ["cloudwatch:ListTagsForResource", "cloudwatch:SetAlarmState", "cloudwatch:TagResource", REASON];
    assert_least("hello", |_| {}, &kept, &spare);
    let alarms = permissions(&kept, &place(), false).into_iter().find(|grant| grant.id == "ManagedAlarms").unwrap();
    assert_eq!(alarms.resources, ["arn:aws:cloudwatch:us-east-1:*:alarm:hello-canary-errors"]);
}

#[test]
fn saved_events() {
    let analysis = Analysis {
        mode: Mode::On,
        min_requests: 20,
        max_hold: Duration::ZERO,
        on_low_traffic: OnLowTraffic::Probe(3),
        ..Analysis::default()
    };
    let compared = with(short(), |policy| policy.analysis = analysis);
    let probed = Request { alarms: Vec::new(), probe_event: Some(b"{}".to_vec()), ..compared };
    assert_least("hello-idle", |_| {}, &probed, &[REASON]);
}

#[test]
fn the_reason_why_nothing_is_counted() {
    let compared = with(short(), |policy| policy.analysis.mode = Mode::On);
    let request = Request { alarms: Vec::new(), ..compared };
    let grants = permissions(&request, &place(), false);
    play_on("hello", async |stage| {
        let none = serde_json::json!({"ReservedConcurrentExecutions": 0});
        stage.with(|world| world.arrange("PUT", "/2017-10-31/functions/hello/concurrency", &none).unwrap());
        stage.with(|world| refuse_the_rest(world, &grants, |fault| fault));
        stage.rollout(&request).await.exits(12).lacks("AccessDenied").because("reserved concurrency is 0");
    });
}

#[test]
fn a_first_deployment() {
    // Without an alias there is no provisioned concurrency to ask for.
    let spare = ["lambda:GetProvisionedConcurrencyConfig", "lambda:ListTags", LATER];
    assert_least("hello-first", |_| {}, &with(request(), |policy| policy.create_alias = true), &spare);
}

/// What is asked for to begin one that goes on without its process, as far as its first weight.
#[test]
fn a_detached_rollout() {
    let furnish = |world: &mut World| {
        world.create_function(CONTROLLER, &[]).unwrap();
        world.create_schedule_group("canaryctl");
    };
    // A schedule's role is Scheduler's to use.
    let spare = ["iam:PassRole", LATER, "scheduler:DeleteSchedule"];
    assert_least("hello", furnish, &detached(request()), &spare);
    let ticks = Request { controller: None, ..detached(request()) };
    let left =
        |request: &Request| permissions(request, &place(), false).iter().filter(|grant| grant.id.starts_with("Detach")).count();
    assert_eq!((left(&ticks), left(&request()), left(&detached(request()))), (0, 0, 3));
    let far = "arn:aws-cn:lambda:cn-north-1:123456789012:function:ours";
    let elsewhere = Request { controller: Some(far.to_owned()), ..detached(request()) };
    let grants = permissions(&elsewhere, &place(), false);
    let of = |id: &str| grants.iter().find(|grant| grant.id == id).unwrap().resources.clone();
    assert_eq!(of("DetachRole"), ["arn:aws-cn:iam::123456789012:role/ours-scheduler-cn-north-1"]);
    assert_eq!(
        (of("DetachFunction"), of("Detach")),
        (vec![far.to_owned()], vec!["arn:aws:scheduler:us-east-1:*:schedule/canaryctl/*".to_owned()])
    );
}

const TOPIC: &str = "sns:arn:aws:sns:us-east-1:111111111111:deployments";

/// What the role of the controller's function may do is what turns call, of rollouts with everything that a rollout can have.
#[test]
fn turns_of_detached_rollouts() {
    let hooks = ["preHook", "postHook"].map(|hook| hook.parse().unwrap());
    let reach = Reach {
        hooks: hooks.to_vec(),
        managed_alarms: vec![errors().name],
        test_events: true,
        gates: true,
        keep_previous: Some("Before".to_owned()),
        notified: vec![TOPIC.parse().unwrap()],
    };
    let grants = turn_permissions(&request().subject, &reach, &place());
    let mut used = BTreeSet::new();
    let mut turn = |story: &'static str, request: Request, furnish: fn(&mut World), (version, ended): (&str, &str)| {
        let called = on(story, async |stage| {
            // What counts a signal was there before.
            stage.sleep(600).await;
            fleet::deploy(&stage);
            stage.with(furnish);
            stage.with(|world| refuse_the_rest(world, &grants, |fault| fault.from_caller(CONTROLLER)));
            let scheduled = || fleet::in_progress(&stage) > 0;
            // Left to the turns from its very beginning, which publish, too.
            stage.killed(detached(request), stage.until_looking_every(Duration::from_millis(50), scheduled)).await;
            stage.until_looking_every(Duration::from_secs(5), || !scheduled()).await;
            stage.assert_ended(version, ended);
            called_by(&stage, CONTROLLER)
        });
        assert_permitted(&grants, &called);
        used.extend(called.into_iter().map(|(action, _)| action));
    };
    let compared = || with(request(), |policy| policy.analysis.mode = Mode::On);
    let later = |world: &mut World| {
        let job = "after=90s key=canaryctl/{/LifecycleEventHookExecutionId} value=Succeeded";
        world.set_environment("postHook", &[("SIM_HOOK", "InProgress"), ("SIM_HOOK_REPORT", job)]).unwrap();
    };
    turn("hello", compared(), later, ("42", "promoted"));
    turn("hello-errors", request(), |_| {}, ("41", "back"));
    let told = rollout::notify::Notification {
        recipient: TOPIC.parse().unwrap(),
        kinds: rollout::notify::NoticeKind::usual(),
        trigger: None,
    };
    let managed = Request {
        alarms: vec![errors().name],
        managed: vec![errors()],
        keep_previous: Some("Before".to_owned()),
        notify: vec![told],
        ..compared()
    };
    turn("hello", managed, |_| {}, ("42", "promoted"));
    let signals = vec!["http=Shop/Failures{Version=${version}}/Shop/Requests{Version=${version}}".parse().unwrap()];
    turn("hello-handled-errors", Request { signals, alarms: Vec::new(), ..compared() }, |_| {}, ("41", "back"));
    let none = |world: &mut World| {
        let none = serde_json::json!({"ReservedConcurrentExecutions": 0});
        world.arrange("PUT", "/2017-10-31/functions/hello/concurrency", &none).unwrap();
    };
    turn("hello", Request { alarms: Vec::new(), ..compared() }, none, ("41", "back"));
    let granted: BTreeSet<&str> = grants.iter().flat_map(|grant| grant.actions.iter().copied()).collect();
    let unused: Vec<&str> = granted.into_iter().filter(|action| !used.contains(*action)).collect();
    // As far as an alarm is there already, and red about another version.
    let spare = ["cloudwatch:ListTagsForResource", "cloudwatch:SetAlarmState", "cloudwatch:TagResource"];
    assert_eq!(unused, spare, "permitted, and not called");
}

#[test]
fn a_rollback_and_the_doctor() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await;
        let operator = stage.as_caller("OPERATOR").await;
        let grants = rollback_permissions(&request().subject, &place());
        stage.with(|world| refuse_the_rest(world, &grants, |fault| fault.from_caller("OPERATOR")));
        assert!(matches!(operator.rollback(None).await, controller::Rollback::Done { changed: true, .. }));
        let asked: BTreeSet<String> = stage.with(|world| {
            world.log().iter().filter(|call| call.caller == "OPERATOR").map(|call| action(&call.operation)).collect()
        });
        let granted: BTreeSet<String> =
            grants.iter().flat_map(|grant| &grant.actions).map(|action| (*action).to_owned()).collect();
        // One that was deleted is looked for, once AWS has refused it; and whether AWS moves the traffic, where it looks like that.
        let spare = ["lambda:ListVersionsByFunction", "lambda:GetProvisionedConcurrencyConfig"].map(str::to_owned);
        let spare = BTreeSet::from(spare);
        assert_eq!((granted.difference(&asked).cloned().collect(), asked.is_subset(&granted)), (spare, true));
        let gone = controller::Order {
            subject: request().subject,
            to: rollout::Version::new(7),
            limit: Duration::ZERO,
            identity: crate::harness::identity(),
        };
        assert!(controller::pruned(&operator.aws, &gone).await.is_some_and(|pruned| !pruned.existing.is_empty()));
        assert_eq!(
            grants[0].resources,
            ["arn:aws:lambda:us-east-1:*:function:hello", "arn:aws:lambda:us-east-1:*:function:hello:Live"]
        );
    });
    play_on("hello-traps", async |stage| {
        let grants = permissions(&request(), &place(), true);
        stage.with(|world| refuse_the_rest(world, &grants, |fault| fault));
        let identity = controller::Identity { id: rollout::note::RolloutId(7), owner: rollout::note::Owner::from_random(7) };
        let found = controller::doctor(&stage.aws, &stage.clock, &request(), identity).await;
        assert_eq!(found.unseen, []);
    });
    // The doctor reads the logs of hooks, too.
    let logs = |doctor| permissions(&request(), &place(), doctor).into_iter().find(|grant| grant.id == "ErrorLines").unwrap();
    let of_hook = |grant: Grant| grant.resources.iter().any(|group| group.ends_with(":log-group:/aws/lambda/preHook:*"));
    assert_eq!((of_hook(logs(true)), of_hook(logs(false))), (true, false));
}

#[test]
fn a_function_by_its_arn_leaves_nothing_open() {
    let subject = rollout::Subject::parse("arn:aws-cn:lambda:cn-north-1:123456789012:function:hello:Live", None).unwrap();
    let far = Some("arn:aws:lambda:eu-west-1:210987654321:function:check:prod".parse().unwrap());
    let request = Request { subject, pre_hook: far, post_hook: Some("smoke".parse().unwrap()), ..request() };
    let grants = permissions(&request, &Place { stack: Some("shop".to_owned()), ..place() }, false);
    let of = |id: &str| grants.iter().find(|grant| grant.id == id).unwrap().resources.clone();
    assert_eq!(
        of("Hooks"),
        ["arn:aws-cn:lambda:cn-north-1:123456789012:function:smoke", "arn:aws:lambda:eu-west-1:210987654321:function:check:prod"]
    );
    assert_eq!(of("LogicalIds"), ["arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/shop/*"]);
    assert!(of("Versions").contains(&"arn:aws-cn:lambda:cn-north-1:123456789012:function:hello:*".to_owned()));
}
