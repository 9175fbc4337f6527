//! Payload: where it goes, how it looks when it arrives, and when it does not.

use super::*;

/// Alice with a channel to the peer, and her relay address.
fn bound(world: &mut World, client: Client) -> (SocketAddr, RelayId) {
    let relayed = world.allocate("alice", client).relayed();
    assert_eq!(world.bind("alice", client, 0x4001, PEER), 0);
    (relayed, world.socket(relayed))
}

fn to_peer(relay: RelayId, fragments: Fragments) -> Forward {
    Forward::ToPeer { relay, peer: PEER.parse().unwrap(), fragments }
}

#[test]
fn a_channel_carries_payload_both_ways() {
    let mut world = World::new();
    let (_, relay) = bound(&mut world, alice());
    for payload in [&b""[..], b"a", b"abcde", &[7; 1400]] {
        let out = world.receive(alice(), &channel_data(0x4001, payload));
        assert_eq!(out, (to_peer(relay, Fragments::Allowed), payload.to_vec()));
        let back = world.receive_from_peer(relay, PEER, payload);
        assert_eq!(back, (Forward::ToClient(alice()), channel_data(0x4001, payload)), "no padding over UDP");
    }
    // Padding that a client adds all the same is no payload.
    let mut padded = channel_data(0x4001, b"abcde");
    padded.extend([0; 3]);
    assert_eq!(world.receive(alice(), &padded).1, b"abcde");
    assert_eq!(world.relay.counters().to_peers, crate::Flow { packets: 5, bytes: 1 + 5 + 1400 + 5 });
    assert_eq!(world.relay.counters().to_clients, crate::Flow { packets: 4, bytes: 1 + 5 + 1400 });
}

