//! What does every command that talks to AWS take? Where AWS is, who asks, and how the answer is to look.

use clap::{Args, ValueEnum};

use super::config_args::ConfigArgs;
use super::values::speed;

/// Where AWS is, who asks, and how the answer is to look.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The alias; `live` where neither this nor the project's file names one
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,
    /// How the output looks: `text` for people, `json` for programs (one object a line)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The profile in the AWS configuration files
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Send every request here instead of to AWS
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url: Option<String>,
    /// Run on the embedded simulated AWS, in the story of this name; no credentials, no network
    #[arg(long, value_name = "STORY", num_args = 0..=1, default_missing_value = "hello", require_equals = true, help_heading = "Simulation")]
    pub(crate) simulate: Option<String>,
    /// How many times faster than life the simulation runs
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed, help_heading = "Simulation")]
    pub(crate) speed: f64,
    /// Whether to do without a Region where none is set anywhere: for what sends nothing.
    #[arg(skip)]
    pub(crate) anywhere: bool,
}

impl Common {
    /// Whether all functions of the project's file are meant: none is named, and no story stands for one.
    pub(crate) fn stands_for_all(&self, function: Option<&str>) -> bool {
        function.is_none() && (self.simulate.is_none() || self.config.config.is_some())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    Json,
}
