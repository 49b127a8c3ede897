//! `canaryctl rollout`: one function, or several together or separately, and their exit code.

use controller::{Budget, Budgeted, Identity, Interrupt, Request, shortest_poll};
use rollout::Subject;
use rollout::event::Event;
use rollout::plan::OnInterrupt;
use tokio::sync::watch;

use super::wait::until_over;
use crate::cli::common::Output;
use crate::cli::rollout::Rollout;
use crate::error::Failure;
use crate::session::Session;
use crate::target::resolve::Located;
use crate::ui::interactive::{Console, Known};
use crate::ui::print::{print_note, print_out};
use crate::ui::reporters::Reporters;
use crate::{multi, session, signals};

pub(crate) async fn run(args: Rollout) -> Result<u8, Failure> {
    let stop = signals::listen();
    let (located, mut requests) = multi::requests(&args).await?;
    let session = &located[0].session;
    if args.common.stands_for_all(args.function.as_deref()) {
        print_settings(&args, &located);
    }
    if requests.len() == 1 {
        one(&args, session, requests.remove(0), stop).await
    } else {
        together(&args, session, requests, stop).await
    }
}

async fn one(args: &Rollout, session: &Session, request: Request, stop: watch::Sender<Interrupt>) -> Result<u8, Failure> {
    let output = args.common.output;
    let reporters = Reporters::start(output, &args.artifacts, session.clock, 1)?;
    let identity = session.identity(&request.subject);
    let budget = Budget::looking_every(request.poll, 1);
    let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
    let known = Known::default();
    let mut emit = |event: &Event| {
        known.update(event);
        reporters.emit(event);
    };
    let console = Console {
        cloud: &cloud,
        clock: &session.clock,
        subject: &request.subject,
        identity: session.identity(&request.subject),
        reporters: &reporters,
        known: &known,
        stop: stop.clone(),
        holds: request.on_interrupt == OnInterrupt::Hold,
    };
    let rollout = controller::rollout(&cloud, &session.clock, &request, identity, stop.subscribe(), &mut emit);
    let (ending, left) = console.beside(reporters.keys(), rollout).await;
    reporters.end();
    tell_simulated(args);
    let code = left.settle(ending.exit_code).await;
    if args.wait && code == 0 {
        let ended = [(request.subject.clone(), &ending)];
        return Ok(until_over(session, &ended, request.poll, stop.subscribe()).await);
    }
    Ok(code)
}

async fn together(
    args: &Rollout,
    session: &Session,
    mut requests: Vec<Request>,
    stop: watch::Sender<Interrupt>,
) -> Result<u8, Failure> {
    let at_a_time = args.several.max_parallel.map_or(requests.len(), usize::from).min(requests.len());
    for request in &mut requests {
        request.concurrent_rollouts = at_a_time;
    }
    let reporters = Reporters::start(args.common.output, &args.artifacts, session.clock, requests.len())?;
    let poll = requests[0].poll.max(shortest_poll(at_a_time));
    let budget = Budget::looking_every(requests[0].poll, at_a_time);
    let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
    let mut emit = |event: &Event| reporters.emit(event);
    let mut subjects: Vec<Subject> = requests.iter().map(|request| request.subject.clone()).collect();
    if !args.several.each {
        // As one, they end in the order of their names.
        subjects.sort_by_key(ToString::to_string);
    }
    let ended = if args.several.each {
        let identities = requests.iter().map(|request| session.identity(&request.subject)).collect::<Vec<Identity>>();
        let requests: Vec<(Request, Identity)> = requests.into_iter().zip(identities).collect();
        controller::each(&cloud, &session.clock, &requests, at_a_time, stop.subscribe(), &mut emit).await
    } else {
        let identity = session.identity(&session::SEVERAL);
        controller::group(&cloud, &session.clock, &requests, identity, stop.subscribe(), &mut emit).await
    };
    drop(reporters);
    tell_simulated(args);
    if args.wait && ended.exit_code == 0 {
        let endings: Vec<_> = subjects.into_iter().zip(&ended.endings).collect();
        return Ok(until_over(session, &endings, poll, stop.subscribe()).await);
    }
    Ok(ended.exit_code)
}

/// Whoever runs the commands that a simulation names finds nothing, or an account.
fn tell_simulated(args: &Rollout) {
    if args.common.simulate.is_some() && args.common.output == Output::Text {
        print_out("  simulated nothing of it remains; `canaryctl guide simulated-aws` has one that stays\n");
    }
}

fn print_settings(args: &Rollout, located: &[Located]) {
    let names: Vec<String> = located.iter().map(|one| one.subject.to_string()).collect();
    let how = if args.several.each { "separately" } else { "together" };
    let how = if names.len() == 1 { "1 function".to_owned() } else { format!("{} functions, {how}", names.len()) };
    let file = located[0].said.as_ref().map_or("", |said| said.project.file.as_str());
    print_note(args.common.output, &format!("settings   {file}: {how}: {}\n", names.join(", ")));
}
