//! As much of a TURN client (RFC 8656) as it takes to have a channel to a peer.
//!
//! Written beside the server's code and not with it, so that one misreading of the RFC cannot hide in both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use visavis_turn::{Credential, Key};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);
const TRIES: u32 = 8;

const ALLOCATE: u16 = 0x003;
const CHANNEL_BIND: u16 = 0x009;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const CHANNEL_NUMBER: u16 = 0x000c;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const REQUESTED_TRANSPORT: u16 = 0x0019;
const UDP: [u8; 4] = [17, 0, 0, 0];

/// The channel of every client: each has but one.
pub(crate) const CHANNEL: u16 = 0x4001;

/// Takes an allocation on the relay that `socket` is connected to, and a channel to `peer`; returns the relay address.
///
/// # Errors
/// The relay does not answer, or refuses.
pub(crate) fn join(socket: &UdpSocket, credential: &Credential, peer: SocketAddr) -> io::Result<SocketAddr> {
    socket.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let transport = [(REQUESTED_TRANSPORT, UDP.to_vec())];
    let challenge = ask(socket, ALLOCATE, &transport, None)?;
    let (Some(realm), Some(nonce)) = (challenge.attribute(REALM), challenge.attribute(NONCE)) else {
        challenge.succeeded("Allocate")?;
        return Err(refused("an allocation for whoever asks: it has no realm".into()));
    };
    let realm_text = String::from_utf8_lossy(&realm);
    let key = Key::new(&credential.username, &realm_text, &credential.password);
    let login = Login { username: credential.username.as_bytes().to_vec(), realm, nonce, key };

    let allocated = ask(socket, ALLOCATE, &transport, Some(&login))?.succeeded("Allocate")?;
    let relayed = allocated.attribute(XOR_RELAYED_ADDRESS).and_then(|value| read_address(&value));
    let relayed = relayed.ok_or_else(|| refused("an allocation without an IPv4 address".into()))?;
    let number = CHANNEL.to_be_bytes();
    let channel =
        [(CHANNEL_NUMBER, vec![number[0], number[1], 0, 0]), (XOR_PEER_ADDRESS, write_address(peer)?)];
    ask(socket, CHANNEL_BIND, &channel, Some(&login))?.succeeded("ChannelBind")?;
    Ok(relayed)
}

struct Login {
    username: Vec<u8>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    key: Key,
}

struct Answer(Vec<u8>);

impl Answer {
    fn attribute(&self, wanted: u16) -> Option<Vec<u8>> {
        let mut rest = self.0.get(HEADER_BYTES..)?;
        loop {
            let kind = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
            let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
            if kind == wanted {
                return rest.get(4..4 + length).map(<[u8]>::to_vec);
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
    }

    fn succeeded(self, what: &str) -> io::Result<Self> {
        match self.attribute(ERROR_CODE) {
            None => Ok(self),
            Some(error) => {
                let code = error.get(2..4).map_or(0, |code| u32::from(code[0]) * 100 + u32::from(code[1]));
                Err(refused(format!("{what} is answered by {code}")))
            }
        }
    }
}

fn ask(
    socket: &UdpSocket,
    method: u16,
    attributes: &[(u16, Vec<u8>)],
    login: Option<&Login>,
) -> io::Result<Answer> {
    let transaction = transaction(socket)?;
    let packet = request(method, transaction, attributes, login);
    let mut buffer = [0; 2048];
    for _ in 0..TRIES {
        socket.send(&packet)?;
        while let Ok(length) = socket.recv(&mut buffer) {
            if buffer.get(8..HEADER_BYTES) == Some(&transaction[..]) {
                return Ok(Answer(buffer[..length].to_vec()));
            }
        }
    }
    Err(refused("no answer".into()))
}

fn request(
    method: u16,
    transaction: [u8; 12],
    attributes: &[(u16, Vec<u8>)],
    login: Option<&Login>,
) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(method.to_be_bytes());
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

fn put(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    packet.extend(kind.to_be_bytes());
    packet.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(value);
    packet.resize(packet.len().next_multiple_of(4), 0);
}

fn set_length(packet: &mut [u8], further: usize) {
    let length = u16::try_from(packet.len() - HEADER_BYTES + further).unwrap_or(u16::MAX).to_be_bytes();
    packet[2..4].copy_from_slice(&length);
}

/// One request of a socket is under way at a time; its own port and the time make it unlike others.
fn transaction(socket: &UdpSocket) -> io::Result<[u8; 12]> {
    let now = std::time::UNIX_EPOCH.elapsed().map_err(io::Error::other)?.as_nanos().to_be_bytes();
    let mut transaction = [0; 12];
    transaction[..10].copy_from_slice(&now[6..]);
    transaction[10..].copy_from_slice(&socket.local_addr()?.port().to_be_bytes());
    Ok(transaction)
}

/// RFC 8489, section 14.2, for IPv4.
fn read_address(value: &[u8]) -> Option<SocketAddr> {
    let [_, 1, high, low, address @ ..] = value else { return None };
    let port = u16::from_be_bytes([high ^ COOKIE[0], low ^ COOKIE[1]]);
    let address: [u8; 4] = address.try_into().ok()?;
    let [a, b, c, d] = std::array::from_fn(|at| address[at] ^ COOKIE[at]);
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port))
}

fn write_address(address: SocketAddr) -> io::Result<Vec<u8>> {
    let SocketAddr::V4(address) = address else {
        return Err(io::Error::other("this load speaks IPv4"));
    };
    let port = address.port().to_be_bytes();
    let masked = address.ip().octets().into_iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask);
    Ok([0, 1, port[0] ^ COOKIE[0], port[1] ^ COOKIE[1]].into_iter().chain(masked).collect())
}

fn refused(why: String) -> io::Error {
    io::Error::other(format!("the relay: {why}"))
}
