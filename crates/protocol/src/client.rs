//! Client → server. `read_client_message` makes these from a frame; the load client writes them with serde.

use crate::{BlockHandle, Candidate, ChatText, DeviceName, Kind, MatchId, Offer, Pin, ResumeToken, Sdp};
use serde::{Deserialize, Serialize};

/// One message of a client, shaped as on the wire. Wishes are still as given; see [`crate::Wishes`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Optional greeting; answered by `welcome`.
    Hello(Hello),
    /// Search, or search anew.
    FindPartner(FindPartner),
    /// A fresh offer for a ticket that waits.
    TicketOffer(TicketOffer),
    /// Leave the stranger and find another.
    Next(Next),
    /// Leave and do not search.
    Stop(Stop),
    Offer(Signal),
    Answer(Signal),
    IceCandidate(IceCandidate),
    /// Media flows: for the metrics, and a sign of life.
    Connected(Connected),
    Message(Message),
    Typing(Typing),
    /// Never meet this stranger again.
    Block(Block),
    /// Takes a block back.
    Unblock(Unblock),
    /// Are you there? Answered by `pong`.
    Ping(Ping),
    /// Answers the server's `ping`.
    Pong(Pong),
}

/// Which message: the `type` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    Hello,
    FindPartner,
    TicketOffer,
    Next,
    Stop,
    Offer,
    Answer,
    IceCandidate,
    Connected,
    Message,
    Typing,
    Block,
    Unblock,
    Ping,
    Pong,
}

impl MessageType {
    /// The type that a frame is tagged with, if there is one of that name.
    pub fn named(tag: &str) -> Option<Self> {
        Some(match tag {
            "hello" => MessageType::Hello,
            "find_partner" => MessageType::FindPartner,
            "ticket_offer" => MessageType::TicketOffer,
            "next" => MessageType::Next,
            "stop" => MessageType::Stop,
            "offer" => MessageType::Offer,
            "answer" => MessageType::Answer,
            "ice_candidate" => MessageType::IceCandidate,
            "connected" => MessageType::Connected,
            "message" => MessageType::Message,
            "typing" => MessageType::Typing,
            "block" => MessageType::Block,
            "unblock" => MessageType::Unblock,
            "ping" => MessageType::Ping,
            "pong" => MessageType::Pong,
            _ => return None,
        })
    }
}

/// What an element of a list takes, beside what is in it.
const ELEMENT: usize = 24;

impl ClientMessage {
    /// About how many bytes of a signal reach the stranger; `None` for what does not.
    pub fn signal_bytes(&self) -> Option<usize> {
        match self {
            ClientMessage::Offer(_)
            | ClientMessage::Answer(_)
            | ClientMessage::IceCandidate(_)
            | ClientMessage::Message(_)
            | ClientMessage::Typing(_) => Some(self.payload_bytes()),
            ClientMessage::Hello(_)
            | ClientMessage::FindPartner(_)
            | ClientMessage::TicketOffer(_)
            | ClientMessage::Next(_)
            | ClientMessage::Stop(_)
            | ClientMessage::Connected(_)
            | ClientMessage::Block(_)
            | ClientMessage::Unblock(_)
            | ClientMessage::Ping(_)
            | ClientMessage::Pong(_) => None,
        }
    }

    /// About how many bytes of it are not of fixed size. Each element of a list takes room, however little is in it.
    pub fn payload_bytes(&self) -> usize {
        let of_words = |words: &[String]| words.iter().map(|word| ELEMENT + word.len()).sum::<usize>();
        let of_offer =
            |offer: &Option<Offer>| offer.as_ref().map_or(0, |offer| offer.sdp.reveal_json().len());
        match self {
            ClientMessage::Offer(Signal { sdp, .. })
            | ClientMessage::Answer(Signal { sdp, .. })
            | ClientMessage::TicketOffer(TicketOffer { sdp }) => sdp.reveal_json().len(),
            ClientMessage::Next(next) => of_offer(&next.offer),
            ClientMessage::FindPartner(wanted) => {
                of_offer(&wanted.offer)
                    + of_words(&wanted.interests)
                    + of_words(&wanted.languages)
                    + wanted.pin.len() * ELEMENT
                    + wanted.pool.as_ref().map_or(0, String::len)
            }
            ClientMessage::IceCandidate(IceCandidate { candidate, .. }) => candidate.reveal_json().len(),
            ClientMessage::Message(Message { text, .. }) => text.0.len(),
            ClientMessage::Hello(hello) => {
                hello.resume.as_ref().map_or(0, |token| token.0.len())
                    + hello.device.as_ref().map_or(0, |device| device.0.len())
                    + hello.blocks.iter().map(|handle| ELEMENT + handle.0.len()).sum::<usize>()
            }
            ClientMessage::Typing(_)
            | ClientMessage::Stop(_)
            | ClientMessage::Connected(_)
            | ClientMessage::Block(_)
            | ClientMessage::Unblock(_)
            | ClientMessage::Ping(_)
            | ClientMessage::Pong(_) => 0,
        }
    }

    pub fn message_type(&self) -> MessageType {
        match self {
            ClientMessage::Hello(_) => MessageType::Hello,
            ClientMessage::FindPartner(_) => MessageType::FindPartner,
            ClientMessage::TicketOffer(_) => MessageType::TicketOffer,
            ClientMessage::Next(_) => MessageType::Next,
            ClientMessage::Stop(_) => MessageType::Stop,
            ClientMessage::Offer(_) => MessageType::Offer,
            ClientMessage::Answer(_) => MessageType::Answer,
            ClientMessage::IceCandidate(_) => MessageType::IceCandidate,
            ClientMessage::Connected(_) => MessageType::Connected,
            ClientMessage::Message(_) => MessageType::Message,
            ClientMessage::Typing(_) => MessageType::Typing,
            ClientMessage::Block(_) => MessageType::Block,
            ClientMessage::Unblock(_) => MessageType::Unblock,
            ClientMessage::Ping(_) => MessageType::Ping,
            ClientMessage::Pong(_) => MessageType::Pong,
        }
    }
}

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
