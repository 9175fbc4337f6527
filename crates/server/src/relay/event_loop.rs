//! The relay's thread: waits for readiness, carries packets to the core and where it sends them.
//!
//! One turn, in this order: orders of the rest of the server; what is readable, a bounded share of each socket;
//! what goes out to clients, in as few system calls as can be; deadlines; a rest, if packets come fast enough to gather.
//! Level-triggered: what a turn leaves unread is readable in the next, so a flood on one socket starves no other.

use super::batch::{Batch, From, MOST, PACKET_BYTES, Sender};
use super::bind::Binding;
use super::coalesce::Coalesce;
use super::listeners::{Hears, Listener, Listeners};
use super::machine::{self, Watch};
use super::notices::Notices;
use super::sockets::{RelaySocket, Sockets, Token};
use super::stream::{Arrival, Going, Interest, Stream};
use super::tx::{Exit, Tx};
use super::{Figures, Order};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use visavis_turn::{Client, Forward, Fragments, Packet, Relay, RelayId, Time, Via};

/// Sockets that are looked at in one turn.
const TURN_EVENTS: usize = 256;

/// Packets of one relay socket in one turn.
const RELAY_MOST: usize = 8;

pub(super) struct EventLoop {
    relay: Relay,
    sockets: Sockets,
    listeners: Listeners,
    machine: Watch,
    orders: Receiver<Order>,
    bell: Arc<EventFd>,
    clock: Clock,
    /// Scratch for one read.
    packets: Vec<Packet>,
    senders: Vec<Sender>,
    /// Buffers that are in no use.
    spare: Vec<Packet>,
    /// Connections that were written to in this turn.
    dirty: Vec<u64>,
    streams_made: u64,
}

/// What system calls work with: full of pointers, it is made in the thread and stays there.
struct Calls {
    batch: Batch,
    tx: Tx,
    turn: u64,
    /// Packets that were read in this turn.
    read: u64,
}

/// The wall clock at the start, and what has passed since by a clock that never jumps.
struct Clock {
    started: Instant,
    started_at: Duration,
}

impl Clock {
    fn now(&self) -> Time {
        let since_epoch = self.started_at + self.started.elapsed();
        Time::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }
}

