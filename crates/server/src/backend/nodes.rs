//! One of several nodes: its name, its secret, and its way to the others, from the start to the stop.

use super::redis::{NodeName, Redis, RedisUrl};
use super::{Requests, Status};
use crate::config::RedisSettings;
use crate::driver::Link;
use crate::failure::Failure;
use crate::session_key;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use visavis_lobby::{Config, NodeId, Request, SessionSecret};

/// What is needed to be one of several.
pub(crate) struct Nodes {
    url: RedisUrl,
    name: NodeName,
    node: NodeId,
    secrets: Vec<SessionSecret>,
    status: Arc<Status>,
    requests: Requests,
    asked: mpsc::Receiver<Request>,
}

impl Nodes {
    /// Gives the node its name, and makes sure that there is a secret to share. `None` without `redis.url`.
    ///
    /// # Errors
    /// No secret is set, and none can be kept.
    pub(crate) fn prepare(
        settings: &RedisSettings,
        state_dir: &Path,
        lobby: &mut Config,
    ) -> Result<Option<Self>, Failure> {
        let Some(url) = settings.url.clone() else { return Ok(None) };
        // TLS to Redis takes the process' own choice of cryptography; whoever chose before chose the same.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut secrets = lobby.session_secrets.clone();
        if secrets.is_empty() {
            secrets.push(session_key::load_or_make(state_dir)?);
        }
        let name = settings.node.clone().unwrap_or_else(NodeName::random);
        let node = name.start();
        lobby.node = Some(node);
        lobby.node_secret = secrets.first().cloned();
        let status = Arc::new(Status::default());
        let (requests, asked) = Requests::new(Arc::clone(&status));
        Ok(Some(Nodes { url, name, node, secrets, status, requests, asked }))
    }

    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    pub(crate) fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// From now on this node is there for others.
    pub(crate) fn start(self, link: Link) -> Leaving {
        let Nodes { url, name, node, secrets, status, asked, .. } = self;
        let (leave, stopping) = oneshot::channel();
        tokio::spawn(Redis::new(url, node, name, &secrets, link, status, asked).run(stopping));
        Leaving(leave)
    }
}

/// For the stop.
pub(crate) struct Leaving(oneshot::Sender<oneshot::Sender<()>>);

impl Leaving {
    /// Tells others that this node is gone, so that they need not wait for its lease to lapse.
    pub(crate) async fn leave(self) {
        let (done, left) = oneshot::channel();
        if self.0.send(done).is_ok() {
            let _ = left.await;
        }
    }
}
