//! Other nodes: tickets that are shown to them, visitors of theirs who are put together with ours, and what both sides say of such a
//! match afterwards.
//!
//! A visitor of another node is here as a *proxy*: a session whose socket is elsewhere, in one match, opposite one of
//! ours. So pairing treats such a match as any other; what it says to the proxy goes to the other node.
//! What always holds: only the node that holds a visitor's socket gives that visitor away, so whatever other nodes say,
//! and however late, nobody here is in two matches. Without [`crate::Config::node`] nothing in here ever happens.

mod overflow;
mod proposals;
mod reclaims;
mod remote_matches;

use crate::ids::{NodeId, SessionKey, TicketId};
use crate::nodes::{Bucket, Say};
use crate::pairing::{Pairing, Pairs};
use crate::peers::Peers;
use crate::sessions::Sessions;
use crate::{Config, Outputs};
use rustc_hash::FxHashMap;

/// Tickets of ours that were shown to others.
pub(crate) type ExportedTickets = FxHashMap<TicketId, Exported>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Exported {
    pub(crate) session: SessionKey,
    pub(crate) bucket: Bucket,
}

/// What is under way with other nodes, and what that stands on.
pub(crate) struct Cluster<'a> {
    pub(crate) config: &'a Config,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) peers: &'a mut Peers,
    pub(crate) pairs: &'a mut Pairs,
    pub(crate) exported: &'a mut ExportedTickets,
}

impl Cluster<'_> {
    fn pairing(&mut self) -> Pairing<'_> {
        Pairing { config: self.config, sessions: self.sessions, peers: self.peers, pairs: self.pairs }
    }

    fn tell(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) {
        self.peers.tell(node, say, self.sessions.now, outputs);
    }
}
