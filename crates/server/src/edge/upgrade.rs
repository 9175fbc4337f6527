//! Who may open a socket, whatever it speaks, and the handshake of RFC 6455, section 4.2.

use super::admission::{Permit, Refused};
use super::counters::SocketRefusal;
use super::dialect::Dialect;
use super::origin::{self, Verdict};
use super::stream::Stream;
use super::{Edge, Peer, address, connection, log, respond};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use data_encoding::BASE64;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ring::digest;
use std::sync::Arc;

/// Answers a request for a WebSocket, on which `dialect` is spoken.
pub(super) async fn upgrade(edge: Arc<Edge>, mut request: Request, dialect: Dialect) -> Response {
    // Before the handshake is read: a page whose socket was refused asks again with a plain GET, to learn why.
    let visitor = match admit(&edge, &request) {
        Ok(visitor) => visitor,
        Err(refusal) => {
            edge.counters.refused(refusal);
            return answer_refused(refusal);
        }
    };
    let accept = match read_handshake(request.method(), request.headers()) {
        Ok(accept) => accept,
        Err(fault) => return fault.answer(),
    };
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Failing means that the client went away before it had its answer.
        let Ok(upgraded) = upgrading.await else { return };
        if let Some((stream, early)) = take_socket(upgraded) {
            connection::serve(edge, dialect, stream, visitor, early).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// The socket itself, and what came behind the request. A function, so that HTTP's buffers are gone when it returns:
/// held by the connection's task they would cost every visitor some 4 KiB.
fn take_socket(upgraded: Upgraded) -> Option<(Stream, Vec<u8>)> {
    match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) => Some((parts.io.into_inner(), parts.read_buf.to_vec())),
        Err(_) => {
            debug_assert!(false, "every socket comes from our own accept loop");
            None
        }
    }
}

fn admit(edge: &Edge, request: &Request) -> Result<Permit, SocketRefusal> {
    if edge.is_draining() {
        return Err(SocketRefusal::Draining);
    }
    if let Verdict::Foreign(cause) = origin::judge(request.headers(), &edge.allowed_origins()) {
        log::foreign_page("/ws", &cause);
        return Err(SocketRefusal::Origin);
    }
    let Some(peer) = request.extensions().get::<Peer>() else {
        debug_assert!(false, "the accept loop names the peer of every request");
        return Err(SocketRefusal::Full);
    };
    let client = address::client_address(peer.address, request.headers(), &edge.trusted_proxies);
    edge.visitors.admit(client).map_err(|refused| match refused {
        Refused::Subscriber => {
            log::too_many_visitors(client, edge.visitors.most_per_subscriber());
            SocketRefusal::Subscriber
        }
        Refused::Full => {
            log::full(edge.visitors.most());
            SocketRefusal::Full
        }
    })
}

fn answer_refused(refusal: SocketRefusal) -> Response {
    match refusal {
        SocketRefusal::Origin => respond::sentence(
            StatusCode::FORBIDDEN,
            "This page's origin may not connect here; /api/origin says why. Operators: list it with --allow-origin; \
             behind a proxy, pass the Host header on, with its port.",
        ),
        SocketRefusal::Subscriber => respond::retry(
            StatusCode::TOO_MANY_REQUESTS,
            30,
            "Too many connections from your address; close some, or try again later.",
        ),
        SocketRefusal::Draining => respond::retry(
            StatusCode::SERVICE_UNAVAILABLE,
            1,
            "This server is stopping; try again in a moment.",
        ),
        SocketRefusal::Full | SocketRefusal::Socket | SocketRefusal::Tls => {
            respond::retry(StatusCode::SERVICE_UNAVAILABLE, 10, "This server is full; try again in a moment.")
        }
    }
}

/// What is wrong with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Method,
    NoUpgrade,
    Version,
    Key,
}

impl Fault {
    fn answer(self) -> Response {
        let (status, sentence) = match self {
            Fault::Method => (StatusCode::METHOD_NOT_ALLOWED, "A WebSocket begins with GET."),
            Fault::NoUpgrade => (
                StatusCode::UPGRADE_REQUIRED,
                "A WebSocket is served here: connect with one (docs/protocol.md).",
            ),
            Fault::Version => (StatusCode::UPGRADE_REQUIRED, "Only WebSocket version 13 is supported."),
            Fault::Key => (StatusCode::BAD_REQUEST, "Sec-WebSocket-Key: must be 16 bytes in base64."),
        };
        let mut response = respond::sentence(status, sentence);
        let headers = response.headers_mut();
        match self {
            Fault::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Fault::NoUpgrade | Fault::Version => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Fault::Key => {}
        }
        response
    }
}

/// The value of `Sec-WebSocket-Accept`.
fn read_handshake(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Fault> {
    if method != Method::GET {
        return Err(Fault::Method);
    }
    if !has_token(headers, CONNECTION, "upgrade") || !has_token(headers, UPGRADE, "websocket") {
        return Err(Fault::NoUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Fault::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        return accept_key(key).parse().map_err(|_| Fault::Key);
    }
    Err(Fault::Key)
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(token))
}

/// Proves that the key was read, and nothing else: SHA-1 is what the RFC asks for.
fn accept_key(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_key_gives_the_rfcs_answer() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_handshake_that_lacks_something_is_told_what() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let status = |without: &str, instead: Option<&'static str>, method: Method| {
            let mut headers = HeaderMap::new();
            for (name, value) in good {
                match instead {
                    _ if name != without => headers.insert(name, HeaderValue::from_static(value)),
                    Some(other) => headers.insert(name, HeaderValue::from_static(other)),
                    None => None,
                };
            }
            read_handshake(&method, &headers).err().map(|fault| fault.answer().status().as_u16())
        };
        assert_eq!(status("", None, Method::GET), None);
        assert_eq!(status("", None, Method::POST), Some(405));
        assert_eq!(status("connection", None, Method::GET), Some(426));
        assert_eq!(status("upgrade", Some("h2c"), Method::GET), Some(426));
        assert_eq!(status("sec-websocket-version", Some("8"), Method::GET), Some(426));
        assert_eq!(status("sec-websocket-key", None, Method::GET), Some(400));
        assert_eq!(status("sec-websocket-key", Some("short"), Method::GET), Some(400));
    }
}
