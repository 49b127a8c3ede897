//! Which function is meant? Names, partial and full ARNs with or without a qualifier, and how ARNs are written.

use super::refusal::{Refusal, Violations};

/// The account and Region that ARNs are written for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Place {
    pub(crate) fn arn(&self, function: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{function}", self.region, self.account)
    }

    pub(crate) fn qualified(&self, function: &str, qualifier: &str) -> String {
        format!("{}:{qualifier}", self.arn(function))
    }

    /// The ARN of a function, with a qualifier if there is one.
    pub(crate) fn arn_of(&self, function: &str, qualifier: Option<&str>) -> String {
        qualifier.map_or_else(|| self.arn(function), |qualifier| self.qualified(function, qualifier))
    }

    pub(crate) fn full_arn(&self, target: &FunctionName) -> String {
        self.arn_of(&target.name, target.qualifier.as_deref())
    }

    pub(crate) fn mapping_arn(&self, uuid: &str) -> String {
        format!("arn:aws:lambda:{}:{}:event-source-mapping:{uuid}", self.region, self.account)
    }

    /// Reads a function as a client may name it: `name`, `name:qualifier`, a partial or a full ARN.
    pub(crate) fn parse(&self, text: &str) -> Result<FunctionName, Refusal> {
        let parsed = self.read(text, &PLAIN)?;
        Violations::check(|broken| broken.length(&parsed.name, "functionName", 1, LONGEST))?;
        Ok(parsed)
    }

    /// The same where names of any length and with dots are looked for: reading, invoking and deleting.
    pub(crate) fn parse_any(&self, text: &str) -> Result<FunctionName, Refusal> {
        self.read(text, &NAMESPACED)
    }

    fn read(&self, text: &str, spelling: &Spelling) -> Result<FunctionName, Refusal> {
        let malformed = |text: &str| spelling.refusal(text);
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..]
                if partition.starts_with("aws") && !rest.is_empty() && is_region(region) && is_account(account) =>
            {
                (Some(*region), Some(*account), rest)
            }
            // The word before the name may be left out, whatever the name is.
            ["arn", partition, "lambda", region, account, name]
                if spelling.dots && partition.starts_with("aws") && is_region(region) && is_account(account) =>
            {
                (Some(*region), Some(*account), std::slice::from_ref(name))
            }
            [account, "function", rest @ ..] if is_account(account) => (None, Some(*account), rest),
            [region, account, "function", rest @ ..] if is_region(region) && is_account(account) => {
                (Some(*region), Some(*account), rest)
            }
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] if is_qualifier(qualifier) || spelling.dots && *qualifier == "$LATEST.PUBLISHED" => {
                (*name, Some((*qualifier).to_owned()))
            }
            _ => return Err(malformed(text)),
        };
        let fits = |letter| is_name_character(letter) || spelling.dots && letter == '.';
        if name.is_empty() || !name.chars().all(fits) {
            return Err(malformed(text));
        }
        Violations::check(|broken| broken.length(text, "functionName", 1, spelling.longest))?;
        if let Some(region) = region.filter(|region| *region != self.region) {
            let message = format!("Functions from '{region}' are not reachable in this region ('{}')", self.region);
            return Err(Refusal::not_found(message));
        }
        if account.is_some_and(|account| account != self.account) {
            return Err(Refusal::denied(format!("not authorized to act on resource: {text}")));
        }
        Ok(FunctionName { name: name.to_owned(), qualifier })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionName {
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
}

impl FunctionName {
    /// Joins the qualifier in the name with the one in the query; they must not contradict each other.
    pub(crate) fn with_qualifier(mut self, queried: Option<&str>) -> Result<Self, Refusal> {
        match (&self.qualifier, queried.filter(|text| !text.is_empty())) {
            (Some(own), Some(queried)) if own != queried => {
                Err(Refusal::invalid("The derived qualifier from the function name does not match the specified qualifier."))
            }
            (_, Some(queried)) => {
                let pattern = "satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
                Violations::check(|broken| {
                    broken.length(queried, "qualifier", 1, 128);
                    if queried.is_empty() || !queried.chars().all(|letter| is_name_character(letter) || letter == '$') {
                        broken.add(queried, "qualifier", pattern);
                    }
                })?;
                self.qualifier = Some(queried.to_owned());
                Ok(self)
            }
            (_, None) => Ok(self),
        }
    }
}

/// Notes everything that makes `name` unfit for an alias.
pub(crate) fn check_alias_name(name: &str, broken: &mut Violations) {
    broken.length(name, "name", 1, 128);
    let fits = name.chars().all(is_name_character) && !name.chars().all(|c| c.is_ascii_digit());
    if !fits {
        broken.add(name, "name", "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)");
    }
}

