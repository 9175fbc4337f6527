//! Which other sites' pages may read an answer of the API: those that the operator lists.

use super::Edge;
use super::origin::{self, Verdict};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// Lets the pages of allowed sites read an answer.
pub(super) fn shared(edge: &Edge, headers: &HeaderMap, mut response: Response) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
    if let (Verdict::Allowed, Some(origin)) =
        (origin::judge(headers, &edge.allowed_origins()), headers.get(ORIGIN))
    {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}
