//! Where a message ends in a stream (RFC 8656, section 2.1): over TCP and TLS nothing else parts them.

use super::{CHANNEL_HEADER_BYTES, HEADER_BYTES, MAGIC_COOKIE};

/// What the bytes of a stream begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message of `len` bytes; the next one begins `padded` bytes from here.
    Whole { len: usize, padded: usize },
    /// More bytes are needed to tell, or to end it.
    Incomplete,
    /// Neither STUN nor ChannelData: the stream is of no use.
    Garbage,
}

pub fn next_frame(bytes: &[u8]) -> Frame {
    let Some(([first, _, high, low], _)) = bytes.split_first_chunk::<CHANNEL_HEADER_BYTES>() else {
        return if bytes.first().is_none_or(|first| *first < 0x80) {
            Frame::Incomplete
        } else {
            Frame::Garbage
        };
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (len, padded) = match first {
        0x00..=0x3f => {
            if !length.is_multiple_of(4) {
                return Frame::Garbage;
            }
            let cookie = bytes.get(4..8).unwrap_or_else(|| bytes.get(4..).unwrap_or_default());
            if !MAGIC_COOKIE.starts_with(cookie) {
                return Frame::Garbage;
            }
            (HEADER_BYTES + length, HEADER_BYTES + length)
        }
        0x40..=0x7f => {
            let len = CHANNEL_HEADER_BYTES + length;
            (len, len.next_multiple_of(4))
        }
        0x80.. => return Frame::Garbage,
    };
    if bytes.len() < padded { Frame::Incomplete } else { Frame::Whole { len, padded } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_channel_data_are_parted() {
        let mut stun = vec![0, 1, 0, 4];
        stun.extend(MAGIC_COOKIE);
        stun.resize(24, 7);
        assert_eq!(next_frame(&stun), Frame::Whole { len: 24, padded: 24 });
        let channel = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 99];
        assert_eq!(next_frame(&channel), Frame::Whole { len: 9, padded: 12 });
        for whole in [&stun[..], &channel[..12]] {
            for len in 0..whole.len() {
                assert_eq!(next_frame(&whole[..len]), Frame::Incomplete, "{len} of {whole:?}");
            }
        }
    }

    #[test]
    fn other_protocols_are_garbage_at_once() {
        assert_eq!(next_frame(b"\x80"), Frame::Garbage);
        assert_eq!(next_frame(b"\x16\x03\x01\x02\x00\x01"), Frame::Garbage);
        assert_eq!(next_frame(&[0, 1, 0, 0, 1]), Frame::Garbage);
        assert_eq!(next_frame(&[0, 1, 0, 3, 0x21]), Frame::Garbage);
    }
}
