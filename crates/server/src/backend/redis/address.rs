//! Where Redis is, and what this node is called there.

use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use visavis_lobby::NodeId;

/// As the operator wrote it: may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl(String);

impl RedisUrl {
    /// # Errors
    /// One sentence, without what may be secret.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if !["redis://", "rediss://", "valkey://", "valkeys://", "unix://", "redis+unix://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err("not an address of a Redis; write for instance redis://127.0.0.1:6379, or \
                        rediss://user:password@redis.example.org:6379 for TLS"
                .into());
        }
        redis::Client::open(text)
            .map(|_| RedisUrl(text.to_owned()))
            .map_err(|error| format!("not an address of a Redis: {}", error.category()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(‹redacted›)")
    }
}

/// What the operator calls a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeName(String);

impl NodeName {
    /// # Errors
    /// One sentence that says what a name looks like.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if fits {
            Ok(NodeName(text.to_owned()))
        } else {
            Err(format!("`{text}` is not a name: 1 to 64 letters, digits, `-`, `_` or `.`"))
        }
    }

    pub(crate) fn random() -> Self {
        NodeName(format!("node-{:08x}", random() as u32))
    }

    /// This start of the node: grows with time, and is never the same twice even if the clock stands still.
    pub(crate) fn start(&self) -> NodeId {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        let name = digest.as_ref().iter().take(8).fold(0, |name, byte| (name << 8) | u64::from(*byte));
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        NodeId { name, epoch: (millis << 20) | (random() & 0xf_ffff) }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Where the system gives no randomness the process has not come this far.
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_starts_again_is_another_and_later_one_of_the_same_name() {
        let name = NodeName::read("eu-1").unwrap();
        let first = name.start();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = name.start();
        assert_eq!(first.name, second.name);
        assert!(first.epoch < second.epoch);
        assert_ne!(NodeName::random(), NodeName::random());
        assert!(NodeName::read("ü").is_err() && NodeName::read("").is_err());
    }

    #[test]
    fn an_address_is_read_and_never_shown() {
        for good in ["redis://127.0.0.1:6379", "rediss://user:pw@redis.example.org:6380/2", "redis://[::1]"] {
            let url = RedisUrl::read(good).unwrap();
            assert_eq!(format!("{url:?}"), "RedisUrl(‹redacted›)");
        }
        for bad in ["127.0.0.1:6379", "http://x", "redis://"] {
            assert!(RedisUrl::read(bad).is_err(), "{bad}");
        }
    }
}
