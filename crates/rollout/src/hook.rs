//! Who is asked, a function or a page? What people write for a hook, and how it is shown.
//!
//! What stands behind the `?` of a URL may be a token, so that only the one who sends the question sees it.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

use std::str::FromStr;

use crate::target::{Qualified, SubjectError};

/// What a hook is asked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTarget {
    /// A function.
    Function(Qualified),
    /// Whatever answers to HTTP there.
    Url(HookUrl),
}

impl FromStr for HookTarget {
    type Err = HookError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if HookUrl::is_meant(text) { Ok(Self::Url(text.parse()?)) } else { Ok(Self::Function(text.parse()?)) }
    }
}

impl HookTarget {
    /// All of it, as it is read back: with what stands behind the `?` of a URL, which may be a token.
    pub fn whole(&self) -> String {
        match self {
            Self::Function(Qualified { function, qualifier }) => {
                let qualifier = qualifier.as_ref().map_or_else(String::new, |qualifier| format!(":{qualifier}"));
                format!("{}{qualifier}", function.reference())
            }
            Self::Url(url) => url.whole.clone(),
        }
    }
}

/// As people know it: a function's name, with the qualifier where one was given, or the URL without its query.
impl fmt::Display for HookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(Qualified { function, qualifier: Some(qualifier) }) => write!(f, "{function}:{qualifier}"),
            Self::Function(Qualified { function, qualifier: None }) => write!(f, "{function}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

/// The URL of a hook: `https://`, or `http://` where nothing leaves this machine, and without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl {
    whole: String,
    /// Where its path begins.
    path: usize,
    /// Where its query begins, or it ends.
    query: usize,
}

/// Why a text is no hook. None of them shows more of a URL than may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// No function either.
    #[error(transparent)]
    Function(#[from] SubjectError),
    /// It can be read on its way.
    #[error(
        "`http://{0}` is not encrypted\n  hint: use `https://`; plain HTTP is allowed only for 127.0.0.1, localhost and [::1]"
    )]
    Plain(String),
    /// A user or a password in it.
    #[error(
        "a hook's URL must not contain credentials: they end up in logs\n  hint: put a token in the query, where it is sent but never shown: \
         `https://hooks.example.com/canary?token=…`"
    )]
    Credentials,
    /// Not written as a URL is.
    #[error("this is not a URL: {0}\n  hint: for example `https://hooks.example.com/canary`, at most {LONGEST} characters")]
    Malformed(&'static str),
}

impl HookUrl {
    /// Whether a text is meant to be a URL.
    pub fn is_meant(text: &str) -> bool {
        text.contains("://")
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.whole[..self.path]
    }

    /// Path and query, to be sent and not to be shown.
    pub fn secret_path(&self) -> &str {
        if self.path == self.whole.len() { "/" } else { &self.whole[self.path..] }
    }

    /// All of it, to be written where it was read and not to be shown.
    pub fn secret(&self) -> &str {
        &self.whole
    }
}

impl FromStr for HookUrl {
    type Err = HookError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(HookError::Malformed("it has no `https://`"))?;
        let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..length];
        if authority.contains('@') {
            return Err(HookError::Credentials);
        }
        if text.len() > LONGEST {
            return Err(HookError::Malformed("it is too long"));
        }
        let strange = |byte: u8| !byte.is_ascii_graphic() || br#""<>\^`{|}"#.contains(&byte);
        if text.bytes().any(strange) {
            return Err(HookError::Malformed("it has characters that must be percent-encoded"));
        }
        if text.contains('#') {
            return Err(HookError::Malformed("the part after `#` is never sent"));
        }
        let host = host(authority).ok_or(HookError::Malformed("it has no host that a request can be sent to"))?;
        match scheme {
            "https" => {}
            "http" if LOOPBACK.iter().any(|loopback| host.eq_ignore_ascii_case(loopback)) => {}
            "http" => return Err(HookError::Plain(authority.to_owned())),
            _ => return Err(HookError::Malformed("it has no `https://`")),
        }
        let path = scheme.len() + "://".len() + length;
        // Without a path there may be a query; a request has a path.
        let whole = if text[path..].starts_with('?') { format!("{}/{}", &text[..path], &text[path..]) } else { text.to_owned() };
        let query = whole.find('?').unwrap_or(whole.len());
        Ok(Self { whole, path, query })
    }
}

/// The host, if a sound port follows it or none.
fn host(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { authority.find(':').unwrap_or(authority.len()) };
    let (host, port) = authority.split_at(end);
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let sound = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    (sound && port).then_some(host)
}

