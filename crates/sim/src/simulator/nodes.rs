//! Several real lobbies, each with a modelled shell, and a modelled Redis between them, in virtual time: what becomes of
//! visitors when nodes die, sleep or are cut off, and when Redis forgets, stalls or loses what it was told.

mod generate;
mod host;
mod node;
mod shell;
mod watcher;
mod wiretap;
mod world;

pub(super) use generate::generate;
pub(super) use world::World;
