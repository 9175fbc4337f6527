//! Datagrams in: one by one where they come so, many in one system call where many wait.

use super::listeners::Hears;
use nix::cmsg_space;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg,
    recvmsg,
};
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use visavis_turn::{Family, Packet};

/// The largest datagram that is taken in: more than any network carries in one piece.
pub(super) const PACKET_BYTES: usize = 9 * 1024;

/// Datagrams in one call, at most.
pub(super) const MOST: usize = 32;

/// Reads in batches. One for all sockets: the headers are scratch space. The kernel writes into them how much of their
/// room for control messages it has used, so sockets that hear one address and those that hear every one never share them.
pub(super) struct Batch {
    ipv4: MultiHeaders<SockaddrIn>,
    ipv6: MultiHeaders<SockaddrIn6>,
    every_ipv4: MultiHeaders<SockaddrIn>,
    every_ipv6: MultiHeaders<SockaddrIn6>,
    /// Room for the control message of a single datagram.
    control: Vec<u8>,
}

/// Where a datagram came from, and which address of ours it came to, where the socket hears every one.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    pub(super) from: SocketAddr,
    pub(super) to: Option<IpAddr>,
}

/// How many datagrams a socket is likely to hold. A batch costs more than a single read, and less than two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expectation {
    is_many: bool,
    /// When it was read last, in turns of the event loop.
    turn: u64,
}

/// What is read from.
pub(super) struct From<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) family: Family,
    pub(super) hears: Hears,
}

impl Batch {
    pub(super) fn new() -> Self {
        Batch {
            ipv4: MultiHeaders::preallocate(MOST, None),
            ipv6: MultiHeaders::preallocate(MOST, None),
            every_ipv4: MultiHeaders::preallocate(MOST, Some(cmsg_space!(in_pktinfo))),
            every_ipv6: MultiHeaders::preallocate(MOST, Some(cmsg_space!(in6_pktinfo))),
            control: cmsg_space!(in6_pktinfo),
        }
    }

    /// Fills packets from the first on and tells who sent each. Never waits; what cannot be read is not there.
    pub(super) fn receive(
        &mut self,
        from: &From<'_>,
        expectation: &mut Expectation,
        turn: u64,
        packets: &mut [Packet],
        senders: &mut Vec<Sender>,
    ) {
        senders.clear();
        let socket = from.socket;
        if expectation.is_many {
            match (from.hears, from.family) {
                (Hears::OneAddress, Family::Ipv4) => receive_many(&mut self.ipv4, socket, packets, senders),
                (Hears::OneAddress, Family::Ipv6) => receive_many(&mut self.ipv6, socket, packets, senders),
                (Hears::EveryAddress, Family::Ipv4) => {
                    receive_many(&mut self.every_ipv4, socket, packets, senders)
                }
                (Hears::EveryAddress, Family::Ipv6) => {
                    receive_many(&mut self.every_ipv6, socket, packets, senders)
                }
            }
            expectation.is_many = senders.len() > 1;
        } else {
            match (from.hears, from.family) {
                (Hears::OneAddress, _) => receive_one(socket, packets, senders),
                (Hears::EveryAddress, Family::Ipv4) => {
                    receive_one_of_every::<SockaddrIn>(&mut self.control, socket, packets, senders);
                }
                (Hears::EveryAddress, Family::Ipv6) => {
                    receive_one_of_every::<SockaddrIn6>(&mut self.control, socket, packets, senders);
                }
            }
            // Readable again at once: there was more.
            expectation.is_many = expectation.turn + 1 == turn;
        }
        expectation.turn = turn;
    }
}

fn receive_one(socket: &UdpSocket, packets: &mut [Packet], senders: &mut Vec<Sender>) {
    if let Some(packet) = packets.first_mut()
        && let Ok((len, from)) = socket.recv_from(packet.room())
    {
        packet.set_len(len);
        senders.push(Sender { from, to: None });
    }
}

fn receive_one_of_every<S: SockaddrLike + Copy + Into<SocketAddr>>(
    control: &mut [u8],
    socket: &UdpSocket,
    packets: &mut [Packet],
    senders: &mut Vec<Sender>,
) {
    let Some(packet) = packets.first_mut() else { return };
    let (len, sender) = {
        let mut slices = [IoSliceMut::new(packet.room())];
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<S>(socket.as_raw_fd(), &mut slices, Some(control), flags) else { return };
        (message.bytes, sender(&message))
    };
    if let Some(sender) = sender {
        packet.set_len(len);
        senders.push(sender);
    }
}

fn sender<S: SockaddrLike + Copy + Into<SocketAddr>>(message: &RecvMsg<'_, '_, S>) -> Option<Sender> {
    let from = message.address?.into();
    let to = message.cmsgs().ok().and_then(|mut all| all.find_map(|control| told_address(&control)));
    Some(Sender { from, to })
}

/// The address that a datagram came to.
fn told_address(control: &ControlMessageOwned) -> Option<IpAddr> {
    match control {
        // `ipi_spec_dst` is what to answer from, also where the datagram was for all on a network.
        ControlMessageOwned::Ipv4PacketInfo(told) => {
            Some(Ipv4Addr::from(told.ipi_spec_dst.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(told) => Some(Ipv6Addr::from(told.ipi6_addr.s6_addr).into()),
        _ => None,
    }
}

fn receive_many<S: SockaddrLike + Copy + Into<SocketAddr>>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    packets: &mut [Packet],
    senders: &mut Vec<Sender>,
) {
    let mut lens = [0; MOST];
    {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            packets.iter_mut().take(MOST).map(|packet| [IoSliceMut::new(packet.room())]).collect();
        let received = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        let Ok(received) = received else { return };
        for (message, len) in received.zip(&mut lens) {
            *len = message.bytes;
            senders.extend(sender(&message));
        }
    }
    for (packet, len) in packets.iter_mut().zip(lens).take(senders.len()) {
        packet.set_len(len);
    }
}
