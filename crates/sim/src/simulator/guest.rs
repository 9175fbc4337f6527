//! A visitor of the simulator: does what its script says, and follows the protocol's document through lost sockets, refusals
//! and restarts as a browser with the SDK would.
//!
//! What always holds: it knows only what it was told. It checks nothing; that is the observer's affair.

use super::script::{Action, Micros, Persona, Wish};
use visavis_lobby::ConnectionId;
use visavis_protocol::{
    Block, BlockHandle, Candidate, ChatText, ClientMessage, Connected, DeviceName, ErrorCode, Hello,
    IceCandidate, MatchId, Message, Mode, Next, Offer, Path, Ping, Pong, ResumeToken, Sdp, SearchMessage,
    ServerMessage, SessionMessage, Signal, SignalMessage, Stop, TicketOffer, Typing, Unblock,
};

pub(crate) struct Guest {
    pub(crate) id: u32,
    pub(crate) persona: Persona,
    pub(crate) line: Line,
    /// Whether it wants a stranger.
    pub(crate) searches: bool,
    pub(crate) stand: Stand,
    greeting: Greeting,
    /// Whether this session has searched: `next` repeats the wishes.
    searched: bool,
    token: Option<ResumeToken>,
    used: Vec<ResumeToken>,
    /// Messages since the last `welcome`.
    received: u32,
    pub(crate) last_match: Option<MatchId>,
    /// Of those whom it has blocked. Its page keeps them, whatever becomes of the session.
    blocks: Vec<BlockHandle>,
    serial: u32,
}

/// Its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Away,
    Opening,
    On(ConnectionId),
}

#[derive(Clone, Debug, PartialEq)]
enum Greeting {
    /// Says no `hello`.
    None,
    Asked(Option<ResumeToken>),
    Done,
}

/// What it believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Idle,
    /// A search is under way; perhaps it leaves a match.
    Asked {
        left: Option<MatchId>,
    },
    /// The server said so.
    Waiting,
    Met(MatchId),
    /// The server says that it is in a match, of which it knows nothing.
    Puzzled(MatchId),
    Stopping,
}

/// What it does.
pub(crate) enum Act {
    Say(ClientMessage),
    /// Think of it later.
    Later(Micros, Alarm),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// After a refusal.
    Retry,
    /// Search again, if nothing is going on.
    Again,
    /// Media flows.
    Connected(MatchId),
    /// Still in a match of which nothing is known.
    Puzzled(MatchId),
    /// The server asked it to move.
    Move,
}

impl Guest {
    const MAX_USED: usize = 6;

    pub(crate) fn new(id: u32, persona: Persona) -> Self {
        Guest {
            id,
            persona,
            line: Line::Away,
            searches: false,
            stand: Stand::Idle,
            greeting: Greeting::None,
            searched: false,
            token: None,
            used: Vec::new(),
            received: 0,
            last_match: None,
            blocks: Vec::new(),
            serial: 0,
        }
    }

    pub(crate) fn counts(&self) -> bool {
        self.persona.hello && self.persona.counts
    }

    pub(crate) fn met(&self) -> Option<MatchId> {
        match self.stand {
            Stand::Met(met) | Stand::Puzzled(met) => Some(met),
            Stand::Idle | Stand::Asked { .. } | Stand::Waiting | Stand::Stopping => None,
        }
    }

    /// Its newest token.
    pub(crate) fn token(&self) -> Option<&ResumeToken> {
        self.token.as_ref()
    }

    /// One that it has used, the latest first.
    pub(crate) fn used_token(&self, back: usize) -> Option<&ResumeToken> {
        self.used.iter().rev().nth(back % self.used.len().max(1))
    }

    pub(crate) fn opened(&mut self, connection: ConnectionId, acts: &mut Vec<Act>) {
        self.line = Line::On(connection);
        if self.persona.hello {
            let resume = self.token.take();
            self.greeting = Greeting::Asked(resume);
            self.greet(acts);
        } else {
            self.greeting = Greeting::None;
            self.begin_anew(acts);
        }
    }

