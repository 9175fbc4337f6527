//! One person's visit: what it asked for, where it stands, how fast it may speak.

use crate::acquaintances::{Acquaintance, Acquaintances};
use crate::admission::Admittance;
use crate::ids::{ConnectionId, DeviceId, MatchKey, NodeId, PersonId, SessionId, Side, TicketKey};
use crate::persons::Someone;
use crate::planted::planted;
use crate::rates::Rate;
use crate::replay::Replay;
use crate::{Limiting, Time};
use std::sync::Arc;
use visavis_protocol::{MatchId, MessageType, Wishes};

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
    state: State,
    /// Of the last search; `next` repeats them.
    pub(crate) wishes: Option<Arc<Wishes>>,
    /// Whether the visitor goes back to the line by itself when the stranger leaves.
    pub(crate) requeue: bool,
    /// Said `hello` or `requeue: true`: such a client names the match on every signal.
    pub(crate) names_matches: bool,
    /// Said `hello`: what it brought with that counts once.
    pub(crate) greeted: bool,
    /// Asked to hide its address before it was known which session it is.
    pub(crate) hides_on_arrival: bool,
    /// Its newest token does not say any more what holds.
    pub(crate) owes_token: bool,
    /// Boxed: most sessions of an idle crowd have met nobody.
    acquaintances: Option<Box<Acquaintances>>,
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
    pub(crate) strangers: Rate,
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
}

impl Identity {
    pub(crate) fn new(generation: u32, origin: Origin) -> Self {
        Identity { generation, origin, sent: 0, replay: Replay::default(), taken_before: None }
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

/// Where a session stands. Written only by the `transition_to_*` functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle {
        credit: Option<AgeCredit>,
    },
    Waiting {
        ticket: TicketKey,
    },
    /// In line, but its socket is gone: the place is kept, and nobody is given to it.
    Held {
        since: Time,
        created: Time,
    },
    /// In line, but promised to somebody of another node, or offered to: nobody else is given to it meanwhile.
    Reserved {
        by: MatchId,
    },
    Matched {
        key: MatchKey,
        side: Side,
    },
}

/// The place in line that a survivor without `requeue` gets back if it asks in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeCredit {
    pub(crate) since: Time,
    pub(crate) valid_until: Time,
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
            state: State::Idle { credit: None },
            wishes: None,
            requeue: false,
            names_matches: false,
            greeted: false,
            hides_on_arrival: false,
            owes_token: false,
            acquaintances: None,
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

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn transition_to_idle(&mut self, credit: Option<AgeCredit>) {
        self.state = State::Idle { credit };
    }

    pub(crate) fn transition_to_waiting(&mut self, ticket: TicketKey) {
        debug_assert!(matches!(self.state, State::Idle { .. }), "one ticket, and none in a match");
        self.state = State::Waiting { ticket };
    }

    pub(crate) fn transition_to_held(&mut self, since: Time, created: Time) {
        debug_assert!(
            matches!(self.state, State::Idle { .. }),
            "the ticket is taken before the place is held"
        );
        self.state = State::Held { since, created };
    }

    pub(crate) fn transition_to_reserved(&mut self, by: MatchId) {
        debug_assert!(matches!(self.state, State::Idle { .. }), "the ticket is taken before it is reserved");
        self.state = State::Reserved { by };
    }

    pub(crate) fn transition_to_matched(&mut self, key: MatchKey, side: Side) {
        debug_assert!(
            matches!(self.state, State::Idle { .. }),
            "the ticket is taken before the match is made"
        );
        self.state = State::Matched { key, side };
    }

    pub(crate) fn was_ever_matched(&self) -> bool {
        self.last_match().is_some() || matches!(self.state, State::Matched { .. })
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
        self.answers_ping
            && matches!(self.state, State::Waiting { .. } | State::Reserved { .. })
            && !planted!(FrozenPagesCount)
    }

    /// Since when it has been silent.
    pub(crate) fn silent_since(&self) -> Time {
        if self.must_speak() { self.last_frame } else { self.last_seen }
    }

    /// The mark of a ping sent now.
    pub(crate) fn mark(&self) -> u32 {
        self.identity.as_ref().map_or(0, |identity| identity.sent)
    }

    pub(crate) fn acquaintances_mut(&mut self) -> &mut Acquaintances {
        self.acquaintances.get_or_insert_default()
    }

    /// The match that ended last, and with whom.
    pub(crate) fn last_match(&self) -> Option<(MatchId, Someone)> {
        self.acquaintances.as_ref().and_then(|known| known.last_match)
    }

    /// Takes over which match ended last, elsewhere.
    pub(crate) fn remember_last_match(&mut self, last: Option<(MatchId, Someone)>) {
        if last.is_some() || self.acquaintances.is_some() {
            self.acquaintances_mut().last_match = last;
        }
    }

    /// As others may remember it.
    pub(crate) fn who(&self) -> Someone {
        Someone { session: self.id, device: self.device }
    }

    /// Takes over whom it met and blocked earlier, elsewhere.
    pub(crate) fn remember(&mut self, recent: Vec<PersonId>, blocked: Vec<PersonId>, recent_partners: usize) {
        if !recent.is_empty() || !blocked.is_empty() {
            self.acquaintances_mut().remember(recent, blocked, recent_partners);
        }
    }

    /// Whom it has blocked, if anybody.
    pub(crate) fn take_blocked(&mut self) -> Vec<PersonId> {
        self.acquaintances.take().map(|known| known.blocked().collect()).unwrap_or_default()
    }

    pub(crate) fn acquaintances(&self) -> Option<&Acquaintances> {
        self.acquaintances.as_deref()
    }

    pub(crate) fn met_anyone(&self) -> bool {
        self.acquaintances.as_ref().is_some_and(|known| known.met_anyone())
    }

    pub(crate) fn sees(&self, other: Someone) -> Acquaintance {
        self.acquaintances.as_ref().map_or(Acquaintance::Strangers, |known| known.sees(other))
    }

    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn acquaintances_are_bounded(&self, recent_partners: usize) -> bool {
        self.acquaintances.as_ref().is_none_or(|known| known.are_bounded(self.id.into(), recent_partners))
    }
}
