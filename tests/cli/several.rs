//! The binary with several functions: together, separately, and rolled back all at once.

use std::process::Child;
use std::thread;
use std::time::Duration;

use crate::folder::Folder;
use crate::served::{Served, assert_has, expect, expect_all, expect_end, function, json, kill, signal, start, text};
use serde_json::Value;

const FILE: &str = "\
defaults:
  steps: [10, 50]
  every: 1s
  bake: 1s
functions:
  orders:
    alarms: [orders-errors]
  mails:
    alarms: [mails-errors]
  bills:
    alarms: [bills-errors]
";

const NAMES: [&str; 3] = ["bills", "mails", "orders"];

fn shop() -> Served {
    Served::furnished(|world| {
        for name in NAMES {
            function(world, name, "live");
            world.create_errors_alarm(&format!("{name}-errors"), name, 1.0).unwrap();
        }
    })
}

/// The traffic of each candidate, in percent.
fn shares(served: &Served) -> [String; 3] {
    NAMES.map(|name| format!("{:.0}", served.share_of(name, "2") * 100.0))
}

fn version(served: &Served, name: &str) -> String {
    served.account.with(|world| world.alias(name, "live").unwrap().version.clone())
}

/// A rollout that stays at its first weight until something happens.
const SLOW: &str = "rollout --steps 10 --every 10m --poll 1s --analysis off";

/// Waits until each of them has come to its first weight.
fn await_all(served: &Served) {
    for name in NAMES {
        served.await_share_of(name, "2");
    }
}

/// A rollout of all of them, once each has come to its first weight.
fn slow(folder: &Folder, served: &Served, options: &str) -> Child {
    let child = folder.start(served, &format!("{SLOW} {options}"));
    await_all(served);
    child
}

#[test]
fn without_a_name_all_of_the_file_become_final_as_one() {
    let (served, folder) = (shop(), Folder::new("all", &[("canary.yml", FILE)]));
    let output =
        folder.run(&served, "rollout --poll 500ms --analysis off --report page.html --report all.json --events all.jsonl");
    let words = [
        "settings   canary.yml: 3 functions, together: orders:live, mails:live, bills:live\n",
        "orders:live  shifted   10% of traffic to version 2",
        "mails:live   ended     ✔ PROMOTED",
        "✔ PROMOTED   all 3 functions are on their new versions",
    ];
    let log = text(&expect_all(output, 0, &words));
    assert_eq!(shares(&served), ["100"; 3]);
    // The end of all is the end, in at most ten lines.
    let last: Vec<&str> = log.trim_end().lines().rev().take_while(|line| !line.is_empty()).collect();
    assert!(last.len() <= 10 && last.last().unwrap().starts_with("✔ PROMOTED"), "{last:?}");
    // Whatever is kept holds all of them.
    let read = |name: &str| std::fs::read_to_string(folder.0.join(name)).unwrap();
    assert!(NAMES.iter().all(|name| read("page.html").contains(&format!("{name}:live")) && read("all.json").contains(name)));
    let last: Value = serde_json::from_str(read("all.jsonl").lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"group_outcome".into(), &0.into()));
    expect(folder.offline("replay all.jsonl"), 0, "✔ PROMOTED   all 3 functions");
    // A look shows all of them; watched is one.
    expect_all(folder.run(&served, "status"), 0, &["orders:live", "mails:live", "bills:live"]);
    expect(folder.run(&served, "status --watch"), 2, "`--watch` shows one rollout");
    // Once more there is nothing to do.
    let again = folder.run(&served, "rollout --poll 500ms --analysis off");
    expect(again, 0, "✔ NOTHING TO ROLL OUT   3 functions: traffic unchanged");
    expect(folder.run(&served, "rollout --poll 500ms --analysis off --require-change"), 3, "");
}

