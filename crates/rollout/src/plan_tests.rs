//! The plan's hash, pinned: a note keeps it, and a process that comes later, of whichever build, has to know the rollout by it.
//!
//! The rows are written by hand, and the hashes come from another implementation of FNV-1a. Whoever changes one makes every rollout
//! in progress refuse to be resumed.

use std::time::Duration;

use crate::decide_tests::{plan, points};
use crate::gate::Gate;
use crate::note::{AfterPause, Owner, PlanHash, RolloutId};
use crate::plan::{
    Entry, HookAnswer, InsufficientData, Latency, Mode, OnInterrupt, OnLowTraffic, Plan, Preexisting, Source, hash32,
};
use crate::policy::Policy;
use crate::{Schedule, Signal, Time, Version};

const ROWS: &str = "\
weights=1000,10000\n\
every=600000\n\
bake=180000\n\
alarms=6:errors,\n\
managed_alarms=\n\
preexisting_alarm=fail\n\
insufficient_data=ok\n\
blind_limit=600000\n\
analysis=off\n\
sensitive=false\n\
latency=report\n\
min_requests=0\n\
max_hold=1800000\n\
on_low_traffic=rollback\n\
pre_hook=\n\
step_hook=\n\
post_hook=\n\
code=\n\
group=\n";

/// What is chosen, its row before and after, and the hash of all rows.
type Choice = (fn(&mut Plan), &'static str, &'static str, u32);

#[rustfmt::skip]
const CHOICES: &[Choice] = &[
    (|plan| plan.schedule = Schedule::steps(&[points(1000), points(5000)], Duration::from_mins(10)).unwrap(), "weights=1000,10000", "weights=1000,5000,10000", 0x5e06_ef9c),
    (|plan| plan.schedule = "Canary10Percent5Minutes".parse().unwrap(), "every=600000", "every=300000", 0xa606_8bfe),
    (|plan| plan.bake = Duration::from_millis(1500), "bake=180000", "bake=1500", 0x4b66_4954),
    (|plan| plan.alarms.push("größe".into()), "alarms=6:errors,", "alarms=6:errors,7:größe,", 0x6284_2a85),
    (|plan| plan.managed.push("errors: above 5".into()), "managed_alarms=", "managed_alarms=15:errors: above 5,", 0x55f5_5ccc),
    (|plan| plan.policy.preexisting_alarm = Preexisting::Ignore, "preexisting_alarm=fail", "preexisting_alarm=ignore", 0x7c30_44f5),
    (|plan| plan.policy.preexisting_alarm = Preexisting::Wait, "preexisting_alarm=fail", "preexisting_alarm=wait", 0x4606_9e32),
    (|plan| plan.policy.insufficient_data = InsufficientData::Hold, "insufficient_data=ok", "insufficient_data=hold", 0xf87f_653e),
    (|plan| plan.policy.insufficient_data = InsufficientData::RollBack, "insufficient_data=ok", "insufficient_data=rollback", 0x96a2_6399),
    (|plan| plan.policy.blind_limit = Duration::from_mins(1), "blind_limit=600000", "blind_limit=60000", 0xb9c1_baf1),
    (|plan| plan.policy.analysis.mode = Mode::On, "analysis=off", "analysis=on", 0x7a5d_153f),
    (|plan| plan.policy.analysis.mode = Mode::Observe, "analysis=off", "analysis=observe", 0xd32d_38f8),
    (|plan| plan.policy.analysis.sensitive = true, "sensitive=false", "sensitive=true", 0x708b_ee6a),
    (|plan| plan.policy.analysis.latency = Latency::Enforce, "latency=report", "latency=enforce", 0xa3ad_5a77),
    (|plan| plan.policy.analysis.latency = Latency::Ignore, "latency=report", "latency=ignore", 0x169f_5323),
    (|plan| plan.policy.analysis.min_requests = 20, "min_requests=0", "min_requests=20", 0x6a03_13d9),
    (|plan| plan.policy.analysis.max_hold = Duration::from_mins(1), "max_hold=1800000", "max_hold=60000", 0x28d0_51a6),
    (|plan| plan.policy.analysis.on_low_traffic = OnLowTraffic::Promote, "on_low_traffic=rollback", "on_low_traffic=promote", 0x556a_4b09),
    (|plan| plan.policy.analysis.on_low_traffic = OnLowTraffic::Probe(20), "on_low_traffic=rollback", "on_low_traffic=probe 20", 0x2a09_77eb),
    (|plan| plan.pre_hook = Some("check".into()), "pre_hook=", "pre_hook=5:check,", 0x50cb_afbc),
    (|plan| plan.step_hook = Some("check".into()), "step_hook=", "step_hook=5:check,", 0xe673_cc06),
    (|plan| plan.post_hook = Some("check".into()), "post_hook=", "post_hook=5:check,", 0x1987_85fc),
    (|plan| plan.source = Source::Update("abcd".into()), "code=", "code=4:abcd,", 0xd81a_b8eb),
    (|plan| plan.group = vec!["hello".into(), "pricing".into()].into(), "group=", "group=5:hello,7:pricing,", 0x63a7_78d7),
    (|plan| plan.checks = vec!["monitor".into()], "group=", "group=\nchecks=7:monitor,", 0x7e39_d450),
    (|plan| plan.signals = vec![signal("5xx=logs:status >= 500")], "group=", "group=\nsignals=30:3:5xx,4:logs,13:status >= 500,,", 0x2abd_129b),
    (
        |plan| plan.gates = vec![gate(1000, 7200, AfterPause::RollBack), gate(5000, 60, AfterPause::Resume)],
        "group=",
        "group=\ngates=21:1000 7200000 rollback,19:5000 60000 continue,",
        0x253b_2395,
    ),
    (
        |plan| plan.signals = vec![signal("a=Shop/Failed{Version=${version}}/Shop/All{Version=${version}}"), signal("5xx=logs:status >= 500")],
        "group=",
        "group=\nsignals=99:1:a,7:metrics,4:Shop,6:Failed,1:1,7:Version,10:${version},4:Shop,3:All,1:1,7:Version,10:${version},,30:3:5xx,4:logs,13:status >= 500,,",
        0xc63b_a308,
    ),
];

