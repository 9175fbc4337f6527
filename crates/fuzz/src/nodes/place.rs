//! The place where nodes meet, as a liar: it answers as Redis would, or as its settings and the bytes say.

use crate::choices::Choices;
use crate::lobby::Known;
use std::collections::BTreeMap;
use visavis_lobby::{
    Bucket, Claimed, ConnectionId, Lease, Marked, NodeId, Reply, Request, Seat, Sighting, Tag, TicketId,
};
use visavis_protocol::MatchId;

/// What is kept of each sort; of the oldest only so many.
const KEPT: usize = 16;

#[derive(Default)]
pub(super) struct Place {
    /// Never finds anybody.
    hides: bool,
    /// Gives every ticket away twice, as after a failover that lost the first time.
    repeats: bool,
    /// Every token is new to it.
    forgets: bool,
    pool: Vec<(Bucket, NodeId, TicketId)>,
    /// What was given away once.
    given: Vec<TicketId>,
    marks: BTreeMap<Tag, (u32, Option<String>)>,
    seats: BTreeMap<MatchId, [Option<NodeId>; 2]>,
    asked: Vec<ConnectionId>,
    tickets: Vec<TicketId>,
}

impl Place {
    pub(super) fn new(bits: u8) -> Self {
        Place { hides: bits & 1 != 0, repeats: bits & 2 != 0, forgets: bits & 4 != 0, ..Place::default() }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.pool.retain(|(_, owner, _)| *owner != node);
    }

    pub(super) fn sees(&self, nodes: &[NodeId]) -> Reply {
        let seen = |node: &NodeId| Sighting { node: *node, lease: Lease::Held, online: 3 };
        Reply::Nodes(nodes.iter().map(seen).collect())
    }

    /// It looks at no wish: the nodes must.
    pub(super) fn answer(&mut self, from: NodeId, request: Request) -> Option<Reply> {
        match request {
            Request::Claim(export) => {
                let (bucket, ticket) = (export.bucket, export.ticket);
                keep(&mut self.tickets, ticket);
                self.pool.retain(|(_, _, other)| *other != ticket);
                let other = |(here, owner, _): &(Bucket, NodeId, TicketId)| *here == bucket && *owner != from;
                let found = self.pool.iter().position(other).filter(|_| !self.hides);
                let found = found.map(|at| self.give(at));
                if found.is_none() {
                    keep(&mut self.pool, (bucket, from, ticket));
                }
                let found = found.map(|(_, node, ticket)| Claimed { node, ticket });
                Some(Reply::Claimed { ticket, found })
            }
            Request::Withdraw { ticket, .. } => {
                self.pool.retain(|(_, _, other)| *other != ticket);
                None
            }
            Request::Mark { connection, session, generation, .. } => {
                keep(&mut self.asked, connection);
                let known = self.marks.get(&session).cloned().filter(|_| !self.forgets);
                let marked = match known {
                    Some((known, _)) if generation < known => Marked::Used,
                    known => Marked::Fresh { kept: known.and_then(|(_, kept)| kept) },
                };
                if let Marked::Fresh { kept } = &marked {
                    self.marks.insert(session, (generation.saturating_add(1), kept.clone()));
                }
                Some(Reply::Marked { connection, marked })
            }
            Request::Note { session, generation, kept, .. } => {
                self.marks.insert(session, (generation, kept));
                None
            }
            Request::Meet { match_id, side, .. } => {
                let seats = self.seats.entry(match_id).or_default();
                let (mine, theirs) = match side {
                    Seat::Initiator => (0, 1),
                    Seat::Responder => (1, 0),
                };
                seats[mine] = Some(from);
                Some(Reply::Met { match_id, node: seats[theirs] })
            }
            Request::Tell { .. } => None,
        }
    }

    fn give(&mut self, at: usize) -> (Bucket, NodeId, TicketId) {
        let (_, _, ticket) = self.pool[at];
        if self.repeats && !self.given.contains(&ticket) {
            keep(&mut self.given, ticket);
            return self.pool[at];
        }
        self.pool.remove(at)
    }

    /// Something that nobody asked for.
    pub(super) fn lie(&self, choices: &mut Choices<'_>, nodes: &[NodeId], known: &Known) -> Reply {
        let node = nodes[choices.below(nodes.len())];
        let some = choices.rarely(2).then_some(node);
        let ticket = |choices: &mut Choices<'_>| {
            self.tickets.get(choices.below(KEPT)).copied().unwrap_or(TicketId(u64::from(choices.byte())))
        };
        match choices.below(8) {
            0 => Reply::Away,
            1 => Reply::Gap { node },
            2 => {
                let seen = |node: &NodeId| Sighting {
                    node: NodeId { name: node.name, epoch: node.epoch + u64::from(choices.rarely(8)) },
                    lease: choices.among(&[Lease::Held, Lease::Lapsed]),
                    online: u32::MAX,
                };
                Reply::Nodes(nodes.iter().map(seen).collect())
            }
            3 => Reply::Nodes(Vec::new()),
            4 => {
                let found = some.map(|node| Claimed { node, ticket: ticket(choices) });
                Reply::Claimed { ticket: ticket(choices), found }
            }
            5 => {
                let asked = self.asked.get(choices.below(KEPT)).copied();
                let connection = asked.unwrap_or(ConnectionId(u64::from(choices.byte())));
                let kept = self.marks.values().nth(choices.below(KEPT)).and_then(|(_, kept)| kept.clone());
                let kept = choices.among(&[true, false]).then_some(kept.unwrap_or_else(|| "nonsense".into()));
                let marked = if choices.rarely(4) { Marked::Used } else { Marked::Fresh { kept } };
                Reply::Marked { connection, marked }
            }
            _ => {
                let match_id = known.matches.get(choices.below(KEPT)).copied().unwrap_or(MatchId::FOREIGN);
                Reply::Met { match_id, node: some }
            }
        }
    }
}

fn keep<T: PartialEq>(all: &mut Vec<T>, new: T) {
    all.retain(|old| *old != new);
    all.insert(0, new);
    all.truncate(KEPT);
}
