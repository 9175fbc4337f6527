//! Server → client. Clients ignore types and fields that they do not know.

use crate::{
    BlockHandle, Candidate, ChatText, ErrorCode, IceToken, Language, MatchId, MessageType, Offer, Refusal,
    ReportReceipt, ResumeToken, Sdp,
};
use serde::{Deserialize, Serialize};

/// One message of the server, shaped as on the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Only in answer to `hello`.
    Welcome {
        version: u32,
        online: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resumed: Option<bool>,
        /// After a resume, where the server knows: how many frames it took from the session's previous socket. What the
        /// client sent there beyond that is lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        received: Option<u32>,
        /// The match that the session is in; absent: in none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
        match_id: Option<MatchId>,
        /// Where `GET /api/ice` wants a session: its bearer token.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        ice_token: Option<IceToken>,
    },
    /// Only when not matched on arrival; then at most every 5 s.
    Waiting {
        online: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(type = "number", optional))]
        estimate_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
    },
    PartnerFound(PartnerFound),
    Offer {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        sdp: Sdp,
    },
    Answer {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        sdp: Sdp,
    },
    IceCandidate {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        #[cfg_attr(
            test,
            ts(type = "RTCIceCandidateInit | RTCIceCandidateInit[] | \"\" | null"),
            schemars(with = "serde_json::Value")
        )]
        candidate: Candidate,
    },
    Message {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        text: ChatText,
    },
    Typing {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        on: bool,
    },
    /// To the survivor only. `requeued`: already waiting again.
    PartnerLeft {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        reason: LeftReason,
        requeued: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
    },
    /// The stranger's socket was lost; it may come back within the grace.
    PartnerReconnecting {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        #[cfg_attr(test, ts(type = "number"))]
        grace_ms: u64,
    },
    /// The stranger's socket is back. `grace_ms` is what was left of the grace.
    PartnerBack {
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        #[cfg_attr(test, ts(type = "number"))]
        grace_ms: u64,
    },
    /// Comes after anything that belonged to the earlier ticket.
    Stopped {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
    },
    Error {
        code: ErrorCode,
        message: String,
        retry: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(type = "number", optional))]
        retry_after_ms: Option<u64>,
        /// The type of the message that was refused, where it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        of: Option<MessageType>,
        /// Its number among the messages of this socket, starting at 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        nth: Option<u32>,
    },
    /// To the blocker only: these two will not meet again.
    Blocked {
        /// The match that `block` named.
        #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
        match_id: MatchId,
        /// Keep it, and send it in every `hello`.
        block: BlockHandle,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
    },
    /// The block was taken back.
    Unblocked {
        block: BlockHandle,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        resume_token: Option<ResumeToken>,
    },
    /// Asks a client that said `answers_ping` whether it is there. Not counted in `hello.received`.
    Ping {},
    /// Answers `ping`. Not counted in `hello.received`.
    Pong {
        /// How many frames the server has taken from this socket, that `ping` included.
        received: u32,
    },
    /// The server goes away; come back, to any node, after this delay.
    Draining {
        #[cfg_attr(test, ts(type = "number"))]
        reconnect_after_ms: u64,
    },
}

impl ServerMessage {
    /// An error that waiting does not mend.
    pub fn refused(refusal: Refusal) -> Self {
        ServerMessage::Error {
            code: refusal.code,
            retry: refusal.code.retry(),
            message: refusal.message,
            retry_after_ms: None,
            of: refusal.of,
            nth: None,
        }
    }

    /// Whether it belongs to the socket alone: neither counted among what a session was sent, nor ever sent again.
    pub fn is_of_the_socket(&self) -> bool {
        matches!(self, ServerMessage::Ping {} | ServerMessage::Pong { .. })
    }

