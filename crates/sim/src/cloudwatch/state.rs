//! In which state can an alarm be?

use crate::words::words;

words! {
    pub(crate) enum AlarmState {
        Ok = "OK",
        Alarm = "ALARM",
        InsufficientData = "INSUFFICIENT_DATA",
    }
}
