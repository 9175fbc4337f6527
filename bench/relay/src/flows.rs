//! The packets under way. A flow is one direction of one call: from the client through its channel to the peer, or from
//! the peer to the client's relay address. Every packet carries the number of its flow, so that one that comes out
//! somewhere else is noticed, and when it left.

use crate::client::{CHANNEL, join};
use crate::delays::Delays;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use visavis_turn::{Secret, Secrets};

const CHANNEL_HEADER_BYTES: usize = 4;
const FLOW_NUMBER_BYTES: usize = 4;
const STAMP_BYTES: usize = 8;
/// What is in every packet. Shorter ones are not to be had.
pub(crate) const LEAST_BYTES: usize = FLOW_NUMBER_BYTES + STAMP_BYTES;
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
    pub(crate) delays: Delays,
    began: Instant,
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
            delays: Delays::new(),
            began: Instant::now(),
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
        let stamp = stamp(self.began.elapsed());
        let packet = &mut self.packets[flow];
        let at = header_bytes(flow) + FLOW_NUMBER_BYTES;
        packet[at..at + STAMP_BYTES].copy_from_slice(&stamp.to_be_bytes());
        match self.sockets[flow].send(packet) {
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
            let now = stamp(self.began.elapsed());
            loop {
                match self.sockets[at].recv(&mut self.buffer) {
                    Ok(length) => match left_at(&self.buffer[..length], at ^ 1, self.packets[at ^ 1].len()) {
                        Some(left_at) => {
                            self.counts.received += 1;
                            self.delays.add(now.saturating_sub(left_at));
                        }
                        None => self.counts.wrong += 1,
                    },
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// In nanoseconds since the start of this program.
fn stamp(since_start: Duration) -> u64 {
    u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX)
}

/// Clients send through a channel, peers as they like.
fn header_bytes(flow: usize) -> usize {
    if flow.is_multiple_of(2) { CHANNEL_HEADER_BYTES } else { 0 }
}

/// When a packet of this flow left; `None` if that is no packet of this flow, or not as it was. `sent_bytes` is what
/// left: with the channel's header where the client sent it. The other side has it the other way.
fn left_at(arrived: &[u8], flow: usize, sent_bytes: usize) -> Option<u64> {
    let payload = arrived.get(CHANNEL_HEADER_BYTES - header_bytes(flow)..)?;
    let (number, rest) = payload.split_first_chunk::<FLOW_NUMBER_BYTES>()?;
    let (stamp, _) = rest.split_first_chunk::<STAMP_BYTES>()?;
    let is_whole = payload.len() == sent_bytes - header_bytes(flow);
    let is_of_flow = u32::try_from(flow) == Ok(u32::from_be_bytes(*number));
    (is_whole && is_of_flow).then(|| u64::from_be_bytes(*stamp))
}
