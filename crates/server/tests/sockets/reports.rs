//! `POST /api/reports`: what becomes of a report, of its receipt, of the two visitors, and of a server whose store is in
//! trouble.

use super::harness::{Answer, Client, PATIENCE, Server};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SECRET: &str = "a secret that all nodes of this test share";
const VILE: &str = "a vile sentence 4f1d";
const NOTE: &str = "a note of the reporter 9c2e";

/// With a state directory of its own.
struct House {
    server: Server,
    dir: TempDir,
    flags: Vec<String>,
}

impl House {
    fn open(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let server = House::start(dir.path(), &flags);
        House { server, dir, flags }
    }

    fn start(dir: &Path, flags: &[String]) -> Server {
        let state = dir.join("state");
        let mut all = vec!["--state-dir", state.to_str().expect("a path")];
        if !flags.iter().any(|flag| flag == "--limits-reports-per-minute") {
            all.extend(["--limits-reports-per-minute", "1000"]);
        }
        all.extend(["--metrics-listen", "127.0.0.1:0", "--log-level", "trace"]);
        all.extend(flags.iter().map(String::as_str));
        Server::start(&all)
    }

    /// The process ends at once, without a word, and starts anew.
    async fn die_and_rise(&mut self) {
        self.server.signal("KILL");
        self.server.exit().await;
        self.server = House::start(self.dir.path(), &self.flags);
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("state/visavis.db")
    }

    fn reports(&self) -> i64 {
        let database = Connection::open(self.database()).expect("a database");
        database.query_row("SELECT count(*) FROM reports", [], |row| row.get(0)).expect("a count")
    }

