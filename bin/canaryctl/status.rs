//! `canaryctl status`: one read, explained; a second one where AWS itself may be at work on the alias.

use controller::port::Cloud;
use rollout::alias::{Alias, Standing, standing};
use rollout::subject::Subject;

use crate::args::{Output, Status};
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate};
use crate::wiring::Wiring;
use crate::{say, watch};

pub(crate) async fn run(args: Status) -> Result<u8, Failure> {
    let located = locate(args.function.as_deref(), &args.common, Otherwise::AsTyped).await?;
    if args.watch {
        return watch::run(&args, &located).await;
    }
    let Located { subject, wired, .. } = located;
    let alias = wired.aws.alias(&subject).await?.map(|held| held.alias);
    tell(&args, &subject, &wired, alias.as_ref()).await
}

/// Says once what the alias is.
pub(crate) async fn tell(args: &Status, subject: &Subject, wired: &Wiring, alias: Option<&Alias>) -> Result<u8, Failure> {
    let now = wired.aws.time();
    match args.common.output {
        Output::Text => {
            let foreign = alias.is_some_and(|alias| matches!(standing(alias), Standing::Foreign { .. }));
            // Not being allowed to know is no matter.
            let provisioned = if foreign { wired.aws.provisioned(subject).await.ok() } else { None };
            say(&report::status_text(subject, alias, provisioned, now));
        }
        Output::Json => say(&format!("{}\n", report::status_json(subject, alias, now)?)),
    }
    Ok(if alias.is_some() { 0 } else { 3 })
}
