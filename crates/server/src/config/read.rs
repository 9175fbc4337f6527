//! Finds the value of every setting: flag, environment, file, default, in this order.

use super::values::switch;
use super::{Config, SETTINGS, Setting, Shape, file, flag_of};
use crate::failure::Failure;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the command line and the environment gave.
#[derive(Clone, Default)]
pub(crate) struct Given {
    /// `visavis turn`, whose flags have no prefix.
    pub(crate) relay_alone: bool,
    pub(crate) file: Option<PathBuf>,
    /// Values of flags, by the key of their setting.
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
    /// Environment variables; those that begin like ours must be ours.
    pub(crate) variables: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Where each setting's value came from, in the table's order.
    pub(crate) found: Vec<Found>,
}

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) key: &'static str,
    pub(crate) values: Vec<String>,
    pub(crate) source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment,
    Flag,
}

/// # Errors
/// One sentence about the first setting that is wrong, named as the operator wrote it.
pub(crate) fn load(given: &Given) -> Result<Loaded, Failure> {
    let variable =
        |name: &str| given.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let path = given.file.clone().or_else(|| variable("VISAVIS_CONFIG").map(PathBuf::from));
    let from_file = match &path {
        Some(path) => file::read(path)?,
        None => Vec::new(),
    };
    if let Some(path) = &path {
        refuse_unknown(&from_file, path)?;
    }

    refuse_unknown_variables(&given.variables)?;

    let mut config = Config { relay_alone: given.relay_alone, ..Config::default() };
    let mut found = Vec::with_capacity(SETTINGS.len());
    for setting in SETTINGS {
        let by_flag =
            given.flags.iter().find(|(key, _)| *key == setting.key).map(|(_, values)| values.clone());
        let by_file = from_file.iter().find(|(key, _)| key == setting.key).map(|(_, values)| values.clone());
        let (values, source) = if let Some(values) = by_flag {
            (values, Source::Flag)
        } else if let Some(text) = variable(&setting.variable()) {
            (split(setting, &text), Source::Environment)
        } else if let (Some(values), Some(path)) = (by_file, &path) {
            (values, Source::File(path.clone()))
        } else {
            (split(setting, setting.default), Source::Default)
        };
        apply(setting, &values, &mut config).map_err(|sentence| {
            Failure::Config(format!("{}: {sentence}", name(setting, &source, given.relay_alone)))
        })?;
        found.push(Found { key: setting.key, values, source });
    }
    config.check()?;
    Ok(Loaded { config, found })
}

fn apply(setting: &Setting, values: &[String], config: &mut Config) -> Result<(), String> {
    match (&setting.shape, values) {
        (Shape::One(apply), [value]) => apply(config, value.trim()),
        (Shape::Flag(apply), [value]) => {
            apply(config, switch(value.trim())?);
            Ok(())
        }
        (Shape::One(_) | Shape::Flag(_), _) => Err("takes one value".into()),
        (Shape::List(apply), values) => apply(config, values),
    }
}

fn split(setting: &Setting, text: &str) -> Vec<String> {
    match setting.shape {
        Shape::One(_) | Shape::Flag(_) => vec![text.to_owned()],
        Shape::List(_) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
    }
}

fn refuse_unknown(from_file: &[(String, Vec<String>)], path: &Path) -> Result<(), Failure> {
    for (key, _) in from_file {
        if SETTINGS.iter().any(|setting| setting.key == key) {
            continue;
        }
        let hint = match nearest(SETTINGS.iter().map(|setting| setting.key), key) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`visavis check-config` lists all settings".to_owned(),
        };
        return Err(Failure::Config(format!("{}: no setting is called `{key}`; {hint}", path.display())));
    }
    Ok(())
}

const OURS: &str = "VISAVIS_";

/// Variables that are no settings: where the settings are, and what the project's own tests and tools are told by.
const NO_SETTINGS: &[&str] = &[
    "CONFIG",
    "BIN",
    "LOAD_BIN",
    "RELAY_LOAD_BIN",
    "DIFFERENTIAL_SEEDS",
    "GEO_SOURCE",
    "REDIS_SERVER",
    "WRITE_BINDINGS",
];

