//! How does the output of `doctor` look? In 80 columns for people, and as JSON lines. Commands stay on one line, to be copied.

use crate::format::wrapped;
use crate::json::object;
use crate::safe::one_line;
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity, SkippedCheck};
use rollout::{Subject, Time};
use serde_json::{Value, json};

/// The columns where lines of text end and begin.
const WIDTH: usize = 80;
const INDENT: usize = 12;

/// What was checked, so that no findings mean something.
const CHECKED: &str = "all preflight checks of a rollout, callers that bypass the alias, stack tools, alarms that cannot fire or fire too \
                       late, and differences that a rollback would not undo";

/// A diagnosis for people.
pub fn doctor_text(subject: &Subject, diagnosis: &DoctorReport) -> String {
    let mut text = format!("{subject}   {}\n", counted(diagnosis));
    for symptom in &diagnosis.diagnoses {
        text.push('\n');
        text.push_str(&shown(symptom));
    }
    if !diagnosis.unseen.is_empty() {
        text.push('\n');
    }
    for SkippedCheck { what, why, permission } in &diagnosis.unseen {
        let permission = permission.as_ref().map(|permission| format!("; it needs {permission}")).unwrap_or_default();
        row(&mut text, "? skipped", &format!("{what}: {why}{permission}"));
    }
    text.push('\n');
    row(&mut text, "  checked", CHECKED);
    text
}

fn counted(diagnosis: &DoctorReport) -> String {
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let counts = Severity::ALL.map(|severity| (diagnosis.count(severity), severity.word()));
    let mut parts: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| many(count, word)).collect();
    if parts.is_empty() {
        parts.push("✔ no problems found".to_owned());
    }
    if !diagnosis.unseen.is_empty() {
        parts.push(format!("{} skipped", diagnosis.unseen.len()));
    }
    parts.join(", ")
}

fn shown(symptom: &Diagnosis) -> String {
    let mut text = String::new();
    let mark = match symptom.severity {
        Severity::Problem => "✖ problem",
        Severity::Warning => "! warning",
        Severity::Note => "· note",
    };
    row(&mut text, mark, &symptom.text);
    for (word, said) in [("  why", &symptom.why), ("  fix", &symptom.fix)] {
        if let Some(said) = said {
            row(&mut text, word, said);
        }
    }
    for command in &symptom.commands {
        text.extend([" ".repeat(INDENT), one_line(command), "\n".to_owned()]);
    }
    text
}

/// A label, and a text behind it on as many lines as it takes.
fn row(out: &mut String, label: &str, text: &str) {
    for (index, line) in wrapped(&one_line(text), WIDTH - INDENT).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        out.push_str(format!("{label:<INDENT$}{line}").trim_end());
        out.push('\n');
    }
}

/// The same for programs: a line each, and one at the end that counts them.
pub fn doctor_json(subject: &Subject, diagnosis: &DoctorReport, now: Time) -> String {
    let line = |kind: &str, fields: Value| format!("{}\n", object(kind, now, subject, fields));
    let symptoms = diagnosis.diagnoses.iter().map(|symptom| line("symptom", json!(symptom)));
    let unseen = diagnosis.unseen.iter().map(|unseen| line("not_seen", json!(unseen)));
    let [problems, warnings, notes] = Severity::ALL.map(|severity| diagnosis.count(severity));
    let counts = json!({
        "problems": problems,
        "warnings": warnings,
        "notes": notes,
        "not_seen": diagnosis.unseen.len(),
        "exit_code": diagnosis.exit_code(),
    });
    symptoms.chain(unseen).chain([line("diagnosis", counts)]).collect()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn subject() -> Subject {
        Subject::parse("hello:Live", None).unwrap()
    }

    fn ill() -> DoctorReport {
        let long =
            "the stable version, 41, is Inactive: its first invocations would fail, and a rollback to it would have to wait";
        let command = format!("aws lambda invoke --function-name {} /dev/null", "x".repeat(90));
        let symptom = Diagnosis::new(Severity::Problem, "preflight", long).fix("invoke it once").commands([command]);
        let note = Diagnosis::new(Severity::Note, "one-way-door", "memory: 1 in 41, 2 in 42").why("it costs");
        let unseen =
            SkippedCheck { what: "the policy".to_owned(), why: "no".to_owned(), permission: Some("lambda:GetPolicy".to_owned()) };
        DoctorReport { diagnoses: vec![symptom, note], unseen: vec![unseen] }
    }

    #[test]
    fn texts_are_wrapped_and_commands_are_not() {
        let text = doctor_text(&subject(), &ill());
        let expected = format!(
            "\
hello:Live   1 problem, 1 note, 1 skipped

✖ problem   the stable version, 41, is Inactive: its first invocations would
            fail, and a rollback to it would have to wait
  fix       invoke it once
            aws lambda invoke --function-name {} /dev/null

· note      memory: 1 in 41, 2 in 42
  why       it costs

? skipped   the policy: no; it needs lambda:GetPolicy
",
            "x".repeat(90)
        );
        assert_eq!(&text[..expected.len()], expected);
        assert!(text.lines().all(|line| line.width() <= WIDTH || line.contains("aws lambda")), "{text}");
    }

    #[test]
    fn no_findings_say_what_was_checked() {
        let text = doctor_text(&subject(), &DoctorReport::default());
        assert!(text.starts_with("hello:Live   ✔ no problems found\n\n  checked   all preflight checks"), "{text}");
    }

    #[test]
    fn programs_get_a_line_each_and_the_sum() {
        let json = doctor_json(&subject(), &ill(), Time::from_secs(1_795_000_000));
        let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["symptom", "symptom", "not_seen", "diagnosis"]);
        assert!(lines.iter().all(|line| line["function"] == "hello" && line["alias"] == "Live" && line["at"].is_string()));
        assert_eq!((&lines[0]["severity"], &lines[1]["check"]), (&"problem".into(), &"one-way-door".into()));
        assert_eq!((&lines[3]["problems"], &lines[3]["exit_code"], &lines[3]["not_seen"]), (&1.into(), &3.into(), &1.into()));
    }
}
