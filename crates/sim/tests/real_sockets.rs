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
    address: String,
}

impl Server {
    fn start() -> Self {
        Server::start_with("127.0.0.1:0", &[])
    }

    fn start_with(listen: &str, options: &[&str]) -> Self {
        Server::start_bound(listen, &[&["--limits-exempt", "127.0.0.0/8"], options].concat())
    }

    /// With its default limits: nobody is exempt.
    fn start_bound(listen: &str, options: &[&str]) -> Self {
        let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/checked/visavis");
        let program = std::env::var_os(SERVER).map_or(built, PathBuf::from);
        assert!(
            program.exists(),
            "no server to test at {}: build it (cargo build --profile checked -p visavis-server) or set {SERVER}",
            program.display()
        );
        let mut child = Command::new(program)
            .args(["serve", "--listen", listen, "--log-format", "json"])
            .args(options)
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
        Server { child, address }
    }

    fn load(&self, options: &[&str]) -> Value {
        read_result(self.begin_load(options))
    }

    fn begin_load(&self, options: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_visavis-load"))
            .args(["--url", &format!("ws://{}/ws", self.address), "--settle-ms", "50"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

fn read_result(load: Child) -> Value {
    let output = load.wait_with_output().unwrap();
    let result = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{result}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&result).unwrap()
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
fn in_pools_of_two_everybody_meets_the_same_one_again() {
    let server = Server::start_with("127.0.0.1:0", &["--lobby-recent-pause-ms", "1000"]);
    let other = Server::start();
    let pids = [server.child.id().to_string(), other.child.id().to_string()];
    let pools = ["--visitors", "100", "--rounds", "2", "--pool-size", "2"];
    let result = server.load(&[&pools[..], &["--server-pid", &pids[0], "--server-pid", &pids[1]]].concat());
    for round in result["rounds"].as_array().unwrap() {
        assert_eq!(round["pairs"], 50);
        let of_each = round["server_cpu_us_per_pair_of_each"].as_array().unwrap();
        assert!(of_each.len() == 2 && of_each[0].as_f64() > of_each[1].as_f64(), "{round:#}");
    }
    // They were together a moment ago, and there is nobody else.
    assert!(result["rounds"][1]["found_ms"]["p50"].as_f64().unwrap() > 500.0, "{result:#}");
}

#[test]
fn restless_visitors_break_nothing() {
    let server = Server::start();
    let churn = ["--visitors", "200", "--scenario", "churn", "--seconds", "3", "--stay-ms", "200"];
    let result = server.load(&churn);
    assert!(result["rounds"][0]["pairs"].as_u64().unwrap() > 200, "{result:#}");
}

#[test]
fn ghosts_and_stalled_readers_cost_their_partners_no_more_than_the_deadline() {
    let server = Server::start_with(
        "127.0.0.1:0",
        // Who is cut could come back: the partner is free after the grace.
        &["--lobby-sign-of-life-ms", "1000", "--limits-write-stall-ms", "500", "--lobby-grace-ms", "1000"],
    );
    let crowd = ["--visitors", "120", "--ghosts", "10", "--stalled", "10"];
    let time = ["--scenario", "churn", "--seconds", "8", "--stay-ms", "500"];
    let round = &server.load(&[&crowd[..], &time[..]].concat())["rounds"][0];
    let survivors = |name: &str| round[name]["count"].as_u64().unwrap();
    assert!(survivors("partner_lost_ms") >= 5 && survivors("partner_freed_ms") >= 5, "{round:#}");
    assert!(round["partner_lost_ms"]["p50"].as_f64().unwrap() >= 1_000.0, "{round:#}");
    assert!(round["found_again_ms"]["count"].as_u64().unwrap() > 200, "{round:#}");
}

#[test]
fn when_a_node_drains_its_visitors_take_their_calls_to_the_other() {
    let secret = ["--session-resume", "on", "--session-secret", "of both nodes and of nobody else on earth"];
    let options = [&secret[..], &["--stop-timeout-ms", "20000"]].concat();
    let mut leaving = Server::start_with("127.0.0.1:0", &options);
    let staying = Server::start_with("127.0.0.1:0", &options);
    let drain = format!("kill -TERM {0}; while kill -0 {0}; do sleep 0.1; done", leaving.child.id());
    let other = format!("ws://{}/ws", staying.address);
    let herd = ["--scenario", "herd", "--herd-command", &drain, "--herd-lost", "200", "--herd-wait"];
    let load = leaving.begin_load(&[&["--url", &other, "--visitors", "400"][..], &herd].concat());
    assert!(leaving.child.wait().unwrap().success());
    let result = read_result(load);
    assert_eq!((&result["herd"]["resumed"], &result["herd"]["heard_by_partner"]), (&200.into(), &400.into()));
}

#[test]
fn after_a_kill_everybody_resumes_into_the_same_pair_before_anybody_else_comes_in() {
    let state_dir = std::env::temp_dir().join(format!("visavis-load-{}", std::process::id()));
    let state_dir = state_dir.to_str().unwrap();
    let options = ["--session-resume", "on", "--state-dir", state_dir, "--admission-rate", "100"];
    let mut server = Server::start_bound("127.0.0.1:0", &options);
    let kill = format!("kill -9 {}", server.child.id());
    let load = server.begin_load(&[
        "--visitors",
        "400",
        "--source-addresses",
        "20",
        "--scenario",
        "herd",
        "--herd-command",
        &kill,
    ]);
    server.child.wait().unwrap();
    let address = server.address.clone();
    let second = Server::start_bound(&address, &options);
    let result = read_result(load);
    drop(second);
    std::fs::remove_dir_all(state_dir).unwrap();
    assert_eq!((&result["herd"]["resumed"], &result["herd"]["heard_by_partner"]), (&400.into(), &400.into()));
}

#[test]
fn when_all_sockets_are_cut_everybody_is_back_in_the_same_pair_with_default_limits() {
    let server = Server::start_bound("127.0.0.1:0", &["--admission-rate", "100"]);
    let result = server.load(&["--visitors", "600", "--source-addresses", "40", "--scenario", "herd"]);
    let herd = &result["herd"];
    assert_eq!((&herd["resumed"], &herd["heard_by_partner"]), (&600.into(), &600.into()), "{result:#}");
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
