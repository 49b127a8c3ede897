//! Which options does every command have that talks to AWS? Alias, output, configuration file, credentials, Region, simulation.

use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use sim::SimClock;

use super::config_args::ConfigArgs;
use super::values::pace;
use crate::clock::RuntimeClock;

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The alias [default: the one in the configuration file, else `live`]
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,
    /// The output format: `text` for people, `json` for programs (one object per line)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The AWS profile
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Send all requests to this URL instead of AWS
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url: Option<String>,
    /// Run on the built-in simulated AWS, in this scenario; needs no credentials and no network
    #[arg(long, value_name = "SCENARIO", num_args = 0..=1, default_missing_value = "hello", require_equals = true, conflicts_with_all = ["profile", "endpoint_url"], help_heading = "Simulation")]
    pub(crate) simulate: Option<String>,
    /// How many times faster than real time the simulation runs, at most; `max`: without a limit. The speed changes nothing else
    #[arg(long, value_name = "N", default_value = "60", value_parser = pace, requires = "simulate", help_heading = "Simulation")]
    pub(crate) speed: f64,
    /// Repeat a simulation: the same seed gives the same log, at any speed, and starts on 2026-11-23 at 14:00:00 UTC [default: a random
    /// seed, and the current time]
    #[arg(long, value_name = "N", requires = "simulate", help_heading = "Simulation")]
    pub(crate) seed: Option<u64>,
    /// Whether a missing Region is no error: for commands that send nothing.
    #[arg(skip)]
    pub(crate) anywhere: bool,
    /// The clock of the command; [`Common::start`] sets it.
    #[arg(skip)]
    pub(crate) clock: RuntimeClock,
}

impl Common {
    /// Starts the command's clock, and its random numbers where they have a seed.
    pub(crate) fn start(&mut self) -> RuntimeClock {
        if self.simulate.is_some() {
            if let Some(seed) = self.seed {
                fastrand::seed(seed);
            }
            let begins = self.seed.map_or_else(SystemTime::now, |_| SystemTime::UNIX_EPOCH + SEEDED);
            self.clock = RuntimeClock::Simulated(SimClock::paced(begins, self.speed));
        }
        self.clock
    }

    /// Whether the command is for all functions of the configuration file: none is named, and no scenario has one.
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

/// When a simulation with a seed starts, since 1970: on 2026-11-23, a Monday, at 14:00:00 UTC.
const SEEDED: Duration = Duration::from_hours(498_734);
