//! What a client says, as the bytes choose it.

use super::client::Known;
use crate::choices::Choices;
use visavis_protocol::{
    Block, Candidate, ChatText, ClientMessage, Connected, DeviceName, FindPartner, Hello, IceCandidate, Kind,
    Limits, MatchId, Message, Next, Offer, Path, Pin, Refusal, ResumeToken, Sdp, SearchMessage,
    SessionMessage, Signal, SignalMessage, Stop, TicketOffer, Typing, VERSION, read_client_message,
};

const KINDS: [Kind; 3] = [Kind::Text, Kind::Video, Kind::Audio];
const INTERESTS: [&str; 4] = ["jazz", "chess", "tea", "Jazz "];
const LANGUAGES: [&str; 4] = ["de", "de-AT", "en", "no tag"];

pub(crate) fn message(
    choices: &mut Choices<'_>,
    known: &Known,
    present: Option<MatchId>,
    limits: &Limits,
) -> Result<ClientMessage, Refusal> {
    Ok(match choices.below(16) {
        0 | 1 => ClientMessage::Search(SearchMessage::FindPartner(find_partner(choices))),
        2 => ClientMessage::Session(SessionMessage::Hello(hello(choices, known))),
        3 => ClientMessage::Search(SearchMessage::Next(Next {
            match_id: named(choices, known, present),
            offer: offer(choices),
            ..Next::default()
        })),
        4 => ClientMessage::Search(SearchMessage::Stop(Stop {})),
        5 => match named(choices, known, present) {
            Some(match_id) => ClientMessage::Session(SessionMessage::Block(Block { match_id })),
            None => ClientMessage::Session(SessionMessage::Block(Block { match_id: MatchId::FOREIGN })),
        },
        6 => ClientMessage::Signal(SignalMessage::Message(Message {
            match_id: named(choices, known, present),
            text: text(choices),
        })),
        7 => ClientMessage::Signal(SignalMessage::Typing(Typing {
            match_id: named(choices, known, present),
            on: true,
        })),
        8 => ClientMessage::Signal(SignalMessage::Connected(Connected {
            match_id: named(choices, known, present).unwrap_or(MatchId::FOREIGN),
            path: choices.among(&[Path::Direct, Path::Relay]),
            elapsed_ms: choices.among(&[0.0, 250.0, 1e300]),
            local_type: None,
            remote_type: None,
            protocol: None,
            family: None,
        })),
        9 => ClientMessage::Signal(SignalMessage::Offer(signal(choices, known, present))),
        10 => ClientMessage::Signal(SignalMessage::Answer(signal(choices, known, present))),
        11 => ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
            match_id: named(choices, known, present),
            candidate: candidate(choices),
        })),
        12 => ClientMessage::Search(SearchMessage::TicketOffer(TicketOffer { sdp: sdp(choices) })),
        13 => ClientMessage::Search(SearchMessage::Next(Next::default())),
        14 => ClientMessage::Search(SearchMessage::FindPartner(FindPartner {
            requeue: true,
            ..FindPartner::anyone(Kind::Text)
        })),
        _ => {
            let length = choices.below(96);
            return read_client_message(&String::from_utf8_lossy(choices.bytes(length)), limits);
        }
    })
}

fn find_partner(choices: &mut Choices<'_>) -> FindPartner {
    let bits = choices.byte();
    let some = |bits: u8, all: [&str; 4]| -> Vec<String> {
        (0..4).filter(|place| bits >> place & 1 != 0).map(|place| all[place].to_owned()).collect()
    };
    let wishes = choices.byte();
    let pins = choices.below(8);
    FindPartner {
        kind: KINDS[usize::from(bits) % 3],
        interests: some(wishes & 15, INTERESTS),
        // The last is no tag of a language: rarely.
        languages: some(if wishes == 0xFF { 15 } else { (wishes >> 4) & 7 }, LANGUAGES),
        offer: offer(choices),
        requeue: bits & 64 != 0,
        pin: [(1, Pin::Language), (2, Pin::Interests)]
            .into_iter()
            .filter(|(bit, _)| pins & bit != 0)
            .map(|(_, pin)| pin)
            .collect(),
        pool: (pins & 4 != 0).then(|| format!("pool {}", bits >> 7)),
        relay_only: false,
    }
}

fn hello(choices: &mut Choices<'_>, known: &Known) -> Hello {
    let version = if choices.rarely(8) { 2 } else { VERSION };
    let which = choices.byte();
    let resume = match which >> 5 {
        0 => None,
        // One that nobody was given: a known one, changed in one character.
        1 => known.tokens.front().map(|token| {
            let at = usize::from(which & 31) * token.0.len() / 32;
            let changed = token.0.char_indices().map(|(here, c)| if here == at { 'A' } else { c });
            ResumeToken(changed.collect())
        }),
        2 => Some(ResumeToken("no token".into())),
        _ => known.tokens.get(usize::from(which & 15)).cloned(),
    };
    let received = choices.among(&[None, Some(0), Some(1), Some(3), Some(u32::MAX)]);
    let device = match choices.below(4) {
        0 => Some(DeviceName("the-only-device-here".to_owned())),
        1 => Some(DeviceName("the-other-device-here".to_owned())),
        _ => None,
    };
    Hello { version, resume, received, answers_ping: choices.below(2) == 0, device, blocks: Vec::new() }
}

/// Mostly the present match; sometimes none, an earlier one, another's, or one that never was.
fn named(choices: &mut Choices<'_>, known: &Known, present: Option<MatchId>) -> Option<MatchId> {
    let which = choices.byte();
    match which >> 6 {
        0 | 1 => present,
        2 => known.matches.get(usize::from(which & 15)).copied(),
        _ if which & 1 != 0 => Some(MatchId::FOREIGN),
        _ => None,
    }
}

fn offer(choices: &mut Choices<'_>) -> Option<Offer> {
    choices.rarely(3).then(|| Offer { sdp: sdp(choices) })
}

fn sdp(choices: &mut Choices<'_>) -> Sdp {
    let bytes = [1, 300, 5_000][choices.below(3)];
    Sdp::from_text(&"v".repeat(bytes)).expect("a string has a form in JSON")
}

fn signal(choices: &mut Choices<'_>, known: &Known, present: Option<MatchId>) -> Signal {
    Signal { match_id: named(choices, known, present), sdp: sdp(choices) }
}

fn candidate(choices: &mut Choices<'_>) -> Candidate {
    let many = format!("[{}{{}}]", "{},".repeat(31));
    let json = ["{}", "null", "[]", &many][choices.below(4)].to_owned();
    Candidate::from_json(json).unwrap_or_default()
}

fn text(choices: &mut Choices<'_>) -> ChatText {
    ChatText("x".repeat([1, 200, 2_000][choices.below(3)]))
}
