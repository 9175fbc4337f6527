//! The program `visavis-sim`: the only part of the simulator that knows the time and the machine.
#![expect(clippy::disallowed_types, reason = "the shell knows the time; see clippy.toml")]

use super::swarm::{Caught, Tally, hunt, swarm};
use super::{Case, Promise, Script, Stage, run, run_telling, shrink};
use clap::{Parser, Subcommand};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use visavis_lobby::{Fault, Invariant};

#[derive(Parser)]
#[command(
    name = "visavis-sim",
    about = "A swarm of visitors over the real lobby, in virtual time, with faults"
)]
struct Options {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Run many seeds; every promise is checked after every event
    Run {
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Of one server alone
        #[arg(long, default_value_t = 3_000)]
        seeds: u64,
        /// Of several nodes and a Redis
        #[arg(long, default_value_t = 2_500)]
        nodes_seeds: u64,
        /// Go on until stopped; of the two sorts by turns, unless `--nodes-seeds 0` or `--seeds 0`
        #[arg(long)]
        forever: bool,
        /// Then plant every fault and see it caught; fail if a case was not reached
        #[arg(long)]
        prove: bool,
        /// Write the result here, too
        #[arg(long)]
        json: Option<PathBuf>,
        /// The command that made the result, to be kept with it
        #[arg(long, default_value = "")]
        command: String,
    },
    /// Print the script of a seed
    Script {
        seed: u64,
        /// Of several nodes
        #[arg(long)]
        nodes: bool,
    },
    /// Run a script from a file and tell what happens in it
    Replay {
        file: PathBuf,
        /// With this fault planted
        #[arg(long)]
        planted: Option<String>,
    },
    /// Make the failing script of a seed small
    Shrink {
        seed: u64,
        /// Of several nodes
        #[arg(long)]
        nodes: bool,
        #[arg(long)]
        planted: Option<String>,
    },
    /// List what is checked, and where
    Invariants,
    /// List the states that a run has to reach
    Coverage,
    /// Plant one fault after the other: which check notices, at which seed, after how many events?
    Planted {
        #[arg(long, default_value_t = 1_000)]
        max_seeds: u64,
    },
}

