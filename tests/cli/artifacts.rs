//! The files that a rollout writes: events, reports, what CI systems read. None of them ever changes how a rollout ends.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sim::{Effect, Fault};

use crate::folder::Folder;
use crate::served::{SHORT, Served, assert_has, code, expect, expect_all, expect_end, kill, run, signal, text};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a rollout that ends with this exit code, and gives what it printed.
fn ended_with(served: &Served, code: i32) -> String {
    let child = match code {
        0 => served.start_command(SHORT),
        1 => {
            // What only stands in for AWS is not asked beforehand whether it may.
            served.fault(Fault::on("PublishVersion", Effect::Deny).calls(1..=9));
            served.start_command(SHORT)
        }
        3 => served.start_command("rollout hello --type AllAtOnce --alarm missing"),
        11 => {
            served.account.with(|world| world.create_function("fails", &[("SIM_HOOK", "Failed")]).unwrap());
            served.start_command(&format!("{SHORT} --post-hook fails"))
        }
        12 => served.start_long("--blind-limit 1s"),
        30 => served.start_long("--on-interrupt hold"),
        _ => served.start_long(""),
    };
    match code {
        0 | 1 | 3 | 11 => {}
        10 => served.account.with(|world| world.set_alarm_state("errors", "ALARM")).unwrap(),
        12 => served.fault(Fault::on("DescribeAlarms", Effect::Deny)),
        13 | 30 => signal(&child, "-TERM"),
        20 => {
            served.fault(Fault::on("UpdateAlias", Effect::ServerError(500)));
            signal(&child, "-INT");
            thread::sleep(Duration::from_secs(1));
            signal(&child, "-INT");
        }
        21 => served.account.with(|world| {
            world.publish("hello", 3).unwrap();
            world.set_alias("hello", "live", "3", None).unwrap();
        }),
        other => panic!("{other} is no exit code of a rollout"),
    }
    expect_end(child, code)
}

/// The end of a log alone says what happened, why, where the traffic is (and there it is), and what to type.
#[test]
fn the_last_ten_lines_say_it_all_for_every_exit_code() {
    let (status, logs) = ("canaryctl status hello:live", "aws logs tail /aws/lambda");
    let (stays, confirmed) = ("✖ ROLLED BACK   hello:live stays on 1", "100% on 1, confirmed at");
    let unconfirmed = "✖ ROLLBACK NOT CONFIRMED   hello:live: page someone";
    let left = "▸ LEFT IN PROGRESS   hello:live: 2 keeps 10% of traffic";
    let rows = [
        (
            0,
            "▸ PROMOTED   hello:live is on 2, unobserved: no invocation of it was counted",
            "100% on 2",
            "canaryctl rollback hello:live",
            ("2", 1.0),
        ),
        (1, "✖ FAILED   hello:live", "100% on 1", status, ("2", 0.0)),
        (3, "✖ REFUSED   hello:live: traffic unchanged", "100% on 1", status, ("2", 0.0)),
        (10, stays, confirmed, &format!("{logs}/hello"), ("2", 0.0)),
        (11, stays, confirmed, &format!("{logs}/fails"), ("2", 0.0)),
        (12, stays, confirmed, status, ("2", 0.0)),
        (13, stays, confirmed, status, ("2", 0.0)),
        (20, unconfirmed, "unknown: it should be 100% on 1", "aws lambda update-alias", ("2", 0.1)),
        (21, "✖ SUPERSEDED   another owner has hello:live", "100% on 3", status, ("3", 1.0)),
        (30, left, "90% on 1, 10% on 2", "canaryctl rollback hello:live", ("2", 0.1)),
    ];
    thread::scope(|scope| {
        for (code, verdict, now, next, (version, weight)) in rows {
            scope.spawn(move || {
                let served = Served::start();
                let out = ended_with(&served, code);
                let last: Vec<&str> = out.lines().rev().take(10).collect();
                let row = |word: &str, text: &str| {
                    last.iter().any(|line| line.starts_with(&format!("  {word:<10}")) && line.contains(text))
                };
                assert!(last.iter().any(|line| line.starts_with(verdict)), "{code}: {out}");
                assert!(row("why", "") && row("now", now) && row("next", next), "{code}: {out}");
                assert!((served.share(version) - weight).abs() < 1e-9, "{code}: {}", served.share(version));
            });
        }
    });
    // What was typed wrongly never becomes a rollout.
    let output = expect(run("rollout hello --region us-east-1"), 2, "");
    let error = "error: no schedule given\n  hint: add `--type Canary10Percent5Minutes`";
    assert!(text(&output).starts_with(error), "{}", text(&output));
}

