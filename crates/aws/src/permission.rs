//! May this caller write? Writes that cannot take place are asked for, and how AWS refuses them tells.
//!
//! AWS looks at permissions before it looks at revisions, versions and packages. Every request here is impossible in more than one
//! way, or changes nothing, so that no single condition that were ignored could do harm; and so they may be tried again, as reads.
//!
//! What only stands in for AWS may check less, and carry them out: it is never asked for a version, an alias or code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_lambda::config::ConfigBag;
use aws_sdk_lambda::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_lambda::config::{Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use controller::port::{Answer, Call, CloudError, Failure, Write};
use rollout::target::Subject;

use crate::connect::Aws;
use crate::convert;
use crate::error::failed;

impl Aws {
    /// Asks for a write that cannot take place; an error where it would not be permitted, or nobody knows.
    pub(crate) async fn ask(&self, subject: &Subject, write: &Write<'_>) -> Answer<()> {
        let gate = Gate::default();
        match self.question(subject, write, &gate).await {
            Err(_) if gate.is_shut() => Ok(()),
            Err(error) if !looked_into(error.failure) => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    async fn question(&self, subject: &Subject, write: &Write<'_>, gate: &Gate) -> Result<(), CloudError> {
        let function = subject.function.reference();
        match write {
            Write::Alias(alias) => {
                let request = self
                    .lambda
                    .update_alias()
                    .function_name(function)
                    .name(&subject.alias)
                    .function_version(alias.map_or_else(|| NO_VERSION.to_owned(), |alias| alias.target.to_string()))
                    .set_description(alias.map(|alias| alias.description.clone()))
                    .set_routing_config(alias.map(convert::routing))
                    .revision_id(NO_REVISION);
                request.send().await.map(drop).map_err(failed(Call::UpdateAlias))
            }
            Write::NewAlias => {
                let nowhere = AliasRoutingConfiguration::builder().additional_version_weights(NO_OTHER_VERSION, 0.5).build();
                let request = self
                    .lambda
                    .create_alias()
                    .function_name(function)
                    .name(&subject.alias)
                    .function_version(NO_VERSION)
                    .routing_config(nowhere)
                    .customize()
                    .interceptor(gate.clone());
                request.send().await.map(drop).map_err(failed(Call::CreateAlias))
            }
            Write::Version => {
                let request = self
                    .lambda
                    .publish_version()
                    .function_name(function)
                    .code_sha256(NO_HASH)
                    .revision_id(NO_REVISION)
                    .customize()
                    .interceptor(gate.clone());
                request.send().await.map(drop).map_err(failed(Call::PublishVersion))
            }
            Write::Code => {
                let request = self
                    .lambda
                    .update_function_code()
                    .function_name(function)
                    .zip_file(Blob::new(NO_PACKAGE))
                    .dry_run(true)
                    .revision_id(NO_REVISION)
                    .customize()
                    .interceptor(gate.clone());
                request.send().await.map(drop).map_err(failed(Call::UpdateFunctionCode))
            }
        }
    }
}

/// Lets a request out to AWS itself, and to nothing else.
#[derive(Clone, Debug, Default)]
struct Gate {
    shut: Arc<AtomicBool>,
}

impl Gate {
    /// Whether it has kept a request back.
    fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }
}

impl Intercept for Gate {
    fn name(&self) -> &'static str {
        "Gate"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_aws(context.request().uri()) {
            return Ok(());
        }
        self.shut.store(true, Ordering::Relaxed);
        Err("not sent: this endpoint is not AWS' own".into())
    }
}

/// Whether a request goes to AWS, in whichever partition.
fn is_aws(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|name| name.ends_with('.')))
}

/// Whether AWS looked into the request at all, which it only does for whoever may make it.
fn looked_into(failure: Failure) -> bool {
    match failure {
        Failure::NotFound | Failure::Outdated | Failure::Conflict | Failure::Invalid => true,
        Failure::Denied | Failure::Expired | Failure::Throttled | Failure::Unanswered => false,
        Failure::Unsent | Failure::Unsigned | Failure::NotExecuted => false,
    }
}

/// Revisions are random.
const NO_REVISION: &str = "00000000-0000-0000-0000-000000000000";
/// To publish so many versions, at the 15 calls a second that AWS allows, takes four and a half years.
const NO_VERSION: &str = "2147483647";
/// Another one.
const NO_OTHER_VERSION: &str = "2147483646";
/// Well-formed, and the hash of nothing that anybody knows: 32 bytes of zero.
const NO_HASH: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// No archive, and no image.
const NO_PACKAGE: &[u8] = b"none";
/// What the names of AWS' endpoints end in.
const SUFFIXES: [&str; 8] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_is_told_from_what_stands_in_for_it() {
        for url in ["https://lambda.eu-west-1.amazonaws.com/2015-03-31", "https://vpce-1.lambda.eu-west-1.vpce.amazonaws.com/"] {
            assert!(is_aws(url), "{url}");
        }
        for url in ["http://127.0.0.1:4566/2015-03-31", "http://amazonaws.com.local/", "http://notamazonaws.com/", "/path"] {
            assert!(!is_aws(url), "{url}");
        }
    }
}
