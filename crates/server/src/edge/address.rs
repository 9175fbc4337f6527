//! Who a client is, by network address: past the trusted proxies, and redacted wherever it is printed.

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use visavis_lobby::Source;

/// The address of a visitor. Lives as long as the connection; never logged, never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    fn new(address: IpAddr) -> Self {
        ClientAddress(address.to_canonical())
    }

    /// The address itself. Deliberate: this says where a person is.
    pub(crate) fn reveal(self) -> IpAddr {
        self.0
    }

    /// What one subscriber has: an IPv4 address, or the first 64 bits of an IPv6 address.
    pub(crate) fn subscriber(self) -> Subscriber {
        Subscriber(match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Net::new_assert(address, 64).network()),
        })
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress(‹redacted›)")
    }
}

/// Whom the bounds per address count.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subscriber(IpAddr);

impl Subscriber {
    /// The same as numbers, for the lobby's rates.
    pub(crate) fn source(self) -> Source {
        match self.0 {
            IpAddr::V4(address) => Source { host: u64::from(u32::from(address)), site: None },
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                let prefix =
                    |parts: [u16; 4]| parts.into_iter().fold(0, |all, part| all << 16 | u64::from(part));
                Source { host: prefix([a, b, c, d]), site: Some(prefix([a, b, c, 0])) }
            }
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscriber(‹redacted›)")
    }
}

/// A list of networks from the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    pub(crate) fn read(given: &[String]) -> Result<Self, String> {
        let read = |text: &String| {
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!(
                    "`{text}` is not a network; write for instance 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"
                )
            })
        };
        given.iter().map(read).collect::<Result<_, _>>().map(Networks)
    }

    /// Whether all of IPv4, or all of IPv6, is in it.
    pub(crate) fn hold_everybody(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn nets(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The client behind a request: the peer itself, unless that is a trusted proxy. Then the header is read from the
/// right, past every trusted hop: what stands left of the first untrusted one is only that client's word.
pub(crate) fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &Networks) -> ClientAddress {
    let mut client = peer.ip();
    if !trusted.contains(client) {
        return ClientAddress::new(client);
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // What cannot be read was not written by a proxy that we know: its sender is the nearest known hop.
        let Some(address) = read_hop(hop.trim()) else { break };
        client = address;
        if !trusted.contains(client) {
            break;
        }
    }
    ClientAddress::new(client)
}

/// `192.0.2.1`, `2001:db8::1`, and both with a port, as some proxies write them.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted = Networks::read(&trusted.iter().map(|s| s.to_string()).collect::<Vec<_>>()).unwrap();
        client_address(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted).reveal().to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_header_is_only_a_claim() {
        assert_eq!(client("198.51.100.1", &["203.0.113.9"], &[]), "198.51.100.1");
        assert_eq!(client("198.51.100.1", &["203.0.113.9"], &["10.0.0.0/8"]), "198.51.100.1");
    }

    #[test]
    fn the_header_is_read_from_the_right_past_trusted_hops() {
        let trusted = &["10.0.0.0/8", "::1"];
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9"], trusted), "203.0.113.9");
        assert_eq!(client("::1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], trusted), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2"], trusted), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], trusted), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[], trusted), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.9"], trusted), "203.0.113.9");
    }

    #[test]
    fn a_hop_that_cannot_be_read_ends_the_reading() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"], &["10.0.0.0/8"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"], &["10.0.0.0/8"]), "2001:db8::1");
    }

    #[test]
    fn a_subscriber_is_an_ipv4_address_or_an_ipv6_64() {
        let of = |text: &str| ClientAddress::new(text.parse().unwrap()).subscriber();
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }

    #[test]
    fn an_address_does_not_print() {
        let address = ClientAddress::new("192.0.2.1".parse().unwrap());
        assert!(!format!("{address:?} {:?}", address.subscriber()).contains("192"));
    }
}
