//! What is requested? The command line goes before the configuration file, the file before the scenario, and the defaults come last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use controller::port::{Cloud, Code};
use controller::{AlarmRule, Guard, Request};
use project::{Addressee, Alarm, At, Definition, FunctionSettings, Hook};
use rollout::admission::TakeoverOptions;
use rollout::hook::{HookError, HookTarget};
use rollout::notify::Notification;
use rollout::plan::{InsufficientData, Mode};
use rollout::policy::Policy;
use rollout::signal::check_together;
use rollout::target::FunctionName;
use rollout::turn::Turn;
use rollout::{Arn, Schedule, Signal};

use crate::cli::rollout::{Rollout, TICKS};
use crate::cli::values::{self, Alarm as Typed};
use crate::error::Failure;
use crate::notify;
use crate::target::resolve::{Located, resource};
use crate::ui::print::print_note;

/// Builds the request from the command line and the configuration file. Logical ids are looked up in the stack.
pub(crate) async fn request(args: &Rollout, located: &Located) -> Result<Request, Failure> {
    let scenario = located.defaults();
    let said = located.settings();
    let analysis = said.map(|said| said.analysis.clone()).unwrap_or_default();
    let schedule = schedule(args, located)?;
    let code = code(args)?;
    // With code or a version on the command line, the file's version does not count.
    let version = said.and_then(|said| said.version.as_ref()).map(|at| at.value);
    let version = args.version_number.or(version.filter(|_| code.is_none() && args.description.is_none()));
    let layers = [args.policy.0.clone(), said.map(|said| said.options.layer()).unwrap_or_default()];
    let comparison = args.comparing.plan(&analysis)?;
    let policy = Policy { analysis: comparison, ..Policy::of(&layers) };
    let probe_event = args.comparing.event(&analysis)?;
    let signals = signals(args, said, comparison.mode)?;
    let mut names = Names { located, known: BTreeMap::new(), home: Home::new(located, args.common.anywhere) };
    let (alarms, managed) = names.alarms(args, policy.insufficient_data).await?;
    let default = |name: Option<&'static str>| name.and_then(|name| name.parse::<HookTarget>().ok());
    let pre_hook = names.hook("--pre-hook", args.pre_hook.as_ref(), said.and_then(|said| said.pre_hook.as_ref())).await?;
    let step_hook = names.hook("--step-hook", args.step_hook.as_ref(), said.and_then(|said| said.step_hook.as_ref())).await?;
    let post_hook = names.hook("--post-hook", args.post_hook.as_ref(), said.and_then(|said| said.post_hook.as_ref())).await?;
    let mut checks = Vec::new();
    let said_checks = said.map(|said| said.checks.as_slice()).unwrap_or_default();
    let (typed, said_checks) = if args.checks.is_empty() { (&[][..], said_checks) } else { (args.checks.as_slice(), &[][..]) };
    for (typed, said) in typed.iter().map(|typed| (Some(typed), None)).chain(said_checks.iter().map(|said| (None, Some(said)))) {
        checks.extend(names.hook("--check", typed, said).await?);
    }
    let notify = names.notify(args).await?;
    notify::can_be_told(&notify, args)?;
    let said_gates = said.into_iter().flat_map(|said| &said.gates).map(|at| at.value).collect();
    let gates = args.teams.gates(said_gates, &schedule)?;
    let keep_previous = keep_previous(args, located)?;
    for alarm in &args.alarms {
        names.home.has(alarm).await?;
    }
    Ok(Request {
        version,
        expects: said.and_then(|said| said.current_version.as_ref()).map(|at| at.value).filter(|_| args.version_number.is_none()),
        code,
        description: args.description.clone(),
        alarms,
        managed,
        policy,
        analysis_asked: args.comparing.asked(&analysis, &comparison) || !signals.is_empty(),
        probe_event,
        pre_hook: pre_hook.or_else(|| default(scenario.and_then(|scenario| scenario.pre_hook))),
        post_hook: post_hook.or_else(|| default(scenario.and_then(|scenario| scenario.post_hook))),
        step_hook,
        checks,
        observations: args.artifacts.observations,
        controller: args.detach.clone().filter(|controller| controller != TICKS),
        turn: args.detach.as_ref().map(|_| Turn::Begin),
        guard: args.guard.clone().map(|machine| Guard { machine, optional: args.guard_optional }),
        takeover: TakeoverOptions {
            take_over: args.take_over,
            replan: args.replan,
            adopt: args.adopt,
            supersede: args.supersede,
        },
        signals,
        read_template: |text| project::template(text.as_bytes()).ok(),
        keep_previous,
        prunes: located.prunes(),
        gates,
        notify,
        notice: report::notice,
        notes: located.notes(),
        ..Request::new(located.subject.clone(), schedule)
    })
}

