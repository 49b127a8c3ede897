//! Which pages are there outside AWS? A few, for requests without a signature.
//!
//! A host without pages does not exist.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::github::Repository;
use crate::time::Time;

/// What a page answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct WebPage {
    status: u16,
    location: Option<String>,
    body: String,
    after: Option<Duration>,
}

impl WebPage {
    /// Answers with this status and text.
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, location: None, body: body.to_owned(), after: Some(Duration::ZERO) }
    }

    /// Redirects.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self { location: Some(location.to_owned()), ..Self::new(status, "") }
    }

    /// Takes the question and says nothing.
    pub fn silent() -> Self {
        Self { after: None, ..Self::new(200, "") }
    }

    /// The same, this much later.
    pub fn after(self, span: Duration) -> Self {
        Self { after: Some(span), ..self }
    }
}

/// A question that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// When.
    pub at: Time,
    /// The address, query included.
    pub address: String,
    /// What was sent.
    pub body: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Web {
    pages: BTreeMap<String, WebPage>,
    repository: Option<Repository>,
    visits: Vec<Visit>,
}

impl Web {
    pub(crate) fn put(&mut self, address: &str, page: WebPage) {
        self.pages.insert(address.to_owned(), page);
    }

    /// Takes a page away, so that what is behind it answers.
    pub(crate) fn remove(&mut self, address: &str) {
        self.pages.remove(address);
    }

    pub(crate) fn host(&mut self, repository: &str) {
        self.repository = Some(Repository::new(repository));
    }

    pub(crate) fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref()
    }

    pub(crate) fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// What comes back, and when; `None` where there is no such host, and no time where nothing ever comes.
    pub(crate) fn visit(
        &mut self,
        request: &http::Request<Bytes>,
        at: Time,
    ) -> Option<(http::Response<Bytes>, Option<Duration>)> {
        let origin = format!("{}://{}/", request.uri().scheme_str()?, request.uri().authority()?);
        let hosted = self.repository.is_some() && origin == GITHUB;
        if !hosted && !self.pages.keys().any(|address| address.starts_with(&origin)) {
            return None;
        }
        if self.visits.len() < MOST_VISITS {
            self.visits.push(Visit { at, address: request.uri().to_string(), body: request.body().clone() });
        }
        let address = format!("{origin}{}", request.uri().path().trim_start_matches('/'));
        let missing = WebPage::new(404, "there is no such page");
        let repository = self.repository.as_mut().filter(|_| hosted && !self.pages.contains_key(&address));
        let hosted = repository.and_then(|repository| repository.answer(request, at));
        let hosted = hosted.map(|(status, answer)| WebPage::new(status, &answer.to_string()));
        let page = hosted.as_ref().or_else(|| self.pages.get(&address)).unwrap_or(&missing);
        let mut response = http::Response::new(Bytes::from(page.body.clone()));
        *response.status_mut() = http::StatusCode::from_u16(page.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(location) = page.location.as_ref().and_then(|location| http::HeaderValue::from_str(location).ok()) {
            response.headers_mut().insert(http::header::LOCATION, location);
        }
        Some((response, page.after))
    }
}

/// Where GitHub's API is.
const GITHUB: &str = "https://api.github.com/";

/// Visits remembered at most.
const MOST_VISITS: usize = 10_000;
