//! The note's properties: it reads back what it wrote, fits, keeps the user's words, and no text makes it panic.

use std::time::Duration;

use proptest::prelude::*;

use crate::note::*;
use crate::{Cause, Time, Version, Weight};

const EXAMPLE: &str = "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 30% 3/10 t=towpnp s=towpr0 d=towpso l=towpvo h=9a41c07e x=39h]";

fn read(description: &str) -> (&str, Option<Note>) {
    match read_description(description) {
        (text, NoteParse::Note(note)) => (text, Some(*note)),
        (text, NoteParse::Nothing | NoteParse::Newer { .. }) => (text, None),
    }
}

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

#[test]
fn reads_the_documented_example() {
    let description = format!("our shop's checkout {EXAMPLE}");
    let (text, note) = read(&description);
    let note = note.unwrap();
    assert_eq!(text, "our shop's checkout");
    assert_eq!(note.id, RolloutId(0x7f3a_c2e1));
    assert_eq!(note.owner.to_string(), "k4q9");
    assert_eq!(note.phase, Phase::Shift { weight: Weight::from_basis_points(3000).unwrap(), step: 3, steps: 10 });
    assert_eq!((note.stable, note.candidate), (Some(version(41)), Some(version(42))));
    assert_eq!(note.rejected, [Rejected { version: version(39), cause: Cause::Hand }]);
    assert_eq!(note.due.unwrap().since(note.since), Duration::from_mins(1));
    assert_eq!(note.to_string(), EXAMPLE);
}

/// As above, in the time since when the step is in force.
#[test]
fn an_approved_gate_is_any_step_to_whoever_knows_of_none() {
    let approved = EXAMPLE.replace(" s=", " s=0");
    let (_, note) = read(&approved);
    let (note, (_, plain)) = (note.unwrap(), read(EXAMPLE));
    assert_eq!((note.approved, note.to_string().as_str()), (true, approved.as_str()));
    assert_eq!(Note { approved: false, ..note }, plain.unwrap());
}

/// Whoever knows of no gates reads the time with a zero before it, which is the same time.
#[test]
fn a_gate_is_a_pause_to_whoever_knows_of_none() {
    let gated = EXAMPLE.replace(" h=", " u=0towr1x.b h=");
    let (_, note) = read(&gated);
    let note = note.unwrap();
    assert_eq!(note.to_string(), gated);
    let (_, paused) = read(&EXAMPLE.replace(" h=", " u=towr1x.b h="));
    let pause = Some(Pause { gate: false, ..note.pause.unwrap() });
    assert_eq!((paused.unwrap(), note.pause.unwrap().gate), (Note { pause, ..note.clone() }, true));
}

#[test]
fn a_later_format_is_recognised_and_left_alone() {
    let (text, noted) = read_description("mine [canaryctl/2 7f3ac2e1 k4q9 whatever {comes} next]");
    assert_eq!(text, "mine");
    assert!(matches!(noted, NoteParse::Newer { id: RolloutId(0x7f3a_c2e1), .. }));
}

