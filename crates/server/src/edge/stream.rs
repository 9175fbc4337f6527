//! One accepted socket, plain or under TLS. Its place among all sockets goes with it.

use super::admission::Permit;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::server::TlsStream;

pub(super) struct Stream {
    transport: Transport,
    _place: Permit,
}

pub(crate) enum Transport {
    Plain(TcpStream),
    /// Boxed: a session's state is large, and most sockets have none.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// For a thread outside this runtime. `None`: the socket cannot leave the runtime's care, and is closed.
    pub(crate) fn into_parts(self) -> Option<(std::net::TcpStream, Option<ServerConnection>)> {
        let (tcp, tls) = match self {
            Transport::Plain(tcp) => (tcp, None),
            Transport::Tls(stream) => {
                let (tcp, tls) = stream.into_inner();
                (tcp, Some(tls))
            }
        };
        Some((tcp.into_std().ok()?, tls))
    }
}

impl Stream {
    pub(super) fn new(transport: Transport, place: Permit) -> Self {
        Stream { transport, _place: place }
    }

    /// Bounds what the kernel keeps for a reader that stalls. Signaling needs no more.
    pub(super) fn shrink_send_buffer(&self, bytes: usize) {
        // A kernel that refuses serves as well, with more memory.
        let _ = socket2::SockRef::from(self.tcp()).set_send_buffer_size(bytes);
    }

    /// Closing will reset the connection, so that nothing of it lingers in the kernel.
    pub(super) fn forget_on_close(&self) {
        let _ = socket2::SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn tcp(&self) -> &TcpStream {
        match &self.transport {
            Transport::Plain(tcp) => tcp,
            Transport::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Transport::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Transport::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Transport::Tls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(tcp) => tcp.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Transport::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
