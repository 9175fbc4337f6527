//! Tokens, and who comes back by them.

use super::foresee::{Returns, Sign};
use super::{Case, Due, IDLE, Link, Observer, Person, Place, Promise, Stand, VisitId, digest, hold};
use crate::simulator::promises::Breach;
use std::collections::VecDeque;
use std::sync::Arc;
use visavis_lobby::{ConnectionId, Time};
use visavis_protocol::{LeftReason, MatchId, ResumeToken, Wishes};

/// A token, and what it says of its session.
#[derive(Clone)]
pub(super) struct Minted {
    visit: VisitId,
    generation: u32,
    secret: u32,
    expires: Time,
    requeue: bool,
    wishes: Option<Arc<Wishes>>,
    device: Option<u64>,
    recent: VecDeque<Person>,
    blocked: Vec<Person>,
    last_match: Option<MatchId>,
    place: Claim,
    /// In which of the server's lives it was used.
    used_in: Option<u32>,
}

#[derive(Clone, Copy)]
enum Claim {
    Idle,
    Waiting {
        since: Time,
    },
    Met {
        id: MatchId,
        since: Time,
        /// Whether the partner can come back, too.
        partner_named: bool,
    },
}

/// The first of the server's secrets, by number.
#[derive(Clone, Copy, Default)]
pub(super) struct Secret(u32);

impl Secret {
    pub(super) fn rotate(&mut self, new: bool) {
        self.0 += u32::from(new);
    }
}

/// What has to become of a token.
pub(super) enum Verdict {
    /// The server knows the session.
    Live(Minted),
    /// The server learns of it by this token.
    Restore(Minted),
    Refused(Cause),
}

/// Why a token brings nobody back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Forged,
    Expired,
    Used,
    Old,
    Ended,
    /// Of a match whose other side can not come back.
    Alone,
}

impl Observer {
    /// Notes a token that goes out to a visit.
    pub(super) fn note_token(&mut self, id: VisitId, token: &ResumeToken) {
        let visit = self.visit(id);
        let place = match visit.stand {
            Stand::Idle { .. } => Claim::Idle,
            Stand::Waiting(place) => Claim::Waiting { since: place.since },
            Stand::Met(met) => {
                let since = self
                    .meetings
                    .get(&met)
                    .and_then(|meeting| meeting.seat(id))
                    .map_or(self.now, |seat| seat.since);
                let partner_named = self.partner(met, id).is_some_and(|partner| self.visit(partner).named);
                Claim::Met { id: met, since, partner_named }
            }
        };
        let minted = Minted {
            visit: id,
            generation: visit.generation,
            secret: self.secret.0,
            expires: self.now + self.config.token_ttl,
            requeue: visit.requeue,
            wishes: visit.wishes.clone(),
            device: visit.device,
            recent: visit.recent.clone(),
            blocked: visit.blocked.clone(),
            last_match: visit.last_match,
            place,
            used_in: None,
        };
        let key = digest(&token.0);
        self.turn.minted.push(key);
        self.tokens.insert(key, minted);
        self.visit_mut(id).token = Some(key);
    }

    /// Whoever is told anything has a token that says what holds: a server may end at any moment.
    pub(super) fn tokens_are_new(&self, sender: Option<ConnectionId>) -> Result<(), Breach> {
        let Some(id) = sender.and_then(|sender| self.open.get(&sender)).copied() else { return Ok(()) };
        let visit = self.visit(id);
        let Some(minted) = visit.token.and_then(|key| self.tokens.get(&key)).filter(|_| visit.named) else {
            return Ok(());
        };
        let says = (&minted.wishes, minted.requeue, &minted.blocked, &minted.device);
        let holds = (&visit.wishes, visit.requeue, &visit.blocked, &visit.device);
        hold(says == holds, Promise::TokensAreNew, || {
            format!("the newest token of visit {id} says {says:?}, and what holds is {holds:?}")
        })
    }

