//! Relay addresses: who gets which, for how long, and what is refused.

use super::*;

const ALLOCATED: [u16; 4] = [
    attribute::XOR_RELAYED_ADDRESS,
    attribute::LIFETIME,
    attribute::XOR_MAPPED_ADDRESS,
    attribute::MESSAGE_INTEGRITY,
];

impl World {
    fn try_allocate(&mut self, change: impl FnOnce(Request) -> Request) -> Answer {
        let request = change(self.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP));
        self.ask_as("alice", alice(), request)
    }
}

#[test]
fn an_allocation_tells_where_it_relays_how_long_and_who_asked() {
    let mut world = World::new();
    let answer = world.allocate("alice", alice());
    assert_eq!(answer.kinds(), ALLOCATED);
    assert_eq!(answer.number(attribute::LIFETIME), 600);
    assert_eq!(answer.addresses(attribute::XOR_MAPPED_ADDRESS), [alice().address]);
    let relayed = answer.relayed();
    assert_eq!(relayed.ip().to_string(), RELAY_IPV4);
    assert!((50_000..=50_099).contains(&relayed.port()));
    assert_eq!(world.relay.gauges(), Gauges { allocations: 1, relay_addresses: 1, users: 1 });
    assert_eq!(world.shell.open.values().collect::<Vec<_>>(), [&(Family::Ipv4, relayed.port())]);
}

#[test]
fn the_lifetime_is_as_asked_between_ten_minutes_and_an_hour() {
    for (asked, given) in [(0u32, 600), (60, 600), (900, 900), (3600, 3600), (90_000, 3600)] {
        let mut world = World::new();
        let answer = world.try_allocate(|request| request.with(attribute::LIFETIME, &asked.to_be_bytes()));
        assert_eq!(answer.number(attribute::LIFETIME), given);
        world.pass(u64::from(given) - 1);
        assert_eq!(world.relay.gauges().allocations, 1);
        world.pass(1);
        world.assert_nothing_is_kept();
    }
}

#[test]
fn the_same_request_again_gets_the_same_answer_and_another_one_437() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let request = request.signed(&credential("alice"), REALM, &nonce);
    let first = world.ask(alice(), &request);
    assert_eq!(world.ask(alice(), &request).relayed(), first.relayed());
    assert_eq!(world.try_allocate(|request| request).code(), 437);
    assert_eq!(world.relay.gauges().allocations, 1);
    assert_eq!(world.relay.counters().allocations, 1);
}

#[test]
fn deadlines_of_what_is_gone_do_not_pile_up() {
    let mut world = World::new();
    world.allocate("bob", udp("8.8.8.9:4000"));
    for _ in 0..5_000 {
        world.allocate("alice", alice());
        world.refresh("alice", alice(), 0);
    }
    assert!(world.relay.timers.len() <= 1_025, "{}", world.relay.timers.len());
    world.pass(600);
    world.assert_nothing_is_kept();
}

#[test]
fn only_udp_is_relayed() {
    let mut world = World::new();
    for (transport, code) in [([6, 0, 0, 0], 442), ([0; 4], 442), ([255, 0, 0, 0], 442)] {
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &transport);
        assert_eq!(world.ask_as("alice", alice(), request).code(), code);
    }
    let without = world.request(ALLOCATE).with(attribute::LIFETIME, &[0; 4]);
    assert_eq!(world.ask_as("alice", alice(), without).code(), 400);
    let short = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &[17]);
    assert_eq!(world.ask_as("alice", alice(), short).code(), 400);
    world.assert_nothing_is_kept();
}

#[test]
fn a_family_that_is_unknown_or_not_there_is_440() {
    let mut world = World::with(|config| config.relay_ipv6 = None);
    let family = attribute::REQUESTED_ADDRESS_FAMILY;
    assert_eq!(world.try_allocate(|request| request.with(family, &IPV6)).code(), 440);
    assert_eq!(world.try_allocate(|request| request.with(family, &[3, 0, 0, 0])).code(), 440);
    assert_eq!(world.try_allocate(|request| request.with(family, &[1])).code(), 400);
    world.assert_nothing_is_kept();
    assert_eq!(world.try_allocate(|request| request.with(family, &IPV4)).code(), 0);
}

#[test]
fn an_ipv6_relay_address_is_given_to_who_asks() {
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(attribute::REQUESTED_ADDRESS_FAMILY, &IPV6));
    assert_eq!(answer.relayed().ip().to_string(), RELAY_IPV6);
}

