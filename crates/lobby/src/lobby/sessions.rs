//! Sessions come, are asked about, and go.

use super::{Due, Lobby};
use crate::ids::{ConnectionId, SessionId, SessionKey};
use crate::planted::planted;
use crate::session::Session;
use crate::tokens::Claims;
use crate::{Limiting, Output, Outputs};
use visavis_protocol::CloseCode;

impl Lobby {
    pub(super) fn open(&mut self, connection: ConnectionId, limiting: Limiting) -> SessionKey {
        debug_assert!(!self.connections.contains_key(&connection), "the shell never reuses a connection id");
        let id = SessionId(self.session_ids.next_id());
        let session = self.sessions.insert(Session::new(id, connection, limiting, self.now));
        self.connections.insert(connection, session);
        if let Limiting::Bound(source) = limiting {
            self.crowds.join(self.now, source);
        }
        self.watch(session);
        session
    }

    /// Whether a session has done nothing yet, so that an older one can take its socket over.
    pub(super) fn is_untouched(&self, key: SessionKey) -> bool {
        self.sessions.get(key).is_some_and(|session| session.identity.is_none() && !session.in_use)
    }

    /// Of the tokens of one session the highest generation counts.
    pub(super) fn is_older(&self, claims: &Claims, known: SessionKey) -> bool {
        let identity = self.sessions.get(known).and_then(|session| session.identity.as_ref());
        identity.is_none_or(|identity| claims.generation < identity.generation) && !planted!(OldTokensPass)
    }

    pub(super) fn note_use(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.in_use = true;
        }
    }

    pub(super) fn is_known_by_hearsay(&self, key: SessionKey) -> bool {
        self.sessions.get(key).is_some_and(|session| session.is_known_by_hearsay())
    }

    pub(super) fn is_elsewhere(&self, key: SessionKey) -> bool {
        self.sessions.get(key).is_some_and(|session| session.is_elsewhere())
    }

    pub(super) fn close_silent(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.counters.cut += 1;
        if let Some(connection) = self.sessions.get(key).and_then(Session::connection) {
            outputs.push(Output::Close { connection, code: CloseCode::GoingAway, reason: "no sign of life" });
            // Before the partner is told how many are online.
            self.connections.remove(&connection);
        }
    }

    /// Removes a session that is in nothing any more.
    pub(super) fn remove_session(&mut self, key: SessionKey) -> Option<Session> {
        let mut session = self.sessions.remove(key)?;
        self.timers.clear(&mut session.timer, Due::Session(key));
        self.admission.release(self.now, session.admittance);
        self.part_from_crowd(session.limiting);
        if session.identity.is_some() {
            self.identities.remove(&session.id);
        }
        Some(session)
    }
}
