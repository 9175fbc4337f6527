//! The lobby itself: takes inputs, keeps sessions, tickets and matches, and says what to send.
//!
//! One owner calls it, so a ticket can only be taken once. It combines values that know only what they stand on;
//! `tests/rooms.rs` watches over that:
//!
//! - [`Sessions`]: everybody who is here; and beside them [`Peers`]: the other nodes;
//! - [`Pairs`], at work as [`Pairing`]: places in line and matches;
//! - [`Cluster`]: what is under way with other nodes.
//!
//! Here and in `resume`, `reporting` and `nodes` stands what needs them all: which of them an input concerns, who is woken next,
//! sessions that outlive their sockets or come from another node, and reports.

#[cfg(any(test, feature = "audit"))]
mod audit;
mod nodes;
mod reporting;
mod resume;

use crate::cluster::{Cluster, ExportedTickets};
use crate::crowd::Act;
use crate::ids::{ConnectionId, NodeId, SessionKey, TicketKey};
use crate::nodes::Say;
use crate::pairing::{self, Pairing, Pairs, Participant, TicketDue};
use crate::peers::Peers;
use crate::planted::planted;
use crate::random::LobbyKey;
use crate::sessions::{Life, Sessions, Sign, Silence};
use crate::{Config, Counters, Ending, Gauges, Input, Outputs, Time};
use reporting::{Told, Unsettled};
use resume::Arrivals;
use std::sync::Arc;
use visavis_protocol::{ClientMessage, LeftReason, SearchMessage, SessionMessage};

/// Why the lobby wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A session was silent for a while.
    Silence,
    /// A ticket relaxes, a pause between old partners ends, or a waiting visitor is told how things stand.
    Ticket,
    /// The sides of a match must have shown themselves.
    Match,
    /// A reservation for another node's visitor runs out.
    Reservation,
    /// Another node should have answered for a visitor who came from there.
    Arrival,
    /// A session that went on to another node should have arrived there.
    Departure,
    /// The end of a match is said again to another node.
    Tail,
}

/// What is due, in the order in which that of one moment is done: nobody is given to somebody who turns out silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session,
    Pairing(pairing::Due),
    Arrival,
    Departure,
    Tails,
}

/// All sessions of one node and what is between them.
#[derive(Debug)]
pub struct Lobby {
    config: Arc<Config>,
    sessions: Sessions,
    peers: Peers,
    pairs: Pairs,
    exported: ExportedTickets,
    arrivals: Arrivals,
    /// Reports of sessions that are nowhere just now.
    reports: Unsettled,
}

impl Lobby {
    /// An empty lobby. All that must not be guessed comes of `key`: random bytes of the system, drawn anew at every start.
    pub fn new(config: Config, key: LobbyKey) -> Self {
        let config = Arc::new(config);
        Lobby {
            sessions: Sessions::new(config.clone(), &key),
            peers: Peers::new(&config),
            pairs: Pairs::new(&config, &key),
            exported: ExportedTickets::default(),
            arrivals: Arrivals::new(),
            reports: Unsettled::default(),
            config,
        }
    }

