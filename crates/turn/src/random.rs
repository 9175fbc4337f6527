//! Unpredictable numbers from a seed that the shell draws once: a keyed digest of a counter.

use ring::hmac;

pub(crate) struct Random {
    key: hmac::Key,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Random { key: hmac::Key::new(hmac::HMAC_SHA256, seed), drawn: 0 }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32) };
        self.drawn += 1;
        let digest = hmac::sign(&self.key, &self.drawn.to_be_bytes());
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        bytes
    }

    /// Below `bound`, which is not zero. The bias is one in 2^32 for ports.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (u64::from_be_bytes(self.bytes()) % u64::from(bound.max(1))) as u32
    }
}
