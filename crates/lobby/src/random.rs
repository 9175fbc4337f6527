//! Unpredictable numbers from one key, which the shell draws from the operating system at every start.
//!
//! What always holds: nothing that goes out tells anything of what goes out next, and no purpose tells of another. Each
//! purpose has a key of its own, a digest of the one that was given; each number is a part of a digest of a counter under
//! that key, and no part is used twice.

use crate::planted::planted;
use ring::hmac;
use std::fmt;

/// The root of everything random in a lobby: 32 bytes that nobody can guess, drawn anew at every start and shown to nobody.
#[derive(Clone)]
pub struct LobbyKey([u8; 32]);

impl LobbyKey {
    pub fn new(random: [u8; 32]) -> Self {
        LobbyKey(random)
    }

    /// A key for one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> hmac::Key {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
    }

    /// Numbers for one purpose.
    pub(crate) fn random(&self, purpose: &str) -> Random {
        Random { key: self.derive(purpose), drawn: 0, ids: Vec::new() }
    }
}

impl fmt::Debug for LobbyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LobbyKey(‹redacted›)")
    }
}

#[derive(Debug)]
pub(crate) struct Random {
    key: hmac::Key,
    drawn: u64,
    /// What is left of the latest digest that was drawn for ids: one holds four, and it costs as much as a search.
    ids: Vec<u64>,
}

impl Random {
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32) };
        self.drawn = if planted!(MatchIdsRepeat) { 1 } else { self.drawn.wrapping_add(1) };
        let digest = hmac::sign(&self.key, &self.drawn.to_be_bytes());
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        bytes
    }

    /// An id; never zero. That two of a process are equal is as likely as a guess that comes true.
    pub(crate) fn next_id(&mut self) -> u64 {
        if planted!(MatchIdsRepeat) {
            self.ids.clear();
        }
        loop {
            match self.ids.pop() {
                Some(0) => {}
                Some(id) => return id,
                None => {
                    let digest: [u8; 32] = self.bytes();
                    let (ids, _) = digest.as_chunks();
                    self.ids.extend(ids.iter().map(|id| u64::from_be_bytes(*id)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_key_gives_the_same_numbers_and_each_purpose_its_own() {
        let key = LobbyKey::new([7; 32]);
        let mut some = key.random("match");
        let drawn: Vec<u64> = (0..9).map(|_| some.next_id()).collect();
        assert_eq!(
            drawn.iter().collect::<BTreeSet<_>>().len(),
            9,
            "more than one digest, and no number twice"
        );
        let mut again = LobbyKey::new([7; 32]).random("match");
        assert!(drawn.iter().all(|id| *id == again.next_id()));
        let mut others = [key.random("session"), LobbyKey::new([8; 32]).random("match")];
        for other in &mut others {
            assert!(!drawn.contains(&other.next_id()));
        }
        assert!(!format!("{key:?}").contains('7'));
    }
}
