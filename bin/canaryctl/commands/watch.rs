//! `canaryctl status --watch`: the live view of a rollout that runs elsewhere, from reads alone.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use controller::port::{Clock, Cloud};
use controller::{Budget, Budgeted, remote_analysis};
use project::Alarm;
use report::{Prompt, Watch};
use rollout::event::{Event, EventKind};
use rollout::signal::check_together;
use rollout::target::Subject;
use rollout::timing::COUNTS_EVERY;
use rollout::{Alias, Signal, Time};
use serde_json::Value;

use crate::cli::artifact_args::Log;
use crate::cli::common::Output;
use crate::cli::values;
use crate::clock::RuntimeClock;
use crate::error::Failure;
use crate::request::Home;
use crate::target::resolve::Located;
use crate::ui::print::print_json;
use crate::ui::reporters::{Screen, TICK, screen};

/// What is shown while a rollout is watched.
#[derive(Debug, Args)]
pub(crate) struct Watching {
    /// An alarm to show, in addition to those in the configuration file; may be given several times
    #[arg(long = "alarm", value_name = "NAME", value_parser = values::alarm, requires = "watch")]
    alarms: Vec<values::Alarm>,
    /// A signal in metrics to compare too, as `rollout` takes it, in addition to those in the configuration file; may be given several times
    #[arg(long = "signal", value_name = "NAME=…", requires = "watch")]
    signals: Vec<Signal>,
    /// How often to read the alias and the alarms
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::poll, requires = "watch")]
    poll: Duration,
}

/// Watches the rollout in progress until it ends; `None` where none is in progress.
pub(crate) async fn run(
    located: &Located,
    alias: Option<&Alias>,
    Watching { alarms, signals, poll }: &Watching,
    output: Output,
) -> Result<Option<u8>, Failure> {
    let Located { subject, session, .. } = located;
    let signals = compared(signals, located)?;
    let mut home = Home::new(located, false);
    for alarm in alarms {
        home.has(alarm).await?;
    }
    let (alarms, now) = (names(alarms, located), session.aws.time());
    let begun = alias.and_then(|alias| Watch::begin(subject, alias, &alarms, now));
    let Some((mut watch, mut events)) = begun else { return Ok(None) };
    let budget = Budget::default();
    let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
    let mut view = View::new(output, session.clock);
    view.changed(report::status_json(subject, alias, now));
    let mut monitor = Monitor { alarms, signals, count_at: Some(cloud.time()), warning: None };
    loop {
        events.extend(monitor.look(&cloud, subject, &mut watch).await);
        if view.show(&events) {
            return Ok(Some(0));
        }
        view.pass(*poll).await;
        events = match cloud.alias(subject).await {
            Ok(held) => {
                let alias = held.map(|held| held.alias);
                view.changed(report::status_json(subject, alias.as_ref(), cloud.time()));
                watch.look(alias.as_ref(), cloud.time())
            }
            Err(error) => monitor.warn(&mut watch, format!("the alias cannot be read: {error}"), cloud.time()),
        };
    }
}

struct Monitor {
    alarms: Vec<String>,
    signals: Vec<Signal>,
    /// When invocations are counted next; never where that is not permitted.
    count_at: Option<Time>,
    warning: Option<String>,
}

impl Monitor {
    async fn look(&mut self, cloud: &impl Cloud, subject: &Subject, watch: &mut Watch) -> Vec<Event> {
        let now = cloud.time();
        let mut events = Vec::new();
        if !self.alarms.is_empty() {
            match cloud.alarms(&self.alarms, Time::default()).await {
                Ok(seen) => events.extend(watch.look_at_alarms(&seen.answer, now)),
                Err(error) => events.extend(self.warn(watch, format!("the alarms cannot be read: {error}"), now)),
            }
        }
        if self.count_at.is_some_and(|at| now >= at) && !watch.note().phase.share().is_zero() {
            self.count_at = Some(now + COUNTS_EVERY);
            match remote_analysis(cloud, subject, watch.note(), &self.signals).await {
                Ok(found) => events.extend(found.map(|finding| watch.compared(&finding, now))),
                Err(error) => {
                    self.count_at = self.count_at.filter(|_| error.failure != controller::port::Failure::Denied);
                    events.extend(self.warn(watch, format!("the invocations cannot be read: {error}"), now));
                }
            }
        }
        events
    }

