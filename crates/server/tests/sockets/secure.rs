//! TLS: served, and its certificate read again when it changes.

use super::harness::{PATIENCE, Server, visavis};
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
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.https.unwrap()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
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
