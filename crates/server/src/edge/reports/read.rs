//! What a report says, read field by field: a page that errs is told where.

use super::Sentence;
use crate::backend::store::{Category, LineFrom};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Map, Value};
use visavis_lobby::Author;
use visavis_protocol::ReportReceipt;

/// A note, and each line, beside the limit of texts.
const MAX_NOTE_CHARS: usize = 2_000;
const MAX_LINES: usize = 100;

/// Longer than any receipt.
const MAX_RECEIPT_CHARS: usize = 1_024;

/// A report as it came: nothing of it is checked against anything else.
#[derive(PartialEq)]
pub(super) struct Given {
    pub(super) receipt: ReportReceipt,
    pub(super) category: Category,
    pub(super) note: Option<String>,
    pub(super) lines: Vec<(LineFrom, String)>,
    pub(super) evidence: Option<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotJson,
    /// Missing, unknown, or not what it should be; says which.
    Field(Sentence),
    TooLarge(Sentence),
}

/// Who wrote a line, seen from the server.
pub(super) fn author(from: LineFrom) -> Author {
    match from {
        LineFrom::You => Author::Reporter,
        LineFrom::Stranger => Author::Reported,
    }
}

/// # Errors
/// The first flaw.
pub(super) fn read(bytes: &[u8], max_line_chars: usize) -> Result<Given, Flaw> {
    let mut fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| Flaw::NotJson)?;
    let receipt = match fields.remove("receipt") {
        Some(Value::String(receipt)) if receipt.len() <= MAX_RECEIPT_CHARS => ReportReceipt(receipt),
        Some(_) => return Err(field("receipt: must be the receipt of partner_found")),
        None => return Err(field("receipt: is missing; it comes with partner_found")),
    };
    let category = match fields.remove("category") {
        Some(Value::String(name)) => Category::ALL.into_iter().find(|category| category.name() == name),
        Some(_) | None => None,
    };
    let category = category
        .ok_or_else(|| field("category: must be sexual, minor, harassment, violence, spam or other"))?;
    let note = match fields.remove("note") {
        None | Some(Value::Null) => None,
        Some(Value::String(note)) => {
            Some(text("note", note, MAX_NOTE_CHARS)?).filter(|note| !note.is_empty())
        }
        Some(_) => return Err(field("note: must be a text")),
    };
    let lines = match fields.remove("lines") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(lines)) if lines.len() > MAX_LINES => {
            return Err(Flaw::TooLarge(format!("lines: at most {MAX_LINES}").into()));
        }
        Some(Value::Array(lines)) => {
            lines.into_iter().map(|line| read_line(line, max_line_chars)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(field("lines: must be a list of lines")),
    };
    let evidence = match fields.remove("evidence") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            let read = BASE64.decode(text.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes()));
            Some(read.map_err(|_| field("evidence: must be a file of age in base64"))?)
        }
        Some(_) => return Err(field("evidence: must be a file of age in base64")),
    };
    match fields.is_empty() {
        true => Ok(Given { receipt, category, note, lines, evidence }),
        false => Err(field("a report has receipt, category, note, lines and evidence, and no other field")),
    }
}

fn read_line(line: Value, max_chars: usize) -> Result<(LineFrom, String), Flaw> {
    let Value::Object(mut fields) = line else { return Err(field("lines: each has from and text")) };
    let from = match fields.remove("from") {
        Some(Value::String(from)) if from == "you" => LineFrom::You,
        Some(Value::String(from)) if from == "stranger" => LineFrom::Stranger,
        Some(_) | None => return Err(field("lines: from must be you or stranger")),
    };
    match (fields.remove("text"), fields.is_empty()) {
        (Some(Value::String(line)), true) => Ok((from, text("lines", line, max_chars)?)),
        (_, false) => Err(field("lines: each has from and text, and no other field")),
        (_, true) => Err(field("lines: text must be a text")),
    }
}

