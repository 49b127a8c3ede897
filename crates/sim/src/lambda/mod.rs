//! What does Lambda answer? One account's functions and the operations on them, one call at a time.
//!
//! It knows neither faults nor quotas, and keeps no log: the world around it does.

mod aliases;
mod behaviour;
mod call;
mod code;
mod counters;
mod extras;
mod function;
mod functions;
mod hosted;
mod hosting;
mod invoke;
mod invoke_config;
mod mapping;
mod mappings;
mod name;
mod policies;
mod refusal;
mod report;
mod setup;
mod traffic;
mod versions;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::cloudwatch::CloudWatch;
use crate::log::{AliasState, Tally};
use crate::logs::Logs;
use crate::settings::Settings;
use crate::time::Time;
use crate::value::present;
use behaviour::Luck;
pub(crate) use call::{Call, Operation};
use counters::Counters;
use function::Function;
use hosting::Hosted;
pub use hosting::{Ending, Invocation};
use mapping::Mapping;
use name::Place;
pub(crate) use refusal::Refusal;
use report::Errand;
use traffic::Traffic;

#[derive(Debug)]
pub(crate) struct Lambda {
    place: Place,
    settings: Settings,
    functions: BTreeMap<String, Function>,
    mappings: BTreeMap<String, Mapping>,
    /// When which creation or update finishes: a function's version, or none for `$LATEST`.
    settling: BTreeSet<(Time, String, Option<u32>)>,
    /// When which alias' provisioned concurrency has moved.
    moves: BTreeSet<(Time, String, String)>,
    counters: Counters,
    traffic: Traffic,
    pub(crate) hosted: Hosted,
    /// What functions do later in the background.
    errands: Vec<Errand>,
    luck: Luck,
    /// What functions have written: nobody else writes there.
    pub(crate) logs: Logs,
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: u16,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    pub(crate) delay: Duration,
    /// The invocation whose end is the answer, where that is still to come.
    pub(crate) runs: Option<u64>,
}

impl Done {
    fn bytes(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Self { status, content_type: content_type.into(), headers: Vec::new(), body, delay: Duration::ZERO, runs: None }
    }

    /// Members without a value are left out.
    fn json(status: u16, body: Value) -> Self {
        Self::bytes(status, "application/json", present(body).to_string().into())
    }

    fn empty(status: u16) -> Self {
        Self::bytes(status, "application/json", Bytes::new())
    }

    /// The part of a list that a call asks for.
    fn list(call: &Call<'_>, member: &str, items: Vec<Value>) -> Result<Self, Refusal> {
        let (items, next) = call.page(items)?;
        Ok(Self::json(200, json!({ member: items, "NextMarker": next })))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A creation or an update finishes.
    Settlement,
    /// The synthetic caller at this place invokes.
    Caller(usize),
    /// An invocation whose code is not this simulation's times out, or is repeated.
    Hosted,
}

macro_rules! answer {
    ($($name:ident => $answer:ident, $method:literal, $path:literal;)*) => {
        impl Lambda {
            pub(crate) fn answer(&mut self, call: &Call<'_>, metrics: &mut CloudWatch) -> Result<Done, Refusal> {
                match call.operation {
                    $(Operation::$name => self.$answer(call),)*
                    Operation::Invoke => self.invoke(call, metrics),
                    Operation::FunctionUrl => self.visit(call, metrics),
                }
            }
        }
    };
}

call::operations!(answer);

impl Lambda {
    pub(crate) fn new(settings: &Settings, rng: fastrand::Rng) -> Self {
        Self {
            place: Place { account: settings.account.clone(), region: settings.region.clone() },
            settings: settings.clone(),
            functions: BTreeMap::new(),
            mappings: BTreeMap::new(),
            settling: BTreeSet::new(),
            moves: BTreeSet::new(),
            counters: Counters::new(),
            traffic: Traffic::default(),
            hosted: Hosted::default(),
            errands: Vec::new(),
            // A generator of its own, as all the others.
            logs: Logs::new(settings, fastrand::Rng::with_seed(rng.clone().u64(..).rotate_left(32))),
            luck: Luck::new(rng),
        }
    }

