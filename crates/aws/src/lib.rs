//! AWS as the controller sees it: implements its port on the AWS SDK. The SDK's types stop here.
//!
//! It decides nothing. [`connect`] finds out where AWS is and who asks; [`Aws`] makes the calls, each with limits of its
//! own, and turns every answer and every failure into the port's words.

mod alarms;
mod alias;
mod carrier;
mod clock;
mod cloud;
mod connect;
mod convert;
mod defaults;
mod error;
mod foreign;
mod github;
mod guard;
mod http_hook;
mod install;
mod limits;
mod log_lines;
mod managed_alarm;
mod metric_data;
mod metrics;
mod pages;
mod permission;
mod schedules;
mod signals;
mod signed;
mod skew;
mod stacks;
mod trust;

pub use aws_credential_types::Credentials;
pub use aws_smithy_async::rt::sleep::SharedAsyncSleep;
pub use aws_smithy_async::time::SharedTimeSource;
pub use aws_smithy_runtime_api::client::http::SharedHttpClient;
pub use connect::{Aws, ClientOverrides, Settings, connect};
pub use install::{FunctionSpec, StackSeen, StackSpec};
