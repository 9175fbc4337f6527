//! Signs of life: pings after a silence, a cut after a longer one, and matches whose partner turned out a ghost.

use super::{Due, Lobby};
use crate::matches::{MatchKey, Side};
use crate::session::{SessionKey, State};
use crate::{ConnectionId, Output, Outputs, Span, Time};
use visavis_protocol::CloseCode;

impl Lobby {
    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    pub(super) fn note_life(&mut self, connection: ConnectionId) -> Option<SessionKey> {
        let key = *self.connections.get(&connection)?;
        let session = self.sessions.get_mut(key)?;
        session.last_seen = self.now;
        if let State::Matched { key: present, side } = session.state()
            && let Some(present) = self.matches.get_mut(present)
        {
            present.seat_mut(side).alive = true;
        }
        Some(key)
    }

    /// Makes sure that a session is looked at when its silence first matters.
    pub(super) fn watch(&mut self, key: SessionKey) {
        let (ping_after, _) = self.patience(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let due = session.last_seen + ping_after;
        if session.timer.is_none_or(|at| at > due) {
            self.timers.set(&mut session.timer, Due::Session(key), due);
        }
    }

    pub(super) fn on_silence_check(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let (ping_after, cut_after) = self.patience(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let silence = self.now.since(session.last_seen);
        if silence >= cut_after {
            self.counters.cut += 1;
            return self.cut(key, CloseCode::GoingAway, "no sign of life", outputs);
        }
        let mut due = session.last_seen + ping_after;
        if silence >= ping_after {
            outputs.push(Output::Ping { connection: session.connection });
            due = (self.now + ping_after).min(session.last_seen + cut_after);
        }
        self.timers.set(&mut session.timer, Due::Session(key), due);
    }

    pub(super) fn schedule_match(&mut self, key: MatchKey, at: Time) {
        if let Some(present) = self.matches.get_mut(key) {
            self.timers.set(&mut present.timer, Due::Match(key), at);
        }
    }

    /// Half-way to the deadline silent sides are pinged; at the deadline they are ghosts, and the survivor goes back.
    pub(super) fn on_match_deadline(&mut self, key: MatchKey, outputs: &mut Outputs) {
        let Some(present) = self.matches.get(key) else { return };
        let deadline = present.formed + self.config.sign_of_life;
        let silent: Vec<SessionKey> = [Side::Initiator, Side::Responder]
            .into_iter()
            .map(|side| present.seat(side))
            .filter(|seat| !seat.alive)
            .map(|seat| seat.session)
            .collect();
        if silent.is_empty() {
            return;
        }
        if self.now < deadline {
            for session in silent.iter().filter_map(|ghost| self.sessions.get(*ghost)) {
                outputs.push(Output::Ping { connection: session.connection });
            }
            return self.schedule_match(key, deadline);
        }
        if silent.len() == 2 {
            // Neither may be given to somebody else on the way out.
            self.end_match(key);
        }
        for ghost in silent {
            self.counters.cut += 1;
            self.cut(ghost, CloseCode::GoingAway, "no sign of life", outputs);
        }
    }

    /// After which silence a session is pinged, and after which it is cut.
    fn patience(&self, key: SessionKey) -> (Span, Span) {
        match self.state(key) {
            Some(State::Waiting { .. }) => (self.config.waiting_ping_after, self.config.waiting_cut_after),
            Some(State::Idle { .. } | State::Matched { .. }) | None => {
                (self.config.ping_after, self.config.cut_after)
            }
        }
    }
}