/// The alias that keeps the version before; never the one that is rolled out.
fn keep_previous(args: &Rollout, located: &Located) -> Result<Option<String>, Failure> {
    let said = located.settings().and_then(|said| said.keep_previous.as_ref()).map(|at| at.value.clone());
    let name = args.teams.keep_previous.clone().or(said);
    if name.as_ref() == Some(&located.subject.alias) {
        let text = format!(
            "`--keep-previous`: {} is the alias that is rolled out\n  hint: use another name, such as `previous`",
            located.subject
        );
        return Err(Failure::usage(text));
    }
    Ok(name)
}

/// Whether the request needs names from the project's stack, other than the function's.
pub(crate) fn looks_up(args: &Rollout, said: &FunctionSettings) -> bool {
    let logical = |typed: Option<&String>, said: Option<&At<Hook>>| {
        typed.is_none() && said.is_some_and(|at| matches!(at.value, Hook::LogicalId(_)))
    };
    let hooks = [(&args.pre_hook, &said.pre_hook), (&args.step_hook, &said.step_hook), (&args.post_hook, &said.post_hook)];
    hooks.into_iter().any(|(typed, said)| logical(typed.as_ref(), said.as_ref()))
        || (args.checks.is_empty() && said.checks.iter().any(|at| matches!(at.value, Hook::LogicalId(_))))
        || (args.teams.notify.is_empty() && said.notify.iter().any(|at| matches!(at.value.to, Addressee::LogicalId(_))))
        || (args.alarms.is_empty() && said.alarms.iter().any(|at| matches!(at.value, Alarm::LogicalId(_))))
}

/// The signals of the command line, or of the file.
fn signals(args: &Rollout, said: Option<&FunctionSettings>, mode: Mode) -> Result<Vec<Signal>, Failure> {
    if mode == Mode::Off {
        let text = "`--signal` needs the comparison, but `--analysis` is `off`\n  hint: omit one of them";
        return if args.signals.is_empty() { Ok(Vec::new()) } else { Err(Failure::usage(text)) };
    }
    check_together(&args.signals).map_err(|error| Failure::usage(format!("`--signal`: {error}")))?;
    let of_file = said.into_iter().flat_map(|said| &said.signals).map(|at| at.value.clone());
    Ok(if args.signals.is_empty() { of_file.collect() } else { args.signals.clone() })
}

fn schedule(args: &Rollout, located: &Located) -> Result<Schedule, Failure> {
    let said = located.settings();
    if let Some(every) = args.every {
        return Schedule::steps(&args.steps, every).map_err(|error| Failure::usage(error.to_string()));
    }
    let of_file = || said.and_then(|said| said.schedule.as_ref()).map(|at| at.value.clone());
    let of_scenario = || located.defaults().and_then(|scenario| scenario.schedule.parse().ok());
    let otherwise = || {
        let schedule = args.otherwise.clone()?;
        print_note(args.common.output, &format!("schedule   {schedule}, because none is given; `--type` names yours\n"));
        Some(schedule)
    };
    args.schedule.clone().or_else(of_file).or_else(of_scenario).or_else(otherwise).ok_or_else(|| {
        let file = match (said, &located.not_in_file) {
            (Some(said), _) => format!(" for `{}`: {} has none", said.key.value, said.key.place.file),
            (None, Some(problem)) => format!(": {problem}"),
            (None, None) => String::new(),
        };
        Failure::usage(format!(
            "no schedule given{file}\n  hint: add `--type Canary10Percent5Minutes`, `--steps 1,5,25,50 --every 5m` or `--type AllAtOnce`"
        ))
    })
}

