//! Which pages may open a socket: a browser tells the page's origin, and cannot be made to lie by the page.

use crate::host::Host;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

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
    Foreign(Cause),
}

/// Why a page counts as another site's. Two of them are rather a proxy's fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The same name, another port: the proxy drops it.
    Port { origin: Host, host: Host },
    /// The Host header names no site but a machine: the proxy put its own word there.
    Host { origin: Host, host: Host },
    /// Another site.
    Site,
}

pub(crate) fn judge(headers: &HeaderMap, allowed: &[AllowedOrigin]) -> Verdict {
    let mut lines = headers.get_all(ORIGIN).iter();
    let Some(origin) = lines.next() else {
        // A picture or a script of another site: browsers send no origin with it.
        return if is_of_another_site(headers) { Verdict::Foreign(Cause::Site) } else { Verdict::Absent };
    };
    match origin.to_str() {
        Ok(origin) if lines.next().is_none() => judge_origin(origin, headers, allowed),
        Ok(_) | Err(_) => Verdict::Foreign(Cause::Site),
    }
}

/// The same for an origin that the request tells elsewhere: browsers send none with a `GET` to their own site.
pub(crate) fn judge_origin(origin: &str, headers: &HeaderMap, allowed: &[AllowedOrigin]) -> Verdict {
    let origin = origin.to_ascii_lowercase();
    let place = Place::of_origin(&origin);
    let host = headers.get(HOST).and_then(|host| Host::read(host.to_str().ok()?));
    if let (Some(place), Some(host)) = (&place, &host)
        && place.is_at(host)
    {
        return Verdict::Own;
    }
    let allows = |entry: &AllowedOrigin| match entry {
        AllowedOrigin::Any => true,
        AllowedOrigin::Exactly(known) => *known == origin,
    };
    if allowed.iter().any(allows) {
        return Verdict::Allowed;
    }
    Verdict::Foreign(match (place, host) {
        (Some(place), Some(host)) if place.host.name() == host.name() => {
            Cause::Port { origin: place.host, host }
        }
        (Some(place), Some(host)) if is_a_machine(&host) && !is_a_machine(&place.host) => {
            Cause::Host { origin: place.host, host }
        }
        (_, _) => Cause::Site,
    })
}

/// Fetch metadata (`Sec-Fetch-Site`), which pages cannot set.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site" || site == "same-site")
}

/// Reached by nobody's address bar: loopback, a private network, or a bare name such as a container has.
fn is_a_machine(host: &Host) -> bool {
    match host.ip() {
        Some(ip) => is_local(ip),
        None => !host.name().contains('.'),
    }
}

pub(super) fn is_local(ip: std::net::IpAddr) -> bool {
    match ip.to_canonical() {
        std::net::IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

impl Cause {
    /// For programs: it stays the same.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Cause::Port { .. } => "port",
            Cause::Host { .. } => "host",
            Cause::Site => "foreign",
        }
    }

    /// For the operator: what is wrong and how to fix it.
    pub(super) fn sentence(&self) -> String {
        match self {
            Cause::Port { origin, host } => format!(
                "the page's Origin says {}, the Host header {}: the proxy drops the port; use proxy_set_header Host \
                 $http_host",
                shown(origin),
                shown(host)
            ),
            Cause::Host { origin, host } => format!(
                "the page's Origin says {}, the Host header {}: the proxy does not pass the Host header on; use \
                 proxy_set_header Host $http_host",
                shown(origin),
                shown(host)
            ),
            Cause::Site => {
                "the page is another site's; if it may connect, list its origin with --allow-origin \
                            (allow_origin); behind a proxy, pass the Host header on"
                    .to_owned()
            }
        }
    }
}

/// Public addresses are not for the log, whoever claims them.
fn shown(host: &Host) -> String {
    match (host.ip(), host.port) {
        (Some(ip), Some(port)) if !is_local(ip) => format!("‹address›:{port}"),
        (Some(ip), None) if !is_local(ip) => "‹address›".to_owned(),
        (_, _) => host.to_string(),
    }
}

struct Place {
    host: Host,
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
        Some(Place { host: Host::read(authority)?, default_port })
    }

    fn is_at(&self, host: &Host) -> bool {
        let port = |host: &Host| host.port.unwrap_or(self.default_port);
        self.host.name() == host.name() && port(&self.host) == port(host)
    }
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

    fn is_foreign(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Foreign(_))
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
            ("https://example.org, https://example.org", "example.org"),
        ] {
            assert!(is_foreign(&verdict(origin, host, &[])), "{origin} {host}");
        }
    }

    #[test]
    fn the_operator_may_allow_other_sites() {
        assert_eq!(verdict("https://a.example", "b.example", &["https://A.example/"]), Verdict::Allowed);
        assert!(is_foreign(&verdict("https://a.example:444", "b.example", &["https://a.example"])));
        assert_eq!(verdict("null", "b.example", &["*"]), Verdict::Allowed);
        assert_eq!(judge(&HeaderMap::new(), &[]), Verdict::Absent);
    }

    #[test]
    fn two_origins_are_nobodys() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "example.org".parse().unwrap());
        for _ in 0..2 {
            headers.append(ORIGIN, "https://example.org".parse().unwrap());
        }
        assert!(is_foreign(&judge(&headers, &[AllowedOrigin::Any])));
    }

    #[test]
    fn what_another_site_loads_without_an_origin_is_foreign() {
        let of = |site: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-site", site.parse().unwrap());
            judge(&headers, &[])
        };
        assert_eq!((of("same-origin"), of("none")), (Verdict::Absent, Verdict::Absent));
        assert!(is_foreign(&of("cross-site")) && is_foreign(&of("same-site")));
    }

    #[test]
    fn a_proxy_that_changes_the_host_header_is_told_from_another_site() {
        let sentence = |origin: &str, host: &str| match verdict(origin, host, &[]) {
            Verdict::Foreign(cause) => (cause.code(), cause.sentence()),
            other => panic!("{other:?}"),
        };
        let (code, said) = sentence("https://example.org:8443", "example.org");
        assert_eq!(code, "port");
        assert!(said.starts_with(
            "the page's Origin says example.org:8443, the Host header example.org: the proxy drops"
        ));
        for host in ["127.0.0.1:8080", "backend", "node_1:8080", "10.0.0.7"] {
            let (code, said) = sentence("https://example.org", host);
            assert!(code == "host" && said.contains(host) && said.contains("$http_host"), "{said}");
        }
        assert_eq!(sentence("https://evil.example", "example.org").0, "foreign");
        assert_eq!(sentence("http://localhost:3000", "127.0.0.1:8080").0, "foreign");
        let (_, said) = sentence("https://198.51.100.7:8443", "198.51.100.7");
        assert!(said.contains("‹address›:8443") && !said.contains("198.51"), "{said}");
    }
}
