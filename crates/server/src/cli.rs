//! The command line: its flags come from the table of settings.

use crate::config::{Given, SETTINGS, Setting, Shape};
use crate::cost;
use crate::failure::Failure;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;

const NO_ICE_SERVERS: &str = "no-ice-servers";
const ALLOW_LOCAL_PEERS: &str = "turn.allow_local_peers";

pub(crate) enum Order {
    Serve(Given),
    Turn(Given),
    CheckConfig(Given),
    Health(Given),
    SelfSigned {
        folder: PathBuf,
    },
    /// Help or the version: text for standard output.
    Print(String),
}

/// # Errors
/// One sentence about the argument at fault.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    variables: Vec<(String, String)>,
) -> Result<Order, Failure> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Order::Print(error.render().to_string()));
        }
        Err(error) => return Err(Failure::Config(in_one_line(&error))),
    };
    Ok(match matches.subcommand() {
        None => Order::Serve(given(&matches, variables)),
        Some(("serve", matches)) => Order::Serve(given(matches, variables)),
        Some(("turn", matches)) => Order::Turn(Given { relay_alone: true, ..given(matches, variables) }),
        Some(("check-config", matches)) => Order::CheckConfig(given(matches, variables)),
        Some(("health", matches)) => Order::Health(given(matches, variables)),
        Some(("cost", matches)) => Order::Print(cost::answer(matches)),
        Some((_, matches)) => Order::SelfSigned {
            folder: matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| ".".into()),
        },
    })
}

