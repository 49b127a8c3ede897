//! What the binary makes of proxies, certificates, servers and files that somebody else controls.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::folder::Folder;
use crate::served::{SHORT, Served, canaryctl, code, expect, run, text};

/// A server that answers everything so, and tells what it was asked.
fn server(answer: String) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut asked = vec![0; 16 * 1024];
            let length = stream.read(&mut asked).unwrap_or_default();
            asked.truncate(length);
            let _ = tell.send(String::from_utf8_lossy(&asked).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, told)
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn what_is_on_this_machine_is_asked_for_without_a_proxy() {
    let served = Served::start();
    let (proxy, asked) = server(answer("502 Bad Gateway", "<html>"));
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let output = served.command("status hello").env(name, &proxy).output().unwrap();
        assert_eq!(code(&output), 0, "{name}: {}", text(&output));
    }
    // Nor are the credentials of a container, with the token that they are given for.
    let output = canaryctl()
        .args(["status", "hello", "--region", "us-east-1", "--endpoint-url", &served.url])
        .env("HTTP_PROXY", &proxy)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/credentials")
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush")
        .output()
        .unwrap();
    assert_eq!(code(&output), 2, "{}", text(&output));
    let (hook, answered) = server(answer("200 OK", r#"{"status":"Succeeded"}"#));
    let mut rollout = served.command(SHORT);
    let output = rollout.args(["--pre-hook", &format!("{hook}/?token=hush")]).env("HTTP_PROXY", &proxy).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(answered.recv().unwrap().contains("token=hush"));
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), Vec::<String>::new(), "the proxy was asked");
}

#[test]
fn a_bundle_that_cannot_be_read_is_an_error_that_names_it() {
    let served = Served::start();
    let unusable = "-----BEGIN CERTIFICATE-----\nMAcwBQIBAQEA\n-----END CERTIFICATE-----\n";
    let files = [("none.pem", "no certificates\n"), ("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n"), ("odd.pem", unusable)];
    let folder = Folder::new("bundle", &files);
    let path = |name: &str| folder.0.join(name).display().to_string();
    for (file, word) in [
        ("absent.pem", "cannot be read"),
        ("none.pem", "no certificate in it"),
        ("cut.pem", "ends in the middle"),
        ("odd.pem", "cannot be used"),
    ] {
        let output = served.command("status hello").env("AWS_CA_BUNDLE", path(file)).output().unwrap();
        assert_eq!(code(&output), 2, "{file}: {}", text(&output));
        assert!(text(&output).contains(&format!("`{}` (AWS_CA_BUNDLE) ", path(file))), "{}", text(&output));
        assert!(text(&output).contains(word), "{file}: {}", text(&output));
        std::fs::write(folder.0.join("config"), format!("[default]\nca_bundle = {}\n", path(file))).unwrap();
        let output = served.command("status hello").env("AWS_CONFIG_FILE", path("config")).output().unwrap();
        assert_eq!(code(&output), 2, "{file}: {}", text(&output));
        assert!(text(&output).contains("(`ca_bundle` of the profile) "), "{}", text(&output));
    }
}

#[test]
fn a_hooks_host_that_no_request_can_be_sent_to_is_refused_without_its_token() {
    let served = Served::start();
    for host in ["%41:1", "a~b", "a%zz", "-", "a..b", "[1:2]", "[::1.2.3.4.5]", "1.2.3.4.5"] {
        let mut rollout = served.command(SHORT);
        let output =
            rollout.args(["--pre-hook", &format!("https://{host}/x?token=hush")]).env("RUST_LOG", "debug").output().unwrap();
        assert_eq!(code(&output), 2, "{host}: {}", text(&output));
        assert!(!text(&output).contains("hush"), "{}", text(&output));
    }
    assert_eq!(served.account.with(|world| world.log().len()), 0, "something was sent");
}

