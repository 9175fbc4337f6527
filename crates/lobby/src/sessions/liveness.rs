//! Signs of life: pings after a silence, a cut after a longer one. What a silence means for others is for those to say.

use super::Sessions;
use crate::always::Always as _;
use crate::ids::{ConnectionId, SessionKey};
use crate::planted::planted;
use crate::session::{Engagement, Link};
use crate::{Output, Outputs, Span, Time};
use visavis_protocol::ServerMessage;

/// What shows that somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A message.
    Frame,
    /// A ping or pong of the WebSocket: a browser answers without asking its page.
    Socket,
}

/// A session that is there.
pub(crate) struct Life {
    pub(crate) session: SessionKey,
    /// Whether the sign came from its page, or as good as.
    pub(crate) spoke: bool,
}

/// What has to happen to a session that was silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    Bearable,
    /// Its socket is to be closed; it may yet be resumed.
    TooLong,
    /// It had no socket, and nobody came back for it.
    GraceIsOver,
}

impl Sessions {
    /// Notes that a connection lives. `None` for one that the lobby does not know (any more).
    pub(crate) fn note_seen(&mut self, connection: ConnectionId, sign: Sign) -> Option<Life> {
        let key = *self.connections.get(&connection)?;
        let session = self.all.get_mut(key)?;
        session.last_seen = self.now;
        let spoke = match sign {
            Sign::Frame => {
                session.last_frame = self.now;
                true
            }
            Sign::Socket => !session.answers_ping || planted!(FrozenPagesCount),
        };
        if spoke || !session.must_speak() {
            session.asked = None;
        }
        Some(Life { session: key, spoke })
    }

    /// Makes sure that a session is looked at when its silence first matters.
    pub(crate) fn watch(&mut self, key: SessionKey) {
        let patience = self.patience(key);
        let Some(session) = self.all.get_mut(key) else { return };
        let due = match session.asked {
            None => session.silent_since() + patience.ping_after,
            Some(asked) => patience.ends(session.silent_since(), asked),
        };
        if session.timer.is_none_or(|at| at > due) {
            self.timers.set(&mut session.timer, key, due);
        }
    }

    pub(crate) fn on_silence_check(&mut self, key: SessionKey, outputs: &mut Outputs) -> Silence {
        let patience = self.patience(key);
        let Some(session) = self.all.get_mut(key).always("its timer goes with it") else {
            return Silence::Bearable;
        };
        let connection = match session.link {
            Link::Attached(connection) => connection,
            Link::Detached { until } if until <= self.now => return Silence::GraceIsOver,
            Link::Detached { until } => {
                self.timers.set(&mut session.timer, key, until);
                return Silence::Bearable;
            }
            // Its own node watches it.
            Link::Elsewhere { .. } => return Silence::Bearable,
        };
        let silent_since = session.silent_since();
        let mut due = silent_since + patience.ping_after;
        if self.now >= due {
            let asked = *session.asked.get_or_insert(self.now);
            let end = patience.ends(silent_since, asked);
            let end = if planted!(SilenceIsEndless) { self.now + patience.cut_after } else { end };
            if self.now >= end {
                return Silence::TooLong;
            }
            if session.must_speak() {
                outputs.send(connection, ServerMessage::Ping {});
            } else {
                outputs.push(Output::Ping { connection, mark: session.mark() });
            }
            due = (self.now + patience.ping_after).min(end);
        }
        self.timers.set(&mut session.timer, key, due);
        Silence::Bearable
    }

    /// Says how much of what this socket sent was taken.
    pub(crate) fn on_ping(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.all.get(key) else { return };
        if let Some(connection) = session.connection() {
            outputs.send(connection, ServerMessage::Pong { received: session.said.nth });
        }
    }

    fn patience(&self, key: SessionKey) -> Patience {
        match self.all.get(key).map(|session| session.engagement) {
            Some(Engagement::OnCall) => Patience {
                ping_after: self.config.waiting_ping_after,
                cut_after: self.config.waiting_cut_after,
            },
            Some(Engagement::Free | Engagement::Engaged) | None => {
                Patience { ping_after: self.config.ping_after, cut_after: self.config.cut_after }
            }
        }
    }
}

/// After which silence a session is pinged, and after which it is cut.
struct Patience {
    ping_after: Span,
    cut_after: Span,
}

impl Patience {
    /// When a session is cut that was first pinged at `asked`. A silence that was fine in a call may be too long for the
    /// line; whoever comes back from one still has as long to answer as anybody else.
    fn ends(&self, last_seen: Time, asked: Time) -> Time {
        (last_seen + self.cut_after).max(asked + (self.cut_after - self.ping_after))
    }
}
