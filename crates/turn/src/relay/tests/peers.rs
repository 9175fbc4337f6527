//! Permissions and channels: whom one may exchange packets with.

use super::*;

fn world() -> World {
    let mut world = World::new();
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let answer = world.ask_as("alice", alice(), request.with(attribute::ADDITIONAL_ADDRESS_FAMILY, &IPV6));
    assert_eq!(answer.addresses(attribute::XOR_RELAYED_ADDRESS).len(), 2);
    world
}

#[test]
fn special_addresses_are_403_in_every_encoding_for_permissions_and_channels() {
    let mut world = world();
    for peer in [
        "0.0.0.1:1",
        "10.0.0.1:1",
        "100.64.0.1:1",
        "127.0.0.1:1",
        "169.254.169.254:80",
        "172.16.0.1:1",
        "192.0.0.1:1",
        "192.0.2.1:1",
        "192.88.99.1:1",
        "192.168.0.1:1",
        "198.18.0.1:1",
        "198.51.100.1:1",
        "203.0.113.1:1",
        "224.0.0.1:1",
        "240.0.0.1:1",
        "255.255.255.255:1",
        "[::]:1",
        "[::1]:1",
        "[::ffff:10.0.0.1]:1",
        "[::ffff:8.8.8.8]:1",
        "[64:ff9b::a00:1]:1",
        "[64:ff9b:1::1]:1",
        "[100::1]:1",
        "[2001::1]:1",
        "[2001:db8::1]:1",
        "[2002:a00:1::1]:1",
        "[::ffff:0:10.0.0.1]:1",
        "[2a00:1:2:3:0:5efe:10.0.0.1]:1",
        "[2a00:64::169.254.169.254]:80",
        "[fc00::1]:1",
        "[fe80::1]:1",
        "[ff02::1]:1",
    ] {
        assert_eq!(world.permit("alice", alice(), &[peer]), 403, "{peer}");
        assert_eq!(world.bind("alice", alice(), 0x4000, peer), 403, "{peer}");
    }
    for peer in ["9.9.9.9:1", "[2a00::9]:1"] {
        assert_eq!(world.permit("alice", alice(), &[peer]), 0, "{peer}");
    }
}

#[test]
fn local_peers_are_let_in_by_the_development_flag_and_the_metadata_service_is_not() {
    let mut world = World::with(|config| config.peers.local = LocalPeers::Allowed);
    world.allocate("alice", alice());
    for (peer, code) in [
        ("127.0.0.1:1", 0),
        ("192.168.1.1:1", 0),
        ("10.1.1.1:1", 0),
        ("169.254.169.254:80", 403),
        ("0.0.0.0:1", 403),
    ] {
        assert_eq!(world.permit("alice", alice(), &[peer]), code, "{peer}");
    }
}

#[test]
fn permissions_are_given_all_or_none() {
    let mut world = world();
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:1", "127.0.0.1:1"]), 403);
    let send = world.request(SEND).peer(PEER).with(attribute::DATA, b"x").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:1", "1.1.1.1:1"]), 0);
    let send = world.request(SEND).peer(PEER).with(attribute::DATA, b"x").unsigned();
    assert!(matches!(world.receive(alice(), &send).0, Forward::ToPeer { .. }));
}

#[test]
fn a_peer_of_a_family_without_relay_address_is_443() {
    let mut world = World::new();
    world.allocate("alice", alice());
    assert_eq!(world.permit("alice", alice(), &["[2a00::9]:1"]), 443);
    assert_eq!(world.bind("alice", alice(), 0x4000, "[2a00::9]:1"), 443);
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:1", "[2a00::9]:1"]), 443);
}

#[test]
fn permissions_without_a_sound_peer_are_400() {
    let mut world = world();
    assert_eq!(world.permit("alice", alice(), &[]), 400);
    for value in [&[][..], &[0, 1, 0, 0], &[0, 3, 0, 0, 1, 2, 3, 4], &[0, 1, 0, 0, 1, 2, 3, 4, 5]] {
        let request = world.request(CREATE_PERMISSION).with(attribute::XOR_PEER_ADDRESS, value);
        assert_eq!(world.ask_as("alice", alice(), request).code(), 400);
    }
}

