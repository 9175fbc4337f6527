//! Receipts: proof that two visitors were matched, by which either may report the other for a day.
//!
//! A receipt is `<boot><counter><sealed body>` in base64url, sealed as resume tokens are (ChaCha20-Poly1305, RFC 8439) and
//! under keys of its own. Nothing is stored, and every node that shares the session secrets opens the receipts of all.
//! What always holds: a receipt names visitors by keyed digests only, and its holder can read none of them.

use crate::ids::{BootId, DeviceId, PrefixId, SessionId, Side};
use crate::{SessionSecret, Source, Span, Time};
use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZero;
use visavis_protocol::{MatchId, ReportReceipt};

const TTL: Span = Span::from_secs(24 * 60 * 60);
const DAY: Span = Span::from_secs(24 * 60 * 60);

const BOOT_LEN: usize = size_of::<BootId>();
const WORD_LEN: usize = size_of::<u64>();
const HEAD_LEN: usize = BOOT_LEN + WORD_LEN;
/// Match, moment, side, and three digests of each visitor.
const BODY_LEN: usize = 2 * WORD_LEN + 1 + 6 * WORD_LEN;
const TAG_LEN: usize = 16;
const RECEIPT_LEN: usize = HEAD_LEN + BODY_LEN + TAG_LEN;

/// What is left of a visitor in a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub(crate) session: SessionId,
    pub(crate) device: Option<DeviceId>,
    pub(crate) prefix: Option<PrefixId>,
}

impl Trace {
    /// Names the visit.
    pub fn session(&self) -> u64 {
        self.session.0
    }

    /// A keyed digest of what the page calls its device, if it calls it anything.
    pub fn device(&self) -> Option<u64> {
        self.device.map(|device| device.0.get())
    }

    /// A digest of the address prefix (/32 or /64), under a key that changes with every day of the match.
    pub fn prefix(&self) -> Option<u64> {
        self.prefix.map(|prefix| prefix.0.get())
    }
}

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub(crate) match_id: MatchId,
    pub(crate) side: Side,
    pub(crate) made: Time,
    pub(crate) reporter: Trace,
    pub(crate) reported: Trace,
}

impl Receipt {
    pub fn match_id(&self) -> MatchId {
        self.match_id
    }

    /// Where its holder sat.
    pub fn side(&self) -> crate::Seat {
        self.side.into()
    }

    /// When the two were matched.
    pub fn made(&self) -> Time {
        self.made
    }

    /// Its holder.
    pub fn reporter(&self) -> Trace {
        self.reporter
    }

    pub fn reported(&self) -> Trace {
        self.reported
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self.side {
            Side::Initiator => 0,
            Side::Responder => 1,
        });
        for word in [self.match_id.0, self.made.as_micros()] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        for trace in [self.reporter, self.reported] {
            for word in [trace.session(), trace.device().unwrap_or(0), trace.prefix().unwrap_or(0)] {
                bytes.extend_from_slice(&word.to_be_bytes());
            }
        }
    }

    fn from_bytes(body: &[u8]) -> Option<Self> {
        let (side, words) = body.split_first()?;
        let side = match side {
            0 => Side::Initiator,
            1 => Side::Responder,
            _ => return None,
        };
        let (words, []) = words.as_chunks::<WORD_LEN>() else { return None };
        let words: [[u8; WORD_LEN]; 8] = words.try_into().ok()?;
        let [match_id, made, a, b, c, d, e, f] = words.map(u64::from_be_bytes);
        let trace = |session, device, prefix| Trace {
            session: SessionId(session),
            device: NonZero::new(device).map(DeviceId),
            prefix: NonZero::new(prefix).map(PrefixId),
        };
        Some(Receipt {
            match_id: MatchId(match_id),
            side,
            made: Time::from_micros(made),
            reporter: trace(a, b, c),
            reported: trace(d, e, f),
        })
    }
}

/// Who wrote a line that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    Reporter,
    Reported,
}

/// Why a receipt opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptFault {
    /// Changed, cut short, or of a server with other secrets.
    Invalid,
    /// Of a match that was made more than 24 hours ago.
    Expired,
}

/// Seals receipts under the first secret, opens those of all.
#[derive(Clone)]
pub struct Receipts(Vec<hmac::Key>);

