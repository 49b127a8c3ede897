//! What is to be seen at three sizes, in colour and without, and while a window changes its size: compared as text.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::served::canaryctl;
use crate::tmux::Terminal;

/// Shows a kept rollout up to one of its events, and stays there.
const SHOW: &str = "echo above; $CANARYCTL; exec sleep 100";

/// How far the story is shown: the suspicion is shown, and what is certain is not known yet.
const EVENTS: usize = 13;

/// The first events of a recorded story, in a file of their own.
fn begun(name: &str, events: usize) -> PathBuf {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/report/tests/golden/recorded/analysis.jsonl");
    let text = fs::read_to_string(story).unwrap();
    let path = std::env::temp_dir().join(format!("canaryctl-{}-{name}.jsonl", std::process::id()));
    fs::write(&path, text.split_inclusive('\n').take(events).collect::<String>()).unwrap();
    path
}

fn show(size: (u16, u16), name: &str, speed: u32, no_color: bool) -> Option<(Terminal, PathBuf)> {
    let path = begun(name, EVENTS);
    let mut command = canaryctl();
    command.args(["replay", path.to_str().unwrap(), "--speed", &speed.to_string()]);
    if no_color {
        command.env("NO_COLOR", "1");
    }
    Some((Terminal::open(size, &command, SHOW)?, path))
}

fn assert_golden(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terminal/golden").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, screen).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == screen,
        "the screen at {name} is not the golden one; BLESS=1 writes it anew\n--- golden\n{golden}\n--- now\n{screen}"
    );
}

#[test]
fn three_sizes_look_as_they_should() {
    for (columns, rows) in [(80, 24), (200, 50), (58, 20)] {
        let name = format!("{columns}x{rows}");
        let Some((terminal, path)) = show((columns, rows), &name, 100_000, false) else { return };
        let screen = terminal.await_text("  next      canaryctl");
        assert_golden(&name, &screen);
        assert!(screen.lines().all(|line| line.chars().count() <= usize::from(columns)));
        assert!(terminal.everything().starts_with("above\n"), "what was above is still there");
        // Colour repeats what the words say: without it there is nothing less to read.
        let Some((bare, _)) = show((columns, rows), &name, 100_000, true) else { return };
        bare.await_text("  next      canaryctl");
        assert_eq!(bare.screen(), screen);
        assert!(!bare.painted().contains('\u{1b}'), "{}", bare.painted());
        // The plain lines have no colour anyway.
        assert_eq!(terminal.painted().contains('\u{1b}'), columns >= 60);
        let _ = fs::remove_file(path);
    }
}

#[test]
fn a_window_that_changes_its_size_keeps_one_view_and_what_was_above() {
    let Some((terminal, path)) = show((100, 30), "resized", 1, false) else { return };
    terminal.await_text("bake ");
    for size in [(70, 24), (140, 40), (61, 30), (50, 20), (90, 30), (100, 16)] {
        terminal.resize(size);
        // tmux tells of one change at once, and of more than one with a delay.
        sleep(Duration::from_millis(600));
        let columns = usize::from(size.0);
        let drawn = |screen: &str| {
            let views = screen.lines().filter(|line| line.contains("preflight")).count();
            let wide = screen.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            views == usize::from(columns >= 60) && wide <= columns
        };
        terminal.await_screen(&format!("one view at {size:?}"), drawn);
        assert!(terminal.everything().starts_with("above\n"), "{}", terminal.everything());
        // What tmux has scrolled away while it wrapped lines is out of reach: of a view its first rows, never the whole.
        let feet = terminal.everything().matches("to roll back:").count();
        assert_eq!(feet, usize::from(columns >= 60), "{}", terminal.everything());
    }
    let _ = fs::remove_file(path);
}
