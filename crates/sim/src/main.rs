//! `visavis-load`: the load client. See crates/sim/README.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    visavis_sim::load::main()
}
