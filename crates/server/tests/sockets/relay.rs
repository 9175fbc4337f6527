//! The relay on real sockets: over UDP, TCP and TLS, beside HTTP and alone.

use super::harness::{PATIENCE, Server, narrow_socket, request, visavis};
use super::turn_client::{BINDING, TurnClient, channel_data};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use visavis_turn::{Credential, Secret, Secrets};

const SECRET: [&str; 2] = ["--turn-secret", "s3cret"];
const LOCAL: &str = "--allow-local-peers";

fn minted(secret: &str, id: &str) -> Credential {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Secrets::new(Secret::new(secret).unwrap(), []).mint(now_s + 60, id)
}

fn alice() -> Credential {
    minted("s3cret", "alice")
}

fn start(flags: &[&str]) -> Server {
    Server::start(&[&SECRET, flags].concat())
}

/// A server with TLS, and what trusts it.
struct Secure {
    server: Server,
    roots: RootCertStore,
    _folder: tempfile::TempDir,
}

impl Secure {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = visavis().args(["self-signed", "--out"]).arg(folder.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| path(folder.path(), name));
        let tls = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
        Secure { server: start(&[&tls, flags].concat()), roots, _folder: folder }
    }

    async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(self.server.https.unwrap()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn stun_is_answered_at_the_address_and_port_of_http_and_http_still_is() {
    let server = start(&[]);
    let mut udp = TurnClient::udp(server.http).await;
    let super::turn_client::Line::Udp(socket) = &udp.line else { unreachable!() };
    let own = socket.local_addr().unwrap();
    assert_eq!(udp.bind_itself().await, own);
    let tcp = TcpStream::connect(server.http).await.unwrap();
    let own = tcp.local_addr().unwrap();
    assert_eq!(TurnClient::stream(tcp).bind_itself().await, own);
    assert_eq!(server.get("/healthz").await.status, 200);
    server.connect().await;
}

#[tokio::test]
async fn over_tls_turn_shares_the_port_with_https_with_and_without_alpn() {
    let secure = Secure::start(&[]);
    for protocols in [&[][..], &["stun.turn"]] {
        let tls = secure.connect(protocols).await;
        let own = tls.get_ref().0.local_addr().unwrap();
        assert_eq!(TurnClient::stream(tls).bind_itself().await, own, "{protocols:?}");
    }
    for protocols in [&[][..], &["http/1.1"]] {
        let mut tls = secure.connect(protocols).await;
        tls.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, tls.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{protocols:?}");
    }
}

#[tokio::test]
async fn two_visitors_meet_through_the_relay_however_they_reach_it() {
    let secure = Secure::start(&[]);
    let relay = secure.server.http;
    let one = |at: usize| {
        let secure = &secure;
        async move {
            let client = match at {
                0 => TurnClient::udp(relay).await,
                1 => TurnClient::tcp(relay).await,
                _ => TurnClient::stream(secure.connect(&[]).await),
            };
            client.with(minted("s3cret", &format!("visitor {at}")))
        }
    };
    for (from, to) in [(0, 0), (0, 1), (1, 2), (2, 2), (2, 0)] {
        let (mut alice, mut bob) = (one(from).await, one(to).await);
        let (alices, bobs) = (alice.allocate().await.unwrap(), bob.allocate().await.unwrap());
        // Loopback is refused without the flag; the relay's own addresses are not.
        assert_eq!(alice.bind(0x4000, bobs).await, 0);
        assert_eq!(bob.bind(0x7fff, alices).await, 0);
        for payload in [&b"x"[..], b"four", &[7; 1200]] {
            alice.say(0x4000, payload).await;
            bob.hears(0x7fff, payload).await;
            bob.say(0x7fff, payload).await;
            alice.hears(0x4000, payload).await;
        }
    }
}

#[tokio::test]
async fn local_peers_are_reached_with_the_development_flag_only_and_our_listeners_never() {
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = peer.local_addr().unwrap();
    let closed = start(&["--metrics-listen", "127.0.0.1:0"]);
    let mut alice_there = TurnClient::udp(closed.http).await.with(alice());
    alice_there.allocate().await.unwrap();
    assert_eq!(alice_there.bind(0x4000, (Ipv4Addr::new(127, 0, 0, 2), at.port()).into()).await, 403);
    assert_eq!(alice_there.permit("10.0.0.1:1".parse().unwrap()).await, 403);
    closed.figure_becomes("visavis_relay_refused_total{code=\"403\"}", 2.0).await;
    closed.figure_becomes("visavis_relay_allocations", 1.0).await;

    let open = start(&[LOCAL, "--metrics-listen", "127.0.0.1:0"]);
    let mut alice_here = TurnClient::udp(open.http).await.with(alice());
    let relayed = alice_here.allocate().await.unwrap();
    for own in [open.http, open.metrics.unwrap()] {
        assert_eq!(alice_here.bind(0x4000, own).await, 403);
    }
    assert_eq!(alice_here.permit("169.254.169.254:80".parse().unwrap()).await, 403);
    assert_eq!(alice_here.bind(0x4000, at).await, 0);
    let mut buffer = [0; 2000];
    for payload in [&b"x"[..], b"", &[7; 1400]] {
        alice_here.say(0x4000, payload).await;
        let (len, from) = timeout(PATIENCE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..len], from), (payload, relayed));
        peer.send_to(payload, relayed).await.unwrap();
        alice_here.hears(0x4000, payload).await;
    }
    let figure = |direction| format!("visavis_relay_bytes_total{{direction=\"{direction}\"}}");
    for direction in ["to_peer", "to_client"] {
        open.figure_becomes(&figure(direction), 1401.0).await;
    }
}

