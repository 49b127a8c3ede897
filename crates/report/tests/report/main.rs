//! The reporters as their readers see them: logs, live view, pages, documents, and the texts of `status` and `plan`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

mod browser;
mod fixtures;
mod golden;
mod hostile;
mod live;
mod reporters;
mod several;
mod status;
mod timeline;
mod watching;