#[test]
fn what_was_kept_shows_the_rollout_again() {
    let (served, folder) = (Served::start(), Folder::new("again", &[]));
    let path = |name: &str| folder.0.join(name).display().to_string();
    let keep =
        format!("--events {} --report {} --report {} --report {}", path("e"), path("r.html"), path("r.md"), path("r.json"));
    let output = served.run(&format!("{SHORT} {keep}"));
    assert_eq!((code(&output), output.stderr.len()), (0, 0), "{}", text(&output));
    assert_eq!(served.writes(), 5, "the claim, three shares, the end: as without");
    let again = expect(run(&format!("replay {} --report {}", path("e"), path("again.html"))), 0, "");
    assert_eq!(again.stdout, output.stdout, "the log is the log");
    assert_eq!(read(&folder.0.join("again.html")), read(&folder.0.join("r.html")));
    assert!(read(&folder.0.join("r.html")).contains("<h1>hello:live is on 2, unobserved: no invocation of it was counted</h1>"));
    assert!(
        read(&folder.0.join("r.md"))
            .starts_with("## ▸ PROMOTED: hello:live is on 2, unobserved: no invocation of it was counted\n")
    );
    let document: serde_json::Value = serde_json::from_str(&read(&folder.0.join("r.json"))).unwrap();
    assert_eq!(document["rollouts"][0]["ending"]["exit_code"], 0);
    let json = run(&format!("replay {} --output json", path("e")));
    assert_eq!(String::from_utf8(json.stdout).unwrap(), read(&folder.0.join("e")));
    let why = "What would have changed the outcome\n  `errors` in ALARM before ";
    expect(run(&format!("explain {}", path("e"))), 0, why);
    // Nothing is left beside the files.
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 5);
}

