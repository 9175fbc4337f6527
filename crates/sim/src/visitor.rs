//! A scripted visitor: a state machine over the protocol that plays a browser and checks what the server does to it.
//!
//! What always holds: every message of a match is checked against that match, its stranger and its bytes; what a
//! visitor does follows from its script, its seed and its inputs. Nothing here knows a socket or a clock.

mod encounter;
mod habits;
mod script;
mod session;

pub use script::{Act, Breach, Habit, Input, Note, Order, Script, Status};

use crate::marker::{Marker, Part};
use crate::{Found, Heard, Prng};
use encounter::{Encounter, READS_NO_MORE, Speaker};
use habits::{ABSENCE, LIFE_INTERVAL, WRITE_BURST_INTERVAL};
use script::{Alarm, Then};
use visavis_lobby::{Ending, Span, Time};
use visavis_protocol::{
    ClientMessage, ErrorCode, FindPartner, Kind, LeftReason, MatchId, Message, Next, Offer, Pong,
    ResumeToken, SearchMessage, SessionMessage, SignalMessage, TicketOffer,
};

#[derive(Clone, Debug)]
enum Phase {
    Offline {
        past: Past,
    },
    /// `hello` is under way.
    Greeting {
        past: Past,
    },
    Idle,
    /// `left`: the match that a `next` under way leaves, whose messages may still arrive.
    Searching {
        since: Time,
        left: Option<MatchId>,
    },
    Met(Encounter),
    /// `stop` is under way; the match it ends may still speak, or only be announced now.
    Stopping {
        live: Option<MatchId>,
    },
    Silent,
}

/// What a lost socket interrupted.
#[derive(Clone, Debug)]
enum Past {
    Nothing,
    Searching { left: Option<MatchId> },
    Met(Encounter),
    Stopping,
}

/// One scripted visitor.
#[derive(Clone, Debug)]
pub struct Visitor {
    id: u32,
    script: Script,
    phase: Phase,
    /// Whether this connection has searched: `next` repeats the wishes of `find_partner`.
    searched: bool,
    /// Offers made so far.
    serial: u32,
    writes: u32,
    /// The newest one.
    token: Option<ResumeToken>,
    /// Messages since the last `welcome`.
    received: u32,
    chance: Prng,
    alarm: Option<Alarm>,
    /// When it moves to another node, as this one has asked.
    moves_at: Option<Time>,
}

