//! What is this alias, and what can be done about it? One screen for people, one object for programs.
//!
//! It only reads the state of the alias; the commands that it suggests are not run from here.

use std::fmt::Display;

use rollout::alias::{Alias, AliasState, Audience, Contention, Target, alias_state};
use rollout::format::duration;
use rollout::note::{AfterPause, Note, NoteParse, Phase};
use rollout::turn::detached_owner;
use rollout::{Subject, Time, Version, Weight};
use serde_json::{Value, json};

use crate::format::{joined, operand, version, when};
use crate::json::object;
use crate::remote_watch::outcome;
use crate::safe::{clean_lines, one_line};

/// Explains that an alias does not exist. `other` is what the function has instead, in words, and the one that is the most alike.
pub fn no_alias_text(subject: &Subject, other: Option<(&str, &str)>) -> String {
    let mut sheet = Sheet { operand: operand(&subject.function.name, &subject.alias), ..Sheet::default() };
    sheet.title = format!("{subject}   does not exist");
    if let Some((text, alike)) = other {
        sheet.row("state", text);
        sheet.commands.push((format!("canaryctl status {alike}"), "shows the one that is there".to_owned()));
    } else {
        sheet.row("state", "the function may exist, but it has no alias of this name");
        sheet.next("rollout", " --type <SCHEDULE>", "creates it on a new version");
    }
    sheet.text()
}

/// Explains an alias in one screen, the next command at its end; every line is ended.
///
/// `provisioned` says whether the alias has provisioned concurrency, where that is known: AWS moves it by weights of its own.
/// `existing` are the function's versions, where they are known: a rollback goes to none that was deleted.
pub fn status_text(
    subject: &Subject,
    alias: &Alias,
    provisioned: Option<bool>,
    existing: Option<&[Version]>,
    now: Time,
) -> String {
    let mut sheet = Sheet { operand: operand(&subject.function.name, &subject.alias), ..Sheet::default() };
    let found = alias_state(alias);
    sheet.title = title(subject, alias, &found);
    sheet.row("traffic", &alias.traffic());
    explain(&mut sheet, alias, &found, (provisioned, existing), now);
    if let Some(note) = found.note() {
        rejected(&mut sheet, note);
    }
    let text = alias.text().trim();
    if !text.is_empty() {
        sheet.row("text", &one_line(text));
    }
    sheet.text()
}

/// The same for programs.
pub fn status_json(subject: &Subject, alias: Option<&Alias>, now: Time) -> Value {
    let found = alias.map(alias_state);
    let note = found.as_ref().and_then(AliasState::note);
    let live = found.as_ref().and_then(AliasState::live);
    let (step, steps) = match live.map(|note| note.phase) {
        Some(Phase::Shift { step, steps, .. }) => (Some(step), Some(steps)),
        Some(_) | None => (None, None),
    };
    let candidate = live.and_then(|note| note.candidate).or(alias.and_then(Alias::canary).map(|(version, _)| version));
    // The version that a rollback restores, or without a rollout the alias' version. A first deployment has none.
    let of_alias = || alias.map(|alias| alias.target.to_string());
    let stable = live.map_or_else(of_alias, |note| note.stable.map(|stable| stable.to_string()));
    let last = note.map(|note| note.phase).filter(|phase| phase.is_terminal());
    let (id, owner) = match &found {
        Some(AliasState::Contended { id, owner, .. }) => (Some(id.to_string()), Some(owner.to_string())),
        Some(_) | None => (note.map(|note| note.id.to_string()), note.map(|note| note.owner.to_string())),
    };
    // Keys are only ever added.
    let fields = json!({
        "alias_state": found.as_ref().map_or("missing", word), "traffic": alias.map(Alias::traffic),
        "stable": stable, "candidate": candidate,
        "weight": candidate.zip(alias).map_or(Weight::ZERO, |(version, alias)| alias.share_of(version)),
        "phase": note.map(|note| note.phase.word()), "step": step, "steps": steps, "rollout_id": id, "owner": owner,
        "detached": live.is_some_and(is_detached),
        "orphaned": live.is_some_and(|note| note.lease.is_none_or(|lease| lease <= now)),
        "next_step_at": live.and_then(|note| note.due),
        "paused": live.is_some_and(|note| note.pause.is_some_and(|pause| pause.until > now)),
        "last_outcome": last.map(|phase| outcome(phase).kind()),
        "last_cause": last.and_then(|phase| if let Phase::Back(cause) = phase { Some(cause) } else { None }),
        "rejected": note.map_or_else(Vec::new, |note| note.rejected.iter().map(|rejected| rejected.version).collect()),
    });
    object("status", now, subject, fields)
}