#[test]
fn channels_are_those_of_old_and_new_clients_and_no_others() {
    let mut world = world();
    for (channel, code) in [
        (0x0000, 400),
        (0x3fff, 400),
        (0x4000, 0),
        (0x4fff, 0),
        (0x5000, 0),
        (0x7fff, 0),
        (0x8000, 400),
        (0xffff, 400),
    ] {
        let peer = format!("9.9.9.9:{}", u32::from(channel) % 50_000 + 1);
        assert_eq!(world.bind("alice", alice(), channel, &peer), code, "{channel:#06x}");
    }
    let request = world.request(CHANNEL_BIND).peer(PEER);
    assert_eq!(world.ask_as("alice", alice(), request).code(), 400, "without number");
    let request = world.request(CHANNEL_BIND).with(attribute::CHANNEL_NUMBER, &[0x40, 9, 0, 0]);
    assert_eq!(world.ask_as("alice", alice(), request).code(), 400, "without peer");
}

#[test]
fn a_channel_and_a_peer_are_bound_to_each_other_until_that_expires() {
    let mut world = world();
    assert_eq!(world.bind("alice", alice(), 0x4000, "9.9.9.9:1"), 0);
    assert_eq!(world.bind("alice", alice(), 0x4000, "9.9.9.9:1"), 0, "again");
    assert_eq!(world.bind("alice", alice(), 0x4000, "9.9.9.9:2"), 400);
    assert_eq!(world.bind("alice", alice(), 0x4001, "9.9.9.9:1"), 400);
    assert_eq!(world.bind("alice", alice(), 0x4001, "9.9.9.9:2"), 0);
    assert_eq!(world.refresh("alice", alice(), 3600).code(), 0);
    world.pass(601);
    assert_eq!(world.bind("alice", alice(), 0x4000, "9.9.9.9:2"), 0, "swapped after both expired");
    assert_eq!(world.bind("alice", alice(), 0x4001, "9.9.9.9:1"), 0);
    for (channel, wanted) in [(0x4000, "9.9.9.9:2"), (0x4001, "9.9.9.9:1")] {
        let (forward, bytes) = world.receive(alice(), &channel_data(channel, b"x"));
        assert!(matches!(forward, Forward::ToPeer { peer, .. } if peer == wanted.parse().unwrap()));
        assert_eq!(bytes, b"x");
    }
}

#[test]
fn our_own_listeners_are_nobodys_peers() {
    let mut world = world();
    assert_eq!(world.bind("alice", alice(), 0x4000, "9.9.9.9:3478"), 403);
    // A permission is for an address, not a port: the packet is what is refused.
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:3478"]), 0);
    let send = world.request(SEND).peer("9.9.9.9:3478").with(attribute::DATA, b"x").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    assert_eq!(world.relay.counters().dropped[&Drop::ForbiddenPeer], 1);
}

#[test]
fn permissions_and_channels_have_bounds_and_expired_ones_make_room() {
    let mut world = World::with(|config| {
        config.bounds.permissions = 3;
        config.bounds.channels = 2;
    });
    world.allocate("alice", alice());
    assert_eq!(world.permit("alice", alice(), &["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1", "1.1.1.4:1"]), 508);
    assert_eq!(world.permit("alice", alice(), &["1.1.1.1:1", "1.1.1.2:1"]), 0);
    assert_eq!(world.permit("alice", alice(), &["1.1.1.2:1", "1.1.1.3:1"]), 0);
    assert_eq!(world.permit("alice", alice(), &["1.1.1.4:1"]), 508);
    assert_eq!(world.bind("alice", alice(), 0x4000, "1.1.1.4:1"), 508);
    world.pass(301);
    assert_eq!(world.bind("alice", alice(), 0x4000, "1.1.1.4:1"), 0);
    assert_eq!(world.bind("alice", alice(), 0x4001, "1.1.1.4:2"), 0);
    assert_eq!(world.bind("alice", alice(), 0x4002, "1.1.1.4:3"), 508);
    assert_eq!(world.refresh("alice", alice(), 3600).code(), 0);
    world.pass(601);
    assert_eq!(world.bind("alice", alice(), 0x4002, "1.1.1.4:3"), 0);
}

