//! When does a simulated moment come? When nothing is left to do in the one before, and no sooner than the speed allows.
//!
//! So a slow machine, or a speed that it cannot keep, makes a simulation take longer, and changes nothing in it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Time that passes only while everything waits for it.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Simulated seconds in a real one, at most; infinite: no limit.
    speed: f64,
    /// Whether what is played was woken since it was last polled.
    woken: AtomicBool,
    moment: Mutex<Moment>,
}

#[derive(Debug)]
struct Moment {
    /// What has passed since the beginning.
    now: Duration,
    /// When `now` came, in real time.
    came: Instant,
    /// Who waits until when, in the order in which they began to.
    waiting: BTreeMap<(Duration, u64), Waker>,
    began: u64,
}

enum Next {
    Came,
    At(Instant),
    /// Nobody waits for the time: only something outside can go on.
    Never,
}

impl Pace {
    pub(crate) fn new(speed: f64) -> Self {
        let moment = Moment { now: Duration::ZERO, came: Instant::now(), waiting: BTreeMap::new(), began: 0 };
        Self { speed, woken: AtomicBool::new(true), moment: Mutex::new(moment) }
    }

    /// What has passed since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.moment().now
    }

    /// The same for a display: it goes evenly from one moment to the next.
    pub(crate) fn shown(&self) -> Duration {
        let moment = self.moment();
        let next = moment.waiting.first_key_value().map_or(moment.now, |((due, _), _)| *due);
        let passed = Duration::try_from_secs_f64(moment.came.elapsed().as_secs_f64() * self.speed).unwrap_or(Duration::MAX);
        moment.now.saturating_add(passed).min(next)
    }

    /// Waits until `span` has passed.
    pub(crate) async fn sleep(&'static self, span: Duration) {
        Wait { pace: self, due: self.now().saturating_add(span), place: None }.await;
    }

    /// Plays `story` on tokio's single-threaded runtime: lets time pass whenever all of it waits. One story at a time.
    ///
    /// What it awaits from outside, such as a file or a key, takes none of this time, unless it waits for this time as well.
    pub(crate) async fn play<T>(&'static self, story: impl Future<Output = T>) -> T {
        let (mut story, mut alarm) = (pin!(story), pin!(sleep(Duration::ZERO)));
        let mut idle = false;
        poll_fn(move |context| {
            if self.woken.swap(false, Ordering::AcqRel) {
                let waker = Waker::from(Arc::new(Caller { pace: self, player: context.waker().clone() }));
                if let Poll::Ready(told) = story.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(told);
                }
                // Whoever yields to the runtime is woken by its next round, and may have much to do still.
                idle = false;
            }
            if self.woken.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            if !mem::replace(&mut idle, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.advance() {
                Next::Came => {
                    idle = false;
                    context.waker().wake_by_ref();
                }
                Next::At(at) => {
                    alarm.as_mut().reset(at);
                    if alarm.as_mut().poll(context).is_ready() {
                        context.waker().wake_by_ref();
                    }
                }
                Next::Never => {}
            }
            Poll::Pending
        })
        .await
    }

    /// Goes on to the next moment for which somebody waits, if it may come already.
    fn advance(&self) -> Next {
        let mut moment = self.moment();
        let Some((&(due, _), _)) = moment.waiting.first_key_value() else { return Next::Never };
        let real = Instant::now();
        let takes = due.saturating_sub(moment.now).as_secs_f64() / self.speed;
        let takes = Duration::try_from_secs_f64(takes).map_or(LONGEST, |takes| takes.min(LONGEST));
        let at = moment.came + takes;
        if real < at {
            return Next::At(at);
        }
        moment.came = real.checked_sub(CATCHES_UP).map_or(at, |earliest| at.max(earliest));
        moment.now = due;
        let later = moment.waiting.split_off(&(due, u64::MAX));
        let come = mem::replace(&mut moment.waiting, later);
        drop(moment);
        come.into_values().for_each(Waker::wake);
        Next::Came
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that the story was woken, and wakes its player.
struct Caller {
    pace: &'static Pace,
    player: Waker,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.pace.woken.store(true, Ordering::Release);
        self.player.wake_by_ref();
    }
}