#[test]
fn no_server_commands_the_ci_system_by_what_it_says() {
    let said = "no\\n::error title=pwned::x\\n::set-output name=outcome::promoted\\r\\n##[command]x ##vso[task]b\\u001b[31m";
    let refusal = format!(r#"{{"Type":"User","Message":"{said}","message":"{said}"}}"#);
    let head = "403 Forbidden\r\ncontent-type: application/json\r\nx-amzn-errortype: AccessDeniedException";
    let (url, _asked) = server(answer(head, &refusal));
    let commands = [
        "status hello",
        "status hello --output json",
        "rollback hello --timeout 1s",
        "plan hello --type AllAtOnce",
        "doctor hello --type AllAtOnce",
        "rollout hello --type AllAtOnce",
        "rollout hello --type AllAtOnce --output json",
        "pause hello",
        "hook report hello --execution-id 7f3ac2e1/pre-traffic/1 --status Succeeded",
        "analyze --from-cloudwatch hello",
        "status hello --watch",
    ];
    for arguments in commands {
        let mut command = canaryctl();
        command.args(arguments.split_whitespace()).args(["--endpoint-url", &url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any").env("GITHUB_ACTIONS", "true");
        let output = command.env("RUST_LOG", "info").output().unwrap();
        assert_ne!(code(&output), 0, "{arguments}");
        for line in text(&output).lines() {
            let begins = line.trim_start();
            let commands = ["::error title=pwned", "::set-output"].iter().any(|word| begins.starts_with(word));
            assert!(!commands && !line.contains("##[") && !line.contains("##vso["), "{arguments}: {line}");
        }
        assert!(!text(&output).contains("\u{1b}[31m"), "{arguments}: {}", text(&output));
    }
}

fn entries(folder: &Folder) -> usize {
    std::fs::read_dir(&folder.0).unwrap().count()
}

#[test]
fn a_report_is_written_into_no_file_that_somebody_else_put_there() {
    let folder = Folder::new("planted", &[("victim", "precious")]);
    let path = |name: &str| folder.0.join(name);
    expect(run(&format!("rollout hello --simulate --speed max --events {}", path("e.jsonl").display())), 0, "");
    // Who knows how temporary files are called can only guess.
    let before = entries(&folder);
    let command = canaryctl()
        .args(["replay", "e.jsonl", "--report", "x.html"])
        .current_dir(&folder.0)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _ = std::os::unix::fs::symlink(path("victim"), path(&format!(".x.html.{}", command.id())));
    assert!(command.wait_with_output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(path("victim")).unwrap(), "precious");
    assert!(!std::fs::symlink_metadata(path("x.html")).unwrap().is_symlink());
    // A link to a name that was chosen stays one, and nothing else is left.
    std::os::unix::fs::symlink(path("target.html"), path("link.html")).unwrap();
    std::fs::write(path("target.html"), "old").unwrap();
    expect(folder.offline("replay e.jsonl --report link.html"), 0, "");
    assert!(std::fs::symlink_metadata(path("link.html")).unwrap().is_symlink());
    assert!(std::fs::read_to_string(path("target.html")).unwrap().contains("<html"));
    assert_eq!(entries(&folder), before + 4);
}

/// The longest commands, and inputs that are nested as deeply as anybody likes, on a first thread with hardly any stack.
#[test]
fn neither_a_command_nor_an_input_needs_more_stack_than_there_is() {
    let deep = format!("functions:\n  hello:\n    {}{}\n", "a: {".repeat(20_000), "}".repeat(20_000));
    let head = r#"{"v":1,"at":"2026-11-23T14:02:13.400Z","function":"h","alias":"l","type":"x","a":"#;
    let line = format!("{head}{}{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let folder = Folder::new("deep", &[("deep.yml", &deep), ("list.yml", &"[".repeat(100_000)), ("deep.jsonl", &line)]);
    for (arguments, expected) in [
        ("rollout hello --simulate --speed max --events events.jsonl --observations", 0),
        ("replay events.jsonl --report report.html", 0),
        ("verify events.jsonl", 0),
        ("plan hello --simulate", 0),
        ("doctor hello --simulate", 0),
        ("status hello --simulate", 0),
        ("abort hello --simulate", 3),
        ("plan hello --config deep.yml --simulate", 2),
        ("plan hello --config list.yml --simulate", 2),
        ("replay deep.jsonl", 2),
        ("verify deep.jsonl", 2),
    ] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -s 256; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_canaryctl")]);
        let output = shell.args(arguments.split_whitespace()).current_dir(&folder.0).output().unwrap();
        assert_eq!(code(&output), expected, "{arguments}: {}", text(&output));
    }
}
