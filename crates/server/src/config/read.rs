//! Finds the value of every setting: flag, environment, file, default, in this order.

use super::values::switch;
use super::{Config, SETTINGS, Setting, Shape, file};
use crate::failure::Failure;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the command line and the environment gave.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) file: Option<PathBuf>,
    /// Values of flags, by the key of their setting.
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
    /// Environment variables; only those of the table are looked at.
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

    let mut config = Config::default();
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
        apply(setting, &values, &mut config)
            .map_err(|sentence| Failure::Config(format!("{}: {sentence}", name(setting, &source))))?;
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
        let nearest = SETTINGS
            .iter()
            .map(|setting| (strsim::jaro_winkler(setting.key, key), setting.key))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.8);
        let hint = match nearest {
            Some((_, nearest)) => format!("did you mean `{nearest}`?"),
            None => "`visavis check-config` lists all settings".to_owned(),
        };
        return Err(Failure::Config(format!("{}: no setting is called `{key}`; {hint}", path.display())));
    }
    Ok(())
}

/// A setting as the operator wrote it.
fn name(setting: &Setting, source: &Source) -> String {
    match source {
        Source::Default => setting.key.to_owned(),
        Source::File(path) => format!("{}: {}", path.display(), setting.key),
        Source::Environment => setting.variable(),
        Source::Flag => format!("--{}", setting.flag()),
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
        ] {
            let sentence = sentence(text);
            assert!(sentence.starts_with(expected), "{text:?} gives {sentence:?}");
        }
    }
}
