//! Sessions a client may resume, and what they tell about the handshakes that made them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

/// Servers remembered.
const SERVERS: usize = 32;

/// rustls' own cache, with an eye on what passes: quinn does not say which group and cipher a handshake chose,
/// but rustls tells its session store.
#[derive(Debug)]
pub(super) struct Sessions {
    cache: ClientSessionMemoryCache,
    chosen: Mutex<BTreeMap<String, Chosen>>,
}

/// What the last handshake with a server chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) group: Option<String>,
    /// Known as soon as a ticket came, which is after the handshake.
    pub(super) cipher: Option<String>,
}

impl Sessions {
    pub(super) fn new() -> Sessions {
        Sessions { cache: ClientSessionMemoryCache::new(SERVERS), chosen: Mutex::default() }
    }

    pub(super) fn chosen(&self, name: &ServerName<'_>) -> Chosen {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.get(name.to_str().as_ref()).cloned().unwrap_or_default()
    }

    fn note(&self, name: &ServerName<'_>, note: impl FnOnce(&mut Chosen)) {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_str();
        if chosen.len() < SERVERS || chosen.contains_key(name.as_ref()) {
            note(chosen.entry(name.into_owned()).or_default());
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.note(&name, |chosen| chosen.group = Some(format!("{group:?}")));
        self.cache.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(name)
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.cache.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.note(&name, |chosen| chosen.cipher = Some(super::cipher_name(value.suite().common.suite)));
        self.cache.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(name)
    }
}
