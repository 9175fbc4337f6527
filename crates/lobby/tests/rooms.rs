//! The lobby has three rooms: *sessions* at the bottom, *pairing* on it, and *cluster* on both; and what combines them on top. No room
//! knows one above it. Each, and *peers*, who stand beside the sessions, is a type of its own, which has no method of the lobby at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Sessions,
    /// Other nodes, beside the sessions.
    Peers,
    Pairing,
    Cluster,
    /// The lobby itself, which combines the others.
    Top,
}

/// Whatever lies in a folder or is the file of that name; the first that fits.
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
            "sessions/",
            "tokens.rs",
        ],
    ),
    (Room::Peers, &["peers.rs", "peers/"]),
    (
        Room::Pairing,
        &[
            "acquaintances.rs",
            "matches.rs",
            "matchmaker.rs",
            "matchmaker/",
            "pairing.rs",
            "pairing/",
            "receipts.rs",
        ],
    ),
    (Room::Cluster, &["cluster.rs", "cluster/"]),
    (Room::Top, &["lobby.rs", "lobby/"]),
];

/// What a room knows nothing of.
fn above(room: Room) -> &'static [&'static str] {
    match room {
        Room::Sessions => &[
            "implLobby",
            "crate::acquaintances",
            "crate::cluster",
            "crate::lobby",
            "crate::matches",
            "crate::matchmaker",
            "crate::nodes",
            "crate::pairing",
            "crate::peers",
        ],
        Room::Peers => &[
            "implLobby",
            "crate::acquaintances",
            "crate::cluster",
            "crate::lobby",
            "crate::matches",
            "crate::matchmaker",
            "crate::pairing",
            "crate::session",
        ],
        Room::Pairing => &["implLobby", "crate::cluster", "crate::lobby"],
        Room::Cluster => &["implLobby", "crate::lobby"],
        Room::Top => &[],
    }
}

#[test]
fn no_room_of_the_lobby_calls_the_one_above_it() {
    let found = uses_against_the_order(&sources());
    assert!(found.is_empty(), "return a value instead, and let the lobby carry it on:\n{found:#?}");
}

/// The check itself finds what it is there for.
#[test]
fn a_call_upwards_is_found() {
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
            "pairing/search.rs".to_owned(),
            source(
                "impl Pairing {\n    fn pair(&mut self) {\n        crate::lobby::tell();\n        self.take();\n    }\n}\n",
            ),
        ),
        (
            "cluster/overflow.rs".to_owned(),
            source(
                "impl Lobby {\n    fn tell(&mut self) {\n        // self.take()\n        self.forget();\n    }\n}\n",
            ),
        ),
    ]);
    let found = uses_against_the_order(&sources);
    let expected = [
        "cluster/overflow.rs uses forget of lobby.rs",
        "cluster/overflow.rs uses implLobby",
        "pairing/search.rs uses crate::lobby",
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
    let holds = |place: &str| if place.ends_with('/') { file.starts_with(place) } else { file == place };
    let of_file = ROOMS.iter().find(|(_, places)| places.iter().any(|place| holds(place)));
    of_file.map(|(room, _)| *room).unwrap_or_else(|| panic!("{file}: say in ROOMS to which room it belongs"))
}

fn uses_against_the_order(sources: &BTreeMap<String, Source>) -> Vec<String> {
    let mut found = Vec::new();
    for (file, from) in sources {
        let own = room(file);
        // What is no method of the lobby has methods of its own by the same names.
        let of_lobby = from.compact.contains("implLobby");
        for (other, to) in sources.iter().filter(|(other, _)| of_lobby && is_above(room(other), own)) {
            let called = to.defines.iter().filter(|name| from.compact.contains(&format!("self.{name}(")));
            found.extend(called.map(|name| format!("{file} uses {name} of {other}")));
        }
        let used = above(own).iter().filter(|name| from.compact.contains(**name));
        found.extend(used.map(|name| format!("{file} uses {name}")));
    }
    found.sort();
    found
}

fn is_above(one: Room, other: Room) -> bool {
    let floor = |room| match room {
        Room::Sessions | Room::Peers => 0,
        Room::Pairing => 1,
        Room::Cluster => 2,
        Room::Top => 3,
    };
    floor(one) > floor(other)
}

fn sources() -> BTreeMap<String, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let places = ROOMS.iter().flat_map(|(_, places)| *places).map(|place| root.join(place));
    let files: BTreeSet<PathBuf> =
        places.flat_map(|place| if place.is_dir() { files_below(&place) } else { vec![place] }).collect();
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
