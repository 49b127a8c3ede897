//! How does a client in the same process reach a simulated account? Below the real SDK, as its HTTP client, with no socket.
//!
//! What the account answers is the world's business; this carries it there and back in simulated time.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::lambda::{Ending, Invocation};
use crate::wire::caller;
use crate::world::{Answer, Reply, World};

/// A world and the clock it goes by; clones are the same account.
#[derive(Clone, Debug)]
pub struct Account {
    world: Arc<Mutex<World>>,
    clock: SimClock,
    /// Wakes those who wait for something that happens in the world.
    news: Arc<Notify>,
}

/// A connection that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Nothing arrived.
    #[error("connection refused")]
    Refused,
    /// The request was applied, and the answer was lost.
    #[error("connection closed before the answer")]
    Lost,
    /// Nothing came for so long that the path dropped the connection.
    #[error("connection dropped after five idle minutes")]
    Dropped,
}

impl Account {
    /// An account that goes by `clock`.
    pub fn new(world: World, clock: SimClock) -> Self {
        Self { world: Arc::new(Mutex::new(world)), clock, news: Arc::default() }
    }

    /// The clock it goes by.
    pub fn clock(&self) -> SimClock {
        self.clock
    }

    /// Looks into the world, or scripts it, after everything due by now has happened.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.time());
        let seen = look(&mut world);
        if world.take_news() {
            self.news.notify_waiters();
        }
        seen
    }

    /// Waits for the next invocation of a function that is hosted ([`World::host`]), which may come by a call or from a schedule.
    ///
    /// While this is awaited, schedules invoke at their time; without it, and without calls, nothing in an account moves on its own. One loop for
    /// each function takes its invocations, and begins to run each without waiting for its end, since they overlap:
    /// `loop { let one = account.invocation("f").await; spawn_local(run(account.clone(), one)); }`.
    pub async fn invocation(&self, function: &str) -> Invocation {
        self.awaited(|world| world.take_invocation(function)).await
    }

    /// Runs the code of an invocation until it ends or its time is up, and ends it. Code whose time is up is dropped, as one that is killed.
    pub async fn run(&self, invocation: &Invocation, code: impl Future<Output = Ending>) {
        let left = invocation.deadline.since(self.clock.time());
        tokio::select! {
            biased;
            ending = code => self.with(|world| world.end_invocation(invocation.id, ending)),
            () = self.clock.sleep(left) => self.with(|_| ()),
        }
    }

    /// Looks again whenever something has happened, until there is something to see.
    async fn awaited<T>(&self, mut look: impl FnMut(&mut World) -> Option<T>) -> T {
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            let (found, turn) = self.with(|world| (look(world), world.next_turn()));
            if let Some(found) = found {
                return found;
            }
            match turn {
                None => news.await,
                Some(at) => tokio::select! {
                    biased;
                    () = news => {}
                    () = self.clock.sleep(at.since(self.clock.time())) => {}
                },
            }
        }
    }

    /// Sends one request as `caller` and waits for its answer in simulated time.
    ///
    /// The request has arrived with the first poll: giving up after that does not take it back.
    ///
    /// # Errors
    /// [`Broken`] where a fault leaves the caller without an answer.
    pub async fn call(&self, caller: &str, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Broken> {
        let reply = self.with(|world| world.answer(world.now(), caller, &request));
        self.deliver(reply).await
    }

    async fn deliver(&self, reply: Reply) -> Result<http::Response<Bytes>, Broken> {
        if !reply.delay.is_zero() {
            self.clock.sleep(reply.delay).await;
        }
        match reply.answer {
            Answer::Response(response) => Ok(response),
            Answer::Runs(id) => Ok(self.awaited(|world| world.answer_to(id)).await),
            Answer::Lost => Err(Broken::Lost),
            Answer::Refused => Err(Broken::Refused),
            Answer::Hangs => {
                self.clock.sleep(IDLE_LIMIT).await;
                Err(Broken::Dropped)
            }
        }
    }

    /// An HTTP client for the SDK that reaches this account whatever the address says.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }
}

impl HttpClient for Account {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection { account: self.clone(), read_timeout: settings.read_timeout() })
    }
}

/// Connecting takes no time here, so that only the read timeout can pass.
#[derive(Clone, Debug)]
struct Connection {
    account: Account,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        HttpConnectorFuture::new(async move { connection.exchange(request).await })
    }
}

