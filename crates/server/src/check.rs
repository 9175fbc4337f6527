//! `visavis check-config`: all settings, where each comes from, and whether they are sound. The same is looked at when the
//! server starts.

use crate::config::{Config, Loaded};
use crate::edge::Certificates;
use crate::failure::Failure;
use crate::geo::Geo;
use crate::session_key;
use std::sync::Arc;

pub(crate) fn check(loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let certificates = certificates(config)?;
    Geo::load(config.geo_database.as_deref())?;
    if session_key::is_wanted(config) {
        session_key::can_be_kept(&config.state_dir)?;
    }
    for found in &loaded.found {
        let value = match found.key {
            _ if found.values.iter().all(String::is_empty) => "none".into(),
            "session.secret" | "turn.secret" | "redis.url" | "store.url" => "‹redacted›".into(),
            _ => found.values.join(", "),
        };
        println!("{:<32} {value}  ({})", found.key, found.source);
    }
    for certificates in &certificates {
        println!("{}", certificates.summary());
    }
    for remark in config.remarks() {
        println!("Worth knowing: {remark}");
    }
    let mut flaws = flaws(config, &certificates).into_iter();
    let Some(first) = flaws.next() else {
        println!("The configuration is sound.");
        return Ok(());
    };
    for flaw in flaws {
        println!("Unsound: {flaw}");
    }
    Err(Failure::Config(first))
}

/// Of the site and of the relay.
fn certificates(config: &Config) -> Result<Vec<Arc<Certificates>>, Failure> {
    let pairs = [(&config.tls, "tls."), (&config.turn.tls, "turn.tls_")];
    let pairs =
        pairs.into_iter().filter_map(|(tls, prefix)| Some((tls.cert.as_ref()?, tls.key.as_ref()?, prefix)));
    pairs.map(|(cert, key, prefix)| Certificates::load(cert, key, prefix)).collect()
}

/// What starts and is unsound.
fn flaws(config: &Config, certificates: &[Arc<Certificates>]) -> Vec<String> {
    let of_certificates = certificates.iter().filter_map(|certificates| certificates.flaw());
    // Browsers reach the relay over TLS at the site's own listener if there is one.
    let of_relay = config.turn.public_host.as_ref().filter(|_| config.turn.enabled).and_then(|name| {
        let shown = certificates.iter().find(|one| one.label() == "https").or(certificates.first())?;
        shown.flaw_for(name)
    });
    config.flaws().into_iter().chain(of_certificates).chain(of_relay).collect()
}

/// What `check-config` would say, said at the start; the server goes on.
pub(crate) fn say(config: &Config, certificates: &[Arc<Certificates>]) {
    for flaw in flaws(config, certificates) {
        tracing::error!("unsound: {flaw}");
    }
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
}
