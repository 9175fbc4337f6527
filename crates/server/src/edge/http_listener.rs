//! Listeners of HTTP, and what a socket goes through until HTTP reads it: a place among all, TLS, time limits.

use super::admission::{Admission, Permit, Refused};
use super::counters::SocketRefusal;
use super::listener::{Security, accept};
use super::stream::{Stream, Transport};
use super::tls::STUN_TURN;
use super::{Edge, Networks, Peer, address, base, headers, log, request_host, respond};
use crate::relay::RelayLink;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// The largest head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// How long one connection may serve plain HTTP: also a reader that takes its page by the byte must end.
pub(super) const HTTP_LIFETIME: Duration = Duration::from_secs(300);

/// One listener and all that its sockets need.
pub(crate) struct HttpListener {
    pub(crate) edge: Arc<Edge>,
    pub(crate) router: Router,
    /// Sockets of all listeners, by peer.
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

impl HttpListener {
    /// Accepts for as long as the process runs.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let own = Arc::new(self);
        accept(listener, |tcp, peer| Arc::clone(&own).admit(tcp, peer)).await;
    }

    fn admit(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        match admit_address(&self.sockets, peer) {
            Ok(place) => {
                tokio::spawn(async move {
                    let Some(mut transport) = self.security.secure(tcp, self.tls_handshake_timeout).await
                    else {
                        return self.edge.counters.refused(SocketRefusal::Tls);
                    };
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
    // From here on it is one of the relay's files, and no longer one of HTTP's.
    let Ok(of_relay) = relay.admit(peer) else { return };
    drop(place);
    relay.adopt(transport, peer, of_relay);
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
