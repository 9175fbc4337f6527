//! A reader that does not read costs its bound, is cut in time, and harms nobody.

use super::harness::{Client, PATIENCE, Server, narrow_socket};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

/// A matched pair, one of whom reads through a narrow socket.
async fn pair(server: &Server) -> (Client, Client) {
    let mut slow = Client::handshake(narrow_socket(server.http).await, server.http, &[]).await.unwrap();
    slow.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    assert_eq!(slow.hear().await["type"], "waiting");
    let mut quick = server.connect().await;
    quick.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    assert_eq!(quick.hear().await["type"], "partner_found");
    assert_eq!(slow.hear().await["type"], "partner_found");
    (slow, quick)
}

async fn neighbours_talk(server: &Server) -> Duration {
    let began = Instant::now();
    let mut one = server.connect().await;
    let mut two = server.connect().await;
    for client in [&mut one, &mut two] {
        client.say(r#"{"type":"find_partner","kind":"text","pool":"neighbours"}"#).await;
    }
    while one.hear().await["type"] != "partner_found" {}
    while two.hear().await["type"] != "partner_found" {}
    one.say(r#"{"type":"message","text":"hi"}"#).await;
    assert_eq!(two.hear().await["text"], "hi");
    began.elapsed()
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut_and_only_its_partner_notices() {
    let flags =
        ["--limits-write-stall-ms", "500", "--limits-exempt", "127.0.0.1", "--metrics-listen", "127.0.0.1:0"];
    let server = Server::start(&flags);
    let (_slow, mut quick) = pair(&server).await;
    let text = format!(r#"{{"type":"message","text":"{}"}}"#, "x".repeat(2000));
    // More than the kernel keeps for the slow one, less than its queue.
    for _ in 0..200 {
        quick.say(&text).await;
    }
    let gone = quick.hear().await;
    assert_eq!((&gone["type"], &gone["reason"]), (&"partner_left".into(), &"lost".into()), "{gone}");
    assert!(neighbours_talk(&server).await < Duration::from_secs(5));
    let stalls = server.figure("visavis_connections_ended_total{reason=\"stall\"}").await;
    let overflows = server.figure("visavis_connections_ended_total{reason=\"overflow\"}").await;
    assert_eq!(stalls + overflows, 1.0);
}

#[tokio::test]
async fn a_queue_that_overflows_ends_its_connection_at_once() {
    let flags =
        ["--limits-exempt", "127.0.0.1", "--metrics-listen", "127.0.0.1:0", "--limits-queue-messages", "50"];
    let server = Server::start(&flags);
    let (_slow, mut quick) = pair(&server).await;
    let text = format!(r#"{{"type":"message","text":"{}"}}"#, "x".repeat(2000));
    let began = Instant::now();
    let flood = async {
        loop {
            quick.say(&text).await;
            if let Ok(Some(Ok(message))) =
                timeout(Duration::ZERO, futures_util::StreamExt::next(&mut quick.0)).await
            {
                break message;
            }
        }
    };
    let told = timeout(PATIENCE, flood).await.expect("the partner is told");
    assert!(told.to_text().unwrap().contains(r#""reason":"lost""#), "{told}");
    assert!(began.elapsed() < Duration::from_secs(8), "before the stall would have been noticed");
    assert_eq!(server.figure("visavis_connections_ended_total{reason=\"overflow\"}").await, 1.0);
}

#[tokio::test]
async fn a_flood_of_pings_or_pongs_is_no_flood_of_anything_else() {
    let server = Server::start(&["--metrics-listen", "127.0.0.1:0"]);
    // The pongs look as if they answered a ping of ours, each another.
    for flood in [b"\x89\x81\0\0\0\0x".repeat(20_000), b"\x8A\x84\0\0\0\x01\0\0\0\x01".repeat(200_000)] {
        let mut tcp = server.connect().await.0.into_inner();
        timeout(PATIENCE, tcp.write_all(&flood)).await.expect("the server reads on").unwrap();
        assert!(neighbours_talk(&server).await < Duration::from_secs(5));
        let sent = server.figure("visavis_sent_bytes_total").await;
        assert!(sent < flood.len() as f64 / 10.0, "{sent} bytes of pongs");
    }
}
