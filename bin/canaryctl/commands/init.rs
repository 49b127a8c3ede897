//! `canaryctl init`: a first `canary.yml`, and a CI job around it. Writes that one file where there is none, and asks nobody.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use clap::{Args, ValueEnum};
use project::{Format, discover, starter};
use rollout::Subject;

use crate::error::Failure;
use crate::ui::print::{print_info, print_out};

/// Begin: write a canary.yml for these functions into the working directory
///
/// Never over a file that is there. Where a `serverless.yml`, a SAM template or an `appspec.yml` says it already, nothing is
/// written. With `--ci`, the job for a pipeline is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl init hello checkout:Live
  canaryctl init hello --ci gitlab >> .gitlab-ci.yml")]
pub(crate) struct Init {
    /// The functions, as `hello`, `hello:live` or an ARN
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    functions: Vec<String>,
    /// Print a job that rolls out, and cleans up after itself when it is cancelled
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
    // What is printed may go into a file; what is told beside it may not.
    let tell = if args.ci.is_some() { print_info } else { print_out };
    match found {
        Some((name, Format::Canary)) if args.ci.is_none() => {
            let hint = "`canaryctl plan FUNCTION` shows what it says; `canaryctl schema` prints every key there is";
            return Err(Failure { code: 3, message: format!("`{name}` is there already, and is left as it is\n  hint: {hint}") });
        }
        Some((name, Format::Canary)) => tell(&format!("`{name}` is there already, and is left as it is\n")),
        Some((name, _)) => tell(&format!(
            "`{name}` says it already: no canary.yml is needed\n  next      canaryctl plan {}    \
             canaryctl import > canary.yml  would take its place\n",
            subjects.first().map_or_else(|| "FUNCTION".to_owned(), typed)
        )),
        None => tell(&written(&subjects)?),
    }
    if let Some(system) = args.ci {
        if subjects.is_empty() {
            return Err(Failure::usage("a job is for a function\n  hint: `canaryctl init hello --ci github`"));
        }
        print_out(&job(system, &subjects, there));
    }
    Ok(0)
}

/// Writes the file, and says what to type next.
fn written(subjects: &[Subject]) -> Result<String, Failure> {
    let Some(first) = subjects.first() else {
        return Err(Failure::usage("no function was named, and there is no project's file here\n  hint: `canaryctl init hello`"));
    };
    // The file may have come since it was looked for.
    let made = File::create_new(FILE).and_then(|mut file| file.write_all(starter(subjects).as_bytes()));
    made.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Failure { code: 3, message: format!("`{FILE}` is there already, and is left as it is") }
        } else {
            Failure { code: 1, message: format!("`{FILE}` could not be written: {error}") }
        }
    })?;
    Ok(format!("wrote {FILE}\n  next      canaryctl plan {}    canaryctl rollout {}\n", typed(first), typed(first)))
}

/// A function as it is typed beside the file: by its key.
fn typed(subject: &Subject) -> String {
    subject.function.name.clone()
}

/// A job that rolls out one function by its name, or several as one: all of the file that was just written, or these of one that is there.
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
# A job of a workflow: canaryctl has to be on the PATH, and the job needs credentials for AWS.
jobs:
  deploy:
    runs-on: ubuntu-latest
    concurrency: {group: \"canaryctl-TITLE\", cancel-in-progress: false}
    steps:
      - uses: actions/checkout@v5
      # `exec`, because a runner signals only the process that the step started.
      - run: exec canaryctl ROLLOUT --report rollout.html
      # A runner kills ten seconds after it signals: what was cut off is ended here, and nothing else.
      - if: cancelled()
        run: canaryctl ABORT --mine
      - if: always()
        uses: actions/upload-artifact@v5
        with: {name: \"rollout-TITLE\", path: rollout.html, if-no-files-found: ignore}
";

const GITLAB: &str = "\
# A job: canaryctl has to be on the PATH, and the job needs credentials for AWS.
deploy:
  resource_group: canaryctl-TITLE
  script: exec canaryctl ROLLOUT --report rollout.html --dotenv rollout.env
  # What was cut off is ended here, and nothing else.
  after_script: ['[ \"$CI_JOB_STATUS\" = success ] || canaryctl ABORT --mine']
  artifacts: {when: always, paths: [rollout.html], reports: {dotenv: rollout.env}}
";
