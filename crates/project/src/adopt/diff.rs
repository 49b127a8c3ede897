//! What is different between two texts? A unified diff, as `patch` and `git apply` take it.
//!
//! The shortest one, by Myers' algorithm (<https://doi.org/10.1007/BF01840446>): what adopting changes is a few lines of a long file.

use std::fmt::Write;
use std::ops::Range;

/// The change as a unified diff, with three lines around it; empty where there is none.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let (old, new) = (lines(before), lines(after));
    let changes = changes(&old, &new);
    if changes.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {name}\n+++ {name}\n");
    // Changes share a hunk where the lines around them touch.
    for hunk in changes.chunk_by(|one, next| next.0.start - one.0.end <= 2 * AROUND) {
        let (Some((first, first_new)), Some((last, last_new))) = (hunk.first(), hunk.last()) else { continue };
        let (lead, tail) = (first.start.min(AROUND), (old.len() - last.end).min(AROUND));
        let (here, there) = (first.start - lead..last.end + tail, first_new.start - lead..last_new.end + tail);
        let _ = writeln!(out, "@@ -{} +{} @@", place(&here), place(&there));
        let mut at = here.start;
        for (gone, come) in hunk {
            written(&mut out, ' ', &old[at..gone.start]);
            written(&mut out, '-', &old[gone.clone()]);
            written(&mut out, '+', &new[come.clone()]);
            at = gone.end;
        }
        written(&mut out, ' ', &old[at..here.end]);
    }
    out
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn written(out: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        let end = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
        let _ = write!(out, "{mark}{line}{end}");
    }
}

/// Lines as a hunk names them: the first, counted from 1, and how many. Of none, the line before them.
fn place(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

/// Lines that go, and lines that come in their place.
type Lines = (Range<usize>, Range<usize>);

/// Every change, in order, with something in between that stays.
fn changes(old: &[&str], new: &[&str]) -> Vec<Lines> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - after], &new[..new.len() - after]);
    let mut out: Vec<Lines> = Vec::new();
    // Texts that have little in common are changed as a whole.
    for (gone, come) in steps(old, new).unwrap_or_else(|| vec![(0..old.len(), 0..new.len())]) {
        let (gone, come) = (gone.start + same..gone.end + same, come.start + same..come.end + same);
        match out.last_mut() {
            Some(last) if last.0.end == gone.start && last.1.end == come.start => (last.0.end, last.1.end) = (gone.end, come.end),
            Some(_) | None => out.push((gone, come)),
        }
    }
    out
}

/// How far a way through both texts comes that leaves out so many lines of the old one, and as many of the new one as are left of the
/// row's number; in lines of the old one. `None` where there is no such way.
type Row = Vec<Option<usize>>;

/// The fewest steps from one text to the other, each of one line that goes or comes; `None` where there are too many.
fn steps(old: &[&str], new: &[&str]) -> Option<Vec<Lines>> {
    let mut rows: Vec<Row> = Vec::new();
    for steps in 0..=MOST {
        let mut row = Row::with_capacity(steps + 1);
        for gone in 0..=steps {
            let begins = if steps == 0 { Some(0) } else { step(&rows, gone, (old, new)).map(|(x, _)| x) };
            let far = begins.map(|x| {
                let y = x + (steps - gone) - gone;
                x + old[x..].iter().zip(&new[y..]).take_while(|(old, new)| old == new).count()
            });
            if far.is_some_and(|x| x == old.len() && x + (steps - gone) - gone == new.len()) {
                return Some(back(&rows, gone, (old, new)));
            }
            row.push(far);
        }
        rows.push(row);
    }
    None
}

/// The step behind the last of these rows that goes furthest: where it ends in the old text, and whether a line comes.
fn step(rows: &[Row], gone: usize, (old, new): (&[&str], &[&str])) -> Option<(usize, bool)> {
    let before = rows.last()?;
    let going = gone.checked_sub(1).and_then(|gone| before[gone]).filter(|&x| x < old.len()).map(|x| (x + 1, false));
    let coming = before.get(gone).copied().flatten().filter(|x| x + (rows.len() - gone) - gone <= new.len()).map(|x| (x, true));
    going.max(coming)
}

/// The steps that led behind the last of these rows, from the first on.
fn back(mut rows: &[Row], mut gone: usize, texts: (&[&str], &[&str])) -> Vec<Lines> {
    let mut out = Vec::new();
    while let Some((x, comes)) = step(rows, gone, texts) {
        let y = x + (rows.len() - gone) - gone;
        out.push(if comes { (x..x, y - 1..y) } else { (x - 1..x, y..y) });
        gone -= usize::from(!comes);
        rows = &rows[..rows.len() - 1];
    }
    out.reverse();
    out
}

/// How many lines stand around a change.
const AROUND: usize = 3;

/// Nothing that adopting does has as many: a few lines a function.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_has_three_lines_around_it_and_the_next_one_a_hunk_of_its_own() {
        let before = (1..=20).map(|line| line.to_string() + "\n").collect::<Vec<_>>().concat();
        let after = before.replace("2\n3\n4\n", "2\n4\n").replace("18\n", "18\nnew\n").replace("20\n", "20");
        let expected = "--- f\n+++ f\n@@ -1,6 +1,5 @@\n 1\n 2\n-3\n 4\n 5\n 6\n@@ -16,5 +15,6 @@\n 16\n 17\n 18\n+new\n 19\n-20\n\
                        +20\n\\ No newline at end of file\n";
        assert_eq!(unified("f", &before, &after), expected);
        assert_eq!(unified("f", &before, &before), "");
        assert_eq!(unified("f", "", "one\n"), "--- f\n+++ f\n@@ -0,0 +1 @@\n+one\n");
        assert_eq!(unified("f", "one\ntwo\n", ""), "--- f\n+++ f\n@@ -1,2 +0,0 @@\n-one\n-two\n");
    }

    #[test]
    fn texts_without_a_line_in_common_are_one_change() {
        let text = |of: &str| (0..2 * MOST).map(|line| format!("{of}{line}\n")).collect::<Vec<_>>().concat();
        let diff = unified("f", &text("a"), &text("b"));
        assert!(diff.starts_with("--- f\n+++ f\n@@ -1,2000 +1,2000 @@\n-a0\n-a1\n"), "{}", &diff[..60]);
        assert_eq!(diff.lines().count(), 3 + 4 * MOST);
    }

    /// How many lines are different at least, by the table of all common subsequences.
    fn fewest(old: &[&str], new: &[&str]) -> usize {
        let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
        for x in 0..old.len() {
            for y in 0..new.len() {
                table[x + 1][y + 1] = if old[x] == new[y] { table[x][y] + 1 } else { table[x][y + 1].max(table[x + 1][y]) };
            }
        }
        old.len() + new.len() - 2 * table[old.len()][new.len()]
    }

    proptest! {
        #[test]
        fn the_changes_make_one_text_of_the_other_and_are_the_fewest(old in "([abc]\n){0,12}[ab]?", new in "([abc]\n){0,12}[ab]?") {
            let (old, new) = (lines(&old), lines(&new));
            let (mut made, mut at, mut count) = (Vec::<&str>::new(), 0, 0);
            for (gone, come) in changes(&old, &new) {
                made.extend_from_slice(&old[at..gone.start]);
                prop_assert_eq!(made.len(), come.start);
                made.extend_from_slice(&new[come.clone()]);
                (at, count) = (gone.end, count + gone.len() + come.len());
            }
            made.extend_from_slice(&old[at..]);
            prop_assert_eq!(&made, &new);
            prop_assert_eq!(count, fewest(&old, &new));
        }
    }
}
