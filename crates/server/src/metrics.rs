//! `GET /metrics`: the figures in Prometheus' text format, version 0.0.4.

mod figures;
mod paths;
mod relay;

use crate::backend::store::StoreState;
use crate::backend::{Census, Reach, Status};
use crate::driver::{Event, Snapshot};
use crate::edge::{Admission, Certificates, Edge};
use crate::relay::RelayLink;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use visavis_lobby::{Counters, Gauges, Histogram, PerKind};

#[derive(Clone)]
struct Sources {
    edge: Arc<Edge>,
    sockets: Arc<Admission>,
    relay: Option<RelayLink>,
}

pub(crate) fn router(edge: Arc<Edge>, sockets: Arc<Admission>, relay: Option<RelayLink>) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .route("/", get(look))
        .route(figures::STYLE_PATH, get(figures::style))
        .with_state(Sources { edge, sockets, relay })
}

/// The figures of a relay that stands alone, in the same names.
pub(crate) fn relay_router(
    relay: RelayLink,
    sockets: Arc<Admission>,
    certificates: Vec<Arc<Certificates>>,
) -> Router {
    Router::new().route("/metrics", get(answer_for_relay)).with_state((relay, sockets, certificates))
}

type OfRelay = (RelayLink, Arc<Admission>, Vec<Arc<Certificates>>);

async fn answer_for_relay(State((relay, sockets, certificates)): State<OfRelay>) -> Response {
    let Some(figures) = relay.figures().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut page = Page(String::with_capacity(4096));
    relay::render(&figures, &mut page);
    page.sockets(&sockets);
    page.certificates(&certificates);
    page.process();
    page.into_response()
}

/// The same for people: who connects how.
async fn look(State(sources): State<Sources>) -> Response {
    let Some(snapshot) = snapshot(&sources).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    Html(figures::render(&snapshot)).into_response()
}

/// `None`: the process is about to end.
async fn snapshot(sources: &Sources) -> Option<Snapshot> {
    let (reply, snapshot) = oneshot::channel();
    sources.edge.link.inbox.send(Event::Snapshot(reply)).await.ok()?;
    snapshot.await.ok()
}

async fn answer(State(sources): State<Sources>) -> Response {
    let Some(snapshot) = snapshot(&sources).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut page = render(&snapshot, &sources);
    if let Some(relay) = &sources.relay
        && let Some(figures) = relay.figures().await
    {
        relay::render(&figures, &mut page);
    }
    page.into_response()
}

