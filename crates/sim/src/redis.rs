//! Redis as far as nodes use it, as a value: what `lua/*.lua` of the server do to keys, by a clock that the caller tells.
//!
//! What always holds: each call answers and leaves behind exactly what the script does in a real redis-server; the server's
//! differential test (`backend/redis/scripts/differential.rs`) holds both against each other. A clone is a snapshot: going
//! back to one is a failover that lost the last writes, going back to [`Redis::default`] an empty restart. Channels are a
//! value of their own ([`Channels`]): they have no memory to lose.
//! What is not here: connections, replies that do not arrive, sealed frames. Those belong to whoever plays the network.

mod channels;
mod contents;
mod keys;
mod names;
mod pool;
#[cfg(test)]
mod tests;

pub use channels::{Channels, Subscription};
pub use contents::{Contents, Value};
pub use names::slot;

use keys::Keys;
use pool::{Line, Lying};
use std::collections::BTreeMap;
use visavis_lobby::{
    Bucket, Claimed, Export, Lease, Marked, NodeId, Reply, Request, Seat, Sighting, Span, Tag, TicketId,
};
use visavis_protocol::MatchId;

/// The data of one Redis, or of one cluster. Moments and spans are in milliseconds, moments since the Unix epoch or any
/// other beginning.
///
/// ASSUMES: no moment is beyond 2^53 ms, where the numbers of Lua end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redis {
    leases: Keys<(), BTreeMap<NodeId, i64>>,
    infos: Keys<(), BTreeMap<NodeId, String>>,
    lines: Keys<Bucket, Line>,
    tickets: Keys<Bucket, BTreeMap<TicketId, Lying>>,
    sessions: Keys<Tag, Session>,
    matches: Keys<MatchId, Seats>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Session {
    generation: u64,
    kept: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Seats {
    initiator: Option<NodeId>,
    responder: Option<NodeId>,
}

/// What a beat hears of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub node: NodeId,
    /// Of its lease; zero or less: lapsed.
    pub left_ms: i64,
    pub info: String,
}

impl Known {
    /// As the server reads it: the first word of what a node says of itself is how many people are there.
    pub fn sighting(&self) -> Sighting {
        let lease = if self.left_ms > 0 { Lease::Held } else { Lease::Lapsed };
        let online = self.info.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Sighting { node: self.node, lease, online }
    }
}

impl Redis {
    /// What a lapsed node is remembered for: so everybody sees it lapse.
    const LAPSED_MS: i64 = 60_000;
    const NODES_TTL_MS: i64 = 600_000;

    /// Carries out what `me` asks, as the server does. [`Request::Tell`] does nothing here: it goes over [`Channels`].
    pub fn carry_out(&mut self, now_ms: i64, me: NodeId, request: &Request) -> Option<Reply> {
        match request {
            Request::Claim(export) => {
                let found = self.claim(now_ms, me, export);
                Some(Reply::Claimed { ticket: export.ticket, found })
            }
            Request::Withdraw { bucket, ticket } => {
                self.withdraw(now_ms, *bucket, *ticket);
                None
            }
            Request::Mark { connection, session, generation, ttl } => {
                let marked = self.mark(now_ms, *session, *generation, *ttl);
                Some(Reply::Marked { connection: *connection, marked })
            }
            Request::Note { session, generation, kept, ttl } => {
                self.note(now_ms, *session, *generation, kept.as_deref(), *ttl);
                None
            }
            Request::Meet { match_id, side, ttl } => {
                let node = self.meet(now_ms, me, *match_id, *side, *ttl);
                Some(Reply::Met { match_id: *match_id, node })
            }
            Request::Tell { .. } => None,
        }
    }

    /// `claim.lua`: in one step takes the best compatible ticket of another node out of the pool, or else leaves one's own.
    pub fn claim(&mut self, now_ms: i64, me: NodeId, export: &Export) -> Option<Claimed> {
        names::assert_one_slot(&names::pool(export.bucket));
        pool::claim(&mut self.lines, &mut self.tickets, now_ms, me, export)
    }

