//! The live view: what a frame shows at two widths, and that it stays in its place on a screen.

use report::{Live, LiveState, Order, Prompt, Reporter, Size, frame};
use rollout::event::{EventKind, ResumesAt};
use unicode_width::UnicodeWidthStr;

use crate::fixtures::{self, assert_has, at, events, known, text, weight};

/// What is known at a moment of a story.
fn state(name: &str, seconds: u64) -> LiveState {
    known(LiveState::default(), events(name).iter().filter(|event| event.at <= at(seconds)))
}

fn shown(name: &str, seconds: u64, width: usize) -> String {
    fixtures::shown(&state(name, seconds), at(seconds), width)
}

#[test]
fn a_step_in_force_at_80_columns() {
    let expected = "\
hello:live   41 ▸ 42   Linear 10% every minute    7f3ac2e1  01:19 of about 12:00
  ✔ preflight   ✔ version 42
  10 ██ 20 █░ 30 ·· 40 ·· 50 ·· 60 ·· 70 ·· 80 ·· 90 ·· 100 ·  bake 3m
  traffic   set 20%   next 30% in 0:42   done about 14:14
  alarms    ✔ HelloFooAlarm OK
  14:02:13  version   42 is ready
  14:02:14  shifted   10% of traffic to version 42 (1 alarm OK)
  14:03:14  shifted   20% of traffic to version 42 (1 alarm OK)
  to roll back:  canaryctl rollback hello";
    assert_eq!(shown("alarm", 79, 80), expected);
}

#[test]
fn a_hook_that_runs_at_120_columns() {
    let first = "hello:live   41 ▸ 42   Linear 50% every minute";
    let expected = format!(
        "{first:<80}7f3ac2e1  00:03 of about 02:00
  ✔ preflight   ✔ version 42   ▸ pre-traffic hook 0:01   · post-traffic hook
  50 ·· 100 ·  bake 1m
  traffic   100% on 41   first step 50% to 42
  alarms    ✔ HelloFooAlarm OK
  14:02:13  version   42 published
  14:02:14  version   42 is ready
  14:02:15  hook      preHook invoked (pre-traffic)
  to roll back:  canaryctl rollback hello"
    );
    assert_eq!(shown("success", 3, 120), expected);
}

#[test]
fn the_bake_and_the_way_back() {
    let baking = shown("success", 92, 80);
    assert_has(&baking, &["  50 ██ 100 █  bake 0:28 of 1m\n", "  traffic   set 100%   post-traffic hook in 0:32\n"]);
    let back = shown("unconfirmed", 150, 80);
    assert_has(&back, &["  traffic   rolling back: all traffic to 41\n", "  alarms    ✖ HelloFooAlarm ALARM 2m 2s\n"]);
}

#[test]
fn what_is_held_is_said_to_be_held() {
    let blind = shown("blind", 130, 80);
    assert!(blind.contains("  traffic   set 50%, holding: monitoring unavailable\n"), "{blind}");
    assert!(blind.contains("  warning   since 14:02:33: DescribeAlarms: AccessDenied: not authorized\n"), "{blind}");
    assert!(!blind.contains("HelloFooAlarm OK"), "an alarm that cannot be read is not OK: {blind}");
    let by_hand = shown("set_by_hand", 62, 80);
    assert!(by_hand.contains("  traffic   set 50%, but 5% was set manually: holding it\n"), "{by_hand}");
}

#[test]
fn a_rollout_that_another_process_began_stands_where_it_stands() {
    let mut started = events("alarm").remove(0);
    if let EventKind::Started(started) = &mut started.what {
        started.stands = Some(ResumesAt { weight: weight(3000), step: 3, next_at: Some(at(42)) });
    }
    let shown = fixtures::shown(&known(LiveState::default(), [&started]), at(0), 80);
    assert_has(&shown, &["  10 ██ 20 ██ 30 █░ 40 ··", "  traffic   set 30%   next 40% in 0:42   done about 14:11\n"]);
}

#[test]
fn a_first_deployment_promises_no_way_back() {
    let first = shown("first_deployment", 3, 80);
    assert_has(&first, &["first deployment", "  alarms    none\n"]);
    assert!(!first.contains("to roll back"), "{first}");
}

