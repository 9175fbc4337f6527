//! After a crowd has gone: asks the allocator to give its memory back.

use crate::edge::Admission;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Longer than sessions outlive their sockets by default, so that the second look finds them gone.
const LOOK: Duration = Duration::from_secs(15);

/// Fewer sockets than this hold too little to be worth a pause.
const WORTH: usize = 100;

/// Looks at the number of sockets until the process ends.
pub(crate) async fn watch(sockets: Arc<Admission>) {
    let mut tide = Tide::default();
    loop {
        sleep(LOOK).await;
        let (total, most) = sockets.total_and_most();
        if tide.falls(total, most) {
            // It may take milliseconds, which nobody here has to wait for.
            let _ = tokio::task::spawn_blocking(visavis_trim::give_back).await;
        }
    }
}

/// How many sockets there were at most since memory was last given back.
#[derive(Default)]
struct Tide {
    most: usize,
    /// Some of those who went may have left a session.
    once_more: bool,
}

impl Tide {
    /// Whether it is time to give back: after a fall by a quarter, and once more at the next look. `most` is of the time
    /// since the last look, so that a crowd is seen that came and went in between.
    fn falls(&mut self, sockets: usize, most: usize) -> bool {
        self.most = self.most.max(most).max(sockets);
        let gone = self.most - sockets;
        let falls = gone >= WORTH && gone >= self.most / 4;
        if falls {
            self.most = sockets;
        }
        std::mem::replace(&mut self.once_more, falls) || falls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(crowd: &[usize]) -> Vec<bool> {
        let mut tide = Tide::default();
        crowd.iter().map(|sockets| tide.falls(*sockets, *sockets)).collect()
    }

    #[test]
    fn a_crowd_that_goes_is_followed_by_two_looks_and_no_more() {
        assert_eq!(looks(&[9_000, 100, 100, 100, 100]), [false, true, true, false, false]);
        assert_eq!(looks(&[2_000, 1_400, 700, 100, 100]), [false, true, true, true, true]);
    }

    #[test]
    fn a_crowd_that_came_and_went_between_two_looks_is_seen() {
        let mut tide = Tide::default();
        assert_eq!(
            [(3, 3), (5, 8_000), (5, 6), (5, 5)].map(|(now, most)| tide.falls(now, most)),
            [false, true, true, false]
        );
    }

    #[test]
    fn who_comes_and_goes_as_on_any_evening_is_no_fall() {
        assert!(!looks(&[10_000, 9_000, 9_900, 8_000, 10_000, 7_600]).contains(&true));
        assert!(!looks(&[90, 0, 95, 10, 99, 0]).contains(&true));
    }
}
