//! The relay's figures. Its sums of bytes are what an operator pays for.

use super::Page;
use crate::relay::Figures;
use visavis_turn::{Bound, Denied, Drop, ErrorCode};

pub(super) fn render(figures: &Figures, page: &mut Page) {
    let Figures { counters, gauges, streams } = figures;
    page.gauge("visavis_relay_allocations", "TURN allocations at this moment.", gauges.allocations);
    page.gauge("visavis_relay_users", "User names that hold allocations or reserved ports.", gauges.users);
    page.gauge("visavis_relay_ports", "Relay ports in use.", gauges.relay_addresses);
    page.gauge("visavis_relay_streams", "TCP and TLS connections to the relay.", streams);
    page.counter("visavis_relay_allocations_made_total", "TURN allocations made.", counters.allocations);
    page.counter("visavis_relay_bindings_total", "STUN binding requests answered.", counters.bindings);
    let flows = [("to_peer", counters.to_peers), ("to_client", counters.to_clients)];
    page.labelled(
        "visavis_relay_bytes_total",
        "counter",
        "Payload relayed.",
        "direction",
        flows.map(|(direction, flow)| (direction, flow.bytes)),
    );
    page.labelled(
        "visavis_relay_packets_total",
        "counter",
        "Packets relayed.",
        "direction",
        flows.map(|(direction, flow)| (direction, flow.packets)),
    );
    page.labelled(
        "visavis_relay_refused_total",
        "counter",
        "TURN requests refused, by error code.",
        "code",
        ErrorCode::ALL.map(|code| (code.label(), counters.refused.get(&code).copied().unwrap_or_default())),
    );
    page.labelled(
        "visavis_relay_unauthenticated_total",
        "counter",
        "TURN requests that were not authenticated, by reason.",
        "reason",
        Denied::LABELS.map(|label| (label, counters.denied.get(label).copied().unwrap_or_default())),
    );
    page.labelled(
        "visavis_relay_bounds_hit_total",
        "counter",
        "Allocations and packets refused because of a bound, by its setting.",
        "bound",
        Bound::ALL
            .map(|bound| (bound.as_str(), counters.bounds_hit.get(&bound).copied().unwrap_or_default())),
    );
    page.labelled(
        "visavis_relay_dropped_total",
        "counter",
        "Packets dropped without a word.",
        "reason",
        Drop::ALL.map(|reason| (reason.as_str(), counters.dropped.get(&reason).copied().unwrap_or_default())),
    );
}
