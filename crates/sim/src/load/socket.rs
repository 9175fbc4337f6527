//! One visitor's socket: connecting, upgrading, and frames both ways, without ever blocking.
//!
//! Small when idle: what was not read or not written yet is kept only while there is such a thing.

use super::frame;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The nonce of RFC 6455's own example: it guards against caches, which a load client does not have between.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Kept small for who stops reading, so that the server meets its own bound soon.
const DEAF_RECEIVE_BUFFER: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    Upgrading,
    Open,
    /// Open, but this side reads and answers no more.
    Deaf,
}

pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) stage: Stage,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    mask: u32,
}

impl Socket {
    /// Begins to connect, from the given loopback address if there is one.
    pub(super) fn connect(to: SocketAddr, from: Option<Ipv4Addr>, mask: u32) -> io::Result<Self> {
        let raw = RawSocket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        raw.set_nonblocking(true)?;
        raw.set_tcp_nodelay(true)?;
        if let Some(from) = from {
            raw.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
        }
        match raw.connect(&to.into()) {
            Ok(()) => {}
            // EINPROGRESS, which has no stable `ErrorKind`.
            Err(error) if error.raw_os_error() == Some(115) || error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(Socket {
            stream: TcpStream::from_std(raw.into()),
            stage: Stage::Connecting,
            unread: Vec::new(),
            unsent: Vec::new(),
            mask,
        })
    }

    /// Once connected, asks for the upgrade. `false` while it is not.
    pub(super) fn upgrade(&mut self, host: &str, path: &str) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        }
        self.stage = Stage::Upgrading;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        self.send(request.as_bytes())?;
        Ok(true)
    }

    /// Reads what is there behind what was kept; says how much of `buffer` is filled. 0 bytes read is an end of file.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Filled> {
        let kept = self.unread.len();
        buffer[..kept].copy_from_slice(&self.unread);
        match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.unread = Vec::new();
                Ok(Filled { bytes: kept + read, drained: kept + read < buffer.len() })
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Filled { bytes: 0, drained: true }),
            Err(error) => Err(error),
        }
    }

    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.unread = rest.to_vec();
    }

    /// Appends a frame to `out`, for [`Socket::send`].
    pub(super) fn frame(&mut self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        // Any mask will do against a server that we know; it only must not be free of cost to undo.
        self.mask = self.mask.wrapping_mul(0x9e37_79b9) | 1;
        frame::write(out, opcode, payload, self.mask);
    }

    /// Writes at once, or keeps the rest for [`Socket::flush`].
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return self.flush();
        }
        let written = written(self.stream.write(bytes))?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let written = written(self.stream.write(&self.unsent))?;
            if written == 0 {
                return Ok(());
            }
            self.unsent.drain(..written);
        }
        self.unsent = Vec::new();
        Ok(())
    }

    pub(super) fn stop_reading(&mut self) {
        self.stage = Stage::Deaf;
        // Best effort: without it the server's bound is only met later.
        let _ = socket2::SockRef::from(&self.stream).set_recv_buffer_size(DEAF_RECEIVE_BUFFER);
    }

    /// Makes the close a reset: a socket that is lost, not one that says good-bye.
    pub(super) fn lose(&self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }
}

pub(super) struct Filled {
    pub(super) bytes: usize,
    pub(super) drained: bool,
}

fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Reads the answer to an upgrade: how many bytes it took, or `None` while it is not complete.
///
/// # Errors
/// The first line of an answer that is not our upgrade.
pub(super) fn read_upgrade(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let accepted = head.lines().skip(1).any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
        })
    });
    if head.starts_with("HTTP/1.1 101") && accepted {
        return Ok(Some(end + 4));
    }
    Err(head.lines().next().unwrap_or_default().chars().take(120).collect())
}
