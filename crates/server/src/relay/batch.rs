//! Many datagrams for one system call, where there are many.

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg};
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use visavis_turn::{Family, Packet};

/// The largest datagram that is taken in: more than any network carries in one piece.
pub(super) const PACKET_BYTES: usize = 9 * 1024;

/// Datagrams in one call, at most.
pub(super) const MOST: usize = 32;

/// Reads and writes in batches. One for all sockets: the headers are scratch space.
///
/// Never the same headers for both: `sendmmsg` leaves its addresses in them, where `recvmmsg` would write.
pub(super) struct Batch {
    receive_ipv4: MultiHeaders<SockaddrIn>,
    receive_ipv6: MultiHeaders<SockaddrIn6>,
    send_ipv4: MultiHeaders<SockaddrIn>,
    send_ipv6: MultiHeaders<SockaddrIn6>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Batch {
            receive_ipv4: MultiHeaders::preallocate(MOST, None),
            receive_ipv6: MultiHeaders::preallocate(MOST, None),
            send_ipv4: MultiHeaders::preallocate(MOST, None),
            send_ipv6: MultiHeaders::preallocate(MOST, None),
        }
    }

    /// Fills packets from the first on and tells who sent each. Never waits.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        family: Family,
        packets: &mut [Packet],
        senders: &mut Vec<SocketAddr>,
    ) -> Result<(), Errno> {
        senders.clear();
        match family {
            Family::Ipv4 => receive(&mut self.receive_ipv4, socket, packets, senders),
            Family::Ipv6 => receive(&mut self.receive_ipv6, socket, packets, senders),
        }
    }

    /// Sends what it can; what a full socket buffer does not take is lost, as on any network.
    pub(super) fn send(&mut self, socket: &UdpSocket, family: Family, outgoing: &[(SocketAddr, Packet)]) {
        match outgoing {
            [] => {}
            // One needs no batch, which would only cost.
            [(to, packet)] => {
                let _ = socket.send_to(packet.bytes(), to);
            }
            many => {
                for some in many.chunks(MOST) {
                    match family {
                        Family::Ipv4 => send(&mut self.send_ipv4, socket, some, |address| match address {
                            SocketAddr::V4(address) => Some(address.into()),
                            SocketAddr::V6(_) => None,
                        }),
                        Family::Ipv6 => send(&mut self.send_ipv6, socket, some, |address| match address {
                            SocketAddr::V4(_) => None,
                            SocketAddr::V6(address) => Some(address.into()),
                        }),
                    }
                }
            }
        }
    }
}

fn receive<S: SockaddrLike + Copy + Into<SocketAddr>>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    packets: &mut [Packet],
    senders: &mut Vec<SocketAddr>,
) -> Result<(), Errno> {
    let mut lens = [0; MOST];
    {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            packets.iter_mut().take(MOST).map(|packet| [IoSliceMut::new(packet.room())]).collect();
        let received =
            recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        for (message, len) in received.zip(&mut lens) {
            // Cut off is damaged: nothing in it can be trusted to be whole.
            *len = if message.flags.contains(MsgFlags::MSG_TRUNC) { 0 } else { message.bytes };
            if let Some(sender) = message.address {
                senders.push(sender.into());
            }
        }
    }
    for (packet, len) in packets.iter_mut().zip(lens).take(senders.len()) {
        packet.set_len(len);
    }
    Ok(())
}

fn send<S: SockaddrLike + Copy>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    outgoing: &[(SocketAddr, Packet)],
    address: impl Fn(SocketAddr) -> Option<S>,
) {
    let slices: Vec<[IoSlice<'_>; 1]> =
        outgoing.iter().map(|(_, packet)| [IoSlice::new(packet.bytes())]).collect();
    let addresses: Vec<Option<S>> = outgoing.iter().map(|(to, _)| address(*to)).collect();
    let mut done = 0;
    while done < outgoing.len() {
        let (Some(slices), Some(addresses)) = (slices.get(done..), addresses.get(done..)) else { return };
        match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, [], MsgFlags::MSG_DONTWAIT) {
            Ok(sent) => done += sent.count().max(1),
            // That one cannot be sent; the others may.
            Err(Errno::EAGAIN) => return,
            Err(_) => done += 1,
        }
    }
}
