//! How TLS 1.0 to 1.2 and DTLS seal records: with AEAD ciphers (RFC 5246 6.2.3.3, 5288, 6655, 7905), with blocks in
//! chains beside a MAC (RFC 5246 6.2.3.2, 7366), and what TLS 1.3 hides in a record (RFC 8446 5.2).

use super::Said;
use crate::crypto::{Aes, Cipher, Key, Secret, prf, prf_10};
use ring::hmac;

/// A record that is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    /// What it begins with: its type and version at least.
    pub(crate) header: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Sealed<'_> {
    /// What is authenticated besides a plaintext of this length (RFC 5246 6.2.3.1).
    fn about(self, number: u64, len: usize) -> Option<[u8; 13]> {
        let mut about = [0; 13];
        about[..8].copy_from_slice(&number.to_be_bytes());
        about[8..11].copy_from_slice(self.header.get(..3)?);
        about[11..].copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
        Some(about)
    }
}

/// The part of a nonce of GCM and CCM that is sent with each record.
const EXPLICIT: usize = 8;

/// One side's keys before TLS 1.3.
#[derive(Debug)]
pub(crate) enum Keys12 {
    /// An AEAD whose nonces come from the records' numbers.
    Numbered(Key),
    /// An AEAD of whose nonces four bytes come from the keys and eight from the record.
    Explicit(Key, [u8; 4]),
    /// Blocks in a chain, or nothing, beside a MAC.
    Beside(Box<Beside>),
}

/// A cipher, perhaps, and a MAC beside it.
pub(crate) struct Beside {
    aes: Option<Aes>,
    mac: hmac::Key,
    /// TLS 1.0: each record goes on from the last block of the one before.
    chain: Option<[u8; 16]>,
    /// The MAC is of what was encrypted (RFC 7366).
    is_outside: bool,
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

impl Keys12 {
    /// The keys of a side, 0 for the client (RFC 5246 6.3), for what the hellos have agreed upon. `None`: they have
    /// not, or upon what can't be opened.
    pub(crate) fn derive(said: &Said, master: &Secret, side: usize) -> Option<Keys12> {
        let suite = said.opens_with()?;
        let (client, server) = (said.client_random?, said.server_random?);
        let cipher = suite.cipher;
        let (mac_size, size) = (cipher.mac().map_or(0, |mac| mac.size()), cipher.key_size());
        let iv_size = match cipher {
            Cipher::ChaCha20Poly1305 => 12,
            Cipher::Cbc { .. } => 16,
            Cipher::Null { .. } => 0,
            _ => 4,
        };
        let mut block = [0; 2 * (48 + 32 + 16)];
        let seed: [&[u8]; 2] = [&server, &client];
        match said.tls_version() {
            0x0303 => prf(suite.hash, master.bytes(), b"key expansion", seed, &mut block),
            _ => prf_10(master.bytes(), b"key expansion", seed, &mut block),
        }
        let mut rest = &block[..];
        let mut part = |size: usize| {
            let (parts, after) = rest.split_at(2 * size);
            rest = after;
            &parts[side * size..][..size]
        };
        let (mac, key, from) = (part(mac_size), part(size), part(iv_size));
        if let Some(kind) = cipher.mac() {
            let aes = if size > 0 { Some(Aes::new(key)?) } else { None };
            let chain = from.first_chunk().copied().filter(|_| said.tls_version() == 0x0301);
            let is_outside = said.encrypt_then_mac && aes.is_some();
            return Some(Keys12::Beside(Box::new(Beside { aes, mac: kind.key(mac), chain, is_outside })));
        }
        let mut iv = [0; 12];
        iv[..iv_size].copy_from_slice(from);
        let key = Key::new(cipher, key, iv)?;
        Some(match from {
            [a, b, c, d] => Keys12::Explicit(key, [*a, *b, *c, *d]),
            _ => Keys12::Numbered(key),
        })
    }

    /// Opens a record which has one of these numbers: which, and what is in it.
    pub(crate) fn open(
        &mut self,
        mut numbers: impl Iterator<Item = u64>,
        sealed: Sealed<'_>,
    ) -> Option<(u64, Vec<u8>)> {
        let (key, nonce, body) = match self {
            Keys12::Beside(beside) => return beside.open(numbers, sealed),
            Keys12::Numbered(key) => (key, None, sealed.body),
            Keys12::Explicit(key, salt) => {
                let (explicit, body) = sealed.body.split_at_checked(EXPLICIT)?;
                let mut nonce = [0; 12];
                nonce[..4].copy_from_slice(salt);
                nonce[4..].copy_from_slice(explicit);
                (key, Some(nonce), body)
            }
        };
        let len = body.len().checked_sub(key.tag())?;
        numbers.find_map(|number| {
            let about = sealed.about(number, len)?;
            let nonce = nonce.unwrap_or_else(|| key.nonce(number));
            Some((number, key.open(nonce, &about, body)?))
        })
    }
}

impl Beside {
    fn open(&mut self, mut numbers: impl Iterator<Item = u64>, sealed: Sealed<'_>) -> Option<(u64, Vec<u8>)> {
        let size = self.mac.algorithm().digest_algorithm().output_len();
        let (mut body, mut tag) = (sealed.body, Vec::new());
        if self.is_outside {
            let (inside, mac) = body.split_at_checked(body.len().checked_sub(size)?)?;
            (body, tag) = (inside, mac.to_vec());
        }
        let mut plain = self.decrypted(body)?;
        if !self.is_outside {
            tag = plain.split_off(plain.len().checked_sub(size)?);
        }
        let signed = if self.is_outside { body } else { &plain };
        let number = numbers.find(|number| {
            let Some(about) = sealed.about(*number, signed.len()) else { return false };
            let mut context = hmac::Context::with_key(&self.mac);
            context.update(&about);
            context.update(signed);
            context.sign().as_ref() == tag
        })?;
        Some((number, plain))
    }

    /// What the cipher hides, without its padding.
    fn decrypted(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let Some(aes) = &self.aes else { return Some(body.to_vec()) };
        let (blocks, []) = body.as_chunks::<16>() else { return None };
        let (iv, blocks) = match &mut self.chain {
            // Whether this one can be opened or not, the next goes on from here.
            Some(chain) => (std::mem::replace(chain, *blocks.last()?), blocks),
            None => blocks.split_first().map(|(iv, blocks)| (*iv, blocks))?,
        };
        let mut plain = aes.open_chained(iv, blocks);
        let padding = *plain.last()?;
        let len = plain.len().checked_sub(usize::from(padding) + 1)?;
        if plain[len..].iter().any(|byte| *byte != padding) {
            return None;
        }
        plain.truncate(len);
        Some(plain)
    }
}

/// Takes the padding and the true type off the end of what TLS 1.3 has sealed.
pub(super) fn inner_type(plain: &mut Vec<u8>) -> Option<u8> {
    let last = plain.iter().rposition(|byte| *byte != 0)?;
    let kind = plain[last];
    plain.truncate(last);
    Some(kind)
}
