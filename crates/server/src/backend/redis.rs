//! Redis as the place where nodes meet: one task, that connects, serves, and connects again.
//!
//! What always holds: nothing here decides about visitors, and nothing is waited for by the driver. While Redis is away,
//! or says nothing for [`SILENCE`], the lobby is told so; when it is back, its first word is who else is there.
//! A subscription can die without a sign: each beat of the heart also goes through this node's own channel, and must
//! come back.

mod address;
mod channel;
mod members;
mod reason;
mod scripts;

pub(crate) use address::{NodeName, RedisUrl};

use super::{Census, Reach, Status};
use crate::driver::{Event, Link, Snapshot};
use crate::notice::error_rarely;
use ::redis::aio::{MultiplexedConnection, PubSubStream};
use ::redis::cluster::ClusterClient;
use ::redis::{AsyncConnectionConfig, RedisError, RedisResult};
use channel::{Channel, Heard};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use members::Members;
use reason::reason;
use ring::rand::{SecureRandom as _, SystemRandom};
use scripts::{Scripts, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use visavis_lobby::{Input, Lease, NodeId, Reply, Request, SessionSecret, Sighting};

/// Between two renewals of the lease.
const BEAT: Duration = Duration::from_millis(500);

/// How long a node that does not renew its lease counts as there, by the clock of Redis.
const LEASE: Duration = Duration::from_millis(2_500);

/// How long one's own voice may be away before the subscription counts as dead.
const SILENCE: Duration = Duration::from_millis(2_000);

/// How long Redis has to answer.
const ANSWER: Duration = Duration::from_millis(1_000);

/// Between two attempts to connect: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

/// Requests carried out together.
const BATCH: usize = 256;

pub(crate) struct Redis {
    pub(crate) url: RedisUrl,
    pub(crate) node: NodeId,
    pub(crate) name: NodeName,
    pub(crate) link: Link,
    pub(crate) status: Arc<Status>,
    pub(crate) requests: mpsc::Receiver<Request>,
    channel: Channel,
    members: Members,
}

/// Why serving ended.
enum Lost {
    Redis(RedisError),
    /// The subscription brings nothing, not even our own voice.
    Silent,
    /// The driver is gone, or the process stops.
    Stopping,
}

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        Lost::Redis(error)
    }
}

impl Redis {
    pub(crate) fn new(
        url: RedisUrl,
        node: NodeId,
        name: NodeName,
        secrets: &[SessionSecret],
        link: Link,
        status: Arc<Status>,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let channel = Channel::new(node, secrets, Arc::clone(&status));
        Redis { url, node, name, link, status, requests, channel, members: Members::default() }
    }

    /// Runs until `stopping`; then gives the lease back, so that others need not wait for it to lapse.
    pub(crate) async fn run(mut self, mut stopping: oneshot::Receiver<oneshot::Sender<()>>) {
        let mut pause = FIRST_PAUSE;
        let mut said_away = false;
        loop {
            let connected = tokio::select! {
                connected = self.connect() => connected,
                Ok(done) = &mut stopping => return drop(done),
            };
            match connected {
                Ok(line) => {
                    tracing::info!(node = %self.name, "redis.url: connected");
                    (pause, said_away) = (FIRST_PAUSE, false);
                    self.status.connects.fetch_add(1, Ordering::Relaxed);
                    let store = line.store.clone();
                    tokio::select! {
                        lost = self.serve(line) => match lost {
                            Lost::Redis(error) => say_away(&mut said_away, &reason(&error)),
                            Lost::Silent => say_away(&mut said_away, "the subscription is silent"),
                            Lost::Stopping => return,
                        },
                        Ok(done) = &mut stopping => {
                            let _ = tokio::time::timeout(ANSWER, Scripts::leave(&store, self.node)).await;
                            return drop(done);
                        }
                    }
                }
                Err(error) => say_away(&mut said_away, &reason(&error)),
            }
            self.members.pass();
            self.status.set(Reach::Away);
            if self.tell(Reply::Away).await.is_err() {
                return;
            }
            // What was asked of a Redis that is not there is of no use later.
            while let Ok(request) = self.requests.try_recv() {
                self.channel.note_lost(&request);
            }
            tokio::select! {
                () = sleep(jittered(pause)) => pause = (pause * 2).min(LONGEST_PAUSE),
                Ok(done) = &mut stopping => return drop(done),
            }
        }
    }