#[test]
fn anything_malformed_is_the_users_text() {
    for broken in [
        "[canaryctl/1]",
        "[canaryctl/0 7f3ac2e1 k4q9 claim 41>- t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1] and more",
        "[canaryctl/1 7F3AC2E1 k4q9 claim 41>- t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q claim 41>- t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1 z=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>0 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 bake 41>- t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 0% 1/10 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 100% 1/10 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 30% 10/10 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 shift 41>42 30% 11/10 t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 back 41>42 whim t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>-  t=1 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=999999999999 s=1]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1 x=]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1 x=1a,2a,3a,4a]",
        "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=1 s=1 x=1z]",
    ] {
        assert_eq!(read_description(broken), (broken, NoteParse::Nothing));
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    (1..10_000_000u64).prop_map(version)
}

fn any_time() -> impl Strategy<Value = Time> {
    // From 2020 to 2038: six digits of base 36.
    (1_577_836_800..2_145_916_800u64).prop_map(Time::from_secs)
}

fn any_phase() -> impl Strategy<Value = Phase> {
    let weight = (1..10_000u16).prop_map(|points| Weight::from_basis_points(points).unwrap());
    let shift = (weight, 1..100u16).prop_map(|(weight, step)| Phase::Shift { weight, step, steps: 100 });
    let back = proptest::sample::select(Cause::ALL.to_vec()).prop_map(Phase::Back);
    let plain = [Phase::Claim, Phase::Pre, Phase::Bake, Phase::Post, Phase::Promoted];
    prop_oneof![4 => shift, 1 => back, 2 => proptest::sample::select(plain.to_vec())]
}

prop_compose! {
    fn any_note()(
        (id, owner, phase, plan) in (any::<u32>(), any::<u32>(), any_phase(), any::<Option<u32>>()),
        (stable, candidate, previous) in (proptest::option::of(any_version()), any_version(), proptest::option::of(any_version())),
        (started_at, since, due, lease, blind) in (any_time(), any_time(), proptest::option::of(any_time()), proptest::option::of(any_time()), proptest::option::of(any_time())),
        pause in proptest::option::of((any_time(), any::<bool>(), any::<bool>())),
        hook in proptest::option::of((1..=9u8, any_time(), any::<bool>())),
        (held, waited, promoted_manually, approved) in (0..600u64, 0..7200u64, any::<bool>(), any::<bool>()),
        rejected in proptest::collection::vec((any_version(), proptest::sample::select(vec![Cause::Alarm, Cause::Hand, Cause::PostHook])), 0..=3),
    ) -> Note {
        Note {
            id: RolloutId(id), owner: Owner::from_random(owner), phase, stable, candidate: Some(candidate), started_at, since, due, lease,
            pause: pause.map(|(until, back, gate)| Pause { until, then: if back { AfterPause::RollBack } else { AfterPause::Resume }, gate }),
            blind, hook: hook.map(|(number, deadline, passed)| HookAttempt { number, deadline, passed }),
            held: Duration::from_secs(held), waited: Duration::from_secs(waited), previous, plan: plan.map(PlanHash), promoted_manually, approved,
            rejected: rejected.into_iter().map(|(version, cause)| Rejected { version, cause }).collect(),
        }
    }
}

proptest! {
    #[test]
    fn reads_back_what_it_wrote(note in any_note()) {
        let text = note.to_string();
        prop_assert_eq!(read(&text), ("", Some(note)));
    }

    #[test]
    fn keeps_the_users_words(text in "\\PC{0,60}", note in any_note()) {
        if let Some(description) = write_description(&text, &note) {
            prop_assert!(length(&description) <= DESCRIPTION_LIMIT);
            let (kept, read_back) = read(&description);
            prop_assert_eq!(kept, text);
            prop_assert_eq!(read_back.unwrap().phase, note.phase);
        }
    }

    /// A text that preflight lets pass always leaves room for a note, if need be with fewer rejected versions.
    #[test]
    fn fits_beside_any_text_that_preflight_accepts(text in "\\PC{90}", note in any_note()) {
        let text: String = text.chars().filter(|letter| letter.len_utf16() == 1).collect();
        prop_assume!(length(&text) <= TEXT_LIMIT);
        let description = write_description(&text, &note);
        prop_assert!(description.is_some(), "{}", note);
    }

    #[test]
    fn a_way_back_always_fits(text in "\\PC{0,256}", note in any_note()) {
        prop_assume!(length(&text) <= DESCRIPTION_LIMIT);
        let description = write_description_at_all_costs(&text, &note);
        prop_assert!(length(&description) <= DESCRIPTION_LIMIT);
        prop_assert!(description.starts_with(&text));
    }

    #[test]
    fn never_panics(text in "\\PC*") {
        let _ = read_description(&text);
    }

    #[test]
    fn never_panics_on_a_damaged_note(note in any_note(), at in 0..160usize, with in "\\PC{0,3}") {
        let text = note.to_string();
        let cut = text.char_indices().map(|(index, _)| index).nth(at).unwrap_or(text.len());
        let damaged = format!("{}{with}{}", &text[..cut], text.get(cut + 1..).unwrap_or(""));
        let _ = read_description(&damaged);
    }
}
