//! `init`: a new canary.yml, never over another file, and a job for a pipeline.

use std::fs;
use std::process::Output;

use crate::folder::Folder;
use crate::served::{Served, assert_has, expect, expect_all, json_lines};

fn init(folder: &Folder, arguments: &str) -> Output {
    folder.offline(&format!("init {arguments}"))
}

#[test]
fn a_project_begins_with_two_commands() {
    let folder = Folder::new("begins", &[]);
    expect(init(&folder, "hello checkout:Live"), 0, "canaryctl plan hello");
    assert_eq!(folder.files(), ["canary.yml"]);
    let served = Served::start();
    let plan = expect(folder.run(&served, "plan hello --output json"), 0, "");
    let plan = json_lines(String::from_utf8_lossy(&plan.stdout).lines().next().unwrap()).remove(0);
    assert_eq!((&plan["alias"], &plan["schedule"]), (&"live".into(), &"Canary10Percent5Minutes".into()));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    for (name, text_of_it, code_of_it, word) in [
        ("canary.yml", "functions: {}", 3, "was not changed"),
        ("canary.yaml", "", 3, "was not changed"),
        ("serverless.yml", "functions: {hello: {deploymentSettings: {}}}", 0, "canaryctl import"),
        ("template.yaml", "Transform: AWS::Serverless-2016-10-31", 0, "canaryctl import"),
        ("appspec.yml", "Resources: [{hello: {Type: AWS::Lambda::Function}}]", 0, "canaryctl import"),
    ] {
        let folder = Folder::new(name, &[]);
        fs::write(folder.0.join(name), text_of_it).unwrap();
        for arguments in ["", "hello"] {
            expect_all(init(&folder, arguments), code_of_it, &[word, name]);
            assert_eq!(folder.files(), [name]);
            assert_eq!(fs::read_to_string(folder.0.join(name)).unwrap(), text_of_it);
        }
    }
}

#[test]
fn what_cannot_be_begun_is_said_with_what_can() {
    let folder = Folder::new("cannot", &[]);
    for (arguments, word) in [("", "canaryctl init hello"), ("a/b", "is not a function"), ("hello:42", "is not an alias name")] {
        expect(init(&folder, arguments), 2, word);
    }
    assert!(folder.files().is_empty());
}

#[test]
fn a_pipeline_gets_a_job_that_cleans_up_after_itself() {
    let folder = Folder::new("pipeline", &[]);
    for (functions, expected) in
        [("hello", "canaryctl rollout hello --report"), ("hello checkout", "rollout --only hello,checkout --report")]
    {
        let jobs = ["github", "gitlab"].map(|system| {
            let output = expect(init(&folder, &format!("{functions} --ci {system}")), 0, "");
            let job = project::as_json(system, &output.stdout).unwrap();
            assert!(job.to_string().contains(expected), "{job}");
            job
        });
        let steps = jobs[0]["jobs"]["deploy"]["steps"].as_array().unwrap();
        let (run, after) = (steps[3]["run"].as_str().unwrap(), &steps[4]);
        assert!(run.starts_with("exec canaryctl rollout "), "{run}");
        assert_eq!(after["if"], "cancelled()");
        assert!(after["run"].as_str().unwrap().ends_with(" --mine"), "{after}");
        let deploy = &jobs[1]["deploy"];
        assert!(deploy["script"].as_str().unwrap().starts_with("exec canaryctl rollout "), "{deploy}");
        assert!(deploy["after_script"][0].as_str().unwrap().contains("|| canaryctl abort "), "{deploy}");
    }
    // All functions of a new file are rolled out together.
    let fresh = Folder::new("pipeline-all", &[]);
    let output = init(&fresh, "hello checkout --ci github");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_has(&printed, &["exec canaryctl rollout --report", "run: canaryctl abort --mine"]);
    // Only the job is printed; the file was written once.
    assert_eq!(folder.files(), ["canary.yml"]);
}
