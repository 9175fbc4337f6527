//! Rate limits for a session, its address and the whole node. A refused client is told when it may go on.

use super::Sessions;
use crate::always::Always as _;
use crate::counters::RateLimit;
use crate::crowd::Act;
use crate::ids::SessionKey;
use crate::planted::planted;
use crate::rates::Allowance;
use crate::session::Session;
use crate::{Limiting, Output, Outputs, Span};
use visavis_protocol::{CloseCode, ServerMessage};

impl Sessions {
    /// Charges one act to a session and its crowds. False: it was refused, and nothing else may happen.
    pub(crate) fn take(&mut self, key: SessionKey, act: Act, outputs: &mut Outputs) -> bool {
        let Some(session) = self.all.get_mut(key).always("it has just acted") else { return false };
        let Limiting::Bound(source) = session.limiting else { return true };
        if planted!(NextIsUnlimited) && matches!(act, Act::Next) {
            return true;
        }
        let (rate, burst, interval, limit) = match act {
            Act::Message => (
                &mut session.messages,
                self.config.message_burst,
                self.config.message_interval,
                RateLimit::Messages,
            ),
            Act::Next => {
                (&mut session.nexts, self.config.next_burst, self.config.next_interval, RateLimit::Nexts)
            }
            Act::Text => {
                (&mut session.texts, self.config.text_burst, self.config.text_interval, RateLimit::Texts)
            }
        };
        let taken = rate
            .take(self.now, Allowance { burst, interval })
            .and_then(|()| self.crowds.take(self.now, act, source, &self.config.crowds));
        match taken {
            Ok(()) => true,
            Err(pause) => {
                self.refuse_too_fast(key, limit, pause, outputs);
                false
            }
        }
    }

    /// Whether a signal of so many bytes may go from one session to the other: within what the sender may send, and with
    /// room in the reader's queue for what it has not read. Its sender hears of it before the reader's queue overflows.
    ///
    /// # Errors
    /// Which limit is in the way, and for how long.
    pub(crate) fn may_signal(
        &self,
        sender: SessionKey,
        reader: SessionKey,
        bytes: usize,
    ) -> Result<(), (RateLimit, Span)> {
        let (Some(from), Some(to)) = (self.all.get(sender), self.all.get(reader)) else {
            return Ok(());
        };
        if from.limiting == Limiting::Exempt {
            return Ok(());
        }
        let bytes = as_tokens(bytes);
        from.signal_bytes
            .has(self.now, bytes, self.signal_allowance())
            .map_err(|pause| (RateLimit::SignalBytes, pause))?;
        let (of_bytes, of_messages) = self.reader_allowances();
        to.inbox
            .bytes
            .has(self.now, bytes, of_bytes)
            .and_then(|()| to.inbox.messages.has(self.now, 1, of_messages))
            .map_err(|pause| (RateLimit::Reader, pause))
    }

    /// Charges a signal to its sender; its reader's queue is charged when it is said.
    pub(crate) fn note_sent(&mut self, sender: SessionKey, bytes: usize) {
        let (now, allowance) = (self.now, self.signal_allowance());
        if let Some(session) = self.all.get_mut(sender) {
            session.signal_bytes.spend(now, as_tokens(bytes), allowance);
        }
    }

    /// Charges what is said because of a stranger to the queue of its reader. Not of strangers whom no rates bind, and of
    /// what is typed to somebody who is away only the latest is kept.
    pub(crate) fn note_queued(&mut self, reader: SessionKey, stranger: SessionKey, message: &ServerMessage) {
        let binds = |session: &Session| session.limiting != Limiting::Exempt || session.is_elsewhere();
        if !self.all.get(stranger).is_none_or(binds) {
            return;
        }
        if matches!(message, ServerMessage::Typing { .. })
            && self.all.get(reader).is_none_or(|session| session.connection().is_none())
        {
            return;
        }
        let bytes = message.payload_bytes();
        let (now, (of_bytes, of_messages)) = (self.now, self.reader_allowances());
        if let Some(session) = self.all.get_mut(reader) {
            session.inbox.bytes.spend(now, as_tokens(bytes), of_bytes);
            session.inbox.messages.spend(now, 1, of_messages);
        }
    }

