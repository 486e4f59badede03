//! Opening what was sealed: the derivations and ciphers that TLS and QUIC share (RFC 5246, 5869, 8446).

use ring::aead::quic::HeaderProtectionKey;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
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

/// A cipher suite's cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// What of a cipher suite matters here. How keys were agreed upon and who signed what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    pub(crate) hash: Hash,
}

/// The suite of QUIC's Initial packets.
pub(crate) const INITIAL: Suite = Suite { cipher: Cipher::Aes128Gcm, hash: Hash::Sha256 };

impl Suite {
    /// By its number at IANA; `None` for suites that can't be opened, such as those with CBC.
    pub(crate) fn of(number: u16) -> Option<Suite> {
        let (cipher, hash) = match number {
            0x1301 | 0x009C | 0x009E | 0xC02B | 0xC02F => (Cipher::Aes128Gcm, Hash::Sha256),
            0x1302 | 0x009D | 0x009F | 0xC02C | 0xC030 => (Cipher::Aes256Gcm, Hash::Sha384),
            0x1303 | 0xCCA8..=0xCCAA => (Cipher::ChaCha20Poly1305, Hash::Sha256),
            _ => return None,
        };
        Some(Suite { cipher, hash })
    }
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

impl Cipher {
    pub(crate) fn key_size(self) -> usize {
        match self {
            Cipher::Aes128Gcm => 16,
            Cipher::Aes256Gcm | Cipher::ChaCha20Poly1305 => 32,
        }
    }

    fn aead(self) -> &'static aead::Algorithm {
        match self {
            Cipher::Aes128Gcm => &aead::AES_128_GCM,
            Cipher::Aes256Gcm => &aead::AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    fn header(self) -> &'static aead::quic::Algorithm {
        match self {
            Cipher::Aes128Gcm => &aead::quic::AES_128,
            Cipher::Aes256Gcm => &aead::quic::AES_256,
            Cipher::ChaCha20Poly1305 => &aead::quic::CHACHA20,
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
    let sign = |parts: &[&[u8]]| {
        let mut context = hmac::Context::with_key(&key);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    };
    let mut chain = sign(&[label, seed[0], seed[1]]);
    for piece in out.chunks_mut(hash.size()) {
        let bytes = sign(&[chain.as_ref(), label, seed[0], seed[1]]);
        piece.copy_from_slice(&bytes.as_ref()[..piece.len()]);
        chain = sign(&[chain.as_ref()]);
    }
}

/// A key and what its nonces are made from.
#[derive(Clone)]
pub(crate) struct Key {
    /// Boxed: it is large, and most connections of a capture have none.
    key: Box<LessSafeKey>,
    iv: [u8; 12],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    pub(crate) fn new(cipher: Cipher, key: &[u8], iv: [u8; 12]) -> Option<Key> {
        Some(Key { key: Box::new(LessSafeKey::new(UnboundKey::new(cipher.aead(), key).ok()?)), iv })
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

    /// Opens what was sealed with this nonce. `None`: the key is not the one, or a bit was turned over.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let len = self.key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    }
}

/// The key that hides a QUIC packet's number (RFC 9001 5.4).
pub(crate) fn header_key(suite: Suite, secret: &Secret, prefix: &str) -> Option<HeaderProtectionKey> {
    let mut key = [0; 32];
    let key = &mut key[..suite.cipher.key_size()];
    expand(suite.hash, secret, format!("{prefix}hp").as_bytes(), key)?;
    HeaderProtectionKey::new(suite.cipher.header(), key).ok()
}

#[cfg(test)]
mod tests;
