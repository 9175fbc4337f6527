//! What many connections together may do: those of one address, of one network, and all of a node.
//!
//! A crowd is remembered as long as somebody of it is here or its buckets are not full again, so leaving and coming
//! back gains nothing. Bounded by the number of connections: full buckets of nobody are swept when they pile up.

use crate::admission::Herd;
use crate::rates::{Allowance, Rate};
use crate::{Span, Time};
use std::collections::BTreeMap;
use std::fmt;

/// Where a connection comes from, as two prefixes of its address that the shell cuts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// An IPv4 address, or the /64 of an IPv6 address: one household, one school.
    pub host: u64,
    /// The /48 of an IPv6 address: one customer may hold many /64. `None` for IPv4.
    pub site: Option<u64>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(‹redacted›)")
    }
}

/// One customer may hold a whole /48 of IPv6: it may have so many times what a /64 may have.
const PER_SITE: u32 = 4;

/// How much a crowd may do per second; a burst is four seconds' worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdRates {
    pub messages_per_s: u32,
    pub nexts_per_s: u32,
    pub texts_per_s: u32,
}

/// What is being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Message,
    Next,
    Text,
}

impl CrowdRates {
    fn of(&self, act: Act) -> Allowance {
        let per_s = match act {
            Act::Message => self.messages_per_s,
            Act::Next => self.nexts_per_s,
            Act::Text => self.texts_per_s,
        };
        let per_s = per_s.clamp(1, 1_000_000);
        let interval = Span::from_micros(1_000_000 / u64::from(per_s));
        Allowance { burst: per_s.saturating_mul(4), interval }
    }
}

#[derive(Debug, Default)]
struct Crowd {
    members: u32,
    messages: Rate,
    nexts: Rate,
    texts: Rate,
    /// Sessions that were taken in, or promised a place.
    arrivals: Rate,
}

impl Crowd {
    fn take(&mut self, now: Time, act: Act, rates: &CrowdRates) -> Result<(), Span> {
        let rate = match act {
            Act::Message => &mut self.messages,
            Act::Next => &mut self.nexts,
            Act::Text => &mut self.texts,
        };
        rate.take(now, rates.of(act))
    }

    fn is_forgettable(&self, now: Time) -> bool {
        self.members == 0
            && [&self.messages, &self.nexts, &self.texts, &self.arrivals].iter().all(|rate| rate.is_full(now))
    }
}

/// All crowds of a node.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    hosts: BTreeMap<u64, Crowd>,
    sites: BTreeMap<u64, Crowd>,
    node: Crowd,
    /// Of hosts, after the last sweep.
    swept_to: usize,
}

impl Crowds {
    const SWEEP_ABOVE: usize = 1_024;

    pub(crate) fn join(&mut self, now: Time, source: Source) {
        if self.hosts.len() > Self::SWEEP_ABOVE.max(self.swept_to.saturating_mul(2)) {
            self.hosts.retain(|_, crowd| !crowd.is_forgettable(now));
            self.sites.retain(|_, crowd| !crowd.is_forgettable(now));
            self.swept_to = self.hosts.len();
        }
        self.hosts.entry(source.host).or_default().members += 1;
        if let Some(site) = source.site {
            self.sites.entry(site).or_default().members += 1;
        }
    }

    pub(crate) fn leave(&mut self, source: Source) {
        if let Some(crowd) = self.hosts.get_mut(&source.host) {
            crowd.members = crowd.members.saturating_sub(1);
        }
        if let Some(crowd) = source.site.and_then(|site| self.sites.get_mut(&site)) {
            crowd.members = crowd.members.saturating_sub(1);
        }
    }

    /// Charges one act to everybody whom the source belongs to.
    ///
    /// # Errors
    /// How long until the first of them that refused has room again.
    pub(crate) fn take(
        &mut self,
        now: Time,
        act: Act,
        source: Source,
        bounds: &CrowdBounds,
    ) -> Result<(), Span> {
        if let Some(crowd) = self.hosts.get_mut(&source.host) {
            crowd.take(now, act, &bounds.host)?;
        }
        if let Some(crowd) = source.site.and_then(|site| self.sites.get_mut(&site)) {
            crowd.take(now, act, &bounds.site)?;
        }
        self.node.take(now, act, &bounds.node)
    }

