//! Evidence: a picture that the reporter's browser seals for the operator's moderators, in the format of age
//! (age-encryption.org/v1). This server only looks at the envelope, and can never open it.

use data_encoding::BASE64_NOPAD;
use std::fmt;

/// The picture itself, at most.
const MAX_PICTURE_BYTES: usize = 100 * 1024;

/// One stanza takes about a hundred bytes; so many recipients have room for it.
const MAX_RECIPIENTS: usize = 16;

/// What age seals at a time, and the tag that each such piece has.
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;

/// Base64 of 32 bytes, without padding: a share, a wrapped key, the header's MAC.
const WORD_CHARS: usize = 43;

/// To whom evidence is sealed: an X25519 recipient, `age1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient(String);

impl Recipient {
    /// All of the setting.
    pub(crate) fn read_all(values: &[String]) -> Result<Vec<Self>, String> {
        if values.len() > MAX_RECIPIENTS {
            return Err(format!("names more than {MAX_RECIPIENTS} recipients"));
        }
        values.iter().map(|value| Recipient::read(value)).collect()
    }

    fn read(value: &str) -> Result<Self, String> {
        if is_x25519(value) {
            Ok(Recipient(value.to_owned()))
        } else {
            Err(format!(
                "`{value}` is not a recipient of age; `age-keygen` makes one, and it begins with age1"
            ))
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bech32 (BIP 173) of 32 bytes under `age`. A recipient with a slip in it would make evidence that nobody can open.
fn is_x25519(text: &str) -> bool {
    const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    // 32 bytes in letters of five bits, and six letters that check them.
    const DATA_CHARS: usize = 52 + 6;
    let Some(data) = text.strip_prefix("age1").filter(|data| data.len() == DATA_CHARS) else { return false };
    let prefix = b"age";
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let letters: Option<Vec<u32>> = data
        .bytes()
        .map(|byte| LETTERS.iter().position(|letter| *letter == byte).and_then(|at| u32::try_from(at).ok()))
        .collect();
    let Some(letters) = letters else { return false };
    let sum = high.chain([0]).chain(low).chain(letters).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATORS
            .iter()
            .enumerate()
            .filter(|(bit, _)| top >> bit & 1 == 1)
            .fold(shifted, |sum, (_, g)| sum ^ g)
    });
    sum == 1
}

/// Why a file is not taken as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsound {
    /// Not a file of age, or not sealed to X25519 recipients alone.
    Format,
    /// Sealed to nobody, or to more than there are recipients.
    Recipients,
    /// The picture is larger than 100 KB.
    Size,
}

impl Unsound {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Unsound::Format => {
                "evidence: must be a file of age (age-encryption.org/v1), sealed to X25519 recipients alone"
            }
            Unsound::Recipients => {
                "evidence: must be sealed to recipients that GET /api/site names, and to no more"
            }
            Unsound::Size => "evidence: a picture has at most 100 KB",
        }
    }
}

/// Looks at the envelope: version, stanzas, size.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(sealed: &[u8], recipients: usize) -> Result<(), Unsound> {
    let rest = sealed.strip_prefix(b"age-encryption.org/v1\n").ok_or(Unsound::Format)?;
    let (mut line, mut rest) = line_of(rest)?;
    let mut stanzas = 0;
    while let Some(share) = line.strip_prefix(b"-> X25519 ") {
        stanzas += 1;
        if stanzas > recipients {
            return Err(Unsound::Recipients);
        }
        let (key, after) = line_of(rest)?;
        if !is_word(share) || !is_word(key) {
            return Err(Unsound::Format);
        }
        (line, rest) = line_of(after)?;
    }
    if stanzas == 0 {
        return Err(if line.starts_with(b"--- ") { Unsound::Recipients } else { Unsound::Format });
    }
    if !line.strip_prefix(b"--- ").is_some_and(is_word) {
        return Err(Unsound::Format);
    }
    let body = rest.len().checked_sub(NONCE_BYTES).filter(|body| *body > TAG_BYTES).ok_or(Unsound::Format)?;
    let picture = body.saturating_sub(body.div_ceil(CHUNK_BYTES + TAG_BYTES) * TAG_BYTES);
    if picture > MAX_PICTURE_BYTES { Err(Unsound::Size) } else { Ok(()) }
}

