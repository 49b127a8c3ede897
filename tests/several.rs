//! The binary with several functions: together, separately, and rolled back all at once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a process that cannot be run has failed")]

#[path = "served/folder.rs"]
mod folder;
#[expect(dead_code, reason = "the stage of other tests, too")]
mod served;

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use folder::Folder;
use serde_json::Value;
use served::{Served, code, expect, finish, signal, text};

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
            world.create_function(name, &[("SIM_BODY", "old")]).unwrap();
            world.publish(name, 1).unwrap();
            world.set_alias(name, "live", "1", None).unwrap();
            world.set_environment(name, &[("SIM_BODY", "new")]).unwrap();
            world.create_errors_alarm(&format!("{name}-errors"), name, 1.0).unwrap();
        }
    })
}

fn share(served: &Served, name: &str) -> f64 {
    served.account.with(|world| world.alias(name, "live").unwrap().share("2"))
}

/// The traffic of each candidate, in percent.
fn shares(served: &Served) -> [String; 3] {
    NAMES.map(|name| format!("{:.0}", share(served, name) * 100.0))
}

fn version(served: &Served, name: &str) -> String {
    served.account.with(|world| world.alias(name, "live").unwrap().version.clone())
}

fn start(folder: &Folder, served: &Served, arguments: &str) -> Child {
    served.command(arguments).current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn await_share(served: &Served, name: &str) {
    let began = Instant::now();
    while share(served, name) == 0.0 {
        assert!(began.elapsed() < Duration::from_secs(30), "{name} never got a share");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A rollout that stays at its first share until something happens.
fn slow(folder: &Folder, served: &Served, options: &str) -> Child {
    let child = start(folder, served, &format!("rollout --steps 10 --every 10m --poll 1s --analysis off {options}"));
    for name in NAMES {
        await_share(served, name);
    }
    child
}

#[test]
fn without_a_name_all_of_the_file_become_final_as_one() {
    let (served, folder) = (shop(), Folder::new("all", &[("canary.yml", FILE)]));
    let output =
        folder.run(&served, "rollout --poll 500ms --analysis off --report page.html --report all.json --events all.jsonl");
    let told = text(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert_eq!(shares(&served), ["100"; 3]);
    for words in [
        "settings   canary.yml: 3 functions, together: orders:live, mails:live, bills:live\n",
        "orders:live  shifted   10% of traffic to version 2",
        "mails:live   ended     ✔ PROMOTED",
        "✔ PROMOTED   all 3 functions are on their new versions",
    ] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
    // The end of all is the end, in ten lines at the most.
    let last: Vec<&str> = told.trim_end().lines().rev().take_while(|line| !line.is_empty()).collect();
    assert!(last.len() <= 10 && last.last().unwrap().starts_with("✔ PROMOTED"), "{last:?}");
    // Whatever is kept holds all of them.
    let read = |name: &str| std::fs::read_to_string(folder.0.join(name)).unwrap();
    assert!(NAMES.iter().all(|name| read("page.html").contains(&format!("{name}:live")) && read("all.json").contains(name)));
    let last: Value = serde_json::from_str(read("all.jsonl").lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"group_outcome".into(), &0.into()));
    let again = folder.offline("replay all.jsonl");
    assert!(text(&again).contains("✔ PROMOTED   all 3 functions"), "{}", text(&again));
    // Once more there is nothing to do.
    expect(
        folder.run(&served, "rollout --poll 500ms --analysis off"),
        0,
        "✔ NOTHING TO ROLL OUT   3 functions: traffic unchanged",
    );
    expect(folder.run(&served, "rollout --poll 500ms --analysis off --require-change"), 3, "");
}

#[test]
fn one_alarm_brings_all_back_and_says_whose() {
    let (served, folder) = (shop(), Folder::new("alarm", &[("canary.yml", FILE)]));
    let child = slow(&folder, &served, "--output json --observations --events all.jsonl");
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let (code, told) = finish(child);
    assert_eq!(code, 10, "{told}");
    assert_eq!(shares(&served), ["0"; 3]);
    let last: Value = serde_json::from_str(told.lines().rfind(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"], &last["together"]), (&"group_outcome".into(), &10.into(), &true.into()));
    let kinds: Vec<&Value> = last["members"].as_array().unwrap().iter().map(|member| &member["reason"]["kind"]).collect();
    assert_eq!(kinds, ["group", "alarm", "group"]);
    let verified = folder.offline("verify all.jsonl");
    assert!(verified.status.success(), "{}", text(&verified));
    let explained = text(&folder.offline("explain all.jsonl"));
    assert!(explained.contains("mails:live rolls back: an alarm fired"), "{explained}");
}

#[test]
fn each_by_itself_leaves_the_others_alone() {
    let (served, folder) = (shop(), Folder::new("each", &[("canary.yml", FILE)]));
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let output = folder.run(&served, "rollout --each --max-parallel 2 --poll 500ms --analysis off");
    let told = text(&output);
    assert_eq!(code(&output), 3, "{told}");
    assert_eq!(shares(&served), ["100", "0", "100"]);
    assert!(told.contains("✖ REFUSED   1 of 3 functions"), "{told}");
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
    let nowhere = Folder::new("nowhere", &[]);
    expect(nowhere.run(&served, "rollout"), 2, "no function given");
}

#[test]
fn functions_of_different_schedules_do_not_go_as_one() {
    let file = FILE.replace("  mails:\n", "  mails:\n    type: AllAtOnce\n");
    let (served, folder) = (shop(), Folder::new("different", &[("canary.yml", &file)]));
    let output = folder.run(&served, "rollout");
    let told = text(&output);
    assert!(code(&output) == 2 && told.contains("`mails` (AllAtOnce) have different schedules"), "{told}");
    assert_eq!(code(&folder.run(&served, "plan")), 2);
    let output = folder.run(&served, "plan --type AllAtOnce");
    assert!(NAMES.iter().all(|name| text(&output).contains(&format!("{name}:live"))), "{}", text(&output));
}

#[test]
fn after_a_kill_the_same_command_goes_on_and_a_rollback_brings_all_back() {
    let (served, folder) = (shop(), Folder::new("kill", &[("canary.yml", FILE)]));
    let mut child = slow(&folder, &served, "");
    child.kill().unwrap();
    child.wait().unwrap();
    // Another process goes on with it, and a person brings all back meanwhile.
    let again = start(&folder, &served, "rollout --steps 10 --every 10m --poll 1s --analysis off --take-over");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(shares(&served), ["10"; 3]);
    let output = folder.run(&served, "rollback");
    let told = text(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert!(NAMES.iter().all(|name| told.contains(&format!("{name}:live: 100% on 1"))), "{told}");
    let (code_of_rollout, told) = finish(again);
    assert_eq!(code_of_rollout, 13, "{told}");
    assert!(told.contains("✖ ROLLED BACK   all 3 functions stay on their stable versions"), "{told}");
    // No rollout is in progress any more, and a finished one stays finished.
    expect(folder.run(&served, "rollback"), 3, "");
    assert_eq!(NAMES.map(|name| version(&served, name)), ["1", "1", "1"]);
}

#[test]
fn a_rollback_without_a_name_leaves_finished_rollouts_alone() {
    let (served, folder) = (shop(), Folder::new("finished", &[("canary.yml", FILE)]));
    expect(folder.run(&served, "rollout --only orders --poll 500ms --analysis off"), 0, "");
    let child = start(&folder, &served, "rollout bills --steps 10 --every 10m --poll 1s --analysis off");
    await_share(&served, "bills");
    // One that was not deployed yet is no reason to say that anything went wrong.
    served.account.with(|world| world.create_function("other", &[])).unwrap();
    std::fs::write(folder.0.join("canary.yml"), format!("{FILE}  missing: {{}}\n  other: {{}}\n")).unwrap();
    let output = folder.run(&served, "rollback");
    let told = text(&output);
    assert_eq!(code(&output), 0, "{told}");
    for words in [
        "SKIPPED   orders:live",
        "SKIPPED   mails:live",
        "SKIPPED   missing:live",
        "SKIPPED   other:live",
        "ROLLED BACK   bills:live: 100% on 1",
    ] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
    assert_eq!((version(&served, "orders").as_str(), shares(&served)), ("2", ["0", "0", "100"].map(str::to_owned)));
    assert_eq!(finish(child).0, 13);
}

#[test]
fn a_signal_brings_all_back() {
    let (served, folder) = (shop(), Folder::new("signal", &[("canary.yml", FILE)]));
    let child = slow(&folder, &served, "");
    signal(&child, "-INT");
    let (code, told) = finish(child);
    assert_eq!(code, 13, "{told}");
    assert_eq!(shares(&served), ["0"; 3]);
}

/// A CI job that is cancelled in the midst of it cleans up after itself, and touches nothing else.
#[test]
fn a_jobs_clean_up_brings_back_what_the_job_rolls_out() {
    let (served, folder) = (shop(), Folder::new("mine", &[("canary.yml", FILE)]));
    let of_job = |job: &str, arguments: &str| {
        let mut command = served.command(arguments);
        let names = [("GITHUB_REPOSITORY", "shop"), ("GITHUB_RUN_ID", "7"), ("GITHUB_JOB", job)];
        command.current_dir(&folder.0).envs(names).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut child = of_job("deploy", "rollout --steps 10 --every 10m --poll 1s --analysis off").spawn().unwrap();
    for name in NAMES {
        await_share(&served, name);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = of_job("another", "abort --mine").output().unwrap();
    assert_eq!((code(&output), shares(&served)), (3, ["10"; 3].map(str::to_owned)), "{}", text(&output));
    // One of them by its name, and then all.
    let output = of_job("deploy", "abort mails --mine").output().unwrap();
    assert_eq!((code(&output), shares(&served)), (0, ["10", "0", "10"].map(str::to_owned)), "{}", text(&output));
    let output = of_job("deploy", "abort --mine").output().unwrap();
    assert_eq!((code(&output), shares(&served)), (0, ["0"; 3].map(str::to_owned)), "{}", text(&output));
    assert_eq!(code(&folder.run(&served, "abort")), 2);
    assert_eq!(code(&folder.run(&served, "pause")), 2);
}

/// A function without a new version is not rolled back: its last rollout is finished.
#[test]
fn a_rollback_without_a_name_undoes_nothing_of_who_had_nothing_new() {
    let (served, folder) = (shop(), Folder::new("nothing-new", &[("canary.yml", FILE)]));
    assert_eq!(code(&folder.run(&served, "rollout --poll 500ms --analysis off")), 0);
    for name in ["bills", "orders"] {
        served.account.with(|world| world.set_environment(name, &[("SIM_BODY", "newer")]).unwrap());
    }
    let child = start(&folder, &served, "rollout --steps 10 --every 10m --poll 1s --analysis off");
    let began = Instant::now();
    while served.account.with(|world| world.alias("orders", "live").unwrap().share("3")) == 0.0 {
        assert!(began.elapsed() < Duration::from_secs(30), "orders never got a share");
        thread::sleep(Duration::from_millis(20));
    }
    let output = folder.run(&served, "rollback");
    let told = text(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert_eq!(NAMES.map(|name| version(&served, name)), ["2", "2", "2"], "{told}");
    assert_eq!(finish(child).0, 13);
    assert_eq!(NAMES.map(|name| version(&served, name)), ["2", "2", "2"]);
}

#[test]
fn doctor_and_policy_are_for_all_of_them_too() {
    let (served, folder) = (shop(), Folder::new("all-of-them", &[("canary.yml", FILE)]));
    served.account.with(|world| world.set_alarm_state("mails-errors", "ALARM")).unwrap();
    let output = folder.run(&served, "doctor");
    let told = text(&output);
    assert!(code(&output) == 3 && told.contains("`mails-errors` has been in ALARM"), "{told}");
    assert!(NAMES.iter().all(|name| told.contains(&format!("{name}:live"))), "{told}");
    let output = folder.run(&served, "iam-policy");
    let policy: Value = serde_json::from_slice(&output.stdout).unwrap();
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
    let mut child = start(&folder, &served, "rollout --only orders --steps 10 --every 10m --poll 1s --analysis off");
    await_share(&served, "orders");
    child.kill().unwrap();
    child.wait().unwrap();
    let child = start(&folder, &served, "rollout orders --steps 10 --every 10m --poll 1s --analysis off --take-over");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(code(&folder.run(&served, "rollback orders")), 0);
    let (code, told) = finish(child);
    assert!(code == 13 && told.contains("resuming rollout"), "{code}: {told}");
    assert!(told.contains("✖ ROLLED BACK   orders:live stays on 1") && !told.contains("functions"), "{told}");
}
