//! Who is who beyond one session: what a device is called here, and the sealed handles by which a page names those whom
//! it has blocked.
//!
//! What always holds: what a page calls its device is forgotten as soon as it was read, and only a keyed digest of it is
//! left. A handle says nothing to anybody but this server: two of one person do not look alike.

use crate::ids::{DeviceId, PersonId, SessionId};
use crate::random::{LobbyKey, Random};
use crate::tokens::SessionSecret;
use data_encoding::BASE64URL_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZero;
use visavis_protocol::{BlockHandle, DeviceName};

/// Somebody, as others may remember them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Someone {
    #[serde(rename = "s")]
    pub(crate) session: SessionId,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceId>,
}

impl Someone {
    /// The name that lasts longest.
    pub(crate) fn person(self) -> PersonId {
        self.device.map_or(self.session.into(), PersonId::from)
    }

    /// Whether this is the one of that name.
    pub(crate) fn is(self, person: PersonId) -> bool {
        person == self.session.into() || self.device.is_some_and(|device| person == device.into())
    }
}

pub(crate) struct Persons {
    digests: hmac::Key,
    /// The first one seals, all open.
    handles: Vec<LessSafeKey>,
    nonces: Random,
}

const PERSON_LEN: usize = size_of::<u64>();
/// Nonce, person, tag; in letters.
const HANDLE_CHARS: usize = (NONCE_LEN + PERSON_LEN + 16) * 4 / 3;

impl Persons {
    /// Without a secret names last as long as the process.
    pub(crate) fn new(secrets: &[SessionSecret], key: &LobbyKey) -> Self {
        let roots: Vec<hmac::Key> = if secrets.is_empty() {
            vec![key.derive("visavis persons of one process 1")]
        } else {
            secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, &secret.0)).collect()
        };
        let derived = |root: &hmac::Key, purpose: &[u8]| hmac::sign(root, purpose);
        // The oldest one: while a secret is being rotated a device keeps its digest, on nodes that know the new one and on
        // those that do not yet.
        let digests = roots.last().map(|root| derived(root, b"visavis device 1"));
        let handle_key = |root: &hmac::Key| {
            let bytes = derived(root, b"visavis block handle 1");
            UnboundKey::new(&CHACHA20_POLY1305, bytes.as_ref()).ok().map(LessSafeKey::new)
        };
        Persons {
            digests: hmac::Key::new(hmac::HMAC_SHA256, digests.as_ref().map_or(&[], AsRef::as_ref)),
            handles: roots.iter().filter_map(handle_key).collect(),
            nonces: key.random("visavis block nonce 1"),
        }
    }

    pub(crate) fn device(&self, name: &DeviceName) -> DeviceId {
        let digest = hmac::sign(&self.digests, name.0.as_bytes());
        let id = digest.as_ref().iter().take(PERSON_LEN).fold(0, |id, byte| (id << 8) | u64::from(*byte));
        DeviceId(NonZero::new(id).unwrap_or(NonZero::<u64>::MAX))
    }

    /// Only a failure of the cipher itself yields nothing.
    pub(crate) fn seal(&mut self, person: PersonId) -> Option<BlockHandle> {
        let nonce: [u8; NONCE_LEN] = self.nonces.bytes();
        let mut sealed = person.0.to_be_bytes().to_vec();
        let key = self.handles.first()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
        Some(BlockHandle(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat())))
    }

    /// `None`: not a handle of ours, or of a secret that is no longer in use.
    pub(crate) fn open(&self, handle: &BlockHandle) -> Option<PersonId> {
        if handle.0.len() != HANDLE_CHARS {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(handle.0.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.handles.iter().find_map(|key| {
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
            Some(PersonId(u64::from_be_bytes((*plain).try_into().ok()?)))
        })
    }
}

impl fmt::Debug for Persons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Persons(‹redacted›)")
    }
}

/// Persons as one string of base64url, eight bytes each: a token may carry hundreds of them.
pub(crate) mod packed {
    use super::{PERSON_LEN, PersonId};
    use data_encoding::BASE64URL_NOPAD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(persons: &[PersonId], serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(persons.len() * PERSON_LEN);
        for person in persons {
            bytes.extend_from_slice(&person.0.to_be_bytes());
        }
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PersonId>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let (persons, []) = bytes.as_chunks::<PERSON_LEN>() else {
            return Err(D::Error::custom("not whole persons"));
        };
        Ok(persons.iter().map(|person| PersonId(u64::from_be_bytes(*person))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons(secrets: &[u8], key: u8) -> Persons {
        let secrets: Vec<SessionSecret> = secrets.iter().map(|byte| SessionSecret([*byte; 32])).collect();
        Persons::new(&secrets, &LobbyKey::new([key; 32]))
    }

    #[test]
    fn two_handles_of_one_person_do_not_look_alike_and_open_everywhere() {
        let mut here = persons(&[1], 1);
        let person = PersonId(0xfeed);
        let (one, other) = (here.seal(person).unwrap(), here.seal(person).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.0.len(), HANDLE_CHARS);
        for elsewhere in [persons(&[1], 2), persons(&[2, 1], 3)] {
            assert_eq!(elsewhere.open(&one), Some(person));
            assert_eq!(elsewhere.open(&other), Some(person));
        }
        assert_eq!(persons(&[2], 4).open(&one), None);
        assert!(!format!("{here:?} {one:?}").contains(&one.0));
    }

    #[test]
    fn a_handle_that_was_touched_opens_nothing() {
        let mut here = persons(&[], 1);
        let handle = here.seal(PersonId(9)).unwrap();
        for index in 0..handle.0.len() {
            let mut touched = handle.0.clone().into_bytes();
            touched[index] = if touched[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(here.open(&BlockHandle(String::from_utf8(touched).unwrap())), None, "{index}");
        }
        for junk in ["", "x", &handle.0[1..], &format!("{}AAAA", handle.0)] {
            assert_eq!(here.open(&BlockHandle(junk.to_owned())), None);
        }
    }

    #[test]
    fn a_device_is_the_same_on_all_nodes_and_after_a_restart() {
        let name = DeviceName("AbCdEfGhIjKlMnOp".into());
        assert_eq!(persons(&[1], 1).device(&name), persons(&[1], 2).device(&name));
        assert_ne!(persons(&[1], 1).device(&name), persons(&[2], 1).device(&name));
        assert_eq!(persons(&[1], 1).device(&name), persons(&[2, 1], 1).device(&name), "while it is rotated");
        assert_ne!(persons(&[1], 1).device(&name), persons(&[1], 1).device(&DeviceName("other".into())));
        // Without a secret a restart forgets it.
        assert_ne!(persons(&[], 1).device(&name), persons(&[], 2).device(&name));
    }
}
