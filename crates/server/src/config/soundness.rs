//! What no single setting can tell: which of them together cannot work.
//!
//! Three kinds. What cannot work at all hinders the start. A *flaw* works for some or is dangerous: a server that runs goes
//! on, because refusing to start would hurt more; `check-config` calls it unsound. A *remark* is only worth knowing.

use super::{Config, TlsSettings, flag_of};
use crate::failure::Failure;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use visavis_lobby::Span;

/// What surrounds a session description in its frame: the other fields, at most.
const FRAME_BESIDE_SDP: usize = 1024;

/// Smaller than what any browser sends.
const LEAST_SDP_BYTES: usize = 1024;
const LEAST_CANDIDATE_BYTES: usize = 256;

/// A batch of candidates: the frame, its list, a candidate.
const LEAST_DEPTH: usize = 3;

/// Whoever holds one credential may try as many shorter secrets as they like, at home.
const LEAST_SECRET_BYTES: usize = 16;

/// A call that begins with credentials of less has lost its relay before it is connected.
const LEAST_TTL_S: u64 = 60;

/// A phone on a bad network is silent for a second.
const LEAST_PATIENCE_MS: u64 = 1_000;

/// What a match and its first candidates are, at once.
const LEAST_QUEUE_MESSAGES: usize = 16;

impl Config {
    /// # Errors
    /// One sentence about what cannot work.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.tls.check("tls.")?;
        self.turn.tls.check("turn.tls_")?;
        self.listeners_are_apart()?;
        self.relay_can_be_reached()?;
        if self.relay_alone {
            return Ok(());
        }
        self.sizes_fit()?;
        for (ping, cut, prefix) in [
            (self.lobby.ping_after, self.lobby.cut_after, "lobby."),
            (self.lobby.waiting_ping_after, self.lobby.waiting_cut_after, "lobby.waiting_"),
        ] {
            if ping >= cut {
                return Err(Failure::Config(format!(
                    "{prefix}cut_after_ms: must be longer than {prefix}ping_after_ms, or living visitors are cut"
                )));
            }
        }
        if self.session_resume && self.lobby.token_ttl < self.lobby.grace {
            return wrong(
                "lobby.token_ttl_ms: must be at least lobby.grace_ms, or tokens are over before their session",
            );
        }
        if self.bounds.connections < 2 {
            return wrong("limits.connections: must be at least 2, or nobody meets anybody");
        }
        Ok(())
    }

    fn relay_can_be_reached(&self) -> Result<(), Failure> {
        if let Some(ip) = self.turn.relay_addresses.iter().find(|ip| !is_of_one_machine(**ip)) {
            return wrong(&format!(
                "turn.relay_address: peers cannot send to {ip}; give the public address of this machine, or leave it out"
            ));
        }
        if self.relay_alone {
            return Ok(());
        }
        if !self.ice.regions.is_empty() && self.turn.secrets.is_empty() {
            return wrong(
                "ice.region: relays of your own need the secret that they share with this server; set turn.secret",
            );
        }
        let has_relay = self.turn.enabled || !self.ice.regions.is_empty();
        if self.ice.policy == crate::ice::IcePolicy::Relay && !has_relay {
            return wrong(
                "ice.policy: `relay` needs a relay, and there is none; set turn.enabled, or list yours as ice.region",
            );
        }
        Ok(())
    }

    fn sizes_fit(&self) -> Result<(), Failure> {
        let limits = &self.lobby.limits;
        for (key, is, least) in [
            ("limits.max_sdp_bytes", limits.max_sdp_bytes, LEAST_SDP_BYTES),
            ("limits.max_candidate_bytes", limits.max_candidate_bytes, LEAST_CANDIDATE_BYTES),
            ("limits.max_depth", limits.max_depth, LEAST_DEPTH),
        ] {
            if is < least {
                return wrong(&format!("{key}: `{is}` is less than any browser needs; at least {least}"));
            }
        }
        let least = limits.max_sdp_bytes.saturating_add(FRAME_BESIDE_SDP);
        if limits.max_frame_bytes < least {
            return wrong(&format!(
                "limits.max_frame_bytes: must hold a description of limits.max_sdp_bytes and what surrounds it; at \
                 least {least}"
            ));
        }
        if self.bounds.queue_bytes / 2 < limits.max_frame_bytes {
            return wrong("limits.queue_bytes: must hold at least two frames of limits.max_frame_bytes");
        }
        Ok(())
    }

    /// Two listeners at one place: the second would blame another program.
    fn listeners_are_apart(&self) -> Result<(), Failure> {
        let turn = self.turn.enabled || self.relay_alone;
        let all = [
            ("listen", Some(self.listen).filter(|_| !self.relay_alone)),
            ("tls.listen", self.tls.listen),
            ("metrics.listen", self.metrics_listen),
            ("turn.listen", self.turn.listen.filter(|_| turn)),
            ("turn.tls_listen", self.turn.tls.listen.filter(|_| turn)),
        ];
        let all: Vec<_> = all.into_iter().filter_map(|(key, at)| Some((key, at?))).collect();
        for (index, (key, at)) in all.iter().enumerate() {
            for (before, other) in &all[..index] {
                if meet(*at, *other) {
                    let fix = match *key {
                        "turn.listen" if *before == "listen" => {
                            "leave turn.listen out: the relay shares the port of listen".to_owned()
                        }
                        "turn.tls_listen" if *before == "tls.listen" => {
                            "leave turn.tls_listen out: the relay shares the port of tls.listen".to_owned()
                        }
                        _ => format!("choose another port with {}", flag_of(key, self.relay_alone)),
                    };
                    return wrong(&format!("{key}: {at} is taken by {before} already; {fix}"));
                }
            }
        }
        Ok(())
    }

    /// What starts, and does not work for everybody or is dangerous.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let mut flaws = Vec::new();
        if self.turn.secrets.iter().any(|secret| secret.bytes() < LEAST_SECRET_BYTES) {
            flaws.push(format!(
                "turn.secret: one is shorter than {LEAST_SECRET_BYTES} characters, and whoever has a credential can \
                 guess it; `openssl rand -hex 32` makes one"
            ));
        }
        if self.relay_alone {
            return flaws;
        }
        for (key, ttl_s) in [("ice.ttl_s", self.ice.ttl_s), ("ice.session_ttl_s", self.ice.session_ttl_s)] {
            if ttl_s < LEAST_TTL_S {
                flaws.push(format!(
                    "{key}: credentials of {ttl_s} s are over before a call has used them; at least {LEAST_TTL_S}"
                ));
            }
        }
        let of_shell = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        for (key, is_ms, least_ms) in [
            ("limits.header_timeout_ms", of_shell(self.bounds.header_timeout), LEAST_PATIENCE_MS),
            (
                "limits.tls_handshake_timeout_ms",
                of_shell(self.bounds.tls_handshake_timeout),
                LEAST_PATIENCE_MS,
            ),
            ("limits.write_stall_ms", of_shell(self.bounds.write_stall), LEAST_PATIENCE_MS),
            ("lobby.sign_of_life_ms", self.lobby.sign_of_life.as_micros() / 1_000, LEAST_PATIENCE_MS),
            (
                "lobby.waiting_cut_after_ms",
                self.lobby.waiting_cut_after.as_micros() / 1_000,
                LEAST_PATIENCE_MS,
            ),
        ] {
            if is_ms < least_ms {
                flaws.push(format!("{key}: {is_ms} ms are too short for a slow line; at least {least_ms}"));
            }
        }
        if self.bounds.queue_messages < LEAST_QUEUE_MESSAGES {
            flaws.push(format!(
                "limits.queue_messages: living readers are cut at {}; at least {LEAST_QUEUE_MESSAGES}",
                self.bounds.queue_messages
            ));
        }
        if !self.turn.enabled {
            for (key, is_set) in [
                ("turn.listen", self.turn.listen.is_some()),
                ("turn.tls_listen", self.turn.tls.listen.is_some()),
                ("turn.public_host", self.turn.public_host.is_some()),
                ("turn.relay_address", !self.turn.relay_addresses.is_empty()),
            ] {
                if is_set {
                    flaws.push(format!(
                        "{key}: is of no use while turn.enabled is off; leave it out, or set turn.enabled"
                    ));
                }
            }
        }
        if self.redis.required && self.redis.url.is_none() {
            flaws.push("readiness.require_redis: there is no Redis to require; set redis.url".into());
        }
        if self.redis.node.is_some() && self.redis.url.is_none() {
            flaws.push("node: a name is for one of several servers; set redis.url, where they meet".into());
        }
        for (key, networks) in
            [("trusted_proxy", &self.trusted_proxies), ("limits.exempt", &self.bounds.exempt)]
        {
            if networks.hold_everybody() {
                flaws.push(format!("{key}: holds every address there is; name those that you mean"));
            }
        }
        flaws
    }

    /// What is as the operator may want it, but rather not.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(at) = self.metrics_listen
            && !is_private(at.ip())
        {
            remarks.push(format!("metrics.listen: {at} has no password; let nobody but your own reach it"));
        }
        if self.relay_alone {
            return remarks;
        }
        if self.geo_database.is_some() && self.ice.regions.is_empty() {
            remarks.push("geo.database: is only for choosing among ice.region, and there are none".into());
        }
        if self.redis.url.is_some() && !self.redis.has_secret {
            remarks.push(
                "session.secret: unset, so only servers that share state_dir are one place; set the same on all".into(),
            );
        }
        if self.redis.url.is_some() && self.store_url.is_none() {
            remarks.push(
                "store.url: unset, so each server keeps the reports that it takes for itself; set the same on all".into(),
            );
        }
        if self.session_resume && self.lobby.grace == Span::ZERO {
            remarks.push("lobby.grace_ms: 0, so a session ends with its socket".into());
        }
        remarks
    }
}

