//! One input, and what must follow from it.

use super::VisitId;
use visavis_lobby::{ConnectionId, Input, Output};
use visavis_protocol::{ErrorCode, LeftReason, MatchId, ServerMessage};

#[derive(Default)]
pub(super) struct Turn {
    pub(super) sender: Option<ConnectionId>,
    /// The error that the sender was told, if one.
    pub(super) refused: Option<ErrorCode>,
    /// The pause that it was told with that.
    pub(super) pause_ms: Option<u64>,
    pub(super) is_timeout: bool,
    /// Who must hear `partner_left`.
    pub(super) left: Vec<(VisitId, MatchId, LeftReason)>,
    /// Who must hear `partner_reconnecting`, and `partner_back`.
    pub(super) away: Vec<(VisitId, MatchId)>,
    pub(super) back: Vec<(VisitId, MatchId)>,
    /// Matches with a ghost that end in this turn. Its silence may be noticed first, and be announced.
    pub(super) dissolved: Vec<MatchId>,
    /// What must reach whom.
    pub(super) forward: Option<(VisitId, MatchId, u64)>,
    /// Who began to search, in order, and who of them has not heard of it yet.
    pub(super) entered: Vec<VisitId>,
    pub(super) news: Vec<VisitId>,
    pub(super) closes: Vec<ConnectionId>,
    pub(super) welcome: Option<(VisitId, Option<bool>)>,
    /// How many frames of the socket before were taken, where the server has to know.
    pub(super) taken: Option<u32>,
    /// Who has to be answered by `pong`, and with which number.
    pub(super) pong: Option<(VisitId, u32)>,
    /// Who has to hear that a block holds, of which match, and whom it is about; or that one was taken back.
    pub(super) blocked: Option<(VisitId, MatchId, super::Person)>,
    pub(super) unblocked: Option<VisitId>,
    pub(super) stopped: Option<VisitId>,
    /// Who was told `stopped`.
    pub(super) finished: Option<VisitId>,
    /// Matches announced, once for each side told.
    pub(super) told: Vec<MatchId>,
    /// Who just came back, and how much it was sent again.
    pub(super) returned: Option<(VisitId, usize)>,
    /// Tokens that went out.
    pub(super) minted: Vec<u64>,
    pub(super) why_refused: Option<super::returning::Cause>,
}

impl Turn {
    pub(super) fn of(input: &Input, outputs: &[Output]) -> Self {
        let sender = match input {
            Input::Opened { connection, .. }
            | Input::Received { connection, .. }
            | Input::Malformed { connection, .. }
            | Input::Alive { connection, .. }
            | Input::Closed { connection, .. } => Some(*connection),
            Input::Drain { .. } | Input::Reported(_) | Input::Cluster(_) | Input::Timeout => None,
        };
        let to_sender = outputs.iter().filter_map(|output| match output {
            Output::Send { connection, message } if Some(*connection) == sender => Some(message),
            Output::Send { .. } | Output::Ping { .. } | Output::Close { .. } | Output::Cluster(_) => None,
        });
        // Behind a welcome an error is one that is sent again.
        let refused = to_sender
            .take_while(|message| !matches!(message, ServerMessage::Welcome { .. }))
            .find_map(|message| match message {
                ServerMessage::Error { code, retry_after_ms, .. } => Some((*code, *retry_after_ms)),
                _ => None,
            });
        let (refused, pause_ms) = refused.map_or((None, None), |(code, pause_ms)| (Some(code), pause_ms));
        Turn { sender, refused, pause_ms, is_timeout: matches!(input, Input::Timeout), ..Turn::default() }
    }
}
