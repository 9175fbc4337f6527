//! Everybody who is here: connections, sessions, what they are recognised by, what is said to them, and how fast they may
//! speak.
//!
//! What always holds: nothing in here knows of pairs, tickets or other nodes. Whoever stands on it says how ready a session has
//! to be ([`Engagement`]), and ends the sessions that it is told to end: those that were silent for too long
//! ([`Silence`]) and those that were expelled ([`Sessions::take_expelled`]).

#[cfg(any(test, feature = "audit"))]
mod audit;
mod draining;
mod liveness;
mod rate_limits;
mod resume;
mod sending;
mod threshold;

pub(crate) use liveness::{Life, Sign, Silence};
pub(crate) use resume::{Recognised, Welcome};

use crate::admission::Admission;
use crate::crowd::Crowds;
use crate::ids::{ConnectionId, NodeId, SessionId, SessionKey};
use crate::persons::{Persons, Someone};
use crate::random::{LobbyKey, Random};
use crate::session::{Engagement, Link, Origin, Session};
use crate::timers::Timers;
use crate::tokens::{Ended, Tokens, boot_of};
use crate::{Config, Counters, Limiting, Output, Outputs, Time};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use std::sync::Arc;
use visavis_protocol::CloseCode;

/// Whether this node takes part in the game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Matching,
    Draining,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) config: Arc<Config>,
    /// The latest time ever told: a clock that steps back stands still here.
    pub(crate) now: Time,
    /// Totals, also of those who stand on this.
    pub(crate) counters: Counters,
    phase: Phase,
    connections: FxHashMap<ConnectionId, SessionKey>,
    all: SlotMap<SessionKey, Session>,
    ids: Random,
    /// What tells the passes of one moment apart.
    passes: Random,
    pub(crate) persons: Persons,
    /// Sessions that can be resumed.
    identities: FxHashMap<SessionId, SessionKey>,
    /// Sessions of earlier processes that ended here: their tokens must not bring them back once more.
    ended: Ended,
    /// Tokens of other processes that brought nothing back when they were shown here: they open no door again.
    spent: Ended,
    pub(crate) tokens: Tokens,
    admission: Admission,
    crowds: Crowds,
    timers: Timers<SessionKey>,
    expelled: Vec<SessionKey>,
}

impl Sessions {
    pub(crate) fn new(config: Arc<Config>, key: &LobbyKey) -> Self {
        let boot = boot_of(&config, key);
        Sessions {
            now: Time::ZERO,
            counters: Counters::default(),
            phase: Phase::Matching,
            connections: FxHashMap::default(),
            all: SlotMap::with_key(),
            ids: key.random("visavis session 1"),
            passes: key.random("visavis ice pass 1"),
            persons: Persons::new(&config.session_secrets, key),
            identities: FxHashMap::default(),
            ended: Ended::default(),
            spent: Ended::default(),
            tokens: Tokens::new(config.session_secrets.clone(), boot),
            admission: Admission::new(config.admission_rate),
            crowds: Crowds::default(),
            timers: Timers::new(),
            expelled: Vec::new(),
            config,
        }
    }

    pub(crate) fn tell_time(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// When a session has to be looked at next.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.timers.soonest().map(|(at, _)| at)
    }

    /// A session to be looked at now, with [`Sessions::on_silence_check`].
    pub(crate) fn pop_due(&mut self) -> Option<SessionKey> {
        let key = self.timers.pop_due(self.now)?;
        if let Some(session) = self.all.get_mut(key) {
            session.timer = None;
        }
        Some(key)
    }

    pub(crate) fn open(&mut self, connection: ConnectionId, limiting: Limiting) -> SessionKey {
        debug_assert!(!self.connections.contains_key(&connection), "the shell never reuses a connection id");
        let id = SessionId(self.ids.next_id());
        let session = self.all.insert(Session::new(id, connection, limiting, self.now));
        self.connections.insert(connection, session);
        if let Limiting::Bound(source) = limiting {
            self.crowds.join(self.now, source);
        }
        self.watch(session);
        session
    }

    /// How many sockets are here.
    pub(crate) fn online(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        self.all.iter()
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.all.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.all.get_mut(key)
    }

    /// Whose socket this is.
    pub(crate) fn at(&self, connection: ConnectionId) -> Option<SessionKey> {
        self.connections.get(&connection).copied()
    }

