//! How is a service called that has no SDK here? One signed POST, by the SDK's own signer and HTTP client.
//!
//! SNS, `EventBridge`, STS and Step Functions are each asked for one thing or two: a crate of the SDK for each would be half a megabyte of
//! what nobody calls. Nothing is tried again here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_types::service_config::ServiceConfigKey;
use controller::port::{Answer, BusEvent, Call, Failure, HttpHookResponse, TopicMessage};
use rollout::Arn;
use serde_json::{Value, json};

use crate::connect::Aws;
use crate::error::{no_credentials, refused, unreadable, without_code};
use crate::http_hook::Outgoing;

/// Which service is called where, and how.
struct Addressee<'a> {
    call: Call,
    /// What its address begins with, and what is signed for.
    service: &'static str,
    /// Its name in the names of variables and in profiles.
    id: &'static str,
    region: &'a str,
    headers: &'static [(&'static str, &'static str)],
}

impl Aws {
    /// Publishes to a topic, in the topic's own Region.
    pub(crate) async fn publish_to_topic(&self, message: &TopicMessage) -> Answer<()> {
        let TopicMessage { topic, subject, body } = message;
        let region = Arn::parse(topic).map_or(self.region.as_str(), |arn| arn.region);
        let to = Addressee { call: Call::Publish, service: "sns", id: "SNS", region, headers: &FORM };
        let form = [("TopicArn", topic.as_str()), ("Subject", subject), ("Message", body)];
        self.signed(&to, query("Publish", "2010-03-31", &form)).await.map(drop)
    }

    /// Puts an event on a bus. Its own refusal comes with a success.
    pub(crate) async fn put_events(&self, event: &BusEvent) -> Answer<()> {
        let BusEvent { bus, source, detail_type, detail, at } = event;
        let to =
            Addressee { call: Call::PutEvents, service: "events", id: "EventBridge", region: &self.region, headers: &PUT_EVENTS };
        let entry =
            json!({"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": detail, "Time": at.as_secs()});
        let answer = self.signed(&to, json!({"Entries": [entry]}).to_string()).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| unreadable(Call::PutEvents, error))?;
        match answer["Entries"][0]["ErrorCode"].as_str() {
            None => Ok(()),
            Some(code) => {
                let message = answer["Entries"][0]["ErrorMessage"].as_str().unwrap_or_default();
                Err(refused(Call::PutEvents.into(), code, 400, message))
            }
        }
    }

    /// The ARN of whoever signs.
    pub(crate) async fn who(&self) -> Answer<String> {
        let to = Addressee { call: Call::GetCallerIdentity, service: "sts", id: "STS", region: &self.region, headers: &FORM };
        let answer = self.signed(&to, query("GetCallerIdentity", "2011-06-15", &[])).await?;
        let text = String::from_utf8_lossy(&answer);
        let arn = element(&text, "Arn").filter(|arn| Arn::is_meant(arn));
        arn.map(str::to_owned).ok_or_else(|| unreadable(Call::GetCallerIdentity, "it names no caller"))
    }

    /// Asks Step Functions, in JSON.
    pub(crate) async fn step_functions(&self, call: Call, asked: &Value) -> Answer<Value> {
        let headers = if call == Call::StartExecution { &START_EXECUTION } else { &DESCRIBE_EXECUTION };
        let to = Addressee { call, service: "states", id: "SFN", region: &self.region, headers };
        let answer = self.signed(&to, asked.to_string()).await?;
        serde_json::from_slice(&answer).map_err(|error| unreadable(call, error))
    }

    async fn signed(&self, to: &Addressee<'_>, body: String) -> Answer<Vec<u8>> {
        let name = to.call.name();
        let sent = async {
            let headers = self.signature(to, &body).await?;
            let (method, path) = ("POST", "/".to_owned());
            let outgoing = Outgoing { method, origin: self.origin(to), path, headers, body: body.into_bytes() };
            self.exchange(name, outgoing).await
        };
        let HttpHookResponse { status, body, .. } = self.within(name, ATTEMPT, sent).await??;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        let (code, message) = explained(&text);
        Err(refused(name, &code, status, &message))
    }

    /// The headers of a request to `/` with what signs them.
    async fn signature(&self, to: &Addressee<'_>, body: &str) -> Answer<Vec<(String, String)>> {
        let name = to.call.name();
        let unsigned = |why: String| without_code(Failure::Unsigned, name, why);
        let provider = self.config.credentials_provider().ok_or_else(|| unsigned("no AWS credentials".to_owned()))?;
        let found = provider.provide_credentials().await.map_err(|error| unsigned(no_credentials(&error.to_string())))?;
        let identity = found.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(to.region)
            .name(to.service)
            .time(self.moment())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?;
        let uri = format!("{}/", self.origin(to));
        let request = SignableRequest::new("POST", uri, to.headers.iter().copied(), SignableBody::Bytes(body.as_bytes()));
        let request = request.map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _) = sign(request, &params.into()).map_err(|error| unsigned(error.to_string()))?.into_parts();
        let (added, _) = instructions.into_parts();
        let own = to.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(own.chain(added.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned()))).collect())
    }

    fn origin(&self, to: &Addressee<'_>) -> String {
        match self.endpoint(to.id) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => own_origin(to, self.config.use_fips() == Some(true), self.config.use_dual_stack() == Some(true)),
        }
    }

    /// Where a service is by the command line, by its own variable or section of the profile, or by those for all.
    fn endpoint(&self, id: &str) -> Option<String> {
        let for_all = self.config.endpoint_url().map(str::to_owned);
        if self.config.get_origin("endpoint_url").is_client_config() {
            return for_all;
        }
        let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
        self.config.service_config().and_then(|config| config.load_config(key)).or(for_all)
    }

    /// AWS' time, as this machine knows it.
    fn moment(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.clock.now().as_millis())
    }
}

