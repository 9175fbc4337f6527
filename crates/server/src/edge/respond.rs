//! Answers that are the same everywhere: sentences, JSON, errors.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

/// One plain sentence for a person.
pub(super) fn sentence(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same, and when to come back.
pub(super) fn retry(status: StatusCode, after_s: u32, text: &'static str) -> Response {
    let mut response = sentence(status, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after_s));
    response
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let (status, bytes) = match serde_json::to_vec(body) {
        Ok(bytes) => (status, bytes),
        Err(_) => {
            debug_assert!(false, "an answer does not serialise");
            (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec())
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// An error of the HTTP API: a stable code and a sentence, as in the WebSocket protocol.
pub(super) fn error(status: StatusCode, code: &'static str, message: &str) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        error: Fault<'a>,
    }
    #[derive(Serialize)]
    struct Fault<'a> {
        code: &'static str,
        message: &'a str,
    }
    json(status, &Answer { error: Fault { code, message } })
}