fn line_of(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unsound> {
    let end = bytes.iter().take(256).position(|byte| *byte == b'\n').ok_or(Unsound::Format)?;
    let (line, rest) = bytes.split_at(end);
    Ok((line, &rest[1..]))
}

fn is_word(text: &[u8]) -> bool {
    text.len() == WORD_CHARS && BASE64_NOPAD.decode(text).is_ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As `age-keygen` prints them; of keys that nobody has kept.
    pub(crate) const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    /// The envelope of a picture of this size, sealed to so many.
    pub(crate) fn sealed(recipients: usize, picture: usize) -> Vec<u8> {
        let word = BASE64_NOPAD.encode(&[7; 32]);
        let mut file = b"age-encryption.org/v1\n".to_vec();
        for _ in 0..recipients {
            file.extend_from_slice(format!("-> X25519 {word}\n{word}\n").as_bytes());
        }
        file.extend_from_slice(format!("--- {word}\n").as_bytes());
        file.resize(
            file.len() + NONCE_BYTES + picture + picture.div_ceil(CHUNK_BYTES).max(1) * TAG_BYTES,
            0xab,
        );
        file
    }

    #[test]
    fn a_recipient_with_a_slip_in_it_is_refused() {
        assert!(is_x25519(RECIPIENT));
        for (at, letter) in RECIPIENT.char_indices().skip(4) {
            let other = if letter == 'q' { 'p' } else { 'q' };
            let mut slip = RECIPIENT.to_owned();
            slip.replace_range(at..=at, &other.to_string());
            assert!(!is_x25519(&slip), "{slip}");
        }
        for other in [
            "",
            "age1",
            "AGE-SECRET-KEY-1",
            &RECIPIENT[..61],
            &format!("{RECIPIENT}q"),
            &RECIPIENT.to_uppercase(),
        ] {
            assert!(!is_x25519(other), "{other}");
        }
        assert!(Recipient::read_all(&vec![RECIPIENT.to_owned(); MAX_RECIPIENTS + 1]).is_err());
    }

    #[test]
    fn an_envelope_is_of_age_and_of_no_more_recipients_than_there_are() {
        assert_eq!(check(&sealed(1, 60_000), 2), Ok(()));
        assert_eq!(check(&sealed(2, 1), 2), Ok(()));
        assert_eq!(check(&sealed(3, 1), 2), Err(Unsound::Recipients));
        assert_eq!(check(&sealed(0, 1), 2), Err(Unsound::Recipients));
        assert_eq!(check(&sealed(1, 0), 2), Err(Unsound::Format), "of nothing at all");
        for bad in [&b""[..], b"\xff\xd8\xff\xe0 JFIF", b"age-encryption.org/v1", b"age-encryption.org/v2\n"]
        {
            assert_eq!(check(bad, 2), Err(Unsound::Format));
        }
        let whole = sealed(2, 1);
        for length in 0..whole.len() {
            assert!(check(&whole[..length], 2).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_picture_has_at_most_100_kb_however_it_is_cut_into_pieces() {
        for picture in [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MAX_PICTURE_BYTES] {
            assert_eq!(check(&sealed(1, picture), 1), Ok(()), "{picture}");
        }
        assert_eq!(check(&sealed(1, MAX_PICTURE_BYTES + 1), 1), Err(Unsound::Size));
    }

    #[test]
    fn a_stanza_of_another_kind_is_refused() {
        for other in ["-> scrypt abc 18\n", "-> ssh-ed25519 x y\n", "-> X25519 short\n"] {
            let text = String::from_utf8_lossy(&sealed(1, 1)).into_owned();
            let with_other =
                text.replacen("--- ", &format!("{other}{}\n--- ", BASE64_NOPAD.encode(&[7; 32])), 1);
            assert_eq!(check(with_other.as_bytes(), 2), Err(Unsound::Format), "{other}");
        }
    }
}
