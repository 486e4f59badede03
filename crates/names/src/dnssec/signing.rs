//! Signing: keys, signatures, and whole zones with their chains of denials (RFC 4034, 4035, 5155, 6605, 8080).
//!
//! - [`SigningKey`]: a private key and what the zone publishes of it.
//! - [`keyfile`]: keys in the files of dnssec-keygen and ldns-keygen.
//! - [`zone::sign`]: an unsigned zone's records to a signed zone's. Start here.
//! - [`flaw`]: the same, with what operators get wrong.
//!
//! Ed25519 signatures repeat, octet for octet; ECDSA draws from the source of randomness that its key came with.

pub mod flaw;
pub mod keyfile;
pub mod live;
pub mod zone;

use std::fmt;
use std::sync::Arc;

use hickory_proto::rr::Name;
use ring::rand::SecureRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};

use super::algorithm::ds_digest;
use super::records::{Rrsig, key_tag};
use super::verify::{labels_of, signed_data};
use crate::rrset::Rrset;
use crate::wire::name_to_wire;

/// RSA with SHA-256 (RFC 5702).
pub const RSASHA256: u8 = 8;
/// ECDSA on P-256 with SHA-256 (RFC 6605).
pub const ECDSAP256SHA256: u8 = 13;
/// Ed25519 (RFC 8080).
pub const ED25519: u8 = 15;

/// Flags of a key that signs the zone's data.
pub const ZONE_SIGNING: u16 = 256;
/// Flags of a key that signs the zone's keys: its entry point.
pub const KEY_SIGNING: u16 = 257;

/// Where keys that need it draw randomness.
pub type Randomness = Arc<dyn SecureRandom + Send + Sync>;

enum Private {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair, Randomness),
    Rsa(Box<RsaKeyPair>, Randomness),
}

/// A key that signs.
pub struct SigningKey {
    flags: u16,
    algorithm: u8,
    public: Vec<u8>,
    private: Private,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("flags", &self.flags)
            .field("tag", &self.tag())
            .finish_non_exhaustive()
    }
}

/// When signatures hold: seconds since 1970, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From here on.
    pub inception: u32,
    /// Until here.
    pub expiration: u32,
}

impl SigningKey {
    /// The Ed25519 key of a seed: the same seed gives the same key.
    pub fn ed25519(seed: &[u8; 32], flags: u16) -> SigningKey {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 octets are a seed");
        let public = pair.public_key().as_ref().to_vec();
        SigningKey { flags, algorithm: ED25519, public, private: Private::Ed25519(pair) }
    }

    /// The Ed25519 key of a phrase: for labs and tests, where anybody may know it.
    pub fn of_phrase(phrase: &str, flags: u16) -> SigningKey {
        let digest = ring::digest::digest(&ring::digest::SHA256, phrase.as_bytes());
        let seed = <[u8; 32]>::try_from(digest.as_ref()).expect("SHA-256 has 32 octets");
        SigningKey::ed25519(&seed, flags)
    }

    /// An ECDSA P-256 key out of a PKCS#8 document.
    pub fn p256(pkcs8: &[u8], flags: u16, random: Randomness) -> Result<SigningKey, String> {
        let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &*random)
            .map_err(|why| format!("not a P-256 key: {why}"))?;
        // Without the octet that says "uncompressed" (RFC 6605 section 4).
        let public = pair.public_key().as_ref()[1..].to_vec();
        Ok(SigningKey { flags, algorithm: ECDSAP256SHA256, public, private: Private::P256(pair, random) })
    }

    /// A new ECDSA P-256 key.
    ///
    /// # Panics
    /// If there is no randomness.
    pub fn new_p256(flags: u16, random: Randomness) -> SigningKey {
        let document = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &*random)
            .expect("there is randomness");
        SigningKey::p256(document.as_ref(), flags, random).expect("just made")
    }

    /// An RSA key of 2048 to 4096 bits out of a PKCS#8 document.
    pub fn rsa(pkcs8: &[u8], flags: u16, random: Randomness) -> Result<SigningKey, String> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|why| format!("not an RSA key: {why}"))?;
        let parts: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
        // RFC 3110 section 2: exponents of more than 255 octets do not come up.
        let mut public = vec![parts.e.len() as u8];
        public.extend_from_slice(&parts.e);
        public.extend_from_slice(&parts.n);
        let private = Private::Rsa(Box::new(pair), random);
        Ok(SigningKey { flags, algorithm: RSASHA256, public, private })
    }

    /// The algorithm's number.
    pub fn algorithm(&self) -> u8 {
        self.algorithm
    }

    /// Whether it is meant to sign the keys.
    pub fn is_entry_point(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The DNSKEY data.
    pub fn dnskey(&self) -> Vec<u8> {
        self.dnskey_with(self.flags)
    }

    fn dnskey_with(&self, flags: u16) -> Vec<u8> {
        let mut data = flags.to_be_bytes().to_vec();
        data.extend_from_slice(&[3, self.algorithm]);
        data.extend_from_slice(&self.public);
        data
    }

    /// The DNSKEY data with the REVOKE flag (RFC 5011 section 2.1).
    pub fn revoked_dnskey(&self) -> Vec<u8> {
        self.dnskey_with(self.flags | 0x0080)
    }

    /// The key's tag.
    pub fn tag(&self) -> u16 {
        key_tag(&self.dnskey())
    }

    /// The DS data for the zone above; `None` for a digest type we can't make.
    pub fn ds(&self, zone: &Name, digest_type: u8) -> Option<Vec<u8>> {
        let digest = ds_digest(digest_type, &name_to_wire(&zone.to_lowercase()), &self.dnskey())?;
        let mut data = self.tag().to_be_bytes().to_vec();
        data.extend_from_slice(&[self.algorithm, digest_type]);
        data.extend_from_slice(&digest);
        Some(data)
    }

    /// RRSIG data over a set of the zone.
    pub fn sign(&self, set: &Rrset, zone: &Name, window: Window) -> Vec<u8> {
        self.sign_as(self.tag(), set, zone, window)
    }

    /// As [`SigningKey::sign`], under the tag that the key has once it is revoked.
    pub fn sign_revoked(&self, set: &Rrset, zone: &Name, window: Window) -> Vec<u8> {
        self.sign_as(key_tag(&self.revoked_dnskey()), set, zone, window)
    }

    fn sign_as(&self, tag: u16, set: &Rrset, zone: &Name, window: Window) -> Vec<u8> {
        let mut data = u16::from(set.rtype).to_be_bytes().to_vec();
        data.extend_from_slice(&[self.algorithm, labels_of(&set.name) as u8]);
        for word in [set.ttl, window.expiration, window.inception] {
            data.extend_from_slice(&word.to_be_bytes());
        }
        data.extend_from_slice(&tag.to_be_bytes());
        data.extend_from_slice(&name_to_wire(&zone.to_lowercase()));
        let head = Rrsig::read(&data).expect("just written");
        let message = signed_data(set, &head);
        let signature = self.signature(&message);
        data.extend_from_slice(&signature);
        data
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Private::P256(pair, random) => {
                pair.sign(&**random, message).expect("there is randomness").as_ref().to_vec()
            }
            Private::Rsa(pair, random) => {
                let mut out = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &**random, message, &mut out)
                    .expect("there is randomness");
                out
            }
        }
    }
}

#[cfg(test)]
mod tests;
