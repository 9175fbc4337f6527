//! `GET /` of the metrics: who connects how, for people who would rather look than read. Plain HTML that is whole
//! without scripts; it loads itself anew.

use crate::driver::Snapshot;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::fmt::Write as _;
use visavis_lobby::{Histogram, Paths};

pub(super) const STYLE_PATH: &str = "/figures.css";

/// A file of its own: the content policy allows no styles in the page.
pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("figures.css"))
}

pub(super) fn render(snapshot: &Snapshot) -> String {
    let Snapshot { counters, gauges, .. } = snapshot;
    let paths = &counters.paths;
    let with_media = counters.matches.video + counters.matches.audio;
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Visavis: who connects how</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"10\">\
         <link rel=\"stylesheet\" href=\"/figures.css\"></head><body><main><h1>Who connects how</h1>",
    );
    let share = paths.direct_share().map(|share| share * 100.0);
    let connected = (with_media > 0).then(|| paths.matches as f64 * 100.0 / with_media as f64);
    let _ = write!(
        page,
        "<div class=\"numbers\"><p><b id=\"direct-share\">{}</b>of calls are direct</p>\
         <p><b>{}</b>of matches with picture or sound connected</p><p><b>{}</b>visitors now</p></div>\
         <p>Since the start, as clients report it: each side of a call counts. The same for programs: <a href=\"/metrics\">/metrics</a>.</p>",
        percent(share),
        percent(connected),
        gauges.sessions,
    );
    bars(&mut page, "Path", [("direct", paths.direct.count()), ("relay", paths.relay.count())]);
    times(&mut page, paths);
    bars(&mut page, "Candidate of the side that reports", paths.local.by_name());
    bars(&mut page, "Candidate of the other side", paths.remote.by_name());
    bars(&mut page, "Transport, to the other side or to the relay", paths.transport.by_name());
    bars(&mut page, "Family", paths.family.by_name());
    page.push_str("</main></body></html>\n");
    page
}

fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.1} %"))
}

/// One row for each name: how many, which part, and the same as a bar.
fn bars(page: &mut String, title: &str, counts: impl IntoIterator<Item = (&'static str, u64)>) {
    let counts: Vec<_> = counts.into_iter().collect();
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    let _ = write!(page, "<h2>{title}</h2><table>");
    for (name, count) in counts {
        let part = if sum == 0 { 0.0 } else { count as f64 * 100.0 / sum as f64 };
        let class = if name == "relay" { "relay" } else { "direct" };
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{name}</th><td class=\"n\">{count}</td><td class=\"n\">{part:.1} %</td><td class=\"bar\">\
             <svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"{class}\" width=\"{part:.2}\" height=\"10\"/></svg></td></tr>"
        );
    }
    page.push_str("</table>");
}

/// How soon: one row for each bucket that is not empty, and the rows between them.
fn times(page: &mut String, paths: &Paths) {
    page.push_str(
        "<h2>From match to connection</h2><p><span class=\"key direct\"></span> direct \
         <span class=\"key relay\"></span> relay; half of them within ",
    );
    let medians = [&paths.direct, &paths.relay].map(|times| median_ms(times).map_or("–".into(), bound_text));
    let _ = write!(page, "{} and {}</p><table>", medians[0], medians[1]);
    let rows: Vec<_> = paths.direct.buckets().zip(paths.relay.buckets()).collect();
    let sums: Vec<u64> = rows.iter().map(|((_, direct), (_, relay))| direct + relay).collect();
    let most = sums.iter().max().copied().unwrap_or(0).max(1) as f64;
    let (first, last) = (sums.iter().position(|sum| *sum > 0), sums.iter().rposition(|sum| *sum > 0));
    if let (Some(first), Some(last)) = (first, last) {
        for ((bound, direct), (_, relay)) in &rows[first..=last] {
            let (of_direct, of_relay) = (*direct as f64 * 100.0 / most, *relay as f64 * 100.0 / most);
            let _ = write!(
                page,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{direct} direct</td><td class=\"n\">{relay} relay</td>\
                 <td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
                 <rect class=\"direct\" width=\"{of_direct:.2}\" height=\"10\"/>\
                 <rect class=\"relay\" x=\"{of_direct:.2}\" width=\"{of_relay:.2}\" height=\"10\"/></svg></td></tr>",
                bound.map_or("longer".to_owned(), |_| format!("within {}", bound_text(*bound))),
            );
        }
    }
    page.push_str("</table>");
}

/// The upper bound of the bucket in which the middle one lies; `Some(None)` beyond the last bound.
fn median_ms(times: &Histogram) -> Option<Option<u64>> {
    let mut left = times.count().div_ceil(2);
    if left == 0 {
        return None;
    }
    times.buckets().find_map(|(bound, count)| {
        left = left.saturating_sub(count);
        (left == 0).then_some(bound)
    })
}

fn bound_text(bound_ms: Option<u64>) -> String {
    match bound_ms {
        Some(ms) if ms < 1_024 => format!("{ms} ms"),
        Some(ms) => format!("{:.1} s", ms as f64 / 1e3),
        None => "more than a minute".into(),
    }
}
