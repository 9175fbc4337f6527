//! Names and addresses of hosts, as requests and settings write them.
//!
//! What always holds: what was read here makes a valid URL when `:PORT` is put behind it. So nothing that a request
//! claims as its `Host` can break what a browser is told to connect to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `example.org`, `192.0.2.1:8080`, `[2001:db8::1]:443`: as in a URL, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// An IPv6 address in its brackets.
    name: String,
    ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

/// RFC 1035, section 2.3.4.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

impl Host {
    /// `None`: no browser could be sent there.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ip, port) = rest.split_once(']')?;
                return Host::new(IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?), read_port(port)?);
            }
            None => match text.split_once(':') {
                Some((name, _)) => text.split_at(name.len()),
                None => (text, ""),
            },
        };
        let port = read_port(port)?;
        let name = name.to_ascii_lowercase();
        let is_a_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let last = name.trim_end_matches('.').rsplit('.').next()?;
        // What ends in a number is an IPv4 address or nothing (the URL standard, "ends in a number").
        if is_a_number(last) || last.starts_with("0x") {
            return Host::new(IpAddr::V4(name.parse::<Ipv4Addr>().ok()?), port);
        }
        is_name(&name).then_some(Host { name, ip: None, port })
    }

    fn new(ip: IpAddr, port: Option<u16>) -> Option<Self> {
        let name = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Some(Host { name, ip: Some(ip), port })
    }

    /// As it stands in a URL, without the port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Set where the name is an address.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Nothing, or `:PORT`; RFC 3986 allows the colon alone, too.
fn read_port(text: &str) -> Option<Option<u16>> {
    match text.strip_prefix(':') {
        None if text.is_empty() => Some(None),
        None => None,
        Some("") => Some(None),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0).map(Some)
        }
        Some(_) => None,
    }
}

/// Letters, digits, hyphens, and the underscores that container engines put into names; one dot may end it.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= NAME_BYTES && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_with_their_port() {
        for (text, name, port) in [
            ("example.org", "example.org", None),
            ("Chat.Example.ORG:8443", "chat.example.org", Some(8443)),
            ("localhost:", "localhost", None),
            ("node_1:80", "node_1", Some(80)),
            ("xn--bcher-kva.example.", "xn--bcher-kva.example.", None),
            ("192.0.2.1:1", "192.0.2.1", Some(1)),
            ("[2001:DB8::1]:443", "[2001:db8::1]", Some(443)),
            ("[::1]", "[::1]", None),
        ] {
            let host = Host::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((host.name(), host.port), (name, port), "{text}");
            assert_eq!(host.ip().is_some(), text.starts_with(['[', '1']), "{text}");
        }
    }

    #[test]
    fn what_would_break_a_url_is_not_read() {
        let long = "a".repeat(300);
        let label = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            ":80",
            ".",
            "a..b",
            "a b",
            " a",
            "a\t",
            "user@example.org",
            "user:pass@example.org:80",
            "example.org/chat",
            "example.org?x",
            "example.org#x",
            "a,b",
            "::1",
            "2001:db8::1",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[192.0.2.1]",
            "bücher.example",
            "%61.example",
            "example.org:99999",
            "example.org:0",
            "example.org:-1",
            "example.org:+80",
            "example.org:80:80",
            "example.org:http",
            "256.1.1.1",
            "1.2.3",
            "127.1",
            "0x7f.1",
            "a.0x1",
            "\"example.org\"",
            &long,
            &label,
        ] {
            assert_eq!(Host::read(text), None, "{text:?}");
        }
    }
}
