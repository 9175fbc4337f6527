//! `GET /api/site`: the settings in force that sentences on the page depend on. Nothing in it is secret, and nothing is
//! about a visitor.

use super::{Edge, Peer, address, cors, respond};
use crate::config::{Config, Cover};
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;
use visavis_lobby::Span;

/// What is the same for every request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SiteSettings {
    version: &'static str,
    relay: RelaySettings,
    ice_policy: crate::ice::IcePolicy,
    relax_interests_after_ms: u64,
    relax_language_after_ms: u64,
    recent_pause_ms: u64,
    offer_ttl_ms: u64,
    grace_ms: u64,
    max_text_chars: usize,
    max_interests: usize,
    max_interest_chars: usize,
    safety: Safety,
}

#[derive(Clone, Debug, Serialize)]
struct Safety {
    cover: Cover,
    /// To all of them the page seals the picture of a report. Absent: no pictures are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence_recipients: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct RelaySettings {
    /// Whether there is any relay.
    enabled: bool,
    /// Whether it is part of this server, so that what goes through a relay goes through this server.
    host_is_this_server: bool,
}

impl SiteSettings {
    pub(crate) fn of(config: &Config) -> Self {
        let own = config.turn.enabled && config.ice.regions.is_empty();
        let lobby = &config.lobby;
        let ms = |span: Span| span.as_micros() / 1_000;
        SiteSettings {
            version: env!("CARGO_PKG_VERSION"),
            relay: RelaySettings { enabled: own || !config.ice.regions.is_empty(), host_is_this_server: own },
            ice_policy: config.ice.policy,
            relax_interests_after_ms: ms(lobby.relax_interests_after),
            relax_language_after_ms: ms(lobby.relax_language_after),
            recent_pause_ms: ms(lobby.recent_pause),
            offer_ttl_ms: ms(lobby.offer_ttl),
            grace_ms: ms(lobby.grace),
            max_text_chars: lobby.limits.max_text_chars,
            max_interests: lobby.limits.max_interests,
            max_interest_chars: lobby.limits.max_interest_chars,
            safety: Safety {
                cover: config.safety.cover,
                evidence_recipients: config
                    .safety
                    .evidence_recipients
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    settings: &'a SiteSettings,
    stun_servers: Vec<String>,
}

pub(super) async fn answer(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let headers = request.headers();
    let stun_servers = request.extensions().get::<Peer>().map(|peer| {
        let client = address::client_address(peer.address, headers, &edge.trusted_proxies);
        edge.ice.stun_urls(headers, *peer, client)
    });
    let answer = Answer { settings: &edge.site_settings, stun_servers: stun_servers.unwrap_or_default() };
    let mut response = respond::json(StatusCode::OK, &answer);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    cors::shared(&edge, headers, response)
}
