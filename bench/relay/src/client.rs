//! As much of a TURN client (RFC 8656) as it takes to have a channel to a peer.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use visavis_relay_load::message::{
    ALLOCATE, Attribute, CHANNEL_BIND, Login, NONCE, REALM, Reply, XOR_RELAYED_ADDRESS, channel, over_udp,
    peer, request,
};
use visavis_turn::Credential;

const ANSWERS_WITHIN: Duration = Duration::from_millis(500);
const TRIES: u32 = 8;

/// The channel of every client: each has but one.
pub(crate) const CHANNEL: u16 = 0x4001;

/// Takes an allocation on the relay that `socket` is connected to, and a channel to `to`; returns the relay address.
///
/// # Errors
/// The relay does not answer, or refuses.
pub(crate) fn join(socket: &UdpSocket, credential: &Credential, to: SocketAddr) -> io::Result<SocketAddr> {
    socket.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let challenge = ask(socket, ALLOCATE, &[over_udp()], None)?;
    let (Some(realm), Some(nonce)) = (challenge.value(REALM), challenge.value(NONCE)) else {
        succeeded("Allocate", challenge)?;
        return Err(refused("an allocation for whoever asks: it has no realm".into()));
    };
    let login = Login::new(credential, realm, nonce);
    let allocated = succeeded("Allocate", ask(socket, ALLOCATE, &[over_udp()], Some(&login))?)?;
    let relayed = allocated.address(XOR_RELAYED_ADDRESS);
    let relayed = relayed.ok_or_else(|| refused("an allocation without an IPv4 address".into()))?;
    let binding = [channel(CHANNEL), peer(to)];
    succeeded("ChannelBind", ask(socket, CHANNEL_BIND, &binding, Some(&login))?)?;
    Ok(relayed)
}

fn ask(
    socket: &UdpSocket,
    method: u16,
    attributes: &[Attribute],
    login: Option<&Login>,
) -> io::Result<Reply> {
    let packet = request(method, transaction(socket)?, attributes, login);
    let mut buffer = [0; 2048];
    for _ in 0..TRIES {
        socket.send(&packet)?;
        while let Ok(length) = socket.recv(&mut buffer) {
            if let Some(reply) = Reply::read(&buffer[..length], &packet) {
                return Ok(reply);
            }
        }
    }
    Err(refused("no answer".into()))
}

fn succeeded(what: &str, reply: Reply) -> io::Result<Reply> {
    if reply.code == 0 { Ok(reply) } else { Err(refused(format!("{what} is answered by {}", reply.code))) }
}

/// One request of a socket is under way at a time; its own port and the time make it unlike others.
fn transaction(socket: &UdpSocket) -> io::Result<[u8; 12]> {
    let now = std::time::UNIX_EPOCH.elapsed().map_err(io::Error::other)?.as_nanos().to_be_bytes();
    let mut transaction = [0; 12];
    transaction[..10].copy_from_slice(&now[6..]);
    transaction[10..].copy_from_slice(&socket.local_addr()?.port().to_be_bytes());
    Ok(transaction)
}

fn refused(why: String) -> io::Error {
    io::Error::other(format!("the relay: {why}"))
}
