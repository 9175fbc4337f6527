//! What follows the end of a match with another node.
//!
//! A frame that is lost is noticed by the number of the next one. After an end there may be none for long, and the other
//! half would stand in a match that is over. So the newest end is said again, some seconds in a row.

use super::{Lobby, NodeId, Peer};
use crate::lobby::Due;
use crate::nodes::{Frame, Request, Say};
use crate::planted::planted;
use crate::{Outputs, Span, Time};
use visavis_protocol::{LeftReason, MatchId};

/// The newest end that a node was told of, while it is said again.
#[derive(Debug)]
pub(super) struct Tail {
    id: MatchId,
    reason: LeftReason,
    /// How often it was said again.
    repeats: u8,
    /// When it is said the next time.
    at: Time,
}

impl Tail {
    /// Waits of 1, 2 and 4 s: the place where nodes meet may lose all frames for a while.
    const REPEATS: u8 = 3;

    fn wait(repeats: u8) -> Span {
        Span::from_secs(1 << repeats)
    }
}

impl Lobby {
    pub(super) fn note_end(&mut self, node: NodeId, id: MatchId, reason: LeftReason) {
        if planted!(EndsAreSaidOnce) {
            return;
        }
        let Some(peer) = self.far.peers.get_mut(&node) else { return };
        let at = self.sessions.now + Tail::wait(0);
        // Ends in quick succession must not put it off for ever.
        let at = peer.tail.as_ref().map_or(at, |tail| tail.at.min(at));
        peer.tail = Some(Tail { id, reason, repeats: 0, at });
        self.look_at_tails(at);
    }

    /// There is one timer for all nodes, so that a timer need not name one.
    fn look_at_tails(&mut self, at: Time) {
        if self.far.tails_timer.is_none_or(|set| at < set) {
            self.timers.set(&mut self.far.tails_timer, Due::Tails, at);
        }
    }

    pub(in crate::lobby) fn on_tails_due(&mut self, outputs: &mut Outputs) {
        self.far.tails_timer = None;
        let now = self.sessions.now;
        let is_due = |peer: &mut Peer| peer.tail.take_if(|tail| tail.at <= now);
        let due: Vec<(NodeId, Tail)> =
            self.far.peers.iter_mut().filter_map(|(node, peer)| Some((*node, is_due(peer)?))).collect();
        // Without a way nothing is said: when it opens again, both compare notes.
        if self.far.is_near() {
            due.into_iter().for_each(|(node, tail)| self.say_end_again(node, tail, outputs));
        }
        if let Some(at) = self.far.peers.values().filter_map(|peer| Some(peer.tail.as_ref()?.at)).min() {
            self.look_at_tails(at);
        }
    }

    fn say_end_again(&mut self, node: NodeId, tail: Tail, outputs: &mut Outputs) {
        let Tail { id, reason, repeats, .. } = tail;
        let repeats = repeats + 1;
        if repeats < Tail::REPEATS
            && let Some(peer) = self.far.peers.get_mut(&node)
        {
            peer.tail = Some(Tail { id, reason, repeats, at: self.sessions.now + Tail::wait(repeats) });
        }
        // A match that both have found again meanwhile must go on; the frame is sent for its number.
        let goes_on = self.far.matches.contains_key(&id) || self.far.reservations.contains_key(&id);
        let say =
            if goes_on { Say::Unclaimed { ticket: super::TicketId(0) } } else { Say::Left { id, reason } };
        outputs.ask(Request::Tell { node, frame: Box::new(Frame(say)) });
    }
}