/// A title, rows of a word and a sentence, and commands.
#[derive(Default)]
struct Sheet {
    operand: String,
    title: String,
    rows: Vec<(&'static str, String)>,
    commands: Vec<(String, String)>,
}

impl Sheet {
    fn row(&mut self, word: &'static str, text: &str) {
        self.rows.push((word, text.to_owned()));
    }

    /// Suggests a command of canaryctl on this alias.
    fn next(&mut self, verb: &str, options: &str, effect: &str) {
        self.commands.push((format!("canaryctl {verb} {}{options}", self.operand), effect.to_owned()));
    }

    fn roll_back_to(&mut self, version: impl Display, effect: &str) {
        self.next("rollback", &format!(" --to {version}"), effect);
    }

    fn text(&self) -> String {
        let mut lines = vec![self.title.clone()];
        for (word, text) in &self.rows {
            let parts = clean_lines(text);
            lines.extend(parts.iter().enumerate().map(|(at, part)| format!("  {:<10}{part}", if at == 0 { word } else { "" })));
        }
        let widest = self.commands.iter().map(|(command, _)| command.len()).filter(|width| *width <= 60).max().unwrap_or(0);
        for (at, (command, effect)) in self.commands.iter().enumerate() {
            lines.push(format!("  {:<10}{command:<widest$}   {effect}", if at == 0 { "next" } else { "" }));
        }
        joined(&lines)
    }
}

fn title(subject: &Subject, alias: &Alias, found: &AliasState) -> String {
    if let AliasState::Claimed(note) | AliasState::Running(note) | AliasState::SetByHand(note, _) = found {
        let candidate = note.candidate.map_or_else(|| "new version".to_owned(), |version| version.to_string());
        let versions = note.stable.map_or_else(|| candidate.clone(), |stable| format!("{stable} ▸ {candidate}"));
        return format!("{subject}   {versions}   rollout {}", note.id);
    }
    format!("{subject}   {}", alias.target)
}

/// The version that `rollback` would go to, if a finished rollout is undone.
pub fn undone_to(alias: &Alias) -> Option<Version> {
    let AliasState::Idle(Some(note)) = alias_state(alias) else { return None };
    note.stable.filter(|_| note.phase == Phase::Promoted && note.candidate == alias.target.version())
}

/// That the version to roll back to was deleted, and what there is instead.
pub fn pruned_text(subject: &Subject, version: Version, alias: &Alias, existing: &[Version]) -> String {
    let hint = match elsewhere(alias, existing) {
        Some(other) => {
            let others = listed(existing);
            format!("{others}; `canaryctl rollback {subject} --to {other}` puts all traffic on {other}")
        }
        None => format!(
            "{}; put the earlier code into the function, then `canaryctl rollout {subject} --type AllAtOnce` rolls it out",
            listed(existing)
        ),
    };
    format!("version {version} does not exist, so {subject} cannot be rolled back to it: {}\n  hint: {hint}", alias.traffic())
}

/// The latest version that the alias does not point at.
fn elsewhere(alias: &Alias, existing: &[Version]) -> Option<Version> {
    let rejected = alias.note().map(|note| note.rejected).unwrap_or_default();
    let sound = |version: &Version| rejected.iter().all(|known| known.version != *version);
    existing.iter().copied().filter(|version| Some(*version) != alias.target.version() && sound(version)).max()
}

fn listed(existing: &[Version]) -> String {
    let numbers: Vec<String> = existing.iter().rev().take(10).rev().map(ToString::to_string).collect();
    let earlier = if existing.len() > numbers.len() { "…, " } else { "" };
    format!("the versions that exist are {earlier}{}", numbers.join(", "))
}

fn explain(
    sheet: &mut Sheet,
    alias: &Alias,
    found: &AliasState,
    (provisioned, existing): (Option<bool>, Option<&[Version]>),
    now: Time,
) {
    let described = found.describe(Audience::Reader);
    match found {
        AliasState::Idle(note) => idle(sheet, alias, note.as_ref(), existing, now),
        AliasState::Foreign { .. } => {
            let who = match provisioned {
                Some(true) => "AWS is moving this alias' provisioned concurrency, or another tool is rolling out",
                Some(false) => "another tool is rolling out",
                None => "another tool is rolling out, or AWS is moving provisioned concurrency",
            };
            sheet.row("state", &format!("{described}; canaryctl does not change it:"));
            sheet.row("", who);
            if provisioned == Some(true) {
                sheet.next("status", "", "again in a few minutes: AWS removes the weights when it is done");
            }
            sheet.roll_back_to(alias.target, &format!("puts all traffic on {}", alias.target));
        }
        AliasState::Claimed(note) | AliasState::Running(note) => {
            sheet.row("state", &in_progress(note, now));
            live(sheet, note, now);
        }
        AliasState::SetByHand(note, weight) => {
            let set = note.phase.share();
            sheet.row("state", &format!("set manually: {weight} of traffic, the rollout had set {set}; holding it"));
            live(sheet, note, now);
        }
        AliasState::Moving(..) => {
            sheet.row("state", &described);
            sheet.next("status", "", "again in a few minutes");
        }
        AliasState::ClearedByHand(_) => {
            sheet.row("state", &described);
            sheet.next("rollback", "", "records the rollback if the rollout's owner has not");
        }
        AliasState::PromotedElsewhere(note) => {
            sheet.row("state", &described);
            if let Some(stable) = note.stable {
                sheet.roll_back_to(stable, &format!("puts all traffic back on {stable}"));
            }
            sheet.roll_back_to(alias.target, &format!("leaves it on {} and ends the rollout", alias.target));
        }
        AliasState::Contended { why: Contention::NewerFormat, .. } => {
            sheet.row("state", &described);
            sheet.next("status", "", "run it with that version of canaryctl");
        }
        AliasState::Contended { why: Contention::Changed, .. } => {
            sheet.row("state", &described);
            let NoteParse::Note(note) = alias.noted() else { return };
            let Some(stable) = note.stable else { return };
            sheet.roll_back_to(stable, &format!("puts all traffic on {stable}, the version before that rollout"));
            if let Some(now) = alias.target.version().filter(|now| *now != stable) {
                sheet.roll_back_to(now, &format!("puts all traffic on {now} and ends the rollout"));
            }
        }
    }
}

fn in_progress(note: &Note, now: Time) -> String {
    let since = format!("since {} ({})", when(note.since, now), duration(now.since(note.since)));
    let due = note.due.filter(|due| *due > now).map(|due| format!(" at {} (in {})", when(due, now), duration(due.since(now))));
    match note.phase {
        Phase::Claim => format!("alias acquired {since}; traffic unchanged"),
        Phase::Pre => format!("pre-traffic hook running {since}; traffic unchanged"),
        Phase::Shift { weight, step, steps } => {
            let next = match due {
                // Nobody takes it.
                _ if note.pause.is_some() || note.lease.is_none_or(|lease| lease <= now) => String::new(),
                Some(due) => format!("; next step{due}"),
                None => "; next step now".to_owned(),
            };
            format!("step {step} of {steps}, {weight} of traffic {since}{next}")
        }
        Phase::Bake => {
            // A manual promotion does not know how long the plan bakes.
            let over = if note.due.is_none() { "; the owner will end the bake" } else { "; the bake is over" };
            let next = due.map_or_else(|| over.to_owned(), |due| format!("; the bake ends{due}"));
            format!("baking at {} {since}{next}", Weight::FULL)
        }
        Phase::Post => format!("post-traffic hook running {since}"),
        Phase::Promoted | Phase::Back(_) => format!("ended {since}"),
    }
}

/// Everything about a rollout in progress except its phase.
fn live(sheet: &mut Sheet, note: &Note, now: Time) {
    if let Some(pause) = note.pause.filter(|pause| pause.until > now) {
        let then = if pause.then == AfterPause::Resume { "then it resumes" } else { "then it rolls back" };
        if pause.gate {
            sheet.row("gate", &format!("waiting for an approval until {}, {then}", when(pause.until, now)));
        } else {
            sheet.row("paused", &format!("until {}, {then}", when(pause.until, now)));
        }
    }
    if let Some(blind) = note.blind {
        let since = format!("since {} ({})", when(blind, now), duration(now.since(blind)));
        sheet.row("warning", &format!("monitoring unavailable {since}: CloudWatch cannot be read"));
    }
    if !note.waited.is_zero() {
        sheet.row("held", &format!("this step is extended by {} so far: too few invocations", duration(note.waited)));
    }
    if !note.held.is_zero() {
        sheet.row("held", &format!("{} in total so far: the new version was possibly worse", duration(note.held)));
    }
    if let Some(hook) = note.hook {
        sheet.row("hook", &format!("attempt {}, fails if there is no answer by {}", hook.number, when(hook.deadline, now)));
    }
    sheet.row("owner", &owner(note, now));
    match note.pause.filter(|pause| pause.until > now) {
        Some(pause) if pause.gate => sheet.next("resume", " --gate", "approves the gate"),
        Some(_) => sheet.next("resume", "", "ends the pause"),
        None => {}
    }
    if note.lease.is_none_or(|lease| lease <= now) {
        sheet.next("rollout", " …", "run the same command again to resume");
    }
    match note.stable {
        Some(stable) => {
            let effect = if note.phase.share().is_zero() { "ends it, all traffic stays on" } else { "puts all traffic on" };
            sheet.next("rollback", "", &format!("{effect} {stable}"));
        }
        None => sheet.next("status", "", "again later: a first deployment cannot be rolled back"),
    }
}

/// Whether turns drive the rollout of this note, and no process stays with it.
fn is_detached(note: &Note) -> bool {
    note.owner == detached_owner(note.id)
}

fn owner(note: &Note, now: Time) -> String {
    let detached = is_detached(note);
    match note.lease {
        Some(lease) if detached && lease > now => {
            format!("none: detached, continues by turns; the next one comes by {}", when(lease, now))
        }
        Some(lease) if detached => {
            let (at, ago) = (when(lease, now), duration(now.since(lease)));
            format!("none: detached, but no turn came by {at}, {ago} ago; `canaryctl tick` continues it")
        }
        Some(lease) if lease > now => {
            format!("process {}; another rollout must wait until {} (its lease)", note.owner, when(lease, now))
        }
        Some(lease) => {
            let (at, ago) = (when(lease, now), duration(now.since(lease)));
            format!("none: the lease of {} expired at {at}, {ago} ago; abandoned: no process drives it", note.owner)
        }
        None => format!("none: {} left it in progress; abandoned: no process drives it", note.owner),
    }
}

fn idle(sheet: &mut Sheet, alias: &Alias, note: Option<&Note>, existing: Option<&[Version]>, now: Time) {
    if alias.target == Target::Latest {
        sheet.row("state", "on $LATEST, which cannot have weights: each deploy of the function reaches all traffic at once");
        sheet.next("pin", "", "puts it on a version of the same code; traffic unchanged. A rollout does it first");
        return;
    }
    match note {
        None => {
            sheet.row("state", &format!("idle: {}", AliasState::Idle(None).describe(Audience::Reader)));
            sheet.next("rollout", " --type <SCHEDULE>", "rolls out a new version");
        }
        Some(note) => last(sheet, alias, note, existing, now),
    }
    if let Some((version, _)) = alias.weights.first() {
        sheet.row("leftover", &format!("{version} has a weight of 0: it gets no traffic"));
    }
}

fn last(sheet: &mut Sheet, alias: &Alias, note: &Note, existing: Option<&[Version]>, now: Time) {
    let at = when(note.since, now);
    let (text, left_on) = match note.phase {
        Phase::Back(cause) => {
            let which = note.candidate.map_or_else(String::new, |candidate| format!(", of {candidate},"));
            (format!("idle: the last rollout{which} ended at {at}: {}", cause.phrase()), note.stable)
        }
        Phase::Promoted | Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => {
            let before = note.stable.map_or_else(|| ", the first version".to_owned(), |stable| format!(", replacing {stable}"));
            (format!("idle: the last rollout promoted {} at {at}{before}", version(note.candidate)), note.candidate)
        }
    };
    sheet.row("state", &text);
    let untouched = left_on == alias.target.version();
    if !untouched {
        sheet.row("", &format!("something else has moved the alias to {} since", alias.target));
    }
    if let Some(stable) = undone_to(alias) {
        match existing.filter(|existing| !existing.contains(&stable)) {
            None => sheet.next("rollback", "", &format!("puts all traffic on {stable}")),
            Some(existing) => {
                sheet.row("", &format!("version {stable} no longer exists: the rollout cannot be undone; {}", listed(existing)));
                if let Some(other) = elsewhere(alias, existing) {
                    sheet.roll_back_to(other, &format!("puts all traffic on {other}"));
                }
            }
        }
    }
    sheet.next("rollout", " --type <SCHEDULE>", "rolls out a new version");
}

fn rejected(sheet: &mut Sheet, note: &Note) {
    if note.rejected.is_empty() {
        return;
    }
    let each = note.rejected.iter().map(|rejected| format!("{} ({})", rejected.version, rejected.cause.phrase()));
    sheet.row("rejected", &format!("{}; refused unless you use --again", each.collect::<Vec<_>>().join(", ")));
}

fn word(found: &AliasState) -> &'static str {
    match found {
        AliasState::Idle(_) => "idle",
        AliasState::Foreign { .. } => "foreign",
        AliasState::Moving(..) => "moving",
        AliasState::Claimed(_) => "acquired",
        AliasState::Running(_) => "running",
        AliasState::SetByHand(..) => "set_by_hand",
        AliasState::ClearedByHand(_) => "cleared_by_hand",
        AliasState::PromotedElsewhere(_) => "promoted_elsewhere",
        AliasState::Contended { why: Contention::Changed, .. } => "contended",
        AliasState::Contended { why: Contention::NewerFormat, .. } => "newer_format",
    }
}
