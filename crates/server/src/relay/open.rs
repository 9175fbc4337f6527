//! Opens the relay as the settings say: on its own listeners, or beside HTTP on the same address and port.

use super::bind::{listen_udp, plan, relay_ips};
use super::{Ended, RelayLink, start};
use crate::capacity::RelayShare;
use crate::config::Config;
use crate::edge::{Admission, Certificates, Security, accept, listen};
use crate::failure::Failure;
use crate::ice::OwnRelay;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use visavis_turn::{LocalPeers, Secrets};

/// How often a free port is tried that another program has for the other protocol.
const PORT_TRIES: usize = 16;

/// A realm longer than that makes replies to strangers longer than 2.7 times their requests.
const SHORT_REALM_BYTES: usize = 20;

/// Listeners, bound before anything serves, so that what hinders the start is said at once.
pub(crate) struct Bound {
    udp: Vec<UdpSocket>,
    tcp: Option<TcpListener>,
    tls: Option<(TcpListener, Arc<Certificates>)>,
}

impl Bound {
    /// Of the listener over TLS that is the relay's alone.
    pub(crate) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.tls.as_ref().map(|(_, certificates)| Arc::clone(certificates))
    }

    /// Where browsers find it. `https` is shared with it, if it is there.
    pub(crate) fn own_relay(&self, https: Option<&TcpListener>, config: &Config) -> Option<OwnRelay> {
        let plain = self.udp.first()?.local_addr().ok()?;
        let tls = https.or(self.tls.as_ref().map(|(listener, _)| listener));
        let (relay_ipv4, relay_ipv6) = relay_ips(&config.turn.relay_addresses, plain.ip());
        Some(OwnRelay {
            plain,
            tls: tls.and_then(|listener| listener.local_addr().ok()),
            public_host: config.turn.public_host.clone(),
            relay_ipv4,
            relay_ipv6,
        })
    }
}

/// TCP, and UDP at the same address and port if the relay is to share them.
///
/// # Errors
/// One sentence that names the setting.
pub(crate) fn listen_with_relay(config: &Config) -> Result<(TcpListener, Option<Bound>), Failure> {
    if !config.turn.enabled {
        return Ok((listen(config.listen, "listen", false)?, None));
    }
    if config.turn.listen.is_some() {
        return Ok((listen(config.listen, "listen", false)?, Some(bind_own(config)?)));
    }
    let (http, udp) = listen_both(config.listen, "listen", false)?;
    Ok((http, Some(Bound { udp, tcp: None, tls: bind_tls(config)? })))
}

/// The relay's own listeners, or those of `listen` where it has none.
///
/// # Errors
/// One sentence that names the setting.
pub(crate) fn bind_own(config: &Config) -> Result<Bound, Failure> {
    let (address, setting) = match config.turn.listen {
        Some(address) => (address, "turn.listen"),
        None => (config.listen, "listen"),
    };
    let (tcp, udp) = listen_both(address, setting, config.relay_alone)?;
    Ok(Bound { udp, tcp: Some(tcp), tls: bind_tls(config)? })
}

fn bind_tls(config: &Config) -> Result<Option<(TcpListener, Arc<Certificates>)>, Failure> {
    match (config.turn.tls.listen, &config.turn.tls.cert, &config.turn.tls.key) {
        (Some(address), Some(cert), Some(key)) => {
            let certificates = Certificates::load(cert, key, "turn.tls_")?;
            Ok(Some((listen(address, "turn.tls_listen", config.relay_alone)?, certificates)))
        }
        (_, _, _) => Ok(None),
    }
}

