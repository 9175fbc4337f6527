//! Frames between nodes: sealed, numbered, published on the receiver's channel.
//!
//! ```text
//! version 1 | sender 16 | number 8 (to this receiver, from 1) | counter 8 (of this sender) | sealed frame
//! ```
//!
//! Sealed with ChaCha20-Poly1305 under a key of the sender's own start, so the counter is never used twice with one key;
//! the head and the receiver are authenticated with it. Whoever reads along in Redis learns who speaks to whom and how
//! much, and can lose frames, which is noticed; forged and repeated ones are dropped.

use super::super::Status;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use visavis_lobby::{Frame, NodeId, Request, SessionSecret};

const VERSION: u8 = 1;
const NODE_LEN: usize = 16;
const HEAD_LEN: usize = 1 + NODE_LEN + 8 + 8;

/// Nodes that are remembered. Each start is another one; beyond it all are forgotten, and learnt anew.
const MAX_NODES: usize = 1_024;

pub(super) struct Channel {
    sealing: Sealing,
    opening: Opening,
}

pub(super) struct Sealing {
    me: NodeId,
    key: Option<LessSafeKey>,
    counter: u64,
    numbers: FxHashMap<NodeId, u64>,
    status: Arc<Status>,
}

pub(super) struct Opening {
    me: NodeId,
    secrets: Vec<SessionSecret>,
    senders: FxHashMap<NodeId, Sender>,
    status: Arc<Status>,
}

struct Sender {
    key: LessSafeKey,
    number: u64,
}

pub(super) struct Heard {
    pub(super) node: NodeId,
    pub(super) frame: Frame,
    /// Earlier ones of this sender did not arrive.
    pub(super) gap: bool,
}

impl Channel {
    /// What a node says to itself.
    pub(super) const PING: &'static [u8] = b"ping";

    pub(super) fn new(me: NodeId, secrets: &[SessionSecret], status: Arc<Status>) -> Self {
        let key = secrets.first().and_then(|secret| derive(secret, me));
        let numbers = FxHashMap::default();
        Channel {
            sealing: Sealing { me, key, counter: 0, numbers, status: Arc::clone(&status) },
            opening: Opening { me, secrets: secrets.to_vec(), senders: FxHashMap::default(), status },
        }
    }

    pub(super) fn name(node: NodeId) -> String {
        format!("visavis:node:{node}")
    }

    pub(super) fn split(&mut self) -> (&mut Sealing, &mut Opening) {
        (&mut self.sealing, &mut self.opening)
    }

    /// A frame was not sent; its receiver shall notice.
    pub(super) fn note_lost(&mut self, request: &Request) {
        if let Request::Tell { node, .. } = request {
            self.sealing.next_number(*node);
        }
    }
}

impl Sealing {
    pub(super) fn me(&self) -> NodeId {
        self.me
    }

    fn next_number(&mut self, node: NodeId) -> u64 {
        if self.numbers.len() >= MAX_NODES && !self.numbers.contains_key(&node) {
            self.numbers.clear();
        }
        let number = self.numbers.entry(node).or_default();
        *number += 1;
        *number
    }

    /// Frames were dropped, nobody knows to whom.
    pub(super) fn skip(&mut self) {
        self.numbers.values_mut().for_each(|number| *number += 1);
    }

    pub(super) fn seal(&mut self, to: NodeId, frame: &Frame) -> Option<Vec<u8>> {
        let number = self.next_number(to);
        let body = frame.to_bytes()?;
        let key = self.key.as_ref()?;
        self.counter += 1;
        let mut message = Vec::with_capacity(HEAD_LEN + body.len() + CHACHA20_POLY1305.tag_len());
        message.push(VERSION);
        message.extend_from_slice(&bytes_of(self.me));
        message.extend_from_slice(&number.to_be_bytes());
        message.extend_from_slice(&self.counter.to_be_bytes());
        let aad = aad(&message, to);
        let mut body = body;
        key.seal_in_place_append_tag(nonce(self.counter), Aad::from(aad), &mut body).ok()?;
        message.extend_from_slice(&body);
        self.status.frames_out.fetch_add(1, Ordering::Relaxed);
        Some(message)
    }
}

impl Opening {
    /// `None`: not for us to read, or read already.
    pub(super) fn open(&mut self, message: &[u8]) -> Option<Heard> {
        let heard = self.try_open(message);
        let counter = if heard.is_some() { &self.status.frames_in } else { &self.status.frames_foreign };
        if counter.fetch_add(1, Ordering::Relaxed) == 0 && heard.is_none() {
            tracing::warn!(
                "redis.url: a message of another node cannot be read; give all nodes the same session.secret"
            );
        }
        heard
    }

