//! What was sent to a session and may not have arrived: kept while in a match or detached, sent again on resume.
//!
//! Positions count the messages since the last `welcome`, as the client counts them. A pong tells that everything up
//! to its mark has arrived; that is forgotten. Beyond the bounds the oldest goes first.

use crate::planted::planted;
use std::collections::VecDeque;
use visavis_protocol::{Mode, ServerMessage};

#[derive(Debug, Default)]
pub(crate) struct Replay {
    kept: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    position: u32,
    bytes: usize,
    message: ServerMessage,
}

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Replay {
    pub(crate) fn keep(&mut self, position: u32, mut message: ServerMessage, bounds: Bounds) {
        forget_what_was_of_the_socket(&mut message);
        let bytes = weight(&message);
        if is_typing(&message) && !planted!(TypingFillsTheMailbox) {
            // Only the latest counts, and it takes the place of nothing that was said.
            self.forget_typing();
            if self.is_full(bytes, bounds) {
                return;
            }
        } else if self.kept.len() >= bounds.messages || self.bytes + bytes > bounds.bytes {
            self.forget_typing();
        }
        self.bytes += bytes;
        if self.kept.len() == self.kept.capacity() {
            // A handshake is two or three messages, and everybody in a call has had one.
            self.kept.reserve_exact(2.max(self.kept.len() / 2));
        }
        self.kept.push_back(Kept { position, bytes, message });
        while (self.kept.len() > bounds.messages || self.bytes > bounds.bytes)
            && !planted!(MailboxIsBoundless)
        {
            // Without a signal something is missed; without a word of where it stands a client is lost.
            let passing = self.kept.iter().position(|kept| is_passing(&kept.message)).unwrap_or(0);
            let Some(dropped) = self.kept.remove(passing) else { break };
            self.bytes -= dropped.bytes;
        }
    }

    /// Whether one more message of this weight would push an older one out.
    pub(crate) fn is_full(&self, more_bytes: usize, bounds: Bounds) -> bool {
        let is_full = |messages, bytes| messages >= bounds.messages || bytes + more_bytes > bounds.bytes;
        if !is_full(self.kept.len(), self.bytes) {
            return false;
        }
        // What is typed makes room for what is said.
        let typing: Vec<usize> =
            self.kept.iter().filter(|kept| is_typing(&kept.message)).map(|kept| kept.bytes).collect();
        is_full(self.kept.len() - typing.len(), self.bytes - typing.iter().sum::<usize>())
    }

    fn forget_typing(&mut self) {
        if !planted!(TypingFillsTheMailbox) {
            self.kept.retain(|kept| !is_typing(&kept.message));
            self.bytes = self.kept.iter().map(|kept| kept.bytes).sum();
        }
    }

    /// Forgets what gives the address of the stranger away.
    pub(crate) fn forget_addresses(&mut self) {
        self.forget_offers();
        self.kept.retain(|kept| {
            !matches!(
                kept.message,
                ServerMessage::Offer { .. }
                    | ServerMessage::Answer { .. }
                    | ServerMessage::IceCandidate { .. }
            )
        });
        self.bytes = self.kept.iter().map(|kept| kept.bytes).sum();
    }

    /// Whether it is time to ask what has arrived: at half the bounds, and again at every further quarter.
    pub(crate) fn wants_acknowledgement(&self, bounds: Bounds) -> bool {
        let quarter = (bounds.messages / 4).max(1);
        let latest = self.kept.back().map_or(0, |kept| kept.position as usize);
        self.kept.len() >= bounds.messages / 2 && latest.is_multiple_of(quarter)
    }

    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn is_within(&self, bounds: Bounds) -> bool {
        let bytes: usize = self.kept.iter().map(|kept| kept.bytes).sum();
        bytes == self.bytes && self.kept.len() <= bounds.messages && bytes <= bounds.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Forgets what has arrived.
    pub(crate) fn acknowledge(&mut self, position: u32) {
        let position = position.saturating_sub(u32::from(planted!(MailIsRepeated)));
        while self.kept.front().is_some_and(|oldest| oldest.position <= position) {
            if let Some(oldest) = self.kept.pop_front() {
                self.bytes -= oldest.bytes;
            }
        }
        self.give_back();
    }

    /// Emptied, it would hold its room for as long as a call goes on.
    fn give_back(&mut self) {
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }

    /// Forgets what strangers said in a match that is over. That there was one, and how it ended, is still to be heard.
    pub(crate) fn forget_signals(&mut self) {
        self.forget_offers();
        self.kept.retain(|kept| !is_signal(&kept.message));
        self.bytes = self.kept.iter().map(|kept| kept.bytes).sum();
        self.give_back();
    }

    /// Takes the waiting offers out of the matches that are still to be heard of.
    fn forget_offers(&mut self) {
        for kept in &mut self.kept {
            if let ServerMessage::PartnerFound(found) = &mut kept.message
                && found.offer.take().is_some()
            {
                found.mode = Mode::Negotiate;
                kept.bytes = weight(&kept.message);
            }
        }
    }

    /// All that is left, oldest first.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = ServerMessage> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.kept).into_iter().map(|kept| kept.message)
    }
}

