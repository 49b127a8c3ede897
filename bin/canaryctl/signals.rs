//! Was the process asked to stop? SIGINT, SIGTERM, SIGHUP and SIGQUIT ask; a second SIGINT stops at once.
//!
//! CI systems send SIGTERM some seconds after SIGINT: that does not count as a second one.

use controller::Interrupt;
use tokio::sync::watch;

/// Listens for signals. Subscribers hear of them, and of anything else that is sent there.
pub(crate) fn listen() -> watch::Sender<Interrupt> {
    let interrupt = watch::Sender::new(Interrupt::None);
    let sender = interrupt.clone();
    tokio::spawn(async move {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()].map(signal);
            let [Ok(mut int), Ok(mut term), Ok(mut hangup), Ok(mut quit)] = listen else { return };
            let mut interrupted = 0_u32;
            loop {
                tokio::select! {
                    _ = int.recv() => interrupted += 1,
                    _ = term.recv() => {}
                    // A terminal or an SSH session that closes; then nobody is left to decide anything else.
                    _ = hangup.recv() => {}
                    _ = quit.recv() => {}
                }
                let at_once = interrupted > 1;
                sender.send_if_modified(|heard| {
                    let next = if at_once { Interrupt::AtOnce } else { (*heard).max(Interrupt::Stop) };
                    std::mem::replace(heard, next) != next
                });
            }
        }
        #[cfg(not(unix))]
        {
            for next in [Interrupt::Stop, Interrupt::AtOnce] {
                if tokio::signal::ctrl_c().await.is_err() {
                    return;
                }
                let _ = sender.send(next);
            }
        }
    });
    interrupt
}
