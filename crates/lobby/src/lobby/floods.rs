//! How fast a session may speak: alone, with those of its address, with everybody. Who is refused is told when to go on.

use super::Lobby;
use crate::crowd::Act;
use crate::planted::planted;
use crate::rates::Allowance;
use crate::session::SessionKey;
use crate::{Limiting, Outputs, Span};
use visavis_protocol::{ErrorCode, ServerMessage};

impl Lobby {
    /// Charges one act to a session and its crowds. False: it was refused, and nothing else may happen.
    pub(super) fn take(&mut self, key: SessionKey, act: Act, outputs: &mut Outputs) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return false };
        let Limiting::Bound(source) = session.limiting else { return true };
        if planted!(NextIsUnlimited) && matches!(act, Act::Next) {
            return true;
        }
        let (rate, burst, interval, what) = match act {
            Act::Message => (
                &mut session.messages,
                self.config.message_burst,
                self.config.message_interval,
                "too many messages",
            ),
            Act::Next => {
                (&mut session.nexts, self.config.next_burst, self.config.next_interval, "Next too often")
            }
            Act::Text => {
                (&mut session.texts, self.config.text_burst, self.config.text_interval, "too much text")
            }
        };
        let taken = rate
            .take(self.now, Allowance { burst, interval })
            .and_then(|()| self.crowds.take(self.now, act, source, &self.config.crowds));
        match taken {
            Ok(()) => true,
            Err(pause) => {
                self.refuse_too_fast(key, what, pause, outputs);
                false
            }
        }
    }

    /// Says `too_fast`; a client that does not listen is closed with 1008.
    pub(super) fn refuse_too_fast(
        &mut self,
        key: SessionKey,
        what: &str,
        pause: Span,
        outputs: &mut Outputs,
    ) {
        let patience = Allowance { burst: self.config.max_refusals, interval: Span::from_secs(1) };
        self.counters.count_refusal(ErrorCode::TooFast);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let patient = session.refusals.take(self.now, patience).is_ok();
        let pause_ms = pause.as_millis_ceil();
        let error = ServerMessage::too_fast(format!("{what}: pause for {pause_ms} ms"), pause_ms);
        self.blame(key, error, outputs);
        if !patient {
            self.expel(key, "too_fast", outputs);
        }
    }

    pub(super) fn part_from_crowd(&mut self, limiting: Limiting) {
        match limiting {
            Limiting::Bound(source) => self.crowds.leave(source),
            Limiting::Exempt => {}
        }
    }
}
