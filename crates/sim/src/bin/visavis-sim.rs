//! `visavis-sim`: the simulator. See crates/sim/README.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    visavis_sim::simulator::main()
}
