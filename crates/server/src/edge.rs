//! Bytes to protocol and back: listeners, TLS, HTTP, WebSocket, the embedded site.
//!
//! What always holds: a visitor's address is worked out once, past the trusted proxies, and never logged; whoever
//! exceeds a bound is refused before it costs more than its refusal.
//! STUN and TURN share a port with HTTP, told apart by their first bytes: `http_listener` owns every socket before
//! anything has been read from it, so that is where they part.

mod address;
mod admission;
mod alone;
mod base;
mod connection;
mod cors;
mod counters;
mod dialect;
mod frame;
mod headers;
mod http;
mod http_listener;
mod ice;
mod listener;
mod log;
mod origin;
mod pace;
mod presence;
mod reports;
mod request_host;
mod respond;
mod site;
mod site_settings;
mod stream;
mod tls;
mod upgrade;

pub(crate) use address::{ClientAddress, Networks};
pub(crate) use admission::{Admission, Permit, Refused};
pub(crate) use alone::serve_alone;
pub(crate) use counters::EdgeCounters;
pub(crate) use http::router;
pub(crate) use http_listener::{HttpListener, admit_address};
pub(crate) use ice::IceDesk;
pub(crate) use listener::{Security, accept, listen};
pub(crate) use origin::AllowedOrigin;
pub(crate) use pace::Pace;
pub(crate) use reports::ReportDesk;
pub(crate) use site_settings::SiteSettings;
pub(crate) use stream::Transport;
pub(crate) use tls::Certificates;

use crate::backend::Status;
use crate::backend::store::Store;
use crate::driver::Link;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use visavis_lobby::ConnectionId;
use visavis_protocol::Limits;

/// What all connections share.
pub(crate) struct Edge {
    pub(crate) link: Link,
    pub(crate) limits: Limits,
    pub(crate) write_stall: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) trusted_proxies: Networks,
    pub(crate) allowed_origins: RwLock<Arc<[AllowedOrigin]>>,
    /// Of all listeners, for the metrics.
    pub(crate) certificates: Vec<Arc<Certificates>>,
    pub(crate) ice: IceDesk,
    pub(crate) reports: ReportDesk,
    pub(crate) site_settings: SiteSettings,
    /// Where a proxy puts the site: empty, or `/talk`.
    pub(crate) base_path: Arc<str>,
    /// Sockets after the upgrade, by visitor.
    pub(crate) visitors: Arc<Admission>,
    pub(crate) counters: EdgeCounters,
    /// How it stands with Redis, if there is one.
    pub(crate) nodes: Option<NodesView>,
    pub(crate) store: Store,
    pub(crate) draining: AtomicBool,
    pub(crate) connections_made: AtomicU64,
}

/// What the edge tells of other nodes.
pub(crate) struct NodesView {
    pub(crate) status: Arc<Status>,
    /// Whether this node is ready only with Redis.
    pub(crate) required: bool,
}

impl Edge {
    /// Never the same twice.
    fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections_made.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// From now on the pages of these sites may connect.
    pub(crate) fn allow(&self, origins: Vec<AllowedOrigin>) {
        *self.allowed_origins.write().unwrap_or_else(PoisonError::into_inner) = origins.into();
    }

    fn allowed_origins(&self) -> Arc<[AllowedOrigin]> {
        Arc::clone(&self.allowed_origins.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// The other end of the TCP connection that a request came on. Perhaps a proxy.
#[derive(Clone, Copy)]
struct Peer {
    address: SocketAddr,
    /// Whether it is a proxy for all that can be told: it says so, the operator says so, or it speaks as no browser does.
    is_proxy: bool,
}