#[test]
fn over_a_stream_channel_data_is_padded() {
    let mut world = World::new();
    let client = stream(1, "8.8.8.8:1");
    let (_, relay) = bound(&mut world, client);
    let (forward, bytes) = world.receive_from_peer(relay, PEER, b"abcde");
    assert_eq!(forward, Forward::ToClient(client));
    assert_eq!(bytes, [0x40, 0x01, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
}

#[test]
fn indications_carry_payload_both_ways() {
    let mut world = World::new();
    let relayed = world.allocate("alice", alice()).relayed();
    let relay = world.socket(relayed);
    assert_eq!(world.permit("alice", alice(), &[PEER]), 0);
    for payload in [&b""[..], b"a", b"abcde", &[7; 1400]] {
        let send = world.request(SEND).peer(PEER).with(attribute::DATA, payload).unsigned();
        assert_eq!(world.receive(alice(), &send), (to_peer(relay, Fragments::Allowed), payload.to_vec()));
        let (forward, bytes) = world.receive_from_peer(relay, PEER, payload);
        assert_eq!(forward, Forward::ToClient(alice()));
        assert_eq!(u16::from_be_bytes([bytes[0], bytes[1]]), DATA);
        let data = Answer::read(bytes);
        assert_eq!(data.kinds(), [attribute::XOR_PEER_ADDRESS, attribute::DATA]);
        assert_eq!(data.addresses(attribute::XOR_PEER_ADDRESS), [PEER.parse().unwrap()]);
        assert_eq!(data.value(attribute::DATA), payload);
    }
}

#[test]
fn an_ipv6_peer_is_reached_from_the_ipv6_address() {
    let mut world = World::new();
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let answer = world.ask_as("alice", alice(), request.with(attribute::ADDITIONAL_ADDRESS_FAMILY, &IPV6));
    let relay = world.socket(answer.addresses(attribute::XOR_RELAYED_ADDRESS)[1]);
    let peer = "[2a00::9]:7";
    assert_eq!(world.permit("alice", alice(), &[peer]), 0);
    let send = world.request(SEND).peer(peer).with(attribute::DATA, b"x").unsigned();
    let expected = Forward::ToPeer { relay, peer: peer.parse().unwrap(), fragments: Fragments::Allowed };
    assert_eq!(world.receive(alice(), &send).0, expected);
    let (_, bytes) = world.receive_from_peer(relay, peer, b"back");
    assert_eq!(Answer::read(bytes).addresses(attribute::XOR_PEER_ADDRESS), [peer.parse().unwrap()]);
}

#[test]
fn a_packet_that_must_stay_whole_is_sent_whole() {
    let mut world = World::new();
    let relayed = world.allocate("alice", alice()).relayed();
    let relay = world.socket(relayed);
    assert_eq!(world.permit("alice", alice(), &[PEER]), 0);
    let send = world.request(SEND).peer(PEER).with(attribute::DONT_FRAGMENT, &[]).with(attribute::DATA, b"x");
    assert_eq!(world.receive(alice(), &send.unsigned()).0, to_peer(relay, Fragments::Forbidden));
}

#[test]
fn without_permission_nothing_passes_in_either_direction() {
    let mut world = World::new();
    let (_, relay) = bound(&mut world, alice());
    let send = world.request(SEND).peer("1.1.1.1:7").with(attribute::DATA, b"x").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    assert_eq!(world.receive_from_peer(relay, "1.1.1.1:7", b"x").0, Forward::Nowhere);
    assert_eq!(world.relay.counters().dropped[&Drop::NoPermission], 2);
    // A permission is for the address, whatever the port.
    assert!(matches!(world.receive_from_peer(relay, "9.9.9.9:1", b"x").0, Forward::ToClient(_)));
}

#[test]
fn permissions_end_after_five_minutes_and_channels_after_ten() {
    let mut world = World::new();
    let (_, relay) = bound(&mut world, alice());
    assert_eq!(world.refresh("alice", alice(), 3600).code(), 0);
    world.pass(299);
    assert!(matches!(world.receive_from_peer(relay, PEER, b"x").0, Forward::ToClient(_)));
    world.pass(1);
    assert_eq!(world.receive_from_peer(relay, PEER, b"x").0, Forward::Nowhere);
    assert!(matches!(world.receive(alice(), &channel_data(0x4001, b"x")).0, Forward::ToPeer { .. }));
    world.pass(300);
    assert_eq!(world.receive(alice(), &channel_data(0x4001, b"x")).0, Forward::Nowhere);
    assert_eq!(world.relay.counters().dropped[&Drop::NoChannel], 1);
}

#[test]
fn a_channel_lives_on_by_whatever_renews_it() {
    let mut world = World::new();
    let (_, relay) = bound(&mut world, alice());
    assert_eq!(world.refresh("alice", alice(), 3600).code(), 0);
    world.pass(200);
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:1"]), 0, "any port of that address");
    world.pass(200);
    assert_eq!(world.receive_from_peer(relay, PEER, b"x").1, channel_data(0x4001, b"x"));
    world.pass(190);
    assert_eq!(world.bind("alice", alice(), 0x4001, PEER), 0);
    world.pass(20);
    assert!(matches!(world.receive(alice(), &channel_data(0x4001, b"x")).0, Forward::ToPeer { .. }));
    assert_eq!(world.receive_from_peer(relay, PEER, b"x").1, channel_data(0x4001, b"x"));
}

#[test]
fn payload_of_strangers_and_for_unbound_channels_goes_nowhere() {
    let mut world = World::new();
    let (_, _) = bound(&mut world, alice());
    assert_eq!(world.receive(alice(), &channel_data(0x4002, b"x")).0, Forward::Nowhere);
    assert_eq!(world.receive(udp("8.8.8.8:1"), &channel_data(0x4001, b"x")).0, Forward::Nowhere);
    let mut too_long = channel_data(0x4001, b"abc");
    too_long[3] = 4;
    assert_eq!(world.receive(alice(), &too_long).0, Forward::Nowhere);
}

#[test]
fn what_comes_to_a_closed_or_reserved_address_goes_nowhere() {
    let mut world = World::new();
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let answer = world.ask_as("alice", alice(), request.with(attribute::EVEN_PORT, &[0x80]));
    let mut reserved = answer.relayed();
    let open = world.socket(reserved);
    reserved.set_port(reserved.port() + 1);
    let reserved = world.socket(reserved);
    assert_eq!(world.receive_from_peer(reserved, PEER, b"x").0, Forward::Nowhere);
    world.refresh("alice", alice(), 0);
    assert_eq!(world.receive_from_peer(open, PEER, b"x").0, Forward::Nowhere);
}

/// Two visitors whose calls are relayed both: no packet need leave the machine.
#[test]
fn relay_to_relay_is_delivered_inside_if_both_permit_it() {
    for relay_ip in [RELAY_IPV4, "192.168.1.5", "127.0.0.1"] {
        let mut world = World::with(|config| config.relay_ipv4 = Some(relay_ip.parse().unwrap()));
        let bob = udp("7.7.7.7:7");
        let alices = world.allocate("alice", alice()).relayed().to_string();
        let bobs = world.allocate("bob", bob).relayed().to_string();
        assert_eq!(world.bind("alice", alice(), 0x4001, &bobs), 0, "{relay_ip}");
        let out = channel_data(0x4001, b"hello");
        assert_eq!(world.receive(alice(), &out).0, Forward::Nowhere, "bob has not permitted it");
        assert_eq!(world.permit("bob", bob, &[&alices]), 0);
        let (forward, bytes) = world.receive(alice(), &out);
        assert_eq!(forward, Forward::ToClient(bob));
        let data = Answer::read(bytes);
        assert_eq!(data.addresses(attribute::XOR_PEER_ADDRESS)[0].to_string(), alices);
        assert_eq!(data.value(attribute::DATA), b"hello");
        assert_eq!(world.bind("bob", bob, 0x4444, &alices), 0);
        assert_eq!(world.receive(alice(), &out), (Forward::ToClient(bob), channel_data(0x4444, b"hello")));
        let back = world.receive(bob, &channel_data(0x4444, b"back"));
        assert_eq!(back, (Forward::ToClient(alice()), channel_data(0x4001, b"back")));
    }
}

/// A relay behind a NAT has a private address, on which other things listen that are not for strangers.
#[test]
fn our_own_address_in_a_refused_range_is_reached_inside_only() {
    let mut world = World::with(|config| config.relay_ipv4 = Some("192.168.1.5".parse().unwrap()));
    world.allocate("alice", alice());
    assert_eq!(world.permit("alice", alice(), &["192.168.1.5:6379"]), 0);
    let send = world.request(SEND).peer("192.168.1.5:6379").with(attribute::DATA, b"FLUSHALL").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    assert_eq!(world.relay.counters().dropped[&Drop::ForbiddenPeer], 1);
    assert_eq!(world.bind("alice", alice(), 0x4001, "192.168.1.5:6379"), 403);
}

#[test]
fn an_allocation_has_its_bytes_a_second_in_both_directions_together() {
    let mut world = World::with(|config| config.bounds.bytes_per_s = 10_000);
    let (_, relay) = bound(&mut world, alice());
    let mut passed = 0;
    for _ in 0..10 {
        passed +=
            usize::from(world.receive(alice(), &channel_data(0x4001, &[0; 1000])).0 != Forward::Nowhere);
        passed += usize::from(world.receive_from_peer(relay, PEER, &[0; 1000]).0 != Forward::Nowhere);
    }
    assert_eq!(passed, 10);
    assert_eq!(world.relay.counters().dropped[&Drop::Bandwidth], 10);
    world.now = world.now + Duration::from_millis(200);
    let again = (0..10).filter(|_| world.receive_from_peer(relay, PEER, &[0; 1000]).0 != Forward::Nowhere);
    assert_eq!(again.count(), 2);
}

/// Sends so many packets of 1,000 bytes; how many are carried.
fn carried(world: &mut World, client: Client, packets: usize) -> usize {
    let packet = channel_data(0x4000, &[7; 1_000]);
    (0..packets).filter(|_| world.receive(client, &packet).0 != Forward::Nowhere).count()
}

#[test]
fn what_several_allocations_share_bounds_them_together() {
    type Set = fn(&mut Bounds, u64);
    let cases: [(Set, &str, &str, &str, Bound); 3] = [
        (|bounds, n| bounds.user_bytes_per_s = n, "alice", "7.7.7.7:1", "8.8.8.8:4001", Bound::BytesPerUser),
        (
            |bounds, n| bounds.address_bytes_per_s = n,
            "bob",
            "8.8.8.8:4001",
            "7.7.7.7:1",
            Bound::BytesPerAddress,
        ),
        (|bounds, n| bounds.total_bytes_per_s = n, "bob", "7.7.7.7:1", "", Bound::BytesInAll),
    ];
    for (set, user, sharing, other, bound) in cases {
        let mut world = World::with(|config| set(&mut config.bounds, 100_000));
        world.allocate("alice", alice());
        world.allocate(user, udp(sharing));
        assert_eq!(world.bind("alice", alice(), 0x4000, PEER), 0);
        assert_eq!(world.bind(user, udp(sharing), 0x4000, PEER), 0);
        assert_eq!(carried(&mut world, alice(), 60), 60, "{bound:?}");
        assert_eq!(
            carried(&mut world, alice(), 1_000) + carried(&mut world, udp(sharing), 1_000),
            40,
            "{bound:?}"
        );
        let counters = world.relay.counters();
        assert_eq!((counters.bounds_hit[&bound], counters.dropped[&Drop::Bandwidth]), (1_960, 1_960));
        if !other.is_empty() {
            let stranger = udp(other);
            world.allocate("carol", stranger);
            assert_eq!(world.bind("carol", stranger, 0x4000, PEER), 0);
            assert_eq!(carried(&mut world, stranger, 100), 100, "{bound:?}");
        }
        world.pass(1);
        assert_eq!(carried(&mut world, udp(sharing), 1_000), 100, "{bound:?}: and the next second");
    }
}

#[test]
fn an_ipv6_site_carries_what_four_addresses_may() {
    let mut world = World::with(|config| config.bounds.address_bytes_per_s = 100_000);
    let mut sum = 0;
    for n in 1..=8 {
        let client = udp(&format!("[2a08:1:1:{n}::1]:1"));
        let user = format!("user {n}");
        world.allocate(&user, client);
        assert_eq!(world.bind(&user, client, 0x4000, PEER), 0);
        sum += carried(&mut world, client, 200);
    }
    assert_eq!(sum, 400);
}
