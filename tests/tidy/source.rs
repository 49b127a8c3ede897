//! What does a file of Rust say, when nobody looks at comments and tests? Its words, signs and string literals, in order.

use std::mem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword, a number or a sign; `::` is one sign.
    Code,
    /// What stands between the quotes of a string, escapes as written.
    Literal,
    /// Space, a comment, a character.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind,
    pub(crate) text: &'t str,
    pub(crate) line: usize,
}

/// The tokens of a file without its test modules, and the names of those that are files of their own.
pub(crate) fn read(text: &str) -> (Vec<Token<'_>>, Vec<&str>) {
    let (mut kept, mut tests) = (Vec::new(), Vec::new());
    let all = tokens(text);
    let mut rest = all.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if starts_with(rest, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            let item = item(&rest[7..]);
            if let [_, name, end] = item
                && starts_with(item, &["mod"])
                && end.text == ";"
            {
                tests.push(name.text);
            }
            rest = &rest[7 + item.len()..];
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    (kept, tests)
}

fn starts_with(tokens: &[Token<'_>], signs: &[&str]) -> bool {
    tokens.len() >= signs.len() && tokens.iter().zip(signs).all(|(token, sign)| token.kind == Kind::Code && token.text == *sign)
}

/// The first item: up to its semicolon or its closing brace.
fn item<'s, 't>(tokens: &'s [Token<'t>]) -> &'s [Token<'t>] {
    let mut depth = 0_i32;
    let end = tokens.iter().position(|token| {
        let text = if token.kind == Kind::Code { token.text } else { "" };
        depth += i32::from(matches!(text, "(" | "[" | "{")) - i32::from(matches!(text, ")" | "]" | "}"));
        depth == 0 && matches!(text, ";" | "}")
    });
    end.map_or(tokens, |end| &tokens[..=end])
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut rest, mut line, mut found) = (text, 1, Vec::new());
    while !rest.is_empty() {
        let (kind, length, inside) = first(rest);
        let (whole, after) = rest.split_at(length);
        if kind != Kind::Nothing {
            found.push(Token { kind, text: &rest[inside], line });
        }
        line += whole.matches('\n').count();
        rest = after;
    }
    found
}

/// The kind of what a text begins with, its length, and where what counts of it stands.
fn first(text: &str) -> (Kind, usize, std::ops::Range<usize>) {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |place| from + place + end.len());
    let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let hashes = text[word..].len() - text[word..].trim_start_matches('#').len();
    let open = word + hashes + 1;
    if text[word + hashes..].starts_with('"') && ["r", "br", "cr"].contains(&&text[..word]) {
        let end = until(&format!("\"{}", "#".repeat(hashes)), open);
        return (Kind::Literal, end, open..(end - hashes - 1).max(open));
    }
    if text[word..].starts_with('"') && ["", "b", "c"].contains(&&text[..word]) {
        let mut escaped = false;
        let length = text[open..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !mem::take(&mut escaped);
            ends
        });
        let end = length.map_or(text.len(), |length| open + length);
        return (Kind::Literal, text.len().min(end + 1), open..end);
    }
    let (kind, length) = match text.chars().next() {
        Some('/') if text.starts_with("//") => (Kind::Nothing, until("\n", 0)),
        Some('/') if text.starts_with("/*") => (Kind::Nothing, until("*/", 2)),
        Some('\'') if text.starts_with("'\\") => (Kind::Nothing, until("'", 3)),
        Some('\'') if text.chars().nth(2) == Some('\'') => {
            (Kind::Nothing, text.char_indices().nth(3).map_or(text.len(), |(end, _)| end))
        }
        Some(_) if text.starts_with("::") => (Kind::Code, 2),
        Some(_) if word > 0 => (Kind::Code, word),
        Some(space) if space.is_whitespace() || space == '\'' => (Kind::Nothing, space.len_utf8()),
        sign => (Kind::Code, sign.map_or(0, char::len_utf8)),
    };
    (kind, length, 0..length)
}

#[test]
fn only_strings_are_literals_and_tests_do_not_count() {
    let text = r##"
        use a::{b, c}; // "no"
        fn f<'a>(x: &'a str) -> char { g("one \"two\"", r#"thr"ee"#, b"four", '"', '\'') /* "no" */ }
        #[cfg(test)]
        mod far;
        #[cfg(test)]
        mod tests { fn t() { h("no; }"); } }
        const LAST: &str = "five
six";
        struct End;
    "##;
    let (tokens, tests) = read(text);
    let literals: Vec<_> =
        tokens.iter().filter(|token| token.kind == Kind::Literal).map(|token| (token.line, token.text)).collect();
    assert_eq!(literals, [(3, r#"one \"two\""#), (3, "thr\"ee"), (3, "four"), (8, "five\nsix")]);
    assert_eq!(tests, ["far"]);
    assert!(tokens.iter().any(|token| token.text == "End" && token.line == 10));
    assert!(!tokens.iter().any(|token| ["no", "tests", "h"].contains(&token.text)));
}
