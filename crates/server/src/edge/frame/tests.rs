//! Every rule of RFC 6455 that a server's reader must hold to, and the writer read back.

use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame: `first` byte as given, shortest length, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(MASKED | short as u8),
        medium @ 126..=0xFFFF => {
            bytes.push(MASKED | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(MASKED | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    let start = bytes.len();
    bytes.extend(payload);
    unmask(&mut bytes[start..], KEY);
    bytes
}

fn read_all(max: usize, bytes: &[u8]) -> Result<Vec<String>, Violation> {
    let mut bytes = bytes.to_vec();
    let mut reader = FrameReader::new(max);
    let (mut at, mut found) = (0, Vec::new());
    while let Some((taken, frame)) = reader.read(&mut bytes[at..])? {
        found.push(match frame {
            Frame::Text(text) => text.into_owned(),
            Frame::Part => "…".to_owned(),
            Frame::Ping(payload) => format!("ping {}", payload.len()),
            Frame::Pong(_) => "pong".to_owned(),
            Frame::Close(code) => format!("close {code:?}"),
        });
        at += taken;
    }
    assert_eq!(at, bytes.len(), "nothing is left over");
    Ok(found)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read_all(100, &hello).unwrap(), ["Hello"]);
    let ping = [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read_all(100, &ping).unwrap(), ["ping 5"]);
}

#[test]
fn a_frame_is_read_at_every_length_and_never_before_it_is_whole() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 4096, 0xFFFF, 0x10000, 0x10001] {
        let text: String = (0..length).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
        let bytes = frame(FIN | TEXT, text.as_bytes());
        assert_eq!(read_all(0x10001, &bytes).unwrap(), [text.as_str()]);
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 97) {
            let mut part = bytes[..end].to_vec();
            assert_eq!(FrameReader::new(0x10001).read(&mut part), Ok(None), "{length} cut at {end}");
            assert_eq!(part, bytes[..end], "what is not whole stays masked");
        }
    }
}

#[test]
fn a_message_in_parts_is_put_together_around_control_frames() {
    let bytes = [
        frame(TEXT, "hé".as_bytes().split_at(2).0),
        frame(FIN | PING, b"x"),
        frame(CONTINUATION, "hé".as_bytes().split_at(2).1),
        frame(FIN | PONG, b""),
        frame(FIN | CONTINUATION, b"!"),
        frame(FIN | TEXT, b"next"),
    ]
    .concat();
    assert_eq!(read_all(100, &bytes).unwrap(), ["…", "ping 1", "…", "pong", "hé!", "next"]);
}

#[test]
fn what_breaks_the_rules_is_refused_with_its_close_code() {
    let code = |bytes: &[u8]| read_all(100, bytes).unwrap_err().close().0;
    let mut unmasked = frame(FIN | TEXT, b"x");
    unmasked[1] &= !MASKED;
    for (bytes, expected) in [
        (unmasked, 1002),
        (frame(FIN | 0x40 | TEXT, b""), 1002),
        (frame(FIN | 0x3, b""), 1002),
        (frame(FIN | 0xB, b""), 1002),
        (frame(FIN | CONTINUATION, b""), 1002),
        ([frame(TEXT, b"a"), frame(TEXT, b"b")].concat(), 1002),
        (frame(PING, b""), 1002),
        (frame(FIN | PING, &[0; 126]), 1002),
        (frame(FIN | CLOSE, b"x"), 1002),
        (frame(FIN | CLOSE, &999u16.to_be_bytes()), 1002),
        (frame(FIN | CLOSE, &1005u16.to_be_bytes()), 1002),
        (frame(FIN | CLOSE, &[0x03, 0xE8, 0xFF]), 1007),
        (vec![FIN | TEXT, MASKED | 126, 0, 5, 0, 0, 0, 0], 1002),
        (vec![FIN | TEXT, MASKED | 127, 0, 0, 0, 0, 0, 0, 0, 5], 1002),
        (frame(FIN | BINARY, b"x"), 1003),
        (frame(BINARY, b"x"), 1003),
        (frame(FIN | TEXT, &[0xFF]), 1007),
        ([frame(TEXT, b"\xC3"), frame(FIN | CONTINUATION, b"x")].concat(), 1007),
        (frame(FIN | TEXT, &[b'x'; 101]), 1009),
        ([frame(TEXT, &[b'x'; 60]), frame(FIN | CONTINUATION, &[b'x'; 41])].concat(), 1009),
    ] {
        assert_eq!(code(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn a_part_that_is_not_utf8_is_refused_before_the_message_ends() {
    let code = |bytes: &[u8]| read_all(100, bytes).unwrap_err().close().0;
    assert_eq!(code(&frame(TEXT, b"a\xFFb")), 1007);
    assert_eq!(code(&[frame(TEXT, b"\xE2\x82"), frame(CONTINUATION, b"\x28")].concat()), 1007);
    // A character may be cut anywhere, and come one byte at a time.
    let euro = "€".as_bytes();
    let bytes =
        [frame(TEXT, &euro[..1]), frame(CONTINUATION, &euro[1..2]), frame(FIN | CONTINUATION, &euro[2..])];
    assert_eq!(read_all(100, &bytes.concat()).unwrap(), ["…", "…", "€"]);
    assert_eq!(code(&[frame(TEXT, &euro[..2]), frame(FIN | CONTINUATION, b"")].concat()), 1007);
}

#[test]
fn too_big_is_known_from_the_header() {
    let mut header = vec![FIN | TEXT, MASKED | 127];
    header.extend(u64::MAX.to_be_bytes());
    assert_eq!(FrameReader::new(100).read(&mut header), Err(Violation::TooBig));
}

#[test]
fn control_frames_pass_when_a_message_is_full() {
    let bytes = [frame(TEXT, &[b'x'; 100]), frame(FIN | PING, b"y"), frame(FIN | CONTINUATION, b"")].concat();
    assert_eq!(read_all(100, &bytes).unwrap().len(), 3);
}

#[test]
fn close_frames_carry_their_code() {
    assert_eq!(read_all(100, &frame(FIN | CLOSE, b"")).unwrap(), ["close None"]);
    assert_eq!(read_all(100, &frame(FIN | CLOSE, b"\x03\xE9bye")).unwrap(), ["close Some(1001)"]);
    assert_eq!(read_all(100, &frame(FIN | CLOSE, &4000u16.to_be_bytes())).unwrap(), ["close Some(4000)"]);
}

#[test]
fn what_is_written_has_the_shortest_header() {
    for (length, header) in [
        (0usize, vec![0x81, 0]),
        (125, vec![0x81, 125]),
        (126, vec![0x81, 126, 0, 126]),
        (0xFFFF, vec![0x81, 126, 0xFF, 0xFF]),
        (0x10000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = b"before".to_vec();
        write_text(&mut out, |out| out.extend(vec![b'x'; length]));
        assert_eq!(out[..6 + header.len()], [b"before".as_slice(), &header].concat());
        assert_eq!(out[6 + header.len()..], vec![b'x'; length]);
    }
    let mut out = Vec::new();
    write_ping(&mut out, 258);
    write_pong(&mut out, b"p");
    write_close(&mut out, Some(1012), "restart");
    write_close(&mut out, None, "");
    assert_eq!(out, b"\x89\x04\x00\x00\x01\x02\x8A\x01p\x88\x09\x03\xF4restart\x88\x00");
}
