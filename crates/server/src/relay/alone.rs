//! `visavis turn`: the relay and nothing else.

use super::open::{bind_own, open};
use crate::config::Config;
use crate::edge::{Admission, listen, serve_alone};
use crate::failure::Failure;
use crate::metrics;
use crate::serve::{Capacity, Signals, announce, sockets_per_address, start_log};
use crate::session_key::turn_secrets;
use std::sync::Arc;
use tokio::runtime;

/// # Errors
/// One sentence that names the setting.
pub(crate) fn turn(config: Config) -> Result<(), Failure> {
    if config.turn.secrets.is_empty() {
        return Err(Failure::Config(
            "turn.secret: a relay alone needs the secret of those who mint its credentials; set it with --secret".into(),
        ));
    }
    start_log(config.log);
    // It accepts and shakes hands; packets are the relay thread's.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::Runtime(format!("turn: cannot start: {}", crate::reason(&error))))?;
    runtime.block_on(run(config))
}

async fn run(config: Config) -> Result<(), Failure> {
    let bound = bind_own(&config)?;
    let figures = config.metrics_listen.map(|address| listen(address, "metrics.listen")).transpose()?;
    let mut signals = Signals::new()?;
    let capacity = Capacity::find(config.bounds.connections);
    let per_address = sockets_per_address(config.bounds.connections_per_address);
    let sockets = Admission::new(capacity.sockets, per_address, vec![config.bounds.exempt.clone()]);
    let secrets = turn_secrets(&config.turn.secrets, &[], &config.state_dir)?;
    let others: Vec<_> = figures.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let (relay, ended) = open(&config, secrets, bound, &others, &sockets)?;
    if let Some(listener) = figures {
        announce("metrics at http", &listener);
        let router = metrics::relay_router(relay.clone(), Arc::clone(&sockets));
        tokio::spawn(serve_alone(listener, router, Arc::clone(&sockets), config.bounds.header_timeout));
    }
    tokio::select! {
        _ = signals.wait() => {
            tracing::info!("stopped");
            Ok(())
        }
        _ = ended => Err(Failure::Runtime("the relay failed; this is a bug, please report it".into())),
    }
}
