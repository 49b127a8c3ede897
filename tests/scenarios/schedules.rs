//! All nine of `CodeDeploy`'s names give its weights at its times, over the wire too; and whoever owns the words keeps them.

use std::time::Duration;

use controller::Request;

use crate::stage::{play_on, request, with};

#[test]
fn the_nine_names_over_the_wire() {
    for name in rollout::schedule::NAMES {
        let (prefixed, seconds) = (format!("CodeDeployDefault.Lambda{name}"), interval(name));
        let shares = play_on("hello-idle", async |stage| {
            let request = Request {
                schedule: prefixed.parse().unwrap(),
                pre_hook: None,
                post_hook: None,
                alarms: vec![],
                ..with(request(), |policy| policy.bake = Some(Duration::ZERO))
            };
            stage.rollout(&request).await.exits(0).says("nothing is watched");
            stage.assert_ended("42", "promoted");
            stage.shares("42")
        });
        let expected: Vec<(u64, u64)> = match name {
            "AllAtOnce" => vec![(0, 100)],
            canary if canary.starts_with("Canary") => vec![(0, 10), (seconds, 100)],
            _ => (1..=10).map(|ten| ((ten - 1) * seconds, ten * 10)).collect(),
        };
        assert_eq!(shares.len(), expected.len(), "{name}: {shares:?}");
        for (found, expected) in shares.iter().zip(&expected) {
            assert!(found.1 == expected.1 && found.0.abs_diff(expected.0) <= 1, "{name}: {shares:?}");
        }
    }
}

fn interval(name: &str) -> u64 {
    let minutes: String = name.trim_end_matches(char::is_alphabetic).chars().rev().take_while(char::is_ascii_digit).collect();
    minutes.chars().rev().collect::<String>().parse::<u64>().unwrap_or(0) * 60
}

#[test]
fn a_poll_of_a_tenth_of_a_second_is_served_too() {
    play_on("hello-idle", async |stage| {
        let often = with(request(), |policy| policy.poll = Duration::from_millis(100));
        let often = with(often, |policy| policy.bake = Some(Duration::from_secs(10)));
        let request = Request { schedule: "Linear50PercentEvery10Seconds".parse().unwrap(), ..often };
        stage.rollout(&request).await.exits(0);
        let shares = stage.shares("42");
        // A note is precise to a second, and rounds up: never sooner.
        assert!(matches!(shares[..], [(0, 50), (10 | 11, 100)]), "{shares:?}");
    });
}

#[test]
fn the_users_description_stays_in_every_write() {
    play_on("hello", async |stage| {
        stage.with(|world| world.describe_alias("hello", "Live", "the shop's checkout; ask #payments")).unwrap();
        stage.rollout(request()).await.exits(0);
        for write in stage.writes().iter().filter(|write| write.caller == "CONTROLLER") {
            let description = &write.after().unwrap().description;
            assert!(
                description.starts_with("the shop's checkout; ask #payments [canaryctl/1 ") && description.len() <= 256,
                "{description}"
            );
        }
    });
}
