//! What stands on the stage: one server alone, or several with a Redis between them.

use super::script::Script;
use super::{Case, Promise, generate, nodes};
use std::fmt;
use visavis_lobby::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Server,
    Nodes,
}

impl Stage {
    pub const ALL: [Stage; 2] = [Stage::Server, Stage::Nodes];

    /// The script of a seed.
    pub fn script(self, seed: u64) -> Script {
        match self {
            Stage::Server => generate::generate(seed),
            Stage::Nodes => nodes::generate(seed),
        }
    }

    /// What has to happen sometimes.
    pub fn cases(self) -> &'static [Case] {
        match self {
            Stage::Server => Case::SERVER,
            Stage::Nodes => Case::NODES,
        }
    }

    /// What is checked, beside the lobby's own audit.
    pub fn promises(self) -> impl Iterator<Item = Promise> {
        let own = match self {
            Stage::Server => Promise::SERVER,
            Stage::Nodes => Promise::NODES,
        };
        own.iter().chain(Promise::BOTH).copied()
    }

    /// What is planted, and has to be caught.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Stage::Server => Fault::HERE,
            Stage::Nodes => Fault::FAR,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Server => "server",
            Stage::Nodes => "nodes",
        })
    }
}
