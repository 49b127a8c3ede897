//! Where is it played? In virtual time, on one thread, on machines of their own before one simulated account: for scenarios,
//! simulation and benchmarks alike.

pub(crate) mod machine;
pub(crate) mod tap;

use std::future::Future;
use std::time::{Duration, SystemTime};

use controller::Identity;
use controller::port::Clock;
use rollout::note::{Owner, RolloutId};
use sim::{Account, Effect, Fault, SimClock, Time};
use tokio::task::LocalSet;

pub(crate) use self::machine::Part;

/// The controller's way of waiting.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper(pub(crate) SimClock);

impl Clock for Sleeper {
    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }
}

/// The clock of a story that opens now: it is 14:00 on the day the stories are set.
pub(crate) fn opening() -> SimClock {
    SimClock::new(SystemTime::UNIX_EPOCH + Duration::from_hours(498_734))
}

/// Plays something in virtual time on this thread. Chance is the seed's.
pub(crate) fn in_virtual_time<T>(seed: u64, story: impl Future<Output = T>) -> T {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, story)
}

/// Who a process is: its rollout, and itself.
pub(crate) fn identity() -> Identity {
    Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) }
}

/// From then on AWS refuses every call of this caller: its credentials have ended.
pub(crate) fn end_credentials(account: &Account, caller: &str, end: Time) {
    let refused = Fault::everywhere(Effect::Expire).from_caller(caller).between(end, end + Duration::from_hours(24));
    account.with(|world| world.add_fault(refused));
}
