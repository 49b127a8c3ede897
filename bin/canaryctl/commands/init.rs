//! `canaryctl init`: a first `canary.yml`, and a CI job. Writes only this file, and only if it does not exist. No AWS.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use clap::{Args, ValueEnum};
use project::{Format, discover, starter};
use rollout::Subject;

use crate::error::Failure;
use crate::ui::print::{print_info, print_out};

/// Write a canary.yml for these functions to the working directory
///
/// Never overwrites a file, and writes nothing if there is a `serverless.yml`, a SAM template or an `appspec.yml`. With `--ci`, also
/// prints a workflow or a job for a pipeline.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl init hello checkout:Live
  canaryctl init hello --ci gitlab >> .gitlab-ci.yml")]
pub(crate) struct Init {
    /// The functions: `hello`, `hello:live` or an ARN
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    functions: Vec<String>,
    /// Print a CI job that rolls out, and that rolls back if it is cancelled
    #[arg(long, value_enum, value_name = "SYSTEM")]
    ci: Option<System>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum System {
    Github,
    Gitlab,
}

pub(crate) fn run(args: &Init) -> Result<u8, Failure> {
    let subjects = args.functions.iter().map(|text| Subject::parse(text, None)).collect::<Result<Vec<_>, _>>();
    let subjects: Vec<Subject> = subjects.map_err(|error| Failure::usage(error.to_string()))?;
    let mut named = BTreeSet::new();
    let subjects: Vec<Subject> = subjects.into_iter().filter(|subject| named.insert(subject.function.name.clone())).collect();
    let found = discover::look(Path::new(".")).map_err(|problems| Failure::usage(problems.to_string()))?;
    let there = found.is_some();
    // With `--ci`, stdout may be redirected to a file: only the job is printed there.
    let print = if args.ci.is_some() { print_info } else { print_out };
    match found {
        Some((name, Format::Canary)) if args.ci.is_none() => {
            let hint = "`canaryctl plan FUNCTION` shows its effect; `canaryctl schema` prints all keys";
            return Err(Failure::refused(format!("`{name}` already exists and was not changed\n  hint: {hint}")));
        }
        Some((name, Format::Canary)) => print(&format!("`{name}` already exists and was not changed\n")),
        Some((name, _)) => print(&format!(
            "`{name}` has the settings already: no canary.yml is needed\n  next      canaryctl plan {}\n            \
             canaryctl import > canary.yml   (to replace it)\n",
            subjects.first().map_or_else(|| "FUNCTION".to_owned(), typed)
        )),
        None => print(&written(&subjects)?),
    }
    if let Some(system) = args.ci {
        if subjects.is_empty() {
            return Err(Failure::usage("a job needs a function\n  hint: `canaryctl init hello --ci github`"));
        }
        print_out(&job(system, &subjects, there));
    }
    Ok(0)
}

fn written(subjects: &[Subject]) -> Result<String, Failure> {
    let Some(first) = subjects.first() else {
        return Err(Failure::usage(
            "no function given, and there is no configuration file in the working directory\n  hint: `canaryctl init hello`",
        ));
    };
    // The file may have been created since the check.
    let made = File::create_new(FILE).and_then(|mut file| file.write_all(starter(subjects).as_bytes()));
    made.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Failure::refused(format!("`{FILE}` already exists and was not changed"))
        } else {
            Failure::unexpected(format!("cannot write `{FILE}`: {error}"))
        }
    })?;
    Ok(format!("wrote {FILE}\n  next      canaryctl plan {}\n            canaryctl rollout {}\n", typed(first), typed(first)))
}

fn typed(subject: &Subject) -> String {
    subject.function.name.clone()
}

/// A job that rolls out one function, or several together: all of a new file, or these of an existing one.
fn job(system: System, subjects: &[Subject], there: bool) -> String {
    let names: Vec<String> = subjects.iter().map(typed).collect();
    let (title, rollout, abort) = match names.as_slice() {
        [one] => (one.clone(), format!("rollout {one}"), format!("abort {one}")),
        some if there => ("several".to_owned(), format!("rollout --only {}", some.join(",")), "abort".to_owned()),
        _ => ("all".to_owned(), "rollout".to_owned(), "abort".to_owned()),
    };
    let template = if system == System::Github { GITHUB } else { GITLAB };
    template.replace("TITLE", &title).replace("ROLLOUT", &rollout).replace("ABORT", &abort)
}

const FILE: &str = "canary.yml";

const GITHUB: &str = "\
# A workflow: fill in role and Region. `canaryctl iam-policy` prints what the role must be allowed.
on: {push: {branches: [main]}}
permissions: {id-token: write, contents: read}
jobs:
  deploy:
    runs-on: ubuntu-latest
    concurrency: {group: \"canaryctl-TITLE\", cancel-in-progress: false}
    steps:
      - uses: actions/checkout@v5
      - uses: aws-actions/configure-aws-credentials@v5
        with: {role-to-assume: \"arn:aws:iam::123456789012:role/deploy\", aws-region: eu-west-1}
      - run: npm install --global canaryctl
      # Deploy the code here, as before.
      # `exec`: a runner signals only the process that the step started.
      - run: exec canaryctl ROLLOUT --report rollout.html
      # A runner kills the step ten seconds after the signal. This rolls back a rollout that was cut off, and no other.
      - if: cancelled()
        run: canaryctl ABORT --mine
      - if: always()
        uses: actions/upload-artifact@v5
        with: {name: \"rollout-TITLE\", path: rollout.html, if-no-files-found: ignore}
";

const GITLAB: &str = "\
# A job. canaryctl must be on the PATH, and the job needs AWS credentials.
deploy:
  resource_group: canaryctl-TITLE
  script: exec canaryctl ROLLOUT --report rollout.html --dotenv rollout.env
  # Rolls back a rollout that was cut off, and no other.
  after_script: ['[ \"$CI_JOB_STATUS\" = success ] || canaryctl ABORT --mine']
  artifacts: {when: always, paths: [rollout.html], reports: {dotenv: rollout.env}}
";
