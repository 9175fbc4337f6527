//! A TURN client, written beside the server's code and not with it: what it asks for, and what it learns.

use crate::choices::Choices;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use visavis_turn::{Client, Credential, Key};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const INTEGRITY: u16 = 0x0008;
const NONCE: u16 = 0x0015;
const XOR_PEER: u16 = 0x0012;

const ALLOCATE: u16 = 0x003;
const REFRESH: u16 = 0x004;
const SEND: u16 = 0x016;
const CREATE_PERMISSION: u16 = 0x008;
const CHANNEL_BIND: u16 = 0x009;

#[derive(Clone)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) credential: Credential,
    pub(super) key: Key,
    nonce: Vec<u8>,
    pub(super) tickets: Vec<Vec<u8>>,
    pub(super) token: Vec<u8>,
    /// Peers that were ever granted.
    pub(super) granted: BTreeSet<IpAddr>,
    asked: u64,
}

impl Caller {
    pub(super) fn new(client: Client, credential: Credential) -> Self {
        let key = Key::new(&credential.username, super::REALM, &credential.password);
        let (nonce, tickets, token) = (Vec::new(), Vec::new(), Vec::new());
        Caller { client, credential, key, nonce, tickets, token, granted: BTreeSet::new(), asked: 0 }
    }

    pub(super) fn hear(&mut self, request: &[u8], answer: &Answer<'_>) {
        self.asked += 1;
        for (kind, value) in &answer.attributes {
            match *kind {
                NONCE => self.nonce = value.to_vec(),
                0x8030 => self.tickets.push(value.to_vec()),
                0x0022 => self.token = value.to_vec(),
                _ => {}
            }
        }
        let granting = matches!(answer.kind, 0x108 | 0x109);
        if let Some(asked) = Answer::read(request).filter(|_| granting) {
            let peers = asked.attributes.iter().filter(|(kind, _)| *kind == XOR_PEER);
            self.granted.extend(peers.filter_map(|(_, value)| read_xor(value, &asked.transaction)));
        }
    }
}

/// A message, read without any check but of its form.
pub(super) struct Answer<'a> {
    pub(super) kind: u16,
    transaction: [u8; 12],
    attributes: Vec<(u16, &'a [u8])>,
    pub(super) is_signed: bool,
    pub(super) is_data: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<20>()?;
        if head[4..8] != COOKIE || usize::from(u16::from_be_bytes([head[2], head[3]])) != rest.len() {
            return None;
        }
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let transaction = head[8..20].try_into().ok()?;
        let mut attributes = Vec::new();
        while let Some((at, tail)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([at[2], at[3]]));
            attributes.push((u16::from_be_bytes([at[0], at[1]]), tail.get(..length)?));
            rest = tail.get(length.next_multiple_of(4)..)?;
        }
        let is_signed = attributes.iter().any(|(kind, _)| *kind == INTEGRITY);
        Some(Answer { kind, transaction, attributes, is_signed, is_data: kind == 0x017 })
    }
}

fn mask(transaction: &[u8; 12]) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE);
    mask[4..].copy_from_slice(transaction);
    mask
}

fn read_xor(value: &[u8], transaction: &[u8; 12]) -> Option<IpAddr> {
    let plain: Vec<u8> =
        value.get(4..)?.iter().zip(mask(transaction)).map(|(byte, mask)| byte ^ mask).collect();
    match plain.len() {
        4 => <[u8; 4]>::try_from(plain).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(plain).ok().map(IpAddr::from),
        _ => None,
    }
}

fn xor(address: SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let port = address.port() ^ 0x2112;
    let mut value = vec![0, if ip.len() == 4 { 1 } else { 2 }];
    value.extend(port.to_be_bytes());
    value.extend(ip.iter().zip(mask(transaction)).map(|(byte, mask)| byte ^ mask));
    value
}

fn put(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend(kind.to_be_bytes());
    body.extend((value.len() as u16).to_be_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn head(kind: u16, length: usize, transaction: &[u8; 12]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend((length as u16).to_be_bytes());
    bytes.extend(COOKIE);
    bytes.extend(transaction);
    bytes
}

/// A message of these attributes and this raw body, signed if there is a key.
pub(super) fn signed(kind: u16, transaction: &[u8], body: &[u8], key: Option<&Key>) -> Vec<u8> {
    let mut id = [0; 12];
    for (to, from) in id.iter_mut().zip(transaction) {
        *to = *from;
    }
    let signature_bytes = if key.is_some() { 24 } else { 0 };
    let mut bytes = head(kind, body.len() + signature_bytes, &id);
    bytes.extend(body);
    if let Some(key) = key {
        let signature = key.sign(&[&bytes]);
        put(&mut bytes, INTEGRITY, &signature);
    }
    bytes
}

/// One message of a client that knows its password, mostly sound.
pub(super) fn ask(choices: &mut Choices<'_>, caller: &Caller, peers: &[SocketAddr]) -> Vec<u8> {
    let mut transaction = [0; 12];
    transaction[..8].copy_from_slice(&caller.asked.to_be_bytes());
    transaction[11] = caller.client.address.port() as u8;
    let what = choices.below(8);
    let bits = choices.byte();
    let mut body = Vec::new();
    let peer = |choices: &mut Choices<'_>, body: &mut Vec<u8>| {
        let address = xor(choices.among(peers), &transaction);
        put(body, XOR_PEER, &address);
    };
    let kind = match what {
        0 | 1 => {
            put(&mut body, 0x0019, &[if bits & 128 == 0 { 17 } else { 6 }, 0, 0, 0]);
            match bits & 7 {
                1 => put(&mut body, 0x0017, &[2, 0, 0, 0]),
                2 => put(&mut body, 0x8000, &[2, 0, 0, 0]),
                3 => put(&mut body, 0x0018, &[0x80]),
                4 => put(&mut body, 0x0018, &[0]),
                5 => put(&mut body, 0x0022, &caller.token),
                _ => {}
            }
            if bits & 16 != 0 {
                put(&mut body, 0x8030, &[]);
            }
            ALLOCATE
        }
        2 => {
            put(&mut body, 0x000d, &choices.among(&[0u32, 1, 600, u32::MAX]).to_be_bytes());
            if let Some(ticket) = caller.tickets.get(usize::from(bits & 3)) {
                put(&mut body, 0x8030, ticket);
            }
            if bits & 64 != 0 {
                put(&mut body, 0x0017, &[1 + (bits >> 7), 0, 0, 0]);
            }
            REFRESH
        }
        3 => {
            for _ in 0..=bits & 3 {
                peer(choices, &mut body);
            }
            CREATE_PERMISSION
        }
        4 => {
            put(&mut body, 0x000c, &[0x40, bits & 3, 0, 0]);
            peer(choices, &mut body);
            CHANNEL_BIND
        }
        5 => {
            peer(choices, &mut body);
            put(&mut body, 0x0013, &vec![7; usize::from(bits) * 4]);
            return signed(SEND, &transaction, &body, None);
        }
        6 => {
            let payload = usize::from(bits);
            let mut data = vec![0x40, bits & 3, 0, payload as u8];
            data.resize(4 + payload, 7);
            return data;
        }
        _ => return signed(u16::from(bits & 1), &transaction, &[], None),
    };
    put(&mut body, 0x0006, caller.credential.username.as_bytes());
    put(&mut body, 0x0014, super::REALM.as_bytes());
    put(&mut body, NONCE, &caller.nonce);
    signed(kind, &transaction, &body, (bits & 32 == 0).then_some(&caller.key))
}
