//! The switchboard: carries signals between the two sides of a match, unread (but for visitors who hide their address:
//! what they send was read, and cleared of it, before it came here).
//!
//! What always holds: a signal reaches only the present partner, under the id of the present match. What names another
//! match, or comes after the end, is dropped and counted: no late candidate reaches the next stranger.

use super::{Pairing, Pairs, State};
use crate::always::Always as _;
use crate::counters::RateLimit;
use crate::crowd::Act;
use crate::ids::{MatchKey, SessionKey, Side};
use crate::planted::planted;
use crate::replay::weight_of;
use crate::session::Link;
use crate::{Outputs, Span};
use visavis_protocol::{
    ErrorCode, IceCandidate, Kind, MatchId, Message, Refusal, ServerMessage, Signal, SignalMessage, Typing,
};

const MATCHED: &str = "a session that is matched leaves its state with its match";

/// What becomes of a signal.
enum Route {
    Forward {
        key: MatchKey,
        side: Side,
        match_id: MatchId,
        partner: SessionKey,
    },
    /// Of an earlier match.
    Drop,
    Refuse(Refusal),
}

impl Pairing<'_> {
    pub(crate) fn on_signal(&mut self, key: SessionKey, signal: SignalMessage, outputs: &mut Outputs) {
        match self.route(key, signal.match_id()) {
            Route::Forward { key: match_key, side, match_id, partner } => {
                if matches!(signal, SignalMessage::Message(_)) && !self.sessions.take(key, Act::Text, outputs)
                {
                    return;
                }
                let bytes = signal.forwarded_bytes();
                if let Some(bytes) = bytes
                    && let Err((limit, pause)) = self.may_reach(key, partner, &signal, bytes)
                {
                    return self.sessions.refuse_too_fast(key, limit, pause, outputs);
                }
                let was_connected = self.pairs.is_connected(match_key);
                if let Err(refusal) = self.note_signal(match_key, side, &signal) {
                    return self.sessions.refuse(key, refusal, outputs);
                }
                if !was_connected && self.pairs.is_connected(match_key) {
                    self.tell_connected(match_key, outputs);
                }
                let Some(message) = forward(match_id, signal) else { return };
                self.pairs.note_written(match_key, side, &message);
                self.sessions.note_sent(key, bytes.unwrap_or_default());
                self.sessions.note_queued(partner, key, &message);
                self.say(partner, message, outputs);
            }
            Route::Drop => self.sessions.counters.stale_signals += 1,
            Route::Refuse(refusal) => self.sessions.refuse(key, refusal, outputs),
        }
    }

    fn route(&self, key: SessionKey, named: Option<MatchId>) -> Route {
        let Some(participant) = self.pairs.participants.get(key).always("it has just spoken") else {
            return Route::Drop;
        };
        if named.is_none() && participant.names_matches {
            let message =
                "match_id: a session that said `hello` or `requeue: true` names its match on every signal";
            return Route::Refuse(Refusal::new(ErrorCode::MatchIdRequired, message));
        }
        if !participant.was_ever_matched() {
            let message = "nobody is there yet: wait for `partner_found`";
            return Route::Refuse(Refusal::new(ErrorCode::NotMatched, message));
        }
        let State::Matched { key, side } = participant.state() else { return Route::Drop };
        let Some(present) = self.pairs.matches.get(key).always(MATCHED) else { return Route::Drop };
        if named.is_some_and(|named| named != present.id) && !planted!(StaleSignalsPass) {
            return Route::Drop;
        }
        Route::Forward { key, side, match_id: present.id, partner: present.seat(side.other()).session }
    }

    /// Whether there is room for a signal on its way and at its end. Before anything comes of it: what is refused has no effect.
    fn may_reach(
        &self,
        key: SessionKey,
        partner: SessionKey,
        signal: &SignalMessage,
        bytes: usize,
    ) -> Result<(), (RateLimit, Span)> {
        if let Some(pause) = self.partner_is_full(partner, signal, bytes) {
            return Err((RateLimit::Mailbox, pause));
        }
        self.sessions.may_signal(key, partner, bytes)
    }

    /// A stranger who is away takes only so much: then the sender waits, and nothing is lost.
    fn partner_is_full(&self, partner: SessionKey, signal: &SignalMessage, bytes: usize) -> Option<Span> {
        let session = self.sessions.get(partner).always("who sits in a match is a session")?;
        let pause = match session.link {
            Link::Attached(_) => return None,
            Link::Detached { until } => until.since(self.sessions.now),
            Link::Elsewhere { .. } => Span::from_secs(1),
        };
        // What is typed is kept only where there is room for it, and is nothing to wait for.
        let passes = matches!(signal, SignalMessage::Typing(_)) && !planted!(TypingFillsTheMailbox);
        if passes || planted!(MailIsLostUnsaid) {
            return None;
        }
        let identity = session.identity.as_ref()?;
        if session.is_elsewhere() && self.peers.is_near() && identity.replay.is_empty() {
            return None;
        }
        identity.replay.is_full(weight_of(bytes), self.sessions.replay_bounds()).then_some(pause)
    }

    /// What the lobby itself learns from a signal.
    fn note_signal(&mut self, key: MatchKey, side: Side, signal: &SignalMessage) -> Result<(), Refusal> {
        let budget = self.config.limits.max_candidates_per_match;
        let Some(present) = self.pairs.matches.get_mut(key).always(MATCHED) else { return Ok(()) };
        match signal {
            // An ICE restart gathers anew, and a long call may need many.
            SignalMessage::Offer(_) | SignalMessage::Answer(_) => present.seat_mut(side).candidates = 0,
            SignalMessage::IceCandidate(IceCandidate { candidate, .. }) => {
                let seat = present.seat_mut(side);
                let sent = seat.candidates.saturating_add(candidate.count());
                if sent > budget {
                    let message = format!("candidate: at most {budget} in a match");
                    return Err(Refusal::new(ErrorCode::TooLarge, message));
                }
                seat.candidates = sent;
            }
            SignalMessage::Connected(report) => {
                // Both sides report; the first report makes the match a real one.
                if !present.connected {
                    self.sessions.counters.paths.matches += 1;
                }
                present.connected = true;
                // A client may say it again and again, and is counted once.
                if std::mem::replace(&mut present.seat_mut(side).reported, true) {
                    return Ok(());
                }
                // The client's word, but no longer than the match is old.
                let elapsed = Span::from_micros((report.elapsed_ms * 1_000.0) as u64)
                    .min(self.sessions.now.since(present.formed));
                self.sessions.counters.paths.record(report, elapsed);
            }
            SignalMessage::Message(_) if present.kind == Kind::Text => present.connected = true,
            SignalMessage::Message(_) | SignalMessage::Typing(_) => {}
        }
        Ok(())
    }
}

