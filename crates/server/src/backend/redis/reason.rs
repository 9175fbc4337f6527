//! Why Redis cannot be reached, and how to fix it. Never with the URL: it may hold a password.

use ::redis::{ErrorKind, RedisError};
use std::error::Error as _;

pub(super) fn reason(error: &RedisError) -> String {
    if error.is_io_error() {
        // The source is the system's own error, or that of TLS.
        let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        return of_line(&said);
    }
    if error.kind() == ErrorKind::Parse {
        return "what answers at the host and port of redis.url is no Redis, or wants TLS (rediss://)".into();
    }
    let said = match error.detail().and_then(|detail| detail.lines().next()) {
        Some(detail) => format!("{}: {detail}", error.category()),
        None => error.category().to_owned(),
    };
    let wants_password = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
    match wants_password {
        true => format!("{said}; redis.url takes a user and a password: redis://user:password@HOST:PORT"),
        false => said,
    }
}

fn of_line(said: &str) -> String {
    let said = said.split(" (os error").next().unwrap_or(said);
    let fix = FIXES.iter().find(|(sign, _)| said.to_lowercase().contains(sign)).map(|(_, fix)| *fix);
    match fix {
        Some(fix) => format!("{}; {fix}", said.to_lowercase()),
        None => said.to_lowercase(),
    }
}

/// What the system and TLS say, in lower case, and what an operator does about it.
const FIXES: &[(&str, &str)] = &[
    ("connection refused", "nothing listens at the host and port of redis.url"),
    ("lookup", "the name in redis.url is not known here"),
    (
        "unknownissuer",
        "the authority that issued its certificate is not trusted here; name its file in SSL_CERT_FILE",
    ),
    ("notvalidforname", "its certificate is for another name than the host in redis.url"),
    ("expired", "its certificate has expired; renew it"),
    ("invalid peer certificate", "its certificate is not accepted"),
    ("corrupt message", "it does not speak TLS there; rediss:// is for TLS, redis:// is without"),
    ("unreachable", "no way leads to the host of redis.url"),
    ("timed out", "a firewall may drop what goes to the host and port of redis.url"),
    ("no answer in time", "a firewall may drop what goes to the host and port of redis.url"),
    ("reset", "it hangs up; perhaps it wants TLS, as rediss://"),
    ("eof", "it hangs up; perhaps it wants TLS, as rediss://"),
    ("broken pipe", "it hangs up; perhaps it wants TLS, as rediss://"),
    ("multiplexed connection driver", "it hangs up; perhaps it wants TLS, as rediss://"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_of_the_line_is_said_with_its_fix() {
        let said = |error: io::Error| reason(&RedisError::from(error));
        assert_eq!(
            said(io::Error::from_raw_os_error(111)),
            "connection refused; nothing listens at the host and port of redis.url"
        );
        let tls = "invalid peer certificate: UnknownIssuer";
        assert!(said(io::Error::new(io::ErrorKind::InvalidData, tls)).contains("SSL_CERT_FILE"));
        assert_eq!(said(io::Error::other("Something else")), "something else");
    }

    #[test]
    fn a_password_that_is_wrong_is_said_so() {
        let error = RedisError::from((ErrorKind::AuthenticationFailed, "wrong password"));
        assert!(reason(&error).contains("user:password@"), "{}", reason(&error));
    }
}
