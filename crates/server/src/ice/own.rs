//! The relay of this process, as a visitor is told to reach it.
//!
//! Nothing can know the way to it for certain but the operator (`turn.public_host`). Without that word: whoever came
//! straight to us finds the relay where the page was. Whoever came through a proxy or a CDN does not, because those pass
//! on HTTP only; so they are told the address from which the relay relays, if that is a public one.

use super::{Region, RelayUrl};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use visavis_turn::is_public;

/// Where the relay of this process listens, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRelay {
    /// UDP and TCP.
    pub(crate) plain: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    /// As the operator calls it, in the form of a URL.
    pub(crate) public_host: Option<String>,
    /// As peers see it.
    pub(crate) relay_ipv4: Option<Ipv4Addr>,
    pub(crate) relay_ipv6: Option<Ipv6Addr>,
}

/// What an answer may go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The `Host` of the request, without its port.
    pub(crate) host: Option<&'a str>,
    /// Whether the request says that it came through a proxy.
    pub(crate) proxied: bool,
    pub(crate) client: IpAddr,
}

/// The way to the relay that a visitor is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) region: Region,
    /// The same relay as a STUN server.
    pub(crate) stun: Option<String>,
    pub(crate) by: By,
}

/// How sure that way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The operator said so, or the visitor has just come that way.
    Word,
    /// Past a proxy: the relay's own public address.
    Address,
    /// Past a proxy: the page's name, for want of anything better. It may lead to the proxy and no further.
    Guess,
}

impl OwnRelay {
    /// `None` if that visitor cannot reach it: nobody reaches a loopback address from elsewhere.
    pub(crate) fn told_to(&self, asked: &Asked<'_>) -> Option<Told> {
        let (host, by) = match (&self.public_host, asked.proxied, self.public_address(asked.client)) {
            (Some(host), _, _) => (host.clone(), By::Word),
            (None, false, _) => (asked.host?.to_owned(), By::Word),
            (None, true, Some(address)) => (in_url(address), By::Address),
            (None, true, None) => (asked.host?.to_owned(), By::Guess),
        };
        let mut urls = Vec::with_capacity(3);
        let plain = reachable(&host, self.plain);
        if let Some(host) = &plain {
            for transport in ["udp", "tcp"] {
                urls.push(format!("turn:{host}:{}?transport={transport}", self.plain.port()));
            }
        }
        // A certificate is for a name: under an address of ours it would not be good. The page's may lead here.
        let named = if by == By::Address { asked.host.unwrap_or_default() } else { &host };
        if let Some(tls) = self.tls.filter(|_| !named.is_empty())
            && let Some(host) = reachable(named, tls)
        {
            urls.push(format!("turns:{host}:{}?transport=tcp", tls.port()));
        }
        let urls: Vec<_> = urls.iter().filter_map(|url| RelayUrl::read(url).ok()).collect();
        if urls.is_empty() {
            return None;
        }
        let stun = plain.map(|host| format!("stun:{host}:{}", self.plain.port()));
        Some(Told { region: Region::anywhere("own", urls), stun, by })
    }

    /// The address by which anybody on the internet reaches us, of the visitor's family if there is one.
    pub(crate) fn public_address(&self, visitor: IpAddr) -> Option<IpAddr> {
        if self.plain.ip().is_loopback() {
            return None;
        }
        let hears = |ip: &IpAddr| match self.plain.ip() {
            // An IPv6 wildcard hears IPv4 by a second socket.
            IpAddr::V6(ours) if ours.is_unspecified() => true,
            ours => ours.is_ipv4() == ip.is_ipv4(),
        };
        let ipv4 = self.relay_ipv4.map(IpAddr::V4);
        let ipv6 = self.relay_ipv6.map(IpAddr::V6);
        let mut public: Vec<IpAddr> =
            ipv4.into_iter().chain(ipv6).filter(|ip| is_public(*ip) && hears(ip)).collect();
        public.sort_by_key(|ip| ip.is_ipv4() != visitor.is_ipv4());
        public.first().copied()
    }
}