/// Looks up names in the project's stack, each once.
struct Names<'a> {
    located: &'a Located,
    known: BTreeMap<String, String>,
    home: Home<'a>,
}

impl Names<'_> {
    async fn of<T>(&mut self, id: &str, at: &At<T>) -> Result<String, Failure> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let Some(said) = &self.located.said else { return Ok(id.to_owned()) };
        let name = resource(&self.located.session, &said.project, id, &at.place).await?;
        self.known.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    async fn hook(&mut self, flag: &str, typed: Option<&String>, said: Option<&At<Hook>>) -> Result<Option<HookTarget>, Failure> {
        if let Some(typed) = typed {
            let parsed = typed.parse().map(Some);
            return parsed.map_err(|error: HookError| Failure::usage(format!("`{flag}`: {error}")));
        }
        let Some(said) = said else { return Ok(None) };
        match &said.value {
            Hook::Function(function) => Ok(Some(HookTarget::Function(function.clone()))),
            Hook::Url(url) => Ok(Some(HookTarget::Url(url.clone()))),
            Hook::LogicalId(id) => {
                let name = self.of(id, said).await?;
                let parsed = name.parse().map(HookTarget::Function);
                parsed.map(Some).map_err(|_| Failure::refused(format!("{}: `{id}` is not a function", said.place)))
            }
        }
    }

    /// Who is told: by the command line, or the file.
    async fn notify(&mut self, args: &Rollout) -> Result<Vec<Notification>, Failure> {
        let typed = notify::typed(args)?;
        let mut all = typed.iter().map(|typed| notify::resolved(typed, None)).collect::<Result<Vec<_>, _>>()?;
        let said = self.located.settings().filter(|_| typed.is_empty()).into_iter().flat_map(|said| &said.notify);
        for at in said {
            let topic = match &at.value.to {
                Addressee::LogicalId(id) => Some(self.of(id, at).await?),
                Addressee::Known(_) | Addressee::Environment(_) => None,
            };
            all.push(notify::resolved(&at.value, topic)?);
        }
        Ok(all)
    }

    async fn here(&mut self, name: &str, at: &At<Alarm>) -> Result<String, Failure> {
        let alarm = values::alarm(name).map_err(|error| Failure::usage(format!("{}: {error}", at.place)))?;
        let here = self.home.has(&alarm).await;
        here.map_err(|failure| Failure { message: format!("{}: {}", at.place, failure.message), ..failure })?;
        Ok(alarm.name)
    }

    /// The alarms of the command line, or of the file, or of the scenario; each once.
    async fn alarms(&mut self, args: &Rollout, silent: InsufficientData) -> Result<(Vec<String>, Vec<AlarmRule>), Failure> {
        let said = self.located.settings();
        let mut managed = Vec::new();
        let mut alarms: Vec<String> = args.alarms.iter().map(|alarm| alarm.name.clone()).collect();
        for at in said.filter(|_| args.alarms.is_empty()).into_iter().flat_map(|said| &said.alarms) {
            alarms.push(match &at.value {
                Alarm::Name(name) => self.here(name, at).await?,
                Alarm::LogicalId(id) => self.of(id, at).await?,
                Alarm::Definition(definition) => {
                    if managed.iter().any(|known: &AlarmRule| known.name == definition.name) {
                        return Err(Failure::usage(format!("{}: alarm `{}` is defined twice", at.place, definition.name)));
                    }
                    managed.push(rule(definition, at, silent)?);
                    definition.name.clone()
                }
            });
        }
        if let Some(scenario) = self.located.defaults().filter(|_| alarms.is_empty()) {
            alarms.extend(scenario.alarms.iter().map(|name| (*name).to_owned()));
        }
        let mut seen = BTreeSet::new();
        alarms.retain(|name| seen.insert(name.clone()));
        Ok((alarms, managed))
    }
}