/// Every moment of every story, at every width: no line is too long, no frame too high, no escape code without colour.
#[test]
fn always_fits() {
    for name in ["success", "alarm", "failed_pre_hook", "failed_post_hook", "unconfirmed", "blind", "first_deployment", "refused"]
    {
        let mut state = LiveState::default();
        for event in events(name) {
            state.add(&event);
            for width in 60..=130 {
                let lines = frame(&state, event.at, width, false);
                assert!(lines.len() <= 24, "{name}");
                for line in &lines {
                    assert!(line.width() <= width, "{name} at {width}: {line}");
                    assert!(!line.contains('\u{1b}'), "{name}: {line}");
                }
                let colored = frame(&state, event.at, width, true).join("\n");
                assert_eq!(without_color(&colored), lines.join("\n"), "{name} at {width}");
            }
        }
    }
}

fn without_color(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once('m').unwrap().1)
}

#[test]
fn many_steps_and_many_alarms_are_summed_up() {
    let mut started = events("alarm").remove(0);
    if let EventKind::Started(started) = &mut started.what {
        started.weights = (1..=100).map(|percent| weight(percent * 100)).collect();
        started.alarms = (1..=20).map(|number| format!("Alarm{number}")).collect();
    }
    let mut red = events("alarm").into_iter().find(|event| matches!(event.what, EventKind::AlarmChanged { .. })).unwrap();
    if let EventKind::AlarmChanged { name, .. } = &mut red.what {
        "Alarm20".clone_into(name);
    }
    let lines = frame(&known(LiveState::default(), [&started, &red]), at(110), 80, false);
    assert!(lines.len() <= 24);
    let text = lines.join("\n");
    assert!(text.contains("  step 0 of 100  ······"), "{text}");
    assert!(text.contains("  alarms    ✖ Alarm20 ALARM 5s\n"), "what is red comes first: {text}");
    assert!(text.contains("            and 14 more\n"), "{text}");
}

/// A screen that knows what the live view uses of a terminal, and nothing else.
struct Screen {
    rows: Vec<String>,
    row: usize,
    column: usize,
}

impl Screen {
    fn new() -> Self {
        Self { rows: vec![String::new()], row: 0, column: 0 }
    }

    fn play(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            match letter {
                '\u{1b}' => {
                    let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
                    let (code, kind) = (&rest[1..end], &rest[end..=end]);
                    rest = &rest[end + 1..];
                    match (kind, code) {
                        ("A", count) => self.row -= count.parse::<usize>().unwrap(),
                        ("J", _) => {
                            self.cut();
                            self.rows.truncate(self.row + 1);
                        }
                        ("K", "2") => self.rows[self.row].clear(),
                        ("K", _) => self.cut(),
                        ("m", _) | ("h" | "l", "?2026" | "?7") => {}
                        other => panic!("the screen does not know {other:?}"),
                    }
                }
                '\r' => self.column = 0,
                '\n' => {
                    self.row += 1;
                    if self.row == self.rows.len() {
                        self.rows.push(String::new());
                    }
                }
                letter => {
                    let mut letters: Vec<char> = self.rows[self.row].chars().collect();
                    letters.resize(letters.len().max(self.column + 1), ' ');
                    letters[self.column] = letter;
                    self.rows[self.row] = letters.into_iter().collect();
                    self.column += 1;
                }
            }
        }
    }

    /// Clears the rest of the row.
    fn cut(&mut self) {
        self.rows[self.row] = self.rows[self.row].chars().take(self.column).collect();
    }
}

/// What is on a screen, that had one line on it, after the first `count` events of a story with a drawing every second.
fn played(name: &str, count: usize, size: (u16, u16)) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut live = Live::new(&mut bytes, Size::Fixed(size.0, size.1), true);
    let mut now = at(0);
    for event in events(name).iter().take(count) {
        while now < event.at {
            live.tick(now).unwrap();
            now = now + std::time::Duration::from_secs(1);
        }
        live.event(event).unwrap();
    }
    live.finish().unwrap();
    let mut screen = Screen::new();
    screen.play(b"$ canaryctl rollout hello\r\n");
    screen.play(&bytes);
    assert_eq!(screen.rows.pop().as_deref(), Some(""), "the cursor is below what was written");
    screen.rows
}