impl TlsSettings {
    fn check(&self, prefix: &str) -> Result<(), Failure> {
        match (&self.listen, &self.cert, &self.key) {
            (None, None, None) | (Some(_), Some(_), Some(_)) => Ok(()),
            (Some(_), _, _) => Err(Failure::Config(format!(
                "{prefix}listen: needs a certificate; set {prefix}cert and {prefix}key to its PEM files (`visavis \
                 self-signed --out DIR` makes a pair)"
            ))),
            (None, _, _) => Err(Failure::Config(format!(
                "{prefix}cert, {prefix}key: nothing listens for TLS; set {prefix}listen to ADDR:PORT"
            ))),
        }
    }
}

fn wrong(sentence: &str) -> Result<(), Failure> {
    Err(Failure::Config(sentence.to_owned()))
}

/// Whether both cannot be listened on. Port 0 takes a free one.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = |ip: IpAddr| ip.is_unspecified();
    let same_family = one.is_ipv4() == other.is_ipv4();
    // An IPv6 wildcard hears IPv4 as well.
    let hears_both = |at: SocketAddr| at.is_ipv6() && everywhere(at.ip());
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip()
            || (same_family && (everywhere(one.ip()) || everywhere(other.ip())))
            || hears_both(one)
            || hears_both(other))
}

fn is_of_one_machine(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0);
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
