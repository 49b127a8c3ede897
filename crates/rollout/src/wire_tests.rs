//! The wire, pinned: what notes, events, observations and actions look like to programs, other builds and files that were kept.
//!
//! Written manually. No renaming in the code may change any of it; whoever adds a kind gives it a line here.

use serde_json::{from_str, to_string};

use crate::action::{Action, Reason};
use crate::alias::Target;
use crate::check::CheckState;
use crate::comparison::{AnalysisVerdict, Comparison, Probe};
use crate::event::{Event, EventKind, HookPhase};
use crate::group::Stage;
use crate::health::{AlarmState, Health, HoldReason, Pass};
use crate::note::{AfterPause, Note, NoteParse, Phase, read_description};
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::{Entry, InsufficientData, Latency, Mode, OnInterrupt, OnLowTraffic, Preexisting, Source};
use crate::{Cause, Outcome, OutcomeKind, ReasonKind, Time, Weight};

/// A test that each kind is read from its line and written as it, byte for byte. The match has to name them all.
macro_rules! frozen {
    ($name:ident, $of:ty { $($kind:pat => $json:literal,)+ } $(but $never:pat)?) => {
        #[test]
        fn $name() {
            let line = |value: &$of| match value {
                $($kind => $json,)+
                $($never => "never written",)?
            };
            for json in [$($json),+] {
                let value: $of = from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
                assert_eq!(line(&value), json);
                assert_eq!(to_string(&value).unwrap(), json);
            }
        }
    };
}

/// The same for what is only written.
macro_rules! written {
    ($name:ident, $of:ty { $($kind:pat, $value:expr => $json:literal,)+ }) => {
        #[test]
        fn $name() {
            let line = |value: &$of| match value { $($kind => $json,)+ };
            for (value, json) in [$(($value, $json)),+] {
                assert_eq!(line(&value), json);
                assert_eq!(to_string(&value).unwrap(), json);
            }
        }
    };
}

