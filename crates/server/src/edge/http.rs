//! The HTTP side: what is asked by path, everything else is the site.

use super::dialect::Dialect;
use super::origin::{self, Verdict};
use super::{Edge, cors, ice, reports, respond, site, site_settings, upgrade};
use crate::backend::store::StoreState;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) fn router(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/ws", any(socket))
        .route("/api/ice", get(ice::answer).options(ice::preflight))
        .route("/api/online", get(online))
        .route("/api/origin", get(may_connect))
        .route("/api/reports", post(reports::answer).options(reports::preflight))
        .route("/api/site", get(site_settings::answer))
        .route("/api", any(unknown_api))
        .route("/api/", any(unknown_api))
        .route("/api/{*path}", any(unknown_api))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(page)
        .with_state(edge)
}

async fn socket(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    upgrade::upgrade(edge, request, Dialect::Native).await
}

async fn online(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    #[derive(Serialize)]
    struct Answer {
        online: usize,
    }
    let online = edge.link.everywhere.load(Ordering::Relaxed);
    cors::shared(&edge, &headers, respond::json(StatusCode::OK, &Answer { online }))
}

/// For a page whose socket was refused: whether its origin may connect, and if not, what hinders it. Browsers send no
/// `Origin` with a `GET` to their own site, so a page tells it in the query.
async fn may_connect(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    #[derive(Serialize)]
    struct Answer {
        allowed: bool,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    }
    let headers = request.headers();
    let told = request.uri().query().and_then(origin_in);
    let verdict = match told {
        Some(told) if !headers.contains_key(ORIGIN) => {
            origin::judge_origin(&told, headers, &edge.allowed_origins())
        }
        Some(_) | None => origin::judge(headers, &edge.allowed_origins()),
    };
    let (allowed, reason, message) = match verdict {
        Verdict::Own => (true, "own", None),
        Verdict::Allowed => (true, "listed", None),
        Verdict::Absent => (true, "absent", None),
        Verdict::Foreign(cause) => (false, cause.code(), Some(cause.sentence())),
    };
    cors::shared(&edge, headers, respond::json(StatusCode::OK, &Answer { allowed, reason, message }))
}

/// The value of `origin` in a query, its percent signs undone.
fn origin_in(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("origin="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (first, escaped()) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (_, _) => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

async fn unknown_api() -> Response {
    respond::error(StatusCode::NOT_FOUND, "not_found", "No such path in the API; see docs/protocol.md.")
}

/// Whether the process lives. Depends on nothing.
async fn healthz() -> Response {
    respond::sentence(StatusCode::OK, "ok")
}

/// Whether new visitors should be sent here.
async fn readyz(State(edge): State<Arc<Edge>>) -> Response {
    #[derive(Serialize)]
    struct Answer {
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        redis: Option<&'static str>,
        /// Without it the chat goes on, so it never makes a server unready.
        store: &'static str,
    }
    let away = edge.nodes.as_ref().map(|nodes| !nodes.status.is_up());
    let missed = edge.nodes.as_ref().is_some_and(|nodes| nodes.required) && away == Some(true);
    let (code, status) = match (edge.is_draining(), missed) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "waiting for redis"),
        (false, false) => (StatusCode::OK, "ready"),
    };
    let redis = away.map(|away| if away { "away" } else { "ok" });
    let store = match edge.store.state() {
        StoreState::Ready => "ok",
        StoreState::Unavailable => "unavailable",
    };
    respond::json(code, &Answer { status, redis, store })
}

async fn page(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response =
            respond::sentence(StatusCode::METHOD_NOT_ALLOWED, "Pages are read with GET or HEAD.");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    site::site().answer(&edge.base_path, request.uri().path(), request.uri().query(), request.headers())
}