    /// Whether an offer that waited fits into the queue of the one whom it would reach.
    pub(crate) fn offer_fits(&self, reader: SessionKey, bytes: usize) -> bool {
        let (of_bytes, _) = self.reader_allowances();
        self.all.get(reader).is_none_or(|session| {
            session.limiting == Limiting::Exempt
                || session.inbox.bytes.has(self.now, as_tokens(bytes), of_bytes).is_ok()
        })
    }

    /// Whether next to nothing waits in the queue of a reader.
    pub(crate) fn reads(&self, reader: SessionKey) -> bool {
        let (of_bytes, _) = self.reader_allowances();
        self.all.get(reader).is_some_and(|session| {
            session.limiting == Limiting::Exempt
                || session.inbox.bytes.has(self.now, of_bytes.burst / 16, of_bytes).is_ok()
        })
    }

    /// Everything in the queue of this reader was read.
    pub(crate) fn note_reading(&mut self, reader: SessionKey) {
        if let Some(session) = self.all.get_mut(reader) {
            session.inbox.bytes.refill();
            session.inbox.messages.refill();
        }
    }

    pub(crate) fn resume_allowance(&self) -> Allowance {
        Allowance { burst: self.config.resume_burst, interval: self.config.resume_interval }
    }

    fn signal_allowance(&self) -> Allowance {
        Allowance::per_second(self.config.signal_burst_bytes, self.config.signal_bytes_per_s)
    }

    fn reader_allowances(&self) -> (Allowance, Allowance) {
        let bounds = self.config.reader;
        (
            Allowance::per_second(bounds.burst_bytes, bounds.bytes_per_s),
            Allowance::per_second(bounds.burst_messages, bounds.messages_per_s),
        )
    }

    /// Says `too_fast`; a client that does not listen is closed with 1008.
    pub(crate) fn refuse_too_fast(
        &mut self,
        key: SessionKey,
        limit: RateLimit,
        pause: Span,
        outputs: &mut Outputs,
    ) {
        let patience = Allowance { burst: self.config.max_refusals, interval: Span::from_secs(1) };
        self.counters.count_too_fast(limit);
        let Some(session) = self.all.get_mut(key) else { return };
        let patient = session.refusals.take(self.now, patience).is_ok();
        let pause_ms = pause.as_millis_ceil();
        let error =
            ServerMessage::too_fast(format!("{}: pause for {pause_ms} ms", limit.sentence()), pause_ms);
        self.blame(key, error, outputs);
        if !patient {
            self.expel(key, "too_fast", outputs);
        }
    }

    /// Closes a connection whose client misbehaves. Its session is to be ended by whoever asks [`Sessions::take_expelled`].
    fn expel(&mut self, key: SessionKey, why: &'static str, outputs: &mut Outputs) {
        if let Some(connection) = self.all.get(key).and_then(Session::connection) {
            outputs.push(Output::Close { connection, code: CloseCode::Policy, reason: why });
        }
        self.expelled.push(key);
    }

    /// Those who were closed for not listening since this was asked last.
    pub(crate) fn take_expelled(&mut self) -> Vec<SessionKey> {
        std::mem::take(&mut self.expelled)
    }

    pub(crate) fn part_from_crowd(&mut self, limiting: Limiting) {
        match limiting {
            Limiting::Bound(source) => self.crowds.leave(source),
            Limiting::Exempt => {}
        }
    }
}

/// A message's bytes, with what a queue counts for it beside its payload.
fn as_tokens(bytes: usize) -> u32 {
    const FIXED: usize = 96;
    u32::try_from(bytes.saturating_add(FIXED)).unwrap_or(u32::MAX)
}
