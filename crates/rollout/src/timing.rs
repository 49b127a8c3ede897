//! How long is anything waited for, and why so long? Every span of time that a rollout rests on, each by one name.
//!
//! What a user may choose otherwise is a default; how long one call may take is said where it is made.

use std::time::Duration;

/// How long to wait before a second look where one is not enough to go by: reads of an alias can be stale.
pub const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How long an alias that was made without an answer is waited for: requests do not live longer.
pub const UNANSWERED: Duration = Duration::from_secs(30);

/// How late the write of a weight may have landed that nobody is left to tell of: longer than any request lives, so that a step may
/// take longer than planned, and never less.
pub const LANDED: Duration = Duration::from_mins(1);

/// The longest a lease runs without being renewed, before [`Plan::lease_grace`](crate::plan::Plan::lease_grace) on top.
pub const LEASE: Duration = Duration::from_mins(10);

/// What a lease outlasts the next write by, at least.
pub const LEASE_GRACE: Duration = Duration::from_mins(1);

/// How long after the end of a lease a guard takes its owner for gone: an owner that lives has renewed it half a minute before, and AWS may
/// have throttled that.
pub const GUARD_SLACK: Duration = Duration::from_mins(2);

/// How long a guard lasts: nine events every two and a half minutes, of the 25,000 that an execution has room for, are 4.8 days.
pub const GUARD_LASTS: Duration = Duration::from_hours(96);

/// How long a turn of the controller's function lasts: until shortly before the next one begins, so that alarms are noticed as quickly as by a process
/// that stays.
pub const TURN: Duration = Duration::from_secs(55);

/// How long before its end a lease is renewed, at least.
pub const RENEWAL: Duration = Duration::from_secs(30);

/// How often to look at the alias and the alarms, where nothing else is said.
pub const DEFAULT_POLL: Duration = Duration::from_secs(5);

/// How long to look for error lines in a log, after all traffic is back: an end that says why is worth so much of a wait.
pub const LOG_LIMIT: Duration = Duration::from_secs(15);

/// How often a check is asked.
pub const CHECK_EVERY: Duration = Duration::from_mins(1);

/// How long a check may take to answer.
pub const CHECK_LIMIT: Duration = CHECK_EVERY;

/// How old the question may be to which a check answered that all is well: a minute between two questions, and one for the answer.
pub const CHECK_FRESH: Duration = Duration::from_mins(2);

/// How often calls are counted: `CloudWatch` has them by the minute.
pub const COUNTS_EVERY: Duration = Duration::from_mins(1);

/// How long calls may take to be counted: less than the shortest time in which what was read beside them grows old.
pub const COUNT_LIMIT: Duration = Duration::from_secs(4);

/// How long the histories of alarms may take, all together: as long as one call, which has three tries of five seconds.
pub const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// How long counts serve others. A hundred rollouts come round in 20 seconds, with the five reads of aliases a second that they
/// share; `CloudWatch` itself is later than that.
pub const COUNTS_SERVE: Duration = Duration::from_secs(20);

/// How late `CloudWatch` is in a typical case, of one to three minutes.
pub const CLOUDWATCH_LAG: Duration = Duration::from_mins(2);

/// By when `CloudWatch` has the calls of a minute, all but a few: one to three minutes after it ended.
pub const CLOUDWATCH_SETTLED: Duration = Duration::from_mins(3);

/// How much later the lines of one container can be found in the log than those of another.
pub const LOGS_APART: Duration = Duration::from_secs(30);

/// How long a query of the log may take: most are through in three seconds.
pub const LOG_QUERY_LIMIT: Duration = Duration::from_secs(15);

/// By how much the clocks of two services may differ.
pub const CLOCKS_APART: Duration = Duration::from_secs(5);

/// How long to bake where something is watched and nothing else is said: until `CloudWatch` has seen the last weight.
pub const DEFAULT_BAKE: Duration = CLOUDWATCH_SETTLED;

/// The longest time between two steps: the 2,880 minutes that `CodeDeploy` allows.
pub const MAX_INTERVAL: Duration = Duration::from_hours(48);

/// How much longer than planned a step may last for lack of invocations, where nothing else is said.
pub const MAX_HOLD: Duration = Duration::from_mins(30);

/// How long to wait for the first invocation of a version to be counted, after `CloudWatch` should have had it.
pub const UNSEEN_LIMIT: Duration = Duration::from_mins(5);

/// How long suspicions hold a rollout up, all together.
pub const SUSPICION_LIMIT: Duration = Duration::from_mins(10);

/// How long to hold while nothing can be read, where nothing else is said.
pub const BLIND_LIMIT: Duration = Duration::from_mins(10);

/// How long to wait for an alarm that was in ALARM before anything began.
pub const RED_LIMIT: Duration = Duration::from_hours(1);

/// How long a pause is where nothing else is said.
pub const PAUSE: Duration = Duration::from_hours(1);

/// How long a hook may take where nothing else is said: as `CodeDeploy` has it, an hour for one that answers later.
pub const HOOK_LIMIT: Duration = Duration::from_hours(1);

/// How long one invocation may take: Lambda's 15 minutes, and one to start.
pub const INVOCATION_LIMIT: Duration = Duration::from_mins(16);

/// How long a URL may take: about when most of what stands between gives up by itself.
pub const PAGE_LIMIT: Duration = Duration::from_mins(1);

/// How often to look for a hook's later answer, at the most: it is one of the account's control calls.
pub const LATER_ANSWER: Duration = Duration::from_secs(5);

/// How long a rollback is tried before it is given up as unconfirmed.
pub const ROLLBACK_LIMIT: Duration = Duration::from_mins(15);

/// How long a person's order that moves traffic nowhere is tried.
pub const ORDER_LIMIT: Duration = Duration::from_mins(1);

/// How long a failure that will not pass by itself, such as a denied permission, is met before a person's order is given up.
pub const HOPELESS: Duration = Duration::from_secs(5);

/// How long a new version may take to become ready, and `$LATEST` to take an update: `SnapStart` and functions in a network take minutes.
pub const PREPARING: Duration = Duration::from_mins(15);

/// How long AWS may take to move provisioned concurrency from one version to another, with all traffic on the old one until then.
pub const MOVING: Duration = Duration::from_mins(15);

/// How long AWS may refuse every write for good before a rollout is given up: long enough for credentials to be renewed.
pub const REFUSED: Duration = Duration::from_mins(1);

/// How long before credentials end they are still good for a rollback.
pub const CREDENTIALS_END: Duration = Duration::from_mins(2);

/// What hooks, publishing and a rollback may take on top of the schedule, for which credentials have to last.
pub const CREDENTIALS_MARGIN: Duration = Duration::from_mins(5);

/// The longest rollout that a session of unknown end is sure to outlast: most last an hour, and some of it is over already.
pub const SHORT_SESSION: Duration = Duration::from_mins(45);

/// How long a trouble that repeats itself goes without saying.
pub const REPEATED: Duration = Duration::from_mins(1);
