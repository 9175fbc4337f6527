//! The one table of settings.

use super::Config;
use super::values::{
    address, base_path, cover, ice_policy, ice_server, interval, log_format, log_level, millis, number,
    optional, path, ports, positive, public_host, realm, relay_addresses, secret, set, span, switch, threads,
    turn_secret,
};
use crate::backend::redis::{NodeName, RedisUrl};
use crate::backend::store::PostgresUrl;
use crate::edge::{AllowedOrigin, Networks};
use crate::evidence::Recipient;
use crate::ice::Region;
use visavis_turn::LocalPeers;

pub(crate) struct Setting {
    /// As in the file: `limits.max_sdp_bytes` is `max_sdp_bytes` under `[limits]`.
    pub(crate) key: &'static str,
    /// What a value looks like, for `--help`.
    pub(crate) value_name: &'static str,
    /// Read like any other value; empty means unset, or an empty list. A list's items are separated by commas.
    pub(crate) default: &'static str,
    /// One line of Markdown.
    pub(crate) meaning: &'static str,
    pub(crate) shape: Shape,
}

/// How many values a setting takes, and where they go.
pub(crate) enum Shape {
    One(fn(&mut Config, &str) -> Result<(), String>),
    /// A flag without value; `on` or `off` elsewhere.
    Flag(fn(&mut Config, bool)),
    /// A flag repeats, the environment separates by commas, the file has an array.
    List(fn(&mut Config, &[String]) -> Result<(), String>),
}

impl Setting {
    /// `--redis` and not `--redis-url`: by what a thing is reached goes without saying.
    pub(crate) fn flag(&self) -> String {
        flag_of(self.key, false).trim_start_matches('-').to_owned()
    }

