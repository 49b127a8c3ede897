//! Do the alarms exist, are they OK, and do they see anything in time?

use std::time::Duration;

use rollout::Time;
use rollout::format::exact;
use rollout::health::AlarmState;
use rollout::plan::{Plan, Preexisting};
use rollout::target::Subject;

use super::problem::Problem;
use crate::port::{AlarmRule, Call, Cloud, Failure, ManagedAlarm, TAG};
use crate::request::Request;

#[derive(Default)]
pub(crate) struct Alarms {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) in_alarm: Vec<String>,
}

/// The alarms exist and are not in ALARM; those in ALARM do not keep a process from resuming a rollout, which would bring it back.
pub(crate) async fn alarms<C: Cloud>(cloud: &C, request: &Request, plan: &Plan, resumes: bool) -> Alarms {
    let mut out = Alarms::default();
    out.problems.extend(Box::pin(about_managed(cloud, request)).await);
    // What the alarms of the last version say is no matter; and those of the next one are not there yet.
    let of_the_candidate = |name: &&String| !request.managed.iter().any(|rule| rule.name == **name);
    let names: Vec<String> = request.alarms.iter().filter(of_the_candidate).cloned().collect();
    for AlarmRule { name, period, datapoints, .. } in &request.managed {
        out.warnings.extend(too_slow(name, *period * *datapoints, plan));
    }
    if names.is_empty() {
        return out;
    }
    let alarms = match cloud.alarms(&names, Time::default()).await {
        Ok(read) => read.answer,
        Err(error) => {
            out.problems.push(Problem::new(format!("the alarms cannot be read: {error}")));
            return out;
        }
    };
    // A gap between two looks is filled from the history: better to know now whether it may be read.
    if let Some(first) = alarms.first()
        && let Err(error) = cloud.last_red(&first.name, cloud.time()).await
        && error.failure == Failure::Denied
    {
        out.problems.push(
            Problem::new(format!("the alarms' history cannot be read: {error}"))
                .hint(format!("{} is needed", Call::DescribeAlarmHistory.permission())),
        );
    }
    for name in &names {
        let Some(alarm) = alarms.iter().find(|alarm| alarm.name == *name) else {
            out.problems.push(missing_alarm(cloud, name).await);
            continue;
        };
        out.warnings.extend(alarm.fires_after.and_then(|needs| too_slow(name, needs, plan)));
        if let Some(why) = alarm.unknown().filter(|_| !resumes) {
            out.problems.push(Problem::new(why).hint("fix the alarm, or watch another one"));
        }
        match (alarm.state, request.preexisting_alarm) {
            _ if resumes => {}
            (AlarmState::Ok | AlarmState::InsufficientData, _) | (AlarmState::Alarm, Preexisting::Ignore) => {}
            (AlarmState::Alarm, Preexisting::Wait) => out.in_alarm.push(name.clone()),
            (AlarmState::Alarm, Preexisting::Fail) => out.problems.push(
                Problem::new(format!(
                    "alarm `{name}` has been in ALARM since {}, before the rollout started: {}",
                    alarm.since, alarm.reason
                ))
                .hint("`--preexisting-alarm ignore` starts anyway, `wait` waits until it is OK"),
            ),
        }
    }
    out
}

/// An alarm that needs more time than there is watches nothing.
fn too_slow(name: &str, needs: Duration, plan: &Plan) -> Option<String> {
    let lasts = plan.duration();
    (needs > lasts).then(|| {
        format!(
            "alarm `{name}` needs at least {} of errors to fire, but the rollout with its bake lasts only {}: \
             use a shorter period or a longer `--bake`",
            exact(needs),
            exact(lasts)
        )
    })
}

/// Says where an alarm is missing, and which one may be meant.
async fn missing_alarm<C: Cloud>(cloud: &C, name: &str) -> Problem {
    let problem = Problem::new(format!("alarm `{name}` does not exist in {}", cloud.region()));
    let prefix: String = name.chars().take(3).collect();
    let names = cloud.alarm_names(&prefix).await.unwrap_or_default();
    let alike = names.iter().map(|found| (strsim::damerau_levenshtein(found, name), found)).min();
    match alike.filter(|(distance, _)| *distance <= 3) {
        Some((_, found)) => problem.hint(format!("did you mean `{found}`?")),
        None => problem.hint("names are case-sensitive; is this the right Region?"),
    }
}

/// What keeps an alarm from being made or changed, if anything does.
async fn about_managed<C: Cloud>(cloud: &C, request: &Request) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in &request.managed {
        match cloud.managed_alarm(&rule.name).await {
            Ok(found) => problems.extend(found.and_then(|found| foreign(&rule.name, &found, &request.subject))),
            Err(error) => {
                let text = format!("managed alarm `{}` cannot be read: {error}", rule.name);
                problems.push(Problem::new(text).if_denied(&error, PERMISSIONS));
            }
        }
    }
    problems
}

pub(crate) fn foreign(name: &str, found: &ManagedAlarm, subject: &Subject) -> Option<Problem> {
    let whose = match &found.owner {
        Some(owner) if *owner == subject.to_string() => return None,
        Some(owner) => format!("alarm `{name}` is managed for {owner}"),
        None => format!("alarm `{name}` exists without the tag `{TAG}={subject}`: canaryctl does not manage it"),
    };
    Some(Problem::new(whose).hint("choose another name, or watch the existing alarm unchanged by giving only its name"))
}

pub(crate) const PERMISSIONS: &str = "to manage alarms, cloudwatch:DescribeAlarms, cloudwatch:ListTagsForResource, cloudwatch:PutMetricAlarm, \
                           cloudwatch:TagResource and cloudwatch:SetAlarmState are needed";
