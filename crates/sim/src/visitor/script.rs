//! What a visitor is like, what happens to it, and what it does about that.

use crate::Heard;
use visavis_lobby::{Ending, Span, Time};
use visavis_protocol::{ClientMessage, ErrorCode, Kind, LeftReason, MatchId, Mode};

/// The order of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The offer is made after the match; candidates are sent singly. No requeue.
    Classic,
    /// The offer waits in the ticket; candidates go in one batch a side. `hello`, and `requeue: true`.
    Ticket,
}

/// How a visitor behaves when nobody tells it what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Presses when told to and relays its handshake; nothing else.
    Patient,
    /// Stays with a stranger for about this long, then presses Next, stops, or closes and comes back.
    Restless { stay: Span },
    /// Searches, and from then on neither reads nor answers, without closing: a half-open socket.
    Ghost,
    /// Once connected says so to its partner, who then writes on and on, and reads no more.
    Stalls,
    /// Patient, but after a lost socket goes on where it was, or searches again.
    Returns,
}

/// What a visitor is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    pub kind: Kind,
    pub order: Order,
    /// Whether offer, answer and candidates are relayed after a match.
    pub handshake: bool,
    /// Whether a survivor goes back into line by itself.
    pub requeue: bool,
    /// Whether it says `hello`, and after a lost socket presents its token.
    pub hello: bool,
    /// Over which time the candidates of the classic order are spread; zero: they go with the description.
    pub trickle: Span,
    /// The only pool in which it looks for somebody.
    pub pool: Option<u32>,
    pub habit: Habit,
}

/// What happens to a visitor.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Its socket is open.
    Opened,
    Heard(Heard<'a>),
    /// A frame that is not what the protocol promises.
    Unreadable,
    /// Its socket ended.
    Lost,
    /// It shall search: Start, or Next.
    Pressed,
    /// It shall say something to its stranger, if it has one.
    Spoken,
    /// From now on it does nothing by itself.
    Calmed,
    /// The time of [`super::Visitor::poll_timeout`] has come.
    Timeout,
}

/// What a visitor does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Send(ClientMessage),
    /// Read nothing and answer nothing from now on, pings included; leave the socket open.
    StopReading,
    /// End the socket in this way, and open another after the pause.
    Reopen {
        ending: Ending,
        after: Span,
    },
    Note(Note),
}

/// What an observer should know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    Matched {
        match_id: MatchId,
        initiator: bool,
        mode: Mode,
        /// Sender and serial of the offer that came with the match.
        offer: Option<(u32, u32)>,
        /// Since the last press, or since the requeue.
        waited: Span,
    },
    /// A signal arrived from this visitor; `delay` is unknown for an offer that waited.
    Signalled {
        partner: u32,
        delay: Option<Span>,
    },
    /// Its handshake is complete.
    Connected {
        took: Span,
    },
    Parted {
        reason: LeftReason,
        /// Since the match; from a partner that read no more, since it said so.
        after: Span,
        connected: bool,
    },
    Resumed,
    Refused(ErrorCode),
    Breach(Breach),
}

/// A promise of the server that a visitor saw broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A second match while the first one was on.
    TwoMatchesAtOnce {
        first: MatchId,
        second: MatchId,
    },
    /// A match for somebody who had not asked.
    UnwantedMatch(MatchId),
    /// A message that belongs to a match that was over, or never was.
    ForeignMatch(MatchId),
    /// A signal whose mark names another match than its frame.
    SignalOfAnotherMatch {
        frame: MatchId,
        mark: MatchId,
    },
    /// Signals of one match from two senders, or from oneself.
    TwoSenders {
        match_id: MatchId,
        first: u32,
        second: u32,
    },
    /// A signal that is not, byte for byte, what a visitor sends.
    Altered(MatchId),
    /// Mode, initiator and offer do not fit together.
    OfferAmiss {
        match_id: MatchId,
        mode: Mode,
    },
    /// A refusal of something that was in order.
    Refusal(ErrorCode),
    Unreadable,
}

/// What a visitor is doing, for an observer who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Offline,
    /// Has said `hello` and waits for the `welcome`.
    Greeting,
    Idle,
    Searching,
    /// In a match whose handshake is under way.
    Matched,
    /// In a match whose handshake is complete.
    Connected,
    /// Reads no more.
    Silent,
}

/// A wait that one of the visitor's own clocks ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) at: Time,
    pub(super) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Press,
    /// Say `hello` again: it was too early.
    Greet,
    /// Do what a restless visitor does next.
    Wander,
    /// Write to a partner who does not read.
    Write,
    /// Show life while not reading.
    ShowLife,
}
