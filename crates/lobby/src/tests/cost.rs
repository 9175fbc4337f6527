//! The cost of an arrival: how many tickets a search looks at does not depend on how many wait.

use super::key;
use crate::ids::ConnectionId;
use crate::{Config, Input, Limiting, Lobby, Output, Outputs, Span, Time};
use visavis_protocol::{
    Block, ClientMessage, FindPartner, Kind, MatchId, Pin, SearchMessage, ServerMessage, SessionMessage,
};

/// Arrivals that are measured, whatever the size of the crowd.
const ARRIVALS: u64 = 500;

struct Crowd {
    lobby: Lobby,
    now: Time,
    outputs: Outputs,
    people: u64,
}

impl Crowd {
    /// So many people wait, none of whom fits another.
    fn waiting(people: u64, wishes: fn(u64) -> FindPartner) -> Self {
        let lobby = Lobby::new(Config::default(), key(1));
        let mut crowd = Crowd { lobby, now: Time::ZERO, outputs: Outputs::new(), people: 0 };
        for n in 0..people {
            assert_eq!(crowd.arrive(wishes(n)), 0, "they must not fit");
        }
        crowd
    }

    /// How many were matched by this arrival.
    fn arrive(&mut self, wishes: FindPartner) -> usize {
        let connection = ConnectionId(self.people);
        self.people += 1;
        self.now = self.now + Span::from_micros(1);
        let message = ClientMessage::Search(SearchMessage::FindPartner(wishes));
        for input in [
            Input::Opened { connection, limiting: Limiting::Exempt },
            Input::Received { connection, message },
        ] {
            self.lobby.handle(self.now, input, &mut self.outputs);
        }
        self.matched()
    }

    /// A new visitor, who does nothing yet.
    fn open(&mut self) -> ConnectionId {
        let connection = ConnectionId(self.people);
        self.people += 1;
        let input = Input::Opened { connection, limiting: Limiting::Exempt };
        self.lobby.handle(self.now, input, &mut self.outputs);
        connection
    }

    /// The match that follows from this, if one does.
    fn say(&mut self, connection: ConnectionId, message: ClientMessage) -> Option<MatchId> {
        self.now = self.now + Span::from_micros(1);
        self.lobby.handle(self.now, Input::Received { connection, message }, &mut self.outputs);
        let found = |output| match output {
            Output::Send { message: ServerMessage::PartnerFound(found), .. } => Some(found.match_id),
            _ => None,
        };
        self.outputs.drain().filter_map(found).last()
    }

    /// These two meet, and the first blocks the other.
    fn block(&mut self, blocker: ConnectionId, blocked: ConnectionId) {
        let search = || ClientMessage::Search(SearchMessage::FindPartner(FindPartner::anyone(Kind::Text)));
        assert_eq!(self.say(blocker, search()), None);
        let match_id = self.say(blocked, search()).expect("nobody else is there");
        self.say(blocker, ClientMessage::Session(SessionMessage::Block(Block { match_id })));
    }

    fn matched(&mut self) -> usize {
        let found =
            |output: &Output| matches!(output, Output::Send { message: ServerMessage::PartnerFound(_), .. });
        self.outputs.drain().filter(found).count()
    }

    /// Lets time pass with all its timers.
    fn advance(&mut self, span: Span) {
        let until = self.now + span;
        while let Some((at, _)) = self.lobby.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.lobby.handle(self.now, Input::Timeout, &mut self.outputs);
            assert_eq!(self.matched(), 0, "they must not fit, however long they wait");
        }
        self.now = until;
    }

    fn probes(&self) -> u64 {
        self.lobby.counters().probes
    }
}

/// Nobody shares an interest, and everybody insists on one.
fn own_interest(n: u64) -> FindPartner {
    FindPartner {
        interests: vec![format!("interest {n}")],
        pin: vec![Pin::Interests],
        ..FindPartner::anyone(Kind::Video)
    }
}

/// Everybody wishes the same interest, which relaxes, and nobody shares a language.
fn own_language(n: u64) -> FindPartner {
    FindPartner {
        interests: vec!["music".into(), format!("interest {n}")],
        languages: vec![language(n)],
        pin: vec![Pin::Language],
        ..FindPartner::anyone(Kind::Video)
    }
}

