//! Starts the binary on free ports, speaks to it, ends it.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Long enough for a loaded machine; nothing waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    child: Child,
    log: Receiver<String>,
    at_start: String,
    pub(crate) http: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
}

pub(crate) fn visavis() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VISAVIS_") {
            command.env_remove(name);
        }
    }
    command.env("VISAVIS_STATE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

impl Server {
    /// Starts with these flags beside `--listen 127.0.0.1:0`, and waits until it listens everywhere.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Server::start_with_env(flags, &[])
    }

    /// The same, with more in the environment.
    pub(crate) fn start_with_env(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = visavis();
        command.envs(environment.iter().copied()).arg("--no-ice-servers");
        Server::launch(command, flags)
    }

    /// The same, with the STUN servers that the settings name.
    pub(crate) fn start_with_stun(flags: &[&str]) -> Self {
        Server::launch(visavis(), flags)
    }

    /// The same, with so many open files.
    pub(crate) fn start_with_files(files: u32, flags: &[&str]) -> Self {
        let visavis = visavis();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string()]);
        command.arg(visavis.get_program());
        for (name, value) in visavis.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("--no-ice-servers");
        Server::launch(command, flags)
    }

    fn launch(mut command: Command, flags: &[&str]) -> Self {
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (lines, log) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).all(|line| lines.send(line).is_ok()));
        let (mut http, mut https, mut metrics) = (None, None, None);
        let wants = |flag: &str| flags.contains(&flag);
        let mut at_start = String::new();
        let deadline = Instant::now() + PATIENCE;
        while http.is_none()
            || (https.is_none() && wants("--tls-listen"))
            || (metrics.is_none() && wants("--metrics-listen"))
        {
            let line = log
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .expect("the server says where it listens");
            at_start.push_str(&line);
            at_start.push('\n');
            let Some((_, address)) = line.split_once("address=") else { continue };
            let place = match &line {
                line if line.contains("listening on http:") => &mut http,
                line if line.contains("listening on https:") => &mut https,
                _ => &mut metrics,
            };
            *place = Some(address.trim().parse().expect("an address"));
        }
        Server { child, log, at_start, http: http.expect("listens"), https, metrics }
    }

    pub(crate) async fn connect(&self) -> Client {
        self.connect_with(&[]).await.expect("the handshake succeeds")
    }

    /// With more headers, as a browser or a proxy adds them.
    pub(crate) async fn connect_with(&self, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        let tcp = TcpStream::connect(self.http).await?;
        Client::handshake(tcp, self.http, headers).await
    }

    /// The status of a refused handshake.
    pub(crate) async fn refusal(&self, headers: &[(&'static str, &str)]) -> Option<u16> {
        match self.connect_with(headers).await {
            Ok(_) => None,
            Err(Error::Http(response)) => Some(response.status().as_u16()),
            Err(other) => panic!("neither accepted nor refused: {other}"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[]).await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let tcp = TcpStream::connect(self.http).await.expect("connects");
        request(tcp, method, path, headers).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let tcp = TcpStream::connect(self.http).await.expect("connects");
        let length = body.len().to_string();
        let fixed = [("content-type", "application/json"), ("content-length", &length)];
        request_with(tcp, "POST", path, &[headers, &fixed].concat(), body).await
    }

    pub(crate) async fn figures(&self) -> String {
        self.ask_metrics("/metrics").await
    }

    /// The figures as people see them.
    pub(crate) async fn look(&self) -> String {
        self.ask_metrics("/").await
    }

    async fn ask_metrics(&self, path: &str) -> String {
        let tcp = TcpStream::connect(self.metrics.expect("--metrics-listen")).await.expect("connects");
        request(tcp, "GET", path, &[]).await.text()
    }

    /// One value of the metrics, by name and labels.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let figures = self.figures().await;
        let line = figures.lines().find(|line| line.rsplit_once(' ').is_some_and(|(found, _)| found == name));
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{figures}"));
        line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
    }

    pub(crate) async fn figure_becomes(&self, name: &str, expected: f64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.figure(name).await;
            if value == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {value}, not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for a line of the log that holds this, unless the start has said it.
    pub(crate) fn log_says(&self, what: &str) {
        if self.at_start.contains(what) {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(what) {
                return;
            }
        }
        panic!("the log does not say {what:?}");
    }

    /// What it logged until it listened everywhere.
    pub(crate) fn said_at_start(&self) -> &str {
        &self.at_start
    }

    /// Everything logged so far and not yet read.
    pub(crate) fn log(&self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as it should in some tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Client(pub(crate) WebSocketStream<TcpStream>);

impl Client {
    pub(crate) async fn handshake(
        tcp: TcpStream,
        host: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = format!("ws://{host}/ws").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header value"));
        }
        let config = WebSocketConfig::default();
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await?;
        Ok(Client(socket))
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("the socket takes it");
    }

    /// The next text message.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// Closes with a code of the client's own.
    pub(crate) async fn close_with(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.0.close(Some(frame)).await.expect("the socket is open");
    }

    /// The next text message of this type; others are passed over.
    pub(crate) async fn hear_type(&mut self, wanted: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == wanted {
                return message;
            }
        }
    }

    /// The next message of any kind.
    pub(crate) async fn next(&mut self) -> Message {
        match timeout(PATIENCE, self.0.next()).await {
            Ok(Some(Ok(message))) => message,
            other => panic!("heard {other:?}"),
        }
    }

    /// The code and reason of the close frame, after whatever came before it.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Message::Close(Some(CloseFrame { code, reason })) => {
                    return (code.into(), reason.to_string());
                }
                Message::Close(None) => return (1005, String::new()),
                _ => {}
            }
        }
    }
}

/// A socket whose receive buffer is as small as it goes: what it does not read soon fills the server's side.
pub(crate) async fn narrow_socket(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(to).await.expect("connects")
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// One request on a connection of its own.
pub(crate) async fn request(tcp: TcpStream, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    request_with(tcp, method, path, headers, "").await
}

async fn request_with(
    mut tcp: TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let host = if headers.iter().any(|(name, _)| *name == "host") { "" } else { "host: localhost\r\n" };
    let mut head = format!("{method} {path} HTTP/1.1\r\n{host}connection: close\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    head.push_str(body);
    tcp.write_all(head.as_bytes()).await.expect("the request goes out");
    let mut bytes = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect("an answer in time").expect("an answer");
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut lines = head.lines();
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: bytes[split + 4..].to_vec() }
}

/// Status and body of whatever is answered to these bytes.
pub(crate) async fn say(server: &Server, head: &[u8]) -> (u16, String) {
    let mut tcp = TcpStream::connect(server.http).await.unwrap();
    tcp.write_all(head).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect("an answer in time").ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
