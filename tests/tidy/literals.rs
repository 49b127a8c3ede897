//! Which words may nobody read? Looked for in every string literal of the program, tests left out.

use super::source::{self, Kind};
use super::{files, shown};

/// Lower case and without signs; a phrase counts as one word. What stands in braces is a name in the code, and no word.
#[rustfmt::skip]
const UNSAID: &[&str] = &[
    "albeit", "anew", "as it was", "as they were", "bad weather", "beside", "blue green", "by hand",
    "cannot be had", "complain", "complaint", "for want of", "go back", "goes back", "goes on", "going back",
    "gone on with", "green", "hence", "henceforth", "hereby", "hitherto", "in the hands of", "in the midst",
    "is due", "is through", "left alone", "lest", "mend", "nobody", "ours", "per cent",
    "puts aside", "red", "saved event", "saved events", "shares", "so many", "somebody", "spoke against",
    "stands", "stood", "tells", "thereof", "told", "trouble", "under way", "was due",
    "way back", "wherein", "whilst", "whoever", "whom",
];

#[test]
fn nobody_reads_a_word_that_stops_them() {
    let folders = ["bin", "crates"];
    let sources = folders
        .into_iter()
        .flat_map(|folder| files(folder, "rs"))
        .filter(|path| ["/tests/", "/benches/", "tests.rs"].iter().all(|part| !shown(path).contains(part)));
    let found: Vec<String> = sources
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let place = shown(&path);
            said(&text, UNSAID).into_iter().map(move |(line, word)| format!("{place}:{line}: {word}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "words for which there are better ones: {found:#?}");
}

/// Those of the words that stand in a file's literals, each with the line where its literal begins.
fn said(text: &str, words: &[&'static str]) -> Vec<(usize, &'static str)> {
    let (tokens, _) = source::read(text);
    let literals = tokens.iter().filter(|token| token.kind == Kind::Literal);
    literals
        .flat_map(|token| {
            let plain = plain(token.text);
            words.iter().filter(move |word| plain.contains(&format!(" {word} "))).map(|word| (token.line, *word))
        })
        .collect()
}

/// A literal's words in lower case, each between two single spaces, without escapes and without the names of what is filled in.
fn plain(literal: &str) -> String {
    let mut pieces = literal.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push(' ');
        let name = piece.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(piece.len());
        text.push_str(if piece[name..].starts_with(['}', ':']) {
            piece[name..].split_once('}').map_or("", |(_, after)| after)
        } else {
            piece
        });
    }
    let text = text.replace("\\n", " ").replace("\\t", " ").to_lowercase();
    let words: Vec<_> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

#[test]
fn a_word_is_found_whole_in_literals_only() {
    let text = r#"
        // a share
        let share = format!("{share} of {share:>5}, {}% shares, time-share", share);
        let sharing = "Half:\nShare {\"share\": 1}";
        let more = "no \
                    more: it goes on";
    "#;
    assert_eq!(said(text, &["share", "no more"]), [(4, "share"), (5, "no more")]);
}
