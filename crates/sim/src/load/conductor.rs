//! The conductor: lets a scenario happen step by step, and measures what the server process pays for it.

use super::clock::Clock;
use super::crew::{Crew, Waited};
use super::options::{Options, Scenario};
use super::process;
use super::report::{Herd, Memory, Outcome, Quantiles, Round};
use super::wire::{Command, Loss, Progress, Tale};
use crate::{Allowance, Meeting, audit};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use visavis_protocol::Mode;

/// Enough for every worker to read the command before the instant comes.
const LEAD: Duration = Duration::from_millis(100);
const STANDSTILL: Duration = Duration::from_secs(10);
/// For messages under way when a round seems over: a second match would still show itself.
const AFTERMATH: Duration = Duration::from_millis(300);

/// Plays the scenario and writes the result. Whether nothing was amiss.
pub(super) fn run(options: &Options) -> Result<bool, String> {
    let mut outcome = Conductor::start(options)?.play()?;
    outcome.passed = outcome.violations.count == 0;
    let mut json = serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())?;
    json.push('\n');
    if let Some(path) = &options.json {
        std::fs::write(path, &json).map_err(|error| format!("--json: {}: {error}", path.display()))?;
    }
    std::io::stdout().write_all(json.as_bytes()).map_err(|error| error.to_string())?;
    Ok(outcome.passed)
}

struct Conductor<'a> {
    options: &'a Options,
    crew: Crew,
    clock: Clock,
    outcome: Outcome,
    meetings: Vec<Meeting>,
}

/// Costs so far, at a moment.
struct Reading {
    at: Instant,
    /// Of each process to measure.
    servers_us: Option<Vec<u64>>,
    client_us: u64,
}

impl Reading {
    /// What each of them used since an earlier reading.
    fn servers_us_since(&self, start: &Reading) -> Option<Vec<u64>> {
        let both = start.servers_us.iter().flatten().zip(self.servers_us.iter().flatten());
        let spent: Vec<u64> = both.map(|(start, end)| end.saturating_sub(*start)).collect();
        Some(spent).filter(|spent| !spent.is_empty())
    }
}

impl<'a> Conductor<'a> {
    fn start(options: &'a Options) -> Result<Self, String> {
        if let Some(pid) = options.server_pid.iter().find(|pid| process::cpu_us_of_each(&[**pid]).is_none()) {
            return Err(format!("--server-pid: no process {pid} can be read under /proc"));
        }
        let clock = Clock::starting_now();
        let crew = Crew::start(options, clock)?;
        Ok(Conductor { options, crew, clock, outcome: Outcome::new(options), meetings: Vec::new() })
    }

    fn play(mut self) -> Result<Outcome, String> {
        self.connect()?;
        let limit = Duration::from_secs(self.options.seconds);
        let all = self.options.visitors;
        let even = all - all % 2;
        let healthy = (all - self.options.deviants()) / 2 * 2;
        match self.options.scenario {
            Scenario::Idle => {}
            Scenario::Storm => {
                for round in 1..=self.options.rounds {
                    self.press(&format!("storm {round}"), round, limit, |seen| seen.connected >= even)?;
                    if round == 1 {
                        self.read_memory_after_handshake()?;
                    }
                }
            }
            Scenario::Churn => {
                self.press("churn", 1, limit, |_| false)?;
            }
            Scenario::HalfOpen | Scenario::Stalled => {
                // Deviants who stall connect first; their partners connect once more, with somebody who reads.
                let deviants = self.options.deviants();
                for round in 1..=self.options.rounds {
                    self.press(&format!("storm {round}"), round, limit, |seen| {
                        seen.silent >= deviants && seen.connected >= healthy
                    })?;
                }
            }
            Scenario::Herd => {
                self.press("storm", 1, limit, |seen| seen.connected >= even)?;
                self.herd(limit)?;
            }
        }
        self.judge();
        Ok(self.outcome)
    }

