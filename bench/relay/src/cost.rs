//! What a process costs, as the kernel's scheduler counts it.

use std::fs;
use std::io;

/// CPU time of all threads so far, in nanoseconds.
///
/// # Errors
/// There is no such process, or no such account on this system.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().and_then(|field| field.parse::<u64>().ok());
        sum += first.ok_or_else(|| io::Error::other("schedstat is not as expected"))?;
    }
    Ok(sum)
}
