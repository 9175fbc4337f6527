//! A credential that we mint opens a relay, coturn as well as our own; one that is expired, forged or of another secret
//! opens neither. coturn's own client is the judge.

use super::harness::{PATIENCE, Server};
use serde_json::Value;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REALM: &str = "example.org";
const SECRET: &str = "s3cret";

struct Credential {
    username: String,
    password: String,
}

/// What a browser would get.
async fn minted(server: &Server) -> Credential {
    let answer = server.get("/api/ice").await.json();
    let text = |field: &str| answer["iceServers"][0][field].as_str().expect("a relay is offered").to_owned();
    Credential { username: text("username"), password: text("credential") }
}

/// Our own relay, on the port of the pages.
fn own_relay(folder: &tempfile::TempDir, secret: &str, ttl_s: &str) -> Server {
    let state = folder.path().to_str().unwrap();
    Server::start(&[
        "--state-dir",
        state,
        "--turn-secret",
        secret,
        "--turn-realm",
        REALM,
        "--ice-ttl-s",
        ttl_s,
    ])
}

struct Coturn {
    child: Child,
    address: SocketAddr,
}

impl Coturn {
    fn start(folder: &tempfile::TempDir) -> Self {
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        // Free now; if somebody is faster, the wait below fails and says so.
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let child = Command::new("turnserver")
            .args([
                "-n",
                "--no-cli",
                "--no-tcp",
                "--no-tls",
                "--no-dtls",
                "--allow-loopback-peers",
                "--use-auth-secret",
            ])
            .args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", &port])
            .args(["--static-auth-secret", SECRET, "--realm", REALM])
            .args(["--log-file", &path("log"), "--pidfile", &path("pid"), "--userdb", &path("db")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn is installed (Debian: apt-get install coturn)");
        let coturn = Coturn { child, address };
        let deadline = Instant::now() + PATIENCE;
        while !answers(address) {
            assert!(Instant::now() < deadline, "coturn does not listen on {address}");
        }
        coturn
    }
}

/// Whether a STUN binding request is answered soon.
fn answers(relay: SocketAddr) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // RFC 8489, section 5: type, length, magic cookie, transaction id.
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    // Before somebody listens, the kernel may say so here or there.
    socket.send_to(&request, relay).is_ok() && socket.recv(&mut [0; 512]).is_ok()
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether two messages go through the relay both ways. It exits with 0 even if all are lost: its totals tell.
async fn opens(relay: SocketAddr, credential: &Credential) -> bool {
    let mut client = Command::new("turnutils_uclient");
    client.args(["-y", "-c", "-n", "1", "-m", "1", "-p", &relay.port().to_string()]).args([
        "-u",
        &credential.username,
        "-w",
        &credential.password,
        &relay.ip().to_string(),
    ]);
    let output =
        tokio::task::spawn_blocking(move || client.output().expect("coturn's client runs")).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let opened = text.contains("tot_send_msgs=2, tot_recv_msgs=2") && output.status.success();
    assert!(opened || text.contains("Cannot complete Allocation"), "neither opened nor refused: {text}");
    opened
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_mint_opens_coturn_and_our_relay_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::start(&folder);
    let own = own_relay(&folder, SECRET, "600");
    let brief = own_relay(&folder, SECRET, "1");
    let stranger = own_relay(&folder, "another", "600");
    let good = minted(&own).await;
    let expired = minted(&brief).await;
    let foreign = minted(&stranger).await;
    let forged = Credential { username: good.username.clone(), password: foreign.password.clone() };
    let (expiry, id) = good.username.split_once(':').unwrap();
    let later: u64 = expiry.parse::<u64>().unwrap() + 1;
    let prolonged = Credential { username: format!("{later}:{id}"), password: good.password.clone() };
    tokio::time::sleep(Duration::from_millis(2_100)).await;

    let good = async |relay| assert!(opens(relay, &good).await, "a good credential opens {relay}");
    tokio::join!(good(coturn.address), good(own.http));
    for relay in [coturn.address, own.http] {
        for (what, credential) in [
            ("expired", &expired),
            ("another secret's", &foreign),
            ("forged", &forged),
            ("prolonged", &prolonged),
        ] {
            assert!(!opens(relay, credential).await, "one that is {what} opens {relay}");
        }
    }
    assert!(opens(stranger.http, &foreign).await, "it was a good one, elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_without_cutting_anybody_off() {
    let folder = tempfile::tempdir().unwrap();
    let before = own_relay(&folder, SECRET, "600");
    let credential = minted(&before).await;
    let state = folder.path().to_str().unwrap();
    let rotated =
        ["--state-dir", state, "--turn-realm", REALM, "--turn-secret", "newer", "--turn-secret", SECRET];
    let after = Server::start(&rotated);
    let newer = minted(&after).await;
    let (old_opens, new_opens) = tokio::join!(opens(after.http, &credential), opens(after.http, &newer));
    assert!(old_opens && new_opens);
    assert!(!opens(before.http, &newer).await, "who does not know the new secret yet refuses it");
}

#[tokio::test]
async fn our_relay_is_offered_on_the_port_of_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    let server = own_relay(&folder, SECRET, "600");
    let port = server.http.port();
    let answer = server.get("/api/ice").await.json();
    let urls = |index: usize| answer["iceServers"][index]["urls"].clone();
    assert_eq!(urls(0), serde_json::json!([format!("turn:127.0.0.1:{port}?transport=udp")]));
    assert_eq!(urls(1), serde_json::json!([format!("turn:127.0.0.1:{port}?transport=tcp")]));
    let stun = serde_json::json!({"urls": [format!("stun:127.0.0.1:{port}")]});
    assert_eq!(answer["iceServers"][2], stun, "a relay that is full must not cost the direct path");
    assert_eq!(answer["iceServers"][3], Value::Null);
}
