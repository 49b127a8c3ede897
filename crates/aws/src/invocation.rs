//! What is this process asked, where it is a function's bootstrap? The interface that Lambda gives a runtime: one request waits for the
//! next invocation, another one has its answer.
//!
//! As <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html> has it. Nothing is tried again here: Lambda starts another process.

use controller::port::Answer;
use rollout::Time;
use serde_json::{Value, json};

use crate::connect::Aws;
use crate::error::unreadable;
use crate::http_hook::{Outgoing, read};

/// One invocation of the function that this process is.
#[derive(Debug)]
pub struct Invocation {
    /// What it was invoked with, as JSON.
    pub event: Vec<u8>,
    /// When Lambda ends it.
    pub deadline: Time,
    id: String,
}

impl Aws {
    /// Waits for the next invocation, however long that takes. `api` is what Lambda says in `AWS_LAMBDA_RUNTIME_API`.
    ///
    /// # Errors
    /// Where Lambda cannot be reached, or its answer is no invocation.
    pub async fn next_invocation(&self, api: &str) -> Answer<Invocation> {
        let name = "next invocation";
        let next = Outgoing {
            method: "GET",
            origin: format!("http://{api}"),
            path: format!("{INVOCATION}/next"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let begun = self.begin(name, next).await?;
        let header = |name| begun.headers().get(name).unwrap_or_default().to_owned();
        let (id, deadline) = (header("lambda-runtime-aws-request-id"), header("lambda-runtime-deadline-ms"));
        let deadline = match deadline.parse() {
            Ok(deadline) if begun.status().is_success() && !id.is_empty() => Time::from_millis(deadline),
            Ok(_) | Err(_) => return Err(unreadable(name, format!("HTTP status {}", begun.status().as_u16()))),
        };
        let event = read(begun.into_body(), LONGEST).await.map_err(|error| unreadable(name, error))?;
        Ok(Invocation { event, deadline, id })
    }

    /// Answers an invocation, or says why there is no answer.
    ///
    /// # Errors
    /// Where Lambda cannot be reached, or does not take the answer.
    pub async fn answer_invocation(&self, api: &str, invocation: &Invocation, answer: Result<Value, String>) -> Answer<()> {
        let name = "answer to an invocation";
        let (end, failure, body) = match answer {
            Ok(answer) => ("response", None, answer),
            Err(why) => {
                ("error", Some(("lambda-runtime-function-error-type", FAILED)), json!({"errorType": FAILED, "errorMessage": why}))
            }
        };
        let headers = [("content-type", "application/json")].into_iter().chain(failure);
        let answer = Outgoing {
            method: "POST",
            origin: format!("http://{api}"),
            path: format!("{INVOCATION}/{}/{end}", invocation.id),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.to_string().into_bytes(),
        };
        match self.exchange(name, answer).await?.status {
            200..300 => Ok(()),
            status => Err(unreadable(name, format!("HTTP status {status}"))),
        }
    }
}

const INVOCATION: &str = "/2018-06-01/runtime/invocation";

/// The kind of a failure, as Lambda wants it: a category and a reason.
const FAILED: &str = "Function.Failed";

/// How long an event may be, in bytes: the 1 MB of an asynchronous invocation.
const LONGEST: usize = 1024 * 1024;
