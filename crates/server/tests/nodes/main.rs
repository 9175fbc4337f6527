//! Several real servers and a real redis-server: visitors of different nodes meet, and whoever dies, the others go on.

mod crowd;
mod failover;
mod faults;
#[path = "../sockets/harness.rs"]
#[allow(dead_code)]
mod harness;
mod kinds;
mod meeting;
mod place;