    async fn connect(&mut self) -> RedisResult<Line> {
        let client = self.members.client(&self.url)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        let mut publisher = client.get_multiplexed_async_connection_with_config(&config).await?;
        let store = if is_cluster(&publisher).await {
            self.members.learn(&mut publisher).await;
            let cluster = ClusterClient::builder(self.members.all(&self.url)?)
                .connection_timeout(ANSWER)
                .response_timeout(ANSWER)
                .retries(2)
                .build()?;
            Store::Cluster(cluster.get_async_connection().await?)
        } else {
            Store::One(publisher.clone())
        };
        let mut voices = within(client.get_async_pubsub()).await?;
        within(voices.subscribe(Channel::name(self.node))).await?;
        Ok(Line { publisher, store, voices: voices.into_on_message() })
    }

    async fn serve(&mut self, line: Line) -> Lost {
        let Line { publisher, store, voices } = line;
        let scripts = Scripts::new();
        let own_voice = Voice::new();
        let Redis { node, name, link, status, requests, channel, .. } = self;
        let (sealing, opening) = channel.split();
        let beating = beat(*node, name, link, status, &scripts, &store, &publisher, &own_voice);
        let listening = listen(link, voices, opening, &own_voice);
        let asking = ask(link, status, requests, &scripts, &store, &publisher, sealing);
        tokio::select! {
            lost = beating => lost,
            lost = listening => lost,
            lost = asking => lost,
        }
    }

    async fn tell(&self, reply: Reply) -> Result<(), ()> {
        tell(&self.link, reply).await
    }
}

struct Line {
    publisher: MultiplexedConnection,
    store: Store,
    voices: PubSubStream,
}

/// When our own voice came back last, in milliseconds since the line was made.
struct Voice {
    since: Instant,
    heard_ms: AtomicU64,
}

impl Voice {
    fn new() -> Self {
        Voice { since: Instant::now(), heard_ms: AtomicU64::new(0) }
    }

    fn heard(&self) {
        self.heard_ms.store(self.since.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }
}

/// Renews the lease, hears who else is there, and speaks to itself.
#[allow(clippy::too_many_arguments)]
async fn beat(
    node: NodeId,
    name: &NodeName,
    link: &Link,
    status: &Status,
    scripts: &Scripts,
    store: &Store,
    publisher: &MultiplexedConnection,
    own_voice: &Voice,
) -> Lost {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let ping = ::redis::cmd("PUBLISH").arg(Channel::name(node)).arg(Channel::PING).to_owned();
        if let Err(error) = ping.query_async::<()>(&mut publisher.clone()).await {
            return error.into();
        }
        let Some(own) = census(link, name).await else { return Lost::Stopping };
        let beat = match scripts.beat(store, node, LEASE, &own).await {
            Ok(beat) => beat,
            Err(error) => return error.into(),
        };
        if own_voice.silence() > SILENCE {
            return Lost::Silent;
        }
        let held = beat.iter().filter(|(sighting, _)| sighting.lease == Lease::Held);
        status.set(Reach::Ok(held.map(|(_, census)| census.clone()).collect()));
        let namesake = |sighting: &Sighting| {
            sighting.lease == Lease::Held
                && sighting.node.name == node.name
                && sighting.node.epoch > node.epoch
        };
        if beat.iter().any(|(sighting, _)| namesake(sighting)) {
            error_rarely!("node: another server called {name} runs; give each a --node of its own");
        }
        let sightings = beat.into_iter().map(|(sighting, _)| sighting).collect();
        if tell(link, Reply::Nodes(sightings)).await.is_err() {
            return Lost::Stopping;
        }
    }
}

