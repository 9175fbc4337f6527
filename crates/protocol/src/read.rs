//! From a text frame to a [`ClientMessage`] within its limits, or to the refusal that names the culprit.
//!
//! The usual path reads the frame twice without allocating for structure: once for depth and `type`, once into the
//! message. Only a frame that is refused is read again, to find the field at fault.

use crate::plain::shows_nothing;
use crate::sound::{is_sound, well_formed};
use crate::untagged::Untagged;
use crate::{
    Candidate, ClientMessage, Connected, ErrorCode, FindPartner, Hello, IceCandidate, Limits, Message,
    MessageType, Next, Offer, Refusal, Sdp, SearchMessage, SessionMessage, Signal, SignalMessage,
    TicketOffer,
};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads one frame.
///
/// # Errors
/// `too_large`, `too_deep`, `bad_json`, `unknown_type` or `bad_field`, with a sentence for the client that sent it.
pub fn read_client_message(frame: &str, limits: &Limits) -> Result<ClientMessage, Refusal> {
    if frame.len() > limits.max_frame_bytes {
        return Err(too_large("frame", limits.max_frame_bytes, "bytes"));
    }
    if depth_exceeds(frame.as_bytes(), limits.max_depth) {
        return Err(Refusal::new(
            ErrorCode::TooDeep,
            format!("the frame nests deeper than {} levels", limits.max_depth),
        ));
    }
    let tag = read_type(frame)?;
    let Some(message_type) = MessageType::named(&tag) else {
        let version = crate::VERSION;
        let message =
            format!("unknown type `{tag}`: see docs/protocol.md for the types of version {version}");
        return Err(Refusal::new(ErrorCode::UnknownType, message));
    };
    read_message(message_type, frame, limits).map_err(|refusal| refusal.of(message_type))
}

fn read_message(message_type: MessageType, frame: &str, limits: &Limits) -> Result<ClientMessage, Refusal> {
    let is_written_by_people = matches!(message_type, MessageType::FindPartner | MessageType::Message);
    let frame = if is_written_by_people { well_formed(frame) } else { Cow::Borrowed(frame) };
    let mut message = ClientMessage::read_as(message_type, &frame)?;
    if let ClientMessage::Session(SessionMessage::Hello(hello)) = &mut message {
        forget_surplus(hello);
    }
    check_payload(&message, limits)?;
    Ok(message)
}

/// Only the last blocks count, so no more of them have to be kept while a greeting waits.
fn forget_surplus(hello: &mut Hello) {
    let surplus = hello.blocks.len().saturating_sub(Hello::MAX_BLOCKS);
    if surplus > 0 {
        hello.blocks = hello.blocks.split_off(surplus);
    }
}

/// The tag of a frame. Most clients write it first, where it is read without looking at the rest.
fn read_type(frame: &str) -> Result<Cow<'_, str>, Refusal> {
    let common = frame.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"')).map(|(tag, _)| tag);
    if let Some(tag) = common
        && !tag.contains('\\')
    {
        return Ok(Cow::Borrowed(tag));
    }
    // A derived struct would also read from an array; a frame is an object.
    if !frame.trim_start().starts_with('{') {
        // Tell broken JSON from JSON of another shape, so that the sentence fits.
        return Err(match serde_json::from_str::<IgnoredAny>(frame) {
            Err(error) => Refusal::new(ErrorCode::BadJson, format!("not JSON: {error}")),
            Ok(_) => Refusal::new(ErrorCode::BadJson, "a frame must be one JSON object with a `type`"),
        });
    }
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "type")]
        tag: String,
    }
    match serde_json::from_str::<Envelope>(frame) {
        Ok(envelope) => Ok(Cow::Owned(envelope.tag)),
        Err(error) if error.is_data() => Err(Refusal::new(ErrorCode::BadField, format!("type: {error}"))),
        Err(error) => Err(Refusal::new(ErrorCode::BadJson, format!("not JSON: {error}"))),
    }
}

pub(crate) fn read_body<T: DeserializeOwned>(frame: &str) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_str(frame);
    T::deserialize(Untagged(&mut json))
        .and_then(|body| json.end().map(|()| body))
        .map_err(|_| explain::<T>(frame))
}

