//! Where does a page begin, and what is asked for with the next one?

use super::refusal::Refusal;

/// The place of a page's first item among `all` of them.
pub(super) fn page_start(token: Option<&str>, all: usize) -> Result<usize, Refusal> {
    let Some(token) = token else { return Ok(0) };
    let start = token.strip_prefix("page-").and_then(|rest| rest.parse().ok()).filter(|start| *start <= all);
    start.ok_or_else(|| Refusal::invalid("The specified nextToken is invalid."))
}

/// The token for a page that begins at `start`, unless everything was shown.
pub(super) fn page_token(start: usize, all: usize) -> Option<String> {
    (start < all).then(|| format!("page-{start}"))
}
