//! The whole of a Redis as its clients see it: keys, values as text, and when they die.

use super::pool::Lying;
use super::{Redis, names};
use std::collections::BTreeMap;
use visavis_lobby::Tag;

/// Keys by name; each with its value and the moment (ms) from which on it is dead, if it has one.
pub type Contents = BTreeMap<String, (Value, Option<i64>)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Members and scores, in order.
    SortedSet(Vec<(String, i64)>),
    Hash(BTreeMap<String, String>),
}

pub(super) fn contents(redis: &Redis, now_ms: i64) -> Contents {
    let mut contents = Contents::new();
    let [lease_key, info_key] = names::nodes();
    for ((), leases, dies_at_ms) in redis.leases.iter(now_ms) {
        let mut members: Vec<_> = leases.iter().map(|(node, end_ms)| (node.to_string(), *end_ms)).collect();
        members.sort_by(|(node, end_ms), (other, other_ms)| (end_ms, node).cmp(&(other_ms, other)));
        contents.insert(lease_key.clone(), (Value::SortedSet(members), dies_at_ms));
    }
    for ((), infos, dies_at_ms) in redis.infos.iter(now_ms) {
        let fields = infos.iter().map(|(node, info)| (node.to_string(), info.clone())).collect();
        contents.insert(info_key.clone(), (Value::Hash(fields), dies_at_ms));
    }
    for (bucket, line, dies_at_ms) in redis.lines.iter(now_ms) {
        let [key, _] = names::pool(bucket);
        let members = line.iter().map(|(since_ms, ticket)| (hex(ticket.0), since_ms)).collect();
        contents.insert(key, (Value::SortedSet(members), dies_at_ms));
    }
    for (bucket, tickets, dies_at_ms) in redis.tickets.iter(now_ms) {
        let [_, key] = names::pool(bucket);
        let fields = tickets.iter().map(|(ticket, lying)| (hex(ticket.0), text(lying))).collect();
        contents.insert(key, (Value::Hash(fields), dies_at_ms));
    }
    for (tag, session, dies_at_ms) in redis.sessions.iter(now_ms) {
        let fields = [("generation", Some(session.generation.to_string())), ("kept", session.kept.clone())];
        contents.insert(names::session(tag), (hash(fields), dies_at_ms));
    }
    for (match_id, seats, dies_at_ms) in redis.matches.iter(now_ms) {
        let fields = [
            ("i", seats.initiator.map(|node| node.to_string())),
            ("r", seats.responder.map(|node| node.to_string())),
        ];
        contents.insert(names::of_match(match_id), (hash(fields), dies_at_ms));
    }
    contents
}

fn hash<const N: usize>(fields: [(&str, Option<String>); N]) -> Value {
    Value::Hash(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn text(lying: &Lying) -> String {
    let Lying { owner, session, interest_till_ms, language_till_ms, made_ms, leased_till_ms, .. } = lying;
    let [interests, languages, recent, blocked] =
        [&lying.interests, &lying.languages, &lying.recent, &lying.blocked].map(|tags| list(tags));
    format!(
        "{owner}|{}|{interests}|{languages}|{interest_till_ms}|{language_till_ms}|{made_ms}|{recent}|{blocked}|\
         {leased_till_ms}",
        hex(session.0)
    )
}

fn list(tags: &[Tag]) -> String {
    tags.iter().map(|tag| hex(tag.0) + ",").collect()
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}
