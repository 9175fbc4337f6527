//! Reads along what nodes say to each other, to see whether the interesting things happen. Judges nothing.

use crate::simulator::coverage::{Case, Coverage};
use serde_json::Value;
use std::collections::BTreeSet;
use visavis_lobby::{Frame, Input, Marked, NodeId, Output, Reply, Request};

#[derive(Default)]
pub(super) struct Wiretap {
    pub(super) coverage: Coverage,
    /// Proposals made: by whom, of which ticket, to which.
    proposed: BTreeSet<(NodeId, u64, u64)>,
    /// Processes that were heard of.
    known: BTreeSet<NodeId>,
}

impl Wiretap {
    pub(super) fn saw(&mut self, me: NodeId, input: &Input, outputs: &[Output]) {
        let said: Vec<(String, Value)> = outputs.iter().filter_map(told).map(read).collect();
        for (word, body) in &said {
            if let (true, Some(tickets)) = (word == "Propose", tickets(body)) {
                self.proposed.insert((me, tickets.0, tickets.1));
            }
        }
        let says = |word: &str| said.iter().any(|(said, _)| said == word);
        match input {
            Input::Cluster(Reply::Heard { node, frame }) => {
                if self.known.insert(*node) && self.known.iter().any(|known| is_older(*known, *node)) {
                    self.coverage.note(Case::NewStartHeard);
                }
                let (word, body) = read(frame);
                self.heard(me, *node, &word, &body, &says);
            }
            Input::Cluster(Reply::Gap { .. }) => self.coverage.note(Case::GapNoticed),
            Input::Cluster(Reply::Met { node: Some(_), .. }) if says("Rejoin") => {
                self.coverage.note(Case::HalvesMet);
            }
            Input::Cluster(Reply::Marked { marked, .. }) => match marked {
                Marked::Used => self.coverage.note(Case::UsedElsewhere),
                Marked::Fresh { kept: Some(_) } => self.coverage.note(Case::KeptFound),
                Marked::Fresh { kept: None } => {}
            },
            Input::Cluster(Reply::Claimed { found: Some(_), .. }) if says("Unclaimed") => {
                self.coverage.note(Case::ClaimGivenBack);
            }
            _ => {}
        }
    }

    fn heard(&mut self, me: NodeId, node: NodeId, word: &str, body: &Value, says: &impl Fn(&str) -> bool) {
        match word {
            "Propose" => {
                if let Some((theirs, mine)) = tickets(body)
                    && self.proposed.contains(&(me, mine, theirs))
                    && self.proposed.contains(&(node, theirs, mine))
                {
                    self.coverage.note(Case::ProposalsCrossed);
                }
                if says("Release") {
                    self.coverage.note(Case::ProposalRefused);
                }
            }
            "Promise" if says("Release") => self.coverage.note(Case::PromiseTooLate),
            "Promise" if says("Commit") => self.coverage.note(Case::MetAcrossNodes),
            "Commit" if says("Left") => self.coverage.note(Case::CommitTooLate),
            "Carry" if says("Left") => self.coverage.note(Case::UnknownMatchAnswered),
            "Handover" if body["standing"].is_null() => self.coverage.note(Case::NothingHandedOver),
            "Handover" => {
                self.coverage.note(Case::HandedOver);
                if body["standing"]["back"] == "WasHere" {
                    self.coverage.note(Case::MovedWhileThere);
                }
                if body["standing"]["place"]["Matched"].is_object() {
                    self.coverage.note(Case::MovedInMatch);
                }
            }
            "Rejoined" => self.coverage.note(Case::Rejoined),
            _ => {}
        }
    }
}

fn is_older(one: NodeId, other: NodeId) -> bool {
    one.name == other.name && one.epoch < other.epoch
}

fn told(output: &Output) -> Option<&Frame> {
    match output {
        Output::Cluster(Request::Tell { frame, .. }) => Some(frame),
        _ => None,
    }
}

/// What sort of frame it is, and what it holds.
fn read(frame: &Frame) -> (String, Value) {
    let bytes = frame.to_bytes().unwrap_or_default();
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => map.into_iter().next().unwrap_or_default(),
        _ => (String::new(), Value::Null),
    }
}

/// The proposer's ticket, and the one that is proposed to.
fn tickets(propose: &Value) -> Option<(u64, u64)> {
    Some((propose["party"]["ticket"].as_u64()?, propose["ticket"].as_u64()?))
}
