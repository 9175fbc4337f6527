//! What RFC 6455 asks of a server, case by case over raw sockets, in the categories of the Autobahn test suite (whose
//! published version needs Python 2). Every case is sent whole and byte by byte; the answer must be the same.
//!
//! The server is no echo: a text that it accepts it answers, here by an `error` that tells the message's number.

use super::harness::{PATIENCE, Server};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A client's frame with the shortest length.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        medium @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    let key = [0x5A, 0x00, 0xFF, 0x13];
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// The answer to the text of this number.
    Answer(u64),
    Pong(Vec<u8>),
    /// With its code; then the socket ends.
    Close(Option<u16>),
}

use Heard::{Answer, Close, Pong};

struct Raw(TcpStream);

impl Raw {
    async fn connect(server: &Server) -> Self {
        let tcp = server.connect().await.0.into_inner();
        // Pieces shall arrive as pieces.
        tcp.set_nodelay(true).expect("a socket option");
        Raw(tcp)
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the socket takes it");
    }

    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("in time").expect("more to come");
        bytes
    }

    async fn hear(&mut self) -> Heard {
        let head = self.bytes(2).await;
        let length = match head[1] {
            126 => u16::from_be_bytes(self.bytes(2).await.try_into().expect("two")).into(),
            short => usize::from(short),
        };
        let payload = self.bytes(length).await;
        assert_eq!(head[0] & 0xF0, FIN, "whole, and no reserved bit");
        match head[0] & 0x0F {
            TEXT => {
                let answer: Value = serde_json::from_slice(&payload).expect("JSON");
                Answer(answer["nth"].as_u64().expect("the number of the message"))
            }
            PONG => Pong(payload),
            CLOSE => {
                let rest = timeout(PATIENCE, self.0.read_to_end(&mut Vec::new())).await;
                assert!(rest.expect("in time").is_ok_and(|more| more == 0), "nothing follows a close frame");
                Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])))
            }
            other => panic!("a frame of opcode {other}"),
        }
    }
}

/// Sends each case whole, and byte by byte if it is short, and hears exactly that.
async fn check(server: &Server, cases: impl IntoIterator<Item = (String, Vec<u8>, Vec<Heard>)>) {
    for (name, bytes, expected) in cases {
        for step in [bytes.len().max(1), 1] {
            if step == 1 && bytes.len() > 600 {
                continue;
            }
            let mut raw = Raw::connect(server).await;
            for piece in bytes.chunks(step) {
                // Who is closed is not obliged to take the rest.
                if raw.0.write_all(piece).await.is_err() {
                    break;
                }
            }
            for one in &expected {
                assert_eq!(raw.hear().await, *one, "{name}, in steps of {step}");
            }
            if !matches!(expected.last(), Some(Close(_))) {
                raw.say(&close(1000, b"")).await;
                assert_eq!(raw.hear().await, Close(Some(1000)), "{name} leaves the socket as it should be");
            }
        }
    }
}

fn case(name: impl Into<String>, frames: &[Vec<u8>], expected: Vec<Heard>) -> (String, Vec<u8>, Vec<Heard>) {
    (name.into(), frames.concat(), expected)
}

#[tokio::test]
async fn framing_of_all_lengths() {
    let server = Server::start(&[]);
    let sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
    check(
        &server,
        sizes.map(|size| case(format!("text of {size}"), &[text(&vec![b'x'; size])], vec![Answer(1)])),
    )
    .await;
    let too_long =
        |length: &[u8]| [&[FIN | TEXT, 0x80 | if length.len() == 2 { 126 } else { 127 }], length].concat();
    check(
        &server,
        [
            case(
                "a frame above the limit, by its header",
                &[too_long(&65_537u64.to_be_bytes())],
                vec![Close(Some(1009))],
            ),
            case("a frame of 2^63", &[too_long(&(1u64 << 63).to_be_bytes())], vec![Close(Some(1009))]),
            case("16 bits for 125", &[too_long(&125u16.to_be_bytes())], vec![Close(Some(1002))]),
            case("64 bits for 65535", &[too_long(&65_535u64.to_be_bytes())], vec![Close(Some(1002))]),
            case("binary", &[frame(FIN | BINARY, b"x")], vec![Close(Some(1003))]),
            case("no mask", &[vec![FIN | TEXT, 1, b'x']], vec![Close(Some(1002))]),
            case("a mask of zeros", &[[&[FIN | TEXT, 0x81, 0, 0, 0, 0][..], b"x"].concat()], vec![Answer(1)]),
        ],
    )
    .await;
}

