//! Whether raw JSON that is forwarded unread can be read by everybody.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Whether every parser reads what we forward unread. Raw JSON is only looked at as far as its syntax goes, which
/// allows a lone surrogate (RFC 8259, section 8.2) and a number of any size (section 6).
pub(crate) fn is_sound(raw: &str) -> bool {
    // A number needs an exponent or hundreds of digits to be too large, and a surrogate its escape.
    const LONGEST_NUMBER: usize = 300;
    let exponent = |pair: &[u8]| matches!(pair, [b'0'..=b'9', b'e' | b'E']);
    let suspicious = raw.contains("\\u")
        || (!raw.starts_with('"') && (raw.len() > LONGEST_NUMBER || raw.as_bytes().windows(2).any(exponent)));
    !suspicious || serde_json::from_str::<Sound>(raw).is_ok()
}

/// The frame with each half of a surrogate pair replaced by the sign for what cannot be read: browsers write such halves
/// where somebody cut an emoji in two, and what people write must not be refused for that.
pub(crate) fn well_formed(frame: &str) -> Cow<'_, str> {
    const REPLACEMENT: &str = "\\ufffd";
    // A description holds hundreds of other escapes.
    if !frame.contains("\\u") {
        return Cow::Borrowed(frame);
    }
    let mut repaired: Option<String> = None;
    let mut copied = 0;
    let mut rest = frame;
    while let Some(place) = rest.find('\\') {
        let here = frame.len() - rest.len() + place;
        let escape = frame.get(here..).unwrap_or_default();
        let length = match (surrogate(escape), surrogate(escape.get(6..).unwrap_or_default())) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(Half::High | Half::Low), _) => {
                let repaired = repaired.get_or_insert_with(|| String::with_capacity(frame.len()));
                repaired.push_str(frame.get(copied..here).unwrap_or_default());
                repaired.push_str(REPLACEMENT);
                copied = here + REPLACEMENT.len();
                6
            }
            // Another escape: what stands behind the backslash is no backslash of its own.
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        rest = frame.get(here + length..).unwrap_or_default();
    }
    match repaired {
        None => Cow::Borrowed(frame),
        Some(mut repaired) => {
            repaired.push_str(frame.get(copied..).unwrap_or_default());
            Cow::Owned(repaired)
        }
    }
}

#[derive(Clone, Copy)]
enum Half {
    High,
    Low,
}

/// Which half of a surrogate pair the text begins with, written as an escape.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// Any JSON, read to the last detail and forgotten.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Sound)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Sound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_str<E>(self, _: &str) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sound, A::Error> {
        while list.next_element::<Sound>()?.is_some() {}
        Ok(Sound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Sound, A::Error> {
        while fields.next_entry::<Sound, Sound>()?.is_some() {}
        Ok(Sound)
    }
}
