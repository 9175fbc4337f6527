//! HTTP: the API, health, the figures, the site and what surrounds it.

use super::harness::Server;
use serde_json::json;
use std::collections::HashSet;

#[tokio::test]
async fn the_number_online_is_told() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/api/online").await.json(), json!({"online": 0}));
    let mut clients = [server.connect().await, server.connect().await];
    for client in &mut clients {
        client.say(r#"{"type":"hello","version":1}"#).await;
        client.hear().await;
    }
    assert_eq!(server.get("/api/online").await.json(), json!({"online": 2}));
}

#[tokio::test]
async fn health_is_told_and_unknown_paths_of_the_api_are_json() {
    let server = Server::start(&[]);
    let alive = server.get("/healthz").await;
    assert_eq!((alive.status, alive.text().trim()), (200, "ok"));
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready", "store": "ok"})));
    for path in ["/api", "/api/", "/api/nothing", "/api/ice/more"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(server.request("POST", "/api/ice", &[]).await.status, 405);
    assert_eq!(server.request("DELETE", "/", &[]).await.status, 405);
    assert_eq!(server.get("/metrics").await.status, 404, "figures are not for visitors");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start(&[]);
    for path in ["/", "/chat", "/nowhere", "/api/ice", "/healthz", "/ws"] {
        let answer = server.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "),
            "{path}: {policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("'unsafe-"),
            "{path}: {policy}"
        );
        assert!(answer.header("permissions-policy").contains("camera=(self), microphone=(self)"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
    }
}

#[tokio::test]
async fn the_site_is_served_small_and_cached_well() {
    let server = Server::start(&[]);
    let home = server.get("/").await;
    if home.text().contains("make build") {
        assert_eq!(home.status, 404, "this binary was built without the site, and says so");
        return;
    }
    let chat = server.get("/chat").await;
    assert_eq!((chat.status, chat.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!((chat.header("cache-control"), chat.header("vary")), ("no-cache", "accept-encoding"));
    let again = server.request("GET", "/chat", &[("if-none-match", chat.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let small = server.request("GET", "/chat", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(small.header("content-encoding"), "br");
    assert!(small.body.len() < chat.body.len());
    let head = server.request("HEAD", "/chat", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), chat.body.len().to_string());

    let html = chat.text();
    let script = html.split('"').find(|part| part.starts_with("./_app/immutable/")).expect("a script");
    let script = server.get(script.trim_start_matches('.')).await;
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");

    let lost = server.get("/no/such/page").await;
    assert_eq!((lost.status, lost.header("content-type")), (404, "text/html; charset=utf-8"));
    for outside in ["/../Cargo.toml", "/..%2f..%2fCargo.toml", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"] {
        assert_eq!(server.get(outside).await.status, 404, "{outside}");
    }
}

#[tokio::test]
async fn the_figures_are_prometheus_text_and_count() {
    let server = Server::start(&["--metrics-listen", "127.0.0.1:0"]);
    let mut one = server.connect().await;
    let mut two = server.connect().await;
    one.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    one.hear().await;
    two.say(r#"{"type":"find_partner","kind":"text"}"#).await;
    two.hear().await;
    two.say("{").await;
    two.hear().await;
    let figures = server.figures().await;
    let (mut typed, mut families, mut seen) = (HashSet::new(), HashSet::new(), HashSet::new());
    for line in figures.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            // OpenMetrics takes the ending off: a counter and a gauge must not become one name.
            assert!(typed.insert(name.to_owned()), "{name} twice");
            assert!(families.insert(name.trim_end_matches("_total").to_owned()), "{name} is two things");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
            assert!(seen.insert(series.to_owned()), "{series} twice");
            let name = series.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            assert!(typed.contains(name) || base.is_some_and(|base| typed.contains(base)), "{line}");
        }
    }
    for (name, value) in [
        ("visavis_sessions", 2.0),
        ("visavis_connections", 2.0),
        ("visavis_matches{kind=\"text\"}", 1.0),
        ("visavis_matches_made_total{kind=\"text\"}", 1.0),
        ("visavis_messages_refused_total{code=\"bad_json\"}", 1.0),
        ("visavis_wait_seconds_count", 2.0),
        ("visavis_messages_received_total", 3.0),
        (concat!("visavis_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(server.figure(name).await, value, "{name}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - server.figure("process_start_time_seconds").await;
    assert!((0.0..300.0).contains(&age), "{age}");
    let answer = server.request("GET", "/", &[]).await;
    assert_ne!(answer.status, 500);
}

#[tokio::test]
async fn who_connects_how_is_counted_and_shown() {
    let server = Server::start(&["--metrics-listen", "127.0.0.1:0"]);
    let empty = server.look().await;
    assert!(empty.contains("<b id=\"direct-share\">–</b>"), "{empty}");
    let mut clients = [server.connect().await, server.connect().await];
    for client in &mut clients {
        client.say(r#"{"type":"find_partner","kind":"video"}"#).await;
    }
    let reports = [
        r#""path":"direct","elapsed_ms":1,"local_type":"host","remote_type":"srflx","protocol":"udp","family":"ipv6""#,
        r#""path":"relay","elapsed_ms":1,"local_type":"relay","protocol":"tls""#,
    ];
    for (client, report) in clients.iter_mut().zip(reports) {
        let found = loop {
            let heard = client.hear().await;
            if heard["type"] == "partner_found" {
                break heard;
            }
        };
        let id = found["match_id"].as_str().unwrap();
        client.say(&format!(r#"{{"type":"connected","match_id":"{id}",{report}}}"#)).await;
    }
    server.figure_becomes("visavis_calls_connected_total{path=\"relay\"}", 1.0).await;
    for (name, value) in [
        ("visavis_calls_connected_total{path=\"direct\"}", 1.0),
        ("visavis_matches_connected_total", 1.0),
        ("visavis_direct_ratio", 0.5),
        ("visavis_connect_seconds_count{path=\"direct\"}", 1.0),
        ("visavis_connect_seconds_bucket{path=\"relay\",le=\"+Inf\"}", 1.0),
        ("visavis_calls_by_local_candidate_total{type=\"host\"}", 1.0),
        ("visavis_calls_by_local_candidate_total{type=\"relay\"}", 1.0),
        ("visavis_calls_by_remote_candidate_total{type=\"srflx\"}", 1.0),
        ("visavis_calls_by_remote_candidate_total{type=\"unknown\"}", 1.0),
        ("visavis_calls_by_transport_total{protocol=\"tls\"}", 1.0),
        ("visavis_calls_by_family_total{family=\"ipv6\"}", 1.0),
    ] {
        assert_eq!(server.figure(name).await, value, "{name}");
    }
    let page = server.look().await;
    assert!(page.contains("<b id=\"direct-share\">50.0 %</b>"), "{page}");
    assert!(page.contains("1 direct") && page.contains("1 relay"), "{page}");
}

#[tokio::test]
async fn a_site_below_a_path_is_served_whether_the_proxy_takes_it_off_or_not() {
    let server = Server::start(&["--base-path", "/talk/"]);
    for path in ["/talk/healthz", "/healthz", "/talk/api/online", "/talk/api/ice", "/api/site"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert_eq!(server.get("/talk/ws").await.status, 426);
    assert_eq!(server.get("/talkative").await.status, 404);
    let bare = server.get("/talk?a=b").await;
    assert_eq!((bare.status, bare.header("location")), (308, "/talk/?a=b"));
    let home = server.get("/talk/").await;
    if home.status == 404 {
        return; // Built without the site.
    }
    let html = home.text();
    for part in html.split('"').filter(|part| part.contains("_app/") || part.contains("favicon")) {
        assert!(part.starts_with("./"), "{part} leads out of the site");
    }
    let slash = server.get("/talk/chat/").await;
    assert_eq!((slash.status, slash.header("location")), (308, "/talk/chat"));
    let lost = server.get("/talk/no/such/page").await;
    assert_eq!(lost.status, 404);
    for part in lost.text().split('"').filter(|part| part.contains("_app/")) {
        assert!(part.starts_with("/talk/_app/"), "{part}");
        assert_eq!(server.get(part).await.status, 200, "{part}");
    }
}