    fn greet(&mut self, acts: &mut Vec<Act>) {
        let Greeting::Asked(resume) = &self.greeting else { return };
        if let Some(token) = resume
            && self.used.last() != Some(token)
        {
            self.used.push(token.clone());
            if self.used.len() > Self::MAX_USED {
                self.used.remove(0);
            }
        }
        let received = (resume.is_some() && self.persona.counts).then_some(self.received);
        acts.push(Act::Say(ClientMessage::Session(SessionMessage::Hello(Hello {
            resume: resume.clone(),
            received,
            answers_ping: self.persona.answers,
            device: self.device(),
            blocks: if self.persona.device { self.blocks.clone() } else { Vec::new() },
            ..Hello::plain()
        }))));
    }

    /// What its page calls its device, in every session.
    fn device(&self) -> Option<DeviceName> {
        self.persona.device.then(|| DeviceName(format!("device{:010}", self.id)))
    }

    /// On a session of its own.
    fn begin_anew(&mut self, acts: &mut Vec<Act>) {
        self.searched = false;
        self.received = 0;
        self.stand = Stand::Idle;
        self.last_match = None;
        if self.searches {
            self.search(acts);
        }
    }

    /// Its socket is gone.
    pub(crate) fn lost(&mut self) {
        self.line = Line::Away;
        if let Greeting::Asked(token) = std::mem::replace(&mut self.greeting, Greeting::None) {
            self.token = token;
        }
    }

    /// It leaves for good: the next socket is another session's.
    pub(crate) fn forget(&mut self) {
        self.lost();
        self.searches = false;
        self.stand = Stand::Idle;
        self.searched = false;
        if let Some(token) = self.token.take() {
            self.used.push(token);
        }
    }

    /// Its socket was closed because its session went on in another one: it begins a session anew, with the same wish.
    pub(crate) fn was_superseded(&mut self) {
        let searches = self.searches;
        self.forget();
        self.searches = searches;
    }

    /// Nothing goes wrong any more: it comes back wherever it wants a stranger, after a while. Whether it is away now.
    pub(crate) fn calms_down(&mut self) -> bool {
        self.persona.back_ms = self.persona.back_ms.max(200);
        self.line == Line::Away && self.searches
    }

    fn is_ready(&self) -> bool {
        matches!(self.line, Line::On(_)) && !matches!(self.greeting, Greeting::Asked(_))
    }

    /// Does what a visitor does of its own will; `false` for what befalls it.
    pub(crate) fn does(&mut self, action: &Action, acts: &mut Vec<Act>) -> bool {
        match action {
            Action::Open {} => {}
            Action::Find {} => self.search(acts),
            Action::Wish(wish) => self.wish(wish.clone(), acts),
            Action::Next {} => self.next(false, acts),
            Action::NextBlind {} => self.next(true, acts),
            Action::Stop {} => self.stop(acts),
            Action::Block {} => self.block(self.met(), acts),
            Action::BlockLast {} => self.block(self.last_match, acts),
            Action::Unblock {} => self.unblock(acts),
            Action::Write { messages } => {
                let met = self.met();
                (0..(*messages).clamp(0, 200)).for_each(|_| self.write(met, acts));
            }
            Action::Typing {} => self.typing(acts),
            Action::Ping {} => acts.push(Act::Say(ClientMessage::Session(SessionMessage::Ping(Ping {})))),
            Action::Offer {} => self.renew_offer(acts),
            Action::Connected {} => self.report(acts),
            _ => return false,
        }
        true
    }

    pub(crate) fn search(&mut self, acts: &mut Vec<Act>) {
        self.searches = true;
        if !self.is_ready() {
            return;
        }
        let left = match self.stand {
            Stand::Met(met) | Stand::Puzzled(met) => Some(met),
            Stand::Asked { left } => left,
            Stand::Idle | Stand::Waiting | Stand::Stopping => None,
        };
        let offer = self.offer();
        acts.push(Act::Say(if self.searched && left.is_some() {
            ClientMessage::Search(SearchMessage::Next(Next { match_id: left, offer, ..Next::default() }))
        } else {
            let mut wanted = self.persona.wish.to_message();
            wanted.offer = offer;
            ClientMessage::Search(SearchMessage::FindPartner(wanted))
        }));
        self.stand = Stand::Asked { left };
    }

    pub(crate) fn wish(&mut self, wish: Wish, acts: &mut Vec<Act>) {
        self.persona.wish = wish;
        self.searches = true;
        if self.is_ready() {
            let mut wanted = self.persona.wish.to_message();
            wanted.offer = self.offer();
            acts.push(Act::Say(ClientMessage::Search(SearchMessage::FindPartner(wanted))));
            let left = self.met();
            self.stand = Stand::Asked { left };
        } else if self.stand == Stand::Waiting {
            // The server keeps a place with the wishes of before.
            self.stand = Stand::Idle;
        }
    }

