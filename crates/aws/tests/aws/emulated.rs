//! The calls of schedules against an emulator that nobody here wrote: `scripts/interop` starts one, and runs this test against it.

use std::time::Duration;

use controller::port::{Cloud, Failure, ScheduleSpec};
use rollout::Time;

use crate::connecting::{real, settings};

/// Without an emulator at `EMULATOR_URL` there is nothing to hold it against. Leaves the schedule `kept` behind, which invokes the function of `SCHEDULED_FUNCTION` by the role of `SCHEDULED_ROLE`.
#[tokio::test]
async fn a_schedule_is_made_once_seen_and_deleted_there_too() {
    let Ok(emulator) = std::env::var("EMULATOR_URL") else { return };
    let given = |name: &str| std::env::var(name).expect("scripts/interop sets it");
    let aws = real(settings("us-east-1", &emulator)).await.expect("sound settings");
    // Without an answer so far, it is the time of this machine.
    let now = Time::from_secs(aws.time().as_secs());
    let spec = |name: &str| ScheduleSpec {
        name: name.to_owned(),
        starts: now,
        ends: now + Duration::from_mins(10),
        function: given("SCHEDULED_FUNCTION"),
        role: given("SCHEDULED_ROLE"),
        input: r#"{"rollout":"7f3ac2e1"}"#.to_owned(),
        token: name.to_owned(),
        enabled: true,
    };
    assert_eq!(aws.schedule("gone").await, Ok(None));
    for name in ["gone", "kept"] {
        aws.create_schedule(&spec(name)).await.unwrap();
        let seen = aws.schedule(name).await.unwrap().unwrap();
        assert!(seen.is(&spec(name)), "{seen:?}");
        aws.create_schedule(&spec(name)).await.unwrap();
        let other = ScheduleSpec { input: "{}".to_owned(), ..spec(name) };
        assert_eq!(aws.create_schedule(&other).await.unwrap_err().failure, Failure::Conflict);
    }
    aws.delete_schedule("gone").await.unwrap();
    aws.delete_schedule("gone").await.unwrap();
    assert_eq!(aws.schedule("gone").await, Ok(None));
}