    /// The first side of a match gets its token before the observer knows the second.
    pub(super) fn complete_tokens(&mut self, minted: &[u64]) {
        for key in minted {
            let Some(Minted { visit, place: Claim::Met { id, .. }, .. }) = self.tokens.get(key) else {
                continue;
            };
            let named = self.partner(*id, *visit).is_some_and(|partner| self.visit(partner).named);
            if let Some(Minted { place: Claim::Met { partner_named, .. }, .. }) = self.tokens.get_mut(key) {
                *partner_named = named;
            }
        }
    }

    /// Whether a token brings its session back, and which one that is.
    pub(super) fn returns_by(&self, token: &ResumeToken) -> (Returns, Option<VisitId>) {
        let Some(minted) = self.tokens.get(&digest(&token.0)) else { return (Returns::No, None) };
        let visit = self.visit(minted.visit);
        if minted.expires <= self.now || minted.generation < visit.generation {
            return (Returns::No, None);
        }
        match (visit.era == self.era, visit.link, visit.awaited) {
            (true, Link::Ended, false) if self.is_over(minted) => (Returns::No, None),
            (true, Link::Ended, false) => (Returns::Perhaps, None),
            (true, Link::Attached(_) | Link::Detached { .. }, false) => (Returns::Surely, Some(minted.visit)),
            (true, _, true) | (false, _, _) => (Returns::Perhaps, None),
        }
    }

    pub(super) fn verdict(&mut self, token: &ResumeToken) -> Verdict {
        let key = digest(&token.0);
        let Some(minted) = self.tokens.get(&key).cloned() else { return Verdict::Refused(Cause::Forged) };
        if minted.expires <= self.now {
            return Verdict::Refused(Cause::Expired);
        }
        let visit = self.visit(minted.visit);
        let known = visit.era == self.era && visit.link != Link::Ended;
        let verdict = if self.is_over(&minted) {
            Verdict::Refused(Cause::Ended)
        } else if known && minted.generation < visit.generation {
            Verdict::Refused(if minted.used_in == Some(self.era) { Cause::Used } else { Cause::Old })
        } else if known && (!visit.awaited || self.agrees(&minted)) {
            Verdict::Live(minted)
        } else if matches!(minted.place, Claim::Met { partner_named: false, .. }) {
            if known {
                // Its partner announced it elsewhere; its own token knows better, and cannot be followed.
                self.end(minted.visit, LeftReason::Lost);
            }
            Verdict::Refused(Cause::Alone)
        } else {
            Verdict::Restore(minted)
        };
        if !matches!(
            verdict,
            Verdict::Refused(Cause::Forged | Cause::Expired | Cause::Used | Cause::Old | Cause::Ended)
        ) && let Some(minted) = self.tokens.get_mut(&key)
        {
            minted.used_in = Some(self.era);
        }
        verdict
    }

    /// Whether the session of a token has ended in this life of the server. If an older token brought it back for a while, this one
    /// may still be good: of the tokens of one session the highest generation wins.
    fn is_over(&self, minted: &Minted) -> bool {
        let visit = self.visit(minted.visit);
        let ended = visit.era == self.era && visit.link == Link::Ended && !visit.awaited;
        ended && minted.generation <= visit.generation
    }

    /// Whether an awaited visit's own token says the same as its partner's.
    fn agrees(&self, minted: &Minted) -> bool {
        matches!(minted.place, Claim::Met { id, .. } if self.visit(minted.visit).met() == Some(id))
    }

    /// A token of a match whose other side cannot come back brings nobody back, and that is found out before its bearer is told to
    /// wait like everybody who comes in. Whoever awaits the session hears at once that it is lost.
    pub(super) fn foresee_spent(&mut self, token: &ResumeToken) {
        let (now, era) = (self.now, self.era);
        let Some(minted) = self.tokens.get(&digest(&token.0)) else { return };
        let id = minted.visit;
        let visit = self.visit(id);
        let awaited = visit.era == era && visit.link != Link::Ended && visit.awaited;
        let is_good = minted.expires > now && minted.generation >= visit.generation;
        let is_alone = matches!(minted.place, Claim::Met { partner_named: false, .. });
        let is_fresh = minted.used_in != Some(era);
        if awaited && is_good && is_alone && is_fresh && !self.agrees(minted) {
            self.end(id, LeftReason::Lost);
        }
        if let Some(minted) = self.tokens.get_mut(&digest(&token.0)).filter(|_| is_alone) {
            minted.used_in = Some(era);
        }
    }

