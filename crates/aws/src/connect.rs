//! Where is AWS, and who is asking? Settings from the usual places, and clients with explicit limits.
//!
//! It sends nothing to Lambda or `CloudWatch`. Credentials are looked up with the first call; the clients of `CloudWatch`
//! and its logs are made when something is first read there.

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::pool::{self, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use controller::port::{CloudError, Failure};
use rollout::Time;

use crate::carrier::Carrier;
use crate::clock::AwsClock;
use crate::defaults::NamedProfile;
use crate::error::without_code;
use crate::foreign::Foreign;
use crate::{defaults, limits, trust};

/// What a user can say about AWS on the command line. What is left out comes from the environment and the profile.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The profile in the shared configuration files, whose credentials then go before those of the environment.
    pub profile: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The Region where none is given here and no place says one.
    pub otherwise: Option<String>,
    /// Where to send every request instead of AWS, such as `http://127.0.0.1:4566`.
    pub endpoint_url: Option<String>,
    /// When the credentials end, where that was said beside them and nothing will renew them.
    pub credentials_end: Option<Time>,
}

/// What the SDK can be given in place of its own parts. Everything else stays the same.
#[derive(Debug, Default)]
pub struct ClientOverrides {
    /// Carries the requests.
    pub http_client: Option<SharedHttpClient>,
    /// Reports the time.
    pub time_source: Option<SharedTimeSource>,
    /// Waits, for time-outs and between attempts.
    pub sleep: Option<SharedAsyncSleep>,
    /// Signs the requests.
    pub credentials: Option<Credentials>,
}

/// AWS, in one Region, as one caller.
#[derive(Debug)]
pub struct Aws {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) clock: AwsClock,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    pub(crate) config: SdkConfig,
    pub(crate) region: String,
    pub(crate) expiry: Option<Time>,
}

impl Aws {
    /// Made for one or two questions before anything begins.
    pub(crate) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        let config = aws_sdk_cloudformation::config::Builder::from(&self.config);
        let config = config.interceptor(self.clock.clone()).retry_classifier(Foreign);
        aws_sdk_cloudformation::Client::from_conf(config.retry_partition(limits::read_attempts()).build())
    }

    /// Made for one or two calls of a rollout.
    pub(crate) fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let config = aws_sdk_scheduler::config::Builder::from(&self.config);
        let config = config.interceptor(self.clock.clone()).retry_classifier(Foreign);
        aws_sdk_scheduler::Client::from_conf(config.retry_partition(limits::read_attempts()).build())
    }

    pub(crate) fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        self.logs.get_or_init(|| {
            let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config);
            let config = config.interceptor(self.clock.clone()).retry_classifier(Foreign);
            aws_sdk_cloudwatchlogs::Client::from_conf(config.retry_partition(limits::read_attempts()).build())
        })
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.cloudwatch.get_or_init(|| {
            let config = aws_sdk_cloudwatch::config::Builder::from(&self.config);
            let config = config.interceptor(self.clock.clone()).retry_classifier(Foreign);
            aws_sdk_cloudwatch::Client::from_conf(config.retry_partition(limits::read_attempts()).build())
        })
    }
}

/// Prepares the calls to AWS, with settings from the usual places where they are not given here.
///
/// # Errors
/// [`Failure::Unsent`] where no Region is set, or a setting makes no sense. Missing credentials show with the first call.
pub async fn connect(settings: Settings, seams: ClientOverrides) -> Result<Aws, CloudError> {
    let Settings { profile, region, otherwise, endpoint_url, credentials_end } = settings;
    let ClientOverrides { http_client, time_source, sleep, credentials } = seams;
    check_variables()?;
    let http_client = match http_client {
        Some(client) => SharedHttpClient::new(Carrier { direct: client.clone(), far: client }),
        None => own_http_client(profile.as_deref()).await?,
    };
    let clock = AwsClock::new(time_source.clone());
    let time_source = time_source.unwrap_or_default();
    let mut baseline =
        ProviderConfig::without_region().with_http_client(http_client.clone()).with_time_source(time_source.clone());
    if let Some(sleep) = &sleep {
        baseline = baseline.with_sleep_impl(sleep.clone());
    }
    let region = match region {
        Some(region) => Some(Region::new(region)),
        None => defaults::region(profile.as_deref(), &baseline).await,
    };
    let region = checked_region(region.or(otherwise.map(Region::new)))?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .region(region.clone())
        .time_source(time_source.clone())
        .timeout_config(limits::read())
        .retry_config(limits::read_retries())
        // Every attempt has a limit of its own, which covers its body in either direction.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(sleep) = sleep {
        loader = loader.sleep_impl(sleep);
    }
    if let Ok(name) = AppName::new("canaryctl") {
        loader = loader.app_name(name);
    }
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &profile {
        loader = loader.profile_name(profile);
    }
    loader = match (credentials, profile) {
        (Some(credentials), _) => loader.credentials_provider(credentials),
        (None, Some(name)) => loader.credentials_provider(NamedProfile::new(name, &baseline.with_region(Some(region.clone())))),
        (None, None) => loader,
    };
    Ok(Aws { expiry: credentials_end, ..build(loader, clock, region.to_string()).await? })
}

