//! Visitors with a token of another node, while others are asked about them.
//!
//! Three are asked in turn: the meeting place, whether the token is used up and who resumed the session last; that node, if it
//! lives, to hand the session over, which closes its old socket; and, if nobody has it, the token itself, as after a restart.
//! Meanwhile what the client says waits.

use super::Resumption;
use crate::counters::RateLimit;
use crate::ids::{ConnectionId, NodeId, SessionId, SessionKey};
use crate::lobby::Lobby;
use crate::nodes::{Marked, Presence, Request, Say};
use crate::planted::planted;
use crate::session::Said;
use crate::timers::Timers;
use crate::tokens::{Claims, Opened};
use crate::{Outputs, Span, Time};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use visavis_protocol::ClientMessage;

/// How long each of those who are asked has to answer.
const PATIENCE: Span = Span::from_secs(1);

/// What a client may say while others are asked.
const MAX_BACKLOG: usize = 32;

const MAX_BACKLOG_BYTES: usize = 64 * 1024;

/// Visitors with tokens of other nodes, whom those are asked about.
#[derive(Debug)]
pub(in crate::lobby) struct Arrivals {
    pub(in crate::lobby) waiting: FxHashMap<ConnectionId, Arrival>,
    pub(in crate::lobby) timers: Timers<ConnectionId>,
}

impl Arrivals {
    pub(in crate::lobby) fn new() -> Self {
        Arrivals { waiting: FxHashMap::default(), timers: Timers::new() }
    }

    pub(in crate::lobby) fn poll_timeout(&self) -> Option<Time> {
        self.timers.soonest().map(|(at, _)| at)
    }
}

/// A visitor whose session others are asked about.
#[derive(Debug)]
pub(in crate::lobby) struct Arrival {
    pub(super) claims: Claims,
    /// Who sealed the token.
    sealed_by: NodeId,
    received: Option<u32>,
    /// The `hello`: a refusal is about that.
    said: Said,
    kept: Option<String>,
    step: Step,
    pub(super) backlog: VecDeque<(Said, ClientMessage)>,
    pub(in crate::lobby) timer: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The meeting place is asked.
    Marking,
    /// The node that holds the session is.
    Reclaiming(NodeId),
}

impl Arrival {
    pub(in crate::lobby) fn waits_for(&self, node: NodeId) -> bool {
        self.step == Step::Reclaiming(node)
    }
}

impl Lobby {
    pub(in crate::lobby) fn ask_around(
        &mut self,
        fresh: SessionKey,
        opened: Opened,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) {
        let Some(session) = self.sessions.get(fresh) else { return };
        let (Some(connection), said) = (session.connection(), session.said) else { return };
        let Opened { claims, boot, .. } = opened;
        outputs.ask(Request::Mark {
            connection,
            session: self.peers.veil.session(claims.session),
            generation: claims.generation,
            ttl: self.config.token_ttl,
        });
        let mut timer = None;
        if !planted!(ArrivalsWaitForEver) {
            self.arrivals.timers.set(&mut timer, connection, self.sessions.now + PATIENCE);
        }
        let arrival = Arrival {
            claims,
            sealed_by: NodeId::from_bytes(boot),
            received,
            said,
            kept: None,
            step: Step::Marking,
            backlog: VecDeque::new(),
            timer,
        };
        self.arrivals.waiting.insert(connection, arrival);
    }

    /// Whether others are still asked about a session: then what its client says has to wait.
    pub(in crate::lobby) fn is_arriving(
        &mut self,
        key: SessionKey,
        message: &ClientMessage,
        outputs: &mut Outputs,
    ) -> bool {
        if self.arrivals.waiting.is_empty() {
            return false;
        }
        let Some(session) = self.sessions.get(key) else { return false };
        let (Some(connection), said) = (session.connection(), session.said) else { return false };
        let Some(arrival) = self.arrivals.waiting.get_mut(&connection) else { return false };
        let waiting: usize = arrival.backlog.iter().map(|(_, message)| message.payload_bytes()).sum();
        if arrival.backlog.len() < MAX_BACKLOG && waiting + message.payload_bytes() <= MAX_BACKLOG_BYTES {
            arrival.backlog.push_back((said, message.clone()));
        } else {
            self.sessions.refuse_too_fast(key, RateLimit::Arrival, PATIENCE, outputs);
        }
        true
    }

    pub(in crate::lobby) fn forget_arrival(&mut self, connection: ConnectionId) -> Option<Arrival> {
        if self.arrivals.waiting.is_empty() {
            return None;
        }
        let mut arrival = self.arrivals.waiting.remove(&connection)?;
        self.arrivals.timers.clear(&mut arrival.timer, connection);
        Some(arrival)
    }

