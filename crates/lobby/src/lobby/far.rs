//! Other nodes: who they are, what they say, and what becomes of matches with their visitors.
//!
//! A visitor of another node is here as a *proxy*: a session whose socket is elsewhere, in one match, opposite one of
//! ours. So most of the lobby treats such a match as any other; what it says to the proxy goes to the other node. Where it
//! matters that a socket is elsewhere (signs of life, the end of a match, resuming), it asks.
//! What always holds: only the node that holds a visitor's socket gives that visitor away, so whatever other nodes say,
//! and however late, nobody here is in two matches. Without [`crate::Config::node`] nothing in here ever happens.

mod believed;
mod moving;
mod overflow;
mod pairs;
mod proposals;
mod tail;

use super::{Due, Lobby};
use crate::ids::{ConnectionId, MatchKey, NodeId, SessionId, SessionKey, Side, TicketId};
use crate::nodes::Say;
use crate::nodes::{Bucket, Frame, Lease, Partner, Reply, Request, Sighting, Veil};
use crate::planted::planted;
use crate::random::{LobbyKey, Random};
use crate::{Config, Outputs, Span, Time};
use believed::Believed;
use moving::Arrival;
use proposals::Reservation;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use tail::Tail;
use visavis_protocol::MatchId;

/// What this node knows of others.
#[derive(Debug)]
pub(super) struct Far {
    me: Option<NodeId>,
    reach: Reach,
    veil: Veil,
    peers: BTreeMap<NodeId, Peer>,
    /// For the tails of all peers.
    pub(super) tails_timer: Option<Time>,
    /// Matches of which one side is known by hearsay only: elsewhere, or awaited.
    pub(super) matches: FxHashMap<MatchId, FarMatch>,
    /// By the id of the match that may come of them.
    pub(super) reservations: FxHashMap<MatchId, Reservation>,
    /// Tickets of ours that were shown to others.
    pub(super) exported: FxHashMap<TicketId, Exported>,
    /// Exported tickets that were taken from their place during the present input.
    pub(super) touched: Vec<TicketId>,
    /// Visitors with tokens of other nodes, whom those are asked about.
    pub(super) arrivals: FxHashMap<ConnectionId, Arrival>,
    /// Sessions that were resumed by nothing but their token, while it says so.
    pub(super) believed: FxHashMap<SessionId, Believed>,
    ticket_ids: Random,
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

#[derive(Clone, Copy, Debug)]
pub(super) struct FarMatch {
    pub(super) key: MatchKey,
    /// Where the far side is, or was last.
    pub(super) last: Option<NodeId>,
    /// Since when that is known.
    pub(super) since: Time,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Exported {
    pub(super) session: SessionKey,
    pub(super) bucket: Bucket,
}

impl Far {
    /// A node that the meeting place has forgotten, rather than seen lapse, counts as gone after this time: the place
    /// may have started anew, empty.
    const ABSENCE: Span = Span::from_secs(3);

    /// How long a handshake with another node may go without a way to it.
    const SHUT: Span = Span::from_secs(1);

    pub(super) fn new(config: &Config, key: &LobbyKey) -> Self {
        Far {
            me: config.node,
            reach: Reach::Away { since: Time::ZERO },
            veil: Veil::new(config.node_secret.as_ref().or(config.session_secrets.first())),
            peers: BTreeMap::new(),
            tails_timer: None,
            matches: FxHashMap::default(),
            reservations: FxHashMap::default(),
            exported: FxHashMap::default(),
            touched: Vec::new(),
            arrivals: FxHashMap::default(),
            believed: FxHashMap::default(),
            ticket_ids: key.random("visavis ticket 1"),
        }
    }

    /// Whether there may be other nodes.
    pub(super) fn is_one_of_several(&self) -> bool {
        self.me.is_some()
    }

    /// Whether other nodes can be spoken to.
    pub(super) fn is_near(&self) -> bool {
        self.reach == Reach::Near
    }

    /// Whether tickets are shown to others: not while there are none.
    pub(super) fn exports(&self) -> bool {
        self.is_near() && !self.peers.is_empty()
    }

    /// When it is no use any more to wait until the others can be spoken to again; `None` while they can.
    pub(super) fn shut_at(&self) -> Option<Time> {
        match self.reach {
            Reach::Near => None,
            Reach::Away { since } => Some(since + Self::SHUT),
        }
    }

    /// People on other nodes. Nobody vouches for them while those cannot be reached.
    pub(super) fn online(&self) -> usize {
        if !self.is_near() {
            return 0;
        }
        self.peers.values().map(|peer| peer.online as usize).sum()
    }

