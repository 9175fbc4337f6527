//! Words that people share, in a form that others can read: nothing that turns a sentence round, covers the next line,
//! or cannot be seen.
//!
//! What always holds: what is plain stays as it is, and a page can compute the same (`docs/plain-text.json` is the test of
//! both). Chat texts are not changed by this; they are only asked whether there is anything to see in them.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Marks on one letter. Burmese needs four; more are there to cover what stands above and below.
const MAX_MARKS: usize = 4;

/// Stands for what could not be read.
const UNREADABLE: char = '\u{fffd}';

/// White space becomes one space each; what is drawn as nothing goes, and so do marks without a letter or beyond four.
/// Joiners stay where they join: Persian needs them, and so do emoji of several people.
pub(crate) fn plain(text: &str) -> String {
    let spaced = text.chars().map(|c| if is_blank(c) { ' ' } else { c });
    let mut plain = String::with_capacity(text.len());
    let mut marks = 0;
    for c in spaced.filter(|c| !is_invisible(*c) && *c != UNREADABLE).nfc() {
        let last = plain.chars().next_back();
        let follows_nothing = last.is_none_or(|last| last == ' ');
        if c == ' ' {
            trim_joiner(&mut plain);
            if !plain.is_empty() && !plain.ends_with(' ') {
                plain.push(' ');
            }
        } else if is_joiner(c) {
            if !follows_nothing && !last.is_some_and(is_joiner) {
                plain.push(c);
            }
        } else if is_combining_mark(c) {
            marks += 1;
            if !follows_nothing && marks <= MAX_MARKS {
                plain.push(c);
            }
        } else {
            marks = 0;
            plain.push(c);
        }
    }
    trim_joiner(&mut plain);
    plain.truncate(plain.trim_end().len());
    plain
}

/// The same for upper and lower case, final sigma and `ß`: full case folding as far as every JavaScript engine can do it.
pub(crate) fn folded(text: &str) -> String {
    let folded = plain(text).to_lowercase().to_uppercase().to_lowercase();
    // `İ` is an `i` to everybody but the table that says what it folds to.
    plain(&folded.replace('ς', "σ").replace("i\u{307}", "i"))
}

/// Whether there is nothing to see in a text.
pub(crate) fn shows_nothing(text: &str) -> bool {
    let hidden = |c: char| is_blank(c) || is_invisible(c) || is_joiner(c) || is_combining_mark(c);
    !text.bytes().any(|byte| byte.is_ascii_graphic()) && text.chars().all(hidden)
}

/// White space, control characters, and the Braille pattern without a dot.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{2800}'
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn trim_joiner(plain: &mut String) {
    if plain.ends_with(is_joiner) {
        plain.pop();
    }
}

/// Unicode's `Default_Ignorable_Code_Point` but for the joiners, and annotations.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Corpus {
        interests: Vec<(String, String)>,
        nothing_to_see: Vec<String>,
        something_to_see: Vec<String>,
    }

    fn corpus() -> Corpus {
        serde_json::from_str(include_str!("../../../docs/plain-text.json")).unwrap()
    }

    #[test]
    fn interests_are_folded_as_pages_fold_them() {
        for (given, wanted) in corpus().interests {
            assert_eq!(folded(&given), wanted, "{given:?}");
            assert_eq!(folded(&wanted), wanted, "{given:?}, again");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_nothing() {
        let Corpus { nothing_to_see, something_to_see, .. } = corpus();
        for text in nothing_to_see {
            assert!(shows_nothing(&text) && plain(&text).is_empty(), "{text:?}");
        }
        for text in something_to_see {
            assert!(!shows_nothing(&text), "{text:?}");
        }
    }

    #[test]
    fn what_is_folded_once_stays_whatever_it_is() {
        for c in (0..=0x2_ffff).filter_map(char::from_u32) {
            for text in [c.to_string(), format!("a{c}b"), format!("{c}\u{301}{c}\u{345}")] {
                let once = folded(&text);
                assert_eq!(folded(&once), once, "{text:?}");
            }
        }
    }
}
