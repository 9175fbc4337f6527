//! What goes out must not tell what goes out next.

use super::{A, Script, Visitor, find, frame};
use crate::{Config, SessionSecret};
use data_encoding::BASE64URL_NOPAD;
use std::collections::BTreeSet;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64, by which ids were once made of a counter and a seed.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// And back.
fn unmixed(mut z: u64) -> u64 {
    let unshifted = |z: u64, by: u32| (0..64 / by).fold(z, |found, _| z ^ (found >> by));
    z = unshifted(z, 31).wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = unshifted(z, 27).wrapping_mul(0x96de_1b17_3f11_9089);
    unshifted(z, 30)
}

fn config() -> Config {
    Config { session_secrets: vec![SessionSecret([7; 32])], ..Config::default() }
}

/// The head of a token, and the ids of the first matches, of a process that was started with this key.
fn seen_of(key: u64) -> ([u8; 16], BTreeSet<u64>) {
    let mut script = Script::with(config());
    script.restart(config(), key);
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    let token = script.hear(A)["resume_token"].as_str().expect("a token").to_owned();
    let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).expect("base64url");
    let mut ids = BTreeSet::new();
    for pair in 0..3 {
        let (one, other) = (Visitor(10 + pair), Visitor(20 + pair));
        for visitor in [one, other] {
            script.open(visitor);
        }
        script.say(one, find!("text"));
        script.hear(one);
        script.say(other, find!("text"));
        let found = script.hear(one);
        let id = found["match_id"].as_str().expect("an id");
        ids.insert(u64::from_str_radix(id, 16).expect("16 digits"));
        script.hear(other);
    }
    (sealed[..16].try_into().expect("a head"), ids)
}

#[test]
fn the_head_of_a_token_does_not_tell_the_match_ids_to_come() {
    let (head, ids) = seen_of(7);
    assert_eq!(unmixed(mixed(0xfeed)), 0xfeed, "the attack itself works");
    for half in head.chunks(8) {
        let shown = u64::from_be_bytes(half.try_into().expect("eight bytes"));
        for step in 1..=2 {
            let seed = unmixed(shown).wrapping_sub(GOLDEN.wrapping_mul(step));
            for seed in [seed, !seed, seed.rotate_right(32), !seed.rotate_right(32)] {
                let foretold = (1..100).map(|n: u64| mixed(seed.wrapping_add(n.wrapping_mul(GOLDEN))));
                assert!(!foretold.into_iter().any(|id| ids.contains(&id)), "an id came true");
            }
        }
        assert!(!ids.contains(&shown));
    }
}

#[test]
fn another_key_gives_another_head_and_other_ids() {
    let (head, ids) = seen_of(7);
    let (other_head, other_ids) = seen_of(8);
    assert_ne!(head, other_head);
    assert!(ids.is_disjoint(&other_ids));
    assert_eq!(seen_of(7), (head, ids), "and the same key the same: the simulator repeats its runs");
}