fn gate(weight: u16, seconds: u64, then: AfterPause) -> Gate {
    Gate { weight: points(weight), lasts: Duration::from_secs(seconds), then }
}

fn signal(text: &str) -> Signal {
    text.parse().unwrap()
}

fn canary() -> Plan {
    Plan { schedule: "Canary10Percent10Minutes".parse().unwrap(), ..plan() }
}

#[test]
fn every_choice_has_its_row_and_its_hash() {
    assert_eq!(canary().rows(), ROWS);
    assert_eq!(canary().hash(), PlanHash(0xa54d_3663));
    for (choose, before, after, hash) in CHOICES {
        let mut plan = canary();
        choose(&mut plan);
        let rows = format!("\n{ROWS}").replace(&format!("\n{before}\n"), &format!("\n{after}\n"));
        assert_eq!(plan.rows(), rows[1..], "{after}");
        assert_ne!(rows[1..], *ROWS, "{before}");
        assert_eq!(plan.hash(), PlanHash(*hash), "{after}");
    }
    // No row without a choice that changes it.
    for name in ROWS.lines().map(|row| row.split_once('=').unwrap().0) {
        assert!(CHOICES.iter().any(|choice| choice.2.starts_with(&format!("{name}="))), "{name}");
    }
}

#[test]
fn who_rolls_out_and_when_is_no_choice() {
    let other = Plan {
        id: RolloutId(1),
        owner: Owner::from_random(2),
        began: Time::from_secs(3),
        entry: Entry::Adopt(Version::new(42).unwrap()),
        stable: None,
        source: Source::Version(Version::new(42).unwrap()),
        policy: Policy {
            poll: Duration::from_secs(1),
            hook_limit: Duration::from_mins(1),
            hook_answer: HookAnswer::Any,
            on_interrupt: OnInterrupt::Hold,
            again: true,
            create_alias: true,
            require_change: true,
            allow_provisioned: true,
            ..Policy::default()
        },
        countable: false,
        durable: true,
        ..canary()
    };
    assert_eq!(other.hash(), canary().hash());
}

#[test]
fn no_text_can_be_taken_for_two() {
    let alarms = |names: &[&str]| Plan { alarms: names.iter().map(|name| (*name).to_owned()).collect(), ..canary() }.rows();
    let hooked = |name: &str| Plan { pre_hook: Some(name.to_owned()), ..canary() }.rows();
    let texts = [
        alarms(&["a", "b"]),
        alarms(&["a,b"]),
        alarms(&["a,1:b"]),
        alarms(&["a\nstep_hook=1:b,"]),
        hooked("\nstep_hook="),
        hooked(""),
    ];
    for (index, text) in texts.iter().enumerate() {
        assert!(!texts[..index].contains(text), "{text}");
    }
}

#[test]
fn the_hash_is_the_published_one() {
    assert_eq!([hash32(b""), hash32(b"a"), hash32(b"foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
}
