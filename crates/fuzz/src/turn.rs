//! A relay among clients and peers that send it whatever they like.
//!
//! What must hold: nothing goes to a peer that its client was not granted, to a special-purpose address or to our own
//! listeners; what goes out to a peer is no longer than what came, and what goes to a client is longer by a header at
//! most; a stranger gets at most 2.7 times what it sent; sockets are opened and closed once, within the bounds; time goes
//! on after every timer; and when everybody has gone nothing is left.

mod client;
mod special;

use crate::choices::Choices;
use client::{Answer, Caller, ask, signed};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_turn::{
    Bounds, Client, Config, Family, Forward, Frame, Gauges, Opened, OwnListeners, Packet, Peers, Relay,
    RelayId, Secret, Secrets, Shell, Time, Via, next_frame,
};

/// The bytes choose the bounds, then one step after the other.
pub fn turn(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let mut world = World::new(choices.byte());
    while !choices.is_over() {
        world.step(&mut choices);
    }
    world.everybody_goes();
}

const REALM: &str = "example.org";
const START_S: u64 = 1_700_000_000;
const RELAY_IPV4: &str = "5.5.5.5";
const RELAY_IPV6: &str = "2a05::5";
/// Another address of the relay's machine.
const MACHINE_IPV6: &str = "2a00::9";
const OWN_PORT: u16 = 3478;
const FIRST_PORT: u16 = 50_000;
/// Header and padding around a payload for a client: a Data indication for an IPv6 peer.
const MAX_HEADER_BYTES: usize = 48 + 3;

/// Public, our own relay address, and those that nobody may reach.
const PEERS: [&str; 16] = [
    "9.9.9.9:7000",
    "9.9.9.9:7001",
    "[2a00::8]:7000",
    "5.5.5.5:50000",
    "5.5.5.5:50002",
    "5.5.5.5:3478",
    "[2a05::5]:50001",
    "9.9.9.10:3478",
    "127.0.0.1:80",
    "10.0.0.1:80",
    "169.254.169.254:80",
    "[2a00::9]:80",
    "[::ffff:10.0.0.1]:80",
    "[fe80::1]:80",
    "[3fff::1]:80",
    "[5f00::1]:80",
];

/// Sockets of the system, of which some cannot be had.
#[derive(Default)]
struct Ports {
    open: BTreeMap<RelayId, (Family, u16)>,
    asked: u32,
    closed_streams: BTreeSet<u64>,
}

impl Shell for Ports {
    fn open_relay(&mut self, relay: RelayId, family: Family, port: u16) -> Opened {
        self.asked += 1;
        match self.asked % 7 {
            3 => return Opened::Taken,
            5 => return Opened::Failed,
            _ => {}
        }
        let again = self.open.values().any(|known| *known == (family, port));
        assert!(!again, "port {port} is opened twice");
        assert!(self.open.insert(relay, (family, port)).is_none(), "{relay:?} is opened twice");
        Opened::Yes
    }

    fn close_relay(&mut self, relay: RelayId) {
        assert!(self.open.remove(&relay).is_some(), "{relay:?} is closed and was not open");
    }

    fn close_stream(&mut self, stream: u64) {
        self.closed_streams.insert(stream);
    }
}

struct World {
    bounds: Bounds,
    relay: Relay,
    shell: Ports,
    now: Time,
    callers: Vec<Caller>,
    packet: Packet,
}