async fn census(link: &Link, name: &NodeName) -> Option<Census> {
    let (reply, snapshot) = oneshot::channel();
    link.inbox.send(Event::Snapshot(reply)).await.ok()?;
    let Snapshot { gauges, .. } = snapshot.await.ok()?;
    let sum =
        |video: usize, audio: usize, text: usize| u32::try_from(video + audio + text).unwrap_or(u32::MAX);
    let in_matches = sum(gauges.matches.video, gauges.matches.audio, gauges.matches.text);
    Some(Census {
        name: name.to_string(),
        online: u32::try_from(link.online.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
        waiting: sum(gauges.waiting.video, gauges.waiting.audio, gauges.waiting.text),
        // Of a match across nodes one person is here.
        in_calls: (in_matches * 2).saturating_sub(u32::try_from(gauges.across).unwrap_or(0)),
    })
}

/// Hears what other nodes say.
async fn listen(
    link: &Link,
    mut voices: PubSubStream,
    opening: &mut channel::Opening,
    own_voice: &Voice,
) -> Lost {
    while let Some(message) = voices.next().await {
        let payload: &[u8] = message.get_payload_bytes();
        if payload == Channel::PING {
            own_voice.heard();
            continue;
        }
        let Some(Heard { node, frame, gap }) = opening.open(payload) else { continue };
        if gap && tell(link, Reply::Gap { node }).await.is_err() {
            return Lost::Stopping;
        }
        if tell(link, Reply::Heard { node, frame: Box::new(frame) }).await.is_err() {
            return Lost::Stopping;
        }
    }
    Lost::Silent
}

/// Carries out what the lobby asks, in its order: a batch at a time.
async fn ask(
    link: &Link,
    status: &Status,
    requests: &mut mpsc::Receiver<Request>,
    scripts: &Scripts,
    store: &Store,
    publisher: &MultiplexedConnection,
    sealing: &mut channel::Sealing,
) -> Lost {
    let mut batch = Vec::with_capacity(BATCH);
    let mut dropped = status.dropped.load(Ordering::Relaxed);
    loop {
        if requests.recv_many(&mut batch, BATCH).await == 0 {
            return Lost::Stopping;
        }
        status.requests.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let now_dropped = status.dropped.load(Ordering::Relaxed);
        if std::mem::replace(&mut dropped, now_dropped) != now_dropped {
            sealing.skip();
        }
        let mut said = ::redis::pipe();
        let mut asked = Vec::new();
        for request in batch.drain(..) {
            match request {
                Request::Tell { node, frame } => {
                    if let Some(sealed) = sealing.seal(node, &frame) {
                        said.cmd("PUBLISH").arg(Channel::name(node)).arg(sealed).ignore();
                    }
                }
                other => asked.push(scripts.carry_out(store, other, sealing.me())),
            }
        }
        let mut publisher = publisher.clone();
        let saying =
            async { if said.is_empty() { Ok(()) } else { said.query_async::<()>(&mut publisher).await } };
        let (said, answers) = tokio::join!(saying, join_all(asked));
        if let Err(error) = said {
            return error.into();
        }
        for answer in answers {
            match answer {
                Ok(Some(reply)) => {
                    if tell(link, reply).await.is_err() {
                        return Lost::Stopping;
                    }
                }
                Ok(None) => {}
                Err(error) => return error.into(),
            }
        }
    }
}

async fn tell(link: &Link, reply: Reply) -> Result<(), ()> {
    link.inbox.send(Event::Happened(Input::Cluster(reply))).await.map_err(|_| ())
}

async fn is_cluster(connection: &MultiplexedConnection) -> bool {
    let info = ::redis::cmd("INFO").arg("cluster").to_owned();
    let info: RedisResult<String> = info.query_async(&mut connection.clone()).await;
    // Who may not ask is told so; then it is one server as far as we know.
    info.is_ok_and(|info| info.contains("cluster_enabled:1"))
}

async fn within<T>(step: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(ANSWER, step).await.unwrap_or_else(|_| {
        Err(RedisError::from(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time")))
    })
}

/// Once a time that it is away, and not at every attempt.
fn say_away(said: &mut bool, why: &str) {
    if !std::mem::replace(said, true) {
        tracing::warn!(
            "redis.url: away ({why}); visitors of this node still meet each other; connecting anew"
        );
    }
}

/// Half to one and a half times: nodes that lost Redis together do not come back in one herd.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0; 1];
    let _ = SystemRandom::new().fill(&mut byte);
    pause / 2 + pause.mul_f64(f64::from(byte[0]) / 255.0)
}
