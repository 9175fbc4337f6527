//! A site below a path of its host, as `https://example.org/talk/`.
//!
//! What always holds: behind this every path begins at the site, whether the proxy took the base off or passed it on.

use super::respond;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use axum::response::Response;

/// # Errors
/// The answer for who leaves the last slash out: what the pages name beside themselves would lie elsewhere.
#[allow(clippy::result_large_err)]
pub(super) fn take_off<B>(request: &mut Request<B>, base: &str) -> Result<(), Response> {
    let uri = request.uri();
    let Some(below) = uri.path().strip_prefix(base).filter(|_| !base.is_empty()) else { return Ok(()) };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if below.is_empty() {
        let mut response = respond::sentence(StatusCode::PERMANENT_REDIRECT, "This page has moved.");
        if let Ok(location) = HeaderValue::from_str(&format!("{base}/{query}")) {
            response.headers_mut().insert(LOCATION, location);
        }
        return Err(response);
    }
    // `/talkative` is not below `/talk`.
    if below.starts_with('/')
        && let Ok(target) = format!("{below}{query}").parse::<Uri>()
    {
        *request.uri_mut() = target;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str, base: &str) -> String {
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        match take_off(&mut request, base) {
            Ok(()) => request.uri().to_string(),
            Err(response) => format!("-> {}", response.headers()[LOCATION].to_str().unwrap()),
        }
    }

    #[test]
    fn what_lies_below_the_base_is_found_with_it_and_without() {
        for (uri, found) in [
            ("/talk/chat?kind=text", "/chat?kind=text"),
            ("/talk/", "/"),
            ("/talk//evil", "//evil"),
            ("/chat", "/chat"),
            ("/talkative", "/talkative"),
            ("/talk", "-> /talk/"),
            ("/talk?a=b", "-> /talk/?a=b"),
        ] {
            assert_eq!(target(uri, "/talk"), found, "{uri}");
        }
        assert_eq!(target("/talk", ""), "/talk");
    }
}
