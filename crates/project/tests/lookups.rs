//! Whoever rolls out asks a project for its functions, and for what has to be looked up in a stack before anything begins.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read has failed")]

use project::{File, Format, FunctionRef, Lookup, Project};

fn project(text: &str) -> Project {
    project::read(Format::Canary, File { name: "canary.yml", bytes: text.as_bytes() }, None, &Lookup::default()).unwrap()
}

#[test]
fn a_function_is_found_by_its_key_and_by_its_name_in_aws() {
    let project =
        project("functions: {checkout: {name: shop-checkout}, search: {name: checkout, alias: next}, pay: {name: pay-2}}");
    let key = |name: &str| project.function(name).map(|settings| settings.key.value.as_str());
    assert_eq!(key("shop-checkout"), Some("checkout"));
    assert_eq!(key("pay-2"), Some("pay"));
    // The key goes before the name of another one.
    assert_eq!(key("checkout"), Some("checkout"));
    assert_eq!(key("chekout"), None);
    assert_eq!(project.nearest("chekout").as_deref(), Some("did you mean `checkout`?"));
    assert_eq!(project.nearest("something else"), None);
}

#[test]
fn a_function_is_found_by_its_logical_id() {
    let project = project("stack: s\nfunctions: {hello: {logicalId: HelloLambdaFunction}}");
    let settings = project.function("HelloLambdaFunction").unwrap();
    assert_eq!(settings.function.value, FunctionRef::LogicalId("HelloLambdaFunction".to_owned()));
}

#[test]
fn every_logical_id_is_listed_once() {
    let project = project(
        "stack: s
defaults: {alarms: [{logicalId: Alarm}, by-name], preTrafficHook: {logicalId: Before}}
functions:
  one: {logicalId: One, stepHook: {logicalId: Step}}
  two: {logicalId: Two, postTrafficHook: after}
  three:",
    );
    let ids: Vec<&str> = project.logical_ids().into_iter().collect();
    assert_eq!(ids, ["Alarm", "Before", "One", "Step", "Two"]);
}

/// What was named on the command line goes before what the file says.
#[test]
fn the_command_line_goes_first() {
    let lookup = Lookup {
        stage: Some("prod".to_owned()),
        region: Some("eu-west-1".to_owned()),
        stack: Some("given".to_owned()),
        ..Lookup::default()
    };
    let texts = [
        (Format::Canary, "stage: dev\nregion: us-east-1\nstack: own\nfunctions: {hello: {name: 'a-${stage}'}}"),
        (
            Format::Serverless,
            "service: s\nprovider: {stage: dev, region: us-east-1, stackName: own}\nfunctions: {hello: {name: 'a-${sls:stage}', deploymentSettings: {alias: live}}}",
        ),
    ];
    for (format, text) in texts {
        let project = project::read(format, File { name: "file", bytes: text.as_bytes() }, None, &lookup).unwrap();
        let value = |at: &Option<project::At<String>>| at.as_ref().map(|at| at.value.clone());
        let read = [value(&project.stage), value(&project.region), value(&project.stack)];
        assert_eq!(read, ["prod", "eu-west-1", "given"].map(|text| Some(text.to_owned())), "{format}");
        assert!(project.function("a-prod").is_some(), "{format}");
    }
}

/// However it was written: with tabs, without spaces, with a mark at its beginning, with the line ends of another system.
#[test]
fn json_and_yaml_as_other_programs_write_them() {
    let expected = serde_json::json!({ "a": { "b": [1, "x\u{1f600}/"], "c": null } });
    for text in [
        "{\n\t\"a\": {\n\t\t\"b\": [1, \"x\\ud83d\\ude00\\/\"],\n\t\t\"c\": null\n\t}\n}\n",
        "{\"a\":{\"b\":[1,\"x😀/\"],\"c\":null}}",
        "\u{feff}{ \"a\" : { \"b\" : [ 1 , \"x😀/\" ] , \"c\" : null } }",
        "a:\r\n  b:\r\n  - 1\r\n  - x😀/\r\n  c:\r\n",
        "\u{feff}a: {b: [1, 'x😀/'], c: ~}",
    ] {
        assert_eq!(project::as_json("file", text.as_bytes()).unwrap(), expected, "{text}");
    }
}

/// A clean-up of old versions is known where it runs by itself.
#[test]
fn a_serverless_project_says_what_its_deploys_delete() {
    let read = |custom: &str| {
        let text = format!(
            "service: s\ncustom: {{prune: {custom}, keep: 2}}\nfunctions: {{hello: {{deploymentSettings: {{alias: live}}}}}}"
        );
        let file = File { name: "serverless.yml", bytes: text.as_bytes() };
        project::read(Format::Serverless, file, None, &Lookup::default()).unwrap().prunes
    };
    let found = read("{automatic: true, number: 3}").unwrap();
    assert_eq!(found.value, "`custom.prune` deletes all versions but the newest 3 after each deploy");
    assert_eq!(found.place.to_string(), "serverless.yml:2:29");
    assert!(read("{automatic: true, number: '${self:custom.keep}'}").unwrap().value.contains("the newest 2 "));
    assert!(read("{automatic: true, number: '${env:UNKNOWN_HERE}'}").unwrap().value.contains("the newest after"));
    for none in ["{automatic: false, number: 3}", "{number: 3}", "{automatic: '${env:UNKNOWN_HERE}'}", "none"] {
        assert_eq!(read(none), None, "{none}");
    }
}