fn rule(definition: &Definition, at: &At<Alarm>, insufficient_data: InsufficientData) -> Result<AlarmRule, Failure> {
    if insufficient_data == InsufficientData::RollBack {
        let text = "a managed alarm has no data at first: with `insufficientData: rollback` every rollout would roll back";
        return Err(Failure::usage(format!("{}: {text}\n  hint: `insufficientData: hold` waits for the first data", at.place)));
    }
    Ok(AlarmRule {
        name: definition.name.clone(),
        namespace: definition.namespace.clone(),
        metric: definition.metric.clone(),
        statistic: definition.statistic.clone(),
        threshold: definition.threshold,
        comparison: definition.comparison.word().to_owned(),
        period: definition.period,
        evaluation_periods: definition.evaluation_periods,
        datapoints: definition.datapoints.unwrap_or(definition.evaluation_periods),
        missing_data: definition.missing_data.word().to_owned(),
        dimensions: definition.dimensions.clone(),
    })
}

/// Where the function is: alarms elsewhere are not watched.
pub(crate) struct Home<'a> {
    located: &'a Located,
    /// Whether nothing may be asked.
    offline: bool,
    /// The function's partition and account, once they are known.
    known: Option<(Option<String>, String)>,
}

impl<'a> Home<'a> {
    pub(crate) fn new(located: &'a Located, offline: bool) -> Self {
        let FunctionName { place, account, .. } = &located.subject.function;
        let known = account.as_ref().map(|account| (place.as_ref().map(|place| place.partition.clone()), account.clone()));
        Self { located, offline, known }
    }

    /// Refuses an alarm whose ARN names another Region, account or partition: the name alone would mean another alarm here.
    pub(crate) async fn has(&mut self, alarm: &Typed) -> Result<(), Failure> {
        let Typed { name, place: Some([partition, region, account]) } = alarm else { return Ok(()) };
        let refused = |there: &str, here: &str| {
            let text = format!("alarm `{name}` is in {there}, but the function is in {here}\n  hint: watch an alarm in {here}");
            Err(Failure::usage(text))
        };
        let own = self.located.session.aws.region();
        if region != own {
            return refused(region, own);
        }
        if self.known.is_none() && !self.offline {
            let found = self.located.session.aws.configuration(&self.located.subject.function, None).await?;
            self.known = Arn::parse(&found.arn).map(|arn| (Some(arn.partition.to_owned()), arn.account.to_owned()));
        }
        let Some((home, own)) = &self.known else { return Ok(()) };
        if account != own {
            return refused(&format!("account {account}"), &format!("account {own}"));
        }
        match home {
            Some(home) if home != partition => refused(&format!("partition {partition}"), &format!("partition {home}")),
            _ => Ok(()),
        }
    }
}

/// The deployment package or image. A file is read and checked before anything is sent.
fn code(args: &Rollout) -> Result<Option<Code>, Failure> {
    match (&args.zip, &args.image) {
        (Some(path), _) => Ok(Some(Code::Zip(zip(path)?))),
        (None, Some(uri)) => Ok(Some(Code::Image(uri.clone()))),
        (None, None) => Ok(None),
    }
}

fn zip(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| Failure::usage(format!("`{shown}` cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > ZIP_LIMIT {
        return Err(Failure::usage(format!(
            "`{shown}` has {size} bytes; AWS accepts at most 50 MB in a request\n  hint: upload it to S3 with your build tool, then roll out without `--zip`"
        )));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(Failure::usage(format!("`{shown}` is not a zip file, or it is empty")));
    }
    Ok(bytes)
}

/// The largest deployment package that AWS accepts in a request: 50 MB.
const ZIP_LIMIT: u64 = 50 * 1024 * 1024;
