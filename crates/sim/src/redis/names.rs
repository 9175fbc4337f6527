//! What keys are called, and in which slot of a cluster they lie.

use visavis_lobby::{Bucket, Tag};
use visavis_protocol::{Kind, MatchId};

pub(super) fn nodes() -> [String; 2] {
    ["visavis:{nodes}:lease".into(), "visavis:{nodes}:info".into()]
}

/// The line, and its tickets.
pub(super) fn pool(bucket: Bucket) -> [String; 2] {
    let kind = match bucket.kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Text => "text",
    };
    let pool = format!("visavis:{{{kind}:{:016x}}}", bucket.pool.0);
    [format!("{pool}:line"), format!("{pool}:tickets")]
}

pub(super) fn session(session: Tag) -> String {
    format!("visavis:s:{{{:016x}}}", session.0)
}

pub(super) fn of_match(match_id: MatchId) -> String {
    format!("visavis:m:{{{match_id}}}")
}

/// A script may only touch keys of one slot.
pub(super) fn assert_one_slot(keys: &[String; 2]) {
    debug_assert_eq!(slot(&keys[0]), slot(&keys[1]), "{keys:?}");
}

/// The slot of a key in a Redis Cluster: CRC-16/XMODEM of its hash tag, else of all of it, modulo 16,384.
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    hashed.bytes().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    }) % 16_384
}
