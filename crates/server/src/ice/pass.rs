//! Passes to `GET /api/ice`, for operators who give relays only to sessions: `welcome` carries one.
//!
//! A pass is `<expiry><random><tag>` in base64url, the tag an HMAC-SHA256 over what stands before it. Nothing is
//! stored, and every node that shares the session secrets opens the passes of the others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt;
use visavis_lobby::SessionSecret;

/// As long as a socket may reasonably last: the session has no other.
const TTL_S: u64 = 24 * 3600;

const EXPIRY_LEN: usize = 8;
const BODY_LEN: usize = EXPIRY_LEN + 8;

/// The first key makes passes, all open them.
pub(crate) struct IcePasses(Vec<hmac::Key>);

impl IcePasses {
    pub(crate) fn new(secrets: &[SessionSecret]) -> Self {
        let derive = |secret: &SessionSecret| {
            let root = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"visavis ice pass 1").as_ref())
        };
        IcePasses(secrets.iter().map(derive).collect())
    }

    /// `None` if the system gives no randomness.
    pub(crate) fn make(&self, now_unix_s: u64) -> Option<String> {
        let mut body = [0; BODY_LEN];
        let (expiry, random) = body.split_at_mut(EXPIRY_LEN);
        expiry.copy_from_slice(&now_unix_s.saturating_add(TTL_S).to_be_bytes());
        SystemRandom::new().fill(random).ok()?;
        let tag = hmac::sign(self.0.first()?, &body);
        Some(URL_SAFE_NO_PAD.encode([&body, tag.as_ref()].concat()))
    }

    pub(crate) fn opens(&self, pass: &str, now_unix_s: u64) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(pass) else { return false };
        let Some((body, tag)) = bytes.split_at_checked(BODY_LEN) else { return false };
        let Some(expiry) = body.first_chunk::<EXPIRY_LEN>() else { return false };
        u64::from_be_bytes(*expiry) > now_unix_s
            && self.0.iter().any(|key| hmac::verify(key, body, tag).is_ok())
    }
}

impl fmt::Debug for IcePasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePasses(‹redacted›)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(bytes: &[u8]) -> IcePasses {
        IcePasses::new(&bytes.iter().map(|byte| SessionSecret([*byte; 32])).collect::<Vec<_>>())
    }

    #[test]
    fn a_pass_opens_for_a_day_and_with_a_rotated_secret() {
        let pass = passes(&[1]).make(1_000).unwrap();
        assert!(passes(&[1]).opens(&pass, 1_000 + TTL_S - 1));
        assert!(!passes(&[1]).opens(&pass, 1_000 + TTL_S));
        assert!(passes(&[2, 1]).opens(&pass, 1_000));
        assert!(!passes(&[2]).opens(&pass, 1_000));
        assert_ne!(pass, passes(&[1]).make(1_000).unwrap());
    }

    #[test]
    fn what_was_touched_opens_nothing() {
        let passes = passes(&[1]);
        let pass = passes.make(1_000).unwrap();
        for index in 0..pass.len() {
            let mut touched = pass.clone().into_bytes();
            touched[index] = if touched[index] == b'A' { b'B' } else { b'A' };
            assert!(!passes.opens(std::str::from_utf8(&touched).unwrap(), 1_000), "{index}");
        }
        for other in ["", "A", &pass[..pass.len() - 4], &format!("{pass}AAAA")] {
            assert!(!passes.opens(other, 1_000), "{other}");
        }
        assert!(!format!("{passes:?}").contains('1'));
    }
}