    fn knows(&self, node: NodeId) -> bool {
        self.peers.contains_key(&node)
    }
}

impl Lobby {
    pub(super) fn on_reply(&mut self, reply: Reply, outputs: &mut Outputs) {
        if self.far.me.is_none() {
            return;
        }
        match reply {
            Reply::Nodes(sightings) => self.on_sightings(&sightings, outputs),
            Reply::Away => self.on_away(outputs),
            Reply::Claimed { ticket, found } => self.on_claimed(ticket, found, outputs),
            Reply::Marked { connection, marked } => self.on_marked(connection, marked, outputs),
            Reply::Met { match_id, node } => self.on_met(match_id, node, outputs),
            Reply::Heard { node, frame } => {
                if self.is_superseded(node) || self.far.me == Some(node) {
                    return;
                }
                // Who speaks is there, whatever the meeting place has said.
                self.notice(node, None, outputs);
                self.on_frame(node, frame.0, outputs);
            }
            Reply::Gap { node } => self.on_gap(node, outputs),
        }
    }

    fn on_frame(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) {
        match say {
            Say::Propose { id, ticket, party } => self.on_propose(node, id, ticket, party, outputs),
            Say::Promise { id, promise } => self.on_promise(node, id, *promise, outputs),
            Say::Commit { id, offer } => self.on_commit(node, id, offer, outputs),
            Say::Committed { id } => self.on_committed(node, id),
            Say::Release { id } => self.on_release(node, id, outputs),
            Say::Unclaimed { ticket } => self.on_unclaimed(ticket),
            Say::Carry { id, carried } => self.on_carry(node, id, carried, outputs),
            Say::Connected { id } => self.on_far_connected(node, id),
            Say::Left { id, reason } => self.on_left(node, id, reason, outputs),
            Say::Reclaim { connection, session, generation, received } => {
                self.on_reclaim(node, connection, session, generation, received, outputs);
            }
            Say::Handover { connection, session, standing } => {
                self.on_handover(node, ConnectionId(connection), session, standing, outputs);
            }
            Say::Rejoin { id, side, session, back } => {
                self.on_rejoin(node, id, side, session, back, outputs);
            }
            Say::Rejoined { id } => self.on_rejoined(node, id, outputs),
            Say::Sync { matches } => self.on_sync(node, &matches, outputs),
        }
    }

    /// Whether a later start of the same node is known.
    fn is_superseded(&self, node: NodeId) -> bool {
        if planted!(StartsAreNotToldApart) {
            return false;
        }
        let later = NodeId { epoch: node.epoch.saturating_add(1), ..node };
        let last = NodeId { epoch: u64::MAX, ..node };
        self.far.me.is_some_and(|me| later <= me && me <= last)
            || (later <= last && self.far.peers.range(later..=last).next().is_some())
    }

    fn on_sightings(&mut self, sightings: &[Sighting], outputs: &mut Outputs) {
        let returned = !self.far.is_near();
        self.far.reach = Reach::Near;
        let before: BTreeSet<NodeId> = self.far.peers.keys().copied().collect();
        let mut gone = Vec::new();
        for Sighting { node, lease, online } in sightings.iter().copied() {
            match lease {
                _ if self.far.me == Some(node) => {}
                Lease::Held if !self.is_superseded(node) => self.notice(node, Some(online), outputs),
                Lease::Held | Lease::Lapsed => gone.push(node),
            }
        }
        for (node, peer) in &mut self.far.peers {
            if sightings.iter().any(|sighting| sighting.node == *node) {
                peer.missing = None;
            } else if *peer.missing.get_or_insert(self.sessions.now) + Far::ABSENCE <= self.sessions.now {
                gone.push(*node);
            }
        }
        let superseded: Vec<NodeId> =
            self.far.peers.keys().copied().filter(|node| self.is_superseded(*node)).collect();
        for node in gone.into_iter().chain(superseded) {
            if self.far.peers.remove(&node).is_some() {
                self.on_node_gone(node, outputs);
            }
        }
        if returned {
            let known: Vec<NodeId> = self.far.peers.keys().copied().filter(|n| before.contains(n)).collect();
            known.into_iter().for_each(|node| self.sync_with(node, outputs));
            self.ask_where_partners_are(outputs);
            self.look_at_exports();
        }
    }

    /// A node is there.
    fn notice(&mut self, node: NodeId, online: Option<u32>, outputs: &mut Outputs) {
        if let Some(peer) = self.far.peers.get_mut(&node) {
            if !planted!(PresenceIsOld) {
                peer.online = online.unwrap_or(peer.online);
            }
            return;
        }
        self.far.peers.insert(node, Peer { online: online.unwrap_or(0), missing: None, tail: None });
        // It may have been away for a while, and know otherwise.
        self.sync_with(node, outputs);
        if self.far.peers.len() == 1 {
            self.look_at_exports();
        }
    }

