//! `canaryctl doctor`: everything that would make a rollout less than it seems, nothing changed.

use controller::cloud::Cloud;

use crate::args::{Output, Rollout};
use crate::failure::Failure;
use crate::located::{Otherwise, locate};
use crate::{rollout_command, say, settings, wiring};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    let located = locate(args.function.as_deref(), &args.common, Otherwise::Fail).await?;
    let request = settings::request(&args, &located).await?;
    let wired = &located.wired;
    rollout_command::elsewhere(&args.alarms, wired.aws.region())?;
    let identity = wiring::identity(&request.subject);
    let diagnosis = controller::doctor(&wired.aws, &wired.clock, &request, identity).await;
    match args.common.output {
        Output::Text => say(&report::doctor_text(&request.subject, &diagnosis)),
        Output::Json => say(&report::doctor_json(&request.subject, &diagnosis, wired.aws.time())?),
    }
    Ok(diagnosis.exit_code())
}
