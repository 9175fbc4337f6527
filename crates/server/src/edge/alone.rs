//! HTTP without an edge: the figures of a relay that stands alone. As bounded as what visitors get.

use super::http_listener::{HTTP_LIFETIME, http1};
use super::{Admission, accept, admit_address, headers};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt as _;

/// Accepts for as long as the process runs.
pub(crate) async fn serve_alone(
    listener: TcpListener,
    router: Router,
    sockets: Arc<Admission>,
    header_timeout: Duration,
) {
    accept(listener, |tcp, peer| {
        let Ok(place) = admit_address(&sockets, peer) else { return };
        let router = router.clone();
        tokio::spawn(async move {
            let _ = timeout(HTTP_LIFETIME, speak(tcp, router, header_timeout)).await;
            drop(place);
        });
    })
    .await;
}

async fn speak(tcp: TcpStream, router: Router, header_timeout: Duration) {
    let service = service_fn(|request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut response = router.oneshot(request.map(Body::new)).await?;
            headers::protect(response.headers_mut());
            Ok::<_, Infallible>(response)
        }
    });
    // Whoever hangs up has what they wanted.
    let _ = http1(header_timeout).serve_connection(TokioIo::new(tcp), service).await;
}
