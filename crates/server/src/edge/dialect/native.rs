//! The protocol of `docs/protocol.md`: one JSON object a text, each a message of its own.

use super::Carrier;
use crate::driver::Outbound;
use visavis_lobby::{ConnectionId, Input};
use visavis_protocol::{Limits, read_client_message};

pub(super) fn read(connection: ConnectionId, text: &str, limits: &Limits) -> Input {
    match read_client_message(text, limits) {
        Ok(message) => Input::Received { connection, message },
        Err(refusal) => Input::Malformed { connection, refusal },
    }
}

pub(super) fn write(outbound: &Outbound, carrier: &mut impl Carrier) {
    match outbound {
        Outbound::Message(message) => carrier.text(|out| {
            let start = out.len();
            if serde_json::to_writer(&mut *out, message).is_err() {
                // Our own types always serialise; if one did not, the client ignores what it does not know.
                debug_assert!(false, "a server message does not serialise");
                out.truncate(start);
                out.extend_from_slice(b"{\"type\":\"\"}");
            }
        }),
        Outbound::Ping(mark) => carrier.ping(*mark),
        // A matter of the carrier, which also waits for the answer.
        Outbound::Close { .. } => {}
    }
}
