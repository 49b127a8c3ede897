//! `canaryctl status`: one read, explained; a second one where AWS itself may be at work on the alias.

use controller::cloud::Cloud;
use rollout::alias::{Standing, standing};

use crate::args::{Output, Status};
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate};
use crate::say;

pub(crate) async fn run(args: Status) -> Result<u8, Failure> {
    let Located { subject, wired, .. } = locate(args.function.as_deref(), &args.common, Otherwise::AsTyped).await?;
    let alias = wired.aws.alias(&subject).await?.map(|held| held.alias);
    let now = wired.aws.time();
    match args.common.output {
        Output::Text => {
            let foreign = alias.as_ref().is_some_and(|alias| matches!(standing(alias), Standing::Foreign { .. }));
            // Not being allowed to know is no matter.
            let provisioned = if foreign { wired.aws.provisioned(&subject).await.ok() } else { None };
            say(&report::status_text(&subject, alias.as_ref(), provisioned, now));
        }
        Output::Json => say(&format!("{}\n", report::status_json(&subject, alias.as_ref(), now)?)),
    }
    Ok(if alias.is_some() { 0 } else { 3 })
}