fn render(snapshot: &Snapshot, sources: &Sources) -> Page {
    let Snapshot { counters, gauges, events_waiting } = snapshot;
    let Sources { edge, sockets, relay: _ } = sources;
    let at_edge = &edge.counters;
    let mut page = Page(String::with_capacity(8192));

    page.gauge("visavis_sessions", "Visitors the lobby knows.", gauges.sessions);
    page.labelled(
        "visavis_waiting",
        "gauge",
        "Visitors who wait for a stranger.",
        "kind",
        per_kind(&gauges.waiting),
    );
    page.labelled("visavis_matches", "gauge", "Matches at this moment.", "kind", per_kind(&gauges.matches));
    page.labelled(
        "visavis_matches_made_total",
        "counter",
        "Matches made.",
        "kind",
        per_kind(&counters.matches),
    );
    page.counter(
        "visavis_matches_with_interest_total",
        "Matches that share an interest.",
        counters.matches_with_interest,
    );
    page.counter(
        "visavis_matches_with_offer_total",
        "Matches whose offer waited in the ticket.",
        counters.matches_with_offer,
    );
    let ended = counters.ended.iter().map(|(reason, count)| (reason.as_str(), *count));
    page.labelled("visavis_matches_ended_total", "counter", "Ends of matches.", "reason", ended);
    let refused = counters.refused.iter().map(|(code, count)| (code.as_str(), *count));
    page.labelled(
        "visavis_messages_refused_total",
        "counter",
        "Messages answered by an error.",
        "code",
        refused,
    );
    let too_fast = counters.too_fast.iter().map(|(limit, count)| (limit.label(), *count));
    page.labelled(
        "visavis_too_fast_total",
        "counter",
        "Messages answered by `too_fast`, by the rate that was exceeded.",
        "limit",
        too_fast,
    );
    page.counter(
        "visavis_sessions_not_kept_total",
        "Sessions that ended with their socket, as their address had left so many behind.",
        counters.not_kept,
    );
    page.counter(
        "visavis_not_requeued_total",
        "Survivors not put back into the line, as too much waited for them.",
        counters.not_requeued,
    );
    page.counter(
        "visavis_offers_withheld_total",
        "Waiting offers not handed out, as too much waited for their reader.",
        counters.offers_withheld,
    );
    page.counter(
        "visavis_stale_signals_total",
        "Signals of an earlier match, dropped.",
        counters.stale_signals,
    );
    page.counter("visavis_silent_cut_total", "Connections cut for silence.", counters.cut);
    page.counter("visavis_resumed_total", "Sessions that came back with a token.", counters.resumed);
    page.counter("visavis_not_resumed_total", "Tokens that were of no use.", counters.not_resumed);
    paths::render(&counters.paths, &mut page);
    page.counter("visavis_match_probes_total", "Tickets the matchmaker looked at.", counters.probes);
    page.histogram("visavis_wait_seconds", "From ticket to match.", &counters.wait);

    if let Some(nodes) = &edge.nodes {
        nodes_page(&mut page, &nodes.status, counters, gauges);
    }

    page.gauge("visavis_connections", "Open WebSocket connections.", edge.visitors.total());
    page.sockets(sockets);
    page.gauge("visavis_driver_events_waiting", "Events that wait for the driver.", *events_waiting);
    page.labelled(
        "visavis_connections_refused_total",
        "counter",
        "Connections refused.",
        "reason",
        at_edge.by_refusal(),
    );
    page.labelled(
        "visavis_connections_ended_total",
        "counter",
        "Ends of WebSocket connections.",
        "reason",
        at_edge.by_end(),
    );
    page.counter("visavis_messages_received_total", "Text messages of clients.", at_edge.messages_in.total());
    page.counter(
        "visavis_messages_sent_total",
        "Messages and pings to clients.",
        at_edge.messages_out.total(),
    );
    page.counter("visavis_received_bytes_total", "WebSocket bytes of clients.", at_edge.bytes_in.total());
    page.counter("visavis_sent_bytes_total", "WebSocket bytes to clients.", at_edge.bytes_out.total());
    page.labelled(
        "visavis_http_requests_total",
        "counter",
        "HTTP answers by class.",
        "class",
        at_edge.by_class(),
    );

    let reports = edge.reports.counters();
    page.labelled(
        "visavis_reports_total",
        "counter",
        "Answers to reports of strangers.",
        "outcome",
        reports.by_outcome(),
    );
    page.labelled(
        "visavis_reports_filed_total",
        "counter",
        "Reports that were filed.",
        "category",
        reports.by_category(),
    );
    page.gauge(
        "visavis_store_up",
        "Whether the store takes reports.",
        u8::from(edge.store.state() == StoreState::Ready),
    );
    page.certificates(&edge.certificates);
    page.process();
    page
}

