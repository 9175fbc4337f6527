//! What a process costs, read from /proc: CPU time and memory. Nothing on systems without it.

use std::fs;

/// CPU time that each of them used so far, in microseconds; nothing if one cannot be read.
pub(super) fn cpu_us_of_each(pids: &[u32]) -> Option<Vec<u64>> {
    pids.iter().map(|pid| cpu_us(*pid)).collect()
}

/// Memory of them all in KiB; nothing if there are none, or one cannot be read.
pub(super) fn memory_kib_of_all(pids: &[u32]) -> Option<u64> {
    let all = pids.iter().map(|pid| memory_kib(*pid)).sum::<Option<u64>>();
    all.filter(|_| !pids.is_empty())
}

/// CPU time used so far, in microseconds: user and system, all threads.
pub(super) fn cpu_us(pid: u32) -> Option<u64> {
    // The scheduler counts nanoseconds; the classic `stat` only ticks of 10 ms.
    let scheduled = fs::read_dir(format!("/proc/{pid}/task")).ok()?.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    match scheduled.sum::<u64>() {
        0 => ticks_us(pid),
        nanoseconds => Some(nanoseconds / 1_000),
    }
}

/// ASSUMES: 100 ticks a second, as on every Linux that Visavis is built for.
fn ticks_us(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses: count from its end. User and system are fields 14 and 15.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10_000)
}

/// Memory in KiB: the proportional set if the kernel tells it, else the resident one.
fn memory_kib(pid: u32) -> Option<u64> {
    let of = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    of("smaps_rollup", "Pss:").or_else(|| of("status", "VmRSS:"))
}
