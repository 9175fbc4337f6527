//! Short-lived TURN credentials by a shared secret (the "TURN REST" form): minted and verified here, and only here.
//!
//! A user name is `<unix expiry>:<opaque id>`, its password the base64 of HMAC-SHA1 of the user name under the
//! secret. So whoever holds the secret can verify a name that somebody else minted, and nothing is stored.
//! coturn (`use-auth-secret`) reads the same form.

use data_encoding::BASE64;
use md5::{Digest as _, Md5};
use ring::hmac;
use std::fmt;

/// RFC 8489, section 14.3: a user name is shorter than 509 bytes. Ours need far less.
const MAX_USERNAME_BYTES: usize = 508;

/// A secret shared between those who mint credentials and the relays that honour them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `None` for an empty secret: everybody can guess that one.
    pub fn new(secret: impl Into<String>) -> Option<Self> {
        let secret = secret.into();
        (!secret.is_empty()).then_some(Secret(secret))
    }

    /// Its length, for judging whether it can be guessed.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    fn password(&self, username: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_bytes());
        BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(‹redacted›)")
    }
}

/// The secrets in force: the first mints, all verify. Two of them let the operator change the secret without
/// cutting anybody off: put the new one first, and drop the old one when its last credential has expired.
#[derive(Clone, Debug)]
pub struct Secrets {
    minting: Secret,
    retiring: Vec<Secret>,
}

/// What a client shows to a relay, in the fields of the browser's `RTCIceServer`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(‹redacted›)")
    }
}

/// Why a user name opens nothing, whatever its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not of the form `<unix expiry>` or `<unix expiry>:<id>`.
    Malformed,
    /// Its time has been over for so long.
    Expired { for_s: u64 },
}

impl Secrets {
    pub fn new(minting: Secret, retiring: impl IntoIterator<Item = Secret>) -> Self {
        Secrets { minting, retiring: retiring.into_iter().collect() }
    }

    /// `expires_unix_s` is in seconds since 1970, UTC. `id` is opaque and must be unguessable: the relay counts
    /// allocations by user name, so who knows the name of another could use up what is theirs.
    pub fn mint(&self, expires_unix_s: u64, id: &str) -> Credential {
        let username = format!("{expires_unix_s}:{id}");
        let password = self.minting.password(&username);
        Credential { username, password }
    }

    /// The keys that a message of this user may be signed with, one for each secret.
    ///
    /// # Errors
    /// The name is of no use, whoever signed it.
    pub fn keys(&self, username: &str, realm: &str, now_unix_s: u64) -> Result<Vec<Key>, Refusal> {
        let expiry_s = expiry_unix_s(username)?;
        if expiry_s <= now_unix_s {
            return Err(Refusal::Expired { for_s: now_unix_s - expiry_s });
        }
        let secrets = std::iter::once(&self.minting).chain(&self.retiring);
        Ok(secrets.map(|secret| Key::new(username, realm, &secret.password(username))).collect())
    }
}

/// When a user name stops to open anything, in seconds since 1970, UTC.
///
/// # Errors
/// [`Refusal::Malformed`].
pub(crate) fn expiry_unix_s(username: &str) -> Result<u64, Refusal> {
    if username.len() > MAX_USERNAME_BYTES {
        return Err(Refusal::Malformed);
    }
    let digits = username.split_once(':').map_or(username, |(expiry, _)| expiry);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    digits.parse().map_err(|_| Refusal::Malformed)
}