/// Reads a refused frame again, slowly, to name the field at fault.
fn explain<T: DeserializeOwned>(frame: &str) -> Refusal {
    // Syntax first: a field can only be wrong in something that is JSON.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(frame) {
        return Refusal::new(ErrorCode::BadJson, format!("not JSON: {error}"));
    }
    let mut json = serde_json::Deserializer::from_str(frame);
    match serde_path_to_error::deserialize::<_, T>(Untagged(&mut json)) {
        Err(error) => {
            let path = error.path().to_string();
            Refusal::new(ErrorCode::BadField, format!("{path}: {}", error.into_inner()))
        }
        // The quick reading failed, so this cannot happen; a refusal is still the safe answer.
        Ok(_) => Refusal::new(ErrorCode::BadField, "the message could not be read"),
    }
}

fn check_payload(message: &ClientMessage, limits: &Limits) -> Result<(), Refusal> {
    match message {
        ClientMessage::Session(message) => check_session(message),
        ClientMessage::Search(message) => check_search(message, limits),
        ClientMessage::Signal(message) => check_signal(message, limits),
    }
}

fn check_session(message: &SessionMessage) -> Result<(), Refusal> {
    match message {
        SessionMessage::Hello(Hello { device: Some(device), .. }) if !device.is_well_formed() => {
            Err(Refusal::new(ErrorCode::BadField, "device: must be 16 to 64 characters of base64url"))
        }
        SessionMessage::Hello(_)
        | SessionMessage::Block(_)
        | SessionMessage::Unblock(_)
        | SessionMessage::Ping(_)
        | SessionMessage::Pong(_) => Ok(()),
    }
}

fn check_search(message: &SearchMessage, limits: &Limits) -> Result<(), Refusal> {
    match message {
        SearchMessage::FindPartner(FindPartner { offer, .. }) | SearchMessage::Next(Next { offer, .. }) => {
            offer.as_ref().map_or(Ok(()), |Offer { sdp }| check_sdp("offer.sdp", sdp, limits))
        }
        SearchMessage::TicketOffer(TicketOffer { sdp }) => check_sdp("sdp", sdp, limits),
        SearchMessage::Stop(_) => Ok(()),
    }
}

fn check_signal(message: &SignalMessage, limits: &Limits) -> Result<(), Refusal> {
    match message {
        SignalMessage::Offer(Signal { sdp, .. }) | SignalMessage::Answer(Signal { sdp, .. }) => {
            check_sdp("sdp", sdp, limits)
        }
        SignalMessage::IceCandidate(IceCandidate { candidate, .. }) => check_candidate(candidate, limits),
        SignalMessage::Message(Message { text, .. }) => {
            // Characters are at least as few as bytes: most messages need no counting.
            if text.0.len() > limits.max_text_chars && text.0.chars().count() > limits.max_text_chars {
                return Err(too_large("text", limits.max_text_chars, "characters"));
            }
            if shows_nothing(&text.0) {
                return Err(Refusal::new(ErrorCode::BadField, "text: must contain a visible character"));
            }
            Ok(())
        }
        SignalMessage::Connected(Connected { elapsed_ms, .. }) => {
            if elapsed_ms.is_finite() && *elapsed_ms >= 0.0 {
                return Ok(());
            }
            Err(Refusal::new(ErrorCode::BadField, "elapsed_ms: must not be negative"))
        }
        SignalMessage::Typing(_) => Ok(()),
    }
}

fn check_sdp(field: &str, sdp: &Sdp, limits: &Limits) -> Result<(), Refusal> {
    let raw = sdp.raw().get();
    if !raw.starts_with('"') {
        return Err(Refusal::new(ErrorCode::BadField, format!("{field}: must be a string")));
    }
    if !is_sound(raw) {
        return Err(unsound(field));
    }
    // Escapes only ever make the raw text longer, so most descriptions need no decoding.
    let fits = raw.len() <= limits.max_sdp_bytes
        || serde_json::from_str::<Cow<'_, str>>(raw).is_ok_and(|text| text.len() <= limits.max_sdp_bytes);
    if fits { Ok(()) } else { Err(too_large(field, limits.max_sdp_bytes, "bytes")) }
}

fn check_candidate(candidate: &Candidate, limits: &Limits) -> Result<(), Refusal> {
    let raw = candidate.reveal_json();
    match raw.as_bytes().first() {
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(raw)
                .map_err(|error| Refusal::new(ErrorCode::BadField, format!("candidate: {error}")))?;
            list.iter().enumerate().try_for_each(|(index, one)| {
                check_one_candidate(&format!("candidate[{index}]"), one.get(), limits)
            })
        }
        _ => check_one_candidate("candidate", raw, limits),
    }
}

