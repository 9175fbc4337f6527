//! The way of a client's bytes: frames, messages, and back to bytes.
//!
//! What must hold: it makes no difference in which pieces the bytes come; whatever is accepted is read alike by another
//! implementation of WebSocket, and by a JSON parser that knows nothing of our types; what is accepted is within its
//! limits, and reads back as itself after it was written; what is refused is refused in a sentence that fits into a frame.

mod message;

use crate::choices::Choices;
use crate::frame::{self, Frame, FrameReader};
use std::io::{self, Cursor, Read, Write};
use tungstenite::protocol::{Message, Role, WebSocket, WebSocketConfig};
use visavis_protocol::Limits;

/// The first byte says how to take the rest: as a socket's bytes, as a row of frames, or as one message's text.
pub fn wire(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let way = choices.byte();
    let limits =
        Limits { max_frame_bytes: [65_536, 1_024, 64][usize::from(way >> 4) % 3], ..Limits::default() };
    match way % 3 {
        0 => conversation(choices.rest().to_vec(), &limits),
        1 => conversation(frames(choices), &limits),
        _ => {
            if let Ok(text) = std::str::from_utf8(choices.rest()) {
                message::check(text, &limits);
            }
        }
    }
}

/// A client's frames as the bytes choose them: flags and opcode, length, payload; masked by a key of theirs.
fn frames(mut choices: Choices<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    while !choices.is_over() {
        let first = choices.byte();
        let length = choices.byte();
        let payload = choices.bytes(if length < 254 { usize::from(length) } else { 4_096 });
        stream.push(first);
        match payload.len() {
            short @ ..126 => stream.push(0x80 | short as u8),
            medium => {
                stream.push(0x80 | 126);
                stream.extend((medium as u16).to_be_bytes());
            }
        }
        let key = [length, first, 0x5A, 0];
        stream.extend(key);
        stream.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    stream
}

/// What a frame said, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// Why no more was read; by its close code.
    Violation(u16),
}

fn conversation(stream: Vec<u8>, limits: &Limits) {
    let said = read_in_pieces(&stream, limits.max_frame_bytes, |_| usize::MAX);
    for size in [1, 3, 64] {
        let pieces = read_in_pieces(&stream, limits.max_frame_bytes, |_| size);
        assert_eq!(pieces, said, "in pieces of {size} bytes");
    }
    let uneven = |at: usize| 1 + usize::from(stream.get(at).copied().unwrap_or_default());
    assert_eq!(read_in_pieces(&stream, limits.max_frame_bytes, uneven), said, "in uneven pieces");
    compare_with_tungstenite(&stream, &said, limits.max_frame_bytes);
    for one in &said {
        if let Said::Text(text) = one {
            assert!(text.len() <= limits.max_frame_bytes);
            message::check(text, limits);
        }
    }
    write_back(&said);
}

/// As a connection reads: what came is put behind what was left, and read until no whole frame is there.
fn read_in_pieces(stream: &[u8], max_bytes: usize, size: impl Fn(usize) -> usize) -> Vec<Said> {
    let mut reader = FrameReader::new(max_bytes);
    let (mut unread, mut at, mut said) = (Vec::new(), 0, Vec::new());
    while at < stream.len() {
        let end = at.saturating_add(size(at)).min(stream.len());
        unread.extend_from_slice(&stream[at..end]);
        at = end;
        loop {
            let (taken, one) = match reader.read(&mut unread) {
                Ok(None) => break,
                Ok(Some((taken, frame))) => (taken, keep(frame)),
                Err(violation) => (0, Some(Said::Violation(violation.close().0))),
            };
            let over = matches!(one, Some(Said::Close(_) | Said::Violation(_)));
            said.extend(one);
            if over {
                return said;
            }
            unread.drain(..taken);
        }
        // Ten bytes of header, four of key, and a payload within its limit, or 125 bytes of a control frame.
        assert!(
            unread.len() <= max_bytes.max(125) + 14 || at == stream.len() || size(at) > 256,
            "it waits for too much"
        );
    }
    said
}

