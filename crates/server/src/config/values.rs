//! How values of settings are read, and what is said of those that cannot be.

use super::{Cover, LogFormat};
use crate::host::Host;
use crate::ice::IcePolicy;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use visavis_lobby::{SessionSecret, Span};
use visavis_turn::Secret;

pub(super) fn set<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn optional<T>(value: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if value.is_empty() { Ok(None) } else { read(value).map(Some) }
}

pub(super) fn address(value: &str) -> Result<SocketAddr, String> {
    value.replace("localhost:", "127.0.0.1:").parse().map_err(|_| {
        format!("`{value}` is not ADDR:PORT; write for instance 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080")
    })
}

pub(super) fn path(value: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(value))
}

/// `/talk/`, however many slashes surround it; empty for the root.
pub(super) fn base_path(value: &str) -> Result<String, String> {
    let bare = value.trim_matches('/');
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && !segment.bytes().all(|byte| byte == b'.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    match bare {
        "" => Ok(String::new()),
        bare if bare.split('/').all(is_plain) => Ok(format!("/{bare}")),
        _ => Err(format!("`{value}` is not a path; write for instance /talk/")),
    }
}

pub(super) fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value.replace('_', "").parse().map_err(|_| format!("`{value}` is not a whole number"))
}

/// Threads: more than any machine has cores are a slip.
pub(super) fn threads(value: &str) -> Result<usize, String> {
    const AT_MOST: usize = 1024;
    match number(value)? {
        threads if threads <= AT_MOST => Ok(threads),
        _ => Err(format!("`{value}` is too large; at most {AT_MOST}")),
    }
}

pub(super) fn positive<T: FromStr + PartialOrd + Default>(value: &str) -> Result<T, String> {
    let number: T = number(value)?;
    if number > T::default() { Ok(number) } else { Err(format!("`{value}` is too small; at least 1")) }
}

/// Ten years: longer ones would run over where they are added to a moment.
const MOST_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

fn at_most(value: &str, number: u64) -> Result<u64, String> {
    if number > MOST_MS { Err(format!("`{value}` is too large; at most {MOST_MS}")) } else { Ok(number) }
}

pub(super) fn millis(value: &str) -> Result<Duration, String> {
    positive(value).and_then(|ms| at_most(value, ms)).map(Duration::from_millis)
}

/// For what comes round: with no time between, it would come round for ever.
pub(super) fn interval(value: &str) -> Result<Span, String> {
    positive(value).and_then(|ms| at_most(value, ms)).map(Span::from_millis)
}

pub(super) fn span(value: &str) -> Result<Span, String> {
    number(value).and_then(|ms| at_most(value, ms)).map(Span::from_millis)
}

pub(super) fn log_format(value: &str) -> Result<LogFormat, String> {
    match value {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{value}` is not a format; `text` or `json`")),
    }
}

pub(super) fn log_level(value: &str) -> Result<LevelFilter, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is not a level; `error`, `warn`, `info`, `debug`, `trace` or `off`"))
}

/// Only STUN: a TURN URL without credentials makes a browser refuse the whole list.
pub(super) fn ice_server(value: &str) -> Result<String, String> {
    let rest = value.strip_prefix("stun:").or_else(|| value.strip_prefix("stuns:"));
    match rest.and_then(Host::read) {
        Some(_) => Ok(value.to_owned()),
        _ => Err(format!("`{value}` is not a STUN URL; write for instance stun:stun.example.org:3478")),
    }
}

pub(super) fn ice_policy(value: &str) -> Result<IcePolicy, String> {
    match value {
        "direct" => Ok(IcePolicy::Direct),
        "relay" => Ok(IcePolicy::Relay),
        _ => Err(format!("`{value}` is not a policy; `direct` or `relay`")),
    }
}

pub(super) fn cover(value: &str) -> Result<Cover, String> {
    match value {
        "on" | "true" => Ok(Cover::On),
        "off" | "false" => Ok(Cover::Off),
        "visitor" => Ok(Cover::Visitor),
        _ => Err(format!("`{value}` is none of `on`, `off` and `visitor`")),
    }
}

/// `true` and `false` are how TOML itself says it.
pub(super) fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("`{value}` is neither `on` nor `off`")),
    }
}

pub(super) fn realm(value: &str) -> Result<String, String> {
    // RFC 8489, section 14.9, allows 128 characters. Each stranger's reply carries it.
    const AT_MOST: usize = 127;
    match value.len() {
        1..=AT_MOST => Ok(value.to_owned()),
        0 => Err("is empty; the name of your site will do".into()),
        _ => Err(format!("is longer than {AT_MOST} bytes; the name of your site will do")),
    }
}

pub(super) fn relay_addresses(values: &[String]) -> Result<Vec<IpAddr>, String> {
    let read = |value: &String| value.parse().map_err(|_| format!("`{value}` is not an IP address"));
    let addresses = values.iter().map(read).collect::<Result<Vec<IpAddr>, _>>()?;
    for is_of_family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        if addresses.iter().filter(|address| is_of_family(address)).count() > 1 {
            return Err("takes one IPv4 and one IPv6 address at most".into());
        }
    }
    Ok(addresses)
}

pub(super) fn ports(value: &str) -> Result<RangeInclusive<u16>, String> {
    let range = value.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first > 0 && first <= last).then_some(first..=last)
    });
    range.ok_or_else(|| format!("`{value}` is not A-B; write for instance 49152-65535"))
}

/// A name or an address without a port, as it stands in a URL.
pub(super) fn public_host(value: &str) -> Result<String, String> {
    let host = match value.parse::<Ipv6Addr>() {
        Ok(ip) => Some(format!("[{ip}]")),
        Err(_) => Host::read(value).filter(|host| host.port.is_none()).map(|host| host.name().to_owned()),
    };
    host.ok_or_else(|| {
        format!("`{value}` is not a name or an address (without a port); write for instance turn.example.org")
    })
}

/// As short as other relays allow: the operator may share it with one that is set up already.
pub(super) fn turn_secret(value: &str) -> Result<Secret, String> {
    Secret::new(value).ok_or_else(|| "is empty; `openssl rand -hex 32` makes one".into())
}

/// Whatever the operator writes becomes 32 bytes; short secrets can be guessed.
pub(super) fn secret(value: &str) -> Result<SessionSecret, String> {
    const AT_LEAST: usize = 32;
    if value.len() < AT_LEAST {
        return Err(format!("a secret has at least {AT_LEAST} characters; `openssl rand -hex 32` makes one"));
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, value.as_bytes());
    digest.as_ref().try_into().map(SessionSecret).map_err(|_| "cannot be digested".into())
}
