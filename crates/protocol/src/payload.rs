//! What travels inside messages: session descriptions, candidates, text, ids and tokens.
//!
//! All of these are private: `Debug` prints `‹redacted›`, and only a deliberate call shows the content.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

const REDACTED: &str = "‹redacted›";

/// A session description: the JSON string as it came, quotes and escapes included, never parsed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sdp(Box<RawValue>);

impl Sdp {
    /// From plain SDP text, as a client makes it. Only a failure of the JSON encoder itself yields `None`.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::value::to_raw_value(text).ok().map(Sdp)
    }

    /// The JSON text, quotes included. Deliberate: this is the visitor's network address among other things.
    pub fn reveal_json(&self) -> &str {
        self.0.get()
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sdp({REDACTED})")
    }
}

impl PartialEq for Sdp {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// An offer as it rides in a ticket or in `partner_found`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Offer {
    #[cfg_attr(test, ts(type = "string"), schemars(with = "String"))]
    pub sdp: Sdp,
}

/// One RTCIceCandidateInit, an array of them, or null / empty for end of candidates: raw JSON as it came.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidate(Box<RawValue>);

impl Candidate {
    /// From raw JSON, unchecked: what a client or a test sends.
    pub fn from_json(json: String) -> Option<Self> {
        RawValue::from_string(json).ok().map(Candidate)
    }

    /// End of candidates.
    pub fn end() -> Self {
        Candidate(RawValue::NULL.to_owned())
    }

    /// The JSON text. Deliberate: this is the visitor's network address.
    pub fn reveal_json(&self) -> &str {
        self.0.get()
    }

    /// How many candidates this carries against the budget of a match; an end of candidates counts as none.
    pub fn count(&self) -> u32 {
        match self.0.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(self.0.get())
                .map_or(0, |list| u32::try_from(list.len()).unwrap_or(u32::MAX)),
            Some(b'{') => 1,
            _ => 0,
        }
    }
}

impl Default for Candidate {
    fn default() -> Self {
        Candidate::end()
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({REDACTED})")
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// What one stranger writes to the other. Passes through; never stored, never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ChatText(pub String);

impl fmt::Debug for ChatText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChatText({REDACTED})")
    }
}

/// What gives a session back after its socket was lost. A bearer secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ResumeToken(pub String);

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeToken({REDACTED})")
    }
}

/// Proof that its holder was matched: what `POST /api/reports` wants. A bearer secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ReportReceipt(pub String);

impl fmt::Debug for ReportReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportReceipt({REDACTED})")
    }
}

/// What a page calls the device that it runs on: random, made and kept by the page. Recognises a visitor after a reload.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DeviceName(pub String);

impl DeviceName {
    /// 16 to 64 characters of base64url: too many to guess, and nothing that says who somebody is.
    pub fn is_well_formed(&self) -> bool {
        (16..=64).contains(&self.0.len())
            && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceName({REDACTED})")
    }
}

/// Names somebody who was blocked, to the server alone: opaque, and never twice the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct BlockHandle(pub String);

impl fmt::Debug for BlockHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockHandle({REDACTED})")
    }
}

/// What `GET /api/ice` wants of a session, where the operator says so. A bearer secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct IceToken(pub String);

impl fmt::Debug for IceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceToken({REDACTED})")
    }
}

/// Names one match on every message of it: opaque to clients, 16 lower-case hex digits.
///
/// A client may send any string; one that we cannot have made reads as [`MatchId::FOREIGN`], which names no match.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchId(pub u64);

impl MatchId {
    /// No match has this id.
    pub const FOREIGN: MatchId = MatchId(0);
}

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MatchId({self})")
    }
}

impl Serialize for MatchId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MatchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = MatchId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a match id as a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MatchId, E> {
                let ours = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                Ok(match u64::from_str_radix(text, 16) {
                    Ok(id) if ours => MatchId(id),
                    _ => MatchId::FOREIGN,
                })
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
