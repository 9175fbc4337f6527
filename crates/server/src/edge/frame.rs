//! WebSocket frames (RFC 6455, section 5) for a server: bytes in, frames out, and back. No sockets, no copies on the
//! usual path: a text that came as one frame is unmasked and read where it lies.
//!
//! What always holds: what is read is within `max_bytes`, decided from the header, before the payload has come.
//! What is not here, on purpose: extensions, binary messages, the client's side.

use std::borrow::Cow;

/// What one frame says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Text(Cow<'a, str>),
    /// A part of a message whose end is still to come.
    Part,
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// With the code that is to be echoed.
    Close(Option<u16>),
}

/// Why a connection is closed by what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Not WebSocket as RFC 6455 has it.
    Protocol(&'static str),
    NotUtf8,
    Binary,
    TooBig,
    /// A frame or a message whose end did not come in time.
    Unfinished,
    /// One address holds too much that is not finished.
    TooMuchUnfinished,
}

impl Violation {
    /// The close code of RFC 6455, section 7.4.1, and a sentence.
    pub(super) fn close(self) -> (u16, &'static str) {
        match self {
            Violation::Protocol(reason) => (1002, reason),
            Violation::Binary => (1003, "text frames only"),
            Violation::NotUtf8 => (1007, "the text is not UTF-8"),
            Violation::TooBig => (1009, "the frame is too large"),
            Violation::Unfinished => (1008, "a message was not finished in time"),
            Violation::TooMuchUnfinished => (1008, "too many unfinished messages"),
        }
    }
}

/// Reads the frames of one client.
#[derive(Debug)]
pub(super) struct FrameReader {
    max_bytes: usize,
    /// The parts so far of a message that comes in several frames.
    parts: Option<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    bytes: Vec<u8>,
    /// How much of it is known to be UTF-8: all but the beginning of a character at its end.
    checked: usize,
}

impl Parts {
    /// Fails at once, and not only when the message is whole: nobody waits for the end of what cannot be read.
    fn push(&mut self, payload: &[u8]) -> Result<(), Violation> {
        self.bytes.extend_from_slice(payload);
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

struct Header {
    fin: bool,
    opcode: u8,
    payload_bytes: usize,
    /// Of the header itself.
    bytes: usize,
}

impl FrameReader {
    pub(super) fn new(max_bytes: usize) -> Self {
        FrameReader { max_bytes, parts: None }
    }

    /// Bytes of a message whose end is still to come.
    pub(super) fn held(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.bytes.capacity().max(1))
    }

    /// Reads the first frame of `bytes` and says how many of them it took; `None` if it has not come wholly.
    pub(super) fn read<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Frame<'a>)>, Violation> {
        let Some(header) = self.read_header(bytes)? else { return Ok(None) };
        let end = header.bytes + 4 + header.payload_bytes;
        if bytes.len() < end {
            return Ok(None);
        }
        let (head, payload) = bytes[..end].split_at_mut(header.bytes + 4);
        let key =
            [head[header.bytes], head[header.bytes + 1], head[header.bytes + 2], head[header.bytes + 3]];
        unmask(payload, key);
        Ok(Some((end, self.frame(&header, payload)?)))
    }

