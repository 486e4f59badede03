//! Cipher suites: what of them matters to open what they seal, and how their keys are agreed upon. Both follow from
//! their names: `TLS_` how keys are agreed upon `_WITH_` how records are sealed (RFC 5246 A.5, RFC 8446 B.4).
//!
//! - `registry`: the names.

mod registry;

use super::Hash;
pub(crate) use registry::SUITE_NAMES;
use ring::{aead, hmac};

/// A cipher suite's cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    /// AES in counter mode with CBC-MAC (RFC 6655): bytes of the key and of the tag.
    Ccm {
        key: u8,
        tag: u8,
    },
    /// AES in CBC mode beside a MAC: bytes of the key.
    Cbc {
        key: u8,
        mac: Mac,
    },
    /// A MAC and no cipher.
    Null {
        mac: Mac,
    },
}

/// The MAC of suites that are no AEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

/// What of a cipher suite matters to open records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    /// Keys are derived with it, in TLS 1.0 and 1.1 with something older.
    pub(crate) hash: Hash,
}

/// The suite of QUIC's Initial packets.
pub(crate) const INITIAL: Suite = Suite { cipher: Cipher::Aes128Gcm, hash: Hash::Sha256 };

/// What names say of how records are sealed. Suites with other words (3DES, RC4, Camellia) are not opened.
static SEALED_WITH: [(&str, Cipher, Hash); 18] = {
    use Cipher::{Aes128Gcm, Aes256Gcm, Cbc, Ccm, ChaCha20Poly1305, Null};
    [
        ("AES_128_GCM_SHA256", Aes128Gcm, Hash::Sha256),
        ("AES_256_GCM_SHA384", Aes256Gcm, Hash::Sha384),
        ("CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, Hash::Sha256),
        ("AES_128_CCM", Ccm { key: 16, tag: 16 }, Hash::Sha256),
        ("AES_128_CCM_SHA256", Ccm { key: 16, tag: 16 }, Hash::Sha256),
        ("AES_256_CCM", Ccm { key: 32, tag: 16 }, Hash::Sha256),
        ("AES_128_CCM_8", Ccm { key: 16, tag: 8 }, Hash::Sha256),
        ("AES_128_CCM_8_SHA256", Ccm { key: 16, tag: 8 }, Hash::Sha256),
        ("AES_256_CCM_8", Ccm { key: 32, tag: 8 }, Hash::Sha256),
        ("AES_256_CCM_SHA384", Ccm { key: 32, tag: 16 }, Hash::Sha384),
        ("AES_128_CBC_SHA", Cbc { key: 16, mac: Mac::Sha1 }, Hash::Sha256),
        ("AES_256_CBC_SHA", Cbc { key: 32, mac: Mac::Sha1 }, Hash::Sha256),
        ("AES_128_CBC_SHA256", Cbc { key: 16, mac: Mac::Sha256 }, Hash::Sha256),
        ("AES_256_CBC_SHA256", Cbc { key: 32, mac: Mac::Sha256 }, Hash::Sha256),
        ("AES_256_CBC_SHA384", Cbc { key: 32, mac: Mac::Sha384 }, Hash::Sha384),
        ("NULL_SHA", Null { mac: Mac::Sha1 }, Hash::Sha256),
        ("NULL_SHA256", Null { mac: Mac::Sha256 }, Hash::Sha256),
        ("NULL_SHA384", Null { mac: Mac::Sha384 }, Hash::Sha384),
    ]
};

/// How a suite's keys are agreed upon before TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Rsa,
    /// Diffie-Hellman over numbers, signed or not.
    Dhe,
    DhAnonymous,
    /// The same over curves, signed, not signed, or with the key of the certificate.
    Ecdhe,
    EcdhAnonymous,
    Ecdh,
    Psk,
    RsaPsk,
}

