//! Takes a visitor's own address out of what it sends to a stranger: only relay candidates pass.
//!
//! What always holds: of the result no line and no candidate names an address but that of a relay (or none: `0.0.0.0`,
//! `::`), whatever the input; a description keeps its sections, fingerprints and codecs. No result is longer than its
//! input, line by line: what was within its bounds stays within them.
//! Lines are read by the grammar of RFC 8866 and RFC 8839. Only visitors who ask for it, or whose operator does, pay for
//! this: everybody else's descriptions are forwarded unread.

use crate::{
    Candidate, ClientMessage, FindPartner, IceCandidate, Next, Offer, Sdp, SearchMessage, Signal,
    SignalMessage, TicketOffer,
};
use serde_json::{Map, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Extensions of a candidate (RFC 8839, section 5.1) that say nothing of where somebody is.
const HARMLESS_EXTENSIONS: [&str; 5] = ["generation", "ufrag", "network-id", "network-cost", "tcptype"];

/// Members of an RTCIceCandidateInit; browsers know no others.
const MEMBERS: [&str; 4] = ["candidate", "sdpMid", "sdpMLineIndex", "usernameFragment"];

impl ClientMessage {
    /// The same message without the address of its sender. `None`: nothing of it is left to say.
    pub fn through_relays_only(self) -> Option<Self> {
        match self {
            ClientMessage::Session(_) => Some(self),
            ClientMessage::Search(search) => search.through_relays_only().map(ClientMessage::Search),
            ClientMessage::Signal(signal) => signal.through_relays_only().map(ClientMessage::Signal),
        }
    }
}

impl SearchMessage {
    fn through_relays_only(self) -> Option<Self> {
        let offer =
            |offer: Option<Offer>| offer.and_then(|Offer { sdp }| hide(&sdp)).map(|sdp| Offer { sdp });
        match self {
            SearchMessage::FindPartner(wanted) => {
                Some(SearchMessage::FindPartner(FindPartner { offer: offer(wanted.offer), ..wanted }))
            }
            SearchMessage::Next(next) => Some(SearchMessage::Next(Next { offer: offer(next.offer), ..next })),
            SearchMessage::TicketOffer(TicketOffer { sdp }) => {
                hide(&sdp).map(|sdp| SearchMessage::TicketOffer(TicketOffer { sdp }))
            }
            SearchMessage::Stop(_) => Some(self),
        }
    }
}

impl SignalMessage {
    fn through_relays_only(self) -> Option<Self> {
        let description = |sent: Signal| Some(Signal { sdp: hide(&sent.sdp)?, ..sent });
        match self {
            SignalMessage::Offer(sent) => description(sent).map(SignalMessage::Offer),
            SignalMessage::Answer(sent) => description(sent).map(SignalMessage::Answer),
            SignalMessage::IceCandidate(sent) => {
                let candidate = hide_candidates(&sent.candidate)?;
                Some(SignalMessage::IceCandidate(IceCandidate { candidate, ..sent }))
            }
            SignalMessage::Connected(_) | SignalMessage::Message(_) | SignalMessage::Typing(_) => Some(self),
        }
    }
}

fn hide(sdp: &Sdp) -> Option<Sdp> {
    let text: String = serde_json::from_str(sdp.reveal_json()).ok()?;
    Sdp::from_text(&hide_description(&text))
}

/// A session description without addresses other than those of relays. Each line keeps its end.
fn hide_description(sdp: &str) -> String {
    let mut hidden = String::with_capacity(sdp.len());
    for (line, end) in lines(sdp) {
        // Only what is no SDP could grow, `o=` alone for instance: it helps nobody.
        if let Some(kept) = hide_line(line).filter(|kept| kept.len() <= line.len()) {
            hidden.push_str(&kept);
            hidden.push_str(end);
        }
    }
    hidden
}

/// Lines with their ends. Browsers differ in what ends a line, so everything that does in any of them does here; and a
/// bare carriage return ends none in the result.
fn lines(sdp: &str) -> impl Iterator<Item = (&str, &'static str)> {
    let mut rest = sdp;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((line, after)) = rest.split_once(['\r', '\n']) else {
            return Some((std::mem::take(&mut rest), ""));
        };
        let of_two = rest.get(line.len()..).is_some_and(|end| end.starts_with("\r\n"));
        rest = if of_two { after.strip_prefix('\n').unwrap_or(after) } else { after };
        Some((line, if of_two { "\r\n" } else { "\n" }))
    })
}

/// `None`: the line goes.
fn hide_line(line: &str) -> Option<String> {
    if line.chars().any(char::is_control) {
        return None;
    }
    let (kind, value) = line.split_once('=')?;
    match kind {
        "o" => {
            let mut words = value.split_ascii_whitespace();
            let mut word = || words.next().filter(|word| !names_address(word)).unwrap_or("0");
            Some(format!("o={} {} {} {}", word(), word(), word(), nowhere(value)))
        }
        "c" => Some(format!("c={}", nowhere(value))),
        "m" => hide_section(value),
        "a" => hide_attribute(value),
        "v" | "s" | "t" | "b" => (!names_address(value)).then(|| line.to_owned()),
        // Links, mail addresses, telephone numbers, keys, and whatever is no SDP.
        _ => None,
    }
}

/// An address that is none, of the family of the one that it stands for: the other's may be longer.
fn nowhere(value: &str) -> &'static str {
    if value.contains("IP6") { "IN IP6 ::" } else { "IN IP4 0.0.0.0" }
}

