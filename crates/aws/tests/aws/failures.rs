//! How calls fail, and how often they are tried before they do.

use std::fmt::Debug;
use std::time::Duration;

use crate::simulated::{Simulated, subject};
use controller::port::{Cloud, CloudError, Failure, Write};
use rollout::alias::Target;
use rollout::target::Qualified;
use rollout::{Alias, Version};
use sim::{Effect, Fault};

/// How a call fails, and how long it takes.
async fn failing<T: Debug>(simulated: &Simulated, call: impl Future<Output = Result<T, CloudError>>) -> (CloudError, Duration) {
    let before = simulated.account.clock().now();
    let error = call.await.expect_err("a fault");
    (error, simulated.account.clock().now().duration_since(before).expect("time that passes"))
}

/// Promotes version 2, and says how that failed and how long it took.
async fn failing_write(fault: Fault) -> (Simulated, Failure, Duration) {
    let simulated = Simulated::new().await;
    let live = subject("hello:live");
    let held = simulated.aws.alias(&live).await.expect("an answer").expect("an alias");
    simulated.fault(fault);
    let desired = Alias { target: Version::new(2).map_or(Target::Latest, Target::Version), ..held.alias };
    let (error, took) = failing(&simulated, simulated.aws.update_alias(&live, &desired, &held.revision)).await;
    assert_eq!(error.operation, "UpdateAlias");
    (simulated, error.failure, took)
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_once_whatever_comes_of_it() {
    for (effect, failure) in [
        (Effect::Throttle, Failure::Throttled),
        (Effect::Conflict, Failure::Conflict),
        (Effect::Deny, Failure::Denied),
        (Effect::ServerError(500), Failure::Unanswered),
        (Effect::ServerError(503), Failure::Unanswered),
        (Effect::LostAnswer, Failure::Unanswered),
    ] {
        let (simulated, found, _) = failing_write(Fault::on("UpdateAlias", effect)).await;
        assert_eq!(found, failure, "{effect:?}");
        assert_eq!(simulated.count("UpdateAlias"), 1, "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_given_up_after_five_seconds() {
    for effect in [Effect::LateWrite(Duration::from_mins(1)), Effect::Latency(Duration::from_mins(1))] {
        let (simulated, failure, took) = failing_write(Fault::on("UpdateAlias", effect)).await;
        assert_eq!((failure, took), (Failure::Unanswered, Duration::from_secs(5)), "{effect:?}");
        assert_eq!(simulated.count("UpdateAlias"), 1, "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_three_times() {
    let live = subject("hello:live");
    for (effect, failure) in [
        (Effect::Throttle, Failure::Throttled),
        (Effect::ServerError(500), Failure::Unanswered),
        (Effect::LostAnswer, Failure::Unanswered),
    ] {
        let simulated = Simulated::new().await;
        simulated.fault(Fault::on("GetAlias", effect).calls(1..=2));
        assert!(simulated.aws.alias(&live).await.expect("a third attempt").is_some(), "{effect:?}");
        assert_eq!(simulated.count("GetAlias"), 3, "{effect:?}");

        simulated.fault(Fault::on("GetAlias", effect));
        assert_eq!(simulated.aws.alias(&live).await.expect_err("a fault").failure, failure, "{effect:?}");
        assert_eq!(simulated.count("GetAlias"), 6, "{effect:?}");
    }
    let simulated = Simulated::new().await;
    simulated.fault(Fault::on("DescribeAlarms", Effect::Throttle));
    let error = simulated.aws.alarms(&["any".to_owned()], rollout::Time::default()).await.expect_err("a fault");
    assert_eq!((error.failure, simulated.count("DescribeAlarms")), (Failure::Throttled, 3));
}

#[tokio::test(start_paused = true)]
async fn a_refused_read_is_not_repeated() {
    let simulated = Simulated::new().await;
    simulated.fault(Fault::everywhere(Effect::Deny));
    let error = simulated.aws.alias(&subject("hello:live")).await.expect_err("a fault");
    assert_eq!((error.failure, simulated.count("GetAlias")), (Failure::Denied, 1));
    assert!(error.message.contains("is not authorized to perform"), "{error}");
    let error = simulated.aws.alarms(&["any".to_owned()], rollout::Time::default()).await.expect_err("a fault");
    assert_eq!((error.failure, simulated.count("DescribeAlarms")), (Failure::Denied, 1));
}

#[tokio::test(start_paused = true)]
async fn a_page_of_something_in_between_is_no_answer() {
    let live = subject("hello:live");
    // All clients of a process share what the SDK allows for retries: they are looked at first.
    for status in [302, 400, 403, 404] {
        let simulated = Simulated::new().await;
        simulated.fault(Fault::everywhere(Effect::Foreign(status)).calls(1..=2));
        assert!(simulated.aws.alias(&live).await.expect("a third attempt").is_some(), "{status}");
    }
    for status in [302, 400, 401, 403, 404, 407, 409, 412, 413, 502] {
        let simulated = Simulated::new().await;
        simulated.fault(Fault::everywhere(Effect::Foreign(status)));
        let unread = [
            simulated.aws.alias(&live).await.map(drop),
            simulated.aws.configuration(&live.function, None).await.map(drop),
            simulated.aws.policy(&Qualified { function: live.function.clone(), qualifier: None }).await.map(drop),
            simulated.aws.provisioned(&live).await.map(drop),
            simulated.aws.alarms(&["any".to_owned()], rollout::Time::default()).await.map(drop),
            simulated.aws.managed_alarm("any").await.map(drop),
            simulated.aws.resource("stack", "Hello").await.map(drop),
            simulated.aws.invocable(&"hello".parse().expect("a name")).await,
        ];
        for answer in unread {
            let error = answer.expect_err("a page is no answer");
            assert_eq!((error.failure, error.code.as_deref()), (Failure::Unanswered, None), "{error}");
            assert!(error.message.contains(&format!("HTTP status {status} without an AWS error code")), "{error}");
        }
        for write in [Write::Alias(None), Write::NewAlias, Write::Version, Write::Code] {
            let asked = simulated.aws.may_write(&live, &write).await;
            assert_eq!(asked.map_err(|error| error.failure), Err(Failure::Unanswered), "{write:?}");
        }
        let (simulated, failure, _) = failing_write(Fault::on("UpdateAlias", Effect::Foreign(status))).await;
        assert_eq!((failure, simulated.count("UpdateAlias")), (Failure::Unanswered, 1), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_as_a_question_is_only_answered_by_who_knows() {
    let live = subject("hello:live");
    for (effect, answer) in [
        (Effect::Deny, Err(Failure::Denied)),
        (Effect::Throttle, Err(Failure::Throttled)),
        (Effect::ServerError(500), Err(Failure::Unanswered)),
        (Effect::LostAnswer, Err(Failure::Unanswered)),
        (Effect::Conflict, Ok(())),
    ] {
        for write in [Write::Alias(None), Write::NewAlias, Write::Version, Write::Code] {
            let simulated = Simulated::new().await;
            simulated.fault(Fault::everywhere(effect));
            let found = simulated.aws.may_write(&live, &write).await.map_err(|error| error.failure);
            assert_eq!(found, answer, "{write:?} {effect:?}");
        }
    }
}

/// What only stands in for AWS may carry out what it is asked for.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_not_aws_is_never_asked_for_a_version_an_alias_or_code() {
    for target in ["hello:live", "hello:fresh"] {
        let simulated = Simulated::made(sim::Settings::served(), Some("http://127.0.0.1:4566".to_owned())).await;
        for (write, operation) in
            [(Write::NewAlias, "CreateAlias"), (Write::Version, "PublishVersion"), (Write::Code, "UpdateFunctionCode")]
        {
            assert_eq!(simulated.aws.may_write(&subject(target), &write).await, Ok(()), "{operation}");
            assert_eq!(simulated.count(operation), 0, "{operation} {target}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_within_twenty_seconds() {
    let simulated = Simulated::new().await;
    simulated.fault(Fault::everywhere(Effect::Latency(Duration::from_mins(10))));
    let (error, took) = failing(&simulated, simulated.aws.alias(&subject("hello:live"))).await;
    assert_eq!(error.failure, Failure::Unanswered);
    assert!((Duration::from_secs(15)..=Duration::from_secs(20)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_invocation_is_never_repeated_and_may_take_its_time() {
    let hook: Qualified = "hello".parse().expect("a name");
    let limit = Duration::from_mins(10);
    for (effect, failure) in [
        (Effect::Throttle, Failure::NotExecuted),
        (Effect::ServerError(500), Failure::Unanswered),
        (Effect::LostAnswer, Failure::Unanswered),
        (Effect::Latency(Duration::from_hours(1)), Failure::Unanswered),
    ] {
        let simulated = Simulated::new().await;
        simulated.fault(Fault::on("Invoke", effect));
        let (error, took) = failing(&simulated, simulated.aws.invoke(&hook, b"{}", limit)).await;
        assert_eq!((error.failure, simulated.count("Invoke")), (failure, 1), "{effect:?}");
        assert!(took <= limit + Duration::from_secs(10), "{effect:?} {took:?}");
    }
    let simulated = Simulated::new().await;
    simulated.fault(Fault::on("Invoke", Effect::Latency(limit)));
    let reply = simulated.aws.invoke(&hook, b"{}", limit).await;
    assert_eq!(reply.map(|reply| reply.function_error), Ok(None), "as long as was allowed");
}

#[tokio::test(start_paused = true)]
async fn time_is_aws_time() {
    for skew in [0, 400, 90_000, -90_000] {
        let simulated = Simulated::with(sim::Settings { clock_skew_millis: skew, ..sim::Settings::served() }).await;
        let ours = |simulated: &Simulated| i64::try_from(simulated.aws.time().as_millis()).unwrap_or(i64::MAX);
        let theirs = |simulated: &Simulated| sim::Time::from(simulated.account.clock().now()).as_millis() + skew;
        assert_eq!(ours(&simulated), theirs(&simulated) - skew, "nothing is known before the first answer");
        simulated.aws.alias(&subject("hello:live")).await.expect("an answer");
        let off = ours(&simulated) - theirs(&simulated);
        assert!(off.abs() <= 1_000, "{off} ms at a skew of {skew} ms");
        // Answers at other parts of a second narrow it down; an error's date counts as well.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(1_050)).await;
            let _ = simulated.aws.alias(&subject("absent:live")).await;
        }
        let off = ours(&simulated) - theirs(&simulated);
        assert!(off.abs() <= if skew.abs() < 1_000 { 400 } else { 50 }, "{off} ms at a skew of {skew} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_that_jumps_moves_no_time() {
    let live = subject("hello:live");
    for seconds in [-366 * 86_400, -3_600, -60, 60, 3_600, 366 * 86_400] {
        for calls in [4..=4, 5..=9, 4..=u64::MAX] {
            let simulated = Simulated::new().await;
            simulated.fault(Fault::everywhere(Effect::Dated(seconds)).calls(calls));
            let mut last = rollout::Time::default();
            for _ in 0..20 {
                simulated.aws.alias(&live).await.expect("an answer");
                tokio::time::sleep(Duration::from_millis(1_050)).await;
                let (ours, theirs) = (simulated.aws.time(), sim::Time::from(simulated.account.clock().now()).as_millis());
                let off = i64::try_from(ours.as_millis()).unwrap_or(i64::MAX) - theirs;
                assert!(off.abs() <= 1_000 && ours >= last, "{off} ms where dates are {seconds} s off");
                last = ours;
            }
        }
    }
}