/// The key of the long-term mechanism: MD5 of `username:realm:password` (RFC 8489, section 9.2.2). It signs messages
/// with HMAC-SHA1.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    pub const SIGNATURE_BYTES: usize = 20;

    pub fn new(username: &str, realm: &str, password: &str) -> Self {
        let mut digest = Md5::new();
        for part in [username, ":", realm, ":", password] {
            digest.update(part.as_bytes());
        }
        Key(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest.finalize()))
    }

    /// HMAC-SHA1 over the parts, one after the other.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; Self::SIGNATURE_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut signature = [0; Self::SIGNATURE_BYTES];
        for (to, from) in signature.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        signature
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(‹redacted›)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "1893456000:alice";
    const BEFORE: u64 = 1_893_455_999;

    fn secrets(minting: &str, retiring: &[&str]) -> Secrets {
        let secret = |text: &str| Secret::new(text).unwrap();
        Secrets::new(secret(minting), retiring.iter().map(|text| secret(text)))
    }

    fn signatures(secrets: &Secrets, username: &str) -> Vec<[u8; 20]> {
        let keys = secrets.keys(username, "example.org", BEFORE).unwrap();
        keys.iter().map(|key| key.sign(&[b"message"])).collect()
    }

    #[test]
    fn the_published_vector_is_minted() {
        let credential = secrets("s3cret", &[]).mint(1_893_456_000, "alice");
        assert_eq!(credential.username, ALICE);
        assert_eq!(credential.password, "6zlfmlvWfWDvDds1Zc+zxTmSW8w=");
    }

    #[test]
    fn the_long_term_key_is_that_of_the_standard() {
        // RFC 5769, section 2.4, has no ASCII user name; this is the worked example of RFC 8489, section 9.2.2:
        // MD5("user:realm:pass") = 8493fbc53ba582fb4c044c456bdc40eb.
        let key =
            [0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb];
        let by_hand = Key(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key));
        assert_eq!(Key::new("user", "realm", "pass").sign(&[b"x"]), by_hand.sign(&[b"x"]));
    }

    #[test]
    fn what_is_minted_is_verified_and_by_a_retiring_secret_too() {
        let minted = secrets("old", &[]).mint(1_893_456_000, "alice");
        let signed = Key::new(&minted.username, "example.org", &minted.password).sign(&[b"message"]);
        assert_eq!(signatures(&secrets("old", &[]), ALICE), [signed]);
        assert!(signatures(&secrets("new", &["old"]), ALICE).contains(&signed));
        assert!(!signatures(&secrets("new", &["other"]), ALICE).contains(&signed));
    }

    #[test]
    fn the_realm_is_part_of_the_key() {
        let secrets = secrets("s3cret", &[]);
        let key = |realm| secrets.keys(ALICE, realm, BEFORE).unwrap().remove(0).sign(&[b"message"]);
        assert_ne!(key("example.org"), key("example.com"));
    }

    #[test]
    fn a_name_opens_nothing_from_the_second_of_its_expiry() {
        let secrets = secrets("s3cret", &[]);
        assert!(secrets.keys(ALICE, "example.org", BEFORE).is_ok());
        assert_eq!(secrets.keys(ALICE, "example.org", BEFORE + 1).err(), Some(Refusal::Expired { for_s: 0 }));
    }

    #[test]
    fn a_name_without_id_serves_and_one_without_expiry_does_not() {
        assert_eq!(expiry_unix_s("1893456000"), Ok(1_893_456_000));
        assert_eq!(expiry_unix_s("1893456000:"), Ok(1_893_456_000));
        assert_eq!(expiry_unix_s("1893456000:a:b"), Ok(1_893_456_000));
        let long = format!("1893456000:{}", "x".repeat(MAX_USERNAME_BYTES));
        for name in
            ["", ":", ":alice", "alice", "alice:1893456000", "+1893456000:a", "-1:a", " 1:a", "1 :a", &long]
        {
            assert_eq!(expiry_unix_s(name), Err(Refusal::Malformed), "{name}");
        }
        assert_eq!(expiry_unix_s("99999999999999999999999:a"), Err(Refusal::Malformed));
    }

    #[test]
    fn an_empty_secret_is_none_and_nothing_secret_is_printed() {
        assert!(Secret::new("").is_none());
        let secrets = secrets("s3cret", &["older"]);
        let minted = secrets.mint(1, "alice");
        let printed = format!("{secrets:?} {minted:?} {:?}", Key::new("a", "b", "c"));
        for private in ["s3cret", "older", "alice", minted.password.as_str()] {
            assert!(!printed.contains(private), "{private}");
        }
    }
}
