//! The key that seals resume tokens, where the operator gives none: made once, kept for the next start.

use crate::config::Config;
use crate::failure::Failure;
use crate::reason;
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use visavis_lobby::SessionSecret;
use visavis_turn::{Secret, Secrets};

const FILE: &str = "session.key";

/// Whether the server needs a key that it has to keep itself.
pub(crate) fn is_wanted(config: &Config) -> bool {
    let has_relay = config.turn.enabled || !config.ice.regions.is_empty();
    let of_sessions = config.session_resume || config.ice.require_session || config.redis.url.is_some();
    let of_relay = has_relay && config.turn.secrets.is_empty();
    config.lobby.session_secrets.is_empty() && (of_sessions || of_relay)
}

/// Whether [`load_or_make`] would come to an end; nothing stays behind.
///
/// # Errors
/// As [`load_or_make`].
pub(crate) fn can_be_kept(state_dir: &Path) -> Result<(), Failure> {
    let path = state_dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => read(&path, bytes).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Tried, not asked for: of a file system that takes nothing, rights tell nothing.
            let missing = state_dir.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists());
            match missing.last() {
                Some(first) => {
                    let tried = fs::create_dir(first).and_then(|()| fs::remove_dir(first));
                    tried.map_err(|error| cannot("make", first, &error))
                }
                None => {
                    let trial = state_dir.join(format!("{FILE}.{}", std::process::id()));
                    let tried = fs::File::create_new(&trial).and_then(|_| fs::remove_file(&trial));
                    tried.map_err(|error| cannot("write", &path, &error))
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(cannot("make", state_dir, &error)),
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

fn read(path: &Path, bytes: Vec<u8>) -> Result<SessionSecret, Failure> {
    bytes.try_into().map(SessionSecret).map_err(|_| {
        Failure::Runtime(format!("state_dir: {} is not a key of 32 bytes; remove it", path.display()))
    })
}

/// Reads the key in `state_dir`, or makes one that only this user can read.
///
/// # Errors
/// One sentence that names `state_dir` and the mend.
pub(crate) fn load_or_make(state_dir: &Path) -> Result<SessionSecret, Failure> {
    let path = state_dir.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let key = read(&path, bytes)?;
            // Whoever can read the key can take over every session.
            if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(0o600)) {
                tracing::warn!("state_dir: {} may be readable by others: {}", path.display(), reason(&error));
            }
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(state_dir, &path),
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

/// What mints and opens TURN credentials where the operator gives no `turn.secret`: derived from the secrets that
/// seal resume tokens, so that all nodes that share those agree on it, and rotating them rotates it.
///
/// # Errors
/// As [`load_or_make`], which is asked if `session_secrets` is empty.
pub(crate) fn turn_secrets(
    given: &[Secret],
    session_secrets: &[SessionSecret],
    state_dir: &Path,
) -> Result<Secrets, Failure> {
    let mut all = match (given, session_secrets) {
        ([], []) => vec![derive_turn(&load_or_make(state_dir)?)],
        ([], _) => session_secrets.iter().map(derive_turn).collect(),
        (_, _) => given.to_vec(),
    }
    .into_iter();
    let minting = all.next().ok_or_else(|| Failure::Config("turn.secret: is empty; leave it out".into()))?;
    Ok(Secrets::new(minting, all))
}

/// What seals receipts: the secrets of sessions. Where there are none and none can be kept, a key of this process: then a
/// stranger can be reported until it ends.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn receipt_secrets(
    session_secrets: &[SessionSecret],
    state_dir: &Path,
) -> Result<Vec<SessionSecret>, Failure> {
    if !session_secrets.is_empty() {
        return Ok(session_secrets.to_vec());
    }
    match load_or_make(state_dir) {
        Ok(kept) => Ok(vec![kept]),
        Err(failure) => {
            tracing::warn!("{failure}; until then strangers cannot be reported any more after a restart");
            Ok(vec![SessionSecret(random()?)])
        }
    }
}

fn derive_turn(secret: &SessionSecret) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
    let derived = BASE64URL_NOPAD.encode(hmac::sign(&key, b"visavis turn secret 1").as_ref());
    Secret::new(derived).expect("32 bytes are not empty")
}

fn make(state_dir: &Path, path: &Path) -> Result<SessionSecret, Failure> {
    let key = random()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|error| cannot("make", state_dir, &error))?;
    // Written whole under a name of its own and then linked: nobody ever reads half a key.
    let draft = state_dir.join(format!("{FILE}.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&draft, path));
    // If it stays, it is a key that nobody uses.
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(SessionSecret(key)),
        // Another process that starts at the same moment was faster; its key is as good.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => load_or_make(state_dir),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

fn random() -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|_| Failure::Runtime("the system gives no random bytes for the session key".into()))?;
    Ok(key)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Runtime(format!(
        "state_dir: cannot {what} {}: {}; set state_dir to a directory of this user, or set session.secret",
        path.display(),
        reason(error)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_user_can_read_it() {
        let dir = std::env::temp_dir().join(format!("visavis-key-{}", std::process::id()));
        let state_dir = dir.join("state");
        let made = load_or_make(&state_dir).unwrap();
        assert_eq!(load_or_make(&state_dir).unwrap().0, made.0);
        let mode = fs::metadata(state_dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(state_dir.join(FILE), b"short").unwrap();
        assert!(load_or_make(&state_dir).is_err());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn turn_secrets_are_those_given_or_else_follow_the_session_secrets() {
        let nowhere = Path::new("/dev/null/no-folder");
        let password = |secrets: &Secrets| secrets.mint(1_893_456_000, "alice").password;
        let given =
            turn_secrets(&[Secret::new("s3cret").unwrap()], &[SessionSecret([1; 32])], nowhere).unwrap();
        assert_eq!(password(&given), "6zlfmlvWfWDvDds1Zc+zxTmSW8w=");
        let derived =
            |bytes: u8| password(&turn_secrets(&[], &[SessionSecret([bytes; 32])], nowhere).unwrap());
        assert_eq!(derived(1), derived(1));
        assert_ne!(derived(1), derived(2));
        assert!(turn_secrets(&[], &[], nowhere).is_err());
    }
}
