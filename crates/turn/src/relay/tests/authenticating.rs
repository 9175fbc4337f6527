//! Who is let in, and who is not.

use super::*;

fn allocate(world: &mut World) -> Request {
    world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP)
}

#[test]
fn without_credentials_it_is_401_with_realm_and_nonce() {
    let mut world = World::new();
    for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        let request = world.request(method).with(attribute::REQUESTED_TRANSPORT, &UDP).unsigned();
        let answer = world.ask(alice(), &request);
        assert_eq!(answer.code(), 401);
        assert_eq!(answer.kinds(), [attribute::ERROR_CODE, attribute::REALM, attribute::NONCE]);
        assert_eq!(answer.value(attribute::REALM), REALM.as_bytes());
        assert_eq!(answer.value(attribute::NONCE).len(), 16);
    }
}

#[test]
fn both_secrets_open_and_no_other_does() {
    let minted = |text: &str| Secrets::new(secret(text), []).mint(START_S + 60, "alice");
    for (text, code) in [("s3cret", 0), ("older", 0), ("oldest", 401), ("S3cret", 401)] {
        let mut world = World::new();
        let nonce = world.nonce(alice());
        let request = allocate(&mut world).signed(&minted(text), REALM, &nonce);
        assert_eq!(world.ask(alice(), &request).code(), code, "{text}");
        assert_eq!(world.relay.gauges().allocations, usize::from(code == 0));
    }
}

#[test]
fn a_name_that_is_expired_or_none_of_ours_opens_nothing() {
    let key_of = |username: &str| {
        // Signed by the real secret all the same.
        let (expiry, id) = username.split_once(':').unwrap_or((username, ""));
        expiry.parse().map(|expiry| secrets().mint(expiry, id).password).unwrap_or_default()
    };
    for username in [
        format!("{START_S}:alice"),
        format!("{}:alice", START_S - 1),
        "0:alice".to_owned(),
        "alice".to_owned(),
        String::new(),
        "-5:alice".to_owned(),
        format!("{}0000000000:alice", u64::MAX),
    ] {
        let mut world = World::new();
        let nonce = world.nonce(alice());
        let credential = Credential { password: key_of(&username), username };
        let request = allocate(&mut world).signed(&credential, REALM, &nonce);
        assert_eq!(world.ask(alice(), &request).code(), 401, "{}", credential.username);
        world.assert_nothing_is_kept();
    }
}

#[test]
fn a_forged_signature_or_a_message_changed_after_it_is_401() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    let sound = allocate(&mut world).signed(&credential("alice"), REALM, &nonce);
    for at in 0..sound.len() {
        let mut forged = sound.clone();
        forged[at] ^= 1;
        let (forward, bytes) = world.receive(alice(), &forged);
        if forward == Forward::ToClient(alice()) {
            let code = Answer::read(bytes).code();
            assert!([400, 401, 438].contains(&code), "byte {at}: {code}");
        }
        assert_eq!(world.relay.gauges().allocations, 0, "byte {at}");
    }
    assert_eq!(world.ask(alice(), &sound).code(), 0);
}

#[test]
fn another_realm_is_401() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    let request = allocate(&mut world).signed(&credential("alice"), "example.com", &nonce);
    let answer = world.ask(alice(), &request);
    assert_eq!(answer.code(), 401);
    assert_eq!(answer.value(attribute::REALM), REALM.as_bytes());
}

#[test]
fn a_signature_without_name_realm_or_nonce_is_400() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    let credential = credential("alice");
    let key = Key::new(&credential.username, REALM, &credential.password);
    let all = [
        (attribute::USERNAME, credential.username.as_bytes()),
        (attribute::REALM, REALM.as_bytes()),
        (attribute::NONCE, &nonce[..]),
    ];
    for missing in all {
        let request = all
            .iter()
            .filter(|(kind, _)| *kind != missing.0)
            .fold(allocate(&mut world), |request, (kind, value)| request.with(*kind, value));
        assert_eq!(world.ask(alice(), &request.signed_with(&key)).code(), 400, "{:#06x}", missing.0);
    }
}

