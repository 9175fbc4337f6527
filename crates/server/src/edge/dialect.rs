//! What clients speak: bytes ⇄ messages, in this one place. A file for each dialect; a client keeps its dialect.
//!
//! A dialect is a pure value: it reads one text into inputs of the lobby, and writes what the lobby says as packets. It
//! may remember what it needs between two texts (acknowledgements that are owed, names it gave to matches). It never
//! sees a socket: a [`Carrier`] takes its packets, and a `Presence` stands for the client at the driver.
//!
//! To add one (Socket.IO, PeerJS):
//! 1. `dialect/NAME.rs` reads and writes it, state included; a variant here owns that state. The lobby's ping is its
//!    `Outbound::Ping`, to be written as the dialect's own where it has one; its pong is read as `Input::Alive`.
//! 2. A route in `http.rs` calls `upgrade` with that variant, after whatever the dialect asks of the query.
//! 3. Where a session is several requests or moves between sockets: a table of `Presence`s by session id beside it, and a
//!    second `Carrier` that fills the body of an answer from the outbox.
//! 4. What it answers by itself (an acknowledgement, a handshake) waits in the client's outbox like everything else, as a
//!    variant of `Outbound`: so its order and its bounds hold.

mod native;

use crate::driver::Outbound;
use visavis_lobby::{ConnectionId, Input};
use visavis_protocol::Limits;

/// One client's way to speak.
pub(super) enum Dialect {
    /// `docs/protocol.md`, at `/ws`. Remembers nothing.
    Native,
}

/// How packets travel: as frames of a WebSocket today.
pub(super) trait Carrier {
    /// One text, which `write` appends.
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>));

    /// A ping of the carrier's own, whose pong brings the mark back.
    fn ping(&mut self, mark: u32);
}

impl Dialect {
    /// Appends what one text says.
    pub(super) fn read(
        &mut self,
        client: ConnectionId,
        text: &str,
        limits: &Limits,
        inputs: &mut Vec<Input>,
    ) {
        match self {
            Dialect::Native => inputs.push(native::read(client, text, limits)),
        }
    }

    pub(super) fn write(&mut self, outbound: &Outbound, carrier: &mut impl Carrier) {
        match self {
            Dialect::Native => native::write(outbound, carrier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_protocol::{ChatText, CloseCode, MatchId, ServerMessage};

    /// The body of an answer to a poll: packets with a separator between them.
    #[derive(Default)]
    struct Poll(Vec<u8>);

    impl Carrier for Poll {
        fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
            write(&mut self.0);
            self.0.push(0x1e);
        }

        fn ping(&mut self, mark: u32) {
            self.0.extend_from_slice(format!("ping {mark}\u{1e}").as_bytes());
        }
    }

    #[test]
    fn what_is_written_does_not_depend_on_how_it_travels() {
        let (mut dialect, mut poll) = (Dialect::Native, Poll::default());
        let said = ServerMessage::Message { match_id: MatchId(7), text: ChatText("hi".into()) };
        for outbound in [
            Outbound::Message(said),
            Outbound::Ping(3),
            Outbound::Close { code: CloseCode::Restart, reason: "restart" },
        ] {
            dialect.write(&outbound, &mut poll);
        }
        let packets = String::from_utf8(poll.0).unwrap();
        let packets: Vec<_> = packets.split_terminator('\u{1e}').collect();
        assert_eq!(packets, [r#"{"type":"message","match_id":"0000000000000007","text":"hi"}"#, "ping 3"]);
    }

    #[test]
    fn a_text_becomes_one_input_of_its_client_sound_or_not() {
        let (mut dialect, limits, mut inputs) = (Dialect::Native, Limits::default(), Vec::new());
        for text in [r#"{"type":"stop"}"#, "no json"] {
            dialect.read(ConnectionId(5), text, &limits, &mut inputs);
        }
        let [Input::Received { connection, .. }, Input::Malformed { connection: other, .. }] = &inputs[..]
        else {
            panic!("{inputs:?}");
        };
        assert_eq!((connection, other), (&ConnectionId(5), &ConnectionId(5)));
    }
}
