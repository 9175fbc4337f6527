//! STUN messages as a TURN client writes and reads them (RFC 8489, 8656), for IPv4.
//!
//! Written beside the server's code and not with it, so that one misreading of the RFCs cannot hide in both: the load
//! speaks it to any relay, and the server's tests on real sockets speak it to ours. Only keys and credentials are shared.

use std::net::{Ipv4Addr, SocketAddr};
use visavis_turn::{Credential, Key};

pub const BINDING: u16 = 0x001;
pub const ALLOCATE: u16 = 0x003;
pub const CREATE_PERMISSION: u16 = 0x008;
pub const CHANNEL_BIND: u16 = 0x009;

pub const REALM: u16 = 0x0014;
pub const NONCE: u16 = 0x0015;
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const CHANNEL_NUMBER: u16 = 0x000c;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const REQUESTED_TRANSPORT: u16 = 0x0019;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
const TRANSACTION_AT: std::ops::Range<usize> = 8..HEADER_BYTES;

pub type Attribute = (u16, Vec<u8>);

/// What a request is signed with.
pub struct Login {
    username: Vec<u8>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    key: Key,
}

impl Login {
    /// With realm and nonce as the server told them.
    pub fn new(credential: &Credential, realm: &[u8], nonce: &[u8]) -> Self {
        let key = Key::new(&credential.username, &String::from_utf8_lossy(realm), &credential.password);
        Login {
            username: credential.username.as_bytes().to_vec(),
            realm: realm.to_vec(),
            nonce: nonce.to_vec(),
            key,
        }
    }
}

/// A request, ready for the wire.
pub fn request(
    method: u16,
    transaction: [u8; 12],
    attributes: &[Attribute],
    login: Option<&Login>,
) -> Vec<u8> {
    let mut packet = method.to_be_bytes().to_vec();
    packet.extend([0, 0]);
    packet.extend(COOKIE);
    packet.extend(transaction);
    for (kind, value) in attributes {
        put(&mut packet, *kind, value);
    }
    if let Some(Login { username, realm, nonce, key }) = login {
        put(&mut packet, USERNAME, username);
        put(&mut packet, REALM, realm);
        put(&mut packet, NONCE, nonce);
        // The length that is signed already counts the signature (RFC 8489, section 14.5).
        set_length(&mut packet, 4 + Key::SIGNATURE_BYTES);
        let signature = key.sign(&[&packet]);
        put(&mut packet, MESSAGE_INTEGRITY, &signature);
    }
    set_length(&mut packet, 0);
    packet
}

/// Asks for an allocation that relays UDP.
pub fn over_udp() -> Attribute {
    (REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

/// # Panics
/// The address is not IPv4.
pub fn peer(address: SocketAddr) -> Attribute {
    let SocketAddr::V4(address) = address else { panic!("only IPv4 is spoken here") };
    let [high, low] = address.port().to_be_bytes();
    let octets = address.ip().octets().into_iter().zip(COOKIE).map(|(octet, mask)| octet ^ mask);
    let value = [0, 1, high ^ COOKIE[0], low ^ COOKIE[1]].into_iter().chain(octets).collect();
    (XOR_PEER_ADDRESS, value)
}

pub fn channel(number: u16) -> Attribute {
    let [high, low] = number.to_be_bytes();
    (CHANNEL_NUMBER, vec![high, low, 0, 0])
}

/// Payload through a channel, without the padding that a stream wants.
///
/// # Panics
/// It is longer than 65,535 bytes.
pub fn channel_data(channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("the length has 16 bits");
    [&channel.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

/// What a request brought.
pub struct Reply {
    /// Of the refusal; zero for success.
    pub code: u16,
    attributes: Vec<Attribute>,
}

impl Reply {
    /// `None`: it is the answer to another request, or garbage.
    pub fn read(packet: &[u8], request: &[u8]) -> Option<Self> {
        if packet.get(TRANSACTION_AT)? != request.get(TRANSACTION_AT)? {
            return None;
        }
        let mut attributes = Vec::new();
        let mut rest = packet.get(HEADER_BYTES..)?;
        while let [kind_high, kind_low, high, low, after @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            attributes.push((u16::from_be_bytes([*kind_high, *kind_low]), after.get(..length)?.to_vec()));
            rest = after.get(length.next_multiple_of(4)..)?;
        }
        let mut reply = Reply { code: 0, attributes };
        if let Some(error) = reply.value(ERROR_CODE) {
            reply.code = u16::from(*error.get(2)?) * 100 + u16::from(*error.get(3)?);
        }
        Some(reply)
    }

    pub fn value(&self, wanted: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| &value[..])
    }

    /// RFC 8489, section 14.2.
    pub fn address(&self, wanted: u16) -> Option<SocketAddr> {
        let [_, 1, high, low, octets @ ..] = self.value(wanted)? else { return None };
        let port = u16::from_be_bytes([high ^ COOKIE[0], low ^ COOKIE[1]]);
        let octets: [u8; 4] = octets.try_into().ok()?;
        let octets: [u8; 4] = std::array::from_fn(|at| octets[at] ^ COOKIE[at]);
        Some((Ipv4Addr::from(octets), port).into())
    }
}

fn put(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    packet.extend(kind.to_be_bytes());
    packet.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(value);
    packet.resize(packet.len().next_multiple_of(4), 0);
}

fn set_length(packet: &mut [u8], further: usize) {
    let length = u16::try_from(packet.len() - HEADER_BYTES + further).unwrap_or(u16::MAX);
    packet[2..4].copy_from_slice(&length.to_be_bytes());
}
