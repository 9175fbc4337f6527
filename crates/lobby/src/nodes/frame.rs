//! What one node says to another. Written as JSON; the shell seals it, as it holds descriptions and text.

use super::TicketId;
use crate::Span;
use crate::ids::{DeviceId, PersonId, PrefixId, SessionId, Side};
use crate::persons::Someone;
use crate::receipts::Receipt;
use serde::{Deserialize, Serialize};
use visavis_protocol::{
    Candidate, ChatText, Kind, Language, LeftReason, MatchId, Mode, Offer, PartnerFound, Sdp, ServerMessage,
    Wishes,
};

/// One message between nodes. Opaque: only lobbies read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frame(pub(crate) Say);

impl Frame {
    /// As bytes. Only a failure of the JSON encoder itself yields nothing.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// `None`: of another version, or not a frame.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Ends of spans travel, not moments: no two nodes have the same clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Say {
    /// Will your ticket meet mine? Mine is reserved, and the match would have this id.
    Propose { id: MatchId, ticket: TicketId, party: Party },
    /// It will, and is reserved as well.
    Promise { id: MatchId, promise: Box<Promise> },
    /// It is so: my visitor knows. With its offer, if that is the one that counts.
    Commit { id: MatchId, offer: Option<Offer> },
    /// Mine knows, too.
    Committed { id: MatchId },
    /// Nothing comes of it; let go.
    Release { id: MatchId },
    /// I took your ticket out of the pool and have no use for it.
    Unclaimed { ticket: TicketId },
    /// For your visitor in this match.
    Carry { id: MatchId, carried: Carried },
    /// My visitor reports that the two are connected.
    Connected { id: MatchId },
    /// My visitor hides its address from now on: what yours has not read yet may give it away.
    Hides { id: MatchId },
    /// My visitor has left this match, or I know of no such match.
    Left { id: MatchId, reason: LeftReason },
    /// A token of a session that you hold was presented here: hand it over.
    Reclaim { connection: u64, session: SessionId, generation: u32, received: Option<u32> },
    /// What became of it; nothing, if its session has ended or the token is old.
    Handover {
        connection: u64,
        #[serde(default)]
        session: Option<SessionId>,
        standing: Option<Box<Standing>>,
    },
    /// This side of a match is here now.
    Rejoin { id: MatchId, side: Side, session: SessionId, back: Presence },
    /// And the other is here, still.
    Rejoined { id: MatchId },
    /// The holder of this receipt reports the stranger, and may be with you.
    Reported { receipt: Receipt },
    /// All matches that I have with you.
    Sync { matches: Vec<MatchId> },
}

/// Whether a visitor who moved had been away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Presence {
    WasHere,
    WasAway,
}

/// The one who proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Party {
    pub(crate) ticket: TicketId,
    pub(crate) partner: Partner,
    pub(crate) waited: Span,
    pub(crate) made: Span,
    /// Whether its ticket carries a live offer.
    pub(crate) offers: bool,
}

/// Somebody of another node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Partner {
    pub(crate) session: SessionId,
    /// Whether it holds a token and can come back.
    pub(crate) resumable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceId>,
    /// For the receipt of whoever is matched with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<PrefixId>,
    pub(crate) wishes: Wishes,
}

