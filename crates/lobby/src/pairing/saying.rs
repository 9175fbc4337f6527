//! Saying something to a session, wherever its visitor is.

use super::Pairing;
use crate::Outputs;
use crate::ids::{NodeId, SessionKey};
use crate::nodes::{Carried, Say};
use crate::planted::planted;
use crate::session::Link;
use visavis_protocol::ServerMessage;

impl Pairing<'_> {
    pub(crate) fn say(&mut self, key: SessionKey, message: ServerMessage, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        // What waits for the way to open again goes first.
        let waits = session.identity.as_ref().is_some_and(|identity| !identity.replay.is_empty());
        match session.link {
            Link::Elsewhere { node } if self.peers.is_near() && !waits => {
                self.say_elsewhere(key, node, message, outputs);
            }
            Link::Elsewhere { .. } | Link::Attached(_) | Link::Detached { .. } => {
                self.sessions.say(key, message, outputs);
            }
        }
    }

    /// What the lobby says to a proxy goes to its visitor's node.
    fn say_elsewhere(
        &mut self,
        key: SessionKey,
        node: NodeId,
        message: ServerMessage,
        outputs: &mut Outputs,
    ) {
        let present = self.pairs.state(key).and_then(|state| self.pairs.present_match_id(state));
        match (Carried::take(message), present) {
            (Some(Carried::Left { .. }), _) if planted!(LeavingIsNotSaid) => {}
            (Some(Carried::Left { id, reason, .. }), _) => self.tell(node, Say::Left { id, reason }, outputs),
            (Some(carried), Some(id)) => self.tell(node, Say::Carry { id, carried }, outputs),
            (Some(_), None) | (None, _) => {}
        }
    }

    pub(crate) fn tell(&mut self, node: NodeId, say: Say, outputs: &mut Outputs) {
        self.peers.tell(node, say, self.sessions.now, outputs);
    }
}
