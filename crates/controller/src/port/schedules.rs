//! What invokes a function again and again while no process of canaryctl runs? One schedule of `EventBridge` Scheduler for each rollout, or one for
//! all, which finds the others' contents in a list.

use rollout::Time;

/// The group that all schedules of canaryctl are in. It is there before the first of them.
pub const SCHEDULE_GROUP: &str = "canaryctl";

/// How often a schedule invokes its function: as often as `EventBridge` Scheduler can.
pub const SCHEDULE_RATE: &str = "rate(1 minute)";

/// How often an invocation that Lambda did not accept is tried again (AWS allows 0 to 185).
///
/// Tried again means that an invocation whose answer was lost happens twice, and so it is with Lambda's own retries of a function that fails: what
/// is invoked must be safe to be invoked twice.
pub const SCHEDULE_RETRIES: u16 = 2;

/// How many seconds old an invocation may be that is still tried again (AWS allows 60 to 86,400): after that the next one is there.
pub const SCHEDULE_RETRY_SECONDS: u32 = 60;

/// One schedule, in [`SCHEDULE_GROUP`], at [`SCHEDULE_RATE`], without a flexible window. AWS deletes it by itself once it has ended.
///
/// AWS invokes up to a minute late, sometimes twice, and never early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Its name in the group: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The first invocation, in whole seconds; at most five minutes ago.
    pub starts: Time,
    /// There is no invocation at or after this time, which is in whole seconds.
    pub ends: Time,
    /// The ARN of the function, with an alias or version if it has one.
    pub function: String,
    /// The ARN of the role that `EventBridge` Scheduler invokes it as.
    pub role: String,
    /// What the function is given: JSON, at most 256 KB.
    pub input: String,
    /// Whether it invokes the function by itself; else it only says what the clock's invocations are to continue.
    pub enabled: bool,
    /// The same creation twice is one creation: 1 to 64 letters, digits, `-` and `_`.
    pub token: String,
}

/// A schedule, as the service shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleSeen {
    /// When it was created.
    pub created_at: Time,
    /// The first invocation; `None` where somebody else made it without one.
    pub starts: Option<Time>,
    /// When it ends; `None` where it never does.
    pub ends: Option<Time>,
    /// Whether it invokes anything: a person can disable it.
    pub enabled: bool,
    /// The ARN of the function.
    pub function: String,
    /// The ARN of the role.
    pub role: String,
    /// What the function is given.
    pub input: String,
}

/// A schedule, as a list of them has it: without what its function is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleListed {
    /// Its name in the group.
    pub name: String,
    /// When it was created, or changed last.
    pub changed_at: Time,
    /// The ARN of the function.
    pub function: String,
}

impl ScheduleSeen {
    /// Whether this is what `spec` asks for.
    pub fn is(&self, spec: &ScheduleSpec) -> bool {
        self.enabled == spec.enabled
            && (self.starts, self.ends) == (Some(spec.starts), Some(spec.ends))
            && (&self.function, &self.role, &self.input) == (&spec.function, &spec.role, &spec.input)
    }
}
