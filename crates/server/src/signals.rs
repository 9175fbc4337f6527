//! Signals: which stop the process, which reload it, and that no other one ends it.
//!
//! SIGTERM and SIGINT stop. SIGHUP reloads; where it comes because the terminal went away, it stops. SIGQUIT is a SIGINT.
//! Every other signal that would end a process by default, and that is not a fault of the process itself, is ignored.

use crate::failure::Failure;
use crate::reload::Reloader;
use std::io::IsTerminal as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
pub(crate) enum Asked {
    /// SIGTERM, as supervisors send it: another process takes over.
    ToMakeRoom,
    /// SIGINT, from a terminal: nobody will.
    ToEnd,
}

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    on_terminal: bool,
    /// `None` until everything runs: then there is nothing to reload yet.
    reloader: Option<Reloader>,
}

impl Signals {
    /// From now on no signal ends the process by itself.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen_for = |kind| {
            signal(kind).map_err(|error| {
                Failure::Runtime(format!("cannot wait for signals: {}", crate::reason(&error)))
            })
        };
        for kind in ignored() {
            // Once listened for, a signal does nothing else, also when nobody listens any more. One that this system does
            // not have is none that anybody can send.
            let _ = signal(kind);
        }
        Ok(Signals {
            terminate: listen_for(SignalKind::terminate())?,
            interrupt: listen_for(SignalKind::interrupt())?,
            quit: listen_for(SignalKind::quit())?,
            hangup: listen_for(SignalKind::hangup())?,
            on_terminal: std::io::stderr().is_terminal(),
            reloader: None,
        })
    }

    pub(crate) fn reload_with(&mut self, reloader: Reloader) {
        self.reloader = Some(reloader);
    }

    /// Waits for the next signal that stops, and reloads meanwhile.
    pub(crate) async fn wait(&mut self) -> Asked {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Asked::ToMakeRoom,
                _ = self.interrupt.recv() => return Asked::ToEnd,
                _ = self.quit.recv() => return Asked::ToEnd,
                _ = self.hangup.recv() => {
                    if self.on_terminal && !std::io::stderr().is_terminal() {
                        return Asked::ToEnd;
                    }
                    if let Some(reloader) = &mut self.reloader {
                        reloader.reload();
                    }
                }
            }
        }
    }
}

fn ignored() -> impl Iterator<Item = SignalKind> {
    let named = [
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::alarm(),
        SignalKind::pipe(),
        SignalKind::io(),
    ];
    // Linux' numbers: the coprocessor's, the two other timers', the power's, and those of real time.
    let numbered: &[i32] = if cfg!(target_os = "linux") { &[16, 26, 27, 30] } else { &[] };
    let real_time = cfg!(target_os = "linux").then_some(34..=64).into_iter().flatten();
    named.into_iter().chain(numbered.iter().copied().chain(real_time).map(SignalKind::from_raw))
}
