//! What does an ARN name? `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, taken apart and put together here alone.

use std::fmt;

/// The parts of an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: &'a str,
    /// `lambda`, `cloudwatch` …
    pub service: &'a str,
    /// The Region; empty where the service has none.
    pub region: &'a str,
    /// The account's number; empty where the service leaves it out.
    pub account: &'a str,
    /// What is named there: `function:hello:42`, `alarm:HelloErrors`, `role/hello`. It may have colons.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Whether a text is meant to be an ARN.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("arn:")
    }

    /// Takes an ARN apart; `None` where the text is none. Nothing is said of the parts.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let [partition, service, region, account, resource] = std::array::from_fn(|_| parts.next());
        Some(Self { partition: partition?, service: service?, region: region?, account: account?, resource: resource? })
    }

    /// The name behind this kind of resource: `hello:42` of `function:hello:42`.
    pub fn named(self, kind: &str) -> Option<&'a str> {
        self.resource.strip_prefix(kind)?.strip_prefix(':')
    }

    /// The name of an alarm, which may contain colons.
    pub fn alarm(self) -> Option<&'a str> {
        self.named("alarm").filter(|_| self.service == "cloudwatch")
    }

    /// The version or the alias behind a function's name.
    pub fn qualifier(self) -> Option<&'a str> {
        self.named("function")?.split(':').nth(1).filter(|qualifier| !qualifier.is_empty())
    }

    /// The last part of what is named: `hello` of `role/service/hello`.
    pub fn last(self) -> &'a str {
        self.resource.rsplit([':', '/']).next().unwrap_or_default()
    }
}

/// The ARN of a function without the version or alias behind it.
pub fn unqualified(function: &str) -> &str {
    function.match_indices(':').nth(6).map_or(function, |(end, _)| &function[..end])
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_apart_is_put_together_again() {
        for text in ["arn:aws:lambda:eu-west-1:123456789012:function:hello:42", "arn:aws:s3:::bucket", "arn:aws:iam::1:role/x/y"]
        {
            assert_eq!(Arn::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "arn", "arn:aws:lambda:eu-west-1:123456789012", "hello:live", "ARN:aws:lambda:x:1:y"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_what_it_names() {
        let arn = |resource| Arn { partition: "aws", service: "cloudwatch", region: "eu-west-1", account: "1", resource };
        assert_eq!(arn("alarm:a:b").alarm(), Some("a:b"));
        assert_eq!(arn("dashboard:a").alarm(), None);
        assert_eq!(Arn { service: "lambda", ..arn("alarm:a") }.alarm(), None);
        assert_eq!(
            [arn("function:hello"), arn("function:hello:"), arn("function:hello:42")].map(Arn::qualifier),
            [None, None, Some("42")]
        );
        assert_eq!([arn("role/service/hello"), arn("queue")].map(Arn::last), ["hello", "queue"]);
        let function = arn("function:hello").to_string();
        assert_eq!((unqualified(&function), unqualified(&format!("{function}:$LATEST"))), (&*function, &*function));
    }
}