#[test]
fn one_alarm_brings_all_back_and_says_whose() {
    let (served, folder) = (shop(), Folder::new("alarm", &[("canary.yml", FILE)]));
    let child = slow(&folder, &served, "--output json --observations --events all.jsonl");
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let log = expect_end(child, 10);
    assert_eq!(shares(&served), ["0"; 3]);
    let last: Value = serde_json::from_str(log.lines().rfind(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"], &last["together"]), (&"group_outcome".into(), &10.into(), &true.into()));
    let kinds: Vec<&Value> = last["members"].as_array().unwrap().iter().map(|member| &member["reason"]["kind"]).collect();
    assert_eq!(kinds, ["group", "alarm", "group"]);
    expect(folder.offline("verify all.jsonl"), 0, "");
    expect(folder.offline("explain all.jsonl"), 0, "mails:live rolls back: an alarm fired");
}

#[test]
fn each_by_itself_leaves_the_others_alone() {
    let (served, folder) = (shop(), Folder::new("each", &[("canary.yml", FILE)]));
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let output = folder.run(&served, "rollout --each --max-parallel 2 --poll 500ms --analysis off");
    expect(output, 3, "✖ REFUSED   1 of 3 functions");
    assert_eq!(shares(&served), ["100", "0", "100"]);
}

#[test]
fn only_some_of_them_and_no_strangers() {
    let (served, folder) = (shop(), Folder::new("only", &[("canary.yml", FILE)]));
    expect(folder.run(&served, "rollout --only orders,bills --poll 500ms --analysis off"), 0, "");
    assert_eq!(shares(&served), ["100", "0", "100"]);
    expect(folder.run(&served, "rollout --only ordrs"), 2, "`orders`");
    for (options, words) in [("--zip any.zip", "`--zip` needs a function"), ("--version 3", "`--version` needs a function")] {
        expect(folder.run(&served, &format!("rollout {options}")), 2, words);
    }
    // A simulation that does not read the file says so.
    expect(folder.offline("rollout --simulate --speed max --only orders"), 2, "`--simulate` reads only the file of `--config`");
    expect(
        folder.offline("plan --simulate"),
        0,
        "note: the simulation does not read canary.yml; `--config canary.yml` has it read",
    );
    let nowhere = Folder::new("nowhere", &[]);
    expect(nowhere.run(&served, "rollout"), 2, "no function given");
}

#[test]
fn functions_of_different_schedules_do_not_go_as_one() {
    let file = FILE.replace("  mails:\n", "  mails:\n    type: AllAtOnce\n");
    let (served, folder) = (shop(), Folder::new("different", &[("canary.yml", &file)]));
    expect(folder.run(&served, "rollout"), 2, "`mails` (AllAtOnce) have different schedules");
    expect(folder.run(&served, "plan"), 2, "");
    expect_all(folder.run(&served, "plan --type AllAtOnce"), 0, &["bills:live", "mails:live", "orders:live"]);
}

#[test]
fn after_a_kill_the_same_command_goes_on_and_a_rollback_brings_all_back() {
    let (served, folder) = (shop(), Folder::new("kill", &[("canary.yml", FILE)]));
    kill(slow(&folder, &served, ""));
    // Another process resumes it, and a person rolls all of them back meanwhile.
    let again = folder.start(&served, &format!("{SLOW} --take-over"));
    thread::sleep(Duration::from_secs(4));
    assert_eq!(shares(&served), ["10"; 3]);
    expect_all(folder.run(&served, "rollback"), 0, &NAMES.map(|name| format!("{name}:live: 100% on 1")));
    assert_has(&expect_end(again, 13), &["✖ ROLLED BACK   all 3 functions stay on their stable versions"]);
    // No rollout is in progress any more, and a finished one stays finished.
    expect(folder.run(&served, "rollback"), 3, "");
    assert_eq!(NAMES.map(|name| version(&served, name)), ["1", "1", "1"]);
}

#[test]
fn a_rollback_without_a_name_leaves_finished_rollouts_alone() {
    let (served, folder) = (shop(), Folder::new("finished", &[("canary.yml", FILE)]));
    expect(folder.run(&served, "rollout --only orders --poll 500ms --analysis off"), 0, "");
    let child = folder.start(&served, &SLOW.replace("rollout", "rollout bills"));
    served.await_share_of("bills", "2");
    // One that was not deployed yet is no reason to say that anything went wrong.
    served.account.with(|world| world.create_function("other", &[])).unwrap();
    std::fs::write(folder.0.join("canary.yml"), format!("{FILE}  missing: {{}}\n  other: {{}}\n")).unwrap();
    let skipped = ["orders", "mails", "missing", "other"].map(|name| format!("SKIPPED   {name}:live"));
    let output = expect_all(folder.run(&served, "rollback"), 0, &skipped);
    assert_has(&text(&output), &["ROLLED BACK   bills:live: 100% on 1"]);
    assert_eq!((version(&served, "orders").as_str(), shares(&served)), ("2", ["0", "0", "100"].map(str::to_owned)));
    expect_end(child, 13);
}

#[test]
fn a_signal_brings_all_back() {
    let (served, folder) = (shop(), Folder::new("signal", &[("canary.yml", FILE)]));
    let child = slow(&folder, &served, "");
    signal(&child, "-INT");
    expect_end(child, 13);
    assert_eq!(shares(&served), ["0"; 3]);
}

/// A CI job that is cancelled during it cleans up after itself, and touches nothing else.
#[test]
fn a_jobs_clean_up_brings_back_what_the_job_rolls_out() {
    let (served, folder) = (shop(), Folder::new("mine", &[("canary.yml", FILE)]));
    let of_job = |job: &str, arguments: &str| {
        let mut command = served.command(arguments);
        let names = [("GITHUB_REPOSITORY", "shop"), ("GITHUB_RUN_ID", "7"), ("GITHUB_JOB", job)];
        command.current_dir(&folder.0).envs(names);
        command
    };
    let child = start(&mut of_job("deploy", SLOW));
    await_all(&served);
    kill(child);
    // Nothing of another job's; one of them by its name, and then all.
    for (job, arguments, code, left) in [
        ("another", "abort --mine", 3, ["10", "10", "10"]),
        ("deploy", "abort mails --mine", 0, ["10", "0", "10"]),
        ("deploy", "abort --mine", 0, ["0", "0", "0"]),
    ] {
        expect(of_job(job, arguments).output().unwrap(), code, "");
        assert_eq!(shares(&served), left, "{job}: {arguments}");
    }
    expect(folder.run(&served, "abort"), 2, "");
    expect(folder.run(&served, "pause"), 2, "");
}

/// A function without a new version is not rolled back: its last rollout is finished.
#[test]
fn a_rollback_without_a_name_undoes_nothing_of_who_had_nothing_new() {
    let (served, folder) = (shop(), Folder::new("nothing-new", &[("canary.yml", FILE)]));
    expect(folder.run(&served, "rollout --poll 500ms --analysis off"), 0, "");
    for name in ["bills", "orders"] {
        served.account.with(|world| world.set_environment(name, &[("SIM_BODY", "newer")]).unwrap());
    }
    let child = folder.start(&served, SLOW);
    served.await_share_of("orders", "3");
    let output = expect(folder.run(&served, "rollback"), 0, "");
    assert_eq!(NAMES.map(|name| version(&served, name)), ["2", "2", "2"], "{}", text(&output));
    expect_end(child, 13);
    assert_eq!(NAMES.map(|name| version(&served, name)), ["2", "2", "2"]);
}

#[test]
fn doctor_and_policy_are_for_all_of_them_too() {
    let (served, folder) = (shop(), Folder::new("all-of-them", &[("canary.yml", FILE)]));
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let words = ["`mails-errors` has been in ALARM", "bills:live", "mails:live", "orders:live"];
    expect_all(folder.run(&served, "doctor"), 3, &words);
    let policy = json(&folder.run(&served, "iam-policy"));
    let statements = policy["Statement"].as_array().unwrap();
    let ids: std::collections::BTreeSet<&str> = statements.iter().map(|statement| statement["Sid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), statements.len(), "each purpose once: {policy}");
    let alias = statements.iter().find(|statement| statement["Sid"] == "Alias").unwrap().to_string();
    assert!(NAMES.iter().all(|name| alias.contains(&format!(":function:{name}:live"))), "{alias}");
}

/// A file with one function, or one that is picked: what a name would have done, and the same plan.
#[test]
fn one_function_is_rolled_out_as_by_its_name() {
    let (served, folder) = (shop(), Folder::new("one", &[("canary.yml", FILE)]));
    let child = folder.start(&served, &format!("{SLOW} --only orders"));
    served.await_share_of("orders", "2");
    kill(child);
    let child = folder.start(&served, &format!("{} --take-over", SLOW.replace("rollout", "rollout orders")));
    thread::sleep(Duration::from_secs(3));
    expect(folder.run(&served, "rollback orders"), 0, "");
    let log = expect_end(child, 13);
    assert_has(&log, &["resumes rollout", "✖ ROLLED BACK   orders:live stays on 1"]);
    assert!(!log.contains("functions"), "{log}");
}
