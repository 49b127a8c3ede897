//! When does a composite alarm fire? Its rule, read from text and applied to the states of other alarms.
//!
//! Which alarms exist is not known here.

use super::state::AlarmState;

const DEPTH: usize = 100;
const ELEMENTS: usize = 500;
const WORDS: [&str; 8] = ["ALARM", "OK", "INSUFFICIENT_DATA", "AND", "OR", "NOT", "TRUE", "FALSE"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Constant(bool),
    In { state: AlarmState, alarm: String },
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Quoted(String),
}

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        if tokens.len() > ELEMENTS * 4 {
            return Err(format!("the rule has more than {ELEMENTS} elements"));
        }
        let mut reader = Reader { tokens: tokens.into_iter().peekable() };
        let root = reader.any(0)?;
        match reader.tokens.next() {
            None => Ok(Self { text: text.to_owned(), root }),
            Some(token) => Err(format!("unexpected {}", shown(&token))),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The alarms it names, each as often as it does.
    pub(super) fn children(&self) -> Vec<&str> {
        let mut children = Vec::new();
        self.root.collect(&mut children);
        children
    }

    /// Whether it fires, given the states of the alarms it names.
    pub(super) fn holds(&self, state: &dyn Fn(&str) -> Option<AlarmState>) -> bool {
        self.root.holds(state)
    }
}

impl Node {
    fn collect<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::Constant(_) => {}
            Self::In { alarm, .. } => into.push(alarm),
            Self::Not(inner) => inner.collect(into),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(into)),
        }
    }

    fn holds(&self, states: &dyn Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Constant(constant) => *constant,
            Self::In { state, alarm } => states(alarm) == Some(*state),
            Self::Not(inner) => !inner.holds(states),
            Self::All(parts) => parts.iter().all(|part| part.holds(states)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(states)),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, end) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' => quoted(rest).map(|(name, end)| (Token::Quoted(name), end))?,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
                (Token::Word(rest.get(..end).unwrap_or_default().to_owned()), end)
            }
        };
        tokens.push(token);
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// A quoted name at the start of `text`, and where it ends. A backslash takes the next character as it is.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut name = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Ok((name, place + 1)),
            '\\' => name.extend(letters.next().map(|(_, escaped)| escaped)),
            other => name.push(other),
        }
    }
    Err("a quotation mark is not closed".to_owned())
}

