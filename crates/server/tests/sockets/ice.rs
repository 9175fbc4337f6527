//! `GET /api/ice`: who gets which relays, and who gets none.

use super::harness::{Server, say};
use serde_json::{Value, json};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

const TWO_REGIONS: &str = r#"
turn.secret = ["s3cret", "older"]
[[ice.region]]
name = "virginia"
place = [38.9, -77.5]
urls = ["turn:us.example:3478", "turn:us.example:3478?transport=tcp", "turns:us.example:443"]
[[ice.region]]
name = "frankfurt"
countries = ["DE", "AT"]
urls = ["turn:de.example:3478", "turn:de.example:3478?transport=tcp", "turns:de.example:443"]
"#;

fn start(settings: &str, flags: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visavis.toml");
    fs::write(&file, settings).unwrap();
    let state = folder.path().join("state");
    let fixed = ["--config", file.to_str().unwrap(), "--state-dir", state.to_str().unwrap()];
    (Server::start(&[&fixed[..], flags].concat()), folder)
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// All URLs, the waiting offer's first.
fn urls(answer: &Value) -> Vec<&str> {
    let servers = answer["iceServers"].as_array().unwrap();
    servers
        .iter()
        .flat_map(|server| server["urls"].as_array().unwrap())
        .map(|url| url.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn without_a_relay_the_answer_is_what_the_settings_say() {
    let (server, _) = start("", &["--turn-enabled", "off"]);
    let answer = server.get("/api/ice").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json(), json!({"iceServers": [], "ttl_s": 86400, "policy": "direct"}));
    assert!(answer.header("cache-control").contains("no-store"));
    let relay_only = Server::start(&["--ice-policy", "relay"]);
    assert_eq!(relay_only.get("/api/ice").await.json()["policy"], "relay");
}

#[tokio::test]
async fn two_regions_give_four_urls_with_credentials_that_expire() {
    let (server, _) = start(TWO_REGIONS, &["--ice-ttl-s", "600"]);
    let before = unix_s();
    let [first, second] = [server.get("/api/ice").await.json(), server.get("/api/ice").await.json()];
    assert_eq!(
        urls(&first),
        [
            "turn:us.example:3478",
            "turn:us.example:3478?transport=tcp",
            "turns:us.example:443",
            "turn:de.example:3478"
        ]
    );
    assert_eq!(first["iceServers"][0]["urls"], json!(["turn:us.example:3478"]), "for the waiting offer");
    assert_eq!(first["ttl_s"], 600);
    let name = |answer: &Value| answer["iceServers"][0]["username"].as_str().unwrap().to_owned();
    let (expiry, id) =
        name(&first).split_once(':').map(|(e, i)| (e.parse::<u64>().unwrap(), i.len())).unwrap();
    assert!((before + 600..=unix_s() + 600).contains(&expiry) && id >= 16);
    assert_ne!(name(&first), name(&second), "nobody can guess the name of another");
    // As coturn would make it: `printf %s NAME | openssl dgst -sha1 -hmac s3cret -binary | base64`.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"s3cret");
    let password = data_encoding::BASE64.encode(ring::hmac::sign(&key, name(&first).as_bytes()).as_ref());
    assert_eq!(first["iceServers"][0]["credential"], password, "the first secret mints");
}

#[tokio::test]
async fn foreign_pages_are_refused_and_allowed_ones_served() {
    let (server, _) = start(TWO_REGIONS, &["--allow-origin", "https://friend.example"]);
    let from = async |origin: &str| server.request("GET", "/api/ice", &[("origin", origin)]).await;
    let foreign = from("https://evil.example").await;
    assert_eq!((foreign.status, &foreign.json()["error"]["code"]), (403, &json!("foreign_origin")));
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    assert_eq!(from("http://localhost").await.status, 200, "our own page");
    let friend = from("https://friend.example").await;
    assert_eq!(
        (friend.status, friend.header("access-control-allow-origin")),
        (200, "https://friend.example")
    );
    let asks = server.request("OPTIONS", "/api/ice", &[("origin", "https://friend.example")]).await;
    assert_eq!((asks.status, asks.header("access-control-allow-headers")), (200, "authorization"));
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let flags = ["--limits-ice-per-minute", "3", "--trusted-proxy", "127.0.0.1"];
    let (server, _) = start(TWO_REGIONS, &flags);
    let from = async |address: &str| server.request("GET", "/api/ice", &[("x-forwarded-for", address)]).await;
    for _ in 0..3 {
        assert_eq!(from("198.51.100.7").await.status, 200);
    }
    let refused = from("198.51.100.7").await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!("too_fast")));
    assert!((1..=61).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(from("198.51.100.8").await.status, 200, "another address is another visitor");
}

#[tokio::test]
async fn where_a_session_is_wanted_its_token_opens() {
    let (server, _) = start(TWO_REGIONS, &["--ice-require-session", "on"]);
    let with = async |token: &str| {
        server.request("GET", "/api/ice", &[("authorization", &format!("Bearer {token}"))]).await
    };
    let stranger = server.get("/api/ice").await;
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("session_required")));
    assert_eq!(stranger.header("www-authenticate"), "Bearer");
    let mut client = server.connect().await;
    client.say(r#"{"type":"hello","version":1}"#).await;
    let welcome = client.hear().await;
    let token = welcome["ice_token"].as_str().unwrap();
    let answer = with(token).await;
    assert_eq!((answer.status, &answer.json()["ttl_s"]), (200, &json!(900)), "minutes, not hours");
    assert_eq!(with(&token.to_lowercase()).await.status, 401);
    assert_eq!(with("").await.status, 401);

    let open = Server::start(&[]);
    let mut client = open.connect().await;
    client.say(r#"{"type":"hello","version":1}"#).await;
    assert_eq!(client.hear().await.get("ice_token"), None, "nothing is carried that nobody wants");
}

/// The name of the nearest region for a visitor from there.
async fn nearest(server: &Server, address: &str) -> String {
    let answer = server.request("GET", "/api/ice", &[("x-forwarded-for", address)]).await.json();
    let url = urls(&answer)[0].to_owned();
    url.trim_start_matches("turn:").split('.').next().unwrap().to_owned()
}

const MIT: &str = "18.0.0.1";
const BERLIN: &str = "141.20.1.1";
const OXFORD_V6: &str = "2001:630::1";

#[tokio::test]
async fn a_visitor_gets_the_nearest_region_first() {
    let (server, _) = start(TWO_REGIONS, &["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(nearest(&server, MIT).await, "us");
    assert_eq!(nearest(&server, BERLIN).await, "de");
    assert_eq!(nearest(&server, OXFORD_V6).await, "de");
    for nowhere in ["10.0.0.7", "fd00::7", "198.51.100.7"] {
        assert_eq!(nearest(&server, nowhere).await, "us", "{nowhere}: the first of the file");
    }
    let (direct, _) = start(TWO_REGIONS, &[]);
    assert_eq!(nearest(&direct, BERLIN).await, "us", "only a trusted proxy is believed");
}

#[tokio::test]
async fn the_operators_database_knows_better_and_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("places.mmdb");
    let fixture = |name: &str| {
        fs::read(format!("{}/tests/sockets/geo/{name}.mmdb", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    fs::write(&file, fixture("maxmind")).unwrap();
    let flags = ["--trusted-proxy", "127.0.0.1", "--geo-database", file.to_str().unwrap()];
    let (server, _) = start(TWO_REGIONS, &flags);
    assert_eq!(nearest(&server, MIT).await, "de", "by latitude and longitude");
    assert_eq!(nearest(&server, OXFORD_V6).await, "us", "by country");
    assert_eq!(nearest(&server, BERLIN).await, "de", "what it does not know is in the built-in table");

    fs::write(&file, b"not a database").unwrap();
    server.log_says("the old geo.database stays in use");
    assert_eq!(nearest(&server, MIT).await, "de");

    fs::write(&file, fixture("flat")).unwrap();
    server.log_says("the new geo.database is in use");
    assert_eq!(nearest(&server, MIT).await, "de", "by the region's countries");
    assert_eq!(nearest(&server, BERLIN).await, "us", "numbers may be text");
    assert_eq!(nearest(&server, OXFORD_V6).await, "us");
}

/// A server with its relay on a wildcard, and the relay's port.
fn start_with_relay(flags: &[&str]) -> (Server, u16) {
    let server = Server::start_with_stun(&[&["--turn-listen", "0.0.0.0:0"], flags].concat());
    let at =
        server.said_at_start().split("relay: listening").nth(1).expect("it says where").split("at=").nth(1);
    let port = at.and_then(|at| at.lines().next()?.rsplit_once(':')?.1.parse().ok());
    (server, port.expect("a port"))
}

async fn servers(server: &Server, headers: &[(&str, &str)]) -> Vec<String> {
    let answer = server.request("GET", "/api/ice", headers).await.json();
    urls(&answer).into_iter().map(str::to_owned).collect()
}

const PROXIED: [(&str, &str); 2] = [("host", "chat.example"), ("x-forwarded-for", "198.51.100.7")];
const STUN: [&str; 2] = ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"];

#[tokio::test]
async fn behind_a_proxy_the_relay_has_the_name_that_the_operator_gave_it() {
    for (given, named) in [("Turn.Example", "turn.example"), ("5.5.5.5", "5.5.5.5"), ("2a05::5", "[2a05::5]")]
    {
        let (server, port) = start_with_relay(&["--turn-public-host", given, "--trusted-proxy", "127.0.0.1"]);
        let expected = [
            format!("turn:{named}:{port}?transport=udp"),
            format!("turn:{named}:{port}?transport=tcp"),
            format!("stun:{named}:{port}"),
        ];
        assert_eq!(servers(&server, &PROXIED).await, expected);
        assert_eq!(servers(&server, &[]).await, expected, "and for everybody else");
    }
}

#[tokio::test]
async fn behind_a_proxy_a_relay_without_a_name_is_told_by_its_public_address() {
    let flags = ["--turn-relay-address", "5.5.5.5", "--trusted-proxy", "127.0.0.9"];
    let (server, port) = start_with_relay(&flags);
    assert!(server.said_at_start().contains("are told to reach it at 5.5.5.5"), "{}", server.said_at_start());
    let expected = [
        format!("turn:5.5.5.5:{port}?transport=udp"),
        format!("turn:5.5.5.5:{port}?transport=tcp"),
        format!("stun:5.5.5.5:{port}"),
    ];
    assert_eq!(servers(&server, &PROXIED).await, expected);
    let direct = servers(&server, &[("host", "chat.example:8080")]).await;
    assert_eq!(direct[0], format!("turn:chat.example:{port}?transport=udp"), "whoever comes straight to us");
}

#[tokio::test]
async fn a_proxy_that_says_nothing_of_itself_is_known_by_its_address_and_by_its_old_http() {
    let relay = ["--turn-relay-address", "5.5.5.5"];
    let (server, port) = start_with_relay(&[relay[0], relay[1], "--trusted-proxy", "127.0.0.1"]);
    let told = servers(&server, &[("host", "chat.example")]).await;
    assert_eq!(told[0], format!("turn:5.5.5.5:{port}?transport=udp"));

    let (server, port) = start_with_relay(&relay);
    let (_, text) = say(&server, b"GET /api/ice HTTP/1.0\r\nhost: chat.example\r\n\r\n").await;
    assert!(text.contains(&format!("turn:5.5.5.5:{port}?transport=udp")), "{text}");
}

#[tokio::test]
async fn where_nothing_says_how_to_reach_the_relay_other_stun_servers_come_along() {
    let flags = ["--turn-relay-address", "10.0.0.7", "--trusted-proxy", "127.0.0.1"];
    let (server, port) = start_with_relay(&flags);
    assert!(server.said_at_start().contains("Set turn.public_host"), "{}", server.said_at_start());
    let [udp, tcp] = ["udp", "tcp"].map(|by| format!("turn:chat.example:{port}?transport={by}"));
    assert_eq!(servers(&server, &PROXIED).await, [&udp, &tcp, STUN[0], STUN[1]]);
    server.log_says("turn.public_host: a visitor came through a proxy");
    servers(&server, &PROXIED).await;
    assert!(!server.log().contains("came through a proxy"), "it is said once");
}

#[tokio::test]
async fn a_relay_on_loopback_behind_a_proxy_is_none_and_the_log_says_so() {
    let server = Server::start_with_stun(&["--trusted-proxy", "127.0.0.1"]);
    for said in ["WARN", "no visitor from elsewhere reaches it", "turn.listen", "turn.public_host"] {
        assert!(server.said_at_start().contains(said), "no {said:?} in {}", server.said_at_start());
    }
    assert_eq!(servers(&server, &PROXIED).await, STUN);
    server.log_says("turn.listen: a visitor came through a proxy, and the relay is on loopback");
}
