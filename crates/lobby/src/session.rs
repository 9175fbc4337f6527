//! One person's visit: where its socket is, by what it is recognised, how fast it may speak. What it looks for, and whom it
//! has met, is not known here.

use crate::admission::Admittance;
use crate::ids::{ConnectionId, DeviceId, NodeId, PrefixId, SessionId};
use crate::persons::Someone;
use crate::planted::planted;
use crate::rates::Rate;
use crate::replay::Replay;
use crate::{Limiting, Time};
use visavis_protocol::MessageType;

#[derive(Debug)]
pub(crate) struct Session {
    /// The same on all nodes; shown to nobody.
    pub(crate) id: SessionId,
    /// By which its visitor is recognised after a reload, where its client says so.
    pub(crate) device: Option<DeviceId>,
    pub(crate) link: Link,
    /// Only clients that said `hello` can be recognised later.
    pub(crate) identity: Option<Box<Identity>>,
    /// Whether it was taken in under the admission rate.
    pub(crate) admittance: Admittance,
    pub(crate) limiting: Limiting,
    /// Written by whoever gives somebody to it.
    pub(crate) engagement: Engagement,
    /// Said `hello`: what it brought with that counts once.
    pub(crate) greeted: bool,
    /// It has asked for something: its socket goes to no older session any more.
    pub(crate) in_use: bool,
    /// What it said last: an error that follows is about that.
    pub(crate) said: Said,
    pub(crate) last_seen: Time,
    /// When the last frame of its own came. The pong of a socket comes from a browser whose page may be frozen.
    pub(crate) last_frame: Time,
    /// Whether its client answers `ping` by a frame of its own.
    pub(crate) answers_ping: bool,
    /// When the first ping went out that nothing has answered yet.
    pub(crate) asked: Option<Time>,
    pub(crate) timer: Option<Time>,
    pub(crate) messages: Rate,
    pub(crate) nexts: Rate,
    pub(crate) texts: Rate,
    pub(crate) refusals: Rate,
    /// Bytes for strangers.
    pub(crate) signal_bytes: Rate,
    pub(crate) resumes: Rate,
    pub(crate) inbox: Inbox,
}

/// What was put into the queue of its socket of late.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) bytes: Rate,
    pub(crate) messages: Rate,
}

/// The latest message of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its type, where that could be read.
    pub(crate) what: Option<MessageType>,
    /// Its number among those of its socket, starting at 1.
    pub(crate) nth: u32,
}

/// Where the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Attached(ConnectionId),
    /// The socket ended without a close frame; the session ends, too, if nobody resumes it until then.
    Detached {
        until: Time,
    },
    /// The visitor is on another node, and here only to be somebody's partner.
    Elsewhere {
        node: NodeId,
    },
}

/// What a session has to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engagement {
    Free,
    /// Somebody may be given to it at any moment: it is watched more closely.
    OnCall,
    /// What is said to it must not be lost: it is kept until it has arrived.
    Engaged,
}

/// By which a session is known to its own later self.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Of the tokens that are good now; grows at every resume.
    pub(crate) generation: u32,
    pub(crate) origin: Origin,
    /// Messages sent since the last `welcome`.
    pub(crate) sent: u32,
    pub(crate) replay: Replay,
    /// How many frames of its last socket were taken, until the `welcome` of the next one says so.
    pub(crate) taken_before: Option<u32>,
    /// Where a visitor of another node comes from, as that node says; of our own it follows from the socket.
    pub(crate) prefix: Option<PrefixId>,
}

impl Identity {
    pub(crate) fn new(generation: u32, origin: Origin) -> Self {
        Identity { generation, origin, sent: 0, replay: Replay::default(), taken_before: None, prefix: None }
    }
}

/// How this process came to know a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It began here.
    Here,
    /// It came with a token of an earlier process.
    Restored,
    /// Known through its partner, by such a token or as a visitor of another node: it has not shown up itself.
    Awaited,
    /// The same of a visitor of another node who holds no token, and so can never show up.
    Fleeting,
}

impl Origin {
    /// Whether it has been here.
    pub(crate) fn is_known_by_hearsay(self) -> bool {
        matches!(self, Origin::Awaited | Origin::Fleeting)
    }
}

impl Session {
    pub(crate) fn new(id: SessionId, connection: ConnectionId, limiting: Limiting, now: Time) -> Self {
        Session {
            id,
            device: None,
            link: Link::Attached(connection),
            identity: None,
            admittance: Admittance::Unasked,
            limiting,
            engagement: Engagement::Free,
            greeted: false,
            in_use: false,
            said: Said::default(),
            last_seen: now,
            last_frame: now,
            answers_ping: false,
            asked: None,
            timer: None,
            messages: Rate::default(),
            nexts: Rate::default(),
            texts: Rate::default(),
            refusals: Rate::default(),
            signal_bytes: Rate::default(),
            resumes: Rate::default(),
            inbox: Inbox::default(),
        }
    }

    /// A session that only its partner has told of.
    pub(crate) fn known_by_hearsay(id: SessionId, link: Link, origin: Origin, now: Time) -> Self {
        Session {
            link,
            identity: Some(Box::new(Identity::new(0, origin))),
            ..Session::new(id, ConnectionId(0), Limiting::Exempt, now)
        }
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self.link {
            Link::Attached(connection) => Some(connection),
            Link::Detached { .. } | Link::Elsewhere { .. } => None,
        }
    }

    /// Whether the visitor is on another node.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.link, Link::Elsewhere { .. })
    }

    /// The node where the visitor is, if not here.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match self.link {
            Link::Elsewhere { node } => Some(node),
            Link::Attached(_) | Link::Detached { .. } => None,
        }
    }

    /// Whether only others have told of it.
    pub(crate) fn is_known_by_hearsay(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.origin.is_known_by_hearsay())
    }

    /// Whether its client holds a token by which it can come back.
    pub(crate) fn is_resumable(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.origin != Origin::Fleeting)
    }

    /// Whether only frames of its own show that somebody is there: somebody else may be given to it at any moment.
    pub(crate) fn must_speak(&self) -> bool {
        self.answers_ping && self.engagement == Engagement::OnCall && !planted!(FrozenPagesCount)
    }

    /// Since when it has been silent.
    pub(crate) fn silent_since(&self) -> Time {
        if self.must_speak() { self.last_frame } else { self.last_seen }
    }

    /// The mark of a ping sent now.
    pub(crate) fn mark(&self) -> u32 {
        self.identity.as_ref().map_or(0, |identity| identity.sent)
    }

    /// As others may remember it.
    pub(crate) fn who(&self) -> Someone {
        Someone { session: self.id, device: self.device }
    }
}
