//! Which pages may open a socket: a browser tells the page's origin, and cannot be made to lie by the page.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};

/// An entry of `allow_origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    Any,
    /// As browsers send it: scheme, host, and a port unless it is the scheme's own; lower case.
    Exactly(String),
}

impl AllowedOrigin {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(AllowedOrigin::Any);
        }
        let origin = text.trim_end_matches('/').to_ascii_lowercase();
        match Place::of_origin(&origin) {
            Some(_) => Ok(AllowedOrigin::Exactly(origin)),
            None => Err(format!("`{text}` is not an origin; write for instance https://example.org")),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No browser, or no page: a native client.
    Absent,
    /// The site that this server serves.
    Own,
    /// Another site that the operator allows.
    Allowed,
    Foreign,
}

pub(crate) fn judge(headers: &HeaderMap, allowed: &[AllowedOrigin]) -> Verdict {
    let Some(origin) = headers.get(ORIGIN) else { return Verdict::Absent };
    let Some(origin) = origin.to_str().ok().map(str::to_ascii_lowercase) else { return Verdict::Foreign };
    if let Some(place) = Place::of_origin(&origin)
        && let Some(host) = headers.get(HOST).and_then(read_host)
        && place.host == host.0
        && place.port == host.1.unwrap_or(place.default_port)
    {
        return Verdict::Own;
    }
    let allows = |entry: &AllowedOrigin| match entry {
        AllowedOrigin::Any => true,
        AllowedOrigin::Exactly(known) => *known == origin,
    };
    if allowed.iter().any(allows) { Verdict::Allowed } else { Verdict::Foreign }
}

struct Place {
    host: String,
    port: u16,
    default_port: u16,
}

impl Place {
    /// `null`, and anything with a path, is no place.
    fn of_origin(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (host, port) = read_authority(authority)?;
        Some(Place { host, port: port.unwrap_or(default_port), default_port })
    }
}

fn read_host(host: &HeaderValue) -> Option<(String, Option<u16>)> {
    read_authority(&host.to_str().ok()?.to_ascii_lowercase())
}

fn read_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let authority: Authority = authority.parse().ok()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    Some((authority.host().to_owned(), authority.port_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(origin: &str, host: &str, allowed: &[&str]) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers.insert(HOST, host.parse().unwrap());
        let allowed: Vec<_> = allowed.iter().map(|text| AllowedOrigin::read(text).unwrap()).collect();
        judge(&headers, &allowed)
    }

    #[test]
    fn the_same_host_and_port_is_our_own_page() {
        for (origin, host) in [
            ("http://localhost:8080", "localhost:8080"),
            ("https://Example.org", "example.ORG"),
            ("https://example.org", "example.org:443"),
            ("http://example.org", "example.org:80"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(verdict(origin, host, &[]), Verdict::Own, "{origin} {host}");
        }
    }

    #[test]
    fn anything_else_is_foreign() {
        for (origin, host) in [
            ("http://localhost:8081", "localhost:8080"),
            ("http://evil.example", "localhost:8080"),
            ("null", "localhost:8080"),
            ("http://localhost:8080/", "localhost:8080"),
            ("http://localhost:8080@evil.example", "localhost:8080"),
            ("file://", "localhost:8080"),
            ("http://localhost", "localhost:8080"),
            ("https://example.org", "example.org:80"),
            ("http://", "localhost"),
        ] {
            assert_eq!(verdict(origin, host, &[]), Verdict::Foreign, "{origin} {host}");
        }
    }

    #[test]
    fn the_operator_may_allow_other_sites() {
        assert_eq!(verdict("https://a.example", "b.example", &["https://A.example/"]), Verdict::Allowed);
        assert_eq!(verdict("https://a.example:444", "b.example", &["https://a.example"]), Verdict::Foreign);
        assert_eq!(verdict("null", "b.example", &["*"]), Verdict::Allowed);
        assert_eq!(judge(&HeaderMap::new(), &[]), Verdict::Absent);
    }
}
