//! Time for the load client: microseconds since the run's epoch, the same in every process of the run.
//!
//! ASSUMES: nobody sets the system's clock during a run. A monotonic clock has no meaning in another process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use visavis_lobby::Time;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    epoch_us: u64,
}

impl Clock {
    pub(super) fn starting_now() -> Self {
        Clock { epoch_us: since_1970_us() }
    }

    pub(super) fn of(epoch_us: u64) -> Self {
        Clock { epoch_us }
    }

    pub(super) fn epoch_us(self) -> u64 {
        self.epoch_us
    }

    pub(super) fn now(self) -> Time {
        Time::from_micros(since_1970_us().saturating_sub(self.epoch_us))
    }
}

fn since_1970_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
