//! Which functions are meant, and what is asked for each? One that is named, or all of the project's file: no command tells them apart.

use controller::Request;

use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::request::request;
use crate::session::Session;
use crate::target::resolve::{Located, OnConfigError, locate_all};

/// The requests for all functions that are meant, in one AWS, one at least. Functions that go together are of one schedule.
pub(crate) async fn requests(args: &Rollout) -> Result<(Vec<Located>, Vec<Request>), Failure> {
    let for_one =
        [("--zip", args.zip.is_some()), ("--image", args.image.is_some()), ("--version", args.version_number.is_some())];
    let function = args.function.as_deref();
    if let Some((flag, _)) = for_one.iter().find(|(_, given)| *given && args.common.stands_for_all(function)) {
        return Err(Failure::usage(format!(
            "`{flag}` is for one function, and none is named\n  hint: `canaryctl rollout <FUNCTION> {flag} …`"
        )));
    }
    let (located, _) = locate_all(function, &args.several.only, &args.common, OnConfigError::Fail).await?;
    let mut requests = Vec::new();
    for one in &located {
        requests.push(request(args, one).await?);
    }
    if let Some((first, other)) = different(&located, &requests).filter(|_| !args.several.each) {
        return Err(Failure::usage(format!(
            "{first} and {other} have different schedules, and functions that are rolled out as one step together\n  \
             hint: `--type NAME` for all of them, `--only` those that are alike, or `--each` by itself"
        )));
    }
    Ok((located, requests))
}

/// Does something for each function that is meant, one after the other. The exit code is the worst of theirs.
pub(crate) async fn for_each(
    args: &Rollout,
    mut act: impl AsyncFnMut(&Session, &Request) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    let (located, requests) = requests(args).await?;
    let mut code = 0;
    for (located, request) in located.iter().zip(&requests) {
        code = code.max(act(&located.session, request).await?);
    }
    Ok(code)
}

/// Two functions that do not step together, with their schedules.
fn different(located: &[Located], requests: &[Request]) -> Option<(String, String)> {
    let shown = |index: usize| format!("`{}` ({})", located[index].key(), requests[index].schedule);
    let other = requests.iter().position(|request| request.schedule != requests[0].schedule)?;
    Some((shown(0), shown(other)))
}
