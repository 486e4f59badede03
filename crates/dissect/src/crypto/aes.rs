//! Modes of AES that ring does not have, over the blocks of the `aes` crate: CBC and CCM.

use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes256};

/// A key, in both directions. Boxed: its rounds' keys are large.
#[derive(Clone)]
pub(crate) enum Aes {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Aes {
    /// `None`: a key is 16 or 32 bytes long.
    pub(crate) fn new(key: &[u8]) -> Option<Aes> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(|key| Aes::Short(Box::new(key))),
            32 => Aes256::new_from_slice(key).ok().map(|key| Aes::Long(Box::new(key))),
            _ => None,
        }
    }

    pub(crate) fn seal(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        match self {
            Aes::Short(key) => key.encrypt_block(&mut block),
            Aes::Long(key) => key.encrypt_block(&mut block),
        }
        block.into()
    }

    pub(crate) fn open(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        match self {
            Aes::Short(key) => key.decrypt_block(&mut block),
            Aes::Long(key) => key.decrypt_block(&mut block),
        }
        block.into()
    }

    /// Cipher block chaining (NIST SP 800-38A 6.2): opens whole blocks.
    pub(crate) fn open_chained(&self, iv: [u8; 16], sealed: &[[u8; 16]]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(16 * sealed.len());
        let mut before = iv;
        for block in sealed {
            let opened = u128::from_ne_bytes(self.open(*block)) ^ u128::from_ne_bytes(before);
            plain.extend_from_slice(&opened.to_ne_bytes());
            before = *block;
        }
        plain
    }

    /// Counter with CBC-MAC (RFC 3610), nonces of twelve bytes: opens what is sealed with a tag of `tag` bytes behind
    /// it. `None`: the tag is another.
    pub(crate) fn open_counted(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        sealed: &[u8],
        tag: usize,
    ) -> Option<Vec<u8>> {
        let (body, given) = sealed.split_at_checked(sealed.len().checked_sub(tag)?)?;
        let block = |flags: u8, number: usize| {
            let mut block = [0; 16];
            block[0] = flags;
            block[1..13].copy_from_slice(&nonce);
            block[13..].copy_from_slice(&(number as u32).to_be_bytes()[1..]);
            block
        };
        let stream = |number: usize| self.seal(block(2, number));
        let mut plain = body.to_vec();
        for (at, piece) in plain.chunks_mut(16).enumerate() {
            piece.iter_mut().zip(stream(at + 1)).for_each(|(byte, key)| *byte ^= key);
        }
        let mut sum = self.seal(block(0x40 | ((tag as u8 - 2) / 2) << 3 | 2, plain.len()));
        let mut add = |bytes: &mut dyn Iterator<Item = u8>| {
            for (at, byte) in bytes.enumerate() {
                if at > 0 && at.is_multiple_of(16) {
                    sum = self.seal(sum);
                }
                sum[at % 16] ^= byte;
            }
            sum = self.seal(sum);
        };
        // What is authenticated only is shorter than 0xFF00 bytes: a record's header.
        add(&mut (aad.len() as u16).to_be_bytes().into_iter().chain(aad.iter().copied()));
        if !plain.is_empty() {
            add(&mut plain.iter().copied());
        }
        let own = sum.iter().zip(stream(0)).map(|(byte, key)| byte ^ key);
        own.take(tag).eq(given.iter().copied()).then_some(plain)
    }
}
