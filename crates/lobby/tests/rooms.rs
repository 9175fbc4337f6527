//! The lobby has three rooms: *sessions* at the bottom, *pairing* and *cluster* on it, and what combines them on top. No
//! room calls a method of one above it, and no file of *pairing* and file of *cluster* call each other both ways. *Sessions* is
//! a type of its own, which has no method of the lobby at all.
//!
//! What is not so yet stands in `NOT_YET`, and nothing may be added there. A line that is no longer needed fails as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Sessions,
    Pairing,
    Cluster,
    /// The lobby itself, which combines the others.
    Top,
}

/// Every file of `src/lobby` that is not under `far`, and those of *sessions* that are not under `src/sessions`.
const ROOMS: &[(Room, &[&str])] = &[
    (
        Room::Sessions,
        &[
            "admission.rs",
            "crowd.rs",
            "passes.rs",
            "persons.rs",
            "rates.rs",
            "replay.rs",
            "session.rs",
            "sessions.rs",
            "tokens.rs",
        ],
    ),
    (
        Room::Pairing,
        &[
            "lobby/absence.rs",
            "lobby/ghosts.rs",
            "lobby/hiding.rs",
            "lobby/minting.rs",
            "lobby/participants.rs",
            "lobby/parting.rs",
            "lobby/saying.rs",
            "lobby/search.rs",
            "lobby/switchboard.rs",
        ],
    ),
    (Room::Top, &["lobby.rs", "lobby/resume.rs"]),
];

/// What a session knows nothing of.
const ABOVE_SESSIONS: &[&str] = &[
    "implLobby",
    "crate::acquaintances",
    "crate::lobby",
    "crate::matches",
    "crate::matchmaker",
    "crate::nodes",
    "crate::participants",
];

/// What one file uses of a room above it, or of one that uses it as well.
const NOT_YET: &[(&str, &str)] = &[
    ("lobby/far/believed.rs", "greet_back of lobby/resume.rs"),
    ("lobby/far/believed.rs", "remember_kept of lobby/resume.rs"),
    ("lobby/far/believed.rs", "restore of lobby/resume.rs"),
    ("lobby/far/believed.rs", "take_over of lobby/resume.rs"),
    ("lobby/far/believed.rs", "welcome of lobby/resume.rs"),
    ("lobby/far/moving.rs", "become_restored of lobby/resume.rs"),
    ("lobby/far/moving.rs", "believe of lobby/resume.rs"),
    ("lobby/far/moving.rs", "identify of lobby/resume.rs"),
    ("lobby/far/moving.rs", "part_if_blocked of lobby/parting.rs, which uses it"),
    ("lobby/far/moving.rs", "receive of lobby.rs"),
    ("lobby/far/moving.rs", "take_over of lobby/resume.rs"),
    ("lobby/far/moving.rs", "welcome of lobby/resume.rs"),
    ("lobby/far/overflow.rs", "new_ticket of lobby/search.rs, which uses it"),
    ("lobby/far/overflow.rs", "schedule_ticket of lobby/search.rs, which uses it"),
    ("lobby/far/overflow.rs", "take_ticket of lobby/search.rs, which uses it"),
    ("lobby/far/pairs.rs", "forget of lobby.rs"),
    ("lobby/far/pairs.rs", "is_connected of lobby/switchboard.rs, which uses it"),
    ("lobby/far/pairs.rs", "present_match_id of lobby/switchboard.rs, which uses it"),
    ("lobby/far/pairs.rs", "schedule_match of lobby/ghosts.rs, which uses it"),
    ("lobby/far/proposals.rs", "enter_line of lobby/search.rs, which uses it"),
    ("lobby/far/proposals.rs", "insert_waiting of lobby/search.rs, which uses it"),
    ("lobby/far/proposals.rs", "take_ticket of lobby/search.rs, which uses it"),
    ("lobby/ghosts.rs", "dissolve_far of lobby/far/pairs.rs, which uses it"),
    ("lobby/ghosts.rs", "forget of lobby.rs"),
    ("lobby/parting.rs", "note_session of lobby/far/moving.rs, which uses it"),
    ("lobby/search.rs", "cancel_reservation of lobby/far/proposals.rs, which uses it"),
    ("lobby/search.rs", "export_if_due of lobby/far/overflow.rs, which uses it"),
    ("lobby/search.rs", "online_for_clients of lobby.rs"),
    ("lobby/search.rs", "replace_reserved_offer of lobby/far/proposals.rs, which uses it"),
    ("lobby/search.rs", "shows_tickets of lobby/far/overflow.rs, which uses it"),
    ("lobby/switchboard.rs", "tell_connected of lobby/far/pairs.rs, which uses it"),
];

#[test]
fn no_room_of_the_lobby_calls_the_one_above_it() {
    let known: Vec<String> = NOT_YET.iter().map(|(file, used)| format!("{file} uses {used}")).collect();
    let found = uses_against_the_order(&sources());
    let added: Vec<_> = found.iter().filter(|use_| !known.contains(use_)).collect();
    assert!(added.is_empty(), "return a value instead, and let the lobby carry it on:\n{added:#?}");
    let gone: Vec<_> = known.iter().filter(|use_| !found.contains(use_)).collect();
    assert!(gone.is_empty(), "no longer needed, take it out of NOT_YET:\n{gone:#?}");
}

