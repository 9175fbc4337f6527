//! Datagrams out: what one turn sends through one socket leaves in as few system calls as can be.
//!
//! What always holds: packets of one flow keep their order; what a full socket buffer does not take is lost, as on any
//! network. A burst for one destination (a video frame) leaves as one call that the kernel cuts up (UDP segmentation
//! offload); different destinations share a `sendmmsg`; a single packet has a plain `send`, which costs least.

use super::batch::MOST;
use super::sockets::{Listener, Sockets};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, sendmmsg, sendmsg,
};
use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use visavis_turn::{Packet, RelayId};

/// Packets that wait for the end of the turn.
const WAITING_MOST: usize = 64;

/// What one segmented send may carry: less than the longest datagram, and as many segments as any kernel cuts.
const SEGMENTED_BYTES_MOST: usize = 60_000;
const SEGMENTS_MOST: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    Listener(u8),
    Relay(RelayId),
}

struct Outgoing {
    exit: Exit,
    to: SocketAddr,
    packet: Packet,
}

pub(super) struct Egress {
    waiting: Vec<Outgoing>,
    ipv4: MultiHeaders<SockaddrIn>,
    ipv6: MultiHeaders<SockaddrIn6>,
    /// Some network devices cannot; that is found out by trying.
    segments: Segments,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segments {
    ByKernel,
    ByUs,
}

impl Egress {
    pub(super) fn new() -> Self {
        Egress {
            waiting: Vec::with_capacity(WAITING_MOST),
            ipv4: MultiHeaders::preallocate(MOST, None),
            ipv6: MultiHeaders::preallocate(MOST, None),
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
    pub(super) fn flush(&mut self, listeners: &[Listener], sockets: &Sockets, spare: &mut Vec<Packet>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.len() > 1 {
            // Stable: the order within a flow stays.
            waiting.sort_by_key(|outgoing| (outgoing.exit, outgoing.to));
        }
        for run in waiting.chunk_by(|one, next| one.exit == next.exit) {
            let Some(first) = run.first() else { continue };
            let socket = match first.exit {
                Exit::Listener(index) => listeners.get(usize::from(index)).map(|listener| &listener.socket),
                Exit::Relay(relay) => sockets.relay(relay).map(|relay| &relay.socket),
            };
            if let Some(socket) = socket {
                self.send_run(socket, run);
            }
        }
        spare.extend(waiting.drain(..).map(|outgoing| outgoing.packet));
        self.waiting = waiting;
    }

    fn send_run(&mut self, socket: &UdpSocket, run: &[Outgoing]) {
        // Those from `from` to `at` have nothing in common but their socket.
        let (mut from, mut at) = (0, 0);
        while at < run.len() {
            let burst = match self.segments {
                Segments::ByKernel => burst_len(run.get(at..).unwrap_or_default()),
                Segments::ByUs => 1,
            };
            if burst > 1 {
                self.send_each(socket, run.get(from..at).unwrap_or_default());
                self.send_burst(socket, run.get(at..at + burst).unwrap_or_default());
                from = at + burst;
            }
            at += burst;
        }
        self.send_each(socket, run.get(from..).unwrap_or_default());
    }

    fn send_each(&mut self, socket: &UdpSocket, run: &[Outgoing]) {
        match run {
            [] => {}
            [one] => {
                let _ = socket.send_to(one.packet.bytes(), one.to);
            }
            [first, ..] => {
                for some in run.chunks(MOST) {
                    match first.to {
                        SocketAddr::V4(_) => send_many(&mut self.ipv4, socket, some, |to| match to {
                            SocketAddr::V4(to) => Some(to.into()),
                            SocketAddr::V6(_) => None,
                        }),
                        SocketAddr::V6(_) => send_many(&mut self.ipv6, socket, some, |to| match to {
                            SocketAddr::V4(_) => None,
                            SocketAddr::V6(to) => Some(to.into()),
                        }),
                    }
                }
            }
        }
    }

    fn send_burst(&mut self, socket: &UdpSocket, burst: &[Outgoing]) {
        let Some(first) = burst.first() else { return };
        let slices: Vec<IoSlice<'_>> = burst.iter().map(|one| IoSlice::new(one.packet.bytes())).collect();
        let sent = match first.to {
            SocketAddr::V4(to) => send_segmented(socket, &slices, &SockaddrIn::from(to)),
            SocketAddr::V6(to) => send_segmented(socket, &slices, &SockaddrIn6::from(to)),
        };
        match sent {
            Ok(()) | Err(Errno::EAGAIN | Errno::ENOBUFS) => {}
            Err(error) => {
                // EIO: that device never can. Otherwise it is about this destination, for instance a narrow path.
                if error == Errno::EIO {
                    self.segments = Segments::ByUs;
                }
                self.send_each(socket, burst);
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

fn send_segmented<S: SockaddrLike>(socket: &UdpSocket, slices: &[IoSlice<'_>], to: &S) -> Result<(), Errno> {
    let segment = slices.first().map_or(0, |first| first.len());
    let segment = u16::try_from(segment).map_err(|_| Errno::EMSGSIZE)?;
    let how = [ControlMessage::UdpGsoSegments(&segment)];
    sendmsg(socket.as_raw_fd(), slices, &how, MsgFlags::MSG_DONTWAIT, Some(to)).map(drop)
}

fn send_many<S: SockaddrLike + Copy>(
    headers: &mut MultiHeaders<S>,
    socket: &UdpSocket,
    outgoing: &[Outgoing],
    address: impl Fn(SocketAddr) -> Option<S>,
) {
    let slices: Vec<[IoSlice<'_>; 1]> =
        outgoing.iter().map(|one| [IoSlice::new(one.packet.bytes())]).collect();
    let addresses: Vec<Option<S>> = outgoing.iter().map(|one| address(one.to)).collect();
    let mut done = 0;
    while let (Some(slices @ [_, ..]), Some(addresses)) = (slices.get(done..), addresses.get(done..)) {
        match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, [], MsgFlags::MSG_DONTWAIT) {
            Ok(sent) => done += sent.count().max(1),
            Err(Errno::EAGAIN) => return,
            // That one cannot be sent; the others may.
            Err(_) => done += 1,
        }
    }
}
