//! What if a version never becomes Active? What is said of one function's new version is changed on its way to the program.
//!
//! Everything else passes as it is.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::tap::{Answered, Meddler, Onward};
use crate::stage::name;

#[derive(Debug)]
pub(crate) struct Unfit(String);

impl Unfit {
    pub(crate) fn of(member: usize) -> Arc<dyn Meddler> {
        Arc::new(Self(name(member)))
    }
}

impl Meddler for Unfit {
    fn carry(self: Arc<Self>, request: http::Request<Bytes>, onward: Onward) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let new = request.uri().query().is_some_and(|query| query.contains("Qualifier=42"));
            let answer = onward.send(request).await?;
            let asked = new && path.contains(&self.0) && path.ends_with("/configuration");
            if !asked || !answer.status().is_success() {
                return Ok(answer);
            }
            let mut said: Value = serde_json::from_slice(answer.body()).unwrap();
            (said["State"], said["StateReason"]) = (json!("Failed"), json!("its image could not be read"));
            Ok(answer.map(|_| Bytes::from(said.to_string())))
        })
    }
}