    /// A warning that something cannot be read; none where it is the same again.
    fn warn(&mut self, watch: &mut Watch, why: String, now: Time) -> Vec<Event> {
        if self.warning.as_ref() == Some(&why) {
            return Vec::new();
        }
        self.warning = Some(why.clone());
        vec![watch.trouble(why, now)]
    }
}

/// The signals in metrics: those that were typed, and those of the file. A log is not queried once more for whoever only watches.
fn compared(typed: &[Signal], located: &Located) -> Result<Vec<Signal>, Failure> {
    if let Some(signal) = typed.iter().find(|signal| signal.is_in_logs()) {
        let text = format!("signal `{}` is in a log: `--watch` compares metrics only", signal.name);
        return Err(Failure::usage(format!("{text}\n  hint: each query of a log costs; `canaryctl analyze` counts in it once")));
    }
    let said = located.said.iter().flat_map(|said| &said.settings.signals).map(|at| &at.value);
    let said = said.filter(|signal| !signal.is_in_logs() && typed.iter().all(|typed| typed.name != signal.name));
    let signals: Vec<Signal> = typed.iter().chain(said).cloned().collect();
    check_together(&signals).map_err(|error| Failure::usage(format!("`--signal`: {error}")))?;
    Ok(signals)
}

fn names(typed: &[values::Alarm], located: &Located) -> Vec<String> {
    let typed = typed.iter().map(|alarm| alarm.name.clone());
    let said = located.said.iter().flat_map(|said| &said.settings.alarms).filter_map(|alarm| match &alarm.value {
        Alarm::Name(name) => values::alarm(name).ok().map(|alarm| alarm.name),
        Alarm::Definition(definition) => Some(definition.name.clone()),
        // A logical id is not looked up: watching makes no other calls.
        Alarm::LogicalId(_) => None,
    });
    typed.chain(said).collect::<BTreeSet<_>>().into_iter().collect()
}

struct View {
    output: Output,
    screen: Screen,
    clock: RuntimeClock,
    written: Option<Value>,
}

impl View {
    fn new(output: Output, clock: RuntimeClock) -> Self {
        let mut screen = screen(output, Log::default().system(), false);
        // A closed output is not an error.
        let _ = screen.reporter.prompt(&Prompt::Watching);
        Self { output, screen, clock, written: None }
    }

    fn show(&mut self, events: &[Event]) -> bool {
        if self.output == Output::Text {
            for event in events {
                let _ = self.screen.reporter.event(event);
            }
        }
        let ended = events.iter().any(|event| matches!(event.what, EventKind::Outcome(_)));
        if ended {
            let _ = self.screen.reporter.finish();
        }
        ended
    }

    /// For programs: prints the status if more than the time has changed.
    fn changed(&mut self, mut status: Value) {
        let line = format!("{status}\n");
        status["at"].take();
        if self.output == Output::Json && self.written.as_ref() != Some(&status) {
            print_json(&line);
            self.written = Some(status);
        }
    }

    /// Lets the time until the next look pass.
    async fn pass(&mut self, span: Duration) {
        let clock = self.clock;
        let looked = clock.sleep(span);
        tokio::pin!(looked);
        loop {
            tokio::select! {
                () = &mut looked => return,
                () = tokio::time::sleep(TICK), if self.screen.live => {
                    let _ = self.screen.reporter.tick(clock.shown());
                }
            }
        }
    }
}
