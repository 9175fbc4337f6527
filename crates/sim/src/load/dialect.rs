//! How the same visitors speak to different servers: Visavis itself, or a Socket.IO 4 server that knows the same events.

use crate::Heard;
use visavis_protocol::ClientMessage;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Dialect {
    /// One JSON object a frame, at the path of the URL.
    Visavis,
    /// Engine.IO 4 with events, over its WebSocket transport.
    Socketio,
}

/// What a text frame means.
pub(super) enum Meaning<'a> {
    Heard(Heard<'a>),
    /// The session is open: the visitor may speak.
    Ready,
    /// Answer with this frame.
    Reply(&'static str),
    Nothing,
    Unreadable,
}

impl Dialect {
    /// Whether the visitor may speak as soon as the socket is open.
    pub(super) fn ready_when_open(self) -> bool {
        match self {
            Dialect::Visavis => true,
            Dialect::Socketio => false,
        }
    }

    pub(super) fn write(self, message: &ClientMessage, out: &mut Vec<u8>) {
        match self {
            Dialect::Visavis => {
                // Writing to memory cannot fail, and every message can be written.
                let _ = serde_json::to_writer(out, message);
            }
            Dialect::Socketio => {
                let Ok(json) = serde_json::to_string(message) else { return };
                // {"type":"offer","sdp":…} becomes 42["offer",{"sdp":…}]
                let Some(rest) = json.strip_prefix("{\"type\":\"") else { return };
                let Some((name, fields)) = rest.split_once('"') else { return };
                out.extend_from_slice(b"42[\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\",{");
                out.extend_from_slice(fields.trim_start_matches(',').as_bytes());
                out.push(b']');
            }
        }
    }

    pub(super) fn read(self, text: &str) -> Meaning<'_> {
        match self {
            Dialect::Visavis => Heard::read(text).map_or(Meaning::Unreadable, Meaning::Heard),
            Dialect::Socketio => read_socketio(text),
        }
    }
}

fn read_socketio(text: &str) -> Meaning<'_> {
    if let Some(event) = text.strip_prefix("42[\"") {
        let Some((name, rest)) = event.split_once('"') else { return Meaning::Unreadable };
        let json = rest.trim_start_matches(',').strip_suffix(']').unwrap_or("{}");
        let json = if json.is_empty() { "{}" } else { json };
        return Heard::read_named(name, json).map_or(Meaning::Unreadable, Meaning::Heard);
    }
    match text.as_bytes() {
        [b'0', ..] => Meaning::Reply("40"),
        [b'4', b'0', ..] => Meaning::Ready,
        [b'2', ..] => Meaning::Reply("3"),
        _ => Meaning::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_protocol::{ClientMessage, FindPartner, Kind, SearchMessage, Stop};

    fn written(message: &ClientMessage) -> String {
        let mut out = Vec::new();
        Dialect::Socketio.write(message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_of_socketio_carries_the_same_fields() {
        let find = ClientMessage::Search(SearchMessage::FindPartner(FindPartner::anyone(Kind::Audio)));
        assert_eq!(written(&find), r#"42["find_partner",{"kind":"audio","requeue":false}]"#);
        assert_eq!(written(&ClientMessage::Search(SearchMessage::Stop(Stop {}))), r#"42["stop",{}]"#);
        assert!(matches!(Dialect::Socketio.read(r#"42["stopped"]"#), Meaning::Heard(Heard::Stopped { .. })));
        let left = r#"42["partner_left",{"match_id":"00000000000000ff","reason":"next","requeued":false}]"#;
        assert!(matches!(Dialect::Socketio.read(left), Meaning::Heard(Heard::PartnerLeft { .. })));
    }
}