#[tokio::test]
async fn pings_and_pongs() {
    let server = Server::start(&[]);
    let long = vec![0xFE; 125];
    check(
        &server,
        [
            case("an empty ping", &[frame(FIN | PING, b"")], vec![Pong(vec![])]),
            case("a ping", &[frame(FIN | PING, b"Hello")], vec![Pong(b"Hello".to_vec())]),
            case("binary in a ping", &[frame(FIN | PING, &[0, 255, 254])], vec![Pong(vec![0, 255, 254])]),
            case("the longest ping", &[frame(FIN | PING, &long)], vec![Pong(long)]),
            case("a ping too long", &[frame(FIN | PING, &[7; 126])], vec![Close(Some(1002))]),
            case("a pong unasked", &[frame(FIN | PONG, b"?"), text(b"x")], vec![Answer(1)]),
            case("a pong too long", &[frame(FIN | PONG, &[7; 126])], vec![Close(Some(1002))]),
        ],
    )
    .await;
    // Of pings that come faster than they are answered only the newest must be (RFC 6455, section 5.5.3).
    let mut raw = Raw::connect(&server).await;
    raw.say(&(0..10).flat_map(|n| frame(FIN | PING, &[n])).collect::<Vec<u8>>()).await;
    while raw.hear().await != Pong(vec![9]) {}
}

#[tokio::test]
async fn reserved_bits_and_opcodes() {
    let server = Server::start(&[]);
    let refused = || vec![Close(Some(1002))];
    let bits = (1..8u8).flat_map(|bits| {
        [TEXT, PING, CLOSE].map(|opcode| {
            case(
                format!("bits {bits} of opcode {opcode}"),
                &[frame(FIN | bits << 4 | opcode, b"")],
                refused(),
            )
        })
    });
    check(&server, bits).await;
    let opcodes = (3..8).chain(11..16).flat_map(|opcode| {
        [
            case(format!("opcode {opcode}"), &[frame(FIN | opcode, b"")], refused()),
            case(format!("opcode {opcode} with payload"), &[frame(FIN | opcode, b"payload")], refused()),
        ]
    });
    check(&server, opcodes).await;
}

#[tokio::test]
async fn fragmentation() {
    let server = Server::start(&[]);
    let refused = || vec![Close(Some(1002))];
    let many: Vec<Vec<u8>> = [frame(TEXT, b"")]
        .into_iter()
        .chain((0..500).map(|_| frame(CONTINUATION, b"y")))
        .chain([frame(FIN | CONTINUATION, b"")])
        .collect();
    let too_much: Vec<Vec<u8>> =
        [frame(TEXT, b"z")].into_iter().chain((0..5).map(|_| frame(CONTINUATION, &[b'z'; 16_000]))).collect();
    check(
        &server,
        [
            case("a ping in two", &[frame(PING, b"a"), frame(FIN | CONTINUATION, b"b")], refused()),
            case("a pong in two", &[frame(PONG, b"a"), frame(FIN | CONTINUATION, b"b")], refused()),
            case("a close in two", &[frame(CLOSE, b""), frame(FIN | CONTINUATION, b"")], refused()),
            case("a text in two", &[frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"b")], vec![Answer(1)]),
            case(
                "a text in empty parts",
                &[frame(TEXT, b""), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"")],
                vec![Answer(1)],
            ),
            case(
                "a ping between",
                &[frame(TEXT, b"a"), frame(FIN | PING, b"!"), frame(FIN | CONTINUATION, b"b")],
                vec![Pong(b"!".to_vec()), Answer(1)],
            ),
            case(
                "a pong between",
                &[frame(TEXT, b"a"), frame(FIN | PONG, b"!"), frame(FIN | CONTINUATION, b"b")],
                vec![Answer(1)],
            ),
            case("a close between", &[frame(TEXT, b"a"), close(1000, b"")], vec![Close(Some(1000))]),
            case("a continuation of nothing", &[frame(CONTINUATION, b"a")], refused()),
            case("a last continuation of nothing", &[frame(FIN | CONTINUATION, b"a")], refused()),
            case("a new text within another", &[frame(TEXT, b"a"), text(b"b")], refused()),
            case(
                "a binary within a text",
                &[frame(TEXT, b"a"), frame(FIN | BINARY, b"b")],
                vec![Close(Some(1003))],
            ),
            case("many parts", &many, vec![Answer(1)]),
            case("parts that are too much together", &too_much, vec![Close(Some(1009))]),
        ],
    )
    .await;
}

