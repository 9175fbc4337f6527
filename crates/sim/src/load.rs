//! The load client: the scripted visitors over real sockets, in several processes, and every pairing checked.
//!
//! A conductor starts workers (this same program), lets them act in the same instants, reads what the server process
//! costs, and makes one result of it. This is the shell of this crate: here, and only here, are clock and sockets.
#![expect(clippy::disallowed_types, reason = "the shell knows the time; see clippy.toml")]

mod clock;
mod conductor;
mod crew;
mod dialect;
mod frame;
mod options;
mod process;
mod report;
mod socket;
mod wire;
mod worker;

use clap::Parser;
use clock::Clock;
use options::Options;
use std::process::ExitCode;

/// The program `visavis-load`.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    if let Err(sentence) = options.check(open_files) {
        eprintln!("visavis-load: {sentence}");
        return ExitCode::from(2);
    }
    if let Some([first, count, epoch_us]) = options.worker.as_deref() {
        let (first, count, clock) = (*first as u32, *count as u32, Clock::of(*epoch_us));
        return match worker::run(options, first, count, clock) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("visavis-load worker: {error}");
                ExitCode::from(2)
            }
        };
    }
    match conductor::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("visavis-load: {sentence}");
            ExitCode::from(2)
        }
    }
}
