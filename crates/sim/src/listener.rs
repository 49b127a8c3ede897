//! How does any AWS client reach simulated accounts? Over HTTP on a socket, in real time, one account for each Region.
//!
//! It carries requests and answers; which account is meant it takes from the signature, which it does not verify.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::account::{Account, Broken};
use crate::clock::SimClock;
use crate::settings::{DEFAULT_REGION, Settings};
use crate::wire;
use crate::world::World;

/// Accounts by Region; each is created by its first request.
pub struct Accounts {
    clock: SimClock,
    make: Box<dyn Fn(&str) -> World + Send + Sync>,
    regions: Mutex<BTreeMap<String, Account>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Accounts {
    /// Accounts that are made by `make`, which is given the Region's name.
    pub fn new(clock: SimClock, make: impl Fn(&str) -> World + Send + Sync + 'static) -> Self {
        Self { clock, make: Box::new(make), regions: Mutex::new(BTreeMap::new()) }
    }

    /// Empty accounts with gentle settings.
    pub fn empty(clock: SimClock, seed: u64) -> Self {
        Self::new(clock, move |region| World::new(Settings::served().in_region(region), seed, clock.time()))
    }

    /// The account of a Region.
    pub fn region(&self, name: &str) -> Account {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = regions.get(name) {
            return account.clone();
        }
        let account = Account::new((self.make)(name), self.clock);
        regions.insert(name.to_owned(), account.clone());
        account
    }

    fn all(&self) -> Vec<Account> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The account that a request is for: as signed, for a function URL as its ARN says or the one that has the function, else the default.
    fn of<B>(&self, request: &http::Request<B>) -> Account {
        if let Some(region) = wire::region(request.headers()) {
            return self.region(region);
        }
        let default = self.region(DEFAULT_REGION);
        let Some(visited) = visited(request.uri().path()) else { return default };
        let (region, function) = visited;
        if let Some(region) = region {
            return self.region(&region);
        }
        let has_it = |account: &Account| account.with(|world| world.has_function(&function));
        let owner = if has_it(&default) { None } else { self.all().into_iter().find(has_it) };
        owner.unwrap_or(default)
    }
}

/// Serves the accounts until `shutdown` is done; then open connections are cut.
///
/// # Errors
/// If the listener can accept no more connections.
pub async fn serve(accounts: Accounts, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    // Made at once, so that a story is under way before the first request.
    accounts.region(DEFAULT_REGION);
    let accounts = Arc::new(accounts);
    let mut connections = JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            _ = ticks.tick() => {
                for account in accounts.all() {
                    account.with(|_| ());
                }
            }
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(Arc::clone(&accounts), stream));
                }
                Err(error) if is_passing(&error) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => return Err(error),
            },
        }
    }
}

/// One connection, with as many requests as the client sends. How it ends does not matter to the others.
async fn converse(accounts: Arc<Accounts>, stream: TcpStream) {
    // Answers are small and complete; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let exchange = service_fn(move |request| {
        let accounts = Arc::clone(&accounts);
        async move { exchange(&accounts, request).await }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), exchange).await;
}

/// An error here makes hyper close the connection without an answer, which is what a broken one looks like.
async fn exchange(accounts: &Accounts, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut response = http::Response::new(Full::new(Bytes::from_static(br#"{"message":"Request Entity Too Large"}"#)));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let request = http::Request::from_parts(head, body.to_bytes());
    let account = accounts.of(&request);
    let caller = wire::caller(request.headers()).to_owned();
    Ok(account.call(&caller, request).await?.map(Full::new))
}

/// The Region, which only an ARN has, and the function of `/url/<name or ARN>[:alias]/…`.
fn visited(path: &str) -> Option<(Option<String>, String)> {
    let target = path.strip_prefix("/url/")?.split('/').next()?;
    let target = percent_decode_str(target).decode_utf8_lossy();
    let mut parts = target.split(':');
    if !target.starts_with("arn:") {
        return Some((None, parts.next()?.to_owned()));
    }
    let (region, function) = (parts.nth(3)?, parts.nth(2)?);
    Some((Some(region.to_owned()), function.to_owned()))
}

/// Whether accepting may work again: the connection is gone, or too many files are open for the moment.
fn is_passing(error: &io::Error) -> bool {
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
        || error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code))
}

/// How far a world may lag behind without requests.
const TICK: Duration = Duration::from_secs(1);

/// A zipped deployment package may have 50 MB, which base64 makes a third larger.
const BODY_LIMIT: usize = 70 * 1024 * 1024;
