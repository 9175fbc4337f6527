//! The load client against the real server: a storm in both orders, every pairing checked from outside.
//!
//! Takes the server from `VISAVIS_BIN`, else from `target/checked`; 5,000 and more are the affair of `make bench`.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const SERVER: &str = "VISAVIS_BIN";

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/checked/visavis");
        let program = std::env::var_os(SERVER).map_or(built, PathBuf::from);
        assert!(
            program.exists(),
            "no server to test at {}: build it (cargo build --profile checked -p visavis-server) or set {SERVER}",
            program.display()
        );
        let mut child = Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--limits-exempt",
                "127.0.0.0/8",
                "--log-format",
                "json",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let at = line.find("\"127.0.0.1:")? + 1;
                line[at..].split('"').next().map(str::to_owned)
            })
            .expect("the server says where it listens");
        // Keeps the pipe from filling; ends with the server.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, url: format!("ws://{address}/ws") }
    }

    fn load(&self, options: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_visavis-load"))
            .args(["--url", &self.url, "--settle-ms", "50"])
            .args(options)
            .output()
            .unwrap();
        let result = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{result}\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&result).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_storm_in_the_classic_order_pairs_everybody_once() {
    let server = Server::start();
    let pid = server.child.id().to_string();
    let result =
        server.load(&["--visitors", "600", "--rounds", "2", "--order", "classic", "--server-pid", &pid]);
    for round in result["rounds"].as_array().unwrap() {
        assert_eq!(round["pairs"], 300);
        assert_eq!(round["modes"]["negotiate"], 300);
        assert_eq!(round["relay_ms"]["count"], 300 * 10, "{round:#}");
    }
    assert_eq!(result["violations"]["count"], 0);
}

#[test]
fn a_storm_with_offers_in_the_tickets_pairs_everybody_once() {
    let server = Server::start();
    let spread = ["--processes", "2", "--source-addresses", "3"];
    let storm = ["--visitors", "601", "--rounds", "2", "--order", "ticket"];
    let result = server.load(&[&storm[..], &spread[..]].concat());
    let rounds = result["rounds"].as_array().unwrap();
    assert_eq!(rounds[0]["modes"]["answer_offer"], 300);
    assert_eq!(rounds[1]["pairs"], 300);
    assert_eq!(result["violations"]["count"], 0);
}

#[test]
fn restless_visitors_break_nothing() {
    let server = Server::start();
    let churn = ["--visitors", "200", "--scenario", "churn", "--seconds", "3", "--stay-ms", "200"];
    let result = server.load(&churn);
    assert!(result["rounds"][0]["pairs"].as_u64().unwrap() > 200, "{result:#}");
}

#[test]
fn a_run_that_cannot_be_made_says_why_in_one_sentence() {
    let output = Command::new(env!("CARGO_BIN_EXE_visavis-load"))
        .args(["--url", "ws://127.0.0.1:1/ws", "--visitors", "2"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("visavis-load: only 0 of 2 connected: Connection refused"), "{said}");
}
