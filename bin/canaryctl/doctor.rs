//! `canaryctl doctor`: everything that would make a rollout less than it seems, nothing changed.

use controller::Request;
use controller::port::Cloud;

use crate::args::{Output, Rollout};
use crate::failure::Failure;
use crate::located::{Otherwise, locate};
use crate::wiring::Wiring;
use crate::{rollout_command, say, settings, several, wiring};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    if several::are_meant(&args) {
        let (located, requests) = several::requests(&args).await?;
        let mut code = 0;
        for (located, request) in located.iter().zip(&requests) {
            code = code.max(examine(&args, &located.wired, request).await?);
        }
        return Ok(code);
    }
    let located = locate(args.function.as_deref(), &args.common, Otherwise::Fail).await?;
    let request = settings::request(&args, &located).await?;
    rollout_command::elsewhere(&args.alarms, located.wired.aws.region())?;
    examine(&args, &located.wired, &request).await
}

/// Examines one function.
async fn examine(args: &Rollout, wired: &Wiring, request: &Request) -> Result<u8, Failure> {
    let identity = wiring::identity(&request.subject);
    let diagnosis = controller::doctor(&wired.aws, &wired.clock, request, identity).await;
    match args.common.output {
        Output::Text => say(&report::doctor_text(&request.subject, &diagnosis)),
        Output::Json => say(&report::doctor_json(&request.subject, &diagnosis, wired.aws.time())?),
    }
    Ok(diagnosis.exit_code())
}