frozen!(events, EventKind {
    EventKind::Started(_) => r#"{"type":"started","rollout_id":"7f3ac2e1","stable":"41","candidate":null,"schedule":"Canary10Percent5Minutes","weights":[0.1,1.0],"every_seconds":300,"bake_seconds":180,"alarms":["errors"],"analysis":"on","pre_hook":null,"step_hook":"check","post_hook":null,"resumes_at":{"weight":0.1,"step":1,"next_at":"2026-11-23T14:03:13.000Z"}}"#,
    EventKind::Warning { .. } => r#"{"type":"warning","text":"the alias could not be read","transient":true}"#,
    EventKind::Pinned { .. } => r#"{"type":"pinned","version":"41"}"#,
    EventKind::Acquired { .. } => r#"{"type":"acquired"}"#,
    EventKind::CodeUpdated => r#"{"type":"code_updated"}"#,
    EventKind::Published { .. } => r#"{"type":"published","version":"42"}"#,
    EventKind::VersionReady { .. } => r#"{"type":"version_ready","version":"42","differences":[{"name":"memory","stable":"128 MB","candidate":"256 MB"},{"name":"environment","added":["A"],"removed":["B"],"changed":["C"]}]}"#,
    EventKind::ManagedAlarm { .. } => r#"{"type":"managed_alarm","name":"errors","text":"made"}"#,
    EventKind::Scheduled(_) => r#"{"type":"scheduled","schedule":"7f3ac2e1","controller":"arn:aws:lambda:eu-west-1:123456789012:function:canaryctl-controller"}"#,
    EventKind::Guarded(_) => r#"{"type":"guarded","state_machine":"arn:aws:states:eu-west-1:123456789012:stateMachine:canaryctl-guard","execution":"7f3ac2e1-k4q9"}"#,
    EventKind::HookStarted { .. } => r#"{"type":"hook_started","hook":"pre-traffic","name":"check","attempt":1}"#,
    EventKind::HookSucceeded { .. } => r#"{"type":"hook_succeeded","hook":"step","name":"check","took_ms":120}"#,
    EventKind::HookFailed { .. } => r#"{"type":"hook_failed","hook":"post-traffic","name":"check","reason":"it threw"}"#,
    EventKind::AliasCreated { .. } => r#"{"type":"alias_created","version":"1"}"#,
    EventKind::WeightShifted { .. } => r#"{"type":"weight_shifted","from":0.0,"to":0.1,"step":1,"steps":2,"next_at":null,"reason":"no alarm","by_configuration":false}"#,
    EventKind::AlarmChanged { .. } => r#"{"type":"alarm_changed","name":"errors","state":"ALARM","since":"2026-11-23T14:03:13.000Z","reason":"Errors 7"}"#,
    EventKind::Compared { .. } => r#"{"type":"compared","verdict":"low_power","why":"too few","numbers":{"stable":{"version":"41","invocations":90,"errors":1,"errors_percent":[0.0,2.5]},"candidate":{"version":"42","invocations":10,"errors":0,"errors_percent":[0.0,30.0]},"ln_evidence":0.125,"ln_threshold":4.605,"missing_errors":3,"extra_failures":0.0,"observed_percent":10.0,"counted_to":"2026-11-23T14:03:00.000Z","slow":{"enforced":false,"stable_limit_ms":120.0,"candidate_limit_ms":130.0,"stable_percent":1.0,"candidate_percent":2.0,"ln_evidence":0.0,"ln_threshold":4.605,"verdict":"pass"}}}"#,
    EventKind::SharedDegradation { .. } => r#"{"type":"shared_degradation","since":"2026-11-23T14:03:00.000Z","why":"both fail"}"#,
    EventKind::ProbeStarted { .. } => r#"{"type":"probe_started","count":20}"#,
    EventKind::ProbeSucceeded { .. } => r#"{"type":"probe_succeeded","count":20}"#,
    EventKind::ProbeFailed { .. } => r#"{"type":"probe_failed","reason":"it threw"}"#,
    EventKind::MonitoringLost { .. } => r#"{"type":"monitoring_lost","why":"throttled"}"#,
    EventKind::MonitoringRestored => r#"{"type":"monitoring_restored"}"#,
    EventKind::Paused { .. } => r#"{"type":"paused","until":"2026-11-23T15:03:13.000Z","then":"rollback"}"#,
    EventKind::GateApproved(_) => r#"{"type":"gate_approved","by":"arn:aws:sts::123456789012:assumed-role/deploy/kim"}"#,
    EventKind::Resumed => r#"{"type":"resumed"}"#,
    EventKind::HoldingStep { .. } => r#"{"type":"holding","why":"no data"}"#,
    EventKind::Heartbeat { .. } => r#"{"type":"heartbeat","weight":0.1,"next_at":"2026-11-23T14:03:13.000Z","waiting_for":"the next step"}"#,
    EventKind::RollbackStarted { .. } => r#"{"type":"rollback_started","cause":"alarm","why":"it went off","happened_at":"2026-11-23T14:03:13.000Z","alarm":"errors"}"#,
    EventKind::Restored { .. } => r#"{"type":"restored","version":"41","moved":true}"#,
    EventKind::Promoted { .. } => r#"{"type":"promoted","version":"42"}"#,
    EventKind::Check { .. } => r#"{"type":"check","name":"monitor","state":"unsure","why":"no answer within 1m"}"#,
    EventKind::Outcome(_) => r#"{"type":"outcome","outcome":"rolled_back","exit_code":10,"reason":{"kind":"alarm","detail":"it went off"},"stable":"41","candidate":"42","rollout_id":"7f3ac2e1","traffic":"100% on 41","took_ms":90000,"noticed_ms":null,"reverted_ms":250,"exposed":10,"requests":100,"extra_failures":1.5,"evidence":[{"line":"no price for 7","count":31,"first_at":"2026-11-23T14:03:13.000Z","request_id":"8f3c","on_stable":0}],"next":["canaryctl status hello"]}"#,
    EventKind::GroupOutcome(_) => r#"{"type":"group_outcome","exit_code":3,"together":true,"members":[{"function":"hello","alias":"live","outcome":"refused","exit_code":3,"reason":{"kind":"held_up","detail":"pricing cannot begin"},"stable":"41","candidate":null,"rollout_id":"7f3ac2e1","traffic":"100% on 41","took_ms":0,"noticed_ms":null,"reverted_ms":null,"exposed":null,"requests":null,"extra_failures":null,"next":[]}]}"#,
} but EventKind::Observed(_) | EventKind::Unknown);

frozen!(outcomes, OutcomeKind {
    OutcomeKind::Promoted => r#""promoted""#,
    OutcomeKind::Unchanged => r#""unchanged""#,
    OutcomeKind::Refused => r#""refused""#,
    OutcomeKind::RolledBack => r#""rolled_back""#,
    OutcomeKind::Superseded => r#""superseded""#,
    OutcomeKind::LeftInProgress => r#""held""#,
    OutcomeKind::Detached => r#""detached""#,
    OutcomeKind::RollbackUnconfirmed => r#""rollback_unconfirmed""#,
    OutcomeKind::Failed => r#""failed""#,
    OutcomeKind::Unknown(_) => r#""abandoned""#,
});