fn in_url(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The name under which a listener is reached by one who reached us as `host`.
fn reachable(host: &str, listener: SocketAddr) -> Option<String> {
    if !listener.ip().is_loopback() {
        return Some(host.to_owned());
    }
    let here = host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    // The address itself: `localhost` may be looked up to the loopback address of the other family.
    here.then(|| in_url(listener.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(plain: &str, tls: Option<&str>) -> OwnRelay {
        OwnRelay {
            plain: plain.parse().unwrap(),
            tls: tls.map(|tls| tls.parse().unwrap()),
            public_host: None,
            relay_ipv4: None,
            relay_ipv6: None,
        }
    }

    fn told(relay: &OwnRelay, host: &str, proxied: bool, client: &str) -> Option<Told> {
        relay.told_to(&Asked { host: Some(host), proxied, client: client.parse().unwrap() })
    }

    fn urls(relay: &OwnRelay, host: &str) -> Vec<String> {
        let Some(told) = told(relay, host, false, "9.9.9.9") else { return Vec::new() };
        told.region.urls().map(str::to_owned).collect()
    }

    #[test]
    fn our_relay_is_where_the_page_came_from() {
        let relay = relay("0.0.0.0:8080", Some("[::]:8443"));
        assert_eq!(
            urls(&relay, "chat.example"),
            [
                "turn:chat.example:8080?transport=udp",
                "turn:chat.example:8080?transport=tcp",
                "turns:chat.example:8443?transport=tcp"
            ]
        );
        assert_eq!(urls(&relay, "[fd00::7]")[0], "turn:[fd00::7]:8080?transport=udp");
        let told = told(&relay, "[2a00::7]", false, "2a00::9").unwrap();
        assert_eq!((told.stun.as_deref(), told.by), (Some("stun:[2a00::7]:8080"), By::Word));
    }

    #[test]
    fn a_relay_on_loopback_is_named_to_this_machine_only() {
        let alone = relay("127.0.0.1:8080", None);
        assert_eq!(urls(&alone, "localhost")[0], "turn:127.0.0.1:8080?transport=udp");
        assert_eq!(urls(&alone, "[::1]").len(), 2);
        assert!(urls(&alone, "chat.example").is_empty());
        assert!(told(&alone, "chat.example", true, "9.9.9.9").is_none());
        let both = relay("127.0.0.1:8080", Some("0.0.0.0:443"));
        assert_eq!(urls(&both, "chat.example"), ["turns:chat.example:443?transport=tcp"]);
    }

    #[test]
    fn past_a_proxy_it_is_the_operators_word_or_our_public_address_or_a_guess() {
        let mut relay = relay("[::]:8080", Some("[::]:8443"));
        let guess = told(&relay, "chat.example", true, "9.9.9.9").unwrap();
        assert_eq!((guess.by, guess.region.urls().count()), (By::Guess, 3));

        relay.relay_ipv4 = Some("10.0.0.7".parse().unwrap());
        assert_eq!(told(&relay, "chat.example", true, "9.9.9.9").unwrap().by, By::Guess, "a private address");

        relay.relay_ipv4 = Some("5.5.5.5".parse().unwrap());
        relay.relay_ipv6 = Some("2a05::5".parse().unwrap());
        for (client, host) in [("9.9.9.9", "5.5.5.5"), ("2a09::9", "[2a05::5]")] {
            let own = told(&relay, "chat.example", true, client).unwrap();
            let urls: Vec<&str> = own.region.urls().collect();
            let [udp, tcp] = ["udp", "tcp"].map(|by| format!("turn:{host}:8080?transport={by}"));
            let tls = "turns:chat.example:8443?transport=tcp";
            assert_eq!((urls, own.by), (vec![udp.as_str(), tcp.as_str(), tls], By::Address));
            assert_eq!(own.stun, Some(format!("stun:{host}:8080")));
        }
        assert_eq!(urls(&relay, "chat.example").len(), 3, "whoever comes straight to us");

        relay.public_host = Some("turn.example".into());
        let word = told(&relay, "chat.example", true, "9.9.9.9").unwrap();
        assert_eq!((word.by, word.stun.as_deref()), (By::Word, Some("stun:turn.example:8080")));
        assert!(word.region.urls().all(|url| url.contains(":turn.example:")));
    }

    #[test]
    fn an_address_that_nobody_listens_at_is_not_told() {
        let mut relay = relay("0.0.0.0:8080", None);
        relay.relay_ipv6 = Some("2a05::5".parse().unwrap());
        assert_eq!(told(&relay, "chat.example", true, "2a09::9").unwrap().by, By::Guess);
    }
}
