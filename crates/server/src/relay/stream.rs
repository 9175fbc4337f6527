//! A TCP or TLS connection to the relay: bytes in, frames out, and back.
//!
//! What always holds: what waits to be written is bounded; a frame that finds no room is lost whole, so that the
//! stream stays readable (RFC 8656, section 12.6 allows it: the payload is that of datagrams).

use crate::edge::Permit;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use tokio_rustls::rustls::ServerConnection;
use visavis_turn::{Client, Frame, Packet, next_frame};

/// What may wait for a reader that is slow: a fifth of a second of video. Older media is worthless.
const MAX_WAITING_BYTES: usize = 128 * 1024;

/// What is read at once: others wait, too.
const READ_BYTES: usize = 64 * 1024;

/// What may wait for the end of a frame: the longest one.
const MAX_INPUT_BYTES: usize = READ_BYTES + 70 * 1024;

/// Any page may read it: it says the same to everybody.
const HTTP_ANSWER: &[u8] = b"HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain\r\n\
    Access-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: 54\r\n\r\n\
    This is a TURN relay over TLS. It serves no web pages.";

/// A connection that turned out to speak STUN, with all that it brings along.
pub(crate) struct Arrival {
    pub(crate) tcp: TcpStream,
    /// After its handshake. It may hold bytes that were read already.
    pub(crate) tls: Option<ServerConnection>,
    pub(crate) peer: SocketAddr,
    /// Given back when the connection ends.
    pub(crate) place: Permit,
}

pub(super) struct Stream {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
    pub(super) client: Client,
    /// Nothing has come yet.
    is_fresh: bool,
    input: Vec<u8>,
    /// Where the next frame begins in `input`.
    parsed: usize,
    /// What waits to be written, in the clear.
    output: Vec<u8>,
    written: usize,
    pub(super) interest: Interest,
    _place: Permit,
}

/// Which readiness the event loop watches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    Read,
    ReadAndWrite,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    On,
    Ended,
}

impl Stream {
    pub(super) fn new(arrival: Arrival, client: Client) -> io::Result<Self> {
        let Arrival { tcp, tls, place, .. } = arrival;
        tcp.set_nonblocking(true)?;
        let tls = tls.map(|mut tls| {
            // It gets more only when it has written what it has: see `flush`.
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Ok(Stream {
            tcp,
            tls,
            client,
            is_fresh: true,
            input: Vec::new(),
            parsed: 0,
            output: Vec::new(),
            written: 0,
            interest: Interest::Read,
            _place: place,
        })
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Takes in what is there, at most [`READ_BYTES`].
    pub(super) fn read(&mut self) -> Going {
        self.input.drain(..self.parsed);
        self.parsed = 0;
        let start = self.input.len();
        if start > MAX_INPUT_BYTES {
            return Going::Ended;
        }
        let going = match &mut self.tls {
            None => read_available(&mut self.tcp, &mut self.input, start + READ_BYTES),
            Some(tls) => {
                // What came with the handshake is read before anything new.
                let mut going = take_plaintext(tls, &mut self.input);
                while going == Going::On && self.input.len() < start + READ_BYTES {
                    match tls.read_tls(&mut self.tcp) {
                        Ok(0) => going = Going::Ended,
                        Ok(_) if tls.process_new_packets().is_err() => going = Going::Ended,
                        Ok(_) => going = take_plaintext(tls, &mut self.input),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => going = Going::Ended,
                    }
                }
                going
            }
        };
        // What came before the end still counts.
        if self.input.len() > start { Going::On } else { going }
    }

    /// Moves the next frame into `packet`. `Ok(false)`: there is none yet. An error: the stream is garbage.
    pub(super) fn next_frame(&mut self, packet: &mut Packet) -> Result<bool, Going> {
        if self.is_http() {
            // Its certificate is sound, and the wrong thing is asked: so it is told, and not merely cut.
            self.output.extend_from_slice(HTTP_ANSWER);
            return Err(Going::Ended);
        }
        let rest = self.input.get(self.parsed..).unwrap_or_default();
        match next_frame(rest) {
            Frame::Whole { len, padded } => {
                self.is_fresh = false;
                if len > packet.room().len() {
                    return Err(Going::Ended);
                }
                packet.fill(rest.get(..len).unwrap_or_default());
                self.parsed += padded;
                Ok(true)
            }
            Frame::Incomplete => Ok(false),
            Frame::Garbage => Err(Going::Ended),
        }
    }

    /// Whether somebody speaks HTTP over TLS here. Its letters look like the channel of a client that has none yet.
    fn is_http(&self) -> bool {
        const METHODS: [&[u8]; 4] = [b"GET ", b"HEAD ", b"POST ", b"OPTIONS "];
        self.is_fresh && self.tls.is_some() && METHODS.iter().any(|method| self.input.starts_with(method))
    }

    /// Takes a frame, to be written by [`Stream::flush`]; or loses it, if too much waits already.
    pub(super) fn queue(&mut self, frame: &[u8]) {
        if self.output.len() - self.written + frame.len() <= MAX_WAITING_BYTES {
            self.output.extend_from_slice(frame);
        }
    }

    /// Writes what the kernel takes.
    pub(super) fn flush(&mut self) -> Going {
        let done = match &mut self.tls {
            None => write_available(&mut self.tcp, &self.output, &mut self.written),
            Some(tls) => seal_available(tls, &mut self.tcp, &self.output, &mut self.written),
        };
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        } else if self.written > MAX_WAITING_BYTES / 2 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        match done {
            Ok(()) => Going::On,
            Err(_) => Going::Ended,
        }
    }

    pub(super) fn wanted_interest(&self) -> Interest {
        let waits = !self.output.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        if waits { Interest::ReadAndWrite } else { Interest::Read }
    }
}

fn write_available(tcp: &mut TcpStream, output: &[u8], written: &mut usize) -> io::Result<()> {
    while let Some(rest) = output.get(*written..).filter(|rest| !rest.is_empty()) {
        match tcp.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => *written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One record after the other, each only when the last one is with the kernel: so rustls holds no more than one.
fn seal_available(
    tls: &mut ServerConnection,
    tcp: &mut TcpStream,
    output: &[u8],
    written: &mut usize,
) -> io::Result<()> {
    const RECORD_BYTES: usize = 16 * 1024;
    loop {
        while tls.wants_write() {
            match tls.write_tls(tcp) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let rest = output.get(*written..).unwrap_or_default();
        let record = rest.get(..RECORD_BYTES).unwrap_or(rest);
        if record.is_empty() {
            return Ok(());
        }
        tls.writer().write_all(record)?;
        *written += record.len();
    }
}

fn read_available(tcp: &mut TcpStream, input: &mut Vec<u8>, until: usize) -> Going {
    const STEP: usize = 16 * 1024;
    while input.len() < until {
        let filled = input.len();
        input.resize(filled + STEP, 0);
        let read = tcp.read(input.get_mut(filled..).unwrap_or_default());
        let count = *read.as_ref().unwrap_or(&0);
        input.truncate(filled + count);
        match read {
            Ok(0) => return Going::Ended,
            // Less than there was room for: that was all.
            Ok(count) if count < STEP => return Going::On,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Going::On,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Going::Ended,
        }
    }
    Going::On
}

fn take_plaintext(tls: &mut ServerConnection, input: &mut Vec<u8>) -> Going {
    match tls.reader().read_to_end(input) {
        // A clean end of what the other side sends.
        Ok(_) => Going::Ended,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Going::On,
        Err(_) => Going::Ended,
    }
}
