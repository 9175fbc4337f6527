//! What the server says, held against what it had to say.

use super::meeting::{Meeting, Seat};
use super::returning::Cause;
use super::{Case, Due, Observer, Promise, Stand, VisitId, digest, hold};
use crate::simulator::promises::Breach;
use std::collections::BTreeSet;
use visavis_lobby::ConnectionId;
use visavis_protocol::{Kind, LeftReason, MatchId, Mode, Offer, PartnerFound, ResumeToken, ServerMessage};

impl Observer {
    pub(super) fn hears(
        &mut self,
        id: VisitId,
        connection: ConnectionId,
        message: &ServerMessage,
    ) -> Result<(), Breach> {
        hold(self.turn.finished != Some(id), Promise::StoppedIsTheEnd, || {
            format!("{message:?} to visit {id}")
        })?;
        if matches!(message, ServerMessage::Typing { .. }) {
            self.count_typing(id);
        } else if !matches!(message, ServerMessage::Welcome { .. } | ServerMessage::PartnerFound(_))
            && !message.is_of_the_socket()
        {
            let is_signal = matches!(
                message,
                ServerMessage::Offer { .. }
                    | ServerMessage::Answer { .. }
                    | ServerMessage::IceCandidate { .. }
                    | ServerMessage::Message { .. }
            );
            let is_passing =
                is_signal || matches!(message, ServerMessage::Error { .. } | ServerMessage::Waiting { .. });
            let keep = !matches!(message, ServerMessage::Draining { .. });
            self.count_message(id, keep, is_signal, is_passing);
        }
        match message {
            ServerMessage::Welcome { online, resume_token, resumed, received, match_id, .. } => {
                self.is_online(*online)?;
                let taken = self.turn.taken.take();
                hold(*received == taken, Promise::WhatIsTakenIsTold, || {
                    format!("visit {id} is told {received:?}, and {taken:?} were taken")
                })?;
                self.is_welcomed(id, *resumed, *match_id)?;
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::Waiting { .. } if self.is_behind(id) => {
                self.is_again(id, Promise::WaitingIsTrue, String::new)?;
            }
            ServerMessage::Waiting { online, resume_token, .. } => {
                self.is_online(*online)?;
                let waits = matches!(self.visit(id).stand, Stand::Waiting(_));
                hold(waits, Promise::WaitingIsTrue, || format!("visit {id} does not wait"))?;
                self.turn.news.retain(|waiting| *waiting != id);
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::PartnerFound(found) => {
                self.finds(id, found)?;
                self.keep_token(id, found.resume_token.as_ref());
            }
            ServerMessage::PartnerLeft { match_id, reason, requeued, resume_token } => {
                self.is_left(id, *match_id, *reason, *requeued)?;
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::Offer { match_id, sdp } | ServerMessage::Answer { match_id, sdp } => {
                self.carries(id, *match_id, digest(sdp.reveal_json()))?;
            }
            ServerMessage::IceCandidate { match_id, candidate } => {
                self.carries(id, *match_id, digest(candidate.reveal_json()))?;
            }
            ServerMessage::Message { match_id, text } => self.carries(id, *match_id, digest(&text.0))?,
            ServerMessage::Typing { match_id, on } => self.carries(id, *match_id, u64::from(*on))?,
            ServerMessage::PartnerReconnecting { match_id, .. } => {
                let place = self.turn.away.iter().position(|told| *told == (id, *match_id));
                let due = place.is_some() || self.turn.dissolved.contains(match_id);
                self.take_or_replay(id, due, || format!("visit {id}: {message:?}"))?;
                if let Some(place) = place {
                    self.turn.away.remove(place);
                }
            }
            ServerMessage::PartnerBack { match_id, .. } => {
                let place = self.turn.back.iter().position(|told| *told == (id, *match_id));
                self.take_or_replay(id, place.is_some(), || format!("visit {id}: {message:?}"))?;
                if let Some(place) = place {
                    self.turn.back.remove(place);
                }
            }
            ServerMessage::Stopped { .. } if self.is_behind(id) => {
                self.is_again(id, Promise::StoppedIsTheEnd, String::new)?;
            }
            ServerMessage::Stopped { resume_token } => {
                hold(self.turn.stopped.take() == Some(id), Promise::StoppedIsTheEnd, || {
                    format!("visit {id} did not stop")
                })?;
                self.turn.finished = Some(id);
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::Error { .. } => {
                let blamed = self.turn.sender == Some(connection) && self.turn.refused.is_some();
                if !blamed {
                    self.is_again(id, Promise::ErrorsAreDeserved, || format!("visit {id}: {message:?}"))?;
                }
            }
            ServerMessage::Blocked { .. } | ServerMessage::Unblocked { .. } if self.is_behind(id) => {
                self.is_again(id, Promise::BlocksAreConfirmed, String::new)?;
            }
            ServerMessage::Blocked { match_id, block, resume_token } => {
                let due = self.turn.blocked.take().filter(|due| (due.0, due.1) == (id, *match_id));
                hold(due.is_some(), Promise::BlocksAreConfirmed, || {
                    format!("visit {id} blocked nobody of {match_id:?}")
                })?;
                if let Some((_, _, person)) = due {
                    self.handles.insert(digest(&block.0), person);
                }
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::Unblocked { resume_token, .. } => {
                hold(self.turn.unblocked.take() == Some(id), Promise::BlocksAreConfirmed, || {
                    format!("visit {id} took no block back")
                })?;
                self.keep_token(id, resume_token.as_ref());
            }
            ServerMessage::Draining { .. } => {}
            ServerMessage::Ping {} => {
                hold(self.visit(id).answers, Promise::PingsAreAnswered, || {
                    format!("visit {id} is asked, and does not answer pings")
                })?;
            }
            ServerMessage::Pong { received } => {
                let due = self.turn.pong.take();
                hold(due == Some((id, *received)), Promise::PingsAreAnswered, || {
                    format!("visit {id} is told {received}, due is {due:?}")
                })?;
            }
        }
        Ok(())
    }

    fn keep_token(&mut self, id: VisitId, token: Option<&ResumeToken>) {
        if let Some(token) = token {
            self.note_token(id, token);
        }
    }

    fn is_online(&self, online: u32) -> Result<(), Breach> {
        let open = self.open.len();
        hold(online as usize == open, Promise::WaitingIsTrue, || format!("told {online} online, {open} are"))
    }

    /// Either it was due, or it is sent again to somebody who has just come back.
    fn take_or_replay(
        &mut self,
        id: VisitId,
        due: bool,
        details: impl FnOnce() -> String,
    ) -> Result<(), Breach> {
        if due {
            return Ok(());
        }
        self.is_again(id, Promise::LossIsAnnounced, details)
    }

    /// Whether more is to be sent again to somebody who has just come back. That comes before all else.
    pub(super) fn is_behind(&self, id: VisitId) -> bool {
        self.turn.returned.is_some_and(|(returned, left)| returned == id && left > 0)
    }

    /// One of the messages that are sent again.
    fn is_again(
        &mut self,
        id: VisitId,
        promise: Promise,
        details: impl FnOnce() -> String,
    ) -> Result<(), Breach> {
        let left = match &mut self.turn.returned {
            Some((returned, left)) if *returned == id => left,
            _ => return hold(false, promise, details),
        };
        if *left == 0 {
            return hold(false, promise, details);
        }
        *left -= 1;
        self.note(Case::MailDelivered);
        Ok(())
    }

    fn is_welcomed(
        &mut self,
        id: VisitId,
        resumed: Option<bool>,
        met: Option<MatchId>,
    ) -> Result<(), Breach> {
        let Some((expected, expected_resumed)) = self.turn.welcome.take() else {
            return hold(false, Promise::GreetingsAreAnswered, || format!("visit {id} did not say hello"));
        };
        if resumed == Some(true) && expected_resumed != Some(true) {
            let promise = match self.turn.why_refused {
                Some(Cause::Used) => Promise::TokensWorkOnce,
                Some(Cause::Old) => Promise::OldTokensAreRefused,
                Some(Cause::Ended) => Promise::EndedSessionsStayEnded,
                Some(Cause::Forged | Cause::Expired | Cause::Alone) | None => Promise::ForgedTokensAreRefused,
            };
            let cause = self.turn.why_refused;
            return hold(false, promise, || format!("visit {id} is taken for another: {cause:?}"));
        }
        hold(resumed == expected_resumed && expected == id, Promise::ReturnIsGranted, || {
            format!("visit {expected}: resumed is {resumed:?} and should be {expected_resumed:?}")
        })?;
        let present = self.visit(id).met();
        hold(met == present, Promise::ReturnersAreWhereTheyWere, || {
            format!("visit {id} is told {met:?} and is in {present:?}")
        })?;
        let visit = self.visit_mut(id);
        visit.sent = 0;
        visit.mail.clear();
        Ok(())
    }

    fn is_left(
        &mut self,
        id: VisitId,
        met: MatchId,
        reason: LeftReason,
        requeued: bool,
    ) -> Result<(), Breach> {
        let place = self.turn.left.iter().position(|told| *told == (id, met, reason));
        let Some(place) = place else {
            return self.is_again(id, Promise::SurvivorsAreTold, || {
                format!("visit {id} is left in {met:?} for {reason:?}, by nobody")
            });
        };
        self.turn.left.remove(place);
        let requeue = matches!(self.visit(id).stand, Stand::Waiting(_));
        hold(requeued == requeue, Promise::RequeuedIsTrue, || {
            format!("visit {id} is told {requeued}, true is {requeue}")
        })
    }

    fn carries(&mut self, id: VisitId, met: MatchId, content: u64) -> Result<(), Breach> {
        if self.turn.forward == Some((id, met, content)) {
            self.turn.forward = None;
            return Ok(());
        }
        self.is_again(id, Promise::SignalsStayInTheirMatch, || {
            format!("visit {id} hears in {met:?} what nobody says there")
        })
    }

    fn finds(&mut self, id: VisitId, found: &PartnerFound) -> Result<(), Breach> {
        let met = found.match_id;
        let known = self.meetings.get(&met).is_some_and(|meeting| meeting.seat(id).is_some());
        if known {
            self.count_message(id, true, false, false);
            return self
                .is_again(id, Promise::MatchIdsAreFresh, || format!("visit {id} met in {met:?} before"));
        }
        hold(!self.draining, Promise::DrainingMatchesNobody, || format!("{met:?}"))?;
        let visit = self.visit(id);
        let place = match visit.stand {
            Stand::Waiting(place) => place,
            Stand::Met(first) => {
                return hold(false, Promise::NobodyIsInTwoMatches, || {
                    format!("visit {id} is in {first:?} and is given {met:?}")
                });
            }
            Stand::Idle { .. } => {
                return hold(false, Promise::NobodyIsMatchedUnasked, || format!("visit {id} in {met:?}"));
            }
        };
        self.line.remove(&id);
        self.turn.news.retain(|waiting| *waiting != id);
        self.turn.told.push(met);
        let kind = self.visit(id).wishes.as_ref().map_or(Kind::Video, |wishes| wishes.kind);
        let (now, era) = (self.now, self.era);
        let meeting = self.meetings.entry(met).or_insert_with(|| Meeting {
            kind,
            sides: Vec::new(),
            era,
            formed: now,
            connected: false,
            ended: None,
        });
        let fresh = meeting.sides.len() < 2 && meeting.ended.is_none() && meeting.formed == now;
        hold(fresh, Promise::MatchIdsAreFresh, || format!("{met:?}"))?;
        meeting.sides.push(Seat {
            visit: id,
            found: found.clone(),
            since: place.since,
            alive: false,
            said: Vec::new(),
            heard: 0,
            lossy: false,
        });
        let complete = meeting.sides.len() == 2;
        self.visit_mut(id).stand = Stand::Met(met);
        self.count_message(id, true, false, false);
        if complete {
            // Half-way it is looked at, too: a server that comes late finds the ghost already then.
            for span in [self.config.sign_of_life.half(), self.config.sign_of_life] {
                self.due.insert((now + span, Due::Ghost(met)));
            }
            self.judge(met, place)?;
        }
        Ok(())
    }

    /// Both sides of a match were told: does it fit, and do both tell the same?
    fn judge(&mut self, met: MatchId, second_place: super::Place) -> Result<(), Breach> {
        let Some(meeting) = self.meetings.get(&met) else { return Ok(()) };
        let [one, other] = meeting.sides.as_slice() else { return Ok(()) };
        let (a, b) = (one.visit, other.visit);
        let ((one_found, one_since), (other_found, other_since)) =
            ((one.found.clone(), one.since), (other.found.clone(), other.since));
        hold(a != b, Promise::NobodyMeetsThemselves, || format!("visit {a}"))?;
        let agree = one_found.initiator != other_found.initiator
            && one_found.mode == other_found.mode
            && one_found.shared_interests == other_found.shared_interests
            && one_found.language == other_found.language;
        hold(agree, Promise::BothSidesAgree, || format!("{one_found:?} and {other_found:?}"))?;
        let (Some(mine), Some(theirs)) = (self.visit(a).wishes.clone(), self.visit(b).wishes.clone()) else {
            return Ok(());
        };
        let shared: BTreeSet<&String> =
            mine.interests.iter().filter(|interest| theirs.interests.contains(interest)).collect();
        let fits = self.wishes_agree((&mine, one_since), (&theirs, other_since))
            && one_found.shared_interests.iter().collect::<BTreeSet<_>>() == shared
            && (one_found.mode == Mode::Text) == (mine.kind == Kind::Text);
        hold(fits, Promise::WishesAreKept, || {
            format!("{mine:?} since {one_since:?} and {theirs:?} since {other_since:?}")
        })?;
        let blocked = self.has_blocked(a, b) || self.has_blocked(b, a);
        hold(!blocked, Promise::BlockedStayApart, || format!("visits {a} and {b}"))?;
        self.judge_recent(a, b)?;
        let (initiator, responder) = if one_found.initiator {
            ((a, &one_found), (b, &other_found))
        } else {
            ((b, &other_found), (a, &one_found))
        };
        self.judge_offer(initiator, responder)?;
        self.note(match one_found.mode {
            Mode::AnswerOffer => Case::OfferAnswered,
            Mode::Negotiate => Case::Negotiated,
            Mode::Text => Case::TextChat,
        });
        if !one_found.shared_interests.is_empty() {
            self.note(Case::SharedInterest);
        } else if !mine.interests.is_empty() && !theirs.interests.is_empty() {
            self.note(Case::InterestRelaxed);
        }
        if one_found.language.is_none() && !mine.languages.is_empty() && !theirs.languages.is_empty() {
            self.note(Case::LanguageRelaxed);
        }
        // Exactly one began to search in this turn: the other one was chosen for it.
        let began = (self.turn.entered.contains(&a), self.turn.entered.contains(&b));
        let place = |since| Stand::Waiting(super::Place { since, created: second_place.created, passed: 0 });
        let since = |visit: VisitId| if visit == a { one_since } else { other_since };
        match began {
            (true, false) => self.judge_order((a, place(since(a))), (b, place(since(b)))),
            (false, true) => self.judge_order((b, place(since(b))), (a, place(since(a)))),
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn judge_recent(&mut self, a: VisitId, b: VisitId) -> Result<(), Breach> {
        if !self.has_met(a, b) && !self.has_met(b, a) {
            return Ok(());
        }
        let ended = [a, b]
            .iter()
            .filter_map(|visit| self.visit(*visit).last_match)
            .chain(self.meetings.iter().filter(|(_, meeting)| meeting.other(a) == Some(b)).map(|(id, _)| *id))
            .filter_map(|id| self.meetings.get(&id))
            .filter(|meeting| meeting.seat(a).is_some() && meeting.seat(b).is_some())
            .filter(|meeting| meeting.era == self.era)
            .filter_map(|meeting| meeting.ended)
            .max();
        let over = ended.is_none_or(|ended| self.now >= ended + self.config.recent_pause);
        hold(over, Promise::RecentPartnersPause, || format!("visits {a} and {b}, who parted at {ended:?}"))?;
        self.note(Case::MetAgain);
        Ok(())
    }

    fn judge_offer(
        &mut self,
        initiator: (VisitId, &PartnerFound),
        responder: (VisitId, &PartnerFound),
    ) -> Result<(), Breach> {
        hold(initiator.1.offer.is_none(), Promise::OffersGoToThePartner, || {
            format!("visit {} gets an offer and initiates", initiator.0)
        })?;
        let expected = responder.1.mode == Mode::AnswerOffer;
        hold(responder.1.offer.is_some() == expected, Promise::BothSidesAgree, || {
            format!("{:?}", responder.1)
        })?;
        let Some(Offer { sdp }) = &responder.1.offer else { return Ok(()) };
        let (now, ttl) = (self.now, self.config.offer_ttl);
        let offer = self.offers.get_mut(&digest(sdp.reveal_json()));
        let Some(offer) = offer.filter(|offer| offer.owner == initiator.0) else {
            return hold(false, Promise::OffersGoToThePartner, || {
                format!("visit {} never made this offer", initiator.0)
            });
        };
        let again = std::mem::replace(&mut offer.shown, true);
        let fresh = now < offer.sent + ttl;
        hold(!again, Promise::OffersAreShownOnce, || format!("of visit {}", initiator.0))?;
        hold(fresh, Promise::OffersAreFresh, || format!("of visit {}", initiator.0))
    }

    /// All that had to be said was said.
    pub(super) fn conclude(&mut self) -> Result<(), Breach> {
        let turn = std::mem::take(&mut self.turn);
        self.complete_tokens(&turn.minted);
        hold(turn.left.is_empty(), Promise::SurvivorsAreTold, || format!("nobody tells {:?}", turn.left))?;
        hold(turn.away.is_empty() && turn.back.is_empty(), Promise::LossIsAnnounced, || {
            format!("nobody tells of {:?} and {:?}", turn.away, turn.back)
        })?;
        hold(turn.forward.is_none(), Promise::SignalsArrive, || format!("{:?}", turn.forward))?;
        let lost = turn.returned.filter(|(_, left)| *left > 0);
        hold(lost.is_none(), Promise::SignalsArrive, || format!("{lost:?} are not sent again"))?;
        hold(turn.news.is_empty(), Promise::WhoSearchesHears, || format!("visits {:?}", turn.news))?;
        hold(turn.welcome.is_none(), Promise::GreetingsAreAnswered, || format!("{:?}", turn.welcome))?;
        hold(turn.blocked.is_none() && turn.unblocked.is_none(), Promise::BlocksAreConfirmed, || {
            format!("{:?}, {:?}", turn.blocked, turn.unblocked)
        })?;
        self.tokens_are_new(turn.sender)?;
        hold(turn.pong.is_none(), Promise::PingsAreAnswered, || format!("{:?}", turn.pong))?;
        hold(turn.stopped.is_none(), Promise::StoppedIsTheEnd, || format!("{:?} is not told", turn.stopped))?;
        let promise = if turn.is_timeout { Promise::GhostsAreLeft } else { Promise::OneSocketASession };
        hold(turn.closes.is_empty(), promise, || format!("{:?} stay open", turn.closes))?;
        for met in turn.told {
            let sides = self.meetings.get(&met).map_or(0, |meeting| meeting.sides.len());
            hold(sides == 2, Promise::BothSidesAreTold, || format!("{met:?} is told to {sides}"))?;
        }
        Ok(())
    }

    /// A signal reached the client itself, which says `hello` and counts its messages.
    pub(crate) fn delivered(
        &mut self,
        connection: ConnectionId,
        message: &ServerMessage,
    ) -> Result<(), Breach> {
        let (met, content) = match message {
            ServerMessage::Offer { match_id, sdp } | ServerMessage::Answer { match_id, sdp } => {
                (*match_id, digest(sdp.reveal_json()))
            }
            ServerMessage::IceCandidate { match_id, candidate } => {
                (*match_id, digest(candidate.reveal_json()))
            }
            ServerMessage::Message { match_id, text } => (*match_id, digest(&text.0)),
            _ => return Ok(()),
        };
        let Some(id) = self.owner.get(&connection).copied() else { return Ok(()) };
        let Some(meeting) = self.meetings.get_mut(&met) else { return Ok(()) };
        let Some(speaker) = meeting.sides.iter_mut().find(|seat| seat.visit != id) else { return Ok(()) };
        let place = speaker.said.iter().skip(speaker.heard).position(|said| *said == content);
        let (heard, lossy) = (speaker.heard, speaker.lossy);
        hold(place.is_some(), Promise::NothingTwice, || {
            format!("visit {id} gets again, or late, what it has; {heard} heard in {met:?}")
        })?;
        let skipped = place.unwrap_or(0);
        speaker.heard += skipped + 1;
        hold(skipped == 0 || lossy, Promise::NothingIsLost, || {
            format!("visit {id} misses {skipped} after {heard} in {met:?}")
        })
    }
}
