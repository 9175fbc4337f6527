//! Whom one does not meet again: recent partners for a while, blocked ones ever.

use super::{A, B, C, Requeued, Script, Visitor, find, frame};
use crate::{Ending, Span};
use visavis_protocol::MatchId;

/// A and B have parted; both are idle.
fn parted() -> (Script, MatchId) {
    let (mut script, present) = Script::matched(find!("video"));
    script.say(A, frame!("stop"));
    script.expect_left(B, present, "stop", Requeued::No);
    script.expect(A, frame!("stopped"));
    (script, present)
}

#[test]
fn recent_partners_meet_again_three_seconds_after_the_later_ticket() {
    let (mut script, _) = parted();
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.advance_ms(2_000);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.advance(Span::from_micros(2_999_999));
    script.nothing_left();
    script.advance(Span::from_micros(1));
    script.expect_match(A, B);
}

#[test]
fn a_stranger_goes_before_an_older_recent_partner() {
    let (mut script, _) = parted();
    // Past the time in which B would get its age back.
    script.advance_ms(5_001);
    script.open(C);
    script.say(A, find!("video", interests: ["jazz"], languages: ["de"]));
    script.expect_waiting(A);
    script.advance_ms(3_100);
    script.say(C, find!("video", interests: ["jazz"], languages: ["fr"], pin: ["language"]));
    script.expect_waiting(C);
    script.advance_ms(1);
    script.say(B, find!("video", interests: ["jazz"], languages: ["de", "fr"]));
    script.expect_found(
        C,
        B,
        super::Found { shared: &["jazz"], language: Some("fr"), ..super::Found::default() },
    );
}

#[test]
fn a_pair_that_could_not_connect_is_not_put_together_again() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.say(A, frame!("next", match_id: present, failed: true));
    script.expect_left(B, present, "next", Requeued::Yes);
    script.expect_waiting(B);
    script.expect_waiting(A);
    // The pause of recent partners is over long since.
    script.advance_ms(9_000);
    script.nothing_left();
    // Somebody else meets the one of them who has waited longer.
    script.open(C);
    script.say(C, find!("video"));
    script.expect_match(B, C);
}

#[test]
fn new_wishes_do_not_prolong_the_pause() {
    let (mut script, _) = parted();
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.advance_ms(2_500);
    script.say(B, find!("video"));
    script.advance_ms(500);
    script.expect_match(A, B);
}

#[test]
fn the_last_five_partners_pause_and_the_sixth_does_not() {
    for (between, pauses) in [(4, true), (5, false)] {
        let (mut script, _) = parted();
        let mut strangers = (10..).map(Visitor);
        // Both forget only after both have met others: one memory is enough to keep them apart.
        for visitor in [A, B] {
            for stranger in strangers.by_ref().take(between) {
                script.open(stranger);
                let present = script.pair(visitor, stranger, find!("video"));
                script.close(stranger, Ending::CloseFrame);
                script.expect_left(visitor, present, "closed", Requeued::No);
                // Past the time in which an age is given back.
                script.advance_ms(5_001);
            }
        }
        script.say(A, frame!("next"));
        script.expect_waiting(A);
        script.say(B, frame!("next"));
        if pauses {
            script.expect_waiting(B);
        } else {
            script.expect_match(A, B);
        }
    }
}

#[test]
fn one_memory_of_a_meeting_is_enough_to_pause() {
    let (mut script, _) = parted();
    for stranger in (10..15).map(Visitor) {
        script.open(stranger);
        let present = script.pair(A, stranger, find!("video"));
        script.close(stranger, Ending::CloseFrame);
        script.expect_left(A, present, "closed", Requeued::No);
        script.advance_ms(5_001);
    }
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
}

#[test]
fn block_ends_the_match_and_tells_the_other() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.say(A, frame!("block", match_id: present));
    // Kindly: that it was blocked is told to the blocker alone.
    script.expect_left(B, present, "next", Requeued::Yes);
    script.expect_waiting(B);
    script.expect_blocked(A, present);
    // A is idle: it says itself whether it goes on.
    script.open(C);
    script.say(C, find!("video"));
    script.expect_match(B, C);
}

