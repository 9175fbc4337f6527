//! What is in each message of a client.

use crate::{BlockHandle, Candidate, ChatText, DeviceName, Kind, MatchId, Offer, Pin, ResumeToken, Sdp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub version: u32,
    /// The newest token of the session that shall go on; only in a socket's first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub resume: Option<ResumeToken>,
    /// How many messages came after the last `welcome`: what was sent beyond that is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub received: Option<u32>,
    /// This client answers the server's `ping` with `pong`. A browser answers WebSocket pings even for a frozen page,
    /// so of such a client only its own frames show that somebody is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub answers_ping: bool,
    /// A random name that the page keeps, so that a block outlives a reload. The server keeps only a keyed digest of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub device: Option<DeviceName>,
    /// The handles of those whom this visitor has blocked, as `blocked` gave them; of more than 256 the last count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<BlockHandle>>", optional))]
    pub blocks: Vec<BlockHandle>,
}

impl Hello {
    /// Of more blocks than this the last count.
    pub const MAX_BLOCKS: usize = 256;

    /// A greeting of this version, with nothing in it.
    pub fn plain() -> Self {
        Hello {
            version: crate::VERSION,
            resume: None,
            received: None,
            answers_ping: false,
            device: None,
            blocks: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FindPartner {
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<String>>", optional))]
    pub interests: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<String>>", optional))]
    pub languages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub offer: Option<Offer>,
    /// Whether a survivor goes back to waiting at once.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub requeue: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<Pin>>", optional))]
    pub pin: Vec<Pin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub pool: Option<String>,
    /// Hide my address: of what I send, only relay candidates reach strangers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub relay_only: bool,
}

impl FindPartner {
    /// Anyone of this kind, in the classic order.
    pub fn anyone(kind: Kind) -> Self {
        FindPartner {
            kind,
            interests: Vec::new(),
            languages: Vec::new(),
            offer: None,
            requeue: false,
            pin: Vec::new(),
            pool: None,
            relay_only: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TicketOffer {
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub sdp: Sdp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// If it names another match than the present one, the message is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
    pub match_id: Option<MatchId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub offer: Option<Offer>,
    /// The two browsers found no way to each other: they are not put together again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub failed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Stop {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ping {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pong {}

/// An offer or an answer, forwarded unread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
    pub match_id: Option<MatchId>,
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub sdp: Sdp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IceCandidate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
    pub match_id: Option<MatchId>,
    /// An RTCIceCandidateInit, an array of them, or null / empty for end of candidates.
    #[serde(default)]
    #[cfg_attr(
        test,
        ts(type = "RTCIceCandidateInit | RTCIceCandidateInit[] | \"\" | null"),
        schemars(with = "serde_json::Value")
    )]
    pub candidate: Candidate,
}

/// How the two found each other, as the browser's statistics tell it. Types and protocols are those of RFC 8445.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Connected {
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub match_id: MatchId,
    pub path: Path,
    /// From `partner_found` to the first connected state, in milliseconds.
    pub elapsed_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub local_type: Option<CandidateType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub remote_type: Option<CandidateType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub protocol: Option<Transport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub family: Option<IpFamily>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Path {
    Direct,
    Relay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CandidateType {
    Host,
    Srflx,
    Prflx,
    Relay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IpFamily {
    Ipv4,
    Ipv6,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Message {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
    pub match_id: Option<MatchId>,
    pub text: ChatText,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Typing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string", optional), schemars(with = "Option<String>"))]
    pub match_id: Option<MatchId>,
    pub on: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The present or the last match.
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub match_id: MatchId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    /// As `blocked` gave it.
    pub block: BlockHandle,
}
