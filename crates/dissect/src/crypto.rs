//! Opening what was sealed: the derivations and ciphers that TLS, DTLS and QUIC share (RFC 2246, 5246, 5869, 8446).
//!
//! - `suite`: cipher suites. `aes`, `md5`: what of them ring does not have.

mod aes;
mod md5;
mod suite;

pub(crate) use aes::Aes;
pub(crate) use md5::md5;
pub(crate) use suite::{Cipher, Exchange, INITIAL, SUITE_NAMES, Suite};

use ring::aead::quic::HeaderProtectionKey;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};

/// A secret: as long as the hash of the connection's cipher suite, or 48 bytes in TLS 1.2.
#[derive(Clone, Copy)]
pub(crate) struct Secret {
    bytes: [u8; 48],
    len: u8,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.len)
    }
}

impl Secret {
    /// `None` if it is longer than any hash in use.
    pub(crate) fn new(secret: &[u8]) -> Option<Secret> {
        let mut bytes = [0; 48];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(Secret { bytes, len: secret.len() as u8 })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A cipher suite's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    pub(crate) fn size(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Hash::Sha256 => hkdf::HKDF_SHA256,
            Hash::Sha384 => hkdf::HKDF_SHA384,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
        }
    }
}

/// HKDF-Extract, as QUIC's Initial secrets need it.
pub(crate) fn extract(salt: &[u8], id: &[u8], label: &[u8]) -> Option<Secret> {
    let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(id);
    let mut bytes = [0; 32];
    expand_from(&initial, label, &mut bytes)?;
    Secret::new(&bytes)
}

/// HKDF-Expand-Label without context (RFC 8446 7.1).
pub(crate) fn expand(hash: Hash, secret: &Secret, label: &[u8], out: &mut [u8]) -> Option<()> {
    // A key log may say anything: a secret of another length belongs to another suite.
    if secret.bytes().len() != hash.size() {
        return None;
    }
    expand_from(&hkdf::Prk::new_less_safe(hash.hkdf(), secret.bytes()), label, out)
}

fn expand_from(secret: &hkdf::Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    /// A length for HKDF-Expand.
    struct Length(usize);

    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    let length = (out.len() as u16).to_be_bytes();
    let label_length = [6 + label.len() as u8];
    let info: [&[u8]; 5] = [&length, &label_length, b"tls13 ", label, &[0]];
    secret.expand(&info, Length(out.len())).ok()?.fill(out).ok()
}

/// The secret that follows this one in a chain of updates.
pub(crate) fn next_secret(hash: Hash, secret: &Secret, label: &[u8]) -> Option<Secret> {
    let mut bytes = [0; 48];
    let out = &mut bytes[..hash.size()];
    expand(hash, secret, label, out)?;
    Secret::new(out)
}

/// The pseudo-random function of TLS 1.2 (RFC 5246 5).
pub(crate) fn prf(hash: Hash, secret: &[u8], label: &[u8], seed: [&[u8]; 2], out: &mut [u8]) {
    let key = hmac::Key::new(hash.hmac(), secret);
    out.fill(0);
    stretch(out, [label, seed[0], seed[1]], |parts| signed(&key, parts));
}

/// That of TLS 1.0 and 1.1: MD5 with one half of the secret, SHA-1 with the other (RFC 2246 5).
pub(crate) fn prf_10(secret: &[u8], label: &[u8], seed: [&[u8]; 2], out: &mut [u8]) {
    let half = secret.len().div_ceil(2);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret[secret.len() - half..]);
    let seed = [label, seed[0], seed[1]];
    out.fill(0);
    stretch(out, seed, |parts| md5::hmac_md5(&secret[..half], parts));
    stretch(out, seed, |parts| signed(&key, parts));
}

fn signed(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

/// Turns over the bits of `out` that a chain of digests has set (RFC 5246 5, P_hash).
fn stretch<D: AsRef<[u8]>>(out: &mut [u8], seed: [&[u8]; 3], sign: impl Fn(&[&[u8]]) -> D) {
    let mut chain = sign(&seed);
    for piece in out.chunks_mut(chain.as_ref().len()) {
        let bytes = sign(&[chain.as_ref(), seed[0], seed[1], seed[2]]);
        piece.iter_mut().zip(bytes.as_ref()).for_each(|(out, byte)| *out ^= byte);
        chain = sign(&[chain.as_ref()]);
    }
}

/// A key of an AEAD and what its nonces are made from.
#[derive(Clone)]
pub(crate) struct Key {
    aead: Aead,
    iv: [u8; 12],
}

/// Boxed: they are large, and most connections of a capture have none.
#[derive(Clone)]
enum Aead {
    Ring(Box<LessSafeKey>),
    /// With tags of so many bytes.
    Ccm(Aes, usize),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// `None`: the cipher is no AEAD, or has keys of another length.
    pub(crate) fn new(cipher: Cipher, key: &[u8], iv: [u8; 12]) -> Option<Key> {
        let aead = match (cipher, cipher.aead()) {
            (Cipher::Ccm { tag, .. }, _) => Aead::Ccm(Aes::new(key)?, usize::from(tag)),
            (_, algorithm) => Aead::Ring(Box::new(LessSafeKey::new(UnboundKey::new(algorithm?, key).ok()?))),
        };
        Some(Key { aead, iv })
    }

    /// From a secret, by labels that begin with `prefix`: "" in TLS 1.3, "quic " in QUIC 1.
    pub(crate) fn derive(suite: Suite, secret: &Secret, prefix: &str) -> Option<Key> {
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        let key = &mut key[..suite.cipher.key_size()];
        expand(suite.hash, secret, format!("{prefix}key").as_bytes(), key)?;
        expand(suite.hash, secret, format!("{prefix}iv").as_bytes(), &mut iv)?;
        Key::new(suite.cipher, key, iv)
    }

    /// The nonce of record or packet `number` (RFC 8446 5.3).
    pub(crate) fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, part) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= part;
        }
        nonce
    }

    /// The length of what stands behind the sealed bytes.
    pub(crate) fn tag(&self) -> usize {
        match &self.aead {
            Aead::Ring(key) => key.algorithm().tag_len(),
            Aead::Ccm(_, tag) => *tag,
        }
    }

    /// Opens what was sealed with this nonce. `None`: the key is not the one, or a bit was turned over.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let key = match &self.aead {
            Aead::Ring(key) => key,
            Aead::Ccm(aes, tag) => return aes.open_counted(nonce, aad, sealed, *tag),
        };
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let len = key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    }
}

/// The key that hides a QUIC packet's number (RFC 9001 5.4).
pub(crate) fn header_key(suite: Suite, secret: &Secret, prefix: &str) -> Option<HeaderProtectionKey> {
    let mut key = [0; 32];
    let key = &mut key[..suite.cipher.key_size()];
    expand(suite.hash, secret, format!("{prefix}hp").as_bytes(), key)?;
    HeaderProtectionKey::new(suite.cipher.header()?, key).ok()
}

#[cfg(test)]
mod tests;
