//! What a client knows by what it was told, and what a hostile one may repeat.

use std::collections::VecDeque;
use visavis_lobby::{ConnectionId, Input};
use visavis_protocol::{ErrorCode, MatchId, ResumeToken, ServerMessage};

#[derive(Debug, Default)]
pub(super) struct Client {
    /// The match that it was told to be in.
    pub(super) present: Option<MatchId>,
    /// Messages sent.
    pub(super) said: u32,
    /// The mark of the last ping that it has not answered.
    pub(super) pinged: Option<u32>,
}

impl Client {
    pub(super) fn hear(&mut self, own: ConnectionId, input: &Input, message: &ServerMessage) {
        match message {
            ServerMessage::Welcome { match_id, .. } => self.present = *match_id,
            // In line, or idle: the match is over, however it ended.
            ServerMessage::Waiting { .. } | ServerMessage::Stopped { .. } => self.present = None,
            ServerMessage::PartnerFound(found) => self.present = Some(found.match_id),
            ServerMessage::PartnerLeft { match_id, .. } => {
                assert!(
                    self.present.is_none_or(|present| present == *match_id),
                    "{own:?} is told that another match ended"
                );
                self.present = None;
            }
            ServerMessage::Offer { match_id, .. }
            | ServerMessage::Answer { match_id, .. }
            | ServerMessage::IceCandidate { match_id, .. }
            | ServerMessage::Message { match_id, .. }
            | ServerMessage::Typing { match_id, .. }
            | ServerMessage::PartnerReconnecting { match_id, .. }
            | ServerMessage::PartnerBack { match_id, .. } => {
                // After a resume comes also what belonged to a match that ended meanwhile.
                let resumes = matches!(input, Input::Received { connection, .. } if *connection == own);
                assert!(
                    resumes || self.present == Some(*match_id),
                    "{own:?}, in {:?}, hears {message:?} after {input:?}",
                    self.present
                );
            }
            ServerMessage::Error { code, nth, retry_after_ms, .. } => {
                assert!(
                    nth.is_none_or(|nth| nth == self.said),
                    "an error of message {nth:?} after {} of them",
                    self.said
                );
                assert_eq!(*code == ErrorCode::TooFast, retry_after_ms.is_some());
                assert!(
                    matches!(input, Input::Received { connection, .. } | Input::Malformed { connection, .. } if *connection == own),
                    "nobody is to blame for {input:?}"
                );
            }
            ServerMessage::Pong { received } => assert_eq!(*received, self.said),
            ServerMessage::Blocked { .. } | ServerMessage::Unblocked { .. } => {}
            ServerMessage::Ping {} | ServerMessage::Draining { .. } => {}
        }
    }
}

/// Tokens and matches that were ever told to anybody; of the oldest only so many.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) tokens: VecDeque<ResumeToken>,
    pub(crate) matches: VecDeque<MatchId>,
}

impl Known {
    const KEPT: usize = 16;

    pub(crate) fn learn(&mut self, message: &ServerMessage) {
        let token = match message {
            ServerMessage::Welcome { resume_token, .. }
            | ServerMessage::Waiting { resume_token, .. }
            | ServerMessage::PartnerLeft { resume_token, .. }
            | ServerMessage::Stopped { resume_token, .. } => resume_token.as_ref(),
            ServerMessage::PartnerFound(found) => {
                keep(&mut self.matches, found.match_id);
                found.resume_token.as_ref()
            }
            _ => None,
        };
        if let Some(token) = token {
            keep(&mut self.tokens, token.clone());
        }
    }
}

/// The newest first.
fn keep<T: PartialEq>(known: &mut VecDeque<T>, new: T) {
    if !known.contains(&new) {
        known.push_front(new);
        known.truncate(Known::KEPT);
    }
}
