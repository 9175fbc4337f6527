//! The command line, and what it means for each visitor.

use super::dialect::Dialect;
use crate::{Habit, Order, Script};
use clap::{Parser, ValueEnum};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use visavis_lobby::Span;
use visavis_protocol::Kind;

/// Open files that a process keeps for itself: pipes, the poller, the standard streams.
const OWN_FILES: u64 = 64;

const AFTER_HELP: &str = "\
Example: 5,000 visitors press Next at once, three times, against a server on this machine:
  visavis serve --limits-exempt 127.0.0.0/8 &
  visavis-load --visitors 5000 --scenario storm --rounds 3 --server-pid $!

One JSON result goes to standard output, progress to standard error. Exit code 1: a promise was broken
(see `violations` in the result); 2: the run could not be made.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Connect and stay: what does an idle connection cost?
    Idle,
    /// Everybody presses Next in the same instant, `--rounds` times.
    Storm,
    /// Visitors stay a random time, then press Next, stop, close or vanish, for `--seconds`; `--ghosts` and
    /// `--stalled` among them.
    Churn,
    /// A storm in which `--deviants` neither read nor answer once they search, and never close.
    HalfOpen,
    /// A storm in which `--deviants` stop reading once connected while their partners write on.
    Stalled,
    /// In calls, everybody loses the socket in the same instant and comes back (or see `--herd-command`).
    Herd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OrderName {
    /// Offer after the match, candidates one by one: about 24 messages a pair.
    Classic,
    /// Offer in the ticket, candidates in one batch a side: about 12 messages a pair.
    Ticket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KindName {
    Video,
    Audio,
    Text,
}

/// Scripted visitors over real sockets: how many, how fast, how dear, and whether every pairing is right.
#[derive(Clone, Debug, Parser)]
#[command(name = "visavis-load", version, after_help = AFTER_HELP)]
pub(super) struct Options {
    /// The server's WebSocket; only ws:// (put no TLS between a server and its measurement). Several: visitors are dealt
    /// out to these nodes, and whoever has to come back tries the next one.
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    pub(super) url: Vec<String>,
    #[arg(long, default_value_t = 1_000)]
    pub(super) visitors: u32,
    #[arg(long, value_enum, default_value_t = Scenario::Storm)]
    pub(super) scenario: Scenario,
    /// Storms in a row.
    #[arg(long, default_value_t = 1)]
    pub(super) rounds: u32,
    #[arg(long, value_enum, default_value_t = OrderName::Ticket)]
    pub(super) order: OrderName,
    /// Match only: relay no offer, answer or candidates afterwards.
    #[arg(long)]
    pub(super) no_handshake: bool,
    /// Spread the four candidates of a side over this time, as a browser does; classic order only. 0: all at once.
    #[arg(long, default_value_t = 0)]
    pub(super) trickle_ms: u64,
    #[arg(long, value_enum, default_value_t = KindName::Video)]
    pub(super) kind: KindName,
    /// Worker processes; each is one loop on one core.
    #[arg(long, default_value_t = 1)]
    pub(super) processes: u32,
    /// Loopback addresses to connect from (127.0.0.1 and up); 0: as the system chooses.
    #[arg(long, default_value_t = 0)]
    pub(super) source_addresses: u8,
    /// New connections a second, all processes together.
    #[arg(long, default_value_t = 2_000)]
    pub(super) connect_rate: u32,
    /// Length of churn; the most that any other scenario waits for its end.
    #[arg(long, default_value_t = 30)]
    pub(super) seconds: u64,
    /// Visitors look for each other only in groups of so many, each its own pool; of a group of two, dealt out to several
    /// nodes, both are at different ones. 0: everybody looks for everybody.
    #[arg(long, default_value_t = 0)]
    pub(super) pool_size: u32,
    /// How long a visitor stays with a stranger in churn, on average.
    #[arg(long, default_value_t = 2_000)]
    pub(super) stay_ms: u64,
    /// Visitors who misbehave in half-open and stalled; default a tenth, made even.
    #[arg(long)]
    pub(super) deviants: Option<u32>,
    /// In churn: visitors who search and from then on neither read nor answer, without closing.
    #[arg(long, default_value_t = 0)]
    pub(super) ghosts: u32,
    /// In churn: visitors who stop reading once connected, while their partners write on.
    #[arg(long, default_value_t = 0)]
    pub(super) stalled: u32,
    /// In herd: do this instead (with `sh -c`), say kill the server and start it again; visitors come back as the SDK does.
    #[arg(long)]
    pub(super) herd_command: Option<String>,
    /// How many sockets that command costs at least; default everybody's.
    #[arg(long, requires = "herd_command")]
    pub(super) herd_lost: Option<u32>,
    /// The herd is not over before that command is: say it restarts node after node.
    #[arg(long, requires = "herd_command")]
    pub(super) herd_wait: bool,
    /// Pause before memory is read, for timers and allocators to come to rest.
    #[arg(long, default_value_t = 1_500)]
    pub(super) settle_ms: u64,
    /// Process to measure: CPU per pair and memory per connection. Several, say nodes and their Redis: all together, and
    /// each one's CPU per pair in this order.
    #[arg(long)]
    pub(super) server_pid: Vec<u32>,
    /// Write the result here too.
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Dialect::Visavis)]
    pub(super) protocol: Dialect,
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Set by the conductor for its workers: first visitor, number, epoch.
    #[arg(long, hide = true, value_delimiter = ',')]
    pub(super) worker: Option<Vec<u64>>,
}

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    pub(super) path: String,
}

