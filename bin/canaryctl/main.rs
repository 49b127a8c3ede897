//! The canaryctl command.

use std::process::ExitCode;

fn main() -> ExitCode {
    canaryctl::main(std::env::args_os())
}
