//! Watches a lobby from outside, as its clients together see it, and fails when what they are told does not add up.

use crate::ids::ConnectionId;
use crate::{Config, Ending, Gauges, Input, Output, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use visavis_protocol::{
    Block, ClientMessage, FindPartner, Kind, LeftReason, MatchId, Mode, Next, Offer, PartnerFound, Pin,
    SearchMessage, ServerMessage, SessionMessage, SignalMessage, TicketOffer,
};

#[derive(Default)]
pub(crate) struct Observer {
    config: Config,
    now: Time,
    clients: BTreeMap<ConnectionId, Client>,
    meetings: BTreeMap<MatchId, Meeting>,
    /// Who sent which waiting offer, and when.
    offers: BTreeMap<String, (ConnectionId, Time)>,
    shown: BTreeSet<String>,
    blocked: BTreeSet<(ConnectionId, ConnectionId)>,
    /// How often each kind of thing was seen.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Client {
    wishes: Option<FindPartner>,
    searching: bool,
    present: Option<MatchId>,
    last: Option<MatchId>,
    recent: VecDeque<ConnectionId>,
}

struct Meeting {
    sides: Vec<(ConnectionId, PartnerFound)>,
    ended: Option<Time>,
}

impl Meeting {
    fn other(&self, one: ConnectionId) -> ConnectionId {
        self.sides.iter().map(|(side, _)| *side).find(|side| *side != one).expect("two sides")
    }
}

/// What an input does to its sender's match, and which reason the partner is told.
type Leavers = BTreeMap<ConnectionId, LeftReason>;

impl Observer {
    pub(crate) fn new(config: Config) -> Self {
        Observer { config, ..Observer::default() }
    }

    pub(crate) fn present_match(&self, connection: ConnectionId) -> Option<MatchId> {
        self.clients.get(&connection)?.present
    }

    /// One input and all that came of it. `now` is the latest time told so far.
    pub(crate) fn saw(&mut self, now: Time, input: &Input, outputs: &[Output]) {
        self.now = now;
        let sender = match input {
            Input::Opened { connection, .. } => {
                self.clients.insert(*connection, Client::default());
                Some(*connection)
            }
            Input::Received { connection, .. }
            | Input::Malformed { connection, .. }
            | Input::Alive { connection, .. }
            | Input::Closed { connection, .. } => Some(*connection),
            Input::Drain { .. } | Input::Cluster(_) | Input::Timeout => None,
        };
        let refused = outputs.iter().any(|output| {
            matches!(output, Output::Send { connection, message: ServerMessage::Error { .. } } if Some(*connection) == sender)
        });
        let mut leavers = if refused { Leavers::new() } else { self.foresee(input) };
        for (index, output) in outputs.iter().enumerate() {
            match output {
                Output::Send { connection, message } => {
                    assert!(
                        self.clients.contains_key(connection),
                        "{message:?} to {connection:?}, which is closed"
                    );
                    self.hears(*connection, message, input, &leavers);
                    if matches!(message, ServerMessage::Stopped { .. }) {
                        let later = |output: &Output| matches!(output, Output::Send { connection: to, .. } if to == connection);
                        assert!(!outputs.iter().skip(index + 1).any(later), "stopped comes last");
                    }
                }
                Output::Ping { connection, .. } => assert!(self.clients.contains_key(connection)),
                Output::Cluster(request) => panic!("{request:?} of a lobby that is alone"),
                Output::Close { connection, .. } => {
                    self.note("cut");
                    assert!(self.clients.contains_key(connection), "closed twice");
                    leavers.insert(*connection, LeftReason::Lost);
                    self.goes(*connection);
                }
            }
        }
        for leaver in leavers.keys() {
            let present = self.clients.get(leaver).and_then(|client| client.present);
            let told_of_another = present.is_some_and(|id| self.meetings[&id].ended.is_none());
            let may_search_on = matches!(
                input,
                Input::Received {
                    message: ClientMessage::Search(SearchMessage::Next(_) | SearchMessage::FindPartner(_)),
                    ..
                }
            );
            assert!(!told_of_another || may_search_on, "{leaver:?} left and is still in a match");
        }
        for id in self.clients.values().filter_map(|client| client.present) {
            assert_eq!(self.meetings[&id].sides.len(), 2, "{id:?} was told to one side only");
        }
    }

    /// Whether the gauges are what the clients know.
    pub(crate) fn agrees_with(&self, gauges: Gauges) {
        let mut known = Gauges { sessions: self.clients.len(), ..Gauges::default() };
        let mut seats = Gauges::default();
        for client in self.clients.values() {
            let Some(kind) = client.wishes.as_ref().map(|wishes| wishes.kind) else { continue };
            match client.present {
                Some(_) => *seats.matches.of(kind) += 1,
                None => *known.waiting.of(kind) += usize::from(client.searching),
            }
        }
        for kind in [Kind::Video, Kind::Audio, Kind::Text] {
            assert_eq!(*seats.matches.of(kind) % 2, 0, "a seat without its other side");
            *known.matches.of(kind) = *seats.matches.of(kind) / 2;
        }
        assert_eq!(gauges, known);
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// What follows from an input that is not refused, before anybody hears of it.
    fn foresee(&mut self, input: &Input) -> Leavers {
        let (connection, message) = match input {
            Input::Received { connection, message } => (*connection, message),
            Input::Closed { connection, ending } => {
                let reason = match ending {
                    Ending::CloseFrame => LeftReason::Closed,
                    Ending::Broken => LeftReason::Lost,
                };
                let known = self.clients.contains_key(connection);
                self.goes(*connection);
                return if known { Leavers::from([(*connection, reason)]) } else { Leavers::new() };
            }
            Input::Opened { .. }
            | Input::Malformed { .. }
            | Input::Alive { .. }
            | Input::Drain { .. }
            | Input::Cluster(_)
            | Input::Timeout => {
                return Leavers::new();
            }
        };
        let now = self.now;
        let Some(client) = self.clients.get_mut(&connection) else { return Leavers::new() };
        let leaves = match message {
            ClientMessage::Search(SearchMessage::FindPartner(wanted)) => {
                client.wishes = Some(wanted.clone());
                client.searching = true;
                Some(LeftReason::Next)
            }
            ClientMessage::Search(SearchMessage::Next(Next { match_id, .. }))
                if match_id.is_none() || *match_id == client.present =>
            {
                client.searching = true;
                Some(LeftReason::Next)
            }
            ClientMessage::Search(SearchMessage::Stop(_)) => {
                client.searching = false;
                Some(LeftReason::Stop)
            }
            ClientMessage::Session(SessionMessage::Block(Block { match_id }))
                if [client.present, client.last].contains(&Some(*match_id)) =>
            {
                let present = client.present;
                let partner = self.meetings[match_id].other(connection);
                self.blocked.extend([(connection, partner), (partner, connection)]);
                let ends = present.is_some_and(|id| self.meetings[&id].other(connection) == partner);
                if let Some(client) = self.clients.get_mut(&connection).filter(|_| ends) {
                    client.searching = false;
                }
                // Who was blocked hears a kinder word.
                ends.then_some(LeftReason::Next)
            }
            _ => None,
        };
        if let ClientMessage::Search(
            SearchMessage::FindPartner(FindPartner { offer: Some(Offer { sdp }), .. })
            | SearchMessage::Next(Next { offer: Some(Offer { sdp }), .. })
            | SearchMessage::TicketOffer(TicketOffer { sdp }),
        ) = message
        {
            self.offers.insert(sdp.reveal_json().to_owned(), (connection, now));
        }
        let Some(reason) = leaves else { return Leavers::new() };
        if let Some(id) = self.clients.get_mut(&connection).and_then(|client| client.present.take()) {
            self.clients.entry(connection).and_modify(|client| client.last = Some(id));
            self.remember(id, connection);
            return Leavers::from([(connection, reason)]);
        }
        Leavers::new()
    }

    fn goes(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
    }

    /// `mine` and its partner of this match are recent to `mine` from now on.
    fn remember(&mut self, id: MatchId, mine: ConnectionId) {
        let partner = self.meetings[&id].other(mine);
        let keep = self.config.recent_partners;
        if let Some(client) = self.clients.get_mut(&mine) {
            client.recent.retain(|known| *known != partner);
            client.recent.push_front(partner);
            client.recent.truncate(keep);
        }
    }

    fn hears(&mut self, to: ConnectionId, message: &ServerMessage, input: &Input, leavers: &Leavers) {
        let sent = match input {
            Input::Received { connection, message } => Some((*connection, message)),
            _ => None,
        };
        match message {
            ServerMessage::Welcome { .. } => {
                assert!(
                    matches!(sent, Some((from, ClientMessage::Session(SessionMessage::Hello(_)))) if from == to)
                );
            }
            ServerMessage::Stopped { .. } => {
                assert!(
                    matches!(sent, Some((from, ClientMessage::Search(SearchMessage::Stop(_)))) if from == to)
                );
            }
            ServerMessage::Error { code, .. } => {
                self.note(code.as_str());
                let to_blame = match input {
                    Input::Received { connection, .. } | Input::Malformed { connection, .. } => *connection,
                    other => panic!("nobody is to blame for {other:?}"),
                };
                assert_eq!(to_blame, to);
            }
            ServerMessage::Waiting { .. } => {
                self.note("waiting");
                let client = &self.clients[&to];
                assert!(client.searching && client.present.is_none(), "{to:?} waits unasked");
            }
            ServerMessage::PartnerFound(found) => self.finds(to, found),
            ServerMessage::PartnerLeft { match_id, reason, requeued, .. } => {
                self.survives(to, *match_id, *reason, *requeued, leavers);
            }
            ServerMessage::Offer { match_id, .. }
            | ServerMessage::Answer { match_id, .. }
            | ServerMessage::IceCandidate { match_id, .. }
            | ServerMessage::Message { match_id, .. }
            | ServerMessage::Typing { match_id, .. } => {
                self.note("signals");
                assert_eq!(self.clients[&to].present, Some(*match_id), "a signal of another match");
                let (from, said) = sent.expect("a signal has a sender");
                assert_eq!(self.clients[&from].present, Some(*match_id));
                assert_eq!(self.meetings[match_id].other(from), to);
                assert!(is_what_was_said(message, said), "{message:?} is not {said:?}");
                assert!(named_in(said).is_none_or(|named| named == *match_id), "it named another match");
            }
            ServerMessage::Blocked { .. } => {
                self.note("blocked");
                let blocker = matches!(sent, Some((from, ClientMessage::Session(SessionMessage::Block(_)))) if from == to);
                assert!(blocker, "{to:?} has blocked nobody");
            }
            other => panic!("{other:?} is not sent by a lobby"),
        }
    }

    fn survives(
        &mut self,
        survivor: ConnectionId,
        id: MatchId,
        reason: LeftReason,
        requeued: bool,
        leavers: &Leavers,
    ) {
        self.note(reason.as_str());
        let client = self.clients.get_mut(&survivor).expect("open");
        assert_eq!(client.present.take(), Some(id), "partner_left of another match, or before partner_found");
        client.last = Some(id);
        client.searching = requeued;
        assert_eq!(
            Some(requeued),
            client.wishes.as_ref().map(|wishes| wishes.requeue),
            "requeued tells a lie"
        );
        self.remember(id, survivor);
        let meeting = self.meetings.get_mut(&id).expect("known");
        assert_eq!(meeting.ended, None, "partner_left twice");
        meeting.ended = Some(self.now);
        assert_eq!(leavers.get(&meeting.other(survivor)), Some(&reason), "nobody left for this reason");
    }

    fn finds(&mut self, to: ConnectionId, found: &PartnerFound) {
        let id = found.match_id;
        let client = self.clients.get_mut(&to).expect("open");
        assert!(client.searching, "{to:?} was matched unasked");
        assert_eq!(client.present.replace(id), None, "{to:?} is in two matches");
        let meeting = self.meetings.entry(id).or_insert(Meeting { sides: Vec::new(), ended: None });
        meeting.sides.push((to, found.clone()));
        assert!(meeting.sides.len() <= 2 && meeting.ended.is_none(), "{id:?} was used before");
        if let [(one, first), (other, second)] = meeting.sides.as_slice() {
            let ((one, first), (other, second)) = ((*one, first.clone()), (*other, second.clone()));
            self.judge((one, &first), (other, &second));
        }
    }

    /// Both sides of a match were told: does it fit, and do both tell the same?
    fn judge(&mut self, one: (ConnectionId, &PartnerFound), other: (ConnectionId, &PartnerFound)) {
        assert_ne!(one.0, other.0);
        assert!(one.1.initiator != other.1.initiator, "exactly one initiates");
        assert_eq!(one.1.mode, other.1.mode);
        assert_eq!(one.1.shared_interests, other.1.shared_interests);
        assert_eq!(one.1.language, other.1.language);
        let (initiator, responder) = if one.1.initiator { (one, other) } else { (other, one) };
        assert_eq!(initiator.1.offer, None, "its own offer comes back to nobody");
        assert_eq!(responder.1.offer.is_some(), responder.1.mode == Mode::AnswerOffer);
        if let Some(Offer { sdp }) = &responder.1.offer {
            self.note("offers shown");
            let (owner, sent) = self.offers[sdp.reveal_json()];
            assert_eq!(owner, initiator.0, "the offer is the initiator's");
            assert!(self.now < sent + self.config.offer_ttl, "an expired offer was shown");
            assert!(self.shown.insert(sdp.reveal_json().to_owned()), "an offer was shown twice");
        }
        let wishes = |side: ConnectionId| self.clients[&side].wishes.clone().expect("searched");
        let (mine, theirs) = (wishes(one.0), wishes(other.0));
        assert_eq!((mine.kind, &mine.pool), (theirs.kind, &theirs.pool));
        assert_eq!(one.1.mode == Mode::Text, mine.kind == Kind::Text);
        let shared: BTreeSet<_> = mine.interests.iter().filter(|i| theirs.interests.contains(i)).collect();
        assert_eq!(one.1.shared_interests.iter().collect::<BTreeSet<_>>(), shared);
        for side in [&mine, &theirs] {
            let insists = side.pin.contains(&Pin::Interests) && !side.interests.is_empty();
            assert!(!insists || !shared.is_empty(), "a pinned interest was relaxed");
            let insists = side.pin.contains(&Pin::Language) && !side.languages.is_empty();
            assert!(!insists || one.1.language.is_some(), "a pinned language was relaxed");
        }
        assert!(!self.blocked.contains(&(one.0, other.0)), "a blocked pair met");
        let recent = |a, b| self.clients[&a].recent.contains(&b);
        if recent(one.0, other.0) || recent(other.0, one.0) {
            let pair = BTreeSet::from([one.0, other.0]);
            let of_pair = |meeting: &&Meeting| meeting.sides.iter().all(|(side, _)| pair.contains(side));
            let ended = self.meetings.values().filter(of_pair).filter_map(|meeting| meeting.ended).max();
            let pause_over = ended.is_some_and(|at| self.now >= at + self.config.recent_pause);
            assert!(pause_over, "recent partners met again at once");
            self.note("met again");
        }
        self.note(match one.1.mode {
            Mode::Negotiate => "negotiate",
            Mode::AnswerOffer => "answer_offer",
            Mode::Text => "text",
        });
        if !shared.is_empty() {
            self.note("shared interests");
        }
    }
}

fn is_what_was_said(told: &ServerMessage, said: &ClientMessage) -> bool {
    match (told, said) {
        (ServerMessage::Offer { sdp, .. }, ClientMessage::Signal(SignalMessage::Offer(signal))) => {
            *sdp == signal.sdp
        }
        (ServerMessage::Answer { sdp, .. }, ClientMessage::Signal(SignalMessage::Answer(signal))) => {
            *sdp == signal.sdp
        }
        (
            ServerMessage::IceCandidate { candidate, .. },
            ClientMessage::Signal(SignalMessage::IceCandidate(signal)),
        ) => *candidate == signal.candidate,
        (ServerMessage::Message { text, .. }, ClientMessage::Signal(SignalMessage::Message(signal))) => {
            *text == signal.text
        }
        (ServerMessage::Typing { on, .. }, ClientMessage::Signal(SignalMessage::Typing(signal))) => {
            *on == signal.on
        }
        _ => false,
    }
}

fn named_in(said: &ClientMessage) -> Option<MatchId> {
    match said {
        ClientMessage::Signal(SignalMessage::Offer(signal) | SignalMessage::Answer(signal)) => {
            signal.match_id
        }
        ClientMessage::Signal(SignalMessage::IceCandidate(signal)) => signal.match_id,
        ClientMessage::Signal(SignalMessage::Message(signal)) => signal.match_id,
        ClientMessage::Signal(SignalMessage::Typing(signal)) => signal.match_id,
        _ => None,
    }
}