fn refuse_unknown_variables(variables: &[(String, String)]) -> Result<(), Failure> {
    for (variable, _) in variables {
        let Some(name) = variable.strip_prefix(OURS) else { continue };
        let is_known = SETTINGS.iter().any(|setting| setting.variable() == *variable);
        if is_known || NO_SETTINGS.contains(&name) || name.starts_with("TEST_") || is_of_an_engine(name) {
            continue;
        }
        let names: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        let hint = match nearest(names.iter().filter_map(|known| known.strip_prefix(OURS)), name) {
            Some(nearest) => format!("did you mean `{OURS}{nearest}`?"),
            None => "`visavis check-config` lists all settings".to_owned(),
        };
        return Err(Failure::Config(format!("{variable}: no setting is called so; {hint}")));
    }
    Ok(())
}

/// Kubernetes tells every container where the services of its namespace are, and a service may be called `visavis`:
/// `VISAVIS_SERVICE_HOST`, `VISAVIS_PORT_80_TCP_ADDR`.
fn is_of_an_engine(name: &str) -> bool {
    let port = |rest: &str| {
        rest.is_empty() || rest.starts_with("_") && rest[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    name.ends_with("SERVICE_HOST")
        || name.contains("SERVICE_PORT")
        || name.match_indices("PORT").any(|(at, word)| port(&name[at + word.len()..]))
}

/// The known name that was probably meant.
fn nearest<'a>(known: impl Iterator<Item = &'a str>, given: &str) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(known, given), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| known)
}