fn listen_both(
    address: SocketAddr,
    setting: &str,
    relay_alone: bool,
) -> Result<(TcpListener, Vec<UdpSocket>), Failure> {
    let mut tries = 0;
    loop {
        let tcp = listen(address, setting, relay_alone)?;
        let bound = tcp.local_addr().unwrap_or(address);
        match listen_udp(bound, setting) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(_) if address.port() == 0 && tries < PORT_TRIES => tries += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// Starts the relay. `others` are the server's other listeners, which nobody may reach through it.
///
/// # Errors
/// One sentence that names the setting.
pub(crate) fn open(
    config: &Config,
    secrets: Secrets,
    bound: Bound,
    others: &[SocketAddr],
    share: &RelayShare,
) -> Result<(RelayLink, Ended), Failure> {
    let Bound { udp, tcp, tls } = bound;
    let first = udp.first().and_then(|socket| socket.local_addr().ok());
    let listening =
        first.ok_or_else(|| Failure::Runtime("turn.listen: the UDP socket has no address".into()))?;
    let mut own: Vec<SocketAddr> = udp.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    own.extend(tls.iter().filter_map(|(listener, _)| listener.local_addr().ok()));
    own.extend(others);
    let (core, binding) = plan(config, secrets, listening, &own, share);
    say(&core, listening);
    let streams = Admission::new(
        share.streams,
        share.streams_per_address,
        vec![config.bounds.exempt.clone(), config.trusted_proxies.clone()],
    );
    let (link, ended) = start(core, binding, udp, streams)?;
    let patience = config.bounds.tls_handshake_timeout;
    if let Some(listener) = tcp {
        tokio::spawn(accept_streams(listener, Security::Plain, link.clone(), patience));
    }
    if let Some((listener, certificates)) = tls {
        if let Ok(at) = listener.local_addr() {
            tracing::info!(%at, "relay: listening over TLS");
        }
        tokio::spawn(Arc::clone(&certificates).watch());
        tokio::spawn(accept_streams(listener, Security::Tls(certificates), link.clone(), patience));
    }
    Ok((link, ended))
}

/// Serves a listener that is the relay's alone; those that it shares with HTTP are the edge's.
async fn accept_streams(listener: TcpListener, security: Security, relay: RelayLink, patience: Duration) {
    let security = Arc::new(security);
    accept(listener, |tcp, peer| {
        let Ok(place) = relay.admit(peer) else { return };
        let (relay, security) = (relay.clone(), Arc::clone(&security));
        tokio::spawn(async move {
            if let Some(transport) = security.secure(tcp, patience).await {
                relay.adopt(transport, peer, place);
            }
        });
    })
    .await;
}

fn say(core: &visavis_turn::Config, listening: SocketAddr) {
    let ips = core.relay_ipv4.map(IpAddr::V4).into_iter().chain(core.relay_ipv6.map(IpAddr::V6));
    let ips: Vec<IpAddr> = ips.collect();
    let names: Vec<String> = ips.iter().map(IpAddr::to_string).collect();
    tracing::info!(
        at = %listening,
        "relay: listening over UDP and TCP; relaying from {}, ports {} to {}",
        names.join(" and "),
        core.relay_ports.start(),
        core.relay_ports.end()
    );
    if core.peers.local == LocalPeers::Allowed {
        tracing::warn!(
            "relay: LOCAL PEERS ARE ALLOWED: whoever has a credential reaches this machine and its private networks \
             through the relay. For trials only: leave --allow-local-peers out on a server that strangers use"
        );
    } else if listening.ip().is_unspecified() && ips.iter().all(|ip| is_private(*ip)) {
        tracing::warn!(
            "relay: peers on the internet cannot reach {}; set turn.relay_address to the public address of this machine",
            names.join(" or ")
        );
    }
    if core.realm.len() > SHORT_REALM_BYTES {
        tracing::warn!(
            "turn.realm: longer than {SHORT_REALM_BYTES} bytes, so that strangers get more than 2.7 times what they send"
        );
    }
}

/// Says at the start if visitors will not find the relay, and what to set. For a server that names its own relay to them.
pub(crate) fn advise(config: &Config, own: &OwnRelay) {
    let behind_proxy = !config.trusted_proxies.is_empty();
    let is_named = own.public_host.is_some();
    match (own.plain.ip().is_loopback(), behind_proxy) {
        (true, true) => tracing::warn!(
            "relay: it listens on loopback ({}), so no visitor from elsewhere reaches it through the proxy, and calls that \
             find no direct path fail; set turn.listen to 0.0.0.0:3478 and turn.public_host to a name or an address that \
             leads to this machine, and let UDP and TCP to port 3478 and UDP to {}-{} through",
            own.plain,
            config.turn.relay_ports.start(),
            config.turn.relay_ports.end()
        ),
        (true, false) => tracing::info!(
            "relay: on loopback, for trials on this machine; behind a proxy set turn.listen to 0.0.0.0:3478, turn.public_host \
             and trusted_proxy"
        ),
        (false, true) if !is_named => match own.public_address(own.plain.ip()) {
            Some(address) => tracing::info!(
                "relay: visitors who come through the proxy are told to reach it at {address}; turn.public_host names it \
                 better"
            ),
            None => tracing::warn!(
                "relay: nothing says how visitors who come through the proxy reach it; they look for it under the name of \
                 the page, which leads to the proxy. Set turn.public_host to a name or an address that leads to this \
                 machine"
            ),
        },
        (false, _) => {}
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}
