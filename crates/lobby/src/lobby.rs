//! The lobby itself: takes inputs, keeps sessions, tickets and matches, and says what to send.
//!
//! One owner calls it, so a ticket can only be taken once. Its parts stand in three rooms, each of which knows only those
//! below it; `tests/rooms.rs` watches over that:
//!
//! - *sessions*, who know nothing of pairs: those there are (`sessions`), what is said to them (`sending`), signs of life
//!   (`liveness`), rates (`floods`), coming in (`threshold`), going away (`draining`);
//! - *pairing*: searching (`search`), leaving (`parting`), signals between strangers (`switchboard`), partners who are away
//!   (`absence`) or turn out ghosts (`ghosts`), hidden addresses (`hiding`), where a token says somebody stands (`minting`);
//! - *cluster*, beside pairing: other nodes (`far`).
//!
//! On top stand this file and sessions that outlive their sockets (`resume`), which combine all three.

mod absence;
#[cfg(any(test, feature = "audit"))]
mod audit;
mod draining;
mod far;
mod floods;
mod ghosts;
mod hiding;
mod liveness;
mod minting;
mod participants;
mod parting;
mod resume;
mod search;
mod sending;
mod sessions;
mod switchboard;
mod threshold;

use crate::admission::Admission;
use crate::crowd::{Act, Crowds};
use crate::ids::{ConnectionId, MatchKey, NodeId, SessionId, SessionKey, TicketKey};
use crate::matches::Match;
use crate::matchmaker::Matchmaker;
use crate::participants::{Participant, Participants};
use crate::persons::Persons;
use crate::planted::planted;
use crate::random::{LobbyKey, Random};
use crate::session::{Origin, Session};
use crate::timers::Timers;
use crate::tokens::{Ended, Tokens};
use crate::{Config, Counters, Ending, Gauges, Input, Output, Outputs, Time};
use far::Far;
use liveness::{Life, Sign, Silence};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use visavis_protocol::{ClientMessage, CloseCode, LeftReason, MatchId, SearchMessage, SessionMessage};

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
    /// The end of a match is said again to another node.
    Tail,
}

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(SessionKey),
    Ticket(TicketKey),
    Match(MatchKey),
    Reservation(MatchId),
    Arrival(ConnectionId),
    Tails,
}

/// Whether this node takes part in the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Matching,
    Draining,
}

/// All sessions of one node and what is between them.
#[derive(Debug)]
pub struct Lobby {
    config: Config,
    phase: Phase,
    /// The latest time ever told: a clock that steps back stands still here.
    now: Time,
    connections: FxHashMap<ConnectionId, SessionKey>,
    sessions: SlotMap<SessionKey, Session>,
    participants: Participants,
    matches: SlotMap<MatchKey, Match>,
    match_ids: Random,
    session_ids: Random,
    /// What tells the passes of one moment apart.
    passes: Random,
    persons: Persons,
    /// Sessions that can be resumed.
    identities: FxHashMap<SessionId, SessionKey>,
    /// Sessions of earlier processes that ended here: their tokens must not bring them back once more.
    ended: Ended,
    /// Tokens of other processes that brought nothing back when they were shown here: they open no door again.
    spent: Ended,
    tokens: Tokens,
    admission: Admission,
    crowds: Crowds,
    matchmaker: Matchmaker,
    timers: Timers<Due>,
    far: Far,
    gauges: Gauges,
    counters: Counters,
}

