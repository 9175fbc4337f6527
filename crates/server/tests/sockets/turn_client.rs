//! As much of a TURN client as the tests need, over UDP, TCP and TLS. Written beside the server's code, not with it.

use super::harness::PATIENCE;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use visavis_turn::{Credential, Frame, Key, next_frame};

pub(crate) const BINDING: u16 = 0x001;
pub(crate) const ALLOCATE: u16 = 0x003;
pub(crate) const CREATE_PERMISSION: u16 = 0x008;
pub(crate) const CHANNEL_BIND: u16 = 0x009;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const CHANNEL_NUMBER: u16 = 0x000c;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const REQUESTED_TRANSPORT: u16 = 0x0019;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

pub(crate) enum Line {
    Udp(UdpSocket),
    Stream(Box<dyn Bytes>, Vec<u8>),
}

pub(crate) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

pub(crate) struct TurnClient {
    pub(crate) line: Line,
    credential: Option<Credential>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
}

/// What a request brought: the error code, or zero, and the attributes.
pub(crate) struct Reply {
    pub(crate) code: u16,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Reply {
    fn value(&self, wanted: u16) -> &[u8] {
        let found = self.attributes.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| &value[..]).expect("the attribute is there")
    }

    fn address(&self, wanted: u16) -> SocketAddr {
        let value = self.value(wanted);
        assert_eq!(value[1], 1, "IPv4");
        let octets: Vec<u8> = value[4..].iter().zip(COOKIE).map(|(octet, mask)| octet ^ mask).collect();
        let port = u16::from_be_bytes([value[2] ^ COOKIE[0], value[3] ^ COOKIE[1]]);
        (Ipv4Addr::from(<[u8; 4]>::try_from(octets).unwrap()), port).into()
    }

    pub(crate) fn mapped(&self) -> SocketAddr {
        self.address(XOR_MAPPED_ADDRESS)
    }
}

impl TurnClient {
    pub(crate) async fn udp(relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
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
        TurnClient { line, credential: None, realm: Vec::new(), nonce: Vec::new() }
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

    pub(crate) fn message(&self, method: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        static SENT: AtomicU64 = AtomicU64::new(1);
        let mut packet = method.to_be_bytes().to_vec();
        packet.extend([0, 0]);
        packet.extend(COOKIE);
        packet.extend([0; 4]);
        packet.extend(SENT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        attributes.iter().for_each(|(kind, value)| put(&mut packet, *kind, value));
        if let Some(credential) = self.credential.as_ref().filter(|_| !self.nonce.is_empty()) {
            put(&mut packet, USERNAME, credential.username.as_bytes());
            put(&mut packet, REALM, &self.realm);
            put(&mut packet, NONCE, &self.nonce);
            set_length(&mut packet, 24);
            let realm = String::from_utf8(self.realm.clone()).unwrap();
            let key = Key::new(&credential.username, &realm, &credential.password);
            let signature = key.sign(&[&packet]);
            put(&mut packet, MESSAGE_INTEGRITY, &signature);
        }
        set_length(&mut packet, 0);
        packet
    }

    /// Asks, and once more if the relay wants credentials and there are some.
    pub(crate) async fn ask(&mut self, method: u16, attributes: &[(u16, Vec<u8>)]) -> Reply {
        let mut reply = self.ask_once(method, attributes).await;
        if reply.code == 401 && self.nonce.is_empty() && self.credential.is_some() {
            self.realm = reply.value(REALM).to_vec();
            self.nonce = reply.value(NONCE).to_vec();
            reply = self.ask_once(method, attributes).await;
        }
        reply
    }

    async fn ask_once(&mut self, method: u16, attributes: &[(u16, Vec<u8>)]) -> Reply {
        let request = self.message(method, attributes);
        self.send(&request).await;
        let frame = self.receive().await.expect("an answer");
        assert_eq!(frame[8..20], request[8..20], "the answer to another request");
        read(&frame)
    }

    pub(crate) async fn bind_itself(&mut self) -> SocketAddr {
        self.ask(BINDING, &[]).await.mapped()
    }

    /// The relay address, or the code of the refusal.
    pub(crate) async fn allocate(&mut self) -> Result<SocketAddr, u16> {
        let reply = self.ask(ALLOCATE, &[(REQUESTED_TRANSPORT, vec![17, 0, 0, 0])]).await;
        if reply.code == 0 { Ok(reply.address(XOR_RELAYED_ADDRESS)) } else { Err(reply.code) }
    }

    pub(crate) async fn permit(&mut self, peer: SocketAddr) -> u16 {
        self.ask(CREATE_PERMISSION, &[(XOR_PEER_ADDRESS, masked(peer))]).await.code
    }

    pub(crate) async fn bind(&mut self, channel: u16, peer: SocketAddr) -> u16 {
        let [high, low] = channel.to_be_bytes();
        let number = (CHANNEL_NUMBER, vec![high, low, 0, 0]);
        self.ask(CHANNEL_BIND, &[number, (XOR_PEER_ADDRESS, masked(peer))]).await.code
    }

    pub(crate) async fn say(&mut self, channel: u16, payload: &[u8]) {
        self.send(&channel_data(channel, payload)).await;
    }

    pub(crate) async fn hears(&mut self, channel: u16, payload: &[u8]) {
        assert_eq!(self.receive().await.expect("payload"), channel_data(channel, payload));
    }
}

pub(crate) fn channel_data(channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&channel.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

fn read(frame: &[u8]) -> Reply {
    let mut attributes = Vec::new();
    let mut rest = &frame[20..];
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        attributes.push((u16::from_be_bytes([rest[0], rest[1]]), rest[4..4 + length].to_vec()));
        rest = &rest[4 + length.next_multiple_of(4)..];
    }
    let error = attributes.iter().find(|(kind, _)| *kind == ERROR_CODE);
    let code = error.map_or(0, |(_, value)| u16::from(value[2]) * 100 + u16::from(value[3]));
    Reply { code, attributes }
}

fn masked(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else { panic!("IPv4 only") };
    let [high, low] = address.port().to_be_bytes();
    let octets = address.ip().octets().into_iter().zip(COOKIE).map(|(octet, mask)| octet ^ mask);
    [0, 1, high ^ COOKIE[0], low ^ COOKIE[1]].into_iter().chain(octets).collect()
}

fn put(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    packet.extend(kind.to_be_bytes());
    packet.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    packet.extend(value);
    packet.resize(packet.len().next_multiple_of(4), 0);
}

fn set_length(packet: &mut [u8], further: usize) {
    let length = u16::try_from(packet.len() - 20 + further).unwrap();
    packet[2..4].copy_from_slice(&length.to_be_bytes());
}
