//! SIGHUP: the settings are read again, and those that a running process can change are changed.
//!
//! What always holds: a setting that is wrong changes nothing, and the log says which; a setting that only a start can
//! change is named as such.

use crate::config::{self, Config, Given, Loaded};
use crate::edge::{Certificates, Edge};
use crate::relay::RelayLink;
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::reload::Handle;

/// What needs no start. Certificates are read again whatever their settings say.
const AT_ONCE: &[&str] = &["log.level", "allow_origin", "turn.denied_peers"];

/// Where the log's level can be changed.
pub(crate) type LogLevel = Handle<LevelFilter, Registry>;

pub(crate) struct Reloader {
    pub(crate) given: Given,
    /// In force, by key.
    pub(crate) found: Vec<(&'static str, Vec<String>)>,
    pub(crate) log_level: LogLevel,
    pub(crate) certificates: Vec<Arc<Certificates>>,
    /// `None` for a relay alone.
    pub(crate) edge: Option<Arc<Edge>>,
    /// `None` where there is none.
    pub(crate) relay: Option<RelayLink>,
}

/// Every setting's value, by key.
pub(crate) fn values(loaded: &Loaded) -> Vec<(&'static str, Vec<String>)> {
    loaded.found.iter().map(|found| (found.key, found.values.clone())).collect()
}

impl Reloader {
    pub(crate) fn reload(&mut self) {
        match config::load(&self.given) {
            Ok(loaded) => self.take(&loaded),
            Err(failure) => tracing::warn!("SIGHUP: the settings stay as they are: {failure}"),
        }
        for certificates in &self.certificates {
            certificates.reload();
        }
    }

    fn take(&mut self, loaded: &Loaded) {
        let fresh = values(loaded);
        let changed = |(key, values): &(&'static str, Vec<String>)| {
            self.found.iter().any(|(known, before)| known == key && before != values).then_some(*key)
        };
        let (now, later): (Vec<_>, Vec<_>) =
            fresh.iter().filter_map(changed).partition(|key| AT_ONCE.contains(key));
        self.apply(&loaded.config);
        match &now[..] {
            [] => tracing::info!("SIGHUP: read the settings again; nothing that needs no start has changed"),
            some => tracing::info!("SIGHUP: in force from now on: {}", some.join(", ")),
        }
        if !later.is_empty() {
            tracing::warn!("SIGHUP: changed, but only a restart puts it in force: {}", later.join(", "));
        }
        // What waits for a restart is said again each time.
        for (key, values) in fresh {
            if let Some(known) = self.found.iter_mut().find(|(known, _)| *known == key && now.contains(known))
            {
                known.1 = values;
            }
        }
    }

    fn apply(&self, config: &Config) {
        // Fails only where the log is gone, and then nobody reads it.
        let _ = self.log_level.reload(config.log.level);
        if let Some(edge) = &self.edge {
            edge.allow(config.allowed_origins.clone());
        }
        if let Some(relay) = &self.relay {
            relay.deny_peers(config.turn.denied_peers.nets().collect());
        }
    }
}
