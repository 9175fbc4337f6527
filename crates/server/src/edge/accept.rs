//! The accept loop, and what a socket goes through until HTTP reads it: a place among all, TLS, time limits.

use super::admission::{Admission, Permit, Refused};
use super::counters::SocketRefusal;
use super::stream::{Stream, Transport};
use super::tls::{Certificates, STUN_TURN};
use super::{Edge, Networks, Peer, address, base, headers, log, request_host, respond};
use crate::config::flag_of;
use crate::failure::Failure;
use crate::notice::warn_rarely;
use crate::relay::{Arrival, RelayLink, canonical};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// Connections that may wait to be accepted; the kernel lowers it to its own bound.
const BACKLOG: u32 = 8192;

/// The largest head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// How long one connection may serve plain HTTP: also a reader that takes its page by the byte must end.
pub(super) const HTTP_LIFETIME: Duration = Duration::from_secs(300);

/// One listener and all that its sockets need.
pub(crate) struct Door {
    pub(crate) edge: Arc<Edge>,
    pub(crate) router: Router,
    /// Sockets of all doors, by peer.
    pub(crate) sockets: Arc<Admission>,
    pub(crate) security: Security,
    /// Where connections go that speak STUN instead of HTTP.
    pub(crate) relay: Option<RelayLink>,
    /// Where a proxy puts the site: empty, or `/talk`.
    pub(crate) base_path: Arc<str>,
    pub(crate) header_timeout: Duration,
    pub(crate) tls_handshake_timeout: Duration,
    /// Changes when connections shall end.
    pub(crate) stopping: watch::Receiver<()>,
}

pub(crate) enum Security {
    Plain,
    Tls(Arc<Certificates>),
}

/// # Errors
/// One sentence that names the setting.
pub(crate) fn listen(address: SocketAddr, setting: &str, relay_alone: bool) -> Result<TcpListener, Failure> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|error| {
        let flag = flag_of(setting, relay_alone);
        Failure::Runtime(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{setting}: {address} is taken by another program; stop that one, or choose another port with {flag}"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "{setting}: not allowed to listen on {address}; choose a port above 1023 with {flag}, or grant \
                 CAP_NET_BIND_SERVICE"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "{setting}: this machine has no address {}; use one of its own, or 0.0.0.0 for all, with {flag}",
                address.ip()
            ),
            _ => format!("{setting}: cannot listen on {address}: {}", crate::reason(&error)),
        })
    })
}

impl Door {
    /// Accepts for as long as the process runs.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let door = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => door.clone().admit(tcp, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: those who wait in the backlog may have more luck soon.
                    warn_rarely!(
                        "cannot accept: {}; raise the open-file limit (ulimit -Hn, or LimitNOFILE= of systemd)",
                        crate::reason(&error)
                    );
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn admit(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        match admit_address(&self.sockets, peer) {
            Ok(place) => {
                tokio::spawn(async move {
                    let Some(mut transport) = self.secure(tcp).await else { return };
                    let speaks = match &self.relay {
                        None => Speaks::Http,
                        Some(_) => timeout(self.header_timeout, speaks(&mut transport))
                            .await
                            .unwrap_or(Speaks::Nothing),
                    };
                    match (speaks, &self.relay) {
                        (Speaks::Stun, Some(relay)) => hand_over(relay, transport, peer, place),
                        (Speaks::Http | Speaks::Stun, _) => {
                            self.speak_http(Stream::new(transport, place), peer).await
                        }
                        (Speaks::Nothing, _) => {}
                    }
                });
            }
            Err(refused) => {
                self.edge.counters.refused(SocketRefusal::Socket);
                match refused {
                    Refused::Subscriber => {
                        log::too_many_sockets(peer.ip(), self.sockets.most_per_subscriber())
                    }
                    Refused::Full => log::full(self.sockets.most()),
                }
                if let Security::Plain = self.security {
                    // One try: who cannot read its refusal at once is refused all the same.
                    let _ = tcp.try_write(refusal(refused));
                }
            }
        }
    }

    async fn secure(&self, tcp: TcpStream) -> Option<Transport> {
        // Signals are small and urgent. A socket that refuses the option is closed already, as will be seen.
        let _ = tcp.set_nodelay(true);
        match &self.security {
            Security::Plain => Some(Transport::Plain(tcp)),
            Security::Tls(certificates) => {
                let handshake = Box::pin(certificates.acceptor().accept(tcp));
                match timeout(self.tls_handshake_timeout, handshake).await {
                    Ok(Ok(tls)) => Some(Transport::Tls(Box::new(tls))),
                    Ok(Err(_)) | Err(_) => {
                        self.edge.counters.refused(SocketRefusal::Tls);
                        None
                    }
                }
            }
        }
    }