fn keep(frame: Frame<'_>) -> Option<Said> {
    match frame {
        Frame::Text(text) => Some(Said::Text(text.into_owned())),
        Frame::Part => None,
        Frame::Ping(payload) => Some(Said::Ping(payload.to_vec())),
        Frame::Pong(payload) => Some(Said::Pong(payload.to_vec())),
        Frame::Close(code) => Some(Said::Close(code)),
    }
}

/// What we take for the client's words, another implementation takes for the same. It may accept more than we do (it
/// knows binary messages, and lengths written longer than needed), never less.
fn compare_with_tungstenite(stream: &[u8], said: &[Said], max_bytes: usize) {
    let config =
        WebSocketConfig::default().max_message_size(Some(max_bytes)).max_frame_size(Some(max_bytes.max(125)));
    let mut socket = WebSocket::from_raw_socket(Line::of(stream), Role::Server, Some(config));
    for one in said.iter().filter(|one| !matches!(one, Said::Violation(_))) {
        let theirs = loop {
            match socket.read() {
                // Only we pass these over.
                Ok(Message::Frame(_)) => {}
                other => break other,
            }
        };
        match (one, theirs) {
            (Said::Text(ours), Ok(Message::Text(theirs))) => assert_eq!(ours.as_str(), theirs.as_str()),
            (Said::Ping(ours), Ok(Message::Ping(theirs))) => assert_eq!(ours.as_slice(), theirs.as_ref()),
            (Said::Pong(ours), Ok(Message::Pong(theirs))) => assert_eq!(ours.as_slice(), theirs.as_ref()),
            (Said::Close(ours), Ok(Message::Close(theirs))) => {
                assert_eq!(*ours, theirs.map(|frame| frame.code.into()));
                return;
            }
            (ours, theirs) => panic!("we read {ours:?}, tungstenite {theirs:?}"),
        }
    }
}

/// The answers that a server gives to what it heard, as a client of another make reads them.
fn write_back(said: &[Said]) {
    let mut stream = Vec::new();
    for one in said {
        match one {
            Said::Text(text) => frame::write_text(&mut stream, |out| out.extend_from_slice(text.as_bytes())),
            Said::Ping(payload) => frame::write_pong(&mut stream, payload),
            Said::Pong(payload) => {
                let mark = payload.iter().fold(0u32, |mark, byte| mark.rotate_left(8) ^ u32::from(*byte));
                frame::write_ping(&mut stream, mark);
            }
            Said::Close(code) => frame::write_close(&mut stream, *code, ""),
            Said::Violation(code) => frame::write_close(&mut stream, Some(*code), "said, and closed"),
        }
    }
    let mut socket = WebSocket::from_raw_socket(Line::of(&stream), Role::Client, None);
    for one in said {
        match (one, socket.read()) {
            (Said::Text(ours), Ok(Message::Text(theirs))) => assert_eq!(ours.as_str(), theirs.as_str()),
            (Said::Ping(ours), Ok(Message::Pong(theirs))) => assert_eq!(ours.as_slice(), theirs.as_ref()),
            (Said::Pong(_), Ok(Message::Ping(theirs))) => assert_eq!(theirs.len(), 4),
            (Said::Close(ours), Ok(Message::Close(theirs))) => {
                assert_eq!(*ours, theirs.map(|frame| frame.code.into()));
            }
            (Said::Violation(ours), Ok(Message::Close(Some(theirs)))) => {
                assert_eq!(*ours, u16::from(theirs.code));
            }
            (ours, theirs) => panic!("we wrote for {ours:?} what tungstenite reads as {theirs:?}"),
        }
    }
}

/// A socket on which all has come, and which takes whatever is written.
struct Line<'a>(Cursor<&'a [u8]>);

impl<'a> Line<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Line(Cursor::new(bytes))
    }
}

impl Read for Line<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
