//! What other nodes say, and what follows when one comes or goes: hands each word to whom it concerns.

use super::Lobby;
use crate::Outputs;
use crate::ids::{ConnectionId, NodeId, sorted};
use crate::nodes::{Lease, Reply, Say, Sighting};
use crate::receipts::Receipt;
use std::collections::BTreeSet;

impl Lobby {
    /// Takes what other nodes say; a report of somebody who may be here is for the lobby.
    pub(super) fn on_reply(&mut self, reply: Reply, outputs: &mut Outputs) -> Option<Receipt> {
        self.peers.me?;
        match reply {
            Reply::Nodes(sightings) => self.on_sightings(&sightings, outputs),
            Reply::Away => self.on_away(outputs),
            Reply::Claimed { ticket, found } => self.cluster().on_claimed(ticket, found, outputs),
            Reply::Marked { connection, marked } => self.on_marked(connection, marked, outputs),
            Reply::Met { match_id, node } => self.cluster().on_met(match_id, node, outputs),
            Reply::Heard { node, frame } => {
                if self.peers.is_superseded(node) || self.peers.me == Some(node) {
                    return None;
                }
                // Who speaks is there, whatever the meeting place has said.
                self.notice(node, None, outputs);
                return self.on_frame(node, frame.0, outputs);
            }
            Reply::Gap { node } => self.cluster().on_gap(node, outputs),
        }
        None
    }

    fn on_frame(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) -> Option<Receipt> {
        match say {
            Say::Reported { receipt } => return Some(receipt),
            Say::Propose { id, ticket, party } => self.cluster().on_propose(node, id, ticket, party, outputs),
            Say::Promise { id, promise } => self.cluster().on_promise(node, id, *promise, outputs),
            Say::Commit { id, offer } => self.cluster().on_commit(node, id, offer, outputs),
            Say::Committed { id } => self.cluster().on_committed(node, id),
            Say::Release { id } => self.cluster().on_release(node, id, outputs),
            Say::Unclaimed { ticket } => self.cluster().on_unclaimed(ticket),
            Say::Carry { id, carried } => self.cluster().on_carry(node, id, carried, outputs),
            Say::Connected { id } => self.cluster().on_far_connected(node, id),
            Say::Hides { id } => self.cluster().on_far_hides(node, id),
            Say::Left { id, reason } => self.cluster().on_left(node, id, reason, outputs),
            Say::Reclaim { connection, session, generation, received } => {
                self.on_reclaim(node, connection, session, generation, received, outputs);
            }
            Say::Handover { connection, session, standing } => {
                self.on_handover(node, ConnectionId(connection), session, standing, outputs);
            }
            Say::Rejoin { id, side, session, back } => {
                self.cluster().on_rejoin(node, id, side, session, back, outputs);
            }
            Say::Rejoined { id } => self.cluster().on_rejoined(node, id, outputs),
            Say::Sync { matches } => self.cluster().on_sync(node, &matches, outputs),
        }
        None
    }

    /// Somebody reports, and is not here.
    pub(super) fn pass_report_on(&mut self, receipt: Receipt, outputs: &mut Outputs) {
        let nodes: Vec<NodeId> = self.peers.nodes().collect();
        for node in nodes {
            self.tell(node, Say::Reported { receipt }, outputs);
        }
    }

    fn on_sightings(&mut self, sightings: &[Sighting], outputs: &mut Outputs) {
        let returned = self.peers.come_near();
        let before: BTreeSet<NodeId> = self.peers.nodes().collect();
        let mut gone = Vec::new();
        for Sighting { node, lease, online } in sightings.iter().copied() {
            match lease {
                _ if self.peers.me == Some(node) => {}
                Lease::Held if !self.peers.is_superseded(node) => self.notice(node, Some(online), outputs),
                Lease::Held | Lease::Lapsed => gone.push(node),
            }
        }
        let is_named = |node| sightings.iter().any(|sighting| sighting.node == node);
        gone.extend(self.peers.note_missing(self.sessions.now, is_named));
        let superseded: Vec<NodeId> =
            self.peers.nodes().filter(|node| self.peers.is_superseded(*node)).collect();
        for node in gone.into_iter().chain(superseded) {
            if self.peers.remove(node) {
                self.on_node_gone(node, outputs);
            }
        }
        if returned {
            let known: Vec<NodeId> = self.peers.nodes().filter(|node| before.contains(node)).collect();
            known.into_iter().for_each(|node| self.cluster().sync_with(node, outputs));
            self.cluster().ask_where_partners_are(outputs);
            self.cluster().look_at_exports();
        }
    }

    /// A node is there.
    fn notice(&mut self, node: NodeId, online: Option<u32>, outputs: &mut Outputs) {
        if !self.peers.notice(node, online) {
            return;
        }
        // It may have been away for a while, and know otherwise.
        self.cluster().sync_with(node, outputs);
        if self.peers.len() == 1 {
            self.cluster().look_at_exports();
        }
    }

    fn on_away(&mut self, outputs: &mut Outputs) {
        if self.peers.go_away(self.sessions.now) {
            self.pairing().watch_handshakes();
        }
        // Nobody can be asked: the tokens are all there is, as after a restart.
        let waiting: Vec<ConnectionId> = sorted(self.arrivals.waiting.keys());
        for connection in waiting {
            self.settle_arrival(connection, outputs);
        }
    }

    fn on_node_gone(&mut self, node: NodeId, outputs: &mut Outputs) {
        self.sessions.counters.nodes_gone += 1;
        let reserved = self.pairs.reservations.iter().filter(|(_, reserved)| reserved.node == node);
        for id in sorted(reserved.map(|(id, _)| id)) {
            self.pairing().back_to_line(id, outputs);
        }
        for id in self.pairing().matches_with(node) {
            self.cluster().on_partners_node_gone(id, node, outputs);
        }
        let waiting = self.arrivals.waiting.iter().filter(|(_, arrival)| arrival.waits_for(node));
        for connection in sorted(waiting.map(|(connection, _)| connection)) {
            self.settle_arrival(connection, outputs);
        }
    }

    /// Whether the place where nodes meet can be reached.
    #[cfg(test)]
    pub(crate) fn reaches_others(&self) -> bool {
        self.peers.is_near()
    }

    /// What others know tickets of ours by.
    #[cfg(test)]
    pub(crate) fn exported_ids(&self) -> Vec<crate::TicketId> {
        sorted(self.exported.keys())
    }
}
