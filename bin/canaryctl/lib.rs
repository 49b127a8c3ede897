//! The canaryctl command.
