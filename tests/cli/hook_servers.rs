//! The binary and a hook's real server, each a process or a thread of its own with a socket between them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::served::{SHORT, Served, expect, expect_all, run, text};

/// Serves one answer after the other, each to one request, and gives what each request was: the head's lines and the body.
fn server(answers: Vec<&'static str>) -> (String, Receiver<(Vec<String>, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (received, requests) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = question(&stream);
            write!(stream, "HTTP/1.1 {answer}").unwrap();
            received.send(asked).unwrap();
        }
    });
    (url, requests)
}

fn question(stream: &TcpStream) -> (Vec<String>, String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head: Vec<String> = reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

const SUCCEEDED: &str = "200 OK\r\nconnection: close\r\ncontent-length: 22\r\n\r\n{\"status\":\"Succeeded\"}";

#[test]
fn a_hook_is_asked_over_a_socket_and_its_token_is_never_written() {
    let served = Served::start();
    // Written down are the most talkative logs there are, the events and the report.
    let (url, requests) = server(vec![SUCCEEDED]);
    let folder = std::env::temp_dir();
    let named = |kind: &str| folder.join(format!("canaryctl-hook-{}.{kind}", std::process::id()));
    let kept = ["jsonl", "html", "md", "json"].map(named);
    let mut command = served.command(&format!("{SHORT} --analysis off --observations --post-hook {url}/canary?token=hush"));
    command.arg("--events").arg(&kept[0]).env("RUST_LOG", "trace");
    command.args(kept[1..].iter().flat_map(|file| ["--report".as_ref(), file.as_os_str()]));
    let output = expect(command.output().unwrap(), 0, "");
    let (head, body) = requests.recv().unwrap();
    assert_eq!(head[0], "POST /canary?token=hush HTTP/1.1");
    for line in ["content-type: application/json", "user-agent: canaryctl", &format!("host: {}", &url["http://".len()..])] {
        assert!(head.iter().any(|found| found.eq_ignore_ascii_case(line)), "{line}: {head:?}");
    }
    assert!(!head.iter().any(|line| line.to_lowercase().starts_with("authorization")), "{head:?}");
    let asked: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&asked["canaryctl"]["phase"], &asked["canaryctl"]["candidate_version"]), (&"post-traffic".into(), &"2".into()));
    assert!(text(&output).contains(&format!("{url}/canary succeeded")), "{}", text(&output));
    assert!(!text(&output).contains("hush"), "{}", text(&output));
    assert!(text(&output).contains("DEBUG"), "the log was not there at all");
    for file in kept {
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written.contains(&format!("{url}/canary")) && !written.contains("hush"), "{}", file.display());
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn what_a_server_says_instead_is_a_reason_to_go_back() {
    for (answer, word) in [
        ("503 Service Unavailable\r\nconnection: close\r\ncontent-length: 7\r\n\r\nno luck", "HTTP status 503: no luck"),
        ("301 Moved\r\nlocation: https://new.example/?token=hush\r\ncontent-length: 0\r\n\r\n", "redirects to `new.example`"),
        // It promises more than it sends.
        ("200 OK\r\ncontent-length: 500\r\n\r\n{\"status\":\"Succeeded\"}", "not known whether it ran"),
        ("nonsense", "not known whether it ran"),
    ] {
        let served = Served::start();
        let (url, _requests) = server(vec![answer]);
        let output = expect(served.run(&format!("{SHORT} --analysis off --pre-hook {url}/canary")), 11, word);
        assert!(!text(&output).contains("hush"), "{answer}: {}", text(&output));
        assert!(served.share("2") == 0.0);
    }
}

#[test]
fn a_server_that_sends_without_an_end_is_not_listened_to_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        question(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 8192]).is_ok() {}
    });
    let served = Served::start();
    expect(served.run(&format!("{SHORT} --analysis off --pre-hook {url}")), 11, "it answered without a status: xxx");
}

#[test]
fn a_url_that_could_tell_secrets_is_refused_and_not_repeated() {
    for (url, word) in [
        ("http://hooks.example/hush", "not encrypted"),
        ("https://user:hush@hooks.example/", "must not contain credentials"),
        ("https://hooks.example/#hush", "never sent"),
    ] {
        let output = run(&format!("rollout hello --simulate --no-config --pre-hook {url}"));
        let output = expect_all(output, 2, &[word, "--pre-hook"]);
        assert!(!text(&output).contains("hush"), "{}", text(&output));
    }
}