fn text(name: &str, text: String, max_chars: usize) -> Result<String, Flaw> {
    if text.len() > max_chars && text.chars().count() > max_chars {
        return Err(Flaw::TooLarge(format!("{name}: at most {max_chars} characters").into()));
    }
    // No keyboard writes it, and PostgreSQL keeps no such text.
    if text.contains('\0') {
        return Err(Flaw::Field(format!("{name}: holds the character U+0000").into()));
    }
    Ok(text)
}

fn field(sentence: &'static str) -> Flaw {
    Flaw::Field(sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flaw(report: &Value) -> Flaw {
        match read(report.to_string().as_bytes(), 20) {
            Ok(_) => panic!("taken: {report}"),
            Err(flaw) => flaw,
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut report = json!({ "receipt": "r", "category": "spam" });
        report[name] = value;
        report
    }

    #[test]
    fn a_whole_report_and_the_shortest_one_are_read() {
        let whole = json!({
            "receipt": "r", "category": "minor", "note": "says he is 14",
            "lines": [{ "from": "you", "text": "hi" }, { "from": "stranger", "text": "äöü 🎷" }],
            "evidence": "AAECAw==",
        });
        let Ok(given) = read(whole.to_string().as_bytes(), 20) else { panic!("refused") };
        assert_eq!((given.category, given.note.as_deref()), (Category::Minor, Some("says he is 14")));
        assert_eq!(given.lines[1], (LineFrom::Stranger, "äöü 🎷".to_owned()));
        assert_eq!(given.evidence, Some(vec![0, 1, 2, 3]));
        for category in ["sexual", "minor", "harassment", "violence", "spam", "other"] {
            let shortest = json!({ "receipt": "r", "category": category });
            assert!(
                read(shortest.to_string().as_bytes(), 20)
                    .is_ok_and(|given| given.category.name() == category)
            );
        }
        let empty = with("note", json!(""));
        assert!(read(empty.to_string().as_bytes(), 20).is_ok_and(|given| given.note.is_none()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for bad in ["", "[]", "\"x\"", "{", "nul", "{\"receipt\":\"r\"} x"] {
            assert!(read(bad.as_bytes(), 20).err() == Some(Flaw::NotJson), "{bad}");
        }
        for (report, named) in [
            (json!({}), "receipt: is missing"),
            (json!({ "receipt": 7 }), "receipt: must be"),
            (json!({ "receipt": "r" }), "category: must be"),
            (with("category", json!("Spam")), "category: must be"),
            (with("note", json!(7)), "note: must be"),
            (with("note", json!("a\u{0}b")), "note: holds"),
            (with("lines", json!("x")), "lines: must be"),
            (with("lines", json!(["x"])), "lines: each has"),
            (with("lines", json!([{ "from": "me", "text": "x" }])), "lines: from must be"),
            (with("lines", json!([{ "from": "you" }])), "lines: text must be"),
            (with("lines", json!([{ "from": "you", "text": "x", "more": 1 }])), "lines: each has"),
            (with("evidence", json!("not base64!")), "evidence: must be"),
            (with("more", json!(1)), "a report has"),
        ] {
            let Flaw::Field(sentence) = flaw(&report) else { panic!("{report}") };
            assert!(sentence.starts_with(named), "{sentence}");
        }
    }

    #[test]
    fn every_limit_holds_at_its_edge() {
        let line = |chars: usize| json!({ "from": "you", "text": "ü".repeat(chars) });
        let fits = |report: Value| read(report.to_string().as_bytes(), 20).is_ok();
        assert!(fits(with("note", json!("ü".repeat(MAX_NOTE_CHARS)))));
        assert!(fits(with("lines", json!(vec![line(20); MAX_LINES]))));
        for beyond in [
            with("note", json!("ü".repeat(MAX_NOTE_CHARS + 1))),
            with("lines", json!(vec![line(1); MAX_LINES + 1])),
            with("lines", json!([line(21)])),
        ] {
            assert!(matches!(flaw(&beyond), Flaw::TooLarge(_)), "{beyond}");
        }
    }
}
