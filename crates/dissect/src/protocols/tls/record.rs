//! How TLS 1.2 seals records with AEAD ciphers (RFC 5246 6.2.3.3, 5288, 7905), and what TLS 1.3 hides in one
//! (RFC 8446 5.2).

use crate::crypto::{Cipher, Key, Secret, Suite, prf};

/// A record that is sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'a> {
    /// The five bytes before it.
    pub(super) header: &'a [u8],
    pub(super) body: &'a [u8],
}

/// The length of an AEAD's tag.
const TAG: usize = 16;
/// The part of a GCM nonce that is sent with each record.
const EXPLICIT: usize = 8;

/// One side's keys in TLS 1.2.
#[derive(Debug)]
pub(super) struct Keys12 {
    key: Key,
    /// GCM: four bytes of the nonce come from the keys, eight from the record.
    salt: Option<[u8; 4]>,
}

impl Keys12 {
    /// The keys of a side, 0 for the client (RFC 5246 6.3).
    pub(super) fn derive(
        suite: Suite,
        master: &Secret,
        client: &[u8; 32],
        server: &[u8; 32],
        side: usize,
    ) -> Option<Keys12> {
        let size = suite.cipher.key_size();
        let iv_size = if suite.cipher == Cipher::ChaCha20Poly1305 { 12 } else { 4 };
        let mut block = [0; 2 * (32 + 12)];
        prf(suite.hash, master.bytes(), b"key expansion", [server, client], &mut block);
        let key = &block[side * size..][..size];
        let from = &block[2 * size + side * iv_size..][..iv_size];
        let mut iv = [0; 12];
        iv[..iv_size].copy_from_slice(from);
        let salt = (iv_size == 4).then(|| [from[0], from[1], from[2], from[3]]);
        Some(Keys12 { key: Key::new(suite.cipher, key, iv)?, salt })
    }

    /// Opens record `number`.
    pub(super) fn open(&self, number: u64, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let (nonce, body) = match self.salt {
            None => (self.key.nonce(number), sealed.body),
            Some(salt) => {
                let (explicit, body) = sealed.body.split_at_checked(EXPLICIT)?;
                let mut nonce = [0; 12];
                nonce[..4].copy_from_slice(&salt);
                nonce[4..].copy_from_slice(explicit);
                (nonce, body)
            }
        };
        let len = u16::try_from(body.len().checked_sub(TAG)?).ok()?;
        let mut aad = [0; 13];
        aad[..8].copy_from_slice(&number.to_be_bytes());
        aad[8..11].copy_from_slice(sealed.header.get(..3)?);
        aad[11..].copy_from_slice(&len.to_be_bytes());
        self.key.open(nonce, &aad, body)
    }
}

/// Takes the padding and the true type off the end of what TLS 1.3 has sealed.
pub(super) fn inner_type(plain: &mut Vec<u8>) -> Option<u8> {
    let last = plain.iter().rposition(|byte| *byte != 0)?;
    let kind = plain[last];
    plain.truncate(last);
    Some(kind)
}
