//! The STUN/TURN relay's shell: one thread of its own, so that media never delays matchmaking.
//!
//! What always holds: the thread owns every socket of the relay and the pure core that decides; nobody waits for it.
//! TCP and TLS connections are accepted elsewhere, told apart from HTTP by their first bytes, and handed over.

mod alone;
mod batch;
mod bind;
mod coalesce;
mod event_loop;
mod listeners;
mod machine;
mod notices;
mod open;
mod sockets;
mod stream;
mod tx;

pub(crate) use alone::turn;
pub(crate) use open::{Bound, advise, listen_with_relay, open};

use crate::edge::{Admission, Permit, Refused, Transport, admit_address};
use crate::failure::Failure;
use crate::notice::warn_rarely;
use bind::Binding;
use event_loop::EventLoop;
use ipnet::IpNet;
use nix::sys::eventfd::{EfdFlags, EventFd};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use stream::Arrival;
use tokio::sync::oneshot;
use visavis_turn::{Config, Counters, Gauges, Relay};

/// Orders that may wait for the thread. When it is full, new connections are closed: they come again.
const QUEUE: usize = 1024;

/// How the rest of the server speaks to the relay's thread.
#[derive(Clone)]
pub(crate) struct RelayLink {
    /// TCP and TLS connections: the relay's share of the open files.
    streams: Arc<Admission>,
    orders: SyncSender<Order>,
    bell: Arc<EventFd>,
}

pub(crate) enum Order {
    /// A connection that speaks STUN.
    Adopt(Box<Arrival>),
    /// From now on nobody reaches these networks, beside what is refused in any case.
    DenyPeers(Vec<IpNet>),
    /// Ask for the figures.
    Figures(oneshot::Sender<Figures>),
}

pub(crate) struct Figures {
    pub(crate) counters: Counters,
    pub(crate) gauges: Gauges,
    pub(crate) streams: usize,
}

/// Resolves when the thread has ended, which only a bug makes it do.
pub(crate) type Ended = oneshot::Receiver<()>;

impl RelayLink {
    /// A place for a connection, by its other end.
    pub(crate) fn admit(&self, peer: SocketAddr) -> Result<Permit, Refused> {
        let place = admit_address(&self.streams, peer);
        match place {
            Ok(_) => {}
            Err(Refused::Subscriber) => {
                warn_rarely!(
                    "turn.allocations_per_address: a connection to the relay is closed, as its address has enough"
                )
            }
            Err(Refused::Full) => {
                warn_rarely!(
                    "turn.allocations: a connection to the relay is closed, as there are as many as may be, or as the \
                     open-file limit allows"
                )
            }
        }
        place
    }

    /// Takes over a connection; it is closed if the relay has no time for it.
    pub(crate) fn adopt(&self, transport: Transport, peer: SocketAddr, place: Permit) {
        let Some((tcp, tls)) = transport.into_parts() else { return };
        self.order(Order::Adopt(Box::new(Arrival { tcp, tls, peer: canonical(peer), place })));
    }

    /// Takes effect at once, also for those who reach them now (`turn.denied_peers`).
    pub(crate) fn deny_peers(&self, networks: Vec<IpNet>) {
        self.order(Order::DenyPeers(networks));
    }

    /// `None`: the thread is gone, or too busy to answer.
    pub(crate) async fn figures(&self) -> Option<Figures> {
        let (reply, figures) = oneshot::channel();
        self.order(Order::Figures(reply));
        figures.await.ok()
    }

    fn order(&self, order: Order) {
        match self.orders.try_send(order) {
            Ok(()) => {
                // A counter that is full rings as well.
                let _ = self.bell.write(1);
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Starts the thread on these listeners.
///
/// # Errors
/// The system gives no thread, no randomness or no descriptors.
fn start(
    config: Config,
    binding: Binding,
    listeners: Vec<UdpSocket>,
    streams: Arc<Admission>,
) -> Result<(RelayLink, Ended), Failure> {
    let cannot = |what: &str| {
        Failure::Runtime(format!("turn: cannot {what}; turn.enabled = false leaves the relay out"))
    };
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| cannot("get random bytes"))?;
    let bell = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
        .map_err(|_| cannot("make an event descriptor"))?;
    let bell = Arc::new(bell);
    let (orders, inbox) = sync_channel(QUEUE);
    let relay = Relay::new(config, &seed);
    let event_loop = EventLoop::new(relay, binding, listeners, inbox, Arc::clone(&bell))
        .map_err(|error| cannot(&format!("set up its sockets: {}", error.desc())))?;
    let (alive, ended) = oneshot::channel();
    thread::Builder::new()
        .name("relay".into())
        .spawn(move || {
            event_loop.run();
            drop(alive);
        })
        .map_err(|_| cannot("start a thread"))?;
    Ok((RelayLink { streams, orders, bell }, ended))
}

/// An IPv6 listener shows IPv4 clients as `::ffff:a.b.c.d`; they know themselves by another address.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
