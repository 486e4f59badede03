//! rustls crypto that repeats under a seed inside a lab, and is truly random outside.
//!
//! ring draws key shares from the kernel by itself, whatever `secure_random` says. In a lab both come from the lab
//! thread's seeded entropy: an own X25519 group, and an own source for hellos and session ids. What still would not
//! repeat is avoided by the lab's servers: ECDSA and RSA signatures (Ed25519 repeats), and ring's ticketer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

mod certified;

pub use certified::{certified, certified_pem};

use crate::network::Network;

/// ring's provider; inside a lab its randomness comes from the lab's entropy.
pub fn crypto_provider(network: &Network) -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    if network.is_virtual() {
        provider.secure_random = &LabRandom;
        provider.kx_groups = vec![&LabX25519];
    }
    Arc::new(provider)
}

/// Certificate dates are judged by the network's date.
pub fn time_provider(network: &Network) -> Arc<dyn TimeProvider> {
    Arc::new(NetworkTime(network.clone()))
}

#[derive(Debug)]
struct NetworkTime(Network);

impl TimeProvider for NetworkTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix_time()))
    }
}

#[derive(Debug)]
struct LabRandom;

impl SecureRandom for LabRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        thru_os::entropy::fill(bytes);
        Ok(())
    }
}

#[derive(Debug)]
struct LabX25519;

impl SupportedKxGroup for LabX25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let mut secret = [0; 32];
        thru_os::entropy::fill(&mut secret);
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret);
        Ok(Box::new(LabExchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct LabExchange {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for LabExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, rustls::Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        // RFC 8446 7.4.2: an all-zero result means that the peer's key was of low order.
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(shared.as_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Collects secrets in memory, in the NSS key log format. Clones share the text.
#[derive(Clone, Default)]
pub struct KeyLogBuffer(Arc<Mutex<String>>);

impl KeyLogBuffer {
    /// All lines so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl rustls::KeyLog for KeyLogBuffer {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(label);
        for bytes in [client_random, secret] {
            text.push(' ');
            for byte in bytes {
                text.push_str(&format!("{byte:02x}"));
            }
        }
        text.push('\n');
    }
}

impl fmt::Debug for KeyLogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets don't belong in debug output.
        f.write_str("KeyLogBuffer")
    }
}
