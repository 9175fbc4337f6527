//! The certificate: read at start, read again when its files change or SIGHUP asks for it. A new one that cannot be
//! read, or that browsers would refuse where they take the old one, leaves the old one in use.

use crate::certificate::Chain;
use crate::failure::Failure;
use crate::notice::warn_rarely;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{DEFAULT_VERSIONS, Error, InconsistentKeys, ServerConfig};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// TURN in a TLS handshake (RFC 7443). Browsers say nothing there.
pub(super) const STUN_TURN: &[u8] = b"stun.turn";

pub(crate) struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    /// `tls.` or `turn.tls_`: how the settings of the two files begin.
    prefix: &'static str,
    current: RwLock<Pair>,
}

/// What was read from the two files.
#[derive(Clone)]
struct Pair {
    acceptor: TlsAcceptor,
    /// `None` where TLS can use the certificate and we cannot read it.
    chain: Option<Chain>,
}

impl Certificates {
    pub(crate) fn load(cert: &Path, key: &Path, prefix: &'static str) -> Result<Arc<Self>, Failure> {
        let pair = read(cert, key, prefix).map_err(Failure::Config)?;
        Ok(Arc::new(Certificates {
            cert: cert.to_owned(),
            key: key.to_owned(),
            prefix,
            current: RwLock::new(pair),
        }))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    fn chain(&self) -> Option<Chain> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).chain.clone()
    }

    /// The listener it is for, in the metrics.
    pub(crate) fn label(&self) -> &'static str {
        if self.prefix == "tls." { "https" } else { "relay" }
    }

    pub(crate) fn expires_unix_s(&self) -> Option<i64> {
        self.chain().map(|chain| chain.expires_unix_s())
    }

    /// For people: whom it is for and until when.
    pub(crate) fn summary(&self) -> String {
        let what = self.chain().map_or("cannot be read".to_owned(), |chain| chain.summary());
        format!("{}cert: {what}", self.prefix)
    }

    /// Why browsers will refuse the certificate that is in use.
    pub(crate) fn flaw(&self) -> Option<String> {
        self.chain()?.flaw().map(|flaw| self.of_cert(&flaw))
    }

    /// The same where they come by this name.
    pub(crate) fn flaw_for(&self, name: &str) -> Option<String> {
        let chain = self.chain()?;
        let flaw =
            || format!("is for {}, and turn.public_host is {name}: browsers refuse it", chain.summary());
        (!chain.is_for(name)).then(|| self.of_cert(&flaw()))
    }

    fn of_cert(&self, flaw: &str) -> String {
        format!("{}cert: {} {flaw}", self.prefix, self.cert.display())
    }

    /// Looks at the files for as long as the process runs.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let stamps = self.stamps();
            if stamps != seen {
                self.reload();
            }
            // Also after a failure: it is said once, until the files change again.
            seen = stamps;
        }
    }

    /// Reads the files again.
    pub(crate) fn reload(&self) {
        let fresh = read(&self.cert, &self.key, self.prefix).and_then(|pair| {
            let flaw = pair.chain.as_ref().and_then(Chain::flaw).map(|flaw| self.of_cert(&flaw));
            match flaw {
                Some(flaw) if self.flaw().is_none() => Err(flaw),
                Some(_) | None => Ok(pair),
            }
        });
        match fresh {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
                tracing::info!("the new certificate is in use: {}", self.summary());
            }
            Err(sentence) => tracing::warn!("the old certificate stays in use: {sentence}"),
        }
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.cert, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

fn read(cert: &Path, key: &Path, prefix: &'static str) -> Result<Pair, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{prefix}cert: cannot read {}: {}", cert.display(), one_line(&error)))?;
    if chain.is_empty() {
        return Err(format!("{prefix}cert: {} holds no certificate; give a PEM file", cert.display()));
    }
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("{prefix}key: cannot read {}: {}", key.display(), one_line(&error)))?;
    let facts = Chain::read(&chain);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| {
            let key = CertifiedKey::from_der(chain, key_der, builder.crypto_provider())?;
            let shown = Shown { key: Arc::new(key), chain: facts.clone(), prefix };
            Ok(builder.with_cert_resolver(Arc::new(shown)))
        })
        .map_err(|error| {
            let why = match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    "the key is another certificate's".to_owned()
                }
                error => error.to_string(),
            };
            format!("{prefix}cert, {prefix}key: {} and {} do not fit: {why}", cert.display(), key.display())
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), STUN_TURN.to_vec()];
    Ok(Pair { acceptor: TlsAcceptor::from(Arc::new(config)), chain: facts })
}

/// The one certificate, shown to everybody; who asked for another name will refuse it.
#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    chain: Option<Chain>,
    prefix: &'static str,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let (Some(name), Some(chain)) = (hello.server_name(), &self.chain)
            && !chain.is_for(name)
        {
            warn_rarely!(
                "{}cert: somebody came for {name}, and the certificate is for {}: browsers refuse it",
                self.prefix,
                chain.summary()
            );
        }
        Some(Arc::clone(&self.key))
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().collect::<Vec<_>>().join(", ")
}
