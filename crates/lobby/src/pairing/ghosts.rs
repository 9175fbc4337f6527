//! Ghosts: if one side of a new match shows no sign of life in time, the match ends.

use super::{Due, Pairing, Pairs, State};
use crate::always::Always as _;
use crate::ids::{MatchKey, SessionKey, Side};
use crate::planted::planted;
use crate::{Output, Outputs, Time};
use visavis_protocol::{LeftReason, ServerMessage};

impl Pairing<'_> {
    /// Half-way to the deadline silent sides are pinged; at the deadline they are ghosts, and the survivor goes back.
    pub(crate) fn on_match_deadline(&mut self, key: MatchKey, outputs: &mut Outputs) {
        let Some(present) = self.pairs.matches.get(key).always("its timer goes with it") else { return };
        let deadline = present.formed + self.config.sign_of_life;
        let seats = [present.seat(Side::Initiator), present.seat(Side::Responder)];
        let elsewhere = seats.iter().find(|seat| self.sessions.is_elsewhere(seat.session));
        if let Some(seat) = elsewhere {
            let (session, answered) = (seat.session, seat.alive);
            match (self.peers.shut_at(), present.connected) {
                // Its node cannot be heard now, and a call goes on.
                (Some(_), true) if !answered => {
                    return self
                        .pairs
                        .schedule_match(key, self.sessions.now + self.config.sign_of_life.half());
                }
                (Some(shut_at), false) if self.sessions.now < shut_at => {
                    return self.pairs.schedule_match(key, shut_at);
                }
                (Some(_), false) => return self.dissolve_far(session, outputs),
                // Its node never said that it knows of the match.
                (None, _) if !answered => return self.dissolve_far(session, outputs),
                (Some(_) | None, _) => {}
            }
        }
        let silent: Vec<SessionKey> =
            seats.iter().filter(|seat| !seat.alive).map(|seat| seat.session).collect();
        if self.sessions.now < deadline {
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
                self.pairs.schedule_match(key, deadline);
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
        let until = self.sessions.now + self.config.grace;
        let mut unkept = Vec::new();
        for ghost in ghosts {
            self.sessions.close_silent(*ghost, outputs);
            let resumable = self.sessions.is_recognisable(*ghost);
            if resumable && !self.sessions.may_keep(*ghost) {
                unkept.push(*ghost);
                continue;
            }
            if resumable && self.sessions.connection(*ghost).is_some() {
                self.sessions.keep_until(*ghost, until);
            }
        }
        let Some(ended) = self.end_match(key) else { return };
        self.sessions.counters.count_end(LeftReason::Lost);
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
}

impl Pairs {
    /// Whoever shows a sign of life is no ghost.
    pub(crate) fn note_alive(&mut self, key: SessionKey) {
        if let Some(State::Matched { key, side }) = self.state(key)
            && let Some(present) = self.matches.get_mut(key)
        {
            present.seat_mut(side).alive = true;
        }
    }

    pub(crate) fn schedule_match(&mut self, key: MatchKey, at: Time) {
        if let Some(present) = self.matches.get_mut(key) {
            self.timers.set(&mut present.timer, Due::Match(key), at);
        }
    }
}