#[test]
fn a_permission_is_for_every_port_and_every_channel_of_its_address() {
    let mut world = World::new();
    let relayed = world.allocate("alice", alice()).relayed();
    let relay = world.socket(relayed);
    for (channel, peer) in [(0x4000, "9.9.9.9:1"), (0x4001, "9.9.9.9:2"), (0x4002, "1.1.1.1:1")] {
        assert_eq!(world.bind("alice", alice(), channel, peer), 0);
    }
    world.pass(200);
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:77"]), 0);
    world.pass(200);
    for (peer, passes) in
        [("9.9.9.9:1", true), ("9.9.9.9:2", true), ("9.9.9.9:3", true), ("1.1.1.1:1", false)]
    {
        let (forward, _) = world.receive_from_peer(relay, peer, b"x");
        assert_eq!(forward != Forward::Nowhere, passes, "{peer}");
    }
}

#[test]
fn this_machine_is_nobodys_peer_but_its_visitors_are() {
    let mut world = World::with(|config| {
        config.peers.machine = ["5.5.5.6", "2a05::6"].map(|ip| ip.parse().unwrap()).into_iter().collect();
    });
    let alice_at = world.allocate("alice", alice()).relayed();
    let bob = udp("8.8.4.4:5000");
    let bob_at = world.allocate("bob", bob).relayed();
    assert_eq!(world.permit("alice", alice(), &["5.5.5.6:53"]), 403, "another address of this machine");
    assert_eq!(world.bind("alice", alice(), 0x4000, "5.5.5.6:53"), 403);
    assert_eq!(world.bind("alice", alice(), 0x4000, "5.5.5.5:53"), 403, "no visitor is there");

    // A permission is for an address: it cannot tell the visitor from the service beside it, so packets are looked at.
    assert_eq!(world.permit("alice", alice(), &["5.5.5.5:53"]), 0);
    let send = world.request(SEND).peer("5.5.5.5:53").with(attribute::DATA, b"x").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    let relay = world.socket(alice_at);
    assert_eq!(world.receive_from_peer(relay, "5.5.5.5:53", b"x").0, Forward::Nowhere, "nor the way back");

    assert_eq!(world.bind("alice", alice(), 0x4000, &bob_at.to_string()), 0);
    assert_eq!(world.bind("bob", bob, 0x4001, &alice_at.to_string()), 0);
    let (forward, bytes) = world.receive(alice(), &channel_data(0x4000, b"hello"));
    assert_eq!((forward, bytes), (Forward::ToClient(bob), channel_data(0x4001, b"hello")));
    assert_eq!(world.refresh("bob", bob, 0).code(), 0);
    assert_eq!(world.receive(alice(), &channel_data(0x4000, b"hello")).0, Forward::Nowhere, "bob has gone");
}

#[test]
fn a_peer_that_is_denied_meanwhile_is_cut_off() {
    let mut world = World::new();
    world.allocate("alice", alice());
    for (channel, peer) in [(0x4000, "9.9.9.9:1"), (0x4001, "1.1.1.1:1")] {
        assert_eq!(world.bind("alice", alice(), channel, peer), 0);
    }
    world.relay.deny_peers(vec!["1.1.1.0/24".parse().unwrap()]);
    assert_ne!(world.receive(alice(), &channel_data(0x4000, b"x")).0, Forward::Nowhere);
    assert_eq!(world.receive(alice(), &channel_data(0x4001, b"x")).0, Forward::Nowhere);
    let send = world.request(SEND).peer("1.1.1.1:1").with(attribute::DATA, b"x").unsigned();
    assert_eq!(world.receive(alice(), &send).0, Forward::Nowhere);
    assert_eq!(world.permit("alice", alice(), &["1.1.1.1:1"]), 403);
    world.relay.deny_peers(Vec::new());
    assert_eq!(world.permit("alice", alice(), &["1.1.1.1:1"]), 0);

    world.relay.set_machine_addresses(["9.9.9.9".parse().unwrap()].into_iter().collect());
    assert_eq!(
        world.receive(alice(), &channel_data(0x4000, b"x")).0,
        Forward::Nowhere,
        "a new address of ours"
    );
    assert_eq!(world.permit("alice", alice(), &["9.9.9.9:1"]), 403);
}
