//! Which calls go wrong, and how? A list of rules, which the world applies to every call.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use crate::time::Time;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Refused as too frequent; nothing is applied.
    Throttle,
    /// Refused with this 5xx status; nothing is applied.
    ServerError(u16),
    /// Refused because something else is in progress; nothing is applied.
    Conflict,
    /// Refused for lack of permission; nothing is applied.
    Deny,
    /// Applied, and then the connection fails before the answer.
    LostAnswer,
    /// Never answered, and applied this much later.
    LateWrite(Duration),
    /// `GetAlias` and `GetFunction` return the state before the last write, if that write is younger than this.
    StaleRead(Duration),
    /// Answered this much later. Other rules still apply to the same call.
    Latency(Duration),
    /// The connection fails before anything has arrived.
    Refuse,
    /// Answered by something in between, with this status and a page in HTML; nothing has arrived.
    Foreign(u16),
    /// Answered with a `Date` that is off by so many seconds. Other rules still apply to the same call.
    Dated(i64),
    /// Applied, and never answered: the connection stays open for minutes.
    Stall,
    /// Refused because the session token has expired; nothing is applied.
    Expire,
}

/// A rule: calls that meet all of its conditions get its effect.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Fault {
    operation: Option<String>,
    caller: Option<String>,
    resource: Option<String>,
    nth: Option<RangeInclusive<u64>>,
    during: Option<Range<Time>>,
    chance: f64,
    effect: Effect,
}

impl Fault {
    /// A rule for every call of one operation, such as `UpdateAlias`.
    pub fn on(operation: &str, effect: Effect) -> Self {
        Self { operation: Some(operation.to_owned()), ..Self::everywhere(effect) }
    }

    /// A rule for every call.
    pub fn everywhere(effect: Effect) -> Self {
        Self { operation: None, caller: None, resource: None, nth: None, during: None, chance: 1.0, effect }
    }

    /// Only calls signed with this access key id.
    pub fn from_caller(self, caller: &str) -> Self {
        Self { caller: Some(caller.to_owned()), ..self }
    }

    /// Only calls about this resource, as the log names it: `hello`, or `hello:live`.
    pub fn about(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only the `n`th call (from 1) of those that meet the operation, the caller and the resource.
    pub fn nth(self, n: u64) -> Self {
        self.calls(n..=n)
    }

    /// Only these calls (from 1) of those that meet the operation, the caller and the resource.
    pub fn calls(self, nth: RangeInclusive<u64>) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// Only calls from `start` and before `end`.
    pub fn between(self, start: Time, end: Time) -> Self {
        Self { during: Some(start..end), ..self }
    }

    /// Each call with this probability, 0 to 1.
    pub fn chance(self, chance: f64) -> Self {
        Self { chance, ..self }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    /// By how many milliseconds the answer's date is off.
    pub(crate) dated: i64,
    pub(crate) effect: Option<Effect>,
}

/// The rules in force, each with the number of calls it has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(Fault, u64)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn tell_resources_apart(&self) -> bool {
        self.rules.iter().any(|(fault, _)| fault.resource.is_some())
    }

    pub(crate) fn judge(
        &mut self,
        (operation, resource): (&str, &str),
        caller: &str,
        now: Time,
        rng: &mut fastrand::Rng,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        for (fault, seen) in &mut self.rules {
            if fault.operation.as_deref().is_some_and(|wanted| wanted != operation)
                || fault.caller.as_deref().is_some_and(|wanted| wanted != caller)
                || fault.resource.as_deref().is_some_and(|wanted| wanted != resource)
            {
                continue;
            }
            *seen += 1;
            let applies = fault.nth.as_ref().is_none_or(|nth| nth.contains(seen))
                && fault.during.as_ref().is_none_or(|during| during.contains(&now))
                && (fault.chance >= 1.0 || rng.f64() < fault.chance);
            if !applies {
                continue;
            }
            if let Effect::Latency(delay) = fault.effect {
                verdict.delay += delay;
            } else if let Effect::Dated(seconds) = fault.effect {
                verdict.dated += seconds * 1000;
            } else if verdict.effect.is_none() {
                verdict.effect = Some(fault.effect);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(faults: &mut Faults, operation: &str, caller: &str, times: Range<i64>) -> Vec<Option<Effect>> {
        let mut rng = fastrand::Rng::with_seed(7);
        times.map(|at| faults.judge((operation, "hello"), caller, Time::from_millis(at), &mut rng).effect).collect()
    }

    #[test]
    fn the_nth_call_is_counted_per_operation_and_caller() {
        let mut faults = Faults::default();
        faults.add(Fault::on("UpdateAlias", Effect::Throttle).from_caller("A").nth(2));
        assert_eq!(effects(&mut faults, "GetAlias", "A", 0..3), [None, None, None]);
        assert_eq!(effects(&mut faults, "UpdateAlias", "B", 0..3), [None, None, None]);
        assert_eq!(effects(&mut faults, "UpdateAlias", "A", 0..3), [None, Some(Effect::Throttle), None]);
    }

    #[test]
    fn a_rule_about_one_resource_spares_the_others() {
        let mut faults = Faults::default();
        faults.add(Fault::everywhere(Effect::Deny).about("world:live"));
        assert_eq!(effects(&mut faults, "UpdateAlias", "A", 0..1), [None]);
        faults.add(Fault::everywhere(Effect::Throttle).about("hello"));
        assert_eq!(effects(&mut faults, "UpdateAlias", "A", 0..1), [Some(Effect::Throttle)]);
    }

    #[test]
    fn a_window_ends_before_its_end_and_a_chance_is_kept() {
        let mut faults = Faults::default();
        faults.add(Fault::everywhere(Effect::Refuse).between(Time::from_millis(2), Time::from_millis(4)));
        let seen = effects(&mut faults, "GetAlias", "A", 0..5);
        assert_eq!(seen, [None, None, Some(Effect::Refuse), Some(Effect::Refuse), None]);

        let mut faults = Faults::default();
        faults.add(Fault::everywhere(Effect::LostAnswer).chance(0.25));
        let hit = effects(&mut faults, "Invoke", "A", 0..4_000).into_iter().flatten().count();
        assert!((900..1_100).contains(&hit), "{hit} of 4000 at 25%");
    }

    #[test]
    fn latencies_add_up_beside_the_first_other_effect() {
        let mut faults = Faults::default();
        faults.add(Fault::everywhere(Effect::Latency(Duration::from_millis(10))));
        faults.add(Fault::everywhere(Effect::Deny));
        faults.add(Fault::everywhere(Effect::Latency(Duration::from_millis(5))));
        faults.add(Fault::everywhere(Effect::Throttle));
        let verdict = faults.judge(("GetAlias", "hello"), "A", Time::from_millis(0), &mut fastrand::Rng::with_seed(1));
        assert_eq!(verdict, Verdict { delay: Duration::from_millis(15), dated: 0, effect: Some(Effect::Deny) });
    }
}
