//! `visavis serve`: starts everything, waits for the signal, stops in order.

use crate::backend::Nodes;
use crate::backend::store::{Place, Store};
use crate::capacity::{Capacity, Wanted};
use crate::config::{Given, Loaded, LogFormat, LogSettings};
use crate::driver::{Driver, Event, QueueBounds};
use crate::edge::{
    Admission, Certificates, Edge, EdgeCounters, HttpListener, IceDesk, NodesView, Pace, ReportDesk,
    Security, SiteSettings, listen, router,
};
use crate::failure::Failure;
use crate::geo::Geo;
use crate::ice::IcePolicy;
use crate::relay::{Bound, RelayLink, advise, listen_with_relay, open as open_relay};
use crate::reload::{self, LogLevel, Reloader};
use crate::self_signed::local_addresses;
use crate::signals::{Asked, Signals};
use crate::{check, driver, metrics, relay, session_key, tide};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use visavis_lobby::{IcePasses, LobbyKey, ReaderBounds, Receipts};

/// At the end of the stop timeout: time to close the sockets of those who did not move.
const CLOSING: Duration = Duration::from_secs(1);

pub(crate) fn serve(given: Given, loaded: Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let log_level = start_log(config.log);
    let runtime = match config.workers {
        1 => runtime::Builder::new_current_thread().enable_all().build(),
        0 => runtime::Builder::new_multi_thread().enable_all().build(),
        workers => runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    };
    let runtime = runtime.map_err(|error| {
        Failure::Runtime(format!("workers: cannot start threads: {}", crate::reason(&error)))
    })?;
    let done = runtime.block_on(run(given, loaded, log_level));
    // Tasks that are still there have had their time.
    runtime.shutdown_background();
    done
}

