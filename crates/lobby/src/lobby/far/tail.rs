//! What follows the end of a match with another node.
//!
//! A frame that is lost is noticed by the number of the next one. After an end there may be none for long, and the other
//! half would stand in a match that is over. So the newest end is said again, some seconds in a row.

use super::{Far, Lobby, NodeId};
use crate::lobby::Due;
use crate::nodes::{Frame, Request, Say};
use crate::planted::planted;
use crate::{Outputs, Span};
use visavis_protocol::{LeftReason, MatchId};

/// The newest end that a node was told of, while it is said again.
#[derive(Debug)]
pub(super) struct Tail {
    id: MatchId,
    reason: LeftReason,
    /// How often it was said again.
    repeats: u8,
}

impl Tail {
    /// Waits of 1, 2 and 4 s: the place where nodes meet may lose all frames for a while.
    const REPEATS: u8 = 3;

    fn wait(repeats: u8) -> Span {
        Span::from_secs(1 << repeats.min(Self::REPEATS))
    }
}

impl Far {
    /// When an end is said again to a node.
    #[cfg(any(test, feature = "audit"))]
    pub(in crate::lobby) fn tail_timer(&self, node: NodeId) -> Option<crate::Time> {
        self.peers.get(&node).and_then(|peer| peer.timer)
    }

    #[cfg(any(test, feature = "audit"))]
    pub(in crate::lobby) fn tail_timers(&self) -> impl Iterator<Item = crate::Time> {
        self.peers.values().filter_map(|peer| peer.timer)
    }
}

impl Lobby {
    /// A timer that is set stays: ends in quick succession must not put it off for ever.
    pub(super) fn note_end(&mut self, node: NodeId, id: MatchId, reason: LeftReason) {
        if planted!(EndsAreSaidOnce) {
            return;
        }
        let Some(peer) = self.far.peers.get_mut(&node) else { return };
        let at = self.now + Tail::wait(0);
        let at = peer.timer.map_or(at, |set| set.min(at));
        peer.tail = Some(Tail { id, reason, repeats: 0 });
        self.timers.set(&mut peer.timer, Due::Tail(node), at);
    }

    pub(in crate::lobby) fn on_tail_due(&mut self, node: NodeId, outputs: &mut Outputs) {
        let Some(peer) = self.far.peers.get_mut(&node) else { return };
        peer.timer = None;
        let Some(mut tail) = peer.tail.take() else { return };
        // When the way opens again, both compare notes.
        if self.far.reach != super::Reach::Near {
            return;
        }
        let Tail { id, reason, .. } = tail;
        tail.repeats += 1;
        if tail.repeats < Tail::REPEATS {
            let at = self.now + Tail::wait(tail.repeats);
            self.timers.set(&mut peer.timer, Due::Tail(node), at);
            peer.tail = Some(tail);
        }
        // A match that both have found again meanwhile must go on; the frame is sent for its number.
        let goes_on = self.far.matches.contains_key(&id) || self.far.reservations.contains_key(&id);
        let say =
            if goes_on { Say::Unclaimed { ticket: super::TicketId(0) } } else { Say::Left { id, reason } };
        outputs.ask(Request::Tell { node, frame: Box::new(Frame(say)) });
    }

    pub(super) fn forget_tail(&mut self, node: NodeId) {
        if let Some(peer) = self.far.peers.get_mut(&node) {
            self.timers.clear(&mut peer.timer, Due::Tail(node));
        }
    }
}