impl EventLoop {
    pub(super) fn new(
        relay: Relay,
        binding: Binding,
        listeners: Vec<UdpSocket>,
        orders: Receiver<Order>,
        bell: Arc<EventFd>,
    ) -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&bell, EpollEvent::new(EpollFlags::EPOLLIN, Token::Bell.encode()))?;
        let listeners = Listeners::new(listeners)?;
        for (index, socket) in listeners.iter() {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, Token::Listener(index).encode()))?;
        }
        let clock = Clock {
            started: Instant::now(),
            started_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let machine = Watch::new(clock.now());
        if let Watch::Told(socket) = &machine {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, Token::Machine.encode()))?;
        }
        Ok(EventLoop {
            relay,
            sockets: Sockets::new(epoll, binding),
            listeners,
            machine,
            orders,
            bell,
            clock,
            packets: (0..MOST).map(|_| Packet::with_room(PACKET_BYTES)).collect(),
            senders: Vec::with_capacity(MOST),
            spare: Vec::new(),
            dirty: Vec::new(),
            streams_made: 0,
        })
    }

    /// Runs until the server is gone.
    pub(super) fn run(mut self) {
        let mut events = vec![EpollEvent::empty(); TURN_EVENTS];
        let calls = &mut Calls { batch: Batch::new(), tx: Tx::new(), turn: 0, read: 0 };
        let mut coalesce = Coalesce::default();
        let mut notices = Notices::default();
        loop {
            let ready = match self.sockets.epoll.wait(&mut events, self.patience()) {
                Ok(count) => events.get(..count).unwrap_or_default(),
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!("turn: cannot wait for packets: {}", error.desc());
                    return;
                }
            };
            let now = self.clock.now();
            calls.turn += 1;
            calls.read = 0;
            for event in ready {
                match Token::decode(event.data()) {
                    Token::Bell => {
                        if self.take_orders(now, calls) == Going::Ended {
                            return;
                        }
                    }
                    Token::Machine => {
                        self.machine.take_word();
                        self.look_at_machine(now);
                    }
                    Token::Listener(index) => self.read_listener(now, index, calls),
                    Token::Relay(relay) => self.read_relay(now, relay, calls),
                    Token::Stream(stream) => self.serve_stream(now, stream, event.events(), calls),
                }
            }
            self.send_outgoing(calls);
            if self.relay.poll_timeout().is_some_and(|due| due <= now) {
                self.relay.handle_timeout(now, &mut self.sockets);
            }
            if self.machine.next_look().is_some_and(|next| next <= now) {
                self.look_at_machine(now);
            }
            self.close_streams();
            notices.look(now, &self.relay);
            if let Some(rest) = coalesce.rest_after(now, calls.read) {
                std::thread::sleep(rest);
            }
        }
    }

    fn patience(&self) -> EpollTimeout {
        let due = [self.relay.poll_timeout(), self.machine.next_look()].into_iter().flatten().min();
        let Some(due) = due else { return EpollTimeout::NONE };
        // Rounded up, or the last millisecond would be spent asking over and over.
        let millis = due.since(self.clock.now()).as_micros().div_ceil(1000);
        EpollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
    }

    fn look_at_machine(&mut self, now: Time) {
        self.machine.looked(now);
        if let Some(addresses) = machine::addresses() {
            self.relay.set_machine_addresses(addresses);
        }
    }

    fn take_orders(&mut self, now: Time, calls: &mut Calls) -> Going {
        let _ = self.bell.read();
        loop {
            match self.orders.try_recv() {
                Ok(Order::Adopt(arrival)) => self.adopt(now, *arrival, calls),
                Ok(Order::Figures(reply)) => {
                    let figures = Figures {
                        counters: self.relay.counters().clone(),
                        gauges: self.relay.gauges(),
                        streams: self.sockets.streams.len(),
                    };
                    // Who asked may be gone already.
                    let _ = reply.send(figures);
                }
                Ok(Order::DenyPeers(networks)) => self.relay.deny_peers(networks),
                Err(TryRecvError::Empty) => return Going::On,
                Err(TryRecvError::Disconnected) => return Going::Ended,
            }
        }
    }

    fn read_listener(&mut self, now: Time, index: u8, calls: &mut Calls) {
        let Some(Listener { socket, family, hears, expectation }) = self.listeners.get_mut(index) else {
            return;
        };
        let (packets, senders) = (&mut self.packets, &mut self.senders);
        let from = From { socket, family: *family, hears: *hears };
        calls.batch.receive(&from, expectation, calls.turn, packets, senders);
        calls.read += senders.len() as u64;
        for at in 0..self.senders.len() {
            let (Some(sender), Some(packet)) = (self.senders.get(at), self.packets.get_mut(at)) else {
                break;
            };
            let via = Via::Udp(self.listeners.entrance(index, sender.to));
            let client = Client { via, address: sender.from };
            let forward = self.relay.handle_client(now, client, packet, &mut self.sockets);
            self.forward(forward, at, calls);
        }
    }

    fn read_relay(&mut self, now: Time, relay: RelayId, calls: &mut Calls) {
        // Closed since the event was made.
        let Some(RelaySocket { socket, family, expectation }) = self.sockets.relay_mut(relay) else { return };
        let packets = self.packets.get_mut(..RELAY_MOST).unwrap_or_default();
        let from = From { socket, family: *family, hears: Hears::OneAddress };
        calls.batch.receive(&from, expectation, calls.turn, packets, &mut self.senders);
        calls.read += self.senders.len() as u64;
        for at in 0..self.senders.len() {
            let (Some(peer), Some(packet)) = (self.senders.get(at), self.packets.get_mut(at)) else { break };
            let forward = self.relay.handle_peer(now, relay, peer.from, packet);
            self.forward(forward, at, calls);
        }
    }

    /// Carries the packet in that place where it is to go.
    fn forward(&mut self, forward: Forward, at: usize, calls: &mut Calls) {
        let Some(packet) = self.packets.get_mut(at) else { return };
        let (exit, to) = match forward {
            Forward::Nowhere => return,
            Forward::ToPeer { relay, peer, fragments: Fragments::Forbidden } => {
                return self.sockets.send_whole(relay, peer, packet);
            }
            Forward::ToClient(Client { via: Via::Stream(stream), .. }) => {
                if let Some(to) = self.sockets.streams.get_mut(&stream) {
                    to.queue(packet.bytes());
                    self.dirty.push(stream);
                }
                return;
            }
            Forward::ToPeer { relay, peer, fragments: Fragments::Allowed } => (Exit::Relay(relay), peer),
            Forward::ToClient(Client { via: Via::Udp(index), address }) => (Exit::Listener(index), address),
        };
        let fresh = self.spare.pop().unwrap_or_else(|| Packet::with_room(PACKET_BYTES));
        calls.tx.push(exit, to, std::mem::replace(packet, fresh));
        if calls.tx.is_full() {
            calls.tx.flush(&self.listeners, &self.sockets, &mut self.spare);
        }
    }

    fn send_outgoing(&mut self, calls: &mut Calls) {
        calls.tx.flush(&self.listeners, &self.sockets, &mut self.spare);
        for stream in std::mem::take(&mut self.dirty) {
            self.flush(stream);
        }
    }

    fn adopt(&mut self, now: Time, arrival: Arrival, calls: &mut Calls) {
        self.streams_made += 1;
        let number = self.streams_made;
        let client = Client { via: Via::Stream(number), address: arrival.peer };
        let Ok(stream) = Stream::new(arrival, client) else { return };
        let event = EpollEvent::new(EpollFlags::EPOLLIN, Token::Stream(number).encode());
        if self.sockets.epoll.add(stream.tcp(), event).is_err() {
            return;
        }
        self.sockets.streams.insert(number, stream);
        self.relay.handle_stream_opened(now, client);
        // What came with the TLS handshake makes nothing readable.
        self.read_stream(now, number, calls);
    }

    fn serve_stream(&mut self, now: Time, number: u64, ready: EpollFlags, calls: &mut Calls) {
        if ready.contains(EpollFlags::EPOLLOUT) {
            self.dirty.push(number);
        }
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            self.read_stream(now, number, calls);
        }
    }

    fn read_stream(&mut self, now: Time, number: u64, calls: &mut Calls) {
        // Taken out meanwhile: frames of one connection may be for another, or for itself.
        let Some(mut stream) = self.sockets.streams.remove(&number) else { return };
        let client = stream.client;
        let mut going = stream.read();
        let mut replies = Vec::new();
        while going == Going::On {
            let Some(packet) = self.packets.first_mut() else { break };
            match stream.next_frame(packet) {
                Ok(true) => calls.read += 1,
                Ok(false) => break,
                Err(ended) => {
                    going = ended;
                    break;
                }
            }
            match self.relay.handle_client(now, client, packet, &mut self.sockets) {
                Forward::ToClient(to) if to == client => replies.extend_from_slice(packet.bytes()),
                forward => self.forward(forward, 0, calls),
            }
        }
        stream.queue(&replies);
        self.sockets.streams.insert(number, stream);
        self.dirty.push(number);
        if going == Going::Ended {
            self.sockets.closing.push(number);
        }
    }

    fn flush(&mut self, number: u64) {
        let Some(stream) = self.sockets.streams.get_mut(&number) else { return };
        if stream.flush() == Going::Ended {
            self.sockets.closing.push(number);
            return;
        }
        let wanted = stream.wanted_interest();
        if wanted != stream.interest {
            stream.interest = wanted;
            let flags = match wanted {
                Interest::Read => EpollFlags::EPOLLIN,
                Interest::ReadAndWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            };
            let mut event = EpollEvent::new(flags, Token::Stream(number).encode());
            if self.sockets.epoll.modify(stream.tcp(), &mut event).is_err() {
                self.sockets.closing.push(number);
            }
        }
    }

    fn close_streams(&mut self) {
        for number in std::mem::take(&mut self.sockets.closing) {
            if let Some(stream) = self.sockets.streams.remove(&number) {
                self.relay.handle_stream_closed(stream.client, &mut self.sockets);
            }
        }
    }
}
