//! What do the usual places say? The Region and the credentials, from where other AWS tools take them too.
//!
//! Nothing here is asked for that was given on the command line.

use aws_config::imds;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_lambda::config::Region;

/// The Region of the environment, of the profile, or of the machine if it is one of AWS'.
pub(crate) async fn region(profile: Option<&str>, config: &ProviderConfig) -> Option<Region> {
    if let Some(region) = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(variable) {
        return Some(Region::new(region));
    }
    let mut files = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        files = files.profile_name(profile);
    }
    if let Some(region) = files.build().region().await {
        return Some(region);
    }
    // Off AWS the question would take seconds to stay unanswered: it is asked only where nothing says who is calling.
    if profile.is_some() || IDENTITIES.into_iter().any(|name| variable(name).is_some()) {
        return None;
    }
    let client = imds::Client::builder().configure(config).max_attempts(1).build();
    imds::region::ImdsRegionProvider::builder().configure(config).imds_client(client).build().region().await
}

/// A variable of the environment; an empty one is none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The credentials of a profile that was asked for by name, and no others.
///
/// The SDK would let those of the environment go first; `--profile production` is not to end up as another owner.
#[derive(Debug)]
pub(crate) struct NamedProfile {
    name: String,
    files: ProfileFileCredentialsProvider,
}

impl NamedProfile {
    pub(crate) fn new(name: String, config: &ProviderConfig) -> Self {
        let files = ProfileFileCredentialsProvider::builder().configure(config).profile_name(&name).build();
        Self { name, files }
    }
}

impl ProvideCredentials for NamedProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.files.provide_credentials().await {
                // All that is left to report is which profile was meant.
                Err(CredentialsError::CredentialsNotLoaded(_)) => {
                    let text = format!("the profile `{}` does not exist or has no Region", self.name);
                    Err(CredentialsError::invalid_configuration(text))
                }
                answer => answer,
            }
        })
    }
}

/// What says who is calling, anywhere but on an EC2 instance.
const IDENTITIES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