    pub(crate) fn variable(&self) -> String {
        format!("VISAVIS_{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// The flag of a setting, as one writes it: `--turn-tls-listen`, or `--tls-listen` of `visavis turn`.
pub(crate) fn flag_of(key: &str, relay_alone: bool) -> String {
    let key = if relay_alone { key.strip_prefix("turn.").unwrap_or(key) } else { key };
    format!("--{}", key.trim_end_matches(".url").replace(['.', '_'], "-"))
}

pub(crate) static SETTINGS: &[Setting] = &[
    one(
        "listen",
        "ADDR:PORT",
        "127.0.0.1:8080",
        "Where HTTP and WebSocket are served. Port 0 takes a free one.",
        |c, v| set(&mut c.listen, address(v)),
    ),
    one("tls.listen", "ADDR:PORT", "", "Where the same is served over TLS.", |c, v| {
        set(&mut c.tls.listen, optional(v, address))
    }),
    one("tls.cert", "FILE", "", "Certificate chain, PEM. Read again when the file changes.", |c, v| {
        set(&mut c.tls.cert, optional(v, path))
    }),
    one("tls.key", "FILE", "", "Private key of the certificate, PEM.", |c, v| {
        set(&mut c.tls.key, optional(v, path))
    }),
    one(
        "metrics.listen",
        "ADDR:PORT",
        "",
        "Where `GET /metrics` answers in Prometheus' text format. Unset: nowhere.",
        |c, v| set(&mut c.metrics_listen, optional(v, address)),
    ),
    one(
        "base_path",
        "PATH",
        "/",
        "Where a proxy puts the site, as `/talk/`. It may pass the path on or take it off.",
        |c, v| set(&mut c.base_path, base_path(v)),
    ),
    list(
        "trusted_proxy",
        "CIDR",
        "",
        "Proxies whose `X-Forwarded-For` is believed, read from the right past all of them.",
        |c, v| set(&mut c.trusted_proxies, Networks::read(v)),
    ),
    list(
        "allow_origin",
        "ORIGIN",
        "",
        "Other sites whose pages may connect, as `https://example.org`; `*` for any. The server's own always may.",
        |c, v| set(&mut c.allowed_origins, v.iter().map(|v| AllowedOrigin::read(v)).collect()),
    ),
    list(
        "ice.server",
        "URL",
        "stun:stun.l.google.com:19302,stun:stun.cloudflare.com:3478",
        "STUN servers for the browsers, where the server's own relay is not there to answer STUN, or not certain to be reached (behind a proxy). `--no-ice-servers`, or an empty list, for none.",
        |c, v| set(&mut c.ice.servers, v.iter().map(|v| ice_server(v)).collect()),
    ),
    list(
        "ice.region",
        "REGION",
        "",
        "Relays of your own, instead of the built-in one: `[[ice.region]]` with `name`, `place` or `countries`, and `urls`; see [Relays in regions](operations.md#relays-in-regions).",
        |c, v| set(&mut c.ice.regions, v.iter().map(|v| Region::read(v)).collect()),
    ),
    one(
        "geo.database",
        "FILE",
        "",
        "Where visitors are, for choosing regions: a country or city database (.mmdb). Read again when it changes. Unset: the built-in table of parts of the world.",
        |c, v| set(&mut c.geo_database, optional(v, path)),
    ),
    one(
        "ice.policy",
        "POLICY",
        "direct",
        "`direct`, or `relay`: all media goes through relays, and no stranger learns another's address.",
        |c, v| set(&mut c.ice.policy, ice_policy(v)),
    ),
    one("ice.ttl_s", "SECONDS", "86400", "How long a relay's credentials open it.", |c, v| {
        set(&mut c.ice.ttl_s, positive(v))
    }),
    one(
        "ice.require_session",
        "ON|OFF",
        "off",
        "Whether `GET /api/ice` wants the token that `welcome` then carries.",
        |c, v| set(&mut c.ice.require_session, switch(v)),
    ),
    one(
        "ice.session_ttl_s",
        "SECONDS",
        "900",
        "How long credentials open a relay where they are bound to a session.",
        |c, v| set(&mut c.ice.session_ttl_s, positive(v)),
    ),
    one("log.format", "FORMAT", "text", "`text` or `json`, on standard error.", |c, v| {
        set(&mut c.log.format, log_format(v))
    }),
    one(
        "log.level",
        "LEVEL",
        "info",
        "`error`, `warn`, `info`, `debug`, `trace` or `off`. No level shows addresses, descriptions or text.",
        |c, v| set(&mut c.log.level, log_level(v)),
    ),
    one("workers", "N", "0", "Threads that serve. 0: one for each core.", |c, v| {
        set(&mut c.workers, threads(v))
    }),
    one(
        "stop_timeout_ms",
        "MS",
        "5000",
        "How long a stop waits for visitors to move and sockets to close.",
        |c, v| set(&mut c.stop_timeout, millis(v)),
    ),
    one(
        "session.resume",
        "ON|OFF",
        "on",
        "Whether a visitor whose socket was lost gets its session back.",
        |c, v| set(&mut c.session_resume, switch(v)),
    ),
    list(
        "session.secret",
        "SECRET",
        "",
        "Seals the tokens by which sessions are resumed; the first seals, all open. Unset: made at the first start, in `state_dir`.",
        |c, v| {
            c.redis.has_secret = !v.is_empty();
            set(&mut c.lobby.session_secrets, v.iter().map(|v| secret(v)).collect())
        },
    ),
    one(
        "turn.enabled",
        "ON|OFF",
        "on",
        "Whether the server relays (STUN and TURN) for those who cannot connect directly.",
        |c, v| set(&mut c.turn.enabled, switch(v)),
    ),
    one(
        "turn.listen",
        "ADDR:PORT",
        "",
        "Where the relay is reached over UDP and TCP. Unset: at `listen`, TCP told apart from HTTP.",
        |c, v| set(&mut c.turn.listen, optional(v, address)),
    ),
    one(
        "turn.public_host",
        "HOST",
        "",
        "The name or address by which visitors reach the relay, without a port. Needed behind a proxy or a CDN that stands on another address. Unset: where the page was reached; past a proxy, the relay's own address if that is public.",
        |c, v| set(&mut c.turn.public_host, optional(v, public_host)),
    ),
    one(
        "turn.tls_listen",
        "ADDR:PORT",
        "",
        "Where the relay alone is reached over TLS. At `tls.listen` it is in any case.",
        |c, v| set(&mut c.turn.tls.listen, optional(v, address)),
    ),
    one("turn.tls_cert", "FILE", "", "Certificate chain of `turn.tls_listen`, PEM.", |c, v| {
        set(&mut c.turn.tls.cert, optional(v, path))
    }),
    one("turn.tls_key", "FILE", "", "Private key of that certificate, PEM.", |c, v| {
        set(&mut c.turn.tls.key, optional(v, path))
    }),
    one(
        "turn.realm",
        "NAME",
        "visavis",
        "Part of every TURN password's key. Best 20 characters at most: strangers get it in every reply.",
        |c, v| set(&mut c.turn.realm, realm(v)),
    ),
    list(
        "turn.secret",
        "SECRET",
        "",
        "Shared with the relays: the first mints TURN credentials, all open. Unset: follows from `session.secret`.",
        |c, v| set(&mut c.turn.secrets, v.iter().map(|v| turn_secret(v)).collect()),
    ),
    list(
        "turn.relay_address",
        "IP",
        "",
        "What peers see as the relay's address, one IPv4 and one IPv6 at most; behind a NAT the public one. Unset: found out.",
        |c, v| set(&mut c.turn.relay_addresses, relay_addresses(v)),
    ),
    one(
        "turn.relay_ports",
        "A-B",
        "49152-65535",
        "UDP ports that relayed packets come from. One that is taken is passed over.",
        |c, v| set(&mut c.turn.relay_ports, ports(v)),
    ),
    flag(
        "turn.allow_local_peers",
        "Relay to loopback and private networks, too: for trials on one machine or network, never on a public server.",
        |c, on| c.turn.local_peers = if on { LocalPeers::Allowed } else { LocalPeers::Refused },
    ),
    list(
        "turn.denied_peers",
        "CIDR",
        "",
        "Networks that nobody reaches through the relay, beside special-purpose ranges and this machine: for instance the prefix of your own NAT64.",
        |c, v| set(&mut c.turn.denied_peers, Networks::read(v)),
    ),
    one(
        "turn.allocations",
        "N",
        "10000",
        "Allocations in all. Each takes one open file or two; lowered to what the open-file limit allows.",
        |c, v| set(&mut c.turn.bounds.allocations, positive(v)),
    ),
    one(
        "turn.allocations_per_user",
        "N",
        "6",
        "Allocations of one user name, that is of one answer of `GET /api/ice`.",
        |c, v| set(&mut c.turn.bounds.allocations_per_user, positive(v)),
    ),
    one(
        "turn.allocations_per_address",
        "N",
        "400",
        "Allocations of one IPv4 address or IPv6 /64; for an IPv6 /48 four times that. A carrier may have a hundred visitors behind one address.",
        |c, v| set(&mut c.turn.bounds.allocations_per_address, positive(v)),
    ),
    one(
        "turn.bytes_per_s",
        "BYTES",
        "1000000",
        "Payload of one allocation, both ways together. 0: no bound.",
        |c, v| set(&mut c.turn.bounds.bytes_per_s, number(v)),
    ),
    one(
        "turn.user_bytes_per_s",
        "BYTES",
        "2000000",
        "The same of all allocations of one user name. 0: no bound.",
        |c, v| set(&mut c.turn.bounds.user_bytes_per_s, number(v)),
    ),
    one(
        "turn.address_bytes_per_s",
        "BYTES",
        "10000000",
        "The same of all allocations of one IPv4 address or IPv6 /64; for an IPv6 /48 four times that. 0: no bound.",
        |c, v| set(&mut c.turn.bounds.address_bytes_per_s, number(v)),
    ),
    one(
        "turn.total_bytes_per_s",
        "BYTES",
        "50000000",
        "The same in all: the default leaves half of a gigabit line free, and is enough for 200 relayed calls at once. 0: no bound.",
        |c, v| set(&mut c.turn.bounds.total_bytes_per_s, number(v)),
    ),
    one(
        "turn.stranger_replies_per_s",
        "N",
        "200",
        "Replies to one IPv4 address or IPv6 /64 before it has shown credentials. 0: no bound.",
        |c, v| set(&mut c.turn.bounds.stranger_replies_per_s, number(v)),
    ),
    one(
        "state_dir",
        "DIR",
        "./.visavis",
        "Where the server keeps what must outlive it: the key of its tokens, and the store `visavis.db`.",
        |c, v| set(&mut c.state_dir, path(v)),
    ),
    one(
        "store.url",
        "URL",
        "",
        "PostgreSQL for reports and what follows from them, shared by several servers: `postgres://user:password@host/database`. Unset: SQLite in `state_dir`.",
        |c, v| set(&mut c.store_url, optional(v, PostgresUrl::read)),
    ),
    one(
        "redis.url",
        "URL",
        "",
        "Where several servers meet: `redis://…`, or `rediss://user:password@…` for TLS. Unset: this one is alone.",
        |c, v| set(&mut c.redis.url, optional(v, RedisUrl::read)),
    ),
    one(
        "node",
        "NAME",
        "",
        "What this server is called among several; no two alike. Unset: a random name.",
        |c, v| set(&mut c.redis.node, optional(v, NodeName::read)),
    ),
    flag(
        "readiness.require_redis",
        "`/readyz` is 503 while Redis is away. Off: it stays 200, as visitors of one server meet each other without it.",
        |c, on| c.redis.required = on,
    ),
    one(
        "overflow_after_ms",
        "MS",
        "300",
        "A visitor who has found nobody on this server for this long is offered to the other servers.",
        |c, v| set(&mut c.lobby.overflow_after, span(v)),
    ),
    one(
        "admission_rate",
        "N",
        "1000",
        "Sessions taken in per second; the excess is told when to come again.",
        |c, v| set(&mut c.lobby.admission_rate, positive(v)),
    ),
    list(
        "limits.exempt",
        "CIDR",
        "",
        "Client addresses that neither numbers of connections nor rates bind. Sizes still do.",
        |c, v| set(&mut c.bounds.exempt, Networks::read(v)),
    ),
    one(
        "limits.connections",
        "N",
        "100000",
        "Sockets in all; lowered to what the open-file limit allows.",
        |c, v| set(&mut c.bounds.connections, positive(v)),
    ),
    one(
        "limits.ice_per_minute",
        "N",
        "600",
        "ICE configurations for one IPv4 address or IPv6 /64; for an IPv6 /48 eight times that.",
        |c, v| set(&mut c.bounds.ice_per_minute, positive(v)),
    ),
    one(
        "limits.reports_per_minute",
        "N",
        "30",
        "Reports of strangers from one IPv4 address or IPv6 /64; for an IPv6 /48 eight times that.",
        |c, v| set(&mut c.bounds.reports_per_minute, positive(v)),
    ),
    one("limits.connections_per_address", "N", "500", "Sockets of one IPv4 address or IPv6 /64.", |c, v| {
        set(&mut c.bounds.connections_per_address, positive(v))
    }),
    one(
        "limits.header_timeout_ms",
        "MS",
        "10000",
        "How long a request's head may take, and how long a connection may idle between two.",
        |c, v| set(&mut c.bounds.header_timeout, millis(v)),
    ),
    one("limits.tls_handshake_timeout_ms", "MS", "10000", "How long a TLS handshake may take.", |c, v| {
        set(&mut c.bounds.tls_handshake_timeout, millis(v))
    }),
    one(
        "limits.queue_messages",
        "N",
        "512",
        "Messages that may wait for one reader before it is cut.",
        |c, v| set(&mut c.bounds.queue_messages, positive(v)),
    ),
    one(
        "limits.queue_bytes",
        "BYTES",
        "262144",
        "Bytes that may wait for one reader before it is cut.",
        |c, v| set(&mut c.bounds.queue_bytes, positive(v)),
    ),
    one(
        "limits.write_stall_ms",
        "MS",
        "10000",
        "How long a reader may leave a write unfinished before it is cut.",
        |c, v| set(&mut c.bounds.write_stall, millis(v)),
    ),
    one(
        "limits.message_timeout_ms",
        "MS",
        "30000",
        "How long a client may leave a message unfinished before it is cut.",
        |c, v| set(&mut c.bounds.message_timeout, millis(v)),
    ),
    one(
        "limits.max_frame_bytes",
        "BYTES",
        "65536",
        "One frame. A larger one closes the socket with 1009.",
        |c, v| set(&mut c.lobby.limits.max_frame_bytes, positive(v)),
    ),
    one("limits.max_sdp_bytes", "BYTES", "32768", "One session description.", |c, v| {
        set(&mut c.lobby.limits.max_sdp_bytes, positive(v))
    }),
    one("limits.max_candidate_bytes", "BYTES", "1024", "One ICE candidate.", |c, v| {
        set(&mut c.lobby.limits.max_candidate_bytes, positive(v))
    }),
    one(
        "limits.max_candidates_per_match",
        "N",
        "64",
        "Candidates of one side, counted anew with each offer or answer.",
        |c, v| set(&mut c.lobby.limits.max_candidates_per_match, number(v)),
    ),
    one("limits.max_text_chars", "N", "2000", "One chat message, in characters.", |c, v| {
        set(&mut c.lobby.limits.max_text_chars, positive(v))
    }),
    one("limits.max_depth", "N", "8", "Nesting of a frame's JSON.", |c, v| {
        set(&mut c.lobby.limits.max_depth, positive(v))
    }),
    one("limits.max_interests", "N", "10", "Interests of a visitor.", |c, v| {
        set(&mut c.lobby.limits.max_interests, number(v))
    }),
    one("limits.max_interest_chars", "N", "32", "One interest, in characters.", |c, v| {
        set(&mut c.lobby.limits.max_interest_chars, positive(v))
    }),
    one("limits.max_languages", "N", "5", "Languages of a visitor.", |c, v| {
        set(&mut c.lobby.limits.max_languages, number(v))
    }),
    one("limits.max_pool_chars", "N", "64", "The name of a pool, in characters.", |c, v| {
        set(&mut c.lobby.limits.max_pool_chars, positive(v))
    }),
    one("limits.offer_ttl_ms", "MS", "60000", "How long a waiting offer stays usable.", |c, v| {
        set(&mut c.lobby.offer_ttl, span(v))
    }),
    one("limits.next_burst", "N", "10", "Next presses at once.", |c, v| {
        set(&mut c.lobby.next_burst, positive(v))
    }),
    one("limits.next_interval_ms", "MS", "1000", "After the burst, one Next in this time.", |c, v| {
        set(&mut c.lobby.next_interval, span(v))
    }),
    one("limits.message_burst", "N", "200", "Messages of one connection at once.", |c, v| {
        set(&mut c.lobby.message_burst, positive(v))
    }),
    one("limits.message_interval_ms", "MS", "20", "After the burst, one message in this time.", |c, v| {
        set(&mut c.lobby.message_interval, span(v))
    }),
    one("limits.text_burst", "N", "30", "Chat messages of one connection at once.", |c, v| {
        set(&mut c.lobby.text_burst, positive(v))
    }),
    one("limits.text_interval_ms", "MS", "500", "After the burst, one chat message in this time.", |c, v| {
        set(&mut c.lobby.text_interval, span(v))
    }),
    one(
        "limits.signal_burst_bytes",
        "BYTES",
        "98304",
        "Descriptions, candidates and text of one connection for strangers, at once.",
        |c, v| set(&mut c.lobby.signal_burst_bytes, positive(v)),
    ),
    one("limits.signal_bytes_per_s", "N", "16384", "The same, a second, after the burst.", |c, v| {
        set(&mut c.lobby.signal_bytes_per_s, positive(v))
    }),
    one("limits.resume_burst", "N", "10", "Resumes of one session at once.", |c, v| {
        set(&mut c.lobby.resume_burst, positive(v))
    }),
    one("limits.resume_interval_ms", "MS", "1000", "After the burst, one resume in this time.", |c, v| {
        set(&mut c.lobby.resume_interval, span(v))
    }),
    one("limits.address_messages_per_s", "N", "2500", "Messages of one IPv4 address or IPv6 /64.", |c, v| {
        set(&mut c.lobby.crowds.host.messages_per_s, positive(v))
    }),
    one("limits.address_nexts_per_s", "N", "100", "Next presses of one IPv4 address or IPv6 /64.", |c, v| {
        set(&mut c.lobby.crowds.host.nexts_per_s, positive(v))
    }),
    one(
        "limits.address_texts_per_s",
        "N",
        "250",
        "Chat messages of one IPv4 address or IPv6 /64.",
        |c, v| set(&mut c.lobby.crowds.host.texts_per_s, positive(v)),
    ),
    one("limits.site_messages_per_s", "N", "10000", "Messages of one IPv6 /48.", |c, v| {
        set(&mut c.lobby.crowds.site.messages_per_s, positive(v))
    }),
    one("limits.site_nexts_per_s", "N", "400", "Next presses of one IPv6 /48.", |c, v| {
        set(&mut c.lobby.crowds.site.nexts_per_s, positive(v))
    }),
    one("limits.site_texts_per_s", "N", "1000", "Chat messages of one IPv6 /48.", |c, v| {
        set(&mut c.lobby.crowds.site.texts_per_s, positive(v))
    }),
    one("limits.node_messages_per_s", "N", "200000", "Messages of all together.", |c, v| {
        set(&mut c.lobby.crowds.node.messages_per_s, positive(v))
    }),
    one("limits.node_nexts_per_s", "N", "20000", "Next presses of all together.", |c, v| {
        set(&mut c.lobby.crowds.node.nexts_per_s, positive(v))
    }),
    one("limits.node_texts_per_s", "N", "50000", "Chat messages of all together.", |c, v| {
        set(&mut c.lobby.crowds.node.texts_per_s, positive(v))
    }),
    one(
        "limits.max_refusals",
        "N",
        "200",
        "A connection is closed with 1008 after this many rate-limit refusals in a row.",
        |c, v| set(&mut c.lobby.max_refusals, positive(v)),
    ),
    one("lobby.recent_pause_ms", "MS", "3000", "How long the last partners stay apart.", |c, v| {
        set(&mut c.lobby.recent_pause, span(v))
    }),
    one("lobby.recent_partners", "N", "5", "How many partners count as recent.", |c, v| {
        set(&mut c.lobby.recent_partners, number(v))
    }),
    one(
        "lobby.relax_interests_after_ms",
        "MS",
        "1500",
        "Waiting longer drops the wish for a shared interest.",
        |c, v| set(&mut c.lobby.relax_interests_after, span(v)),
    ),
    one(
        "lobby.relax_language_after_ms",
        "MS",
        "3000",
        "Waiting longer drops the wish for a shared language.",
        |c, v| set(&mut c.lobby.relax_language_after, span(v)),
    ),
    one(
        "lobby.max_overtakes",
        "N",
        "8",
        "How often a waiting visitor may be passed over for a better match.",
        |c, v| set(&mut c.lobby.max_overtakes, number(v)),
    ),
    one(
        "lobby.waiting_interval_ms",
        "MS",
        "5000",
        "Between two `waiting` messages to one visitor, at the least.",
        |c, v| set(&mut c.lobby.waiting_interval, interval(v)),
    ),
    one("lobby.ping_after_ms", "MS", "25000", "A silent connection is pinged after this time.", |c, v| {
        set(&mut c.lobby.ping_after, interval(v))
    }),
    one("lobby.cut_after_ms", "MS", "60000", "A silent connection is cut after this time.", |c, v| {
        set(&mut c.lobby.cut_after, span(v))
    }),
    one(
        "lobby.waiting_ping_after_ms",
        "MS",
        "10000",
        "The same for visitors who wait: somebody may be given to them at any moment.",
        |c, v| set(&mut c.lobby.waiting_ping_after, interval(v)),
    ),
    one("lobby.waiting_cut_after_ms", "MS", "20000", "The same for visitors who wait.", |c, v| {
        set(&mut c.lobby.waiting_cut_after, span(v))
    }),
    one(
        "lobby.sign_of_life_ms",
        "MS",
        "10000",
        "A side of a new match that shows no sign of life within this time is a ghost, and is cut.",
        |c, v| set(&mut c.lobby.sign_of_life, span(v)),
    ),
    one("lobby.grace_ms", "MS", "10000", "How long a session outlives a socket that was lost.", |c, v| {
        set(&mut c.lobby.grace, span(v))
    }),
    one(
        "lobby.half_pair_grace_ms",
        "MS",
        "30000",
        "How long half a pair waits for the other half after a restart.",
        |c, v| set(&mut c.lobby.half_pair_grace, span(v)),
    ),
    one("lobby.token_ttl_ms", "MS", "86400000", "How long a resume token can be used.", |c, v| {
        set(&mut c.lobby.token_ttl, span(v))
    }),
    one("lobby.replay_messages", "N", "64", "Messages kept for a session whose socket was lost.", |c, v| {
        set(&mut c.lobby.replay_messages, positive(v))
    }),
    one("lobby.replay_bytes", "BYTES", "65536", "Bytes kept for a session whose socket was lost.", |c, v| {
        set(&mut c.lobby.replay_bytes, positive(v))
    }),
    one(
        "lobby.age_credit_ms",
        "MS",
        "5000",
        "A survivor that asks again within this time gets its place in line back.",
        |c, v| set(&mut c.lobby.age_credit, span(v)),
    ),
    one(
        "safety.cover",
        "COVER",
        "visitor",
        "Whether a stranger's picture stays covered until a face can be seen in it: `on`, `off`, or `visitor`, which is on unless the visitor turns it off.",
        |c, v| set(&mut c.safety.cover, cover(v)),
    ),
    list(
        "safety.evidence_recipient",
        "RECIPIENT",
        "",
        "Who can open the pictures that visitors attach to reports: recipients of age, as `age-keygen` prints them (`age1…`); best two, one of them kept offline. Unset: no pictures are taken.",
        |c, v| set(&mut c.safety.evidence_recipients, Recipient::read_all(v)),
    ),
];

const fn one(
    key: &'static str,
    value_name: &'static str,
    default: &'static str,
    meaning: &'static str,
    apply: fn(&mut Config, &str) -> Result<(), String>,
) -> Setting {
    Setting { key, value_name, default, meaning, shape: Shape::One(apply) }
}

const fn flag(key: &'static str, meaning: &'static str, apply: fn(&mut Config, bool)) -> Setting {
    Setting { key, value_name: "", default: "off", meaning, shape: Shape::Flag(apply) }
}

const fn list(
    key: &'static str,
    value_name: &'static str,
    default: &'static str,
    meaning: &'static str,
    apply: fn(&mut Config, &[String]) -> Result<(), String>,
) -> Setting {
    Setting { key, value_name, default, meaning, shape: Shape::List(apply) }
}
