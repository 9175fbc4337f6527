//! Keeps the table of settings in `docs/settings.md` equal to the one in the code.

use super::{SETTINGS, Setting, Shape};
use std::fmt::Write as _;
use std::{env, fs};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
const BEGIN: &str = "<!-- settings: written by `make bindings`, do not edit -->\n";
const END: &str = "<!-- end of settings -->";

/// A cell holds a phrase; what does not fit stands below the table.
const MAX_CELL_CHARS: usize = 200;

fn table() -> String {
    let mut table =
        String::from("\n| file | environment | flag | default | meaning |\n|---|---|---|---|---|\n");
    let mut more = String::new();
    for setting in SETTINGS {
        let (phrase, rest) = split(setting.meaning);
        let _ = writeln!(table, "| {} |", cells(setting, phrase).join(" | "));
        if !rest.is_empty() {
            let _ = writeln!(more, "- `{}`: {rest}", setting.key);
        }
    }
    format!("{table}\nMore about some of them:\n\n{more}\n")
}

fn cells(setting: &Setting, phrase: &str) -> [String; 5] {
    let (default, repeats) = match setting.shape {
        Shape::One(_) | Shape::Flag(_) => (setting.default.to_owned(), ""),
        Shape::List(_) => (setting.default.replace(',', "`, `"), " …"),
    };
    let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
    // Inside code, too, a bar would end the cell.
    let flag = format!("--{} {}", setting.flag(), setting.value_name).replace('|', "\\|");
    [
        format!("`{}`", setting.key),
        format!("`{}`", setting.variable()),
        format!("`{}`{repeats}", flag.trim_end()),
        default,
        phrase.to_owned(),
    ]
}

/// As many whole sentences as a cell holds, and the others.
fn split(meaning: &str) -> (&str, &str) {
    if meaning.chars().count() <= MAX_CELL_CHARS {
        return (meaning, "");
    }
    let ends = meaning.match_indices(". ").map(|(at, _)| at + 1);
    let end = ends.take_while(|end| meaning[..*end].chars().count() <= MAX_CELL_CHARS).last();
    end.map_or((meaning, ""), |end| (&meaning[..end], meaning[end..].trim_start()))
}

#[test]
fn the_settings_in_the_document_are_those_of_the_code() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the beginning of the settings is marked");
    let (written, after) = rest.split_once(END).expect("the end of the settings is marked");
    if written == table() {
        return;
    }
    if env::var_os("VISAVIS_WRITE_BINDINGS").is_some() {
        fs::write(DOCUMENT, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    panic!("docs/settings.md does not hold the present settings; run `make bindings`");
}

#[test]
fn no_cell_of_the_document_is_longer_than_a_phrase() {
    for setting in SETTINGS {
        for cell in cells(setting, split(setting.meaning).0) {
            assert!(cell.chars().count() <= MAX_CELL_CHARS, "{}: {cell}", setting.key);
        }
    }
}
