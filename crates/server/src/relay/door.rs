//! The accept loop of listeners that are the relay's alone. Those that it shares with HTTP are `edge::accept`'s.

use super::{Arrival, RelayLink};
use crate::edge::{Certificates, is_of_one_connection};
use crate::notice::warn_rarely;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

pub(super) struct TurnDoor {
    pub(super) relay: RelayLink,
    pub(super) security: Option<Arc<Certificates>>,
    pub(super) tls_handshake_timeout: Duration,
}

impl TurnDoor {
    /// Accepts for as long as the process runs.
    pub(super) async fn serve(self, listener: TcpListener) {
        let door = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => door.clone().admit(tcp, peer),
                Err(error) if is_of_one_connection(&error) => {}
                // Out of descriptors or memory: those who wait in the backlog may have more luck soon.
                Err(error) => {
                    warn_rarely!("relay: cannot accept: {}", crate::reason(&error));
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn admit(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        let Ok(place) = self.relay.admit(peer) else { return };
        tokio::spawn(async move {
            let _ = tcp.set_nodelay(true);
            let (tcp, tls) = match &self.security {
                None => (tcp, None),
                Some(certificates) => {
                    let handshake = Box::pin(certificates.acceptor().accept(tcp));
                    let Ok(Ok(stream)) = timeout(self.tls_handshake_timeout, handshake).await else { return };
                    let (tcp, tls) = stream.into_inner();
                    (tcp, Some(tls))
                }
            };
            if let Ok(tcp) = tcp.into_std() {
                self.relay.adopt(Arrival { tcp, tls, peer: canonical(peer), place });
            }
        });
    }
}

/// An IPv6 listener shows IPv4 clients as `::ffff:a.b.c.d`; they know themselves by another address.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