/// One who waits; given up, it leaves nothing behind.
struct Wait {
    pace: &'static Pace,
    due: Duration,
    place: Option<u64>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut moment = self.pace.moment();
        if moment.now >= self.due {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| {
            moment.began += 1;
            moment.began
        });
        moment.waiting.insert((self.due, place), context.waker().clone());
        drop(moment);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.pace.moment().waiting.remove(&(self.due, place));
        }
    }
}

/// How much it may be late and still catch up: more than a timer is late, and less than a person notices. After a longer stop, such as ^Z,
/// it goes on at its speed.
const CATCHES_UP: Duration = Duration::from_millis(50);

/// The longest real wait for one moment, so that no sum overflows: ten years.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

// Under tokio's paused time the "real" time here is virtual as well, and exact.
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;
    use tokio::time;

    fn paced(speed: f64) -> &'static Pace {
        Box::leak(Box::new(Pace::new(speed)))
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_as_fast_as_it_may_be_and_no_faster() {
        for (speed, takes) in [(60.0, 2.0), (0.5, 240.0), (f64::INFINITY, 0.0)] {
            let (pace, began) = (paced(speed), Instant::now());
            pace.play(async {
                pace.sleep(MINUTE).await;
                assert_eq!(pace.now(), MINUTE);
                tokio::join!(pace.sleep(MINUTE), pace.sleep(MINUTE / 2), pace.sleep(Duration::ZERO));
                assert_eq!(pace.now(), 2 * MINUTE);
            })
            .await;
            assert!((began.elapsed().as_secs_f64() - takes).abs() < 0.01, "{speed}: {:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_the_machine_long_takes_no_time() {
        let pace = paced(1_000.0);
        let work = async {
            for _ in 0..500 {
                time::advance(Duration::from_millis(100)).await;
                yield_now().await;
            }
            pace.now()
        };
        let (done_at, ()) = pace.play(async { tokio::join!(work, pace.sleep(MINUTE)) }).await;
        assert_eq!((done_at, pace.now()), (Duration::ZERO, MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_stop_it_does_not_hurry() {
        let (pace, began) = (paced(60.0), Instant::now());
        pace.play(async {
            pace.sleep(MINUTE).await;
            time::advance(Duration::from_secs(10)).await;
            pace.sleep(MINUTE).await;
            pace.sleep(MINUTE).await;
        })
        .await;
        // A second for the first minute, ten in which it was stopped; the second minute's is among them, the third's is not.
        assert!(began.elapsed() >= Duration::from_millis(11_950), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_display_goes_evenly_and_not_beyond_the_next_moment() {
        let pace = paced(60.0);
        let display = async {
            time::sleep(Duration::from_millis(500)).await;
            let halfway = pace.shown();
            assert!(halfway > MINUTE / 3 && halfway < MINUTE, "{halfway:?}");
            assert_eq!(pace.now(), Duration::ZERO);
            time::advance(Duration::from_secs(10)).await;
        };
        pace.play(async { tokio::join!(pace.sleep(MINUTE), display) }).await;
        assert_eq!((pace.now(), pace.shown()), (MINUTE, MINUTE));
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_nothing_behind() {
        let pace = paced(f64::INFINITY);
        pace.play(async {
            for _ in 0..1_000 {
                tokio::select! {
                    () = pace.sleep(MINUTE) => {}
                    () = pace.sleep(Duration::from_secs(1)) => {}
                }
                assert!(pace.moment().waiting.is_empty());
            }
        })
        .await;
        assert_eq!(pace.now(), Duration::from_secs(1_000));
    }

    #[tokio::test]
    async fn something_outside_can_interrupt_a_long_wait() {
        let (pace, began) = (paced(1.0), Instant::now());
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            tell.send(())
        });
        pace.play(async {
            tokio::select! {
                () = pace.sleep(MINUTE) => {}
                _ = told => {}
            }
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert_eq!(pace.now(), Duration::ZERO);
    }
}
