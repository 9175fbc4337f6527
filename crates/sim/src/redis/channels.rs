//! Publish and subscribe: whoever is subscribed at that moment hears a message, once at most; nobody else ever does.

use std::collections::BTreeMap;
use visavis_lobby::NodeId;

/// One subscription of one connection; never the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription(u64);

/// Who listens where. Each node has a channel of its own.
#[derive(Clone, Debug, Default)]
pub struct Channels {
    subscriptions: BTreeMap<Subscription, NodeId>,
    made: u64,
}

impl Channels {
    pub fn subscribe(&mut self, channel: NodeId) -> Subscription {
        let subscription = Subscription(self.made);
        self.made += 1;
        self.subscriptions.insert(subscription, channel);
        subscription
    }

    /// Its connection closed, or it died without a sign: in either case nothing comes any more.
    pub fn end(&mut self, subscription: Subscription) {
        self.subscriptions.remove(&subscription);
    }

    /// Redis ended: so did every subscription.
    pub fn end_all(&mut self) {
        self.subscriptions.clear();
    }

    /// Those who hear what is published on a channel now, in the order in which they subscribed.
    pub fn publish(&self, channel: NodeId) -> impl Iterator<Item = Subscription> {
        self.subscriptions
            .iter()
            .filter(move |(_, heard)| **heard == channel)
            .map(|(subscription, _)| *subscription)
    }
}
