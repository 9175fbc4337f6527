//! Signs of life: pings after a silence, a cut after a longer one, and matches whose partner turned out a ghost.

use super::{Due, Lobby};
use crate::always::Always as _;
use crate::ids::{ConnectionId, MatchKey, SessionKey, Side};
use crate::planted::planted;
use crate::session::{Link, State};
use crate::{Output, Outputs, Span, Time};
use visavis_protocol::{LeftReason, ServerMessage};

/// What shows that somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A message.
    Frame,
    /// A ping or pong of the WebSocket: a browser answers without asking its page.
    Socket,
}

impl Lobby {
    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    pub(super) fn note_life(&mut self, connection: ConnectionId, sign: Sign) -> Option<SessionKey> {
        let key = *self.connections.get(&connection)?;
        let session = self.sessions.get_mut(key)?;
        session.last_seen = self.now;
        let spoke = match sign {
            Sign::Frame => {
                session.last_frame = self.now;
                true
            }
            Sign::Socket => !session.answers_ping || planted!(FrozenPagesCount),
        };
        if spoke || !session.must_speak() {
            session.asked = None;
        }
        if spoke
            && let State::Matched { key: present, side } = session.state()
            && let Some(present) = self.matches.get_mut(present)
        {
            present.seat_mut(side).alive = true;
        }
        Some(key)
    }

    /// Makes sure that a session is looked at when its silence first matters.
    pub(super) fn watch(&mut self, key: SessionKey) {
        let patience = self.patience(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let due = match session.asked {
            None => session.silent_since() + patience.ping_after,
            Some(asked) => patience.ends(session.silent_since(), asked),
        };
        if session.timer.is_none_or(|at| at > due) {
            self.timers.set(&mut session.timer, Due::Session(key), due);
        }
    }

    pub(super) fn on_silence_check(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let patience = self.patience(key);
        let Some(session) = self.sessions.get_mut(key).always("its timer goes with it") else { return };
        let connection = match session.link {
            Link::Attached(connection) => connection,
            Link::Detached { until } if until <= self.now => {
                return self.forget(key, LeftReason::Lost, outputs);
            }
            Link::Detached { until } => return self.timers.set(&mut session.timer, Due::Session(key), until),
            // Its own node watches it.
            Link::Elsewhere { .. } => return,
        };
        let silent_since = session.silent_since();
        let mut due = silent_since + patience.ping_after;
        if self.now >= due {
            let asked = *session.asked.get_or_insert(self.now);
            let end = patience.ends(silent_since, asked);
            let end = if planted!(SilenceIsEndless) { self.now + patience.cut_after } else { end };
            if self.now >= end {
                return self.cut(key, outputs);
            }
            if session.must_speak() {
                outputs.send(connection, ServerMessage::Ping {});
            } else {
                outputs.push(Output::Ping { connection, mark: session.mark() });
            }
            due = (self.now + patience.ping_after).min(end);
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
        let Some(present) = self.matches.get(key).always("its timer goes with it") else { return };
        let deadline = present.formed + self.config.sign_of_life;
        let seats = [present.seat(Side::Initiator), present.seat(Side::Responder)];
        let elsewhere = seats.iter().find(|seat| self.is_elsewhere(seat.session));
        if let Some(seat) = elsewhere {
            let (session, answered) = (seat.session, seat.alive);
            match (self.far.shut_at(), present.connected) {
                // Its node cannot be heard now, and a call goes on.
                (Some(_), true) if !answered => {
                    return self.schedule_match(key, self.now + self.config.sign_of_life.half());
                }
                (Some(shut_at), false) if self.now < shut_at => return self.schedule_match(key, shut_at),
                (Some(_), false) => return self.dissolve_far(session, outputs),
                // Its node never said that it knows of the match.
                (None, _) if !answered => return self.dissolve_far(session, outputs),
                (Some(_) | None, _) => {}
            }
        }
        let silent: Vec<SessionKey> =
            seats.iter().filter(|seat| !seat.alive).map(|seat| seat.session).collect();
        if self.now < deadline {
            for seat in seats {
                let Some(session) = self.sessions.get(seat.session) else { continue };
                // The pong of a client that lives says, too, what of the handshake need not be kept any longer.
                let keeps = session.identity.as_ref().is_some_and(|identity| !identity.replay.is_empty());
                let Some(connection) = session.connection() else { continue };
                let must_speak = session.answers_ping && !seat.alive;
                if keeps || (!seat.alive && !must_speak) {
                    outputs.push(Output::Ping { connection, mark: session.mark() });
                }
                if must_speak {
                    outputs.send(connection, ServerMessage::Ping {});
                }
            }
            if !silent.is_empty() {
                self.schedule_match(key, deadline);
            }
            return;
        }
        if !silent.is_empty() && !planted!(GhostsStay) {
            self.dissolve_match(key, &silent, outputs);
        }
    }

    /// Ends a match because of silent sides. They are cut first, so that neither is given to somebody else on the way out.
    /// Who can come back hears then how the match ended, like any survivor: it may not even know that there was one.
    fn dissolve_match(&mut self, key: MatchKey, ghosts: &[SessionKey], outputs: &mut Outputs) {
        let until = self.now + self.config.grace;
        let mut unkept = Vec::new();
        for ghost in ghosts {
            self.close_silent(*ghost, outputs);
            let resumable = self.sessions.get(*ghost).is_some_and(|session| session.identity.is_some());
            if resumable && !self.may_keep(*ghost) {
                unkept.push(*ghost);
                continue;
            }
            let Some(session) = self.sessions.get_mut(*ghost) else { continue };
            if session.identity.is_some() && session.connection().is_some() {
                session.link = Link::Detached { until };
                self.timers.set(&mut session.timer, Due::Session(*ghost), until);
            }
        }
        let Some(ended) = self.end_match(key) else { return };
        self.counters.count_end(LeftReason::Lost);
        for seat in [ended.seat(Side::Initiator), ended.seat(Side::Responder)] {
            let lost = ghosts.contains(&seat.session);
            let gone = self.sessions.get(seat.session).is_some_and(|session| session.identity.is_none())
                || unkept.contains(&seat.session);
            if lost && gone {
                self.forget(seat.session, LeftReason::Lost, outputs);
            } else {
                self.survive(&ended, seat, LeftReason::Lost, outputs);
            }
        }
    }

    /// Says how much of what this socket sent was taken.
    pub(super) fn on_ping(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        if let Some(connection) = session.connection() {
            outputs.send(connection, ServerMessage::Pong { received: session.said.nth });
        }
    }

    fn patience(&self, key: SessionKey) -> Patience {
        match self.state(key) {
            Some(State::Waiting { .. } | State::Reserved { .. }) => Patience {
                ping_after: self.config.waiting_ping_after,
                cut_after: self.config.waiting_cut_after,
            },
            Some(State::Idle { .. } | State::Held { .. } | State::Matched { .. }) | None => {
                Patience { ping_after: self.config.ping_after, cut_after: self.config.cut_after }
            }
        }
    }
}

/// After which silence a session is pinged, and after which it is cut.
struct Patience {
    ping_after: Span,
    cut_after: Span,
}

impl Patience {
    /// When a session is cut that was first pinged at `asked`. A silence that was fine in a call may be too long for the
    /// line; whoever comes back from one still has as long to answer as anybody else.
    fn ends(&self, last_seen: Time, asked: Time) -> Time {
        (last_seen + self.cut_after).max(asked + (self.cut_after - self.ping_after))
    }
}
