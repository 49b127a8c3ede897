//! Many rollouts in one process keep to AWS' limits together, and the one that goes back does not queue behind the others.

use std::task::Poll;
use std::time::Duration;

use controller::{Budget, Budgeted, Identity, Interrupt, Request};
use rollout::Subject;
use rollout::event::Event;
use rollout::note::{Owner, RolloutId};
use tokio::sync::watch;

use crate::stage::{Stage, play, short};

const COUNT: usize = 12;

fn name(index: usize) -> String {
    format!("function{index}")
}

#[test]
fn twelve_rollouts_are_never_throttled_and_a_way_back_goes_first() {
    play(async {
        let stage = Stage::story("hello-idle").await;
        stage.with(|world| {
            for index in 0..COUNT {
                world.create_function(&name(index), &[("SIM_BODY", "old")]).unwrap();
                world.publish(&name(index), 1).unwrap();
                world.set_alias(&name(index), "live", "1", None).unwrap();
                world.set_environment(&name(index), &[("SIM_BODY", "new")]).unwrap();
                world.create_errors_alarm(&format!("alarm{index}"), &name(index), 1.0).unwrap();
            }
        });
        let budget = Budget::default();
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let requests: Vec<Request> = (0..COUNT)
            .map(|index| Request {
                subject: Subject::parse(&name(index), None).unwrap(),
                alarms: vec![format!("alarm{index}")],
                poll: Duration::from_millis(500),
                ..short()
            })
            .collect();
        let run = async |index: usize| {
            let (_stop, heard) = watch::channel(Interrupt::None);
            let identity = Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) };
            let mut tell = |_: &Event| {};
            controller::rollout(&cloud, &stage.clock, &requests[index], identity, heard, &mut tell).await.exit_code
        };
        let red = async {
            while stage.with(|world| world.alias("function5", "live").unwrap().share("2")) == 0.0 {
                stage.sleep(1).await;
            }
            stage.sleep(10).await;
            stage.with(|world| world.set_alarm_state("alarm5", "ALARM")).unwrap();
            stage.now()
        };
        let all = async {
            let mut running: Vec<_> = (0..COUNT).map(|index| Box::pin(run(index))).collect();
            let mut codes = vec![None; COUNT];
            std::future::poll_fn(|context| {
                for (code, rollout) in codes.iter_mut().zip(&mut running).filter(|(code, _)| code.is_none()) {
                    if let Poll::Ready(done) = rollout.as_mut().poll(context) {
                        *code = Some(done);
                    }
                }
                if codes.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            codes.into_iter().flatten().collect::<Vec<u8>>()
        };
        let (codes, red) = tokio::join!(all, red);
        let expected: Vec<u8> = (0..COUNT).map(|index| if index == 5 { 10 } else { 0 }).collect();
        assert_eq!(codes, expected);
        let refused = stage.with(|world| world.log().iter().filter(|call| call.status == 429).count());
        assert_eq!(refused, 0);
        let back = stage.with(|world| world.alias_writes("function5", "live").last().unwrap().at);
        // Twelve rollouts share five looks a second: one comes round in two and a half.
        assert!(back.since(red) < Duration::from_secs(4), "{:?}", back.since(red));
    });
}
