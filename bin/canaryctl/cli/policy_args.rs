//! How are a rollout's options typed? Each as its row in [`rollout::policy`] says.

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::Error;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use rollout::policy::{Choice, Kind, Layer, OPTIONS, Value};

use super::values::between;

#[derive(Clone, Debug)]
pub(crate) struct PolicyArgs(pub(crate) Layer);

impl Args for PolicyArgs {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PolicyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let typed = OPTIONS.iter().filter(|choice| matches.value_source(choice.name) == Some(ValueSource::CommandLine));
        let value = |choice: &Choice| match choice.kind {
            Kind::Switch => Some(Value::Switch(true)),
            Kind::Words(_) | Kind::Time(..) => matches.get_one(choice.name).copied(),
        };
        Ok(Self(typed.filter_map(|choice| Some((choice.name, value(choice)?))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

fn arg(choice: &'static Choice) -> Arg {
    let arg = Arg::new(choice.name).long(choice.flag.name).help(choice.flag.about);
    let arg = arg.help_heading(Some(choice.group).filter(|group| !group.is_empty()));
    let arg = match choice.kind {
        Kind::Switch => return arg.action(ArgAction::SetTrue),
        Kind::Words(words) => arg.value_parser(
            PossibleValuesParser::new(words).map(|typed| Value::Word(words.iter().find(|word| **word == typed).unwrap_or(&""))),
        ),
        Kind::Time(least, most) => {
            arg.value_parser(ValueParser::new(move |text: &str| between(text, least, most).map(Value::Time)))
        }
    };
    let arg = arg.value_name(choice.placeholder);
    if choice.shown.is_empty() { arg } else { arg.default_value(choice.shown) }
}
