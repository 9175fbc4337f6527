//! The corpora, one run a file: what the fuzzer found worth keeping must hold on every toolchain.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use visavis_fuzz::TARGETS;

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder that can be read").path())
        .collect();
    files.sort();
    assert!(files.len() > 20, "a corpus of {} files shows little", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("a file that can be read");
        let held = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        assert!(held.is_ok(), "{} fails; the reason stands above", file.display());
    }
}

#[test]
fn the_corpus_of_the_wire_holds() {
    replay("wire");
}

#[test]
fn the_corpus_of_the_lobby_holds() {
    replay("lobby");
}

#[test]
fn the_corpus_of_several_nodes_holds() {
    replay("nodes");
}

#[test]
fn the_corpus_of_stun_holds() {
    replay("stun");
}

#[test]
fn the_corpus_of_turn_holds() {
    replay("turn");
}