/// A setting as the operator wrote it.
fn name(setting: &Setting, source: &Source, relay_alone: bool) -> String {
    match source {
        Source::Default => setting.key.to_owned(),
        Source::File(path) => format!("{}: {}", path.display(), setting.key),
        Source::Environment => setting.variable(),
        Source::Flag => flag_of(setting.key, relay_alone),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment => f.write_str("environment"),
            Source::Flag => f.write_str("flag"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn given(
        file: &tempfile::NamedTempFile,
        flags: &[(&'static str, &[&str])],
        env: &[(&str, &str)],
    ) -> Given {
        Given {
            relay_alone: false,
            file: Some(file.path().to_owned()),
            flags: flags.iter().map(|(k, v)| (*k, v.iter().map(|v| v.to_string()).collect())).collect(),
            variables: env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }

    fn sentence(text: &str) -> String {
        let file = file(text);
        let failure = load(&given(&file, &[], &[])).unwrap_err();
        assert!(matches!(failure, Failure::Config(_)));
        let sentence = failure.to_string().replace(&file.path().display().to_string(), "FILE");
        assert!(!sentence.contains('\n'), "{sentence}");
        sentence
    }

    #[test]
    fn the_tables_defaults_are_those_of_the_protocol_and_the_lobby() {
        let config = load(&Given::default()).unwrap().config;
        assert_eq!(format!("{:?}", config.lobby), format!("{:?}", visavis_lobby::Config::default()));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.bounds.connections_per_address, 500);
        assert_eq!(config.ice.servers, ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"]);
    }

    #[test]
    fn everything_that_the_lobby_lets_one_set_is_a_setting() {
        let fields = format!("{:?}", visavis_lobby::Config::default());
        let names = fields.split([' ', '{']).filter_map(|word| word.strip_suffix(':'));
        // Those stand under names of their own, and the numbers of each crowd under `limits`.
        let named_otherwise = [
            "limits",
            "crowds",
            "host",
            "site",
            "node",
            "session_secrets",
            "admission_rate",
            "overflow_after",
            "node_secret",
            // Follows from `ice.policy`.
            "relay_only",
            // Follow from `limits.connections_per_address` and `limits.connections`.
            "sessions_per_host",
            "sessions",
            // Follows from `limits.queue_bytes` and `limits.queue_messages`.
            "reader",
            "burst_bytes",
            "bytes_per_s",
            "burst_messages",
            // Follows from `ice.require_session`.
            "ice_passes",
            // Follows from the session's secrets.
            "receipts",
        ];
        let crowd = ["messages_per_s", "nexts_per_s", "texts_per_s"];
        for name in names.filter(|name| !named_otherwise.contains(name) && !crowd.contains(name)) {
            let stands = |prefix: &str, unit: &str| {
                let key = format!("{prefix}.{name}{unit}");
                SETTINGS.iter().any(|setting| setting.key == key)
            };
            let found = ["limits", "lobby"].iter().any(|prefix| stands(prefix, "") || stands(prefix, "_ms"));
            assert!(found, "{name} is no setting");
        }
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file() {
        let file = file("workers = 1\nice.server = []\n[limits]\nmax_depth = 4\nexempt = [\"10.0.0.0/8\"]\n");
        let env = [("VISAVIS_WORKERS", "2"), ("VISAVIS_LIMITS_MAX_DEPTH", "5"), ("VISAVIS_BIN", "whatever")];
        let loaded = load(&given(&file, &[("workers", &["3"])], &env)).unwrap();
        assert_eq!(loaded.config.workers, 3);
        assert_eq!(loaded.config.lobby.limits.max_depth, 5);
        assert!(loaded.config.bounds.exempt.contains("10.1.2.3".parse().unwrap()));
        assert!(loaded.config.ice.servers.is_empty());
        let source = |key| loaded.found.iter().find(|found| found.key == key).unwrap().source.to_string();
        assert_eq!(source("workers"), "flag");
        assert_eq!(source("limits.max_depth"), "environment");
        assert_eq!(source("limits.exempt"), file.path().display().to_string());
        assert_eq!(source("listen"), "default");
    }

    #[test]
    fn a_list_in_the_environment_is_separated_by_commas() {
        let env = vec![("VISAVIS_TRUSTED_PROXY".to_owned(), "10.0.0.0/8, ::1".to_owned())];
        let config = load(&Given { variables: env, ..Given::default() }).unwrap().config;
        assert!(config.trusted_proxies.contains("10.9.9.9".parse().unwrap()));
        assert!(config.trusted_proxies.contains("::1".parse().unwrap()));
    }

    #[test]
    fn a_variable_that_begins_like_ours_is_ours() {
        let sentence = |name: &str| {
            let variables = vec![(name.to_owned(), "1".to_owned())];
            load(&Given { variables, ..Given::default() }).err().map(|failure| failure.to_string())
        };
        for (wrong, meant) in [
            ("VISAVIS_LISTN", "VISAVIS_LISTEN"),
            ("VISAVIS_TURN_SECRETS", "VISAVIS_TURN_SECRET"),
            ("VISAVIS_ICE_POLICI", "VISAVIS_ICE_POLICY"),
            ("VISAVIS_LIMITS_EXEMPTS", "VISAVIS_LIMITS_EXEMPT"),
            ("VISAVIS_REDIS", "VISAVIS_REDIS_URL"),
        ] {
            let said = sentence(wrong).unwrap();
            assert_eq!(said, format!("{wrong}: no setting is called so; did you mean `{meant}`?"));
        }
        let said = sentence("VISAVIS_ZZZ").unwrap();
        assert!(said.ends_with("`visavis check-config` lists all settings"), "{said}");
        // What tests and container engines put there.
        for other in [
            "VISAVIS_BIN",
            "VISAVIS_REDIS_SERVER",
            "VISAVIS_SERVICE_HOST",
            "VISAVIS_SERVICE_PORT_HTTP",
            "VISAVIS_PORT",
            "VISAVIS_PORT_80_TCP_ADDR",
            "VISAVIS_RELAY_SERVICE_HOST",
            "VISAVIS_RELAY_PORT_3478_UDP",
            "visavis_listn",
            "OTHER",
        ] {
            assert_eq!(sentence(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_in_one_line_with_its_mend() {
        for (text, expected) in [
            ("lisen = \"x\"", "FILE: no setting is called `lisen`; did you mean `listen`?"),
            ("zzz = 1", "FILE: no setting is called `zzz`; `visavis check-config` lists all settings"),
            ("listen = \"8080\"", "FILE: listen: `8080` is not ADDR:PORT"),
            ("listen = [\"a\", \"b\"]", "FILE: listen: takes one value"),
            ("trusted_proxy = \"10.0.0.0/33\"", "FILE: trusted_proxy: `10.0.0.0/33` is not a network"),
            ("[limits]\nmax_depth = \"deep\"", "FILE: limits.max_depth: `deep` is not a whole number"),
            ("[limits]\nmax_depth = 0", "FILE: limits.max_depth: `0` is too small"),
            ("listen = ", "FILE, line 1: not TOML"),
            ("tls.listen = \"[::]:8443\"", "tls.listen: needs a certificate"),
            ("tls.cert = \"c.pem\"", "tls.cert, tls.key: nothing listens for TLS"),
            ("allow_origin = [\"example.org\"]", "FILE: allow_origin: `example.org` is not an origin"),
            ("ice.server = [\"turn:x\"]", "FILE: ice.server: `turn:x` is not a STUN URL"),
            ("ice.policy = \"both\"", "FILE: ice.policy: `both` is not a policy"),
            ("[[ice.region]]\nname = \"a\"", "FILE: ice.region: the region `a` needs `urls`"),
            ("[[ice.region]]\nname = \"a b\"", "FILE: ice.region.name: no spaces"),
            (
                "[[ice.region]]\nname = \"a\"\nurls = [\"turn:a\"]",
                "ice.region: relays of your own need the secret",
            ),
            ("[[ice.region]]\nplace = [[1]]", "FILE: ice.region.place: expected text or a number"),
            ("log.level = \"loud\"", "FILE: log.level: `loud` is not a level"),
            ("lobby.cut_after_ms = 10", "lobby.cut_after_ms: must be longer"),
            ("lobby.token_ttl_ms = 10", "lobby.token_ttl_ms: must be at least lobby.grace_ms"),
            ("ice.policy = \"relay\"\nturn.enabled = false", "ice.policy: `relay` needs a relay"),
            ("turn.relay_address = [\"0.0.0.0\"]", "turn.relay_address: peers cannot send to 0.0.0.0"),
            ("turn.relay_address = [\"::\"]", "turn.relay_address: peers cannot send to ::"),
            ("turn.relay_address = [\"224.0.0.1\"]", "turn.relay_address: peers cannot send to 224.0.0.1"),
            ("turn.relay_address = [\"255.255.255.255\"]", "turn.relay_address: peers cannot send to 255"),
            ("[limits]\nmax_frame_bytes = 1", "limits.max_frame_bytes: must hold a description"),
            ("[limits]\nmax_frame_bytes = 32768", "limits.max_frame_bytes: must hold a description"),
            ("[limits]\nmax_sdp_bytes = 10", "limits.max_sdp_bytes: `10` is less than any browser needs"),
            ("[limits]\nmax_candidate_bytes = 10", "limits.max_candidate_bytes: `10` is less"),
            ("[limits]\nmax_depth = 2", "limits.max_depth: `2` is less"),
            ("[limits]\nconnections = 1", "limits.connections: must be at least 2"),
            (
                "metrics.listen = \"127.0.0.1:8080\"",
                "metrics.listen: 127.0.0.1:8080 is taken by listen already",
            ),
            (
                "turn.listen = \"0.0.0.0:8080\"",
                "turn.listen: 0.0.0.0:8080 is taken by listen already; leave turn.listen",
            ),
            ("workers = 100000", "FILE: workers: `100000` is too large"),
            ("base_path = \"/a b/\"", "FILE: base_path: `/a b/` is not a path"),
            ("base_path = \"/../\"", "FILE: base_path: `/../` is not a path"),
            (
                "base_path = \"https://example.org/talk\"",
                "FILE: base_path: `https://example.org/talk` is not a path",
            ),
            (
                "stop_timeout_ms = 9223372036854775807",
                "FILE: stop_timeout_ms: `9223372036854775807` is too large",
            ),
            ("ice.server = [\"stun:a b\"]", "FILE: ice.server: `stun:a b` is not a STUN URL"),
            ("ice.server = [\"stun:a:99999\"]", "FILE: ice.server: `stun:a:99999` is not a STUN URL"),
            ("ice.server = [\"stun:::1\"]", "FILE: ice.server: `stun:::1` is not a STUN URL"),
        ] {
            let sentence = sentence(text);
            assert!(sentence.starts_with(expected), "{text:?} gives {sentence:?}");
        }
    }
}