#[test]
fn a_dual_allocation_has_both_families_or_tells_which_is_missing() {
    let additional = attribute::ADDITIONAL_ADDRESS_FAMILY;
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(additional, &IPV6));
    let ips: Vec<String> = answer
        .addresses(attribute::XOR_RELAYED_ADDRESS)
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    assert_eq!(ips, [RELAY_IPV4, RELAY_IPV6]);
    assert_eq!(world.relay.gauges(), Gauges { allocations: 1, relay_addresses: 2, users: 1 });

    let mut world = World::with(|config| config.relay_ipv6 = None);
    let answer = world.try_allocate(|request| request.with(additional, &IPV6));
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.addresses(attribute::XOR_RELAYED_ADDRESS).len(), 1);
    assert_eq!(answer.value(attribute::ADDRESS_ERROR_CODE)[..4], [2, 0, 4, 40]);

    let mut world = World::with(|config| config.relay_ipv4 = None);
    let answer = world.try_allocate(|request| request.with(additional, &IPV6));
    assert_eq!(answer.value(attribute::ADDRESS_ERROR_CODE)[..4], [1, 0, 4, 40]);
}

#[test]
fn a_dual_allocation_is_understood_by_its_old_number_too() {
    let draft = attribute::DRAFT_ADDITIONAL_ADDRESS_FAMILY;
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(draft, &IPV6));
    assert_eq!(answer.addresses(attribute::XOR_RELAYED_ADDRESS).len(), 2);

    // As coturn's client asks: for even ports, too.
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(draft, &IPV6).with(attribute::EVEN_PORT, &[0]));
    let ports: Vec<u16> =
        answer.addresses(attribute::XOR_RELAYED_ADDRESS).iter().map(|address| address.port()).collect();
    assert_eq!(ports.iter().map(|port| port % 2).collect::<Vec<_>>(), [0, 0]);

    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(draft, b"a.microsoft.server"));
    assert_eq!(answer.addresses(attribute::XOR_RELAYED_ADDRESS).len(), 1);
}

#[test]
fn wishes_that_contradict_each_other_are_400() {
    let (family, additional, even, token) = (
        attribute::REQUESTED_ADDRESS_FAMILY,
        attribute::ADDITIONAL_ADDRESS_FAMILY,
        attribute::EVEN_PORT,
        attribute::RESERVATION_TOKEN,
    );
    let cases: [&[(u16, &[u8])]; 9] = [
        &[(additional, &IPV4)],
        &[(additional, &IPV6), (family, &IPV4)],
        &[(additional, &IPV6), (even, &[0x80])],
        &[(additional, &IPV6), (token, &[0; 8])],
        &[(token, &[0; 8]), (even, &[0])],
        &[(token, &[0; 8]), (family, &IPV4)],
        &[(token, &[0; 7])],
        &[(even, &[])],
        &[(attribute::MOBILITY_TICKET, &[1; 16])],
    ];
    for case in cases {
        let mut world = World::new();
        let with =
            |request: Request| case.iter().fold(request, |request, (kind, value)| request.with(*kind, value));
        assert_eq!(world.try_allocate(with).code(), 400, "{case:?}");
        world.assert_nothing_is_kept();
    }
}

#[test]
fn an_even_port_is_even_and_the_next_one_is_kept_for_its_token() {
    for _ in 0..20 {
        let mut world = World::new();
        let answer = world.try_allocate(|request| request.with(attribute::EVEN_PORT, &[0]));
        assert_eq!(answer.relayed().port() % 2, 0);
        assert_eq!(answer.kinds(), ALLOCATED);
    }
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(attribute::EVEN_PORT, &[0x80]));
    let (port, token) = (answer.relayed().port(), answer.value(attribute::RESERVATION_TOKEN).to_vec());
    assert_eq!(port % 2, 0);
    assert_eq!(token.len(), 8);

    let other = udp("8.8.8.8:4001");
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let request = request.with(attribute::RESERVATION_TOKEN, &token);
    let answer = world.ask_as("alice", other, request.clone());
    assert_eq!(answer.relayed().port(), port + 1);
    let third = udp("8.8.8.8:4002");
    let answer = world.ask_as("alice", third, request);
    assert_eq!(answer.code(), 508, "a token serves once");
    assert_eq!(world.relay.gauges(), Gauges { allocations: 2, relay_addresses: 2, users: 1 });
}

#[test]
fn a_reservation_that_nobody_claims_is_given_up() {
    let mut world = World::new();
    let answer = world.try_allocate(|request| request.with(attribute::EVEN_PORT, &[0x80]));
    let token = answer.value(attribute::RESERVATION_TOKEN).to_vec();
    assert_eq!(world.relay.gauges().relay_addresses, 2);
    world.pass(31);
    assert_eq!(world.relay.gauges().relay_addresses, 1);
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let request = request.with(attribute::RESERVATION_TOKEN, &token);
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:4001"), request).code(), 508);
}

