//! WebSocket frames (RFC 6455, section 5.2) from the client's side: masked out, plain in, never fragmented.
//!
//! The client writes its own frames because it must cost far less than the server, and because it must be able to do
//! what no library lets it: stop answering.

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A server that breaks the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

pub(super) struct Frame<'a> {
    pub(super) opcode: u8,
    pub(super) payload: &'a [u8],
    /// Bytes that the frame took.
    pub(super) len: usize,
}

/// Reads one frame; `None` while it is not complete.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>, Broken> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    // Whole (FIN), no extension, and not masked: what a server sends that negotiated nothing.
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(Broken);
    }
    let (head, length): (usize, usize) = match second {
        126 => match rest {
            [a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(eight) => (10, usize::try_from(u64::from_be_bytes(*eight)).map_err(|_| Broken)?),
            None => return Ok(None),
        },
        short => (2, usize::from(*short)),
    };
    let len = head.checked_add(length).ok_or(Broken)?;
    Ok(bytes.get(head..len).map(|payload| Frame { opcode: first & 0x0f, payload, len }))
}

/// Appends one masked frame.
pub(super) fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: u32) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask = mask.to_ne_bytes();
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (eights, tail) = out[start..].as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask) {
        *byte ^= key;
    }
    for (byte, key) in tail.iter_mut().skip(4).zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server makes of a masked frame.
    fn unmask(frame: &[u8]) -> Vec<u8> {
        let head = match frame[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let mask: [u8; 4] = frame[head..head + 4].try_into().unwrap();
        frame[head + 4..].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect()
    }

    #[test]
    fn every_length_is_masked_and_framed() {
        for length in [0, 1, 3, 4, 5, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_001] {
            let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut out = Vec::new();
            write(&mut out, TEXT, &payload, 0xdead_beef);
            assert_eq!(unmask(&out), payload, "{length}");
        }
    }

    #[test]
    fn a_frame_is_read_when_its_last_byte_is_there() {
        for length in [0_usize, 5, 125, 126, 300, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..126 => bytes.push(length as u8),
                126..65_536 => bytes.extend([126, (length >> 8) as u8, length as u8]),
                _ => bytes.extend([127, 0, 0, 0, 0, 0, 1, 0, 0]),
            }
            bytes.resize(bytes.len() + length, b'x');
            for cut in 0..bytes.len().min(12) {
                assert!(read(&bytes[..cut]).unwrap().is_none());
            }
            assert!(read(&bytes[..bytes.len() - 1]).unwrap().is_none());
            let frame = read(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), frame.len), (TEXT, length, bytes.len()));
        }
        assert!(read(&[0x81, 0x81, 0]).is_err() && read(&[0x01, 0x01, 0]).is_err());
    }
}
