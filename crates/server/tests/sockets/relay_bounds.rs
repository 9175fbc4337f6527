//! What one address, one credential and all together may have of the relay, and that the rest of the server goes on.

use super::harness::Server;
use super::turn_client::TurnClient;
use std::net::{Ipv4Addr, SocketAddr};
use visavis_turn::Credential;

/// As a page asks for it.
async fn credential(server: &Server) -> Credential {
    let ice = server.get("/api/ice").await.json();
    let text = |field: &str| ice["iceServers"][0][field].as_str().expect("a relay").to_owned();
    Credential { username: text("username"), password: text("credential") }
}

/// Allocates with fresh credentials until the relay refuses one that holds nothing yet; tells how many it got and why
/// it got no more. The clients are kept: a socket that is closed would leave its port to the next.
async fn greedy(server: &Server, from: Ipv4Addr, kept: &mut Vec<TurnClient>) -> (usize, u16) {
    let mut got = 0;
    loop {
        let credential = credential(server).await;
        for of_this in 0.. {
            let mut client = TurnClient::udp_from(from, server.http).await.with(credential.clone());
            match client.allocate().await {
                Ok(_) => {
                    got += 1;
                    kept.push(client);
                }
                Err(code) if of_this == 0 => return (got, code),
                Err(_) => break,
            }
        }
    }
}

async fn is_alive(server: &Server) {
    assert_eq!(server.get("/healthz").await.status, 200);
    let mut visitor = server.connect().await;
    visitor.say(r#"{"type":"hello","version":1}"#).await;
    assert_eq!(visitor.hear().await["type"], "welcome");
}

#[tokio::test]
async fn one_address_gets_its_share_of_the_relay_and_others_theirs() {
    let server = Server::start(&["--turn-allocations-per-address", "40", "--metrics-listen", "127.0.0.1:0"]);
    let mut kept = Vec::new();
    assert_eq!(greedy(&server, Ipv4Addr::LOCALHOST, &mut kept).await, (40, 486));
    server.log_says("turn.allocations_per_address: an allocation is refused, as its address has 40 already");
    let other = TurnClient::udp_from(Ipv4Addr::new(127, 0, 0, 2), server.http).await;
    assert!(other.with(credential(&server).await).allocate().await.is_ok());
    let mut tcp = TurnClient::tcp(server.http).await.with(credential(&server).await);
    assert_eq!(tcp.allocate().await, Err(486), "over TCP it is the same address");
    for _ in 0..50 {
        let mut client = TurnClient::udp(server.http).await.with(credential(&server).await);
        assert_eq!(client.allocate().await, Err(486));
    }
    let hits = server.figure("visavis_relay_bounds_hit_total{bound=\"allocations_per_address\"}").await;
    assert!(hits >= 52.0, "{hits}");
    assert!(!server.log().contains("allocations_per_address"), "one line for all of them");
}

#[tokio::test]
async fn a_credential_has_six_allocations() {
    let server = Server::start(&[]);
    let credential = credential(&server).await;
    let mut codes = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..8 {
        let mut client = TurnClient::udp(server.http).await.with(credential.clone());
        codes.push(client.allocate().await.err());
        kept.push(client);
    }
    assert_eq!(codes, [None, None, None, None, None, None, Some(486), Some(486)]);
}

#[tokio::test]
async fn with_few_open_files_a_full_relay_leaves_the_rest_alone() {
    let server = Server::start_with_files(256, &["--metrics-listen", "127.0.0.1:0"]);
    assert!(server.said_at_start().contains("the open-file limit is 256"), "{}", server.said_at_start());
    let mut kept = Vec::new();
    let (of_one, code) = greedy(&server, Ipv4Addr::LOCALHOST, &mut kept).await;
    assert_eq!(code, 486);
    let (mut all, mut last) = (of_one, 0);
    for n in 2..60 {
        let (got, code) = greedy(&server, Ipv4Addr::new(127, 0, 0, n), &mut kept).await;
        (all, last) = (all + got, code);
        if code == 508 {
            break;
        }
    }
    assert_eq!(last, 508, "it is full after {all}");
    assert!(of_one * 4 <= all, "one address had {of_one} of {all}");
    // As many connections to the relay as it takes, too.
    let mut streams: Vec<TurnClient> = Vec::new();
    for n in 1..60 {
        let at: SocketAddr = (Ipv4Addr::new(127, 0, 1, n), 0).into();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(at).unwrap();
        let mut client = TurnClient::stream(socket.connect(server.http).await.unwrap());
        let binding = client.message(super::turn_client::BINDING, &[]);
        client.send(&binding).await;
        streams.push(client);
    }
    let files = server.figure("process_open_fds").await;
    assert!(files < 230.0, "{files} open files of 256");
    is_alive(&server).await;
    for _ in 0..20 {
        is_alive(&server).await;
    }
    let log = server.log();
    assert!(!log.contains("cannot accept"), "{log}");
    assert!(
        log.lines().filter(|line| line.contains("open-file limit leaves the relay")).count() <= 1,
        "{log}"
    );
}