frozen!(reasons_of_an_end, ReasonKind {
    ReasonKind::HeldUp => r#""held_up""#,
    ReasonKind::Cause(_) => r#""superseded""#,
    ReasonKind::Outcome(_) => r#""promoted""#,
});

frozen!(candidates, Candidate {
    Candidate::Unknown => r#""unknown""#,
    Candidate::Settling => r#""settling""#,
    Candidate::Outdated => r#""outdated""#,
    Candidate::Ready => r#""ready""#,
    Candidate::Published(..) => r#"{"published":["42","ready"]}"#,
    Candidate::Failed(_) => r#"{"failed":"no role"}"#,
});

frozen!(readinesses, Readiness {
    Readiness::Pending => r#""pending""#,
    Readiness::Ready => r#""ready""#,
    Readiness::Unfit(_) => r#"{"unfit":"another role"}"#,
});

frozen!(hooks, Hook {
    Hook::NotInvoked => r#""not_invoked""#,
    Hook::Running(_) => r#"{"running":"2026-11-23T14:03:13.000Z"}"#,
    Hook::Succeeded => r#""succeeded""#,
    Hook::Failed(_) => r#"{"failed":"it threw"}"#,
});

frozen!(healths, Health {
    Health::Unwatched => r#""unwatched""#,
    Health::Read { .. } => r#"{"read":{"at":"2026-11-23T14:03:13.000Z","alarms":[{"name":"errors","state":"INSUFFICIENT_DATA","since":"2026-11-23T14:00:00.000Z","last_alarm_at":null,"fires_after":{"secs":60,"nanos":0},"metric":"Errors","reason":"no data"}],"missing":[],"read_error":{"why":"slow","throttled":true}}}"#,
    Health::Unread { .. } => r#"{"unread":{"why":"denied"}}"#,
});

frozen!(comparisons, Comparison {
    Comparison::Unread { .. } => r#"{"unread":{"read_error":{"why":"slow","throttled":false}}}"#,
    Comparison::Read { .. } => r#"{"read":{"at":"2026-11-23T14:03:13.000Z","result":{"verdict":"no_data","why":"none","happened_at":null,"step_invocations":0,"shared_degradation":{"since":"2026-11-23T14:03:00.000Z","why":"both fail"},"numbers":{"stable":{"version":"41","invocations":90,"errors":1,"errors_percent":[0.0,2.5]},"candidate":{"version":"42","invocations":0,"errors":0,"errors_percent":[0.0,100.0]},"ln_evidence":0.0,"ln_threshold":4.605,"missing_errors":null,"extra_failures":0.0,"observed_percent":null,"counted_to":null,"slow":null}},"read_error":null}}"#,
});

frozen!(probes, Probe {
    Probe::NotSent => r#""not_sent""#,
    Probe::Running => r#""running""#,
    Probe::Passed(_) => r#"{"passed":20}"#,
    Probe::Failed(_) => r#"{"failed":"it threw"}"#,
    Probe::Unsent(_) => r#"{"unsent":"denied"}"#,
});

frozen!(targets, Target {
    Target::Version(_) => r#"{"version":"41"}"#,
    Target::Latest => r#""latest""#,
});

frozen!(stages, Stage {
    Stage::Outside => r#""outside""#,
    Stage::Claimed => r#""acquired""#,
    Stage::Step(_) => r#"{"step":1}"#,
    Stage::Final => r#""final""#,
});

frozen!(phases, Phase {
    Phase::Claim => r#""claim""#,
    Phase::Pre => r#""pre""#,
    Phase::Shift { .. } => r#"{"shift":{"weight":0.1,"step":1,"steps":10}}"#,
    Phase::Bake => r#""bake""#,
    Phase::Post => r#""post""#,
    Phase::Promoted => r#""promoted""#,
    Phase::Back(_) => r#"{"back":"post_hook"}"#,
});

frozen!(sources, Source {
    Source::Publish => r#""publish""#,
    Source::Update(_) => r#"{"update":"abcd"}"#,
    Source::Version(_) => r#"{"version":"42"}"#,
});