/// The port belongs to the address that was in `c=`; 9 stands for none (RFC 8839, section 4.2.1.2), 0 for a section
/// that is not wanted.
fn hide_section(value: &str) -> Option<String> {
    let (media, rest) = value.split_once(' ')?;
    let (port, rest) = rest.split_once(' ')?;
    let port = if port == "0" { "0" } else { "9" };
    (!names_address(media) && !names_address(rest)).then(|| format!("m={media} {port} {rest}"))
}

fn hide_attribute(value: &str) -> Option<String> {
    let name = value.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "candidate" => hide_candidate(value).map(|candidate| format!("a={candidate}")),
        // The address is optional (RFC 3605).
        "rtcp" if value.contains(' ') => Some(format!("a=rtcp:9 {}", nowhere(value))),
        "rtcp" => Some("a=rtcp:9".to_owned()),
        "remote-candidates" | "source-filter" => None,
        _ => (!names_address(value)).then(|| format!("a={value}")),
    }
}

/// One candidate as it stands in an attribute or an event, with or without `a=`; `None` unless it is a relay's.
///
/// What a relay's candidate is related to is the visitor's own address. Browsers always name it (RFC 8839, section 5.1); a
/// candidate that does not stays as it is.
fn hide_candidate(candidate: &str) -> Option<String> {
    let mut words = candidate.split_ascii_whitespace();
    let mut word = || words.next();
    let (foundation, component, transport, priority) = (word()?, word()?, word()?, word()?);
    let (address, port, typ, kind) = (word()?, word()?, word()?, word()?);
    let foundation = foundation.strip_prefix("candidate:")?;
    let sound = foundation.len() <= 32
        && foundation.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        && [component, priority, port].iter().all(|number| number.parse::<u32>().is_ok())
        && ["udp", "tcp"].contains(&transport.to_ascii_lowercase().as_str())
        && (address.parse::<Ipv4Addr>().is_ok() || address.parse::<Ipv6Addr>().is_ok())
        && (typ, kind) == ("typ", "relay");
    if !sound {
        return None;
    }
    let mut hidden =
        format!("candidate:{foundation} {component} {transport} {priority} {address} {port} typ relay");
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "raddr" if value.contains(':') => hidden.push_str(" raddr ::"),
            "raddr" => hidden.push_str(" raddr 0.0.0.0"),
            "rport" => hidden.push_str(" rport 9"),
            _ if HARMLESS_EXTENSIONS.contains(&name) && !names_address(value) => {
                hidden.push_str(&format!(" {name} {value}"));
            }
            _ => {}
        }
    }
    (hidden.len() <= candidate.len()).then_some(hidden)
}

fn hide_candidates(candidate: &Candidate) -> Option<Candidate> {
    let hidden = match serde_json::from_str(candidate.reveal_json()).ok()? {
        Value::Array(all) => {
            let relays: Vec<Value> = all.into_iter().filter_map(hide_init).collect();
            if relays.is_empty() {
                return None;
            }
            Value::Array(relays)
        }
        Value::Object(one) => hide_init(Value::Object(one))?,
        Value::String(end) if end.is_empty() => Value::String(end),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    Candidate::from_json(hidden.to_string())
}

/// An RTCIceCandidateInit; one whose candidate is empty ends the candidates and says nothing.
fn hide_init(init: Value) -> Option<Value> {
    let Value::Object(mut given) = init else { return None };
    let candidate = match given.remove("candidate")? {
        Value::String(text) if text.is_empty() => text,
        Value::String(text) => hide_candidate(text.strip_prefix("a=").unwrap_or(&text))?,
        _ => return None,
    };
    let mut kept = Map::new();
    kept.insert("candidate".to_owned(), Value::String(candidate));
    for name in MEMBERS.into_iter().skip(1) {
        match given.remove(name) {
            Some(Value::String(text)) if names_address(&text) => {}
            // A number with a fraction or an exponent is none of these members', and might be written longer.
            Some(Value::Number(number)) if !number.is_u64() => {}
            Some(value @ (Value::String(_) | Value::Number(_) | Value::Null)) => {
                kept.insert(name.to_owned(), value);
            }
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {}
        }
    }
    Some(Value::Object(kept))
}

/// Whether there is anything in a text that reads as an address, whatever stands around it. Rather too much than too
/// little, but nothing that browsers write: a fingerprint has 16 groups at the least (MD5, RFC 8122), an address of IPv6
/// in full has 8.
fn names_address(text: &str) -> bool {
    let ipv4 = text
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .any(|run| longest_row(run.split('.').map(|group| !group.is_empty())) >= 4);
    let ipv6 = text.split(|c: char| !(c.is_ascii_hexdigit() || c == ':')).any(|run| {
        run.contains("::") || (8..16).contains(&longest_row(run.split(':').map(|group| !group.is_empty())))
    });
    // A name that only multicast DNS knows stands for an address (RFC 8828).
    ipv4 || ipv6 || text.to_ascii_lowercase().contains(".local")
}

/// How many in a row are true.
fn longest_row(all: impl Iterator<Item = bool>) -> usize {
    let mut row = 0;
    all.map(|each| {
        row = if each { row + 1 } else { 0 };
        row
    })
    .max()
    .unwrap_or(0)
}

#[cfg(test)]
mod tests;
