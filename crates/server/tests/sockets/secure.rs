//! TLS: served, and its certificate read again when it changes.

use super::harness::{PATIENCE, Server, visavis};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

fn make_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = visavis().args(["self-signed", "--out"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()
}

/// What the server answers to a client that trusts only this certificate; `None` if the handshake fails.
async fn ask(server: &Server, trusted: &CertificateDer<'static>) -> Option<String> {
    ask_as(server, trusted, "localhost").await
}

async fn ask_as(server: &Server, trusted: &CertificateDer<'static>, name: &'static str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.https.unwrap()).await.unwrap();
    let name = ServerName::try_from(name).unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.ok()?;
    tls.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, tls.read_to_end(&mut answer)).await.unwrap().unwrap();
    Some(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn tls_is_served_and_a_changed_certificate_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let first = make_certificate(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let flags = [
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let server = Server::start(&flags);
    assert!(ask(&server, &first).await.unwrap().starts_with("HTTP/1.1 200 OK"));
    assert!(ask_as(&server, &first, "other.example").await.is_none());
    server.log_says("tls.cert: somebody came for other.example, and the certificate is for localhost");

    fs::write(&cert, "no certificate").unwrap();
    server.log_says("the old certificate stays in use: tls.cert");
    assert!(ask(&server, &first).await.is_some(), "a broken file changes nothing");

    let second = make_certificate(folder.path());
    let deadline = Instant::now() + PATIENCE;
    while ask(&server, &second).await.is_none() {
        assert!(Instant::now() < deadline, "the new certificate is not taken up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(&server, &first).await.is_none());
}

#[tokio::test]
async fn a_visitor_may_come_by_tls() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = make_certificate(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let flags = [
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let server = Server::start(&flags);
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.https.unwrap()).await.unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp);
    let (mut socket, _) =
        tokio_tungstenite::client_async("ws://localhost/ws", tls.await.unwrap()).await.unwrap();
    use futures_util::{SinkExt as _, StreamExt as _};
    let text =
        serde_json::json!({"type": "find_partner", "kind": "video", "offer": {"sdp": "x".repeat(30_000)}});
    socket.send(text.to_string().into()).await.unwrap();
    let waiting = socket.next().await.unwrap().unwrap();
    assert!(waiting.to_text().unwrap().contains("waiting"));
    let mut other = server.connect().await;
    other.say(r#"{"type":"find_partner","kind":"video"}"#).await;
    assert_eq!(other.hear().await["offer"]["sdp"].as_str().map(str::len), Some(30_000));
    let found = socket.next().await.unwrap().unwrap();
    assert!(found.to_text().unwrap().contains("partner_found"));
    other.say(&serde_json::json!({"type": "answer", "sdp": "y".repeat(32_000)}).to_string()).await;
    assert!(socket.next().await.unwrap().unwrap().len() > 32_000);
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_come_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let flags = [
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
        "--limits-tls-handshake-timeout-ms",
        "200",
    ];
    let server = Server::start(&flags);
    let mut tcp = TcpStream::connect(server.https.unwrap()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect("cut in time").ok();
}

#[test]
fn the_private_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let mode = fs::metadata(folder.path().join("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Chains as people get them wrong, each with the key that belongs to its first certificate.
struct Chains {
    folder: tempfile::TempDir,
}

impl Chains {
    fn write(&self, name: &str, pems: &[&str], key: &KeyPair) -> [String; 2] {
        let [cert, file] = ["cert", "key"].map(|what| self.folder.path().join(format!("{name}-{what}.pem")));
        fs::write(&cert, pems.concat()).unwrap();
        fs::write(&file, key.serialize_pem()).unwrap();
        [cert, file].map(|path| path.display().to_string())
    }
}

fn params(name: &str, from_days: i64, to_days: i64) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = time::OffsetDateTime::from(std::time::SystemTime::now());
    params.not_before = now + time::Duration::days(from_days);
    params.not_after = now + time::Duration::days(to_days);
    params
}

#[test]
fn check_config_finds_certificates_that_browsers_refuse() {
    let chains = Chains { folder: tempfile::tempdir().unwrap() };
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = params("an issuer", -1, 1);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let issued = |from, to| params("chat.example", from, to).signed_by(&key, &issuer).unwrap().pem();
    let good = issued(-1, 1);
    let sets = [
        ("good", chains.write("good", &[&good, &ca_pem], &key), ""),
        ("expired", chains.write("expired", &[&issued(-9, -1), &ca_pem], &key), "has expired on"),
        ("early", chains.write("early", &[&issued(1, 9), &ca_pem], &key), "is good only from"),
        ("leaf", chains.write("leaf", &[&good], &key), "holds only the server's own certificate"),
        ("order", chains.write("order", &[&good, &good], &key), "is out of order"),
        (
            "other",
            chains.write("other", &[&good, &ca_pem], &KeyPair::generate().unwrap()),
            "the key is another",
        ),
    ];
    for (name, [cert, key], expected) in &sets {
        for flags in [
            ["--tls-listen", "127.0.0.1:8443", "--tls-cert", cert, "--tls-key", key],
            ["--turn-tls-listen", "127.0.0.1:5349", "--turn-tls-cert", cert, "--turn-tls-key", key],
        ] {
            let output = visavis().arg("check-config").args(flags).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let prefix = flags[2].trim_start_matches("--").replacen('-', ".", 1).replace('-', "_");
            if expected.is_empty() {
                assert_eq!(output.status.code(), Some(0), "{name}: {said}");
                let printed = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(printed.contains(&format!("{prefix}: chat.example, good until ")), "{printed}");
            } else {
                assert_eq!(output.status.code(), Some(2), "{name}");
                assert!(said.starts_with(&format!("visavis: {prefix}")) && said.contains(expected), "{said}");
            }
        }
    }
}

#[test]
fn check_config_finds_a_certificate_for_another_name_than_the_relays() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    let flags = ["--tls-listen", "127.0.0.1:8443", "--tls-cert", &cert, "--tls-key", &key];
    let check = |name: &str| {
        let mut command = visavis();
        command.arg("check-config").args(flags).args(["--turn-public-host", name]).output().unwrap()
    };
    assert_eq!(check("localhost").status.code(), Some(0));
    let other = check("turn.example");
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(2), "{said}");
    assert!(said.contains("is for localhost") && said.contains("turn.public_host is turn.example"), "{said}");
}

#[tokio::test]
async fn a_hangup_reads_the_certificate_again_and_its_expiry_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let first = make_certificate(folder.path());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    let flags = [
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--metrics-listen",
        "127.0.0.1:0",
    ];
    let server = Server::start(&flags);
    let expiry = server.figure("visavis_certificate_expiry_seconds{listener=\"https\"}").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((395.0 * 86_400.0..397.0 * 86_400.0).contains(&(expiry - now)), "{expiry}");

    // A renewal that went wrong: browsers would refuse it, and they take the old one.
    let key_pair = KeyPair::generate().unwrap();
    let expired = params("chat.example", -9, -1).self_signed(&key_pair).unwrap().pem();
    fs::write(&cert, expired).unwrap();
    fs::write(&key, key_pair.serialize_pem()).unwrap();
    server.signal("HUP");
    server.log_says("the old certificate stays in use: tls.cert: ");
    assert!(ask(&server, &first).await.is_some());

    let second = make_certificate(folder.path());
    server.signal("HUP");
    server.log_says("the new certificate is in use: tls.cert: localhost, good until ");
    assert!(ask(&server, &second).await.is_some());
}

#[tokio::test]
async fn why_redis_cannot_be_reached_is_said_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    // Stands in for whatever answers there: plain on one port, TLS of an unknown authority on the other.
    let other = Server::start(&["--tls-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key]);
    let (plain, tls) = (other.http.port(), other.https.unwrap().port());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, said) in [
        (
            format!("redis://:hush@127.0.0.1:{closed}"),
            "connection refused; nothing listens at the host and port",
        ),
        (
            format!("rediss://:hush@localhost:{tls}"),
            "the authority that issued its certificate is not trusted",
        ),
        (format!("redis://:hush@localhost:{plain}"), "is no Redis, or wants TLS (rediss://)"),
        (format!("rediss://:hush@localhost:{plain}"), "it does not speak TLS there"),
    ] {
        let server = Server::start(&["--redis", &url]);
        server.log_says(said);
        assert!(!server.log().contains("hush") && !server.said_at_start().contains("hush"));
    }
}
