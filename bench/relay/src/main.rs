//! `visavis-relay-load`: calls through a TURN relay, as many and as fast as asked, and what each packet costs it.
//!
//! Every client has an allocation and a channel to a peer of its own; packets go both ways, as in a call. Who relays is
//! any TURN server with a shared secret; what it costs is read from the kernel's account of its process, so that the
//! load itself, which shares the machine, does not count.

mod client;
mod cost;
mod delays;
mod flows;
mod run;

use clap::Parser;
use std::net::SocketAddr;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(about = "Calls through a TURN relay, and what each packet costs it")]
pub(crate) struct Options {
    /// Where the relay listens, UDP
    #[arg(long)]
    relay: SocketAddr,
    /// The secret that it shares
    #[arg(long)]
    secret: String,
    /// Its process, to read what it costs
    #[arg(long)]
    relay_pid: u32,
    /// How many clients, each with an allocation and a peer
    #[arg(long, default_value_t = 20)]
    clients: usize,
    /// Payload of a packet
    #[arg(long, default_value_t = 1000, value_parser = payload_bytes)]
    bytes: usize,
    /// Packets a second, all clients and both directions together. 0: as fast as the relay takes them
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// Packets of one flow that follow each other without a pause, as those of a video frame do
    #[arg(long, default_value_t = 1)]
    burst: u64,
    /// Packets under way at any moment where the rate is 0. More than the relay's socket can hold would be lost
    #[arg(long, default_value_t = 64)]
    window: u64,
    /// How long it is measured
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long it runs before that
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
}

fn payload_bytes(text: &str) -> Result<usize, String> {
    let bytes: u16 = text.parse().map_err(|_| "a number below 65,536".to_owned())?;
    let bytes = usize::from(bytes);
    if bytes < flows::LEAST_BYTES {
        return Err(format!(
            "at least {}: every packet says whose it is and when it left",
            flows::LEAST_BYTES
        ));
    }
    Ok(bytes)
}

fn main() -> ExitCode {
    match run::run(&Options::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("visavis-relay-load: {error}");
            ExitCode::FAILURE
        }
    }
}
