//! Many visitors who behave as the SDK does: they resume by token on another node, and are watched from outside.
//!
//! What is watched, for everybody at every message: nobody accepts a match while in one, and no match ever has a third
//! person in it.

use super::harness::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What all visitors of a crowd share.
pub(crate) struct Town {
    places: Vec<Mutex<SocketAddr>>,
    gone: Vec<AtomicBool>,
    over: AtomicBool,
    /// By match: who was told of it.
    matches: Mutex<BTreeMap<String, BTreeSet<usize>>>,
    /// By visitor: the match it is in.
    present: Mutex<BTreeMap<usize, String>>,
    breaches: Mutex<Vec<String>>,
    pub(crate) resumed: AtomicUsize,
    pub(crate) not_resumed: AtomicUsize,
    /// Matches that ended for a reason other than somebody's wish.
    pub(crate) lost: AtomicUsize,
}

pub(crate) struct Crowd {
    pub(crate) town: Arc<Town>,
    people: usize,
    visitors: Mutex<JoinSet<()>>,
}

impl Crowd {
    /// So many people, dealt out to the nodes, all searching.
    pub(crate) async fn arrive(nodes: &[Server], people: usize) -> Self {
        let town = Arc::new(Town {
            places: nodes.iter().map(|node| Mutex::new(node.http)).collect(),
            gone: nodes.iter().map(|_| AtomicBool::new(false)).collect(),
            over: AtomicBool::new(false),
            matches: Mutex::default(),
            present: Mutex::default(),
            breaches: Mutex::default(),
            resumed: AtomicUsize::new(0),
            not_resumed: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        });
        let mut visitors = JoinSet::new();
        for who in 0..people {
            let town = Arc::clone(&town);
            visitors.spawn(Visitor { who, at: who % nodes.len(), token: None, searched: false, town }.live());
            // As fast as one loop can, without a queue of handshakes that nobody has.
            if who % 100 == 99 {
                sleep(Duration::from_millis(20)).await;
            }
        }
        Crowd { town, people, visitors: Mutex::new(visitors) }
    }

    /// Nobody tries this node any more.
    pub(crate) fn node_is_gone(&self, node: usize) {
        self.town.gone[node].store(true, Ordering::Relaxed);
    }

    /// It is back, perhaps somewhere else.
    #[allow(dead_code)]
    pub(crate) fn node_is_back(&self, node: usize, at: SocketAddr) {
        *self.town.places[node].lock().unwrap() = at;
        self.town.gone[node].store(false, Ordering::Relaxed);
    }

    pub(crate) fn matched(&self) -> usize {
        self.pairs().len() * 2
    }

    /// Matches that both of their people know of.
    pub(crate) fn pairs(&self) -> BTreeSet<(String, usize, usize)> {
        let mut by_match: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (who, id) in self.town.present.lock().unwrap().iter() {
            by_match.entry(id.clone()).or_default().push(*who);
        }
        by_match
            .into_iter()
            .filter_map(|(id, people)| <[usize; 2]>::try_from(people).ok().map(|[a, b]| (id, a, b)))
            .collect()
    }

