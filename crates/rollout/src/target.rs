//! Which function, which alias? What people write for them: `hello`, `hello:Live`, a partial or a whole ARN.

use std::fmt;
use std::str::FromStr;

use crate::arn::Arn;

/// The alias that is meant where none is named.
pub const DEFAULT_ALIAS: &str = "live";

/// A function and one of its aliases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The function.
    pub function: FunctionName,
    /// The alias' name.
    pub alias: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.function.name, self.alias)
    }
}

/// A function, and where it is, as far as that was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName {
    /// Its name: at most 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The partition, Region and account of its ARN, where one was given whole.
    pub place: Option<Place>,
    /// The account, where it was given.
    pub account: Option<String>,
}

/// Where a function is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: String,
    /// The Region.
    pub region: String,
}

impl FunctionName {
    /// The name as AWS takes it: bare where that is enough, else the ARN or its part.
    pub fn reference(&self) -> String {
        match (&self.account, &self.place) {
            (Some(account), Some(Place { partition, region })) => {
                let resource = &format!("function:{}", self.name);
                Arn { partition, service: "lambda", region, account, resource }.to_string()
            }
            (Some(account), None) => format!("{account}:function:{}", self.name),
            (None, _) => self.name.clone(),
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A function with the qualifier that was written behind it, if one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualified {
    /// The function.
    pub function: FunctionName,
    /// An alias' name, a version's number or `$LATEST`.
    pub qualifier: Option<String>,
}

/// Why a text names no function or no alias.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No function name in any of AWS' forms.
    #[error(
        "`{0}` is not a function\n  hint: use `hello`, `hello:live`, or an ARN such as `arn:aws:lambda:eu-west-1:123456789012:function:hello`"
    )]
    Function(String),
    /// A function name that is too long.
    #[error("`{name}` is longer than the 64 characters that a function name may have ({})", name.len())]
    Long {
        /// What was written.
        name: String,
    },
    /// No alias name.
    #[error("`{0}` is not an alias name: use letters, digits, `-` and `_`, at most 128, and not only digits")]
    Alias(String),
    /// Two aliases for one rollout.
    #[error("`{function}` has the alias `{named}`, but `--alias` is `{flag}`\n  hint: omit one of them")]
    TwoAliases {
        /// What was written for the function.
        function: String,
        /// The alias in it.
        named: String,
        /// The alias beside it.
        flag: String,
    },
}

impl FromStr for Qualified {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || SubjectError::Function(text.to_owned());
        let arn = Arn::parse(text);
        let parts: Vec<&str> = arn.map_or(text, |arn| arn.resource).split(':').collect();
        let (account, rest) = match (arn, parts.as_slice()) {
            (Some(arn), ["function", rest @ ..]) if arn.service == "lambda" && plain(arn.partition) && plain(arn.region) => {
                (Some(arn.account), rest)
            }
            (Some(_), _) | (None, ["arn", ..]) => return Err(refused()),
            // As AWS reads it: the name of the function follows.
            (None, ["function", rest @ ..]) if !rest.is_empty() => (None, rest),
            (None, [account, "function", rest @ ..]) => (Some(*account), rest),
            (None, rest) => (None, rest),
        };
        if !account.is_none_or(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(refused());
        }
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some((*qualifier).to_owned())),
            _ => return Err(refused()),
        };
        if name.len() > 64 && is_word(name, usize::MAX) {
            return Err(SubjectError::Long { name: name.to_owned() });
        }
        if !is_word(name, 64) {
            return Err(refused());
        }
        let sound = |qualifier: &String| qualifier == "$LATEST" || is_word(qualifier, 128);
        if !qualifier.as_ref().is_none_or(sound) {
            return Err(SubjectError::Alias(qualifier.unwrap_or_default()));
        }
        let place = arn.map(|Arn { partition, region, .. }| Place { partition: partition.to_owned(), region: region.to_owned() });
        let function = FunctionName { name: name.to_owned(), place, account: account.map(str::to_owned) };
        Ok(Self { function, qualifier })
    }
}

impl Qualified {
    /// The function as AWS takes it.
    pub fn reference(&self) -> String {
        self.function.reference()
    }
}

impl Subject {
    /// Reads `FUNCTION[:ALIAS]`, with the alias that was named beside it, if one was.
    ///
    /// # Errors
    /// No function, no alias, or two different ones.
    pub fn parse(text: &str, flag: Option<&str>) -> Result<Self, SubjectError> {
        let Qualified { function, qualifier } = text.parse()?;
        let alias = match (qualifier, flag) {
            (Some(named), Some(flag)) if named != flag => {
                return Err(SubjectError::TwoAliases { function: text.to_owned(), named, flag: flag.to_owned() });
            }
            (Some(named), _) => named,
            (None, flag) => flag.unwrap_or(DEFAULT_ALIAS).to_owned(),
        };
        let digits = alias.bytes().all(|byte| byte.is_ascii_digit());
        if is_word(&alias, 128) && !digits { Ok(Self { function, alias }) } else { Err(SubjectError::Alias(alias)) }
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=longest).contains(&text.len()) && text.bytes().all(sound)
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_name() {
        let rows = [
            ("hello", "hello", "live", "hello"),
            ("hello:Live", "hello", "Live", "hello"),
            ("function:hello", "hello", "live", "hello"),
            ("function:hello:Live", "hello", "Live", "hello"),
            ("function", "function", "live", "function"),
            ("123456789012:function:hello", "hello", "live", "123456789012:function:hello"),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:hello:Live",
                "hello",
                "Live",
                "arn:aws:lambda:eu-west-1:123456789012:function:hello",
            ),
        ];
        for (text, name, alias, reference) in rows {
            let subject = Subject::parse(text, None).unwrap();
            assert_eq!((subject.function.name.as_str(), subject.alias.as_str()), (name, alias));
            assert_eq!(subject.function.reference(), reference);
        }
        assert_eq!(Subject::parse("hello", Some("Live")).unwrap().alias, "Live");
        assert_eq!(Subject::parse("hello:Live", Some("Live")).unwrap().alias, "Live");
    }

    #[test]
    fn refuses_what_aws_would_refuse() {
        for text in [
            "",
            ":",
            "he llo",
            "a:b:c",
            "arn:aws:lambda:eu-west-1:12:function:hello",
            "arn:aws:s3:::bucket",
            "hello/../x",
            "arn:aws:lambda::123456789012:function:hello",
        ] {
            assert!(matches!(Subject::parse(text, None), Err(SubjectError::Function(_))), "{text}");
        }
        let long = "a".repeat(65);
        assert!(Subject::parse(&long, None).is_err());
        for alias in ["42", "li ve", "", "$LATEST", "a.b"] {
            assert!(matches!(Subject::parse("hello", Some(alias)), Err(SubjectError::Alias(_))), "{alias}");
        }
        assert!(matches!(Subject::parse("hello:Live", Some("live")), Err(SubjectError::TwoAliases { .. })));
    }
}
