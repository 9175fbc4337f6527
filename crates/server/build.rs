//! Writes a table of the built site's files, for `include_bytes!`: `web/app/build`, as `make build` leaves it.
//!
//! The files are copied first, so that a site that is built anew meanwhile does not break this build; the next one
//! takes it up. No site built is no error: the binary then says on its pages how to build it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let site = root.join("../../web/app/build");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", site.display());

    let mut files = Vec::new();
    list(&site, &mut files);
    files.sort();
    let copies = out.join("site");
    // Absent on the first build.
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir_all(&copies)?;
    let mut table = String::from("pub(super) static FILES: &[(&str, &[u8])] = &[\n");
    for (index, file) in files.iter().enumerate() {
        let name = file.strip_prefix(&site).unwrap_or(file).to_string_lossy().replace('\\', "/");
        // What vanished since it was listed belongs to an older site.
        if fs::copy(file, copies.join(index.to_string())).is_ok() {
            let _ = writeln!(
                table,
                "    ({:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/site/{index}\"))),",
                format!("/{name}")
            );
        }
    }
    table.push_str("];\n");
    fs::write(out.join("site.rs"), table)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}
