//! Is a query of Logs Insights well formed, and what does it ask for? Text in, commands out; `evaluate` carries them out.
//!
//! A part of the language: `fields`, `display`, `filter`, `parse`, `stats`, `sort` and `limit`. The rest of it is refused as if it
//! were no part, which AWS would not do: better than a wrong answer.

use std::time::Duration;

use regex_lite::Regex;

use super::refusal::Refusal;
use super::words::{Lexeme, Token, words};

/// A step of a query.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Shows these too, under these names.
    Fields(Vec<(Operand, String)>),
    /// Shows these and nothing else.
    Display(Vec<(Operand, String)>),
    Filter(Condition),
    /// Takes apart the text of a field; each group of the expression becomes a field.
    Parse(Operand, Regex, Vec<String>),
    Stats {
        sums: Vec<(Sum, String)>,
        by: Vec<(Operand, String)>,
    },
    /// By each of these, the second one where the first is equal; `true`: the greatest first.
    Sort(Vec<(Operand, bool)>),
    Limit(usize),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Field(String),
    Number(f64),
    Text(String),
    /// The period of this length in which the event lies.
    Bin(Duration),
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Regex),
    Contains(Operand, String),
    OneOf(Operand, Vec<Operand>),
    Present(Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// What is made of all rows of a group.
#[derive(Clone, Debug)]
pub(super) enum Sum {
    /// Rows, or those that have the field.
    Count(Option<Operand>),
    CountDistinct(Operand),
    Total(Operand),
    Mean(Operand),
    Least(Operand),
    Greatest(Operand),
    Percentile(Operand, f64),
    Earliest(Operand),
    Latest(Operand),
}

pub(super) fn parse(query: &str) -> Result<Vec<Command>, Refusal> {
    let lexemes = words(query);
    let mut parser = Parser { query, lexemes: &lexemes, at: 0 };
    let mut commands = vec![parser.command()?];
    while parser.take("|") {
        commands.push(parser.command()?);
    }
    if parser.at < lexemes.len() { parser.refuse() } else { Ok(commands) }
}

struct Parser<'q> {
    query: &'q str,
    lexemes: &'q [Lexeme],
    at: usize,
}