#[test]
fn a_user_has_its_quota_and_others_are_not_bound_by_it() {
    let mut world = World::with(|config| config.bounds.allocations_per_user = 2);
    let at = |port: u16| udp(&format!("8.8.8.8:{port}"));
    world.allocate("alice", at(1));
    world.allocate("alice", at(2));
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("alice", at(3), request.clone()).code(), 486);
    world.allocate("bob", at(4));
    assert_eq!(world.refresh("alice", at(1), 0).code(), 0);
    assert_eq!(world.ask_as("alice", at(3), request).code(), 0);
    assert_eq!(world.relay.counters().bounds_hit[&Bound::AllocationsPerUser], 1);
}

#[test]
fn a_relay_without_ipv4_gives_ipv6_to_those_who_ask_for_neither() {
    let mut world = World::with(|config| config.relay_ipv4 = None);
    assert_eq!(world.allocate("alice", udp("[2a08::8]:1")).relayed().ip().to_string(), RELAY_IPV6);
    assert_eq!(world.allocate("bob", udp("8.8.8.8:1")).relayed().ip().to_string(), RELAY_IPV6);
    let asked = world.try_allocate(|request| request.with(attribute::REQUESTED_ADDRESS_FAMILY, &IPV4));
    assert_eq!(asked.code(), 440, "it is not what was asked for");
}

#[test]
fn an_address_has_its_quota_however_many_names_it_has() {
    let mut world = World::with(|config| config.bounds.allocations_per_address = 2);
    for (user, port) in [("alice", 1), ("bob", 2)] {
        world.allocate(user, udp(&format!("8.8.8.8:{port}")));
    }
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("carol", udp("8.8.8.8:3"), request.clone()).code(), 486);
    assert_eq!(world.ask_as("carol", stream(1, "8.8.8.8:3"), request.clone()).code(), 486, "over TCP, too");
    let next = request.clone().with(attribute::EVEN_PORT, &[0x80]);
    assert_eq!(world.refresh("alice", udp("8.8.8.8:1"), 0).code(), 0);
    assert_eq!(world.ask_as("carol", udp("8.8.8.8:3"), next).code(), 486, "a reserved port is one more");
    assert_eq!(world.ask_as("carol", udp("8.8.8.8:3"), request.clone()).code(), 0);
    world.allocate("dave", udp("8.8.8.9:1"));
    assert_eq!(world.relay.counters().bounds_hit[&Bound::AllocationsPerAddress], 3);
}

#[test]
fn a_64_is_one_address_and_a_48_four() {
    let mut world = World::with(|config| config.bounds.allocations_per_address = 2);
    let allocate = |world: &mut World, address: &str| {
        world.sent += 1;
        let user = format!("user {}", world.sent);
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
        world.ask_as(&user, udp(address), request).code()
    };
    let of_64: Vec<u16> = (1..=3).map(|n| allocate(&mut world, &format!("[2a02:1:2:3::{n}]:1"))).collect();
    assert_eq!(of_64, [0, 0, 486]);
    let of_48: Vec<u16> = (10..20).map(|n| allocate(&mut world, &format!("[2a02:1:2:{n:x}::1]:1"))).collect();
    assert_eq!(of_48, [0, 0, 0, 0, 0, 0, 486, 486, 486, 486]);
    assert_eq!(allocate(&mut world, "[2a02:1:3:3::1]:1"), 0, "another site");
}

#[test]
fn an_exempt_address_is_bound_as_its_users_only() {
    let mut world = World::with(|config| {
        config.bounds.allocations_per_address = 1;
        config.bounds.allocations_per_user = 2;
        config.exempt = vec!["8.8.0.0/16".parse().unwrap()];
    });
    let at = |port: u16| udp(&format!("8.8.8.8:{port}"));
    world.allocate("alice", at(1));
    world.allocate("alice", at(2));
    world.allocate("bob", at(3));
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("alice", at(4), request).code(), 486);
}

#[test]
fn what_a_phone_left_behind_on_another_network_makes_room_after_a_minute() {
    let mut world = World::with(|config| config.bounds.allocations_per_user = 2);
    let at = |port: u16| udp(&format!("8.8.8.8:{port}"));
    let left = world.allocate("alice", at(1)).relayed();
    let used = world.allocate("alice", at(2)).relayed();
    assert_eq!(world.bind("alice", at(2), 0x4000, PEER), 0);
    world.pass(59);
    let _ = world.receive(at(2), &channel_data(0x4000, b"x"));
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("alice", at(3), request.clone()).code(), 486, "not yet");
    world.pass(1);
    let fresh = world.ask_as("alice", at(3), request.clone()).relayed();
    let open: Vec<u16> = world.shell.open.values().map(|(_, port)| *port).collect();
    assert!(!open.contains(&left.port()) && open.contains(&used.port()) && open.contains(&fresh.port()));
    assert_eq!(world.ask_as("alice", at(4), request).code(), 486, "nobody else is silent");
}

