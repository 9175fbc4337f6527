//! Where the relay stands: which sockets listen, and with which addresses packets are relayed.

use super::machine;
use crate::capacity::RelayShare;
use crate::config::Config;
use crate::failure::Failure;
use crate::self_signed::local_addresses;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use visavis_turn::{Family, OwnListeners, Peers, Secrets};

/// What the kernel may hold for a socket that all clients share. It lowers that to its own bound.
const LISTENER_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// The addresses that relay sockets are bound to. Behind a NAT they are not those that peers see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) bind_ipv4: Ipv4Addr,
    pub(super) bind_ipv6: Ipv6Addr,
}

/// The sockets for one address: an IPv6 wildcard hears IPv4 by a second one, so that each has one family.
///
/// # Errors
/// One sentence that names the setting.
pub(super) fn listen_udp(address: SocketAddr, setting: &str) -> Result<Vec<UdpSocket>, Failure> {
    let mut addresses = vec![address];
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        addresses.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
    }
    addresses
        .into_iter()
        .map(|address| bind(address, Some(LISTENER_BUFFER_BYTES)))
        .collect::<io::Result<_>>()
        .map_err(|error| {
            let mend = "choose another with turn.listen, or leave the relay out with turn.enabled = false";
            Failure::Runtime(match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("{setting}: UDP port {} is taken by another program; {mend}", address.port())
                }
                _ => format!("{setting}: cannot listen on UDP {address}: {}; {mend}", crate::reason(&error)),
            })
        })
}

pub(super) fn bind(address: SocketAddr, buffer_bytes: Option<usize>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(bytes) = buffer_bytes {
        // Less serves as well, with more loss in bursts.
        let _ = socket.set_recv_buffer_size(bytes);
        let _ = socket.set_send_buffer_size(bytes);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// From the operator's settings, and where the server's listeners turned out to be.
pub(super) fn plan(
    config: &Config,
    secrets: Secrets,
    relay_listen: SocketAddr,
    listeners: &[SocketAddr],
    share: &RelayShare,
) -> (visavis_turn::Config, Binding) {
    let turn = &config.turn;
    let (relay_ipv4, relay_ipv6) = relay_ips(&turn.relay_addresses, relay_listen.ip());
    let binding = Binding {
        bind_ipv4: relay_ipv4.filter(|ip| is_ours((*ip).into())).unwrap_or(Ipv4Addr::UNSPECIFIED),
        bind_ipv6: relay_ipv6.filter(|ip| is_ours((*ip).into())).unwrap_or(Ipv6Addr::UNSPECIFIED),
    };
    let mut own_listeners = OwnListeners::default();
    for address in listeners {
        if address.ip().is_unspecified() {
            own_listeners.everywhere.insert(address.port());
        } else {
            own_listeners.addresses.insert(*address);
        }
    }
    let machine = machine::addresses().unwrap_or_else(|| local_addresses().into_iter().collect());
    let config = visavis_turn::Config {
        realm: turn.realm.clone(),
        secrets,
        relay_ipv4,
        relay_ipv6,
        relay_ports: turn.relay_ports.clone(),
        peers: Peers {
            local: turn.local_peers,
            own_listeners,
            machine,
            denied: turn.denied_peers.nets().collect(),
        },
        bounds: visavis_turn::Bounds {
            relay_sockets: share.sockets,
            allocations_per_address: share.allocations_per_address,
            ..turn.bounds
        },
        // Who comes through a proxy of the operator's own has its address.
        exempt: config.bounds.exempt.nets().chain(config.trusted_proxies.nets()).collect(),
    };
    (config, binding)
}

/// As given; else that which is listened on; else those by which this machine reaches the world.
pub(super) fn relay_ips(given: &[IpAddr], listen: IpAddr) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let first = |addresses: &[IpAddr]| {
        let ipv4 = addresses.iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(*ip),
            IpAddr::V6(_) => None,
        });
        let ipv6 = addresses.iter().find_map(|ip| match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(*ip),
        });
        (ipv4, ipv6)
    };
    match (given, listen.is_unspecified()) {
        ([], false) => first(&[listen]),
        ([], true) => match first(&local_addresses()) {
            // No way leads to the internet as a whole; but a network may reach this machine.
            (None, None) => match first(&global_addresses()) {
                // A machine without a network can still be tried out.
                (None, None) => (Some(Ipv4Addr::LOCALHOST), None),
                found => found,
            },
            found => found,
        },
        (given, _) => first(given),
    }
}

fn global_addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> =
        machine::addresses().into_iter().flatten().filter(|ip| visavis_turn::is_public(*ip)).collect();
    // In an order that does not change from start to start.
    found.sort_unstable();
    found
}

fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

impl Binding {
    pub(super) fn address(&self, family: Family, port: u16) -> SocketAddr {
        match family {
            Family::Ipv4 => (self.bind_ipv4, port).into(),
            Family::Ipv6 => (self.bind_ipv6, port).into(),
        }
    }
}
