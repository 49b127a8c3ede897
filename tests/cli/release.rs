//! The action takes the released binary of its own version, once, and only if it is what was released.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::folder::Folder;
use crate::served::{code, text};

/// A server of files, which counts what it is asked for.
struct Releases {
    url: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

impl Releases {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (files, asked) = (Arc::new(Mutex::new(BTreeMap::<String, Vec<u8>>::new())), Arc::new(AtomicUsize::new(0)));
        let (served, count) = (Arc::clone(&files), Arc::clone(&asked));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                count.fetch_add(1, Ordering::Relaxed);
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                let found = served.lock().unwrap().get(&path).cloned();
                let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
                stream.write_all(&body).unwrap();
            }
        });
        Self { url, files, asked }
    }

    /// Puts a release of this version here, whose binary says `released`.
    fn release(&self, folder: &Folder, platform: &str) -> String {
        let inner = folder.0.join(format!("canaryctl-{platform}"));
        fs::create_dir_all(&inner).unwrap();
        program(&inner.join("canaryctl"), "echo released");
        let name = format!("canaryctl-{platform}.tar.gz");
        let shell = format!("tar -czf {name} canaryctl-{platform} && sha256sum {name} > {name}.sha256");
        assert!(Command::new("sh").args(["-c", &shell]).current_dir(&folder.0).status().unwrap().success());
        for name in [name.clone(), format!("{name}.sha256")] {
            let body = fs::read(folder.0.join(&name)).unwrap();
            self.files.lock().unwrap().insert(format!("/v{}/{name}", env!("CARGO_PKG_VERSION")), body);
        }
        format!("/v{}/{name}", env!("CARGO_PKG_VERSION"))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn program(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
}

/// Runs the script with a cache of its own, and a cargo that only says that it was asked.
fn install(folder: &Folder, releases: &str, platform: &str) -> Output {
    let cargo = folder.0.join("cargo");
    let makes = "printf '#!/bin/sh\\necho built\\n' > \"$2/bin/canaryctl\"; chmod +x \"$2/bin/canaryctl\"";
    program(&cargo, &format!("while [ \"$1\" != --root ]; do shift; done; mkdir -p \"$2/bin\"; {makes}"));
    let uname = folder.0.join("bin");
    fs::create_dir_all(&uname).unwrap();
    let (system, machine) = platform.split_once(' ').unwrap();
    program(&uname.join("uname"), &format!("[ \"$1\" = -s ] && echo {system} || echo {machine}"));
    let path = format!("{}:{}", uname.display(), std::env::var("PATH").unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-release");
    let mut command = Command::new("bash");
    command.arg(script).env("PATH", path).env("RELEASES", releases).env("RUNNER_TOOL_CACHE", cache(folder)).env("CARGO", &cargo);
    for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    command.output().unwrap()
}

fn cache(folder: &Folder) -> PathBuf {
    folder.0.join("cache")
}

/// What the binary says whose path was printed.
fn says(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", text(output));
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    String::from_utf8(Command::new(path).output().unwrap().stdout).unwrap().trim().to_owned()
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: {tool} is not installed");
    }
    there
}

const LINUX: &str = "Linux x86_64";

#[test]
fn a_release_is_downloaded_once_and_then_taken_from_the_cache() {
    if !is_there("curl") || !is_there("bash") {
        return;
    }
    for (platform, machine) in [
        ("x86_64-unknown-linux-gnu", LINUX),
        ("aarch64-unknown-linux-gnu", "Linux aarch64"),
        ("aarch64-apple-darwin", "Darwin arm64"),
    ] {
        let (releases, folder) = (Releases::start(), Folder::new(&format!("release-{platform}"), &[]));
        releases.release(&folder, platform);
        assert_eq!(says(&install(&folder, &releases.url, machine)), "released");
        assert_eq!(releases.asked(), 2, "the archive and its checksum");
        // Offline, too.
        assert_eq!(says(&install(&folder, "http://127.0.0.1:9", machine)), "released");
    }
}

#[test]
fn a_wrong_checksum_installs_nothing_and_builds_nothing() {
    if !is_there("curl") || !is_there("bash") {
        return;
    }
    let (releases, folder) = (Releases::start(), Folder::new("release-wrong", &[]));
    let archive = releases.release(&folder, "x86_64-unknown-linux-gnu");
    releases.files.lock().unwrap().get_mut(&archive).unwrap()[20] ^= 1;
    let output = install(&folder, &releases.url, LINUX);
    assert!(code(&output) == 1 && text(&output).contains("the checksum of"), "{}", text(&output));
    assert!(!cache(&folder).exists() && output.stdout.is_empty());
    // A checksum that is none is no better.
    releases.release(&folder, "x86_64-unknown-linux-gnu");
    releases.files.lock().unwrap().insert(format!("{archive}.sha256"), b"\n".to_vec());
    assert_eq!(code(&install(&folder, &releases.url, LINUX)), 1);
}

#[test]
fn without_a_release_it_is_built_and_without_a_network_it_is_not() {
    if !is_there("curl") || !is_there("bash") {
        return;
    }
    let (releases, folder) = (Releases::start(), Folder::new("release-none", &[]));
    let output = install(&folder, &releases.url, LINUX);
    assert_eq!(says(&output), "built");
    assert!(text(&output).contains("there is no release of canaryctl"), "{}", text(&output));
    let other = Folder::new("release-other", &[]);
    assert_eq!(says(&install(&other, &releases.url, "FreeBSD amd64")), "built");
    let offline = Folder::new("release-offline", &[]);
    let output = install(&offline, "http://127.0.0.1:9", LINUX);
    assert!(code(&output) == 1 && text(&output).contains("could not be downloaded"), "{}", text(&output));
    assert!(!cache(&offline).exists());
}