pub fn main() -> ExitCode {
    // A panic is a result like others here.
    std::panic::set_hook(Box::new(|_| {}));
    match Options::parse().order {
        Order::Run { first, seeds, nodes_seeds, forever, prove, json, command } => {
            let wanted = [(Stage::Server, seeds), (Stage::Nodes, nodes_seeds)];
            let wanted = wanted.into_iter().filter(|(_, seeds)| *seeds > 0);
            if forever {
                return run_for_ever(&wanted.map(|(stage, _)| stage).collect::<Vec<_>>(), first);
            }
            let reports: Vec<Report> =
                wanted.map(|(stage, seeds)| run_many(stage, first, seeds, prove)).collect();
            reports.iter().for_each(Report::print);
            if let Some(path) = json
                && let Err(error) = std::fs::write(&path, to_json(&reports, &command))
            {
                eprintln!("visavis-sim: cannot write {}: {error}", path.display());
                return ExitCode::from(2);
            }
            if reports.iter().all(Report::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Order::Script { seed, nodes } => {
            print!("{}", stage_of(nodes).script(seed));
            ExitCode::SUCCESS
        }
        Order::Replay { file, planted } => replay(&file, planted.as_deref()),
        Order::Shrink { seed, nodes, planted } => match fault_named(planted.as_deref()) {
            Ok(fault) => show_shrunk(&stage_of(nodes).script(seed), fault),
            Err(code) => code,
        },
        Order::Invariants => {
            for (stage, promise) in
                Stage::ALL.iter().flat_map(|stage| stage.promises().map(move |promise| (stage, promise)))
            {
                println!("{stage:?} {promise:?}: {} [{}]", promise.sentence(), promise.checked_in());
            }
            for invariant in Invariant::ALL {
                println!("{invariant:?}: {} [Lobby::audit]", invariant.sentence());
            }
            ExitCode::SUCCESS
        }
        Order::Coverage => {
            for stage in Stage::ALL {
                stage.cases().iter().for_each(|case| println!("{stage:?} {case:?}: {}", case.sentence()));
            }
            ExitCode::SUCCESS
        }
        Order::Planted { max_seeds } => {
            let caught = Stage::ALL.map(|stage| hunt(stage, max_seeds, threads())).concat();
            print_planted(&caught);
            if caught.iter().all(|caught| caught.by.is_some()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn stage_of(nodes: bool) -> Stage {
    if nodes { Stage::Nodes } else { Stage::Server }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// So many seeds to a turn, where the stages change by turns.
const TURN: u64 = 500;

fn run_for_ever(stages: &[Stage], first: u64) -> ExitCode {
    for turn in 0.. {
        for stage in stages {
            let report = run_many(*stage, first + turn * TURN, TURN, false);
            report.print();
            if !report.is_good_so_far() {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

struct Report {
    stage: Stage,
    tally: Tally,
    took: Duration,
    /// Only if every fault was planted, and every case has to be reached.
    planted: Option<Vec<Caught>>,
}

fn run_many(stage: Stage, first: u64, seeds: u64, prove: bool) -> Report {
    let began = Instant::now();
    let spoke = Mutex::new((began, false));
    let terminal = std::io::stderr().is_terminal();
    let pause = Duration::from_secs(if terminal { 1 } else { 20 });
    let cases = stage.cases();
    let tally = swarm(
        stage,
        first,
        threads(),
        |begun| begun >= seeds,
        |tally| {
            let Ok(mut spoke) = spoke.lock() else { return };
            if spoke.0.elapsed() < pause {
                return;
            }
            *spoke = (Instant::now(), true);
            let took = began.elapsed().as_secs_f64();
            eprint!(
                "{}{stage}: {} seeds, {} events, {:.0} events/s, {} cases of {}, {} broken{}",
                if terminal { "\r" } else { "" },
                tally.seeds,
                tally.events,
                tally.events as f64 / took,
                cases.len() - tally.coverage.missing(cases).len(),
                cases.len(),
                tally.breaches.len(),
                if terminal { "  " } else { "\n" },
            );
            // Only a picture of progress: nobody is hurt if it cannot be shown.
            let _ = std::io::stderr().flush();
        },
    );
    if terminal {
        eprintln!();
    }
    let took = began.elapsed();
    for (seed, breach) in &tally.breaches {
        println!("{stage}, seed {seed}: {breach}");
        let shrunk = shrink(&stage.script(*seed), breach, None, 3_000);
        println!("shrunk in {} runs to:\n\n{}\n# {}\n", shrunk.runs, shrunk.script, shrunk.breach);
    }
    let planted = (prove && tally.breaches.is_empty()).then(|| hunt(stage, seeds.max(1_000), threads()));
    Report { stage, tally, took, planted }
}

impl Report {
    fn is_good_so_far(&self) -> bool {
        self.tally.breaches.is_empty() && self.tally.differing.is_empty()
    }

    fn is_good(&self) -> bool {
        let proven = self.planted.as_ref().is_none_or(|planted| {
            planted.iter().all(|caught| caught.by.is_some()) && self.missing().is_empty()
        });
        proven && self.is_good_so_far()
    }

    fn missing(&self) -> Vec<Case> {
        self.tally.coverage.missing(self.stage.cases())
    }

    fn events_per_s(&self) -> f64 {
        self.tally.events as f64 / self.took.as_secs_f64().max(0.001)
    }

    fn print(&self) {
        let Tally { seeds, events, repeated, differing, breaches, .. } = &self.tally;
        println!(
            "{}: {seeds} seeds, {events} events in {:.1} s: {:.0} events/s with every check on; {} promises broken",
            self.stage,
            self.took.as_secs_f64(),
            self.events_per_s(),
            breaches.len(),
        );
        println!("{repeated} seeds were run twice, {} of them differed {differing:?}", differing.len());
        let (missing, cases) = (self.missing(), self.stage.cases().len());
        println!(
            "{} of {cases} cases covered{}",
            cases - missing.len(),
            if missing.is_empty() { String::new() } else { format!("; missing: {missing:?}") }
        );
        if let Some(planted) = &self.planted {
            print_planted(planted);
        }
    }

    fn to_value(&self) -> serde_json::Value {
        let coverage: serde_json::Map<String, serde_json::Value> = self
            .stage
            .cases()
            .iter()
            .map(|case| (format!("{case:?}"), self.tally.coverage.times(*case).into()))
            .collect();
        let planted: Vec<serde_json::Value> = self
            .planted
            .iter()
            .flatten()
            .map(|caught| {
                let by = caught.by.as_ref();
                serde_json::json!({
                    "fault": format!("{:?}", caught.fault),
                    "goes_wrong": caught.fault.sentence(),
                    "caught_by": by.map(|(breach, _, _)| noticed_by(breach)),
                    "seed": by.map(|(_, seed, _)| seed),
                    "events": by.map(|(_, _, events)| events),
                })
            })
            .collect();
        serde_json::json!({
            "seeds": self.tally.seeds,
            "events": self.tally.events,
            "seconds": (self.took.as_secs_f64() * 10.0).round() / 10.0,
            "events_per_s": self.events_per_s().round(),
            "checks": self.stage.promises().count() + Invariant::ALL.len(),
            "violations": self.tally.breaches.len(),
            "repeated": self.tally.repeated,
            "differing": self.tally.differing,
            "coverage": coverage,
            "planted": planted,
        })
    }
}

fn to_json(reports: &[Report], command: &str) -> String {
    let mut all = serde_json::json!({ "command": command, "threads": threads() });
    for report in reports {
        all[report.stage.to_string()] = report.to_value();
    }
    format!("{all:#}\n")
}

/// The audit's own invariant, if it was the audit that noticed.
fn noticed_by(breach: &super::Breach) -> String {
    match breach.promise {
        Promise::InsideIsSound => {
            let name = breach.details.split(' ').next().unwrap_or_default();
            format!("audit: {name}")
        }
        promise => format!("{promise:?}"),
    }
}

fn print_planted(caught: &[Caught]) {
    println!("{:<24} {:<34} {:>5} {:>8}", "planted", "caught by", "seed", "events");
    for Caught { fault, by } in caught {
        match by {
            Some((breach, seed, events)) => {
                println!("{:<24} {:<34} {seed:>5} {events:>8}", format!("{fault:?}"), noticed_by(breach));
            }
            None => println!("{:<24} MISSED", format!("{fault:?}")),
        }
    }
    let count = caught.iter().filter(|caught| caught.by.is_some()).count();
    println!("{count} of {} planted faults caught", caught.len());
}

fn fault_named(name: Option<&str>) -> Result<Option<Fault>, ExitCode> {
    let Some(name) = name else { return Ok(None) };
    match Fault::ALL.iter().find(|fault| format!("{fault:?}") == name) {
        Some(fault) => Ok(Some(*fault)),
        None => {
            eprintln!("visavis-sim: there is no fault {name}; `visavis-sim planted` lists them");
            Err(ExitCode::from(2))
        }
    }
}

fn replay(file: &std::path::Path, planted: Option<&str>) -> ExitCode {
    let fault = match fault_named(planted) {
        Ok(fault) => fault,
        Err(code) => return code,
    };
    let script =
        std::fs::read_to_string(file).map_err(|error| error.to_string()).and_then(|text| text.parse());
    let script: Script = match script {
        Ok(script) => script,
        Err(sentence) => {
            eprintln!("visavis-sim: {}: {sentence}", file.display());
            return ExitCode::from(2);
        }
    };
    let outcome = run_telling(&script, fault);
    outcome.story.iter().for_each(|line| println!("{line}"));
    println!("{} events, trace {:016x}", outcome.events, outcome.trace);
    match outcome.breach {
        Some(breach) => {
            println!("{breach}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn show_shrunk(script: &Script, fault: Option<Fault>) -> ExitCode {
    let Some(breach) = run(script, fault).breach else {
        println!("this seed breaks no promise");
        return ExitCode::SUCCESS;
    };
    let shrunk = shrink(script, &breach, fault, 3_000);
    println!("{}# {}\n# {} runs, {} events", shrunk.script, shrunk.breach, shrunk.runs, shrunk.events);
    ExitCode::FAILURE
}