/// Whether this is a name as DNS has them, or an IPv4 address: whatever else there is, no certificate can be for it.
fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let last = labels.rsplit('.').next().unwrap_or_default();
    let label = |label: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(letter) && !label.starts_with('-') && !label.ends_with('-')
    };
    let address = !last.bytes().all(|byte| byte.is_ascii_digit()) || host.parse::<Ipv4Addr>().is_ok();
    labels.len() <= 253 && labels.split('.').all(label) && address
}

/// Without its query.
impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole[..self.query])
    }
}

/// Without its query.
impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookUrl({self})")
    }
}

const LONGEST: usize = 2048;

/// The hosts to which nothing leaves this machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> HookUrl {
        let HookTarget::Url(url) = text.parse().unwrap() else { panic!("{text} is a URL") };
        url
    }

    #[test]
    fn a_hook_is_a_function_or_a_url() {
        for (text, shown) in [("preHook", "preHook"), ("arn:aws:lambda:eu-west-1:123456789012:function:preHook:2", "preHook:2")] {
            let hook: HookTarget = text.parse().unwrap();
            assert!(matches!(hook, HookTarget::Function(_)), "{text}");
            assert_eq!(hook.to_string(), shown);
        }
        for (text, origin, path) in [
            ("https://hooks.example", "https://hooks.example", "/"),
            ("https://hooks.example?k=v", "https://hooks.example", "/?k=v"),
            ("https://hooks.example:8443/a/b?k=v&w=%20", "https://hooks.example:8443", "/a/b?k=v&w=%20"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080", "/x"),
            ("http://LocalHost/x", "http://LocalHost", "/x"),
            ("http://[::1]:80/x", "http://[::1]:80", "/x"),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]", "/x"),
            ("https://10.0.0.1:8443/x", "https://10.0.0.1:8443", "/x"),
            ("https://a_b.xn--bcher-kva.example./x", "https://a_b.xn--bcher-kva.example.", "/x"),
        ] {
            let url = url(text);
            assert_eq!((url.origin(), url.secret_path()), (origin, path), "{text}");
        }
    }

    #[test]
    fn the_query_is_sent_and_never_shown() {
        let url = url("https://hooks.example/canary?token=hush");
        assert_eq!(url.secret_path(), "/canary?token=hush");
        assert_eq!(url.secret(), "https://hooks.example/canary?token=hush");
        assert_eq!(url.to_string(), "https://hooks.example/canary");
        for shown in [format!("{url}"), format!("{url:?}"), format!("{:?}", HookTarget::Url(url.clone()))] {
            assert!(!shown.contains("hush"), "{shown}");
        }
    }

    #[test]
    fn what_could_be_read_on_its_way_or_in_a_log_is_refused_without_showing_it() {
        let long = format!("https://hooks.example/{}", "hush".repeat(600));
        let (label, name) = (format!("https://{}/hush", "a".repeat(64)), format!("https://{}b/hush", "a.".repeat(127)));
        for (text, word) in [
            ("http://hooks.example/hush", "not encrypted"),
            ("http://127.0.0.1.example/hush", "not encrypted"),
            ("http://hush:hush@127.0.0.1/", "must not contain credentials"),
            ("https://hush@hooks.example/", "must not contain credentials"),
            ("ftp://hooks.example/hush", "no `https://`"),
            ("HTTPS://hooks.example/hush", "no `https://`"),
            ("https:///hush", "has no host"),
            ("https://hooks.example:0/hush", "has no host"),
            ("https://hooks.example:99999/hush", "has no host"),
            ("https://[::1/hush", "has no host"),
            ("https://[hush]/", "has no host"),
            ("https://%41:1/hush", "has no host"),
            ("https://a~b/hush", "has no host"),
            ("https://-/hush", "has no host"),
            ("https://./hush", "has no host"),
            ("https://a..b/hush", "has no host"),
            ("https://-a.example/hush", "has no host"),
            ("https://[1:2]/hush", "has no host"),
            ("https://[::1.2.3.4.5]/hush", "has no host"),
            ("https://[::1%25lo]/hush", "has no host"),
            ("https://1.2.3.4.5/hush", "has no host"),
            ("https://1.2.3.256/hush", "has no host"),
            ("https://hooks.example/hush hush", "percent-encoded"),
            ("https://hooks.example/h\u{fc}hush", "percent-encoded"),
            ("https://hooks.example/#hush", "never sent"),
            (long.as_str(), "too long"),
            (label.as_str(), "has no host"),
            (name.as_str(), "has no host"),
        ] {
            let error = text.parse::<HookTarget>().unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{text}: {error}");
        }
    }
}
