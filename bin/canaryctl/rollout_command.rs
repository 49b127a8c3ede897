//! `canaryctl rollout`: from what was typed to a request, and from its ending to an exit code.

use std::path::Path;

use controller::port::Code;
use controller::{Budget, Budgeted, Interrupt, Request};
use rollout::event::Event;
use rollout::plan::OnInterrupt;
use tokio::sync::watch;

use crate::args::{Alarm, Rollout};
use crate::console::{Console, Known};
use crate::failure::Failure;
use crate::located::{Otherwise, locate};
use crate::telling::Telling;
use crate::wiring::Wiring;
use crate::{settings, signals, wiring};

/// The most that AWS takes as a deployment package in a request: 50 MB.
const ZIP_LIMIT: u64 = 50 * 1024 * 1024;

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    let stop = signals::listen();
    let located = locate(args.function.as_deref(), &args.common, Otherwise::Fail).await?;
    let request = settings::request(&args, &located).await?;
    elsewhere(&args.alarms, located.wired.aws.region())?;
    one(&args, &located.wired, request, stop).await
}

/// Rolls out one function, with whoever sits before the terminal.
pub(crate) async fn one(args: &Rollout, wired: &Wiring, request: Request, stop: watch::Sender<Interrupt>) -> Result<u8, Failure> {
    let output = args.common.output;
    let telling =
        Telling::start(output, &args.keeping, wired.clock, 1).map_err(|error| Failure { code: 1, message: error.to_string() })?;
    let identity = wiring::identity(&request.subject);
    let budget = Budget::looking_every(args.poll);
    let cloud = Budgeted::new(&wired.aws, &wired.clock, &budget);
    let known = Known::default();
    let mut tell = |event: &Event| {
        known.hear(event);
        telling.tell(event);
    };
    let console = Console {
        cloud: &cloud,
        clock: &wired.clock,
        subject: &request.subject,
        identity: wiring::identity(&request.subject),
        telling: &telling,
        known: &known,
        stop: stop.clone(),
        holds: request.on_interrupt == OnInterrupt::Hold,
    };
    let rollout = controller::rollout(&cloud, &wired.clock, &request, identity, stop.subscribe(), &mut tell);
    let (ending, left) = console.beside(telling.keys(), rollout).await;
    telling.end();
    Ok(left.settle(ending.exit_code).await)
}

/// An alarm that its ARN puts in another Region would be another one of the same name here.
pub(crate) fn elsewhere<'a>(alarms: impl IntoIterator<Item = &'a Alarm>, region: &str) -> Result<(), Failure> {
    let far = alarms
        .into_iter()
        .find_map(|alarm| alarm.region.as_deref().filter(|there| *there != region).map(|there| (&alarm.name, there)));
    match far {
        Some((name, there)) => Err(Failure::usage(format!(
            "alarm `{name}` is in {there}, and the function in {region}\n  hint: watch an alarm in {region}"
        ))),
        None => Ok(()),
    }
}

/// The package or image that was named. A file is read and looked at before anything is sent.
pub(crate) fn code(args: &Rollout) -> Result<Option<Code>, Failure> {
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
            "`{shown}` has {size} bytes; AWS takes 50 MB in a request\n  hint: upload it to S3 with your build tool, and roll out without `--zip`"
        )));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(Failure::usage(format!("`{shown}` is no zip file, or an empty one")));
    }
    Ok(bytes)
}
