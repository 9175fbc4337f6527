//! The operator's settings: what they are, and how a value is found for each.
//!
//! What always holds: every setting stands once, in [`table::SETTINGS`], with its key, default and meaning; the flag
//! and the environment variable follow from the key; the table in `docs/settings.md` is written from it.
//! A flag beats the environment, which beats the file, which beats the default. Nothing here opens a socket.

#[cfg(test)]
mod document;
mod file;
mod read;
mod soundness;
mod table;
mod values;

pub(crate) use read::{Given, Loaded, load};
pub(crate) use table::{SETTINGS, Setting, Shape, flag_of};

use crate::backend::redis::{NodeName, RedisUrl};
use crate::backend::store::PostgresUrl;
use crate::edge::{AllowedOrigin, Networks};
use crate::evidence::Recipient;
use crate::ice::IceSettings;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `visavis turn`: nothing but the relay is there.
    pub(crate) relay_alone: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) tls: TlsSettings,
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Empty, or `/talk`: no slash at the end.
    pub(crate) base_path: String,
    pub(crate) trusted_proxies: Networks,
    pub(crate) allowed_origins: Vec<AllowedOrigin>,
    pub(crate) ice: IceSettings,
    pub(crate) geo_database: Option<PathBuf>,
    pub(crate) log: LogSettings,
    /// Zero: one for each core.
    pub(crate) workers: usize,
    pub(crate) stop_timeout: Duration,
    pub(crate) session_resume: bool,
    pub(crate) state_dir: PathBuf,
    /// Unset: SQLite in `state_dir`.
    pub(crate) store_url: Option<PostgresUrl>,
    pub(crate) bounds: Bounds,
    pub(crate) redis: RedisSettings,
    pub(crate) lobby: visavis_lobby::Config,
    pub(crate) turn: TurnSettings,
    pub(crate) safety: SafetySettings,
}

/// What protects a visitor from strangers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SafetySettings {
    /// In their own browser.
    pub(crate) cover: Cover,
    /// To whom evidence is sealed. Empty: none is taken.
    pub(crate) evidence_recipients: Vec<Recipient>,
}

/// Whether a stranger's picture stays covered until a face can be seen in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cover {
    On,
    Off,
    /// Unless the visitor turns it off.
    #[default]
    Visitor,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSettings {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The relay. Its own listeners are unset where it shares those of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct TurnSettings {
    pub(crate) enabled: bool,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) tls: TlsSettings,
    /// How visitors reach the relay, as in a URL. Unset: worked out from each request.
    pub(crate) public_host: Option<String>,
    pub(crate) realm: String,
    /// Empty: follows from the session's secrets, see [`crate::session_key::turn_secrets`].
    pub(crate) secrets: Vec<visavis_turn::Secret>,
    /// Empty: found out at start.
    pub(crate) relay_addresses: Vec<IpAddr>,
    pub(crate) relay_ports: RangeInclusive<u16>,
    pub(crate) local_peers: visavis_turn::LocalPeers,
    pub(crate) denied_peers: Networks,
    pub(crate) bounds: visavis_turn::Bounds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    pub(crate) level: tracing::level_filters::LevelFilter,
}

/// What one connection, one address and all of them together may cost the shell.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) exempt: Networks,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) ice_per_minute: u32,
    pub(crate) reports_per_minute: u32,
    pub(crate) header_timeout: Duration,
    pub(crate) tls_handshake_timeout: Duration,
    pub(crate) queue_messages: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) write_stall: Duration,
    pub(crate) message_timeout: Duration,
}

/// Where nodes meet, and what this one is called there.
#[derive(Clone, Debug, Default)]
pub(crate) struct RedisSettings {
    pub(crate) url: Option<RedisUrl>,
    pub(crate) node: Option<NodeName>,
    /// Whether the node is ready only while Redis can be reached.
    pub(crate) required: bool,
    /// Whether the operator gave the secret that nodes share.
    pub(crate) has_secret: bool,
}

impl Default for Config {
    /// A blank to fill in: the defaults that count are those of the table, which are applied to it first.
    fn default() -> Self {
        Config {
            relay_alone: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: TlsSettings::default(),
            metrics_listen: None,
            base_path: String::new(),
            trusted_proxies: Networks::default(),
            allowed_origins: Vec::new(),
            ice: IceSettings::default(),
            geo_database: None,
            log: LogSettings { format: LogFormat::Text, level: tracing::level_filters::LevelFilter::INFO },
            workers: 0,
            stop_timeout: Duration::ZERO,
            session_resume: true,
            state_dir: PathBuf::new(),
            store_url: None,
            bounds: Bounds {
                exempt: Networks::default(),
                connections: 0,
                connections_per_address: 0,
                ice_per_minute: 0,
                reports_per_minute: 0,
                header_timeout: Duration::ZERO,
                tls_handshake_timeout: Duration::ZERO,
                queue_messages: 0,
                queue_bytes: 0,
                write_stall: Duration::ZERO,
                message_timeout: Duration::ZERO,
            },
            redis: RedisSettings::default(),
            lobby: visavis_lobby::Config::default(),
            turn: TurnSettings {
                enabled: false,
                listen: None,
                tls: TlsSettings::default(),
                public_host: None,
                realm: String::new(),
                secrets: Vec::new(),
                relay_addresses: Vec::new(),
                relay_ports: 1..=1,
                local_peers: visavis_turn::LocalPeers::Refused,
                denied_peers: Networks::default(),
                bounds: visavis_turn::Bounds::default(),
            },
            safety: SafetySettings::default(),
        }
    }
}