/// The check itself finds what it is there for.
#[test]
fn a_call_upwards_and_a_call_both_ways_are_found() {
    let source = |text: &str| Source { compact: compact(text), defines: methods(text) };
    let sources = BTreeMap::from([
        ("lobby.rs".to_owned(), source("impl Lobby {\n    fn forget(&mut self) {}\n}\n")),
        (
            "sessions/rate_limits.rs".to_owned(),
            source(
                "impl Lobby {\n    fn take(&mut self) {\n        self\n            .forget();\n    }\n}\n",
            ),
        ),
        (
            "sessions/liveness.rs".to_owned(),
            source("use crate::matches::Match;\nimpl Sessions {\n    fn see(&self) {}\n}\n"),
        ),
        (
            "lobby/search.rs".to_owned(),
            source(
                "impl Lobby {\n    pub(super) fn pair(&mut self) {\n        self.tell();\n        self.take();\n    }\n}\n",
            ),
        ),
        (
            "lobby/far.rs".to_owned(),
            source(
                "impl Lobby {\n    pub(in crate::lobby) fn tell(&mut self) {\n        // self.forget()\n        self.pair();\n    }\n}\n",
            ),
        ),
    ]);
    let found = uses_against_the_order(&sources);
    let expected = [
        "lobby/far.rs uses pair of lobby/search.rs, which uses it",
        "lobby/search.rs uses tell of lobby/far.rs, which uses it",
        "sessions/liveness.rs uses crate::matches",
        "sessions/rate_limits.rs uses forget of lobby.rs",
        "sessions/rate_limits.rs uses implLobby",
    ];
    assert_eq!(found, expected);
}

struct Source {
    /// Without comments and white space, so that a call is one string wherever its lines break.
    compact: String,
    /// Methods of the lobby.
    defines: Vec<String>,
}

fn room(file: &str) -> Room {
    if file.starts_with("lobby/far") {
        return Room::Cluster;
    }
    if file.starts_with("sessions/") {
        return Room::Sessions;
    }
    let named = ROOMS.iter().find(|(_, files)| files.contains(&file));
    named.map(|(room, _)| *room).unwrap_or_else(|| panic!("{file}: say in ROOMS to which room it belongs"))
}

fn uses_against_the_order(sources: &BTreeMap<String, Source>) -> Vec<String> {
    let calls = |from: &Source, to: &Source| -> Vec<String> {
        // What is no method of the lobby has methods of its own by such names.
        let may_call = from.compact.contains("implLobby");
        to.defines
            .iter()
            .filter(|_| may_call)
            .filter(|name| from.compact.contains(&format!("self.{name}(")))
            .cloned()
            .collect()
    };
    let mut found = Vec::new();
    for (file, from) in sources {
        let own = room(file);
        for (other, to) in sources {
            let (theirs, called) = (room(other), calls(from, to));
            match (own, theirs) {
                (Room::Sessions, Room::Pairing | Room::Cluster | Room::Top)
                | (Room::Pairing | Room::Cluster, Room::Top) => {
                    found.extend(called.iter().map(|name| format!("{file} uses {name} of {other}")));
                }
                (Room::Pairing, Room::Cluster) | (Room::Cluster, Room::Pairing) => {
                    if !calls(to, from).is_empty() {
                        let lines = called.iter();
                        found.extend(
                            lines.map(|name| format!("{file} uses {name} of {other}, which uses it")),
                        );
                    }
                }
                (Room::Sessions, Room::Sessions)
                | (Room::Pairing, Room::Sessions | Room::Pairing)
                | (Room::Cluster, Room::Sessions | Room::Cluster)
                | (Room::Top, _) => {}
            }
        }
        if own == Room::Sessions {
            let used = ABOVE_SESSIONS.iter().filter(|name| from.compact.contains(**name));
            found.extend(used.map(|name| format!("{file} uses {name}")));
        }
    }
    found.sort();
    found
}

fn sources() -> BTreeMap<String, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("lobby.rs")];
    files.extend(files_below(&root.join("lobby")));
    files.extend(files_below(&root.join("sessions")));
    let named = ROOMS.iter().flat_map(|(_, files)| *files).map(|file| root.join(file));
    files.extend(named);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        // Only what every build has.
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        (name, Source { compact: compact(text), defines: methods(text) })
    };
    files.into_iter().filter(|path| !path.ends_with("audit.rs")).map(read).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn compact(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect()
}

/// What stands in blocks `impl Lobby`, laid out as rustfmt does.
fn methods(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut methods = Vec::new();
    for line in text.lines() {
        match line {
            "impl Lobby {" => inside = true,
            "}" => inside = false,
            _ if inside && line.starts_with("    ") && !line.starts_with("     ") => {
                let name = line.split_once("fn ").map(|(_, rest)| rest);
                let name = name.and_then(|rest| rest.split(['(', '<']).next());
                methods.extend(name.filter(|_| !line.trim_start().starts_with("//")).map(str::to_owned));
            }
            _ => {}
        }
    }
    methods
}