async fn run(given: Given, loaded: Loaded, log_level: LogLevel) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    metrics::started_unix_s();
    let found = reload::values(&loaded);
    let config = loaded.config;
    let certificates = match (&config.tls.cert, &config.tls.key) {
        (Some(cert), Some(key)) => Some(Certificates::load(cert, key, "tls.")?),
        _ => None,
    };
    let (http, relay_listeners) = listen_with_relay(&config)?;
    let of_relay = relay_listeners.as_ref().and_then(Bound::certificates);
    let all_certificates: Vec<_> = certificates.iter().cloned().chain(of_relay).collect();
    check::say(&config, &all_certificates);
    let https = config.tls.listen.map(|address| listen(address, "tls.listen", false)).transpose()?;
    let figures =
        config.metrics_listen.map(|address| listen(address, "metrics.listen", false)).transpose()?;

    let capacity = Capacity::find(Wanted::of(&config));
    let bounds = QueueBounds { messages: config.bounds.queue_messages, bytes: config.bounds.queue_bytes };
    let limits = config.lobby.limits.clone();
    let admission_rate = config.lobby.admission_rate;
    let mut lobby = config.lobby.clone();
    let ice = config.ice.clone();
    lobby.reader = ReaderBounds::within(config.bounds.queue_bytes, config.bounds.queue_messages);
    lobby.sessions_per_host = u32::try_from(config.bounds.connections_per_address).unwrap_or(u32::MAX);
    lobby.sessions = capacity.visitors.saturating_mul(2);
    lobby.relay_only = ice.policy == IcePolicy::Relay;
    if (config.session_resume || ice.require_session) && lobby.session_secrets.is_empty() {
        lobby.session_secrets.push(session_key::load_or_make(&config.state_dir)?);
    }
    let secrets = match (&ice.regions[..], config.turn.enabled) {
        ([], false) => None,
        (_, _) => {
            Some(session_key::turn_secrets(&config.turn.secrets, &lobby.session_secrets, &config.state_dir)?)
        }
    };
    let receipts = Receipts::new(&session_key::receipt_secrets(&lobby.session_secrets, &config.state_dir)?);
    lobby.receipts = Some(receipts.clone());
    lobby.ice_passes = ice.require_session.then(|| IcePasses::new(&lobby.session_secrets));
    let passes = lobby.ice_passes.clone();
    let nodes = Nodes::prepare(&config.redis, &config.state_dir, &mut lobby)?;
    let nodes_view =
        nodes.as_ref().map(|nodes| NodesView { status: nodes.status(), required: config.redis.required });
    if !config.session_resume {
        lobby.session_secrets.clear();
    }
    let sockets = Admission::new(
        capacity.sockets,
        capacity.sockets_per_address,
        vec![config.bounds.exempt.clone(), config.trusted_proxies.clone()],
    );
    let (relay, relay_ended, own_relay) = match (relay_listeners, &secrets) {
        (Some(bound), Some(secrets)) => {
            let at = bound.own_relay(https.as_ref(), &config);
            if let Some(own) = at.as_ref().filter(|_| ice.regions.is_empty()) {
                advise(&config, own);
            }
            let others = [Some(&http), https.as_ref(), figures.as_ref()];
            let others: Vec<_> = others.into_iter().flatten().filter_map(|at| at.local_addr().ok()).collect();
            let (relay, ended) = open_relay(&config, secrets.clone(), bound, &others, &capacity.relay)?;
            (Some(relay), Some(ended), at)
        }
        (_, _) => (None, None, None),
    };
    let place = Place::of(config.store_url.as_ref(), &config.state_dir);
    let store = tokio::task::spawn_blocking(move || Store::open(place))
        .await
        .map_err(|_| Failure::Runtime("the store failed; this is a bug, please report it".into()))??;
    let requests = nodes.as_ref().map(Nodes::requests);
    let (driver, link) = Driver::new(lobby, lobby_key()?, bounds, requests);
    let mut driver = tokio::spawn(driver.run());
    let leaving = nodes.map(|nodes| nodes.start(link.clone()));

    let site_settings = SiteSettings::of(&config);
    let base_path: Arc<str> = config.base_path.clone().into();
    let exempt = config.bounds.exempt;
    let edge = Arc::new(Edge {
        link: link.clone(),
        limits,
        write_stall: config.bounds.write_stall,
        message_timeout: config.bounds.message_timeout,
        trusted_proxies: config.trusted_proxies,
        allowed_origins: RwLock::new(config.allowed_origins.into()),
        certificates: all_certificates.clone(),
        ice: IceDesk {
            settings: ice,
            relay: own_relay,
            secrets,
            passes,
            geo: Geo::load(config.geo_database.as_deref())?,
            pace: Pace::new(config.bounds.ice_per_minute, std::time::Instant::now()),
            exempt: exempt.clone(),
        },
        reports: ReportDesk::new(
            receipts,
            config.safety.evidence_recipients,
            Pace::new(config.bounds.reports_per_minute, std::time::Instant::now()),
            exempt.clone(),
        ),
        site_settings,
        base_path: Arc::clone(&base_path),
        visitors: Admission::new(capacity.visitors, capacity.visitors_per_address, vec![exempt]),
        counters: EdgeCounters::default(),
        nodes: nodes_view,
        store: store.clone(),
        draining: AtomicBool::new(false),
        connections_made: AtomicU64::new(0),
    });
    let looking = Arc::clone(&edge);
    tokio::spawn(async move { looking.ice.geo.watch().await });
    tokio::spawn(tide::watch(Arc::clone(&sockets)));
    tokio::spawn(store.keep_clean());
    let (stopping, until_stopping) = watch::channel(());
    let open = |listener: TcpListener, security: Security, relay: Option<RelayLink>, router| {
        let http = HttpListener {
            relay,
            edge: Arc::clone(&edge),
            router,
            sockets: Arc::clone(&sockets),
            security,
            base_path: Arc::clone(&base_path),
            header_timeout: config.bounds.header_timeout,
            tls_handshake_timeout: config.bounds.tls_handshake_timeout,
            stopping: until_stopping.clone(),
        };
        tokio::spawn(http.serve(listener));
    };
    announce("http", &http);
    let shares_port = config.turn.listen.is_none();
    open(http, Security::Plain, relay.clone().filter(|_| shares_port), router(Arc::clone(&edge)));
    if let (Some(listener), Some(certificates)) = (https, certificates) {
        announce("https", &listener);
        tokio::spawn(Arc::clone(&certificates).watch());
        // Hostile firewalls let 443 through and nothing else: whoever comes that far finds the relay there, too.
        open(listener, Security::Tls(certificates), relay.clone(), router(Arc::clone(&edge)));
    }
    if let Some(listener) = figures {
        announce("metrics at http", &listener);
        open(
            listener,
            Security::Plain,
            None,
            metrics::router(Arc::clone(&edge), Arc::clone(&sockets), relay.clone()),
        );
    }

    signals.reload_with(Reloader {
        given,
        found,
        log_level,
        certificates: all_certificates,
        edge: Some(Arc::clone(&edge)),
        relay,
    });
    let asked = tokio::select! {
        asked = signals.wait() => asked,
        // Only a panic ends it. Without the lobby nothing here is of use: whoever supervises us may start anew.
        _ = &mut driver => return Err(Failure::Runtime("the lobby failed; this is a bug, please report it".into())),
        () = end_of(relay_ended) => {
            return Err(Failure::Runtime("the relay failed; this is a bug, please report it".into()));
        }
    };
    edge.drain();
    let visitors = edge.visitors.total();
    let deadline = Instant::now() + config.stop_timeout;
    // A driver that is gone has closed everything already: the sends below may fail.
    let moved = match asked {
        Asked::ToMakeRoom => {
            let spread = drain_spread(visitors, admission_rate, config.stop_timeout);
            tracing::info!(
                visitors,
                "draining: asking everybody to move within {spread:?}, waiting at most {:?}",
                config.stop_timeout
            );
            let _ = link.inbox.send(Event::Drain(driver::micros(spread))).await;
            all_gone(&edge, deadline - CLOSING.min(config.stop_timeout / 2), &mut signals).await
        }
        Asked::ToEnd => Gone::NotYet,
    };
    if moved != Gone::AskedAgain {
        tracing::info!(visitors = edge.visitors.total(), "stopping: closing sockets");
        let _ = link.inbox.send(Event::Stop).await;
        all_gone(&edge, deadline, &mut signals).await;
    }
    if let Some(leaving) = leaving {
        leaving.leave().await;
    }
    let left = edge.visitors.total();
    if left > 0 {
        tracing::warn!(left, "stopped before all sockets were closed");
    }
    // Answers under way may finish; there is nothing to wait for when there are none.
    let _ = stopping.send(());
    sleep(Duration::from_millis(20)).await;
    tracing::info!("stopped");
    Ok(())
}

