//! How many pages does an answer have, and how long may all of them take? Both have a limit, whatever is said of a next one.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::AsyncSleep;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use controller::port::{Answer, CloudError, Failure};

use crate::connect::Aws;
use crate::error::{failed, unreadable};

impl Aws {
    /// All pages of a read, or an error: what is there in part is no answer.
    pub(crate) async fn pages<P, E>(
        &self,
        call: impl Into<&'static str>,
        mut pages: PaginationStream<Result<P, SdkError<E, HttpResponse>>>,
    ) -> Answer<Vec<P>>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let call = call.into();
        let read = async {
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                if found.len() == PAGES {
                    return Err(unreadable(call, format!("more than {PAGES} pages")));
                }
                found.push(page.map_err(failed(call))?);
            }
            Ok(found)
        };
        self.within(call, LIMIT, read).await?
    }

    /// What a future gives if it ends in time.
    pub(crate) async fn within<T>(
        &self,
        operation: impl Into<&'static str>,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Answer<T> {
        let operation = operation.into();
        let failure = |failure, message| CloudError { failure, operation, message, code: None };
        let Some(sleep) = self.config.sleep_impl() else {
            return Err(failure(Failure::Unsent, "no timer is configured".to_owned()));
        };
        let late = |_| failure(Failure::Unanswered, format!("no response within {}", rollout::format::exact(limit)));
        Timeout::new(pin!(future), sleep.sleep(limit)).await.map_err(late)
    }
}

/// Of the longest answers that there are, a tenth of this is known: the history of an alarm that has not rested for two days.
const PAGES: usize = 100;

/// How long all pages together may take, each within the limits of a read.
const LIMIT: Duration = Duration::from_mins(1);
