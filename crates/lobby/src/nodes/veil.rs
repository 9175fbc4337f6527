//! Turns what is private into tags that only equal each other: what lies in the pool tells nobody what a visitor likes,
//! speaks or has met.

use super::Tag;
use crate::ids::{PersonId, SessionId};
use crate::tokens::SessionSecret;
use ring::hmac;

#[derive(Debug)]
pub(crate) struct Veil(hmac::Key);

impl Veil {
    /// Nodes see each other's tickets only if their first secrets are the same.
    pub(crate) fn new(secret: Option<&SessionSecret>) -> Self {
        let secret = secret.map_or([0; 32], |secret| secret.0);
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"visavis pool 1");
        Veil(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    pub(crate) fn interest(&self, interest: &str) -> Tag {
        self.tag(b"interest", interest.as_bytes())
    }

    pub(crate) fn language(&self, primary: &str) -> Tag {
        self.tag(b"language", primary.as_bytes())
    }

    pub(crate) fn pool(&self, pool: &str) -> Tag {
        self.tag(b"pool", pool.as_bytes())
    }

    pub(crate) fn session(&self, session: SessionId) -> Tag {
        self.tag(b"session", &session.0.to_be_bytes())
    }

    /// Of a session, or of the device of its visitor.
    pub(crate) fn person(&self, person: PersonId) -> Tag {
        self.tag(b"person", &person.0.to_be_bytes())
    }

    fn tag(&self, what: &[u8], content: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(what);
        context.update(&[0]);
        context.update(content);
        let digest = context.sign();
        let first = digest.as_ref().iter().take(8);
        Tag(first.fold(0, |tag, byte| (tag << 8) | u64::from(*byte)))
    }
}
