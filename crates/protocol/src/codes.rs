//! Error codes, close codes, and the refusal that carries one to the client.

use crate::MessageType;
use serde::{Deserialize, Serialize};

/// Why a message was refused. Stable: clients switch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not one JSON object.
    BadJson,
    /// No message has this `type`.
    UnknownType,
    /// A field is missing, unknown, of the wrong type or outside its domain; the message names it.
    BadField,
    /// A part of the message is larger than its limit.
    TooLarge,
    /// The frame nests deeper than its limit.
    TooDeep,
    /// More messages than the rate allows; `retry_after_ms` says when to go on.
    TooFast,
    /// A signal from a session that was never matched.
    NotMatched,
    /// `next` before any `find_partner`.
    NotSearching,
    /// A session that said `hello` or `requeue: true` sent a signal without its `match_id`.
    MatchIdRequired,
    /// `hello` names a version that this server does not speak.
    UnsupportedVersion,
}

impl ErrorCode {
    /// Whether the same message can succeed later, unchanged.
    pub fn retry(self) -> bool {
        match self {
            ErrorCode::TooFast => true,
            ErrorCode::BadJson
            | ErrorCode::UnknownType
            | ErrorCode::BadField
            | ErrorCode::TooLarge
            | ErrorCode::TooDeep
            | ErrorCode::NotMatched
            | ErrorCode::NotSearching
            | ErrorCode::MatchIdRequired
            | ErrorCode::UnsupportedVersion => false,
        }
    }

    /// The code as it stands on the wire and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::BadJson => "bad_json",
            ErrorCode::UnknownType => "unknown_type",
            ErrorCode::BadField => "bad_field",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::TooDeep => "too_deep",
            ErrorCode::TooFast => "too_fast",
            ErrorCode::NotMatched => "not_matched",
            ErrorCode::NotSearching => "not_searching",
            ErrorCode::MatchIdRequired => "match_id_required",
            ErrorCode::UnsupportedVersion => "unsupported_version",
        }
    }
}

/// A client's fault, said to that client: a stable code and a sentence that names the culprit.
///
/// The sentence may quote what the client sent, so it goes to that client and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
    /// Of which message, where its `type` could be read.
    pub of: Option<MessageType>,
}

impl Refusal {
    /// The longest sentence sent, in bytes: a refusal must not be larger than what caused it is likely to be.
    const MAX_MESSAGE_BYTES: usize = 300;

    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MAX_MESSAGE_BYTES {
            let mut end = Self::MAX_MESSAGE_BYTES;
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
            message.push('…');
        }
        Refusal { code, message, of: None }
    }

    /// The same, of a message of this type.
    pub fn of(self, message: MessageType) -> Self {
        Refusal { of: Some(message), ..self }
    }
}

/// The close code of a client that comes back on another socket: its session is kept, as if the line had broken.
pub const CLOSE_TO_RESUME: u16 = 4000;

/// WebSocket close codes (RFC 6455, section 7.4.1) that the server uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1001: no sign of life for the idle timeout.
    GoingAway,
    /// 1003: a binary frame.
    Unsupported,
    /// 1008: a policy or a rate was broken for too long.
    Policy,
    /// 1009: a frame above `max_frame_bytes`.
    TooBig,
    /// 1012: the server restarts; come back.
    Restart,
}

impl CloseCode {
    pub fn as_u16(self) -> u16 {
        match self {
            CloseCode::GoingAway => 1001,
            CloseCode::Unsupported => 1003,
            CloseCode::Policy => 1008,
            CloseCode::TooBig => 1009,
            CloseCode::Restart => 1012,
        }
    }
}
