//! Scripts of packets against exact answers. The client here is written beside the server's code and not with it.

mod allocating;
mod answering;
mod authenticating;
mod malformed;
mod moving;
mod peers;
mod relaying;

use super::*;
use crate::credentials::Key;
use crate::peers::{LocalPeers, OwnListeners, Peers};
use crate::{Bound, Credential, Secret, Secrets};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const BINDING: u16 = 0x001;
const ALLOCATE: u16 = 0x003;
const REFRESH: u16 = 0x004;
const SEND: u16 = 0x016;
const DATA: u16 = 0x017;
const CREATE_PERMISSION: u16 = 0x008;
const CHANNEL_BIND: u16 = 0x009;

const REALM: &str = "example.org";
const START_S: u64 = 1_700_000_000;
const RELAY_IPV4: &str = "5.5.5.5";
const RELAY_IPV6: &str = "2a05::5";
const PEER: &str = "9.9.9.9:7000";
const UDP: [u8; 4] = [17, 0, 0, 0];
const IPV4: [u8; 4] = [1, 0, 0, 0];
const IPV6: [u8; 4] = [2, 0, 0, 0];

/// A relay with a system that opens what it is asked for, and a clock that stands still until it is moved.
struct World {
    relay: Relay,
    shell: Ports,
    now: Time,
    sent: u64,
}

#[derive(Default)]
struct Ports {
    open: BTreeMap<RelayId, (Family, u16)>,
    taken: Vec<u16>,
    /// The system has no descriptors left.
    is_exhausted: bool,
    closed_streams: Vec<u64>,
}

impl Shell for Ports {
    fn open_relay(&mut self, relay: RelayId, family: Family, port: u16) -> Opened {
        if self.is_exhausted {
            return Opened::Failed;
        }
        if self.taken.contains(&port) {
            return Opened::Taken;
        }
        assert!(!self.open.values().any(|known| *known == (family, port)), "asked twice for port {port}");
        self.open.insert(relay, (family, port));
        Opened::Yes
    }

    fn close_relay(&mut self, relay: RelayId) {
        assert!(self.open.remove(&relay).is_some(), "closed twice");
    }

    fn close_stream(&mut self, stream: u64) {
        self.closed_streams.push(stream);
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn secrets() -> Secrets {
    Secrets::new(secret("s3cret"), [secret("older")])
}

fn credential(user: &str) -> Credential {
    secrets().mint(START_S + 3600, user)
}

fn config() -> Config {
    Config {
        realm: REALM.into(),
        secrets: secrets(),
        relay_ipv4: Some(RELAY_IPV4.parse().unwrap()),
        relay_ipv6: Some(RELAY_IPV6.parse().unwrap()),
        relay_ports: 50_000..=50_099,
        peers: Peers {
            own_listeners: OwnListeners {
                addresses: ["9.9.9.9:3478".parse().unwrap()].into_iter().collect(),
                ..OwnListeners::default()
            },
            ..Peers::default()
        },
        bounds: Bounds { stranger_replies_per_s: 0, ..Bounds::default() },
        exempt: Vec::new(),
    }
}

fn udp(address: &str) -> Client {
    Client { via: Via::Udp(0), address: address.parse().unwrap() }
}

fn stream(number: u64, address: &str) -> Client {
    Client { via: Via::Stream(number), address: address.parse().unwrap() }
}

/// The usual client.
fn alice() -> Client {
    udp("8.8.8.8:4000")
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        let now = Time::from_micros(START_S * 1_000_000);
        World { relay: Relay::new(config, &[7; 32]), shell: Ports::default(), now, sent: 0 }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        if self.relay.poll_timeout().is_some_and(|due| due <= self.now) {
            self.relay.handle_timeout(self.now, &mut self.shell);
        }
    }

    /// Whatever comes of the bytes.
    fn receive(&mut self, client: Client, bytes: &[u8]) -> (Forward, Vec<u8>) {
        let mut packet = Packet::with_room(2048);
        packet.fill(bytes);
        let forward = self.relay.handle_client(self.now, client, &mut packet, &mut self.shell);
        (forward, packet.bytes().to_vec())
    }

    fn receive_from_peer(&mut self, relay: RelayId, peer: &str, bytes: &[u8]) -> (Forward, Vec<u8>) {
        let mut packet = Packet::with_room(2048);
        packet.fill(bytes);
        let forward = self.relay.handle_peer(self.now, relay, peer.parse().unwrap(), &mut packet);
        (forward, packet.bytes().to_vec())
    }

    /// The answer to a request, which must come back to who asked.
    fn ask(&mut self, client: Client, request: &[u8]) -> Answer {
        let (forward, bytes) = self.receive(client, request);
        assert_eq!(forward, Forward::ToClient(client), "no answer");
        assert_eq!(bytes[8..20], request[8..20], "the answer is to another transaction");
        Answer::read(bytes)
    }

    fn nonce(&mut self, client: Client) -> Vec<u8> {
        let request = self.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).unsigned();
        self.ask(client, &request).value(attribute::NONCE).to_vec()
    }

