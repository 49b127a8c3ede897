//! What does a rollback not undo? Where stable and candidate differ in more than their code.
//!
//! Names and sizes are told, never the value of a variable. Another role or dead-letter queue is refused elsewhere.

use std::collections::BTreeMap;

use rollout::diagnosis::{Diagnosis, Severity, Symptom};

use crate::callers::unseen;
use crate::cloud::{Cloud, Configuration, Frozen};
use crate::preflight::Preflight;
use crate::request::Request;

pub(super) async fn look<C: Cloud>(cloud: &C, request: &Request, found: &Preflight, out: &mut Diagnosis) {
    let Some(stable) = &found.stable else { return };
    let version = found.goes_on.as_ref().and_then(|note| note.candidate).or(request.version);
    match cloud.configuration(&request.subject.function, version).await {
        Ok(candidate) => out.symptoms.extend(differences(stable, &candidate)),
        // A version that does not exist is told of already.
        Err(_) if version.is_some() => {}
        Err(error) => out.unseen.push(unseen("what the new version will be", "lambda:GetFunctionConfiguration", &error)),
    }
}

fn differences(stable: &Configuration, candidate: &Configuration) -> Vec<Symptom> {
    let versions = Versions { stable: &stable.version, candidate: &candidate.version };
    let (old, new) = (&stable.frozen, &candidate.frozen);
    let mut out: Vec<Symptom> = environment(&versions, old, new).into_iter().collect();
    let (layers, networks) = (lists(&old.layers, &new.layers), [network(old), network(new)]);
    let rows = [
        ("runtime", [shown(old.runtime.as_ref()), shown(new.runtime.as_ref())], RUNTIME),
        ("package type", [old.package.clone(), new.package.clone()], RUNTIME),
        ("handler", [shown(old.handler.as_ref()), shown(new.handler.as_ref())], HANDLER),
        ("architecture", [old.architectures.join(", "), new.architectures.join(", ")], ARCHITECTURE),
        ("layers", layers, if old.layers.is_empty() { ADDED } else { LAYERS }),
        ("memory", [unit(old.memory, "MB"), unit(new.memory, "MB")], MEMORY),
        ("time-out", [unit(old.timeout, "s"), unit(new.timeout, "s")], if new.timeout < old.timeout { SHORTER } else { LONGER }),
        ("size of /tmp", [unit(old.storage, "MB"), unit(new.storage, "MB")], STORAGE),
        ("VPC", networks, if old.subnets.is_empty() { ENTERED } else { NETWORK }),
    ];
    out.extend(rows.into_iter().filter(|(_, [old, new], _)| old != new).map(|(what, [old, new], why)| {
        let Versions { stable, candidate } = versions;
        door(format!("{what}: {old} in {stable}, {new} in {candidate}"), why)
    }));
    out
}

/// What the two are called.
#[derive(Clone, Copy)]
struct Versions<'a> {
    stable: &'a str,
    candidate: &'a str,
}

fn door(text: String, why: &str) -> Symptom {
    Symptom::new(Severity::Note, "one-way-door", text).why(why)
}

fn environment(versions: &Versions<'_>, old: &Frozen, new: &Frozen) -> Option<Symptom> {
    let (Some(before), Some(after)) = (&old.environment, &new.environment) else {
        return Some(door(
            "environment: it cannot be decrypted, so that nobody knows whether it differs".to_owned(),
            ENVIRONMENT,
        ));
    };
    let within = |one: &BTreeMap<String, u32>, other: &BTreeMap<String, u32>| -> Vec<String> {
        one.keys().filter(|name| !other.contains_key(*name)).map(|name| format!("`{name}`")).collect()
    };
    let changed: Vec<String> = after
        .iter()
        .filter(|(name, value)| before.get(*name).is_some_and(|earlier| earlier != *value))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let parts = [("changed", changed), ("added", within(after, before)), ("gone", within(before, after))];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{} {word}", names.join(", ")))
        .collect();
    let told = format!("environment: {} in {}, compared with {}", parts.join("; "), versions.candidate, versions.stable);
    (!parts.is_empty()).then(|| door(told, ENVIRONMENT))
}

/// Long names are the same in both for the most part: only what differs is told.
fn lists(old: &[String], new: &[String]) -> [String; 2] {
    let only = |one: &[String], other: &[String]| {
        let own: Vec<&str> = one.iter().filter(|name| !other.contains(name)).map(|arn| layer(arn)).collect();
        own.join(", ")
    };
    let none = |text: String| if text.is_empty() { "none of these".to_owned() } else { text };
    match (only(old, new), only(new, old)) {
        // The same in another order, in which they lie over one another.
        (one, other) if one.is_empty() && other.is_empty() && old != new => {
            [old, new].map(|layers| layers.iter().map(|arn| layer(arn)).collect::<Vec<_>>().join(" under "))
        }
        (one, other) if one.is_empty() && other.is_empty() => [String::new(), String::new()],
        (one, other) => [none(one), none(other)],
    }
}

/// Name and version of a layer's ARN.
fn layer(arn: &str) -> &str {
    arn.split_once(":layer:").map_or(arn, |(_, name)| name)
}

fn network(frozen: &Frozen) -> String {
    if frozen.subnets.is_empty() {
        return "none".to_owned();
    }
    format!("{} with {}", frozen.subnets.join(", "), frozen.security_groups.join(", "))
}

fn shown(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "none".to_owned())
}

fn unit(number: Option<i32>, unit: &str) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| format!("{number} {unit}"))
}

const ENVIRONMENT: &str = "a rollback brings the old variables back, not what they stand for: tables, queues, secrets and flags that the \
                           old version needs must be there until the rollout is final, and both versions use theirs side by side";
const RUNTIME: &str =
    "the old version goes on running on its runtime; once AWS has ended that one, no fix of it can be published any more";
const HANDLER: &str = "another entry point starts other code: whatever it opens and sends at its start is not taken back";
const ARCHITECTURE: &str =
    "both versions differ in speed and cost, which a comparison of their durations takes for the new code's doing";
const LAYERS: &str =
    "a rollback brings the old layers back; once they are deleted, no fix of the old version can be published any more";
const ADDED: &str =
    "a rollback does without them again: what they have set up at their start stays, such as agents, metrics and connections";
const MEMORY: &str = "memory buys processor time: both versions differ in speed and cost, which a comparison of their durations takes for \
                      the new code's doing";
const SHORTER: &str = "calls that the old version finished in time are cut off in the new one, and count as its errors";
const LONGER: &str = "callers wait longer for the new version, and queues need a visibility time-out that is longer still";
const STORAGE: &str = "what the new version leaves there does not fit the old one, should a call be tried again on it";
const ENTERED: &str = "in a VPC the new version reaches only what its subnets and security groups let it reach, the public internet by a \
                       NAT alone";
const NETWORK: &str = "a rollback needs the old subnets and security groups: deleting them breaks the version to go back to";