/// A token that is read after a resume is an old one: the new `welcome` brought a newer. And the messages of another
/// socket are counted anew.
fn forget_what_was_of_the_socket(message: &mut ServerMessage) {
    match message {
        ServerMessage::Welcome { resume_token, .. }
        | ServerMessage::Waiting { resume_token, .. }
        | ServerMessage::PartnerLeft { resume_token, .. }
        | ServerMessage::Stopped { resume_token, .. }
        | ServerMessage::Blocked { resume_token, .. }
        | ServerMessage::Unblocked { resume_token, .. } => *resume_token = None,
        ServerMessage::PartnerFound(found) => found.resume_token = None,
        ServerMessage::Error { nth, .. } => *nth = None,
        ServerMessage::Offer { .. }
        | ServerMessage::Answer { .. }
        | ServerMessage::IceCandidate { .. }
        | ServerMessage::Message { .. }
        | ServerMessage::Typing { .. }
        | ServerMessage::PartnerReconnecting { .. }
        | ServerMessage::PartnerBack { .. }
        | ServerMessage::Ping {}
        | ServerMessage::Pong { .. }
        | ServerMessage::Draining { .. } => {}
    }
}

/// What the stranger says.
fn is_signal(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Offer { .. }
        | ServerMessage::Answer { .. }
        | ServerMessage::IceCandidate { .. }
        | ServerMessage::Message { .. }
        | ServerMessage::Typing { .. } => true,
        ServerMessage::Welcome { .. }
        | ServerMessage::Waiting { .. }
        | ServerMessage::PartnerFound(_)
        | ServerMessage::PartnerLeft { .. }
        | ServerMessage::PartnerReconnecting { .. }
        | ServerMessage::PartnerBack { .. }
        | ServerMessage::Stopped { .. }
        | ServerMessage::Blocked { .. }
        | ServerMessage::Unblocked { .. }
        | ServerMessage::Error { .. }
        | ServerMessage::Ping {}
        | ServerMessage::Pong { .. }
        | ServerMessage::Draining { .. } => false,
    }
}

fn is_typing(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::Typing { .. })
}

/// What says nothing of where the session stands.
fn is_passing(message: &ServerMessage) -> bool {
    is_signal(message) || matches!(message, ServerMessage::Error { .. } | ServerMessage::Waiting { .. })
}

/// About how much memory a message holds.
fn weight(message: &ServerMessage) -> usize {
    weight_of(message.payload_bytes())
}

/// The same of a message with so many bytes of payload.
pub(crate) fn weight_of(payload_bytes: usize) -> usize {
    const FRAME: usize = 64;
    FRAME + payload_bytes
}