impl Visitor {
    pub fn new(id: u32, script: Script, seed: u64) -> Self {
        Visitor {
            id,
            script,
            phase: Phase::Offline { past: Past::Nothing },
            searched: false,
            serial: 0,
            writes: 0,
            token: None,
            received: 0,
            chance: Prng::new(seed ^ (u64::from(id) << 32)),
            alarm: None,
            moves_at: None,
        }
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn status(&self) -> Status {
        match &self.phase {
            Phase::Offline { .. } => Status::Offline,
            Phase::Greeting { .. } => Status::Greeting,
            Phase::Idle | Phase::Stopping { .. } => Status::Idle,
            Phase::Searching { .. } => Status::Searching,
            Phase::Met(encounter) if encounter.connected && self.script.habit == Habit::Stalls => {
                Status::Silent
            }
            Phase::Met(encounter) if encounter.connected && encounter.deaf_since.is_none() => {
                Status::Connected
            }
            Phase::Met(_) => Status::Matched,
            Phase::Silent => Status::Silent,
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let candidate = match &self.phase {
            Phase::Met(encounter) => encounter.poll_timeout(),
            Phase::Offline { .. }
            | Phase::Greeting { .. }
            | Phase::Idle
            | Phase::Searching { .. }
            | Phase::Stopping { .. }
            | Phase::Silent => None,
        };
        [self.alarm.map(|alarm| alarm.at), self.moves_at, candidate].into_iter().flatten().min()
    }

    pub fn handle(&mut self, now: Time, input: Input<'_>, acts: &mut Vec<Act>) {
        match input {
            Input::Opened => self.on_opened(now, acts),
            Input::Heard(heard) => self.on_heard(now, heard, acts),
            Input::Unreadable => acts.push(breach(Breach::Unreadable)),
            Input::Lost => self.on_lost(),
            Input::Pressed => self.press(now, acts),
            Input::Spoken => self.speak(now, acts),
            Input::Calmed => {
                self.script.habit = Habit::Patient;
                self.alarm = None;
            }
            Input::Timeout => {
                let speaker = self.speaker();
                if let Phase::Met(encounter) = &mut self.phase {
                    encounter.send_due(speaker, now, &mut |message| acts.push(Act::Send(message)));
                }
                if let Some(alarm) = self.alarm.take_if(|alarm| alarm.at <= now) {
                    self.on_alarm(now, alarm.then, acts);
                }
                if self.moves_at.take_if(|at| *at <= now).is_some() {
                    acts.push(Act::Reopen { ending: Ending::CloseFrame, after: Span::ZERO });
                }
            }
        }
    }

    /// Told to search. Who waits already goes on waiting: a Next under way could only hit the match that ends the wait.
    fn press(&mut self, now: Time, acts: &mut Vec<Act>) {
        match &mut self.phase {
            Phase::Searching { since, .. } => *since = now,
            Phase::Offline { .. }
            | Phase::Greeting { .. }
            | Phase::Idle
            | Phase::Met(_)
            | Phase::Stopping { .. }
            | Phase::Silent => self.search(now, acts),
        }
    }

    fn search(&mut self, now: Time, acts: &mut Vec<Act>) {
        let left = match &self.phase {
            Phase::Offline { .. } | Phase::Silent | Phase::Stopping { .. } => return,
            Phase::Greeting { .. } | Phase::Idle => None,
            Phase::Searching { left, .. } => *left,
            Phase::Met(encounter) => Some(encounter.match_id),
        };
        let offer = self.make_offer(now);
        acts.push(Act::Send(if self.searched {
            // A survivor may already have been given to the next stranger: the id keeps a late Next from leaving them.
            ClientMessage::Search(SearchMessage::Next(Next {
                match_id: left.filter(|_| self.script.requeue),
                offer,
                ..Next::default()
            }))
        } else {
            let requeue = self.script.requeue;
            ClientMessage::Search(SearchMessage::FindPartner(FindPartner {
                offer,
                requeue,
                pool: self.script.pool.map(|pool| format!("pool-{pool}")),
                ..FindPartner::anyone(self.script.kind)
            }))
        }));
        self.searched = true;
        self.transition_to_searching(now, left, acts);
    }

    fn transition_to_searching(&mut self, now: Time, left: Option<MatchId>, acts: &mut Vec<Act>) {
        self.phase = Phase::Searching { since: now, left };
        self.alarm = None;
        match self.script.habit {
            Habit::Patient | Habit::Stalls | Habit::Returns => {}
            Habit::Restless { stay } => {
                let patience = Span::from_micros(stay.as_micros().saturating_mul(4));
                self.set_alarm_about(now, patience, Then::Wander);
            }
            Habit::Ghost => {
                self.phase = Phase::Silent;
                acts.push(Act::StopReading);
            }
        }
    }

    fn on_heard(&mut self, now: Time, heard: Heard<'_>, acts: &mut Vec<Act>) {
        if heard == Heard::Ping {
            return acts.push(Act::Send(ClientMessage::Session(SessionMessage::Pong(Pong {}))));
        }
        self.received = self.received.wrapping_add(1);
        if let Some(token) = heard.resume_token() {
            self.token = Some(ResumeToken(token.to_owned()));
        }
        match heard {
            Heard::Welcome { resumed, resume_token, match_id } => {
                self.received = 0;
                if resume_token.is_none() {
                    self.token = None;
                }
                self.on_welcome(now, resumed, match_id, acts);
            }
            Heard::PartnerFound(found) => self.on_found(now, found, acts),
            Heard::Offer { match_id, .. }
            | Heard::Answer { match_id, .. }
            | Heard::IceCandidate { match_id, .. }
            | Heard::Message { match_id, .. } => self.on_signal(now, match_id, heard, acts),
            Heard::PartnerLeft { match_id, reason, requeued, .. } => {
                self.on_partner_left(now, match_id, reason, requeued, acts);
            }
            Heard::Stopped { .. } => {
                if matches!(self.phase, Phase::Stopping { .. }) {
                    self.phase = Phase::Idle;
                    if let Habit::Restless { .. } = self.script.habit {
                        self.set_alarm_about(now, ABSENCE, Then::Press);
                    }
                }
            }
            Heard::Error { code, retry_after_ms } => self.on_error(now, code, retry_after_ms, acts),
            Heard::Waiting { .. }
            | Heard::Typing
            | Heard::PartnerReconnecting
            | Heard::PartnerBack
            | Heard::Ping
            | Heard::Unknown => {}
            Heard::Draining { reconnect_after_ms } => {
                // Who cannot resume stays until the socket is closed.
                if self.token.is_some() {
                    let pause = reconnect_after_ms.saturating_mul(1_000);
                    self.moves_at = Some(now + Span::from_micros(pause + self.chance.below(pause / 2 + 1)));
                }
            }
        }
    }

    fn on_found(&mut self, now: Time, found: Found<'_>, acts: &mut Vec<Act>) {
        let since = match &mut self.phase {
            Phase::Searching { since, .. } => *since,
            Phase::Met(present) => {
                let first = present.match_id;
                acts.push(breach(Breach::TwoMatchesAtOnce { first, second: found.match_id }));
                present.since
            }
            Phase::Stopping { live } => {
                *live = Some(found.match_id);
                acts.push(matched(&found, None, Span::ZERO));
                return;
            }
            Phase::Offline { .. } | Phase::Greeting { .. } | Phase::Idle | Phase::Silent => {
                acts.push(breach(Breach::UnwantedMatch(found.match_id)));
                return;
            }
        };
        let mut encounter = Encounter::new(&found, now);
        let offer = encounter.read_found(self.id, &found);
        let sender = offer.ok().flatten().map(|marker| (marker.sender, marker.serial));
        acts.push(matched(&found, sender, now.since(since)));
        if let Err(amiss) = offer {
            acts.push(breach(amiss));
        }
        if let Some((partner, _)) = sender {
            acts.push(Act::Note(Note::Signalled { partner, delay: None }));
        }
        self.alarm = None;
        if self.script.handshake {
            encounter.open(self.speaker(), now, &mut |message| acts.push(Act::Send(message)));
        }
        self.phase = Phase::Met(encounter);
        self.connect_if_complete(now, acts);
    }

    fn on_signal(&mut self, now: Time, match_id: MatchId, heard: Heard<'_>, acts: &mut Vec<Act>) {
        let speaker = self.speaker();
        let encounter = match &mut self.phase {
            Phase::Met(encounter) if encounter.match_id == match_id => encounter,
            Phase::Searching { left: Some(left), .. } if *left == match_id => return,
            Phase::Stopping { live: Some(live) } if *live == match_id => return,
            Phase::Met(_)
            | Phase::Searching { .. }
            | Phase::Stopping { .. }
            | Phase::Offline { .. }
            | Phase::Greeting { .. }
            | Phase::Idle
            | Phase::Silent => return acts.push(breach(Breach::ForeignMatch(match_id))),
        };
        match encounter.read_signal(speaker.id, &heard) {
            Err(broken) => acts.push(breach(broken)),
            Ok(None) => {}
            Ok(Some(signalled)) => {
                let delay = Some(now.since(signalled.marker.sent_at));
                acts.push(Act::Note(Note::Signalled { partner: signalled.marker.sender, delay }));
                if signalled.asks && self.script.handshake {
                    encounter.answer(speaker, now, &mut |message| acts.push(Act::Send(message)));
                }
                if signalled.goes_deaf {
                    encounter.deaf_since = Some(now);
                    self.writes = 0;
                    self.set_alarm(now + WRITE_BURST_INTERVAL, Then::Write);
                }
            }
        }
        self.connect_if_complete(now, acts);
    }

    fn connect_if_complete(&mut self, now: Time, acts: &mut Vec<Act>) {
        let (speaker, handshake) = (self.speaker(), self.script.handshake);
        let Phase::Met(encounter) = &mut self.phase else { return };
        if encounter.connected || (handshake && !encounter.is_complete()) {
            return;
        }
        encounter.connected = true;
        acts.push(Act::Note(Note::Connected { took: now.since(encounter.since) }));
        if handshake && let Some(report) = encounter.report(now) {
            acts.push(Act::Send(report));
        }
        match self.script.habit {
            Habit::Patient | Habit::Ghost | Habit::Returns => {}
            Habit::Restless { stay } => {
                self.set_alarm_about(now, stay, Then::Wander);
            }
            Habit::Stalls => {
                let text = encounter.marker(speaker, now).text(READS_NO_MORE);
                let match_id = Some(encounter.match_id);
                acts.push(Act::Send(ClientMessage::Signal(SignalMessage::Message(Message {
                    match_id,
                    text,
                }))));
                acts.push(Act::StopReading);
                self.set_alarm(now + LIFE_INTERVAL, Then::ShowLife);
            }
        }
    }

    fn on_partner_left(
        &mut self,
        now: Time,
        match_id: MatchId,
        reason: LeftReason,
        requeued: bool,
        acts: &mut Vec<Act>,
    ) {
        match &self.phase {
            Phase::Met(encounter) if encounter.match_id == match_id => {
                let after = now.since(encounter.deaf_since.unwrap_or(encounter.since));
                let connected = encounter.connected;
                acts.push(Act::Note(Note::Parted { reason, after, connected }));
                if requeued {
                    self.transition_to_searching(now, None, acts);
                    self.renew_offer(now, acts);
                } else {
                    self.phase = Phase::Idle;
                    self.alarm = None;
                    if let Habit::Restless { .. } = self.script.habit {
                        self.set_alarm_about(now, ABSENCE, Then::Press);
                    }
                }
            }
            // The partner left first: our Next named a match that was over, so its offer did not count.
            Phase::Searching { left: Some(left), since } if *left == match_id => {
                self.phase = Phase::Searching { since: *since, left: None };
                if requeued {
                    self.renew_offer(now, acts);
                }
            }
            Phase::Stopping { live: Some(live) } if *live == match_id => {
                self.phase = Phase::Stopping { live: None };
            }
            Phase::Met(_) | Phase::Searching { .. } | Phase::Stopping { .. } => {
                acts.push(breach(Breach::ForeignMatch(match_id)));
            }
            Phase::Offline { .. } | Phase::Greeting { .. } | Phase::Idle | Phase::Silent => {
                acts.push(breach(Breach::ForeignMatch(match_id)));
            }
        }
    }

    fn on_error(&mut self, now: Time, code: ErrorCode, retry_after_ms: Option<u64>, acts: &mut Vec<Act>) {
        acts.push(Act::Note(Note::Refused(code)));
        if code != ErrorCode::TooFast {
            acts.push(breach(Breach::Refusal(code)));
            return;
        }
        let then = match self.phase {
            Phase::Greeting { .. } => Then::Greet,
            Phase::Searching { .. } => Then::Press,
            Phase::Offline { .. } | Phase::Idle | Phase::Met(_) | Phase::Stopping { .. } | Phase::Silent => {
                return;
            }
        };
        // At least what was asked for, at most half as much again, as the SDK does.
        let pause = retry_after_ms.unwrap_or(1_000).saturating_mul(1_000);
        let jitter = self.chance.below(pause / 2 + 1);
        self.set_alarm(now + Span::from_micros(pause + jitter), then);
    }

    fn speak(&mut self, now: Time, acts: &mut Vec<Act>) {
        let speaker = self.speaker();
        let Phase::Met(encounter) = &self.phase else { return };
        let text = encounter.marker(speaker, now).text("still here?");
        acts.push(Act::Send(ClientMessage::Signal(SignalMessage::Message(Message {
            match_id: Some(encounter.match_id),
            text,
        }))));
    }

    /// A survivor is back in line without an offer; a browser sends a fresh one.
    fn renew_offer(&mut self, now: Time, acts: &mut Vec<Act>) {
        if let Some(Offer { sdp }) = self.make_offer(now) {
            acts.push(Act::Send(ClientMessage::Search(SearchMessage::TicketOffer(TicketOffer { sdp }))));
        }
    }

    fn make_offer(&mut self, now: Time) -> Option<Offer> {
        if self.script.order == Order::Classic || self.script.kind == Kind::Text {
            return None;
        }
        self.serial += 1;
        let marker =
            Marker { sender: self.id, serial: self.serial, match_id: MatchId::FOREIGN, sent_at: now };
        marker.description(Part::Offer).map(|sdp| Offer { sdp })
    }

    fn speaker(&self) -> Speaker {
        Speaker { id: self.id, order: self.script.order, trickle: self.script.trickle }
    }
}

fn breach(breach: Breach) -> Act {
    Act::Note(Note::Breach(breach))
}

fn matched(found: &Found<'_>, offer: Option<(u32, u32)>, waited: Span) -> Act {
    Act::Note(Note::Matched {
        match_id: found.match_id,
        initiator: found.initiator,
        mode: found.mode,
        offer,
        waited,
    })
}
