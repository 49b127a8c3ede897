//! The version that a rollback needs is kept by an alias of its own, and no failure to do so changes an outcome.

use controller::{Request, Rollback, kept_version};
use rollout::Version;
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, short, subject};

fn keeping() -> Request {
    Request { keep_previous: Some("previous".to_owned()), ..short() }
}

fn kept(stage: &Stage) -> Option<String> {
    stage.with(|world| world.alias("hello", "previous").map(|alias| alias.version.clone()))
}

/// What a clean-up of old versions does: it deletes every version that is not the alias'.
async fn clean_up(stage: &Stage) -> Vec<u16> {
    let mut statuses = Vec::new();
    for version in [40, 41] {
        let path = format!("/2015-03-31/functions/hello?Qualifier={version}");
        let request = http::Request::delete(path).body(bytes::Bytes::new()).unwrap();
        statuses.push(stage.account.call("CLEANER", request).await.unwrap().status().as_u16());
    }
    statuses
}

#[test]
fn an_old_version_that_a_rollback_needs_survives_a_clean_up() {
    play_on("hello-idle", async |stage| {
        stage.rollout(keeping()).await.exits(0);
        assert_eq!(kept(&stage).as_deref(), Some("41"));
        assert_eq!(clean_up(&stage).await[1], 409, "AWS deletes no version that an alias names");
        let back = stage.rollback(None).await;
        assert!(matches!(back, Rollback::Done { changed: true, .. }), "{back:?}");
        stage.assert_ended("41", "back");
    });
    // Without it the way back is gone.
    play_on("hello-idle", async |stage| {
        stage.rollout(short()).await.exits(0);
        assert_eq!(clean_up(&stage).await[1], 204);
        assert!(matches!(stage.rollback(None).await, Rollback::Nothing(_)));
    });
}

#[test]
fn where_the_note_is_gone_the_kept_version_is_known() {
    play_on("hello-idle", async |stage| {
        stage.rollout(keeping()).await.exits(0);
        assert_eq!(kept_version(&stage.aws, &subject(), "previous").await, None, "the note says it itself");
        stage.with(|world| world.describe_alias("hello", "Live", "mine")).unwrap();
        assert!(matches!(stage.rollback(None).await, Rollback::Nothing(_)));
        assert_eq!(kept_version(&stage.aws, &subject(), "previous").await, Version::new(41));
        assert_eq!(kept_version(&stage.aws, &subject(), "none").await, None);
    });
}

#[test]
fn only_a_promotion_moves_it_and_by_one_conditional_write() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_alias("hello", "previous", "41", None)).unwrap();
        stage.alarm_in(60);
        stage.rollout(keeping()).await.exits(10);
        assert_eq!(kept(&stage).as_deref(), Some("41"));
    });
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_alias("hello", "previous", "$LATEST", None)).unwrap();
        stage.rollout(keeping()).await.exits(0);
        assert_eq!(kept(&stage).as_deref(), Some("41"));
        let writes = stage.with(|world| world.alias_writes("hello", "previous").cloned().collect::<Vec<_>>());
        assert!(writes.len() == 1 && writes[0].revision_sent.is_some(), "{writes:?}");
        // It comes after the promotion.
        assert!(writes[0].at >= stage.writes().last().unwrap().at);
    });
}

#[test]
fn a_failure_to_keep_it_is_a_warning() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("CreateAlias", Effect::Deny)));
        stage.rollout(keeping()).await.exits(0).says("the alias hello:previous could not be put on 41");
        stage.assert_ended("42", "promoted");
    });
}