/// Of several nodes only. What is summed over all of them is what Redis last told; nothing while it is away.
fn nodes_page(page: &mut Page, status: &Status, counters: &Counters, gauges: &Gauges) {
    let total = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let reach = status.reach();
    page.gauge("visavis_redis_up", "Whether Redis can be reached.", u8::from(reach != Reach::Away));
    let nodes = match reach {
        Reach::Away => Vec::new(),
        Reach::Ok(nodes) => nodes,
    };
    page.gauge("visavis_nodes", "Nodes that are there.", nodes.len());
    for (name, help, of) in [
        ("visavis_people_online", "People, by node.", (|node| node.online) as fn(&Census) -> u32),
        ("visavis_people_waiting", "People who wait, by node.", |node| node.waiting),
        ("visavis_people_in_calls", "People in matches, by node.", |node| node.in_calls),
    ] {
        // Two servers may have one name, and a series has one line.
        let mut by_name = BTreeMap::new();
        for node in &nodes {
            *by_name.entry(node.name.as_str()).or_default() += of(node);
        }
        page.labelled::<_, u32>(name, "gauge", help, "node", by_name);
    }
    page.gauge("visavis_matches_across", "Matches with a visitor of another node.", gauges.across);
    page.counter(
        "visavis_matches_across_made_total",
        "Such matches made; the proposer counts.",
        counters.matches_across,
    );
    page.counter("visavis_exports_total", "Tickets shown to other nodes.", counters.exports);
    page.counter("visavis_proposals_total", "Proposals to other nodes.", counters.proposals);
    page.counter(
        "visavis_proposals_failed_total",
        "Reservations of which nothing came.",
        counters.proposals_failed,
    );
    page.counter(
        "visavis_sessions_moved_in_total",
        "Sessions that came from another node.",
        counters.moved_in,
    );
    page.counter(
        "visavis_sessions_moved_out_total",
        "Sessions that went to another node.",
        counters.moved_out,
    );
    page.counter("visavis_nodes_gone_total", "Nodes that were seen to be gone.", counters.nodes_gone);
    page.counter("visavis_redis_connects_total", "Connections made to Redis.", total(&status.connects));
    page.counter(
        "visavis_redis_requests_total",
        "Requests to Redis and other nodes.",
        total(&status.requests),
    );
    page.counter(
        "visavis_redis_dropped_total",
        "Requests dropped as too many waited.",
        total(&status.dropped),
    );
    page.labelled(
        "visavis_frames_total",
        "counter",
        "Messages between nodes.",
        "direction",
        [
            ("in", total(&status.frames_in)),
            ("out", total(&status.frames_out)),
            ("unreadable", total(&status.frames_foreign)),
        ],
    );
}

fn per_kind<T: Copy>(of: &PerKind<T>) -> [(&'static str, T); 3] {
    [("video", of.video), ("audio", of.audio), ("text", of.text)]
}

struct Page(String);

impl Page {
    fn sockets(&mut self, sockets: &Admission) {
        self.gauge("visavis_sockets", "Open TCP sockets, plain HTTP included.", sockets.total());
    }

    fn certificates(&mut self, certificates: &[Arc<Certificates>]) {
        let expiries = certificates.iter().filter_map(|one| Some((one.label(), one.expires_unix_s()?)));
        self.labelled(
            "visavis_certificate_expiry_seconds",
            "gauge",
            "When the certificate in use expires, in seconds of Unix time.",
            "listener",
            expiries,
        );
    }

    fn process(&mut self) {
        self.labelled(
            "visavis_build_info",
            "gauge",
            "The version that runs.",
            "version",
            [(env!("CARGO_PKG_VERSION"), 1)],
        );
        self.gauge(
            "process_start_time_seconds",
            "When the process started, in seconds of Unix time.",
            started_unix_s(),
        );
        if let Some(process) = Process::look() {
            self.gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes);
            self.gauge("process_open_fds", "Open file descriptors.", process.open_fds);
        }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, format);
        response
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn labelled<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.head(name, kind, help);
        for (value, count) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{value}\"}} {count}");
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        self.buckets(name, "", histogram);
    }

    /// The lines of one histogram; `label` is empty or `name="value"`.
    fn buckets(&mut self, name: &str, label: &str, histogram: &Histogram) {
        let (comma, braced) =
            if label.is_empty() { ("", String::new()) } else { (",", format!("{{{label}}}")) };
        let mut below = 0;
        for (bound_ms, count) in histogram.buckets() {
            below += count;
            let bound = bound_ms.map_or("+Inf".to_owned(), |ms| (ms as f64 / 1e3).to_string());
            let _ = writeln!(self.0, "{name}_bucket{{{label}{comma}le=\"{bound}\"}} {below}");
        }
        let sum_s = histogram.sum().as_micros() as f64 / 1e6;
        let _ = writeln!(self.0, "{name}_sum{braced} {sum_s}\n{name}_count{braced} {}", histogram.count());
    }
}

/// When this is called first; the server does so at its start.
pub(crate) fn started_unix_s() -> f64 {
    static STARTED: OnceLock<f64> = OnceLock::new();
    *STARTED.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64())
}

/// What the process costs, where the system tells it.
struct Process {
    resident_bytes: u64,
    open_fds: usize,
}

impl Process {
    fn look() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = resident.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(Process { resident_bytes: kib * 1024, open_fds: fs::read_dir("/proc/self/fd").ok()?.count() })
    }
}
