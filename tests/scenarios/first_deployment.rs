//! Where there is no alias yet, one is made on the first version; a re-run finishes what was begun, and nothing is made by a typo.

use controller::Request;

use crate::stage::{play_on, request, with};

#[test]
fn the_first_version_gets_the_alias_made() {
    play_on("hello-first", async |stage| {
        stage.rollout(request()).await.golden("the_first_version").exits(0);
        stage.assert_ended("1", "promoted");
        // There is nothing to go back to, and a rollback says so and touches nothing.
        let before = stage.writes().len();
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Nothing(why) if why.contains("first deployment")));
        assert_eq!(stage.writes().len(), before);
    });
}

#[test]
fn a_failing_pre_traffic_hook_makes_no_alias() {
    play_on("hello-first", async |stage| {
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Failed")])).unwrap();
        stage.rollout(request()).await.exits(11);
        assert!(stage.with(|world| world.alias("hello", "Live").is_none()));
        // Mended, the same command makes it.
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Succeeded")])).unwrap();
        stage.rollout(request()).await.exits(0);
        stage.assert_ended("1", "promoted");
    });
}

#[test]
fn a_failing_post_traffic_hook_has_nothing_to_go_back_to() {
    play_on("hello-first", async |stage| {
        stage.with(|world| world.set_environment("postHook", &[("SIM_HOOK", "Failed")])).unwrap();
        let output = stage.rollout(request()).await.golden("a_first_version_with_a_failing_post_hook");
        assert_eq!((output.ending.exit_code, output.ending.traffic.as_str()), (11, "100% on 1"));
        stage.assert_ended("1", "back");
        // The same code again is refused, and a rollback does not call it taken back: it has all the traffic.
        stage.rollout(request()).await.exits(3);
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Nothing(why) if why.contains("found nothing new")));
    });
}

#[test]
fn another_alias_means_that_this_one_may_be_a_typo() {
    play_on("hello", async |stage| {
        let typo = Request { subject: rollout::Subject::parse("hello:live", None).unwrap(), ..request() };
        stage.rollout(&typo).await.exits(3).says("did you mean `hello:Live`?");
        assert_eq!((stage.done("CreateAlias"), stage.done("PublishVersion")), (0, 0));
        let meant = with(typo, |policy| policy.create_alias = true);
        stage.rollout(&meant).await.exits(0);
        assert_eq!(stage.with(|world| world.alias("hello", "live").unwrap().version.clone()), "42");
    });
}
