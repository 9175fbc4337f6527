//! The Visavis binary: sockets, TLS, HTTP and the embedded site around the pure lobby.
//!
//! The shell decides nothing about visitors: it reads bytes, tells the lobby what happened, and carries out what the
//! lobby says. `driver` owns the lobby, `edge` owns the sockets, `config` the operator's settings.

mod backend;
mod capacity;
mod certificate;
mod check;
mod cli;
mod config;
mod cost;
mod driver;
mod edge;
mod evidence;
mod failure;
mod geo;
mod health;
mod host;
mod ice;
mod metrics;
mod notice;
mod relay;
mod reload;
mod self_signed;
mod serve;
mod session_key;
mod signals;
mod tide;

use cli::Order;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

// A server never carries what only the simulator and the fuzzer may have: such a build fails here.
const _: () = assert!(
    !visavis_lobby::FOR_TESTS_ONLY,
    "build the server without the lobby's features `audit` and `planted`"
);

/// Runs the program with its command line; the exit code is 0, 1 (the world) or 2 (the settings).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Names that are not Unicode cannot be ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let done = cli::read(arguments, variables).and_then(|order| match order {
        Order::Serve(given) => config::load(&given).and_then(|loaded| serve::serve(given, loaded)),
        Order::Turn(given) => config::load(&given).and_then(|loaded| relay::turn(given, loaded)),
        Order::CheckConfig(given) => config::load(&given).and_then(|loaded| check::check(&loaded)),
        Order::Health(given) => config::load(&given).and_then(|loaded| health::ask(loaded.config.listen)),
        Order::SelfSigned { folder } => self_signed::make(&folder),
        Order::Print(text) => {
            print!("{text}");
            Ok(())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("visavis: {failure}");
            failure.exit_code()
        }
    }
}

/// Why the operating system refused, in the usual words and without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
