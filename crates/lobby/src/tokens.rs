//! Resume tokens: what a session was, sealed, so that its client can bring it back, to this process or the next.
//!
//! Authenticated and encrypted (ChaCha20-Poly1305, RFC 8439): the content would tell a client which of its strangers
//! were the same person. Each process seals with a key derived from the operator's secret and its own start, so nonces
//! never repeat under one key.

use crate::ids::{BootId, DeviceId, NodeId, PersonId, SessionId, Side};
use crate::persons::{Someone, packed};
use crate::random::LobbyKey;
use crate::{Config, Time};
use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use visavis_protocol::{Kind, MatchId, ResumeToken, Wishes};

/// A secret that seals and opens resume tokens: 32 random bytes, the same on all nodes.
#[derive(Clone)]
pub struct SessionSecret(pub [u8; 32]);

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(‹redacted›)")
    }
}

/// What a token says. Short names: it travels with every match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(rename = "s")]
    pub(crate) session: SessionId,
    /// Grows at every resume; the highest one wins.
    #[serde(rename = "g")]
    pub(crate) generation: u32,
    #[serde(rename = "x")]
    pub(crate) expires: Time,
    #[serde(rename = "r")]
    pub(crate) requeue: bool,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(crate) wishes: Option<Wishes>,
    #[serde(rename = "p")]
    pub(crate) place: PlaceClaim,
    /// Of nodes that were not asked when the session was resumed, and may keep mail for it: how much was heard.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) heard: Vec<Heard>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceId>,
    /// Whom it met and blocked: that holds even where nobody can be asked.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty", with = "packed")]
    pub(crate) recent: Vec<PersonId>,
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty", with = "packed")]
    pub(crate) blocked: Vec<PersonId>,
    /// The match that ended last, and with whom: it may yet be blocked.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_match: Option<(MatchId, Someone)>,
    /// Not of the token itself: what other nodes have kept for the session.
    #[serde(skip)]
    pub(crate) kept: Option<Kept>,
    /// Who sealed it, where that is another process; and what its client said to have received.
    #[serde(skip)]
    pub(crate) sealed_by: Option<BootId>,
    #[serde(skip)]
    pub(crate) received: Option<u32>,
}

/// How many messages a client heard after the `welcome` of one generation of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    #[serde(rename = "g")]
    pub(crate) generation: u32,
    #[serde(rename = "n")]
    pub(crate) messages: u32,
}

/// Of this process: the node's, or that of one start.
pub(crate) fn boot_of(config: &Config, key: &LobbyKey) -> BootId {
    config.node.map_or_else(|| key.random("visavis boot 1").bytes(), NodeId::to_bytes)
}

impl Claims {
    /// Of a session that has done nothing yet.
    pub(crate) fn new(session: SessionId, generation: u32, device: Option<DeviceId>, expires: Time) -> Self {
        Claims {
            session,
            generation,
            expires,
            device,
            requeue: false,
            wishes: None,
            place: PlaceClaim::Idle,
            heard: Vec::new(),
            recent: Vec::new(),
            blocked: Vec::new(),
            last_match: None,
            kept: None,
            sealed_by: None,
            received: None,
        }
    }

    /// Whom the session met and blocked, as far as anybody knows.
    pub(crate) fn take_kept(&mut self) -> Option<Kept> {
        let (recent, blocked) = (std::mem::take(&mut self.recent), std::mem::take(&mut self.blocked));
        let carried = (!recent.is_empty() || !blocked.is_empty()).then_some(Kept { recent, blocked });
        match self.kept.take() {
            Some(kept) => Some(kept.with(carried)),
            None => carried,
        }
    }

    /// What was heard of the mail of this token's own generation.
    pub(crate) fn heard_last(&self) -> Option<Heard> {
        self.received.map(|messages| Heard { generation: self.generation, messages })
    }
}

impl Heard {
    /// As many hops as can be made before the first node has forgotten the session.
    pub(crate) const MAX_KNOWN: usize = 4;

    /// How much of the mail of a generation was heard: nothing of one that its client has never had a token of. If that
    /// cannot be told any more, everything: better something is missed than heard twice.
    pub(crate) fn of(known: &[Heard], generation: u32) -> u32 {
        let unknown = if known.len() < Self::MAX_KNOWN { 0 } else { u32::MAX };
        known.iter().find(|heard| heard.generation == generation).map_or(unknown, |heard| heard.messages)
    }
}

/// What is kept for a session beside its token, for the node that resumes it: whom it met and blocked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(rename = "r", with = "packed")]
    pub(crate) recent: Vec<PersonId>,
    #[serde(rename = "b", with = "packed")]
    pub(crate) blocked: Vec<PersonId>,
}

impl Kept {
    /// What either knows.
    pub(crate) fn with(mut self, other: Option<Kept>) -> Kept {
        let Kept { recent, blocked } = other.unwrap_or(Kept { recent: Vec::new(), blocked: Vec::new() });
        for (mine, theirs) in [(&mut self.recent, recent), (&mut self.blocked, blocked)] {
            let new: Vec<PersonId> = theirs.into_iter().filter(|id| !mine.contains(id)).collect();
            mine.extend(new);
        }
        self
    }
}