#[test]
fn redraws_in_place_and_keeps_what_was_above() {
    let all = events("alarm").len();
    for count in 2..all {
        let rows = played("alarm", count, (80, 24));
        assert_eq!(rows[0], "$ canaryctl rollout hello");
        assert_eq!(rows.iter().filter(|row| row.contains("preflight")).count(), 1, "{rows:#?}");
        assert!(rows.len() <= 11, "{rows:#?}");
    }
    let rows = played("alarm", all, (80, 24));
    let expected = "\
$ canaryctl rollout hello

✖ ROLLED BACK   hello:live stays on 41
  took      1m 49s · noticed 4s after the alarm · reverted in 0.3s
  why       alarm `HelloFooAlarm` went to ALARM at 14:03:58 (7 ≥ 1)
  now       100% on 41, confirmed at 14:04:02; 42 is rejected: needs --again
  next      aws logs tail /aws/lambda/hello --since 15m
            canaryctl status hello:live";
    assert_eq!(rows.join("\n"), expected);
}

#[test]
fn a_hooks_log_is_not_drawn_over() {
    let rows = played("failed_pre_hook", events("failed_pre_hook").len(), (80, 24));
    assert!(rows.iter().any(|row| row.ends_with("| ERROR no such table: users")), "{rows:#?}");
}

#[test]
fn a_low_terminal_gets_a_low_frame() {
    let rows = played("alarm", 7, (80, 10));
    assert!(rows.len() < 11, "{rows:#?}");
    assert_eq!(rows.last().map(String::as_str), Some("  to roll back:  canaryctl rollback hello"));
}

#[test]
fn a_terminal_that_is_too_small_gets_the_plain_lines() {
    let plain = text("alarm.txt");
    for size in [(59, 24), (80, 9)] {
        let rows = played("alarm", events("alarm").len(), size);
        let changes = plain.split("\n\n").next().unwrap();
        assert!(rows.join("\n").starts_with(&format!("$ canaryctl rollout hello\n{changes}\n\n✖ ROLLED BACK")), "{rows:#?}");
    }
}

/// The rows of a screen on which something was drawn without colour.
fn drawn(size: (u16, u16), draw: impl FnOnce(&mut Live<&mut Vec<u8>>)) -> Vec<String> {
    let mut bytes = Vec::new();
    draw(&mut Live::new(&mut bytes, Size::Fixed(size.0, size.1), false));
    let mut screen = Screen::new();
    screen.play(&bytes);
    screen.rows
}

#[test]
fn what_is_asked_is_to_be_seen_and_no_part_of_the_end() {
    let asked = |prompt: &Prompt, size: (u16, u16)| {
        let mut rows = drawn(size, |live| {
            for event in events("alarm").iter().take(7) {
                live.event(event).unwrap();
            }
            live.prompt(prompt).unwrap();
        });
        rows.pop();
        rows
    };
    let rows = asked(&Prompt::Keys { holds: false }, (80, 24));
    assert_eq!(rows[rows.len() - 2], "  to roll back:  canaryctl rollback hello");
    assert_eq!(rows[rows.len() - 1], "  p pause  a promote  r roll back  q stop watching  ^C roll back");
    let wide = asked(&Prompt::Keys { holds: true }, (200, 50)).pop().unwrap();
    assert!(wide.starts_with("  to roll back:  canaryctl rollback hello    p pause") && wide.ends_with("^C leave it"), "{wide}");
    let questions = [
        (Order::Pause, "hold 20% on 42 for an hour?"),
        (Order::Resume, "end the pause of hello:live?"),
        (Order::Promote, "shift 100% of traffic to 42 now?"),
        (Order::RollBack, "roll hello:live back to 41?"),
        (Order::Leave, "leave 20% on 42 and stop watching?"),
    ];
    // In the lowest frame, and where there is none.
    for size in [(80, 24), (60, 10), (50, 24)] {
        for (order, question) in questions {
            let rows = asked(&Prompt::Ask(order), size);
            let last = rows.last().unwrap();
            assert!(last.starts_with(&format!("  {question}  y to confirm")), "{rows:#?}");
        }
        let signal = asked(&Prompt::Signal { holds: false, insists: false }, size).pop().unwrap();
        assert!(signal.starts_with("  ^C: rolling back to 41; ^C again"), "{signal}");
        let signal = asked(&Prompt::Signal { holds: true, insists: false }, size).pop().unwrap();
        assert!(signal.starts_with("  ^C: leaving 20% on 42, no longer watched; ^C again"), "{signal}");
    }
    let ended = |prompt: Option<Prompt>| {
        drawn((80, 24), |live| {
            for event in events("alarm") {
                if let Some(prompt) = &prompt {
                    live.prompt(prompt).unwrap();
                }
                live.event(&event).unwrap();
            }
        })
    };
    assert_eq!(ended(Some(Prompt::Ask(Order::RollBack))), ended(None));
}
