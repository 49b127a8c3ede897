//! Only a hook that says so has succeeded, and what one says reaches the person who has to act on it.

use std::time::Duration;

use controller::Request;
use controller::port::Cloud;

use crate::stage::{Stage, play, play_on, request, short, with};

async fn with_pre_hook(environment: &[(&str, &str)], request: &Request) -> (Stage, crate::stage::Output) {
    let stage = Stage::story("hello-idle").await;
    stage.with(|world| world.set_environment("preHook", environment)).unwrap();
    let output = stage.rollout(request).await;
    (stage, output)
}

/// A hook that reports this from a job of its own, a minute and a half later.
fn reports(stage: &Stage, hook: &str, value: &str) {
    let job = format!("after=90s key=canaryctl/{{/LifecycleEventHookExecutionId}} value={value}");
    stage.with(|world| world.set_environment(hook, &[("SIM_HOOK", "InProgress"), ("SIM_HOOK_REPORT", &job)])).unwrap();
}

/// When hooks ran.
fn ran(stage: &Stage) -> Vec<sim::Time> {
    let run = |call: &&sim::CallRecord| call.operation == "Invoke" && call.status == 200;
    stage.with(|world| world.log().iter().filter(run).map(|call| call.at).collect())
}

#[test]
fn anything_but_succeeded_is_a_failure_with_a_hint() {
    for (environment, word) in [
        ([("SIM_HOOK", ""), ("SIM_BODY", r#"{"ok":true}"#)], "--hook-answer any"),
        ([("SIM_HOOK", "Throw"), ("SIM_BODY", "")], "it threw"),
        ([("SIM_HOOK", "Failed"), ("SIM_BODY", "")], "SIM_HOOK=Failed"),
    ] {
        play(async {
            let (stage, output) = with_pre_hook(&environment, &request()).await;
            output.exits(11).says(word).says("log: ");
            assert_eq!(stage.shares("42"), []);
            stage.assert_ended("41", "back");
        });
    }
}

#[test]
fn any_answer_but_an_error_passes_where_that_was_asked_for() {
    play(async {
        let lenient = with(request(), |policy| policy.hook_answer = rollout::plan::HookAnswer::Any);
        let (stage, output) = with_pre_hook(&[("SIM_HOOK", ""), ("SIM_BODY", r#"{"ok":true}"#)], &lenient).await;
        output.exits(0);
        stage.assert_ended("42", "promoted");
        let (_, output) = with_pre_hook(&[("SIM_HOOK", "Throw")], &lenient).await;
        output.exits(11);
    });
}

#[test]
fn a_hook_that_takes_minutes_is_waited_for_while_the_alarm_is_watched() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_environment("postHook", &[("SIM_LATENCY_MS", "2900")])).unwrap();
        let red = async {
            stage.until(|| stage.calls("Invoke") >= 2).await;
            stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        };
        let output = stage.rollout_while(with(request(), |policy| policy.poll = Duration::from_secs(1)), red).await;
        // The pre-traffic hook had succeeded; the alarm spoke before the post-traffic one did, and was not kept waiting.
        output.exits(10);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_hook_whose_answer_is_lost_is_not_run_again() {
    play_on("hello-idle", async |stage| {
        let hooked = Request { pre_hook: None, ..request() };
        let lost = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.with(|world| world.add_fault(sim::Fault::on("Invoke", sim::Effect::LostAnswer)));
        };
        let before = stage.calls("Invoke");
        stage.rollout_while(&hooked, lost).await.exits(11).says("not known whether it ran");
        // The preflight's question whether it may be invoked, and the one invocation.
        assert_eq!(stage.calls("Invoke") - before, 2);
    });
}

#[test]
fn a_hook_that_cannot_be_invoked_is_found_before_anything_begins() {
    play_on("hello-idle", async |stage| {
        let missing = Request { pre_hook: Some("nobody".parse().unwrap()), ..request() };
        stage.rollout(&missing).await.exits(3).says("hook `nobody` cannot be invoked");
        assert_eq!(stage.writes().len(), 0);
    });
}

/// A hook may start a job of its own and answer when that is done, by a tag on the function that is rolled out.
#[test]
fn a_hook_that_takes_its_time_answers_by_a_tag() {
    let tags = async |stage: &Stage| stage.aws.tags("arn:aws:lambda:us-east-1:111111111111:function:hello").await.unwrap();
    play_on("hello", async |stage| {
        reports(&stage, "preHook", "Succeeded");
        stage.rollout(Request { post_hook: None, ..request() }).await.exits(0).says("preHook succeeded in 1m 3");
        assert!(tags(&stage).await.is_empty(), "it is taken away again");
        assert_eq!(ran(&stage).len(), 1, "it is not invoked again");
    });
    play_on("hello", async |stage| {
        reports(&stage, "postHook", "Failed");
        let output = stage.rollout(Request { post_hook: request().post_hook, ..short() }).await;
        output.exits_for(11, "post_hook").says("it reported Failed");
        stage.assert_ended("41", "back");
    });
    play_on("hello", async |stage| {
        stage.with(|world| world.set_environment("postHook", &[("SIM_HOOK", "InProgress")]).unwrap());
        let limited = with(short(), |policy| policy.hook_limit = Duration::from_mins(5));
        let output = stage.rollout(Request { post_hook: request().post_hook, ..limited }).await;
        output.exits_for(11, "post_hook").says("hook `postHook` failed: it did not answer before its deadline (5m)");
        stage.assert_ended("41", "back");
    });
}

/// What a job approved while no process lived is not asked again.
#[test]
fn an_approval_that_nobody_heard_counts() {
    play_on("hello", async |stage| {
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "InProgress")]).unwrap());
        let asked = Request { post_hook: None, ..request() };
        let heard = async {
            stage.until(|| !ran(&stage).is_empty()).await;
            stage.sleep(5).await;
        };
        stage.killed(&asked, heard).await;
        let id = stage.with(|world| {
            let description = &world.alias("hello", "Live").unwrap().description;
            description.split(' ').skip_while(|word| !word.contains("[canaryctl/1")).nth(1).unwrap().to_owned()
        });
        stage.with(|world| world.tag("hello", &format!("canaryctl/{id}/pre-traffic/1"), "Succeeded").unwrap());
        stage.as_caller("SECOND").await.rollout(&asked).await.exits(0);
        assert_eq!(ran(&stage).len(), 1, "it is not invoked again");
        let tags = stage.aws.tags("arn:aws:lambda:us-east-1:111111111111:function:hello").await.unwrap();
        assert!(tags.is_empty(), "it is taken away: {tags:?}");
    });
}

/// Before every weight but the first, one hook says whether it may rise; each invocation has a name of its own.
#[test]
fn a_step_hook_is_asked_before_every_further_share() {
    let hooked_at = |hook: &str| Request { step_hook: Some(hook.parse().unwrap()), ..short() };
    play_on("hello", async |stage| {
        let output = stage.rollout(hooked_at("preHook")).await.exits(0);
        assert_eq!(ran(&stage).len(), 2, "before 50% and before 100%: {}", output.log);
        let rises: Vec<_> = stage.writes().into_iter().filter(|write| write.after().unwrap().share("42") > 0.3).collect();
        assert!(ran(&stage)[0] < rises[0].at, "{}", output.log);
        stage.assert_conditional();
    });
    play_on("hello", async |stage| {
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Failed")])).unwrap();
        stage.rollout(hooked_at("preHook")).await.exits_for(11, "step_hook");
        assert_eq!(stage.percents(), [10, 0]);
        assert!(stage.alias().await.description.contains("x=42s"), "it is remembered");
    });
}