#[test]
fn a_blocked_pair_never_meets_again_whoever_blocked_and_whoever_comes_first() {
    for blocker in [A, B] {
        for (first, second) in [(A, B), (B, A)] {
            let (mut script, present) = Script::matched(find!("video"));
            script.say(blocker, frame!("block", match_id: present));
            let other = if blocker == A { B } else { A };
            script.expect_left(other, present, "next", Requeued::No);
            script.expect_blocked(blocker, present);
            script.say(first, frame!("next"));
            script.expect_waiting(first);
            script.say(second, frame!("next"));
            script.expect_waiting(second);
            script.advance_ms(600_000);
        }
    }
}

#[test]
fn the_last_match_can_be_blocked_after_its_end() {
    let (mut script, last) = parted();
    script.say(B, frame!("block", match_id: last));
    script.expect_blocked(B, last);
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.advance_ms(60_000);
}

#[test]
fn blocking_the_last_match_leaves_the_present_one_alone() {
    let (mut script, last) = parted();
    script.open(C);
    let present = script.pair(A, C, find!("video"));
    script.say(A, frame!("block", match_id: last));
    script.expect_blocked(A, last);
    script.say(A, frame!("message", match_id: present, text: "back"));
    script.expect(C, frame!("message", match_id: present, text: "back"));
}

#[test]
fn blocking_the_last_match_ends_the_present_one_if_it_is_the_same_person() {
    let (mut script, last) = parted();
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.advance_ms(3_000);
    let present = script.expect_match(A, B);
    script.say(A, frame!("block", match_id: last));
    script.expect_left(B, present, "next", Requeued::No);
    // It could not know that the two strangers were one, and would wait for somebody who is gone.
    script.expect_left(A, present, "next", Requeued::No);
    script.expect_blocked(A, last);
}

#[test]
fn a_forged_or_old_id_blocks_nobody() {
    let (mut script, first) = parted();
    script.open(C);
    let second = script.pair(A, C, find!("video"));
    script.say(C, frame!("stop"));
    script.expect_left(A, second, "stop", Requeued::No);
    script.expect(C, frame!("stopped"));
    script.advance_ms(5_001);
    for id in [frame!("block", match_id: first), frame!("block", match_id: "x")] {
        script.say(A, id);
    }
    // Of C's match B knows nothing.
    script.say(B, frame!("block", match_id: second));
    assert_eq!(script.lobby().counters().stale_signals, 3);
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.advance_ms(3_000);
    script.expect_match(A, B);
}

#[test]
fn block_before_any_match_is_refused() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("block", match_id: "00000000000000ff"));
    script.expect_refusal(A, "not_matched", "block");
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(A, frame!("block", match_id: "00000000000000ff"));
    script.expect_refusal(A, "not_matched", "block");
}

#[test]
fn a_block_forgotten_for_a_newer_one_leaves_nobody_waiting_in_vain() {
    // More blocks than are kept: the oldest is forgotten, and its two fit again.
    let mut script = Script::with(crate::Config {
        admission_rate: 1_000_000,
        next_burst: 1_000,
        waiting_interval: Span::from_secs(1_000_000),
        message_burst: 10_000,
        ..crate::Config::default()
    });
    script.open(A);
    script.open(B);
    let first = script.pair(A, B, find!("text"));
    script.say(A, frame!("block", match_id: first));
    script.expect_left(B, first, "next", Requeued::No);
    script.expect_blocked(A, first);
    for stranger in (10..265).map(Visitor) {
        script.open(stranger);
        let present = script.pair(A, stranger, find!("text"));
        script.say(A, frame!("block", match_id: present));
        script.expect_left(stranger, present, "next", Requeued::No);
        script.expect_blocked(A, present);
    }
    let last = Visitor(300);
    script.open(last);
    let present = script.pair(A, last, find!("text"));
    script.say(last, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::No);
    script.expect(last, frame!("stopped"));
    script.advance_ms(10_000);
    script.say(B, frame!("next"));
    script.expect_waiting(B);
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.advance_ms(10_000);
    script.say(A, frame!("block", match_id: present));
    script.expect_found(A, B, super::Found { mode: "text", ..super::Found::default() });
    script.expect_blocked(A, present);
}