fn shown(token: &Token) -> String {
    match token {
        Token::Open => "'('".to_owned(),
        Token::Close => "')'".to_owned(),
        Token::Word(word) => format!("'{word}'"),
        Token::Quoted(name) => format!("'\"{name}\"'"),
    }
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Reader {
    fn any(&mut self, depth: usize) -> Result<Node, String> {
        self.chain("OR", Node::Any, |reader| reader.chain("AND", Node::All, |reader| reader.one(depth)))
    }

    /// One part, or several with `word` between them.
    fn chain(
        &mut self,
        word: &str,
        node: impl Fn(Vec<Node>) -> Node,
        part: impl Fn(&mut Self) -> Result<Node, String>,
    ) -> Result<Node, String> {
        let mut parts = vec![part(self)?];
        while self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some() {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { node(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, String> {
        if depth >= DEPTH {
            return Err(format!("the rule is nested more than {DEPTH} deep"));
        }
        match self.tokens.next() {
            None => Err("the rule ends where an alarm should stand".to_owned()),
            Some(Token::Open) => {
                let inner = self.any(depth + 1)?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Some(Token::Word(word)) => match word.as_str() {
                "NOT" => self.one(depth + 1).map(|inner| Node::Not(Box::new(inner))),
                "TRUE" => Ok(Node::Constant(true)),
                "FALSE" => Ok(Node::Constant(false)),
                "AT_LEAST" => Err("AT_LEAST is not supported by this simulation".to_owned()),
                name => match AlarmState::parse(name) {
                    Some(state) => self.name().map(|alarm| Node::In { state, alarm }),
                    None => Err(format!("unexpected '{name}'")),
                },
            },
            Some(token) => Err(format!("unexpected {}", shown(&token))),
        }
    }

    /// A bracketed name, of which only what follows `:alarm:` counts if it is an ARN.
    fn name(&mut self) -> Result<String, String> {
        self.expect(&Token::Open)?;
        let name = match self.tokens.next() {
            Some(Token::Word(word)) if WORDS.contains(&word.as_str()) => {
                return Err(format!("the alarm name '{word}' needs quotes"));
            }
            Some(Token::Word(name) | Token::Quoted(name)) if !name.is_empty() => name,
            Some(token) => return Err(format!("unexpected {} where an alarm name should stand", shown(&token))),
            None => return Err("the rule ends where an alarm name should stand".to_owned()),
        };
        self.expect(&Token::Close)?;
        let of_arn = name.strip_prefix("arn:").and_then(|rest| rest.split_once(":alarm:"));
        Ok(of_arn.map_or(name.clone(), |(_, name)| name.to_owned()))
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        match self.tokens.next() {
            Some(token) if token == *wanted => Ok(()),
            Some(token) => Err(format!("unexpected {} where {} should stand", shown(&token), shown(wanted))),
            None => Err(format!("the rule ends where {} should stand", shown(wanted))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `a` is in ALARM, `o k` is OK, `i` has no data.
    fn state(name: &str) -> Option<AlarmState> {
        match name {
            "a" => Some(AlarmState::Alarm),
            "o k" => Some(AlarmState::Ok),
            "i" => Some(AlarmState::InsufficientData),
            _ => None,
        }
    }

    #[test]
    fn rules_mean_what_they_say() {
        for (text, expected) in [
            ("ALARM(a)", true),
            ("ALARM(\"a\")", true),
            ("  ALARM ( a )  ", true),
            ("OK(a)", false),
            ("OK(\"o k\")", true),
            ("INSUFFICIENT_DATA(i)", true),
            ("ALARM(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a)", true),
            ("NOT ALARM(a)", false),
            ("NOT NOT ALARM(a)", true),
            ("TRUE", true),
            ("FALSE", false),
            ("FALSE AND FALSE OR TRUE", true),
            ("FALSE AND (FALSE OR TRUE)", false),
            ("TRUE OR TRUE AND FALSE", true),
            ("NOT FALSE AND FALSE", false),
            ("NOT (TRUE AND FALSE)", true),
            ("ALARM(a)AND(OK(\"o k\"))", true),
        ] {
            assert_eq!(Rule::parse(text).unwrap().holds(&state), expected, "{text}");
        }
        let rule = Rule::parse(r#"ALARM(a) OR NOT (OK("b \" c") AND ALARM(a))"#).unwrap();
        assert_eq!(rule.children(), ["a", "b \" c", "a"]);
    }

    #[test]
    fn broken_rules_say_why() {
        for (text, part) in [
            ("", "ends where an alarm should stand"),
            ("ALARM", "ends where '('"),
            ("ALARM()", "unexpected ')'"),
            ("ALARM(a", "ends where ')'"),
            ("ALARM(a) OK(b)", "unexpected 'OK'"),
            ("ALARM(a) AND", "ends where an alarm"),
            ("alarm(a)", "unexpected 'alarm'"),
            ("ALARM(\"a)", "not closed"),
            ("ALARM(a b)", "unexpected 'b'"),
            ("ALARM(OK)", "needs quotes"),
            ("(TRUE", "ends where ')'"),
            ("AT_LEAST(1, ALARM, (a))", "not supported"),
        ] {
            let error = Rule::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        for deep in ["(".repeat(50_000), "NOT ".repeat(1_500)] {
            assert!(Rule::parse(&deep).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in r#"([()"\\ é]|ALARM|OK|AND|OR|NOT|TRUE|a|:alarm:|arn:){0,30}"#) {
            if let Ok(rule) = Rule::parse(&text) {
                rule.holds(&state);
                prop_assert_eq!(rule.text(), text);
            }
        }

        #[test]
        fn any_quoted_name_is_read_back(name in ".{1,40}") {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            let rule = Rule::parse(&format!("NOT OK(\"{escaped}\")")).unwrap();
            let expected = name.strip_prefix("arn:").and_then(|rest| rest.split_once(":alarm:")).map_or(name.as_str(), |(_, n)| n);
            prop_assert_eq!(rule.children(), [expected]);
        }
    }
}
