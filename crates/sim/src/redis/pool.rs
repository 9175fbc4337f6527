//! The pool of exported tickets: `claim.lua` and `withdraw.lua`.

use super::keys::Keys;
use super::millis;
use std::collections::{BTreeMap, BTreeSet};
use visavis_lobby::{Bucket, Claimed, Export, Insists, NodeId, Tag, TicketId};

/// Tickets that a claim looks at: the oldest, and as many somewhere behind them. As the server's `SCAN`.
const SCAN: usize = 64;

/// What the keys of a bucket outlive the youngest lease in it by.
const AFTER_LEASE_MS: i64 = 60_000;

/// A sorted set: tickets by the moment since which they wait; those of one moment by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    since_ms: BTreeMap<TicketId, i64>,
    order: BTreeSet<(i64, TicketId)>,
}

impl Line {
    fn add(&mut self, ticket: TicketId, since_ms: i64) {
        self.remove(ticket);
        self.since_ms.insert(ticket, since_ms);
        self.order.insert((since_ms, ticket));
    }

    fn remove(&mut self, ticket: TicketId) {
        if let Some(since_ms) = self.since_ms.remove(&ticket) {
            self.order.remove(&(since_ms, ticket));
        }
    }

    fn range(&self, first: usize, count: usize) -> impl Iterator<Item = TicketId> {
        self.order.iter().skip(first).take(count).map(|(_, ticket)| *ticket)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, TicketId)> {
        self.order.iter().copied()
    }
}

/// A ticket as it lies in the pool. Ends of insisting: 0 never did, −1 for ever, else the moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lying {
    pub(super) owner: NodeId,
    pub(super) session: Tag,
    pub(super) interests: Vec<Tag>,
    pub(super) languages: Vec<Tag>,
    pub(super) interest_till_ms: i64,
    pub(super) language_till_ms: i64,
    pub(super) made_ms: i64,
    pub(super) recent: Vec<Tag>,
    pub(super) blocked: Vec<Tag>,
    pub(super) leased_till_ms: i64,
}

impl Lying {
    fn of(now_ms: i64, me: NodeId, export: &Export) -> Self {
        Lying {
            owner: me,
            session: export.session,
            interests: export.interests.clone(),
            languages: export.languages.clone(),
            interest_till_ms: end(now_ms, export.insists_on_interest),
            language_till_ms: end(now_ms, export.insists_on_language),
            made_ms: now_ms - millis(export.made),
            recent: export.recent.clone(),
            blocked: export.blocked.clone(),
            leased_till_ms: now_ms + millis(export.lease),
        }
    }

    fn fits(&self, other: &Lying, now_ms: i64) -> bool {
        let insists = |till_ms: i64| till_ms < 0 || till_ms > now_ms;
        let interest = insists(self.interest_till_ms) || insists(other.interest_till_ms);
        let language = insists(self.language_till_ms) || insists(other.language_till_ms);
        other.owner != self.owner
            && !self.blocked.contains(&other.session)
            && !other.blocked.contains(&self.session)
            && (!interest || share(&self.interests, &other.interests))
            && (!language || share(&self.languages, &other.languages))
    }

    fn met(&self, other: &Lying) -> bool {
        self.recent.contains(&other.session) || other.recent.contains(&self.session)
    }
}

fn share(some: &[Tag], others: &[Tag]) -> bool {
    others.iter().any(|tag| some.contains(tag))
}

fn end(now_ms: i64, insists: Insists) -> i64 {
    match insists {
        Insists::No => 0,
        Insists::For(span) => now_ms + millis(span).max(1),
        Insists::Always => -1,
    }
}

type Lines = Keys<Bucket, Line>;
type Tickets = Keys<Bucket, BTreeMap<TicketId, Lying>>;

pub(super) fn claim(
    lines: &mut Lines,
    tickets: &mut Tickets,
    now_ms: i64,
    me: NodeId,
    export: &Export,
) -> Option<Claimed> {
    let bucket = export.bucket;
    let own = Lying::of(now_ms, me, export);
    withdraw(lines, tickets, now_ms, bucket, export.ticket);
    // Who was met lately is second choice, and only after the pause.
    let mut met = None;
    for ticket in look(lines, now_ms, bucket, export.ticket) {
        let other = tickets.get(bucket, now_ms).and_then(|tickets| tickets.get(&ticket));
        match other.filter(|other| other.leased_till_ms >= now_ms) {
            None => {
                withdraw(lines, tickets, now_ms, bucket, ticket);
            }
            Some(other) if own.fits(other, now_ms) => {
                let claimed = Claimed { node: other.owner, ticket };
                if !own.met(other) {
                    withdraw(lines, tickets, now_ms, bucket, ticket);
                    return Some(claimed);
                }
                if met.is_none() && now_ms >= own.made_ms.max(other.made_ms) + millis(export.recent_pause) {
                    met = Some(claimed);
                }
            }
            Some(_) => {}
        }
    }
    if let Some(claimed) = met {
        withdraw(lines, tickets, now_ms, bucket, claimed.ticket);
        return Some(claimed);
    }
    lines.make(bucket, now_ms).add(export.ticket, now_ms - millis(export.waited));
    tickets.make(bucket, now_ms).insert(export.ticket, own);
    let ttl_ms = millis(export.lease) + AFTER_LEASE_MS;
    lines.expire(bucket, now_ms, ttl_ms);
    tickets.expire(bucket, now_ms, ttl_ms);
    None
}

/// The oldest, and a few from somewhere behind them.
fn look(lines: &Lines, now_ms: i64, bucket: Bucket, ticket: TicketId) -> Vec<TicketId> {
    let Some(line) = lines.get(bucket, now_ms) else { return Vec::new() };
    let mut seen: Vec<TicketId> = line.range(0, SCAN).collect();
    if let Some(behind) = line.order.len().checked_sub(SCAN).filter(|behind| *behind > 0) {
        let first = SCAN + (ticket.0 >> 32) as usize % behind;
        seen.extend(line.range(first, SCAN));
    }
    seen
}

pub(super) fn withdraw(
    lines: &mut Lines,
    tickets: &mut Tickets,
    now_ms: i64,
    bucket: Bucket,
    ticket: TicketId,
) -> bool {
    if let Some(line) = lines.get_mut(bucket, now_ms) {
        line.remove(ticket);
        if line.order.is_empty() {
            lines.remove(bucket);
        }
    }
    let Some(lying) = tickets.get_mut(bucket, now_ms) else { return false };
    let lay_there = lying.remove(&ticket).is_some();
    if lying.is_empty() {
        tickets.remove(bucket);
    }
    lay_there
}
