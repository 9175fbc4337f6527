//! The certificate: read at start, read again when its files change. A new one that cannot be read leaves the old.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{DEFAULT_VERSIONS, ServerConfig};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// TURN in a TLS handshake (RFC 7443). Browsers say nothing there.
pub(super) const STUN_TURN: &[u8] = b"stun.turn";

pub(crate) struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
}

impl Certificates {
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, Failure> {
        let acceptor = read(cert, key).map_err(Failure::Config)?;
        Ok(Arc::new(Certificates {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(acceptor),
        }))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files for as long as the process runs.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let stamps = self.stamps();
            if stamps == seen {
                continue;
            }
            match read(&self.cert, &self.key) {
                Ok(acceptor) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                    tracing::info!("the new certificate is in use");
                }
                Err(sentence) => tracing::warn!("the old certificate stays in use: {sentence}"),
            }
            // Also after a failure: it is said once, until the files change again.
            seen = stamps;
        }
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.cert, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

fn read(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| format!("tls.cert: cannot read {}: {}", cert.display(), one_line(&error)))?;
    if chain.is_empty() {
        return Err(format!("tls.cert: {} holds no certificate; give a PEM file", cert.display()));
    }
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("tls.key: cannot read {}: {}", key.display(), one_line(&error)))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key_der))
        .map_err(|error| {
            format!("tls.cert, tls.key: {} and {} do not fit: {error}", cert.display(), key.display())
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), STUN_TURN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().collect::<Vec<_>>().join(", ")
}
