//! One match from a visitor's side: the handshake, and the check of every signal that arrives in it.

use super::script::{Breach, Order};
use crate::marker::{CANDIDATES, Forged, Marker, Part};
use crate::{Found, Heard};
use visavis_lobby::{Span, Time};
use visavis_protocol::{
    Candidate, ClientMessage, Connected, IceCandidate, MatchId, Message, Mode, Path, Signal, SignalMessage,
};

/// The last words of a visitor who stops reading.
pub(super) const READS_NO_MORE: &str = "reads no more";

#[derive(Clone, Debug)]
pub(super) struct Encounter {
    pub(super) match_id: MatchId,
    pub(super) initiator: bool,
    pub(super) mode: Mode,
    pub(super) since: Time,
    pub(super) connected: bool,
    /// When the partner said that it reads no more.
    pub(super) deaf_since: Option<Time>,
    trickle: Option<Trickle>,
    partner: Option<u32>,
    has_description: bool,
    candidates: u8,
}

/// Candidates that are still to be sent, one at a time.
#[derive(Clone, Copy, Debug)]
struct Trickle {
    next: u8,
    at: Time,
    step: Span,
}

/// What a signal turned out to be.
pub(super) struct Signalled {
    pub(super) marker: Marker,
    /// An offer, which asks for an answer.
    pub(super) asks: bool,
    /// The partner will read no more.
    pub(super) goes_deaf: bool,
}

/// Who speaks, and how.
#[derive(Clone, Copy)]
pub(super) struct Speaker {
    pub(super) id: u32,
    pub(super) order: Order,
    /// Over which time the candidates of the classic order are spread; zero: they go with the description.
    pub(super) trickle: Span,
}

impl Encounter {
    pub(super) fn new(found: &Found<'_>, now: Time) -> Self {
        Encounter {
            match_id: found.match_id,
            initiator: found.initiator,
            mode: found.mode,
            since: now,
            connected: false,
            deaf_since: None,
            trickle: None,
            partner: None,
            has_description: false,
            candidates: 0,
        }
    }

    /// The offer that came with the match: taken as heard. Says what is amiss with it.
    pub(super) fn read_found(&mut self, own: u32, found: &Found<'_>) -> Result<Option<Marker>, Breach> {
        let amiss = Breach::OfferAmiss { match_id: self.match_id, mode: self.mode };
        let wants_offer = self.mode == Mode::AnswerOffer && !self.initiator;
        let Some(json) = found.offer else {
            return if wants_offer { Err(amiss) } else { Ok(None) };
        };
        if !wants_offer {
            return Err(amiss);
        }
        let marker = self.whole(Marker::read_description(Part::Offer, json))?;
        if marker.match_id != MatchId::FOREIGN {
            return Err(Breach::SignalOfAnotherMatch { frame: self.match_id, mark: marker.match_id });
        }
        self.note_sender(own, marker)?;
        self.has_description = true;
        Ok(Some(marker))
    }

    /// What this side says first.
    pub(super) fn open(&mut self, speaker: Speaker, now: Time, say: &mut impl FnMut(ClientMessage)) {
        match (self.mode, self.initiator) {
            (Mode::Negotiate, true) => {
                self.describe(speaker, Part::Offer, now, say);
                self.send_candidates(speaker, now, say);
            }
            (Mode::Negotiate, false) => {}
            (Mode::AnswerOffer, true) => self.send_candidates(speaker, now, say),
            (Mode::AnswerOffer, false) => self.answer(speaker, now, say),
            (Mode::Text, _) => {
                let text = self.marker(speaker, now).text("hello");
                say(ClientMessage::Signal(SignalMessage::Message(Message {
                    match_id: Some(self.match_id),
                    text,
                })));
            }
        }
    }

    pub(super) fn answer(&mut self, speaker: Speaker, now: Time, say: &mut impl FnMut(ClientMessage)) {
        self.describe(speaker, Part::Answer, now, say);
        self.send_candidates(speaker, now, say);
    }