    /// The session of this name, if it can be resumed.
    pub(crate) fn known(&self, id: SessionId) -> Option<SessionKey> {
        self.identities.get(&id).copied()
    }

    pub(crate) fn connection(&self, key: SessionKey) -> Option<ConnectionId> {
        self.all.get(key).and_then(Session::connection)
    }

    /// Whether its client can come back.
    pub(crate) fn is_recognisable(&self, key: SessionKey) -> bool {
        self.all.get(key).is_some_and(|session| session.identity.is_some())
    }

    pub(crate) fn id(&self, key: SessionKey) -> SessionId {
        self.all.get(key).map_or(SessionId(0), |session| session.id)
    }

    pub(crate) fn who(&self, key: SessionKey) -> Someone {
        let nobody = Someone { session: SessionId(0), device: None };
        self.all.get(key).map_or(nobody, Session::who)
    }

    pub(crate) fn is_known_by_hearsay(&self, key: SessionKey) -> bool {
        self.all.get(key).is_some_and(Session::is_known_by_hearsay)
    }

    pub(crate) fn is_elsewhere(&self, key: SessionKey) -> bool {
        self.all.get(key).is_some_and(Session::is_elsewhere)
    }

    /// Says how ready a session has to be.
    pub(crate) fn engage(&mut self, key: SessionKey, engagement: Engagement) {
        if let Some(session) = self.all.get_mut(key) {
            session.engagement = engagement;
        }
    }

    /// It has asked for something: no older session can take its socket over any more.
    pub(crate) fn note_use(&mut self, key: SessionKey) {
        if let Some(session) = self.all.get_mut(key) {
            session.in_use = true;
        }
    }

    /// Makes a session for somebody who is not here, and of whom others have told.
    pub(crate) fn insert_known_by_hearsay(&mut self, who: Someone, link: Link, origin: Origin) -> SessionKey {
        let mut session = Session::known_by_hearsay(who.session, link, origin, self.now);
        session.device = who.device;
        let key = self.all.insert(session);
        self.identities.insert(who.session, key);
        if let Link::Detached { until } = link {
            self.keep_until(key, until);
        }
        key
    }

    /// Its socket is lost: the session ends, too, if nobody comes back for it until then.
    pub(crate) fn keep_until(&mut self, key: SessionKey, until: Time) {
        if let Some(session) = self.all.get_mut(key) {
            session.link = Link::Detached { until };
            self.timers.set(&mut session.timer, key, until);
        }
    }

    /// Its visitor is on another node from now on, which watches it. Says where it was before.
    pub(crate) fn move_to(&mut self, key: SessionKey, node: NodeId) -> Option<Link> {
        let session = self.all.get_mut(key)?;
        self.timers.clear(&mut session.timer, key);
        Some(std::mem::replace(&mut session.link, Link::Elsewhere { node }))
    }

    /// Closes the socket of a session whose visitor has come back on another node, if it has one.
    pub(crate) fn close_moved(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.all.get_mut(key) else { return };
        let limiting = std::mem::replace(&mut session.limiting, Limiting::Exempt);
        let connection = session.connection();
        self.part_from_crowd(limiting);
        if let Some(connection) = connection {
            self.connections.remove(&connection);
            outputs.push(Output::Close { connection, code: CloseCode::Policy, reason: "resumed elsewhere" });
        }
    }

    pub(crate) fn close_silent(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.counters.cut += 1;
        if let Some(connection) = self.connection(key) {
            outputs.push(Output::Close { connection, code: CloseCode::GoingAway, reason: "no sign of life" });
            // Before the partner is told how many are online.
            self.connections.remove(&connection);
        }
    }

    /// Counts the socket of a session that is going as gone already.
    pub(crate) fn disconnect(&mut self, key: SessionKey) {
        if let Some(connection) = self.connection(key) {
            self.connections.remove(&connection);
        }
    }

    /// Removes a session that is in nothing any more.
    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        let mut session = self.all.remove(key)?;
        self.timers.clear(&mut session.timer, key);
        self.admission.release(self.now, session.admittance);
        self.part_from_crowd(session.limiting);
        if session.identity.is_some() {
            self.identities.remove(&session.id);
        }
        Some(session)
    }
}