/// Where AWS has a service.
fn own_origin(to: &Addressee<'_>, fips: bool, dual_stack: bool) -> String {
    let Addressee { service, region, .. } = to;
    // In GovCloud the one without the word is it, but for this.
    let named = !region.starts_with("us-gov-") || *service == "states" && *region == "us-gov-east-1";
    let fips = if fips && named { "-fips" } else { "" };
    let domain = match domain(region) {
        "amazonaws.com" if dual_stack => "api.aws",
        "amazonaws.com.cn" if dual_stack => "api.amazonwebservices.com.cn",
        domain => domain,
    };
    format!("https://{service}{fips}.{region}.{domain}")
}

/// Where a Region's services are, by the partitions of the SDK's own rules.
fn domain(region: &str) -> &'static str {
    match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ => "amazonaws.com",
    }
}

/// A request of the Query protocol.
fn query(action: &str, version: &str, fields: &[(&str, &str)]) -> String {
    let own = [("Action", action), ("Version", version)];
    let fields = own.iter().chain(fields).map(|(name, value)| format!("{name}={}", encoded(value)));
    fields.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The code and the words of an error, in JSON or XML.
fn explained(text: &str) -> (String, String) {
    if let Ok(body) = serde_json::from_str::<Value>(text) {
        let member = |names: [&str; 2]| names.into_iter().find_map(|name| body[name].as_str()).unwrap_or_default().to_owned();
        let code = member(["__type", "code"]);
        let code = code.rsplit_once('#').map_or(code.clone(), |(_, code)| code.to_owned());
        return (code, member(["message", "Message"]));
    }
    let part = |name| element(text, name).unwrap_or_default().to_owned();
    (part("Code"), part("Message"))
}

/// What stands in the first element of this name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
const START_EXECUTION: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AWSStepFunctions.StartExecution")];
const DESCRIBE_EXECUTION: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AWSStepFunctions.DescribeExecution")];
const PUT_EVENTS: [(&str, &str); 2] = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSEvents.PutEvents")];

/// The limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_the_query_protocol_has_it() {
        let form = query("Publish", "2010-03-31", &[("Message", "a b&c=\u{e4}\n~")]);
        assert_eq!(form, "Action=Publish&Version=2010-03-31&Message=a%20b%26c%3D%C3%A4%0A~");
    }

    #[test]
    fn an_error_is_read_in_either_protocol() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error></ErrorResponse>";
        assert_eq!(explained(xml), ("NotFound".to_owned(), "Topic does not exist".to_owned()));
        let json = r#"{"__type":"com.amazon#AccessDeniedException","message":"no"}"#;
        assert_eq!(explained(json), ("AccessDeniedException".to_owned(), "no".to_owned()));
        assert_eq!(explained("<html>busy</html>"), (String::new(), String::new()));
    }

    #[test]
    fn a_service_is_where_the_sdks_rules_have_it() {
        let origin = |service, region, fips, dual_stack| {
            own_origin(&Addressee { call: Call::StartExecution, service, id: "", region, headers: &FORM }, fips, dual_stack)
        };
        for (service, region, fips, dual_stack, wanted) in [
            ("states", "eu-west-1", false, false, "https://states.eu-west-1.amazonaws.com"),
            ("states", "us-east-1", true, false, "https://states-fips.us-east-1.amazonaws.com"),
            ("states", "us-gov-east-1", true, false, "https://states-fips.us-gov-east-1.amazonaws.com"),
            ("states", "us-gov-west-1", true, false, "https://states.us-gov-west-1.amazonaws.com"),
            ("sts", "us-gov-east-1", true, false, "https://sts.us-gov-east-1.amazonaws.com"),
            ("states", "eu-west-1", false, true, "https://states.eu-west-1.api.aws"),
            ("states", "cn-north-1", false, true, "https://states.cn-north-1.api.amazonwebservices.com.cn"),
        ] {
            assert_eq!(origin(service, region, fips, dual_stack), wanted);
        }
    }

    #[test]
    fn each_partition_has_its_domain() {
        for (region, domain_of) in [
            ("eu-west-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
        ] {
            assert_eq!(domain(region), domain_of, "{region}");
        }
    }
}