    /// One more session of this source comes in: whether there were few of late.
    pub(crate) fn arrive(&mut self, now: Time, source: Source, share: Allowance) -> Herd {
        let of_site = Allowance { burst: share.burst.saturating_mul(PER_SITE), interval: share.interval };
        let host = self.hosts.get_mut(&source.host).map(|crowd| (crowd, share));
        let site = source.site.and_then(|site| self.sites.get_mut(&site)).map(|crowd| (crowd, of_site));
        let all = [host, site];
        if all.iter().flatten().any(|(crowd, share)| crowd.arrivals.has(now, 1, *share).is_err()) {
            return Herd::Many;
        }
        for (crowd, share) in all.into_iter().flatten() {
            crowd.arrivals.spend(now, 1, share);
        }
        Herd::Few
    }

    /// Whether a session without a socket may be kept: those with and without one count together.
    pub(crate) fn may_keep(&self, source: Source, most: u32) -> bool {
        let of_host = self.hosts.get(&source.host).map_or(0, |crowd| crowd.members);
        let of_site = source.site.and_then(|site| self.sites.get(&site)).map_or(0, |crowd| crowd.members);
        of_host <= most && of_site <= most.saturating_mul(PER_SITE)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.hosts.len()
    }
}

/// What each kind of crowd may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdBounds {
    /// One IPv4 address, or one IPv6 /64.
    pub host: CrowdRates,
    /// One IPv6 /48.
    pub site: CrowdRates,
    /// All together.
    pub node: CrowdRates,
}

impl Default for CrowdBounds {
    /// A school of 500 behind one address is an ordinary crowd.
    fn default() -> Self {
        CrowdBounds {
            host: CrowdRates { messages_per_s: 2_500, nexts_per_s: 100, texts_per_s: 250 },
            site: CrowdRates { messages_per_s: 10_000, nexts_per_s: 400, texts_per_s: 1_000 },
            node: CrowdRates { messages_per_s: 200_000, nexts_per_s: 20_000, texts_per_s: 50_000 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CrowdRates = CrowdRates { messages_per_s: 1, nexts_per_s: 1, texts_per_s: 1 };
    const MANY: CrowdRates = CrowdRates { messages_per_s: 1_000, nexts_per_s: 1_000, texts_per_s: 1_000 };

    fn now() -> Time {
        Time::from_micros(1_000_000_000)
    }

    fn taken(crowds: &mut Crowds, source: Source, bounds: CrowdBounds) -> usize {
        (0..100).filter(|_| crowds.take(now(), Act::Next, source, &bounds).is_ok()).count()
    }

    #[test]
    fn each_scope_binds_on_its_own() {
        let source = |host, site| Source { host, site };
        for (bounds, same_host, same_site, elsewhere) in [
            (CrowdBounds { host: ONE, site: MANY, node: MANY }, 0, 4, 4),
            (CrowdBounds { host: MANY, site: ONE, node: MANY }, 0, 0, 4),
            (CrowdBounds { host: MANY, site: MANY, node: ONE }, 0, 0, 0),
        ] {
            let mut crowds = Crowds::default();
            for source in [source(1, Some(1)), source(2, Some(1)), source(3, Some(2))] {
                crowds.join(now(), source);
            }
            assert_eq!(taken(&mut crowds, source(1, Some(1)), bounds), 4);
            assert_eq!(taken(&mut crowds, source(1, Some(1)), bounds), same_host);
            assert_eq!(taken(&mut crowds, source(2, Some(1)), bounds), same_site);
            let rest = taken(&mut crowds, source(3, Some(2)), bounds);
            assert_eq!(rest, elsewhere);
        }
    }

    #[test]
    fn coming_back_gains_nothing_and_nobody_is_remembered_for_ever() {
        let mut crowds = Crowds::default();
        let bounds = CrowdBounds { host: ONE, site: MANY, node: MANY };
        let source = Source { host: 1, site: None };
        crowds.join(now(), source);
        assert_eq!(taken(&mut crowds, source, bounds), 4);
        crowds.leave(source);
        crowds.join(now(), source);
        assert_eq!(taken(&mut crowds, source, bounds), 0);
        crowds.leave(source);
        for host in 0..10_000 {
            let source = Source { host, site: None };
            crowds.join(now() + Span::from_secs(60), source);
            crowds.leave(source);
        }
        assert!(crowds.len() <= 2 * Crowds::SWEEP_ABOVE, "{}", crowds.len());
    }
}
