//! Cipher suites: what of them matters to open what they seal. How keys were agreed upon and who signed what does not.

use super::Hash;
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

/// What of a cipher suite matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    /// Keys are derived with it, in TLS 1.0 and 1.1 with something older.
    pub(crate) hash: Hash,
}

/// The suite of QUIC's Initial packets.
pub(crate) const INITIAL: Suite = Suite { cipher: Cipher::Aes128Gcm, hash: Hash::Sha256 };

impl Suite {
    /// By its number at IANA; `None` for suites that can't be opened, such as those with 3DES and Camellia.
    pub(crate) fn of(number: u16) -> Option<Suite> {
        use Cipher::{Aes128Gcm, Aes256Gcm, Cbc, Ccm, ChaCha20Poly1305, Null};
        let (cipher, hash) = match number {
            0x1301 | 0x009C | 0x009E | 0x00A0 | 0x00A2 | 0x00A4 | 0x00A6 | 0x00A8 | 0x00AA | 0x00AC
            | 0xC02B | 0xC02D | 0xC02F | 0xC031 | 0xD001 => (Aes128Gcm, Hash::Sha256),
            0x1302 | 0x009D | 0x009F | 0x00A1 | 0x00A3 | 0x00A5 | 0x00A7 | 0x00A9 | 0x00AB | 0x00AD
            | 0xC02C | 0xC02E | 0xC030 | 0xC032 | 0xD002 => (Aes256Gcm, Hash::Sha384),
            0x1303 | 0xCCA8..=0xCCAE => (ChaCha20Poly1305, Hash::Sha256),
            0x1304 | 0xC09C | 0xC09E | 0xC0A4 | 0xC0A6 | 0xC0AC | 0xD005 => {
                (Ccm { key: 16, tag: 16 }, Hash::Sha256)
            }
            0xC09D | 0xC09F | 0xC0A5 | 0xC0A7 | 0xC0AD => (Ccm { key: 32, tag: 16 }, Hash::Sha256),
            0x1305 | 0xC0A0 | 0xC0A2 | 0xC0A8 | 0xC0AA | 0xC0AE | 0xD003 => {
                (Ccm { key: 16, tag: 8 }, Hash::Sha256)
            }
            0xC0A1 | 0xC0A3 | 0xC0A9 | 0xC0AB | 0xC0AF => (Ccm { key: 32, tag: 8 }, Hash::Sha256),
            0x002F..=0x0034
            | 0x008C
            | 0x0090
            | 0x0094
            | 0xC004
            | 0xC009
            | 0xC00E
            | 0xC013
            | 0xC018
            | 0xC01D..=0xC01F
            | 0xC035 => (Cbc { key: 16, mac: Mac::Sha1 }, Hash::Sha256),
            0x0035..=0x003A
            | 0x008D
            | 0x0091
            | 0x0095
            | 0xC005
            | 0xC00A
            | 0xC00F
            | 0xC014
            | 0xC019
            | 0xC020..=0xC022
            | 0xC036 => (Cbc { key: 32, mac: Mac::Sha1 }, Hash::Sha256),
            0x003C
            | 0x003E..=0x0040
            | 0x0067
            | 0x006C
            | 0x00AE
            | 0x00B2
            | 0x00B6
            | 0xC023
            | 0xC025
            | 0xC027
            | 0xC029
            | 0xC037 => (Cbc { key: 16, mac: Mac::Sha256 }, Hash::Sha256),
            0x003D | 0x0068..=0x006B | 0x006D => (Cbc { key: 32, mac: Mac::Sha256 }, Hash::Sha256),
            0x00AF | 0x00B3 | 0x00B7 | 0xC024 | 0xC026 | 0xC028 | 0xC02A | 0xC038 => {
                (Cbc { key: 32, mac: Mac::Sha384 }, Hash::Sha384)
            }
            0x0002 | 0x002C..=0x002E | 0xC001 | 0xC006 | 0xC00B | 0xC010 | 0xC015 | 0xC039 => {
                (Null { mac: Mac::Sha1 }, Hash::Sha256)
            }
            0x003B | 0x00B0 | 0x00B4 | 0x00B8 | 0xC03A => (Null { mac: Mac::Sha256 }, Hash::Sha256),
            0x00B1 | 0x00B5 | 0x00B9 | 0xC03B => (Null { mac: Mac::Sha384 }, Hash::Sha384),
            _ => return None,
        };
        Some(Suite { cipher, hash })
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
