//! Any HTTP client can use the simulated accounts through a socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime};

use sim::{Accounts, Effect, Fault, Settings, SimClock, Time, World, serve};

/// Serves `accounts` from a thread of its own, for as long as the test runs.
fn served(make: impl Fn(SimClock) -> Accounts + Send + 'static) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            serve(make(SimClock::new(SystemTime::now())), listener, std::future::pending()).await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// A function `f` whose alias `live` is in the Region's own account.
fn furnished(clock: SimClock) -> Accounts {
    Accounts::new(clock, |region| {
        let mut world = World::new(Settings::served().in_region(region), 1, Time::from(SystemTime::now()));
        world.create_function("f", &[("SIM_BODY", region)]).unwrap();
        world.publish("f", 1).unwrap();
        world.set_alias("f", "live", "1", None).unwrap();
        world
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// The next answer on a connection: its head and as much body as `content-length` says.
fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {:?}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn signed(region: &str) -> String {
    format!("host: sim\r\nauthorization: AWS4-HMAC-SHA256 Credential=ME/20260101/{region}/lambda/aws4_request, Signature=0\r\n")
}

#[test]
fn one_connection_carries_many_requests_for_any_region() {
    let mut stream = connect(served(furnished));
    for region in ["eu-west-1", "us-east-1", "eu-west-1"] {
        write!(stream, "GET /2015-03-31/functions/f/aliases/live HTTP/1.1\r\n{}\r\n", signed(region)).unwrap();
        let (head, body) = answer(&mut stream);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ndate: ") && head.contains("\r\nx-amzn-requestid: "),
            "{head}"
        );
        assert!(body.contains(&format!("arn:aws:lambda:{region}:111111111111:function:f:live")), "{body}");
    }
}

#[test]
fn a_client_may_wait_for_leave_to_send_its_body_and_send_it_in_chunks() {
    let mut stream = connect(served(furnished));
    let request = signed("us-east-1");
    write!(
        stream,
        "PUT /2015-03-31/functions/f/aliases/live HTTP/1.1\r\n{request}expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .unwrap();
    let (leave, _) = answer(&mut stream);
    assert!(leave.starts_with("HTTP/1.1 100 Continue"), "{leave}");
    stream.write_all(b"10\r\n{\"Description\":\"\r\n6\r\nlater\"\r\n1\r\n}\r\n0\r\n\r\n").unwrap();
    let (head, body) = answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"Description\":\"later\""), "{head}{body}");
}

#[test]
fn a_function_url_needs_no_signature_and_finds_its_region() {
    let address = served(|clock| {
        Accounts::new(clock, |region| {
            let mut world = World::new(Settings::served().in_region(region), 1, Time::from(SystemTime::now()));
            if region == "eu-west-1" {
                world.create_function("f", &[("SIM_BODY", "from the west")]).unwrap();
            }
            world
        })
    });
    let mut stream = connect(address);
    write!(stream, "GET /2015-03-31/functions HTTP/1.1\r\n{}\r\n", signed("eu-west-1")).unwrap();
    answer(&mut stream);
    write!(stream, "GET /url/f/some/path HTTP/1.1\r\nhost: sim\r\n\r\n").unwrap();
    let (head, body) = answer(&mut stream);
    assert!(head.contains("\r\nx-amz-executed-version: $LATEST\r\n"), "{head}");
    assert_eq!(body, "from the west");
}

#[test]
fn a_function_url_leads_back_to_the_region_that_made_it() {
    let address = served(furnished);
    let mut stream = connect(address);
    // The first of them by name is neither the default nor the last that was used.
    for region in ["us-west-2", "ap-south-1", "us-east-1", "eu-west-1"] {
        let (request, body) = (signed(region), r#"{"AuthType":"NONE"}"#);
        let length = body.len();
        write!(
            stream,
            "POST /2021-10-31/functions/f/url?Qualifier=live HTTP/1.1\r\n{request}content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let (head, made) = answer(&mut stream);
        assert!(head.starts_with("HTTP/1.1 201"), "{head}{made}");
        let (_, rest) = made.split_once("\"FunctionUrl\":\"http://sim").unwrap();
        let (path, _) = rest.split_once('"').unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: sim\r\n\r\n").unwrap();
        let (head, body) = answer(&mut stream);
        assert!(head.contains("\r\nx-amz-executed-version: 1\r\n"), "{path}: {head}");
        assert_eq!(body, region, "{path}");
    }
}

#[test]
fn a_lost_answer_closes_the_connection_without_a_word() {
    let address = served(|clock| {
        Accounts::new(clock, |_| {
            let mut world = World::new(Settings::served(), 1, Time::from(SystemTime::now()));
            world.add_fault(Fault::on("GetAlias", Effect::LostAnswer).nth(1));
            world
        })
    });
    let mut stream = connect(address);
    write!(stream, "GET /2015-03-31/functions/f/aliases/live HTTP/1.1\r\n{}\r\n", signed("us-east-1")).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    let mut stream = connect(address);
    write!(stream, "GET /2015-03-31/functions/f/aliases/live HTTP/1.1\r\n{}\r\n", signed("us-east-1")).unwrap();
    assert!(answer(&mut stream).0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_shut_down_server_stops_listening() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = SimClock::new(SystemTime::now());
        serve(furnished(clock), listener, tokio::time::sleep(Duration::from_millis(50))).await.unwrap();
        address
    });
    assert!(TcpStream::connect(address).is_err());
}