impl Receipts {
    pub fn new(secrets: &[SessionSecret]) -> Self {
        Receipts(secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, &secret.0)).collect())
    }

    /// # Errors
    /// It is not a receipt of ours, or too old.
    pub fn open(&self, receipt: &ReportReceipt, now: Time) -> Result<Receipt, ReceiptFault> {
        let opened = self.unseal(&receipt.0).ok_or(ReceiptFault::Invalid)?;
        if now.since(opened.made) < TTL { Ok(opened) } else { Err(ReceiptFault::Expired) }
    }

    fn unseal(&self, text: &str) -> Option<Receipt> {
        if text.len() != RECEIPT_LEN.saturating_mul(4).div_ceil(3) {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (boot, rest) = bytes.split_first_chunk::<BOOT_LEN>()?;
        let (counter, sealed) = rest.split_first_chunk::<WORD_LEN>()?;
        self.0.iter().find_map(|root| {
            let mut sealed = sealed.to_vec();
            let plain = derive(root, boot)?.open_in_place(nonce(*counter), Aad::empty(), &mut sealed).ok()?;
            Receipt::from_bytes(plain)
        })
    }

    /// For one process. `None` without a secret.
    pub(crate) fn sealer(&self, boot: BootId) -> Option<Sealer> {
        // The digests are of the oldest secret: while one is being rotated a visitor keeps its own.
        let digests = hmac::sign(self.0.last()?, b"visavis address prefix 1");
        let digests = hmac::Key::new(hmac::HMAC_SHA256, digests.as_ref());
        // Of this process alone: what was written in a match is known to nobody else, and no longer.
        let mut context = hmac::Context::with_key(self.0.first()?);
        context.update(b"visavis written line 1");
        context.update(&boot);
        let lines = hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref());
        Some(Sealer { key: derive(self.0.first()?, &boot)?, boot, sealed: 0, digests, lines })
    }
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipts(‹redacted›)")
    }
}

pub(crate) struct Sealer {
    key: LessSafeKey,
    boot: BootId,
    sealed: u64,
    digests: hmac::Key,
    lines: hmac::Key,
}

impl Sealer {
    /// Only a failure of the cipher itself yields nothing.
    pub(crate) fn seal(&mut self, receipt: &Receipt) -> Option<ReportReceipt> {
        self.sealed += 1;
        let counter = self.sealed.to_be_bytes();
        let mut bytes = Vec::with_capacity(RECEIPT_LEN);
        bytes.extend_from_slice(&self.boot);
        bytes.extend_from_slice(&counter);
        receipt.write(&mut bytes);
        let (_, body) = bytes.split_at_mut_checked(HEAD_LEN)?;
        let tag = self.key.seal_in_place_separate_tag(nonce(counter), Aad::empty(), body).ok()?;
        bytes.extend_from_slice(tag.as_ref());
        Some(ReportReceipt(BASE64URL_NOPAD.encode(&bytes)))
    }

    /// What is remembered of an address: nobody who lacks the key can tell which it was, and on another day it is another.
    pub(crate) fn prefix(&self, now: Time, source: Source) -> Option<PrefixId> {
        let day = now.as_micros() / DAY.as_micros();
        let mut context = hmac::Context::with_key(&self.digests);
        context.update(&day.to_be_bytes());
        context.update(&source.host.to_be_bytes());
        // An IPv4 address and a /64 may be the same number.
        context.update(&[u8::from(source.site.is_some())]);
        let digest = context.sign();
        let word = digest.as_ref().first_chunk::<WORD_LEN>()?;
        NonZero::new(u64::from_be_bytes(*word)).map(PrefixId)
    }
}

impl Sealer {
    /// By which a line is recognised that was written in a match.
    pub(crate) fn line(&self, match_id: MatchId, author: Side, text: &str) -> Option<u64> {
        let mut context = hmac::Context::with_key(&self.lines);
        context.update(&match_id.0.to_be_bytes());
        context.update(match author {
            Side::Initiator => b"i",
            Side::Responder => b"r",
        });
        context.update(text.as_bytes());
        context.sign().as_ref().first_chunk::<WORD_LEN>().map(|word| u64::from_be_bytes(*word))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(‹redacted›)")
    }
}

fn derive(root: &hmac::Key, boot: &BootId) -> Option<LessSafeKey> {
    let mut context = hmac::Context::with_key(root);
    context.update(b"visavis receipt 1");
    context.update(boot);
    UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok().map(LessSafeKey::new)
}

