//! Client → server. `read_client_message` makes these from a frame; the load client writes them with serde.
//!
//! A new message: its body in `bodies`, and one line in `client_messages!` in the family that handles it.

use crate::read::read_body;
use crate::{
    Block, Connected, FindPartner, Hello, IceCandidate, MatchId, Message, Next, Offer, Ping, Pong, Refusal,
    Signal, Stop, TicketOffer, Typing, Unblock,
};
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

/// One message of a client, by what it is about. Wishes are still as given; see [`crate::Wishes`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ClientMessage {
    /// Who is there: the visit itself, and whom it never wants to meet again.
    Session(SessionMessage),
    /// Whom to meet: looking for a stranger, and leaving one.
    Search(SearchMessage),
    /// For the stranger of the present match.
    Signal(SignalMessage),
}

/// The families and what is in them, in the order of the bindings. All that names every message is made from this list.
macro_rules! client_messages {
    (
        SessionMessage { $($(#[$greeting_doc:meta])* $greeting:ident($greeting_body:ty),)* }
        SearchMessage { $($(#[$search_doc:meta])* $search:ident($search_body:ty),)* }
        SignalMessage { $($(#[$signal_doc:meta])* $signal:ident($signal_body:ty),)* }
        SessionMessage { $($(#[$session_doc:meta])* $session:ident($session_body:ty),)* }
    ) => {
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum SessionMessage {
            $($(#[$greeting_doc])* $greeting($greeting_body),)*
            $($(#[$session_doc])* $session($session_body),)*
        }

        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum SearchMessage {
            $($(#[$search_doc])* $search($search_body),)*
        }

        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum SignalMessage {
            $($(#[$signal_doc])* $signal($signal_body),)*
        }

        /// Which message: the `type` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum MessageType {
            $($greeting,)* $($search,)* $($signal,)* $($session,)*
        }

        impl ClientMessage {
            pub fn message_type(&self) -> MessageType {
                match self {
                    $(ClientMessage::Session(SessionMessage::$greeting(_)) => MessageType::$greeting,)*
                    $(ClientMessage::Search(SearchMessage::$search(_)) => MessageType::$search,)*
                    $(ClientMessage::Signal(SignalMessage::$signal(_)) => MessageType::$signal,)*
                    $(ClientMessage::Session(SessionMessage::$session(_)) => MessageType::$session,)*
                }
            }

            /// The message of this type, its body read by serde.
            pub(crate) fn read_as(message_type: MessageType, frame: &str) -> Result<Self, Refusal> {
                Ok(match message_type {
                    $(MessageType::$greeting => {
                        ClientMessage::Session(SessionMessage::$greeting(read_body(frame)?))
                    })*
                    $(MessageType::$search => ClientMessage::Search(SearchMessage::$search(read_body(frame)?)),)*
                    $(MessageType::$signal => ClientMessage::Signal(SignalMessage::$signal(read_body(frame)?)),)*
                    $(MessageType::$session => {
                        ClientMessage::Session(SessionMessage::$session(read_body(frame)?))
                    })*
                })
            }
        }

        /// One message of a client, shaped as on the wire. Wishes are still as given; see [`crate::Wishes`].
        #[cfg(test)]
        #[derive(ts_rs::TS, schemars::JsonSchema, Serialize)]
        #[serde(tag = "type", rename_all = "snake_case", rename = "ClientMessage")]
        #[expect(dead_code, reason = "the bindings are made from it")]
        pub(crate) enum Wire {
            $($(#[$greeting_doc])* $greeting($greeting_body),)*
            $($(#[$search_doc])* $search($search_body),)*
            $($(#[$signal_doc])* $signal($signal_body),)*
            $($(#[$session_doc])* $session($session_body),)*
        }
    };
}

client_messages! {
    SessionMessage {
        /// Optional greeting; answered by `welcome`.
        Hello(Hello),
    }
    SearchMessage {
        /// Search, or search anew.
        FindPartner(FindPartner),
        /// A fresh offer for a ticket that waits.
        TicketOffer(TicketOffer),
        /// Leave the stranger and find another.
        Next(Next),
        /// Leave and do not search.
        Stop(Stop),
    }
    SignalMessage {
        Offer(Signal),
        Answer(Signal),
        IceCandidate(IceCandidate),
        /// Media flows: for the metrics, and a sign of life.
        Connected(Connected),
        Message(Message),
        Typing(Typing),
    }
    SessionMessage {
        /// Never meet this stranger again.
        Block(Block),
        /// Takes a block back.
        Unblock(Unblock),
        /// Are you there? Answered by `pong`.
        Ping(Ping),
        /// Answers the server's `ping`.
        Pong(Pong),
    }
}

impl MessageType {
    /// The type that a frame is tagged with, if there is one of that name.
    pub fn named(tag: &str) -> Option<Self> {
        let tag: StrDeserializer<'_, serde::de::value::Error> = tag.into_deserializer();
        MessageType::deserialize(tag).ok()
    }
}

/// What an element of a list takes, beside what is in it.
const ELEMENT: usize = 24;

impl ClientMessage {
    /// About how many bytes of it are not of fixed size. Each element of a list takes room, however little is in it.
    pub fn payload_bytes(&self) -> usize {
        match self {
            ClientMessage::Session(message) => message.payload_bytes(),
            ClientMessage::Search(message) => message.payload_bytes(),
            ClientMessage::Signal(message) => message.payload_bytes(),
        }
    }
}

impl SessionMessage {
    fn payload_bytes(&self) -> usize {
        match self {
            SessionMessage::Hello(hello) => {
                hello.resume.as_ref().map_or(0, |token| token.0.len())
                    + hello.device.as_ref().map_or(0, |device| device.0.len())
                    + hello.blocks.iter().map(|handle| ELEMENT + handle.0.len()).sum::<usize>()
            }
            SessionMessage::Block(_)
            | SessionMessage::Unblock(_)
            | SessionMessage::Ping(_)
            | SessionMessage::Pong(_) => 0,
        }
    }
}

impl SearchMessage {
    fn payload_bytes(&self) -> usize {
        let of_words = |words: &[String]| words.iter().map(|word| ELEMENT + word.len()).sum::<usize>();
        let of_offer =
            |offer: &Option<Offer>| offer.as_ref().map_or(0, |offer| offer.sdp.reveal_json().len());
        match self {
            SearchMessage::FindPartner(wanted) => {
                of_offer(&wanted.offer)
                    + of_words(&wanted.interests)
                    + of_words(&wanted.languages)
                    + wanted.pin.len() * ELEMENT
                    + wanted.pool.as_ref().map_or(0, String::len)
            }
            SearchMessage::TicketOffer(TicketOffer { sdp }) => sdp.reveal_json().len(),
            SearchMessage::Next(next) => of_offer(&next.offer),
            SearchMessage::Stop(_) => 0,
        }
    }
}

impl SignalMessage {
    /// The match it names.
    pub fn match_id(&self) -> Option<MatchId> {
        match self {
            SignalMessage::Offer(Signal { match_id, .. })
            | SignalMessage::Answer(Signal { match_id, .. })
            | SignalMessage::IceCandidate(IceCandidate { match_id, .. })
            | SignalMessage::Message(Message { match_id, .. })
            | SignalMessage::Typing(Typing { match_id, .. }) => *match_id,
            SignalMessage::Connected(Connected { match_id, .. }) => Some(*match_id),
        }
    }

    /// About how many bytes of it reach the stranger; `None` for what does not.
    pub fn forwarded_bytes(&self) -> Option<usize> {
        match self {
            SignalMessage::Offer(_)
            | SignalMessage::Answer(_)
            | SignalMessage::IceCandidate(_)
            | SignalMessage::Message(_)
            | SignalMessage::Typing(_) => Some(self.payload_bytes()),
            SignalMessage::Connected(_) => None,
        }
    }

    fn payload_bytes(&self) -> usize {
        match self {
            SignalMessage::Offer(Signal { sdp, .. }) | SignalMessage::Answer(Signal { sdp, .. }) => {
                sdp.reveal_json().len()
            }
            SignalMessage::IceCandidate(IceCandidate { candidate, .. }) => candidate.reveal_json().len(),
            SignalMessage::Message(Message { text, .. }) => text.0.len(),
            SignalMessage::Connected(_) | SignalMessage::Typing(_) => 0,
        }
    }
}
