//! Writing: replies grow in a buffer of their own, and are signed last.

use super::fingerprint::fingerprint;
use super::{Class, HEADER_BYTES, MAGIC_COOKIE, Message, attribute, xor_address};
use crate::credentials::Key;
use std::net::SocketAddr;

/// Why a request is refused (RFC 8489, section 18.4; RFC 8656, section 19; RFC 8016, section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    BadRequest,
    Unauthorized,
    Forbidden,
    MobilityForbidden,
    UnknownAttribute,
    AllocationMismatch,
    StaleNonce,
    AddressFamilyNotSupported,
    WrongCredentials,
    UnsupportedTransport,
    PeerAddressFamilyMismatch,
    QuotaReached,
    InsufficientCapacity,
}

impl ErrorCode {
    pub const ALL: [ErrorCode; 13] = [
        ErrorCode::BadRequest,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::MobilityForbidden,
        ErrorCode::UnknownAttribute,
        ErrorCode::AllocationMismatch,
        ErrorCode::StaleNonce,
        ErrorCode::AddressFamilyNotSupported,
        ErrorCode::WrongCredentials,
        ErrorCode::UnsupportedTransport,
        ErrorCode::PeerAddressFamilyMismatch,
        ErrorCode::QuotaReached,
        ErrorCode::InsufficientCapacity,
    ];

    pub const fn number(self) -> u16 {
        self.known().0
    }

    /// The number as text.
    pub const fn label(self) -> &'static str {
        self.known().1
    }

    /// In the standard's words.
    pub const fn reason(self) -> &'static str {
        self.known().2
    }

    const fn known(self) -> (u16, &'static str, &'static str) {
        match self {
            ErrorCode::BadRequest => (400, "400", "Bad Request"),
            ErrorCode::Unauthorized => (401, "401", "Unauthorized"),
            ErrorCode::Forbidden => (403, "403", "Forbidden"),
            ErrorCode::MobilityForbidden => (405, "405", "Mobility Forbidden"),
            ErrorCode::UnknownAttribute => (420, "420", "Unknown Attribute"),
            ErrorCode::AllocationMismatch => (437, "437", "Allocation Mismatch"),
            ErrorCode::StaleNonce => (438, "438", "Stale Nonce"),
            ErrorCode::AddressFamilyNotSupported => (440, "440", "Address Family not Supported"),
            ErrorCode::WrongCredentials => (441, "441", "Wrong Credentials"),
            ErrorCode::UnsupportedTransport => (442, "442", "Unsupported Transport Protocol"),
            ErrorCode::PeerAddressFamilyMismatch => (443, "443", "Peer Address Family Mismatch"),
            ErrorCode::QuotaReached => (486, "486", "Allocation Quota Reached"),
            ErrorCode::InsufficientCapacity => (508, "508", "Insufficient Capacity"),
        }
    }
}

/// Whether a refusal says its reason in words. To strangers it does not: they get few bytes for theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    Spoken,
    Spared,
}

pub(crate) struct Reply {
    bytes: Vec<u8>,
    transaction: super::Transaction,
    /// A request with a fingerprint shares its port with other protocols: so does the reply.
    is_fingerprinted: bool,
}

impl Reply {
    pub(crate) fn success(to: &Message<'_>) -> Self {
        Self::new(to, Class::Success)
    }

    pub(crate) fn error(to: &Message<'_>, code: ErrorCode, words: Words) -> Self {
        let mut reply = Self::new(to, Class::Error);
        reply.put_error(attribute::ERROR_CODE, 0, code, words);
        reply
    }

    fn new(to: &Message<'_>, class: Class) -> Self {
        let method = to.method;
        let kind = (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2) | class.bits();
        let mut bytes = Vec::with_capacity(192);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE);
        bytes.extend_from_slice(&to.transaction);
        Reply { bytes, transaction: to.transaction, is_fingerprinted: to.attributes.fingerprint.is_some() }
    }

    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) {
        // Every value of ours is short, or was part of a message.
        let Ok(length) = u16::try_from(value.len()) else { return };
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(crate) fn put_address(&mut self, kind: u16, address: SocketAddr) {
        self.put(kind, xor_address(address, &self.transaction).bytes());
    }

    /// `family` is for ADDRESS-ERROR-CODE; ERROR-CODE has zero there.
    pub(crate) fn put_error(&mut self, kind: u16, family: u8, code: ErrorCode, words: Words) {
        let number = code.number();
        // Three digits: both quotient and remainder fit into a byte.
        let mut value = vec![family, 0, (number / 100) as u8, (number % 100) as u8];
        if words == Words::Spoken {
            value.extend_from_slice(code.reason().as_bytes());
        }
        self.put(kind, &value);
    }

    pub(crate) fn put_unknown(&mut self, kinds: &[u16]) {
        let value: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        self.put(attribute::UNKNOWN_ATTRIBUTES, &value);
    }

    pub(crate) fn finish_signed(mut self, key: &Key) -> Vec<u8> {
        self.set_length(4 + Key::SIGNATURE_BYTES);
        let signature = key.sign(&[&self.bytes]);
        self.put(attribute::MESSAGE_INTEGRITY, &signature);
        self.finish()
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.is_fingerprinted {
            self.set_length(8);
            let value = fingerprint(&[&self.bytes]);
            self.put(attribute::FINGERPRINT, &value.to_be_bytes());
        } else {
            self.set_length(0);
        }
        self.bytes
    }

    /// The length that the header tells, with `more` bytes still to come.
    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.bytes.len() + more - HEADER_BYTES).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(2..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}
