//! `canaryctl doctor`: everything that would make a rollout less than it seems, nothing changed.

use controller::Request;
use controller::port::Cloud;

use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::session::Wiring;
use crate::ui::print::say;
use crate::{multi, session};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    multi::for_each(&args, async |wired, request| examine(&args, wired, request).await).await
}

/// Examines one function.
async fn examine(args: &Rollout, wired: &Wiring, request: &Request) -> Result<u8, Failure> {
    let identity = session::identity(&request.subject);
    let diagnosis = controller::doctor(&wired.aws, &wired.clock, request, identity).await;
    match args.common.output {
        Output::Text => say(&report::doctor_text(&request.subject, &diagnosis)),
        Output::Json => say(&report::doctor_json(&request.subject, &diagnosis, wired.aws.time())?),
    }
    Ok(diagnosis.exit_code())
}
