//! The result: one JSON object whose names say units.

use super::options::Options;
use super::wire::Tale;
use crate::{Histogram, Violation};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) tool: &'static str,
    pub(super) scenario: String,
    pub(super) protocol: String,
    pub(super) order: String,
    pub(super) kind: String,
    pub(super) handshake: bool,
    pub(super) visitors: u32,
    pub(super) deviants: u32,
    pub(super) processes: u32,
    pub(super) connect: Connect,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<Memory>,
    pub(super) rounds: Vec<Round>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) herd: Option<Herd>,
    pub(super) violations: Violations,
    pub(super) passed: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Connect {
    pub(super) seconds: f64,
    pub(super) open: u32,
    pub(super) failed: u32,
    /// Why, and how often.
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) refused: BTreeMap<String, u64>,
    /// In any second; only of visitors who say `hello`.
    pub(super) welcomed_per_s_max: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_cpu_us_per_connection: Option<f64>,
}

/// Who came back from a herd, and into what.
#[derive(Debug, Default, Serialize)]
pub(super) struct Herd {
    pub(super) resumed: u64,
    pub(super) resumed_share: f64,
    /// Said something afterwards, and the stranger of before heard it.
    pub(super) heard_by_partner: u64,
    pub(super) heard_by_partner_share: f64,
    /// Until the last one was welcomed.
    pub(super) back_s: f64,
}

/// Of the server process. Not the kernel's share of a socket.
#[derive(Debug, Default, Serialize)]
pub(super) struct Memory {
    pub(super) before_kib: u64,
    pub(super) idle_kib: u64,
    pub(super) idle_kib_per_connection: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_handshake_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_handshake_kib_per_connection: Option<f64>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Round {
    pub(super) name: String,
    /// Both sides saw these.
    pub(super) pairs: u64,
    /// Only one side saw these; the other closed or does not read.
    pub(super) one_sided: u64,
    /// Visitors who at the end were with somebody whose handshake was not complete, or who reads no more.
    pub(super) unfinished: u32,
    pub(super) modes: BTreeMap<&'static str, u64>,
    /// From the common instant of the press to `partner_found`.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) found_ms: Quantiles,
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) found_again_ms: Quantiles,
    /// From `partner_found` to a complete handshake.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) connected_ms: Quantiles,
    /// One signal, from the sender's write to the receiver's read.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) relay_ms: Quantiles,
    /// From `partner_found` to being told that the other is lost.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) partner_lost_ms: Quantiles,
    /// From the last words of a partner that reads no more to being told that it is lost.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) partner_freed_ms: Quantiles,
    /// From a lost socket to the next open one.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) reopened_ms: Quantiles,
    /// From a lost socket to the next `welcome`.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub(super) back_ms: Quantiles,
    /// `welcome`s in any one second.
    pub(super) welcomed_per_s_max: u32,
    pub(super) resumed: u64,
    pub(super) closed_by_script: u64,
    pub(super) cut_by_server: u64,
    pub(super) endings: BTreeMap<String, u64>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) messages_sent: u64,
    pub(super) messages_received: u64,
    pub(super) wall_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_cpu_us_per_pair: Option<f64>,
    /// The same of each `--server-pid`, if they are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) server_cpu_us_per_pair_of_each: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_busy: Option<f64>,
    pub(super) client_cpu_us_per_pair: f64,
    /// Near the number of processes, the client itself is the bottleneck.
    pub(super) client_busy: f64,
    /// How long the slowest worker took to write all presses.
    pub(super) press_spread_ms: f64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Quantiles {
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Violations {
    pub(super) count: u64,
    /// The first of them.
    pub(super) listed: Vec<String>,
}

impl Quantiles {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn of(row: &Histogram) -> Self {
        let ms = |span: visavis_lobby::Span| span.as_micros() as f64 / 1_000.0;
        Quantiles {
            count: row.count(),
            p50: ms(row.quantile(500)),
            p90: ms(row.quantile(900)),
            p99: ms(row.quantile(990)),
            max: ms(row.max()),
        }
    }
}

impl Violations {
    const MAX_LISTED: usize = 50;

    pub(super) fn add(&mut self, found: &[Violation], tale: &Tale) {
        self.count += found.len() as u64 + tale.breach_count;
        let sentences = found.iter().map(|violation| format!("{violation:?}"));
        self.listed.extend(tale.breaches.iter().cloned().chain(sentences));
        self.listed.truncate(Self::MAX_LISTED);
    }

    pub(super) fn say(&mut self, sentence: String) {
        self.count += 1;
        self.listed.push(sentence);
    }
}

impl Outcome {
    pub(super) fn new(options: &Options) -> Self {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        Outcome {
            tool: concat!("visavis-load ", env!("CARGO_PKG_VERSION")),
            scenario: name(&options.scenario),
            protocol: name(&options.protocol),
            order: name(&options.order),
            kind: name(&options.kind),
            handshake: !options.no_handshake,
            visitors: options.visitors,
            deviants: options.deviants(),
            processes: options.processes,
            connect: Connect::default(),
            memory: None,
            rounds: Vec::new(),
            herd: None,
            violations: Violations::default(),
            passed: false,
        }
    }
}