#[test]
fn a_nonce_opens_only_the_address_port_and_transport_that_it_was_given_to() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    for foreign in [
        udp("8.8.8.8:4001"),
        udp("8.8.8.9:4000"),
        udp("[2a00::1]:4000"),
        Client { via: Via::Udp(1), ..alice() },
        Client { via: Via::Stream(1), ..alice() },
    ] {
        let request = allocate(&mut world).signed(&credential("alice"), REALM, &nonce);
        let answer = world.ask(foreign, &request);
        assert_eq!(answer.code(), 438, "{foreign:?}");
        assert_ne!(answer.value(attribute::NONCE), nonce);
        assert_eq!(answer.value(attribute::REALM), REALM.as_bytes());
    }
    for forged in [&b"AAAAAAAAAAAAAAAA"[..], b"", b"short", &[b'A'; 64], &nonce[..15]] {
        let request = allocate(&mut world).signed(&credential("alice"), REALM, forged);
        assert_eq!(world.ask(alice(), &request).code(), 438);
    }
    let mut other = World::new();
    other.relay = Relay::new(config(), &[8; 32]);
    let request = allocate(&mut other).signed(&credential("alice"), REALM, &nonce);
    assert_eq!(other.ask(alice(), &request).code(), 438, "the nonce of another process");
}

#[test]
fn a_nonce_is_stale_after_its_lifetime_and_the_answer_brings_a_fresh_one() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    world.pass(3599);
    let credential = secrets().mint(START_S + 100_000, "alice");
    let request = allocate(&mut world).signed(&credential, REALM, &nonce);
    assert_eq!(world.ask(alice(), &request).code(), 0);
    world.pass(1);
    let refresh = world.request(REFRESH);
    let answer = world.ask(alice(), &refresh.clone().signed(&credential, REALM, &nonce));
    assert_eq!(answer.code(), 438);
    let fresh = answer.value(attribute::NONCE).to_vec();
    assert_eq!(world.ask(alice(), &refresh.signed(&credential, REALM, &fresh)).code(), 0);
}

#[test]
fn whoever_holds_an_allocation_keeps_it_beyond_the_name_but_gets_no_second_one() {
    let mut world = World::new();
    let short = secrets().mint(START_S + 60, "alice");
    let nonce = world.nonce(alice());
    let request = allocate(&mut world).signed(&short, REALM, &nonce);
    assert_eq!(world.ask(alice(), &request).code(), 0);
    world.pass(120);
    let refresh = world.request(REFRESH).signed(&short, REALM, &nonce);
    assert_eq!(world.ask(alice(), &refresh).code(), 0);
    let other = udp("8.8.8.8:4001");
    let nonce = world.nonce(other);
    let request = allocate(&mut world).signed(&short, REALM, &nonce);
    assert_eq!(world.ask(other, &request).code(), 401);
}

#[test]
fn another_user_on_the_same_address_is_441() {
    let mut world = World::new();
    world.allocate("alice", alice());
    assert_eq!(world.refresh("mallory", alice(), 0).code(), 441);
    assert_eq!(world.permit("mallory", alice(), &[PEER]), 441);
    assert_eq!(world.bind("mallory", alice(), 0x4000, PEER), 441);
    assert_eq!(world.relay.gauges().allocations, 1);
    assert_eq!(world.refresh("alice", alice(), 600).code(), 0);
}

#[test]
fn whoever_is_refused_is_counted_by_reason() {
    let mut world = World::new();
    let nonce = world.nonce(alice());
    let minted = |s: u64| secrets().mint(s, "alice");
    let mut forged = minted(START_S + 60);
    forged.password.push('x');
    let malformed = Credential { username: "alice".into(), password: String::new() };
    let cases = [
        (minted(START_S - 7_200), REALM, "expired"),
        (forged, REALM, "wrong_password"),
        (minted(START_S + 60), "another", "wrong_realm"),
        (malformed, REALM, "malformed_name"),
    ];
    for (credential, realm, label) in cases {
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
        assert_eq!(world.ask(alice(), &request.signed(&credential, realm, &nonce)).code(), 401, "{label}");
        assert_eq!(world.relay.counters().denied[label], 1, "{label}");
    }
    let counters = world.relay.counters();
    assert_eq!((counters.denied["no_credentials"], counters.latest_expired_for_s), (1, 7_200));
    assert_eq!(counters.denied.values().sum::<u64>(), 5);
}
