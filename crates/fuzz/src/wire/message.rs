//! One text of a client: what becomes of it, compared with what a JSON parser that knows none of our types makes of it.

use serde_json::{Map, Value};
use std::borrow::Cow;
use visavis_protocol::{
    Candidate, ClientMessage, ErrorCode, Limits, Refusal, Sdp, SearchMessage, ServerMessage, SignalMessage,
    read_client_message, read_interests, read_languages,
};

pub(super) fn check(text: &str, limits: &Limits) {
    match read_client_message(text, limits) {
        Ok(message) => accepted(text, &message, limits),
        Err(refusal) => refused(text, refusal),
    }
}

fn accepted(text: &str, message: &ClientMessage, limits: &Limits) {
    assert!(text.len() <= limits.max_frame_bytes);
    // Half an emoji in what people write is taken for an unreadable character; anywhere else it is refused.
    let whole = match message {
        ClientMessage::Search(SearchMessage::FindPartner(_))
        | ClientMessage::Signal(SignalMessage::Message(_)) => Cow::Owned(with_halves_replaced(text)),
        _ => Cow::Borrowed(text),
    };
    let generic: Value =
        serde_json::from_str(&whole).unwrap_or_else(|error| panic!("accepted {text:?}: {error}"));
    assert!(depth(&generic) <= limits.max_depth);
    let Value::Object(generic) = generic else { panic!("accepted {text:?}, no object") };
    let Value::Object(read) = serde_json::to_value(message).expect("it serialises") else {
        panic!("no object")
    };
    assert_same(&generic, &read);
    within_limits(message, limits);
    forwarded(message);
    let again = serde_json::to_string(message).expect("it serialises");
    // Defaults may be written out: a little longer than what came.
    let roomy = Limits { max_frame_bytes: limits.max_frame_bytes + 1_024, ..*limits };
    let reread = read_client_message(&again, &roomy);
    assert_eq!(reread.as_ref(), Ok(message), "{again} does not read back as itself");
}

/// The text with each escaped half of a surrogate pair written as U+FFFD: by another way than the protocol's own.
fn with_halves_replaced(text: &str) -> String {
    let mut pieces: Vec<(&str, Option<u16>)> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match rest.as_bytes() {
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            _ => first.len_utf8(),
        };
        let length = if rest.is_char_boundary(length) { length } else { first.len_utf8() };
        let (piece, after) = rest.split_at(length);
        let unit = piece.strip_prefix("\\u").and_then(|digits| u16::from_str_radix(digits, 16).ok());
        pieces.push((piece, unit));
        rest = after;
    }
    let is_high = |at: usize| pieces.get(at).is_some_and(|piece| matches!(piece.1, Some(0xD800..=0xDBFF)));
    let is_low = |at: usize| pieces.get(at).is_some_and(|piece| matches!(piece.1, Some(0xDC00..=0xDFFF)));
    (0..pieces.len())
        .map(|at| {
            let is_half = is_high(at) && !is_low(at + 1) || is_low(at) && !(at > 0 && is_high(at - 1));
            if is_half { "\\ufffd" } else { pieces[at].0 }
        })
        .collect()
}

/// Every field that came was read as what it says, and nothing was read that did not come.
fn assert_same(came: &Map<String, Value>, read: &Map<String, Value>) {
    for (name, value) in came {
        match read.get(name) {
            // An id of no shape of ours is read as one that names no match.
            Some(Value::String(id)) if name == "match_id" && Some(id.as_str()) != value.as_str() => {
                assert_eq!(id, "0000000000000000", "for {value}");
            }
            Some(Value::Number(number)) => assert_eq!(number.as_f64(), value.as_f64(), "{name}"),
            Some(Value::Object(inner)) if name == "offer" => {
                assert_eq!(Some(inner), value.as_object(), "{name}");
            }
            Some(found) => assert_eq!(found, value, "{name}"),
            None => {
                let says_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                assert!(says_nothing, "{name} came as {value} and was not read");
            }
        }
    }
    for (name, value) in read {
        let default = value == &Value::Bool(false) || value.is_null();
        assert!(came.contains_key(name) || default, "{name} was read as {value} and did not come");
    }
}

