//! How is a rollout played that no process stays with? One that begins it, and one turn after the other that goes on with it.

use std::time::Duration;

use controller::{Budget, Budgeted, Interrupt, Request, Ticked};
use rollout::Alias;
use rollout::note::RolloutId;
use rollout::turn::{Turn, outcome};
use tokio::sync::watch;

use crate::harness::{Part, identity};
use crate::play::rollout;
use crate::record::{Ended, Left};
use crate::stage::Stage;

/// How turns come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turns {
    /// How long after the beginning of one the next one begins, or after its end, where that is later.
    pub(crate) every: Duration,
    /// How long one stays.
    pub(crate) lasts: Duration,
    /// How much later another one runs beside each, where one does.
    pub(crate) twice: Option<Duration>,
}

impl Turns {
    /// How much longer a step may take by them: a turn may come late, and wait for a full minute.
    pub(crate) fn slack(&self) -> Duration {
        self.every * 2 + Duration::from_mins(1)
    }
}

/// Rolls out, by a process that stays or by turns; when and how it ended.
pub(crate) async fn driven(
    stage: Stage,
    requests: Vec<Request>,
    part: Part,
    heard: watch::Receiver<Interrupt>,
    turns: Option<Turns>,
) -> Ended {
    match turns {
        Some(turns) => Box::pin(by_turns(stage, requests, part, heard, turns)).await,
        None => Box::pin(rollout(stage, requests, part, heard)).await,
    }
}

/// Begins a rollout, leaves it, and runs turns until it is over; when and how it ended.
async fn by_turns(stage: Stage, requests: Vec<Request>, part: Part, heard: watch::Receiver<Interrupt>, turns: Turns) -> Ended {
    let of = |turn, rollout| {
        requests.iter().map(|request| Request { turn: Some(turn), rollout, ..request.clone() }).collect::<Vec<_>>()
    };
    let begun = rollout(stage.clone(), of(Turn::Begin, None), part.clone(), heard).await;
    if begun.left.iter().all(|left| left.kind != "detached") {
        return begun;
    }
    let tick = Turn::Tick(turns.lasts);
    let first = one_after_the_other(&stage, of(tick, begun.rollout), part.clone(), turns, Duration::ZERO);
    let Some(later) = turns.twice else { return first.await };
    let second = one_after_the_other(&stage, of(tick, begun.rollout), part, turns, later);
    tokio::select! {
        ended = Box::pin(first) => ended,
        ended = Box::pin(second) => ended,
    }
}

async fn one_after_the_other(stage: &Stage, requests: Vec<Request>, part: Part, turns: Turns, later: Duration) -> Ended {
    let aws = stage.connect(part).await;
    let rollout = requests[0].rollout;
    let budget = Budget::looking_every(requests[0].poll, requests.len());
    let cloud = Budgeted::new(&aws, &stage.clock, &budget);
    stage.clock.0.sleep(later).await;
    loop {
        let next = stage.elapsed() + turns.every;
        let (_untold, heard) = watch::channel(Interrupt::None);
        let ticked = Box::pin(controller::tick(&cloud, &stage.clock, &requests, identity(), heard, &mut |_| {})).await;
        if ticked.iter().all(|(_, ticked)| matches!(ticked, Ticked::Ended(_) | Ticked::Idle(_))) {
            // What another one ended may have been changed by others since: of that only the note is told, not where the traffic is.
            let told = ticked.iter().all(|(_, ticked)| matches!(ticked, Ticked::Ended(_)));
            let mut left: Vec<(String, Left)> =
                ticked.into_iter().map(|(subject, ticked)| (subject.to_string(), left(ticked, rollout))).collect();
            left.sort_by(|one, other| one.0.cmp(&other.0));
            let untold = |left: Left| if told { left } else { Left { said: String::new(), ..left } };
            let left: Vec<Left> = left.into_iter().map(|(_, left)| untold(left)).collect();
            let code = left.iter().map(|left| left.code).max().unwrap_or_default();
            return Ended { at: stage.now(), code, left, rollout };
        }
        stage.clock.0.sleep(next.saturating_sub(stage.elapsed()).max(Duration::from_secs(1))).await;
    }
}

/// What a turn says of an alias that it left for good. What another one ended is told by the note alone.
fn left(ticked: Ticked, rollout: Option<RolloutId>) -> Left {
    match ticked {
        Ticked::Ended(summary) => summary.into(),
        Ticked::Idle(alias) => {
            let note = alias.as_ref().and_then(Alias::note).filter(|note| Some(note.id) == rollout);
            let ended = note.and_then(|note| outcome(&note));
            let said = alias.as_ref().map_or_else(String::new, Alias::traffic);
            ended.map_or(Left { code: 21, kind: "superseded".to_owned(), said: said.clone() }, |ended| Left {
                code: ended.exit_code(),
                kind: ended.reason().word().to_owned(),
                said,
            })
        }
        Ticked::Goes(..) | Ticked::Refused(_) => unreachable!("it goes on"),
    }
}
