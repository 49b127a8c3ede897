//! What does a project begin with? A `canary.yml` that says what is usual, and names what else could be said.

use std::fmt::Write as _;

use rollout::Subject;
use rollout::target::DEFAULT_ALIAS;

/// A file for these functions, no two of one name. Every line that is commented out may be used as it stands.
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
                "    # name: \"${{stage}}-{}\"    # where AWS calls it otherwise; `--stage` says which",
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
# What `canaryctl rollout` does, and `canaryctl plan` shows. `canaryctl schema` prints every key there is, for editors.
defaults:                                # for every function
  type: Canary10Percent5Minutes          # 10% for five minutes, then everything
  # type: Linear10PercentEvery1Minute    # or so, or by `steps: [1, 5, 25, 50]` and `every: 5m`
  # alias: live
  # bake: 3m                             # how long 100% is watched before it is final
  # alarms: [HelloErrors]                # what counts beside the calls of both versions, which are compared anyway
  # preTrafficHook: checkEnvironment     # who is asked before any traffic moves: a function, or an https:// URL
  # stepHook: checkOrders                # before every further share
  # postTrafficHook: smokeTest           # before the version is final
  # analysis: {minRequests: 200}         # so many calls of the new version a step, or it waits for them
functions:
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, Format, FunctionRef, Lookup, Project};

    fn read(text: &str) -> Project {
        let lookup = Lookup { stage: Some("dev".to_owned()), ..Lookup::default() };
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
