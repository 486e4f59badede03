//! Which algorithms and digests we know, and what they verify.

use ring::digest;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

use super::{dsa, ed448, rsa};

/// Which algorithms count as known. What is not known makes a zone insecure, not bogus (RFC 4035 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// RSA with SHA-1 (5, 7) and DS digests of SHA-1. Still in use, on its way out (RFC 9905).
    pub sha1: bool,
    /// DSA with SHA-1 (3, 6): nobody should (RFC 8624).
    pub dsa: bool,
    /// RSA keys of less than 1024 bits.
    pub small_rsa: bool,
}

impl Default for Algorithms {
    fn default() -> Algorithms {
        Algorithms { sha1: true, dsa: false, small_rsa: false }
    }
}

impl Algorithms {
    /// Everything, for scripts and zones of the past.
    pub const ALL: Algorithms = Algorithms { sha1: true, dsa: true, small_rsa: true };

    /// Whether signatures of this algorithm (the IANA registry's number) can be verified.
    pub fn supports(&self, algorithm: u8) -> bool {
        match algorithm {
            3 | 6 => self.dsa,
            5 | 7 => self.sha1,
            8 | 10 | 13..=16 => true,
            _ => false,
        }
    }

    /// Whether DS records with this digest type can be compared.
    pub fn supports_digest(&self, digest_type: u8) -> bool {
        match digest_type {
            1 => self.sha1,
            2 | 4 => true,
            _ => false,
        }
    }
}

/// The digest of a DS record (RFC 4034 section 5.1.4) over owner and DNSKEY data; `None` for an unknown type.
pub fn ds_digest(digest_type: u8, owner: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match digest_type {
        1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        2 => &digest::SHA256,
        4 => &digest::SHA384,
        _ => return None,
    };
    let mut context = digest::Context::new(algorithm);
    context.update(owner);
    context.update(key);
    Some(context.finish().as_ref().to_vec())
}

/// SHA-1 of `data`, as NSEC3 hashes names.
pub(super) fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-1 has 20 octets")
}

/// Whether `signature` over `message` is by the key with this public part (RFC 3110, 5702, 6605, 8080).
pub fn verify(algorithms: Algorithms, algorithm: u8, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let with = |kind: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
        UnparsedPublicKey::new(kind, key).verify(message, signature).is_ok()
    };
    match algorithm {
        3 | 6 if algorithms.dsa => dsa::verify(key, &sha1(&[message]), signature),
        5 | 7 if algorithms.sha1 => verify_rsa(algorithms, algorithm, key, message, signature),
        8 | 10 => verify_rsa(algorithms, algorithm, key, message, signature),
        13 => key.len() == 64 && with(&signature::ECDSA_P256_SHA256_FIXED, &uncompressed(key)),
        14 => key.len() == 96 && with(&signature::ECDSA_P384_SHA384_FIXED, &uncompressed(key)),
        15 => key.len() == 32 && with(&signature::ED25519, key),
        16 => ed448::verify(key, message, signature),
        _ => false,
    }
}

/// The point in SEC 1's form.
fn uncompressed(key: &[u8]) -> Vec<u8> {
    let mut point = vec![4];
    point.extend_from_slice(key);
    point
}

fn verify_rsa(algorithms: Algorithms, algorithm: u8, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some((exponent, modulus)) = rsa_parts(key) else { return false };
    let modulus = &modulus[modulus.iter().take_while(|octet| **octet == 0).count()..];
    if modulus.len() >= 128 {
        let parameters = match algorithm {
            5 | 7 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            8 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            _ => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        };
        return RsaPublicKeyComponents { n: modulus, e: exponent }
            .verify(parameters, message, signature)
            .is_ok();
    }
    if !algorithms.small_rsa {
        return false;
    }
    let digest = match algorithm {
        5 | 7 => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message),
        8 => digest::digest(&digest::SHA256, message),
        _ => digest::digest(&digest::SHA512, message),
    };
    rsa::verify(modulus, exponent, digest.as_ref(), signature)
}

/// Exponent and modulus of an RSA key (RFC 3110 section 2).
fn rsa_parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = key.split_first()?;
    let (length, rest) = if first == 0 {
        (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..])
    } else {
        (usize::from(first), rest)
    };
    (length > 0 && length < rest.len()).then(|| rest.split_at(length))
}

/// Whether the key's form fits its algorithm and its size is one we take.
pub fn key_is_sound(algorithms: Algorithms, algorithm: u8, key: &[u8]) -> bool {
    match algorithm {
        5 | 7 | 8 | 10 => rsa_parts(key).is_some_and(|(_, modulus)| {
            algorithms.small_rsa || modulus.iter().skip_while(|octet| **octet == 0).count() >= 128
        }),
        _ => true,
    }
}

/// The size of a key as people state it: the modulus's for RSA, the group's otherwise.
pub fn key_bits(algorithm: u8, key: &[u8]) -> usize {
    match algorithm {
        1 | 5 | 7 | 8 | 10 => rsa_parts(key)
            .map_or(0, |(_, modulus)| modulus.iter().skip_while(|octet| **octet == 0).count() * 8),
        3 | 6 => key.first().map_or(0, |t| 512 + 64 * usize::from(*t)),
        13 | 15 => 256,
        14 => 384,
        16 => 456,
        _ => 0,
    }
}