fn check_one_candidate(field: &str, raw: &str, limits: &Limits) -> Result<(), Refusal> {
    if raw.len() > limits.max_candidate_bytes {
        return Err(too_large(field, limits.max_candidate_bytes, "bytes"));
    }
    if raw.starts_with('{') || raw == "null" || raw == "\"\"" {
        return if is_sound(raw) { Ok(()) } else { Err(unsound(field)) };
    }
    Err(Refusal::new(ErrorCode::BadField, format!("{field}: must be an RTCIceCandidateInit, null or empty")))
}

fn unsound(field: &str) -> Refusal {
    let message = format!("{field}: contains half a surrogate pair, or a number out of range");
    Refusal::new(ErrorCode::BadField, message)
}

fn too_large(what: &str, limit: usize, unit: &str) -> Refusal {
    Refusal::new(ErrorCode::TooLarge, format!("{what}: at most {limit} {unit}"))
}

/// Whether brackets outside strings nest deeper than `max_depth`. Looks at bytes only: broken JSON is found later.
fn depth_exceeds(frame: &[u8], max_depth: usize) -> bool {
    // Most frames have fewer brackets than levels allowed, and counting them is much cheaper than telling strings apart.
    if frame.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= max_depth {
        return false;
    }
    let mut depth = 0usize;
    let mut bytes = frame.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'\\' => {
                            bytes.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Block, BlockHandle, ChatText, DeviceName, Kind, MatchId, Path, Ping, Pong, Stop, Typing, Unblock,
    };

    fn read(frame: &str) -> Result<ClientMessage, Refusal> {
        read_client_message(frame, &Limits::default())
    }

    fn refused(frame: &str, code: ErrorCode, culprit: &str) {
        let refusal = read(frame).expect_err(frame);
        assert_eq!(refusal.code, code, "{frame}: {}", refusal.message);
        assert!(
            refusal.message.contains(culprit),
            "{frame}: {:?} does not name {culprit:?}",
            refusal.message
        );
    }

    #[test]
    fn what_a_stricter_parser_would_choke_on_is_not_forwarded() {
        for (frame, culprit) in [
            (r#"{"type":"offer","sdp":"\ud800"}"#, "sdp"),
            (r#"{"type":"next","offer":{"sdp":"x\udc00\ud800"}}"#, "offer.sdp"),
            (r#"{"type":"ice_candidate","candidate":{"candidate":"\ud83d"}}"#, "candidate"),
            (r#"{"type":"ice_candidate","candidate":[{},{"sdpMLineIndex":1e999}]}"#, "candidate[1]"),
        ] {
            refused(frame, ErrorCode::BadField, culprit);
        }
        let digits =
            format!(r#"{{"type":"ice_candidate","candidate":{{"sdpMLineIndex":{}}}}}"#, "9".repeat(400));
        refused(&digits, ErrorCode::BadField, "candidate");
        for sound in [
            r#"{"type":"offer","sdp":"\ud83d\ude00 \u00e9"}"#,
            r#"{"type":"ice_candidate","candidate":{"candidate":"3e4 \u0041","sdpMLineIndex":1e3}}"#,
        ] {
            assert!(read(sound).is_ok(), "{sound}");
        }
    }

    #[test]
    fn half_an_emoji_is_replaced_where_people_write() {
        let text = |frame: &str| match read(frame).unwrap() {
            ClientMessage::Signal(SignalMessage::Message(message)) => message.text.0,
            other => panic!("{other:?}"),
        };
        for (given, wanted) in [
            (r"hi \ud83d", "hi \u{fffd}"),
            (r"\ud83d\ud83d\ude00\ude00", "\u{fffd}😀\u{fffd}"),
            (r"\ude00\uD83D", "\u{fffd}\u{fffd}"),
            (r"\\ud83d \u00e9 \ud83d\\", "\\ud83d é \u{fffd}\\"),
            (r#"\ud83d\" 😀"#, "\u{fffd}\" 😀"),
        ] {
            assert_eq!(text(&format!(r#"{{"type":"message","text":"{given}"}}"#)), wanted, "{given}");
        }
        let ClientMessage::Search(SearchMessage::FindPartner(wanted)) =
            read(r#"{"type":"find_partner","kind":"text","interests":["jazz \ud83c","\udfb7"]}"#).unwrap()
        else {
            panic!("a search");
        };
        let interests = crate::read_interests(&wanted.interests, &Limits::default()).unwrap();
        assert_eq!(interests, ["jazz"]);
        refused(r#"{"type":"message","text":"\ud8"}"#, ErrorCode::BadJson, "not JSON");
    }

    #[test]
    fn a_text_in_which_nothing_can_be_seen_is_refused_for_that() {
        for text in ["", " \n", "\u{200b}\u{200d}", "\u{3164}", "\u{202e}\u{e0041}"] {
            let frame = serde_json::json!({"type": "message", "text": text}).to_string();
            refused(&frame, ErrorCode::BadField, "text");
        }
        for text in ["x", " 👍🏽 ", "می\u{200c}خواهم", "ㅤ."] {
            let frame = serde_json::json!({"type": "message", "text": text}).to_string();
            assert!(read(&frame).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_message_reads_back_as_it_was_written() {
        let sdp = Sdp::from_text("v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n").unwrap();
        let id = MatchId(0xfeed);
        let one = Candidate::from_json(
            r#"{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0"}"#.into(),
        );
        let messages = [
            ClientMessage::Session(SessionMessage::Hello(Hello::plain())),
            ClientMessage::Session(SessionMessage::Hello(Hello {
                received: Some(7),
                answers_ping: true,
                device: Some(DeviceName("AbCdEfGhIjKlMnOp-_01".into())),
                blocks: vec![BlockHandle("q83v".into())],
                ..Hello::plain()
            })),
            ClientMessage::Session(SessionMessage::Unblock(Unblock { block: BlockHandle("q83v".into()) })),
            ClientMessage::Session(SessionMessage::Ping(Ping {})),
            ClientMessage::Session(SessionMessage::Pong(Pong {})),
            ClientMessage::Search(SearchMessage::FindPartner(FindPartner {
                offer: Some(Offer { sdp: sdp.clone() }),
                interests: vec!["jazz".into()],
                ..FindPartner::anyone(Kind::Video)
            })),
            ClientMessage::Search(SearchMessage::TicketOffer(TicketOffer { sdp: sdp.clone() })),
            ClientMessage::Search(SearchMessage::Next(Next::default())),
            ClientMessage::Search(SearchMessage::Stop(Stop {})),
            ClientMessage::Signal(SignalMessage::Offer(Signal { match_id: Some(id), sdp: sdp.clone() })),
            ClientMessage::Signal(SignalMessage::Answer(Signal { match_id: None, sdp })),
            ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                match_id: Some(id),
                candidate: one.unwrap(),
            })),
            ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                match_id: None,
                candidate: Candidate::end(),
            })),
            ClientMessage::Signal(SignalMessage::Connected(Connected {
                match_id: id,
                path: Path::Direct,
                elapsed_ms: 312.5,
                local_type: Some(crate::CandidateType::Host),
                remote_type: None,
                protocol: Some(crate::Transport::Udp),
                family: Some(crate::IpFamily::Ipv4),
            })),
            ClientMessage::Signal(SignalMessage::Message(Message {
                match_id: None,
                text: ChatText("hé".into()),
            })),
            ClientMessage::Signal(SignalMessage::Typing(Typing { match_id: Some(id), on: true })),
            ClientMessage::Session(SessionMessage::Block(Block { match_id: id })),
        ];
        for message in messages {
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(read(&json).unwrap(), message, "{json}");
        }
    }

    #[test]
    fn the_tag_may_stand_anywhere_but_only_once() {
        assert_eq!(
            read(r#" { "on": true, "type": "typing" } "#).unwrap(),
            ClientMessage::Signal(SignalMessage::Typing(Typing { match_id: None, on: true }))
        );
        assert!(matches!(
            read(r#"{"\u0074ype":"stop"}"#).unwrap(),
            ClientMessage::Search(SearchMessage::Stop(_))
        ));
        refused(r#"{"type":"stop","type":"next"}"#, ErrorCode::BadField, "type");
        refused(r#"{"type":"typing","on":true,"on":false}"#, ErrorCode::BadField, "on");
    }

    #[test]
    fn what_is_not_an_object_is_bad_json() {
        for frame in
            ["", "null", "[]", r#"["stop"]"#, "\"stop\"", "{", r#"{"type":"stop""#, r#"{"type":"stop"} x"#]
        {
            refused(frame, ErrorCode::BadJson, "");
        }
        refused(r#"{"type":"find_partner","kind":"vid"#, ErrorCode::BadJson, "not JSON");
    }

    #[test]
    fn a_wrong_type_or_field_is_named() {
        refused(r#"{"type":"dance"}"#, ErrorCode::UnknownType, "dance");
        refused(r#"{"kind":"video"}"#, ErrorCode::BadField, "type");
        refused(r#"{"type":7}"#, ErrorCode::BadField, "type");
        refused(r#"{"type":"find_partner"}"#, ErrorCode::BadField, "kind");
        refused(r#"{"type":"find_partner","kind":"smell"}"#, ErrorCode::BadField, "kind");
        refused(r#"{"type":"find_partner","kind":"video","age":9}"#, ErrorCode::BadField, "age");
        refused(
            r#"{"type":"find_partner","kind":"video","offer":{"sdp":"x","type":"offer"}}"#,
            ErrorCode::BadField,
            "type",
        );
        refused(
            r#"{"type":"find_partner","kind":"video","interests":["a",7]}"#,
            ErrorCode::BadField,
            "interests[1]",
        );
        refused(r#"{"type":"offer","sdp":{"type":"offer","sdp":"x"}}"#, ErrorCode::BadField, "sdp");
        refused(r#"{"type":"ice_candidate","candidate":"candidate:1"}"#, ErrorCode::BadField, "candidate");
        refused(r#"{"type":"ice_candidate","candidate":[{},7]}"#, ErrorCode::BadField, "candidate[1]");
        refused(r#"{"type":"typing","on":"yes"}"#, ErrorCode::BadField, "on");
        refused(
            r#"{"type":"connected","match_id":"x","path":"direct","elapsed_ms":-1}"#,
            ErrorCode::BadField,
            "elapsed_ms",
        );
        refused(r#"{"type":"stop","why":1}"#, ErrorCode::BadField, "why");
    }

    #[test]
    fn every_limit_holds_at_its_edge() {
        let limits = Limits::default();
        let text = |n: usize| serde_json::json!({"type": "message", "text": "ü".repeat(n)}).to_string();
        assert!(read(&text(limits.max_text_chars)).is_ok());
        refused(&text(limits.max_text_chars + 1), ErrorCode::TooLarge, "text");

        let sdp = |n: usize| serde_json::json!({"type": "offer", "sdp": "\n".repeat(n)}).to_string();
        let limits_of_frame = Limits { max_frame_bytes: 1 << 20, ..limits.clone() };
        assert!(read_client_message(&sdp(limits.max_sdp_bytes), &limits_of_frame).is_ok());
        let refusal = read_client_message(&sdp(limits.max_sdp_bytes + 1), &limits_of_frame).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TooLarge);

        let candidate = |n: usize| {
            let padding = "x".repeat(n - r#"{"candidate":""}"#.len());
            format!(r#"{{"type":"ice_candidate","candidate":[{{"candidate":"{padding}"}}]}}"#)
        };
        assert!(read(&candidate(limits.max_candidate_bytes)).is_ok());
        refused(&candidate(limits.max_candidate_bytes + 1), ErrorCode::TooLarge, "candidate[0]");

        refused(&format!(r#"{{"type":"stop"}}{}"#, " ".repeat(70_000)), ErrorCode::TooLarge, "frame");
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |n: usize| {
            format!(r#"{{"type":"ice_candidate","candidate":{}{}}}"#, "[".repeat(n), "]".repeat(n))
        };
        refused(&nested(8), ErrorCode::TooDeep, "8");
        assert_ne!(read(&nested(7)).unwrap_err().code, ErrorCode::TooDeep);
        assert!(read(r#"{"type":"message","text":"[[[[[[[[[[\"[[[[["}"#).is_ok());
    }

    #[test]
    fn an_id_that_we_cannot_have_made_names_no_match() {
        for id in ["", "x", "0000000000000000", "00000000000000FF", "+000000000000001", "ä000000000000000"] {
            let frame = serde_json::json!({"type": "block", "match_id": id}).to_string();
            assert_eq!(
                read(&frame).unwrap(),
                ClientMessage::Session(SessionMessage::Block(Block { match_id: MatchId::FOREIGN })),
                "{id:?}"
            );
        }
    }

    #[test]
    fn a_device_is_named_by_random_letters_and_nothing_else() {
        for wrong in ["", "too-short", "sixteen letters!", "ä-is-not-base64url", &"x".repeat(65)] {
            let frame = serde_json::json!({"type": "hello", "version": 1, "device": wrong}).to_string();
            refused(&frame, ErrorCode::BadField, "device");
        }
        let frame = r#"{"type":"hello","version":1,"device":"AbCdEfGhIjKlMnOp","blocks":["x"]}"#;
        let printed = format!("{:?}", read(frame).unwrap());
        assert!(!printed.contains("AbCd") && !printed.contains("\"x\""), "{printed}");
    }

    #[test]
    fn private_content_never_prints() {
        let message = read(r#"{"type":"offer","sdp":"c=IN IP4 192.0.2.7"}"#).unwrap();
        assert!(!format!("{message:?}").contains("192.0.2.7"));
    }
}