impl World {
    fn new(bits: u8) -> Self {
        let bounds = Bounds {
            allocations: 5,
            relay_sockets: 7,
            allocations_per_user: 2,
            allocations_per_address: 3,
            permissions: 3,
            channels: 2,
            bytes_per_s: if bits & 1 == 0 { 0 } else { 1_000 },
            user_bytes_per_s: if bits & 8 == 0 { 0 } else { 1_500 },
            address_bytes_per_s: if bits & 16 == 0 { 0 } else { 2_000 },
            total_bytes_per_s: if bits & 32 == 0 { 0 } else { 3_000 },
            stranger_replies_per_s: if bits & 2 == 0 { 0 } else { 2 },
        };
        let secret = |text: &str| Secret::new(text).expect("not empty");
        let secrets = Secrets::new(secret("present"), [secret("past")]);
        let config = Config {
            realm: REALM.into(),
            secrets: secrets.clone(),
            relay_ipv4: Some(RELAY_IPV4.parse().expect("an address")),
            relay_ipv6: (bits & 4 == 0).then(|| RELAY_IPV6.parse().expect("an address")),
            relay_ports: FIRST_PORT..=FIRST_PORT + 9,
            peers: Peers {
                own_listeners: OwnListeners {
                    everywhere: [OWN_PORT].into_iter().collect(),
                    ..OwnListeners::default()
                },
                machine: [RELAY_IPV4, MACHINE_IPV6]
                    .map(|ip| ip.parse().expect("an address"))
                    .into_iter()
                    .collect(),
                ..Peers::default()
            },
            bounds,
            exempt: Vec::new(),
        };
        let places = [
            Client { via: Via::Udp(0), address: "8.8.8.8:1000".parse().expect("an address") },
            Client { via: Via::Udp(0), address: "8.8.8.8:1001".parse().expect("an address") },
            Client { via: Via::Udp(1), address: "[2a08::8]:1000".parse().expect("an address") },
            Client { via: Via::Stream(7), address: "8.8.4.4:1000".parse().expect("an address") },
        ];
        let callers = places.into_iter().zip(["a", "a", "b", "c"]).map(|(client, user)| {
            let credential = secrets.mint(START_S + 3_600, user);
            Caller::new(client, credential)
        });
        World {
            bounds,
            relay: Relay::new(config, &[7; 32]),
            shell: Ports::default(),
            now: Time::from_micros(START_S * 1_000_000),
            callers: callers.collect(),
            packet: Packet::with_room(2_048),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let who = choices.below(self.callers.len());
        match choices.below(16) {
            0..=8 => {
                let request =
                    ask(choices, &self.callers[who], &PEERS.map(|peer| peer.parse().expect("an address")));
                self.client_sends(who, &request);
            }
            9 => self.stranger_sends(choices),
            10 => {
                let length = choices.below(64);
                self.client_sends(who, choices.bytes(length));
            }
            11 => self.peer_sends(choices),
            12 | 13 => {
                self.time_passes(Duration::from_secs(choices.among(&[0, 1, 5, 30, 299, 300, 600, 3_600])))
            }
            14 => {
                let client = self.callers[who].client;
                self.relay.handle_stream_closed(client, &mut self.shell);
                self.relay.handle_stream_opened(self.now, client);
            }
            _ => read_as_stream(choices),
        }
        self.within_bounds();
    }

    /// Somebody without a password, or a message that was changed on its way.
    fn stranger_sends(&mut self, choices: &mut Choices<'_>) {
        let who = choices.below(self.callers.len());
        let mut request =
            ask(choices, &self.callers[who], &PEERS.map(|peer| peer.parse().expect("an address")));
        let at = choices.below(request.len());
        request[at] ^= choices.byte();
        let nowhere = Client { via: Via::Udp(0), address: "7.7.7.7:7".parse().expect("an address") };
        let before = self.relay.gauges();
        self.packet.room()[..request.len()].copy_from_slice(&request);
        self.packet.set_len(request.len());
        let forward = self.relay.handle_client(self.now, nowhere, &mut self.packet, &mut self.shell);
        match forward {
            Forward::Nowhere => {}
            Forward::ToPeer { .. } => panic!("relayed for somebody without an allocation"),
            Forward::ToClient(to) => {
                assert_eq!(to, nowhere, "an answer goes to who asked");
                let answer = Answer::read(self.packet.bytes()).expect("an answer is a message");
                if !answer.is_signed {
                    self.is_no_lever(&request);
                }
            }
        }
        // A message that came by unharmed may make an allocation, by its right nonce; no nonce is of this address.
        assert_eq!(self.relay.gauges(), before, "a stranger leaves nothing behind");
    }

    fn client_sends(&mut self, who: usize, request: &[u8]) {
        self.packet.room()[..request.len()].copy_from_slice(request);
        self.packet.set_len(request.len());
        let client = self.callers[who].client;
        let forward = self.relay.handle_client(self.now, client, &mut self.packet, &mut self.shell);
        match forward {
            Forward::Nowhere => {}
            Forward::ToClient(to) if to == client => {
                if let Some(answer) = Answer::read(self.packet.bytes()) {
                    if !answer.is_signed && !answer.is_data {
                        self.is_no_lever(request);
                    }
                    self.callers[who].hear(request, &answer);
                    self.share(who);
                } else {
                    self.is_payload(request.len());
                }
            }
            // From one of our relay addresses to another, and on to whoever has that.
            Forward::ToClient(_) => self.is_payload(request.len()),
            Forward::ToPeer { relay, peer, fragments: _ } => {
                let (family, _) = self.shell.open.get(&relay).copied().expect("an open socket");
                assert_eq!(family, Family::of(peer.ip()));
                assert!(!special::is_special(peer.ip()), "relayed to {peer}");
                for own in [RELAY_IPV4, RELAY_IPV6, MACHINE_IPV6] {
                    assert_ne!(peer.ip(), own.parse::<IpAddr>().expect("an address"), "relayed to ourselves");
                }
                assert!(self.packet.len() <= request.len(), "longer than what came");
                assert!(self.granted(client, peer.ip()), "{peer} was never granted");
            }
        }
    }

    /// Callers of one user are one client at several addresses: each may move the allocation of another.
    fn share(&mut self, who: usize) {
        let known = self.callers[who].clone();
        for caller in
            self.callers.iter_mut().filter(|caller| caller.credential.username == known.credential.username)
        {
            caller.tickets.clone_from(&known.tickets);
            caller.token.clone_from(&known.token);
        }
    }

    /// An allocation may have moved: what was granted was granted to a user.
    fn granted(&self, client: Client, peer: IpAddr) -> bool {
        let user = self
            .callers
            .iter()
            .find(|caller| caller.client == client)
            .map(|caller| &caller.credential.username);
        self.callers
            .iter()
            .filter(|caller| Some(&caller.credential.username) == user)
            .any(|caller| caller.granted.contains(&peer))
    }

    fn peer_sends(&mut self, choices: &mut Choices<'_>) {
        let which = choices.below(self.shell.open.len());
        let Some((relay, (family, _))) = self.shell.open.iter().nth(which).map(|(id, at)| (*id, *at)) else {
            return;
        };
        let peer: SocketAddr = choices.among(&PEERS).parse().expect("an address");
        if Family::of(peer.ip()) != family {
            return;
        }
        let length = [0, 1, 3, 1_200][choices.below(4)];
        self.packet.set_len(length);
        if let Forward::ToClient(client) = self.relay.handle_peer(self.now, relay, peer, &mut self.packet) {
            self.is_payload(length);
            assert!(self.granted(client, peer.ip()), "{peer} was never granted, and reached a client");
        }
    }

    fn is_no_lever(&self, request: &[u8]) {
        // What only repeats the request's header in an error is as short as an answer can be.
        let shortest = 20 + 8 + 8 + 24;
        assert!(
            self.packet.len() * 10 <= (request.len() * 27).max(shortest * 10),
            "{} bytes for {}",
            self.packet.len(),
            request.len()
        );
    }

    fn is_payload(&self, came: usize) {
        assert!(self.packet.len() <= came + MAX_HEADER_BYTES, "{} bytes for {came}", self.packet.len());
    }

    fn time_passes(&mut self, span: Duration) {
        self.now = self.now + span;
        self.relay.handle_timeout(self.now, &mut self.shell);
        assert!(self.relay.poll_timeout().is_none_or(|next| next > self.now), "the same moment is due again");
    }

    fn within_bounds(&self) {
        let Gauges { allocations, relay_addresses, users, .. } = self.relay.gauges();
        assert!(allocations <= self.bounds.allocations, "{allocations} allocations");
        // Who let go of an allocation may have a reserved port still.
        assert!(users <= relay_addresses, "{users} users of {relay_addresses} sockets");
        assert_eq!(relay_addresses, self.shell.open.len(), "sockets and addresses differ");
        // Two families, or a reserved port, which counts as an allocation.
        assert!(relay_addresses <= self.bounds.relay_sockets, "{relay_addresses} sockets");
    }

    fn everybody_goes(&mut self) {
        for caller in &self.callers {
            self.relay.handle_stream_closed(caller.client, &mut self.shell);
        }
        for _ in 0..3 {
            self.time_passes(Duration::from_secs(36_000));
        }
        assert_eq!(self.relay.gauges(), Gauges::default(), "somebody is left");
        assert!(self.shell.open.is_empty(), "a socket is left");
    }
}

/// Bytes of a stream, whole and cut: what is parted off is the same.
fn read_as_stream(choices: &mut Choices<'_>) {
    let length = choices.below(256);
    let bytes = choices.bytes(length);
    match next_frame(bytes) {
        Frame::Whole { len, padded } => {
            assert!(len <= padded && padded <= bytes.len() && padded - len < 4 && padded > 0);
            for cut in 0..padded {
                assert_eq!(next_frame(&bytes[..cut]), Frame::Incomplete, "cut at {cut}");
            }
        }
        Frame::Garbage => {
            let mut longer = bytes.to_vec();
            longer.extend([0; 64]);
            assert_eq!(next_frame(&longer), Frame::Garbage, "garbage stays garbage");
        }
        Frame::Incomplete => assert!(bytes.len() < 4 + 20 + 65_536),
    }
}

/// Bytes as they come, from somebody of whom nothing is known: STUN in all its forms.
pub fn stun(bytes: &[u8]) {
    let mut world = World::new(0);
    let mut choices = Choices::of(bytes);
    read_as_stream(&mut Choices::of(bytes));
    // As they are, and as the body of a message whose head is right.
    let head = choices.byte();
    world.client_sends(0, bytes.get(..2_048.min(bytes.len())).unwrap_or_default());
    let body = choices.rest();
    let body = &body[..body.len().min(1_024) / 4 * 4];
    world.client_sends(1, &signed(u16::from(head & 15) | u16::from(head & 16), &[], body, None));
    let caller = world.callers[2].clone();
    world.client_sends(2, &signed(0x003, &[], &[], None));
    world.client_sends(2, &signed(u16::from(head & 15), &[], body, Some(&caller.key)));
    world.within_bounds();
    world.everybody_goes();
}
