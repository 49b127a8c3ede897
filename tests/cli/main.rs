//! The binary as a process, beside a simulated AWS behind a real socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a process that cannot be run has failed")]

mod adopt;
mod artifacts;
mod commands;
mod controller;
mod detached;
mod events;
mod folder;
mod guard;
mod guide;
mod hints;
mod hook_servers;
mod hostile;
mod in_a_broken_project;
mod in_a_project;
mod init;
mod install;
mod packaging;
mod release;
#[path = "../harness/served.rs"]
mod served;
mod several;
mod simulated;
mod stacks;
