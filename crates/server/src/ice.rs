//! What browsers gather their candidates with: which relays, under which name and password, for how long.
//!
//! What always holds: a browser gets fewer than five URLs, the nearest relay over UDP first and alone in its entry,
//! STUN last in an entry without credentials: a relay that is full or out of reach must not cost a visitor the direct path.
//! Credentials are minted here and nowhere else; none is logged or stored.

mod choice;
mod own;
mod region;

pub(crate) use choice::{Choice, choose};
pub(crate) use own::{Asked, By, OwnRelay, Told};
pub(crate) use region::{Region, RelayUrl};

#[derive(Clone, Debug, Default)]
pub(crate) struct IceSettings {
    /// STUN, for where no relay is certain to answer it.
    pub(crate) servers: Vec<String>,
    /// In the operator's order: what counts where nobody knows where the visitor is.
    pub(crate) regions: Vec<Region>,
    /// How long credentials open a relay.
    pub(crate) ttl_s: u64,
    /// The same where a credential is bound to a session.
    pub(crate) session_ttl_s: u64,
    pub(crate) policy: IcePolicy,
    pub(crate) require_session: bool,
}

impl IceSettings {
    pub(crate) fn lifetime_s(&self) -> u64 {
        if self.require_session { self.session_ttl_s } else { self.ttl_s }
    }
}

/// Whether strangers may learn each other's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IcePolicy {
    #[default]
    Direct,
    Relay,
}
