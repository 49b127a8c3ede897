//! May this caller write? Writes that cannot take place are asked for, and how AWS refuses them tells.
//!
//! AWS looks at permissions before it looks at revisions, versions and packages. Every request here is impossible in more than one
//! way, or changes nothing, so that no single condition that were ignored could do harm; and so they may be tried again, as reads.

use aws_sdk_lambda::primitives::Blob;
use controller::port::{Answer, Call, Failure, Write};
use rollout::target::Subject;

use crate::connect::Aws;
use crate::convert;
use crate::error::failed;

impl Aws {
    /// Asks for a write that cannot take place; an error where it would not be permitted, or nobody knows.
    pub(crate) async fn ask(&self, subject: &Subject, write: &Write<'_>) -> Answer<()> {
        let refused = match write {
            Write::Alias(alias) => {
                let request = self
                    .lambda
                    .update_alias()
                    .function_name(subject.function.reference())
                    .name(&subject.alias)
                    .function_version(alias.map_or_else(|| NO_VERSION.to_owned(), |alias| alias.target.to_string()))
                    .set_description(alias.map(|alias| alias.description.clone()))
                    .set_routing_config(alias.map(convert::routing))
                    .revision_id(NO_REVISION);
                request.send().await.map(drop).map_err(failed(Call::UpdateAlias))
            }
            Write::NewAlias => {
                let request = self
                    .lambda
                    .create_alias()
                    .function_name(subject.function.reference())
                    .name(&subject.alias)
                    .function_version(NO_VERSION);
                request.send().await.map(drop).map_err(failed(Call::CreateAlias))
            }
            Write::Version => {
                let request = self
                    .lambda
                    .publish_version()
                    .function_name(subject.function.reference())
                    .code_sha256(NO_HASH)
                    .revision_id(NO_REVISION);
                request.send().await.map(drop).map_err(failed(Call::PublishVersion))
            }
            Write::Code => {
                let request = self
                    .lambda
                    .update_function_code()
                    .function_name(subject.function.reference())
                    .zip_file(Blob::new(NO_PACKAGE))
                    .dry_run(true)
                    .revision_id(NO_REVISION);
                request.send().await.map(drop).map_err(failed(Call::UpdateFunctionCode))
            }
        };
        match refused {
            Err(error) if !looked_into(error.failure) => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }
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
/// Well-formed, and the hash of nothing that anybody knows: 32 bytes of zero.
const NO_HASH: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// No archive, and no image.
const NO_PACKAGE: &[u8] = b"none";
