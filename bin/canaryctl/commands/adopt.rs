//! `canaryctl adopt`: the change with which a stack tool leaves an alias to canaryctl, and whether a deploy would still move it. No AWS.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use project::adopt::{Answer, Handover, Lines, Tool, diff, guide, of_file, of_folder};
use project::{File, discover, template_json};
use rollout::change_set::touched;
use rollout::template::{Movement, Verdict, overall, verdicts};

use crate::error::Failure;
use crate::ui::atomic_file::replace;
use crate::ui::print::{print_diff, print_safe};

/// Hand the alias of a stack over to canaryctl: print the change in the project's file; change nothing in AWS
///
/// A stack tool resets an alias at each deploy, and every rollout with it, unless the alias' definition always stays the same. Finds the
/// project (SAM, CDK, Serverless Framework, Terraform, CloudFormation, Pulumi), and prints the change that keeps it the same, how to
/// deploy it safely, and how to check it. For a program it prints the lines to paste. It sends nothing to AWS.
///
/// Exits with 0 if the change was printed or written or there is none; with 3 if the file cannot be changed safely (then nothing is
/// written), or if the template or change set moves an alias, may move it, or does not say.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl adopt
  canaryctl adopt template.yaml --write
  canaryctl adopt --template processed.json
  canaryctl adopt --change-set change-set.json")]
pub(crate) struct Adopt {
    /// The project's folder, or one of its files
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Write the change to the file: the whole file or nothing
    #[arg(long)]
    write: bool,
    /// Would a deploy of this stack move an alias? A template as CloudFormation processed it, in JSON or YAML; `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "write", "change_set"])]
    template: Option<PathBuf>,
    /// Would this change set move an alias? The answer of `aws cloudformation describe-change-set`, in JSON; `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "write"])]
    change_set: Option<PathBuf>,
}

pub(crate) fn run(args: &Adopt) -> Result<u8, Failure> {
    if let Some(path) = &args.template {
        return of_template(path);
    }
    if let Some(path) = &args.change_set {
        return of_change_set(path);
    }
    let found = found(&args.path)?;
    if args.write {
        return write(&args.path, &found);
    }
    let mut code = 0;
    for (before, handover) in &found {
        say(&heading(handover));
        print_change(before, handover);
        say(&rest(handover));
        if matches!(handover.answer, Answer::Unsafe(_)) {
            code = 3;
        }
    }
    Ok(code)
}

/// What hands the aliases of a file or a folder over, each with what is in its file now.
fn found(path: &Path) -> Result<Vec<(String, Handover)>, Failure> {
    let usage = |problems: project::Problems| Failure::usage(problems.to_string());
    if !path.is_dir() {
        let bytes = discover::bytes(path).map_err(usage)?;
        let name = path.display().to_string();
        let handover = of_file(File { name: &name, bytes: &bytes }).map_err(usage)?;
        return Ok(vec![(String::from_utf8_lossy(&bytes).into_owned(), handover)]);
    }
    let all = of_folder(path).map_err(usage)?;
    // A file without an alias matters only if there is no other.
    let any = all.iter().any(|handover| handover.answer != Answer::NoAlias);
    let of_interest = all.into_iter().filter(|handover| !any || handover.answer != Answer::NoAlias);
    let found: Vec<(String, Handover)> = of_interest
        .map(|handover| {
            let bytes = discover::bytes(&path.join(&handover.file)).unwrap_or_default();
            (String::from_utf8_lossy(&bytes).into_owned(), handover)
        })
        .collect();
    if found.is_empty() {
        let message = "no SAM or CloudFormation template, `serverless.yml`, Terraform file, CDK or Pulumi project with a Lambda alias is here";
        return Err(Failure::usage(format!("{message}\n  hint: name the file: `canaryctl adopt FILE`")));
    }
    Ok(found)
}

