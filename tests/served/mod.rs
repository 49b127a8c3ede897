//! A simulated AWS behind a real socket, and the binary sent to it.

use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::SystemTime;

use sim::{Account, Accounts, Settings, SimClock, World};

/// A simulated AWS behind a real socket, and a way to look inside.
pub(crate) struct Served {
    pub(crate) account: Account,
    url: String,
}

impl Served {
    /// An account furnished like this.
    pub(crate) fn furnished(furnish: impl FnOnce(&mut World)) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let clock = SimClock::new(SystemTime::now(), 1.0);
                let accounts = Accounts::new(clock, move |region| {
                    World::new(Settings::served().in_region(region), 7, sim::Time::from(clock.now()))
                });
                let account = accounts.region("us-east-1");
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                tell.send(Self { account, url }).unwrap();
                sim::serve(accounts, listener, std::future::pending()).await.unwrap();
            });
        });
        let served = told.recv().unwrap();
        served.account.with(furnish);
        served
    }

    /// The command, its words parted by blanks.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = canaryctl();
        command.args(arguments.split_whitespace());
        command.args(["--endpoint-url", &self.url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
        command
    }
}

/// The binary, in an environment that knows nothing of AWS.
pub(crate) fn canaryctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canaryctl"));
    for name in
        ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    {
        command.env_remove(name);
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.stdin(Stdio::null());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("killed: {output:?}"))
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