    /// What functions do in the background, since the last call of this.
    pub(crate) fn errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.errands)
    }

    /// What happens next without a call, and when.
    pub(crate) fn next_due(&mut self, now: Time) -> Option<(Time, Due)> {
        let call = self.traffic.next(now, &self.functions, &mut self.luck.errors).map(|(at, place)| (at, Due::Caller(place)));
        let settlement = self.settling.first().map(|(at, ..)| (*at, Due::Settlement));
        let hosted = self.hosted.next_due().map(|at| (at, Due::Hosted));
        // The first of those that are due at once.
        [settlement, call, hosted].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(crate) fn happen(&mut self, now: Time, due: Due, metrics: &mut CloudWatch) {
        match due {
            Due::Settlement => {
                if let Some((_, function, number)) = self.settling.pop_first() {
                    self.settle(&function, number);
                }
            }
            Due::Hosted => self.go_on(now, metrics),
            Due::Caller(place) => {
                // Taken out for the call, which needs the rest of this Lambda.
                let mut traffic = std::mem::take(&mut self.traffic);
                if let Some(stream) = traffic.call(place, &mut self.luck.errors) {
                    // Synthetic callers do not mind an error.
                    let _ = self.execute(now, None, &stream.function, &stream.through, metrics);
                }
                self.traffic = traffic;
            }
        }
    }

    /// The function's name and the alias' that a call means, if both can be read from it.
    pub(crate) fn alias_named(&self, call: &Call<'_>) -> Option<(String, String)> {
        Some((self.place.parse(&call.target).ok()?.name, call.alias.clone()?))
    }

    pub(crate) fn alias(&self, function: &str, alias: &str) -> Option<&AliasState> {
        Some(&self.functions.get(function)?.aliases.get(alias)?.state)
    }

    pub(crate) fn tally(&self, function: &str, qualifier: &str, version: &str) -> Tally {
        let by_version = self.counters.get(function).and_then(|by_qualifier| by_qualifier.get(qualifier));
        by_version.and_then(|counters| counters.get(&version.parse().ok())).map(|counter| counter.tally).unwrap_or_default()
    }

    pub(crate) fn has(&self, function: &str) -> bool {
        self.functions.contains_key(function)
    }

    pub(crate) fn account(&self) -> &str {
        &self.place.account
    }

    pub(crate) fn arn(&self, resource: &str) -> String {
        if resource.is_empty() {
            "*".to_owned()
        } else if resource.starts_with("arn:") {
            resource.to_owned()
        } else {
            self.place.arn(resource)
        }
    }

    /// The ARN on which a call needs its permission.
    pub(crate) fn guarded(&self, call: &Call<'_>) -> String {
        if call.alias.is_some() {
            // Aliases are guarded as part of their function.
            return self.arn(&call.target);
        }
        if matches!(
            call.operation,
            Operation::GetEventSourceMapping | Operation::UpdateEventSourceMapping | Operation::DeleteEventSourceMapping
        ) {
            return self.place.mapping_arn(&call.target);
        }
        self.arn(&call.resource())
    }

    fn function(&self, name: &str) -> Result<&Function, Refusal> {
        self.functions.get(name).ok_or_else(|| Refusal::function_not_found(&self.place.arn(name)))
    }

    pub(crate) fn function_mut(&mut self, name: &str) -> Result<&mut Function, Refusal> {
        let missing = || Refusal::function_not_found(&self.place.arn(name));
        self.functions.get_mut(name).ok_or_else(missing)
    }

    fn revision(&mut self) -> String {
        uuid(&mut self.luck.errors)
    }
}

pub(crate) fn uuid(rng: &mut fastrand::Rng) -> String {
    // Version 4, variant 1, as RFC 9562 lays them out.
    let bits = (rng.u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
