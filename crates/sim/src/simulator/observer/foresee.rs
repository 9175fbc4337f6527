//! What must follow from an input, before anybody hears of it.

use super::returning::Verdict;
use super::{Case, IDLE, Link, Observer, Person, Promise, Stand, Visit, VisitId, WaitingOffer, digest, hold};
use crate::simulator::promises::Breach;
use std::sync::Arc;
use visavis_lobby::{Ending, Input, Limiting, Span};
use visavis_protocol::{
    Block, ClientMessage, Connected, ErrorCode, FindPartner, Hello, IceCandidate, Kind, LeftReason, Limits,
    MatchId, Message, Next, Offer, Pin, ResumeToken, SearchMessage, SessionMessage, Signal, SignalMessage,
    TicketOffer, Typing, Unblock, Wishes, read_interests, read_languages,
};

/// What shows that somebody is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Frame,
    /// A pong of the WebSocket.
    Socket,
}

/// Whether somebody comes back, as far as can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returns {
    No,
    Perhaps,
    Surely,
}

impl Observer {
    pub(super) fn foresee(&mut self, input: &Input) -> Result<(), Breach> {
        match input {
            Input::Opened { connection, limiting } => {
                let bound = match limiting {
                    Limiting::Bound(_) => true,
                    Limiting::Exempt => false,
                };
                self.visits.push(Visit::new(self.era, *connection, bound, self.now));
                let id = self.visits.len() - 1;
                self.open.insert(*connection, id);
                self.owner.insert(*connection, id);
                self.watch(id);
                Ok(())
            }
            Input::Received { connection, message } => match self.open.get(connection).copied() {
                Some(id) => self.foresee_received(id, message),
                None => Ok(()),
            },
            Input::Malformed { connection, .. } => match self.open.get(connection).copied() {
                Some(id) => {
                    self.visit_mut(id).frames += 1;
                    self.lives(id, Sign::Frame);
                    self.count_refusal();
                    hold(self.turn.refused.is_some(), Promise::ErrorsAreDeserved, || {
                        format!("{connection:?}: nothing is said of a malformed frame")
                    })
                }
                None => Ok(()),
            },
            Input::Alive { connection, mark } => {
                if let Some(id) = self.open.get(connection).copied() {
                    self.lives(id, Sign::Socket);
                    if let Some(mark) = mark {
                        self.acknowledge(id, *mark);
                    }
                }
                Ok(())
            }
            Input::Closed { connection, ending } => {
                if let Some(id) = self.open.remove(connection) {
                    match ending {
                        Ending::CloseFrame if !self.draining => self.end(id, LeftReason::Closed),
                        Ending::CloseFrame | Ending::Broken => self.detach(id),
                    }
                }
                Ok(())
            }
            Input::Drain { .. } => {
                self.draining = true;
                Ok(())
            }
            // No visitor of the simulator reports anybody yet.
            Input::Reported(_) | Input::Cluster(_) => Ok(()),
            Input::Timeout => self.foresee_timeouts(),
        }
    }

    pub(super) fn acknowledge(&mut self, id: VisitId, position: u32) {
        let mail = &mut self.visit_mut(id).mail;
        while mail.front().is_some_and(|oldest| oldest.position <= position) {
            mail.pop_front();
        }
    }

    /// Somebody is there.
    pub(super) fn lives(&mut self, id: VisitId, sign: Sign) {
        let now = self.now;
        let visit = self.visit_mut(id);
        visit.last_seen = now;
        if sign == Sign::Frame {
            visit.last_frame = now;
        } else if visit.answers {
            return;
        }
        if let Some(met) = visit.met()
            && let Some(seat) = self.meetings.get_mut(&met).and_then(|meeting| meeting.seat_mut(id))
        {
            seat.alive = true;
        }
    }

    fn count_refusal(&mut self) {
        if self.turn.refused == Some(ErrorCode::TooFast) {
            self.note(Case::NextRefused);
        }
    }