    pub(crate) fn next(&mut self, blind: bool, acts: &mut Vec<Act>) {
        self.searches = true;
        if !self.is_ready() {
            return;
        }
        let met = self.met();
        let offer = self.offer();
        acts.push(Act::Say(ClientMessage::Search(SearchMessage::Next(Next {
            match_id: met.filter(|_| !blind),
            offer,
            ..Next::default()
        }))));
        match self.stand {
            Stand::Met(met) | Stand::Puzzled(met) => self.stand = Stand::Asked { left: Some(met) },
            Stand::Idle | Stand::Stopping => self.stand = Stand::Asked { left: None },
            Stand::Asked { .. } | Stand::Waiting => {}
        }
        if !self.searched {
            // Refused: `next` repeats a search, and there was none.
            acts.push(Act::Later(300_000, Alarm::Again));
            self.stand = Stand::Idle;
        }
    }

    pub(crate) fn stop(&mut self, acts: &mut Vec<Act>) {
        self.searches = false;
        if self.is_ready() {
            acts.push(Act::Say(ClientMessage::Search(SearchMessage::Stop(Stop {}))));
            self.stand = Stand::Stopping;
        }
    }

    pub(crate) fn block(&mut self, named: Option<MatchId>, acts: &mut Vec<Act>) {
        let Some(match_id) = named.filter(|_| self.is_ready()) else { return };
        acts.push(Act::Say(ClientMessage::Session(SessionMessage::Block(Block { match_id }))));
        if self.met() == Some(match_id) || self.stand == (Stand::Asked { left: Some(match_id) }) {
            self.last_match = Some(match_id);
            self.stand = Stand::Idle;
            acts.push(Act::Later(200_000, Alarm::Again));
        }
    }

    /// Takes its latest block back.
    fn unblock(&mut self, acts: &mut Vec<Act>) {
        if self.is_ready()
            && let Some(block) = self.blocks.last().cloned()
        {
            acts.push(Act::Say(ClientMessage::Session(SessionMessage::Unblock(Unblock { block }))));
        }
    }

    pub(crate) fn write(&mut self, named: Option<MatchId>, acts: &mut Vec<Act>) {
        if named.is_some() && self.is_ready() {
            let text = ChatText(self.mark());
            acts.push(Act::Say(ClientMessage::Signal(SignalMessage::Message(Message {
                match_id: named,
                text,
            }))));
        }
    }

    pub(crate) fn typing(&mut self, acts: &mut Vec<Act>) {
        if let Some(met) = self.met().filter(|_| self.is_ready()) {
            acts.push(Act::Say(ClientMessage::Signal(SignalMessage::Typing(Typing {
                match_id: Some(met),
                on: true,
            }))));
        }
    }

    pub(crate) fn renew_offer(&mut self, acts: &mut Vec<Act>) {
        if self.is_ready()
            && let Some(sdp) = self.sdp()
        {
            acts.push(Act::Say(ClientMessage::Search(SearchMessage::TicketOffer(TicketOffer { sdp }))));
        }
    }

    pub(crate) fn report(&mut self, acts: &mut Vec<Act>) {
        if let Some(match_id) = self.met().filter(|_| self.is_ready()) {
            acts.push(Act::Say(ClientMessage::Signal(SignalMessage::Connected(Connected {
                match_id,
                path: Path::Direct,
                elapsed_ms: 312.5,
                local_type: None,
                remote_type: None,
                protocol: None,
                family: None,
            }))));
        }
    }

    /// Something that only this visitor can have said, and only once.
    pub(crate) fn mark(&mut self) -> String {
        self.serial += 1;
        format!("{}.{}", self.id, self.serial)
    }

    pub(crate) fn sdp(&mut self) -> Option<Sdp> {
        let mark = self.mark();
        Sdp::from_text(&mark)
    }

