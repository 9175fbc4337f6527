//! One run: warm up, measure, let the last packets arrive, report.

use crate::Options;
use crate::cost::Cost;
use crate::flows::{Counts, Flows};
use serde::Serialize;
use std::io;
use std::time::{Duration, Instant};

/// How long packets may still arrive after the last was sent.
const DRAIN: Duration = Duration::from_millis(500);
/// Where the rate is 0 and nothing arrives for this long, what was under way is lost and is replaced.
const LOST_AFTER: Duration = Duration::from_millis(50);

/// After a longer pause of this process what was missed is not made up for: it would be a flood, and lost.
const MADE_UP_FOR: Duration = Duration::from_millis(1);

#[derive(Serialize)]
struct Report {
    clients: usize,
    bytes: usize,
    /// 0: as fast as the relay takes them.
    rate_asked: u64,
    burst: u64,
    /// Relayed while it was measured.
    packets: u64,
    packets_per_s: u64,
    /// Of all that was sent, the warm-up included.
    sent: u64,
    lost: u64,
    loss_percent: f64,
    wrong: u64,
    unsent: u64,
    /// From sender to receiver, both in this process, so that its own turns count, too.
    delay_us_p50: u64,
    delay_us_p99: u64,
    relay_cpu_us_per_packet: f64,
    /// Of one core.
    relay_busy_percent: f64,
    load_busy_percent: f64,
    /// Of the time: ready to run while something else had the core. Much of it means that the machine was not quiet.
    relay_waited_percent: f64,
    load_waited_percent: f64,
}

/// Returns the report as JSON.
///
/// # Errors
/// The relay refuses or is gone, or what it costs cannot be read.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    let mut flows = Flows::open(options.relay, &options.secret, options.clients, options.bytes)?;
    let mut pump = Pump::new(options);
    pump.run(&mut flows, seconds(options.warmup_seconds))?;

    flows.delays.forget();
    let (before, began) = (flows.counts, Instant::now());
    let costs = || io::Result::Ok([Cost::of(options.relay_pid)?, Cost::of(std::process::id())?]);
    let [relay, load] = costs()?;
    pump.run(&mut flows, seconds(options.seconds))?;
    let [relay_after, load_after] = costs()?;
    let (after, elapsed) = (flows.counts, began.elapsed());
    let delays = [50, 99].map(|percent| flows.delays.percentile(percent));

    drain(&mut flows)?;
    let report = report(
        options,
        before,
        after,
        flows.counts,
        elapsed,
        [relay_after - relay, load_after - load],
        delays,
    );
    serde_json::to_string(&report).map_err(io::Error::other)
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn report(
    options: &Options,
    before: Counts,
    after: Counts,
    last: Counts,
    elapsed: Duration,
    [relay, load]: [Cost; 2],
    [delay_us_p50, delay_us_p99]: [u64; 2],
) -> Report {
    let packets = after.received - before.received;
    let lost = last.sent - last.received.min(last.sent);
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    let percent = |ns: u64| round(ns as f64 / elapsed.as_nanos() as f64 * 100.0);
    Report {
        clients: options.clients,
        bytes: options.bytes,
        rate_asked: options.rate,
        burst: options.burst,
        packets,
        packets_per_s: (packets as f64 / elapsed.as_secs_f64()) as u64,
        sent: last.sent,
        lost,
        loss_percent: round(lost as f64 / (last.sent.max(1)) as f64 * 100.0),
        wrong: last.wrong,
        unsent: last.unsent,
        delay_us_p50,
        delay_us_p99,
        relay_cpu_us_per_packet: round(relay.ran as f64 / 1_000.0 / packets.max(1) as f64),
        relay_busy_percent: percent(relay.ran),
        load_busy_percent: percent(load.ran),
        relay_waited_percent: percent(relay.waited),
        load_waited_percent: percent(load.waited),
    }
}

fn drain(flows: &mut Flows) -> io::Result<()> {
    let end = Instant::now() + DRAIN;
    while Instant::now() < end && flows.counts.received < flows.counts.sent {
        flows.receive(Duration::from_millis(10))?;
    }
    Ok(())
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Sends burst after burst, each by the next flow.
struct Pump {
    next: usize,
    burst: u64,
    pace: Pace,
}

enum Pace {
    /// One burst in this time, however late the last one was.
    Paced { interval: Duration, due: Instant },
    /// So many packets under way.
    Saturated { window: u64, lost: u64 },
}

impl Pump {
    fn new(options: &Options) -> Self {
        let pace = match options.rate {
            0 => Pace::Saturated { window: options.window, lost: 0 },
            rate => Pace::Paced {
                interval: Duration::from_nanos(1_000_000_000 * options.burst / rate),
                due: Instant::now(),
            },
        };
        Pump { next: 0, burst: options.burst.max(1), pace }
    }

    fn run(&mut self, flows: &mut Flows, during: Duration) -> io::Result<()> {
        let end = Instant::now() + during;
        let mut heard = (flows.counts.received, Instant::now());
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            match &mut self.pace {
                Pace::Paced { interval, due } => {
                    if now >= *due {
                        *due += *interval;
                        if now > *due + MADE_UP_FOR {
                            *due = now;
                        }
                        self.send_burst(flows)?;
                    }
                    flows.receive(Duration::ZERO)?;
                }
                &mut Pace::Saturated { window, ref mut lost } => {
                    if flows.counts.received != heard.0 {
                        heard = (flows.counts.received, now);
                    } else if now - heard.1 > LOST_AFTER {
                        *lost = flows.counts.sent.saturating_sub(flows.counts.received);
                        heard.1 = now;
                    }
                    let under_way = flows.counts.sent.saturating_sub(flows.counts.received + *lost);
                    for _ in 0..window.saturating_sub(under_way) / self.burst {
                        self.send_burst(flows)?;
                    }
                    flows.receive(Duration::ZERO)?;
                }
            }
        }
    }

    fn send_burst(&mut self, flows: &mut Flows) -> io::Result<()> {
        for _ in 0..self.burst {
            flows.send(self.next)?;
        }
        self.next = (self.next + 1) % flows.len();
        Ok(())
    }
}
