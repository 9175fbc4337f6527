//! `visavis health`: asks a server on this machine whether it lives. For container files, so that they need no other
//! program.

use crate::failure::Failure;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For each step: connecting, asking, reading.
const PATIENCE: Duration = Duration::from_secs(2);

/// # Errors
/// When nobody answers at `listen`, or something else than 200.
pub(crate) fn ask(listen: SocketAddr) -> Result<(), Failure> {
    let address = reachable(listen);
    let failed = |why: &str| Failure::Runtime(format!("{address} is not healthy: {why}"));
    let head = healthz(address).map_err(|error| failed(&crate::reason(&error)))?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(status) => Err(failed(&format!("status {status}"))),
        None => Err(failed("no HTTP answer")),
    }
}

fn healthz(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    write!(socket, "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.take(1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where a server that listens at `listen` is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
