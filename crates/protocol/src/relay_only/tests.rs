use super::{hide_candidate, hide_description, names_address};
use crate::{
    Candidate, ClientMessage, IceCandidate, Limits, Sdp, Signal, SignalMessage, read_client_message,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// As Chromium makes it, with its candidates gathered.
const OFFER: &str = "v=0\r\n\
o=- 4611731400430051336 2 IN IP4 203.0.113.7\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS 0a1b\r\n\
m=audio 51472 UDP/TLS/RTP/SAVPF 111 63\r\n\
c=IN IP4 203.0.113.7\r\n\
a=rtcp:51472 IN IP4 203.0.113.7\r\n\
a=candidate:1467250027 1 udp 2122260223 192.168.0.4 46243 typ host generation 0 network-id 1\r\n\
a=candidate:842163049 1 udp 1677729535 203.0.113.7 51472 typ srflx raddr 192.168.0.4 rport 46243 generation 0\r\n\
a=candidate:3 1 udp 33562367 198.51.100.9 50123 typ relay raddr 203.0.113.7 rport 51472 generation 0 network-cost 10\r\n\
a=ice-ufrag:4ZcD\r\n\
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlog\r\n\
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=ssrc:2190 cname:sTjtznXLCNH7nbRw\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP6 2001:db8::7\r\n\
a=candidate:1 1 udp 2122197247 2001:db8::7 40678 typ host generation 0\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:262144\r\n";

const HIDDEN: &str = "v=0\r\n\
o=- 4611731400430051336 2 IN IP4 0.0.0.0\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS 0a1b\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n\
c=IN IP4 0.0.0.0\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=candidate:3 1 udp 33562367 198.51.100.9 50123 typ relay raddr 0.0.0.0 rport 9 generation 0 network-cost 10\r\n\
a=ice-ufrag:4ZcD\r\n\
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlog\r\n\
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=ssrc:2190 cname:sTjtznXLCNH7nbRw\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP6 ::\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:262144\r\n";

#[test]
fn a_browsers_description_keeps_everything_but_addresses() {
    assert_eq!(hide_description(OFFER), HIDDEN);
    assert_eq!(hide_description(HIDDEN), HIDDEN, "hidden twice is hidden once");
    let with_bare_ends = HIDDEN.replace("\r\n", "\n");
    assert_eq!(hide_description(&OFFER.replace("\r\n", "\n")), with_bare_ends);
    assert_eq!(hide_description(&OFFER.replace("\r\n", "\r")), with_bare_ends);
}

#[test]
fn a_section_that_is_not_wanted_stays_unwanted() {
    assert_eq!(hide_description("m=video 0 UDP/TLS/RTP/SAVPF 96"), "m=video 0 UDP/TLS/RTP/SAVPF 96");
}

#[test]
fn what_a_hostile_client_hides_in_a_description_does_not_pass() {
    for line in [
        // Not a relay, however it is written.
        "a=candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "a=candidate:1 1 udp 1 203.0.113.7 9 typ host typ relay",
        "a=candidate:1 1 udp 1 203.0.113.7 9 generation 0 typ relay",
        "a=candidate:1 1 udp 1 203.0.113.7 9 TYP relay",
        "a=candidate:1 1 udp 1 203.0.113.7 9 typ  host",
        "a=candidate:1\t1\tudp\t1\t203.0.113.7\t9\ttyp\thost",
        "A=candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "a=CANDIDATE:1 1 udp 1 203.0.113.7 9 typ host",
        " a=candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "a= candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "a =candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "a=candidate :1 1 udp 1 203.0.113.7 9 typ host",
        "a=candidate:1 1 udp 1 6f1c.local 9 typ host",
        "a=candidate:1 1 udp 1 example.org 9 typ relay",
        "a=candidate:203.0.113.7 1 udp 1 198.51.100.9 9 typ relay",
        "a=candidate:1 1 udp 1 203.0.113.7\u{0} 9 typ host",
        // Elsewhere.
        "a=remote-candidates:1 203.0.113.7 9",
        "a=source-filter: incl IN IP4 * 203.0.113.7",
        "a=x:203.0.113.7",
        "a=x:[2001:db8::7]:80",
        "a=x:2001:db8::7",
        "a=ssrc:1 cname:203.0.113.7",
        "a=ssrc:1 cname:me@203.0.113.7",
        "s=203.0.113.7",
        "b=203.0.113.7:1",
        "t=203.0.113.7 0",
        "i=203.0.113.7",
        "u=http://203.0.113.7/",
        "e=me@203.0.113.7",
        "k=clear:203.0.113.7",
        "m=203.0.113.7 9 RTP/AVP 0",
        "m=audio 203.0.113.7 RTP/AVP 203.0.113.7",
        "203.0.113.7",
        "no sdp at all",
    ] {
        assert_eq!(hide_description(line), "", "{line:?}");
    }
    for (line, hidden) in [
        ("c=IN IP4 203.0.113.7/127/3", "c=IN IP4 0.0.0.0"),
        ("c=IN IP6 2001:db8::7", "c=IN IP6 ::"),
        ("o=203.0.113.7 1 1 IN IP6 2001:db8::7", "o=0 1 1 IN IP6 ::"),
        ("a=rtcp:51472", "a=rtcp:9"),
        ("a=RTCP:9 IN IP6 2001:db8::7", "a=rtcp:9 IN IP6 ::"),
        // Would grow, and say nothing.
        ("o=", ""),
        ("c=", ""),
        ("c=203.0.113.7", ""),
        ("a=rtcp", ""),
        ("a=rtcp:1 x", ""),
        (
            "a=candidate:1 1 UDP 1 198.51.100.9 9 typ relay raddr 203.0.113.7 rport 1 raddr 203.0.113.8 x 203.0.113.9",
            "a=candidate:1 1 UDP 1 198.51.100.9 9 typ relay raddr 0.0.0.0 rport 9 raddr 0.0.0.0",
        ),
        (
            "a=candidate:1 1 udp 1 2001:db8:9::9 9 typ relay raddr 2001:db8::7 rport 4 generation 0",
            "a=candidate:1 1 udp 1 2001:db8:9::9 9 typ relay raddr :: rport 9 generation 0",
        ),
        (
            "a=candidate:1 1 udp 1 2001:db8:9::9 9 typ relay ufrag 203.0.113.7 generation 0",
            "a=candidate:1 1 udp 1 2001:db8:9::9 9 typ relay generation 0",
        ),
    ] {
        assert_eq!(hide_description(line), hidden, "{line:?}");
    }
}

fn through(frame: &str) -> Option<String> {
    let message = read_client_message(frame, &Limits::default()).unwrap();
    message.through_relays_only().map(|hidden| serde_json::to_string(&hidden).unwrap())
}

fn candidates_through(candidate: &str) -> Option<String> {
    let sent = IceCandidate { match_id: None, candidate: Candidate::from_json(candidate.into()).unwrap() };
    let ClientMessage::Signal(SignalMessage::IceCandidate(hidden)) =
        ClientMessage::Signal(SignalMessage::IceCandidate(sent)).through_relays_only()?
    else {
        panic!("another message");
    };
    Some(hidden.candidate.reveal_json().to_owned())
}

#[test]
fn candidates_pass_one_by_one() {
    let host = r#"{"candidate":"candidate:1 1 udp 1 203.0.113.7 9 typ host","sdpMid":"0"}"#;
    let relay = r#"{"candidate":"candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 203.0.113.7 rport 4","sdpMLineIndex":0,"sdpMid":"0","usernameFragment":"4ZcD"}"#;
    let hidden = r#"{"candidate":"candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 0.0.0.0 rport 9","sdpMLineIndex":0,"sdpMid":"0","usernameFragment":"4ZcD"}"#;
    assert_eq!(candidates_through(relay).as_deref(), Some(hidden));
    assert_eq!(candidates_through(host), None);
    assert_eq!(candidates_through(&format!("[{host},{relay},{host}]")), Some(format!("[{hidden}]")));
    assert_eq!(candidates_through(&format!("[{host}]")), None);
    assert_eq!(candidates_through("null").as_deref(), Some("null"));
    assert_eq!(candidates_through("\"\"").as_deref(), Some("\"\""));
    let end = r#"{"candidate":"","sdpMid":"0"}"#;
    assert_eq!(candidates_through(end).as_deref(), Some(end));
}

#[test]
fn what_a_hostile_client_hides_in_a_candidate_does_not_pass() {
    let relay = "candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 0.0.0.0 rport 9";
    for (candidate, hidden) in [
        (r#"{"address":"203.0.113.7"}"#.to_owned(), None),
        (r#"{"candidate":["203.0.113.7"]}"#.to_owned(), None),
        (r#"{"candidate":"203.0.113.7"}"#.to_owned(), None),
        // The last of two members counts, as it does in a browser.
        (
            format!(r#"{{"candidate":"{relay}","candidate":"candidate:1 1 udp 1 203.0.113.7 9 typ host"}}"#),
            None,
        ),
        (
            format!(
                r#"{{"candidate":"{relay}","address":"203.0.113.7","relatedAddress":"203.0.113.7","sdpMid":"203.0.113.7","usernameFragment":{{"a":"203.0.113.7"}}}}"#
            ),
            Some(format!(r#"{{"candidate":"{relay}"}}"#)),
        ),
        (format!("[[{{\"candidate\":\"{relay}\"}}]]"), None),
    ] {
        assert_eq!(candidates_through(&candidate), hidden, "{candidate}");
    }
}

#[test]
fn every_message_that_carries_a_description_is_hidden_and_others_are_left_alone() {
    let sdp = serde_json::to_string(OFFER).unwrap();
    let hidden = serde_json::to_string(HIDDEN).unwrap();
    for frame in [
        r#"{"type":"find_partner","kind":"video","offer":{"sdp":SDP},"requeue":true,"relay_only":true}"#,
        r#"{"type":"next","match_id":"00000000000000ff","offer":{"sdp":SDP}}"#,
        r#"{"type":"ticket_offer","sdp":SDP}"#,
        r#"{"type":"offer","match_id":"00000000000000ff","sdp":SDP}"#,
        r#"{"type":"answer","match_id":"00000000000000ff","sdp":SDP}"#,
    ] {
        assert_eq!(through(&frame.replace("SDP", &sdp)), Some(frame.replace("SDP", &hidden)));
    }
    for frame in [
        r#"{"type":"hello","version":1}"#,
        r#"{"type":"next"}"#,
        r#"{"type":"stop"}"#,
        r#"{"type":"message","text":"I am at 203.0.113.7"}"#,
        r#"{"type":"typing","on":true}"#,
        r#"{"type":"block","match_id":"00000000000000ff"}"#,
    ] {
        assert_eq!(through(frame).as_deref(), Some(frame));
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// Pieces of descriptions and of addresses, put together without regard to any grammar.
fn hostile(dice: &mut Dice) -> String {
    const PIECES: [&str; 44] = [
        "a=",
        "A=",
        "c=",
        "o=",
        "m=",
        "s=",
        "i=",
        "v=0",
        "candidate:1",
        "candidate:",
        "1",
        "udp",
        "TCP",
        "1 1",
        " ",
        "  ",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\u{0}",
        ":",
        "/",
        "[",
        "]",
        "@",
        "typ",
        "typ relay",
        "typ host",
        "relay",
        "raddr",
        "rport",
        "generation 0",
        "rtcp:9",
        "IN IP4",
        "IN IP6",
        "203.0.113.7",
        "2001:db8::7",
        "::ffff:203.0.113.7",
        "6f1c.local",
        "candidate:1 1 udp 1 203.0.113.7 9 typ host",
        "candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 203.0.113.7 rport 9",
        "fingerprint:sha-256 AA:BB",
        "ü",
    ];
    (0..dice.below(40)).map(|_| PIECES[dice.below(PIECES.len())]).collect()
}

/// Not the reader under test: looks at every place where an address could begin and end.
fn addresses_in(text: &str) -> Vec<String> {
    let may_be_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut found = Vec::new();
    for run in text.split(|c| !may_be_part(c)) {
        for (start, _) in run.char_indices() {
            for end in start + 2..=run.len() {
                let part = &run[start..end];
                if part.parse::<Ipv4Addr>().is_ok() || part.parse::<Ipv6Addr>().is_ok() {
                    found.push(part.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn no_description_whatever_lets_a_visitors_address_pass() {
    let mut dice = Dice(7);
    let mut relays = 0;
    for _ in 0..20_000 {
        let sdp = hostile(&mut dice);
        let hidden = hide_description(&sdp);
        assert!(!hidden.contains("6f1c.local"), "{sdp:?}\n{hidden:?}");
        for address in addresses_in(&hidden) {
            // Pieces run together may make a new address of digits, but never the visitor's.
            assert!(
                !address.contains("203.0.113.7") && !address.contains("2001:db8::7"),
                "{sdp:?}\n{hidden:?}"
            );
        }
        assert_eq!(hide_description(&hidden), hidden, "{sdp:?}");
        relays += usize::from(hidden.contains("typ relay"));
    }
    assert!(relays > 100, "only {relays} candidates passed: the test shows nothing");
}

#[test]
fn a_description_cut_and_mixed_at_random_keeps_hiding() {
    let mut dice = Dice(11);
    let lines: Vec<&str> = OFFER.lines().collect();
    for _ in 0..5_000 {
        let mut sdp: String = (0..dice.below(30))
            .flat_map(|_| [lines[dice.below(lines.len())], ["\r\n", "\n", "\r", " ", ""][dice.below(5)]])
            .collect();
        sdp.truncate(dice.below(sdp.len() + 1));
        let hidden = hide_description(&sdp);
        for address in ["203.0.113.7", "192.168.0.4", "2001:db8::7"] {
            assert!(!hidden.contains(address), "{sdp:?}\n{hidden:?}");
        }
    }
}

/// The lengths as they count against limits and queues: of the JSON.
fn lengths(message: ClientMessage) -> (usize, usize) {
    let length = |message: &ClientMessage| match message {
        ClientMessage::Signal(SignalMessage::Offer(Signal { sdp, .. })) => sdp.reveal_json().len(),
        ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate { candidate, .. })) => {
            candidate.reveal_json().len()
        }
        other => panic!("{other:?}"),
    };
    let before = length(&message);
    (message.through_relays_only().as_ref().map_or(0, length), before)
}

#[test]
fn hiding_never_makes_anything_longer() {
    let mut dice = Dice(13);
    let short =
        ["o=\n", "c=\n", "m=\n", "a=rtcp\n", "a=rtcp:9\n", "o=\r", "c=\r\n", "m=a 1 \n", "a=candidate:\n"];
    let alike = short.iter().map(|line| line.repeat(1_000));
    let mixed: Vec<String> = (0..20_000).map(|_| hostile(&mut dice)).collect();
    let browsers = [OFFER.to_owned(), OFFER.replace("\r\n", "\n"), HIDDEN.replace("\r\n", "\r")];
    for text in alike.chain(mixed).chain(browsers) {
        assert!(hide_description(&text).len() <= text.len(), "{text:?}");
        let sdp = Sdp::from_text(&text).unwrap();
        let (after, before) =
            lengths(ClientMessage::Signal(SignalMessage::Offer(Signal { match_id: None, sdp })));
        assert!(after <= before, "{text:?}: {before} became {after}");
        let init = serde_json::json!({ "candidate": text, "sdpMid": text, "sdpMLineIndex": dice.below(9) });
        for candidate in [init.to_string(), format!("[{init},{init}]")] {
            let candidate = Candidate::from_json(candidate).unwrap();
            let (after, before) = lengths(ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate {
                match_id: None,
                candidate,
            })));
            assert!(after <= before, "{text:?}: {before} became {after}");
        }
    }
    let spelt = r#"{"candidate":"candidate:1 1 udp 1 198.51.100.9 9 typ relay","sdpMLineIndex":1e9}"#;
    assert!(candidates_through(spelt).unwrap().len() <= spelt.len());
}

#[test]
fn what_is_no_string_is_no_description() {
    let sdp: Sdp = serde_json::from_str("7").unwrap();
    let offer = ClientMessage::Signal(SignalMessage::Offer(Signal { match_id: None, sdp }));
    assert_eq!(offer.through_relays_only(), None);
}

#[test]
fn a_candidate_of_a_relay_is_one_by_the_grammar_only() {
    assert!(hide_candidate("candidate:1 1 udp 1 198.51.100.9 9 typ relay").is_some());
    for broken in [
        "",
        "candidate:1",
        "candidate:1 x udp 1 198.51.100.9 9 typ relay",
        "1 1 udp 1 198.51.100.9 9 typ relay",
    ] {
        assert_eq!(hide_candidate(broken), None, "{broken}");
    }
}

#[test]
fn addresses_are_told_from_what_only_looks_like_them() {
    for text in [
        "203.0.113.7",
        "x=203.0.113.7;",
        "[::1]",
        "fe80::1%eth0",
        "a:2001:db8::7",
        "turn-203.0.113.7",
        "x.local",
    ] {
        assert!(names_address(text), "{text}");
    }
    for text in [
        "opus/48000/2",
        "urn:ietf:params:rtp-hdrext:sdes:mid",
        "AB:CD:EF:01",
        "1.2.3",
        "profile-level-id=42e01f",
    ] {
        assert!(!names_address(text), "{text}");
    }
}