    fn foresee_received(&mut self, id: VisitId, message: &ClientMessage) -> Result<(), Breach> {
        self.visit_mut(id).frames += 1;
        self.lives(id, Sign::Frame);
        self.admits(id, message)?;
        self.charges(id, message)?;
        if let Some(code) = self.turn.refused {
            self.note_refusal(id, code, message);
            if let ClientMessage::Session(SessionMessage::Hello(Hello { resume: Some(token), .. })) = message
                && code == ErrorCode::TooFast
            {
                self.foresee_spent(token);
            }
            return Ok(());
        }
        self.note_offer(id, message);
        match message {
            ClientMessage::Session(SessionMessage::Hello(hello)) => match self.takes_greeting(id, hello) {
                None => {
                    let visit = self.visit_mut(id);
                    visit.named = true;
                    visit.names_matches = true;
                    self.turn.welcome = Some((id, None));
                }
                Some(token) => match self.verdict(token) {
                    Verdict::Live(minted) => self.foresee_take_over(id, &minted, hello.received),
                    Verdict::Restore(minted) => self.foresee_restore(id, &minted),
                    Verdict::Refused(cause) => {
                        self.note_cause(cause);
                        self.turn.why_refused = Some(cause);
                        let visit = self.visit_mut(id);
                        visit.named = true;
                        visit.names_matches = true;
                        self.turn.welcome = Some((id, Some(false)));
                    }
                },
            },
            ClientMessage::Search(SearchMessage::FindPartner(wanted)) => self.foresee_search(id, wanted),
            ClientMessage::Search(SearchMessage::Next(next)) => self.foresee_next(id, next),
            ClientMessage::Search(SearchMessage::Stop(_)) => {
                self.leave(id, LeftReason::Stop);
                self.turn.stopped = Some(id);
            }
            ClientMessage::Session(SessionMessage::Block(Block { match_id })) => {
                self.foresee_block(id, *match_id)
            }
            ClientMessage::Session(SessionMessage::Unblock(Unblock { block })) => {
                self.foresee_unblock(id, digest(&block.0))
            }
            ClientMessage::Session(SessionMessage::Ping(_)) => {
                self.turn.pong = Some((id, self.visit(id).frames))
            }
            ClientMessage::Session(SessionMessage::Pong(_)) => {}
            ClientMessage::Search(SearchMessage::TicketOffer(_)) => {}
            ClientMessage::Signal(
                SignalMessage::Offer(Signal { match_id, sdp })
                | SignalMessage::Answer(Signal { match_id, sdp }),
            ) => {
                self.forwards(id, *match_id, digest(sdp.reveal_json()), true)?;
            }
            ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate { match_id, candidate })) => {
                self.forwards(id, *match_id, digest(candidate.reveal_json()), true)?;
            }
            ClientMessage::Signal(SignalMessage::Message(Message { match_id, text })) => {
                if let Some(met) = self.forwards(id, *match_id, digest(&text.0), true)?
                    && let Some(meeting) = self.meetings.get_mut(&met)
                {
                    meeting.connected |= meeting.kind == Kind::Text;
                }
            }
            ClientMessage::Signal(SignalMessage::Typing(Typing { match_id, on })) => {
                self.forwards(id, *match_id, u64::from(*on), false)?;
            }
            ClientMessage::Signal(SignalMessage::Connected(Connected { match_id, .. })) => {
                if self.visit(id).met() == Some(*match_id)
                    && let Some(meeting) = self.meetings.get_mut(match_id)
                {
                    meeting.connected = true;
                }
            }
        }
        Ok(())
    }

    /// The token that it brings.
    fn takes_greeting<'h>(&mut self, id: VisitId, hello: &'h Hello) -> Option<&'h ResumeToken> {
        let blocked = hello.blocks.iter().filter_map(|block| self.handles.get(&digest(&block.0)).copied());
        let blocked: Vec<Person> = blocked.collect();
        let visit = self.visit_mut(id);
        visit.answers = hello.answers_ping;
        if !visit.greeted {
            visit.greeted = true;
            visit.device = visit.device.or(hello.device.as_ref().map(|device| digest(&device.0)));
            for person in blocked {
                if !visit.blocked.contains(&person) {
                    visit.blocked.push(person);
                }
            }
            if !visit.blocked.is_empty() {
                self.note(Case::BlocksBrought);
            }
        }
        hello.resume.as_ref()
    }

    /// The first message of a session that is not told to wait takes it in.
    fn admits(&mut self, id: VisitId, message: &ClientMessage) -> Result<(), Breach> {
        let returns = self.may_return(id, message);
        let (now, rate) = (self.now, self.config.admission_rate.max(1));
        let refused = self.turn.refused == Some(ErrorCode::TooFast);
        let visit = self.visit_mut(id);
        if visit.admitted || !visit.bound || refused {
            if refused && visit.bound && !visit.admitted {
                self.note(Case::AdmissionRefused);
                return self.judge_pause(id, returns);
            }
            return Ok(());
        }
        let told = visit.promised.take();
        visit.admitted = true;
        if returns != Returns::No {
            return Ok(());
        }
        if let Some(told) = told {
            // Its place was set aside. Come late, it counts for the moment that it was told.
            let place = self.admitted.partition_point(|at| *at <= told);
            self.admitted.insert(place, told);
            return Ok(());
        }
        self.admitted.push_back(now);
        let earlier = if self.admitted.len() > rate as usize { self.admitted.pop_front() } else { None };
        let allowed = earlier.is_none_or(|earlier| now >= earlier + Span::from_secs(1));
        hold(allowed, Promise::AdmissionIsBounded, || format!("more than {rate} in the second until {now:?}"))
    }

    /// Somebody is told to wait: not somebody who comes back, and nobody longer than for all who were told so before.
    fn judge_pause(&mut self, id: VisitId, returns: Returns) -> Result<(), Breach> {
        let (now, rate) = (self.now, self.config.admission_rate.max(1));
        hold(returns != Returns::Surely, Promise::ReturnersComeFirst, || format!("visit {id} at {now:?}"))?;
        let pause = Span::from_millis(self.turn.pause_ms.unwrap_or_default());
        if self.visit(id).promised.is_some() {
            return Ok(());
        }
        let waiting = self.visits.iter().filter(|visit| {
            visit.era == self.era
                && !visit.admitted
                && visit.link != Link::Ended
                && visit.promised.is_some_and(|at| at > now)
        });
        // Three quarters of the rate are for those of whose address there are many, less a tenth that comes in at once.
        let line = u64::from(if rate < 4 { 1 } else { rate - rate.div_ceil(4) });
        let interval = 1_000_000_u64.div_ceil(line - (line / 10).max(1) + 1);
        let longest = Span::from_micros(interval * (waiting.count() as u64 + 2) + 1_000);
        self.visit_mut(id).promised = Some(now + pause);
        hold(pause <= longest, Promise::PausesAreOfThoseWhoWait, || {
            format!("visit {id} is told {pause:?}, with {longest:?} at most before it")
        })
    }

    /// Whether a visitor comes back by a good token.
    fn may_return(&mut self, id: VisitId, message: &ClientMessage) -> Returns {
        let ClientMessage::Session(SessionMessage::Hello(Hello { resume: Some(token), .. })) = message else {
            return Returns::No;
        };
        let fresh = self.visit(id);
        if fresh.named || fresh.wishes.is_some() {
            return Returns::No;
        }
        let now = self.now;
        let (returns, known) = self.returns_by(token);
        let Some(known) = known.filter(|_| returns == Returns::Surely) else { return returns };
        // Not again and again.
        if self.visit_mut(known).resumes.allows(now, 9, Span::from_secs(1)) {
            returns
        } else {
            Returns::Perhaps
        }
    }

    fn charges(&mut self, id: VisitId, message: &ClientMessage) -> Result<(), Breach> {
        if self.turn.refused.is_some() || !self.visit(id).bound {
            return Ok(());
        }
        let (now, met) = (self.now, self.visit(id).met());
        let (burst, interval) = (self.config.message_burst, self.config.message_interval);
        let allowed = self.visit_mut(id).messages.allows(now, burst, interval);
        hold(allowed, Promise::MessagesAreBounded, || format!("visit {id}: {message:?}"))?;
        let is_next = match message {
            ClientMessage::Search(SearchMessage::FindPartner(_)) => self.visit(id).wishes.is_some(),
            ClientMessage::Search(SearchMessage::Next(next)) => {
                next.match_id.is_none() || next.match_id == met
            }
            _ => false,
        };
        if is_next {
            let (burst, interval) = (self.config.next_burst, self.config.next_interval);
            let allowed = self.visit_mut(id).nexts.allows(now, burst, interval);
            hold(allowed, Promise::NextIsBounded, || format!("visit {id} at {now:?}"))?;
        }
        if let ClientMessage::Signal(SignalMessage::Message(Message { match_id, .. })) = message
            && met.is_some()
            && (match_id.is_none() || *match_id == met)
        {
            let (burst, interval) = (self.config.text_burst, self.config.text_interval);
            let allowed = self.visit_mut(id).texts.allows(now, burst, interval);
            hold(allowed, Promise::TextIsBounded, || format!("visit {id} at {now:?}"))?;
        }
        Ok(())
    }

    fn note_refusal(&mut self, id: VisitId, code: ErrorCode, message: &ClientMessage) {
        if code != ErrorCode::TooFast || !self.visit(id).admitted && self.visit(id).bound {
            return;
        }
        match message {
            ClientMessage::Signal(SignalMessage::Message(_) | SignalMessage::Typing(_)) => {
                let partner = self.visit(id).met().and_then(|met| self.partner(met, id));
                let away = partner.is_some_and(|partner| !self.visit(partner).is_attached());
                self.note(if away { Case::MailRefused } else { Case::TextRefused });
            }
            ClientMessage::Search(SearchMessage::FindPartner(_) | SearchMessage::Next(_)) => {
                self.note(Case::NextRefused)
            }
            _ => {}
        }
    }

    fn note_offer(&mut self, id: VisitId, message: &ClientMessage) {
        if let ClientMessage::Search(
            SearchMessage::FindPartner(FindPartner { offer: Some(Offer { sdp }), .. })
            | SearchMessage::Next(Next { offer: Some(Offer { sdp }), .. })
            | SearchMessage::TicketOffer(TicketOffer { sdp }),
        ) = message
        {
            let offer = WaitingOffer { owner: id, sent: self.now, shown: false };
            self.offers.insert(digest(sdp.reveal_json()), offer);
        }
    }

    fn foresee_search(&mut self, id: VisitId, wanted: &FindPartner) {
        let Some(wishes) = read_wishes(wanted) else { return };
        let now = self.now;
        let visit = self.visit_mut(id);
        let old_kind = visit.wishes.as_ref().map(|wishes| wishes.kind);
        visit.requeue = wanted.requeue;
        visit.names_matches |= wanted.requeue;
        let same_kind = old_kind == Some(wishes.kind);
        visit.wishes = Some(Arc::new(wishes));
        match visit.stand {
            Stand::Waiting(place) if same_kind => {
                self.enter_line(id, place.since, place.created, place.passed);
            }
            Stand::Waiting(_) => {
                self.enter_line(id, now, now, 0);
                self.owe_news(id);
            }
            Stand::Met(met) => {
                if self.away(met, id) {
                    self.note(Case::LeftWhileAway);
                }
                self.leave(id, LeftReason::Next);
                self.enter_line(id, now, now, 0);
                self.owe_news(id);
            }
            Stand::Idle { credit } => self.foresee_fresh_search(id, credit),
        }
    }

    fn foresee_fresh_search(
        &mut self,
        id: VisitId,
        credit: Option<(visavis_lobby::Time, visavis_lobby::Time)>,
    ) {
        let now = self.now;
        let since = credit.filter(|(_, until)| now <= *until).map(|(since, _)| since);
        if since.is_some_and(|since| since < now) {
            self.note(Case::CreditUsed);
        }
        self.enter_line(id, since.unwrap_or(now), now, 0);
        self.owe_news(id);
    }

    fn foresee_next(&mut self, id: VisitId, next: &Next) {
        let now = self.now;
        let visit = self.visit(id);
        let met = visit.met();
        if next.match_id.is_some() && next.match_id != met {
            return self.note(Case::LateNextIgnored);
        }
        match visit.stand {
            Stand::Waiting(_) => {}
            Stand::Met(met) => {
                if self.away(met, id) {
                    self.note(Case::LeftWhileAway);
                }
                self.leave(id, LeftReason::Next);
                self.enter_line(id, now, now, 0);
                self.owe_news(id);
            }
            Stand::Idle { credit } => self.foresee_fresh_search(id, credit),
        }
    }

    fn away(&self, met: MatchId, id: VisitId) -> bool {
        self.partner(met, id).is_some_and(|partner| matches!(self.visit(partner).link, Link::Detached { .. }))
    }

    fn foresee_block(&mut self, id: VisitId, named: MatchId) {
        let visit = self.visit(id);
        let met = visit.met();
        if ![met, visit.last_match].contains(&Some(named)) {
            return;
        }
        let Some(partner) = self.partner(named, id) else { return };
        let person = self.person(partner);
        self.turn.blocked = Some((id, named, person));
        if !self.visit(id).blocked.contains(&person) {
            self.visit_mut(id).blocked.push(person);
        }
        let present = met.and_then(|met| self.partner(met, id));
        if present.is_some_and(|present| self.person(present) == person) {
            self.leave(id, LeftReason::Blocked);
            self.visit_mut(id).stand = IDLE;
            if let Some(present) = met.filter(|present| *present != named) {
                self.turn.left.push((id, present, LeftReason::Next));
            }
        }
    }

    fn foresee_unblock(&mut self, id: VisitId, handle: u64) {
        let Some(person) = self.handles.get(&handle).copied() else { return };
        self.turn.unblocked = Some(id);
        self.note(Case::BlockTakenBack);
        self.visit_mut(id).blocked.retain(|known| *known != person);
        if let Stand::Waiting(place) = self.visit(id).stand {
            self.enter_line(id, place.since, place.created, place.passed);
        }
    }

    /// A signal: whether and whom it has to reach. The match that it belongs to.
    pub(super) fn forwards(
        &mut self,
        id: VisitId,
        named: Option<MatchId>,
        content: u64,
        unique: bool,
    ) -> Result<Option<MatchId>, Breach> {
        let Some(met) = self.visit(id).met().filter(|met| named.is_none_or(|named| named == *met)) else {
            if let Some(named) = named {
                let mine = self.meetings.get(&named).is_some_and(|meeting| meeting.seat(id).is_some());
                self.note(if mine { Case::StaleSignalDropped } else { Case::StolenSignalDropped });
            }
            return Ok(None);
        };
        let Some(partner) = self.partner(met, id) else { return Ok(None) };
        if unique && let Some(seat) = self.meetings.get_mut(&met).and_then(|meeting| meeting.seat_mut(id)) {
            seat.said.push(content);
        }
        if self.visit(partner).is_attached() {
            self.turn.forward = Some((partner, met, content));
        } else {
            if !unique {
                self.mail_typing(partner);
                return Ok(Some(met));
            }
            let full = self.mail_said(partner) >= self.config.replay_messages;
            hold(!full, Promise::MailboxesAreBounded, || {
                format!("visit {id} was not refused, visit {partner}'s mailbox is full")
            })?;
            self.mail(partner, true, true);
        }
        Ok(Some(met))
    }
}

/// Wishes as the server reads them; `None` if it must refuse them.
fn read_wishes(wanted: &FindPartner) -> Option<Wishes> {
    let limits = Limits::default();
    Some(Wishes {
        kind: wanted.kind,
        interests: read_interests(&wanted.interests, &limits).ok()?,
        languages: read_languages(&wanted.languages, &limits).ok()?,
        pin_language: wanted.pin.contains(&Pin::Language),
        pin_interests: wanted.pin.contains(&Pin::Interests),
        pool: wanted.pool.clone().unwrap_or_default(),
        relay_only: wanted.relay_only,
    })
}