#[tokio::test]
async fn many_packets_at_once_arrive_in_order() {
    let server = start(&[LOCAL]);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TurnClient::udp(server.http).await.with(alice());
    let relayed = client.allocate().await.unwrap();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()).await, 0);
    let mut buffer = [0; 100];
    for round in 0..10u8 {
        for number in 0..50u8 {
            client.say(0x4000, &[round, number]).await;
            peer.send_to(&[round, number], relayed).await.unwrap();
        }
        for number in 0..50u8 {
            let (len, _) = timeout(PATIENCE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
            assert_eq!(buffer[..len], [round, number]);
            client.hears(0x4000, &[round, number]).await;
        }
    }
}

#[tokio::test]
async fn a_stream_may_come_in_pieces_and_all_at_once_and_garbage_ends_it() {
    let server = start(&[]);
    let mut client = TurnClient::tcp(server.http).await;
    let super::turn_client::Line::Stream(stream, _) = &mut client.line else { unreachable!() };
    let binding = TurnClient::udp(server.http).await.message(BINDING, &[]);
    for byte in &binding {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    stream.write_all(&binding.repeat(20)).await.unwrap();
    for _ in 0..21 {
        assert_eq!(client.receive().await.unwrap()[8..20], binding[8..20]);
    }
    let super::turn_client::Line::Stream(stream, _) = &mut client.line else { unreachable!() };
    stream.write_all(&[0xff; 64]).await.unwrap();
    assert!(client.receive().await.is_err(), "it is closed");
}

#[tokio::test]
async fn a_reader_that_stalls_loses_whole_frames_and_delays_nobody() {
    let server = start(&[LOCAL, "--turn-bytes-per-s", "0"]);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut slow = TurnClient::stream(narrow_socket(server.http).await).with(alice());
    let relayed = slow.allocate().await.unwrap();
    assert_eq!(slow.bind(0x4000, peer.local_addr().unwrap()).await, 0);
    let mut swift = TurnClient::udp(server.http).await;
    // Far more than the kernel and the relay keep for one connection.
    for number in 0..20_000u32 {
        let mut payload = [0; 1001];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        peer.send_to(&payload, relayed).await.unwrap();
        if number % 1000 == 0 {
            swift.bind_itself().await;
        }
    }
    let mut last = None;
    let mut heard = 0;
    while let Ok(frame) = timeout(Duration::from_millis(500), slow.receive()).await {
        let frame = frame.unwrap();
        assert_eq!((frame.len(), &frame[..4]), (1005, &channel_data(0x4000, &[0; 1001])[..4]));
        let number = u32::from_be_bytes(frame[4..8].try_into().unwrap());
        assert!(last.is_none_or(|last| last < number), "in order");
        last = Some(number);
        heard += 1;
    }
    assert!((1..20_000).contains(&heard), "{heard} of 20,000");
    slow.bind_itself().await;
}

#[tokio::test]
async fn two_nodes_on_one_host_share_a_range_of_ports() {
    let range = ["--turn-relay-ports", "47000-47031"];
    let (one, two) = (start(&range), start(&range));
    let mut clients = Vec::new();
    let mut ports = Vec::new();
    for at in 0..24 {
        let server = if at % 2 == 0 { &one } else { &two };
        let mut client = TurnClient::udp(server.http).await.with(minted("s3cret", &at.to_string()));
        ports.push(client.allocate().await.expect("there are ports left").port());
        clients.push(client);
    }
    assert!(ports.iter().all(|port| (47_000..=47_031).contains(port)), "{ports:?}");
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 24);
}

