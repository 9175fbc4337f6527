//! What a visitor hears. Read from a frame in one pass without copying, or borrowed from the server's own message.

use serde::Deserialize;
use serde_json::value::RawValue;
use visavis_protocol::{ErrorCode, LeftReason, MatchId, Mode, ResumeToken, ServerMessage};

/// One message of the server, as far as a visitor cares. Session descriptions and candidates are JSON text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard<'a> {
    Welcome {
        resumed: bool,
        resume_token: Option<&'a str>,
        /// Of the match that a resumed session is in.
        match_id: Option<MatchId>,
    },
    Waiting {
        resume_token: Option<&'a str>,
    },
    PartnerFound(Found<'a>),
    Offer {
        match_id: MatchId,
        sdp: &'a str,
    },
    Answer {
        match_id: MatchId,
        sdp: &'a str,
    },
    IceCandidate {
        match_id: MatchId,
        candidate: &'a str,
    },
    Message {
        match_id: MatchId,
        text: &'a str,
    },
    Typing,
    PartnerLeft {
        match_id: MatchId,
        reason: LeftReason,
        requeued: bool,
        resume_token: Option<&'a str>,
    },
    PartnerReconnecting,
    PartnerBack,
    Stopped {
        resume_token: Option<&'a str>,
    },
    Error {
        code: ErrorCode,
        retry_after_ms: Option<u64>,
    },
    Draining {
        reconnect_after_ms: u64,
    },
    Ping,
    /// A type that this visitor does not know, or that says nothing to it: clients ignore it.
    Unknown,
}

/// A match, as told to one of its sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    pub match_id: MatchId,
    pub initiator: bool,
    pub mode: Mode,
    /// The stranger's waiting offer.
    pub offer: Option<&'a str>,
    pub resume_token: Option<&'a str>,
}

/// Every field of every message at once: a tagged enum would make serde buffer the content first.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow, default)]
    tag: Option<&'a str>,
    #[serde(default)]
    match_id: Option<MatchId>,
    #[serde(default)]
    initiator: Option<bool>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(borrow, default)]
    offer: Option<OfferFrame<'a>>,
    #[serde(borrow, default)]
    sdp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    candidate: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(default)]
    reason: Option<LeftReason>,
    #[serde(default)]
    requeued: Option<bool>,
    #[serde(default)]
    resumed: Option<bool>,
    #[serde(borrow, default)]
    resume_token: Option<&'a str>,
    #[serde(default)]
    code: Option<ErrorCode>,
    #[serde(default)]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    reconnect_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct OfferFrame<'a> {
    #[serde(borrow)]
    sdp: &'a RawValue,
}

impl<'a> Heard<'a> {
    /// Reads one frame; `None` if it is not what `docs/protocol.md` promises.
    pub fn read(json: &'a str) -> Option<Self> {
        let frame: Frame<'a> = serde_json::from_str(json).ok()?;
        Self::from_frame(frame.tag?, frame)
    }

    /// The token that came with it, by which its hearer can come back.
    pub fn resume_token(&self) -> Option<&'a str> {
        match self {
            Heard::Welcome { resume_token, .. }
            | Heard::Waiting { resume_token }
            | Heard::PartnerFound(Found { resume_token, .. })
            | Heard::PartnerLeft { resume_token, .. }
            | Heard::Stopped { resume_token } => *resume_token,
            Heard::Offer { .. }
            | Heard::Answer { .. }
            | Heard::IceCandidate { .. }
            | Heard::Message { .. }
            | Heard::Typing
            | Heard::PartnerReconnecting
            | Heard::PartnerBack
            | Heard::Error { .. }
            | Heard::Ping
            | Heard::Draining { .. }
            | Heard::Unknown => None,
        }
    }

    /// Reads a message whose type stands outside of it, as in Socket.IO's events.
    pub fn read_named(tag: &'a str, json: &'a str) -> Option<Self> {
        Self::from_frame(tag, serde_json::from_str(json).ok()?)
    }

    fn from_frame(tag: &'a str, frame: Frame<'a>) -> Option<Self> {
        Some(match tag {
            "welcome" => Heard::Welcome {
                resumed: frame.resumed.unwrap_or(false),
                resume_token: frame.resume_token,
                match_id: frame.match_id,
            },
            "waiting" => Heard::Waiting { resume_token: frame.resume_token },
            "partner_found" => Heard::PartnerFound(Found {
                match_id: frame.match_id?,
                initiator: frame.initiator?,
                mode: frame.mode?,
                offer: frame.offer.map(|offer| offer.sdp.get()),
                resume_token: frame.resume_token,
            }),
            "offer" => Heard::Offer { match_id: frame.match_id?, sdp: frame.sdp?.get() },
            "answer" => Heard::Answer { match_id: frame.match_id?, sdp: frame.sdp?.get() },
            "ice_candidate" => Heard::IceCandidate {
                match_id: frame.match_id?,
                candidate: frame.candidate.map_or("null", RawValue::get),
            },
            "message" => Heard::Message { match_id: frame.match_id?, text: frame.text?.get() },
            "typing" => Heard::Typing,
            "partner_left" => Heard::PartnerLeft {
                match_id: frame.match_id?,
                reason: frame.reason?,
                requeued: frame.requeued?,
                resume_token: frame.resume_token,
            },
            "partner_reconnecting" => Heard::PartnerReconnecting,
            "partner_back" => Heard::PartnerBack,
            "stopped" => Heard::Stopped { resume_token: frame.resume_token },
            "error" => Heard::Error { code: frame.code?, retry_after_ms: frame.retry_after_ms },
            "ping" => Heard::Ping,
            "draining" => Heard::Draining { reconnect_after_ms: frame.reconnect_after_ms? },
            _ => Heard::Unknown,
        })
    }
}

