//! What the differential test cannot see: snapshots, channels, slots.

use super::*;
use visavis_lobby::Insists;
use visavis_protocol::Kind;

const LEASE: Span = Span::from_millis(30_000);

fn node(name: u64) -> NodeId {
    NodeId { name, epoch: 1 }
}

fn export(ticket: u64) -> Export {
    Export {
        bucket: Bucket { kind: Kind::Video, pool: Tag(7) },
        ticket: TicketId(ticket),
        session: Tag(ticket),
        interests: Vec::new(),
        languages: Vec::new(),
        insists_on_interest: Insists::No,
        insists_on_language: Insists::No,
        waited: Span::ZERO,
        made: Span::ZERO,
        recent_pause: Span::ZERO,
        recent: Vec::new(),
        blocked: Vec::new(),
        lease: LEASE,
    }
}

#[test]
fn a_snapshot_forgets_what_came_after_it() {
    let mut redis = Redis::default();
    assert_eq!(redis.claim(0, node(1), &export(1)), None);
    let before = redis.clone();
    let taken = Some(Claimed { node: node(1), ticket: TicketId(1) });
    assert_eq!(redis.claim(1, node(2), &export(2)), taken);
    assert_eq!(redis.contents(1), Contents::new());
    redis = before;
    assert_eq!(redis.claim(2, node(3), &export(3)), taken, "given away twice: the nodes must notice");
}

#[test]
fn a_ticket_whose_lease_ended_is_swept_out_and_keys_die_by_themselves() {
    let mut redis = Redis::default();
    redis.claim(0, node(1), &export(1));
    assert_eq!(redis.claim(30_001, node(2), &export(2)), None);
    let [line, _] = names::pool(export(0).bucket);
    let left = Value::SortedSet(vec![("0000000000000002".into(), 30_001)]);
    assert_eq!(redis.contents(30_001).get(&line), Some(&(left, Some(30_001 + 90_000))));
    assert_eq!(redis.contents(120_001).len(), 2);
    assert_eq!(redis.contents(120_002).len(), 0);
}

#[test]
fn a_message_is_heard_by_those_who_are_subscribed_and_by_nobody_later() {
    let mut channels = Channels::default();
    let (old, other) = (channels.subscribe(node(1)), channels.subscribe(node(2)));
    let new = channels.subscribe(node(1));
    assert!(channels.publish(node(1)).eq([old, new]));
    channels.end(old);
    assert!(channels.publish(node(1)).eq([new]));
    assert!(channels.publish(node(2)).eq([other]));
    channels.end_all();
    assert_eq!(channels.publish(node(1)).count() + channels.publish(node(2)).count(), 0);
    assert_ne!(channels.subscribe(node(1)), old, "names are not used twice");
}

#[test]
fn slots_are_those_of_the_cluster_specification() {
    assert_eq!(slot("123456789"), 0x31c3);
    assert_eq!(slot("foo"), 12_182);
    assert_eq!(slot("{user1000}.following"), slot("user1000"));
    assert_ne!(slot("foo{}{bar}"), slot("bar"), "an empty tag is none");
    assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
}