    fn request(&mut self, method: u16) -> Request {
        self.sent += 1;
        let mut transaction = [0x55; 12];
        transaction[..8].copy_from_slice(&self.sent.to_be_bytes());
        Request { kind: method, transaction, attributes: Vec::new() }
    }

    /// Asks with a fresh nonce and this user's credential.
    fn ask_as(&mut self, user: &str, client: Client, request: Request) -> Answer {
        let nonce = self.nonce(client);
        let credential = credential(user);
        let answer = self.ask(client, &request.signed(&credential, REALM, &nonce));
        answer.assert_signed(&credential);
        answer
    }

    fn allocate(&mut self, user: &str, client: Client) -> Answer {
        let request = self.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
        let answer = self.ask_as(user, client, request);
        assert_eq!(answer.code(), 0);
        answer
    }

    fn permit(&mut self, user: &str, client: Client, peers: &[&str]) -> u16 {
        let request = peers.iter().fold(self.request(CREATE_PERMISSION), |request, peer| request.peer(peer));
        self.ask_as(user, client, request).code()
    }

    fn bind(&mut self, user: &str, client: Client, channel: u16, peer: &str) -> u16 {
        let number = [(channel >> 8) as u8, channel as u8, 0, 0];
        let request = self.request(CHANNEL_BIND).with(attribute::CHANNEL_NUMBER, &number).peer(peer);
        self.ask_as(user, client, request).code()
    }

    fn refresh(&mut self, user: &str, client: Client, lifetime_s: u32) -> Answer {
        let request = self.request(REFRESH).with(attribute::LIFETIME, &lifetime_s.to_be_bytes());
        self.ask_as(user, client, request)
    }

    /// The socket of a relay address.
    fn socket(&self, address: SocketAddr) -> RelayId {
        let wanted = (Family::of(address.ip()), address.port());
        *self.shell.open.iter().find(|(_, open)| **open == wanted).expect("an open port").0
    }

    fn assert_nothing_is_kept(&self) {
        assert_eq!(self.relay.gauges(), Gauges::default());
        assert!(self.shell.open.is_empty());
        assert!(
            self.relay.clients.is_empty() && self.relay.ports.is_empty() && self.relay.tickets.is_empty()
        );
        assert!(self.relay.reservations.is_empty() && self.relay.holders.is_empty());
    }
}

/// A message under construction.
#[derive(Clone)]
struct Request {
    kind: u16,
    transaction: [u8; 12],
    attributes: Vec<u8>,
}

impl Request {
    fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.attributes.extend(kind.to_be_bytes());
        self.attributes.extend((value.len() as u16).to_be_bytes());
        self.attributes.extend(value);
        self.attributes.resize(self.attributes.len().next_multiple_of(4), 0);
        self
    }

    fn peer(self, peer: &str) -> Self {
        let peer: SocketAddr = peer.parse().unwrap();
        let mask: Vec<u8> = [0x21, 0x12, 0xa4, 0x42].into_iter().chain(self.transaction).collect();
        let octets = match peer.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let port = (peer.port() ^ 0x2112).to_be_bytes();
        let mut value = vec![0, if octets.len() == 4 { 1 } else { 2 }, port[0], port[1]];
        value.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
        self.with(attribute::XOR_PEER_ADDRESS, &value)
    }

    fn header(&self, length: usize) -> Vec<u8> {
        let mut bytes = self.kind.to_be_bytes().to_vec();
        bytes.extend((length as u16).to_be_bytes());
        bytes.extend([0x21, 0x12, 0xa4, 0x42]);
        bytes.extend(self.transaction);
        bytes
    }

    fn unsigned(&self) -> Vec<u8> {
        let mut bytes = self.header(self.attributes.len());
        bytes.extend(&self.attributes);
        bytes
    }

    fn signed(self, credential: &Credential, realm: &str, nonce: &[u8]) -> Vec<u8> {
        let key = Key::new(&credential.username, realm, &credential.password);
        self.with(attribute::USERNAME, credential.username.as_bytes())
            .with(attribute::REALM, realm.as_bytes())
            .with(attribute::NONCE, nonce)
            .signed_with(&key)
    }

    fn signed_with(self, key: &Key) -> Vec<u8> {
        let mut covered = self.header(self.attributes.len() + 24);
        covered.extend(&self.attributes);
        let signature = key.sign(&[&covered]);
        self.with(attribute::MESSAGE_INTEGRITY, &signature).unsigned()
    }
}

