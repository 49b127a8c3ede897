//! Whose is the storage that the code of both versions is read from? In a bucket of the user's, it can be deleted while it is needed.

use rollout::Version;
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};

use crate::port::{Call, Cloud, Failure};
use crate::preflight::Preflight;
use crate::preflight::callers::unseen;
use crate::request::Request;

pub(super) async fn look<C: Cloud>(cloud: &C, request: &Request, found: &Preflight, out: &mut DoctorReport) {
    let Some(stable) = found.plan.stable else { return };
    let candidate = found.resumes.as_ref().and_then(|note| note.candidate).or(request.version);
    // What is uploaded, Lambda keeps.
    let read = (request.code.is_none() || candidate.is_some()).then_some(candidate);
    for version in [Some(Some(stable)), read].into_iter().flatten() {
        match cloud.code_in_s3(&request.subject.function, version).await {
            Ok(object) => out.diagnoses.extend(object.map(|object| in_s3(version, stable, &object))),
            // A version that does not exist is told of already.
            Err(error) if error.failure == Failure::NotFound => {}
            Err(error) => {
                out.unseen.push(unseen("whether Lambda keeps the code or reads it from S3", Call::GetFunction, &error));
                return;
            }
        }
    }
}

fn in_s3(version: Option<Version>, stable: Version, object: &str) -> Diagnosis {
    let named = version.map_or_else(|| "the new version".to_owned(), |version| version.to_string());
    let why = if version == Some(stable) {
        "a rollback needs this object: Lambda has no copy of it"
    } else {
        "the new version needs this object as long as it has traffic, and as long as it may be rolled back to: Lambda has no copy of it"
    };
    Diagnosis::new(Severity::Note, "code", format!("the code of {named} is read from {object}"))
        .why(why)
        .fix("keep this version of the object, in lifecycle rules of the bucket too, and Lambda's permission to read it")
}