    pub(super) fn note_cause(&mut self, cause: Cause) {
        self.note(match cause {
            Cause::Forged => Case::ForgedTokenRefused,
            Cause::Expired => Case::ExpiredTokenRefused,
            Cause::Used => Case::UsedTokenRefused,
            Cause::Old | Cause::Alone => Case::OldTokenRefused,
            Cause::Ended => Case::EndedTokenRefused,
        });
    }

    /// The socket of `fresh` goes to a session that the server knows.
    pub(super) fn foresee_take_over(&mut self, fresh: VisitId, minted: &Minted, received: Option<u32>) {
        let id = minted.visit;
        let arrives = self.visit(id).awaited;
        self.turn.taken = (!arrives).then_some(self.visit(id).frames);
        let Some(connection) = self.hand_over(fresh, id) else { return };
        self.note(Case::Resumed);
        match self.visit(id).link {
            Link::Attached(old) => {
                self.note(Case::HalfOpenEvicted);
                self.turn.closes.push(old);
            }
            Link::Detached { .. } | Link::Ended => {
                if let Some(met) = self.visit(id).met()
                    && let Some(partner) = self.partner(met, id)
                {
                    if self.visit(partner).is_attached() {
                        self.turn.back.push((partner, met));
                    } else {
                        self.mail(partner, false, false);
                    }
                }
            }
        }
        let was_held = matches!(self.visit(id).link, Link::Detached { .. });
        let visit = self.visit_mut(id);
        visit.link = Link::Attached(connection);
        visit.generation = minted.generation + 1;
        if arrives {
            visit.awaited = false;
            visit.names_matches = true;
            visit.requeue = minted.requeue;
            visit.wishes.clone_from(&minted.wishes);
            visit.device = visit.device.or(minted.device);
            visit.last_match = visit.last_match.or(minted.last_match);
            self.recall(id, minted);
            self.note(Case::PairRebuilt);
            self.foresee_presence(id);
        }
        self.lives(id, Sign::Frame);
        self.acknowledge(id, if arrives { 0 } else { received.unwrap_or(0) });
        let visit = self.visit_mut(id);
        let again = std::mem::take(&mut visit.mail).len();
        visit.sent = 0;
        self.turn.returned = Some((id, again));
        self.turn.welcome = Some((id, Some(true)));
        match self.visit(id).stand {
            Stand::Idle { .. } => {}
            Stand::Met(_) => self.note(Case::ResumedInMatch),
            Stand::Waiting(Place { since, created, .. }) => {
                self.note(Case::ResumedInLine);
                if was_held {
                    self.enter_line(id, since, created, 0);
                    self.owe_news(id);
                }
            }
        }
        self.watch(id);
    }

    /// The server before may have told it that its partner is away: it has to hear if the partner is here.
    fn foresee_presence(&mut self, id: VisitId) {
        if let Some(met) = self.visit(id).met()
            && let Some(partner) = self.partner(met, id)
            && self.visit(partner).is_attached()
        {
            self.turn.back.push((id, met));
        }
    }

    /// The fresh visit is no more; its socket is the other's.
    fn hand_over(&mut self, fresh: VisitId, to: VisitId) -> Option<ConnectionId> {
        let connection = self.visit(fresh).connection()?;
        let (bound, now) = (self.visit(fresh).bound, self.now);
        let (answers, frames) = (self.visit(fresh).answers, self.visit(fresh).frames);
        let (device, blocked) =
            (self.visit(fresh).device, std::mem::take(&mut self.visit_mut(fresh).blocked));
        self.visit_mut(fresh).link = Link::Ended;
        self.open.insert(connection, to);
        self.owner.insert(connection, to);
        let visit = self.visit_mut(to);
        visit.bound = bound;
        visit.admitted = true;
        visit.last_seen = now;
        visit.last_frame = now;
        visit.answers = answers;
        visit.frames = frames;
        visit.greeted = true;
        visit.device = visit.device.or(device);
        block_all(visit, blocked);
        Some(connection)
    }