fn nonce(counter: [u8; WORD_LEN]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().skip(NONCE_LEN - WORD_LEN).zip(counter) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Time = Time::from_micros(1_700_000_000_000_000);

    fn receipts(bytes: &[u8]) -> Receipts {
        Receipts::new(&bytes.iter().map(|byte| SessionSecret([*byte; 32])).collect::<Vec<_>>())
    }

    fn receipt() -> Receipt {
        let trace = |n: u64| Trace {
            session: SessionId(n),
            device: NonZero::new(n + 1).map(DeviceId),
            prefix: NonZero::new(n + 2).map(PrefixId),
        };
        Receipt {
            match_id: MatchId(5),
            side: Side::Responder,
            made: NOON,
            reporter: trace(10),
            reported: Trace { device: None, ..trace(20) },
        }
    }

    #[test]
    fn a_receipt_opens_for_a_day_on_every_node_and_after_the_secret_was_rotated() {
        let sealed = receipts(&[1]).sealer([1; 16]).unwrap().seal(&receipt()).unwrap();
        let soon = NOON + Span::from_secs(3_600);
        assert_eq!(receipts(&[1]).open(&sealed, soon), Ok(receipt()));
        assert_eq!(receipts(&[2, 1]).open(&sealed, soon), Ok(receipt()));
        assert_eq!(receipts(&[2]).open(&sealed, soon), Err(ReceiptFault::Invalid));
        let last = NOON + (TTL - Span::from_micros(1));
        assert_eq!(receipts(&[1]).open(&sealed, last), Ok(receipt()));
        assert_eq!(receipts(&[1]).open(&sealed, NOON + TTL), Err(ReceiptFault::Expired));
        // A node whose clock is behind that of the one who made it.
        assert_eq!(receipts(&[1]).open(&sealed, NOON - Span::from_secs(60)), Ok(receipt()));
        assert!(receipts(&[]).sealer([1; 16]).is_none());
    }

    #[test]
    fn a_receipt_changed_in_any_byte_opens_nothing() {
        let sealed = receipts(&[1]).sealer([1; 16]).unwrap().seal(&receipt()).unwrap();
        let bytes = BASE64URL_NOPAD.decode(sealed.0.as_bytes()).unwrap();
        for index in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[index] ^= 1;
            let forged = ReportReceipt(BASE64URL_NOPAD.encode(&forged));
            assert_eq!(receipts(&[1]).open(&forged, NOON), Err(ReceiptFault::Invalid), "byte {index}");
        }
        for junk in ["", "x", "äöü", &sealed.0[1..], &format!("{}A", sealed.0), &"A".repeat(sealed.0.len())]
        {
            let junk = ReportReceipt(junk.into());
            assert_eq!(receipts(&[1]).open(&junk, NOON), Err(ReceiptFault::Invalid));
        }
    }

    #[test]
    fn receipts_of_the_same_match_differ_and_do_not_show_what_they_say() {
        let mut sealer = receipts(&[1]).sealer([1; 16]).unwrap();
        let (one, other) = (sealer.seal(&receipt()).unwrap(), sealer.seal(&receipt()).unwrap());
        assert_ne!(one, other);
        assert!(!format!("{one:?}{sealer:?}{:?}", receipts(&[1])).contains(&one.0));
        let bytes = BASE64URL_NOPAD.decode(one.0.as_bytes()).unwrap();
        let session = receipt().reported.session().to_be_bytes();
        assert!(!bytes.windows(session.len()).any(|part| part == session));
    }

    #[test]
    fn an_address_is_remembered_for_a_day_by_nodes_that_share_the_secret() {
        let (one, other) =
            (receipts(&[1]).sealer([1; 16]).unwrap(), receipts(&[2, 1]).sealer([2; 16]).unwrap());
        let source = Source { host: 0xc000_0201, site: None };
        assert_eq!(one.prefix(NOON, source), other.prefix(NOON, source));
        assert_ne!(one.prefix(NOON, source), one.prefix(NOON + DAY, source));
        assert_ne!(one.prefix(NOON, source), one.prefix(NOON, Source { host: 0xc000_0202, ..source }));
        assert_ne!(one.prefix(NOON, source), one.prefix(NOON, Source { site: Some(0), ..source }));
        assert_ne!(one.prefix(NOON, source), receipts(&[2]).sealer([1; 16]).unwrap().prefix(NOON, source));
    }
}