    /// Everybody is away at once. Whoever is back says something, and the stranger of before must hear it.
    fn herd(&mut self, limit: Duration) -> Result<(), String> {
        let all = self.options.visitors;
        let even = all - all % 2;
        self.settle()?;
        let by = if self.options.herd_command.is_some() { Loss::Server } else { Loss::Visitors };
        let lost = self.crew.progress().lost + self.options.herd_lost.unwrap_or(all);
        let enough = |seen: Progress| {
            seen.lost >= lost && seen.open >= all && seen.greeting == 0 && seen.connected >= even
        };
        self.round("herd", 2, limit, |at_us| Command::Scatter { at_us, by }, enough)?;
        let patience = Duration::from_secs(3);
        self.round("speak", 3, patience, |at_us| Command::Speak { at_us }, |_| false)?;
        if let [.., herd, speak] = self.outcome.rounds.as_slice() {
            let share = |part: u64| part as f64 / f64::from(all);
            self.outcome.herd = Some(Herd {
                resumed: herd.resumed,
                resumed_share: share(herd.resumed),
                heard_by_partner: speak.relay_ms.count,
                heard_by_partner_share: share(speak.relay_ms.count),
                back_s: herd.back_ms.max / 1_000.0,
            });
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), String> {
        let options = self.options;
        let before_kib = process::memory_kib_of_all(&options.server_pid);
        let start = self.read_costs();
        self.crew.order(Command::Connect)?;
        // However slowly a server accepts, it is its own pace; only a standstill ends the wait.
        loop {
            let before = self.crew.progress();
            let all = |seen: Progress| seen.greeting == 0 && seen.open + seen.failed >= options.visitors;
            let waited = self.crew.wait("connecting", STANDSTILL, all)?;
            if waited == Waited::Enough || self.crew.progress() == before {
                break;
            }
        }
        let end = self.read_costs();
        let connect = &mut self.outcome.connect;
        connect.seconds = (end.at - start.at).as_secs_f64();
        let Progress { open, failed, .. } = self.crew.progress();
        (connect.open, connect.failed) = (open, failed);
        let spent_us = end.servers_us_since(&start);
        connect.server_cpu_us_per_connection = spent_us.map(|each| per(each.iter().sum(), open));
        self.settle()?;
        let tale = self.crew.tell()?;
        self.outcome.violations.add(&[], &tale);
        self.outcome.connect.welcomed_per_s_max = most_in_a_second(&tale.welcomed);
        self.outcome.connect.refused = tale.refused;
        self.outcome.connect.failures = tale.failures;
        if let Some(before_kib) = before_kib {
            let idle_kib = process::memory_kib_of_all(&options.server_pid).unwrap_or(0);
            let idle_kib_per_connection = per(idle_kib.saturating_sub(before_kib), open);
            let memory = Memory { before_kib, idle_kib, idle_kib_per_connection, ..Memory::default() };
            self.outcome.memory = Some(memory);
        }
        if open == options.visitors {
            return Ok(());
        }
        let why = self.outcome.connect.failures.keys().next().map_or("no answer in time", String::as_str);
        Err(format!("only {open} of {} connected: {why}", options.visitors))
    }

    fn read_memory_after_handshake(&mut self) -> Result<(), String> {
        if self.options.server_pid.is_empty() {
            return Ok(());
        }
        self.settle()?;
        if let Some(memory) = &mut self.outcome.memory {
            let kib = process::memory_kib_of_all(&self.options.server_pid).unwrap_or(0);
            memory.after_handshake_kib = Some(kib);
            let grown = kib.saturating_sub(memory.before_kib);
            memory.after_handshake_kib_per_connection = Some(per(grown, self.outcome.connect.open));
        }
        Ok(())
    }

    fn press(
        &mut self,
        name: &str,
        round: u32,
        limit: Duration,
        enough: impl Fn(Progress) -> bool,
    ) -> Result<(), String> {
        self.round(name, round, limit, |at_us| Command::Press { round, at_us }, enough)
    }

    /// One round: everybody does the same in one instant, until it is enough.
    fn round(
        &mut self,
        name: &str,
        number: u32,
        limit: Duration,
        command: impl FnOnce(u64) -> Command,
        enough: impl Fn(Progress) -> bool,
    ) -> Result<(), String> {
        let instant = self.clock.now().as_micros() + LEAD.as_micros() as u64;
        self.crew.order(command(instant))?;
        self.crew.wait(name, LEAD - Duration::from_millis(10), |_| false)?;
        let start = self.read_costs();
        let errand = match &self.options.herd_command {
            Some(command) if name == "herd" => Some(start_errand(command)?),
            Some(_) | None => None,
        };
        let begun = number * self.options.processes;
        let errand = RefCell::new(errand);
        let waits = self.options.herd_wait;
        let waited = self.crew.wait(name, limit, |seen| {
            let busy = waits
                && errand.borrow_mut().as_mut().is_some_and(|errand| matches!(errand.try_wait(), Ok(None)));
            seen.rounds >= begun && !busy && enough(seen)
        })?;
        let end = self.read_costs();
        let unfinished = self.crew.progress().matched;
        errand.into_inner().map_or(Ok(()), finish_errand)?;
        if self.options.scenario == Scenario::Churn {
            self.crew.order(Command::Calm)?;
            self.crew.wait("calming down", Duration::from_secs(1), |_| false)?;
        } else if waited == Waited::TimeIsUp && name != "speak" {
            let Progress { open, matched, connected, .. } = self.crew.progress();
            self.outcome.violations.say(format!(
                "{name}: not over in {} s: {open} open, {} matched, {connected} connected",
                limit.as_secs(),
                matched + connected
            ));
        }
        self.crew.wait(name, AFTERMATH, |_| false)?;
        let tale = self.crew.tell()?;
        self.outcome.violations.add(&[], &tale);
        let round = describe(name, &tale, &start, &end);
        self.outcome.rounds.push(Round { unfinished, ..round });
        let ours = |meeting: Meeting| Meeting { round: number, ..meeting };
        self.meetings.extend(tale.meetings.into_iter().map(ours));
        Ok(())
    }

    /// Checks all pairings of the run together.
    fn judge(&mut self) {
        let rounds = &self.outcome.rounds;
        let gone: u64 = rounds.iter().map(|round| round.closed_by_script + round.cut_by_server).sum();
        let once = self.options.scenario == Scenario::Storm;
        let ghosts = u64::from(self.options.silent_witnesses());
        let allowance =
            Allowance { one_sided: gone + ghosts, once_per_round: once.then_some(self.options.visitors) };
        let found = audit(&self.meetings, rounds.len() as u32, allowance);
        self.outcome.violations.add(&found, &Tale::default());
    }

    fn settle(&mut self) -> Result<(), String> {
        let pause = Duration::from_millis(self.options.settle_ms);
        self.crew.wait("settling", pause, |_| false).map(drop)
    }

    fn read_costs(&self) -> Reading {
        Reading {
            at: Instant::now(),
            servers_us: process::cpu_us_of_each(&self.options.server_pid),
            client_us: self.crew.cpu_us(),
        }
    }
}

fn describe(name: &str, tale: &Tale, start: &Reading, end: &Reading) -> Round {
    let mut sides: BTreeMap<u64, u32> = BTreeMap::new();
    let mut modes: BTreeMap<&'static str, u64> = BTreeMap::new();
    for meeting in &tale.meetings {
        let seen = sides.entry(meeting.match_id.0).or_default();
        *seen += 1;
        if *seen == 1 {
            *modes.entry(mode_name(meeting.mode)).or_default() += 1;
        }
    }
    let pairs = sides.values().filter(|seen| **seen >= 2).count() as u64;
    let wall_us = (end.at - start.at).as_micros() as u64;
    let busy = |cpu_us: u64| round2(cpu_us as f64 / wall_us.max(1) as f64);
    let servers_us = end.servers_us_since(start);
    let server_us: Option<u64> = servers_us.as_ref().map(|each| each.iter().sum());
    let of_each = servers_us.filter(|each| each.len() > 1).unwrap_or_default();
    let client_us = end.client_us.saturating_sub(start.client_us);
    Round {
        name: name.to_owned(),
        unfinished: 0,
        pairs,
        one_sided: sides.len() as u64 - pairs,
        modes,
        found_ms: Quantiles::of(&tale.found),
        found_again_ms: Quantiles::of(&tale.found_again),
        connected_ms: Quantiles::of(&tale.connected),
        relay_ms: Quantiles::of(&tale.relayed),
        partner_lost_ms: Quantiles::of(&tale.lost),
        partner_freed_ms: Quantiles::of(&tale.freed),
        reopened_ms: Quantiles::of(&tale.reopened),
        back_ms: Quantiles::of(&tale.back),
        welcomed_per_s_max: most_in_a_second(&tale.welcomed),
        resumed: tale.resumed,
        closed_by_script: tale.closed,
        cut_by_server: tale.cut,
        endings: tale.failures.clone(),
        refused: tale.refused.clone(),
        messages_sent: tale.sent,
        messages_received: tale.received,
        wall_s: wall_us as f64 / 1e6,
        server_cpu_us_per_pair: server_us.map(|us| per(us, pairs as u32)),
        server_cpu_us_per_pair_of_each: of_each.into_iter().map(|us| per(us, pairs as u32)).collect(),
        server_busy: server_us.map(busy),
        client_cpu_us_per_pair: per(client_us, pairs as u32),
        client_busy: busy(client_us),
        press_spread_ms: tale.press_spread_us as f64 / 1e3,
    }
}

/// The most that were welcomed in any second, by hundredths of a second: what an admission rate must bound.
fn most_in_a_second(welcomed: &BTreeMap<u64, u32>) -> u32 {
    const HUNDREDTHS: u64 = 100;
    let within = |from: u64| welcomed.range(from..from + HUNDREDTHS).map(|(_, count)| count).sum();
    welcomed.keys().map(|from| within(*from)).max().unwrap_or(0)
}

fn start_errand(command: &str) -> Result<Child, String> {
    let shell = std::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    shell.map_err(|error| format!("--herd-command: cannot start a shell: {error}"))
}

/// A command that still runs, say because it became the server, is left alone.
fn finish_errand(mut shell: Child) -> Result<(), String> {
    match shell.try_wait() {
        Ok(Some(status)) if !status.success() => Err(format!("--herd-command: it ended with {status}")),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Negotiate => "negotiate",
        Mode::AnswerOffer => "answer_offer",
        Mode::Text => "text",
    }
}

fn per(amount: u64, number: u32) -> f64 {
    round2(amount as f64 / f64::from(number.max(1)))
}

fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
