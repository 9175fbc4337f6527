//! Two sessions put together.

use crate::Time;
use crate::ids::{SessionKey, Side};
use std::collections::VecDeque;
use std::sync::Arc;
use visavis_protocol::{Kind, MatchId};

#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) id: MatchId,
    pub(crate) kind: Kind,
    pub(crate) formed: Time,
    /// Someone reported media, or wrote in a text chat: the match was a real one.
    pub(crate) connected: bool,
    pub(crate) initiator: Seat,
    pub(crate) responder: Seat,
    pub(crate) timer: Option<Time>,
    /// What was written through the server; nothing in a call whose text goes from browser to browser.
    pub(crate) written: Option<Arc<Written>>,
}

/// Keyed digests of the latest lines of a match, by which a reported line is told from an invented one. The oldest is
/// forgotten when there are too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(VecDeque<u64>);

impl Written {
    const MAX: usize = 64;

    pub(crate) fn note(&mut self, digest: u64) {
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(digest);
    }

    pub(crate) fn contains(&self, digest: u64) -> bool {
        self.0.contains(&digest)
    }
}

#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) session: SessionKey,
    /// Since when this side had waited: its age, should it have to go back.
    pub(crate) since: Time,
    /// Candidates sent since the match or this side's last offer or answer.
    pub(crate) candidates: u32,
    /// It said how it connected.
    pub(crate) reported: bool,
    /// A frame of this side came since the match was made.
    pub(crate) alive: bool,
}

impl Match {
    pub(crate) fn seat(&self, side: Side) -> &Seat {
        match side {
            Side::Initiator => &self.initiator,
            Side::Responder => &self.responder,
        }
    }

    /// The session on the other side.
    pub(crate) fn other(&self, session: SessionKey) -> SessionKey {
        if self.initiator.session == session { self.responder.session } else { self.initiator.session }
    }

    pub(crate) fn seat_mut(&mut self, side: Side) -> &mut Seat {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        }
    }
}
