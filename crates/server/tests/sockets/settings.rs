//! How it starts: settings from everywhere, and errors in one line.

use super::harness::{Server, visavis};
use std::fs;
use std::process::Output;

/// Exit code and the one line on standard error.
fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    let last = text.lines().last().unwrap_or_default().to_owned();
    assert!(text.lines().filter(|line| line.starts_with("visavis: ")).count() == 1, "{text}");
    (output.status.code().unwrap(), last)
}

#[test]
fn what_hinders_the_start_is_said_in_one_line_with_its_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, code, expected) in [
        (
            vec!["--listen", &address],
            1,
            format!(
                "visavis: listen: {address} is taken by another program; stop that one, or choose another port with --listen"
            ),
        ),
        (
            vec!["--listen", "192.0.2.77:80"],
            1,
            "visavis: listen: this machine has no address 192.0.2.77".into(),
        ),
        (vec!["--listen", "8080"], 2, "visavis: --listen: `8080` is not ADDR:PORT".into()),
        (
            vec!["--trusted-proxy", "10.0.0.0/40"],
            2,
            "visavis: --trusted-proxy: `10.0.0.0/40` is not a network".into(),
        ),
        (
            vec!["--lisen", "x"],
            2,
            "visavis: unexpected argument '--lisen' found; a similar argument exists: '--listen'".into(),
        ),
        (
            vec!["--config", "/nonexistent.toml"],
            2,
            "visavis: --config: cannot read /nonexistent.toml: no such file or directory".into(),
        ),
        (
            vec![
                "--tls-listen",
                "127.0.0.1:0",
                "--tls-cert",
                "/nonexistent.pem",
                "--tls-key",
                "/nonexistent.pem",
            ],
            2,
            "visavis: tls.cert: cannot read /nonexistent.pem: ".into(),
        ),
        (vec!["--tls-listen", "127.0.0.1:0"], 2, "visavis: tls.listen: needs a certificate".into()),
    ] {
        let output = visavis().args(&arguments).output().unwrap();
        let (found, line) = failure(&output);
        assert_eq!(found, code, "{arguments:?}: {line}");
        assert!(line.starts_with(&expected), "{arguments:?}: {line}");
    }
    let output = visavis().env("VISAVIS_WORKERS", "many").output().unwrap();
    assert_eq!(failure(&output), (2, "visavis: VISAVIS_WORKERS: `many` is not a whole number".into()));
}

#[tokio::test]
async fn settings_come_from_file_environment_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visavis.toml");
    fs::write(
        &file,
        "[ice]\nttl_s = 60\nserver = [\"stun:stun.example.org\"]\n[limits]\nconnections_per_address = 1\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    let server =
        Server::start(&["--config", path, "--ice-ttl-s", "7", "--workers", "1", "--turn-enabled", "off"]);
    let expected = serde_json::json!({"iceServers": [], "ttl_s": 7, "policy": "direct"});
    assert_eq!(server.get("/api/ice").await.json(), expected);
    let _one = server.connect().await;
    assert_eq!(server.refusal(&[]).await, Some(429));
}

