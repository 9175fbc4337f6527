//! Many seeds, on all cores, and what came of them together.

use super::{Breach, Coverage, Outcome, Stage, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use visavis_lobby::Fault;

/// Every so many seeds one is run twice, to see that it is the same run.
const REPEATED: u64 = 50;

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub events: u64,
    pub repeated: u64,
    /// Seeds whose second run differed from the first.
    pub differing: Vec<u64>,
    pub breaches: Vec<(u64, Breach)>,
    pub coverage: Coverage,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.coverage.add(&outcome.coverage);
        if let Some(breach) = outcome.breach {
            self.breaches.push((seed, breach));
        }
    }
}

/// Runs seeds from `first` on, until `enough` says so of the number begun; on so many threads. Stops at the first breach.
/// `progress` hears the tally now and then.
pub fn swarm(
    stage: Stage,
    first: u64,
    threads: usize,
    enough: impl Fn(u64) -> bool + Sync,
    progress: impl Fn(&Tally) + Sync,
) -> Tally {
    let next = AtomicU64::new(0);
    let broken = AtomicBool::new(false);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let begun = next.fetch_add(1, Ordering::Relaxed);
                    if enough(begun) || broken.load(Ordering::Relaxed) {
                        return;
                    }
                    let seed = first + begun;
                    let script = stage.script(seed);
                    let outcome = run(&script, None);
                    let again =
                        seed.is_multiple_of(REPEATED).then(|| run(&script, None).trace == outcome.trace);
                    let Ok(mut tally) = tally.lock() else { return };
                    if outcome.breach.is_some() {
                        broken.store(true, Ordering::Relaxed);
                    }
                    tally.add(seed, outcome);
                    if let Some(same) = again {
                        tally.repeated += 1;
                        if !same {
                            tally.differing.push(seed);
                        }
                    }
                    progress(&tally);
                }
            });
        }
    });
    tally.into_inner().unwrap_or_default()
}

/// How a planted fault was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    pub fault: Fault,
    /// Who noticed, after how many seeds and, in the last of them, how many events; nothing: it was missed.
    pub by: Option<(Breach, u64, u64)>,
}

/// Seeds that catch a fault which hardly any other does; tried after the first so many.
const RARE: [u64; 1] = [7_628];

/// Plants one fault of the stage after the other and looks for a seed that catches it, among the first so many.
pub fn hunt(stage: Stage, max_seeds: u64, threads: usize) -> Vec<Caught> {
    let faults = stage.faults();
    let next = AtomicU64::new(0);
    let caught = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let Some(fault) = faults.get(place).copied() else { return };
                    let by = (0..max_seeds).chain(RARE).find_map(|seed| {
                        let script = stage.script(seed);
                        let outcome = run(&script, Some(fault));
                        let breach = outcome.breach?;
                        // A seed that breaks by itself proves nothing.
                        run(&script, None).breach.is_none().then_some((breach, seed, outcome.events))
                    });
                    if let Ok(mut caught) = caught.lock() {
                        caught.push(Caught { fault, by });
                    }
                }
            });
        }
    });
    let mut caught = caught.into_inner().unwrap_or_default();
    caught.sort_by_key(|caught| caught.fault);
    caught
}
