//! The `Host` of a request: settled once, before anything else looks at it.
//!
//! What always holds: behind this there is one `Host` header that makes a valid URL, or none from a client of HTTP/1.0.

use crate::host::Host;
use axum::http::header::HOST;
use axum::http::{HeaderValue, Request, Version};

/// # Errors
/// What to tell the client, with status 400.
pub(super) fn settle<B>(request: &mut Request<B>) -> Result<(), &'static str> {
    let mut lines = request.headers().get_all(HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => return Err("A request needs a Host header."),
        (Some(_), Some(_)) => return Err("A request has one Host header, not several."),
        (Some(host), None) if host.to_str().ok().and_then(Host::read).is_none() => {
            return Err("The Host header is not HOST or HOST:PORT.");
        }
        (None | Some(_), _) => {}
    }
    // RFC 9112, section 3.2.2: a target that names its host beats the header.
    if let Some(authority) = request.uri().authority() {
        let named = Host::read(authority.as_str())
            .and_then(|host| HeaderValue::from_str(&host.to_string()).ok())
            .ok_or("The request's target names no host that can be reached.")?;
        request.headers_mut().insert(HOST, named);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(target: &str, version: Version, hosts: &[&[u8]]) -> Result<String, &'static str> {
        let mut request = Request::builder().uri(target).version(version).body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        settle(&mut request)?;
        let host = request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned());
        Ok(host.unwrap_or_default())
    }

    #[test]
    fn a_request_has_one_host_that_makes_a_url() {
        let of = |hosts: &[&[u8]]| settled("/chat", Version::HTTP_11, hosts);
        assert_eq!(of(&[b"Example.org:8443"]), Ok("Example.org:8443".to_owned()));
        assert!(of(&[]).is_err() && of(&[b"a.example", b"a.example"]).is_err());
        for odd in
            [&b""[..], b"a b", b"u@a.example", b"a.example/x", b"::1", "b\u{fc}cher".as_bytes(), b"a:99999"]
        {
            assert!(of(&[odd]).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_client_of_http_1_0_may_leave_it_out_but_not_say_it_twice() {
        let of = |hosts: &[&[u8]]| settled("/", Version::HTTP_10, hosts);
        assert_eq!(of(&[]), Ok(String::new()));
        assert!(of(&[b"a", b"b"]).is_err() && of(&[b"a b"]).is_err());
    }

    #[test]
    fn a_target_that_names_its_host_beats_the_header() {
        let of = |target: &str| settled(target, Version::HTTP_11, &[b"other.example"]);
        assert_eq!(of("http://Chat.example:8080/api/ice"), Ok("chat.example:8080".to_owned()));
        assert!(of("http://user@chat.example/").is_err());
        assert!(of("http://256.1.1.1/").is_err());
    }
}
