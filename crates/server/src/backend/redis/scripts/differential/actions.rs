//! What nodes do, drawn from a seed: of few nodes, tickets and sessions, so that they come across each other all the time.

use super::super::super::super::Census;
use visavis_lobby::{Bucket, ConnectionId, Export, Insists, NodeId, Request, Seat, Span, Tag, TicketId};
use visavis_protocol::{Kind, MatchId};
use visavis_sim::Prng;

/// Subscriptions at a time.
pub(super) const EARS: usize = 3;

/// Who says what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The test.
    Set,
    /// The machine.
    True,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Ask { node: NodeId, request: Request },
    Beat { node: NodeId, lease_ms: u64, census: Census },
    Leave { node: NodeId },
    Pass(u64),
    Listen { ear: usize, node: NodeId },
    Deafen { ear: usize },
    Publish { node: NodeId },
}

/// The longest sequence, but for what fills the pool before.
const MOST: u64 = 90;

/// The same seed, the same sequence.
pub(super) fn sequence(seed: u64) -> Vec<Action> {
    let mut draw = Draw(Prng::new(seed));
    let mut actions = Vec::new();
    if draw.once_in(6) {
        draw.fill_the_pool(&mut actions);
    }
    let count = draw.below(MOST);
    actions.extend((0..count).map(|_| draw.action()));
    actions
}

/// By the machine's own clock: half of what is left there has ended after the pause, half has not.
pub(super) fn across_a_deadline() -> Vec<Action> {
    const SOON_MS: u64 = 1_200;
    const LATE_MS: u64 = 600_000;
    let (soon, late) = (Span::from_millis(SOON_MS), Span::from_millis(LATE_MS));
    let [here, _, there, _] = NODES;
    let plain = |kind, ticket, lease| Export {
        bucket: Bucket { kind, pool: Tag(5) },
        ticket: TicketId(ticket),
        session: Tag(ticket),
        interests: vec![Tag(1)],
        languages: Vec::new(),
        insists_on_interest: Insists::No,
        insists_on_language: Insists::No,
        waited: Span::from_secs(1_000 - ticket),
        made: Span::ZERO,
        recent_pause: soon,
        recent: Vec::new(),
        blocked: Vec::new(),
        lease,
    };
    let ask = |node, request| Action::Ask { node, request };
    let claim = |node, export| ask(node, Request::Claim(Box::new(export)));
    let beat = |node, lease_ms| Action::Beat { node, lease_ms, census: Census::default() };
    let note = |session, ttl| {
        ask(here, Request::Note { session: Tag(session), generation: 3, kept: Some("sealed".into()), ttl })
    };
    let mark = |session| {
        let (connection, session) = (ConnectionId(1), Tag(session));
        ask(there, Request::Mark { connection, session, generation: 2, ttl: late })
    };
    let meet = |node, id, side, ttl| ask(node, Request::Meet { match_id: MatchId(id), side, ttl });
    let insisting = Export { insists_on_interest: Insists::For(soon), ..plain(Kind::Audio, 3, late) };
    let other_interest = |ticket| Export { interests: vec![Tag(2)], ..plain(Kind::Audio, ticket, late) };
    let met = |ticket| Export { recent: vec![Tag(6)], ..plain(Kind::Text, ticket, late) };
    vec![
        beat(here, SOON_MS),
        beat(there, LATE_MS),
        claim(here, plain(Kind::Video, 1, soon)),
        claim(here, plain(Kind::Video, 2, late)),
        claim(here, insisting),
        claim(there, other_interest(4)),
        claim(here, plain(Kind::Text, 6, late)),
        claim(there, met(7)),
        note(1, soon),
        note(2, late),
        meet(here, 1, Seat::Initiator, soon),
        meet(here, 2, Seat::Initiator, late),
        Action::Pass(SOON_MS + 100),
        beat(there, LATE_MS),
        claim(there, plain(Kind::Video, 5, late)),
        claim(there, other_interest(4)),
        claim(there, met(7)),
        mark(1),
        mark(2),
        meet(there, 1, Seat::Responder, late),
        meet(there, 2, Seat::Responder, late),
        Action::Leave { node: there },
    ]
}

/// The first two are one node before and after a restart.
const NODES: [NodeId; 4] = [
    NodeId { name: 1, epoch: 1 },
    NodeId { name: 1, epoch: 2 },
    NodeId { name: 0xffff_ffff_ffff_ffff, epoch: 7 },
    NodeId { name: 3, epoch: 0x1_0000_0000 },
];