#[tokio::test]
async fn what_api_ice_gives_opens_the_relay_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let server = Server::start(&["--state-dir", state]);
    let ice = server.get("/api/ice").await.json();
    let entry = &ice["iceServers"][0];
    let credential = Credential {
        username: entry["username"].as_str().expect("a name").to_owned(),
        password: entry["credential"].as_str().expect("a password").to_owned(),
    };
    let mut client = TurnClient::udp(server.http).await.with(credential.clone());
    assert!(client.allocate().await.is_ok());
    drop(server);
    let next = Server::start(&["--state-dir", state]);
    let mut client = TurnClient::udp(next.http).await.with(credential.clone());
    assert!(client.allocate().await.is_ok(), "the secret outlives the process");
    let mut forged = credential;
    forged.username.insert(0, '1');
    for wrong in
        [forged, minted("another", "alice"), Credential { username: String::new(), password: String::new() }]
    {
        let mut client = TurnClient::udp(next.http).await.with(wrong);
        assert_eq!(client.allocate().await, Err(401));
    }
}

#[tokio::test]
async fn a_secret_can_be_rotated_while_its_credentials_are_in_use() {
    let server = Server::start(&["--turn-secret", "new", "--turn-secret", "s3cret"]);
    for secret in ["new", "s3cret"] {
        let mut client = TurnClient::udp(server.http).await.with(minted(secret, "alice"));
        assert!(client.allocate().await.is_ok(), "{secret}");
    }
}

#[tokio::test]
async fn turned_off_it_leaves_http_alone() {
    let server = start(&["--turn-enabled", "off"]);
    let free = UdpSocket::bind(server.http).await;
    assert!(free.is_ok(), "the UDP port is free");
    let mut client = TurnClient::tcp(server.http).await;
    let binding = client.message(BINDING, &[]);
    client.send(&binding).await;
    let super::turn_client::Line::Stream(stream, _) = &mut client.line else { unreachable!() };
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
}

#[tokio::test]
async fn a_taken_udp_port_is_said_with_its_mend() {
    // One whose TCP port is free.
    let taken = (0..100)
        .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
        .find(|udp| std::net::TcpListener::bind(udp.local_addr().unwrap()).is_ok())
        .unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = visavis().args(["--listen", &address]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("listen: UDP port") && said.contains("turn.enabled = false"), "{said}");
}