    /// A session of an earlier life comes back, as its token tells of it.
    pub(super) fn foresee_restore(&mut self, fresh: VisitId, minted: &Minted) {
        let id = minted.visit;
        if self.visit(id).era == self.era && self.visit(id).link != Link::Ended {
            // Its partner announced it elsewhere; its own token knows better.
            self.end(id, LeftReason::Lost);
        }
        // A new life: what it knows of others is what its token says, and what its page brings.
        self.forget_acquaintances(id);
        self.visit_mut(id).device = minted.device;
        self.recall(id, minted);
        let (admitted_by, now, era) = (self.hand_over(fresh, id), self.now, self.era);
        let Some(connection) = admitted_by else { return };
        if minted.secret != self.secret.0 {
            self.note(Case::SecretRotated);
        }
        self.note(Case::Resumed);
        if !minted.blocked.is_empty() {
            self.note(Case::BlockRestored);
        }
        let visit = self.visit_mut(id);
        visit.era = era;
        visit.awaited = false;
        visit.named = true;
        visit.names_matches = true;
        visit.link = Link::Attached(connection);
        visit.generation = minted.generation + 1;
        visit.requeue = minted.requeue;
        visit.wishes.clone_from(&minted.wishes);
        visit.stand = IDLE;
        visit.last_match = minted.last_match;
        visit.sent = 0;
        visit.mail.clear();
        (visit.messages, visit.nexts, visit.texts) = Default::default();
        self.turn.welcome = Some((id, Some(true)));
        self.turn.returned = Some((id, 0));
        self.watch(id);
        match minted.place {
            Claim::Idle => {}
            Claim::Waiting { since } => {
                if minted.wishes.is_some() {
                    self.note(Case::PlaceRestored);
                    self.enter_line(id, since.min(now), now, 0);
                    self.owe_news(id);
                }
            }
            Claim::Met { id: met, since, .. } => self.foresee_half(id, met, since.min(now)),
        }
    }

    fn foresee_half(&mut self, id: VisitId, met: MatchId, since: Time) {
        let (now, era) = (self.now, self.era);
        let Some(partner) = self.partner(met, id) else { return };
        let visit = self.visit(partner);
        if visit.era == era && (visit.link != Link::Ended || !visit.awaited) {
            self.note(Case::PartnerElsewhere);
            self.turn.left.push((id, met, LeftReason::Lost));
            if self.visit(id).requeue {
                self.enter_line(id, now, now, 0);
                self.owe_news(id);
            }
            return;
        }
        let until = now + self.config.half_pair_grace;
        self.forget_acquaintances(partner);
        let visit = self.visit_mut(partner);
        visit.era = era;
        visit.awaited = true;
        visit.named = true;
        visit.link = Link::Detached { until };
        visit.generation = 0;
        visit.stand = Stand::Met(met);
        visit.requeue = false;
        visit.wishes = None;
        visit.last_match = None;
        visit.sent = 0;
        visit.mail.clear();
        (visit.messages, visit.nexts, visit.texts) = Default::default();
        self.due.insert((until, Due::Absence(partner)));
        self.visit_mut(id).stand = Stand::Met(met);
        if let Some(meeting) = self.meetings.get_mut(&met) {
            meeting.era = era;
            meeting.formed = now;
            meeting.connected = true;
            meeting.ended = None;
            for seat in &mut meeting.sides {
                seat.alive = true;
                seat.lossy = true;
                seat.since = if seat.visit == id { since } else { now };
            }
        }
        self.turn.away.push((id, met));
    }

    /// Whom its token names.
    fn recall(&mut self, id: VisitId, minted: &Minted) {
        let visit = self.visit_mut(id);
        let later = std::mem::replace(&mut visit.recent, minted.recent.clone());
        visit.recent.extend(later);
        let later = std::mem::replace(&mut visit.blocked, minted.blocked.clone());
        block_all(visit, later);
    }

    /// A new life knows nothing of whom it met before.
    fn forget_acquaintances(&mut self, id: VisitId) {
        let visit = self.visit_mut(id);
        visit.recent.clear();
        visit.blocked.clear();
    }
}

fn block_all(visit: &mut super::Visit, persons: Vec<Person>) {
    for person in persons {
        if !visit.blocked.contains(&person) {
            visit.blocked.push(person);
        }
    }
}
