//! Matching on arrival: who meets at once, and what keeps people apart.

use super::{A, B, C, D, Found, Script, find, frame};

#[test]
fn the_first_one_waits_and_the_second_one_matches_on_arrival() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect(A, frame!("waiting", online: 2));
    script.say(B, find!("video"));
    script.expect_match(A, B);
}

#[test]
fn find_partner_works_as_the_very_first_frame_of_every_kind() {
    for (kind, mode) in [("video", "negotiate"), ("audio", "negotiate"), ("text", "text")] {
        let mut script = Script::new();
        script.open(A);
        script.say(A, find!(kind));
        script.expect(A, frame!("waiting", online: 1));
        script.open(B);
        script.say(B, find!(kind));
        script.expect_found(A, B, Found { mode, ..Found::default() });
    }
}

#[test]
fn kinds_never_mix() {
    let mut script = Script::new();
    for (visitor, kind) in [(A, "video"), (B, "audio"), (C, "text")] {
        script.open(visitor);
        script.say(visitor, find!(kind));
        script.expect_waiting(visitor);
    }
    script.open(D);
    script.say(D, find!("audio"));
    script.expect_match(B, D);
}

#[test]
fn pools_never_mix_and_no_pool_is_a_pool_of_its_own() {
    let mut script = Script::new();
    for (visitor, search) in
        [(A, find!("video")), (B, find!("video", pool: "adults")), (C, find!("video", pool: "school"))]
    {
        script.open(visitor);
        script.say(visitor, search);
        script.expect_waiting(visitor);
    }
    script.open(D);
    script.say(D, find!("video", pool: "school"));
    script.expect_match(C, D);
}

#[test]
fn a_third_finds_nobody_where_two_have_met() {
    let mut script = Script::new();
    for visitor in [A, B, C] {
        script.open(visitor);
    }
    script.pair(A, B, find!("video"));
    script.say(C, find!("video"));
    script.expect_waiting(C);
}

#[test]
fn two_tabs_of_one_browser_do_meet() {
    // A session is a socket: nothing else could tell them apart, or keep them apart.
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.pair(A, B, find!("video"));
}
