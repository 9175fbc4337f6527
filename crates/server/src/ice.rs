//! What browsers gather their candidates with: which relays, under which name and password, for how long.
//!
//! What always holds: a browser gets fewer than five URLs, the nearest relay over UDP first and alone in its entry;
//! STUN servers only where there is no relay, because a relay answers STUN as well. Credentials are minted here and
//! nowhere else; none is logged or stored.

mod choice;
mod pass;
mod region;

pub(crate) use choice::{Choice, choose};
pub(crate) use pass::IcePasses;
pub(crate) use region::{Region, RelayUrl};

use std::net::SocketAddr;

#[derive(Clone, Debug, Default)]
pub(crate) struct IceSettings {
    /// STUN, for where there is no relay.
    pub(crate) servers: Vec<String>,
    /// In the operator's order: what counts where nobody knows where the visitor is.
    pub(crate) regions: Vec<Region>,
    /// How long credentials open a relay.
    pub(crate) ttl_s: u64,
    /// The same where a credential is bound to a session.
    pub(crate) session_ttl_s: u64,
    pub(crate) policy: IcePolicy,
    pub(crate) require_session: bool,
}

impl IceSettings {
    pub(crate) fn lifetime_s(&self) -> u64 {
        if self.require_session { self.session_ttl_s } else { self.ttl_s }
    }
}

/// Whether strangers may learn each other's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IcePolicy {
    #[default]
    Direct,
    Relay,
}

/// Where the relay of this process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnRelay {
    /// UDP and TCP.
    pub(crate) plain: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
}

impl OwnRelay {
    /// As a region that a browser reaches which came by this host name. `None` if it cannot: nobody reaches a
    /// loopback address from elsewhere.
    pub(crate) fn region(&self, host: &str) -> Option<Region> {
        let mut urls = Vec::with_capacity(3);
        if let Some(host) = reachable(host, self.plain) {
            for transport in ["udp", "tcp"] {
                urls.push(format!("turn:{host}:{}?transport={transport}", self.plain.port()));
            }
        }
        if let Some(tls) = self.tls
            && let Some(host) = reachable(host, tls)
        {
            urls.push(format!("turns:{host}:{}?transport=tcp", tls.port()));
        }
        let urls: Vec<_> = urls.iter().filter_map(|url| RelayUrl::read(url).ok()).collect();
        (!urls.is_empty()).then(|| Region::anywhere("own", urls))
    }
}

/// The name under which a listener is reached by one who reached us as `host`.
fn reachable(host: &str, listener: SocketAddr) -> Option<String> {
    if !listener.ip().is_loopback() {
        return Some(host.to_owned());
    }
    let here = host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    // The address itself: `localhost` may be looked up to the loopback address of the other family.
    here.then(|| match listener {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(relay: OwnRelay, host: &str) -> Vec<String> {
        let Some(region) = relay.region(host) else { return Vec::new() };
        region.urls().map(str::to_owned).collect()
    }

    #[test]
    fn our_relay_is_where_the_page_came_from() {
        let relay =
            OwnRelay { plain: "0.0.0.0:8080".parse().unwrap(), tls: Some("[::]:8443".parse().unwrap()) };
        assert_eq!(
            urls(relay, "chat.example"),
            [
                "turn:chat.example:8080?transport=udp",
                "turn:chat.example:8080?transport=tcp",
                "turns:chat.example:8443?transport=tcp"
            ]
        );
        assert_eq!(urls(relay, "[fd00::7]")[0], "turn:[fd00::7]:8080?transport=udp");
    }

    #[test]
    fn a_relay_on_loopback_is_named_to_this_machine_only() {
        let relay = OwnRelay { plain: "127.0.0.1:8080".parse().unwrap(), tls: None };
        assert_eq!(urls(relay, "localhost")[0], "turn:127.0.0.1:8080?transport=udp");
        assert_eq!(urls(relay, "[::1]").len(), 2);
        assert!(urls(relay, "chat.example").is_empty());
        let both = OwnRelay { tls: Some("0.0.0.0:443".parse().unwrap()), ..relay };
        assert_eq!(urls(both, "chat.example"), ["turns:chat.example:443?transport=tcp"]);
    }
}
