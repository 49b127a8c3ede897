//! `canaryctl completions` and `canaryctl man`: made from the one definition of the command line.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::Failure;
use crate::ui::print::print_safe;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl completions bash > ~/.local/share/bash-completion/completions/canaryctl
  canaryctl completions zsh > ~/.zfunc/_canaryctl
  canaryctl completions fish > ~/.config/fish/completions/canaryctl.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Write a man page for every command to a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder; created if it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn script(args: &Completions, command: &mut Command) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "canaryctl", &mut script);
    print_safe(&report::script(&String::from_utf8_lossy(&script)));
    0
}

pub(crate) fn pages(args: &Man, command: Command) -> Result<u8, Failure> {
    let folder = args.folder.display();
    let unwritable = |error| Failure::unexpected(format!("cannot write the man pages to `{folder}`: {error}"));
    std::fs::create_dir_all(&args.folder).map_err(unwritable)?;
    clap_mangen::generate_to(command, &args.folder).map_err(unwritable)?;
    Ok(0)
}
