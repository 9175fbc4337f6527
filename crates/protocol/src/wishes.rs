//! What a visitor asks for: kind, interests, languages, pins, pool. Normalised once, here, so that equal wishes are
//! equal values everywhere after.

use crate::plain::folded;
use crate::{ErrorCode, Limits, Refusal};
use serde::{Deserialize, Serialize};

/// What two strangers do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Video,
    Audio,
    Text,
}

/// A wish that waiting never relaxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    Language,
    Interests,
}

/// A BCP 47 tag in the usual case (`de`, `pt-BR`, `zh-Hant-TW`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// Reads a tag of RFC 5646's shape; `None` if it has another.
    pub fn read(tag: &str) -> Option<Self> {
        let tag = tag.trim();
        if tag.len() > 35 {
            return None;
        }
        let mut usual = String::with_capacity(tag.len());
        for (index, subtag) in tag.split('-').enumerate() {
            let shape_fits =
                (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
            if !shape_fits {
                return None;
            }
            if index == 0 {
                if subtag.len() < 2 || !subtag.bytes().all(|b| b.is_ascii_alphabetic()) {
                    return None;
                }
                usual.push_str(&subtag.to_ascii_lowercase());
                continue;
            }
            usual.push('-');
            match subtag.len() {
                2 => usual.push_str(&subtag.to_ascii_uppercase()),
                4 if subtag.bytes().all(|b| b.is_ascii_alphabetic()) => {
                    let (first, rest) = subtag.split_at(1);
                    usual.push_str(&first.to_ascii_uppercase());
                    usual.push_str(&rest.to_ascii_lowercase());
                }
                _ => usual.push_str(&subtag.to_ascii_lowercase()),
            }
        }
        Some(Language(usual))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The primary subtag: people who share it understand each other well enough to be matched.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

/// Wishes after normalisation: interests plain, NFC and folded, without empties or repeats; languages in usual case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    pub kind: Kind,
    pub interests: Vec<String>,
    pub languages: Vec<Language>,
    pub pin_language: bool,
    pub pin_interests: bool,
    /// Visitors of different pools never meet. Empty: the open pool.
    pub pool: String,
    /// Of what this visitor sends, only relay candidates reach strangers.
    #[serde(default)]
    pub relay_only: bool,
}

impl Wishes {
    /// Anyone who wants this kind.
    pub fn anyone(kind: Kind) -> Self {
        Wishes {
            kind,
            interests: Vec::new(),
            languages: Vec::new(),
            pin_language: false,
            pin_interests: false,
            pool: String::new(),
            relay_only: false,
        }
    }
}

/// Normalises interests. Of what cannot be read or seen nothing is left, so one bad remembered value keeps nobody out.
///
/// # Errors
/// `bad_field` if there are too many, or one is too long.
pub fn read_interests(given: &[String], limits: &Limits) -> Result<Vec<String>, Refusal> {
    if given.len() > limits.max_interests {
        return Err(bad(format!("interests: {} given, at most {}", given.len(), limits.max_interests)));
    }
    let mut interests: Vec<String> = Vec::with_capacity(given.len());
    for (index, raw) in given.iter().enumerate() {
        let interest = folded(raw);
        if interest.chars().count() > limits.max_interest_chars {
            return Err(bad(format!(
                "interests[{index}]: longer than {} characters",
                limits.max_interest_chars
            )));
        }
        if !interest.is_empty() && !interests.contains(&interest) {
            interests.push(interest);
        }
    }
    Ok(interests)
}

/// Reads languages in the order of preference, without repeats.
///
/// # Errors
/// `bad_field` if there are too many or one is no BCP 47 tag.
pub fn read_languages(given: &[String], limits: &Limits) -> Result<Vec<Language>, Refusal> {
    if given.len() > limits.max_languages {
        return Err(bad(format!("languages: {} given, at most {}", given.len(), limits.max_languages)));
    }
    let mut languages = Vec::with_capacity(given.len());
    for (index, raw) in given.iter().enumerate() {
        let language = Language::read(raw)
            .ok_or_else(|| bad(format!("languages[{index}]: not a language tag like `en` or `pt-BR`")))?;
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    Ok(languages)
}

fn bad(message: String) -> Refusal {
    Refusal::new(ErrorCode::BadField, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interests(given: &[&str]) -> Result<Vec<String>, Refusal> {
        read_interests(&given.iter().map(|s| s.to_string()).collect::<Vec<_>>(), &Limits::default())
    }

    #[test]
    fn interests_are_trimmed_composed_and_lower_cased() {
        assert_eq!(interests(&["  Jazz ", "jazz", "Cafe\u{301}", "CAFÉ", " "]).unwrap(), ["jazz", "café"]);
    }

    #[test]
    fn an_interest_too_many_or_too_long_names_itself() {
        let eleven = ["a"; 11];
        assert!(interests(&eleven).unwrap_err().message.starts_with("interests: 11 given"));
        let long = "x".repeat(33);
        assert!(interests(&["ok", &long]).unwrap_err().message.starts_with("interests[1]:"));
        assert_eq!(interests(&[&"ü".repeat(32)]).unwrap().len(), 1);
    }

    #[test]
    fn languages_come_in_their_usual_case() {
        for (given, usual) in
            [("EN-us", "en-US"), ("zh-hant-tw", "zh-Hant-TW"), ("DE", "de"), ("es-419", "es-419")]
        {
            assert_eq!(Language::read(given).unwrap().as_str(), usual);
        }
        for wrong in ["", "e", "1n", "en_US", "en-", "en-toolongsubtag", "de-é"] {
            assert_eq!(Language::read(wrong), None, "{wrong:?}");
        }
        assert_eq!(Language::read("pt-BR").unwrap().primary(), "pt");
    }
}
