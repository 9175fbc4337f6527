//! Keeps the table of settings in `docs/operations.md` equal to the one in the code.

use super::{SETTINGS, Shape};
use std::fmt::Write as _;
use std::{env, fs};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
const BEGIN: &str = "<!-- settings: written by `make bindings`, do not edit -->\n";
const END: &str = "<!-- end of settings -->";

fn table() -> String {
    let mut table =
        String::from("\n| file | environment | flag | default | meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let (default, repeats) = match setting.shape {
            Shape::One(_) | Shape::Flag(_) => (setting.default.to_owned(), ""),
            Shape::List(_) => (setting.default.replace(',', "`, `"), " …"),
        };
        let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
        let _ = writeln!(
            table,
            "| `{}` | `{}` | `{}`{repeats} | {default} | {} |",
            setting.key,
            setting.variable(),
            format!("--{} {}", setting.flag(), setting.value_name).trim_end(),
            setting.meaning,
        );
    }
    table.push('\n');
    table
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
    panic!("docs/operations.md does not hold the present settings; run `make bindings`");
}
