//! Every row of docs/protocol.md, every error and every close code, as a client meets them.

use super::harness::{Client, PATIENCE, Server};
use super::script::play;
use futures_util::SinkExt as _;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn every_message_does_what_its_row_says() {
    let server = Server::start(&[]);
    play(
        &server,
        &[
            (
                "hello",
                r#"
                a > {"type":"hello","version":1}
                a < {"type":"welcome","version":1,"online":"*","resume_token":"*"}
                "#,
            ),
            (
                "neither brought an offer: negotiate, and the one that waited longer begins",
                r#"
                a > {"type":"find_partner","kind":"video","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"video","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"negotiate","shared_interests":[],"language":null}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"negotiate","shared_interests":[],"language":null}
                a > {"type":"offer","sdp":"o\r\n"}
                b < {"type":"offer","match_id":"$m","sdp":"o\r\n"}
                b > {"type":"answer","match_id":"$m","sdp":"a"}
                a < {"type":"answer","match_id":"$m","sdp":"a"}
                a > {"type":"ice_candidate","candidate":{"candidate":"c","sdpMid":"0","any":[1]}}
                b < {"type":"ice_candidate","match_id":"$m","candidate":{"candidate":"c","sdpMid":"0","any":[1]}}
                b > {"type":"ice_candidate","match_id":"$m","candidate":[{"candidate":"1"},{"candidate":"2"}]}
                a < {"type":"ice_candidate","match_id":"$m","candidate":[{"candidate":"1"},{"candidate":"2"}]}
                a > {"type":"ice_candidate","candidate":null}
                b < {"type":"ice_candidate","match_id":"$m","candidate":null}
                a > {"type":"ice_candidate","candidate":""}
                b < {"type":"ice_candidate","match_id":"$m","candidate":""}
                a > {"type":"connected","match_id":"$m","path":"direct","elapsed_ms":212.5,"local_type":"host","remote_type":"srflx","protocol":"udp","family":"ipv4"}
                b > {"type":"connected","match_id":"$m","path":"relay","elapsed_ms":1}
                a silent
                b silent
                "#,
            ),
            (
                "the waiting one brought an offer: the other answers it",
                r#"
                a > {"type":"find_partner","kind":"video","pool":"$pool","offer":{"sdp":"of a"}}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"video","pool":"$pool"}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"answer_offer","shared_interests":[],"language":null,"offer":{"sdp":"of a"}}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"answer_offer","shared_interests":[],"language":null}
                "#,
            ),
            (
                "only the arriving one brought an offer",
                r#"
                a > {"type":"find_partner","kind":"audio","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"audio","pool":"$pool","offer":{"sdp":"of b"}}
                a < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"answer_offer","shared_interests":[],"language":null,"offer":{"sdp":"of b"}}
                b < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"answer_offer","shared_interests":[],"language":null}
                "#,
            ),
            (
                "both brought one: that of the longer waiting counts, in its latest form",
                r#"
                a > {"type":"find_partner","kind":"video","pool":"$pool","offer":{"sdp":"old"}}
                a < {"type":"waiting","online":"*"}
                a > {"type":"ticket_offer","sdp":"new"}
                a silent
                b > {"type":"find_partner","kind":"video","pool":"$pool","offer":{"sdp":"of b"}}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"answer_offer","shared_interests":[],"language":null,"offer":{"sdp":"new"}}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"answer_offer","shared_interests":[],"language":null}
                a > {"type":"ticket_offer","sdp":"ignored"}
                a silent
                b silent
                "#,
            ),
            (
                "wishes are shared as normalised",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool","interests":[" JAZZ ","tea"],"languages":["DE","en"]}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool","interests":["jazz"],"languages":["de"],"pin":["language","interests"]}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":["jazz"],"language":"de"}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"text","shared_interests":["jazz"],"language":"de"}
                a > {"type":"typing","on":true}
                b < {"type":"typing","match_id":"$m","on":true}
                a > {"type":"message","text":"hé \"<x*1900>\" \u0001"}
                b < {"type":"message","match_id":"$m","text":"hé \"<x*1900>\" \u0001"}
                "#,
            ),
            (
                "next finds the next one, and the survivor goes back to the line",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool","requeue":true}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":[],"language":null}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"text","shared_interests":[],"language":null}
                b > {"type":"next","match_id":"0000000000000bad"}
                b silent
                b > {"type":"next","match_id":"$m"}
                a < {"type":"partner_left","match_id":"$m","reason":"next","requeued":true}
                a < {"type":"waiting","online":"*","estimate_ms":"*"}
                c > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$n","initiator":true,"mode":"text","shared_interests":[],"language":null}
                c < {"type":"partner_found","match_id":"$n","initiator":false,"mode":"text","shared_interests":[],"language":null}
                a > {"type":"message","match_id":"$m","text":"for the earlier one"}
                a > {"type":"message","match_id":"$n","text":"for you"}
                c < {"type":"message","match_id":"$n","text":"for you"}
                "#,
            ),
            (
                "stop leaves, and is told so last",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":[],"language":null}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"text","shared_interests":[],"language":null}
                a > {"type":"stop"}
                a < {"type":"stopped"}
                b < {"type":"partner_left","match_id":"$m","reason":"stop","requeued":false}
                a > {"type":"message","text":"too late"}
                a silent
                b silent
                "#,
            ),
            (
                "a close frame is leaving",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":[],"language":null}
                b close
                a < {"type":"partner_left","match_id":"$m","reason":"closed","requeued":false}
                "#,
            ),
            (
                "a socket that breaks is lost",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":[],"language":null}
                b drop
                a < {"type":"partner_left","match_id":"$m","reason":"lost","requeued":false}
                "#,
            ),
            (
                "who is blocked hears a kind word, and the blocker that it holds",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"text","shared_interests":[],"language":null}
                b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"text","shared_interests":[],"language":null}
                a > {"type":"block","match_id":"$m"}
                b < {"type":"partner_left","match_id":"$m","reason":"next","requeued":false}
                a < {"type":"blocked","match_id":"$m","block":"$block"}
                a > {"type":"unblock","block":"$block"}
                a < {"type":"unblocked","block":"$block"}
                a > {"type":"unblock","block":"none"}
                a < {"type":"error","code":"bad_field","message":"*","retry":false,"of":"unblock","nth":4}
                a > {"type":"ping"}
                a < {"type":"pong","received":5}
                "#,
            ),
            (
                "different pools and kinds do not meet",
                r#"
                a > {"type":"find_partner","kind":"text","pool":"$pool"}
                a < {"type":"waiting","online":"*"}
                b > {"type":"find_partner","kind":"text","pool":"$pool other"}
                b < {"type":"waiting","online":"*"}
                c > {"type":"find_partner","kind":"audio","pool":"$pool"}
                c < {"type":"waiting","online":"*"}
                a silent
                "#,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_error_names_the_culprit_and_has_no_other_effect() {
    let server = Server::start(&[]);
    let mut client = server.connect().await;
    let mut nth = 0;
    let long = |n: usize| "x".repeat(n);
    let sdp = json!({"type": "ticket_offer", "sdp": long(32 * 1024 + 1)}).to_string();
    let text = json!({"type": "message", "text": long(2001)}).to_string();
    let candidate = json!({"type": "ice_candidate", "candidate": {"candidate": long(1024)}}).to_string();
    for (said, code, culprit) in [
        ("{", "bad_json", "JSON"),
        ("[]", "bad_json", "object"),
        (r#"{"type":"dance"}"#, "unknown_type", "dance"),
        (r#"{"kind":"text"}"#, "bad_field", "type"),
        (r#"{"type":"find_partner"}"#, "bad_field", "kind"),
        (r#"{"type":"find_partner","kind":"smell"}"#, "bad_field", "smell"),
        (r#"{"type":"find_partner","kind":"text","age":7}"#, "bad_field", "age"),
        (
            r#"{"type":"find_partner","kind":"text","interests":["","<","x","y","z",1]}"#,
            "bad_field",
            "interests[5]",
        ),
        (r#"{"type":"find_partner","kind":"text","languages":["not a tag"]}"#, "bad_field", "languages[0]"),
        (r#"{"type":"typing"}"#, "bad_field", "on"),
        (r#"{"type":"ice_candidate","candidate":7}"#, "bad_field", "candidate"),
        (&sdp, "too_large", "sdp"),
        (&text, "too_large", "text"),
        (&candidate, "too_large", "candidate"),
        (r#"{"type":"ice_candidate","candidate":[[[[[[[[]]]]]]]]}"#, "too_deep", "8"),
        (r#"{"type":"offer","sdp":"x"}"#, "not_matched", ""),
        (r#"{"type":"message","text":"x"}"#, "not_matched", ""),
        (r#"{"type":"next"}"#, "not_searching", ""),
        (r#"{"type":"hello","version":2}"#, "unsupported_version", "1"),
    ] {
        client.say(said).await;
        let heard = client.hear().await;
        assert_eq!((&heard["type"], &heard["code"]), (&json!("error"), &json!(code)), "{said:.80}: {heard}");
        nth += 1;
        assert_eq!(heard["nth"], json!(nth), "{said:.80}: {heard}");
        assert_eq!(heard["retry"], json!(false), "{heard}");
        assert!(heard["message"].as_str().is_some_and(|m| m.contains(culprit)), "{said:.80}: {heard}");
    }
    // It still does what it should.
    client.say(r#"{"type":"find_partner","kind":"text","requeue":true}"#).await;
    assert_eq!(client.hear().await["type"], "waiting");
}

#[tokio::test]
async fn a_session_that_said_hello_names_its_match() {
    let server = Server::start(&[]);
    play(
        &server,
        &[(
            "match_id_required, and the budget of candidates",
            r#"
            a > {"type":"hello","version":1}
            a < {"type":"welcome","version":1,"online":"*","resume_token":"*"}
            a > {"type":"find_partner","kind":"video","pool":"$pool"}
            a < {"type":"waiting","online":"*","resume_token":"*"}
            b > {"type":"find_partner","kind":"video","pool":"$pool"}
            a < {"type":"partner_found","match_id":"$m","initiator":true,"mode":"negotiate","shared_interests":[],"language":null,"resume_token":"*"}
            b < {"type":"partner_found","match_id":"$m","initiator":false,"mode":"negotiate","shared_interests":[],"language":null}
            a > {"type":"offer","sdp":"x"}
            a < {"type":"error","code":"match_id_required","message":"*","retry":false,"of":"offer","nth":3}
            b > {"type":"ice_candidate","candidate":[<{},*63>{}]}
            a < {"type":"ice_candidate","match_id":"$m","candidate":[<{},*63>{}]}
            b > {"type":"ice_candidate","candidate":{}}
            b < {"type":"error","code":"too_large","message":"*","retry":false,"of":"ice_candidate","nth":3}
            "#,
        )],
    )
    .await;
}

#[tokio::test]
async fn too_fast_says_when_to_go_on_and_in_the_end_closes_with_1008() {
    let server = Server::start(&["--limits-message-burst", "5", "--limits-max-refusals", "3"]);
    let mut client = server.connect().await;
    for _ in 0..12 {
        client.say(r#"{"type":"ticket_offer","sdp":"x"}"#).await;
    }
    let heard = client.hear().await;
    assert_eq!((&heard["code"], &heard["retry"]), (&json!("too_fast"), &json!(true)));
    assert!(heard["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{heard}");
    assert_eq!(heard["of"], json!("ticket_offer"), "{heard}");
    assert!(heard["nth"].as_u64().is_some_and(|nth| nth > 5), "{heard}");
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn next_is_limited_kindly() {
    let server = Server::start(&["--limits-next-burst", "2"]);
    let mut client = server.connect().await;
    client.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    assert_eq!(client.hear().await["type"], "waiting");
    for _ in 0..3 {
        client.say(r#"{"type":"next"}"#).await;
    }
    let heard = client.hear().await;
    assert_eq!((&heard["code"], &heard["retry"]), (&json!("too_fast"), &json!(true)), "{heard}");
}

#[tokio::test]
async fn a_socket_closed_with_4000_comes_back_with_its_token_and_any_other_close_is_leaving() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    for client in [&mut one, &mut other] {
        client.say(r#"{"type":"hello","version":1}"#).await;
        client.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    }
    let found = one.hear_type("partner_found").await;
    other.hear_type("partner_found").await;
    one.close_with(4000).await;
    assert_eq!(other.hear().await["type"], "partner_reconnecting");
    let mut again = server.connect().await;
    let resume = json!({"type": "hello", "version": 1, "resume": found["resume_token"], "received": 2});
    again.say(&resume.to_string()).await;
    let welcome = again.hear().await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &found["match_id"]), "{welcome}");
    assert_eq!(other.hear().await["type"], "partner_back");
    again.close_with(4001).await;
    assert_eq!(other.hear().await["reason"], "closed");
}

#[tokio::test]
async fn a_frame_that_may_not_be_is_closed_with_its_code_and_the_partner_is_told() {
    let server = Server::start(&[]);
    for (frame, code) in [
        (Message::binary(vec![1]), 1003),
        (Message::text("x".repeat(64 * 1024 + 1)), 1009),
        (Message::text("x".repeat(8 * 1024 * 1024)), 1009),
    ] {
        let mut bad = server.connect().await;
        let mut good = server.connect().await;
        bad.say(r#"{"type":"find_partner","kind":"text"}"#).await;
        assert_eq!(bad.hear().await["type"], "waiting");
        good.say(r#"{"type":"find_partner","kind":"text"}"#).await;
        assert_eq!(good.hear().await["type"], "partner_found");
        // The server may stop reading before all of it is sent.
        let _ = timeout(PATIENCE, bad.0.send(frame)).await;
        assert_eq!(bad.closed().await.0, code);
        assert_eq!(good.hear().await["type"], "partner_left");
        good.say(r#"{"type":"hello","version":1}"#).await;
        assert_eq!(good.hear().await["type"], "welcome");
    }
    // At the limit it is read, and only refused for what it says.
    let mut client = server.connect().await;
    client.say(&"x".repeat(64 * 1024)).await;
    assert_eq!(client.hear().await["code"], "bad_json");
}

#[tokio::test]
async fn what_is_not_websocket_is_closed_with_1002_or_1007() {
    let server = Server::start(&[]);
    for (bytes, code) in [
        (&b"\x81\x01x"[..], 1002u16),
        (b"\xC1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xFF", 1007),
    ] {
        let mut tcp = server.connect().await.0.into_inner();
        tcp.write_all(bytes).await.unwrap();
        let mut head = [0; 4];
        timeout(PATIENCE, tcp.read_exact(&mut head)).await.unwrap().unwrap();
        assert_eq!((head[0], u16::from_be_bytes([head[2], head[3]])), (0x88, code), "{bytes:?}");
    }
}

#[tokio::test]
async fn frames_may_come_in_any_pieces() {
    let server = Server::start(&[]);
    let mut tcp = server.connect().await.0.into_inner();
    // `hello` in three frames with a ping between, byte by byte.
    let text = br#"{"type":"hello","version":1}"#;
    let mut bytes = Vec::new();
    for (first, part) in [(0x01, &text[..5]), (0x89, b"?"), (0x00, &text[5..6]), (0x80, &text[6..])] {
        bytes.extend([first, 0x80 | part.len() as u8, 0, 0, 0, 0]);
        bytes.extend(part);
    }
    for byte in bytes {
        tcp.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut answer = vec![0; 3];
    timeout(PATIENCE, tcp.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"\x8A\x01?", "the pong");
    let mut client = Client(
        tokio_tungstenite::WebSocketStream::from_raw_socket(
            tcp,
            tokio_tungstenite::tungstenite::protocol::Role::Client,
            None,
        )
        .await,
    );
    assert_eq!(client.hear().await["type"], "welcome");
}

#[tokio::test]
async fn silence_is_pinged_and_then_closed_with_1001() {
    let server = Server::start(&["--lobby-ping-after-ms", "200", "--lobby-cut-after-ms", "600"]);
    let mut client = server.connect().await;
    assert!(matches!(client.next().await, Message::Ping(_)));
    // Reading on, the client's library answers: it stays.
    for _ in 0..4 {
        assert!(matches!(client.next().await, Message::Ping(_)));
    }
    // A socket that nobody reads does not.
    let mut tcp = client.0.into_inner();
    let mut bytes = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let close = bytes.windows(4).any(|four| four[0] == 0x88 && four[2..] == 1001u16.to_be_bytes());
    assert!(close, "{bytes:?}");
}

#[tokio::test]
async fn what_comes_right_behind_the_request_is_read() {
    let server = Server::start(&[]);
    let mut tcp = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let mut bytes = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    let hello = br#"{"type":"hello","version":1}"#;
    bytes.extend([0x81, 0x80 | hello.len() as u8, 0, 0, 0, 0]);
    bytes.extend(hello);
    tcp.write_all(&bytes).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("welcome") {
        let mut part = [0; 1024];
        let count = timeout(PATIENCE, tcp.read(&mut part)).await.unwrap().unwrap();
        assert!(count > 0);
        heard.extend(&part[..count]);
    }
}