async fn build(loader: ConfigLoader, clock: AwsClock, region: String) -> Result<Aws, CloudError> {
    // The largest future by far, and it would be a part of every command's.
    let config = Box::pin(loader.load()).await;
    if let Some(url) = config.endpoint_url() {
        check_endpoint(url)?;
    }
    let lambda = aws_sdk_lambda::config::Builder::from(&config).interceptor(clock.clone()).retry_classifier(Foreign);
    let lambda = aws_sdk_lambda::Client::from_conf(lambda.retry_partition(limits::read_attempts()).build());
    Ok(Aws { lambda, clock, cloudwatch: OnceLock::new(), logs: OnceLock::new(), config, region, expiry: None })
}

/// The SDK's own HTTP client, with TCP keep-alive: an invocation is silent until it ends, and some paths cut what is silent
/// for five minutes. One that may go through a proxy, and one that does not.
async fn own_http_client(profile: Option<&str>) -> Result<SharedHttpClient, CloudError> {
    let trusted = trust::bundle(profile).await.map_err(unusable)?;
    let direct = pool(ProxyConfig::disabled(), trusted.as_ref())?;
    let proxied = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let far = if proxied.into_iter().any(|name| std::env::var_os(name).is_some_and(|proxy| !proxy.is_empty())) {
        pool(ProxyConfig::from_env(), trusted.as_ref())?
    } else {
        direct.clone()
    };
    Ok(SharedHttpClient::new(Carrier { direct, far }))
}

fn pool(proxy: ProxyConfig, trusted: Option<&TlsContext>) -> Result<SharedHttpClient, CloudError> {
    let mut pool =
        ConnectionPool::builder().proxy_config(proxy).tcp_keepalive(KEEP_ALIVE).tls_provider(Provider::rustls(CryptoMode::Ring));
    if let Some(trusted) = trusted {
        pool = pool.tls_context(trusted.clone());
    }
    let pool = pool.build_https().map_err(|error| unusable(error.to_string()))?;
    let client = pool::Client::new(&pool).map_err(|error| unusable(error.to_string()))?;
    Ok(SharedHttpClient::new(client))
}

fn checked_region(region: Option<Region>) -> Result<Region, CloudError> {
    let region = region.filter(|region| !region.as_ref().is_empty()).ok_or_else(|| unusable(NO_REGION))?;
    if region.as_ref().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Ok(region)
    } else {
        Err(unusable(format!("`{region}` is not an AWS Region\n  hint: for example `eu-west-1`")))
    }
}

/// An empty endpoint, as a pipeline's variable that is not set comes, is one to the SDK: its first call would end the process.
fn check_variables() -> Result<(), CloudError> {
    let services =
        ["LAMBDA", "CLOUDWATCH", "CLOUDWATCH_LOGS", "CLOUDFORMATION", "SFN", "SCHEDULER", "SNS", "EVENTBRIDGE", "SSO", "STS"];
    let names = services.map(|service| format!("AWS_ENDPOINT_URL_{service}"));
    for name in std::iter::once("AWS_ENDPOINT_URL").chain(names.iter().map(String::as_str)) {
        match std::env::var(name).as_deref() {
            Ok("") => return Err(unusable(format!("{name} is set and empty\n  hint: unset it, or set a URL"))),
            Ok(url) => check_endpoint(url)?,
            Err(_) => {}
        }
    }
    Ok(())
}

fn check_endpoint(url: &str) -> Result<(), CloudError> {
    let sound =
        url.parse::<http::Uri>().is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if sound {
        Ok(())
    } else {
        Err(unusable(format!("`{url}` is not an endpoint\n  hint: a URL such as `http://127.0.0.1:4566`")))
    }
}

fn unusable(message: impl Into<String>) -> CloudError {
    without_code(Failure::Unsent, "connect", message)
}

const NO_REGION: &str = "no AWS Region is set\n  hint: set `--region`, AWS_REGION, or `region` in the profile";

/// Well under the five minutes after which paths cut idle connections.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
