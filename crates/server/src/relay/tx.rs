//! Datagrams out: what one turn sends through one socket leaves in as few system calls as can be.
//!
//! What always holds: packets of one flow keep their order; what a full socket buffer does not take is lost, as on any
//! network. A burst for one destination (a video frame) leaves as one call that the kernel cuts up (UDP segmentation
//! offload); different destinations share a `sendmmsg`; a single packet has a plain `send`, which costs least.

use super::batch::MOST;
use super::listeners::Listeners;
use super::sockets::Sockets;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, sendmmsg, sendmsg,
};
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use visavis_turn::{Packet, RelayId};

/// Packets that wait for the end of the turn.
const WAITING_MOST: usize = 64;

/// What one segmented send may carry: less than the longest datagram, and as many segments as any kernel cuts.
const SEGMENTED_BYTES_MOST: usize = 60_000;
const SEGMENTS_MOST: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// The way in by which the client was heard.
    Listener(u16),
    Relay(RelayId),
}

struct Outgoing {
    exit: Exit,
    to: SocketAddr,
    packet: Packet,
}

pub(super) struct Tx {
    waiting: Vec<Outgoing>,
    ipv4: MultiHeaders<SockaddrIn>,
    ipv6: MultiHeaders<SockaddrIn6>,
    /// The same for sockets of which the address to send from is told with each packet.
    from_ipv4: MultiHeaders<SockaddrIn>,
    from_ipv6: MultiHeaders<SockaddrIn6>,
    /// Some network devices cannot; that is found out by trying.
    segments: Segments,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segments {
    ByKernel,
    ByUs,
}

impl Tx {
    pub(super) fn new() -> Self {
        Tx {
            waiting: Vec::with_capacity(WAITING_MOST),
            ipv4: MultiHeaders::preallocate(MOST, None),
            ipv6: MultiHeaders::preallocate(MOST, None),
            from_ipv4: MultiHeaders::preallocate(MOST, Some(cmsg_space!(in_pktinfo))),
            from_ipv6: MultiHeaders::preallocate(MOST, Some(cmsg_space!(in6_pktinfo))),
            segments: Segments::ByKernel,
        }
    }

    pub(super) fn push(&mut self, exit: Exit, to: SocketAddr, packet: Packet) {
        self.waiting.push(Outgoing { exit, to, packet });
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MOST
    }

    /// Sends everything, and gives the buffers back.
    pub(super) fn flush(&mut self, listeners: &Listeners, sockets: &Sockets, spare: &mut Vec<Packet>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.len() > 1 {
            // Stable: the order within a flow stays.
            waiting.sort_by_key(|outgoing| (outgoing.exit, outgoing.to));
        }
        for run in waiting.chunk_by(|one, next| one.exit == next.exit) {
            let Some(first) = run.first() else { continue };
            let way = match first.exit {
                Exit::Listener(entrance) => {
                    listeners.exit(entrance).map(|(socket, from)| Way { socket, from })
                }
                Exit::Relay(relay) => {
                    sockets.relay(relay).map(|relay| Way { socket: &relay.socket, from: None })
                }
            };
            if let Some(way) = way {
                self.send_run(&way, run);
            }
        }
        spare.extend(waiting.drain(..).map(|outgoing| outgoing.packet));
        self.waiting = waiting;
    }

    fn send_run(&mut self, way: &Way<'_>, run: &[Outgoing]) {
        // Those from `from` to `at` have nothing in common but their socket.
        let (mut from, mut at) = (0, 0);
        while at < run.len() {
            let burst = match self.segments {
                Segments::ByKernel => burst_len(run.get(at..).unwrap_or_default()),
                Segments::ByUs => 1,
            };
            if burst > 1 {
                self.send_each(way, run.get(from..at).unwrap_or_default());
                self.send_burst(way, run.get(at..at + burst).unwrap_or_default());
                from = at + burst;
            }
            at += burst;
        }
        self.send_each(way, run.get(from..).unwrap_or_default());
    }

    fn send_each(&mut self, way: &Way<'_>, run: &[Outgoing]) {
        let Way { socket, from } = *way;
        match (run, from) {
            ([], _) => {}
            ([one], None) => {
                let _ = socket.send_to(one.packet.bytes(), one.to);
            }
            ([one], Some(from)) => {
                let from = Source::of(from);
                let slices = [IoSlice::new(one.packet.bytes())];
                let _ = send_one(socket, &slices, one.to, &[from.message()]);
            }
            ([first, ..], from) => {
                let from = from.map(Source::of);
                let from: &[_] = &from.iter().map(Source::message).collect::<Vec<_>>();
                let (ipv4, ipv6) = match from {
                    [] => (&mut self.ipv4, &mut self.ipv6),
                    [_, ..] => (&mut self.from_ipv4, &mut self.from_ipv6),
                };
                for some in run.chunks(MOST) {
                    match first.to {
                        SocketAddr::V4(_) => send_many(ipv4, socket, some, from, |to| match to {
                            SocketAddr::V4(to) => Some(to.into()),
                            SocketAddr::V6(_) => None,
                        }),
                        SocketAddr::V6(_) => send_many(ipv6, socket, some, from, |to| match to {
                            SocketAddr::V4(_) => None,
                            SocketAddr::V6(to) => Some(to.into()),
                        }),
                    }
                }
            }
        }
    }