    fn offer(&mut self) -> Option<Offer> {
        if !self.persona.wish.offers {
            return None;
        }
        self.sdp().map(|sdp| Offer { sdp })
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm, acts: &mut Vec<Act>) {
        match alarm {
            Alarm::Retry => {
                if matches!(self.greeting, Greeting::Asked(_)) {
                    return self.greet(acts);
                }
                match self.stand {
                    Stand::Asked { .. } => self.search(acts),
                    Stand::Stopping => self.stop(acts),
                    Stand::Idle if self.searches => self.search(acts),
                    Stand::Idle | Stand::Waiting | Stand::Met(_) | Stand::Puzzled(_) => {}
                }
            }
            Alarm::Again => {
                if self.searches && self.stand == Stand::Idle {
                    self.search(acts);
                }
            }
            Alarm::Connected(met) => {
                if self.stand == Stand::Met(met) {
                    self.report(acts);
                }
            }
            Alarm::Puzzled(met) => {
                if self.stand == Stand::Puzzled(met) {
                    self.search(acts);
                }
            }
            Alarm::Move => {}
        }
    }

    pub(crate) fn hear(&mut self, message: &ServerMessage, acts: &mut Vec<Act>) {
        // What a new socket hears before its welcome is not the session's yet.
        if !matches!(self.greeting, Greeting::Asked(_)) && !message.is_of_the_socket() {
            self.received += 1;
        }
        match message {
            ServerMessage::Welcome { resume_token, resumed, match_id, .. } => {
                self.keep(resume_token.as_ref());
                let greets = matches!(self.greeting, Greeting::Asked(_));
                self.greeting = Greeting::Done;
                self.received = 0;
                match resumed {
                    Some(true) => self.reconcile(*match_id, acts),
                    Some(false) | None => {
                        // A second `hello` on the same socket changes nothing.
                        if greets {
                            self.begin_anew(acts);
                        }
                    }
                }
            }
            ServerMessage::Waiting { resume_token, .. } => {
                self.keep(resume_token.as_ref());
                self.searched = true;
                // Also if it believes itself in a match: its later search, under way when that began, has left it.
                match self.stand {
                    Stand::Stopping => {}
                    _ if self.searches => self.stand = Stand::Waiting,
                    // It had stopped when its socket was away, and nobody has heard that.
                    _ => self.stop(acts),
                }
            }
            ServerMessage::PartnerFound(found) => {
                self.keep(found.resume_token.as_ref());
                self.searched = true;
                if self.stand != Stand::Stopping {
                    self.stand = Stand::Met(found.match_id);
                    self.meet(found.match_id, found.mode, found.initiator, acts);
                }
            }
            ServerMessage::PartnerLeft { match_id, requeued, resume_token, .. } => {
                self.keep(resume_token.as_ref());
                self.is_left(*match_id, *requeued, acts);
            }
            ServerMessage::Stopped { resume_token } => {
                self.keep(resume_token.as_ref());
                // Also if it believes itself in a match: then it hears again of one that it has left.
                match self.stand {
                    Stand::Stopping | Stand::Met(_) => {
                        self.stand = Stand::Idle;
                        if self.searches {
                            self.search(acts);
                        }
                    }
                    // The `waiting` was of the search that it had stopped; a later one has no answer yet.
                    Stand::Waiting if self.searches => self.stand = Stand::Asked { left: None },
                    Stand::Idle | Stand::Waiting | Stand::Asked { .. } | Stand::Puzzled(_) => {}
                }
            }
            ServerMessage::Offer { match_id, .. } => {
                if self.stand == Stand::Met(*match_id) && self.persona.handshake {
                    self.answer(*match_id, acts);
                }
            }
            ServerMessage::Answer { match_id, .. } => {
                if self.stand == Stand::Met(*match_id) && self.persona.handshake {
                    acts.push(Act::Later(120_000, Alarm::Connected(*match_id)));
                }
            }
            ServerMessage::Error { code, retry_after_ms, .. } => match code {
                ErrorCode::TooFast => {
                    let pause = retry_after_ms.unwrap_or(1_000) * 1_000 + 3_000;
                    acts.push(Act::Later(pause, Alarm::Retry));
                }
                ErrorCode::NotSearching => {
                    self.searched = false;
                    acts.push(Act::Later(1_000, Alarm::Again));
                }
                _ => {}
            },
            ServerMessage::Draining { reconnect_after_ms } => {
                acts.push(Act::Later(reconnect_after_ms * 1_000, Alarm::Move));
            }
            ServerMessage::Blocked { match_id, block, resume_token } => {
                self.keep(resume_token.as_ref());
                self.blocks.push(block.clone());
                // Its block crossed a `partner_found` that was said again: it hears of a match that it has left.
                if self.met() == Some(*match_id) {
                    self.is_left(*match_id, false, acts);
                }
            }
            ServerMessage::Unblocked { block, resume_token } => {
                self.keep(resume_token.as_ref());
                self.blocks.retain(|kept| kept != block);
            }
            ServerMessage::Ping {} => {
                acts.push(Act::Say(ClientMessage::Session(SessionMessage::Pong(Pong {}))))
            }
            ServerMessage::Pong { .. }
            | ServerMessage::IceCandidate { .. }
            | ServerMessage::Message { .. }
            | ServerMessage::Typing { .. }
            | ServerMessage::PartnerReconnecting { .. }
            | ServerMessage::PartnerBack { .. } => {}
        }
    }

