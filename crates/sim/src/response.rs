//! How is an answer put together? Its status, its kind and its headers; what it says is not known here.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, IntoHeaderName};
use http::{Response, StatusCode};

pub(crate) fn response(status: u16, kind: &str, body: impl Into<Bytes>, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    put(&mut response, CONTENT_TYPE, kind);
    put(&mut response, "x-amzn-requestid", request_id);
    response
}

/// What a header cannot carry (a control character in an environment variable) is left out.
pub(crate) fn put(response: &mut Response<Bytes>, name: impl IntoHeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