#[test]
fn a_killed_process_leaves_its_events_and_they_say_so() {
    let (served, folder) = (Served::start(), Folder::new("killed", &[]));
    let events = folder.0.join("events.jsonl");
    let child = served.start_long(&format!("--events {}", events.display()));
    thread::sleep(Duration::from_millis(500));
    kill(child);
    assert!(read(&events).contains(r#""type":"weight_shifted""#), "each is written as it happens: {}", read(&events));
    fs::write(&events, read(&events) + r#"{"v":1,"at":"2026-11-2"#).unwrap();
    let words = ["▸ INCOMPLETE   hello:live", "10% on 2, at the last event"];
    expect_all(run(&format!("replay {}", events.display())), 0, &words);
    fs::write(&events, "no json\n").unwrap();
    for command in ["replay", "explain"] {
        expect(run(&format!("{command} {}", events.display())), 2, "is not an events file: line 1:");
    }
}

#[test]
fn a_record_shows_what_was_tampered_with() {
    let (served, folder) = (Served::start(), Folder::new("verify", &[]));
    let events = folder.0.join("events.jsonl");
    let output = expect(served.run(&format!("{SHORT} --events {} --observations --output json", events.display())), 0, "");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"type\":\"observed\""), "for the record alone");
    let record = read(&events);
    let verify = |record: &str| {
        fs::write(&events, record).unwrap();
        let output = run(&format!("verify {}", events.display()));
        (code(&output), text(&output))
    };
    let (code, out) = verify(&record);
    assert!(code == 0 && out.starts_with("✔ VERIFIED   "), "{out}");
    for (what, tampered, word) in [
        ("an event", record.replacen("\"to\":0.5", "\"to\":0.4", 1), "follows {\"v\":1"),
        ("an observation", record.replacen("\"interrupted\":false", "\"interrupted\":true", 1), "but the observation leads to"),
        ("another", record.replacen("\"state\":\"OK\"", "\"state\":\"ALARM\"", 1), "\"state\":\"ALARM\""),
        (
            "a decision",
            record.replacen(r#""action":{"shift""#, r#""action":{"promote""#, 1),
            "the recorded decision is {\"promote\"",
        ),
        ("the end", record.replacen("\"outcome\":\"promoted\"", "\"outcome\":\"unchanged\"", 1), "follows promoted, exit code 0"),
        ("a line left out", without(&record, "\"type\":\"promoted\""), "\"type\":\"promoted\""),
    ] {
        assert_ne!(tampered, record, "{what}");
        let (code, out) = verify(&tampered);
        assert!(code == 1 && out.contains(word), "{what}: {out}");
    }
    // Half a line is a process that was killed, and no observations are nothing to check.
    assert_eq!(verify(&record[..record.len() - 20]).0, 0);
    assert_eq!(verify(&without(&record, "\"type\":\"observed\"")).0, 2);
    fs::write(&events, &record).unwrap();
    let again = run(&format!("replay {} --output json", events.display()));
    assert_eq!(again.stdout, output.stdout, "other readers skip it");
}

/// The lines without those that hold this.
fn without(record: &str, word: &str) -> String {
    record.split_inclusive('\n').filter(|line| !line.contains(word)).collect()
}

/// A full disk, a folder that is not there, a page that cannot be put in its place, nobody at the other end of the pipe.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_changes_no_outcome_and_is_said_once() {
    let (served, folder) = (Served::start(), Folder::new("full", &[]));
    // A name that leads to a disk that is full.
    let full = folder.0.join("full.md");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let broken = format!("--events /dev/full --report /proc/nowhere/r.html --report {} --dotenv /proc/nothing", full.display());
    let mut command = served.command(&format!("{SHORT} {broken}"));
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", "/dev/full").env("GITHUB_STEP_SUMMARY", "/proc/nowhere/summary");
    let output = expect(command.output().unwrap(), 0, "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("▸ PROMOTED"), "{}", text(&output));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in ["`/dev/full`", "`/proc/nowhere/r.html`", "`/proc/nowhere/summary`", "`/proc/nothing`", "full.md`"] {
        assert!(errors.lines().any(|line| line.contains(name)), "{name}: {errors}");
    }
    assert!(errors.lines().all(|line| line.ends_with("the rollout is not affected")), "{errors}");
    assert!(errors.lines().count() <= 6, "one line a file: {errors}");
    let served = Served::start();
    // In a folder that is not there yet.
    let report = folder.0.join("reports/today/r.md");
    let mut child = served.start_command(&format!("{SHORT} --report {}", report.display()));
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(read(&report).contains("PROMOTED"));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let served = Served::start();
    assert_eq!(served.command(SHORT).stdout(Stdio::from(full)).status().unwrap().code(), Some(0));
}

#[test]
fn a_rollout_that_is_refused_or_interrupted_is_reported_too() {
    let (served, folder) = (Served::start(), Folder::new("early", &[]));
    let report = folder.0.join("r.html");
    expect(served.run(&format!("rollout hello --type AllAtOnce --alarm missing --report {}", report.display())), 3, "");
    assert_has(&read(&report), &["REFUSED", "<code>missing</code> does not exist"]);
    let events = folder.0.join("e.jsonl");
    let child = served.start_long(&format!("--report {} --events {}", report.display(), events.display()));
    signal(&child, "-INT");
    assert_has(&expect_end(child, 13), &[&format!("canaryctl explain {}", events.display())]);
    assert_has(&read(&report), &["interrupted (SIGINT or SIGTERM)"]);
    assert!(served.share("2") == 0.0);
}

#[test]
fn ci_systems_are_recognised_and_can_be_named() {
    let (served, folder) = (Served::start(), Folder::new("ci", &[]));
    let (summary, output, dotenv) = (folder.0.join("summary"), folder.0.join("output"), folder.0.join("env"));
    fs::write(&summary, "# what was there\n").unwrap();
    let mut github = served.command(SHORT);
    github.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &output);
    let log = text(&github.output().unwrap());
    assert!(log.starts_with("::group::Preparing hello:live\n"), "{log}");
    assert_has(
        &log,
        &["::warning title=PROMOTED hello%3Alive::hello:live is on 2, unobserved: no invocation of it was counted%0A"],
    );
    assert!(read(&summary).starts_with("# what was there\n## ▸ PROMOTED"), "added to");
    assert_has(&format!("\n{}", read(&output)), &["\noutcome=promoted\n", "\nexit_code=0\n", "\nstable=1\n", "\ncandidate=2\n"]);
    let nothing = format!("{SHORT} --dotenv {}", dotenv.display());
    let gitlab = text(&served.command(&nothing).env("GITLAB_CI", "true").output().unwrap());
    assert_has(&gitlab, &["\u{1b}[0Ksection_start:"]);
    assert!(read(&dotenv).starts_with("CANARYCTL_OUTCOME=unchanged\nCANARYCTL_EXIT_CODE=0\n"), "{}", read(&dotenv));
    let plain = text(&served.command(&format!("{SHORT} --ci plain")).env("GITHUB_ACTIONS", "true").output().unwrap());
    assert!(!plain.contains("::group::"), "{plain}");
    assert_has(&text(&served.run(&format!("{SHORT} --ci github"))), &["::group::"]);
    let json = served.command(&format!("{SHORT} --output json")).env("GITHUB_ACTIONS", "true").output().unwrap();
    assert!(String::from_utf8(json.stdout).unwrap().lines().all(|line| line.starts_with('{')), "no marks among JSON");
    assert_eq!(code(&served.run(&format!("{SHORT} --report r.pdf"))), 2);
}

#[test]
fn shells_and_manuals_get_the_whole_command_line() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        expect_all(run(&format!("completions {shell}")), 0, &["rollout", "alarm", "explain"]);
    }
    let folder = Folder::new("man", &[]);
    expect(run(&format!("man {}", folder.0.display())), 0, "");
    assert!(read(&folder.0.join("canaryctl-rollout.1")).contains("Examples:"));
    assert!(fs::read_dir(&folder.0).unwrap().count() >= 14);
}