/// Where the session stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum PlaceClaim {
    #[serde(rename = "i")]
    Idle,
    /// In line, since then.
    #[serde(rename = "w")]
    Waiting(Time),
    #[serde(rename = "m")]
    Matched(MatchClaim),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MatchClaim {
    #[serde(rename = "m")]
    pub(crate) id: MatchId,
    #[serde(rename = "k")]
    pub(crate) kind: Kind,
    #[serde(rename = "s")]
    pub(crate) side: Side,
    /// Since when this side had waited before the match.
    #[serde(rename = "a")]
    pub(crate) since: Time,
    /// `None`: the partner holds no token, so the pair cannot be rebuilt.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(crate) partner: Option<SessionId>,
    /// Of the partner.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceId>,
}

impl MatchClaim {
    /// The partner, if the pair can be rebuilt.
    pub(crate) fn partner(&self) -> Option<Someone> {
        self.partner.map(|session| Someone { session, device: self.device })
    }
}

/// A token that opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) claims: Claims,
    /// Which process sealed it.
    pub(crate) boot: BootId,
    /// Sealed by this process, whose memory knows better than the token.
    pub(crate) ours: bool,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    secrets: Vec<SessionSecret>,
    boot: BootId,
    sealing: Option<LessSafeKey>,
    sealed: u64,
    /// The key of the last foreign boot: after a restart all tokens come from the same one.
    opened_last: Option<(usize, BootId, LessSafeKey)>,
}

const COUNTER_LEN: usize = 8;
const HEAD_LEN: usize = size_of::<BootId>() + COUNTER_LEN;
/// Of somebody in a match, with a few wishes and strangers: each match seals two or three of them.
const USUAL_TOKEN_LEN: usize = 512;
/// Longer than anything that we seal: wishes at their limits in four-byte characters, and as many blocks as are kept.
const MAX_TOKEN_LEN: usize = 10 * 1024;

impl Tokens {
    pub(crate) fn new(secrets: Vec<SessionSecret>, boot: BootId) -> Self {
        let sealing = secrets.first().and_then(|secret| derive(secret, &boot));
        Tokens { secrets, boot, sealing, sealed: 0, opened_last: None }
    }

    /// Without a secret nothing can be resumed, and clients get no tokens.
    pub(crate) fn are_enabled(&self) -> bool {
        self.sealing.is_some()
    }

    pub(crate) fn seal(&mut self, claims: &Claims) -> Option<ResumeToken> {
        self.seal_any(claims).map(ResumeToken)
    }

    pub(crate) fn seal_kept(&mut self, kept: &Kept) -> Option<String> {
        self.seal_any(kept)
    }

    fn seal_any(&mut self, claims: &impl Serialize) -> Option<String> {
        let key = self.sealing.as_ref()?;
        self.sealed += 1;
        let counter = self.sealed.to_be_bytes();
        let mut token = Vec::with_capacity(USUAL_TOKEN_LEN);
        token.extend_from_slice(&self.boot);
        token.extend_from_slice(&counter);
        serde_json::to_writer(&mut token, claims).ok()?;
        let (_, body) = token.split_at_mut_checked(HEAD_LEN)?;
        let tag = key.seal_in_place_separate_tag(nonce(counter), Aad::from(self.boot), body).ok()?;
        token.extend_from_slice(tag.as_ref());
        Some(BASE64URL_NOPAD.encode(&token))
    }

    /// `None`: not a token of ours, or sealed with a secret that is no longer in use.
    pub(crate) fn open(&mut self, token: &ResumeToken) -> Option<Opened> {
        let (claims, boot) = self.open_any(&token.0)?;
        Some(Opened { claims, boot, ours: boot == self.boot })
    }

    pub(crate) fn open_kept(&mut self, kept: &str) -> Option<Kept> {
        self.open_any(kept).map(|(kept, _)| kept)
    }

    fn open_any<T: DeserializeOwned>(&mut self, text: &str) -> Option<(T, BootId)> {
        if text.len() > MAX_TOKEN_LEN {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (head, body) = bytes.split_at_checked(HEAD_LEN)?;
        let (boot, counter) = head.split_at_checked(size_of::<BootId>())?;
        let boot: BootId = boot.try_into().ok()?;
        let counter: [u8; COUNTER_LEN] = counter.try_into().ok()?;
        (0..self.secrets.len()).find_map(|index| {
            let key = self.opening_key(index, boot)?;
            let mut body = body.to_vec();
            let plain = key.open_in_place(nonce(counter), Aad::from(boot), &mut body).ok()?;
            serde_json::from_slice(plain).ok().map(|claims| (claims, boot))
        })
    }

    fn opening_key(&mut self, index: usize, boot: BootId) -> Option<&LessSafeKey> {
        let cached = matches!(&self.opened_last, Some((known, id, _)) if *known == index && *id == boot);
        if !cached {
            let key = derive(self.secrets.get(index)?, &boot)?;
            self.opened_last = Some((index, boot, key));
        }
        self.opened_last.as_ref().map(|(_, _, key)| key)
    }
}

/// Sessions that ended, remembered so that an old token cannot bring them back. Bounded: the oldest is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// The generation of the tokens that were good last.
    known: FxHashMap<SessionId, u32>,
    order: VecDeque<SessionId>,
}