#[tokio::test]
async fn alone_it_relays_on_its_own_listeners_and_serves_no_pages() {
    let folder = tempfile::tempdir().unwrap();
    let made = visavis().args(["self-signed", "--out"]).arg(folder.path()).output().unwrap();
    assert!(made.status.success());
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| path(folder.path(), name));
    let mut command = visavis();
    command.args(["turn", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]);
    command.args(["--tls-cert", &cert, "--tls-key", &key, "--realm", "example.org"]);
    command.args(["--secret", "new", "--secret", "s3cret", "--relay-ports", "48000-48099", LOCAL]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut address = |wanted: &str| -> SocketAddr {
        let line = lines.find(|line| line.contains(wanted)).expect("it says where it listens");
        line.rsplit_once("at=").unwrap().1.trim().parse().unwrap()
    };
    let plain = address("listening over UDP and TCP");
    let tls = address("listening over TLS");
    for secret in ["new", "s3cret"] {
        let mut client = TurnClient::udp(plain).await.with(minted(secret, "alice"));
        let relayed = client.allocate().await.unwrap();
        assert!((48_000..48_100).contains(&relayed.port()));
    }
    let mut client = TurnClient::tcp(plain).await.with(alice());
    assert!(client.allocate().await.is_ok());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(tls).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name.clone(), tcp).await.unwrap();
    assert!(TurnClient::stream(stream).with(alice()).allocate().await.is_ok());

    let mut page = connector.connect(name, TcpStream::connect(tls).await.unwrap()).await.unwrap();
    page.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // It hangs up without a farewell of TLS.
    let _ = timeout(PATIENCE, page.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("This is a TURN relay"), "{answer}");

    let mut page = TcpStream::connect(plain).await.unwrap();
    page.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\nxxxx").await.unwrap();
    page.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, page.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());

    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    for ignored in ["USR1", "USR2", "ALRM"] {
        signal(ignored);
    }
    signal("HUP");
    assert!(lines.any(|line| line.contains("SIGHUP: read the settings again")));
    assert!(lines.any(|line| line.contains("the new certificate is in use: turn.tls_cert: ")));
    signal("TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn alone_it_tells_its_figures_where_it_is_told_to() {
    let mut command = visavis();
    command.args(["turn", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    command.args(["--realm", "example.org", "--secret", "s3cret", LOCAL]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut address = |wanted: &str, before: &str| -> SocketAddr {
        let line = lines.find(|line| line.contains(wanted)).expect("it says where it listens");
        line.rsplit_once(before).unwrap().1.trim().parse().unwrap()
    };
    let relay = address("listening over UDP and TCP", "at=");
    let figures = address("metrics at http", "address=");
    let mut client = TurnClient::udp(relay).await.with(alice());
    client.allocate().await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(client.bind(0x4001, peer.local_addr().unwrap()).await, 0);
    client.say(0x4001, b"twelve bytes").await;
    let mut heard = [0; 64];
    assert_eq!(timeout(PATIENCE, peer.recv(&mut heard)).await.unwrap().unwrap(), 12);

    let ask = async |path: &str| request(TcpStream::connect(figures).await.unwrap(), "GET", path, &[]).await;
    let page = ask("/metrics").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    for line in [
        "visavis_relay_allocations 1",
        "visavis_relay_allocations_made_total 1",
        "visavis_relay_bytes_total{direction=\"to_peer\"} 12",
        "visavis_relay_packets_total{direction=\"to_client\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("visavis_sessions"), "it has no visitors to count");
    assert_eq!(ask("/").await.status, 404);
    assert_eq!(client.bind(0x4002, figures).await, 403, "nobody reaches that through the relay");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn alone_it_needs_a_secret() {
    let output = visavis().args(["turn", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("turn.secret: a relay alone needs the secret"), "{said}");
}

/// Starts with the relay on all IPv4 addresses; tells its port.
fn everywhere(flags: &[&str]) -> (Server, u16) {
    let server = start(&[&["--turn-listen", "0.0.0.0:0"], flags].concat());
    let at =
        server.said_at_start().split("relay: listening").nth(1).expect("it says where").split("at=").nth(1);
    let port = at.and_then(|at| at.lines().next()?.rsplit_once(':')?.1.parse().ok());
    (server, port.expect("a port"))
}

/// Every address of 127.0.0.0/8 is this machine's, and the kernel answers from 127.0.0.1 unless it is told otherwise. The
/// client's socket is connected: it hears nobody but whom it asked.
#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    let (_server, port) = everywhere(&[LOCAL]);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for last in [2, 3, 1] {
        let at = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
        let mut client = TurnClient::udp(at).await.with(minted("s3cret", &last.to_string()));
        client.bind_itself().await;
        let relayed = client.allocate().await.unwrap();
        assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()).await, 0);
        // One packet, many of one length, many of several.
        for lengths in [vec![10], vec![900; 40], (1..60).collect::<Vec<_>>()] {
            for length in &lengths {
                peer.send_to(&vec![7; *length], relayed).await.unwrap();
            }
            for length in &lengths {
                client.hears(0x4000, &vec![7; *length]).await;
            }
        }
    }
}

#[tokio::test]
async fn one_port_of_a_client_has_an_allocation_at_each_of_our_addresses() {
    let (_server, port) = everywhere(&[LOCAL]);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut relayed = Vec::new();
    let mut client = TurnClient::udp((Ipv4Addr::new(127, 0, 0, 2), port).into()).await;
    client.line = super::turn_client::Line::Udp(socket);
    for last in [2, 3] {
        let super::turn_client::Line::Udp(socket) = client.line else { unreachable!() };
        socket.connect((Ipv4Addr::new(127, 0, 0, last), port)).await.unwrap();
        let mut next = TurnClient::udp((Ipv4Addr::LOCALHOST, port).into()).await.with(alice());
        next.line = super::turn_client::Line::Udp(socket);
        relayed.push(next.allocate().await.expect("a conversation of its own"));
        client = next;
    }
    assert_ne!(relayed[0], relayed[1]);
}

#[tokio::test]
async fn networks_that_the_operator_denies_are_refused() {
    let server = start(&[LOCAL, "--turn-denied-peers", "127.0.0.9", "--turn-denied-peers", "8.8.0.0/16"]);
    let mut client = TurnClient::udp(server.http).await.with(alice());
    client.allocate().await.unwrap();
    for (peer, code) in [("127.0.0.9:1", 403), ("8.8.8.8:1", 403), ("127.0.0.8:1", 0), ("9.9.9.9:1", 0)] {
        assert_eq!(client.permit(peer.parse().unwrap()).await, code, "{peer}");
    }
}

#[tokio::test]
async fn a_relay_whose_clock_or_secret_differs_says_so() {
    let server = start(&["--metrics-listen", "127.0.0.1:0"]);
    let old = Secrets::new(Secret::new("s3cret").unwrap(), []).mint(1_700_000_000, "alice");
    for credential in [old.clone(), old, minted("another", "alice")] {
        let mut client = TurnClient::udp(server.http).await.with(credential);
        assert_eq!(client.allocate().await, Err(401));
    }
    server.log_says("relay: a credential is refused that has been over for");
    server.log_says("turn.secret differs");
    server.figure_becomes("visavis_relay_unauthenticated_total{reason=\"expired\"}", 2.0).await;
    server.figure_becomes("visavis_relay_unauthenticated_total{reason=\"wrong_password\"}", 1.0).await;
}

#[tokio::test]
async fn bytes_beyond_a_bound_are_dropped_and_said() {
    let server = start(&[LOCAL, "--turn-user-bytes-per-s", "20000", "--metrics-listen", "127.0.0.1:0"]);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TurnClient::udp(server.http).await.with(alice());
    client.allocate().await.unwrap();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()).await, 0);
    for _ in 0..100 {
        client.say(0x4000, &[7; 1_000]).await;
    }
    server.log_says("turn.user_bytes_per_s: packets are dropped, as a user name carries no more than 20000");
    assert!(server.figure("visavis_relay_bounds_hit_total{bound=\"user_bytes_per_s\"}").await > 0.0);
    let carried = server.figure("visavis_relay_bytes_total{direction=\"to_peer\"}").await;
    assert!((20_000.0..100_000.0).contains(&carried), "{carried}");
}

#[tokio::test]
async fn a_reload_denies_peers_that_were_reached_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "visavis.toml");
    std::fs::write(&file, "").unwrap();
    let server = start(&[LOCAL, "--config", &file]);
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TurnClient::udp(server.http).await.with(alice());
    client.allocate().await.unwrap();
    let at = peer.local_addr().unwrap();
    assert_eq!(client.bind(0x4000, at).await, 0);
    std::fs::write(&file, "turn.denied_peers = [\"127.0.0.0/8\"]").unwrap();
    server.signal("HUP");
    server.log_says("in force from now on: turn.denied_peers");
    assert_eq!(client.bind(0x4000, at).await, 403);
    client.say(0x4000, b"x").await;
    client.bind_itself().await;
    let mut heard = [0; 8];
    assert!(peer.try_recv(&mut heard).is_err(), "what was permitted ends");
}
