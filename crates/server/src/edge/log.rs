//! What the log says of refusals: one line a minute for each kind, with the setting that decides, and no address.

use super::origin::{self, Cause};
use super::{ClientAddress, Networks};
use crate::notice::{Notice, warn_rarely};
use axum::http::HeaderMap;
use std::net::IpAddr;

pub(super) fn foreign_page(asked_for: &str, cause: &Cause) {
    match cause {
        Cause::Port { .. } => warn_rarely!("{asked_for} refused (403): {}", cause.sentence()),
        Cause::Host { .. } => warn_rarely!("{asked_for} refused (403): {}", cause.sentence()),
        Cause::Site => warn_rarely!("{asked_for} refused (403): {}", cause.sentence()),
    }
}

pub(super) fn too_many_visitors(client: ClientAddress, most: usize) {
    let hint = behind_proxy(client.reveal());
    warn_rarely!("/ws refused (429): an address has all its limits.connections_per_address = {most}{hint}");
}

pub(super) fn too_many_sockets(peer: IpAddr, most: usize) {
    let hint = behind_proxy(peer);
    warn_rarely!(
        "socket refused (429): an address has {most} sockets open, twice its limits.connections_per_address and 32{hint}"
    );
}

pub(super) fn full(most: usize) {
    warn_rarely!(
        "refused (503): all {most} places are taken; limits.connections, or the open-file limit, allows no more"
    );
}

pub(super) fn too_many_ice(client: ClientAddress, most: u32) {
    let hint = behind_proxy(client.reveal());
    warn_rarely!("/api/ice refused (429): an address has used up its limits.ice_per_minute = {most}{hint}");
}

pub(super) fn too_many_reports(client: ClientAddress, most: u32) {
    let hint = behind_proxy(client.reveal());
    warn_rarely!(
        "/api/reports refused (429): an address has used up its limits.reports_per_minute = {most}{hint}"
    );
}

/// A proxy that is not trusted makes all visitors one.
fn behind_proxy(address: IpAddr) -> &'static str {
    if origin::is_local(address) {
        "; it is a local address: if it is your proxy, name it with --trusted-proxy (trusted_proxy)"
    } else {
        ""
    }
}

/// Said of the first such request: either somebody claims an address, or the operator forgot to name the proxy.
pub(super) fn forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) {
    if !headers.contains_key("x-forwarded-for") || trusted.contains(peer) {
        return;
    }
    // Strangers write that header, too: an operator who knows need not read it every minute.
    static NOTICE: Notice = Notice::every_ms(24 * 3600 * 1000);
    let Some(held_back) = NOTICE.due() else { return };
    let whose = if origin::is_local(peer) {
        format!("name the proxy with --trusted-proxy {}", peer.to_canonical())
    } else {
        "if it is your proxy, name it with --trusted-proxy".to_owned()
    };
    tracing::warn!(
        "X-Forwarded-For comes from a peer that is not trusted, and is not believed: all behind it count as one \
         address; {whose} (trusted_proxy){held_back}"
    );
}
