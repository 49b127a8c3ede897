//! What does a rollback not undo? Where stable and candidate differ in more than their code.
//!
//! Names and sizes are told, never the value of a variable. Another role or dead-letter queue is refused elsewhere.

use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};

use crate::config_diff::differences;
use crate::port::{Call, Cloud, Configuration, FunctionConfigSnapshot};
use crate::preflight::Preflight;
use crate::preflight::callers::unseen;
use crate::request::Request;

pub(super) async fn look<C: Cloud>(cloud: &C, request: &Request, found: &Preflight, out: &mut DoctorReport) {
    let Some(stable) = &found.stable else { return };
    let version = found.resumes.as_ref().and_then(|note| note.candidate).or(request.version);
    match cloud.configuration(&request.subject.function, version).await {
        Ok(candidate) => out.diagnoses.extend(doors(stable, &candidate)),
        // A version that does not exist is told of already.
        Err(_) if version.is_some() => {}
        Err(error) => out.unseen.push(unseen("what the new version will be", Call::GetFunctionConfiguration, &error)),
    }
}

/// Each difference that matters once a rollback is wanted, and why.
fn doors(stable: &Configuration, candidate: &Configuration) -> Vec<Diagnosis> {
    let (old, new) = (&stable.frozen, &candidate.frozen);
    let secret = (old.environment.is_none() || new.environment.is_none())
        .then(|| door("environment: it cannot be decrypted, so it is not known whether it differs".to_owned(), ENVIRONMENT));
    let found = differences(stable, candidate).into_iter().filter_map(|difference| {
        let why = why(&difference.name, old, new)?;
        Some(door(format!("{difference}, from {} to {}", stable.version, candidate.version), why))
    });
    secret.into_iter().chain(found).collect()
}

fn door(text: String, why: &str) -> Diagnosis {
    Diagnosis::new(Severity::Note, "one-way-door", text).why(why)
}

/// Why a rollback does not take this back; `None` where it does, or where it is refused elsewhere.
fn why(name: &str, old: &FunctionConfigSnapshot, new: &FunctionConfigSnapshot) -> Option<&'static str> {
    Some(match name {
        "environment" => ENVIRONMENT,
        "runtime" | "package" => {
            "the old version keeps running on its runtime; once AWS ends that runtime, no fix of the old version can be published"
        }
        "handler" => "another handler runs other code at startup: what it opens and sends there is not undone",
        "architecture" => "both versions differ in speed and cost, which a comparison of durations attributes to the new code",
        "layers" if old.layers.is_empty() => {
            "a rollback removes them again, but what they set up at startup stays, such as agents, metrics and connections"
        }
        "layers" | "the order or place of its parts" => {
            "a rollback restores the old layers; once they are deleted, no fix of the old version can be published"
        }
        "memory" => {
            "memory determines CPU: both versions differ in speed and cost, which a comparison of durations attributes to the new code"
        }
        "timeout" if new.timeout < old.timeout => {
            "invocations that the old version finished in time are cut off in the new one, and count as its errors"
        }
        "timeout" => "callers wait longer for the new version, and queues need an even longer visibility timeout",
        "storage" => "what the new version stores there may not fit the old version when an invocation is retried",
        "subnets" | "security groups" if old.subnets.is_empty() => {
            "in a VPC the new version reaches only what its subnets and security groups allow, and the public internet only through a NAT"
        }
        "subnets" | "security groups" => {
            "a rollback needs the old subnets and security groups: deleting them breaks the stable version"
        }
        _ => return None,
    })
}

const ENVIRONMENT: &str = "a rollback restores the old variables, not what they refer to: tables, queues, secrets and flags that the old version needs must exist until the rollout is final, and both versions use theirs at the same time";
