//! Datagrams in: one by one where they come so, many in one system call where many wait.

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg};
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use visavis_turn::{Family, Packet};

/// The largest datagram that is taken in: more than any network carries in one piece.
pub(super) const PACKET_BYTES: usize = 9 * 1024;

/// Datagrams in one call, at most.
pub(super) const MOST: usize = 32;

/// Reads in batches. One for all sockets: the headers are scratch space.
pub(super) struct Batch {
    ipv4: MultiHeaders<SockaddrIn>,
    ipv6: MultiHeaders<SockaddrIn6>,
}

/// How many datagrams a socket is likely to hold. A batch costs more than a single read, and less than two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expectation {
    is_many: bool,
    /// When it was read last, in turns of the event loop.
    turn: u64,
}

impl Batch {
    pub(super) fn new() -> Self {
        Batch { ipv4: MultiHeaders::preallocate(MOST, None), ipv6: MultiHeaders::preallocate(MOST, None) }
    }

    /// Fills packets from the first on and tells who sent each. Never waits; what cannot be read is not there.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        family: Family,
        expectation: &mut Expectation,
        turn: u64,
        packets: &mut [Packet],
        senders: &mut Vec<SocketAddr>,
    ) {
        senders.clear();
        if expectation.is_many {
            match family {
                Family::Ipv4 => receive_many(&mut self.ipv4, socket, packets, senders),
                Family::Ipv6 => receive_many(&mut self.ipv6, socket, packets, senders),
            }
            expectation.is_many = senders.len() > 1;
        } else {
            receive_one(socket, packets, senders);
            // Readable again at once: there was more.
            expectation.is_many = expectation.turn + 1 == turn;
        }
        expectation.turn = turn;
    }
}

fn receive_one(socket: &UdpSocket, packets: &mut [Packet], senders: &mut Vec<SocketAddr>) {
    if let Some(packet) = packets.first_mut()
        && let Ok((len, sender)) = socket.recv_from(packet.room())
    {
        packet.set_len(len);
        senders.push(sender);
    }
}

fn receive_many<S: SockaddrLike + Copy + Into<SocketAddr>>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    packets: &mut [Packet],
    senders: &mut Vec<SocketAddr>,
) {
    let mut lens = [0; MOST];
    {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            packets.iter_mut().take(MOST).map(|packet| [IoSliceMut::new(packet.room())]).collect();
        let received = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        let Ok(received) = received else { return };
        for (message, len) in received.zip(&mut lens) {
            *len = message.bytes;
            if let Some(sender) = message.address {
                senders.push(sender.into());
            }
        }
    }
    for (packet, len) in packets.iter_mut().zip(lens).take(senders.len()) {
        packet.set_len(len);
    }
}