    async fn store_is(&self, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = self.server.get("/readyz").await;
            assert_eq!(ready.status, 200, "the chat goes on");
            if ready.json()["store"] == state {
                return;
            }
            assert!(Instant::now() < deadline, "the store is not {state}: {}", ready.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Two who met for a text chat, and what each was told.
async fn meet(server: &Server) -> (Client, Client, Value, Value) {
    let mut both = [server.connect().await, server.connect().await];
    for client in &mut both {
        client.say(r#"{"type":"hello","version":1}"#).await;
        client.hear_type("welcome").await;
        client.say(r#"{"type":"find_partner","kind":"text","requeue":true}"#).await;
    }
    let [mut a, mut b] = both;
    let (mine, theirs) = (a.hear_type("partner_found").await, b.hear_type("partner_found").await);
    (a, b, mine, theirs)
}

fn minimal(found: &Value) -> Value {
    json!({ "receipt": found["receipt"], "category": "harassment" })
}

async fn report(server: &Server, report: &Value) -> Answer {
    server.post("/api/reports", &[], &report.to_string()).await
}

fn code(answer: &Answer) -> (u16, String) {
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().is_some_and(|sentence| sentence.contains(' ')), "{error}");
    (answer.status, error["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_report_is_filed_once_and_parts_the_two() {
    let house = House::open(&[]);
    let (mut a, mut b, mine, _) = meet(&house.server).await;
    let id = mine["match_id"].clone();
    b.say(&json!({ "type": "message", "match_id": id, "text": VILE }).to_string()).await;
    a.hear_type("message").await;
    let mut whole = minimal(&mine);
    whole["note"] = json!(NOTE);
    whole["lines"] = json!([
        { "from": "stranger", "text": VILE },
        { "from": "stranger", "text": "what nobody said" },
        { "from": "you", "text": VILE },
    ]);
    let filed = report(&house.server, &whole).await;
    assert_eq!(filed.status, 201, "{}", filed.text());
    assert_eq!(b.hear_type("partner_left").await["reason"], "next");
    assert_eq!(a.hear_type("partner_left").await["requeued"], true);
    assert_eq!(a.hear_type("blocked").await["match_id"], id);
    a.hear_type("waiting").await;
    let again = report(&house.server, &whole).await;
    assert_eq!((again.status, again.json()), (200, filed.json()));

    let database = Connection::open(house.database()).unwrap();
    let kept = "SELECT category || '|' || note FROM reports WHERE reported_prefix IS NOT NULL AND reporter_prefix IS NOT NULL";
    let kept: String = database.query_row(kept, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, format!("harassment|{NOTE}"));
    let mut lines = database.prepare("SELECT verified FROM report_lines ORDER BY position").unwrap();
    let verified: Vec<i64> = lines.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(verified, [1, 0, 0], "what went through the server, and what is only claimed");
    assert_eq!(house.server.figure("visavis_reports_filed_total{category=\"harassment\"}").await, 1.0);
    assert_eq!(house.server.figure("visavis_reports_total{outcome=\"again\"}").await, 1.0);

    let log = house.server.log();
    for planted in [VILE, NOTE, mine["receipt"].as_str().unwrap()] {
        assert!(!log.contains(planted), "{planted} is in the log");
    }
    // What is in the files of the store is a text that is kept on purpose, and no address.
    let raw = std::fs::read(house.database()).unwrap();
    assert!(!raw.windows(9).any(|part| part == b"127.0.0.1"));
}

#[tokio::test]
async fn a_hundred_at_once_are_one_report() {
    let house = House::open(&[]);
    let (_a, _b, mine, _) = meet(&house.server).await;
    let body = minimal(&mine);
    let answers = futures_util::future::join_all((0..100).map(|_| report(&house.server, &body))).await;
    let first = answers[0].json();
    assert!(answers.iter().all(|answer| answer.json() == first), "all have the same id");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 99);
    assert_eq!(house.reports(), 1);
}

#[tokio::test]
async fn a_receipt_outlives_the_match_the_socket_and_the_process_and_no_report_is_lost() {
    let mut house = House::open(&["--session-secret", SECRET]);
    let (mut a, b, mine, theirs) = meet(&house.server).await;
    a.say(r#"{"type":"next"}"#).await;
    drop(b);
    let filed = report(&house.server, &minimal(&mine)).await;
    house.die_and_rise().await;
    assert_eq!(filed.status, 201);
    let again = report(&house.server, &minimal(&mine)).await;
    assert_eq!((again.status, again.json()), (200, filed.json()), "it was on the disk");
    assert_eq!(report(&house.server, &minimal(&theirs)).await.status, 201, "the other side has its own");
    // Another node that shares the secret, and has a store of its own.
    let other = House::open(&["--session-secret", SECRET]);
    assert_eq!(report(&other.server, &minimal(&mine)).await.status, 201);
    let foreign = House::open(&[]);
    assert_eq!(code(&report(&foreign.server, &minimal(&mine)).await), (403, "receipt_invalid".to_owned()));
    assert_eq!(foreign.reports(), 0);
}

#[tokio::test]
async fn what_is_not_a_report_is_refused_by_a_code_and_a_sentence() {
    let house = House::open(&[]);
    let (_a, _b, mine, _) = meet(&house.server).await;
    let with = |name: &str, value: Value| {
        let mut body = minimal(&mine);
        body[name] = value;
        body.to_string()
    };
    let mut altered = mine["receipt"].as_str().unwrap().to_owned();
    altered.replace_range(60..61, if altered[60..].starts_with('A') { "B" } else { "A" });
    for (body, expected) in [
        (String::new(), (400, "bad_json")),
        ("[1]".to_owned(), (400, "bad_json")),
        ("{}".to_owned(), (400, "bad_field")),
        (with("category", json!("rude")), (400, "bad_field")),
        (with("note", json!("x".repeat(2_001))), (400, "too_large")),
        (with("note", json!("x".repeat(256 * 1024))), (413, "too_large")),
        (with("more", json!(1)), (400, "bad_field")),
        (with("receipt", json!(altered)), (403, "receipt_invalid")),
        (with("receipt", json!("")), (403, "receipt_invalid")),
        (with("evidence", json!("YWdl")), (400, "evidence_not_taken")),
    ] {
        let answer = house.server.post("/api/reports", &[], &body).await;
        assert_eq!(code(&answer), (expected.0, expected.1.to_owned()), "{:.80}", body);
    }
    assert_eq!(house.server.get("/api/reports").await.status, 405);
    assert_eq!(house.reports(), 0);
    assert_eq!(house.server.figure("visavis_reports_total{outcome=\"refused\"}").await, 10.0);
}

#[tokio::test]
async fn pages_of_other_sites_report_only_where_the_operator_allows_it() {
    let house = House::open(&["--allow-origin", "https://friend.example"]);
    let (_a, _b, mine, _) = meet(&house.server).await;
    let body = minimal(&mine).to_string();
    let foreign = house.server.post("/api/reports", &[("origin", "https://evil.example")], &body).await;
    assert_eq!(code(&foreign), (403, "foreign_origin".to_owned()));
    let origin = [("origin", "https://friend.example"), ("access-control-request-method", "POST")];
    let asked = house.server.request("OPTIONS", "/api/reports", &origin).await;
    assert_eq!(asked.header("access-control-allow-headers"), "content-type");
    assert_eq!(asked.header("access-control-allow-origin"), "https://friend.example");
    let filed = house.server.post("/api/reports", &origin[..1], &body).await;
    assert_eq!((filed.status, filed.header("access-control-allow-origin")), (201, "https://friend.example"));
}

#[tokio::test]
async fn an_address_has_so_many_reports_a_minute() {
    let house = House::open(&["--limits-reports-per-minute", "3"]);
    for _ in 0..3 {
        assert_eq!(house.server.post("/api/reports", &[], "{}").await.status, 400);
    }
    let refused = house.server.post("/api/reports", &[], "{}").await;
    assert_eq!(code(&refused), (429, "too_fast".to_owned()));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=61).contains(&seconds)));
}

#[tokio::test]
async fn evidence_is_kept_unread_where_there_is_somebody_to_open_it() {
    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let house = House::open(&["--safety-evidence-recipient", RECIPIENT]);
    let site = house.server.get("/api/site").await.json();
    assert_eq!(site["safety"]["evidence_recipients"], json!([RECIPIENT]));
    let (_a, _b, mine, _) = meet(&house.server).await;
    let word = data_encoding::BASE64_NOPAD.encode(&[7; 32]);
    let sealed =
        format!("age-encryption.org/v1\n-> X25519 {word}\n{word}\n--- {word}\n{}", "x".repeat(60_000));
    let mut whole = minimal(&mine);
    whole["evidence"] = json!(data_encoding::BASE64.encode(b"\xff\xd8\xff\xe0 a picture in clear"));
    assert_eq!(code(&report(&house.server, &whole).await), (400, "evidence_invalid".to_owned()));
    whole["evidence"] = json!(data_encoding::BASE64.encode(sealed.as_bytes()));
    assert_eq!(report(&house.server, &whole).await.status, 201);
    let database = Connection::open(house.database()).unwrap();
    let kept: Vec<u8> = database.query_row("SELECT sealed FROM evidence", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, sealed.as_bytes());
    let plain = House::open(&[]);
    let site = plain.server.get("/api/site").await.json();
    assert_eq!(site["safety"].get("evidence_recipients"), None);
}

#[tokio::test]
async fn while_the_store_is_locked_the_chat_goes_on_and_a_report_is_told_to_come_again() {
    let house = House::open(&[]);
    let (mut a, mut b, mine, _) = meet(&house.server).await;
    let lock = Connection::open(house.database()).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = report(&house.server, &minimal(&mine)).await;
    assert_eq!(code(&refused), (503, "store_unavailable".to_owned()));
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    house.store_is("unavailable").await;
    // Nobody has to stay with the stranger because of that.
    assert_eq!(a.hear_type("blocked").await["match_id"], mine["match_id"]);
    b.hear_type("partner_left").await;
    let (_c, _d, ..) = meet(&house.server).await;
    lock.execute_batch("COMMIT").unwrap();
    house.store_is("ok").await;
    assert_eq!(report(&house.server, &minimal(&mine)).await.status, 201);
}

#[tokio::test]
async fn a_full_disk_loses_no_report_that_was_acknowledged() {
    let mut house = House::open(&[]);
    house.server.signal("TERM");
    house.server.exit().await;
    let state = house.dir.path().join("state");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "none"]).arg(&state).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return println!("skipped: no right to mount a small file system");
    }
    let unmount = Unmount(state.clone());
    house.server = House::start(house.dir.path(), &house.flags);
    let (_a, _b, mine, theirs) = meet(&house.server).await;
    let filed = report(&house.server, &minimal(&mine)).await;
    assert_eq!(filed.status, 201);
    let filler = state.join("filler");
    let _ = std::fs::write(&filler, vec![1; 1 << 20]);
    // What is left of the last page may hold a small one.
    let mut large = minimal(&theirs);
    large["lines"] = json!(vec![json!({ "from": "you", "text": "x".repeat(1_000) }); 60]);
    assert_eq!(code(&report(&house.server, &large).await), (503, "store_unavailable".to_owned()));
    std::fs::remove_file(filler).unwrap();
    house.store_is("ok").await;
    assert_eq!(report(&house.server, &large).await.status, 201);
    let again = report(&house.server, &minimal(&mine)).await;
    assert_eq!((again.status, again.json()), (200, filed.json()));
    let House { server, dir, .. } = house;
    drop((server, unmount, dir));
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