    pub(in crate::lobby) fn on_arrival_due(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        if let Some(arrival) = self.arrivals.waiting.get_mut(&connection) {
            arrival.timer = None;
        }
        self.settle_arrival(connection, outputs);
    }

    pub(in crate::lobby) fn on_marked(
        &mut self,
        connection: ConnectionId,
        marked: Marked,
        outputs: &mut Outputs,
    ) {
        let Some(arrival) = self.arrivals.waiting.get_mut(&connection).filter(|a| a.step == Step::Marking)
        else {
            return;
        };
        // Who sealed the token has the session, or had it last. What the meeting place says may be older.
        let holder = arrival.sealed_by;
        match marked {
            Marked::Used => return self.turn_away(connection, outputs),
            Marked::Fresh { kept } => arrival.kept = kept,
        }
        if !self.peers.knows(holder) {
            return self.settle_arrival(connection, outputs);
        }
        let Some(arrival) = self.arrivals.waiting.get_mut(&connection) else { return };
        arrival.step = Step::Reclaiming(holder);
        self.arrivals.timers.set(&mut arrival.timer, connection, self.sessions.now + PATIENCE);
        let reclaim = Say::Reclaim {
            connection: connection.0,
            session: arrival.claims.session,
            generation: arrival.claims.generation,
            received: arrival.received,
        };
        self.tell(holder, reclaim, outputs);
    }

    /// Nobody has the session: only the token tells of it.
    pub(in crate::lobby) fn settle_arrival(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        let Some(mut arrival) = self.forget_arrival(connection) else { return };
        let Some(fresh) = self.sessions.at(connection) else { return };
        arrival.claims.kept = arrival.kept.as_deref().and_then(|kept| self.sessions.tokens.open_kept(kept));
        let opened = Opened { claims: arrival.claims, boot: arrival.sealed_by.to_bytes(), ours: false };
        let session = opened.claims.session;
        match self.believe(fresh, opened, arrival.received, outputs) {
            Resumption::Done => self.sessions.counters.resumed += 1,
            Resumption::Refused | Resumption::Pending => self.take_for_new(fresh, arrival.said, outputs),
        }
        self.look_for_partner_at(arrival.sealed_by, session, outputs);
        self.hear_backlog(connection, arrival.backlog, outputs);
    }

    /// Where a session was handed over, but never arrived, its partner may still be.
    fn look_for_partner_at(&mut self, node: NodeId, session: SessionId, outputs: &mut Outputs) {
        let known = self.sessions.known(session).and_then(|key| self.pairs.state(key));
        if let Some(id) = known.and_then(|state| self.pairs.present_match_id(state))
            && let Some(far) = self.pairing().far_seat(id).filter(|far| far.node.is_none())
            && self.peers.knows(node)
        {
            self.cluster().rejoin(far, id, node, Presence::WasHere, outputs);
        }
    }

    pub(in crate::lobby) fn turn_away(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        let Some(arrival) = self.forget_arrival(connection) else { return };
        let Some(fresh) = self.sessions.at(connection) else { return };
        self.sessions.note_spent(arrival.claims.session, arrival.claims.generation);
        self.take_for_new(fresh, arrival.said, outputs);
        self.hear_backlog(connection, arrival.backlog, outputs);
    }

    /// A visitor whose token brought nothing back.
    fn take_for_new(&mut self, fresh: SessionKey, hello: Said, outputs: &mut Outputs) {
        self.sessions.counters.not_resumed += 1;
        let Some(session) = self.sessions.get_mut(fresh) else { return };
        let last = std::mem::replace(&mut session.said, hello);
        let admitted = self.sessions.admit_without_token(fresh, outputs);
        if let Some(session) = self.sessions.get_mut(fresh) {
            session.said = last;
        }
        if admitted {
            self.pairing().identify(fresh);
            self.pairing().welcome(fresh, Some(false), outputs);
        }
    }

    pub(in crate::lobby) fn hear_backlog(
        &mut self,
        connection: ConnectionId,
        backlog: VecDeque<(Said, ClientMessage)>,
        outputs: &mut Outputs,
    ) {
        for (said, message) in backlog {
            let Some(key) = self.sessions.at(connection) else { return };
            let Some(session) = self.sessions.get_mut(key) else { return };
            // An error is about the message that was said then.
            let last = std::mem::replace(&mut session.said, said);
            self.receive(key, message, outputs);
            if let Some(session) = self.sessions.at(connection).and_then(|key| self.sessions.get_mut(key)) {
                session.said = last;
            }
        }
    }
}