    /// Checks a signal of this match and counts it.
    pub(super) fn read_signal(&mut self, own: u32, heard: &Heard<'_>) -> Result<Option<Signalled>, Breach> {
        let mut goes_deaf = false;
        let (marker, asks) = match heard {
            Heard::Offer { sdp, .. } => (self.whole(Marker::read_description(Part::Offer, sdp))?, true),
            Heard::Answer { sdp, .. } => (self.whole(Marker::read_description(Part::Answer, sdp))?, false),
            Heard::IceCandidate { candidate, .. } => {
                let mut last = None;
                for marker in Marker::read_candidates(candidate) {
                    let marker = self.whole(marker)?;
                    self.note_sender(own, marker)?;
                    self.candidates = self.candidates.saturating_add(1);
                    last = Some(marker);
                }
                let Some(marker) = last else { return Ok(None) };
                (marker, false)
            }
            Heard::Message { text, .. } => {
                let (marker, words) = self.whole(Marker::read_text(text))?;
                goes_deaf = words == READS_NO_MORE;
                (marker, false)
            }
            Heard::Welcome { .. }
            | Heard::Waiting { .. }
            | Heard::PartnerFound(_)
            | Heard::Typing
            | Heard::PartnerLeft { .. }
            | Heard::PartnerReconnecting
            | Heard::PartnerBack
            | Heard::Stopped { .. }
            | Heard::Error { .. }
            | Heard::Draining { .. }
            | Heard::Ping
            | Heard::Unknown => return Ok(None),
        };
        if marker.match_id != self.match_id {
            return Err(Breach::SignalOfAnotherMatch { frame: self.match_id, mark: marker.match_id });
        }
        self.note_sender(own, marker)?;
        self.has_description |= !matches!(heard, Heard::IceCandidate { .. });
        Ok(Some(Signalled { marker, asks, goes_deaf }))
    }

    /// Whether everything that connects the two has arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.has_description && (self.mode == Mode::Text || self.candidates >= CANDIDATES)
    }

    /// What a browser reports when media flows.
    pub(super) fn report(&self, now: Time) -> Option<ClientMessage> {
        (self.mode != Mode::Text).then(|| {
            ClientMessage::Signal(SignalMessage::Connected(Connected {
                match_id: self.match_id,
                path: Path::Direct,
                elapsed_ms: now.since(self.since).as_micros() as f64 / 1_000.0,
                local_type: None,
                remote_type: None,
                protocol: None,
                family: None,
            }))
        })
    }

    pub(super) fn marker(&self, speaker: Speaker, now: Time) -> Marker {
        Marker { sender: speaker.id, serial: 0, match_id: self.match_id, sent_at: now }
    }

    fn describe(&self, speaker: Speaker, part: Part, now: Time, say: &mut impl FnMut(ClientMessage)) {
        let Some(sdp) = self.marker(speaker, now).description(part) else { return };
        let signal = Signal { match_id: Some(self.match_id), sdp };
        say(match part {
            Part::Offer => ClientMessage::Signal(SignalMessage::Offer(signal)),
            Part::Answer => ClientMessage::Signal(SignalMessage::Answer(signal)),
        });
    }

    fn send_candidates(&mut self, speaker: Speaker, now: Time, say: &mut impl FnMut(ClientMessage)) {
        let step = Span::from_micros(speaker.trickle.as_micros() / u64::from(CANDIDATES));
        match speaker.order {
            Order::Classic if step > Span::ZERO => {
                self.trickle = Some(Trickle { next: 0, at: now + step, step });
            }
            Order::Classic => {
                (0..CANDIDATES).for_each(|index| self.send(self.marker(speaker, now).candidate(index), say));
            }
            Order::Ticket => self.send(self.marker(speaker, now).candidates(), say),
        }
    }

    /// When the next candidate is due.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.trickle.map(|trickle| trickle.at)
    }

    /// Sends the candidates that are due.
    pub(super) fn send_due(&mut self, speaker: Speaker, now: Time, say: &mut impl FnMut(ClientMessage)) {
        while let Some(Trickle { next, at, step }) = self.trickle.filter(|trickle| trickle.at <= now) {
            self.send(self.marker(speaker, now).candidate(next), say);
            let left = next + 1 < CANDIDATES;
            self.trickle = left.then_some(Trickle { next: next + 1, at: at + step, step });
        }
    }

    fn send(&self, candidate: Option<Candidate>, say: &mut impl FnMut(ClientMessage)) {
        if let Some(candidate) = candidate {
            say(ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                match_id: Some(self.match_id),
                candidate,
            })));
        }
    }

    fn note_sender(&mut self, own: u32, marker: Marker) -> Result<(), Breach> {
        let first = *self.partner.get_or_insert(marker.sender);
        if first != marker.sender || first == own {
            return Err(Breach::TwoSenders { match_id: self.match_id, first, second: marker.sender });
        }
        Ok(())
    }

    fn whole<T>(&self, read: Result<T, Forged>) -> Result<T, Breach> {
        read.map_err(|Forged| Breach::Altered(self.match_id))
    }
}
