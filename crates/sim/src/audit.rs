//! Pairings, checked from outside: what all visitors together saw must fit together, whatever the server believes.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use visavis_protocol::{MatchId, Mode};

/// A match as one of its sides saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    pub match_id: MatchId,
    pub visitor: u32,
    pub round: u32,
    pub initiator: bool,
    pub mode: Mode,
    /// Whose signals arrived in it; unknown where none did.
    pub partner: Option<u32>,
    /// Sender and serial of the offer that came with it.
    pub offer: Option<(u32, u32)>,
}

/// What the scenario leaves open.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Matches that only one side saw: the other closed, or did not read.
    pub one_sided: u64,
    /// Each of this many visitors meets exactly one stranger a round (all but one, if they are odd).
    pub once_per_round: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    SeenBy {
        match_id: MatchId,
        visitors: Vec<u32>,
    },
    /// More matches with one witness than the scenario explains.
    OneSided {
        matches: u64,
        allowed: u64,
    },
    Initiators {
        match_id: MatchId,
        number: usize,
    },
    ModesDiffer {
        match_id: MatchId,
    },
    /// Signals came from somebody who is not the other side.
    WrongPartner {
        match_id: MatchId,
        visitor: u32,
        heard: u32,
    },
    /// One waiting offer was handed to two strangers.
    OfferTwice {
        sender: u32,
        serial: u32,
    },
    MatchedInRound {
        round: u32,
        visitor: u32,
        times: u32,
    },
    Unmatched {
        round: u32,
        visitors: u32,
        allowed: u32,
    },
}

/// Everything that does not fit together.
pub fn audit(meetings: &[Meeting], rounds: u32, allowance: Allowance) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_matches(meetings, allowance.one_sided, &mut violations);
    let mut offers = FxHashSet::default();
    for (sender, serial) in meetings.iter().filter_map(|meeting| meeting.offer) {
        if !offers.insert((sender, serial)) {
            violations.push(Violation::OfferTwice { sender, serial });
        }
    }
    if let Some(visitors) = allowance.once_per_round {
        check_rounds(meetings, rounds, visitors, &mut violations);
    }
    violations
}

fn check_matches(meetings: &[Meeting], one_sided_allowed: u64, violations: &mut Vec<Violation>) {
    let mut ordered: Vec<&Meeting> = meetings.iter().collect();
    ordered.sort_unstable_by_key(|meeting| (meeting.match_id, meeting.visitor));
    let mut one_sided = 0;
    for seen in ordered.chunk_by(|one, next| one.match_id == next.match_id) {
        let [one, other] = seen else {
            if seen.len() == 1 {
                one_sided += 1;
            } else {
                let visitors = seen.iter().map(|meeting| meeting.visitor).collect();
                violations.push(Violation::SeenBy { match_id: seen[0].match_id, visitors });
            }
            continue;
        };
        let match_id = one.match_id;
        if one.visitor == other.visitor {
            violations.push(Violation::SeenBy { match_id, visitors: vec![one.visitor, other.visitor] });
        }
        let number = usize::from(one.initiator) + usize::from(other.initiator);
        if number != 1 {
            violations.push(Violation::Initiators { match_id, number });
        }
        if one.mode != other.mode {
            violations.push(Violation::ModesDiffer { match_id });
        }
        for (side, expected) in [(one, other.visitor), (other, one.visitor)] {
            if let Some(heard) = side.partner.filter(|heard| *heard != expected) {
                violations.push(Violation::WrongPartner { match_id, visitor: side.visitor, heard });
            }
        }
    }
    if one_sided > one_sided_allowed {
        violations.push(Violation::OneSided { matches: one_sided, allowed: one_sided_allowed });
    }
}

fn check_rounds(meetings: &[Meeting], rounds: u32, visitors: u32, violations: &mut Vec<Violation>) {
    let mut times: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for meeting in meetings {
        *times.entry((meeting.round, meeting.visitor)).or_default() += 1;
    }
    for round in 1..=rounds {
        let mut matched = 0;
        for visitor in 0..visitors {
            match times.get(&(round, visitor)) {
                None => {}
                Some(1) => matched += 1,
                Some(&times) => {
                    matched += 1;
                    violations.push(Violation::MatchedInRound { round, visitor, times });
                }
            }
        }
        let (unmatched, allowed) = (visitors - matched, visitors % 2);
        if unmatched > allowed {
            violations.push(Violation::Unmatched { round, visitors: unmatched, allowed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Allowance = Allowance { one_sided: 0, once_per_round: Some(4) };

    fn seen(match_id: u64, visitor: u32, partner: u32, initiator: bool) -> Meeting {
        Meeting {
            match_id: MatchId(match_id),
            visitor,
            round: 1,
            initiator,
            mode: Mode::AnswerOffer,
            partner: Some(partner),
            offer: (!initiator).then_some((partner, 1)),
        }
    }

    fn two_pairs() -> Vec<Meeting> {
        vec![seen(7, 0, 1, true), seen(8, 2, 3, true), seen(7, 1, 0, false), seen(8, 3, 2, false)]
    }

    fn found_after(change: impl FnOnce(&mut Vec<Meeting>)) -> Vec<Violation> {
        let mut meetings = two_pairs();
        change(&mut meetings);
        audit(&meetings, 1, STRICT)
    }

    #[test]
    fn two_good_pairs_pass() {
        assert_eq!(audit(&two_pairs(), 1, STRICT), []);
    }

    #[test]
    fn every_planted_fault_is_found() {
        let match_id = MatchId(7);
        assert_eq!(
            found_after(|all| all[0].initiator = false),
            [Violation::Initiators { match_id, number: 0 }]
        );
        assert_eq!(found_after(|all| all[2].mode = Mode::Negotiate), [Violation::ModesDiffer { match_id }]);
        assert_eq!(
            found_after(|all| all[0].partner = Some(3)),
            [Violation::WrongPartner { match_id, visitor: 0, heard: 3 }]
        );
        assert_eq!(
            found_after(|all| all[3].offer = all[2].offer),
            [Violation::OfferTwice { sender: 0, serial: 1 }]
        );
        assert_eq!(
            found_after(|all| all.truncate(3)),
            [
                Violation::OneSided { matches: 1, allowed: 0 },
                Violation::Unmatched { round: 1, visitors: 1, allowed: 0 }
            ]
        );
        assert_eq!(
            found_after(|all| all.extend([seen(9, 0, 2, true), seen(9, 2, 0, false)])),
            [
                Violation::OfferTwice { sender: 0, serial: 1 },
                Violation::MatchedInRound { round: 1, visitor: 0, times: 2 },
                Violation::MatchedInRound { round: 1, visitor: 2, times: 2 }
            ]
        );
        assert!(
            found_after(|all| all.push(seen(7, 3, 0, false)))
                .contains(&Violation::SeenBy { match_id, visitors: vec![0, 1, 3] })
        );
    }
}
