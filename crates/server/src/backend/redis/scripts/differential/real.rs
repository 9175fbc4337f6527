//! A redis-server of one's own, whose clock stands where the test puts it.

use super::super::super::channel::Channel;
use super::super::{Scripts, Store};
use super::actions::{Action, EARS, Pace};
use super::{Contents, Value};
use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{Client, cmd, pipe};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use visavis_lobby::NodeId;

/// The program that is held against the model; another that speaks the same may be named here.
const PROGRAM: &str = "VISAVIS_REDIS_SERVER";

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Real {
    child: Child,
    clock: Clock,
    client: Client,
    connection: MultiplexedConnection,
    ears: [Option<(PubSub, String)>; EARS],
    tolerance_ms: i64,
    _folder: tempfile::TempDir,
}

enum Clock {
    Set { file: PathBuf, now_ms: i64 },
    True,
}

impl Real {
    /// `None`, and says so, where what it takes is not installed.
    pub(super) async fn start(pace: Pace) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| "redis-server".into());
        let mut command = Command::new(&program);
        let mut clock = Clock::True;
        if pace == Pace::Set {
            let file = folder.path().join("clock");
            let Some(preload) = preload() else {
                return skipped("libfaketime is not installed (Debian: apt-get install faketime)");
            };
            // Without libc in front, jemalloc asks for the time before libfaketime can tell it.
            command.env("LD_PRELOAD", preload);
            command.env("FAKETIME_TIMESTAMP_FILE", &file);
            command.envs([("FAKETIME_FMT", "%s"), ("FAKETIME_NO_CACHE", "1")]);
            clock = Clock::Set { file, now_ms: 1_800_000_000_000 };
            clock.write();
        }
        let socket = folder.path().join("redis");
        let bus =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port();
        let spawned = command
            .args(["--port", "0", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = spawned else {
            return skipped(&format!("{program} is not installed (Debian: apt-get install redis-server)"));
        };
        let client = Client::open(format!("redis+unix://{}", socket.display())).expect("an address");
        let mut child = Ending(Some(child));
        let deadline = Instant::now() + PATIENCE;
        let mut connection = loop {
            if let Ok(connection) = client.get_multiplexed_async_connection().await {
                break connection;
            }
            assert!(child.runs(), "{program} ended at once");
            assert!(Instant::now() < deadline, "{program} does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        cmd("CLUSTER")
            .arg(&["ADDSLOTSRANGE", "0", "16383"])
            .exec_async(&mut connection)
            .await
            .expect("it serves all slots");
        let mut real = Real {
            child: child.0.take().expect("it runs"),
            clock,
            client,
            connection,
            ears: Default::default(),
            tolerance_ms: 0,
            _folder: folder,
        };
        loop {
            let info: String =
                cmd("CLUSTER").arg("INFO").query_async(&mut real.connection).await.expect("it tells");
            if info.contains("cluster_state:ok") {
                return Some(real);
            }
            assert!(Instant::now() < deadline, "the cluster of one does not form");
            real.pass(50).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn empty(&mut self) {
        cmd("FLUSHALL").exec_async(&mut self.connection).await.expect("empties itself");
        self.tolerance_ms = 0;
        for ear in 0..EARS {
            self.deafen(ear).await;
        }
    }

    /// Redis' own time.
    pub(super) async fn now_ms(&mut self) -> i64 {
        if let Clock::Set { now_ms, .. } = self.clock {
            return now_ms;
        }
        let (seconds, micros): (i64, i64) =
            cmd("TIME").query_async(&mut self.connection).await.expect("tells the time");
        seconds * 1_000 + micros / 1_000
    }

    /// A request took so long: no better is any moment known. Within a script a clock that nobody sets goes on, too.
    pub(super) fn took(&mut self, millis: i64) {
        let within = if matches!(self.clock, Clock::True) { 2 } else { 0 };
        self.tolerance_ms = self.tolerance_ms.max(millis + within);
    }

    pub(super) async fn pass(&mut self, millis: u64) {
        match &mut self.clock {
            Clock::Set { now_ms, .. } => {
                *now_ms += millis as i64;
                self.clock.write();
            }
            Clock::True => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
    }

    /// Carries out as the server does; what comes back, as text.
    pub(super) async fn carry_out(&mut self, scripts: &Scripts, action: &Action) -> String {
        let store = Store::One(self.connection.clone());
        let said = match action {
            Action::Ask { node, request } => {
                scripts.carry_out(&store, request.clone(), *node).await.map(|reply| format!("{reply:?}"))
            }
            Action::Beat { node, lease_ms, census } => {
                let lease = Duration::from_millis(*lease_ms);
                scripts.beat(&store, *node, lease, census).await.map(|all| format!("{all:?}"))
            }
            Action::Leave { node } => Scripts::leave(&store, *node).await.map(|()| String::new()),
            Action::Publish { node } => {
                let mut publish = cmd("PUBLISH");
                publish.arg(Channel::name(*node)).arg("anything");
                publish.query_async::<usize>(&mut self.connection).await.map(|ears| format!("{ears} hear it"))
            }
            Action::Pass(_) | Action::Listen { .. } | Action::Deafen { .. } => Ok(String::new()),
        };
        said.unwrap_or_else(|error| format!("{error}"))
    }

    pub(super) async fn listen(&mut self, ear: usize, node: NodeId) {
        self.deafen(ear).await;
        let mut voices = self.client.get_async_pubsub().await.expect("another connection");
        let channel = Channel::name(node);
        voices.subscribe(&channel).await.expect("subscribes");
        self.ears[ear] = Some((voices, channel));
    }

    pub(super) async fn deafen(&mut self, ear: usize) {
        if let Some((mut voices, channel)) = self.ears[ear].take() {
            voices.unsubscribe(channel).await.expect("unsubscribes");
        }
    }

    pub(super) async fn contents(&mut self) -> Contents {
        let keys: Vec<String> = cmd("KEYS").arg("*").query_async(&mut self.connection).await.expect("lists");
        let mut contents = Contents::new();
        for key in keys {
            // What dies between these is empty, and not compared.
            let (kind, dies_at_ms, slot): (String, i64, u16) = pipe()
                .cmd("TYPE")
                .arg(&key)
                .cmd("PEXPIRETIME")
                .arg(&key)
                .cmd("CLUSTER")
                .arg("KEYSLOT")
                .arg(&key)
                .query_async(&mut self.connection)
                .await
                .expect("tells of a key");
            assert_eq!(slot, visavis_sim::redis::slot(&key), "{key}");
            let value = match kind.as_str() {
                "zset" => Value::SortedSet(self.ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]).await),
                "hash" => Value::Hash(self.ask::<BTreeMap<_, _>>(&["HGETALL", &key]).await),
                "none" => continue,
                other => panic!("{key} is a {other}"),
            };
            contents.insert(key, (value, (dies_at_ms >= 0).then_some(dies_at_ms)));
        }
        contents
    }

    async fn ask<T: ::redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.connection).await.expect("tells what a key holds")
    }

    /// Whether two are the same, but for moments, as well as those are known.
    pub(super) fn is_near(&self, a: &(Value, Option<i64>), b: &(Value, Option<i64>)) -> bool {
        let near = |a: i64, b: i64| (a - b).abs() <= self.tolerance_ms;
        let near_text = |a: &str, b: &str| {
            a == b
                || a.split('|').count() == b.split('|').count()
                    && a.split('|').zip(b.split('|')).all(|(a, b)| {
                        a == b || a.parse().ok().zip(b.parse().ok()).is_some_and(|(a, b)| near(a, b))
                    })
        };
        let same = match (&a.0, &b.0) {
            (Value::SortedSet(a), Value::SortedSet(b)) if self.tolerance_ms > 0 => {
                let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    (a.iter().cloned().collect(), b.iter().cloned().collect());
                a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| near(*a, *b)))
            }
            (Value::Hash(a), Value::Hash(b)) => {
                a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| near_text(a, b)))
            }
            (a, b) => a == b,
        };
        same && match (a.1, b.1) {
            (Some(a), Some(b)) => near(a, b),
            (a, b) => a == b,
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that is not left behind when a start fails half way.
struct Ending(Option<Child>);

impl Ending {
    fn runs(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Clock {
    /// Moved into place, so that nobody reads half of it; and half a millisecond further, as it is read as a fraction.
    fn write(&self) {
        let Clock::Set { file, now_ms } = self else { return };
        let draft = file.with_extension("draft");
        let text = format!("{}.{:03}500", now_ms / 1_000, now_ms % 1_000);
        std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, file)).expect("sets the clock");
    }
}

/// What is loaded before all else: libfaketime, then the libc that this very process uses.
fn preload() -> Option<String> {
    let faketime = std::fs::read_dir("/usr/lib").ok()?.flatten().find_map(|entry| {
        let file = entry.path().join("faketime/libfaketimeMT.so.1");
        file.exists().then_some(file)
    })?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    let libc = files.find(|file| Path::new(file).file_name().is_some_and(|name| name == "libc.so.6"))?;
    Some(format!("{}:{libc}", faketime.display()))
}

/// Past the capture of the test's output: whoever reads along shall know what was not tested.
fn skipped<T>(why: &str) -> Option<T> {
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: the model of Redis against the real one: {why}");
    None
}
