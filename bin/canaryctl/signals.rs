//! Was the process told to stop? SIGINT and SIGTERM ask, only a second SIGINT insists.
//!
//! CI systems send SIGTERM some seconds after SIGINT by themselves: that is no insisting.

use controller::Interrupt;
use tokio::sync::watch;

/// Listens from now on, and tells whoever subscribes. What else can stop the process is told there, too.
pub(crate) fn listen() -> watch::Sender<Interrupt> {
    let told = watch::Sender::new(Interrupt::None);
    let tell = told.clone();
    tokio::spawn(async move {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
            let mut interrupted = 0_u32;
            loop {
                tokio::select! {
                    _ = int.recv() => interrupted += 1,
                    _ = term.recv() => {}
                }
                let insists = interrupted > 1;
                tell.send_if_modified(|heard| {
                    let next = if insists { Interrupt::AtOnce } else { (*heard).max(Interrupt::Stop) };
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
                let _ = tell.send(next);
            }
        }
    });
    told
}
