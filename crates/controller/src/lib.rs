//! The only loop of canaryctl: observe, decide, narrate, perform.

pub mod cloud;