    /// Takes one input and appends what follows from it. Inputs of unknown connections are ignored.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Outputs) {
        self.sessions.tell_time(now);
        match input {
            Input::Opened { connection, limiting } => {
                let session = self.sessions.open(connection, limiting);
                self.pairs.participants.insert(session, Participant::default());
            }
            Input::Received { connection, message } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.sessions.note_said(session, Some(message.message_type()));
                    self.pairing().hide_at_once(session, &message, outputs);
                    if self.sessions.take(session, Act::Message, outputs) {
                        self.receive(session, message, outputs);
                    }
                    self.end_expelled(outputs);
                    self.pairing().settle_token(session, outputs);
                }
            }
            Input::Malformed { connection, refusal } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.sessions.note_said(session, refusal.of);
                    self.pairing().hide_in_doubt(session, &refusal, outputs);
                    if self.sessions.take(session, Act::Message, outputs) {
                        self.sessions.refuse(session, refusal, outputs);
                    }
                    self.end_expelled(outputs);
                }
            }
            Input::Alive { connection, mark } => {
                if let (Some(session), Some(mark)) = (self.note_life(connection, Sign::Socket), mark) {
                    self.sessions.acknowledge(session, mark);
                }
            }
            Input::Closed { connection, ending } => {
                self.forget_arrival(connection);
                match (self.sessions.at(connection), ending) {
                    (Some(session), Ending::CloseFrame)
                        if !self.sessions.is_draining() && !planted!(LeavingIsNotBelieved) =>
                    {
                        self.pairing().forget(session, LeftReason::Closed, outputs);
                    }
                    // While draining a closed socket is one that moved, as it was asked to.
                    (Some(session), Ending::CloseFrame | Ending::Broken) => {
                        self.pairing().detach(session, outputs)
                    }
                    (None, _) => {}
                }
            }
            Input::Drain { spread } => self.sessions.drain(spread, outputs),
            Input::Reported(receipt) => self.on_report(receipt, Told::First, outputs),
            Input::Cluster(reply) => {
                if let Some(receipt) = self.on_reply(reply, outputs) {
                    self.on_report(receipt, Told::ByAnotherNode, outputs);
                }
            }
            Input::Timeout => self.run_timers(outputs),
        }
        self.cluster().settle_exports(outputs);
    }

    /// When to be woken next with [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        self.soonest().map(|(at, due)| {
            let reason = match due {
                Due::Session => Reason::Silence,
                Due::Pairing(pairing::Due::Ticket(_)) => Reason::Ticket,
                Due::Pairing(pairing::Due::Match(_)) => Reason::Match,
                Due::Pairing(pairing::Due::Reservation(_)) => Reason::Reservation,
                Due::Arrival => Reason::Arrival,
                Due::Departure => Reason::Departure,
                Due::Tails => Reason::Tail,
            };
            (at, reason)
        })
    }

    fn soonest(&self) -> Option<(Time, Due)> {
        [
            self.sessions.poll_timeout().map(|at| (at, Due::Session)),
            self.pairs.poll_timeout().map(|(at, due)| (at, Due::Pairing(due))),
            self.arrivals.poll_timeout().map(|at| (at, Due::Arrival)),
            self.peers.departures.poll_timeout().map(|at| (at, Due::Departure)),
            self.peers.poll_timeout().map(|at| (at, Due::Tails)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How many people are on this node.
    pub fn online(&self) -> usize {
        self.sessions.online()
    }

    /// How many people are on this and all other nodes, as far as those are known.
    pub fn online_everywhere(&self) -> usize {
        self.online() + self.peers.online()
    }

    /// Totals so far.
    pub fn counters(&self) -> &Counters {
        &self.sessions.counters
    }

    /// How things stand. Counts who is elsewhere: for metrics, not for every event.
    pub fn gauges(&self) -> Gauges {
        let across = self.pairs.sessions_elsewhere(&self.sessions);
        Gauges { sessions: self.sessions.len() - across, across, ..self.pairs.gauges }
    }

    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    fn note_life(&mut self, connection: ConnectionId, sign: Sign) -> Option<SessionKey> {
        let Life { session, spoke } = self.sessions.note_seen(connection, sign)?;
        if spoke {
            self.pairs.note_alive(session);
        }
        Some(session)
    }

    fn receive(&mut self, session: SessionKey, message: ClientMessage, outputs: &mut Outputs) {
        self.on_message(session, message, outputs);
        self.end_expelled(outputs);
    }

    fn on_message(&mut self, session: SessionKey, message: ClientMessage, outputs: &mut Outputs) {
        if !self.sessions.admit(session, &message, outputs) || self.is_arriving(session, &message, outputs) {
            return;
        }
        let Some(message) = self.pairing().hide_if_wished(session, message) else { return };
        match message {
            ClientMessage::Session(message) => self.on_session_message(session, message, outputs),
            ClientMessage::Search(message) => self.on_search_message(session, message, outputs),
            ClientMessage::Signal(signal) => self.pairing().on_signal(session, signal, outputs),
        }
    }

    fn on_session_message(&mut self, session: SessionKey, message: SessionMessage, outputs: &mut Outputs) {
        match message {
            SessionMessage::Hello(hello) => {
                let connection = self.sessions.connection(session);
                self.on_hello(session, hello, outputs);
                self.settle_reports(connection, outputs);
            }
            SessionMessage::Block(block) => self.pairing().on_block(session, block.match_id, outputs),
            SessionMessage::Unblock(unblock) => self.pairing().on_unblock(session, unblock, outputs),
            SessionMessage::Ping(_) => self.sessions.on_ping(session, outputs),
            // A sign of life, and noted as such.
            SessionMessage::Pong(_) => {}
        }
    }

    fn on_search_message(&mut self, session: SessionKey, message: SearchMessage, outputs: &mut Outputs) {
        match message {
            SearchMessage::FindPartner(wanted) => self.pairing().on_find_partner(session, wanted, outputs),
            SearchMessage::TicketOffer(ticket) => self.pairing().on_ticket_offer(session, ticket, outputs),
            SearchMessage::Next(next) => self.pairing().on_next(session, next, outputs),
            SearchMessage::Stop(_) => self.pairing().on_stop(session, outputs),
        }
    }

    /// Ends the sessions of those whose sockets were closed as they misbehaved.
    fn end_expelled(&mut self, outputs: &mut Outputs) {
        for key in self.sessions.take_expelled() {
            self.pairing().forget(key, LeftReason::Lost, outputs);
        }
    }

    /// Closes a connection that shows no sign of life; its session may yet be resumed.
    fn cut(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.sessions.close_silent(key, outputs);
        self.pairing().detach(key, outputs);
    }

    fn run_timers(&mut self, outputs: &mut Outputs) {
        while let Some((_, due)) = self.soonest().filter(|(at, _)| *at <= self.sessions.now) {
            match due {
                Due::Session => {
                    let Some(key) = self.sessions.pop_due() else { return };
                    match self.sessions.on_silence_check(key, outputs) {
                        Silence::Bearable => {}
                        Silence::TooLong => self.cut(key, outputs),
                        Silence::GraceIsOver => self.pairing().forget(key, LeftReason::Lost, outputs),
                    }
                }
                Due::Pairing(_) => {
                    let Some(due) = self.pairs.pop_due(self.sessions.now) else { return };
                    match due {
                        pairing::Due::Ticket(key) => self.on_ticket_due(key, outputs),
                        pairing::Due::Match(key) => self.pairing().on_match_deadline(key, outputs),
                        pairing::Due::Reservation(id) => self.pairing().on_reservation_due(id, outputs),
                    }
                }
                Due::Arrival => {
                    let Some(connection) = self.arrivals.timers.pop_due(self.sessions.now) else { return };
                    self.on_arrival_due(connection, outputs);
                }
                Due::Departure => {
                    let pairs = &self.pairs;
                    let is_here = |id| pairs.remote.contains_key(&id);
                    self.peers.on_departures_due(self.sessions.now, is_here, outputs);
                }
                Due::Tails => {
                    let pairs = &self.pairs;
                    let goes_on = |id| pairs.remote.contains_key(&id) || pairs.reservations.contains_key(&id);
                    self.peers.on_tails_due(self.sessions.now, goes_on, outputs);
                }
            }
        }
    }

    /// A waiting ticket is due: it is shown to others as well, if it is left here.
    fn on_ticket_due(&mut self, key: TicketKey, outputs: &mut Outputs) {
        match self.pairing().on_ticket_due(key, outputs) {
            TicketDue::Settled => {}
            TicketDue::Waits => {
                self.cluster().export_if_due(key, outputs);
                self.pairing().on_ticket_waiting(key, outputs);
            }
        }
    }

    fn cluster(&mut self) -> Cluster<'_> {
        Cluster {
            config: &self.config,
            sessions: &mut self.sessions,
            peers: &mut self.peers,
            pairs: &mut self.pairs,
            exported: &mut self.exported,
        }
    }

    fn tell(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) {
        self.peers.tell(node, say, self.sessions.now, outputs);
    }

    fn pairing(&mut self) -> Pairing<'_> {
        Pairing {
            config: &self.config,
            sessions: &mut self.sessions,
            peers: &mut self.peers,
            pairs: &mut self.pairs,
        }
    }
}