    fn try_open(&mut self, message: &[u8]) -> Option<Heard> {
        let (head, body) = message.split_at_checked(HEAD_LEN)?;
        let (version, rest) = head.split_first()?;
        let (node, rest) = rest.split_first_chunk::<NODE_LEN>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (counter, _) = rest.split_first_chunk::<8>()?;
        if *version != VERSION {
            return None;
        }
        let both = u128::from_be_bytes(*node);
        let node = NodeId { name: (both >> 64) as u64, epoch: both as u64 };
        let (number, counter) = (u64::from_be_bytes(*number), u64::from_be_bytes(*counter));
        let aad = aad(head, self.me);
        if let Some(sender) = self.senders.get_mut(&node) {
            let frame = open_with(&sender.key, counter, aad, body)?;
            if number <= sender.number {
                return None;
            }
            let gap = number != sender.number + 1;
            sender.number = number;
            return Some(Heard { node, frame, gap });
        }
        let (key, frame) = self.secrets.iter().find_map(|secret| {
            let key = derive(secret, node)?;
            let frame = open_with(&key, counter, aad, body)?;
            Some((key, frame))
        })?;
        if self.senders.len() >= MAX_NODES {
            self.senders.clear();
        }
        self.senders.insert(node, Sender { key, number });
        Some(Heard { node, frame, gap: number != 1 })
    }
}

fn open_with(key: &LessSafeKey, counter: u64, aad: [u8; HEAD_LEN + NODE_LEN], body: &[u8]) -> Option<Frame> {
    let mut body = body.to_vec();
    let plain = key.open_in_place(nonce(counter), Aad::from(aad), &mut body).ok()?;
    Frame::from_bytes(plain)
}

fn bytes_of(node: NodeId) -> [u8; NODE_LEN] {
    ((u128::from(node.name) << 64) | u128::from(node.epoch)).to_be_bytes()
}

fn aad(head: &[u8], to: NodeId) -> [u8; HEAD_LEN + NODE_LEN] {
    let mut aad = [0; HEAD_LEN + NODE_LEN];
    for (place, byte) in aad.iter_mut().zip(head.iter().copied().chain(bytes_of(to))) {
        *place = byte;
    }
    aad
}

fn derive(secret: &SessionSecret, node: NodeId) -> Option<LessSafeKey> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0));
    context.update(b"visavis channel 1");
    context.update(&bytes_of(node));
    UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok().map(LessSafeKey::new)
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: u64) -> NodeId {
        NodeId { name, epoch: 1 }
    }

    fn channel(name: u64, secret: u8) -> Channel {
        Channel::new(node(name), &[SessionSecret([secret; 32])], Arc::default())
    }

    fn frame() -> Frame {
        Frame::from_bytes(br#"{"Left":{"id":"00000000000000aa","reason":"lost"}}"#).expect("a frame")
    }

    #[test]
    fn a_frame_arrives_once_and_shows_itself_to_nobody_else() {
        let (mut sender, mut receiver, mut other) = (channel(1, 7), channel(2, 7), channel(3, 7));
        let sealed = sender.sealing.seal(node(2), &frame()).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("lost"));
        assert!(other.opening.open(&sealed).is_none(), "addressed to another");
        assert!(channel(2, 8).opening.open(&sealed).is_none(), "another secret");
        let heard = receiver.opening.open(&sealed).unwrap();
        assert_eq!((heard.node, heard.frame, heard.gap), (node(1), frame(), false));
        assert!(receiver.opening.open(&sealed).is_none(), "read already");
        for index in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[index] ^= 1;
            assert!(channel(2, 7).opening.open(&forged).is_none(), "byte {index}");
        }
    }

    #[test]
    fn lost_frames_are_noticed_at_the_next_one() {
        let (mut sender, mut receiver) = (channel(1, 7), channel(2, 7));
        let mut next = || sender.sealing.seal(node(2), &frame()).unwrap();
        let frames = [next(), next(), next(), next()];
        let gaps: Vec<bool> =
            [0, 1, 3].map(|index: usize| receiver.opening.open(&frames[index]).unwrap().gap).into();
        assert_eq!(gaps, [false, false, true]);
        assert!(receiver.opening.open(&frames[2]).is_none(), "an old one does not come back");
        assert!(channel(2, 7).opening.open(&frames[1]).unwrap().gap, "the first one was missed");
    }
}
