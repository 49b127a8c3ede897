//! Whose computer is it? One with the program's own SDK, a key of its own and perhaps a clock that is wrong, before a simulated account.

use std::time::{Duration, SystemTime};

use aws::{Aws, ClientOverrides, Credentials, Settings, SharedAsyncSleep, SharedHttpClient, SharedTimeSource, connect};
use aws_smithy_async::time::TimeSource;
use sim::{Account, SimClock, Time};

#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Whose its calls are, by the log.
    pub(crate) caller: String,
    pub(crate) skew: i64,
    /// How fast its clock runs.
    pub(crate) pace: f64,
    pub(crate) http: SharedHttpClient,
    pub(crate) expires: Option<Time>,
    /// Where its calls go instead of to AWS.
    pub(crate) endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Wrong(SimClock, SystemTime, f64, i64);

impl TimeSource for Wrong {
    fn now(&self) -> SystemTime {
        let Self(clock, made, pace, skew) = *self;
        let (now, span) = (clock.now(), Duration::from_secs(skew.unsigned_abs()));
        // Only a clock that runs wrong is reckoned with: a right one is right to the nanosecond.
        let fast = if pace > 1.0 { now.duration_since(made).unwrap_or_default().mul_f64(pace - 1.0) } else { Duration::ZERO };
        if skew < 0 { now + fast - span } else { now + fast + span }
    }
}

impl Part {
    /// One that is right about the time and may stay.
    pub(crate) fn of(account: &Account, caller: &str) -> Self {
        Self { caller: caller.to_owned(), skew: 0, pace: 1.0, http: account.http_client(), expires: None, endpoint: None }
    }

    /// Its way to the account, whose clock this is.
    pub(crate) async fn connect(self, clock: SimClock) -> Aws {
        let seams = ClientOverrides {
            http_client: Some(self.http),
            time_source: Some(SharedTimeSource::new(Wrong(clock, clock.now(), self.pace, self.skew))),
            sleep: Some(SharedAsyncSleep::new(clock)),
            credentials: Some(Credentials::new(self.caller, "none", None, None, "test")),
        };
        let credentials_end = self.expires.and_then(|end| u64::try_from(end.as_millis()).ok()).map(rollout::Time::from_millis);
        let settings = Settings {
            region: Some("us-east-1".to_owned()),
            credentials_end,
            endpoint_url: self.endpoint,
            ..Settings::default()
        };
        connect(settings, seams).await.unwrap()
    }
}
