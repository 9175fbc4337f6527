//! What a visitor costs the lobby: bytes that stay, and allocations, which are most of what CPU it takes beside reading.
//!
//! Counted, not timed, so the figures are the same on every machine with 64-bit pointers. A bound that is passed is either a
//! mistake or a decision: then it is raised here, with the reason in the commit.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use visavis_lobby::{
    Config, ConnectionId, Input, Limiting, Lobby, LobbyKey, Output, Outputs, Receipts, SessionSecret, Span,
    Time,
};
use visavis_protocol::{
    Candidate, ClientMessage, FindPartner, Hello, IceCandidate, Kind, MatchId, Next, Offer, Sdp,
    SearchMessage, ServerMessage, SessionMessage, Signal, SignalMessage,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const VISITORS: u64 = 4_000;

struct House {
    lobby: Lobby,
    now: Time,
    outputs: Outputs,
}

/// For one visitor.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Cost {
    /// Since the house was empty.
    bytes: usize,
    /// In this step.
    allocations: usize,
}

impl House {
    fn open(&mut self, connection: ConnectionId) {
        self.lobby.handle(
            self.now,
            Input::Opened { connection, limiting: Limiting::Exempt },
            &mut self.outputs,
        );
    }

    /// The matches that this made, for both sides.
    fn say(
        &mut self,
        connection: ConnectionId,
        message: ClientMessage,
    ) -> Vec<(ConnectionId, MatchId, bool)> {
        self.lobby.handle(self.now, Input::Received { connection, message }, &mut self.outputs);
        let found = |output| match output {
            Output::Send { connection, message: ServerMessage::PartnerFound(found) } => {
                Some((connection, found.match_id, found.initiator))
            }
            _ => None,
        };
        self.outputs.drain().filter_map(found).collect()
    }

    /// Everybody looks for somebody, and the handshakes of those who met.
    fn meet(&mut self, search: impl Fn() -> ClientMessage) {
        // The latest match of each: whoever is left goes back to the line, and may be found once more.
        let mut found = BTreeMap::new();
        for n in 0..VISITORS {
            for (connection, match_id, initiator) in self.say(ConnectionId(n), search()) {
                found.insert(connection, (match_id, initiator));
            }
        }
        assert_eq!(found.len() as u64, VISITORS, "everybody found somebody");
        for (connection, (match_id, initiator)) in found {
            let match_id = Some(match_id);
            if !initiator {
                self.say(
                    connection,
                    ClientMessage::Signal(SignalMessage::Answer(Signal { match_id, sdp: description() })),
                );
            }
            self.say(
                connection,
                ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                    match_id,
                    candidate: candidates(),
                })),
            );
        }
    }

    /// Lets time pass; whoever is pinged answers.
    fn pass(&mut self, span: Span) {
        self.now = self.now + span;
        while self.lobby.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.lobby.handle(self.now, Input::Timeout, &mut self.outputs);
            let pings: Vec<Output> = self.outputs.drain().collect();
            for ping in pings {
                if let Output::Ping { connection, mark } = ping {
                    self.lobby.handle(
                        self.now,
                        Input::Alive { connection, mark: Some(mark) },
                        &mut self.outputs,
                    );
                }
            }
        }
    }
}

fn description() -> Sdp {
    Sdp::from_text(&"a=candidate\r\n".repeat(128)).expect("a text")
}

fn candidates() -> Candidate {
    let one = format!("{{\"candidate\":\"{}\"}}", "x".repeat(130));
    Candidate::from_json(format!("[{}]", vec![one; 4].join(","))).expect("JSON")
}

fn offer() -> Option<Offer> {
    Some(Offer { sdp: description() })
}

#[test]
fn a_visitor_costs_no_more_memory_and_allocations_than_it_did() {
    let config = Config {
        session_secrets: vec![SessionSecret([3; 32])],
        receipts: Some(Receipts::new(&[SessionSecret([3; 32])])),
        admission_rate: 1_000_000,
        ..Config::default()
    };
    let lobby = Lobby::new(config, LobbyKey::new([7; 32]));
    // As the server's clock stands: times are written into tokens.
    let mut house = House { lobby, now: Time::from_micros(1_700_000_000_000_000), outputs: Outputs::new() };
    let region = Region::new(ALLOCATOR);
    let mut before = 0;
    let mut costs: Vec<(&str, Cost, Cost)> = Vec::with_capacity(16);
    let mut note = |step, bytes, allocations| {
        let stats = region.change();
        let live = stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
        let calls = stats.allocations + stats.reallocations;
        let of_each = |amount: usize| amount / VISITORS as usize;
        let cost = Cost { bytes: of_each(live), allocations: of_each(calls - before) };
        before = calls;
        costs.push((step, cost, Cost { bytes, allocations }));
    };

    for n in 0..VISITORS {
        house.open(ConnectionId(n));
    }
    note("connected", 365, 0);
    for n in 0..VISITORS {
        house.say(ConnectionId(n), ClientMessage::Session(SessionMessage::Hello(Hello::plain())));
    }
    note("greeted", 475, 3);
    house.meet(|| {
        let anyone = FindPartner::anyone(Kind::Video);
        ClientMessage::Search(SearchMessage::FindPartner(FindPartner {
            offer: offer(),
            requeue: true,
            ..anyone
        }))
    });
    note("after a handshake", 3_750, 41);
    house.pass(Span::from_secs(6));
    note("in a call", 760, 0);
    house.meet(|| ClientMessage::Search(SearchMessage::Next(Next { offer: offer(), ..Next::default() })));
    note("after the next handshake", 4_060, 63);
    house.pass(Span::from_secs(6));
    note("in the next call", 935, 0);

    for (step, cost, bound) in &costs {
        assert!(
            cost.bytes <= bound.bytes && cost.allocations <= bound.allocations,
            "{step}: {cost:?}\n{costs:#?}"
        );
    }
}
