//! What is in a new `canary.yml`? Usual settings, and comments with the others.

use std::fmt::Write as _;

use rollout::Subject;
use rollout::target::DEFAULT_ALIAS;

/// A file for these functions, no two with the same name. Every line that is commented out is valid without its `# `.
pub fn starter(functions: &[Subject]) -> String {
    let mut text = HEAD.to_owned();
    for Subject { function, alias } in functions {
        // A name that is all digits would be read as a number.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let key =
            if function.name.bytes().all(|byte| byte.is_ascii_digit()) { quoted(&function.name) } else { function.name.clone() };
        let _ = writeln!(text, "  {key}:");
        if function.reference() == function.name {
            let _ = writeln!(
                text,
                "    # name: \"${{stage}}-{}\"    # if the name in AWS differs; `--stage` sets the stage",
                function.name
            );
        } else {
            let _ = writeln!(text, "    name: {}", quoted(&function.reference()));
        }
        if alias != DEFAULT_ALIAS {
            let _ = writeln!(text, "    alias: {}", quoted(alias));
        }
    }
    text
}

const HEAD: &str = "\
# The settings of `canaryctl rollout`. `canaryctl plan` shows their effect, `canaryctl schema` prints all keys for your editor.
defaults:                                # for all functions
  type: Canary10Percent5Minutes          # 10% of traffic for 5m, then 100%
  # type: Linear10PercentEvery1Minute    # or your own steps: `steps: [1, 5, 25, 50]` and `every: 5m`
  # alias: live
  # bake: 3m                             # how long to watch the version at 100% before it is promoted
  # alarms: [HelloErrors]                # CloudWatch alarms to watch; the errors of both versions are always compared
  # preTrafficHook: checkEnvironment     # invoked before the first traffic shift: a function or an https:// URL
  # stepHook: checkOrders                # invoked before each later traffic shift
  # postTrafficHook: smokeTest           # invoked before the version is promoted
  # analysis: {minRequests: 200}         # the number of invocations that the new version needs in each step
functions:
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, Format, FunctionRef, Lookup, Project};

    fn read(text: &str) -> Project {
        let staged = text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains("${stage}"));
        let lookup = Lookup { stage: staged.then(|| "dev".to_owned()), ..Lookup::default() };
        crate::read(Format::Canary, File { name: "canary.yml", bytes: text.as_bytes() }, None, &lookup).unwrap()
    }

    fn subjects(texts: &[&str]) -> Vec<Subject> {
        texts.iter().map(|text| Subject::parse(text, None).unwrap()).collect()
    }

    #[test]
    fn it_says_what_was_asked_for() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:far";
        let project = read(&starter(&subjects(&["hello", "on", "shop:Live", "42", arn])));
        let known: Vec<(&str, &str)> = project
            .functions
            .iter()
            .map(|settings| (settings.key.value.as_str(), settings.alias.as_ref().unwrap().value.as_str()))
            .collect();
        assert_eq!(known, [("hello", "live"), ("on", "live"), ("shop", "Live"), ("42", "live"), ("far", "live")]);
        let FunctionRef::Named(far) = &project.functions[4].function.value else { panic!("it is named") };
        assert_eq!(far.reference(), arn);
        assert!(project.functions.iter().all(|settings| settings.schedule.is_some()));
        assert!(project.notes.is_empty(), "{:?}", project.notes);
    }

    #[test]
    fn every_line_that_is_commented_out_can_be_used() {
        let text = starter(&subjects(&["hello"]));
        let lines: Vec<&str> = text.lines().collect();
        let mut count = 0;
        for (index, line) in
            lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("# ") && line.starts_with(' '))
        {
            let used = line.replacen("# ", "", 1);
            // The one that it takes the place of goes.
            let key = used.trim_start().split(':').next().unwrap();
            let kept = |(at, other): &(usize, &&str)| *at != index && !other.trim_start().starts_with(&format!("{key}:"));
            let mut lines: Vec<&str> = lines.iter().enumerate().filter(kept).map(|(_, line)| *line).collect();
            let place = lines.iter().position(|other| *other == "functions:").unwrap();
            let place = if line.starts_with("    ") { lines.len() } else { place };
            lines.insert(place, &used);
            let project = read(&lines.join("\n"));
            assert_eq!(project.functions.len(), 1, "{used}");
            count += 1;
        }
        assert_eq!(count, 9);
    }
}
