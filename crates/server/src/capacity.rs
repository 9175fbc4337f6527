//! How the open files that the system allows are shared out: visitors, pages and probes, the relay, and what is left
//! for everything else.
//!
//! What always holds: the shares together are within the limit, so no part of the server takes another's files. A relay
//! that is full refuses allocations; pages, WebSockets and `/healthz` go on answering.

use crate::config::Config;

/// What the operator asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) visitors: usize,
    pub(crate) visitors_per_address: usize,
    /// Zero where there is no relay.
    pub(crate) allocations: usize,
    pub(crate) allocations_per_address: usize,
    pub(crate) allocations_per_user: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) visitors: usize,
    pub(crate) visitors_per_address: usize,
    /// TCP sockets of HTTP: visitors, and those who read pages.
    pub(crate) sockets: usize,
    pub(crate) sockets_per_address: usize,
    pub(crate) relay: RelayShare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayShare {
    /// UDP sockets that relay.
    pub(crate) sockets: usize,
    pub(crate) allocations_per_address: usize,
    /// TCP and TLS connections of clients.
    pub(crate) streams: usize,
    pub(crate) streams_per_address: usize,
}

impl Wanted {
    pub(crate) fn of(config: &Config) -> Self {
        let turn = &config.turn;
        Wanted {
            visitors: config.bounds.connections,
            visitors_per_address: config.bounds.connections_per_address,
            allocations: if turn.enabled || config.relay_alone { turn.bounds.allocations } else { 0 },
            allocations_per_address: turn.bounds.allocations_per_address,
            allocations_per_user: turn.bounds.allocations_per_user,
        }
    }
}

impl Capacity {
    /// Raises the limit as far as it goes, and says what does not fit.
    pub(crate) fn find(wanted: Wanted) -> Self {
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let capacity = Self::share_out(descriptors, wanted);
        if capacity.visitors < wanted.visitors || capacity.relay.sockets < wanted.allocations {
            tracing::info!(
                "the open-file limit is {descriptors}: room for {} of {} visitors (limits.connections) and for {} of {} \
                 allocations of the relay (turn.allocations); raise it (ulimit -Hn, or LimitNOFILE= of systemd) for more",
                capacity.visitors,
                wanted.visitors,
                capacity.relay.sockets.min(wanted.allocations),
                wanted.allocations,
            );
        }
        capacity
    }

    fn share_out(descriptors: usize, wanted: Wanted) -> Self {
        // Listeners, event queues, Redis, files that are read again.
        let others = (descriptors / 8).clamp(48, 512);
        let pages = (descriptors / 8).clamp(16, 256);
        let rest = descriptors.saturating_sub(others + pages);
        // Most allocations have one socket and come over UDP; the others have two, or a connection beside it.
        let relay_wanted = wanted.allocations.saturating_mul(2);
        let fits = wanted.visitors.saturating_add(relay_wanted) <= rest;
        // Most calls are direct, so visitors get the larger part of what is scarce.
        let relay = match fits {
            true => relay_wanted,
            false => relay_wanted.min((rest / 4).max(rest.saturating_sub(wanted.visitors))),
        };
        let visitors = wanted.visitors.min(rest.saturating_sub(relay));
        let streams = relay / 4;
        let relay_sockets = relay - streams;
        // Where all is scarce, no one address may have all of it.
        let visitors_per_address = match visitors < wanted.visitors {
            true => wanted.visitors_per_address.min(visitors.div_ceil(2)),
            false => wanted.visitors_per_address,
        };
        let allocations_per_address = match relay_sockets < wanted.allocations {
            true => wanted.allocations_per_address.min((relay_sockets / 8).max(wanted.allocations_per_user)),
            false => wanted.allocations_per_address,
        };
        let sockets = visitors.saturating_add(pages);
        Capacity {
            visitors,
            visitors_per_address,
            sockets,
            // A browser opens a few to read pages.
            sockets_per_address: visitors_per_address
                .saturating_mul(2)
                .saturating_add(32)
                .min(sockets.div_ceil(2)),
            relay: RelayShare {
                sockets: relay_sockets,
                allocations_per_address,
                streams,
                streams_per_address: allocations_per_address.min(streams.div_ceil(2)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        visitors: 100_000,
        visitors_per_address: 500,
        allocations: 10_000,
        allocations_per_address: 400,
        allocations_per_user: 6,
    };

    #[test]
    fn the_shares_are_within_every_limit() {
        for descriptors in [256, 512, 1_024, 4_096, 20_000, 65_536, 120_000, 1_048_576] {
            let Capacity { visitors, sockets, sockets_per_address, relay, .. } =
                Capacity::share_out(descriptors, WANTED);
            let pages = sockets - visitors;
            assert!(sockets + relay.sockets + relay.streams + 48 <= descriptors, "{descriptors}");
            assert!(pages >= 16 && visitors >= 64 && relay.sockets >= 24, "{descriptors}");
            assert!(sockets_per_address < sockets, "{descriptors}: one address cannot have all of HTTP");
            assert!(relay.allocations_per_address < relay.sockets / 4, "{descriptors}: nor of the relay");
            assert!(relay.streams_per_address < relay.streams, "{descriptors}");
        }
    }

    #[test]
    fn a_wide_limit_gives_what_was_asked_for() {
        let Capacity { visitors, visitors_per_address, sockets, sockets_per_address, relay } =
            Capacity::share_out(1_048_576, WANTED);
        assert_eq!((visitors, visitors_per_address), (100_000, 500));
        assert_eq!((sockets, sockets_per_address), (100_256, 1_032));
        assert_eq!((relay.sockets, relay.streams, relay.allocations_per_address), (15_000, 5_000, 400));
    }

    #[test]
    fn without_a_relay_visitors_have_its_share() {
        let alone = Capacity::share_out(1_024, Wanted { allocations: 0, ..WANTED });
        assert_eq!((alone.visitors, alone.relay.sockets, alone.relay.streams), (768, 0, 0));
        assert!(Capacity::share_out(1_024, WANTED).visitors < alone.visitors);
    }
}
