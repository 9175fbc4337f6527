//! What the operator hears of a relay: that a bound was reached, which setting it is, and how often since; and that
//! credentials are refused which look as if two machines disagreed.

use std::collections::BTreeMap;
use std::time::Duration;
use visavis_turn::{Bound, Denied, Relay, Time};

/// At most one line of each kind in so long a time.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Notices {
    /// How often bounds had been hit at the last look: most looks find nothing new.
    hits: u64,
    said: BTreeMap<Kind, Said>,
}

/// One kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Hit(Bound),
    Expired,
    WrongPassword,
}

/// A page that slept comes with a credential that is over, and asks for another. So long ago that is a clock.
const OVER_FOR_S: u64 = 300;

struct Said {
    at: Time,
    times: u64,
}

impl Notices {
    /// Called once a turn.
    pub(super) fn look(&mut self, now: Time, relay: &Relay) {
        let counters = relay.counters();
        let denied = |denied: Denied| counters.denied.get(denied.label()).copied().unwrap_or_default();
        let expired = denied(Denied::Expired { for_s: 0 });
        let wrong = denied(Denied::WrongPassword);
        let hits = counters.bounds_hit.values().sum::<u64>() + expired + wrong;
        if hits == self.hits {
            return;
        }
        self.hits = hits;
        for (bound, hits) in &counters.bounds_hit {
            if let Some(times) = self.due(now, Kind::Hit(*bound), *hits) {
                say(*bound, times, relay);
            }
        }
        if counters.latest_expired_for_s >= OVER_FOR_S
            && let Some(times) = self.due(now, Kind::Expired, expired)
        {
            tracing::warn!(
                times,
                "relay: a credential is refused that has been over for {}; if everybody is refused, the clock of this machine \
                 or that of the server that mints credentials is wrong",
                roughly(counters.latest_expired_for_s)
            );
        }
        if let Some(times) = self.due(now, Kind::WrongPassword, wrong) {
            tracing::warn!(
                times,
                "relay: a credential is refused, as its password is not of our making; if everybody is refused, turn.secret \
                 differs between this relay and the server that mints credentials"
            );
        }
    }

    /// How often it has happened since it was last spoken of, if it is time to speak again.
    fn due(&mut self, now: Time, kind: Kind, times: u64) -> Option<u64> {
        if times == 0 {
            return None;
        }
        let said = self.said.get(&kind);
        let before = match said {
            None => 0,
            Some(said) if said.times < times && now.since(said.at) >= EVERY => said.times,
            Some(_) => return None,
        };
        self.said.insert(kind, Said { at: now, times });
        Some(times - before)
    }
}

fn roughly(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn say(bound: Bound, times: u64, relay: &Relay) {
    let bounds = relay.bounds();
    let what = match bound {
        Bound::AllocationsPerUser => format!(
            "turn.allocations_per_user: an allocation is refused, as its user name has {} already",
            bounds.allocations_per_user
        ),
        Bound::AllocationsPerAddress => format!(
            "turn.allocations_per_address: an allocation is refused, as its address has {} already (an IPv6 /48 four \
             times that)",
            bounds.allocations_per_address
        ),
        Bound::Allocations => {
            format!("turn.allocations: an allocation is refused, as there are {} already", bounds.allocations)
        }
        Bound::OpenFiles => format!(
            "an allocation is refused, as the open-file limit leaves the relay {} sockets; raise it (ulimit -Hn, or \
             LimitNOFILE= of systemd)",
            bounds.relay_sockets
        ),
        Bound::RelayPorts => {
            "turn.relay_ports: an allocation is refused, as no port of the range is free".to_owned()
        }
        Bound::BytesPerAllocation => bytes("bytes_per_s", "an allocation", bounds.bytes_per_s),
        Bound::BytesPerUser => bytes("user_bytes_per_s", "a user name", bounds.user_bytes_per_s),
        Bound::BytesPerAddress => bytes("address_bytes_per_s", "an address", bounds.address_bytes_per_s),
        Bound::BytesInAll => bytes("total_bytes_per_s", "the relay", bounds.total_bytes_per_s),
    };
    tracing::warn!(times, "relay: {what}");
}

fn bytes(setting: &str, what: &str, most: u64) -> String {
    format!("turn.{setting}: packets are dropped, as {what} carries no more than {most} bytes a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_at_once_and_then_once_a_minute() {
        let mut notices = Notices::default();
        let start = Time::from_micros(1_000_000_000);
        let users = Kind::Hit(Bound::AllocationsPerUser);
        assert_eq!(notices.due(start, users, 0), None);
        assert_eq!(notices.due(start, users, 1), Some(1));
        let second = start + Duration::from_secs(1);
        assert_eq!(notices.due(second, users, 900), None);
        assert_eq!(
            notices.due(second, Kind::Hit(Bound::Allocations), 1),
            Some(1),
            "another bound is another line"
        );
        assert_eq!(notices.due(start + EVERY, users, 1_001), Some(1_000));
        assert_eq!(notices.due(start + EVERY + EVERY, users, 1_001), None, "nothing new");
    }

    #[test]
    fn a_time_is_told_roughly() {
        assert_eq!([300, 7_200, 200_000].map(roughly), ["5 minutes", "2 hours", "2 days"]);
    }
}
