//! What a worker writes down of what its visitors note.

use super::super::wire::Tale;
use super::Worker;
use crate::{Meeting, Note};
use visavis_protocol::LeftReason;

impl Worker {
    pub(super) fn witness(&mut self, index: usize, note: Note) {
        let (client, tale) = (&mut self.clients[index], &mut self.tale);
        match note {
            Note::Matched { match_id, initiator, mode, offer, waited } => {
                if std::mem::take(&mut client.pressed) {
                    tale.found.record(waited);
                } else {
                    tale.found_again.record(waited);
                }
                client.meeting = Some(tale.meetings.len());
                let visitor = client.visitor.id();
                let round = self.round;
                tale.meetings.push(Meeting {
                    match_id,
                    visitor,
                    round,
                    initiator,
                    mode,
                    partner: None,
                    offer,
                });
            }
            Note::Signalled { partner, delay } => {
                if let Some(delay) = delay {
                    tale.relayed.record(delay);
                }
                let meeting = client.meeting.and_then(|place| tale.meetings.get_mut(place));
                if let Some(meeting) = meeting {
                    meeting.partner.get_or_insert(partner);
                }
            }
            Note::Connected { took } => {
                if !self.options.no_handshake {
                    tale.connected.record(took);
                }
            }
            Note::Parted { reason: LeftReason::Lost, after, connected: false } => tale.lost.record(after),
            Note::Parted { reason: LeftReason::Lost, after, connected: true } => tale.freed.record(after),
            Note::Parted {
                reason:
                    LeftReason::Next
                    | LeftReason::Stop
                    | LeftReason::Closed
                    | LeftReason::Blocked
                    | LeftReason::Server,
                ..
            } => {}
            Note::Resumed => tale.resumed += 1,
            Note::Refused(code) => *tale.refused.entry(code.as_str().to_owned()).or_default() += 1,
            Note::Breach(breach) => {
                tale.breach_count += 1;
                if tale.breaches.len() < Tale::MAX_BREACHES {
                    tale.breaches.push(format!("visitor {}: {breach:?}", client.visitor.id()));
                }
            }
        }
    }
}