    fn keep(&mut self, token: Option<&ResumeToken>) {
        if let Some(token) = token {
            self.token = Some(token.clone());
        }
    }

    /// Back in its session: where does the server think that it is?
    fn reconcile(&mut self, met: Option<MatchId>, acts: &mut Vec<Act>) {
        match (self.stand, met) {
            (Stand::Idle, None) if !self.searches => {}
            (_, _) if !self.searches => self.stop(acts),
            (Stand::Met(mine), Some(theirs)) if mine == theirs => {}
            (Stand::Asked { left: Some(left) }, Some(theirs)) if left == theirs => self.search(acts),
            (Stand::Stopping, _) => self.stop(acts),
            (_, Some(theirs)) => {
                self.stand = Stand::Puzzled(theirs);
                acts.push(Act::Later(2_000_000, Alarm::Puzzled(theirs)));
            }
            (Stand::Waiting, None) if self.persona.trusting => {}
            (_, None) => {
                self.stand = Stand::Idle;
                if self.searches {
                    self.search(acts);
                }
            }
        }
    }

    fn meet(&mut self, met: MatchId, mode: Mode, initiator: bool, acts: &mut Vec<Act>) {
        self.last_match = Some(met);
        if !self.persona.handshake {
            return;
        }
        match (mode, initiator) {
            (Mode::Text, _) => self.write(Some(met), acts),
            (Mode::AnswerOffer, false) => self.answer(met, acts),
            (Mode::AnswerOffer, true) => self.send_candidates(met, acts),
            (Mode::Negotiate, true) => {
                if let Some(sdp) = self.sdp() {
                    acts.push(Act::Say(ClientMessage::Signal(SignalMessage::Offer(Signal {
                        match_id: Some(met),
                        sdp,
                    }))));
                }
                self.send_candidates(met, acts);
            }
            (Mode::Negotiate, false) => {}
        }
    }

    fn answer(&mut self, met: MatchId, acts: &mut Vec<Act>) {
        if let Some(sdp) = self.sdp() {
            acts.push(Act::Say(ClientMessage::Signal(SignalMessage::Answer(Signal {
                match_id: Some(met),
                sdp,
            }))));
        }
        self.send_candidates(met, acts);
        acts.push(Act::Later(150_000, Alarm::Connected(met)));
    }

    fn send_candidates(&mut self, met: MatchId, acts: &mut Vec<Act>) {
        let mark = self.mark();
        if let Some(candidate) = Candidate::from_json(format!(r#"{{"candidate":"{mark}"}}"#)) {
            acts.push(Act::Say(ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                match_id: Some(met),
                candidate,
            }))));
        }
    }

    fn is_left(&mut self, met: MatchId, requeued: bool, acts: &mut Vec<Act>) {
        match self.stand {
            Stand::Met(mine) | Stand::Puzzled(mine) if mine == met => {}
            // The stranger was faster: our Next named a match that is over.
            Stand::Asked { left: Some(left) } if left == met => {}
            Stand::Idle
            | Stand::Asked { .. }
            | Stand::Waiting
            | Stand::Met(_)
            | Stand::Puzzled(_)
            | Stand::Stopping => return,
        }
        if requeued {
            self.stand = if self.searches { Stand::Waiting } else { Stand::Idle };
        } else {
            let crossed = matches!(self.stand, Stand::Asked { .. });
            self.stand = Stand::Idle;
            if self.searches {
                acts.push(Act::Later(if crossed { 0 } else { 700_000 }, Alarm::Again));
            }
        }
    }
}