/// As many wishes as are allowed, all of them one's own.
fn many_wishes(n: u64) -> FindPartner {
    FindPartner {
        interests: (0..10).map(|i| format!("interest {}", 10 * n + i)).collect(),
        languages: (0..5).map(|l| language(5 * n + l)).collect(),
        pin: vec![Pin::Language],
        ..FindPartner::anyone(Kind::Video)
    }
}

/// A tag of its own for every number, in the shape of a language.
fn language(n: u64) -> String {
    let letter = |place: u32| char::from(b'a' + (n / 26_u64.pow(place) % 26) as u8);
    (0..6).map(letter).collect()
}

/// Probes of arrivals that match, of arrivals that do not, and of timers per ticket; each the most that one of them cost.
fn costs(people: u64, wishes: fn(u64) -> FindPartner) -> [u64; 3] {
    let mut crowd = Crowd::waiting(people, wishes);
    let before = crowd.probes();
    crowd.advance(Span::from_millis(3_500));
    let timers = (crowd.probes() - before).div_ceil(people);
    let (mut matching, mut waiting) = (0, 0);
    for n in 0..ARRIVALS {
        let before = crowd.probes();
        assert_eq!(crowd.arrive(wishes(n * (people / ARRIVALS))), 2);
        matching = matching.max(crowd.probes() - before);
        let before = crowd.probes();
        assert_eq!(crowd.arrive(wishes(people + n)), 0);
        waiting = waiting.max(crowd.probes() - before);
    }
    [matching, waiting, timers]
}

fn assert_constant(wishes: fn(u64) -> FindPartner, at_most: u64, crowds: &[u64]) {
    let of_each: Vec<[u64; 3]> = crowds.iter().map(|people| costs(*people, wishes)).collect();
    for cost in &of_each {
        assert_eq!(cost, &of_each[0], "the cost changes with the crowd: {of_each:?}");
        assert!(cost.iter().all(|probes| *probes <= at_most), "matching, waiting, timers: {of_each:?}");
    }
}

#[test]
fn probes_per_arrival_do_not_grow_with_the_crowd() {
    assert_constant(own_interest, 2, &[1_000, 10_000, 100_000]);
    assert_constant(own_language, 2, &[1_000, 10_000, 100_000]);
}

#[test]
fn probes_per_arrival_do_not_grow_with_the_crowd_however_much_is_wished() {
    // The one that fits stands on the shelf of every pair of its wishes: ten interests by five languages.
    assert_constant(many_wishes, 50, &[1_000, 10_000]);
}

/// Strangers of whom everybody has blocked everybody else, and the seeker: all of them can wait at once.
fn cost_of_meeting_blockers(others: u64) -> u64 {
    const HOSTILE: usize = 201;
    let mut crowd = Crowd::waiting(others, |n| FindPartner { kind: Kind::Text, ..own_interest(n) });
    let seeker = crowd.open();
    let hostile: Vec<ConnectionId> = (0..HOSTILE).map(|_| crowd.open()).collect();
    for (place, blocker) in hostile.iter().enumerate() {
        for ahead in 1..=HOSTILE / 2 {
            crowd.block(*blocker, hostile[(place + ahead) % HOSTILE]);
        }
        crowd.block(*blocker, seeker);
    }
    let search = || ClientMessage::Search(SearchMessage::FindPartner(FindPartner::anyone(Kind::Text)));
    for blocker in &hostile {
        assert_eq!(crowd.say(*blocker, search()), None, "they know each other");
    }
    let before = crowd.probes();
    assert_eq!(crowd.say(seeker, search()), None, "all of them blocked the seeker");
    let cost = crowd.probes() - before;
    // Whoever does not know all of them finds one at once, so there can be no more of them than one can know.
    let before = crowd.probes();
    let newcomer = crowd.open();
    assert!(crowd.say(newcomer, search()).is_some());
    assert_eq!(crowd.probes() - before, 1);
    cost
}

#[test]
fn however_many_wait_a_search_passes_only_those_who_know_each_other_and_the_seeker() {
    let costs = [1_000, 100_000].map(cost_of_meeting_blockers);
    assert_eq!(costs, [201, 201]);
}

#[test]
#[ignore = "takes gigabytes and minutes: for a deliberate run"]
fn probes_per_arrival_do_not_grow_up_to_a_million() {
    assert_constant(own_interest, 2, &[1_000, 1_000_000]);
    assert_constant(own_language, 2, &[1_000, 1_000_000]);
}
