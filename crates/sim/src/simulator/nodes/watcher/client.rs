//! What one visitor's client has read and said: what it believes, if it believes what it is told.

use super::{Breach, Case, ConnectionId, MatchId, Micros, Promise, ServerMessage, Watcher, hold};
use crate::simulator::guest::Guest;
use std::collections::BTreeSet;
use visavis_protocol::{ClientMessage, SearchMessage, SessionMessage};

#[derive(Debug, Default)]
pub(super) struct Client {
    /// The match that it is in.
    accepted: Option<MatchId>,
    /// Matches that it has read of in this session.
    found: BTreeSet<MatchId>,
    /// What strangers wrote, in this session.
    read: BTreeSet<String>,
}

impl Watcher {
    /// The client sends something.
    pub(in super::super) fn says(&mut self, guest: u32, message: &ClientMessage) {
        let client = self.clients.entry(guest).or_default();
        match message {
            ClientMessage::Search(
                SearchMessage::FindPartner(_) | SearchMessage::Next(_) | SearchMessage::Stop(_),
            ) => {
                client.accepted = None;
            }
            ClientMessage::Session(SessionMessage::Block(block)) => {
                if client.accepted == Some(block.match_id) {
                    client.accepted = None;
                }
                self.wanted_blocks.insert(block.match_id);
            }
            _ => {}
        }
    }

    /// The client reads something, on the socket that it uses.
    pub(in super::super) fn delivered(
        &mut self,
        now: Micros,
        connection: ConnectionId,
        guest: &Guest,
        message: &ServerMessage,
    ) -> Result<(), Breach> {
        self.now = now;
        let (id, counts) = (guest.id, guest.counts());
        let client = self.clients.entry(id).or_default();
        match message {
            ServerMessage::Welcome { resumed: Some(true), match_id, .. } => client.accepted = *match_id,
            ServerMessage::Welcome { .. } => *client = Client::default(),
            ServerMessage::PartnerFound(found) => {
                let before = client.accepted.filter(|before| *before != found.match_id);
                client.accepted = Some(found.match_id);
                let again = !client.found.insert(found.match_id);
                hold(!(again && counts), Promise::FoundOnce, || {
                    format!("visitor {id} hears of {:?} again", found.match_id)
                })?;
                let visit = self.sockets.get(&connection).and_then(|seen| seen.visit);
                if let (Some(before), Some(visit)) = (before, visit) {
                    // Its search may have been under way when the first match began.
                    hold(self.may_follow(visit, before, found.match_id), Promise::OneLiveMatch, || {
                        format!("visitor {id} is in {before:?} and is given {:?}", found.match_id)
                    })?;
                }
            }
            ServerMessage::PartnerLeft { match_id, .. } if client.accepted == Some(*match_id) => {
                client.accepted = None;
            }
            ServerMessage::Waiting { .. } | ServerMessage::Stopped { .. } => client.accepted = None,
            ServerMessage::Message { match_id, text } => {
                let again = !client.read.insert(text.0.clone());
                hold(!(again && counts), Promise::NothingIsReadTwice, || {
                    format!("visitor {id} reads {:?} again", text.0)
                })?;
                self.is_of_the_partner(connection, *match_id, &text.0)?;
            }
            ServerMessage::PartnerBack { .. } => self.coverage.note(Case::PartnerCameBack),
            _ => {}
        }
        Ok(())
    }
}
