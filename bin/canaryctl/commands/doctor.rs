//! `canaryctl doctor`: everything that weakens a rollout, nothing changed.

use controller::Request;
use controller::port::Cloud;

use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::multi::{self, InBudget};
use crate::session::Session;
use crate::ui::print::{print_json, print_out};

pub(crate) async fn run(mut args: Rollout) -> Result<u8, Failure> {
    // Most of what it finds has nothing to do with the schedule.
    args.otherwise = "Canary10Percent5Minutes".parse().ok();
    multi::for_each(&args, async |session, cloud, request| examine(&args, (session, cloud), request).await).await
}

async fn examine(args: &Rollout, (session, cloud): (&Session, &InBudget<'_>), request: &Request) -> Result<u8, Failure> {
    let identity = session.identity(&request.subject);
    let diagnosis = controller::doctor(cloud, &session.clock, request, identity).await;
    match args.common.output {
        Output::Text => print_out(&report::doctor_text(&request.subject, &diagnosis)),
        Output::Json => print_json(&report::doctor_json(&request.subject, &diagnosis, session.aws.time())),
    }
    Ok(diagnosis.exit_code())
}