impl Ended {
    const MAX: usize = 100_000;

    pub(crate) fn remember(&mut self, id: SessionId, generation: u32) {
        let before = self.known.get(&id).copied();
        // Whoever shows an older token makes no later one good again.
        self.known.insert(id, before.map_or(generation, |before| before.max(generation)));
        if before.is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > Self::MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// A token of a later generation is of a session that went on elsewhere: only what it had left behind ended here.
    pub(crate) fn contains(&self, id: SessionId, generation: u32) -> bool {
        self.known.get(&id).is_some_and(|last| generation <= *last)
    }
}

fn derive(secret: &SessionSecret, boot: &BootId) -> Option<LessSafeKey> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0));
    context.update(b"visavis resume token 1");
    context.update(boot);
    UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok().map(LessSafeKey::new)
}

fn nonce(counter: [u8; COUNTER_LEN]) -> Nonce {
    let mut nonce = [0u8; NONCE_LEN];
    for (to, from) in nonce.iter_mut().skip(NONCE_LEN - COUNTER_LEN).zip(counter) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            session: SessionId(7),
            generation: 3,
            expires: Time::from_micros(9),
            requeue: true,
            wishes: Some(Wishes::anyone(Kind::Video)),
            place: PlaceClaim::Matched(MatchClaim {
                id: MatchId(5),
                kind: Kind::Video,
                side: Side::Responder,
                since: Time::from_micros(4),
                partner: Some(SessionId(8)),
                device: None,
            }),
            heard: vec![Heard { generation: 2, messages: 11 }],
            device: None,
            recent: vec![PersonId(8)],
            blocked: vec![PersonId(9), PersonId(u64::MAX)],
            last_match: Some((MatchId(4), Someone { session: SessionId(6), device: None })),
            kept: None,
            sealed_by: None,
            received: None,
        }
    }

    fn secret(byte: u8) -> SessionSecret {
        SessionSecret([byte; 32])
    }

    #[test]
    fn a_token_opens_in_this_process_and_the_next_even_after_the_secret_was_rotated() {
        let mut first = Tokens::new(vec![secret(1)], [1; 16]);
        let token = first.seal(&claims()).unwrap();
        let opened = first.open(&token).unwrap();
        assert!(opened.ours);
        assert_eq!(opened.claims, claims());
        let mut next = Tokens::new(vec![secret(2), secret(1)], [2; 16]);
        let opened = next.open(&token).unwrap();
        assert!(!opened.ours);
        assert_eq!(opened.claims, claims());
        assert!(Tokens::new(vec![secret(2)], [3; 16]).open(&token).is_none());
    }

    #[test]
    fn the_largest_token_opens() {
        let letters = |count: usize| "🎷".repeat(count);
        let wishes = Wishes {
            interests: (0..10).map(|_| letters(32)).collect(),
            languages: (0..5)
                .filter_map(|_| visavis_protocol::Language::read("en-aaaaaaaa-bbbbbbbb-cccccccc"))
                .collect(),
            pool: letters(64),
            ..Wishes::anyone(Kind::Video)
        };
        let largest = Claims {
            wishes: Some(wishes),
            recent: vec![PersonId(u64::MAX); 16],
            blocked: vec![PersonId(u64::MAX); crate::acquaintances::Acquaintances::MAX_BLOCKED],
            ..claims()
        };
        let mut tokens = Tokens::new(vec![secret(1)], [1; 16]);
        let token = tokens.seal(&largest).unwrap();
        assert_eq!(tokens.open(&token).unwrap().claims, largest, "{} letters", token.0.len());
    }

    #[test]
    fn a_token_changed_in_any_byte_opens_nothing() {
        let mut tokens = Tokens::new(vec![secret(1)], [1; 16]);
        let token = tokens.seal(&claims()).unwrap();
        let bytes = BASE64URL_NOPAD.decode(token.0.as_bytes()).unwrap();
        for index in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[index] ^= 1;
            assert!(tokens.open(&ResumeToken(BASE64URL_NOPAD.encode(&forged))).is_none(), "byte {index}");
        }
        for junk in ["", "x", "äöü", "AAAA"] {
            assert!(tokens.open(&ResumeToken(junk.into())).is_none());
        }
    }

    #[test]
    fn tokens_of_the_same_content_differ_and_do_not_show_it() {
        let mut tokens = Tokens::new(vec![secret(1)], [1; 16]);
        let (one, other) = (tokens.seal(&claims()).unwrap(), tokens.seal(&claims()).unwrap());
        assert_ne!(one, other);
        assert!(!format!("{one:?}").contains(&one.0));
    }
}