    async fn speak_http(&self, stream: Stream, peer: SocketAddr) {
        let service = service_fn(|request: Request<Incoming>| self.answer(request, peer));
        let connection = http1(self.header_timeout).serve_connection(TokioIo::new(stream), service);
        let mut connection = Box::pin(connection.with_upgrades());
        let mut stopping = self.stopping.clone();
        let ended = tokio::select! {
            _ = connection.as_mut() => true,
            _ = stopping.changed() => false,
            () = sleep(HTTP_LIFETIME) => false,
        };
        if !ended {
            connection.as_mut().graceful_shutdown();
            // The answer under way may finish; who takes longer is cut.
            let _ = timeout(Duration::from_secs(1), connection).await;
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<axum::response::Response, Infallible> {
        let mut request = request.map(Body::new);
        let settled = request_host::settle(&mut request);
        let isolates = matches!(self.security, Security::Tls(_)) || headers::comes_secure(request.headers());
        log::forwarded(peer.ip(), request.headers(), &self.edge.trusted_proxies);
        // nginx speaks HTTP/1.0 unless it is told otherwise, and adds no header of its own.
        let is_proxy = headers::is_forwarded(request.headers())
            || self.edge.trusted_proxies.contains(peer.ip())
            || request.version() == Version::HTTP_10;
        request.extensions_mut().insert(Peer { address: peer, is_proxy });
        let mut response = match (settled, base::take_off(&mut request, &self.base_path)) {
            (Ok(()), Ok(())) => self.router.clone().oneshot(request).await?,
            (Ok(()), Err(redirect)) => redirect,
            (Err(sentence), _) => respond::sentence(StatusCode::BAD_REQUEST, sentence),
        };
        self.edge.counters.answered(response.status().as_u16());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            headers::protect(response.headers_mut());
            if isolates {
                headers::isolate(response.headers_mut());
            }
        }
        Ok(response)
    }
}

/// HTTP/1.1 with the bounds of a request's head.
pub(super) fn http1(header_timeout: Duration) -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(HEAD_BYTES);
    builder
}

/// A place for a socket, by the other end of its connection.
pub(crate) fn admit_address(sockets: &Arc<Admission>, peer: SocketAddr) -> Result<Permit, Refused> {
    sockets.admit(address::client_address(peer, &HeaderMap::new(), &Networks::default()))
}

enum Speaks {
    Http,
    Stun,
    /// It was closed before it said a word.
    Nothing,
}

/// Waits for the first byte, and leaves it to be read. STUN's requests begin with two zero bits and a method that is
/// small; HTTP's with a letter.
async fn speaks(transport: &mut Transport) -> Speaks {
    let mut first = [0];
    let peeked = match transport {
        Transport::Plain(tcp) => tcp.peek(&mut first).await,
        Transport::Tls(tls) => match tls.get_ref().1.alpn_protocol() {
            Some(STUN_TURN) => return Speaks::Stun,
            Some(_) => return Speaks::Http,
            None => tls.fill_buf().await.map(|bytes| {
                if let Some(byte) = bytes.first() {
                    first = [*byte];
                }
                bytes.len()
            }),
        },
    };
    match (peeked, first) {
        (Ok(0) | Err(_), _) => Speaks::Nothing,
        (Ok(_), [0 | 1]) => Speaks::Stun,
        (Ok(_), _) => Speaks::Http,
    }
}

fn hand_over(relay: &RelayLink, transport: Transport, peer: SocketAddr, place: Permit) {
    let (tcp, tls) = match transport {
        Transport::Plain(tcp) => (tcp, None),
        Transport::Tls(stream) => {
            let (tcp, tls) = stream.into_inner();
            (tcp, Some(tls))
        }
    };
    // From here on it is one of the relay's files, and no longer one of HTTP's.
    let Ok(of_relay) = relay.admit(peer) else { return };
    drop(place);
    // One that cannot leave this runtime's care is closed.
    if let Ok(tcp) = tcp.into_std() {
        relay.adopt(Arrival { tcp, tls, peer: canonical(peer), place: of_relay });
    }
}

fn refusal(refused: Refused) -> &'static [u8] {
    match refused {
        Refused::Subscriber => {
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nConnection: close\r\nContent-Type: text/plain\r\n\
              Content-Length: 37\r\n\r\nToo many connections of your address\n"
        }
        Refused::Full => {
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Type: text/plain\r\n\
              Content-Length: 20\r\n\r\nThis server is full\n"
        }
    }
}

/// Errors that `accept` passes on from the connection itself: the next one may be sound.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