fn within_limits(message: &ClientMessage, limits: &Limits) {
    match message {
        ClientMessage::Search(SearchMessage::FindPartner(wanted)) => {
            if let Some(offer) = &wanted.offer {
                sdp_fits(&offer.sdp, limits);
            }
            if let Ok(interests) = read_interests(&wanted.interests, limits) {
                assert!(interests.len() <= limits.max_interests);
                for interest in &interests {
                    assert!(interest.chars().count() <= limits.max_interest_chars);
                }
                // What was normalised once is normal.
                assert_eq!(read_interests(&interests, limits).as_ref(), Ok(&interests));
            }
            if let Ok(languages) = read_languages(&wanted.languages, limits) {
                let tags: Vec<String> = languages.iter().map(|tag| tag.as_str().to_owned()).collect();
                assert_eq!(read_languages(&tags, limits).as_ref(), Ok(&languages));
            }
        }
        ClientMessage::Search(SearchMessage::Next(next)) => {
            if let Some(offer) = &next.offer {
                sdp_fits(&offer.sdp, limits);
            }
        }
        ClientMessage::Search(SearchMessage::TicketOffer(ticket)) => sdp_fits(&ticket.sdp, limits),
        ClientMessage::Signal(SignalMessage::Offer(signal) | SignalMessage::Answer(signal)) => {
            sdp_fits(&signal.sdp, limits)
        }
        ClientMessage::Signal(SignalMessage::IceCandidate(signal)) => {
            candidate_fits(&signal.candidate, limits)
        }
        ClientMessage::Signal(SignalMessage::Message(message)) => {
            assert!(message.text.0.chars().count() <= limits.max_text_chars)
        }
        ClientMessage::Signal(SignalMessage::Connected(report)) => {
            assert!(report.elapsed_ms.is_finite() && report.elapsed_ms >= 0.0)
        }
        ClientMessage::Session(_)
        | ClientMessage::Search(SearchMessage::Stop(_))
        | ClientMessage::Signal(SignalMessage::Typing(_)) => {}
    }
}

fn sdp_fits(sdp: &Sdp, limits: &Limits) {
    let text: String = serde_json::from_str(sdp.reveal_json()).expect("a description is a string");
    assert!(text.len() <= limits.max_sdp_bytes);
}

fn candidate_fits(candidate: &Candidate, limits: &Limits) {
    let value: Value = serde_json::from_str(candidate.reveal_json()).expect("a candidate is JSON");
    let one_fits = |one: &Value| one.is_object() || one.is_null() || one == "";
    let fits = one_fits(&value) || value.as_array().is_some_and(|list| list.iter().all(one_fits));
    assert!(fits, "forwarded as a candidate: {value}");
    let count = value.as_array().map_or(usize::from(value.is_object()), Vec::len);
    assert_eq!(candidate.count() as usize, count);
    assert!(
        candidate.reveal_json().len()
            <= (limits.max_candidate_bytes + 1) * count.max(1) + 2 + limits.max_frame_bytes
    );
}

/// What the stranger gets is one JSON object of the same content.
fn forwarded(message: &ClientMessage) {
    let match_id = visavis_protocol::MatchId(7);
    let told = match message.clone() {
        ClientMessage::Signal(SignalMessage::Offer(signal)) => {
            ServerMessage::Offer { match_id, sdp: signal.sdp }
        }
        ClientMessage::Signal(SignalMessage::Answer(signal)) => {
            ServerMessage::Answer { match_id, sdp: signal.sdp }
        }
        ClientMessage::Signal(SignalMessage::IceCandidate(signal)) => {
            ServerMessage::IceCandidate { match_id, candidate: signal.candidate }
        }
        ClientMessage::Signal(SignalMessage::Message(said)) => {
            ServerMessage::Message { match_id, text: said.text }
        }
        _ => return,
    };
    parses_as(&told, message_type(&told));
}

fn refused(text: &str, refusal: Refusal) {
    assert!(refusal.message.len() <= 310, "{} bytes of refusal", refusal.message.len());
    let generic = serde_json::from_str::<Value>(text);
    match refusal.code {
        ErrorCode::BadJson => {
            assert!(!generic.is_ok_and(|value| value.is_object()), "it is an object: {text:?}")
        }
        ErrorCode::UnknownType | ErrorCode::BadField | ErrorCode::TooLarge | ErrorCode::TooDeep => {}
        ErrorCode::TooFast
        | ErrorCode::NotMatched
        | ErrorCode::NotSearching
        | ErrorCode::MatchIdRequired
        | ErrorCode::UnsupportedVersion => panic!("not a fault of the text alone: {refusal:?}"),
    }
    parses_as(&ServerMessage::refused(refusal), "error");
}

fn parses_as(message: &ServerMessage, wanted: &str) {
    let text = serde_json::to_string(message).expect("it serialises");
    let value: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("we would send {text:?}: {error}"));
    assert_eq!(value["type"], wanted);
}

fn message_type(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::Offer { .. } => "offer",
        ServerMessage::Answer { .. } => "answer",
        ServerMessage::IceCandidate { .. } => "ice_candidate",
        _ => "message",
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