    /// About how many bytes of it are not of fixed size, for bounds on queues.
    pub fn payload_bytes(&self) -> usize {
        match self {
            ServerMessage::Offer { sdp, .. } | ServerMessage::Answer { sdp, .. } => sdp.reveal_json().len(),
            ServerMessage::IceCandidate { candidate, .. } => candidate.reveal_json().len(),
            ServerMessage::Message { text, .. } => text.0.len(),
            ServerMessage::PartnerFound(found) => {
                token_bytes(&found.resume_token)
                    + found.receipt.as_ref().map_or(0, |receipt| receipt.0.len())
                    + found.offer.as_ref().map_or(0, |offer| offer.sdp.reveal_json().len())
                    + found.shared_interests.iter().map(String::len).sum::<usize>()
            }
            ServerMessage::Error { message, .. } => message.len(),
            ServerMessage::Welcome { resume_token, .. }
            | ServerMessage::Waiting { resume_token, .. }
            | ServerMessage::PartnerLeft { resume_token, .. }
            | ServerMessage::Stopped { resume_token, .. }
            | ServerMessage::Blocked { resume_token, .. }
            | ServerMessage::Unblocked { resume_token, .. } => token_bytes(resume_token),
            ServerMessage::Typing { .. }
            | ServerMessage::PartnerReconnecting { .. }
            | ServerMessage::PartnerBack { .. }
            | ServerMessage::Ping {}
            | ServerMessage::Pong { .. }
            | ServerMessage::Draining { .. } => 0,
        }
    }

    /// An error, with the message that it is about; anything else stays as it is.
    pub fn about(mut self, message: Option<MessageType>, which: u32) -> Self {
        if let ServerMessage::Error { of, nth, .. } = &mut self {
            *of = of.or(message);
            *nth = Some(which);
        }
        self
    }

    /// `too_fast`, with the pause after which the client may go on.
    pub fn too_fast(message: impl Into<String>, retry_after_ms: u64) -> Self {
        ServerMessage::Error {
            code: ErrorCode::TooFast,
            message: message.into(),
            retry: true,
            retry_after_ms: Some(retry_after_ms),
            of: None,
            nth: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct PartnerFound {
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub match_id: MatchId,
    /// Whether this side's offer is the one that counts. Exactly one side of a match.
    pub initiator: bool,
    /// The same for both sides.
    pub mode: Mode,
    pub shared_interests: Vec<String>,
    #[cfg_attr(test, ts(type = "string | null"), schemars(with = "Option<String>"))]
    pub language: Option<Language>,
    /// The stranger's waiting offer: only in mode `answer_offer`, only to the side that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub offer: Option<Offer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub resume_token: Option<ResumeToken>,
    /// Proves to `POST /api/reports` that these two were matched. Good for 24 hours, on any node, whatever becomes of the match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub receipt: Option<ReportReceipt>,
}

/// How the two connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The initiator sends `offer`.
    Negotiate,
    /// The initiator's offer came with the match; the other side answers it at once.
    AnswerOffer,
    /// No media: messages through the server.
    Text,
}

/// Why the stranger is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    Next,
    Stop,
    /// A close frame.
    Closed,
    /// No sign of life, or the socket ended without a close frame.
    Lost,
    /// Never said to anybody: who was blocked hears `next`.
    Blocked,
    /// The server ended it.
    Server,
}

impl LeftReason {
    /// The reason as the survivor hears it. That it was blocked would only tell it to come back as somebody else.
    pub fn told(self) -> Self {
        match self {
            LeftReason::Blocked => LeftReason::Next,
            LeftReason::Next
            | LeftReason::Stop
            | LeftReason::Closed
            | LeftReason::Lost
            | LeftReason::Server => self,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            LeftReason::Next => "next",
            LeftReason::Stop => "stop",
            LeftReason::Closed => "closed",
            LeftReason::Lost => "lost",
            LeftReason::Blocked => "blocked",
            LeftReason::Server => "server",
        }
    }
}

/// With many blocks or wishes a token has kilobytes.
fn token_bytes(token: &Option<ResumeToken>) -> usize {
    token.as_ref().map_or(0, |token| token.0.len())
}
