//! How calls came about, as their clients report it: the figures that an operator's relay bill follows from.
//!
//! Each side of a match reports for itself, so a call counts twice. What a client leaves out counts as unknown.

use crate::{Histogram, Span};
use visavis_protocol::{CandidateType, Connected, IpFamily, Path, Transport};

/// Totals since the lobby was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Matches of which at least one side reported.
    pub matches: u64,
    /// From match to connection, over a direct path and through a relay.
    pub direct: Histogram,
    pub relay: Histogram,
    /// The candidate of the side that reports, and that of the other.
    pub local: Tally<4>,
    pub remote: Tally<4>,
    /// What the side that reports speaks: to the other, or to its relay.
    pub transport: Tally<3>,
    pub family: Tally<2>,
}

/// One number for each of a few names, and one for what was not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<const N: usize> {
    names: [&'static str; N],
    counts: [u64; N],
    unknown: u64,
}

const TYPES: [&str; 4] = ["host", "srflx", "prflx", "relay"];
const TRANSPORTS: [&str; 3] = ["udp", "tcp", "tls"];
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

impl Paths {
    pub(crate) fn record(&mut self, report: &Connected, elapsed: Span) {
        match report.path {
            Path::Direct => self.direct.record(elapsed),
            Path::Relay => self.relay.record(elapsed),
        }
        self.local.add(report.local_type.map(type_index));
        self.remote.add(report.remote_type.map(type_index));
        self.transport.add(report.protocol.map(|transport| match transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
        }));
        self.family.add(report.family.map(|family| match family {
            IpFamily::Ipv4 => 0,
            IpFamily::Ipv6 => 1,
        }));
    }

    /// 0 to 1, of the reports; `None` before the first.
    pub fn direct_share(&self) -> Option<f64> {
        let (direct, relay) = (self.direct.count(), self.relay.count());
        (direct + relay > 0).then(|| direct as f64 / (direct + relay) as f64)
    }
}

fn type_index(of: CandidateType) -> usize {
    match of {
        CandidateType::Host => 0,
        CandidateType::Srflx => 1,
        CandidateType::Prflx => 2,
        CandidateType::Relay => 3,
    }
}

impl<const N: usize> Tally<N> {
    /// Names as the protocol has them, the unknown last.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.into_iter().zip(self.counts).chain([("unknown", self.unknown)])
    }

    fn add(&mut self, index: Option<usize>) {
        match index {
            Some(index) => {
                if let Some(count) = self.counts.get_mut(index) {
                    *count += 1;
                }
            }
            None => self.unknown += 1,
        }
    }

    const fn of(names: [&'static str; N]) -> Self {
        Tally { names, counts: [0; N], unknown: 0 }
    }
}

impl Default for Tally<4> {
    fn default() -> Self {
        Tally::of(TYPES)
    }
}

impl Default for Tally<3> {
    fn default() -> Self {
        Tally::of(TRANSPORTS)
    }
}

impl Default for Tally<2> {
    fn default() -> Self {
        Tally::of(FAMILIES)
    }
}
