//! What every answer tells the browser to forbid.
//!
//! The site's scripts and styles are files; if a page holds inline ones all the same, they are allowed by their hash,
//! never by `unsafe-inline`.

use super::site;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use data_encoding::BASE64;
use ring::digest;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Adds the security headers to an answer.
pub(super) fn protect(headers: &mut HeaderMap) {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let pages: Vec<&str> = site::site().pages().collect();
        HeaderValue::from_str(&content_policy(&pages))
            .unwrap_or(HeaderValue::from_static("default-src 'none'"))
    });
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // For browsers that do not know `frame-ancestors`.
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether a request says that it came through a proxy or a CDN. Whoever lies here only changes their own answer.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    ["x-forwarded-for", "forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// Keeps pages that opened ours away from it. Browsers heed this only on origins that they trust, and complain in
/// the console of others.
pub(super) fn isolate(headers: &mut HeaderMap) {
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}

/// Whether the browser trusts this origin although we spoke plain HTTP: a proxy spoke TLS, or it is this machine.
/// Whoever lies here only changes their own answer.
pub(super) fn comes_secure(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = text("host");
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    text("x-forwarded-proto").eq_ignore_ascii_case("https")
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Only names that Chromium knows: it complains in the console of others.
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), \
    picture-in-picture=(self), fullscreen=(self), autoplay=(self), accelerometer=(), geolocation=(), gyroscope=(), \
    hid=(), idle-detection=(), magnetometer=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=(), \
    xr-spatial-tracking=()";

fn content_policy(pages: &[&str]) -> String {
    let scripts = hashes(pages, "<script", "</script>");
    let styles = hashes(pages, "<style", "</style>");
    // `'self'` covers the socket to our own host in every browser of the last years (CSP 3, section 6.7.2.8). The check for
    // faces computes in WebAssembly; `wasm-unsafe-eval` allows that, and no `eval`.
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self'{styles}; connect-src 'self'; \
         img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self'; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// Hashes of inline elements (CSP 3, section 6.7.3.3), each once.
fn hashes(pages: &[&str], open: &str, close: &str) -> String {
    let mut found = BTreeSet::new();
    for page in pages {
        let mut rest = *page;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((attributes, after)) = after.split_once('>') else { break };
            let Some((body, after)) = after.split_once(close) else { break };
            rest = after;
            if !attributes.contains("src=") && !body.is_empty() {
                let hash = BASE64.encode(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
                found.insert(format!(" 'sha256-{hash}'"));
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_allowed_by_hash_and_files_by_self() {
        let page = r#"<script src="/a.js"></script><script>alert("x")</script><style>b{}</style>"#;
        let policy = content_policy(&[page, page]);
        // printf 'alert("x")' | openssl dgst -sha256 -binary | base64
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-"), "{policy}");
        assert_eq!(policy.matches("sha256-").count(), 2, "{policy}");
        assert!(!policy.contains("unsafe-inline"));
    }

    #[test]
    fn secure_are_this_machine_and_what_a_proxy_says_came_by_tls() {
        let comes = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            comes_secure(&headers)
        };
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"] {
            assert!(comes("host", host), "{host}");
        }
        for host in ["192.168.0.7:8080", "visavis.test", "[fe80::1]:8080", "localhost.example", ""] {
            assert!(!comes("host", host), "{host}");
        }
        assert!(comes("x-forwarded-proto", "https"));
        assert!(!comes("x-forwarded-proto", "http"));
    }

    #[test]
    fn the_sites_own_policy_needs_no_hash() {
        let pages: Vec<&str> = site::site().pages().collect();
        assert!(!content_policy(&pages).contains("sha256-"));
    }
}
