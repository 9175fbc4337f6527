//! The bindings of other languages, generated from these types and checked for drift.
//!
//! `VISAVIS_WRITE_BINDINGS=1 cargo test -p visavis-protocol bindings` writes them; without it a difference fails.

use crate::client::Wire;
use crate::{
    Block, CandidateType, Connected, ErrorCode, FindPartner, Hello, IceCandidate, IpFamily, Kind, LeftReason,
    Limits, Message, MessageType, Mode, Next, Offer, PartnerFound, Path, Pin, Ping, Pong, ServerMessage,
    Signal, Stop, TicketOffer, Transport, Typing, Unblock,
};
use std::fmt::Write as _;
use std::path::PathBuf;
use ts_rs::TS;

fn typescript() -> String {
    let mut out = String::from(
        "// Generated from crates/protocol by `make bindings`. Do not edit: the tests compare.\n\n\
         export type ChatText = string;\nexport type ResumeToken = string;\nexport type IceToken = string;\n\
         export type ReportReceipt = string;\nexport type DeviceName = string;\nexport type BlockHandle = string;\n",
    );
    let config = ts_rs::Config::new();
    let mut declare = |declaration: String| {
        let _ = writeln!(out, "export {declaration}");
    };
    declare(Kind::decl(&config));
    declare(Pin::decl(&config));
    declare(Mode::decl(&config));
    declare(LeftReason::decl(&config));
    declare(ErrorCode::decl(&config));
    declare(MessageType::decl(&config));
    declare(Path::decl(&config));
    declare(CandidateType::decl(&config));
    declare(Transport::decl(&config));
    declare(IpFamily::decl(&config));
    declare(Offer::decl(&config));
    declare(Hello::decl(&config));
    declare(FindPartner::decl(&config));
    declare(TicketOffer::decl(&config));
    declare(Next::decl(&config));
    declare(Stop::decl(&config));
    declare(Ping::decl(&config));
    declare(Pong::decl(&config));
    declare(Signal::decl(&config));
    declare(IceCandidate::decl(&config));
    declare(Connected::decl(&config));
    declare(Message::decl(&config));
    declare(Typing::decl(&config));
    declare(Block::decl(&config));
    declare(Unblock::decl(&config));
    declare(Wire::decl(&config));
    declare(PartnerFound::decl(&config));
    declare(ServerMessage::decl(&config));
    let limits = Limits::default();
    let _ = write!(
        out,
        "\n/** The protocol version that `hello` names. */\nexport const VERSION = {};\n\n\
         /** The server's default limits. */\nexport const LIMITS = {{\n  maxTextChars: {},\n  maxInterests: {},\n  \
         maxInterestChars: {},\n  maxLanguages: {},\n  maxCandidateBytes: {},\n  maxSdpBytes: {},\n}} as const;\n",
        crate::VERSION,
        limits.max_text_chars,
        limits.max_interests,
        limits.max_interest_chars,
        limits.max_languages,
        limits.max_candidate_bytes,
        limits.max_sdp_bytes,
    );
    out
}

fn json_schema() -> String {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Both {
        client: crate::client::Wire,
        server: ServerMessage,
    }
    let mut schema =
        schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Both>();
    schema.insert("title".into(), "The Visavis protocol, version 1: `client` sends, `server` answers".into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    text
}

fn compare(path: &str, generated: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("VISAVIS_WRITE_BINDINGS").is_some() {
        std::fs::write(&file, generated).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == generated, "{path} is not what crates/protocol says: run `make bindings` and commit it");
}

#[test]
fn bindings_for_typescript_are_up_to_date() {
    compare("web/sdk/src/protocol.gen.ts", &typescript());
}

#[test]
fn bindings_as_json_schema_are_up_to_date() {
    compare("docs/protocol.schema.json", &json_schema());
}