frozen!(entries, Entry {
    Entry::Fresh => r#""fresh""#,
    Entry::TakeOver { .. } => r#"{"take_over":{"from":7,"forced":false}}"#,
    Entry::Supersede(_) => r#"{"supersede":7}"#,
    Entry::Adopt(_) => r#"{"adopt":"42"}"#,
});

frozen!(low_traffic, OnLowTraffic {
    OnLowTraffic::RollBack => r#""rollback""#,
    OnLowTraffic::Promote => r#""promote""#,
    OnLowTraffic::Probe(_) => r#"{"probe":20}"#,
});

const AT: Time = Time::from_secs(1_795_442_593);

fn weight() -> Weight {
    Weight::from_basis_points(1000).unwrap()
}

written!(actions, Action {
    Action::Claim, Action::Claim => r#""acquire""#,
    Action::UpdateCode, Action::UpdateCode => r#""update_code""#,
    Action::Publish, Action::Publish => r#""publish""#,
    Action::ManageAlarms, Action::ManageAlarms => r#""update_managed_alarms""#,
    Action::StartGuard, Action::StartGuard => r#""start_guard""#,
    Action::AnnouncePreHook, Action::AnnouncePreHook => r#""announce_pre_hook""#,
    Action::AnnouncePostHook, Action::AnnouncePostHook => r#""announce_post_hook""#,
    Action::AnnounceStepHook, Action::AnnounceStepHook => r#""announce_step_hook""#,
    Action::InvokeHook, Action::InvokeHook => r#""invoke_hook""#,
    Action::Create(_), Action::Create(Pass::unseen("nothing is watched".into())) => r#"{"create":{"configuration":{"why":"nothing is watched"}}}"#,
    Action::Shift { .. }, Action::Shift { step: 1, since: AT, pass: Pass::compared("alike".into()) } => r#"{"shift":{"step":1,"since":"2026-11-23T14:03:13.000Z","pass":{"evidence":{"alarms":0,"compared":"alike"}}}}"#,
    Action::Postpone(_), Action::Postpone(AT) => r#"{"postpone":"2026-11-23T14:03:13.000Z"}"#,
    Action::Extend { .. }, Action::Extend { until: AT, doubt: HoldReason::TooFew, why: "1 of 20".into() } => r#"{"extend":{"until":"2026-11-23T14:03:13.000Z","reason":"too_few_invocations","why":"1 of 20"}}"#,
    Action::Probe, Action::Probe => r#""probe""#,
    Action::GoBlind, Action::GoBlind => r#""note_monitoring_lost""#,
    Action::SeeAgain, Action::SeeAgain => r#""note_monitoring_restored""#,
    Action::Renew, Action::Renew => r#""renew""#,
    Action::TakeOver, Action::TakeOver => r#""take_over""#,
    Action::Supersede, Action::Supersede => r#""supersede""#,
    Action::Adopt, Action::Adopt => r#""adopt""#,
    Action::WriteAgain, Action::WriteAgain => r#""rewrite_note""#,
    Action::Resume, Action::Resume => r#""resume""#,
    Action::Promote(_), Action::Promote(Pass::compared("alike".into())) => r#"{"promote":{"evidence":{"alarms":0,"compared":"alike"}}}"#,
    Action::RollBack(_), Action::RollBack(Cause::StepHook) => r#"{"rollback":"step_hook"}"#,
    Action::Confirm, Action::Confirm => r#""confirm""#,
    Action::Release, Action::Release => r#""release""#,
    Action::Wait { .. }, Action::Wait { until: AT, why: Reason::NotDue } => r#"{"wait":{"until":"2026-11-23T14:03:13.000Z","reason":"not_due"}}"#,
    Action::Finish(_), Action::Finish(Outcome::RolledBack(Cause::Hand)) => r#"{"finish":{"rolled_back":"hand"}}"#,
});

written!(waits, Reason {
    Reason::Settling, Reason::Settling => r#""settling""#,
    Reason::Preparing, Reason::Preparing => r#""preparing""#,
    Reason::HookRunning, Reason::HookRunning => r#""hook_running""#,
    Reason::CheckRunning, Reason::CheckRunning => r#""check_running""#,
    Reason::NotDue, Reason::NotDue => r#""not_due""#,
    Reason::Baking, Reason::Baking => r#""baking""#,
    Reason::Paused(_), Reason::Paused(AT) => r#"{"paused":"2026-11-23T14:03:13.000Z"}"#,
    Reason::SetByHand(_), Reason::SetByHand(weight()) => r#"{"set_by_hand":0.1}"#,
    Reason::Moving(_), Reason::Moving(crate::Version::new(41).unwrap()) => r#"{"provisioned_concurrency":"41"}"#,
    Reason::Blind(_), Reason::Blind("denied".into()) => r#"{"monitoring_unavailable":"denied"}"#,
    Reason::NoData(_), Reason::NoData("none".into()) => r#"{"no_data":"none"}"#,
    Reason::FullMinute, Reason::FullMinute => r#""full_minute""#,
    Reason::Probing, Reason::Probing => r#""probing""#,
    Reason::LookingAgain, Reason::LookingAgain => r#""looking_again""#,
    Reason::SharedDegradation { .. }, Reason::SharedDegradation { stage: Stage::Step(2), last: Some("pricing".into()) } => r#"{"group":{"stage":{"step":2},"last":"pricing"}}"#,
});

