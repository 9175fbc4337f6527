//! `visavis turn`: the relay and nothing else.

use super::open::{bind_own, open};
use crate::capacity::{Capacity, Wanted};
use crate::check;
use crate::config::{Given, Loaded};
use crate::edge::{Admission, listen, serve_alone};
use crate::failure::Failure;
use crate::metrics;
use crate::reload::{self, LogLevel, Reloader};
use crate::serve::{announce, start_log};
use crate::session_key::turn_secrets;
use crate::signals::Signals;
use std::sync::Arc;
use tokio::runtime;

/// # Errors
/// One sentence that names the setting.
pub(crate) fn turn(given: Given, loaded: Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    if config.turn.secrets.is_empty() {
        return Err(Failure::Config(
            "turn.secret: a relay alone needs the secret of those who mint its credentials; set it with --secret".into(),
        ));
    }
    let log_level = start_log(config.log);
    // It accepts and shakes hands; packets are the relay thread's.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::Runtime(format!("turn: cannot start: {}", crate::reason(&error))))?;
    runtime.block_on(run(given, loaded, log_level))
}

async fn run(given: Given, loaded: Loaded, log_level: LogLevel) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    metrics::started_unix_s();
    let found = reload::values(&loaded);
    let config = loaded.config;
    let bound = bind_own(&config)?;
    let certificates: Vec<_> = bound.certificates().into_iter().collect();
    check::say(&config, &certificates);
    let figures = config.metrics_listen.map(|address| listen(address, "metrics.listen", true)).transpose()?;
    let capacity = Capacity::find(Wanted { visitors: 0, visitors_per_address: 0, ..Wanted::of(&config) });
    // Those who read the figures.
    let sockets =
        Admission::new(capacity.sockets, capacity.sockets_per_address, vec![config.bounds.exempt.clone()]);
    let secrets = turn_secrets(&config.turn.secrets, &[], &config.state_dir)?;
    let others: Vec<_> = figures.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let (relay, ended) = open(&config, secrets, bound, &others, &capacity.relay)?;
    if let Some(listener) = figures {
        announce("metrics at http", &listener);
        let router = metrics::relay_router(relay.clone(), Arc::clone(&sockets), certificates.clone());
        tokio::spawn(serve_alone(listener, router, Arc::clone(&sockets), config.bounds.header_timeout));
    }
    signals.reload_with(Reloader {
        given,
        found,
        log_level,
        certificates,
        edge: None,
        relay: Some(relay.clone()),
    });
    tokio::select! {
        _ = signals.wait() => {
            tracing::info!("stopped");
            Ok(())
        }
        _ = ended => Err(Failure::Runtime("the relay failed; this is a bug, please report it".into())),
    }
}
