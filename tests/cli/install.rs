//! `canaryctl controller install` and `uninstall`, judged by what is in the account and what was called.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use sim::{Effect, Fault};

use crate::folder::Folder;
use crate::served::{Served, code, expect, function, text};

const CONTROLLER: &str = "canaryctl-controller";

/// The smallest binary for Linux there is, as far as its header tells; different where the byte is.
fn binary(folder: &Folder, byte: u8) -> PathBuf {
    let mut code = vec![byte; 5_000];
    code[..64].fill(0);
    code[..6].copy_from_slice(b"\x7fELF\x02\x01");
    code[18] = 62;
    let path = folder.0.join("canaryctl-linux");
    fs::write(&path, code).unwrap();
    path
}

struct Account {
    served: Served,
    folder: Folder,
}

impl Account {
    fn new(name: &str) -> Self {
        let served = Served::furnished(|world| function(world, "hello", "live"));
        Self { served, folder: Folder::new(name, &[]) }
    }

    fn install(&self, byte: u8, options: &str) -> Output {
        let binary = binary(&self.folder, byte);
        self.served.run(&format!("controller install hello --binary {} {options}", binary.display()))
    }

    /// What was called that changes anything, and succeeded, since this was last asked.
    fn changes(&self, seen: &mut usize) -> Vec<String> {
        self.served.account.with(|world| {
            let verbs = ["Create", "Update", "Put", "Delete", "Tag"];
            let new = world.log()[*seen..].iter().filter(|call| call.succeeded());
            let found = new.map(|call| call.operation.clone()).filter(|name| verbs.iter().any(|verb| name.starts_with(verb)));
            let found = found.collect();
            *seen = world.log().len();
            found
        })
    }
}

