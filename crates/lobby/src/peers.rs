//! The other nodes: which there are, whether they can be spoken to, and what is said to them.
//!
//! What always holds: nothing in here knows of sessions or matches. Without [`crate::Config::node`] there are no others.

mod departures;
mod tail;

pub(crate) use departures::HANDED_OVER;

use crate::ids::NodeId;
use crate::nodes::{Frame, Request, Say, Veil};
use crate::planted::planted;
use crate::{Config, Outputs, Span, Time};
use departures::Departures;
use std::collections::BTreeMap;
use tail::Tail;

#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) me: Option<NodeId>,
    reach: Reach,
    pub(crate) veil: Veil,
    known: BTreeMap<NodeId, Peer>,
    /// When the first of the tails is said.
    tails_at: Option<Time>,
    pub(crate) departures: Departures,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The place where nodes meet cannot be reached, or there is none.
    Away {
        since: Time,
    },
    Near,
}

#[derive(Debug)]
struct Peer {
    online: u32,
    /// Since when the place where nodes meet does not know it, while others can be seen there.
    missing: Option<Time>,
    tail: Option<Tail>,
}

impl Peers {
    /// A node that the meeting place has forgotten, rather than seen lapse, counts as gone after this time: the place
    /// may have started anew, empty.
    const ABSENCE: Span = Span::from_secs(3);

    /// How long a handshake with another node may go without a way to it.
    const SHUT: Span = Span::from_secs(1);

    pub(crate) fn new(config: &Config) -> Self {
        Peers {
            me: config.node,
            reach: Reach::Away { since: Time::ZERO },
            veil: Veil::new(config.node_secret.as_ref().or(config.session_secrets.first())),
            known: BTreeMap::new(),
            tails_at: None,
            departures: Departures::new(),
        }
    }

    /// Whether there may be other nodes.
    pub(crate) fn is_one_of_several(&self) -> bool {
        self.me.is_some()
    }

    /// Whether other nodes can be spoken to.
    pub(crate) fn is_near(&self) -> bool {
        self.reach == Reach::Near
    }

    /// Whether tickets are shown to others: not while there are none.
    pub(crate) fn exports(&self) -> bool {
        self.is_near() && !self.known.is_empty()
    }

    /// When it is no use any more to wait until the others can be spoken to again; `None` while they can.
    pub(crate) fn shut_at(&self) -> Option<Time> {
        match self.reach {
            Reach::Near => None,
            Reach::Away { since } => Some(since + Self::SHUT),
        }
    }

    /// People on other nodes. Nobody vouches for them while those cannot be reached.
    pub(crate) fn online(&self) -> usize {
        if !self.is_near() {
            return 0;
        }
        self.known.values().map(|peer| peer.online as usize).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.known.contains_key(&node)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.known.keys().copied()
    }

    /// The others can be spoken to. True: they could not before.
    pub(crate) fn come_near(&mut self) -> bool {
        let returned = !self.is_near();
        self.reach = Reach::Near;
        returned
    }

    /// The others cannot be spoken to any more. False: they could not before, either.
    pub(crate) fn go_away(&mut self, now: Time) -> bool {
        let left = self.is_near();
        if left {
            self.reach = Reach::Away { since: now };
        }
        self.known.values_mut().for_each(|peer| peer.missing = None);
        left
    }

    /// A node is there. True: it was not known before.
    pub(crate) fn notice(&mut self, node: NodeId, online: Option<u32>) -> bool {
        if let Some(peer) = self.known.get_mut(&node) {
            if !planted!(PresenceIsOld) {
                peer.online = online.unwrap_or(peer.online);
            }
            return false;
        }
        self.known.insert(node, Peer { online: online.unwrap_or(0), missing: None, tail: None });
        true
    }

    /// Of those whom the meeting place does not name, the ones that it has not named for long.
    pub(crate) fn note_missing(&mut self, now: Time, is_named: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let mut gone = Vec::new();
        for (node, peer) in &mut self.known {
            if is_named(*node) {
                peer.missing = None;
            } else if *peer.missing.get_or_insert(now) + Self::ABSENCE <= now {
                gone.push(*node);
            }
        }
        gone
    }

    /// False: it was not known.
    pub(crate) fn remove(&mut self, node: NodeId) -> bool {
        self.known.remove(&node).is_some()
    }

    /// Whether a later start of the same node is known.
    pub(crate) fn is_superseded(&self, node: NodeId) -> bool {
        if planted!(StartsAreNotToldApart) {
            return false;
        }
        let later = NodeId { epoch: node.epoch.saturating_add(1), ..node };
        let last = NodeId { epoch: u64::MAX, ..node };
        self.me.is_some_and(|me| later <= me && me <= last)
            || (later <= last && self.known.range(later..=last).next().is_some())
    }

    pub(crate) fn tell(&mut self, node: NodeId, say: Say, now: Time, outputs: &mut Outputs) {
        if self.is_near() {
            if let Say::Left { id, reason } = say {
                self.note_end(node, id, reason, now);
            }
            outputs.ask(Request::Tell { node, frame: Box::new(Frame(say)) });
        }
    }
}
