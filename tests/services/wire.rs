//! A client of the simulated Lambda that speaks its wire format and nothing else.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sim::{Settings, Time, World};

/// A world and the time in it; it moves only when told to.
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) now: Time,
}

/// An answer, taken apart.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) json: Value,
    pub(crate) body: Bytes,
    headers: http::HeaderMap,
}

impl Seen {
    /// Status, code and message of an error.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        let message = self.json["message"].as_str().or(self.json["Message"].as_str()).unwrap_or_default();
        (self.status, self.header("x-amzn-errortype").unwrap_or_default(), message)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(Settings::served())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let now = Time::from_millis(1_764_000_000_000);
        Self { world: World::new(settings, 1, now), now }
    }

    /// With a function `f` that has the versions 1 and 2, and an alias `live` on 1.
    pub(crate) fn furnished(settings: Settings) -> Self {
        Self::behaving(settings, &[], &[], None)
    }

    /// The same, whose first version behaves as `first` says, and the second one as `then` says besides; it has `weight`.
    pub(crate) fn behaving(settings: Settings, first: &[(&str, &str)], then: &[(&str, &str)], weight: Option<f64>) -> Self {
        let mut client = Self::with(settings);
        client.world.create_function("f", first).unwrap();
        client.world.publish("f", 1).unwrap();
        client.world.set_environment("f", then).unwrap();
        client.world.publish("f", 2).unwrap();
        client.world.set_alias("f", "live", "1", weight.map(|weight| ("2", weight))).unwrap();
        client
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        self.world.advance(self.now);
    }

    /// Waits until whatever is in progress has finished.
    pub(crate) fn settle(&mut self) {
        self.wait(Duration::from_secs(5));
    }

    pub(crate) fn request(method: &str, path: &str, body: &[u8]) -> http::Request<Bytes> {
        let authorization =
            "AWS4-HMAC-SHA256 Credential=TESTER/20251124/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
        http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", authorization)
            .body(Bytes::copy_from_slice(body))
            .unwrap()
    }

    pub(crate) fn send(&mut self, request: &http::Request<Bytes>) -> Seen {
        let caller = sim::caller(request.headers()).to_owned();
        let response = self.world.answer(self.now, &caller, request).answer.response().expect("an answer");
        let (head, body) = response.into_parts();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Seen { status: head.status.as_u16(), json, body, headers: head.headers }
    }

    pub(crate) fn get(&mut self, path: &str) -> Seen {
        self.send(&Self::request("GET", &format!("/2015-03-31{path}"), b""))
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Seen {
        self.send(&Self::request("POST", &format!("/2015-03-31{path}"), body.to_string().as_bytes()))
    }

    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Seen {
        self.send(&Self::request("PUT", &format!("/2015-03-31{path}"), body.to_string().as_bytes()))
    }

    pub(crate) fn delete(&mut self, path: &str) -> Seen {
        self.send(&Self::request("DELETE", &format!("/2015-03-31{path}"), b""))
    }

    /// Creates a function over the wire, which takes a while, and hands back the answer.
    pub(crate) fn begin_function(&mut self, name: &str) -> Value {
        let body = json!({
            "FunctionName": name,
            "Role": "arn:aws:iam::111111111111:role/r",
            "Runtime": "python3.12",
            "Handler": "index.handler",
            // "PK", 3, 4: how an archive begins.
            "Code": {"ZipFile": "UEsDBA=="},
        });
        let seen = self.post("/functions", &body);
        assert_eq!(seen.status, 201, "{}", seen.json);
        seen.json
    }

    /// Creates a function over the wire, waits until it is Active, and hands back the first answer.
    pub(crate) fn create_function(&mut self, name: &str) -> Value {
        let created = self.begin_function(name);
        self.settle();
        created
    }
}

pub(crate) fn is_uuid(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 36
        && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
