//! What is known of the two versions of a rollout, while the new one is prepared and after?

use rollout::candidate::{given_up, unreadable};
use rollout::event::EventKind;
use rollout::note::Note;
use rollout::observation::Candidate;
use rollout::target::FunctionName;
use rollout::{Time, Version};

use crate::config_diff::differences;
use crate::port::{Configuration, Failure, default_log_group};

pub(crate) struct Prepared {
    stable: Option<Configuration>,
    pub(crate) candidate: Candidate,
    published: Option<(Version, Configuration)>,
    pub(crate) latest: Option<Configuration>,
    /// The hash of the code that this process put into `$LATEST`.
    code_updated: Option<String>,
    /// Since when the candidate is waited for, and why it could not be read the last time.
    waits_since: Option<Time>,
    unread: Option<String>,
}

impl Prepared {
    pub(crate) fn new(stable: Option<Configuration>) -> Self {
        Self {
            stable,
            candidate: Candidate::Unknown,
            published: None,
            latest: None,
            code_updated: None,
            waits_since: None,
            unread: None,
        }
    }

    pub(crate) fn take_published(&mut self, version: Version, configuration: Configuration) {
        let stable = self.stable.as_ref().map(Configuration::facts);
        self.unread = None;
        self.candidate = Candidate::Published(version, configuration.facts().readiness(stable.as_ref()));
        self.published = Some((version, configuration));
    }

    /// Takes over what `$LATEST` is, of a rollout that puts code there itself or not.
    pub(crate) fn take_latest(&mut self, updates: bool, configuration: Configuration) {
        self.unread = None;
        let known = self.latest.as_ref().map(|latest| &latest.code_sha256);
        let ours = self.code_updated.as_ref().or(known).map(String::as_str);
        self.candidate = configuration.facts().latest(updates && self.code_updated.is_none(), ours);
        if self.candidate == Candidate::Ready {
            self.latest = Some(configuration);
        }
    }

    /// Notes that the candidate could not be read, and why; whether AWS has refused that for good.
    pub(crate) fn on_unread(&mut self, failure: Failure, why: String) -> bool {
        let refused = unreadable(&self.candidate, failure, &why);
        let given_up = refused.is_some();
        self.candidate = refused.unwrap_or_else(|| self.candidate.clone());
        self.unread = Some(why);
        given_up
    }

    /// Notes a look at a candidate that is waited for: that has an end.
    pub(crate) fn on_looked(&mut self, now: Time) {
        let since = *self.waits_since.get_or_insert(now);
        if let Some(given_up) = given_up(&self.candidate, now.since(since), self.unread.as_deref()) {
            self.candidate = given_up;
        }
    }

    /// Notes that this process has put code into `$LATEST`, and its hash.
    pub(crate) fn on_updated(&mut self, hash: String) {
        (self.code_updated, self.candidate, self.latest) = (Some(hash), Candidate::Settling, None);
    }

    /// What happened, with what only this process knows of it: in what the candidate differs.
    pub(crate) fn in_full(&self, what: EventKind) -> EventKind {
        let EventKind::VersionReady { version, .. } = what else { return what };
        let known = self.stable.as_ref().zip(self.published.as_ref().filter(|(published, _)| *published == version));
        let differs = known.map(|(stable, (_, candidate))| differences(stable, candidate)).unwrap_or_default();
        EventKind::VersionReady { version, differs }
    }

    /// The log group that the stable version writes to.
    pub(crate) fn log_group_of_stable(&self, function: &FunctionName) -> String {
        self.stable.as_ref().map_or_else(|| default_log_group(&function.name), Configuration::log_group)
    }

    /// The candidate, and the log group that it writes to.
    pub(crate) fn log_group(&self) -> Option<(Version, String)> {
        let (version, known) = self.published.as_ref()?;
        Some((*version, known.log_group()))
    }

    pub(crate) fn stable_arn(&self) -> Option<String> {
        Some(self.stable.as_ref()?.arn.clone())
    }

    /// The candidate and its ARN; of one that another process published, the ARN is its sister's with another number.
    pub(crate) fn candidate_arn(&self, note: Option<&Note>) -> Option<(Version, String)> {
        self.published.as_ref().map(|(version, known)| (*version, known.arn.clone())).or_else(|| {
            let candidate = note?.candidate?;
            let (function, _) = self.stable.as_ref()?.arn.rsplit_once(':')?;
            Some((candidate, format!("{function}:{candidate}")))
        })
    }
}
