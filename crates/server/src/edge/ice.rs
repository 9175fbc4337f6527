//! `GET /api/ice`: what a browser gathers candidates with. For our own pages, and for sites that the operator allows.

use super::origin::{self, Verdict};
use super::{ClientAddress, Edge, Networks, Pace, Peer, address, cors, log, respond};
use crate::geo::Geo;
use crate::host::Host;
use crate::ice::{Asked, By, Choice, IcePolicy, IceSettings, OwnRelay, Told, choose};
use crate::notice::warn_rarely;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, HOST, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use visavis_lobby::IcePasses;
use visavis_turn::Secrets;

/// Firefox warns at five.
const URLS_MOST: usize = 4;

/// Everything that an answer is made from.
pub(crate) struct IceDesk {
    pub(crate) settings: IceSettings,
    pub(crate) relay: Option<OwnRelay>,
    /// `None` where there is no relay to open.
    pub(crate) secrets: Option<Secrets>,
    /// `None`: whoever asks gets an answer.
    pub(crate) passes: Option<IcePasses>,
    pub(crate) geo: Geo,
    pub(crate) pace: Pace,
    pub(crate) exempt: Networks,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ice_servers: Vec<Server>,
    #[serde(rename = "ttl_s")]
    ttl_s: u64,
    policy: IcePolicy,
}

/// An `RTCIceServer`.
#[derive(Serialize)]
struct Server {
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

pub(super) async fn answer(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let headers = request.headers();
    let Some(peer) = request.extensions().get::<Peer>() else {
        debug_assert!(false, "the accept loop names the peer of every request");
        return refuse(&Refusal::Failed);
    };
    let client = address::client_address(peer.address, headers, &edge.trusted_proxies);
    let response = match may_ask(&edge, headers, client) {
        Ok(()) => match edge.ice.answer(headers, *peer, client) {
            Some(answer) => respond::json(StatusCode::OK, &answer),
            None => refuse(&Refusal::Failed),
        },
        Err(refusal) => refuse(&refusal),
    };
    cors::shared(&edge, headers, response)
}

/// A page of an allowed site that shows its session's token asks first whether it may.
pub(super) async fn preflight(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let mut response = respond::json(StatusCode::OK, &());
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization"));
    response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    cors::shared(&edge, &headers, response)
}

enum Refusal {
    Origin,
    TooFast { retry_after_s: u64 },
    NoSession,
    Failed,
}

fn may_ask(edge: &Edge, headers: &HeaderMap, client: ClientAddress) -> Result<(), Refusal> {
    let desk = &edge.ice;
    // Before it is counted: a page of another site must not use up what its reader may ask.
    if let Verdict::Foreign(cause) = origin::judge(headers, &edge.allowed_origins()) {
        log::foreign_page("/api/ice", &cause);
        return Err(Refusal::Origin);
    }
    if !desk.exempt.contains(client.reveal()) {
        // Rounded up: who comes back on the second is served.
        let wait = |wait: std::time::Duration| {
            log::too_many_ice(client, desk.pace.most());
            Refusal::TooFast { retry_after_s: wait.as_secs() + 1 }
        };
        desk.pace.take(Instant::now(), client.subscriber()).map_err(wait)?;
    }
    match &desk.passes {
        Some(passes) if !bearer(headers).is_some_and(|pass| passes.opens(pass, unix_s())) => {
            Err(Refusal::NoSession)
        }
        Some(_) | None => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Origin => respond::error(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "This page's origin may not use this server. Operators: list it with --allow-origin; behind a proxy, pass the Host header on.",
        ),
        Refusal::TooFast { retry_after_s } => {
            let mut response = respond::error(
                StatusCode::TOO_MANY_REQUESTS,
                "too_fast",
                "Too many requests from your address; come back after the time in Retry-After.",
            );
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*retry_after_s));
            response
        }
        Refusal::NoSession => {
            let mut response = respond::error(
                StatusCode::UNAUTHORIZED,
                "session_required",
                "Send the ice_token of your session's welcome as a bearer token.",
            );
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Refusal::Failed => {
            respond::error(StatusCode::INTERNAL_SERVER_ERROR, "failed", "No credentials can be made now.")
        }
    }
}

