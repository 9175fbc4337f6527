//! Who connects how, in Prometheus' format.

use super::Page;
use visavis_lobby::Paths;

pub(super) fn render(paths: &Paths, page: &mut Page) {
    let by_path = [("direct", &paths.direct), ("relay", &paths.relay)];
    page.counter(
        "visavis_matches_connected_total",
        "Matches of which at least one side connected.",
        paths.matches,
    );
    page.labelled(
        "visavis_calls_connected_total",
        "counter",
        "Sides of calls that report as connected.",
        "path",
        by_path.map(|(path, times)| (path, times.count())),
    );
    page.gauge(
        "visavis_direct_ratio",
        "The part of them that is direct, since the start; NaN before the first.",
        paths.direct_share().unwrap_or(f64::NAN),
    );
    let connect = "visavis_connect_seconds";
    page.head(connect, "histogram", "From match to connection, as clients report it.");
    for (path, times) in by_path {
        page.buckets(connect, &format!("path=\"{path}\""), times);
    }
    for (name, help, label, counts) in [
        (
            "local_candidate",
            "the candidate of the side that reports",
            "type",
            paths.local.by_name().collect(),
        ),
        ("remote_candidate", "the candidate of the other side", "type", paths.remote.by_name().collect()),
        (
            "transport",
            "what is spoken to the other side, or to the relay",
            "protocol",
            paths.transport.by_name().collect(),
        ),
        ("family", "the addresses' family", "family", paths.family.by_name().collect::<Vec<_>>()),
    ] {
        let name = format!("visavis_calls_by_{name}_total");
        page.labelled(&name, "counter", &format!("The same by {help}."), label, counts);
    }
}
