//! Why the binary could not start or go on: one sentence that names the setting and the mend, and the exit code.

use std::fmt;
use std::process::ExitCode;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The operator's settings: exit code 2, and trying again does not help.
    Config(String),
    /// The world: a port taken, a right missing. Exit code 1.
    Runtime(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Config(_) => ExitCode::from(2),
            Failure::Runtime(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Config(sentence) | Failure::Runtime(sentence) => f.write_str(sentence),
        }
    }
}