#[test]
fn it_is_installed_changed_and_uninstalled_each_once() {
    let account = Account::new("install");
    let seen = &mut 0;
    // It shows its plan, and without a terminal it does not ask and does nothing.
    let shown = expect(account.install(1, ""), 3, "`--yes` does it without asking");
    let plan = text(&shown);
    for words in ["create  the stack canaryctl-controller: Clock, ControllerFailed", "create  the function canaryctl-controller"]
    {
        assert!(plan.contains(words), "{plan}");
    }
    assert_eq!(account.changes(seen), Vec::<String>::new());
    expect(account.install(1, "--yes"), 0, "next: canaryctl rollout FUNCTION … --detach");
    assert_eq!(account.changes(seen), ["CreateStack", "CreateFunction", "PutFunctionEventInvokeConfig"]);
    expect(account.install(1, "--yes"), 0, "nothing to do");
    assert_eq!(account.changes(seen), Vec::<String>::new());
    // Another binary, then another policy.
    expect(account.install(2, "--yes"), 0, "update  the code");
    assert_eq!(account.changes(seen), ["UpdateFunctionCode"]);
    expect(account.install(2, "--gates --yes"), 0, "update  the stack canaryctl-controller: ControllerRole\n");
    assert_eq!(account.changes(seen), ["UpdateStack"]);
    // What a person changed is as it was.
    let request = http::Request::put(format!("/2015-03-31/functions/{CONTROLLER}/configuration"));
    let request = request.body(r#"{"Timeout":3}"#.into()).unwrap();
    account.served.account.with(|world| world.answer(world.now(), "CONSOLE", &request));
    std::thread::sleep(std::time::Duration::from_millis(500));
    account.changes(seen);
    expect(account.install(2, "--gates --yes"), 0, "update  the configuration");
    assert_eq!(account.changes(seen), ["UpdateFunctionConfiguration"]);
    // A rollout is detached to it: it stays until that has ended.
    let begun = account.served.run("rollout hello --steps 10,50 --every 10m --analysis off --no-config --detach");
    assert_eq!(code(&begun), 0, "{}", text(&begun));
    account.changes(seen);
    let (_, schedule) = account.served.account.with(|world| world.schedules()).pop().unwrap();
    let refused = expect(account.served.run("controller uninstall --yes"), 3, &schedule);
    assert!(text(&refused).contains("canaryctl rollback FUNCTION"), "{}", text(&refused));
    assert_eq!(account.changes(seen), Vec::<String>::new());
    let request = http::Request::delete(format!("/schedules/{schedule}?groupName=canaryctl")).body("".into()).unwrap();
    account.served.account.with(|world| world.answer(world.now(), "PERSON", &request));
    account.changes(seen);
    expect(account.served.run("controller uninstall"), 3, "delete  the function canaryctl-controller");
    assert_eq!(account.changes(seen), Vec::<String>::new());
    expect(account.served.run("controller uninstall --yes"), 0, "is deleted");
    assert_eq!(account.changes(seen), ["DeleteFunction", "DeleteStack"]);
    expect(account.served.run("controller uninstall --yes"), 0, "nothing to do");
    assert!(!account.served.account.with(|world| world.has_function(CONTROLLER)));
}

#[test]
fn what_was_interrupted_is_completed() {
    let account = Account::new("install-half");
    let seen = &mut 0;
    account.served.fault(Fault::on("CreateFunction", Effect::Deny));
    expect(account.install(1, "--yes"), 1, "lambda:CreateFunction");
    account.served.account.with(sim::World::clear_faults);
    account.changes(seen);
    expect(account.install(1, "--yes"), 0, "is installed");
    assert_eq!(account.changes(seen), ["CreateFunction", "PutFunctionEventInvokeConfig"]);
    account.served.fault(Fault::on("DeleteStack", Effect::Deny));
    expect(account.served.run("controller uninstall --yes"), 1, "cloudformation:DeleteStack");
    account.served.account.with(sim::World::clear_faults);
    account.changes(seen);
    expect(account.served.run("controller uninstall --yes"), 0, "is deleted");
    assert_eq!(account.changes(seen), ["DeleteStack"]);
}

#[test]
fn what_somebody_else_made_is_left_alone() {
    let account = Account::new("install-foreign");
    account.served.account.with(|world| {
        world.create_function(CONTROLLER, &[]).unwrap();
        let stack = sim::Stack::new("platform").resource("Controller", "AWS::Lambda::Function", CONTROLLER);
        world.create_stack(stack).unwrap();
        world.create_stack(sim::Stack::new("staging")).unwrap();
    });
    let seen = &mut 0;
    account.changes(seen);
    for command in ["install", "uninstall"] {
        let run = |options: &str| match command {
            "install" => account.install(1, options),
            _ => account.served.run(&format!("controller uninstall {options}")),
        };
        expect(run("--yes"), 3, "the stack platform has it");
        expect(run("--yes --name staging"), 3, "the stack staging was not created by");
    }
    assert_eq!(account.changes(seen), Vec::<String>::new());
}

/// A second one has its own roles and log, and the group of the first.
#[test]
fn a_second_controller_shares_the_group() {
    let account = Account::new("install-second");
    expect(account.install(1, "--yes"), 0, "Schedules");
    let second = expect(account.install(1, "--yes --name staging"), 0, "--detach=staging");
    assert!(!text(&second).contains("Schedules"), "{}", text(&second));
    expect(account.install(1, "--yes --name staging"), 0, "nothing to do");
    expect(account.served.run("controller uninstall --yes --name staging"), 0, "is deleted");
    let begun = account.served.run("rollout hello --steps 10,50 --every 10m --analysis off --no-config --detach");
    assert_eq!(code(&begun), 0, "{}", text(&begun));
}

#[test]
fn what_cannot_run_is_refused_and_what_is_not_permitted_is_said() {
    let account = Account::new("install-unfit");
    let source = account.folder.0.join("script");
    fs::write(&source, "#!/bin/sh\n").unwrap();
    let unfit = account.served.run(&format!("controller install hello --binary {} --yes", source.display()));
    expect(unfit, 3, "it is not a 64-bit Linux binary");
    expect(account.install(1, "--architecture arm64 --yes"), 3, "it is for x86_64, and `--architecture` is arm64");
    account.served.fault(Fault::on("CreateStack", Effect::Deny));
    expect(account.install(1, "--yes"), 1, "cloudformation:CreateStack");
}
