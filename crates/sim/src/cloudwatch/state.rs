//! In which state can an alarm be?

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmState {
    /// What is watched is within its threshold.
    Ok,
    /// What is watched has crossed its threshold.
    Alarm,
    /// Nothing can be said.
    InsufficientData,
}

impl AlarmState {
    /// As the API spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.name() == name)
    }
}
