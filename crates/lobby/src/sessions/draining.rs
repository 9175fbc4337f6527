//! Going away: nobody is matched any more, everybody is asked to move.
//!
//! What always holds: matches go on, and so do places in line; whoever moves takes them along in its token.

use super::{Phase, Sessions};
use crate::always::Always as _;
use crate::ids::ConnectionId;
use crate::{Outputs, Span};
use visavis_protocol::ServerMessage;

impl Sessions {
    /// Told once: a second time would call back those who are on their way.
    pub(crate) fn drain(&mut self, spread: Span, outputs: &mut Outputs) {
        if self.phase == Phase::Draining {
            return;
        }
        self.phase = Phase::Draining;
        let mut here: Vec<ConnectionId> = self.connections.keys().copied().collect();
        // In order of arrival, so that the same inputs give the same outputs.
        here.sort_unstable();
        let count = here.len() as u64;
        for (place, connection) in (0..).zip(here) {
            let session = self.connections.get(&connection).copied().always("telling nobody ends a session");
            let Some(session) = session else { continue };
            let delay = Span::from_micros(spread.as_micros() / count * place);
            self.say(
                session,
                ServerMessage::Draining { reconnect_after_ms: delay.as_millis_ceil() },
                outputs,
            );
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.phase == Phase::Draining
    }
}
