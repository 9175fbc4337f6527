//! Passes to `GET /api/ice`, for operators who give relays only to sessions: `welcome` carries one.
//!
//! A pass is `<expiry><random><tag>` in base64url, the tag an HMAC-SHA256 over what stands before it. Nothing is
//! stored, and every node that shares the session secrets opens the passes of the others.

use crate::SessionSecret;
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use std::fmt;
use visavis_protocol::IceToken;

/// As long as a socket may reasonably last: the session has no other.
const TTL_S: u64 = 24 * 3600;

const EXPIRY_LEN: usize = 8;
const RANDOM_LEN: usize = 8;
const BODY_LEN: usize = EXPIRY_LEN + RANDOM_LEN;

/// The first key makes passes, all open them.
#[derive(Clone)]
pub struct IcePasses(Vec<hmac::Key>);

impl IcePasses {
    pub fn new(secrets: &[SessionSecret]) -> Self {
        let derive = |secret: &SessionSecret| {
            let root = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"visavis ice pass 1").as_ref())
        };
        IcePasses(secrets.iter().map(derive).collect())
    }

    /// `None` without a secret.
    pub(crate) fn make(&self, now_unix_s: u64, random: [u8; RANDOM_LEN]) -> Option<IceToken> {
        let mut body = now_unix_s.saturating_add(TTL_S).to_be_bytes().to_vec();
        body.extend_from_slice(&random);
        let tag = hmac::sign(self.0.first()?, &body);
        body.extend_from_slice(tag.as_ref());
        Some(IceToken(BASE64URL_NOPAD.encode(&body)))
    }

    pub fn opens(&self, pass: &str, now_unix_s: u64) -> bool {
        let Ok(bytes) = BASE64URL_NOPAD.decode(pass.as_bytes()) else { return false };
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
    use crate::ids::ConnectionId;
    use crate::{Config, Input, Limiting, Lobby, LobbyKey, Output, Outputs, Time};
    use visavis_protocol::{ClientMessage, Hello, ServerMessage, SessionMessage};

    fn passes(bytes: &[u8]) -> IcePasses {
        IcePasses::new(&bytes.iter().map(|byte| SessionSecret([*byte; 32])).collect::<Vec<_>>())
    }

    #[test]
    fn a_pass_opens_for_a_day_and_with_a_rotated_secret() {
        let pass = passes(&[1]).make(1_000, [1; 8]).unwrap().0;
        assert!(passes(&[1]).opens(&pass, 1_000 + TTL_S - 1));
        assert!(!passes(&[1]).opens(&pass, 1_000 + TTL_S));
        assert!(passes(&[2, 1]).opens(&pass, 1_000));
        assert!(!passes(&[2]).opens(&pass, 1_000));
        assert_ne!(pass, passes(&[1]).make(1_000, [2; 8]).unwrap().0);
    }

    #[test]
    fn what_was_touched_opens_nothing() {
        let passes = passes(&[1]);
        let pass = passes.make(1_000, [1; 8]).unwrap().0;
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

    #[test]
    fn every_welcome_brings_a_pass_of_its_own() {
        let config = Config { ice_passes: Some(passes(&[1])), ..Config::default() };
        let mut lobby = Lobby::new(config, LobbyKey::new([7; 32]));
        let (now, mut outputs) = (Time::from_micros(1_000_000_000), Outputs::new());
        for connection in [ConnectionId(1), ConnectionId(2)] {
            lobby.handle(now, Input::Opened { connection, limiting: Limiting::Exempt }, &mut outputs);
            let message = ClientMessage::Session(SessionMessage::Hello(Hello::plain()));
            lobby.handle(now, Input::Received { connection, message }, &mut outputs);
        }
        let given: Vec<String> = outputs
            .drain()
            .filter_map(|output| match output {
                Output::Send { message: ServerMessage::Welcome { ice_token, .. }, .. } => ice_token,
                _ => None,
            })
            .map(|token| token.0)
            .collect();
        let [one, other] = &given[..] else { panic!("{given:?}") };
        assert!(passes(&[1]).opens(one, 1_000 + TTL_S - 1) && passes(&[1]).opens(other, 1_000));
        assert_ne!(one, other);
    }
}
