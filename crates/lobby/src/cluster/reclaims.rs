//! Sessions that were resumed by nothing but their token, since nobody could be asked; and what is left of them where
//! they were before.
//!
//! A node that lost sight of the others believes the token of a visitor whose session another node still holds. That one
//! knows nothing of it, and keeps what is left: a place, a seat, mail. When the visitor comes back there, its token is
//! newer than what is left, and tells how much of that mail was heard. When the nodes see each other again, the one that
//! believed asks for what is left, and both halves of a pair find together.

use super::Cluster;
use crate::Outputs;
use crate::ids::{NodeId, SessionId};
use crate::nodes::Say;
use crate::tokens::Heard;

impl Cluster<'_> {
    /// Asks a node that is seen again for what it still holds of sessions that went on here; until it has answered, as it
    /// may not listen yet.
    pub(crate) fn ask_for_what_is_left(&mut self, node: NodeId, outputs: &mut Outputs) {
        let unasked = self.pairs.believed.iter().filter(|(_, believed)| believed.unasked == Some(node));
        let mut asked: Vec<(SessionId, Heard)> = unasked
            .filter_map(|(session, believed)| believed.heard.last().map(|heard| (*session, *heard)))
            .collect();
        asked.sort_unstable_by_key(|(session, _)| *session);
        for (session, Heard { generation, messages }) in asked {
            self.reclaim(node, session, generation, Some(messages), outputs);
        }
    }

    /// Two nodes believed the same token, and one of them has the visitor: what the other holds is left over.
    pub(crate) fn reclaim_if_here(&mut self, node: NodeId, session: SessionId, outputs: &mut Outputs) {
        let known = self.sessions.known(session).and_then(|key| self.sessions.get(key));
        let here = known.filter(|known| known.connection().is_some());
        if let Some(generation) = here.and_then(|known| known.identity.as_ref()).map(|known| known.generation)
        {
            self.reclaim(node, session, generation, None, outputs);
        }
    }

    /// Asks a node for what it holds of a session that is here; no socket waits for the answer.
    fn reclaim(
        &mut self,
        node: NodeId,
        session: SessionId,
        generation: u32,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) {
        let connection = u64::MAX;
        self.tell(node, Say::Reclaim { connection, session, generation, received }, outputs);
    }
}
