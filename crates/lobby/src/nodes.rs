//! What several nodes need of each other: how they are named, what is asked of the place where they meet (Redis), and
//! what comes back.
//!
//! The lobby only says what it wants and takes what it is told. All of it may come late, twice, in part or never: each
//! node is the only one to give its own visitors away, so nothing here can match anybody twice.

mod frame;
mod veil;

pub use frame::Frame;
pub(crate) use frame::{Carried, Fit, Partner, Party, Place, Presence, Promise, Say, Standing};
pub(crate) use veil::Veil;

use crate::Span;
use crate::ids::{ConnectionId, NodeId, Side, TicketId};
use visavis_protocol::{Kind, MatchId};

/// A keyed digest of something private: equal for equals on all nodes that share the secret, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// Where tickets that might fit lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    pub kind: Kind,
    pub pool: Tag,
}

/// How long a ticket still insists on a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insists {
    No,
    For(Span),
    Always,
}

/// What others may know of a waiting ticket: enough to see whether it fits, nothing that says who or what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub bucket: Bucket,
    pub ticket: TicketId,
    /// Of whoever waits with it: by what `recent` and `blocked` of others name them.
    pub session: Tag,
    pub interests: Vec<Tag>,
    /// Of the primary language subtags.
    pub languages: Vec<Tag>,
    pub insists_on_interest: Insists,
    pub insists_on_language: Insists,
    pub waited: Span,
    /// Since the ticket was made; recent partners pause from the later of two.
    pub made: Span,
    pub recent_pause: Span,
    pub recent: Vec<Tag>,
    pub blocked: Vec<Tag>,
    /// How long it may lie in the pool without being exported anew.
    pub lease: Span,
}

/// What the lobby wants of other nodes and of the place where they meet.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// In one step: take somebody of another node who fits out of the pool, and this ticket too if it lies there; or else
    /// put this ticket there. Answered by [`Reply::Claimed`].
    Claim(Box<Export>),
    /// Take a ticket out of the pool.
    Withdraw { bucket: Bucket, ticket: TicketId },
    /// Say that a token of this generation was presented here. Answered by [`Reply::Marked`].
    Mark { connection: ConnectionId, session: Tag, generation: u32, ttl: Span },
    /// Tokens of a session below this generation are used up; and what to keep for whoever resumes it after this node's
    /// end: sealed, at most one value a session.
    Note { session: Tag, generation: u32, kept: Option<String>, ttl: Span },
    /// Say where one side of a match is, and ask where the other is. Answered by [`Reply::Met`].
    Meet { match_id: MatchId, side: Seat, ttl: Span },
    /// Tell another node. Frames to one node arrive in order, or not at all.
    Tell { node: NodeId, frame: Box<Frame> },
}

/// One of the two seats of a match, for those who only carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    Initiator,
    Responder,
}

impl From<Side> for Seat {
    fn from(side: Side) -> Self {
        match side {
            Side::Initiator => Seat::Initiator,
            Side::Responder => Seat::Responder,
        }
    }
}

/// What was seen of a node, its lease judged by the clock of the place where they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub node: NodeId,
    pub lease: Lease,
    /// People there.
    pub online: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    Held,
    /// Not renewed in time, or given back.
    Lapsed,
}

/// What other nodes and the place where they meet say.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// All nodes that are known there. Comes every second or so while the place can be reached.
    Nodes(Vec<Sighting>),
    /// The place cannot be reached, so no node can.
    Away,
    Claimed {
        ticket: TicketId,
        found: Option<Claimed>,
    },
    Marked {
        connection: ConnectionId,
        marked: Marked,
    },
    /// Where the other side of a match is, if it has said so.
    Met {
        match_id: MatchId,
        node: Option<NodeId>,
    },
    Heard {
        node: NodeId,
        frame: Box<Frame>,
    },
    /// Frames of this node were lost.
    Gap {
        node: NodeId,
    },
}

/// A ticket that was taken out of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub node: NodeId,
    pub ticket: TicketId,
}

/// Whether a token is good, as far as the place where nodes meet remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It was never presented before; from now on it has been.
    Fresh { kept: Option<String> },
    /// It was.
    Used,
}