#[tokio::test]
async fn utf8() {
    let server = Server::start(&[]);
    let valid = [
        "κόσμε",
        "\u{0}",
        "\u{7F}",
        "\u{80}",
        "\u{7FF}",
        "\u{800}",
        "\u{FFFD}",
        "\u{FFFF}",
        "\u{10000}",
        "\u{10FFFF}",
        "😀",
    ];
    let cut_anywhere = valid.iter().flat_map(|sound| {
        let bytes = sound.as_bytes();
        (0..=bytes.len()).map(move |at| {
            let frames = [frame(TEXT, &bytes[..at]), frame(FIN | CONTINUATION, &bytes[at..])];
            case(format!("{sound:?} cut at {at}"), &frames, vec![Answer(1)])
        })
    });
    check(&server, cut_anywhere).await;
    let invalid: [&[u8]; 17] = [
        b"\x80",
        b"\xBF",
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xC2",
        b"\xC3\x28",
        b"\xE0\x80\x80",
        b"\xE0\x9F\xBF",
        b"\xE2\x82",
        b"\xE2\x28\xA1",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x9F\x98",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xFF",
    ];
    let whole = invalid.iter().flat_map(|broken| {
        let in_words = [b"\xCE\xBA", *broken, b"\x65"].concat();
        let cut = in_words.len() / 2;
        [
            case(format!("{broken:x?}"), &[text(broken)], vec![Close(Some(1007))]),
            case(format!("{broken:x?} in words"), &[text(&in_words)], vec![Close(Some(1007))]),
            case(
                format!("{broken:x?} in two"),
                &[frame(TEXT, &in_words[..cut]), frame(FIN | CONTINUATION, &in_words[cut..])],
                vec![Close(Some(1007))],
            ),
            // Nobody waits for the end of what cannot be read.
            case(format!("{broken:x?} and no end"), &[frame(TEXT, &in_words)], vec![Close(Some(1007))]),
        ]
    });
    check(&server, whole).await;
}

#[tokio::test]
async fn closing() {
    let server = Server::start(&[]);
    let echoed = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
        .map(|code| case(format!("close {code}"), &[close(code, b"bye")], vec![Close(Some(code))]));
    check(&server, echoed).await;
    let refused = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
        .map(|code| case(format!("close {code}"), &[close(code, b"")], vec![Close(Some(1002))]));
    check(&server, refused).await;
    check(
        &server,
        [
            case("close without a code", &[frame(FIN | CLOSE, b"")], vec![Close(None)]),
            case("half a code", &[frame(FIN | CLOSE, b"\x03")], vec![Close(Some(1002))]),
            case("the longest reason", &[close(1000, &[b'r'; 123])], vec![Close(Some(1000))]),
            case("a reason too long", &[close(1000, &[b'r'; 124])], vec![Close(Some(1002))]),
            case("a reason that is no text", &[close(1000, b"\xCE\xBA\xFF")], vec![Close(Some(1007))]),
            case("a second close", &[close(1000, b""), close(1001, b"")], vec![Close(Some(1000))]),
            case("a text behind the close", &[close(1000, b""), text(b"late")], vec![Close(Some(1000))]),
            case(
                "a ping behind the close",
                &[close(1000, b""), frame(FIN | PING, b"late")],
                vec![Close(Some(1000))],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn no_extension_is_agreed_however_it_is_offered() {
    let server = Server::start(&[]);
    let offers = "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame, nonsense; a=\"b\"";
    let mut tcp = TcpStream::connect(server.http).await.expect("connects");
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offers}\r\n\r\n",
        server.http
    );
    tcp.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(timeout(PATIENCE, tcp.read_buf(&mut head)).await.expect("in time").expect("a head") > 0);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
}
