//! In what is one version another than the next? Everything a version freezes, compared; whether that matters is not said here.
//!
//! Of the environment only names are told: values are where secrets are, and are known here as hashes.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::Arn;
use rollout::difference::Difference;
use rollout::format::exact;

use crate::port::{Configuration, FunctionConfigSnapshot};

/// What `candidate` has otherwise than `stable`, the code first.
pub(crate) fn differences(stable: &Configuration, candidate: &Configuration) -> Vec<Difference> {
    let code = |of: &Configuration| Some(of.code_sha256.chars().take(HASH).collect());
    let mut found = Vec::new();
    found.extend(value("code", code(stable), code(candidate)).filter(|_| stable.code_sha256 != candidate.code_sha256));
    let (before, after) = (&stable.frozen, &candidate.frozen);
    let text = |of: fn(&FunctionConfigSnapshot) -> &Option<String>| [before, after].map(|frozen| of(frozen).clone());
    let unit = |of: fn(&FunctionConfigSnapshot) -> Option<i32>, unit: &str| {
        [before, after].map(|frozen| Some(format!("{}{unit}", of(frozen)?)))
    };
    let list = |of: fn(&FunctionConfigSnapshot) -> &[String]| {
        [before, after].map(|frozen| Some(of(frozen).join(", ")).filter(|text| !text.is_empty()))
    };
    let named = |of: fn(&Configuration) -> Option<&str>| [stable, candidate].map(|of_it| of(of_it).map(last_part));
    for (name, [before, after]) in [
        ("runtime", text(|of| &of.runtime)),
        ("handler", text(|of| &of.handler)),
        ("architecture", list(|of| &of.architectures)),
        ("package", text(|of| &of.package)),
        ("memory", unit(|of| of.memory, " MB")),
        ("timeout", [before, after].map(|frozen| frozen.timeout.map(seconds))),
        ("storage", unit(|of| of.storage, " MB")),
        ("tracing", text(|of| &of.tracing)),
        ("SnapStart", text(|of| &of.snap_start)),
        ("role", named(|of| Some(&of.role))),
        ("dead-letter queue", named(|of| of.dead_letter.as_deref())),
    ] {
        found.extend(value(name, before, after));
    }
    let layers = |of: &FunctionConfigSnapshot| of.layers.iter().map(|arn| layer(arn)).collect::<Vec<_>>();
    found.extend(names("layers", &layers(before), &layers(after)));
    found.extend(names("subnets", &before.subnets, &after.subnets));
    found.extend(names("security groups", &before.security_groups, &after.security_groups));
    found.extend(
        before.environment.as_ref().zip(after.environment.as_ref()).and_then(|(before, after)| environment(before, after)),
    );
    // Two roles, or queues, of the same name in two places; layers or subnets in another order.
    if found.is_empty() && (before != after || stable.role != candidate.role || stable.dead_letter != candidate.dead_letter) {
        found.push(Difference { name: "the order or place of its parts".to_owned(), ..Difference::default() });
    }
    found
}

fn value(name: &str, stable: Option<String>, candidate: Option<String>) -> Option<Difference> {
    (stable != candidate).then(|| Difference { name: name.to_owned(), stable, candidate, ..Difference::default() })
}

fn names(name: &str, stable: &[String], candidate: &[String]) -> Option<Difference> {
    let beyond =
        |these: &[String], those: &[String]| these.iter().filter(|name| !those.contains(name)).cloned().collect::<Vec<_>>();
    let (added, removed) = (beyond(candidate, stable), beyond(stable, candidate));
    let differ = !added.is_empty() || !removed.is_empty();
    differ.then(|| Difference { name: name.to_owned(), added, removed, ..Difference::default() })
}

fn environment(stable: &BTreeMap<String, u32>, candidate: &BTreeMap<String, u32>) -> Option<Difference> {
    let keys = |of: &BTreeMap<String, u32>| of.keys().cloned().collect::<Vec<_>>();
    let changed: Vec<String> = candidate
        .iter()
        .filter(|(key, value)| stable.get(*key).is_some_and(|known| known != *value))
        .map(|(key, _)| key.clone())
        .collect();
    match names("environment", &keys(stable), &keys(candidate)) {
        None if changed.is_empty() => None,
        found => Some(Difference { name: "environment".to_owned(), changed, ..found.unwrap_or_default() }),
    }
}

fn seconds(count: i32) -> String {
    exact(Duration::from_secs(u64::try_from(count).unwrap_or_default()))
}