    fn send_burst(&mut self, way: &Way<'_>, burst: &[Outgoing]) {
        let Some(first) = burst.first() else { return };
        let slices: Vec<IoSlice<'_>> = burst.iter().map(|one| IoSlice::new(one.packet.bytes())).collect();
        let sent = send_segmented(way, &slices, first.to);
        match sent {
            Ok(()) | Err(Errno::EAGAIN | Errno::ENOBUFS) => {}
            Err(error) => {
                // EIO: that device never can. Otherwise it is about this destination, for instance a narrow path.
                if error == Errno::EIO {
                    self.segments = Segments::ByUs;
                }
                self.send_each(way, burst);
            }
        }
    }
}

/// How many from the first on have its destination and its length; the last may be shorter.
fn burst_len(run: &[Outgoing]) -> usize {
    let Some(first) = run.first() else { return 0 };
    let segment = first.packet.len();
    if segment == 0 {
        return 1;
    }
    let most = SEGMENTS_MOST.min(SEGMENTED_BYTES_MOST / segment).max(1);
    let mut len = 1;
    for next in run.get(1..).unwrap_or_default() {
        if len == most || next.to != first.to || next.packet.len() > segment || next.packet.is_empty() {
            break;
        }
        len += 1;
        if next.packet.len() < segment {
            break;
        }
    }
    len
}

/// A socket, and the address of ours to send from; `None` where it has but one, or the kernel may choose.
struct Way<'a> {
    socket: &'a UdpSocket,
    from: Option<IpAddr>,
}

/// The address to send from, as the kernel wants it told.
enum Source {
    Ipv4(in_pktinfo),
    Ipv6(in6_pktinfo),
}

impl Source {
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                let address = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                Source::Ipv4(in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address,
                    ipi_addr: in_addr { s_addr: 0 },
                })
            }
            IpAddr::V6(ip) => {
                Source::Ipv6(in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 })
            }
        }
    }

    fn message(&self) -> ControlMessage<'_> {
        match self {
            Source::Ipv4(told) => ControlMessage::Ipv4PacketInfo(told),
            Source::Ipv6(told) => ControlMessage::Ipv6PacketInfo(told),
        }
    }
}

fn send_one(
    socket: &UdpSocket,
    slices: &[IoSlice<'_>],
    to: SocketAddr,
    how: &[ControlMessage<'_>],
) -> Result<(), Errno> {
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    match to {
        SocketAddr::V4(to) => sendmsg(fd, slices, how, flags, Some(&SockaddrIn::from(to))).map(drop),
        SocketAddr::V6(to) => sendmsg(fd, slices, how, flags, Some(&SockaddrIn6::from(to))).map(drop),
    }
}

fn send_segmented(way: &Way<'_>, slices: &[IoSlice<'_>], to: SocketAddr) -> Result<(), Errno> {
    let segment = slices.first().map_or(0, |first| first.len());
    let segment = u16::try_from(segment).map_err(|_| Errno::EMSGSIZE)?;
    let segments = ControlMessage::UdpGsoSegments(&segment);
    match way.from.map(Source::of) {
        None => send_one(way.socket, slices, to, &[segments]),
        Some(from) => send_one(way.socket, slices, to, &[segments, from.message()]),
    }
}

fn send_many<S: SockaddrLike + Copy>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    outgoing: &[Outgoing],
    from: &[ControlMessage<'_>],
    address: impl Fn(SocketAddr) -> Option<S>,
) {
    let slices: Vec<[IoSlice<'_>; 1]> =
        outgoing.iter().map(|one| [IoSlice::new(one.packet.bytes())]).collect();
    let addresses: Vec<Option<S>> = outgoing.iter().map(|one| address(one.to)).collect();
    let mut done = 0;
    while let (Some(slices @ [_, ..]), Some(addresses)) = (slices.get(done..), addresses.get(done..)) {
        match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, from, MsgFlags::MSG_DONTWAIT) {
            Ok(sent) => done += sent.count().max(1),
            Err(Errno::EAGAIN) => return,
            // That one cannot be sent; the others may.
            Err(_) => done += 1,
        }
    }
}
