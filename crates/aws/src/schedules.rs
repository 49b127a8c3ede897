//! How are schedules made, read and deleted? `EventBridge` Scheduler, in the one group that canaryctl uses.

use aws_sdk_scheduler::error::BuildError;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use controller::port::{
    Answer, Call, Failure, SCHEDULE_GROUP, SCHEDULE_RATE, SCHEDULE_RETRIES, SCHEDULE_RETRY_SECONDS, ScheduleListed, ScheduleSeen,
    ScheduleSpec,
};
use rollout::Time;

use crate::connect::Aws;
use crate::error::{failed, without_code};

impl Aws {
    pub(crate) async fn make_schedule(&self, spec: &ScheduleSpec) -> Answer<()> {
        let operation = Call::CreateSchedule;
        let incomplete = |error: BuildError| without_code(Failure::Unsent, operation.name(), error.to_string());
        let retries = RetryPolicy::builder()
            .maximum_event_age_in_seconds(i32::try_from(SCHEDULE_RETRY_SECONDS).unwrap_or(i32::MAX))
            .maximum_retry_attempts(i32::from(SCHEDULE_RETRIES));
        let target = Target::builder().arn(&spec.function).role_arn(&spec.role).input(&spec.input).retry_policy(retries.build());
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
        let request = self
            .scheduler()
            .create_schedule()
            .group_name(SCHEDULE_GROUP)
            .name(&spec.name)
            .client_token(&spec.token)
            .schedule_expression(SCHEDULE_RATE)
            .start_date(seconds(spec.starts))
            .end_date(seconds(spec.ends))
            .state(if spec.enabled { ScheduleState::Enabled } else { ScheduleState::Disabled })
            .flexible_time_window(window.build().map_err(incomplete)?)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target.build().map_err(incomplete)?);
        match request.send().await.map(drop).map_err(failed(operation)) {
            // There is one of this name: this one, if an earlier answer was lost.
            Err(error) if error.failure == Failure::Conflict => match self.find_schedule(&spec.name).await? {
                Some(seen) if seen.is(spec) => Ok(()),
                Some(_) | None => Err(error),
            },
            answer => answer,
        }
    }

    pub(crate) async fn find_schedule(&self, name: &str) -> Answer<Option<ScheduleSeen>> {
        let request = self.scheduler().get_schedule().group_name(SCHEDULE_GROUP).name(name);
        match request.send().await.map_err(failed(Call::GetSchedule)) {
            Ok(found) => Ok(Some(seen(found))),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn list_disabled_schedules(&self) -> Answer<Vec<ScheduleListed>> {
        let request = self.scheduler().list_schedules().group_name(SCHEDULE_GROUP).state(ScheduleState::Disabled);
        let mut pages = request.into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(Call::ListSchedules))?;
            listed.extend(page.schedules.into_iter().map(|one| ScheduleListed {
                name: one.name.unwrap_or_default(),
                changed_at: one.last_modification_date.map(time).unwrap_or_default(),
                function: one.target.map(|target| target.arn).unwrap_or_default(),
            }));
        }
        Ok(listed)
    }

    pub(crate) async fn drop_schedule(&self, name: &str) -> Answer<()> {
        let request = self.scheduler().delete_schedule().group_name(SCHEDULE_GROUP).name(name);
        match request.send().await.map(drop).map_err(failed(Call::DeleteSchedule)) {
            Err(error) if error.failure == Failure::NotFound => Ok(()),
            answer => answer,
        }
    }
}

fn seen(found: GetScheduleOutput) -> ScheduleSeen {
    let (function, role, input) =
        found.target.map(|target| (target.arn, target.role_arn, target.input.unwrap_or_default())).unwrap_or_default();
    ScheduleSeen {
        created_at: found.creation_date.map(time).unwrap_or_default(),
        starts: found.start_date.map(time),
        ends: found.end_date.map(time),
        enabled: found.state != Some(ScheduleState::Disabled),
        function,
        role,
        input,
    }
}

fn time(at: DateTime) -> Time {
    u64::try_from(at.secs()).map(Time::from_secs).unwrap_or_default()
}

fn seconds(at: Time) -> DateTime {
    DateTime::from_secs(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
}