    fn on_away(&mut self, outputs: &mut Outputs) {
        if self.far.is_near() {
            self.far.reach = Reach::Away { since: self.sessions.now };
            self.watch_handshakes();
        }
        self.far.peers.values_mut().for_each(|peer| peer.missing = None);
        // Nobody can be asked: the tokens are all there is, as after a restart.
        let waiting: Vec<ConnectionId> = sorted(self.far.arrivals.keys());
        for connection in waiting {
            self.settle_arrival(connection, outputs);
        }
    }

    fn on_node_gone(&mut self, node: NodeId, outputs: &mut Outputs) {
        self.sessions.counters.nodes_gone += 1;
        let reserved = self.far.reservations.iter().filter(|(_, reserved)| reserved.node == node);
        for id in sorted(reserved.map(|(id, _)| id)) {
            self.back_to_line(id, outputs);
        }
        for id in self.matches_with(node) {
            self.on_partners_node_gone(id, node, outputs);
        }
        let waiting = self.far.arrivals.iter().filter(|(_, arrival)| arrival.waits_for(node));
        for connection in sorted(waiting.map(|(connection, _)| connection)) {
            self.settle_arrival(connection, outputs);
        }
    }

    /// Ids of the matches with visitors of a node, in order.
    fn matches_with(&self, node: NodeId) -> Vec<MatchId> {
        let with_node = |far: &FarMatch| self.far_seat_of(far.key).is_some_and(|far| far.node == Some(node));
        sorted(self.far.matches.iter().filter(|(_, far)| with_node(far)).map(|(id, _)| id))
    }

    /// The side of a match that is known by hearsay.
    fn far_seat_of(&self, key: MatchKey) -> Option<FarSeat> {
        let present = self.matches.get(key)?;
        [Side::Initiator, Side::Responder].into_iter().find_map(|side| {
            let session = present.seat(side).session;
            let known = self.sessions.get(session)?;
            known.is_known_by_hearsay().then(|| FarSeat { key, side, session, node: known.node() })
        })
    }

    pub(super) fn note_far(&mut self, id: MatchId, key: MatchKey, last: Option<NodeId>) {
        self.far.matches.insert(id, FarMatch { key, last, since: self.sessions.now });
    }

    fn far_seat(&self, id: MatchId) -> Option<FarSeat> {
        self.far_seat_of(self.far.matches.get(&id)?.key)
    }

    /// Whether a node may speak for the far side of a match: it is there, or was last.
    fn speaks_for(&self, node: NodeId, id: MatchId) -> bool {
        let last = self.far.matches.get(&id).and_then(|far| far.last);
        self.far_seat(id).is_some_and(|far| far.node.or(last) == Some(node))
    }

    pub(super) fn tell(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) {
        if self.far.is_near() {
            if let Say::Left { id, reason } = say {
                self.note_end(node, id, reason);
            }
            outputs.ask(Request::Tell { node, frame: Box::new(Frame(say)) });
        }
    }

    /// Whether the place where nodes meet can be reached.
    #[cfg(test)]
    pub(crate) fn reaches_others(&self) -> bool {
        self.far.is_near()
    }

    /// What others know tickets of ours by.
    #[cfg(test)]
    pub(crate) fn exported_ids(&self) -> Vec<TicketId> {
        sorted(self.far.exported.keys())
    }

    pub(super) fn sessions_elsewhere(&self) -> usize {
        let elsewhere = |far: &&FarMatch| self.far_seat_of(far.key).is_some_and(|far| far.node.is_some());
        self.far.matches.values().filter(elsewhere).count()
    }

    /// How one of ours is presented to another node.
    fn partner_of(&self, key: SessionKey) -> Option<Partner> {
        let session = self.sessions.get(key)?;
        let wishes = self.participants.get(key)?.wishes.as_deref().cloned()?;
        Some(Partner {
            session: session.id,
            resumable: session.is_resumable(),
            device: session.device,
            wishes,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct FarSeat {
    key: MatchKey,
    side: Side,
    session: SessionKey,
    /// Where it is; `None` while it is awaited.
    node: Option<NodeId>,
}

/// In an order of their own: what a map yields first must not decide who is served first.
fn sorted<'a, T: Ord + Copy + 'a>(items: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut items: Vec<T> = items.copied().collect();
    items.sort_unstable();
    items
}
