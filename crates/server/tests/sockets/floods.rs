//! One client against its stranger and its neighbours: floods within the documented rates, and messages without an end.

use super::harness::{Client, PATIENCE, Server};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

async fn pair(server: &Server, wish: &str) -> (Client, Client, String) {
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    one.say(wish).await;
    assert_eq!(one.hear().await["type"], "waiting");
    two.say(wish).await;
    let id = one.hear().await["match_id"].as_str().unwrap().to_owned();
    assert_eq!(two.hear().await["type"], "partner_found");
    (one, two, id)
}

/// Sends all of it in one burst, and says something that is small afterwards.
async fn flood(sender: &mut Client, frames: &[String]) {
    for frame in frames {
        sender.0.feed(Message::text(frame.as_str())).await.unwrap();
    }
    sender.0.flush().await.unwrap();
}

#[tokio::test]
async fn a_burst_within_the_documented_rates_does_not_cut_the_stranger() {
    let server = Server::start(&["--metrics-listen", "127.0.0.1:0"]);
    let text = "\u{1f600}".repeat(2_000);
    let plain = r#"{"type":"find_partner","kind":"video"}"#;
    let hidden = r#"{"type":"find_partner","kind":"video","relay_only":true}"#;
    let descriptions: fn(&str) -> serde_json::Value = |sdp| json!({ "type": "offer", "sdp": sdp });
    for (wish, frame, count) in [
        (plain, descriptions(&"v".repeat(32_000)), 20),
        // What the address filter made 6.5 times as long.
        (hidden, descriptions(&"o=\n".repeat(10_700)), 20),
        (plain, json!({ "type": "message", "text": text }), 30),
        (plain, json!({ "type": "typing", "on": true }), 190),
    ] {
        let (mut sender, mut stranger, _) = pair(&server, wish).await;
        flood(&mut sender, &vec![frame.to_string(); count]).await;
        // Past the pause that it is told, what is small passes again.
        let mut heard = 0;
        loop {
            let answer = timeout(Duration::from_secs(2), sender.0.next()).await;
            let Ok(Some(Ok(Message::Text(answer)))) = answer else { break };
            assert!(answer.contains("too_fast"), "{answer}");
            heard += 1;
        }
        assert!(heard > 0 || count == 190 || wish == hidden, "{frame:.80}: nothing was refused");
        stranger.say(r#"{"type":"typing","on":false}"#).await;
        sender.hear_type("typing").await;
        sender.say(r#"{"type":"stop"}"#).await;
        sender.hear_type("stopped").await;
        assert_eq!(stranger.hear_type("partner_left").await["reason"], "stop");
        for client in [&mut sender, &mut stranger] {
            client.0.close(None).await.unwrap();
        }
    }
    for reason in ["overflow", "stall", "broken"] {
        let figure = format!("visavis_connections_ended_total{{reason=\"{reason}\"}}");
        assert_eq!(server.figure(&figure).await, 0.0, "{reason}");
    }
    assert!(server.figure("visavis_too_fast_total{limit=\"signal_bytes\"}").await > 0.0);
    server.log_says("limits.signal_burst_bytes");
}

fn part(first: bool, bytes: usize) -> Message {
    let opcode = if first { Data::Text } else { Data::Continue };
    Message::Frame(Frame::message(vec![b' '; bytes], OpCode::Data(opcode), false))
}

#[tokio::test]
async fn a_message_that_is_never_finished_ends_its_connection() {
    let server = Server::start(&["--limits-message-timeout-ms", "400"]);
    // Pings and pieces in between do not put it off.
    let mut dripping = server.connect().await;
    dripping.0.send(part(true, 40_000)).await.unwrap();
    let drips = async {
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if dripping.0.send(Message::Ping(Vec::new().into())).await.is_err()
                || dripping.0.send(part(false, 1)).await.is_err()
            {
                break;
            }
        }
    };
    drips.await;
    let (code, reason) = timeout(PATIENCE, dripping.closed()).await.unwrap();
    assert_eq!((code, reason.as_str()), (1008, "a message was not finished in time"));
    // Whoever finishes in time stays, message after message.
    let mut slow = server.connect().await;
    for _ in 0..3 {
        slow.0.send(part(true, 10)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let end = br#"{"type":"find_partner","kind":"text"}"#.to_vec();
        slow.0.send(Message::Frame(Frame::message(end, OpCode::Data(Data::Continue), true))).await.unwrap();
    }
    assert_eq!(slow.hear().await["type"], "waiting");
}

#[tokio::test]
async fn sessions_that_lost_their_socket_count_towards_their_address() {
    let server = Server::start(&["--limits-connections-per-address", "5", "--metrics-listen", "127.0.0.1:0"]);
    for _ in 0..40 {
        let mut client = server.connect().await;
        client.say(r#"{"type":"hello","version":1}"#).await;
        assert_eq!(client.hear().await["type"], "welcome");
        // Without a close frame.
        socket2::SockRef::from(client.0.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.figure_becomes("visavis_connections", 0.0).await;
    let kept = server.figure("visavis_sessions").await;
    assert!(kept <= 5.0, "{kept} sessions of one address are kept");
    assert!(server.figure("visavis_sessions_not_kept_total").await >= 30.0);
}