fn command() -> Command {
    let out = Arg::new("out")
        .long("out")
        .value_name("DIR")
        .value_parser(clap::value_parser!(PathBuf))
        .default_value(".visavis/tls")
        .help("Where cert.pem and key.pem are written");
    with_settings(Command::new("visavis"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Random video chat that anyone can run: pairs strangers for video, audio or text")
        .after_help(
            "Every setting can also stand in the file of --config, or in the environment as VISAVIS_…; \
             a flag beats the environment, which beats the file.",
        )
        .args_conflicts_with_subcommands(true)
        .subcommand(with_settings(Command::new("serve")).about("Serve visitors; what `visavis` alone does"))
        .subcommand(
            with_turn_settings(Command::new("turn")).about("Relay only: STUN and TURN without the rest"),
        )
        .subcommand(
            with_settings(Command::new("check-config"))
                .about("Say whether the settings are sound, and where each comes from; serve nothing"),
        )
        .subcommand(
            with_settings(Command::new("health")).about(
                "Ask the server with these settings on this machine whether it lives: exit code 0 or 1",
            ),
        )
        .subcommand(cost::command())
        .subcommand(
            Command::new("self-signed")
                .about(
                    "Make a certificate for trials on the local network, and print the addresses it is for",
                )
                .arg(out),
        )
}

fn with_settings(command: Command) -> Command {
    let command = SETTINGS.iter().fold(command.arg(file()), |command, setting| {
        let flag = argument(setting, setting.flag());
        // Short, too, as it is for the relay alone.
        command.arg(if setting.key == ALLOW_LOCAL_PEERS { flag.alias("allow-local-peers") } else { flag })
    });
    command.arg(
        Arg::new(NO_ICE_SERVERS)
            .long(NO_ICE_SERVERS)
            .action(ArgAction::SetTrue)
            .conflicts_with("ice.server")
            .help("Name no STUN servers: where there is no relay either, browsers connect on one machine or network only"),
    )
}

/// The relay's settings without their prefix, and those of any server.
fn with_turn_settings(command: Command) -> Command {
    SETTINGS.iter().fold(command.arg(file()), |command, setting| {
        if let Some(name) =
            setting.key.strip_prefix("turn.").filter(|name| !matches!(*name, "enabled" | "public_host"))
        {
            return command.arg(argument(setting, name.replace('_', "-")));
        }
        match setting.key {
            "log.format" | "log.level" | "metrics.listen" | "limits.exempt" => {
                command.arg(argument(setting, setting.flag()))
            }
            _ => command,
        }
    })
}

fn file() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Settings in TOML [environment: VISAVIS_CONFIG]")
}

fn argument(setting: &'static Setting, flag: String) -> Arg {
    let meaning = setting.meaning.replace('`', "");
    let default = if setting.default.is_empty() { String::new() } else { format!(" [{}]", setting.default) };
    let argument = Arg::new(setting.key).long(flag).help(format!("{meaning}{default}"));
    match setting.shape {
        Shape::Flag(_) => argument.action(ArgAction::SetTrue),
        Shape::One(_) => argument.value_name(setting.value_name).action(ArgAction::Set),
        Shape::List(_) => argument.value_name(setting.value_name).action(ArgAction::Append),
    }
}

fn given(matches: &ArgMatches, variables: Vec<(String, String)>) -> Given {
    let mut flags = Vec::new();
    for setting in SETTINGS {
        // The relay alone has only some of them.
        match setting.shape {
            Shape::Flag(_) => {
                if let Ok(Some(true)) = matches.try_get_one::<bool>(setting.key) {
                    flags.push((setting.key, vec!["on".to_owned()]));
                }
            }
            Shape::One(_) | Shape::List(_) => {
                if let Ok(Some(values)) = matches.try_get_many::<String>(setting.key) {
                    flags.push((setting.key, values.cloned().collect()));
                }
            }
        }
    }
    if let Ok(Some(true)) = matches.try_get_one::<bool>(NO_ICE_SERVERS) {
        flags.push(("ice.server", Vec::new()));
    }
    Given { relay_alone: false, file: matches.get_one::<PathBuf>("config").cloned(), flags, variables }
}

/// Clap's message without its usage text: `unexpected argument '--lisen' found; a similar argument exists: '--listen'`.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim().trim_start_matches("error: ").trim_start_matches("tip: "))
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    if lines.len() < 2 {
        return format!("{}; `visavis --help` lists all flags", lines.concat());
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(arguments: &[&str]) -> Result<Order, Failure> {
        let arguments = std::iter::once("visavis").chain(arguments.iter().copied()).map(OsString::from);
        read(arguments, Vec::new())
    }

    #[test]
    fn serving_is_the_default() {
        for arguments in [&["--listen", "[::1]:1"][..], &["serve", "--listen", "[::1]:1"]] {
            let Ok(Order::Serve(given)) = order(arguments) else { panic!("{arguments:?}") };
            assert_eq!(given.flags, [("listen", vec!["[::1]:1".to_owned()])]);
        }
    }

    #[test]
    fn repeated_flags_make_a_list_and_none_is_a_list_too() {
        let arguments = ["--trusted-proxy", "10.0.0.1", "--trusted-proxy", "::1", "--no-ice-servers"];
        let Ok(Order::Serve(given)) = order(&arguments) else { panic!() };
        let list = |key| given.flags.iter().find(|(known, _)| *known == key).unwrap().1.clone();
        assert_eq!(list("trusted_proxy"), ["10.0.0.1", "::1"]);
        assert!(list("ice.server").is_empty());
    }

    #[test]
    fn a_wrong_flag_is_said_in_one_line() {
        for (arguments, expected) in [
            (
                &["--lisen", "x"][..],
                "unexpected argument '--lisen' found; a similar argument exists: '--listen'",
            ),
            (
                &["--listen"],
                "a value is required for '--listen <ADDR:PORT>' but none was supplied; `visavis --help`",
            ),
            (&["dance"], "unrecognized subcommand 'dance'; `visavis --help`"),
        ] {
            let Err(failure) = order(arguments) else { panic!("{arguments:?}") };
            assert!(failure.to_string().starts_with(expected), "{failure}");
            assert!(!failure.to_string().contains('\n'));
        }
    }

    #[test]
    fn the_flags_of_the_table_are_distinct() {
        command().debug_assert();
    }
}