/// Writes the one file that changes.
fn write(path: &Path, found: &[(String, Handover)]) -> Result<u8, Failure> {
    let by_person: Vec<&Handover> = found
        .iter()
        .map(|(_, handover)| handover)
        .filter(|handover| matches!(handover.answer, Answer::Unsafe(_) | Answer::Program(_)))
        .collect();
    if !by_person.is_empty() {
        for handover in by_person {
            say(&format!("{}{}", heading(handover), rest(handover)));
        }
        let other = found.iter().find(|(_, handover)| matches!(handover.answer, Answer::Edited(_)));
        let hint = other.map(|(_, other)| format!("\n  hint: canaryctl adopt {} --write", path.join(&other.file).display()));
        let message = "nothing was written: the lines above have to be written by you";
        return Err(Failure::refused(format!("{message}{}", hint.unwrap_or_default())));
    }
    let changed: Vec<(&Handover, &str)> = found
        .iter()
        .filter_map(|(_, handover)| match &handover.answer {
            Answer::Edited(after) => Some((handover, after.as_str())),
            Answer::HandedOver | Answer::NoAlias | Answer::Unsafe(_) | Answer::Program(_) => None,
        })
        .collect();
    match changed.as_slice() {
        [] => found.iter().for_each(|(_, handover)| say(&format!("{}{}", heading(handover), rest(handover)))),
        [(handover, after)] => {
            let file = if path.is_dir() { path.join(&handover.file) } else { path.to_owned() };
            let failed =
                |error: io::Error| Failure::unexpected(format!("cannot write `{}`: {error}; it is unchanged", file.display()));
            replace(&file, |file| file.write_all(after.as_bytes())).map_err(failed)?;
            say(&format!("{}written\n{}", heading(handover), rest(handover)));
        }
        several => {
            let commands: Vec<String> = several
                .iter()
                .map(|(handover, _)| format!("\n  hint: canaryctl adopt {} --write", path.join(&handover.file).display()))
                .collect();
            return Err(Failure::usage(format!("`--write` writes one file, and {} change{}", several.len(), commands.concat())));
        }
    }
    Ok(0)
}

/// Text with parts of files in it, on stdout.
fn say(text: &str) {
    print_safe(&report::note(text));
}

fn heading(handover: &Handover) -> String {
    let aliases = if handover.aliases.is_empty() { String::new() } else { format!(": {}", handover.aliases.join(", ")) };
    format!("{} ({}){aliases}\n", handover.file, handover.tool)
}

fn print_change(before: &str, handover: &Handover) {
    if let Answer::Edited(after) = &handover.answer {
        print_diff(&format!("\n{}", diff(&handover.file, before, after)));
    }
}

/// Everything but the diff.
fn rest(handover: &Handover) -> String {
    let guide = guide(handover.tool);
    let mut text = match &handover.answer {
        Answer::HandedOver => "  already handed over: no deploy moves it, and nothing has to change\n".to_owned(),
        Answer::NoAlias => "  there is no alias to hand over\n".to_owned(),
        Answer::Edited(_) => String::new(),
        Answer::Unsafe(lines) | Answer::Program(lines) => lines.iter().map(to_write).collect(),
    };
    text += &section("notes", &handover.notes.iter().map(String::as_str).collect::<Vec<_>>(), false);
    let mut guided = String::new();
    if !matches!(handover.answer, Answer::HandedOver | Answer::NoAlias) {
        guided += &section("migration deploy", &guide.steps, true);
        guided += &section("what moves", &guide.moves, false);
    }
    guided += &section("check", &guide.check, false);
    text + &named(guided, handover)
}

/// The same with the function's name in its commands, where the file's name of an alias is that of its function, and there is one; what else a
/// person has to put in is said.
fn named(mut text: String, handover: &Handover) -> String {
    if let (Tool::Sam | Tool::Serverless, [function]) = (handover.tool, handover.aliases.as_slice()) {
        text = text.replace("FUNCTION", function);
    }
    let words: Vec<&str> = text.split(|letter: char| !letter.is_ascii_uppercase()).collect();
    let meanings = [("FUNCTION", "each function's name"), ("STACK", "the stack's name"), ("NAME", "the change set's name")];
    let meant = meanings.into_iter().filter(|(word, _)| words.contains(word));
    let meant: Vec<String> = meant.map(|(word, meaning)| format!("{word} is {meaning}")).collect();
    if !meant.is_empty() {
        text = format!("{text}\n  {}\n", meant.join(", "));
    }
    text
}

fn to_write(lines: &Lines) -> String {
    let why = if lines.why.is_empty() { String::new() } else { format!(" ({})", lines.why) };
    let written: Vec<String> = lines.lines.iter().map(|line| format!("      {line}\n")).collect();
    format!("  write in {}{why}:\n{}", lines.place, written.concat())
}

