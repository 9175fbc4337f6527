//! The worker processes as the conductor sees them: commands in, progress and tales out.

use super::clock::Clock;
use super::options::Options;
use super::process;
use super::wire::{Command, Progress, Report, Tale};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

pub(super) struct Crew {
    hands: Vec<Hand>,
    reports: Receiver<(usize, Report)>,
    visitors: u32,
    line: Line,
}

struct Hand {
    child: Child,
    stdin: Option<ChildStdin>,
    progress: Progress,
}

/// The progress line on standard error.
struct Line {
    terminal: bool,
    interval: Duration,
    told_at: Option<Instant>,
    started: Instant,
}

impl Crew {
    /// Starts the workers: this program again, with the same options and a share of the visitors each.
    pub(super) fn start(options: &Options, clock: Clock) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
        let (sender, reports) = mpsc::channel();
        let mut hands = Vec::new();
        for index in 0..options.processes {
            let share =
                |index: u32| u64::from(options.visitors) * u64::from(index) / u64::from(options.processes);
            let (first, next) = (share(index), share(index + 1));
            let mut child = std::process::Command::new(&program)
                .args(std::env::args_os().skip(1))
                .arg(format!("--worker={first},{},{}", next - first, clock.epoch_us()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|error| format!("cannot start a worker: {error}"))?;
            let stdin = child.stdin.take();
            let stdout = child.stdout.take().ok_or("a worker without an output")?;
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let Ok(report) = serde_json::from_str(&line) else { return };
                    if sender.send((index as usize, report)).is_err() {
                        return;
                    }
                }
            });
            hands.push(Hand { child, stdin, progress: Progress::default() });
        }
        let terminal = std::io::stderr().is_terminal();
        let interval = Duration::from_millis(if terminal { 100 } else { 1_000 });
        let line = Line { terminal, interval, told_at: None, started: Instant::now() };
        Ok(Crew { hands, reports, visitors: options.visitors, line })
    }

    pub(super) fn order(&mut self, command: Command) -> Result<(), String> {
        let line = serde_json::to_string(&command).map_err(|error| error.to_string())?;
        for hand in &mut self.hands {
            if let Some(stdin) = &mut hand.stdin {
                writeln!(stdin, "{line}").map_err(|error| format!("a worker is gone: {error}"))?;
            }
        }
        Ok(())
    }

    /// Waits until the visitors' progress is enough, or time is up; says which.
    pub(super) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        enough: impl Fn(Progress) -> bool,
    ) -> Result<Waited, String> {
        let deadline = Instant::now() + limit;
        loop {
            let progress = self.progress();
            if enough(progress) {
                return Ok(Waited::Enough);
            }
            self.show(what, progress);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::TimeIsUp);
            }
            self.receive(left.min(self.line.interval))?;
        }
    }

    /// Everybody's tale since the last time, as one.
    pub(super) fn tell(&mut self) -> Result<Tale, String> {
        self.order(Command::Tell)?;
        let mut whole = Tale::default();
        let mut missing = self.hands.len();
        let deadline = Instant::now() + Duration::from_secs(60);
        while missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok((index, Report::Progress(progress))) => self.hands[index].progress = progress,
                Ok((_, Report::Told(tale))) => {
                    whole.add(*tale);
                    missing -= 1;
                }
                Err(_) => return Err("a worker does not answer".into()),
            }
        }
        Ok(whole)
    }

    pub(super) fn cpu_us(&self) -> u64 {
        self.hands.iter().filter_map(|hand| process::cpu_us(hand.child.id())).sum()
    }

    pub(super) fn progress(&self) -> Progress {
        let mut whole = Progress::default();
        self.hands.iter().for_each(|hand| whole.add(hand.progress));
        whole
    }

    fn receive(&mut self, limit: Duration) -> Result<(), String> {
        match self.reports.recv_timeout(limit) {
            Ok((index, Report::Progress(progress))) => {
                self.hands[index].progress = progress;
                Ok(())
            }
            Ok((_, Report::Told(_))) | Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err("all workers are gone".into()),
        }
    }

    fn show(&mut self, what: &str, progress: Progress) {
        let line = &mut self.line;
        if line.told_at.is_some_and(|at| at.elapsed() < line.interval) {
            return;
        }
        line.told_at = Some(Instant::now());
        let text = format!(
            "{:6.1} s  {what}: {} of {} open, {} matched, {} connected, {} silent, {} failed",
            line.started.elapsed().as_secs_f64(),
            progress.open,
            self.visitors,
            progress.matched + progress.connected,
            progress.connected,
            progress.silent,
            progress.failed,
        );
        if line.terminal {
            eprint!("\r{text}\x1b[K");
        } else {
            eprintln!("{text}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    Enough,
    TimeIsUp,
}

impl Drop for Crew {
    fn drop(&mut self) {
        if self.line.terminal && self.line.told_at.is_some() {
            eprintln!();
        }
        for hand in &mut self.hands {
            // Without its commands a worker ends by itself, and its sockets with it.
            drop(hand.stdin.take());
        }
        for hand in &mut self.hands {
            let _ = hand.child.wait();
        }
    }
}