impl Lobby {
    /// An empty lobby. All that must not be guessed comes of `key`: random bytes of the system, drawn anew at every start.
    pub fn new(config: Config, key: LobbyKey) -> Self {
        let boot = config.node.map_or_else(|| key.random("visavis boot 1").bytes(), NodeId::to_bytes);
        let tokens = Tokens::new(config.session_secrets.clone(), boot);
        let persons = Persons::new(&config.session_secrets, &key);
        let far = Far::new(&config, &key);
        let admission = Admission::new(config.admission_rate);
        Lobby {
            config,
            phase: Phase::Matching,
            now: Time::ZERO,
            connections: FxHashMap::default(),
            sessions: SlotMap::with_key(),
            participants: Participants::new(),
            matches: SlotMap::with_key(),
            match_ids: key.random("visavis match 1"),
            session_ids: key.random("visavis session 1"),
            passes: key.random("visavis ice pass 1"),
            persons,
            identities: FxHashMap::default(),
            ended: Ended::default(),
            spent: Ended::default(),
            tokens,
            admission,
            crowds: Crowds::default(),
            matchmaker: Matchmaker::new(),
            timers: Timers::new(),
            far,
            gauges: Gauges::default(),
            counters: Counters::default(),
        }
    }

    /// Takes one input and appends what follows from it. Inputs of unknown connections are ignored.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Outputs) {
        self.now = self.now.max(now);
        match input {
            Input::Opened { connection, limiting } => {
                let session = self.open(connection, limiting);
                self.participants.insert(session, Participant::default());
            }
            Input::Received { connection, message } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.note_said(session, Some(message.message_type()));
                    self.hide_at_once(session, &message, outputs);
                    if self.take(session, Act::Message, outputs) {
                        self.receive(session, message, outputs);
                    }
                    self.settle_token(session, outputs);
                }
            }
            Input::Malformed { connection, refusal } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.note_said(session, refusal.of);
                    self.hide_in_doubt(session, &refusal, outputs);
                    if self.take(session, Act::Message, outputs) {
                        self.refuse(session, refusal, outputs);
                    }
                }
            }
            Input::Alive { connection, mark } => {
                if let (Some(session), Some(mark)) = (self.note_life(connection, Sign::Socket), mark) {
                    self.acknowledge(session, mark);
                }
            }
            Input::Closed { connection, ending } => {
                self.forget_arrival(connection);
                match (self.connections.get(&connection).copied(), ending) {
                    (Some(session), Ending::CloseFrame)
                        if self.phase == Phase::Matching && !planted!(LeavingIsNotBelieved) =>
                    {
                        self.forget(session, LeftReason::Closed, outputs);
                    }
                    // While draining a closed socket is one that moved, as it was asked to.
                    (Some(session), Ending::CloseFrame | Ending::Broken) => self.detach(session, outputs),
                    (None, _) => {}
                }
            }
            Input::Drain { spread } => self.drain(spread, outputs),
            Input::Cluster(reply) => self.on_reply(reply, outputs),
            Input::Timeout => self.run_timers(outputs),
        }
        self.settle_exports(outputs);
    }

    /// When to be woken next with [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        self.timers.soonest().map(|(at, due)| {
            let reason = match due {
                Due::Session(_) => Reason::Silence,
                Due::Ticket(_) => Reason::Ticket,
                Due::Match(_) => Reason::Match,
                Due::Reservation(_) => Reason::Reservation,
                Due::Arrival(_) => Reason::Arrival,
                Due::Tails => Reason::Tail,
            };
            (at, reason)
        })
    }

    /// How many people are on this node.
    pub fn online(&self) -> usize {
        self.connections.len()
    }

    /// How many people are on this and all other nodes, as far as those are known.
    pub fn online_everywhere(&self) -> usize {
        self.online() + self.far.online()
    }

    /// Totals so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How things stand. Counts who is elsewhere: for metrics, not for every event.
    pub fn gauges(&self) -> Gauges {
        let across = self.sessions_elsewhere();
        Gauges { sessions: self.sessions.len() - across, across, ..self.gauges }
    }

    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    fn note_life(&mut self, connection: ConnectionId, sign: Sign) -> Option<SessionKey> {
        let Life { session, spoke } = self.note_seen(connection, sign)?;
        if spoke {
            self.note_alive(session);
        }
        Some(session)
    }

    fn receive(&mut self, session: SessionKey, message: ClientMessage, outputs: &mut Outputs) {
        if !self.admit(session, &message, outputs) || self.is_arriving(session, &message, outputs) {
            return;
        }
        let Some(message) = self.hide_if_wished(session, message) else { return };
        match message {
            ClientMessage::Session(message) => self.on_session_message(session, message, outputs),
            ClientMessage::Search(message) => self.on_search_message(session, message, outputs),
            ClientMessage::Signal(signal) => self.on_signal(session, signal, outputs),
        }
    }

    fn on_session_message(&mut self, session: SessionKey, message: SessionMessage, outputs: &mut Outputs) {
        match message {
            SessionMessage::Hello(hello) => self.on_hello(session, hello, outputs),
            SessionMessage::Block(block) => self.on_block(session, block.match_id, outputs),
            SessionMessage::Unblock(unblock) => self.on_unblock(session, unblock, outputs),
            SessionMessage::Ping(_) => self.on_ping(session, outputs),
            // A sign of life, and noted as such.
            SessionMessage::Pong(_) => {}
        }
    }

    fn on_search_message(&mut self, session: SessionKey, message: SearchMessage, outputs: &mut Outputs) {
        match message {
            SearchMessage::FindPartner(wanted) => self.on_find_partner(session, wanted, outputs),
            SearchMessage::TicketOffer(ticket) => self.on_ticket_offer(session, ticket, outputs),
            SearchMessage::Next(next) => self.on_next(session, next, outputs),
            SearchMessage::Stop(_) => self.on_stop(session, outputs),
        }
    }

    /// Takes the session out of everything it is in; its partner, if any, is told `reason`.
    fn forget(&mut self, key: SessionKey, reason: LeftReason, outputs: &mut Outputs) {
        if let Some(connection) = self.sessions.get(key).and_then(Session::connection) {
            // First, so that who is going is not among those whom the partner is told to be online.
            self.connections.remove(&connection);
        }
        self.leave(key, reason, outputs);
        let Some(session) = self.remove_participant(key) else { return };
        self.forget_belief(session.id);
        if let Some(identity) = session.identity.filter(|identity| identity.origin == Origin::Restored) {
            self.ended.remember(session.id, identity.generation);
        }
    }

    /// Closes a connection whose client misbehaves, and ends its session.
    fn expel(&mut self, key: SessionKey, why: &'static str, outputs: &mut Outputs) {
        if let Some(connection) = self.sessions.get(key).and_then(Session::connection) {
            outputs.push(Output::Close { connection, code: CloseCode::Policy, reason: why });
        }
        self.forget(key, LeftReason::Lost, outputs);
    }

    /// Closes a connection that shows no sign of life; its session may yet be resumed.
    fn cut(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.close_silent(key, outputs);
        self.detach(key, outputs);
    }

    fn online_for_clients(&self) -> u32 {
        u32::try_from(self.online_everywhere()).unwrap_or(u32::MAX)
    }

    fn run_timers(&mut self, outputs: &mut Outputs) {
        while let Some(due) = self.timers.pop_due(self.now) {
            match due {
                Due::Session(key) => {
                    if let Some(session) = self.sessions.get_mut(key) {
                        session.timer = None;
                    }
                    match self.on_silence_check(key, outputs) {
                        Silence::Bearable => {}
                        Silence::TooLong => self.cut(key, outputs),
                        Silence::GraceIsOver => self.forget(key, LeftReason::Lost, outputs),
                    }
                }
                Due::Ticket(key) => {
                    if let Some(ticket) = self.matchmaker.ticket_mut(key) {
                        ticket.timer = None;
                    }
                    self.on_ticket_due(key, outputs);
                }
                Due::Match(key) => {
                    if let Some(found) = self.matches.get_mut(key) {
                        found.timer = None;
                    }
                    self.on_match_deadline(key, outputs);
                }
                Due::Reservation(id) => self.on_reservation_due(id, outputs),
                Due::Arrival(connection) => self.on_arrival_due(connection, outputs),
                Due::Tails => self.on_tails_due(outputs),
            }
        }
    }
}
