//! SNS, `EventBridge` and STS: each asked by one signed request, once.

use controller::port::{BusEvent, Cloud, Failure, TopicMessage};
use rollout::Time;
use sim::{Effect, Fault};

use crate::simulated::Simulated;

fn message(topic: &str) -> TopicMessage {
    TopicMessage { topic: topic.to_owned(), subject: "a & b".to_owned(), body: "{\"text\":\"\u{e4} + 100%\\n\"}".to_owned() }
}

fn event(bus: &str, source: &str) -> BusEvent {
    BusEvent {
        bus: bus.to_owned(),
        source: source.to_owned(),
        detail_type: "kind".to_owned(),
        detail: "{\"a\":1}".to_owned(),
        at: Time::from_secs(1_764_000_000),
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_gets_what_it_is_sent() {
    let simulated = Simulated::new().await;
    let topic = simulated.account.with(|world| world.create_topic("deploys"));
    simulated.aws.publish_message(&message(&topic)).await.unwrap();
    let sent = simulated.account.with(|world| world.sent()[0].clone());
    assert_eq!((sent.to, sent.subject.as_deref(), sent.body), (topic.clone(), Some("a & b"), message(&topic).body));
    let missing = simulated.aws.publish_message(&message("arn:aws:sns:us-east-1:111111111111:none")).await.unwrap_err();
    assert_eq!((missing.failure, missing.to_string().as_str()), (Failure::NotFound, "Publish: NotFound: Topic does not exist"));
    let long = TopicMessage { subject: "x".repeat(101), ..message(&topic) };
    assert_eq!(simulated.aws.publish_message(&long).await.unwrap_err().failure, Failure::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_bus_gets_what_it_is_sent_and_its_refusal_is_one() {
    let simulated = Simulated::new().await;
    simulated.aws.put_on_bus(&event("default", "canaryctl")).await.unwrap();
    let sent = simulated.account.with(|world| world.sent()[0].clone());
    assert_eq!((sent.source.as_deref(), sent.subject.as_deref()), (Some("canaryctl"), Some("kind")));
    let refused = simulated.aws.put_on_bus(&event("default", "aws.me")).await.unwrap_err();
    assert_eq!(refused.code.as_deref(), Some("NotAuthorizedForSourceException"));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_has_a_name() {
    let simulated = Simulated::new().await;
    assert_eq!(simulated.aws.caller().await.unwrap(), "arn:aws:iam::111111111111:user/ME");
}

#[tokio::test(start_paused = true)]
async fn each_is_sent_once_and_each_failure_says_what_can_be_done() {
    for (effect, failure) in [
        (Effect::Throttle, Failure::Throttled),
        (Effect::Deny, Failure::Denied),
        (Effect::Expire, Failure::Expired),
        (Effect::ServerError(500), Failure::Unanswered),
        (Effect::Foreign(502), Failure::Unanswered),
        (Effect::LostAnswer, Failure::Unanswered),
        (Effect::Stall, Failure::Unanswered),
    ] {
        let simulated = Simulated::new().await;
        let topic = simulated.account.with(|world| world.create_topic("deploys"));
        simulated.fault(Fault::everywhere(effect));
        let errors = [
            simulated.aws.publish_message(&message(&topic)).await.unwrap_err(),
            simulated.aws.put_on_bus(&event("default", "canaryctl")).await.unwrap_err(),
            simulated.aws.caller().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.failure, failure, "{effect:?}: {error}");
        }
        for operation in ["Publish", "PutEvents", "GetCallerIdentity"] {
            assert_eq!(simulated.count(operation), 1, "{effect:?}");
        }
    }
}
