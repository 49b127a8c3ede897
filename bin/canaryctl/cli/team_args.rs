//! Which options concern people beside the one who rolls out? Who is told, whose approval it waits for, and which version is kept.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use rollout::gate::{self, Gate};
use rollout::note::AfterPause;
use rollout::notify::NoticeKind;
use rollout::{Schedule, Weight};

use super::values::{alias_name, duration, notice_kind, share};
use crate::error::Failure;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TeamArgs {
    /// Wait for an approval (`canaryctl resume <FUNCTION> --gate`) once the new version has this traffic; may be given several times
    #[arg(long = "gate", value_name = "PERCENT", value_parser = share, help_heading = GATES)]
    pub(crate) gates: Vec<Weight>,
    /// How long a gate waits; once for all gates, or once for each [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "gates", help_heading = GATES)]
    pub(crate) gate_for: Vec<Duration>,
    /// What happens if nobody approves; once for all gates, or once for each [default: rollback]
    #[arg(long, value_name = "WHAT", requires = "gates", help_heading = GATES,
          value_parser = PossibleValuesParser::new(gate::WORDS).map(|word| gate::then(&word).unwrap_or(AfterPause::RollBack)))]
    pub(crate) gate_then: Vec<AfterPause>,
    /// After a promotion, put this alias on the version before, so that a clean-up of old versions cannot delete it
    #[arg(long, value_name = "ALIAS", value_parser = alias_name, help_heading = "Version")]
    pub(crate) keep_previous: Option<String>,
    /// Who is told of the rollout: an `https://` URL (Slack and Teams webhooks get a message of their own, any other URL the event in JSON),
    /// `sns:TOPIC_ARN`, `events:BUS`, `github:ENVIRONMENT` (a deployment on GitHub, with the job's `GITHUB_TOKEN`), or `env:NAME` for what an
    /// environment variable has; may be given several times
    #[arg(long, value_name = "TARGET", help_heading = NOTIFICATIONS)]
    pub(crate) notify: Vec<String>,
    /// What they are told [default: all but `shifted`]
    #[arg(long, value_name = "KIND,KIND,…", value_delimiter = ',', value_parser = notice_kind, requires = "notify", help_heading = NOTIFICATIONS)]
    pub(crate) notify_on: Vec<NoticeKind>,
}

const GATES: &str = "Gates";
const NOTIFICATIONS: &str = "Notifications";

impl TeamArgs {
    /// The gates of the command line, or of the file, in the order of the schedule.
    pub(crate) fn gates(&self, said: Vec<Gate>, schedule: &Schedule) -> Result<Vec<Gate>, Failure> {
        let (flag, gates) = if self.gates.is_empty() { ("`gates`", said) } else { ("`--gate`", self.typed()?) };
        gate::in_order(gates, schedule).map_err(|why| Failure::usage(format!("{flag}: {why}")))
    }

    fn typed(&self) -> Result<Vec<Gate>, Failure> {
        let lasts = each(&self.gate_for, gate::USUAL, self.gates.len(), "--gate-for")?;
        let then = each(&self.gate_then, AfterPause::RollBack, self.gates.len(), "--gate-then")?;
        let gates = self.gates.iter().zip(lasts).zip(then).map(|((weight, lasts), then)| {
            let gate = Gate { weight: *weight, lasts, then };
            gate.checked().map_err(|why| Failure::usage(format!("`--gate-for`: {why}")))
        });
        gates.collect()
    }
}

/// A value for each gate: the usual one, one for all, or one each.
fn each<T: Copy>(given: &[T], usual: T, count: usize, flag: &str) -> Result<Vec<T>, Failure> {
    match given {
        [] => Ok(vec![usual; count]),
        [one] => Ok(vec![*one; count]),
        given if given.len() == count => Ok(given.to_vec()),
        given => Err(Failure::usage(format!("`{flag}` is given {} times, and `--gate` {count} times", given.len()))),
    }
}
