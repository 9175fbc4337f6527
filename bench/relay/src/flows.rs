//! The packets under way. A flow is one direction of one call: from the client through its channel to the peer, or from
//! the peer to the client's relay address. Every packet carries the number of its flow, so that one that comes out
//! somewhere else is noticed.

use crate::client::{CHANNEL, join};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use visavis_turn::{Secret, Secrets};

const CHANNEL_HEADER_BYTES: usize = 4;
const FLOW_NUMBER_BYTES: usize = 4;
const CREDENTIALS_FOR_S: u64 = 3_600;

pub(crate) struct Flows {
    poll: Poll,
    events: Events,
    /// Flow 2n goes from the client of call n to its peer, flow 2n + 1 back; each leaves by the socket of its number
    /// and arrives at the other's.
    sockets: Vec<UdpSocket>,
    packets: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    pub(crate) counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Came out of another flow than they went into, or not as they were.
    pub(crate) wrong: u64,
    /// The kernel did not take them: this machine is too slow for the rate.
    pub(crate) unsent: u64,
}

impl Flows {
    /// # Errors
    /// A socket cannot be had, or the relay refuses.
    pub(crate) fn open(relay: SocketAddr, secret: &str, calls: usize, bytes: usize) -> io::Result<Self> {
        let secret = Secret::new(secret).ok_or_else(|| io::Error::other("the secret is empty"))?;
        let secrets = Secrets::new(secret, []);
        let now_s = std::time::UNIX_EPOCH.elapsed().map_err(io::Error::other)?.as_secs();
        let poll = Poll::new()?;
        let mut flows = Flows {
            poll,
            events: Events::with_capacity(1024),
            sockets: Vec::with_capacity(2 * calls),
            packets: Vec::with_capacity(2 * calls),
            buffer: vec![0; 2048 + bytes],
            counts: Counts::default(),
        };
        for call in 0..calls {
            // An id of its own, because relays count allocations by it.
            let credential = secrets.mint(now_s + CREDENTIALS_FOR_S, &format!("load{call}"));
            let client = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let peer = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            client.connect(relay)?;
            let relayed = join(&client, &credential, peer.local_addr()?)?;
            peer.connect(relayed)?;
            let channel: Vec<u8> = [CHANNEL, u16::try_from(bytes).map_err(io::Error::other)?]
                .into_iter()
                .flat_map(u16::to_be_bytes)
                .collect();
            flows.add(client, &channel, bytes)?;
            flows.add(peer, &[], bytes)?;
        }
        Ok(flows)
    }

    fn add(&mut self, socket: std::net::UdpSocket, head: &[u8], bytes: usize) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let mut socket = UdpSocket::from_std(socket);
        let number = self.sockets.len();
        self.poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
        let mut packet = head.to_vec();
        packet.extend(u32::try_from(number).map_err(io::Error::other)?.to_be_bytes());
        packet.resize(head.len() + bytes, 0xa5);
        self.sockets.push(socket);
        self.packets.push(packet);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// # Errors
    /// The relay is gone.
    pub(crate) fn send(&mut self, flow: usize) -> io::Result<()> {
        match self.sockets[flow].send(&self.packets[flow]) {
            Ok(_) => self.counts.sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.counts.unsent += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes what has arrived, after waiting for it at most that long.
    ///
    /// # Errors
    /// The relay is gone.
    pub(crate) fn receive(&mut self, wait: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let Token(at) = event.token();
            loop {
                match self.sockets[at].recv(&mut self.buffer) {
                    Ok(length) => {
                        let arrived = &self.buffer[..length];
                        if is_of_flow(arrived, at ^ 1, self.packets[at ^ 1].len()) {
                            self.counts.received += 1;
                        } else {
                            self.counts.wrong += 1;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// `sent_bytes` is what left: with the channel's header where the client sent it. The other side has it the other way.
fn is_of_flow(arrived: &[u8], flow: usize, sent_bytes: usize) -> bool {
    let from_client = flow.is_multiple_of(2);
    let expected =
        if from_client { sent_bytes - CHANNEL_HEADER_BYTES } else { sent_bytes + CHANNEL_HEADER_BYTES };
    let payload = if from_client { arrived } else { arrived.get(CHANNEL_HEADER_BYTES..).unwrap_or_default() };
    let number =
        payload.get(..FLOW_NUMBER_BYTES).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    arrived.len() == expected && number == u32::try_from(flow).ok()
}
