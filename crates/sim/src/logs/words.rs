//! Which words does a query consist of? Text in, lexemes with their places out; the grammar is in `grammar`.

use std::ops::Range;

/// What stands at a place of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword, a field or a function, without the backquotes it may stand in.
    Word(String),
    /// `1m`: a number with a unit.
    Span(String),
    Number(f64),
    Text(String),
    Regex(String),
    Mark(&'static str),
    /// A character that no query has, or the beginning of something that does not end.
    Odd,
}

/// A token and its place, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) place: Range<usize>,
}

/// Longer ones first. What is only there to be refused by the grammar is there too.
const MARKS: [&str; 16] = ["!=", "<=", ">=", "=~", "|", ",", "(", ")", "[", "]", "*", "=", "<", ">", "-", "+"];

pub(super) fn words(query: &str) -> Vec<Lexeme> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = query[at..].chars().next() {
        let rest = &query[at..];
        let (token, length) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '\'' | '`' | '/' => enclosed(rest, first),
            _ if first.is_ascii_digit() => number(rest),
            _ if first.is_alphabetic() || "@_".contains(first) => {
                let length = span(rest, |letter| letter.is_alphanumeric() || "@_.".contains(letter));
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => match MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
                Some(mark) => (Token::Mark(mark), mark.len()),
                None => (Token::Odd, first.len_utf8()),
            },
        };
        found.push(Lexeme { token, place: at..at + length });
        at += length;
    }
    found
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !belongs(letter)).unwrap_or(text.len())
}

fn number(text: &str) -> (Token, usize) {
    let length = span(text, |letter| letter.is_ascii_digit() || letter == '.');
    let unit = span(&text[length..], char::is_alphabetic);
    let whole = length + unit;
    let token =
        if unit > 0 { Some(Token::Span(text[..whole].to_owned())) } else { text[..length].parse().ok().map(Token::Number) };
    (token.unwrap_or(Token::Odd), whole)
}

/// Text in quotes, a field in backquotes or a regular expression. A backslash keeps the mark from ending it, and stays in an
/// expression.
fn enclosed(text: &str, mark: char) -> (Token, usize) {
    let mut inner = String::new();
    let mut escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => {
                if letter != mark && (mark == '/' || letter != '\\') {
                    inner.push('\\');
                }
                inner.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if letter == mark => {
                let token = match mark {
                    '`' => Token::Word(inner),
                    '/' => Token::Regex(inner),
                    _ => Token::Text(inner),
                };
                return (token, place + mark.len_utf8());
            }
            _ => inner.push(letter),
        }
    }
    (Token::Odd, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_falls_into_words() {
        let query = "filter @message like /a\\/b\\d/ and `x-y` >= 5.5 # no\n| stats count(*) by bin(10m), a.b = 'it\\'s'";
        let tokens: Vec<Token> = words(query).into_iter().map(|lexeme| lexeme.token).collect();
        let (word, mark) = (|word: &str| Token::Word(word.to_owned()), Token::Mark);
        let expected = [
            word("filter"),
            word("@message"),
            word("like"),
            Token::Regex("a/b\\d".to_owned()),
            word("and"),
            word("x-y"),
            mark(">="),
            Token::Number(5.5),
            mark("|"),
            word("stats"),
            word("count"),
            mark("("),
            mark("*"),
            mark(")"),
            word("by"),
            word("bin"),
            mark("("),
            Token::Span("10m".to_owned()),
            mark(")"),
            mark(","),
            word("a.b"),
            mark("="),
            Token::Text("it's".to_owned()),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn what_no_query_has_keeps_its_place() {
        let odd = |query: &str| words(query).into_iter().find(|lexeme| lexeme.token == Token::Odd).map(|lexeme| lexeme.place);
        assert_eq!(odd("fields é, ;"), Some(11..12));
        assert_eq!(odd("filter a like /b"), Some(14..16));
        assert_eq!(odd("limit 1.2.3"), Some(6..11));
        assert_eq!(odd("limit 3"), None);
    }
}
