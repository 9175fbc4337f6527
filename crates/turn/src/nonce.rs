//! Nonces that need no memory: the time and a keyed digest of it and of who asked (RFC 8489, section 9.2.4).
//!
//! What always holds: a nonce opens nothing but the transport address and transport that it was given to, and
//! nothing after [`Nonces::LIFETIME`]; before somebody is authenticated nothing is kept about it.

use crate::{Client, Time, Via};
use data_encoding::BASE64;
use ring::hmac;
use std::net::IpAddr;
use std::time::Duration;

/// Short, for a stranger gets it in the reply to a request of 28 bytes: 4 bytes of time, 8 of digest, as base64.
const NONCE_BYTES: usize = 16;
const DIGEST_BYTES: usize = 8;

pub(crate) type Nonce = [u8; NONCE_BYTES];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// Not ours, not this client's, or too old: the reply has a fresh one.
    Nonce,
}

pub(crate) struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    /// Browsers keep their nonce for as long as it is taken. An old one costs them one more round trip.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

    /// `key` is of this process: nonces of another one are stale here.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Nonces { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    pub(crate) fn make(&self, now: Time, client: Client) -> Nonce {
        self.at(now.as_unix_s(), client)
    }

    pub(crate) fn check(&self, now: Time, client: Client, nonce: &[u8]) -> Result<(), Stale> {
        let mut bytes = [0; 12];
        let is_ours = nonce.len() == NONCE_BYTES && BASE64.decode_mut(nonce, &mut bytes).is_ok();
        let Some((made, _)) = bytes.split_first_chunk::<4>().filter(|_| is_ours) else {
            return Err(Stale::Nonce);
        };
        let made_s = u64::from(u32::from_be_bytes(*made));
        let expected = self.at(made_s, client);
        let differences =
            expected.iter().zip(nonce).fold(0, |differences, (left, right)| differences | (left ^ right));
        let is_fresh = made_s <= now.as_unix_s() && now.as_unix_s() - made_s < Self::LIFETIME.as_secs();
        if differences == 0 && is_fresh { Ok(()) } else { Err(Stale::Nonce) }
    }

    fn at(&self, made_s: u64, client: Client) -> Nonce {
        // Good until 2106.
        let made = (made_s as u32).to_be_bytes();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&made);
        context.update(&client.address.port().to_be_bytes());
        match client.address.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        match client.via {
            Via::Udp(listener) => {
                context.update(&[0]);
                context.update(&listener.to_be_bytes());
            }
            Via::Stream(stream) => {
                context.update(&[1]);
                context.update(&stream.to_be_bytes());
            }
        }
        let digest = context.sign();
        let mut bytes = [0; 12];
        for (to, from) in bytes.iter_mut().zip(made.iter().chain(digest.as_ref().iter().take(DIGEST_BYTES))) {
            *to = *from;
        }
        let mut nonce = [0; NONCE_BYTES];
        // Twelve bytes are sixteen characters, without padding.
        BASE64.encode_mut(&bytes, &mut nonce);
        nonce
    }
}