fn section(title: &str, sentences: &[&str], numbered: bool) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let lines = sentences.iter().enumerate().map(|(index, sentence)| {
        let mark = if numbered { format!("{}", index + 1) } else { "-".to_owned() };
        format!("    {mark} {sentence}\n")
    });
    format!("\n  {title}\n{}", lines.collect::<String>())
}

/// Whether a deploy of this template moves an alias.
fn of_template(path: &Path) -> Result<u8, Failure> {
    let (name, bytes) = read(path)?;
    let template = template_json(File { name: &name, bytes: &bytes }).map_err(|problems| Failure::usage(problems.to_string()))?;
    let Some(resources) = template["Resources"].as_object() else {
        let hint = "aws cloudformation get-template --stack-name STACK --template-stage Processed";
        return Err(Failure::usage(format!("{name}: this is not a template: it has no `Resources`\n  hint: {hint}")));
    };
    if let Some((id, _)) = resources.iter().find(|(id, resource)| id.starts_with("Fn::") || is_of_sam(resource)) {
        let hint = "give the one that CloudFormation processed: aws cloudformation get-template --template-stage Processed";
        return Err(Failure::usage(format!("{name}: `{id}` is not expanded: this template is not processed\n  hint: {hint}")));
    }
    let aliases = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Alias").map(|(id, _)| id);
    let judged: Vec<(&str, Vec<Verdict>)> = aliases.map(|id| (id.as_str(), verdicts(&template, id))).collect();
    if judged.is_empty() {
        say(&format!("{name}: no alias: a deploy of this template moves none\n"));
        return Ok(0);
    }
    let mut worst = Movement::Stays;
    for (id, verdicts) in &judged {
        worst = worst.min(overall(verdicts));
        say(&said(id, verdicts));
    }
    Ok(exit(worst))
}

fn is_of_sam(resource: &serde_json::Value) -> bool {
    resource["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::Serverless::"))
}

/// Whether a change set moves an alias.
fn of_change_set(path: &Path) -> Result<u8, Failure> {
    let (name, bytes) = read(path)?;
    let answer = project::as_json(&name, &bytes).map_err(|problems| Failure::usage(problems.to_string()))?;
    let Some(found) = touched(&answer) else {
        let hint = "aws cloudformation describe-change-set --stack-name STACK --change-set-name NAME --output json";
        return Err(Failure::usage(format!("{name}: this is not a change set: it has no `Changes`\n  hint: {hint}")));
    };
    for (id, verdict) in &found.aliases {
        say(&said(id, std::slice::from_ref(verdict)));
    }
    if found.aliases.is_empty() {
        say("no alias is in this change set\n");
    }
    found.unknown.iter().for_each(|why| say(&format!("unknown    {why}\n")));
    Ok(exit(found.overall()))
}

/// What a deploy does to an alias, why, and what to do.
fn said(id: &str, verdicts: &[Verdict]) -> String {
    let lines = verdicts.iter().map(|verdict| {
        let word = match verdict.kind {
            Movement::Moves => "moves",
            Movement::MayMove => "may move",
            Movement::Unknown => "unknown",
            Movement::Latest | Movement::Stays => "stays",
        };
        let fix = verdict.fix.as_ref().map_or_else(String::new, |fix| format!("           fix: {fix}\n"));
        format!("{word:<10} {id}: {}\n{fix}", verdict.why)
    });
    lines.collect()
}

/// Only a certain no is a pass.
fn exit(movement: Movement) -> u8 {
    match movement {
        Movement::Stays | Movement::Latest => 0,
        Movement::Moves | Movement::MayMove | Movement::Unknown => 3,
    }
}

/// A file, or stdin, with what it is called in messages.
fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let name = path.display().to_string();
    if path != Path::new("-") {
        let bytes =
            fs::File::open(path).and_then(limited).map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        return Ok((name, bytes));
    }
    let bytes = limited(io::stdin()).map_err(|error| Failure::usage(format!("cannot read stdin: {error}")))?;
    Ok(("stdin".to_owned(), bytes))
}

/// No more than one byte beyond what is taken.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(project::MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
}
