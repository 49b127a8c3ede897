//! What did a person mean who typed something that is no command or option? The words of other tools, and a value without its `=`.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// What people type that know other tools, and what it is called here; `*` is any command.
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("*", "--json", "--output json"),
    ("*", "--slack", "--notify"),
    ("*", "--verbose", "RUST_LOG=debug, a variable"),
    ("rollback", "--version", "--to"),
    ("rollback", "--to-version", "--to"),
    ("rollout", "--strategy", "--type"),
    ("rollout", "--function", "FUNCTION, without a word before it"),
    ("rollout", "--canary", "--type"),
];

/// The error with a better tip than a similar spelling, where there is one.
pub(crate) fn with_tip(mut error: Error, mut cli: Command, args: &[String]) -> Error {
    let typed = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) => typed.clone(),
        _ => return error,
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    cli.build();
    let command = args.get(1).and_then(|name| cli.find_subcommand(name));
    let before = args.iter().position(|arg| *arg == typed).and_then(|at| args.get(at.checked_sub(1)?));
    let before = before.filter(|_| !typed.starts_with('-'));
    let needs_equals = before.and_then(|before| before.strip_prefix("--")).filter(|before| {
        command.is_some_and(|command| {
            command.get_arguments().any(|arg| arg.get_long() == Some(*before) && arg.is_require_equals_set())
        })
    });
    let name = command.map(Command::get_name).unwrap_or_default();
    let meant = needs_equals.map(|option| format!("--{option}={typed}")).or_else(|| {
        let known = ELSEWHERE.iter().find(|(of, word, _)| (*of == "*" || *of == name) && typed.split('=').next() == Some(*word));
        known.map(|(_, _, here)| (*here).to_owned())
    });
    if let Some(meant) = meant {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(meant));
        error.insert(ContextKind::Suggested, ContextValue::None);
    } else if !typed.starts_with('-')
        && command.is_some_and(|command| command.get_arguments().any(|arg| arg.get_long() == Some("only")))
    {
        let tip =
            StyledStr::from("several functions stand in canary.yml (`canaryctl guide groups`); `--only` picks some of them");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    } else if error.get(ContextKind::SuggestedArg).is_none() {
        // Nothing here is named like an option, so nobody wants it as a value.
        error.remove(ContextKind::Suggested);
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::commands::Cli;

    fn said(line: &str) -> String {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        with_tip(Cli::try_parse_from(&args).unwrap_err(), Cli::command(), &args).to_string()
    }

    #[test]
    fn what_other_tools_call_it_and_a_value_without_its_sign() {
        for (line, tip) in [
            ("canaryctl rollout hello --detach ticks", "'--detach=ticks'"),
            ("canaryctl rollout hello --guard mine --type AllAtOnce", "'--guard=mine'"),
            ("canaryctl rollout hello --simulate hello-errors", "'--simulate=hello-errors'"),
            ("canaryctl status hello --json", "'--output json'"),
            ("canaryctl rollback hello --version 40", "'--to'"),
            ("canaryctl rollout hello --slack=x", "'--notify'"),
        ] {
            let said = said(line);
            assert!(said.contains(tip) && !said.contains("similar: '--region'"), "{line}: {said}");
        }
        assert!(said("canaryctl rollout hello --typ AllAtOnce").contains("'--type'"), "clap's own tip stays");
        assert!(!said("canaryctl rollout hello --speling").contains("tip"), "nothing is alike");
        assert!(said("canaryctl rollout hello orders").contains("several functions stand in canary.yml"));
        assert!(said("canaryctl rollout hello --simulate --typ AllAtOnce").contains("'--type'"));
    }
}
