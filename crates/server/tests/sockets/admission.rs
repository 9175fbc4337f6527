//! Who may connect, and how many.

use super::harness::{Client, PATIENCE, Server, narrow_socket, request};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn a_foreign_page_is_refused_and_a_native_client_passes() {
    let server = Server::start(&["--allow-origin", "https://friend.example"]);
    let own = format!("http://{}", server.http);
    assert_eq!(server.refusal(&[]).await, None, "no Origin");
    assert_eq!(server.refusal(&[("origin", &own)]).await, None);
    assert_eq!(server.refusal(&[("origin", "https://friend.example")]).await, None);
    for foreign in
        ["https://evil.example", "null", "http://127.0.0.1:1", "https://friend.example.evil.example"]
    {
        assert_eq!(server.refusal(&[("origin", foreign)]).await, Some(403), "{foreign}");
    }
}

#[tokio::test]
async fn pages_of_allowed_sites_may_read_the_api() {
    let server = Server::start(&["--allow-origin", "https://friend.example"]);
    let friend = server.request("GET", "/api/ice", &[("origin", "https://friend.example")]).await;
    assert_eq!(friend.header("access-control-allow-origin"), "https://friend.example");
    let foreign = server.request("GET", "/api/ice", &[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    assert_eq!(foreign.header("vary"), "origin");
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_gets_them_back() {
    let flags = ["--limits-connections-per-address", "3", "--metrics-listen", "127.0.0.1:0"];
    let server = Server::start(&flags);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.connect().await);
    }
    assert_eq!(server.refusal(&[]).await, Some(429));
    let mut last = clients.pop().unwrap();
    last.0.close(None).await.unwrap();
    server.figure_becomes("visavis_connections", 2.0).await;
    assert_eq!(server.refusal(&[]).await, None);
    assert_eq!(server.figure("visavis_connections_refused_total{reason=\"address\"}").await, 1.0);
}

#[tokio::test]
async fn all_together_have_so_many_connections() {
    let server = Server::start(&["--limits-connections", "2"]);
    let _clients = [server.connect().await, server.connect().await];
    assert_eq!(server.refusal(&[]).await, Some(503));
    assert_eq!(server.get("/healthz").await.status, 200, "pages are still served");
}

#[tokio::test]
async fn sockets_that_never_become_visitors_are_bounded_too() {
    let server = Server::start(&["--limits-connections-per-address", "2"]);
    // Twice the visitors, and 32 to read pages with.
    let idle = (0..36).map(|_| TcpStream::connect(server.http));
    let idle = futures_util::future::try_join_all(idle).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let mut excess = TcpStream::connect(server.http).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, excess.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 429 "), "{}", String::from_utf8_lossy(&answer));
    drop(idle);
}

#[tokio::test]
async fn who_is_exempt_has_neither_number_nor_rate() {
    let flags = [
        "--limits-connections-per-address",
        "1",
        "--limits-message-burst",
        "2",
        "--limits-exempt",
        "127.0.0.0/8",
    ];
    let server = Server::start(&flags);
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.connect().await);
    }
    for _ in 0..50 {
        clients[0].say(r#"{"type":"hello","version":1}"#).await;
        assert_eq!(clients[0].hear().await["type"], "welcome");
    }
    // Sizes still hold.
    clients[0].say(&"x".repeat(70_000)).await;
    assert_eq!(clients[0].closed().await.0, 1009);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_visitor_counts_and_not_the_proxy() {
    let flags = [
        "--limits-connections-per-address",
        "1",
        "--trusted-proxy",
        "127.0.0.1",
        "--trusted-proxy",
        "10.0.0.0/8",
    ];
    let server = Server::start(&flags);
    let _one = server.connect_with(&[("x-forwarded-for", "192.0.2.1")]).await.unwrap();
    let _two = server.connect_with(&[("x-forwarded-for", "192.0.2.2, 10.1.1.1")]).await.unwrap();
    for again in ["192.0.2.1", "198.51.100.7, 192.0.2.1", "192.0.2.2, 10.9.9.9"] {
        assert_eq!(server.refusal(&[("x-forwarded-for", again)]).await, Some(429), "{again}");
    }
    let _six = server.connect_with(&[("x-forwarded-for", "2001:db8:0:1::1")]).await.unwrap();
    assert_eq!(server.refusal(&[("x-forwarded-for", "2001:db8:0:1:ffff::2")]).await, Some(429), "one /64");
    assert_eq!(server.refusal(&[("x-forwarded-for", "2001:db8:0:2::1")]).await, None);
    // One customer may hold the whole /48.
    let mut site = Vec::new();
    for n in 1..=4 {
        site.push(server.connect_with(&[("x-forwarded-for", &format!("2001:db8:7:{n}::1"))]).await.unwrap());
    }
    assert_eq!(server.refusal(&[("x-forwarded-for", "2001:db8:7:5::1")]).await, Some(429), "one /48");
    assert_eq!(server.refusal(&[("x-forwarded-for", "2001:db8:8:1::1")]).await, None);
}

#[tokio::test]
async fn without_a_trusted_proxy_the_header_changes_nothing() {
    let server = Server::start(&["--limits-connections-per-address", "1"]);
    let _one = server.connect_with(&[("x-forwarded-for", "192.0.2.1")]).await.unwrap();
    assert_eq!(server.refusal(&[("x-forwarded-for", "192.0.2.2")]).await, Some(429));
}

#[tokio::test]
async fn a_refusal_says_why_and_when_to_come_back_to_a_socket_and_to_a_plain_request() {
    let server = Server::start(&["--limits-connections-per-address", "1", "--metrics-listen", "127.0.0.1:0"]);
    let plain = server.get("/ws").await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, "websocket"));
    let mut one = server.connect().await;
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = server.request("GET", "/ws", &headers).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "30"));
    assert!(answer.text().starts_with("Too many connections"), "{}", answer.text());
    let plain = server.get("/ws").await;
    assert_eq!((plain.status, plain.header("retry-after")), (429, "30"));
    one.0.close(None).await.unwrap();
    server.figure_becomes("visavis_connections", 0.0).await;
    assert_eq!(server.get("/ws").await.status, 426, "a plain request takes no place");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let server = Server::start(&["--limits-header-timeout-ms", "400"]);
    let began = Instant::now();
    let mut silent = TcpStream::connect(server.http).await.unwrap();
    let mut slow = TcpStream::connect(server.http).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut idle = TcpStream::connect(server.http).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    for (what, tcp) in [("silent", &mut silent), ("slow", &mut slow), ("idle after one answer", &mut idle)] {
        let mut bytes = Vec::new();
        timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect(what).ok();
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(350) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(&[]);
    let cookie = "x".repeat(40_000);
    let tcp = TcpStream::connect(server.http).await.unwrap();
    assert_eq!(request(tcp, "GET", "/", &[("cookie", &cookie)]).await.status, 431);
}

#[tokio::test]
async fn a_visitor_on_a_narrow_socket_is_served_like_any_other() {
    let server = Server::start(&[]);
    let tcp = narrow_socket(server.http).await;
    let mut client = Client::handshake(tcp, server.http, &[]).await.unwrap();
    client.say(r#"{"type":"hello","version":1}"#).await;
    assert_eq!(client.hear().await["type"], "welcome");
}