impl Partner {
    pub(crate) fn who(&self) -> Someone {
        Someone { session: self.session, device: self.device }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Promise {
    pub(crate) partner: Partner,
    pub(crate) waited: Span,
    /// Where the one who promises sits.
    pub(crate) side: Side,
    pub(crate) fit: Fit,
    /// Of the one who promises, if it initiates.
    pub(crate) offer: Option<Offer>,
}

/// What both sides of a match are told alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fit {
    pub(crate) mode: Mode,
    pub(crate) shared_interests: Vec<String>,
    pub(crate) language: Option<Language>,
}

/// A session on its way to another node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) wishes: Option<Wishes>,
    pub(crate) requeue: bool,
    pub(crate) place: Place,
    #[serde(default)]
    pub(crate) device: Option<DeviceId>,
    pub(crate) recent: Vec<PersonId>,
    pub(crate) blocked: Vec<PersonId>,
    pub(crate) last_match: Option<(MatchId, Someone)>,
    pub(crate) missed: Vec<Carried>,
    /// How many frames of its last socket were taken.
    #[serde(default)]
    pub(crate) taken: Option<u32>,
    pub(crate) back: Presence,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Place {
    Idle,
    Waiting {
        waited: Span,
    },
    Matched {
        id: MatchId,
        kind: Kind,
        side: Side,
        waited: Span,
        connected: bool,
        partner: Partner,
        /// Where the partner is, as name and epoch; nowhere at present: it is awaited.
        at: Option<super::NodeId>,
    },
}

/// What is carried to a visitor of another node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Carried {
    Found(PartnerFound),
    Offer(Sdp),
    Answer(Sdp),
    IceCandidate(Candidate),
    Message(ChatText),
    Typing(bool),
    Reconnecting { grace_ms: u64 },
    Back { grace_ms: u64 },
    Left { id: MatchId, reason: LeftReason, requeued: bool },
}

impl Carried {
    /// `None` for what concerns only a visitor's own node.
    pub(crate) fn take(message: ServerMessage) -> Option<Self> {
        match message {
            ServerMessage::PartnerFound(found) => Some(Carried::Found(found)),
            ServerMessage::Offer { sdp, .. } => Some(Carried::Offer(sdp)),
            ServerMessage::Answer { sdp, .. } => Some(Carried::Answer(sdp)),
            ServerMessage::IceCandidate { candidate, .. } => Some(Carried::IceCandidate(candidate)),
            ServerMessage::Message { text, .. } => Some(Carried::Message(text)),
            ServerMessage::Typing { on, .. } => Some(Carried::Typing(on)),
            ServerMessage::PartnerReconnecting { grace_ms, .. } => Some(Carried::Reconnecting { grace_ms }),
            ServerMessage::PartnerBack { grace_ms, .. } => Some(Carried::Back { grace_ms }),
            ServerMessage::PartnerLeft { match_id, reason, requeued, .. } => {
                Some(Carried::Left { id: match_id, reason, requeued })
            }
            ServerMessage::Welcome { .. }
            | ServerMessage::Waiting { .. }
            | ServerMessage::Stopped { .. }
            | ServerMessage::Blocked { .. }
            | ServerMessage::Unblocked { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Ping {}
            | ServerMessage::Pong { .. }
            | ServerMessage::Draining { .. } => None,
        }
    }

    /// Whether it is something that the stranger said.
    pub(crate) fn is_signal(&self) -> bool {
        match self {
            Carried::Offer(_)
            | Carried::Answer(_)
            | Carried::IceCandidate(_)
            | Carried::Message(_)
            | Carried::Typing(_) => true,
            Carried::Found(_)
            | Carried::Reconnecting { .. }
            | Carried::Back { .. }
            | Carried::Left { .. } => false,
        }
    }

    pub(crate) fn message(self, match_id: MatchId) -> ServerMessage {
        match self {
            Carried::Found(found) => ServerMessage::PartnerFound(found),
            Carried::Offer(sdp) => ServerMessage::Offer { match_id, sdp },
            Carried::Answer(sdp) => ServerMessage::Answer { match_id, sdp },
            Carried::IceCandidate(candidate) => ServerMessage::IceCandidate { match_id, candidate },
            Carried::Message(text) => ServerMessage::Message { match_id, text },
            Carried::Typing(on) => ServerMessage::Typing { match_id, on },
            Carried::Reconnecting { grace_ms } => ServerMessage::PartnerReconnecting { match_id, grace_ms },
            Carried::Back { grace_ms } => ServerMessage::PartnerBack { match_id, grace_ms },
            Carried::Left { id, reason, requeued } => {
                ServerMessage::PartnerLeft { match_id: id, reason, requeued, resume_token: None }
            }
        }
    }
}
