//! How it stops.

use super::harness::{PATIENCE, Server, visavis};
use futures_util::SinkExt as _;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_stop_closes_every_socket_with_1012_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&["--stop-timeout-ms", "1000"]);
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(server.connect().await);
        }
        for client in &mut clients {
            client.say(r#"{"type":"find_partner","kind":"text"}"#).await;
        }
        let began = Instant::now();
        server.signal(signal);
        for client in &mut clients {
            assert_eq!(client.closed().await, (1012, "restart".to_owned()));
        }
        drop(clients);
        assert_eq!(server.exit().await.code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_drain_matches_nobody_carries_calls_on_and_ends_when_everybody_has_moved() {
    let mut server = Server::start(&["--stop-timeout-ms", "60000"]);
    let mut clients = Vec::new();
    for index in 0..3 {
        let mut client = server.connect().await;
        client.say(r#"{"type":"find_partner","kind":"text"}"#).await;
        client.hear_type(if index == 1 { "partner_found" } else { "waiting" }).await;
        clients.push(client);
    }
    let [mut one, mut other, mut alone] = <[_; 3]>::try_from(clients).ok().expect("three");
    one.hear_type("partner_found").await;
    server.signal("TERM");
    for client in [&mut one, &mut other, &mut alone] {
        let told = client.hear_type("draining").await;
        assert!(told["reconnect_after_ms"].is_u64(), "{told}");
    }
    one.say(r#"{"type":"message","text":"still here"}"#).await;
    assert_eq!(other.hear_type("message").await["text"], "still here");
    one.say(r#"{"type":"next"}"#).await;
    one.hear_type("waiting").await;
    other.hear_type("partner_left").await;
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.refusal(&[]).await, Some(503));
    for mut client in [one, other, alone] {
        client.0.close(None).await.unwrap();
    }
    assert_eq!(timeout(PATIENCE, server.exit()).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn nobody_stays_behind_as_a_ghost_however_a_socket_ends() {
    let server = Server::start(&["--metrics-listen", "127.0.0.1:0", "--limits-exempt", "127.0.0.1"]);
    let mut clients = Vec::new();
    for _ in 0..120 {
        clients.push(server.connect().await);
    }
    for client in &mut clients {
        client.say(r#"{"type":"find_partner","kind":"text","requeue":true}"#).await;
    }
    for (index, mut client) in clients.into_iter().enumerate() {
        match index % 4 {
            0 => client.0.close(None).await.unwrap(),
            1 => client.say("{").await,
            2 => client.0.send(Message::binary(vec![0])).await.unwrap(),
            // Closing with a reset, as a crash does.
            _ => client.0.get_ref().set_zero_linger().unwrap(),
        }
    }
    for figure in ["visavis_connections", "visavis_sessions", "visavis_waiting{kind=\"text\"}"] {
        server.figure_becomes(figure, 0.0).await;
    }
}

#[tokio::test]
async fn while_it_stops_it_is_not_ready_and_takes_nobody() {
    let mut server = Server::start(&["--stop-timeout-ms", "3000"]);
    // Neither moves nor answers the close frame, and so holds the stop up.
    let deaf = server.connect().await.0.into_inner();
    server.signal("TERM");
    server.log_says("draining");
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (503, json!({"status": "draining", "store": "ok"})));
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.refusal(&[]).await, Some(503));
    let status = timeout(PATIENCE, server.exit()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    drop(deaf);
}

#[tokio::test]
async fn a_stop_is_bounded_and_a_second_signal_ends_it_at_once() {
    let mut bounded = Server::start(&["--stop-timeout-ms", "100"]);
    let deaf = bounded.connect().await.0.into_inner();
    let began = Instant::now();
    bounded.signal("TERM");
    assert_eq!(bounded.exit().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(2));
    drop(deaf);

    let mut asked_twice = Server::start(&["--stop-timeout-ms", "60000"]);
    let deaf = asked_twice.connect().await.0.into_inner();
    let began = Instant::now();
    asked_twice.signal("TERM");
    asked_twice.log_says("draining");
    asked_twice.signal("INT");
    assert_eq!(asked_twice.exit().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(2));
    drop(deaf);
}

#[tokio::test]
async fn health_tells_a_server_that_lives_from_one_that_does_not() {
    let health = |listen: String| visavis().args(["health", "--listen", &listen]).output().unwrap();
    let mut server = Server::start(&[]);
    let listen = server.http.to_string();
    assert_eq!(health(listen.clone()).status.code(), Some(0));
    assert_eq!(health(format!("0.0.0.0:{}", server.http.port())).status.code(), Some(0));
    server.signal("INT");
    server.exit().await;
    let gone = health(listen.clone());
    assert_eq!(gone.status.code(), Some(1));
    let said = String::from_utf8(gone.stderr).unwrap();
    assert_eq!(said, format!("visavis: {listen} is not healthy: connection refused\n"));
}

#[tokio::test]
async fn no_other_signal_ends_it() {
    let mut server = Server::start(&[]);
    let mut client = server.connect().await;
    for signal in ["USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "PWR", "RTMIN", "HUP"] {
        server.signal(signal);
    }
    server.log_says("SIGHUP: read the settings again");
    client.say(r#"{"type":"hello","version":1}"#).await;
    client.hear_type("welcome").await;
    server.signal("QUIT");
    assert_eq!(client.closed().await, (1012, "restart".to_owned()));
    drop(client);
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_hangup_reloads_what_can_be_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visavis.toml");
    std::fs::write(&file, "workers = 1\n").unwrap();
    let mut server = Server::start(&["--config", file.to_str().unwrap()]);
    let from_friend = [("origin", "https://friend.example")];
    assert_eq!(server.refusal(&from_friend).await, Some(403));

    std::fs::write(&file, "workers = 2\nallow_origin = [\"https://friend.example\"]\n").unwrap();
    server.signal("HUP");
    server.log_says("SIGHUP: in force from now on: allow_origin");
    server.log_says("SIGHUP: changed, but only a restart puts it in force: workers");
    assert_eq!(server.refusal(&from_friend).await, None);

    std::fs::write(&file, "allow_origin = [\"nonsense\"]\n").unwrap();
    server.signal("HUP");
    server.log_says("SIGHUP: the settings stay as they are: ");
    assert_eq!(server.refusal(&from_friend).await, None);

    std::fs::write(&file, "log.level = \"error\"\n").unwrap();
    server.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while server.refusal(&from_friend).await.is_none() {
        assert!(Instant::now() < deadline, "the list is not taken back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.log();
    server.signal("TERM");
    assert_eq!(server.exit().await.code(), Some(0));
    assert_eq!(server.log(), "", "only errors are logged now");
}
