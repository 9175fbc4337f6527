//! Gives freed memory back to the system (docs/decisions/0018-memory-after-a-flood.md).
//!
//! glibc hands back only what lies above everything that is still in use, and one small object that outlives a crowd is
//! enough to keep all below it. Asked for it, it also hands back the free pages in between.

/// Asks the allocator to give back the pages that nothing uses. Takes milliseconds after a crowd of thousands, and threads
/// that allocate meanwhile may wait as long. Where the allocator is not glibc's, nothing happens.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::give_back();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    // SAFETY: as in malloc_trim(3): it takes no pointer, may be called at any time from any thread (MT-Safe), and leaves
    // everything that is allocated where it is.
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> c_int;
    }

    pub(crate) fn give_back() {
        // Whether there was anything to give back is of no interest.
        let _ = malloc_trim(0);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn resident_pages() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
        statm
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse().ok())
            .expect("the second figure is the resident set")
    }

    #[test]
    fn what_was_freed_below_something_that_stays_is_given_back() {
        let before = resident_pages();
        let mut crowd: Vec<Box<[u8; 2_000]>> = (0..20_000).map(|n| Box::new([n as u8; 2_000])).collect();
        let grown = resident_pages() - before;
        let last = crowd.pop();
        drop(crowd);
        give_back();
        let left = resident_pages().saturating_sub(before);
        assert!(left * 4 < grown, "{left} of {grown} pages are left");
        assert_eq!(last.map(|last| last[7]), Some(19_999_u32 as u8), "what is in use stays as it is");
    }
}