/// The same content as the partner gets it; nothing for what only the server wants to know.
fn forward(match_id: MatchId, signal: SignalMessage) -> Option<ServerMessage> {
    match signal {
        SignalMessage::Offer(Signal { sdp, .. }) => Some(ServerMessage::Offer { match_id, sdp }),
        SignalMessage::Answer(Signal { sdp, .. }) => Some(ServerMessage::Answer { match_id, sdp }),
        SignalMessage::IceCandidate(IceCandidate { candidate, .. }) => {
            Some(ServerMessage::IceCandidate { match_id, candidate })
        }
        SignalMessage::Message(Message { text, .. }) => Some(ServerMessage::Message { match_id, text }),
        SignalMessage::Typing(Typing { on, .. }) => Some(ServerMessage::Typing { match_id, on }),
        SignalMessage::Connected(_) => None,
    }
}

impl Pairs {
    /// The present match's id and the partner in it.
    pub(crate) fn present_match(&self, state: State) -> Option<(MatchId, SessionKey)> {
        let State::Matched { key, side } = state else { return None };
        self.matches.get(key).always(MATCHED).map(|present| (present.id, present.seat(side.other()).session))
    }

    pub(crate) fn is_connected(&self, key: MatchKey) -> bool {
        self.matches.get(key).is_some_and(|present| present.connected)
    }

    pub(crate) fn present_match_id(&self, state: State) -> Option<MatchId> {
        self.present_match(state).map(|(id, _)| id)
    }
}