/// Notes everything that makes `version` unfit for an alias' primary version.
pub(crate) fn check_version(version: &str, broken: &mut Violations) {
    broken.length(version, "functionVersion", 1, 1024);
    if version != "$LATEST" && (version.is_empty() || !version.chars().all(|c| c.is_ascii_digit())) {
        broken.add(version, "functionVersion", "satisfy regular expression pattern: (\\$LATEST|[0-9]+)");
    }
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

pub(crate) fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_qualifier(text: &str) -> bool {
    text == "$LATEST" || (!text.is_empty() && text.chars().all(is_name_character))
}

/// `eu-west-1`, `us-gov-east-1`: two letters, words, and one digit.
fn is_region(text: &str) -> bool {
    let mut words = text.split('-');
    let first = words.next().is_some_and(|word| word.len() == 2 || word == "eusc");
    let last = words.next_back().is_some_and(|word| word.len() == 1 && word.chars().all(|c| c.is_ascii_digit()));
    let between: Vec<&str> = words.collect();
    first
        && last
        && (1..=3).contains(&between.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// How an operation lets a function be named.
struct Spelling {
    /// Whether names may have dots, and more.
    dots: bool,
    longest: usize,
    name: &'static str,
    latest: &'static str,
}

impl Spelling {
    fn refusal(&self, text: &str) -> Refusal {
        let Self { longest, name, latest, .. } = self;
        let mut broken = Violations::default();
        let pattern = format!(
            "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?(function:)?\
             ({name})(:({latest}|[a-zA-Z0-9-_]+))?"
        );
        broken.add(text, "functionName", &format!("satisfy regular expression pattern: {pattern}"));
        broken.length(text, "functionName", 1, *longest);
        broken.refusal()
    }
}

const PLAIN: Spelling = Spelling { dots: false, longest: 140, name: "[a-zA-Z0-9-_]+", latest: "\\$LATEST" };
const NAMESPACED: Spelling = Spelling { dots: true, longest: 170, name: "[a-zA-Z0-9-_\\.]+", latest: "\\$LATEST(\\.PUBLISHED)?" };

/// Letters in the name of a function that exists.
pub(crate) const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { account: "111111111111".to_owned(), region: "us-east-1".to_owned() }
    }

    #[test]
    fn every_spelling_of_a_function_is_the_same_function() {
        for (text, qualifier) in [
            ("hello", None),
            ("hello:Live", Some("Live")),
            ("function:hello", None),
            ("111111111111:function:hello", None),
            ("111111111111:function:hello:7", Some("7")),
            ("us-east-1:111111111111:function:hello", None),
            ("arn:aws:lambda:us-east-1:111111111111:function:hello", None),
            ("arn:aws:lambda:us-east-1:111111111111:function:hello:$LATEST", Some("$LATEST")),
        ] {
            let parsed = place().parse(text).unwrap();
            assert_eq!((parsed.name.as_str(), parsed.qualifier.as_deref()), ("hello", qualifier), "{text}");
        }
    }

    #[test]
    fn what_is_no_function_is_refused() {
        for (text, code) in [
            ("", "ValidationException"),
            ("he llo", "ValidationException"),
            ("hello:Live:7", "ValidationException"),
            ("hello:", "ValidationException"),
            ("arn:aws:s3:us-east-1:111111111111:function:hello", "ValidationException"),
            ("arn:aws:lambda:eu-west-1:111111111111:function:hello", "ResourceNotFoundException"),
            ("arn:aws:lambda:us-east-1:222222222222:function:hello", "AccessDeniedException"),
        ] {
            assert_eq!(place().parse(text).unwrap_err().code, code, "{text}");
        }
        assert!(place().parse(&"a".repeat(65)).unwrap_err().message.contains("less than or equal to 64"));
        // What is too long and nothing else breaks one constraint, an ARN too.
        for text in ["a".repeat(141), place().arn(&"a".repeat(110))] {
            let message = place().parse(&text).unwrap_err().message;
            assert!(message.starts_with("1 validation error") && message.ends_with("less than or equal to 140"), "{message}");
        }
    }

    #[test]
    fn two_qualifiers_must_agree() {
        let name = place().parse("hello:Live").unwrap();
        assert_eq!(name.clone().with_qualifier(Some("Live")).unwrap(), name);
        assert_eq!(name.with_qualifier(Some("7")).unwrap_err().code, "InvalidParameterValueException");
    }
}
