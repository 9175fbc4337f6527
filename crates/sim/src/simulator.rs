//! The simulator: a swarm of visitors over the real lobby, in virtual time, with faults; every promise checked after every
//! event. One seed is one run, and the same seed gives the same trace.

mod agenda;
mod cli;
mod coverage;
mod draw;
mod generate;
mod guest;
mod network;
mod nodes;
mod observer;
mod promises;
mod script;
mod shrink;
mod stage;
mod swarm;
mod trace;
mod world;

pub use cli::main;
pub use coverage::{Case, Coverage};
pub use promises::{Breach, Promise};
pub use script::{Action, Persona, Script, Step, Town, Who, Wish};
pub use shrink::{Shrunk, shrink};
pub use stage::Stage;
pub use swarm::{Caught, Tally, hunt, swarm};

use std::panic::{AssertUnwindSafe, catch_unwind};
use visavis_lobby::{Fault, plant};
use world::World;

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Inputs of the lobby.
    pub events: u64,
    /// Every input and output, in one number.
    pub trace: u64,
    pub coverage: Coverage,
    /// When it ended, in microseconds of the world's time.
    pub at: u64,
    pub breach: Option<Breach>,
    /// Every input and output, if asked for.
    pub story: Vec<String>,
}

/// Runs a script, with a fault planted or none.
pub fn run(script: &Script, fault: Option<Fault>) -> Outcome {
    play(script, fault, false)
}

/// The same, and keeps what happened, line by line.
pub fn run_telling(script: &Script, fault: Option<Fault>) -> Outcome {
    play(script, fault, true)
}

fn play(script: &Script, fault: Option<Fault>, tells: bool) -> Outcome {
    plant(fault);
    let done = catch_unwind(AssertUnwindSafe(|| match script.town {
        None => World::new(script, tells).run(),
        Some(town) => nodes::World::new(script, town, tells).run(),
    }));
    plant(None);
    match done {
        Ok(outcome) => outcome,
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()))
                .unwrap_or_default();
            Outcome {
                events: 0,
                trace: 0,
                coverage: Coverage::default(),
                at: 0,
                breach: Some(Breach { promise: Promise::NothingPanics, details: said }),
                story: Vec::new(),
            }
        }
    }
}
