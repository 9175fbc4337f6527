//! What is asked of Redis, and how its answers read: Lua scripts, each atomic, each on keys of one slot.
//!
//! No key and no value holds an offer, a description, a candidate, an address or text; interests, pools and sessions are
//! keyed digests. Every key expires by itself.

#[cfg(test)]
mod differential;

use super::super::Census;
use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster_async::ClusterConnection;
use ::redis::{FromRedisValue, RedisError, RedisResult, Script};
use std::fmt::Write as _;
use std::time::Duration;
use visavis_lobby::{
    Bucket, Claimed, Export, Insists, Lease, Marked, NodeId, Reply, Request, Seat, Sighting, Span, Tag,
    TicketId,
};
use visavis_protocol::Kind;

/// One Redis, or a cluster of them.
#[derive(Clone)]
pub(super) enum Store {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Store {
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> RedisResult<T> {
        match self {
            Store::One(connection) => run(&mut connection.clone(), script, keys, args).await,
            Store::Cluster(connection) => run(&mut connection.clone(), script, keys, args).await,
        }
    }
}

async fn run<T: FromRedisValue>(
    connection: &mut impl ConnectionLike,
    script: &Script,
    keys: &[String],
    args: &[String],
) -> RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    invocation.key(keys);
    invocation.arg(args);
    // EVALSHA; loaded again where Redis has forgotten it.
    invocation.invoke_async(connection).await
}

pub(super) struct Scripts {
    beat: Script,
    claim: Script,
    withdraw: Script,
    mark: Script,
    note: Script,
    meet: Script,
}

/// Tickets that a claim looks at: the oldest, and as many somewhere behind them.
const SCAN: usize = 64;

impl Scripts {
    pub(super) fn new() -> Self {
        Scripts {
            beat: Script::new(include_str!("lua/beat.lua")),
            claim: Script::new(include_str!("lua/claim.lua")),
            withdraw: Script::new(include_str!("lua/withdraw.lua")),
            mark: Script::new(include_str!("lua/mark.lua")),
            note: Script::new(include_str!("lua/note.lua")),
            meet: Script::new(include_str!("lua/meet.lua")),
        }
    }

    /// Renews the lease; all nodes that are known.
    pub(super) async fn beat(
        &self,
        store: &Store,
        node: NodeId,
        lease: Duration,
        own: &Census,
    ) -> RedisResult<Vec<(Sighting, Census)>> {
        let Census { name, online, waiting, in_calls } = own;
        let info = format!("{online} {waiting} {in_calls} {name}");
        let args = [node.to_string(), lease.as_millis().to_string(), info];
        let all: Vec<(String, i64, String)> = store.run(&self.beat, &nodes_keys(), &args).await?;
        Ok(all.iter().filter_map(|(node, left_ms, info)| sighting(node, *left_ms, info)).collect())
    }

    /// Gives the lease back.
    pub(super) async fn leave(store: &Store, node: NodeId) -> RedisResult<()> {
        let args = [node.to_string(), "0".into(), String::new()];
        let script = Script::new(include_str!("lua/beat.lua"));
        store.run::<::redis::Value>(&script, &nodes_keys(), &args).await.map(|_| ())
    }

    pub(super) async fn carry_out(
        &self,
        store: &Store,
        request: Request,
        me: NodeId,
    ) -> RedisResult<Option<Reply>> {
        match request {
            Request::Claim(export) => self.claim(store, &export, me).await.map(Some),
            Request::Withdraw { bucket, ticket } => {
                let args = [hex(ticket.0)];
                store.run::<::redis::Value>(&self.withdraw, &bucket_keys(bucket), &args).await?;
                Ok(None)
            }
            Request::Mark { connection, session, generation, ttl } => {
                let args = [generation.to_string(), millis(ttl)];
                let answer: Vec<String> = store.run(&self.mark, &session_keys(session), &args).await?;
                let marked = match answer.as_slice() {
                    [kept] => Marked::Fresh { kept: (!kept.is_empty()).then(|| kept.clone()) },
                    _ => Marked::Used,
                };
                Ok(Some(Reply::Marked { connection, marked }))
            }
            Request::Note { session, generation, kept, ttl } => {
                let args = [generation.to_string(), millis(ttl), kept.unwrap_or_default()];
                store.run::<::redis::Value>(&self.note, &session_keys(session), &args).await?;
                Ok(None)
            }
            Request::Meet { match_id, side, ttl } => {
                let (mine, theirs) = match side {
                    Seat::Initiator => ("i", "r"),
                    Seat::Responder => ("r", "i"),
                };
                let keys = [format!("visavis:m:{{{match_id}}}")];
                let args = [mine.into(), theirs.into(), me.to_string(), millis(ttl)];
                let answer: String = store.run(&self.meet, &keys, &args).await?;
                Ok(Some(Reply::Met { match_id, node: NodeId::read(&answer) }))
            }
            Request::Tell { .. } => {
                Err(RedisError::from((::redis::ErrorKind::Client, "frames are published")))
            }
        }
    }

    async fn claim(&self, store: &Store, export: &Export, me: NodeId) -> RedisResult<Reply> {
        let args = [
            me.to_string(),
            hex(export.ticket.0),
            hex(export.session.0),
            tags(&export.interests),
            tags(&export.languages),
            insists(export.insists_on_interest),
            insists(export.insists_on_language),
            millis(export.waited),
            millis(export.made),
            millis(export.recent_pause),
            tags(&export.recent),
            tags(&export.blocked),
            millis(export.lease),
            SCAN.to_string(),
        ];
        let answer: Vec<String> = store.run(&self.claim, &bucket_keys(export.bucket), &args).await?;
        let found = match answer.as_slice() {
            [node, ticket] => NodeId::read(node)
                .zip(u64::from_str_radix(ticket, 16).ok())
                .map(|(node, ticket)| Claimed { node, ticket: TicketId(ticket) }),
            _ => None,
        };
        Ok(Reply::Claimed { ticket: export.ticket, found })
    }
}

fn sighting(node: &str, left_ms: i64, info: &str) -> Option<(Sighting, Census)> {
    let node = NodeId::read(node)?;
    let lease = if left_ms > 0 { Lease::Held } else { Lease::Lapsed };
    let mut parts = info.splitn(4, ' ');
    let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    let (online, waiting, in_calls) = (number(), number(), number());
    let name = parts.next().unwrap_or_default().to_owned();
    Some((Sighting { node, lease, online }, Census { name, online, waiting, in_calls }))
}

fn nodes_keys() -> [String; 2] {
    ["visavis:{nodes}:lease".into(), "visavis:{nodes}:info".into()]
}

fn bucket_keys(bucket: Bucket) -> [String; 2] {
    let kind = match bucket.kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Text => "text",
    };
    let pool = hex(bucket.pool.0);
    [format!("visavis:{{{kind}:{pool}}}:line"), format!("visavis:{{{kind}:{pool}}}:tickets")]
}

fn session_keys(session: Tag) -> [String; 1] {
    [format!("visavis:s:{{{}}}", hex(session.0))]
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

fn tags(tags: &[Tag]) -> String {
    let mut list = String::with_capacity(tags.len() * 17);
    for tag in tags {
        let _ = write!(list, "{:016x},", tag.0);
    }
    list
}

fn insists(insists: Insists) -> String {
    match insists {
        Insists::No => "0".into(),
        Insists::For(span) => span.as_millis_ceil().max(1).to_string(),
        Insists::Always => "-1".into(),
    }
}

fn millis(span: Span) -> String {
    span.as_millis_ceil().to_string()
}