async fn end_of(relay: Option<relay::Ended>) {
    match relay {
        // Its sender is only ever dropped.
        Some(ended) => drop(ended.await),
        None => std::future::pending().await,
    }
}

fn lobby_key() -> Result<LobbyKey, Failure> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::Runtime("the operating system gives no randomness".into()))?;
    Ok(LobbyKey::new(bytes))
}

/// Says where it listens, as an address to click on.
pub(crate) fn announce(what: &str, listener: &TcpListener) {
    let Ok(address) = listener.local_addr() else { return };
    tracing::info!(%address, "listening on {what}://{}", host(address));
    if address.ip().is_unspecified() {
        let heard_here = |reachable: &IpAddr| reachable.is_ipv4() || address.is_ipv6();
        for reachable in local_addresses().into_iter().filter(heard_here) {
            tracing::info!("reachable at {what}://{}", SocketAddr::new(reachable, address.port()));
        }
    }
}

fn host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => format!("localhost:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("localhost:{}", address.port()),
        _ => address.to_string(),
    }
}

/// The level can be changed later.
pub(crate) fn start_log(settings: LogSettings) -> LogLevel {
    let (level, handle) = tracing_subscriber::reload::Layer::new(settings.level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false);
    let log = tracing_subscriber::registry().with(level);
    match settings.format {
        LogFormat::Text => log.with(lines).init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
    }
    handle
}

/// How waiting for the visitors to go ended.
#[derive(PartialEq, Eq)]
enum Gone {
    All,
    NotYet,
    /// A second signal came: it goes at once.
    AskedAgain,
}

async fn all_gone(edge: &Edge, deadline: Instant, signals: &mut Signals) -> Gone {
    while edge.visitors.total() > 0 {
        tokio::select! {
            () = sleep(Duration::from_millis(10)) => {}
            () = sleep_until(deadline) => return Gone::NotYet,
            _ = signals.wait() => return Gone::AskedAgain,
        }
    }
    Gone::All
}

/// Over which time visitors are asked to move: no faster than another node takes them in, and no later than half the
/// time there is.
fn drain_spread(visitors: usize, admission_rate: u32, stop_timeout: Duration) -> Duration {
    let seconds = visitors as f64 / f64::from(admission_rate.max(1));
    Duration::from_secs_f64(seconds).min(stop_timeout / 2)
}