struct Draw(Prng);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn among<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn action(&mut self) -> Action {
        let node = self.among(&NODES);
        match self.below(32) {
            0..=11 => Action::Ask { node, request: Request::Claim(Box::new(self.export())) },
            12 | 13 => {
                let (bucket, ticket) = (self.bucket(), self.ticket());
                Action::Ask { node, request: Request::Withdraw { bucket, ticket } }
            }
            14 | 15 => {
                let (session, generation, ttl) = (self.session(), self.generation(), self.ttl());
                let connection = ConnectionId(self.below(9));
                Action::Ask { node, request: Request::Mark { connection, session, generation, ttl } }
            }
            16 | 17 => {
                let (session, generation, ttl) = (self.session(), self.generation(), self.ttl());
                let kept = self.among(&[None, Some(""), Some("a"), Some("c2VhbGVk|,{}")]).map(str::to_owned);
                Action::Ask { node, request: Request::Note { session, generation, kept, ttl } }
            }
            18 | 19 => {
                let match_id = MatchId(1 + self.below(3));
                let side = self.among(&[Seat::Initiator, Seat::Responder]);
                let ttl = self.ttl();
                Action::Ask { node, request: Request::Meet { match_id, side, ttl } }
            }
            20 | 21 => {
                let lease_ms = self.lease_ms();
                let mut number = || self.0.below(1_000) as u32;
                let (online, waiting, in_calls) = (number(), number(), number());
                let census = Census { name: "eu-1".into(), online, waiting, in_calls };
                Action::Beat { node, lease_ms, census }
            }
            22 => Action::Leave { node },
            23 => Action::Listen { ear: self.below(EARS as u64) as usize, node },
            24 if self.once_in(3) => Action::Deafen { ear: self.below(EARS as u64) as usize },
            24 => Action::Publish { node },
            _ => Action::Pass(self.among(&[
                1, 1, 1, 2, 20, 299, 500, 999, 1_000, 1_001, 2_500, 29_999, 30_000, 59_999, 60_000, 60_001,
                90_000, 600_000,
            ])),
        }
    }

    /// With tickets of one node that hardly anybody fits, more than a claim looks at; then a few others look for theirs.
    fn fill_the_pool(&mut self, actions: &mut Vec<Action>) {
        let bucket = self.bucket();
        let mut claim = |draw: &mut Self, node: NodeId| {
            let (ticket, picky) = (TicketId(draw.0.next_u64()), !draw.once_in(30));
            let mut export = Export { bucket, ticket, ..draw.export() };
            if picky {
                export.insists_on_interest = Insists::Always;
                export.interests = vec![Tag(99 ^ node.epoch)];
            }
            actions.push(Action::Ask { node, request: Request::Claim(Box::new(export)) });
            if draw.once_in(5) {
                actions.push(Action::Pass(draw.below(3)));
            }
        };
        for _ in 0..90 + self.below(120) {
            claim(self, NODES[0]);
        }
        for node in [NODES[1], NODES[2], NODES[3], NODES[1], NODES[2], NODES[3]] {
            claim(self, node);
        }
    }

    fn export(&mut self) -> Export {
        Export {
            bucket: self.bucket(),
            ticket: self.ticket(),
            session: self.session(),
            interests: self.tags(5),
            languages: self.tags(3),
            insists_on_interest: self.insists(),
            insists_on_language: self.insists(),
            waited: self.span(),
            made: self.span(),
            recent_pause: self.span(),
            recent: self.sessions(),
            blocked: self.sessions(),
            lease: Span::from_millis(self.lease_ms()),
        }
    }

    /// Mostly the first.
    fn bucket(&mut self) -> Bucket {
        let kind = if self.once_in(4) { self.among(&[Kind::Audio, Kind::Text]) } else { Kind::Video };
        Bucket { kind, pool: Tag(if self.once_in(8) { u64::MAX } else { 5 }) }
    }

    fn ticket(&mut self) -> TicketId {
        TicketId(self.below(12).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn session(&mut self) -> Tag {
        Tag(self.below(8))
    }

    /// Now and then all of them.
    fn sessions(&mut self) -> Vec<Tag> {
        if self.once_in(8) {
            return (0..8).map(Tag).collect();
        }
        (0..self.below(4).saturating_sub(1)).map(|_| self.session()).collect()
    }

    fn tags(&mut self, kinds: u64) -> Vec<Tag> {
        (0..self.below(3)).map(|_| Tag(self.below(kinds).wrapping_sub(1))).collect()
    }

    fn generation(&mut self) -> u32 {
        if self.once_in(20) { u32::MAX } else { self.below(5) as u32 }
    }

    fn insists(&mut self) -> Insists {
        match self.below(5) {
            0 => Insists::Always,
            1 => Insists::For(self.span()),
            _ => Insists::No,
        }
    }

    fn lease_ms(&mut self) -> u64 {
        self.among(&[1, 500, 1_000, 2_500, 30_000, 30_000, 120_000])
    }

    fn ttl(&mut self) -> Span {
        Span::from_millis(self.among(&[0, 1, 1_000, 60_000, 60_000, 600_000, 86_400_000]))
    }

    /// Some are no whole number of milliseconds.
    fn span(&mut self) -> Span {
        Span::from_micros(self.among(&[
            0,
            1,
            999,
            1_000,
            1_001,
            20_000,
            500_000,
            999_500,
            30_000_000,
            3_600_000_000,
        ]))
    }
}
