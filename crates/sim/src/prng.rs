//! Chance as a value: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same visits.

use visavis_lobby::{LobbyKey, Span};

/// A seeded source of chance.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    pub fn new(seed: u64) -> Self {
        Prng(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A key for a lobby that does the same in every run. Anybody can guess it.
    pub fn lobby_key(&mut self) -> LobbyKey {
        let mut key = [0; 32];
        for part in key.chunks_mut(8) {
            part.copy_from_slice(&self.next_u64().to_be_bytes());
        }
        LobbyKey::new(key)
    }

    /// Below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(bound);
        (product >> 64) as u64
    }

    /// Between half and one and a half times `mean`.
    pub fn about(&mut self, mean: Span) -> Span {
        let micros = mean.as_micros();
        Span::from_micros((micros / 2).saturating_add(self.below(micros.saturating_add(1))))
    }
}
