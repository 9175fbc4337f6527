//! Sides of matches that were handed over to another node while their partners are on a third one.
//!
//! The third node learns of the move from the one that took the side over. If the handover is lost, nobody tells it, and its
//! visitor would stand in a match with nobody. So this node says after a while that the match is over. The third node
//! believes that only if it still takes the side to be here.

use super::Peers;
use crate::ids::NodeId;
use crate::nodes::Say;
use crate::planted::planted;
use crate::timers::Timers;
use crate::{Outputs, Span, Time};
use rustc_hash::FxHashMap;
use visavis_protocol::{LeftReason, MatchId};

/// How long a session that was handed over may go without a word of the node that got it.
pub(crate) const HANDED_OVER: Span = Span::from_secs(3);

/// There are no more of them than matches that this node had a moment ago.
#[derive(Debug)]
pub(crate) struct Departures {
    pub(crate) timers: Timers<MatchId>,
    pub(crate) pending: FxHashMap<MatchId, Departure>,
}

#[derive(Debug)]
pub(crate) struct Departure {
    /// Where the other side is.
    partner: NodeId,
    pub(crate) timer: Option<Time>,
}

impl Departures {
    pub(super) fn new() -> Self {
        Departures { timers: Timers::new(), pending: FxHashMap::default() }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.timers.soonest().map(|(at, _)| at)
    }
}

impl Peers {
    pub(crate) fn watch_departure(&mut self, id: MatchId, partner: NodeId, now: Time) {
        if planted!(DeparturesAreNotWatched) {
            return;
        }
        let Departures { timers, pending } = &mut self.departures;
        let mut timer = pending.remove(&id).and_then(|earlier| earlier.timer);
        timers.set(&mut timer, id, now + HANDED_OVER);
        pending.insert(id, Departure { partner, timer });
    }

    /// A match that is here again is left alone.
    pub(crate) fn on_departures_due(
        &mut self,
        now: Time,
        is_here: impl Fn(MatchId) -> bool,
        outputs: &mut Outputs,
    ) {
        while let Some(id) = self.departures.timers.pop_due(now) {
            let Some(departure) = self.departures.pending.remove(&id) else { continue };
            if !is_here(id) {
                self.tell(departure.partner, Say::Left { id, reason: LeftReason::Lost }, now, outputs);
            }
        }
    }
}
