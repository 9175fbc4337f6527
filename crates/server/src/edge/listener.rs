//! Listening sockets: opened with a sentence that names the setting, then accepted from in the one loop that there is.
//!
//! What becomes of a socket is for whoever listens to say: HTTP, a relay, figures alone.

use super::stream::Transport;
use super::tls::Certificates;
use crate::config::flag_of;
use crate::failure::Failure;
use crate::notice::warn_rarely;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Connections that may wait to be accepted; the kernel lowers it to its own bound.
const BACKLOG: u32 = 8192;

/// # Errors
/// One sentence that names the setting.
pub(crate) fn listen(address: SocketAddr, setting: &str, relay_alone: bool) -> Result<TcpListener, Failure> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|error| {
        let flag = flag_of(setting, relay_alone);
        Failure::Runtime(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{setting}: {address} is taken by another program; stop that one, or choose another port with {flag}"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "{setting}: not allowed to listen on {address}; choose a port above 1023 with {flag}, or grant \
                 CAP_NET_BIND_SERVICE"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "{setting}: this machine has no address {}; use one of its own, or 0.0.0.0 for all, with {flag}",
                address.ip()
            ),
            _ => format!("{setting}: cannot listen on {address}: {}", crate::reason(&error)),
        })
    })
}

/// Accepts for as long as the process runs. `admit` must not wait: whoever comes next waits behind it.
pub(crate) async fn accept(listener: TcpListener, admit: impl Fn(TcpStream, SocketAddr)) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => admit(tcp, peer),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: those who wait in the backlog may have more luck soon.
                warn_rarely!(
                    "cannot accept: {}; raise the open-file limit (ulimit -Hn, or LimitNOFILE= of systemd)",
                    crate::reason(&error)
                );
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Errors that `accept` passes on from the connection itself: the next one may be sound.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

pub(crate) enum Security {
    Plain,
    Tls(Arc<Certificates>),
}

impl Security {
    /// What a socket is read and written through. `None`: no sound handshake in time.
    pub(crate) async fn secure(&self, tcp: TcpStream, patience: Duration) -> Option<Transport> {
        // Signals are small and urgent. A socket that refuses the option is closed already, as will be seen.
        let _ = tcp.set_nodelay(true);
        match self {
            Security::Plain => Some(Transport::Plain(tcp)),
            Security::Tls(certificates) => {
                let handshake = Box::pin(certificates.acceptor().accept(tcp));
                match timeout(patience, handshake).await {
                    Ok(Ok(tls)) => Some(Transport::Tls(Box::new(tls))),
                    Ok(Err(_)) | Err(_) => None,
                }
            }
        }
    }
}