#[test]
fn check_config_tells_where_each_value_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("visavis.toml");
    fs::write(&file, "workers = 3\n").unwrap();
    let check = || {
        let mut command = visavis();
        command.arg("check-config").arg("--config").arg(&file);
        command
    };
    let output = check().env("VISAVIS_LOG_LEVEL", "warn").args(["--listen", "[::1]:81"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let line = |key: &str| {
        let found = text.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("listen"), "listen [::1]:81 (flag)");
    assert_eq!(line("log.level"), "log.level warn (environment)");
    assert_eq!(line("workers"), format!("workers 3 ({})", file.display()));
    assert_eq!(line("limits.max_depth"), "limits.max_depth 8 (default)");

    fs::write(&file, "worker = 3\n").unwrap();
    let (code, line) = failure(&check().output().unwrap());
    assert_eq!(code, 2);
    assert!(line.ends_with("no setting is called `worker`; did you mean `workers`?"), "{line}");
}

#[test]
fn help_and_version_are_told() {
    let help = visavis().arg("--help").output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.status.success() && text.contains("--trusted-proxy <CIDR>") && text.contains("check-config"),
        "{text}"
    );
    let version = visavis().arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8(version.stdout).unwrap().trim(),
        format!("visavis {}", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn no_log_holds_anything_of_a_visitor() {
    let mut server = Server::start(&["--log-level", "trace", "--trusted-proxy", "127.0.0.1"]);
    let mut client = server.connect_with(&[("x-forwarded-for", "203.0.113.77")]).await.unwrap();
    client.say(r#"{"type":"find_partner","kind":"video","offer":{"sdp":"secret-sdp"}}"#).await;
    client.hear().await;
    client.say(r#"{"type":"message","text":"secret-text"}"#).await;
    client.hear().await;
    server.signal("TERM");
    client.closed().await;
    server.exit().await;
    let log = server.log();
    assert!(log.contains("stopped"), "{log}");
    for secret in ["203.0.113.77", "secret"] {
        assert!(!log.contains(secret), "{log}");
    }
}

fn check_config(flags: &[&str]) -> Output {
    visavis().arg("check-config").args(flags).output().unwrap()
}

#[test]
fn check_config_finds_what_starts_and_cannot_work() {
    for (flags, expected) in [
        (&["--ice-policy", "relay", "--turn-enabled", "off"][..], "ice.policy: `relay` needs a relay"),
        (&["--turn-secret", "abc"], "turn.secret: one is shorter than 16 characters"),
        (&["--turn-relay-address", "0.0.0.0"], "turn.relay_address: peers cannot send to 0.0.0.0"),
        (&["--limits-max-frame-bytes", "1"], "limits.max_frame_bytes: must hold"),
        (&["--turn-enabled", "off", "--turn-listen", "0.0.0.0:3478"], "turn.listen: is of no use"),
        (&["--readiness-require-redis"], "readiness.require_redis: there is no Redis"),
        (&["--trusted-proxy", "0.0.0.0/0"], "trusted_proxy: holds every address"),
        (&["--ice-ttl-s", "5"], "ice.ttl_s: credentials of 5 s"),
        (&["--lobby-sign-of-life-ms", "1"], "lobby.sign_of_life_ms: 1 ms are too short"),
        (&["--limits-queue-messages", "1"], "limits.queue_messages: living readers are cut at 1"),
        (&["--metrics-listen", "127.0.0.1:8080"], "metrics.listen: 127.0.0.1:8080 is taken by listen"),
    ] {
        let (code, line) = failure(&check_config(flags));
        assert_eq!(code, 2, "{flags:?}: {line}");
        assert!(line.starts_with(&format!("visavis: {expected}")), "{flags:?}: {line}");
    }
    let output = visavis().arg("check-config").env("VISAVIS_TURN_SECERT", "x").output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 2);
    assert!(line.contains("did you mean `VISAVIS_TURN_SECRET`?"), "{line}");
    assert_eq!(check_config(&[]).status.code(), Some(0));
}

#[test]
fn a_state_directory_that_cannot_be_used_is_the_worlds_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("state");
    for state_dir in ["/proc/visavis", below.to_str().unwrap()] {
        for command in ["serve", "check-config"] {
            let mut visavis = visavis();
            visavis.args([command, "--listen", "127.0.0.1:0", "--state-dir", state_dir]);
            let (code, line) = failure(&visavis.output().unwrap());
            assert_eq!(code, 1, "{command} {state_dir}: {line}");
            assert!(line.starts_with("visavis: state_dir: cannot "), "{line}");
        }
    }
    let fresh = folder.path().join("not/there/yet");
    assert_eq!(check_config(&["--state-dir", fresh.to_str().unwrap()]).status.code(), Some(0));
    assert!(!folder.path().join("not").exists(), "nothing stays behind");
}

#[test]
fn advice_names_flags_that_there_are() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    visavis().args(["self-signed", "--out"]).arg(folder.path()).output().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    for (arguments, flag) in [
        (
            vec![
                "--listen",
                "127.0.0.1:0",
                "--turn-tls-listen",
                &address,
                "--turn-tls-cert",
                &cert,
                "--turn-tls-key",
                &key,
            ],
            "--turn-tls-listen",
        ),
        (vec!["--listen", "127.0.0.1:0", "--turn-listen", &address], "--turn-listen"),
        (vec!["--listen", "127.0.0.1:0", "--metrics-listen", &address], "--metrics-listen"),
        (
            vec![
                "turn",
                "--secret",
                "a secret of some length",
                "--listen",
                "127.0.0.1:0",
                "--tls-listen",
                &address,
                "--tls-cert",
                &cert,
                "--tls-key",
                &key,
            ],
            "--tls-listen",
        ),
        (vec!["turn", "--secret", "a secret of some length", "--listen", &address], "--listen"),
    ] {
        let (code, line) = failure(&visavis().args(&arguments).output().unwrap());
        assert_eq!(code, 1, "{line}");
        assert!(line.ends_with(&format!("choose another port with {flag}")), "{arguments:?}: {line}");
        let help = if arguments[0] == "turn" { vec!["turn", "--help"] } else { vec!["--help"] };
        let help = String::from_utf8(visavis().args(help).output().unwrap().stdout).unwrap();
        assert!(help.contains(&format!("{flag} <")), "no {flag} in the help");
    }
    let (_, line) = failure(&visavis().args(["turn", "--secret", ""]).output().unwrap());
    assert!(line.starts_with("visavis: --secret: is empty"), "{line}");
}

#[tokio::test]
async fn what_is_unsound_and_runs_is_said_at_the_start() {
    let server = Server::start(&["--turn-secret", "abc", "--metrics-listen", "0.0.0.0:0"]);
    assert_eq!(server.get("/healthz").await.status, 200);
    let alone = Server::start(&["--turn-enabled", "off", "--turn-relay-address", "192.0.2.1"]);
    for (server, said) in [
        (&server, "unsound: turn.secret: one is shorter than 16"),
        (&alone, "unsound: turn.relay_address: is of no use while turn.enabled is off"),
    ] {
        assert!(server.said_at_start().contains(said), "{}", server.said_at_start());
    }
}
