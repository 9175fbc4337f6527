//! The mark that every signal of a visitor bears: who sent it, in which match, and when.
//!
//! It stands where a browser has its ICE user name fragment, so a marked signal looks and weighs like a real one, and
//! the receiver can tell from outside whether it came from the right stranger, in the right match, and whole.

use std::sync::LazyLock;
use visavis_lobby::Time;
use visavis_protocol::{Candidate, ChatText, MatchId, Sdp};

/// Candidates that each side sends.
pub(crate) const CANDIDATES: u8 = 4;
const HEX: usize = 48;

/// Who sent a signal, in which match, when. Written as 48 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub sender: u32,
    /// Counts the sender's offers: each may reach one stranger only.
    pub serial: u32,
    /// [`MatchId::FOREIGN`] in an offer that waits for its match.
    pub match_id: MatchId,
    pub sent_at: Time,
}

/// A signal that did not arrive as any visitor sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// Which of the two session descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Offer,
    Answer,
}

/// A description as JSON text, around the place of the mark.
struct Wording {
    before: String,
    after: String,
}

static OFFER: LazyLock<Wording> = LazyLock::new(|| Wording::new(include_str!("marker/offer.sdp")));
static ANSWER: LazyLock<Wording> = LazyLock::new(|| Wording::new(include_str!("marker/answer.sdp")));

impl Wording {
    fn new(template: &str) -> Self {
        let json = format!("\"{}\"", template.replace('\n', "\\r\\n"));
        let (before, after) = json.split_once('@').unwrap_or((&json, ""));
        Wording { before: before.to_owned(), after: after.to_owned() }
    }

    fn of(part: Part) -> &'static Wording {
        match part {
            Part::Offer => &OFFER,
            Part::Answer => &ANSWER,
        }
    }
}

impl Marker {
    /// A description of about 2 KB.
    pub fn description(self, part: Part) -> Option<Sdp> {
        let Wording { before, after } = Wording::of(part);
        let mut json = String::with_capacity(before.len() + HEX + after.len());
        json.push_str(before);
        self.write(&mut json);
        json.push_str(after);
        serde_json::from_str(&json).ok()
    }

    /// One candidate of about 150 bytes.
    pub fn candidate(self, index: u8) -> Option<Candidate> {
        let mut json = String::with_capacity(160);
        self.write_candidate(index, &mut json);
        Candidate::from_json(json)
    }

    /// All candidates of a side in one signal.
    pub fn candidates(self) -> Option<Candidate> {
        let mut json = String::with_capacity(160 * usize::from(CANDIDATES));
        for index in 0..CANDIDATES {
            json.push(if index == 0 { '[' } else { ',' });
            self.write_candidate(index, &mut json);
        }
        json.push(']');
        Candidate::from_json(json)
    }

    /// A chat message; `filling` makes it longer.
    pub fn text(self, filling: &str) -> ChatText {
        let mut text = String::with_capacity(HEX + 1 + filling.len());
        self.write(&mut text);
        text.push(' ');
        text.push_str(filling);
        ChatText(text)
    }

    /// # Errors
    /// If the description differs from what [`Marker::description`] writes in more than the mark.
    pub fn read_description(part: Part, json: &str) -> Result<Marker, Forged> {
        let Wording { before, after } = Wording::of(part);
        let mark = json.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
        mark.filter(|mark| mark.len() == HEX).and_then(Marker::read).ok_or(Forged)
    }

    /// The marks of one candidate, or of an array of them.
    pub fn read_candidates(json: &str) -> impl Iterator<Item = Result<Marker, Forged>> {
        json.match_indices("ufrag ")
            .map(|(at, name)| json.get(at + name.len()..).and_then(Marker::read).ok_or(Forged))
    }

    /// The mark of a chat message, and its filling. Takes it with or without JSON's quotes.
    ///
    /// # Errors
    /// If it does not begin with a mark.
    pub fn read_text(text: &str) -> Result<(Marker, &str), Forged> {
        let text = text.trim_matches('"');
        let marker = Marker::read(text).ok_or(Forged)?;
        Ok((marker, text.get(HEX + 1..).unwrap_or_default()))
    }

    fn write_candidate(self, index: u8, json: &mut String) {
        json.push_str(r#"{"candidate":"candidate:"#);
        json.push(char::from(b'1' + index % 9));
        json.push_str(" 1 udp 2122260223 192.0.2.17 46154 typ host ufrag ");
        self.write(json);
        json.push_str(r#"","sdpMid":"0","sdpMLineIndex":0}"#);
    }

    fn write(self, text: &mut String) {
        let halves = [
            u64::from(self.sender) << 32 | u64::from(self.serial),
            self.match_id.0,
            self.sent_at.as_micros(),
        ];
        for half in halves {
            for nibble in (0..16).rev() {
                let digit = (half >> (nibble * 4)) as u32 & 0xf;
                text.push(char::from_digit(digit, 16).unwrap_or('0'));
            }
        }
    }

    fn read(text: &str) -> Option<Marker> {
        let half = |index: usize| u64::from_str_radix(text.get(index * 16..(index + 1) * 16)?, 16).ok();
        let who = half(0)?;
        Some(Marker {
            sender: (who >> 32) as u32,
            serial: who as u32,
            match_id: MatchId(half(1)?),
            sent_at: Time::from_micros(half(2)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker =
        Marker { sender: 4_999, serial: 3, match_id: MatchId(0xfeed), sent_at: Time::from_micros(1 << 50) };

    #[test]
    fn a_mark_comes_back_from_every_kind_of_signal() {
        for part in [Part::Offer, Part::Answer] {
            let sdp = MARKER.description(part).unwrap();
            assert!((1_800..2_300).contains(&sdp.reveal_json().len()), "{}", sdp.reveal_json().len());
            assert_eq!(Marker::read_description(part, sdp.reveal_json()), Ok(MARKER));
        }
        let one = MARKER.candidate(2).unwrap();
        assert!((130..180).contains(&one.reveal_json().len()), "{}", one.reveal_json());
        assert_eq!(Marker::read_candidates(one.reveal_json()).collect::<Vec<_>>(), [Ok(MARKER)]);
        let all = MARKER.candidates().unwrap();
        assert_eq!(Marker::read_candidates(all.reveal_json()).collect::<Vec<_>>(), [Ok(MARKER); 4]);
        assert_eq!(Marker::read_text(&MARKER.text("hello").0), Ok((MARKER, "hello")));
    }

    #[test]
    fn a_signal_cut_or_altered_on_the_way_is_noticed() {
        let sdp = MARKER.description(Part::Offer).unwrap();
        let json = sdp.reveal_json();
        for wrong in
            [&json[..json.len() - 3], &json.replace("opus", "OPUS"), &json.replace("feed", "fee"), ""]
        {
            assert_eq!(Marker::read_description(Part::Offer, wrong), Err(Forged));
        }
        assert_eq!(Marker::read_description(Part::Answer, json), Err(Forged));
        assert_eq!(
            Marker::read_candidates("{\"candidate\":\"ufrag 12\"}").collect::<Vec<_>>(),
            [Err(Forged)]
        );
    }
}