/// What names say of it. What Wireshark does not read either (static Diffie-Hellman, PSKs beside it) is not here.
static AGREED_BY: [(&str, Exchange); 11] = [
    ("RSA", Exchange::Rsa),
    ("DHE_RSA", Exchange::Dhe),
    ("DHE_DSS", Exchange::Dhe),
    ("DH_anon", Exchange::DhAnonymous),
    ("ECDHE_RSA", Exchange::Ecdhe),
    ("ECDHE_ECDSA", Exchange::Ecdhe),
    ("ECDH_anon", Exchange::EcdhAnonymous),
    ("ECDH_RSA", Exchange::Ecdh),
    ("ECDH_ECDSA", Exchange::Ecdh),
    ("PSK", Exchange::Psk),
    ("RSA_PSK", Exchange::RsaPsk),
];

/// A suite's name behind `TLS_`, in two parts: the first is empty in TLS 1.3, where suites don't say how keys are
/// agreed upon.
fn parts(number: u16) -> Option<(&'static str, &'static str)> {
    let place = SUITE_NAMES.binary_search_by_key(&u64::from(number), |(number, _)| *number).ok()?;
    let name = SUITE_NAMES[place].1.strip_prefix("TLS_")?;
    Some(name.split_once("_WITH_").unwrap_or(("", name)))
}

impl Suite {
    /// By its number at IANA; `None` for suites that can't be opened.
    pub(crate) fn of(number: u16) -> Option<Suite> {
        let (_, words) = parts(number)?;
        let (_, cipher, hash) = *SEALED_WITH.iter().find(|(known, ..)| *known == words)?;
        Some(Suite { cipher, hash })
    }
}

impl Exchange {
    /// By the suite's number.
    pub(crate) fn of(suite: u16) -> Option<Exchange> {
        let (words, _) = parts(suite)?;
        AGREED_BY.iter().find(|(known, _)| *known == words).map(|(_, exchange)| *exchange)
    }
}
impl Cipher {
    pub(crate) fn key_size(self) -> usize {
        match self {
            Cipher::Aes128Gcm => 16,
            Cipher::Aes256Gcm | Cipher::ChaCha20Poly1305 => 32,
            Cipher::Ccm { key, .. } | Cipher::Cbc { key, .. } => usize::from(key),
            Cipher::Null { .. } => 0,
        }
    }

    /// The MAC beside the cipher; an AEAD has none.
    pub(crate) fn mac(self) -> Option<Mac> {
        match self {
            Cipher::Cbc { mac, .. } | Cipher::Null { mac } => Some(mac),
            _ => None,
        }
    }

    /// The AEADs that ring has.
    pub(super) fn aead(self) -> Option<&'static aead::Algorithm> {
        match self {
            Cipher::Aes128Gcm => Some(&aead::AES_128_GCM),
            Cipher::Aes256Gcm => Some(&aead::AES_256_GCM),
            Cipher::ChaCha20Poly1305 => Some(&aead::CHACHA20_POLY1305),
            _ => None,
        }
    }

    /// How QUIC hides numbers beside it.
    pub(super) fn header(self) -> Option<&'static aead::quic::Algorithm> {
        match self {
            Cipher::Aes128Gcm | Cipher::Ccm { key: 16, .. } => Some(&aead::quic::AES_128),
            Cipher::Aes256Gcm => Some(&aead::quic::AES_256),
            Cipher::ChaCha20Poly1305 => Some(&aead::quic::CHACHA20),
            _ => None,
        }
    }
}

impl Mac {
    pub(crate) fn key(self, bytes: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Mac::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Mac::Sha256 => hmac::HMAC_SHA256,
            Mac::Sha384 => hmac::HMAC_SHA384,
        };
        hmac::Key::new(algorithm, bytes)
    }

    /// The length of the MAC and of its key.
    pub(crate) fn size(self) -> usize {
        match self {
            Mac::Sha1 => 20,
            Mac::Sha256 => 32,
            Mac::Sha384 => 48,
        }
    }
}