    fn read_header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & FIN != 0, first & 0x0F);
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("a reserved bit is set and no extension is agreed"));
        }
        if second & MASKED == 0 {
            return Err(Violation::Protocol("a client must mask its frames"));
        }
        match (opcode, &self.parts) {
            (BINARY, _) => return Err(Violation::Binary),
            (CONTINUATION, None) => return Err(Violation::Protocol("a continuation of nothing")),
            (TEXT, Some(_)) => return Err(Violation::Protocol("a new message within another")),
            (CONTINUATION, Some(_)) | (TEXT, None) => {}
            (CLOSE | PING | PONG, _) if !fin || second & 0x7F > 125 => {
                return Err(Violation::Protocol("a control frame must be whole, of at most 125 bytes"));
            }
            (CLOSE | PING | PONG, _) => {}
            _ => return Err(Violation::Protocol("unknown opcode")),
        }
        let (payload_bytes, header_bytes) = match (second & 0x7F, bytes) {
            (126, &[_, _, a, b, ..]) => (u64::from(u16::from_be_bytes([a, b])), 4),
            (127, &[_, _, a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10),
            (126 | 127, _) => return Ok(None),
            (short, _) => (u64::from(short), 2),
        };
        if (header_bytes == 4 && payload_bytes < 126) || (header_bytes == 10 && payload_bytes <= 0xFFFF) {
            return Err(Violation::Protocol("a length must use the shortest encoding"));
        }
        let so_far = self.parts.as_ref().map_or(0, |parts| parts.bytes.len());
        match usize::try_from(payload_bytes) {
            Ok(payload_bytes) if payload_bytes <= self.max_bytes.saturating_sub(so_far) => {
                Ok(Some(Header { fin, opcode, payload_bytes, bytes: header_bytes }))
            }
            // A control frame is never too big: its length was checked above.
            Ok(payload_bytes) if opcode >= CLOSE => {
                Ok(Some(Header { fin, opcode, payload_bytes, bytes: header_bytes }))
            }
            _ => Err(Violation::TooBig),
        }
    }

    fn frame<'a>(&mut self, header: &Header, payload: &'a [u8]) -> Result<Frame<'a>, Violation> {
        match (header.opcode, header.fin) {
            (TEXT, true) => {
                let text = std::str::from_utf8(payload).map_err(|_| Violation::NotUtf8)?;
                Ok(Frame::Text(Cow::Borrowed(text)))
            }
            (TEXT | CONTINUATION, fin) => {
                let mut parts = self.parts.take().unwrap_or_default();
                parts.push(payload)?;
                if !fin {
                    self.parts = Some(parts);
                    return Ok(Frame::Part);
                }
                let text = String::from_utf8(parts.bytes).map_err(|_| Violation::NotUtf8)?;
                Ok(Frame::Text(Cow::Owned(text)))
            }
            (PING, _) => Ok(Frame::Ping(payload)),
            (PONG, _) => Ok(Frame::Pong(payload)),
            _ => read_close(payload),
        }
    }
}

fn read_close(payload: &[u8]) -> Result<Frame<'static>, Violation> {
    match payload {
        [] => Ok(Frame::Close(None)),
        [a, b, reason @ ..] => {
            let code = u16::from_be_bytes([*a, *b]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol("no such close code"));
            }
            std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Frame::Close(Some(code)))
        }
        [_] => Err(Violation::Protocol("a close code has two bytes")),
    }
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Appends a text frame whose payload `write` appends. The header's length is known only afterwards: room for the
/// usual one is left, and the payload moved in the rare other cases.
pub(super) fn write_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[FIN | TEXT, 126, 0, 0]);
    write(out);
    let payload_bytes = out.len() - start - 4;
    if let Ok(short) = u8::try_from(payload_bytes)
        && short < 126
    {
        out[start + 1] = short;
        out.copy_within(start + 4.., start + 2);
        out.truncate(out.len() - 2);
    } else if let Ok(medium) = u16::try_from(payload_bytes) {
        out[start + 2..start + 4].copy_from_slice(&medium.to_be_bytes());
    } else {
        out[start + 1] = 127;
        out.splice(start + 2..start + 4, (payload_bytes as u64).to_be_bytes());
    }
}

/// A ping that carries a mark: the pong must bring it back (RFC 6455, section 5.5.3).
pub(super) fn write_ping(out: &mut Vec<u8>, mark: u32) {
    out.extend_from_slice(&[FIN | PING, 4]);
    out.extend_from_slice(&mark.to_be_bytes());
}

/// `payload` is that of a ping, so at most 125 bytes.
pub(super) fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    let payload = &payload[..payload.len().min(125)];
    out.extend_from_slice(&[FIN | PONG, payload.len() as u8]);
    out.extend_from_slice(payload);
}

/// `reason` is cut at 123 bytes, ours are ASCII.
pub(super) fn write_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        out.extend_from_slice(&[FIN | CLOSE, 0]);
        return;
    };
    let reason = &reason.as_bytes()[..reason.len().min(123)];
    out.extend_from_slice(&[FIN | CLOSE, 2 + reason.len() as u8]);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason);
}

// By its path, because `crates/fuzz` compiles this file from elsewhere.
#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