#[test]
fn relay_sockets_are_counted_and_not_only_allocations() {
    let mut world = World::with(|config| config.bounds.relay_sockets = 3);
    let both = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    let both = both.with(attribute::ADDITIONAL_ADDRESS_FAMILY, &IPV6);
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:1"), both.clone()).code(), 0);
    assert_eq!(world.ask_as("bob", udp("8.8.8.8:2"), both).code(), 508);
    world.allocate("bob", udp("8.8.8.8:2"));
    let one = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("carol", udp("8.8.8.8:3"), one).code(), 508);
    assert_eq!(world.relay.counters().bounds_hit[&Bound::OpenFiles], 2);
}

#[test]
fn a_reserved_port_counts_as_an_allocation_of_whoever_reserved_it() {
    let even = |world: &mut World, user: &str, port: u16| {
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
        let request = request.with(attribute::EVEN_PORT, &[0x80]);
        world.ask_as(user, udp(&format!("8.8.8.8:{port}")), request)
    };
    let claim = |world: &mut World, user: &str, port: u16, token: &[u8]| {
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
        let request = request.with(attribute::RESERVATION_TOKEN, token);
        world.ask_as(user, udp(&format!("8.8.8.8:{port}")), request).code()
    };
    let mut world = World::with(|config| config.bounds.allocations_per_user = 3);
    let token = even(&mut world, "alice", 1).value(attribute::RESERVATION_TOKEN).to_vec();
    assert_eq!(even(&mut world, "alice", 2).code(), 486, "that would be four");
    world.allocate("alice", udp("8.8.8.8:3"));
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:4"), request.clone()).code(), 486);
    assert_eq!(claim(&mut world, "alice", 4, &token), 0, "it was counted already");
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:5"), request.clone()).code(), 486);

    let mut world = World::with(|config| config.bounds.allocations_per_user = 2);
    assert_eq!(even(&mut world, "alice", 1).code(), 0);
    assert_eq!(world.refresh("alice", udp("8.8.8.8:1"), 0).code(), 0);
    world.allocate("alice", udp("8.8.8.8:2"));
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:3"), request.clone()).code(), 486);
    world.pass(31);
    assert_eq!(world.ask_as("alice", udp("8.8.8.8:3"), request).code(), 0, "nobody claimed it");

    let mut world = World::with(|config| config.bounds.allocations = 2);
    let token = even(&mut world, "alice", 1).value(attribute::RESERVATION_TOKEN).to_vec();
    assert_eq!(even(&mut world, "bob", 2).code(), 508);
    assert_eq!(claim(&mut world, "bob", 2, &token), 0, "whoever was told the token may");
}

#[test]
fn a_relay_that_is_full_says_508() {
    let mut world = World::with(|config| config.bounds.allocations = 1);
    world.allocate("alice", udp("8.8.8.8:1"));
    assert_eq!(world.try_allocate(|request| request).code(), 508);

    let mut world = World::with(|config| config.relay_ports = 50_000..=50_002);
    for port in 1..=3 {
        world.allocate("alice", udp(&format!("8.8.8.8:{port}")));
    }
    assert_eq!(world.try_allocate(|request| request).code(), 508);
    assert_eq!(world.relay.gauges(), Gauges { allocations: 3, relay_addresses: 3, users: 1 });

    let mut world = World::new();
    world.shell.is_exhausted = true;
    assert_eq!(world.try_allocate(|request| request).code(), 508);
    world.assert_nothing_is_kept();
}

#[test]
fn ports_that_another_node_has_are_passed_over() {
    let mut world = World::with(|config| config.relay_ports = 50_000..=50_063);
    world.shell.taken = (50_000..50_063).collect();
    assert_eq!(world.allocate("alice", alice()).relayed().port(), 50_063);
    assert_eq!(world.relay.gauges().relay_addresses, 1);
}

#[test]
fn ports_cannot_be_told_in_advance() {
    let ports = |seed: u8| {
        let mut world = World::with(|config| config.relay_ports = 49_152..=65_535);
        world.relay = Relay::new(world.relay.config.clone(), &[seed; 32]);
        let at = |port: u16| udp(&format!("8.8.8.8:{port}"));
        (1..10).map(|n| world.allocate(&format!("user {n}"), at(n)).relayed().port()).collect::<Vec<_>>()
    };
    assert_eq!(ports(1), ports(1));
    assert_ne!(ports(1), ports(2));
    let steps: Vec<i32> = ports(1).windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0])).collect();
    assert!(steps.iter().all(|step| step.abs() > 1), "{steps:?}");
}

#[test]
fn a_connection_takes_its_allocation_along() {
    let mut world = World::new();
    let client = stream(1, "8.8.8.8:1");
    world.allocate("alice", client);
    world.relay.handle_stream_closed(client, &mut world.shell);
    world.assert_nothing_is_kept();
}
