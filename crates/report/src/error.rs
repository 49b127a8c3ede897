//! How does an error read? What is wrong in one line, what to do about it in the next ones.

use crate::safe::{Safe, clean_lines, page};

/// `error: …`, and a line `  hint: …` for every hint; each line ended.
///
/// A message may have more lines, for example its own hint.
pub fn error_text(message: &str, hints: &[String]) -> Safe {
    let lines: Vec<String> = clean_lines(message).iter().map(|line| line.trim_start().to_owned()).collect();
    let message = if lines.is_empty() { "something failed without a message".to_owned() } else { lines.join("\n  ") };
    let mut text = vec![format!("error: {message}")];
    text.extend(hints.iter().map(|hint| format!("  hint: {}", clean_lines(hint).join("\n        "))));
    page(&(text.join("\n") + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        let hint = "did you mean `HelloFooAlarm`?  Nothing was changed: hello:live is 100% on 41.".to_owned();
        assert_eq!(
            &*error_text("alarm `HelloFoAlarm` does not exist in us-east-1", &[hint]),
            "error: alarm `HelloFoAlarm` does not exist in us-east-1\n  \
             hint: did you mean `HelloFooAlarm`?  Nothing was changed: hello:live is 100% on 41.\n"
        );
    }

    #[test]
    fn what_a_server_says_is_no_command_to_a_ci_system() {
        assert_eq!(
            &*error_text("no\r\n::error title=x::y\n##[command]z", &[]),
            "error: no\n  | ::error title=x::y\n  ## [command]z\n"
        );
    }

    #[test]
    fn keeps_the_hint_that_a_message_brings() {
        let given = "`Linear` is not a schedule\n  hint: did you mean `AllAtOnce`?";
        assert_eq!(&*error_text(given, &[]), "error: `Linear` is not a schedule\n  hint: did you mean `AllAtOnce`?\n");
    }
}
