//! A small, strict AWS of its own: Lambda, CloudWatch and what canaryctl needs beside them, in process or served.
//!
//! [`World`] is one account in one Region, pure: it is given the time and a seed, and tests judge by its log. [`Account`] puts a world below
//! a real SDK client in the same process; [`serve`] puts worlds behind a socket; [`Scenario`] has the built-in accounts.
//! It shares nothing with the program under test: an oracle that shares types shares bugs.

mod account;
mod calendar;
mod clock;
mod cloudformation;
mod cloudwatch;
mod fault;
mod github;
mod lambda;
mod listener;
mod log;
mod logs;
mod messaging;
mod pace;
mod query;
mod quota;
mod response;
mod scenario;
mod scheduler;
mod settings;
mod setup;
mod step_functions;
mod time;
mod value;
mod web;
mod wire;
mod words;
mod world;

pub use self::time::Time;
pub use account::{Account, Broken};
pub use clock::SimClock;
pub use cloudformation::Stack;
pub use cloudwatch::{MetricFault, Shortfall};
pub use fault::{Effect, Fault};
pub use github::Deployment;
pub use lambda::{Ending, Invocation};
pub use listener::{Accounts, serve};
pub use log::{AliasChange, AliasState, CallRecord, Delivery, Tally};
pub use messaging::Sent;
pub use scenario::{Defaults, Scenario};
pub use settings::Settings;
pub use setup::Unfit;
pub use step_functions::GuardRun;
pub use web::{Visit, WebPage};
pub use wire::caller;
pub use world::{Answer, Event, Reply, World};
