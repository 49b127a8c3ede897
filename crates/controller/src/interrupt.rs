//! What was the process told from outside, and how is it waited for?

use tokio::sync::watch;

/// What the process was told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Nothing.
    #[default]
    None,
    /// To leave the weight as it is, whatever is planned for the next two, and go.
    Leave,
    /// To stop, in good order.
    Stop,
    /// To stop at once, whatever stands.
    AtOnce,
}

/// Ends when the process has been told this much; a closed channel tells nothing.
pub(crate) async fn wait_for_signal(mut interrupt: watch::Receiver<Interrupt>, at_least: Interrupt) {
    if interrupt.wait_for(|interrupt| *interrupt >= at_least).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends when the process is told more than it has heard by now.
pub(crate) fn wait_for_new_signal(interrupt: &watch::Receiver<Interrupt>) -> impl Future<Output = ()> + use<> {
    let heard = *interrupt.borrow();
    let mut interrupt = interrupt.clone();
    async move {
        if interrupt.wait_for(|interrupt| *interrupt > heard).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
