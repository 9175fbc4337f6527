//! What a request says of itself: its host, its origin, where it comes from. And what the log says where that is wrong.

use super::harness::{Answer, Server, say};
use serde_json::{Value, json};

async fn get(server: &Server, target: &str, lines: &[&str]) -> (u16, String) {
    let head = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n{}\r\n\r\n", lines.join("\r\n"));
    say(server, head.as_bytes()).await
}

fn urls(body: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    let servers = answer["iceServers"].as_array().unwrap().clone();
    let urls = servers.iter().flat_map(|server| server["urls"].as_array().unwrap().clone());
    urls.map(|url| url.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_a_bad_one() {
    let server = Server::start(&[]);
    for path in ["/", "/healthz", "/api/ice", "/ws"] {
        assert_eq!(get(&server, path, &["accept: */*"]).await.0, 400, "{path}, none");
        assert_eq!(get(&server, path, &["host: a.example", "host: a.example"]).await.0, 400, "{path}, two");
    }
    let old = say(&server, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.0, 200, "HTTP/1.0 knows no Host");
    let old = say(&server, b"GET /api/ice HTTP/1.0\r\n\r\n").await;
    assert_eq!((old.0, urls(&old.1)), (200, Vec::new()), "no name, no relay by that name");
}

#[tokio::test]
async fn no_host_header_makes_an_url_that_a_browser_would_refuse() {
    let server = Server::start(&["--turn-listen", "0.0.0.0:0"]);
    let long = "a".repeat(300);
    for odd in [
        "a b",
        "user@a.example",
        "user:secret@a.example",
        "a.example/path",
        "a.example?x",
        "::1",
        "2001:db8::1",
        "[::1",
        "[fe80::1%eth0]",
        "b\u{fc}cher.example",
        "a.example:99999",
        "a.example:x",
        "256.1.1.1",
        "a,b",
        "",
        "a.example#x",
        "a..example",
        &long,
    ] {
        assert_eq!(get(&server, "/api/ice", &[&format!("host: {odd}")]).await.0, 400, "{odd:?}");
    }
    for (good, name) in [
        ("chat.example", "chat.example"),
        ("Chat.Example:8443", "chat.example"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]"),
        ("192.0.2.7", "192.0.2.7"),
        ("node_1:80", "node_1"),
    ] {
        let (status, body) = get(&server, "/api/ice", &[&format!("host: {good}")]).await;
        assert_eq!(status, 200, "{good}");
        assert!(urls(&body)[0].starts_with(&format!("turn:{name}:")), "{good}: {body}");
    }
    let (status, body) = get(&server, "http://target.example:8080/api/ice", &["host: header.example"]).await;
    assert_eq!(status, 200);
    assert!(urls(&body)[0].starts_with("turn:target.example:"), "the target beats the header: {body}");
    assert_eq!(get(&server, "http://u@target.example/api/ice", &["host: a.example"]).await.0, 400);
    let forwarded = ["host: chat.example", "x-forwarded-host: evil.example"];
    let (_, body) = get(&server, "/api/ice", &forwarded).await;
    assert!(!body.contains("evil.example"), "{body}");
}

#[tokio::test]
async fn two_origins_are_refused() {
    let server = Server::start(&["--allow-origin", "https://friend.example"]);
    let two = ["host: a.example", "origin: http://a.example", "origin: http://a.example"];
    assert_eq!(get(&server, "/api/ice", &two).await.0, 403);
    let upgrade = [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    assert_eq!(get(&server, "/ws", &[&two[..], &upgrade].concat()).await.0, 403);
}

#[tokio::test]
async fn what_another_site_loads_does_not_use_up_a_visitors_credentials() {
    let server = Server::start(&["--limits-ice-per-minute", "3"]);
    let from = async |site: &str| server.request("GET", "/api/ice", &[("sec-fetch-site", site)]).await.status;
    for site in ["cross-site", "same-site"] {
        for _ in 0..10 {
            assert_eq!(from(site).await, 403, "{site}");
        }
    }
    for _ in 0..3 {
        assert_eq!(from("same-origin").await, 200);
    }
    assert_eq!(from("same-origin").await, 429);
    server.log_says("/api/ice refused (403): the page is another site's");
    server.log_says("limits.ice_per_minute = 3");
}

#[tokio::test]
async fn a_proxy_that_drops_the_port_is_named_in_the_log_and_to_the_page() {
    let server = Server::start(&[]);
    let headers = [("host", "example.org"), ("origin", "https://example.org:8443")];
    let ask = async |headers: &[(&str, &str)], query: &str| {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (status, body) = get(&server, &format!("/api/origin{query}"), &lines).await;
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let upgrade = [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        "host: example.org",
        "origin: https://example.org:8443",
    ];
    for _ in 0..50 {
        assert_eq!(get(&server, "/ws", &upgrade).await.0, 403);
    }
    server.log_says(
        "/ws refused (403): the page's Origin says example.org:8443, the Host header example.org: the proxy drops \
         the port; use proxy_set_header Host $http_host",
    );
    assert!(!server.log().contains("refused"), "once a minute is enough");
    let told = ask(&headers, "").await;
    assert_eq!((&told["allowed"], &told["reason"]), (&json!(false), &json!("port")));
    assert!(told["message"].as_str().unwrap().contains("$http_host"), "{told}");
    // Browsers send no Origin to their own site.
    let query = "?origin=https%3A%2F%2Fexample.org%3A8443";
    assert_eq!(ask(&headers[..1], query).await["reason"], "port");
    assert_eq!(ask(&[("host", "127.0.0.1:8080")], query).await["reason"], "host");
    assert_eq!(ask(&[("host", "example.org:8443")], query).await, json!({"allowed": true, "reason": "own"}));
    assert_eq!(ask(&[("host", "other.example")], query).await["reason"], "foreign");
    assert_eq!(ask(&headers[..1], "").await, json!({"allowed": true, "reason": "absent"}));
    assert_eq!(ask(&headers[..1], "?origin=%zz%").await["allowed"], false);
}

#[tokio::test]
async fn every_refusal_leaves_one_line_with_its_setting() {
    let per_address = Server::start(&["--limits-connections-per-address", "1"]);
    let _one = per_address.connect().await;
    for _ in 0..20 {
        assert_eq!(per_address.refusal(&[]).await, Some(429));
    }
    per_address.log_says("/ws refused (429): an address has all its limits.connections_per_address = 1");
    assert!(!per_address.log().contains("refused"));
    let full = Server::start(&["--limits-connections", "2"]);
    let _both = [full.connect().await, full.connect().await];
    assert_eq!(full.refusal(&[]).await, Some(503));
    full.log_says("limits.connections");
}

#[tokio::test]
async fn a_proxy_that_is_not_named_is_hinted_at_once() {
    let server = Server::start(&[]);
    let forwarded = [("x-forwarded-for", "203.0.113.77")];
    for _ in 0..5 {
        assert_eq!(server.request("GET", "/healthz", &forwarded).await.status, 200);
    }
    server.log_says("name the proxy with --trusted-proxy 127.0.0.1");
    let rest = server.log();
    assert!(!rest.contains("X-Forwarded-For") && !rest.contains("203.0.113"), "{rest}");
    let trusting = Server::start(&["--trusted-proxy", "127.0.0.1"]);
    trusting.request("GET", "/healthz", &forwarded).await;
    assert!(!trusting.log().contains("X-Forwarded-For"));
}

#[tokio::test]
async fn the_page_is_told_the_settings_in_force() {
    let plain = Server::start(&[]);
    let answer: Answer = plain.get("/api/site").await;
    let own = format!("stun:127.0.0.1:{}", plain.http.port());
    assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=60"));
    assert_eq!(
        answer.json(),
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "relay": {"enabled": true, "host_is_this_server": true},
            "stun_servers": [own],
            "ice_policy": "direct",
            "relax_interests_after_ms": 1500,
            "relax_language_after_ms": 3000,
            "recent_pause_ms": 3000,
            "offer_ttl_ms": 60000,
            "grace_ms": 10000,
            "max_text_chars": 2000,
            "max_interests": 10,
            "max_interest_chars": 32,
            "safety": {"cover": "visitor"},
        })
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visavis.toml");
    let settings = "turn.enabled = false\nice.server = [\"stun:stun.example.org\"]\n[lobby]\n\
        relax_interests_after_ms = 1\nrelax_language_after_ms = 2\nrecent_pause_ms = 4\ngrace_ms = 6\n[limits]\n\
        offer_ttl_ms = 5\nmax_text_chars = 7\nmax_interests = 8\nmax_interest_chars = 9\n\
        [safety]\ncover = \"off\"\n";
    std::fs::write(&file, settings).unwrap();
    let path = file.to_str().unwrap();
    let changed = Server::start_with_stun(&["--config", path]).get("/api/site").await.json();
    for (name, value) in [
        ("relay", json!({"enabled": false, "host_is_this_server": false})),
        ("stun_servers", json!(["stun:stun.example.org"])),
        ("relax_interests_after_ms", json!(1)),
        ("relax_language_after_ms", json!(2)),
        ("recent_pause_ms", json!(4)),
        ("offer_ttl_ms", json!(5)),
        ("grace_ms", json!(6)),
        ("max_text_chars", json!(7)),
        ("max_interests", json!(8)),
        ("max_interest_chars", json!(9)),
        ("safety", json!({"cover": "off"})),
    ] {
        assert_eq!(changed[name], value, "{name}");
    }
    let regions = ["--ice-region", "name=a urls=turn:a.example", "--turn-secret", "a secret of some length"];
    let elsewhere = Server::start(&[&regions[..], &["--ice-policy", "relay"]].concat());
    let told = elsewhere.get("/api/site").await.json();
    assert_eq!(told["relay"], json!({"enabled": true, "host_is_this_server": false}));
    assert_eq!(told["ice_policy"], "relay");
}
