//! What stops a connection before anything is sent, and what does not cost anything until it is needed.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::SystemTime;

use aws::{Aws, ClientOverrides, Credentials, Settings, connect};
use controller::port::{Cloud, CloudError, Failure, Revision};
use rollout::Alias;
use rollout::alias::Target;
use sim::{Accounts, SimClock, Time, World};

use crate::simulated::subject;

pub(crate) fn settings(region: &str, endpoint_url: &str) -> Settings {
    Settings { region: Some(region.to_owned()), endpoint_url: Some(endpoint_url.to_owned()), ..Settings::default() }
}

/// Everything real but the credentials.
pub(crate) async fn real(settings: Settings) -> Result<Aws, CloudError> {
    let key = Credentials::new("ME", "secret", None, None, "test");
    connect(settings, ClientOverrides { credentials: Some(key), ..ClientOverrides::default() }).await
}

/// How a write to this address fails.
async fn failing_write(address: SocketAddr) -> CloudError {
    let aws = real(settings("us-east-1", &format!("http://{address}"))).await.expect("sound settings");
    let desired = Alias { target: Target::Latest, weights: vec![], description: String::new() };
    aws.update_alias(&subject("hello:live"), &desired, &Revision("any".to_owned())).await.expect_err("nobody to answer")
}

#[tokio::test]
async fn settings_that_make_no_sense_are_said_at_once() {
    let url = "http://127.0.0.1:4566";
    for (region, endpoint, word) in [
        ("", url, "AWS_REGION"),
        ("eu west", url, "`eu west`"),
        ("us-east-1", "127.0.0.1:4566", "not an endpoint"),
        ("us-east-1", "ftp://host", "not an endpoint"),
    ] {
        let error = real(settings(region, endpoint)).await.expect_err("a setting that makes no sense");
        assert_eq!(error.failure, Failure::Unsent);
        assert!(error.message.contains(word), "{error}");
    }
    assert_eq!(real(settings("eu-central-2", url)).await.expect("sound settings").region(), "eu-central-2");
}

#[test]
fn secrets_are_not_shown() {
    let key = Credentials::new("AKID", "hush", None, None, "test");
    let shown = format!("{key:?}");
    assert!(shown.contains("AKID") && !shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_named_and_no_other_credentials_are_taken() {
    let profile = Some("surely-not-defined-anywhere".to_owned());
    let settings = Settings { profile, ..settings("us-east-1", "http://127.0.0.1:1") };
    let aws = connect(settings, ClientOverrides::default()).await.expect("sound settings");
    let error = aws.alias(&subject("hello:live")).await.expect_err("nobody to ask as");
    assert_eq!(error.failure, Failure::Unsigned);
    assert!(error.message.contains("`surely-not-defined-anywhere`"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let error = failing_write(closed).await;
    assert_eq!(error.failure, Failure::Unsent, "{error}");
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn the_sdks_own_client_reaches_what_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let accounts = Accounts::new(SimClock::new(SystemTime::now()), |region| {
        let mut world = World::new(sim::Settings::served().in_region(region), 1, Time::from(SystemTime::now()));
        world.create_function("hello", &[]).expect("a function");
        world.publish("hello", 1).expect("a version");
        world.set_alias("hello", "live", "1", None).expect("an alias");
        world
    });
    let served = sim::serve(accounts, listener, std::future::pending());
    let asked = async {
        let aws = real(settings("us-east-1", &format!("http://{address}"))).await.expect("sound settings");
        let held = aws.alias(&subject("hello:live")).await.expect("an answer").expect("an alias");
        let written = aws.update_alias(&subject("hello:live"), &held.alias, &held.revision).await.expect("a success");
        assert_eq!(written.alias, held.alias);
        assert_ne!(written.revision, held.revision);
        assert_eq!(aws.alarms(&["absent".to_owned()], rollout::Time::default()).await.map(|read| read.answer), Ok(vec![]));
    };
    tokio::select! {
        ended = served => panic!("the server ended: {ended:?}"),
        () = asked => {}
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_the_answer_open() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).expect("a request");
        drop(stream);
        // One connection more would be a second attempt.
        listener.set_nonblocking(true).expect("a socket");
        thread::sleep(std::time::Duration::from_millis(200));
        (read, listener.accept().is_err())
    });
    let error = failing_write(address).await;
    assert_eq!(error.failure, Failure::Unanswered, "{error}");
    let (read, alone) = server.join().expect("a server");
    assert!(read > 0 && alone);
}