    /// How long it took until all but so many are in a match that both know of.
    pub(crate) async fn everybody_is_matched_but(&self, left_over: usize, patience: Duration) -> Duration {
        let begun = Instant::now();
        while self.matched() + left_over < self.people {
            self.audit();
            let pairs = self.matched();
            assert!(begun.elapsed() < patience, "{pairs} of {} are matched after {patience:?}", self.people);
            sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    /// Fails if anybody ever was where nobody may be.
    pub(crate) fn audit(&self) {
        let breaches = self.town.breaches.lock().unwrap();
        assert!(breaches.is_empty(), "{breaches:?}");
    }

    pub(crate) async fn part(self) {
        self.town.over.store(true, Ordering::Relaxed);
        self.visitors.into_inner().unwrap().shutdown().await;
        assert!(self.town.breaches.lock().unwrap().is_empty());
    }
}

struct Visitor {
    who: usize,
    at: usize,
    token: Option<Value>,
    searched: bool,
    town: Arc<Town>,
}

type Socket = WebSocketStream<TcpStream>;

impl Visitor {
    async fn live(mut self) {
        let mut attempt = 0;
        while !self.town.over.load(Ordering::Relaxed) {
            if let Some(socket) = self.connect().await {
                attempt = 0;
                self.visit(socket).await;
            }
            // As the SDK: at once, then after a while that differs from visitor to visitor.
            let spread = (self.who * 37 % 100) as u64;
            sleep(Duration::from_millis(if attempt == 0 { 5 * spread } else { 300 + 10 * spread })).await;
            attempt += 1;
            self.at = (self.at + 1) % self.town.places.len();
        }
    }

    async fn connect(&self) -> Option<Socket> {
        if self.town.gone[self.at].load(Ordering::Relaxed) {
            return None;
        }
        let place = *self.town.places[self.at].lock().unwrap();
        let dial = async {
            let tcp = TcpStream::connect(place).await.ok()?;
            let (socket, _) = tokio_tungstenite::client_async(format!("ws://{place}/ws"), tcp).await.ok()?;
            Some(socket)
        };
        timeout(Duration::from_secs(3), dial).await.ok().flatten()
    }

    async fn visit(&mut self, mut socket: Socket) {
        let mut hello = json!({ "type": "hello", "version": 1 });
        let asked = self.token.is_some();
        if let Some(token) = self.token.clone() {
            hello["resume"] = token;
        }
        if self.say(&mut socket, hello).await.is_none() {
            return;
        }
        while !self.town.over.load(Ordering::Relaxed) {
            match timeout(Duration::from_secs(8), socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    let Ok(message) = serde_json::from_str::<Value>(&text) else { return };
                    if self.hear(&mut socket, &message, asked).await.is_none() {
                        return;
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return,
                Ok(Some(Ok(_))) => {}
                // A node that sleeps says nothing: another one is tried, as a browser's reconnect does.
                Err(_) => {
                    if self.town.gone[self.at].load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, socket: &mut Socket, message: &Value, asked: bool) -> Option<()> {
        if let Some(token) = message.get("resume_token") {
            self.token = Some(token.clone());
        }
        let id = message["match_id"].as_str().map(str::to_owned);
        match message["type"].as_str()? {
            "welcome" => {
                let resumed = message["resumed"] == true;
                if asked {
                    let count = if resumed { &self.town.resumed } else { &self.town.not_resumed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
                // Whatever it was in before, `welcome` tells where it is now.
                self.is_in(id);
                if !resumed || !self.searched {
                    self.searched = true;
                    return self
                        .say(socket, json!({ "type": "find_partner", "kind": "video", "requeue": true }))
                        .await;
                }
            }
            "partner_found" => {
                let id = id?;
                self.note_found(&id);
                self.is_in(Some(id.clone()));
                let connected =
                    json!({ "type": "connected", "match_id": id, "path": "direct", "elapsed_ms": 1.0 });
                return self.say(socket, connected).await;
            }
            "partner_left" => {
                if message["reason"] == "lost" {
                    self.town.lost.fetch_add(1, Ordering::Relaxed);
                }
                self.is_in(None);
                if message["requeued"] != true {
                    return self
                        .say(socket, json!({ "type": "find_partner", "kind": "video", "requeue": true }))
                        .await;
                }
            }
            "draining" => {
                let pause = message["reconnect_after_ms"].as_u64().unwrap_or(0);
                sleep(Duration::from_millis(pause)).await;
                return None;
            }
            "error" => {
                if let Some(pause) = message["retry_after_ms"].as_u64() {
                    sleep(Duration::from_millis(pause)).await;
                    return None;
                }
                self.breach(format!("{message}"));
            }
            _ => {}
        }
        Some(())
    }

    fn note_found(&self, id: &str) {
        let before = self.town.present.lock().unwrap().get(&self.who).cloned();
        if before.as_ref().is_some_and(|before| before != id) {
            self.breach(format!("{} was in {before:?} when it was told of {id}", self.who));
        }
        let mut matches = self.town.matches.lock().unwrap();
        let people = matches.entry(id.to_owned()).or_default();
        people.insert(self.who);
        if people.len() > 2 {
            self.breach(format!("{people:?} were all told of {id}"));
        }
    }

    fn is_in(&self, id: Option<String>) {
        let mut present = self.town.present.lock().unwrap();
        match id {
            Some(id) => drop(present.insert(self.who, id)),
            None => drop(present.remove(&self.who)),
        }
    }

    async fn say(&self, socket: &mut Socket, frame: Value) -> Option<()> {
        socket.send(Message::text(frame.to_string())).await.ok()
    }

    fn breach(&self, what: String) {
        self.town.breaches.lock().unwrap().push(what);
    }
}