impl IceDesk {
    /// The STUN servers that a visitor who came by this `Host` is told to ask.
    pub(super) fn stun_urls(&self, headers: &HeaderMap, peer: Peer, client: ClientAddress) -> Vec<String> {
        let servers = self.answer(headers, peer, client).map(|answer| answer.ice_servers).unwrap_or_default();
        let urls = servers.into_iter().flat_map(|server| server.urls);
        urls.filter(|url| url.starts_with("stun:") || url.starts_with("stuns:")).collect()
    }

    /// `None` if the system gives no randomness.
    fn answer(&self, headers: &HeaderMap, peer: Peer, client: ClientAddress) -> Option<Answer> {
        let settings = &self.settings;
        let ttl_s = settings.lifetime_s();
        let (choice, own_stun) = match (&settings.regions[..], &self.relay) {
            ([], Some(relay)) => match self.own_relay(relay, headers, peer, client) {
                Some(Told { region, stun, by }) => (choose([&region], None), stun.map(|stun| (stun, by))),
                None => (Choice::default(), None),
            },
            (regions, _) => (choose(regions, self.geo.locate(client.reveal()).as_ref()), None),
        };
        let stun = match own_stun {
            // The operator's own where it is certain to be reached; others where it may not be, unless there are none.
            Some((own, By::Word | By::Address)) => vec![own],
            Some((own, By::Guess)) if settings.servers.is_empty() => vec![own],
            Some((_, By::Guess)) | None => settings.servers.clone(),
        };
        let relays = usize::from(choice.first.is_some()) + choice.rest.len();
        let mut ice_servers = match &self.secrets {
            Some(secrets) if relays > 0 => with_credentials(choice, secrets, ttl_s)?,
            Some(_) | None => Vec::new(),
        };
        let room = URLS_MOST.saturating_sub(if ice_servers.is_empty() { 0 } else { relays });
        let urls: Vec<String> = stun.into_iter().take(room).collect();
        if !urls.is_empty() {
            ice_servers.push(Server { urls, username: None, credential: None });
        }
        Some(Answer { ice_servers, ttl_s, policy: settings.policy })
    }

    fn own_relay(
        &self,
        relay: &OwnRelay,
        headers: &HeaderMap,
        peer: Peer,
        client: ClientAddress,
    ) -> Option<Told> {
        let host = host(headers);
        let proxied = peer.is_proxy;
        let told = relay.told_to(&Asked { host: host.as_deref(), proxied, client: client.reveal() });
        if proxied && relay.public_host.is_none() {
            match &told {
                Some(Told { by: By::Address, .. }) => {}
                Some(Told { by: By::Guess | By::Word, .. }) => warn_rarely!(
                    "turn.public_host: a visitor came through a proxy, and nothing says how to reach the relay past it; \
                     visitors look for it under the name of the page, at port {}, and ask the servers of ice.server for \
                     their address. Set turn.public_host to a name or an address that leads to this machine",
                    relay.plain.port()
                ),
                None => warn_rarely!(
                    "turn.listen: a visitor came through a proxy, and the relay is on loopback, where nobody from \
                     elsewhere reaches it. Set turn.listen to 0.0.0.0:3478, and turn.public_host to a name or an address \
                     that leads to this machine"
                ),
            }
        }
        told
    }
}

fn with_credentials(choice: Choice, secrets: &Secrets, ttl_s: u64) -> Option<Vec<Server>> {
    let mut id = [0; 12];
    SystemRandom::new().fill(&mut id).ok()?;
    let minted = secrets.mint(unix_s().saturating_add(ttl_s), &BASE64URL_NOPAD.encode(&id));
    let server = |urls: Vec<String>| Server {
        urls,
        username: Some(minted.username.clone()),
        credential: Some(minted.password.clone()),
    };
    let entries = [choice.first.into_iter().collect(), choice.rest];
    Some(entries.into_iter().filter(|urls| !urls.is_empty()).map(server).collect())
}

/// The name by which the page was reached, without the port.
fn host(headers: &HeaderMap) -> Option<String> {
    Host::read(headers.get(HOST)?.to_str().ok()?).map(|host| host.name().to_owned())
}

fn unix_s() -> u64 {
    // A clock before 1970 makes names that are expired, which is what its relay would say, too.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
