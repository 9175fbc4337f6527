//! What follows the end of a match with another node.
//!
//! A lost frame is noticed by a gap in the numbers, when the next frame comes. After the end of a match no frame may follow for
//! a long time, and the other node would keep a match that is over. So the newest end is repeated for some seconds.

use super::{Peer, Peers};
use crate::ids::{NodeId, TicketId};
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

impl Peers {
    pub(super) fn note_end(&mut self, node: NodeId, id: MatchId, reason: LeftReason, now: Time) {
        if planted!(EndsAreSaidOnce) {
            return;
        }
        let Some(peer) = self.known.get_mut(&node) else { return };
        let at = now + Tail::wait(0);
        // Ends in quick succession must not put it off for ever.
        let at = peer.tail.as_ref().map_or(at, |tail| tail.at.min(at));
        peer.tail = Some(Tail { id, reason, repeats: 0, at });
        self.look_at_tails(at);
    }

    /// There is one timer for all nodes, so that a timer need not name one.
    fn look_at_tails(&mut self, at: Time) {
        if self.tails_at.is_none_or(|set| at < set) {
            self.tails_at = Some(at);
        }
    }

    /// When an end is said again next.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.tails_at
    }

    /// Says the ends again whose time has come. A match that both have found again meanwhile must go on: its end is not said.
    pub(crate) fn on_tails_due(
        &mut self,
        now: Time,
        goes_on: impl Fn(MatchId) -> bool,
        outputs: &mut Outputs,
    ) {
        self.tails_at = None;
        let is_due = |peer: &mut Peer| peer.tail.take_if(|tail| tail.at <= now);
        let due: Vec<(NodeId, Tail)> =
            self.known.iter_mut().filter_map(|(node, peer)| Some((*node, is_due(peer)?))).collect();
        // Without a way nothing is said: when it opens again, both compare notes.
        if self.is_near() {
            for (node, tail) in due {
                let goes_on = goes_on(tail.id);
                self.say_end_again(node, tail, now, goes_on, outputs);
            }
        }
        if let Some(at) = self.known.values().filter_map(|peer| Some(peer.tail.as_ref()?.at)).min() {
            self.look_at_tails(at);
        }
    }

    fn say_end_again(&mut self, node: NodeId, tail: Tail, now: Time, goes_on: bool, outputs: &mut Outputs) {
        let Tail { id, reason, repeats, .. } = tail;
        let repeats = repeats + 1;
        if repeats < Tail::REPEATS
            && let Some(peer) = self.known.get_mut(&node)
        {
            peer.tail = Some(Tail { id, reason, repeats, at: now + Tail::wait(repeats) });
        }
        // The frame is sent in any case, for its number.
        let say = if goes_on { Say::Unclaimed { ticket: TicketId(0) } } else { Say::Left { id, reason } };
        outputs.ask(Request::Tell { node, frame: Box::new(Frame(say)) });
    }
}