impl Connection {
    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (head, body) = request.into_parts();
        let body = match body.bytes() {
            Some(bytes) => Bytes::copy_from_slice(bytes),
            None => body.collect().await.map_err(ConnectorError::user)?.to_bytes(),
        };
        let request = http::Request::from_parts(head, body);
        let caller = caller(request.headers()).to_owned();
        // AWS is asked with a signature; what comes without one is for somebody else.
        let signature = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let signed = signature.is_some_and(|value| value.starts_with("AWS4-"));
        let answer = async {
            if signed {
                return self.account.call(&caller, request).await;
            }
            self.account.deliver(self.account.with(|world| world.visit(world.now(), &request))).await
        };
        let answer = match self.read_timeout {
            None => answer.await,
            Some(limit) => tokio::select! {
                biased;
                answer = answer => answer,
                () = self.account.clock.sleep(limit) => {
                    return Err(ConnectorError::timeout(format!("no answer within {limit:?}").into()));
                }
            },
        };
        let response = answer.map_err(|broken| match broken {
            // As a client knows it: nothing was sent. Of AWS it knows less here, which is harsher.
            Broken::Refused if !signed => ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            Broken::Refused | Broken::Lost | Broken::Dropped => ConnectorError::io(broken.into()),
        })?;
        HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

/// How long a path keeps a connection on which nothing moves.
const IDLE_LIMIT: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Effect, Fault};
    use crate::settings::Settings;
    use std::time::{SystemTime, UNIX_EPOCH};

    fn account(settings: Settings) -> Account {
        let clock = SimClock::new(UNIX_EPOCH + Duration::from_hours(490_000));
        let mut world = World::new(settings, 1, clock.time());
        world.create_function("f", &[]).unwrap();
        world.publish("f", 1).unwrap();
        world.set_alias("f", "live", "1", None).unwrap();
        Account::new(world, clock)
    }

    fn describe(text: &str) -> HttpRequest {
        let body = format!(r#"{{"Description":"{text}"}}"#);
        let request = http::Request::put("http://localhost/2015-03-31/functions/f/aliases/live")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=ME/20251124/us-east-1/lambda/aws4_request, Signature=0")
            .body(SdkBody::from(body))
            .unwrap();
        HttpRequest::try_from(request).unwrap()
    }

    async fn exchange(account: &Account, read_timeout: Option<Duration>) -> Result<HttpResponse, ConnectorError> {
        Connection { account: account.clone(), read_timeout }.exchange(describe("new")).await
    }

    fn description(account: &Account) -> String {
        account.with(|world| world.alias("f", "live").unwrap().description.clone())
    }

    fn waited(account: &Account, since: SystemTime) -> Duration {
        account.clock().now().duration_since(since).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_its_time_and_says_who_asked() {
        let second = Duration::from_secs(1);
        let account = account(Settings { latency: second..=second, ..Settings::served() });
        let start = account.clock().now();
        let response = exchange(&account, None).await.unwrap();
        assert_eq!((response.status().as_u16(), waited(&account, start)), (200, second));
        account.with(|world| assert_eq!(world.log()[0].caller, "ME"));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_has_still_written() {
        let account = account(Settings::served());
        account.with(|world| world.add_fault(Fault::everywhere(Effect::Latency(Duration::from_mins(1)))));
        let start = account.clock().now();
        let error = exchange(&account, Some(Duration::from_secs(3))).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!((waited(&account, start), description(&account).as_str()), (Duration::from_secs(3), "new"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_an_error_after_a_write_and_a_refused_connection_one_without() {
        for (effect, written) in [(Effect::LostAnswer, "new"), (Effect::Refuse, "")] {
            let account = account(Settings::served());
            account.with(|world| world.add_fault(Fault::everywhere(effect)));
            let error = exchange(&account, None).await.unwrap_err();
            assert!(error.is_io(), "{effect:?}: {error:?}");
            assert_eq!(description(&account), written, "{effect:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_write_comes_after_its_sender_has_given_up() {
        let account = account(Settings::served());
        account.with(|world| world.add_fault(Fault::everywhere(Effect::LateWrite(Duration::from_secs(30)))));
        let error = exchange(&account, Some(Duration::from_secs(5))).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(description(&account), "");
        account.clock().sleep(Duration::from_secs(26)).await;
        assert_eq!(description(&account), "new");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_timeout_a_hanging_call_ends_when_the_path_drops_it() {
        let account = account(Settings::served());
        account.with(|world| world.add_fault(Fault::everywhere(Effect::LateWrite(Duration::from_mins(10)))));
        let start = account.clock().now();
        let error = exchange(&account, None).await.unwrap_err();
        assert!(error.is_io(), "{error:?}");
        assert_eq!(waited(&account, start), IDLE_LIMIT);
    }
}