/// A reply, taken apart.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Answer {
    fn read(bytes: Vec<u8>) -> Self {
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len() - 20, "the length");
        assert_eq!(bytes[4..8], [0x21, 0x12, 0xa4, 0x42], "the cookie");
        let mut attributes = Vec::new();
        let mut rest = &bytes[20..];
        while !rest.is_empty() {
            let kind = u16::from_be_bytes([rest[0], rest[1]]);
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            attributes.push((kind, rest[4..4 + length].to_vec()));
            rest = &rest[4 + length.next_multiple_of(4)..];
        }
        let answer = Answer { bytes, attributes };
        assert_eq!(answer.kinds().iter().filter(|kind| **kind == 0x8022).count(), 0, "SOFTWARE is told");
        answer
    }

    /// Zero for success.
    fn code(&self) -> u16 {
        let is_error = self.bytes[0] & 1 == 1 && self.bytes[1] & 0x10 != 0;
        match self.attributes.iter().find(|(kind, _)| *kind == attribute::ERROR_CODE) {
            Some((_, value)) => {
                assert!(is_error);
                u16::from(value[2]) * 100 + u16::from(value[3])
            }
            None => {
                assert!(!is_error && self.bytes[0] & 1 == 1);
                0
            }
        }
    }

    fn kinds(&self) -> Vec<u16> {
        self.attributes.iter().map(|(kind, _)| *kind).collect()
    }

    fn values(&self, wanted: u16) -> Vec<&[u8]> {
        self.attributes.iter().filter(|(kind, _)| *kind == wanted).map(|(_, value)| &value[..]).collect()
    }

    fn value(&self, wanted: u16) -> &[u8] {
        self.values(wanted).first().unwrap_or_else(|| panic!("no {wanted:#06x} in {self:?}"))
    }

    fn number(&self, wanted: u16) -> u32 {
        u32::from_be_bytes(self.value(wanted).try_into().expect("four bytes"))
    }

    fn addresses(&self, wanted: u16) -> Vec<SocketAddr> {
        let transaction: [u8; 12] = self.bytes[8..20].try_into().unwrap();
        let mask: Vec<u8> = [0x21, 0x12, 0xa4, 0x42].into_iter().chain(transaction).collect();
        let read = |value: &[u8]| {
            let port = u16::from_be_bytes([value[2], value[3]]) ^ 0x2112;
            let octets: Vec<u8> = value[4..].iter().zip(&mask).map(|(octet, mask)| octet ^ mask).collect();
            let ip: IpAddr = match value[1] {
                1 => <[u8; 4]>::try_from(octets).unwrap().into(),
                _ => <[u8; 16]>::try_from(octets).unwrap().into(),
            };
            SocketAddr::new(ip, port)
        };
        self.values(wanted).into_iter().map(read).collect()
    }

    fn relayed(&self) -> SocketAddr {
        self.addresses(attribute::XOR_RELAYED_ADDRESS)[0]
    }

    fn assert_signed(&self, credential: &Credential) {
        let key = Key::new(&credential.username, REALM, &credential.password);
        let Some(at) = self.bytes.len().checked_sub(24).filter(|at| self.bytes[*at..*at + 2] == [0, 8])
        else {
            assert!([401, 438].contains(&self.code()), "not signed: {self:?}");
            return;
        };
        assert_eq!(self.bytes[at + 4..], key.sign(&[&self.bytes[..at]]), "the answer's signature");
    }
}

fn channel_data(channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = channel.to_be_bytes().to_vec();
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}