impl Target {
    fn read(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("ws://").ok_or("--url: must begin with ws://")?;
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, format!("/{path}")),
            None => (rest, "/ws".to_owned()),
        };
        let named = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let address = named.to_socket_addrs().ok().and_then(|mut found| found.next());
        let address = address.ok_or_else(|| format!("--url: {host} has no address"))?;
        Ok(Target { address, host: host.to_owned(), path })
    }
}

impl Options {
    /// # Errors
    /// A sentence that names the option and the mend.
    pub(super) fn check(&self, open_files: u64) -> Result<(), String> {
        self.targets()?;
        if self.visitors < 2 || self.processes == 0 || self.rounds == 0 || self.connect_rate == 0 {
            return Err(
                "--visitors must be at least 2; --processes, --rounds and --connect-rate at least 1".into()
            );
        }
        let each = u64::from(self.visitors.div_ceil(self.processes));
        if each + OWN_FILES > open_files {
            let wanted = u64::from(self.visitors).div_ceil(open_files.saturating_sub(OWN_FILES).max(1));
            return Err(format!(
                "--processes: {each} sockets a process, but only {open_files} open files are allowed: use {wanted}"
            ));
        }
        if self.protocol == Dialect::Socketio && self.order != OrderName::Classic {
            return Err(
                "--protocol socketio: needs --order classic; only Visavis carries offers in tickets".into()
            );
        }
        if self.deviants() > self.visitors {
            return Err("--deviants, --ghosts, --stalled: more than --visitors".into());
        }
        if (self.ghosts > 0 || self.stalled > 0) && self.scenario != Scenario::Churn {
            return Err("--ghosts, --stalled: only with --scenario churn; elsewhere use --deviants".into());
        }
        if self.herd_command.is_some() && self.scenario != Scenario::Herd {
            return Err("--herd-command: only with --scenario herd".into());
        }
        Ok(())
    }

    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        self.url.iter().map(|url| Target::read(url)).collect()
    }

    pub(super) fn deviants(&self) -> u32 {
        match self.scenario {
            Scenario::HalfOpen | Scenario::Stalled => self.deviants.unwrap_or(self.visitors / 20 * 2),
            Scenario::Churn => self.ghosts.saturating_add(self.stalled),
            Scenario::Idle | Scenario::Storm | Scenario::Herd => 0,
        }
    }

    /// Visitors who see nothing of their match.
    pub(super) fn silent_witnesses(&self) -> u32 {
        match self.scenario {
            Scenario::HalfOpen => self.deviants(),
            Scenario::Churn => self.ghosts,
            Scenario::Idle | Scenario::Storm | Scenario::Stalled | Scenario::Herd => 0,
        }
    }

    /// What visitor `id` is like. Deviants are spread evenly.
    pub(super) fn script_of(&self, id: u32) -> Script {
        let (deviants, visitors) = (u64::from(self.deviants()), u64::from(self.visitors));
        let share = |id: u64| id * deviants / visitors;
        let place = share(u64::from(id));
        let deviates = place != share(u64::from(id) + 1);
        // The place among the deviants, mixed so that ghosts and stalled readers are spread alike.
        let is_ghost = (place * u64::from(self.ghosts)) % deviants.max(1) < u64::from(self.ghosts);
        let habit = match self.scenario {
            Scenario::Idle | Scenario::Storm => Habit::Patient,
            Scenario::Churn if deviates && is_ghost => Habit::Ghost,
            Scenario::Churn if deviates => Habit::Stalls,
            Scenario::Churn => Habit::Restless { stay: Span::from_millis(self.stay_ms) },
            Scenario::HalfOpen if deviates => Habit::Ghost,
            Scenario::Stalled if deviates => Habit::Stalls,
            Scenario::HalfOpen | Scenario::Stalled => Habit::Patient,
            Scenario::Herd => Habit::Returns,
        };
        let order = match self.order {
            OrderName::Classic => Order::Classic,
            OrderName::Ticket => Order::Ticket,
        };
        let modern = order == Order::Ticket && self.protocol == Dialect::Visavis;
        // A survivor must come back by itself where it is the survivor's fate that is measured.
        let survives = self.deviants() > 0;
        Script {
            kind: match self.kind {
                KindName::Video => Kind::Video,
                KindName::Audio => Kind::Audio,
                KindName::Text => Kind::Text,
            },
            order,
            handshake: !self.no_handshake,
            requeue: modern || survives,
            hello: modern,
            trickle: Span::from_millis(self.trickle_ms),
            pool: id.checked_div(self.pool_size),
            habit,
        }
    }
}
