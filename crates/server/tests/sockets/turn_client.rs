//! As much of a TURN client as the tests need, over UDP, TCP and TLS.

use super::harness::PATIENCE;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use visavis_relay_load::message::{
    ALLOCATE, Attribute, CHANNEL_BIND, CREATE_PERMISSION, Login, NONCE, REALM, Reply, XOR_MAPPED_ADDRESS,
    XOR_RELAYED_ADDRESS, channel, over_udp, peer, request,
};
pub(crate) use visavis_relay_load::message::{BINDING, channel_data};
use visavis_turn::{Credential, Frame, next_frame};

pub(crate) enum Line {
    Udp(UdpSocket),
    Stream(Box<dyn Bytes>, Vec<u8>),
}

pub(crate) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

pub(crate) struct TurnClient {
    pub(crate) line: Line,
    credential: Option<Credential>,
    login: Option<Login>,
}

impl TurnClient {
    pub(crate) async fn udp(relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(relay).await.unwrap();
        Self::on(Line::Udp(socket))
    }

    /// From another address of loopback.
    pub(crate) async fn udp_from(from: Ipv4Addr, relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind((from, 0)).await.unwrap();
        socket.connect(relay).await.unwrap();
        Self::on(Line::Udp(socket))
    }

    pub(crate) async fn tcp(relay: SocketAddr) -> Self {
        Self::stream(TcpStream::connect(relay).await.unwrap())
    }

    pub(crate) fn stream(stream: impl Bytes + 'static) -> Self {
        Self::on(Line::Stream(Box::new(stream), Vec::new()))
    }

    fn on(line: Line) -> Self {
        TurnClient { line, credential: None, login: None }
    }

    pub(crate) fn with(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    pub(crate) async fn send(&mut self, frame: &[u8]) {
        match &mut self.line {
            Line::Udp(socket) => drop(socket.send(frame).await),
            Line::Stream(stream, _) => {
                let mut padded = frame.to_vec();
                padded.resize(frame.len().next_multiple_of(4), 0);
                stream.write_all(&padded).await.expect("the relay takes it");
            }
        }
    }

    /// The next frame; an error when the connection ends.
    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        match timeout(PATIENCE, self.next()).await {
            Ok(received) => received,
            Err(_) => panic!("nothing arrives"),
        }
    }

    async fn next(&mut self) -> io::Result<Vec<u8>> {
        match &mut self.line {
            Line::Udp(socket) => {
                let mut buffer = vec![0; 9000];
                let len = socket.recv(&mut buffer).await?;
                buffer.truncate(len);
                Ok(buffer)
            }
            Line::Stream(stream, read) => loop {
                match next_frame(read) {
                    Frame::Whole { len, padded } => {
                        let frame = read[..len].to_vec();
                        read.drain(..padded);
                        return Ok(frame);
                    }
                    Frame::Garbage => panic!("garbage from the relay"),
                    Frame::Incomplete => {
                        if stream.read_buf(read).await? == 0 {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                }
            },
        }
    }

    pub(crate) fn message(&self, method: u16, attributes: &[Attribute]) -> Vec<u8> {
        static SENT: AtomicU64 = AtomicU64::new(1);
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&SENT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        request(method, transaction, attributes, self.login.as_ref())
    }

    /// Asks, and once more if the relay wants credentials and there are some.
    pub(crate) async fn ask(&mut self, method: u16, attributes: &[Attribute]) -> Reply {
        let reply = self.ask_once(method, attributes).await;
        match &self.credential {
            Some(credential) if reply.code == 401 && self.login.is_none() => {
                let told = |kind| reply.value(kind).expect("a challenge");
                self.login = Some(Login::new(credential, told(REALM), told(NONCE)));
                self.ask_once(method, attributes).await
            }
            Some(_) | None => reply,
        }
    }

    async fn ask_once(&mut self, method: u16, attributes: &[Attribute]) -> Reply {
        let request = self.message(method, attributes);
        self.send(&request).await;
        let frame = self.receive().await.expect("an answer");
        Reply::read(&frame, &request).expect("the answer to this request")
    }

    pub(crate) async fn bind_itself(&mut self) -> SocketAddr {
        self.ask(BINDING, &[]).await.address(XOR_MAPPED_ADDRESS).expect("an address")
    }

    /// The relay address, or the code of the refusal.
    pub(crate) async fn allocate(&mut self) -> Result<SocketAddr, u16> {
        let reply = self.ask(ALLOCATE, &[over_udp()]).await;
        if reply.code != 0 {
            return Err(reply.code);
        }
        Ok(reply.address(XOR_RELAYED_ADDRESS).expect("an address"))
    }

    pub(crate) async fn permit(&mut self, to: SocketAddr) -> u16 {
        self.ask(CREATE_PERMISSION, &[peer(to)]).await.code
    }

    pub(crate) async fn bind(&mut self, number: u16, to: SocketAddr) -> u16 {
        self.ask(CHANNEL_BIND, &[channel(number), peer(to)]).await.code
    }

    pub(crate) async fn say(&mut self, channel: u16, payload: &[u8]) {
        self.send(&channel_data(channel, payload)).await;
    }

    pub(crate) async fn hears(&mut self, channel: u16, payload: &[u8]) {
        assert_eq!(self.receive().await.expect("payload"), channel_data(channel, payload));
    }
}
