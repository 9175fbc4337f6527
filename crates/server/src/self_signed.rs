//! `visavis self-signed`: a certificate for trials on the local network, so that a phone has a camera to show.
//!
//! Browsers give camera and microphone to secure pages only; with this certificate they warn once and then do.

use crate::failure::Failure;
use rcgen::{CertificateParams, DnType, KeyPair};
use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::time::SystemTime;
use time::{Duration, OffsetDateTime};

/// Some browsers refuse certificates that are good for longer.
const GOOD_FOR: Duration = Duration::days(397);

pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    let mut names =
        vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    let addresses = local_addresses();
    names.extend(addresses.iter().map(IpAddr::to_string));
    let (cert, key) = generate(names).map_err(|error| Failure::Runtime(format!("self-signed: {error}")))?;
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("cert.pem"), cert)?;
        write_private(&folder.join("key.pem"), &key)
    };
    write().map_err(|error| {
        let reason = crate::reason(&error);
        Failure::Runtime(format!(
            "self-signed: cannot write to {}: {reason}; choose another --out",
            folder.display()
        ))
    })?;
    println!(
        "Wrote {0}/cert.pem and {0}/key.pem, good for {1} days",
        folder.display(),
        GOOD_FOR.whole_days()
    );
    for address in addresses {
        println!("and for https://{address}");
    }
    Ok(())
}

fn generate(names: Vec<String>) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let now = OffsetDateTime::from(SystemTime::now());
    // A phone's clock may be a little behind.
    params.not_before = now - Duration::days(1);
    params.not_after = now + GOOD_FOR - Duration::days(1);
    params.distinguished_name.push(DnType::CommonName, "Visavis on the local network");
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// The addresses by which others on the network reach this machine.
pub(crate) fn local_addresses() -> Vec<IpAddr> {
    // Connecting a UDP socket sends nothing; it only asks the routing table which address would be used.
    let towards = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let ipv4 = towards(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 88, 99, 1).into());
    let ipv6 = towards(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0x4860, 0, 0, 0, 0, 0, 1).into());
    ipv4.into_iter().chain(ipv6).filter(|address| !address.is_loopback()).collect()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    fs::File::create(path)?.write_all(text.as_bytes())
}
