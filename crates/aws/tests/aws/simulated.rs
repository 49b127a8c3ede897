//! AWS on a simulated account, under paused time.

#[path = "../../../../tests/harness/machine.rs"]
mod machine;

use std::time::{Duration, UNIX_EPOCH};

use aws::Aws;
use rollout::Subject;
use sim::{Account, CallRecord, Fault, SimClock, World};

use self::machine::Part;

/// A function `hello` with two versions and the alias `live` on the first, and the way to it.
pub(crate) struct Simulated {
    pub(crate) account: Account,
    pub(crate) aws: Aws,
}

impl Simulated {
    pub(crate) async fn new() -> Self {
        Self::with(sim::Settings::served()).await
    }

    pub(crate) async fn with(settings: sim::Settings) -> Self {
        Self::made(settings, None).await
    }

    /// One whose calls go to this endpoint, where one is given, instead of to AWS.
    pub(crate) async fn made(settings: sim::Settings, endpoint: Option<String>) -> Self {
        let clock = SimClock::new(UNIX_EPOCH + Duration::from_millis(1_764_000_000_500));
        let mut world = World::new(settings, 1, clock.now().into());
        world.create_function("hello", &[]).unwrap();
        world.publish("hello", 1).unwrap();
        world.publish("hello", 2).unwrap();
        world.set_alias("hello", "live", "1", None).unwrap();
        let account = Account::new(world, clock);
        let part = Part { endpoint, ..Part::of(&account, "ME") };
        Self { aws: part.connect(clock).await, account }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.account.with(|world| world.add_fault(fault));
    }

    /// Every call so far, with its status.
    pub(crate) fn calls(&self) -> Vec<(String, u16)> {
        self.account
            .with(|world| world.log().iter().map(|CallRecord { operation, status, .. }| (operation.clone(), *status)).collect())
    }

    /// How many calls there were of one operation.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|(name, _)| name == operation).count()
    }
}

pub(crate) fn subject(text: &str) -> Subject {
    Subject::parse(text, None).unwrap()
}