impl Parser<'_> {
    fn token(&self) -> Option<&Token> {
        self.lexemes.get(self.at).map(|lexeme| &lexeme.token)
    }

    /// Refuses what stands here. The words are a guess.
    fn refuse<T>(&self) -> Result<T, Refusal> {
        let end = self.query.len();
        let place = self.lexemes.get(self.at).map_or(end..end, |lexeme| lexeme.place.clone());
        let characters = |to: usize| self.query[..to].chars().count();
        let before = &self.query[..place.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let found = if place.is_empty() { "<EOF>" } else { &self.query[place.clone()] };
        let message = format!("unexpected symbol found {found} at line {line} and position {column}");
        Err(Refusal::malformed(&message, (characters(place.start), characters(place.end))))
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.token(), Some(Token::Mark(here)) if *here == mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), Refusal> {
        if self.take(mark) { Ok(()) } else { self.refuse() }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.token(), Some(Token::Word(here)) if here.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    /// The word here, if it is a name: no keyword and not a function.
    fn name(&mut self) -> Result<String, Refusal> {
        match self.token() {
            Some(Token::Word(word)) if !RESERVED.contains(&word.to_ascii_lowercase().as_str()) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => self.refuse(),
        }
    }

    fn separated<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let mut all = vec![one(self)?];
        while self.take(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn command(&mut self) -> Result<Command, Refusal> {
        let Some(Token::Word(word)) = self.token() else { return self.refuse() };
        let word = word.to_ascii_lowercase();
        let start = self.at;
        self.at += 1;
        match word.as_str() {
            "fields" => Ok(Command::Fields(self.separated(|parser| parser.named(Self::operand))?)),
            "display" => Ok(Command::Display(self.separated(|parser| parser.named(Self::operand))?)),
            "filter" => Ok(Command::Filter(self.condition()?)),
            "parse" => self.parse(),
            "stats" => {
                let sums = self.separated(|parser| parser.named(Self::sum))?;
                let by = if self.take_word("by") { self.separated(|parser| parser.named(Self::operand))? } else { Vec::new() };
                Ok(Command::Stats { sums, by })
            }
            "sort" => Ok(Command::Sort(self.separated(|parser| {
                let key = parser.operand()?;
                let ascending = parser.take_word("asc");
                Ok((key, !ascending && parser.take_word("desc")))
            })?)),
            "limit" => match self.token() {
                Some(Token::Number(number)) if number.fract().abs() < f64::EPSILON && (1.0..=MOST_RESULTS).contains(number) => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a whole number within the limits"
                    )]
                    let limit = *number as usize;
                    self.at += 1;
                    Ok(Command::Limit(limit))
                }
                _ => self.refuse(),
            },
            _ => {
                self.at = start;
                self.refuse()
            }
        }
    }

    /// Something with the name that `as` gives it, or else its own spelling.
    fn named<T>(&mut self, one: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<(T, String), Refusal> {
        let start = self.at;
        let found = one(self)?;
        let spelt = match (&self.lexemes[start].token, self.at - start) {
            (Token::Word(word), 1) => word.clone(),
            _ => self.query[self.lexemes[start].place.start..self.lexemes[self.at - 1].place.end].to_owned(),
        };
        let name = if self.take_word("as") { self.name()? } else { spelt };
        Ok((found, name))
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        let negative = self.take("-");
        let Some(token) = self.token().cloned() else { return self.refuse() };
        let operand = match token {
            Token::Number(number) => Operand::Number(if negative { -number } else { number }),
            _ if negative => return self.refuse(),
            Token::Text(text) => Operand::Text(text),
            Token::Word(word) if word.eq_ignore_ascii_case("bin") => return self.bin(),
            // As JSON's own, of which the fields of a line are made.
            Token::Word(word) if word == "true" || word == "false" => Operand::Number(f64::from(u8::from(word == "true"))),
            Token::Word(_) => return Ok(Operand::Field(self.name()?)),
            Token::Span(_) | Token::Regex(_) | Token::Mark(_) | Token::Odd => return self.refuse(),
        };
        self.at += 1;
        Ok(operand)
    }

    fn bin(&mut self) -> Result<Operand, Refusal> {
        self.at += 1;
        self.expect("(")?;
        let Some(length) = self.token().and_then(length_of) else { return self.refuse() };
        self.at += 1;
        self.expect(")")?;
        Ok(Operand::Bin(length))
    }

    fn condition(&mut self) -> Result<Condition, Refusal> {
        let mut any = vec![self.conjunction()?];
        while self.take_word("or") {
            any.push(self.conjunction()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn conjunction(&mut self) -> Result<Condition, Refusal> {
        let mut all = vec![self.negation()?];
        while self.take_word("and") {
            all.push(self.negation()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn negation(&mut self) -> Result<Condition, Refusal> {
        if self.take_word("not") {
            return Ok(Condition::Not(Box::new(self.negation()?)));
        }
        if self.take("(") {
            let inner = self.condition()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take_word("ispresent") {
            self.expect("(")?;
            let of = self.operand()?;
            self.expect(")")?;
            return Ok(Condition::Present(of));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Refusal> {
        let left = self.operand()?;
        let not = self.take_word("not");
        let found = if self.take_word("like") {
            self.pattern(left)?
        } else if self.take_word("in") {
            self.expect("[")?;
            let items = self.separated(Self::operand)?;
            self.expect("]")?;
            Condition::OneOf(left, items)
        } else if not {
            return self.refuse();
        } else if self.take("=~") {
            self.pattern(left)?
        } else {
            let known = COMPARISONS.into_iter().find(|(mark, _)| self.take(mark));
            let Some((_, comparison)) = known else { return self.refuse() };
            Condition::Compare(left, comparison, self.operand()?)
        };
        Ok(if not { Condition::Not(Box::new(found)) } else { found })
    }

    fn pattern(&mut self, of: Operand) -> Result<Condition, Refusal> {
        let found = match self.token() {
            Some(Token::Text(text)) => Condition::Contains(of, text.clone()),
            Some(Token::Regex(pattern)) => match Regex::new(pattern) {
                Ok(regex) => Condition::Matches(of, regex),
                Err(_) => return self.refuse(),
            },
            _ => return self.refuse(),
        };
        self.at += 1;
        Ok(found)
    }

    /// `parse [field] /…(?<name>…)…/` or `parse [field] "…*…" as name, …`.
    fn parse(&mut self) -> Result<Command, Refusal> {
        let of = if matches!(self.token(), Some(Token::Word(_))) { self.name()? } else { "@message".to_owned() };
        let token = self.token().cloned();
        let (pattern, glob) = match token {
            Some(Token::Regex(pattern)) => (pattern, false),
            Some(Token::Text(text)) => (glob_as_regex(&text), true),
            _ => return self.refuse(),
        };
        let Ok(regex) = Regex::new(&pattern) else { return self.refuse() };
        let groups: Vec<String> = regex.capture_names().flatten().map(str::to_owned).collect();
        if !glob && groups.is_empty() {
            return self.refuse();
        }
        self.at += 1;
        let names = if glob {
            if !self.take_word("as") {
                return self.refuse();
            }
            let names = self.separated(Self::name)?;
            if names.len() + 1 != regex.captures_len() {
                return self.refuse();
            }
            names
        } else {
            groups
        };
        Ok(Command::Parse(Operand::Field(of), regex, names))
    }

    fn sum(&mut self) -> Result<Sum, Refusal> {
        let Some(Token::Word(word)) = self.token() else { return self.refuse() };
        let word = word.to_ascii_lowercase();
        if !SUMS.contains(&word.as_str()) {
            return self.refuse();
        }
        self.at += 1;
        self.expect("(")?;
        let of_all = word == "count" && (self.take("*") || matches!(self.token(), Some(Token::Mark(")"))));
        let of = if of_all { None } else { Some(self.operand()?) };
        let sum = match (word.as_str(), of) {
            ("count", of) => Sum::Count(of),
            ("count_distinct", Some(of)) => Sum::CountDistinct(of),
            ("sum", Some(of)) => Sum::Total(of),
            ("avg", Some(of)) => Sum::Mean(of),
            ("min", Some(of)) => Sum::Least(of),
            ("max", Some(of)) => Sum::Greatest(of),
            ("earliest", Some(of)) => Sum::Earliest(of),
            ("latest", Some(of)) => Sum::Latest(of),
            ("pct" | "percentile", Some(of)) => {
                self.expect(",")?;
                let Some(Token::Number(percent)) = self.token().cloned().filter(is_percent) else { return self.refuse() };
                self.at += 1;
                Sum::Percentile(of, percent)
            }
            _ => return self.refuse(),
        };
        self.expect(")")?;
        Ok(sum)
    }
}

fn is_percent(token: &Token) -> bool {
    matches!(token, Token::Number(percent) if (0.0..=100.0).contains(percent))
}

/// The length of `5m`. The units are documented; `mo`, `q` and `y` are left out.
fn length_of(token: &Token) -> Option<Duration> {
    let Token::Span(text) = token else { return None };
    let letters = text.find(char::is_alphabetic)?;
    let count: u64 = text[..letters].parse().ok().filter(|count| *count > 0)?;
    let unit = match text[letters..].to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 7 * 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(count.checked_mul(unit)?))
}

/// `*` stands for as little as possible, at the end for everything.
fn glob_as_regex(glob: &str) -> String {
    let parts: Vec<String> = glob.split('*').map(regex_lite::escape).collect();
    let pattern = parts.join("(.*?)");
    format!("(?s){}", pattern.strip_suffix("(.*?)").map_or_else(|| pattern.clone(), |before| format!("{before}(.*)")))
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

const SUMS: [&str; 10] = ["count", "count_distinct", "sum", "avg", "min", "max", "earliest", "latest", "pct", "percentile"];

const RESERVED: [&str; 10] = ["and", "or", "not", "like", "in", "as", "by", "asc", "desc", "ispresent"];

/// As the service's model has it.
pub(super) const MOST_RESULTS: f64 = 100_000.0;
