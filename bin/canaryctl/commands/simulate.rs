//! `canaryctl simulate`: a simulated AWS, for experiments.

use std::time::SystemTime;

use clap::Args;
use sim::{Accounts, Scenario, Settings, SimClock, serve};
use tokio::net::TcpListener;

use crate::error::Failure;
use crate::signals;
use crate::ui::print::print_out;

/// Run a simulated AWS that any AWS client can use
///
/// Simulates Lambda, CloudWatch and CloudFormation stacks in real time, and checks revisions, weights and alarms strictly. A client
/// needs `AWS_ENDPOINT_URL` and any credentials. The account is empty unless a scenario is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl simulate --listen 127.0.0.1:4566
  canaryctl simulate --scenario hello-errors
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws lambda list-functions")]
pub(crate) struct Simulate {
    /// The address to listen on; port 0 means any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    pub(crate) listen: std::net::SocketAddr,
    /// Start with the account of this scenario
    #[arg(long, value_name = "SCENARIO", value_parser = clap::builder::PossibleValuesParser::new(sim::Scenario::names()))]
    pub(crate) scenario: Option<String>,
    /// The seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

pub(crate) async fn run(args: Simulate) -> Result<u8, Failure> {
    let clock = SimClock::new(SystemTime::now());
    let seed = args.seed;
    let scenario = args.scenario.as_deref().and_then(Scenario::named);
    let accounts = match scenario {
        Some(scenario) => {
            Accounts::new(clock, move |region| scenario.build_in(Settings::strict().in_region(region), seed, clock.now()))
        }
        None => Accounts::empty(clock, seed),
    };
    let busy = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot listen on {}: {error}\n  hint: choose another `--listen` address; port 0 means any free port",
            args.listen
        ))
    };
    let listener = TcpListener::bind(args.listen).await.map_err(busy)?;
    let address = listener.local_addr().map_err(busy)?;
    print_out(&format!(
        "the simulated AWS listens on http://{address}\n  export AWS_ENDPOINT_URL=http://{address} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any\n"
    ));
    let mut signals = signals::listen().subscribe();
    let stopped = async move {
        let _ = signals.changed().await;
    };
    serve(accounts, listener, stopped).await.map_err(Failure::unexpected)?;
    Ok(0)
}