/// `tools:3` of a layer's ARN.
fn layer(arn: &str) -> String {
    Arn::parse(arn).and_then(|arn| arn.named("layer")).unwrap_or(arn).to_owned()
}

/// The name in an ARN of a role, a queue or a topic.
fn last_part(arn: &str) -> String {
    Arn::parse(arn).map_or(arn, Arn::last).to_owned()
}

const HASH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Revision, State, Update};

    fn version(number: &str) -> Configuration {
        let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:layer:{name}");
        Configuration {
            arn: format!("arn:aws:lambda:eu-west-1:123456789012:function:hello:{number}"),
            version: number.to_owned(),
            code_sha256: "jWg7wmXyAFSP2yOQWIuKAKBHWlEVZ2hCHsZkYrNYTHk=".to_owned(),
            revision: Revision(number.to_owned()),
            state: State::Active,
            update: Update::Successful,
            log_group: None,
            role: "arn:aws:iam::123456789012:role/service-role/hello".to_owned(),
            dead_letter: None,
            frozen: FunctionConfigSnapshot {
                memory: Some(128),
                architectures: vec!["x86_64".to_owned()],
                layers: vec![arn("tools:3"), arn("fonts:1")],
                environment: Some([("URL".to_owned(), 1), ("OLD".to_owned(), 2)].into()),
                ..FunctionConfigSnapshot::default()
            },
        }
    }

    fn described(change: impl FnOnce(&mut Configuration)) -> String {
        let (stable, mut candidate) = (version("41"), version("42"));
        change(&mut candidate);
        differences(&stable, &candidate).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn versions_that_are_alike_differ_in_nothing() {
        assert_eq!(described(|_| {}), "");
    }

    #[test]
    fn every_part_is_compared_and_told_without_what_is_secret() {
        assert_eq!(described(|it| it.code_sha256 = "aaaaaaaaaaaaaaaa".into()), "code jWg7wmXy → aaaaaaaa");
        assert_eq!(described(|it| it.frozen.memory = Some(256)), "memory 128 MB → 256 MB");
        assert_eq!(described(|it| it.frozen.timeout = Some(3)), "timeout none → 3s");
        assert_eq!(described(|it| it.frozen.storage = Some(1024)), "storage none → 1024 MB");
        assert_eq!(described(|it| it.frozen.runtime = Some("nodejs24.x".into())), "runtime none → nodejs24.x");
        assert_eq!(described(|it| it.frozen.handler = Some("index.main".into())), "handler none → index.main");
        assert_eq!(described(|it| it.frozen.architectures = vec!["arm64".into()]), "architecture x86_64 → arm64");
        assert_eq!(described(|it| it.frozen.package = Some("Image".into())), "package none → Image");
        assert_eq!(described(|it| it.frozen.tracing = Some("Active".into())), "tracing none → Active");
        assert_eq!(described(|it| it.frozen.snap_start = Some("PublishedVersions".into())), "SnapStart none → PublishedVersions");
        assert_eq!(described(|it| it.role = "arn:aws:iam::123456789012:role/other".into()), "role hello → other");
        let queue = "arn:aws:sqs:eu-west-1:123456789012:lost".to_owned();
        assert_eq!(described(|it| it.dead_letter = Some(queue)), "dead-letter queue none → lost");
        assert_eq!(
            described(|it| it.frozen.layers[0] = "arn:aws:lambda:eu-west-1:1:layer:tools:4".into()),
            "layers (+tools:4, −tools:3)"
        );
        assert_eq!(described(|it| it.frozen.subnets = vec!["subnet-1".into()]), "subnets (+subnet-1)");
        assert_eq!(described(|it| it.frozen.security_groups = vec!["sg-1".into()]), "security groups (+sg-1)");
        let environment = described(|it| it.frozen.environment = Some([("URL".to_owned(), 9), ("FLAG".to_owned(), 3)].into()));
        assert_eq!(environment, "environment (+FLAG, −OLD, URL changed)");
        assert_eq!(
            described(|it| it.frozen.environment = Some([("URL".to_owned(), 9), ("OLD".to_owned(), 2)].into())),
            "environment (URL changed)"
        );
    }

    #[test]
    fn a_difference_that_has_no_name_is_one_all_the_same() {
        for described in [
            described(|it| it.frozen.layers.reverse()),
            described(|it| it.role = "arn:aws:iam::210987654321:role/service-role/hello".into()),
        ] {
            assert_eq!(described, "the order or place of its parts");
        }
    }
}