impl<'a> From<&'a ServerMessage> for Heard<'a> {
    fn from(message: &'a ServerMessage) -> Self {
        match message {
            ServerMessage::Welcome { resumed, resume_token, match_id, .. } => Heard::Welcome {
                resumed: resumed.unwrap_or(false),
                resume_token: text_of(resume_token),
                match_id: *match_id,
            },
            ServerMessage::Waiting { resume_token, .. } => {
                Heard::Waiting { resume_token: text_of(resume_token) }
            }
            ServerMessage::PartnerFound(found) => Heard::PartnerFound(Found {
                match_id: found.match_id,
                initiator: found.initiator,
                mode: found.mode,
                offer: found.offer.as_ref().map(|offer| offer.sdp.reveal_json()),
                resume_token: text_of(&found.resume_token),
            }),
            ServerMessage::Offer { match_id, sdp } => {
                Heard::Offer { match_id: *match_id, sdp: sdp.reveal_json() }
            }
            ServerMessage::Answer { match_id, sdp } => {
                Heard::Answer { match_id: *match_id, sdp: sdp.reveal_json() }
            }
            ServerMessage::IceCandidate { match_id, candidate } => {
                Heard::IceCandidate { match_id: *match_id, candidate: candidate.reveal_json() }
            }
            ServerMessage::Message { match_id, text } => {
                Heard::Message { match_id: *match_id, text: &text.0 }
            }
            ServerMessage::Typing { .. } => Heard::Typing,
            ServerMessage::Ping {} => Heard::Ping,
            ServerMessage::Pong { .. } | ServerMessage::Blocked { .. } | ServerMessage::Unblocked { .. } => {
                Heard::Unknown
            }
            ServerMessage::PartnerLeft { match_id, reason, requeued, resume_token } => Heard::PartnerLeft {
                match_id: *match_id,
                reason: *reason,
                requeued: *requeued,
                resume_token: text_of(resume_token),
            },
            ServerMessage::PartnerReconnecting { .. } => Heard::PartnerReconnecting,
            ServerMessage::PartnerBack { .. } => Heard::PartnerBack,
            ServerMessage::Stopped { resume_token } => Heard::Stopped { resume_token: text_of(resume_token) },
            ServerMessage::Error { code, retry_after_ms, .. } => {
                Heard::Error { code: *code, retry_after_ms: *retry_after_ms }
            }
            ServerMessage::Draining { reconnect_after_ms } => {
                Heard::Draining { reconnect_after_ms: *reconnect_after_ms }
            }
        }
    }
}

fn text_of(token: &Option<ResumeToken>) -> Option<&str> {
    token.as_ref().map(|token| token.0.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_protocol::{Candidate, ChatText, PartnerFound, Sdp};

    #[test]
    fn a_frame_reads_as_the_message_it_was_made_from() {
        let match_id = MatchId(0xabc);
        let sdp = || Sdp::from_text("v=0\r\n\"\u{2603}").unwrap();
        let token = || Some(ResumeToken("t2".into()));
        let candidate = |json: &str| Candidate::from_json(json.into()).unwrap();
        let found = |offer| {
            ServerMessage::PartnerFound(PartnerFound {
                match_id,
                initiator: false,
                mode: Mode::AnswerOffer,
                shared_interests: vec!["jazz".into()],
                language: None,
                offer,
                resume_token: token(),
                receipt: None,
            })
        };
        let messages = [
            ServerMessage::Welcome {
                version: 1,
                online: 3,
                resume_token: Some(ResumeToken("t1".into())),
                resumed: Some(true),
                received: None,
                match_id: Some(match_id),
                ice_token: None,
            },
            ServerMessage::Waiting { online: 1, estimate_ms: None, resume_token: token() },
            found(None),
            found(Some(visavis_protocol::Offer { sdp: sdp() })),
            ServerMessage::Offer { match_id, sdp: sdp() },
            ServerMessage::Answer { match_id, sdp: sdp() },
            ServerMessage::IceCandidate { match_id, candidate: candidate("[{\"candidate\":\"x\"}]") },
            ServerMessage::IceCandidate { match_id, candidate: Candidate::end() },
            ServerMessage::Typing { match_id, on: true },
            ServerMessage::PartnerLeft {
                match_id,
                reason: LeftReason::Lost,
                requeued: true,
                resume_token: token(),
            },
            ServerMessage::PartnerReconnecting { match_id, grace_ms: 1 },
            ServerMessage::Stopped { resume_token: token() },
            ServerMessage::too_fast("slowly \"now\"", 250),
            ServerMessage::Draining { reconnect_after_ms: 5 },
        ];
        for message in &messages {
            let json = serde_json::to_string(message).unwrap();
            assert_eq!(Heard::read(&json), Some(Heard::from(message)), "{json}");
        }
    }

    #[test]
    fn text_from_a_frame_keeps_its_quotes() {
        let said = ServerMessage::Message { match_id: MatchId(1), text: ChatText("hi".into()) };
        let json = serde_json::to_string(&said).unwrap();
        assert_eq!(Heard::read(&json), Some(Heard::Message { match_id: MatchId(1), text: "\"hi\"" }));
    }

    #[test]
    fn a_broken_promise_reads_as_nothing_and_a_new_type_as_unknown() {
        assert_eq!(Heard::read(r#"{"type":"partner_found","match_id":"0000000000000001"}"#), None);
        assert_eq!(Heard::read("{"), None);
        assert_eq!(Heard::read(r#"{"type":"fireworks","mode":"text"}"#), Some(Heard::Unknown));
    }
}