written!(ends, Outcome {
    Outcome::Promoted, Outcome::Promoted => r#""promoted""#,
    Outcome::Unchanged, Outcome::Unchanged => r#""unchanged""#,
    Outcome::Refused, Outcome::Refused => r#""refused""#,
    Outcome::RolledBack(_), Outcome::RolledBack(Cause::Alarm) => r#"{"rolled_back":"alarm"}"#,
    Outcome::Superseded, Outcome::Superseded => r#""superseded""#,
    Outcome::LeftInProgress, Outcome::LeftInProgress => r#""held""#,
    Outcome::Detached, Outcome::Detached => r#""detached""#,
    Outcome::RollbackUnconfirmed, Outcome::RollbackUnconfirmed => r#""rollback_unconfirmed""#,
    Outcome::Failed, Outcome::Failed => r#""failed""#,
});

#[test]
fn words() {
    fn all(words: impl IntoIterator<Item: serde::Serialize>) -> String {
        words
            .into_iter()
            .map(|word| serde_json::to_value(word).unwrap().as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }
    assert_eq!(
        all(Cause::ALL),
        "alarm analysis pre_hook step_hook post_hook check blind no_data low_traffic hand abort signal superseded failed unchanged rejected group abandoned"
    );
    assert_eq!(all(AlarmState::ALL), "OK ALARM INSUFFICIENT_DATA");
    assert_eq!(all(HoldReason::ALL), "suspicious no_invocations too_few_invocations check_running");
    assert_eq!(all(AnalysisVerdict::ALL), "pass hold rollback no_data low_power");
    assert_eq!(all(HookPhase::ALL), "pre-traffic step post-traffic check");
    assert_eq!(all(CheckState::ALL), "passed failed unsure");
    assert_eq!(all(Certainty::ALL), "written read read_twice");
    assert_eq!(all(AfterPause::ALL), "resume rollback");
    assert_eq!(all(Preexisting::ALL), "fail ignore wait");
    assert_eq!(all(InsufficientData::ALL), "ok hold rollback");
    assert_eq!(all(Mode::ALL), "on observe off");
    assert_eq!(all(Latency::ALL), "report enforce ignore");
    assert_eq!(all(OnInterrupt::ALL), "rollback hold");
}

/// A note of each phase, and each of its fields.
#[test]
fn notes() {
    let line = |note: &Note| match note.phase {
        Phase::Claim => "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=towpnp s=towpnp l=towpvo h=9a41c07e x=39h,38a]",
        Phase::Pre => "[canaryctl/1 7f3ac2e1 k4q9 pre 41>42 t=towpnp s=towpr0 l=towpvo k=1.towq00]",
        Phase::Shift { .. } => {
            "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 2.5% 3/10 t=towpnp s=towpr0 d=towpso u=towq00.b b=towpr5 a=1o w=2s]"
        }
        Phase::Bake => "[canaryctl/1 7f3ac2e1 k4q9 bake 41>42 t=towpnp s=towpr0 u=towq00.r]",
        Phase::Post => "[canaryctl/1 7f3ac2e1 k4q9 post 41>42 t=towpnp s=towpr0]",
        Phase::Promoted => "[canaryctl/1 7f3ac2e1 k4q9 promoted 41>42 t=towpnp s=towpr0 p=40]",
        Phase::Back(_) => "[canaryctl/1 7f3ac2e1 k4q9 back 41>42 alarm t=towpnp s=towpr0 x=42a]",
    };
    let mut seen = 0;
    for word in ["claim", "pre", "shift", "bake", "post", "promoted", "back"] {
        let phase: Phase = match word {
            "shift" => Phase::Shift { weight: weight(), step: 1, steps: 10 },
            "back" => Phase::Back(Cause::Alarm),
            word => from_str(&format!("\"{word}\"")).unwrap(),
        };
        let owner = crate::note::Owner::from_random(0);
        let text = line(&Note::new(crate::note::RolloutId(0), owner, phase, AT));
        let (_, NoteParse::Note(note)) = read_description(text) else { panic!("{text}") };
        assert_eq!((note.to_string().as_str(), line(&note), note.phase.word()), (text, text, word));
        let waits = if word == "shift" { (60, 100) } else { (0, 0) };
        assert_eq!((note.held.as_secs(), note.waited.as_secs()), waits, "{word}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

/// A look as a kept rollout has it, whole.
const SEEN: &str = r#"{"now":"2026-11-23T14:03:13.000Z","alias":{"target":{"version":"41"},"weights":[["42",0.1]],"description":"shop"},"certainty":"read_twice","acquired":true,"unanswered_since":null,"rollback_cause":null,"restored_for":null,"monitoring_lost_at":null,"step_observed_at":null,"full_weight_refused":false,"planned_on":null,"remembered_note":{"id":7,"owner":8,"phase":"bake","stable":"41","candidate":"42","started_at":"2026-11-23T14:00:00.000Z","since":"2026-11-23T14:03:00.000Z","due":null,"lease":null,"pause":{"until":"2026-11-23T15:00:00.000Z","then":"resume"},"monitoring_lost_at":null,"hook":{"number":1,"deadline":"2026-11-23T15:00:00.000Z"},"suspicion_held":{"secs":0,"nanos":0},"waited_for_traffic":{"secs":0,"nanos":0},"previous":null,"plan_hash":9,"rejected":[{"version":"40","cause":"hand"}]},"write_blocked":null,"candidate":{"published":["42","pending"]},"managed_alarms_current":true,"hook":"not_invoked","minute_awaited_since":null,"health":"unwatched","comparison":{"unread":{"read_error":{"why":"not yet","throttled":false}}},"probe":"not_sent","interrupted":false,"stop_now":false,"group":{"rollback_trigger":{"by":"pricing","cause":"alarm"},"taken_over":false,"committed":false,"commits":true,"moved":true,"lease_holder":true,"under_way":true,"open":true,"before":"final","at":{"step":1},"ready":"acquired","last":null}}"#;

#[test]
fn observations() {
    let seen: Observation = from_str(SEEN).unwrap();
    assert_eq!(to_string(&seen).unwrap(), SEEN);
}

#[test]
fn readers_tolerate_what_they_do_not_know() {
    let seen: Observation = from_str(&SEEN.replacen('{', r#"{"weather":"fair","#, 1)).unwrap();
    assert_eq!(to_string(&seen).unwrap(), SEEN);
    // What one process of an earlier version did not see yet.
    let earlier = SEEN.replace(r#""full_weight_refused":false,"#, "").replace(r#""minute_awaited_since":null,"#, "");
    assert_eq!(from_str::<Observation>(&earlier).unwrap(), seen);
    let event = |rest: &str| -> Event {
        from_str(&format!(r#"{{"v":1,"at":"2026-11-23T14:03:13.000Z","function":"hello","alias":"live",{rest}}}"#)).unwrap()
    };
    assert_eq!(event(r#""type":"danced","how":"well""#).what, EventKind::Unknown);
    assert_eq!(event(r#""type":"acquired","by":{"whom":["me"]}"#).what, EventKind::Acquired { adopted: None });
    let ended = r#""type":"outcome","outcome":"adjourned","exit_code":99,"reason":{"kind":"sunset","detail":"","more":1},"stable":null,"candidate":null,"rollout_id":"","traffic":"","took_ms":0,"noticed_ms":null,"reverted_ms":null,"next":[]"#;
    let event = event(ended);
    let ending = event.ending().unwrap();
    assert_eq!((ending.outcome.word(), ending.reason.kind.word()), ("adjourned", "sunset"));
    assert!(to_string(&event).unwrap().contains(r#""outcome":"adjourned","exit_code":99,"reason":{"kind":"sunset","#));
    let started = r#"{"type":"started","rollout_id":"7f3ac2e1","stable":null,"candidate":null,"schedule":"","weights":[],"every_seconds":0,"bake_seconds":0,"alarms":[],"analysis":"clairvoyance","pre_hook":null,"post_hook":null}"#;
    let EventKind::Started(started) = from_str(started).unwrap() else { panic!("a start") };
    assert_eq!(started.analysis, None);
}
