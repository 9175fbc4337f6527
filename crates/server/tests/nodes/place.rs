//! A redis-server and the nodes that meet there, started on free ports and ended by the test.

use super::harness::{Client, PATIENCE, Server};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const SECRET: &str = "a secret that all nodes of a test share";

/// Another program that speaks the same, such as Valkey's, may be named by this variable.
fn program() -> String {
    std::env::var("VISAVIS_REDIS_SERVER").unwrap_or_else(|_| "redis-server".into())
}

/// A port that nobody has just now. Another test may take it before its program does; then that program is started anew.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a free port").port()
}

pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    dir: tempfile::TempDir,
    options: Vec<String>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Redis::start_with(&[]).await
    }

    /// Started anew on other ports until it answers: all ports are drawn before the program takes them.
    pub(crate) async fn start_with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| option.to_string()).collect();
        for _ in 0..8 {
            let dir = tempfile::tempdir().expect("a folder");
            let port = free_port();
            let child = run(port, dir.path(), &options);
            let mut redis = Redis { child, port, dir, options: options.clone() };
            if redis.answers().await {
                return redis;
            }
        }
        panic!("{} ends at once with {options:?}", program());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn answers(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait().expect("waits").is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer");
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    /// Starts it again, empty, where it was.
    pub(crate) async fn again(&mut self) {
        self.child = run(self.port, self.dir.path(), &self.options);
        assert!(self.answers().await, "its port is still its own");
    }

    pub(crate) async fn ask(&self, command: &[&str]) -> String {
        ask(SocketAddr::from(([127, 0, 0, 1], self.port)), command).await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16, dir: &Path, options: &[String]) -> Child {
    Command::new(program())
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--dir", &dir.display().to_string()])
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts (Debian: apt-get install redis-server)")
}

/// One command, answered in Redis' own protocol.
pub(crate) async fn ask(at: SocketAddr, command: &[&str]) -> String {
    let mut tcp = TcpStream::connect(at).await.expect("connects");
    let mut text = format!("*{}\r\n", command.len());
    command.iter().for_each(|part| text.push_str(&format!("${}\r\n{part}\r\n", part.len())));
    tcp.write_all(text.as_bytes()).await.expect("takes it");
    let mut answer = vec![0; 64 * 1024];
    let length = tcp.read(&mut answer).await.expect("answers");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Starts a node that meets others at `redis`.
pub(crate) fn node(redis: &str, name: &str, more: &[&str]) -> Server {
    let flags = ["--redis", redis, "--node", name, "--session-secret", SECRET, "--session-resume", "on"];
    let limits = ["--limits-exempt", "127.0.0.1", "--metrics-listen", "127.0.0.1:0"];
    // A loaded machine may take longer than a visitor's patience between a fault and its mend.
    let grace = ["--lobby-grace-ms", "60000"];
    let flags: Vec<&str> = flags.iter().chain(&limits).chain(&grace).chain(more).copied().collect();
    Server::start(&flags)
}

/// As many nodes, once each of them knows all.
pub(crate) async fn nodes(redis: &str, count: usize) -> Vec<Server> {
    let nodes: Vec<Server> = (0..count).map(|index| node(redis, &format!("node-{index}"), &[])).collect();
    for node in &nodes {
        node.figure_becomes("visavis_nodes", count as f64).await;
    }
    nodes
}

/// Greets, and keeps the newest token.
pub(crate) struct Guest {
    pub(crate) client: Client,
    pub(crate) token: Value,
}

impl Guest {
    pub(crate) async fn greet(node: &Server) -> Self {
        Guest::come(node, None).await.0
    }

    /// With the token of an earlier socket; and what `welcome` says.
    pub(crate) async fn come(node: &Server, token: Option<Value>) -> (Self, Value) {
        let client = node.connect().await;
        let mut guest = Guest { client, token: Value::Null };
        let mut hello = json!({ "type": "hello", "version": 1 });
        if let Some(token) = token {
            hello["resume"] = token;
        }
        guest.say(hello).await;
        let welcome = guest.hear("welcome").await;
        (guest, welcome)
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.client.say(&frame.to_string()).await;
    }

    /// The two of a match see each other: a call, and no handshake any more.
    pub(crate) async fn connected(&mut self, id: &Value) {
        self.say(json!({ "type": "connected", "match_id": id, "path": "direct", "elapsed_ms": 1.0 })).await;
    }

    /// The next message of this type; others are passed over.
    pub(crate) async fn hear(&mut self, wanted: &str) -> Value {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = tokio::time::timeout(left, self.client.hear()).await;
            let message = next.unwrap_or_else(|_| panic!("no {wanted} came"));
            if let Some(token) = message.get("resume_token") {
                self.token = token.clone();
            }
            if message["type"] == wanted {
                return message;
            }
            assert_ne!(message["type"], "error", "while waiting for {wanted}: {message}");
        }
    }

    pub(crate) async fn search(&mut self, kind: &str) {
        self.say(json!({ "type": "find_partner", "kind": kind, "requeue": true })).await;
    }
}

/// Two guests, matched, and each node knows that the other knows: a match that breaks off before that is given up. The id.
pub(crate) async fn match_up(a: &mut Guest, b: &mut Guest, kind: &str) -> Value {
    a.search(kind).await;
    b.search(kind).await;
    let id = a.hear("partner_found").await["match_id"].clone();
    assert_eq!(b.hear("partner_found").await["match_id"], id);
    speak(a, b, &id, "are you there?").await;
    speak(b, a, &id, "I am").await;
    id
}

/// What one says, the other hears; after what comes again to somebody who has moved.
pub(crate) async fn speak(from: &mut Guest, to: &mut Guest, id: &Value, text: &str) {
    from.say(json!({ "type": "message", "match_id": id, "text": text })).await;
    loop {
        let heard = to.hear("message").await;
        assert_eq!(&heard["match_id"], id);
        if heard["text"] == text {
            return;
        }
    }
}

/// Waits until `/readyz` says this of Redis, and the metric too.
pub(crate) async fn redis_becomes(node: &Server, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ready = node.get("/readyz").await;
        assert_eq!(ready.status, 200, "visitors of one node meet without Redis");
        if ready.json()["redis"] == state {
            break;
        }
        assert!(Instant::now() < deadline, "redis does not become {state}: {}", ready.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.figure_becomes("visavis_redis_up", if state == "ok" { 1.0 } else { 0.0 }).await;
}

/// Carries bytes to `to`, until it is told to swallow them: a partition without a reset.
pub(crate) struct Wire {
    pub(crate) port: u16,
    to: Arc<AtomicU16>,
    cut: Arc<AtomicBool>,
}

impl Wire {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let wire = Wire { port: own, to: Arc::new(AtomicU16::new(port)), cut: Arc::default() };
        let (to, cut) = (Arc::clone(&wire.to), Arc::clone(&wire.cut));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let port = to.load(Ordering::Relaxed);
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(carry(near_in, far_out, Arc::clone(&cut)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&cut)));
            }
        });
        wire
    }

    /// Whoever connects from now on lands elsewhere.
    pub(crate) fn turn_to(&self, port: u16) {
        self.to.store(port, Ordering::Relaxed);
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    cut: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if !cut.load(Ordering::Relaxed) && to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
