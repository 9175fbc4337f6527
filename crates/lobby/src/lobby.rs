//! The lobby itself: takes inputs, keeps sessions, tickets and matches, and says what to send.
//!
//! One owner calls it, so a ticket can only be taken once. Its parts stand in three rooms, each of which knows only those
//! below it; `tests/rooms.rs` watches over that:
//!
//! - *sessions* ([`Sessions`], a value of its own), who know nothing of pairs;
//! - *pairing*: where each stands (`participants`), searching (`search`), leaving (`parting`), signals between strangers
//!   (`switchboard`), what is said to them (`saying`), partners who are away (`absence`) or turn out ghosts (`ghosts`), hidden
//!   addresses (`hiding`), where a token says somebody stands (`minting`);
//! - *cluster*, beside pairing: other nodes (`far`).
//!
//! On top stand this file and sessions that outlive their sockets (`resume`), which combine all three.

mod absence;
#[cfg(any(test, feature = "audit"))]
mod audit;
mod far;
mod ghosts;
mod hiding;
mod minting;
mod participants;
mod parting;
mod resume;
mod saying;
mod search;
mod switchboard;

use crate::crowd::Act;
use crate::ids::{ConnectionId, MatchKey, SessionKey, TicketKey};
use crate::matches::Match;
use crate::matchmaker::Matchmaker;
use crate::participants::{Participant, Participants};
use crate::planted::planted;
use crate::random::{LobbyKey, Random};
use crate::sessions::{Life, Sessions, Sign, Silence};
use crate::timers::Timers;
use crate::{Config, Counters, Ending, Gauges, Input, Outputs, Time};
use far::Far;
use slotmap::SlotMap;
use std::sync::Arc;
use visavis_protocol::{ClientMessage, LeftReason, MatchId, SearchMessage, SessionMessage};

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
    Ticket(TicketKey),
    Match(MatchKey),
    Reservation(MatchId),
    Arrival(ConnectionId),
    Tails,
}

/// All sessions of one node and what is between them.
#[derive(Debug)]
pub struct Lobby {
    config: Arc<Config>,
    sessions: Sessions,
    participants: Participants,
    matches: SlotMap<MatchKey, Match>,
    match_ids: Random,
    matchmaker: Matchmaker,
    timers: Timers<Due>,
    far: Far,
    gauges: Gauges,
}

impl Lobby {
    /// An empty lobby. All that must not be guessed comes of `key`: random bytes of the system, drawn anew at every start.
    pub fn new(config: Config, key: LobbyKey) -> Self {
        let config = Arc::new(config);
        Lobby {
            sessions: Sessions::new(config.clone(), &key),
            participants: Participants::new(),
            matches: SlotMap::with_key(),
            match_ids: key.random("visavis match 1"),
            matchmaker: Matchmaker::new(),
            timers: Timers::new(),
            far: Far::new(&config, &key),
            gauges: Gauges::default(),
            config,
        }
    }

    /// Takes one input and appends what follows from it. Inputs of unknown connections are ignored.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Outputs) {
        self.sessions.tell_time(now);
        match input {
            Input::Opened { connection, limiting } => {
                let session = self.sessions.open(connection, limiting);
                self.participants.insert(session, Participant::default());
            }
            Input::Received { connection, message } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.sessions.note_said(session, Some(message.message_type()));
                    self.hide_at_once(session, &message, outputs);
                    if self.sessions.take(session, Act::Message, outputs) {
                        self.receive(session, message, outputs);
                    }
                    self.end_expelled(outputs);
                    self.settle_token(session, outputs);
                }
            }
            Input::Malformed { connection, refusal } => {
                if let Some(session) = self.note_life(connection, Sign::Frame) {
                    self.sessions.note_said(session, refusal.of);
                    self.hide_in_doubt(session, &refusal, outputs);
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
                        self.forget(session, LeftReason::Closed, outputs);
                    }
                    // While draining a closed socket is one that moved, as it was asked to.
                    (Some(session), Ending::CloseFrame | Ending::Broken) => self.detach(session, outputs),
                    (None, _) => {}
                }
            }
            Input::Drain { spread } => self.sessions.drain(spread, outputs),
            Input::Cluster(reply) => self.on_reply(reply, outputs),
            Input::Timeout => self.run_timers(outputs),
        }
        self.settle_exports(outputs);
    }

    /// When to be woken next with [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        let silence = self.sessions.poll_timeout().map(|at| (at, Reason::Silence));
        let other = self.timers.soonest().map(|(at, due)| {
            let reason = match due {
                Due::Ticket(_) => Reason::Ticket,
                Due::Match(_) => Reason::Match,
                Due::Reservation(_) => Reason::Reservation,
                Due::Arrival(_) => Reason::Arrival,
                Due::Tails => Reason::Tail,
            };
            (at, reason)
        });
        [silence, other].into_iter().flatten().min()
    }

    /// How many people are on this node.
    pub fn online(&self) -> usize {
        self.sessions.online()
    }

    /// How many people are on this and all other nodes, as far as those are known.
    pub fn online_everywhere(&self) -> usize {
        self.online() + self.far.online()
    }

    /// Totals so far.
    pub fn counters(&self) -> &Counters {
        &self.sessions.counters
    }

    /// How things stand. Counts who is elsewhere: for metrics, not for every event.
    pub fn gauges(&self) -> Gauges {
        let across = self.sessions_elsewhere();
        Gauges { sessions: self.sessions.len() - across, across, ..self.gauges }
    }

    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    fn note_life(&mut self, connection: ConnectionId, sign: Sign) -> Option<SessionKey> {
        let Life { session, spoke } = self.sessions.note_seen(connection, sign)?;
        if spoke {
            self.note_alive(session);
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
            SessionMessage::Ping(_) => self.sessions.on_ping(session, outputs),
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
        // First, so that who is going is not among those whom the partner is told to be online.
        self.sessions.disconnect(key);
        self.leave(key, reason, outputs);
        let Some(session) = self.remove_participant(key) else { return };
        self.forget_belief(session.id);
        self.sessions.note_end(&session);
    }

    /// Ends the sessions of those whose sockets were closed as they misbehaved.
    fn end_expelled(&mut self, outputs: &mut Outputs) {
        for key in self.sessions.take_expelled() {
            self.forget(key, LeftReason::Lost, outputs);
        }
    }

    /// Closes a connection that shows no sign of life; its session may yet be resumed.
    fn cut(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.sessions.close_silent(key, outputs);
        self.detach(key, outputs);
    }

    fn online_for_clients(&self) -> u32 {
        u32::try_from(self.online_everywhere()).unwrap_or(u32::MAX)
    }

    fn run_timers(&mut self, outputs: &mut Outputs) {
        loop {
            // Of two at one moment whoever is silent goes first: nobody is given to them.
            let soonest = self.timers.soonest().map(|(at, _)| at);
            let session_first =
                soonest.is_none_or(|other| self.sessions.poll_timeout().is_some_and(|at| at <= other));
            if session_first {
                let Some(key) = self.sessions.pop_due() else { return };
                match self.sessions.on_silence_check(key, outputs) {
                    Silence::Bearable => {}
                    Silence::TooLong => self.cut(key, outputs),
                    Silence::GraceIsOver => self.forget(key, LeftReason::Lost, outputs),
                }
                continue;
            }
            let Some(due) = self.timers.pop_due(self.sessions.now) else { return };
            match due {
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