    /// `withdraw.lua`: whether the ticket lay there.
    pub fn withdraw(&mut self, now_ms: i64, bucket: Bucket, ticket: TicketId) -> bool {
        names::assert_one_slot(&names::pool(bucket));
        pool::withdraw(&mut self.lines, &mut self.tickets, now_ms, bucket, ticket)
    }

    /// `beat.lua`: renews the lease of a node, and hears of all that are known, in the order of their leases' ends.
    pub fn beat(&mut self, now_ms: i64, me: NodeId, lease: Span, info: &str) -> Vec<Known> {
        names::assert_one_slot(&names::nodes());
        let leases = self.leases.make((), now_ms);
        leases.insert(me, now_ms + millis(lease));
        let infos = self.infos.make((), now_ms);
        infos.insert(me, info.to_owned());
        leases.retain(|node, end_ms| {
            let stays = *end_ms > now_ms - Redis::LAPSED_MS;
            if !stays {
                infos.remove(node);
            }
            stays
        });
        let mut known: Vec<Known> = leases
            .iter()
            .map(|(node, end_ms)| Known {
                node: *node,
                left_ms: end_ms - now_ms,
                info: infos.get(node).cloned().unwrap_or_default(),
            })
            .collect();
        known.sort_by_key(|known| (known.left_ms, known.node));
        self.leases.expire((), now_ms, Redis::NODES_TTL_MS);
        self.infos.expire((), now_ms, Redis::NODES_TTL_MS);
        known
    }

    /// The same script: gives the lease back.
    pub fn leave(&mut self, now_ms: i64, me: NodeId) {
        self.beat(now_ms, me, Span::ZERO, "");
    }

    /// `mark.lua`: a token of this generation is presented.
    pub fn mark(&mut self, now_ms: i64, session: Tag, generation: u32, ttl: Span) -> Marked {
        let generation = u64::from(generation);
        if self.sessions.get(session, now_ms).is_some_and(|known| generation < known.generation) {
            return Marked::Used;
        }
        let known = self.sessions.make(session, now_ms);
        let fresh = Marked::Fresh { kept: known.kept.clone() };
        known.generation = generation + 1;
        self.sessions.expire(session, now_ms, millis(ttl));
        fresh
    }

    /// `note.lua`: whether it was taken down; not if tokens of a later generation are known.
    pub fn note(
        &mut self,
        now_ms: i64,
        session: Tag,
        generation: u32,
        kept: Option<&str>,
        ttl: Span,
    ) -> bool {
        let generation = u64::from(generation);
        if self.sessions.get(session, now_ms).is_some_and(|known| generation < known.generation) {
            return false;
        }
        let known = self.sessions.make(session, now_ms);
        known.generation = generation;
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            known.kept = Some(kept.to_owned());
        }
        self.sessions.expire(session, now_ms, millis(ttl));
        true
    }

    /// `meet.lua`: one side of a match says where it is, and hears where the other is, if that has said so.
    pub fn meet(
        &mut self,
        now_ms: i64,
        me: NodeId,
        match_id: MatchId,
        side: Seat,
        ttl: Span,
    ) -> Option<NodeId> {
        let seats = self.matches.make(match_id, now_ms);
        match side {
            Seat::Initiator => seats.initiator = Some(me),
            Seat::Responder => seats.responder = Some(me),
        }
        self.matches.expire(match_id, now_ms, millis(ttl));
        let seats = self.matches.get(match_id, now_ms)?;
        match side {
            Seat::Initiator => seats.responder,
            Seat::Responder => seats.initiator,
        }
    }

    /// Everything that is there, as a client of Redis would see it.
    pub fn contents(&self, now_ms: i64) -> Contents {
        contents::contents(self, now_ms)
    }
}

/// As the server sends spans: rounded up.
fn millis(span: Span) -> i64 {
    i64::try_from(span.as_millis_ceil()).unwrap_or(i64::MAX / 4)
}
