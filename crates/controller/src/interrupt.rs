//! What was this process told from outside, and how is that waited for?

use tokio::sync::watch;

/// What the process was told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Nothing.
    #[default]
    None,
    /// To leave the share as it is, whatever is planned for the next two, and go.
    Leave,
    /// To stop, in good order.
    Stop,
    /// To stop at once, whatever stands.
    AtOnce,
}

/// Ends when the process has been told this much; a closed channel tells nothing.
pub(crate) async fn told(mut interrupt: watch::Receiver<Interrupt>, at_least: Interrupt) {
    if interrupt.wait_for(|interrupt| *interrupt >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
