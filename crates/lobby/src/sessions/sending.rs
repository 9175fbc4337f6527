//! Saying something to a session, and keeping what it may miss.

use super::Sessions;
use crate::ids::SessionKey;
use crate::replay::Bounds;
use crate::session::{Engagement, Link, Said};
use crate::{Output, Outputs};
use visavis_protocol::{MessageType, Refusal, ServerMessage};

/// Whether something is said for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    First,
    Again,
}

impl Sessions {
    pub(crate) fn note_said(&mut self, key: SessionKey, what: Option<MessageType>) {
        if let Some(session) = self.all.get_mut(key) {
            session.said = Said { what, nth: session.said.nth.saturating_add(1) };
        }
    }

    pub(crate) fn refuse(&mut self, key: SessionKey, refusal: Refusal, outputs: &mut Outputs) {
        self.counters.count_refusal(refusal.code);
        self.blame(key, ServerMessage::refused(refusal), outputs);
    }

    /// Says an error, and of which message it is.
    pub(crate) fn blame(&mut self, key: SessionKey, error: ServerMessage, outputs: &mut Outputs) {
        let Some(Said { what, nth }) = self.all.get(key).map(|session| session.said) else { return };
        self.say(key, error.about(what, nth), outputs);
    }

    pub(crate) fn say(&mut self, key: SessionKey, message: ServerMessage, outputs: &mut Outputs) {
        self.deliver(key, message, Hearing::First, outputs);
    }

    /// Says what may have been missed: it may be missed again.
    pub(crate) fn say_again(&mut self, key: SessionKey, message: ServerMessage, outputs: &mut Outputs) {
        self.deliver(key, message, Hearing::Again, outputs);
    }

    fn deliver(&mut self, key: SessionKey, message: ServerMessage, hearing: Hearing, outputs: &mut Outputs) {
        let bounds = self.replay_bounds();
        let Some(session) = self.all.get_mut(key) else { return };
        let link = session.link;
        // What follows something that may not have arrived is kept, too: a client that hears of a match hears of its end.
        let in_need = hearing == Hearing::Again
            || session.engagement == Engagement::Engaged
            || matches!(link, Link::Detached { .. })
            || session.identity.as_ref().is_some_and(|identity| !identity.replay.is_empty());
        // Said of this socket only: whoever resumes has followed it.
        let keep = in_need && !matches!(message, ServerMessage::Draining { .. });
        let mut ping = false;
        if let Some(identity) = &mut session.identity {
            identity.sent = identity.sent.wrapping_add(1);
            if keep {
                identity.replay.keep(identity.sent, message.clone(), bounds);
                ping = identity.replay.wants_acknowledgement(bounds);
            }
        }
        let mark = session.mark();
        if let Link::Attached(connection) = link {
            outputs.send(connection, message);
            if ping {
                outputs.push(Output::Ping { connection, mark });
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, key: SessionKey, mark: u32) {
        if let Some(identity) = self.all.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.replay.acknowledge(mark);
        }
    }

    pub(crate) fn replay_bounds(&self) -> Bounds {
        Bounds { messages: self.config.replay_messages, bytes: self.config.replay_bytes }
    }
}
