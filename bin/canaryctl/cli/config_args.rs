//! Which configuration file is read, and for which stage? The options for it.

use std::path::PathBuf;

use clap::Args;

/// The configuration file, and what selects and completes its settings.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file [default: `canary.yml`, `serverless.yml`, `template.yaml` or `appspec.yml` in the working directory]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Project")]
    pub(crate) config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, conflicts_with_all = ["stage", "stack", "parameters"], help_heading = "Project")]
    pub(crate) no_config: bool,
    /// The stage; for SAM, the environment in `samconfig.toml`
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    pub(crate) stage: Option<String>,
    /// The CloudFormation stack that contains the logical ids in the file
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    pub(crate) stack: Option<String>,
    /// A parameter of the file; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter, help_heading = "Project")]
    pub(crate) parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected a name, `=` and a value")?;
    Ok((name.to_owned(), value.to_owned()))
}