#[test]
fn a_plan_says_that_a_url_is_asked_first_when_it_counts() {
    let asked = "https://hooks.example/succeeds?token=hush";
    let words = "post-traffic hook https://hooks.example/succeeds (not checked before the rollout)";
    let output = expect(run(&format!("plan hello --simulate --no-config --post-hook {asked}")), 0, words);
    assert!(!text(&output).contains("hush"), "{}", text(&output));
}

/// The environment of a job of GitHub Actions whose API is here.
fn job(command: &mut std::process::Command, api: &str) {
    command.env("GITHUB_TOKEN", "ghs_hush").env("GITHUB_REPOSITORY", "acme/shop").env("GITHUB_SHA", "abc123");
    command.env("GITHUB_API_URL", format!("{api}/api/v3")).env("GITHUB_RUN_ID", "77").env_remove("GITHUB_SERVER_URL");
    command.env_remove("GITHUB_ACTIONS");
}

#[test]
fn github_is_told_over_a_socket_when_asked_to_be_and_its_token_is_never_written() {
    let served = Served::start();
    let answers = [
        ("200 OK", "[]"),
        ("201 Created", r#"{"id":5}"#),
        ("201 Created", r#"{"id":6}"#),
        ("200 OK", r#"[{"id":5}]"#),
        ("201 Created", r#"{"id":7}"#),
    ];
    let answers = answers.map(|(status, body)| {
        let text = format!("{status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        &*Box::leak(text.into_boxed_str())
    });
    let (api, requests) = server(answers.to_vec());
    let mut command = served.command(&format!("{SHORT} --analysis off --notify github:staging"));
    job(command.env("RUST_LOG", "trace"), &api);
    let output = expect(command.output().unwrap(), 0, "");
    let all: Vec<(Vec<String>, String)> = requests.iter().take(5).collect();
    let lines: Vec<&str> = all.iter().map(|(head, _)| head[0].as_str()).collect();
    let (list, rest) = (lines[0], &lines[1..]);
    assert!(list.starts_with("GET /api/v3/repos/acme/shop/deployments?task=deploy%3A"), "{list}");
    assert!(list.ends_with("&environment=staging&per_page=1 HTTP/1.1"), "{list}");
    let status = "POST /api/v3/repos/acme/shop/deployments/5/statuses HTTP/1.1";
    assert_eq!(rest, ["POST /api/v3/repos/acme/shop/deployments HTTP/1.1", status, list, status]);
    for (head, _) in &all {
        for line in ["authorization: Bearer ghs_hush", "accept: application/vnd.github+json", "user-agent: canaryctl"] {
            assert!(head.iter().any(|found| found.eq_ignore_ascii_case(line)), "{line}: {head:?}");
        }
    }
    let ended: serde_json::Value = serde_json::from_str(&all[4].1).unwrap();
    assert_eq!((&ended["state"], &ended["log_url"]), (&"success".into(), &"https://github.com/acme/shop/actions/runs/77".into()));
    assert!(text(&output).contains("DEBUG"), "the log was not there at all");
    assert!(!text(&output).contains("hush"), "{}", text(&output));
}

/// A token in the environment alone is no wish.
#[test]
fn github_is_told_nothing_unasked_and_what_is_missing_is_said_at_the_start() {
    let served = Served::start();
    let (api, requests) = server(vec![SUCCEEDED]);
    let mut command = served.command(&format!("{SHORT} --analysis off"));
    job(&mut command, &api);
    expect(command.output().unwrap(), 0, "");
    assert!(requests.try_recv().is_err());
    let writes = served.writes();
    let mut command = served.command(&format!("{SHORT} --analysis off --notify github"));
    job(&mut command, &api);
    command.env_remove("GITHUB_TOKEN");
    let words = ["`notify`: `github:production`: the environment variable `GITHUB_TOKEN` is not set", "deployments: write"];
    expect_all(command.output().unwrap(), 2, &words);
    let mut command = served.command(&format!("{SHORT} --analysis off --notify github --detach"));
    job(&mut command, &api);
    expect(command.output().unwrap(), 2, "`--detach`: github:production cannot be notified");
    assert_eq!(served.writes(), writes);
}
