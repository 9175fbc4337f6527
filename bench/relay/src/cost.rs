//! What a process costs, as the kernel's scheduler counts it.

use std::fs;
use std::io;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// Of all threads together, so far, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) ran: u64,
    /// Ready to run while others had the core: on a machine that is not quiet, figures are to be read with care.
    pub(crate) waited: u64,
}

impl Cost {
    /// # Errors
    /// There is no such process, or no such account on this system.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let told = |error: io::Error| io::Error::other(format!("process {pid}: {error}"));
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(told)?;
        tasks
            .map(|task| {
                let text = fs::read_to_string(task.map_err(told)?.path().join("schedstat")).map_err(told)?;
                let mut fields = text.split_whitespace().map(str::parse);
                match (fields.next(), fields.next()) {
                    (Some(Ok(ran)), Some(Ok(waited))) => Ok(Cost { ran, waited }),
                    _ => Err(told(io::Error::other("schedstat is not as expected"))),
                }
            })
            .sum()
    }
}

impl Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Cost { ran: self.ran + other.ran, waited: self.waited + other.waited }
    }
}

impl Sub for Cost {
    type Output = Self;
    /// What was spent since `earlier`; the account of a thread that has ended meanwhile is gone.
    fn sub(self, earlier: Self) -> Self {
        Cost { ran: self.ran.saturating_sub(earlier.ran), waited: self.waited.saturating_sub(earlier.waited) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Cost::default(), Add::add)
    }
}
